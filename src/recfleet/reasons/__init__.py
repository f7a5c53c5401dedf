"""Reasons: why a product is in a customer's list, and where the list came from."""

from recfleet.reasons._answer import AnswerTrace, trace_answer
from recfleet.reasons._sentences import MONTH, Cause, Reason, make_reason, strongest
from recfleet.reasons._trace import Link, Model, Trace, airflow_page, trace_list
from recfleet.reasons._why import say_why

__all__ = [
    "MONTH",
    "AnswerTrace",
    "Cause",
    "Link",
    "Model",
    "Reason",
    "Trace",
    "airflow_page",
    "make_reason",
    "say_why",
    "strongest",
    "trace_answer",
    "trace_list",
]
