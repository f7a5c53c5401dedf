"""Reasons: why a product is in a customer's list, and where the list came from."""

from recfleet.reasons._trace import Model, Trace, airflow_page, trace_list
from recfleet.reasons._why import say_why

__all__ = ["Model", "Trace", "airflow_page", "say_why", "trace_list"]
