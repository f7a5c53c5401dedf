"""The command line: ``recfleet``."""

from recfleet.cli._main import app, main

__all__ = ["app", "main"]
