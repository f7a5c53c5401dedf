"""``recfleet experiment``, of the room ``experiment_cli``."""

from __future__ import annotations

import typer

from recfleet.experiment_cli import experiment


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(experiment, name="experiment")
