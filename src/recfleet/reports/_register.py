"""All commands of the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recfleet.reports import _customer, _events, _kpi

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _events.register(app)
    _kpi.register(app)
    app.add_typer(_customer.customer, name="customer")
