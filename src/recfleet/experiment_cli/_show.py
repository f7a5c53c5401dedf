"""``recfleet experiment list`` and ``show``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from recfleet.experiment_cli._shared import TenantId, plain
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.experiments import Told


def list_command(
    tenant_id: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="Only this tenant's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List experiments, the oldest first."""
    from recfleet.database import connect
    from recfleet.experiments import experiments_of
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        if tenant_id is not None:
            check_tenants(connection, [tenant_id])
        found = experiments_of(connection, tenant_id)
    if as_json:
        print_json([plain(one) for one in found])
        return
    print_table(
        f"{len(found)} experiments",
        [
            {
                "tenant": one.tenant_id,
                "number": one.experiment_id,
                "kind": one.kind,
                "arms": ", ".join(arm.name for arm in one.arms),
                "kpi": one.kpi,
                "share": f"{one.share:.0%}",
                "state": one.state,
                "started_at": one.started_at,
                "started_by": one.started_by,
                "winner": one.winner,
            }
            for one in found
        ],
        ["tenant", "number", "kind", "arms", "kpi", "share", "state", "started_at", "winner"],
        right=frozenset({"number", "share"}),
        empty="There is no experiment; start one with `recfleet experiment start TENANT --arm "
        "champion --arm popular`.",
    )


def show_command(
    tenant_id: TenantId,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="By default its newest experiment.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show an experiment: numbers with bounds, the verdict in a sentence, and its curve.

    The bounds hold however often one looks. Only customers count who were given an answer, and
    whose window has passed.
    """
    from recfleet.database import connect
    from recfleet.experiments import tell
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        check_tenants(connection, [tenant_id])
        told = tell(connection, tenant_id, number)
    if as_json:
        looks = [{"phase": one.phase, **one.look.plain()} for one in told.looks]
        pauses = [
            {"as_of": as_of, "arm": one.arm, "reason": one.reason} for as_of, one in told.pauses
        ]
        print_json(plain(told.experiment) | {"looks": looks, "pauses": pauses})
        return
    _show(told)


def _show(told: Told) -> None:
    from recfleet.experiments import KPIS, draw

    one = told.experiment
    out = console()
    out.print(Text(told.title, style="bold"))
    out.print(Text(told.state))
    print_table(
        f"Phase {one.phase.phase}",
        told.rows,
        ["arm", "share", "exposed", "complete", *KPIS, "difference", "from", "to", "stopped"],
        right=frozenset({"share", "exposed", "complete", *KPIS, "difference", "from", "to"}),
    )
    for arm in told.compared:
        lines = draw(told.points(arm))
        if lines:
            out.print(Text(f"{one.kpi} of {arm} less that of {one.control}, night by night:"))
            for line in lines:
                out.print(Text(f"  {line}"))
    for as_of, pause in told.pauses:
        out.print(Text(f"Rested {as_of:%Y-%m-%d}: {pause.arm} could not be made: {pause.reason}."))
    out.print(Text(told.sentence))
