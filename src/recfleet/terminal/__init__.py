"""What all commands share at a terminal.

- ``output``: tables for people, JSON for programs, progress.
- ``selection``: choose tenants, ask before much is changed, show the results.
- ``actor``: who runs the command.
- ``airflow``: Airflow's own API. ``follow``: wait for a run there, and show how far it is.
"""
