"""``recfleet experiment stop`` and ``decide``."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text

from recfleet.experiment_cli._shared import Number, TenantId, Yes
from recfleet.terminal.actor import actor
from recfleet.terminal.output import console
from recfleet.terminal.selection import Reason, ask_before


def stop_command(
    tenant_id: TenantId, number: Number, *, reason: Reason = "", yes: Yes = False
) -> None:
    """Stop an experiment: the next night's lists know nothing of it."""
    from recfleet.database import connect
    from recfleet.experiments import stop_experiment

    with closing(connect()) as connection:
        ask_before(f"Stop experiment {number} of {tenant_id}", yes=yes)
        stop_experiment(
            connection, tenant_id, number, actor=actor(), reason=reason, now=datetime.now(UTC)
        )
    console().print(
        Text(
            f"Experiment {number} of {tenant_id} is stopped: from the next night on its customers "
            "get what everybody gets."
        )
    )


def decide_command(
    tenant_id: TenantId,
    number: Number,
    winner: Annotated[str, typer.Argument(metavar="ARM", help="The arm that wins.")],
    *,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """End an experiment with a winner.

    The decision is kept; it changes neither the champion nor the policy. The command says what
    does.
    """
    from recfleet.database import connect
    from recfleet.experiments import decide_experiment

    with closing(connect()) as connection:
        ask_before(f"Decide experiment {number} of {tenant_id} for {winner}", yes=yes)
        decide_experiment(
            connection,
            tenant_id,
            number,
            winner,
            actor=actor(),
            reason=reason,
            now=datetime.now(UTC),
        )
    told = f"Experiment {number} of {tenant_id} is decided for {winner}."
    console().print(Text(f"{told} {_next(tenant_id, winner)}"))


def _next(tenant_id: str, winner: str) -> str:
    """What puts a winner in force for everybody."""
    from recfleet.experiments import CHAMPION, version_in

    if winner == CHAMPION:
        return "Everybody gets it from the next night on."
    if version := version_in(winner):
        return f"`recfleet promote {tenant_id} --version {version}` puts it in force for everybody."
    if winner in ("new", "again", "both"):
        return f"`recfleet tenant set {tenant_id} offers={winner}` puts it in force for everybody."
    return "Nothing is served that way yet; its customers get what everybody gets."
