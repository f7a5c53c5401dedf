"""Attacks on a started stack, by persons who have a little and want more.

Another user of the machine, a viewer of Airflow, an application with its password, one tenant's
analyst, a caller with one tenant's key, and who can write into the artifact store. ``make attack``
runs them all; the tests run a short form.
"""
