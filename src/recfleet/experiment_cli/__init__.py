"""``recfleet experiment``: compare ways of serving, by fair trials."""

from recfleet.experiment_cli._commands import experiment

__all__ = ["experiment"]
