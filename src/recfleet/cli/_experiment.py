"""``recfleet experiment``: compare ways of serving, by fair trials."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from recfleet.errors import BadInputError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table
from recfleet.terminal.selection import Reason, ask_before

if TYPE_CHECKING:
    from recfleet.experiments import Experiment, Kpi, Wanted

experiment = typer.Typer(
    help="Compare ways of serving by fair trials, and let the better one win.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(experiment, name="experiment")


TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The experiment's number.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@experiment.command("start")
def start_command(
    tenant_id: TenantId,
    *,
    arms: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            help="A way of serving: champion, version:N, no-model, popular, nothing, new, again, "
            "both or shipped-weights. Repeat it; the champion, or else the first, is what the "
            "others are compared with.",
        ),
    ] = None,
    rollout: Annotated[
        int | None,
        typer.Option(
            "--rollout",
            metavar="VERSION",
            help="Serve this version to 5% of the customers, beside an equal control; then, while "
            "it does no harm, to 10, 25, 50 and 100%.",
        ),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", help="Part of the customers that takes part, up to 1.")
    ] = 1.0,
    kpi: Annotated[
        str, typer.Option("--kpi", help="What decides: accepts, purchases or revenue.")
    ] = "revenue",
    planned: Annotated[
        int | None,
        typer.Option(
            "--planned",
            min=100,
            help="Customers of two arms together for whom the test is tuned, as `recfleet "
            "experiment plan` says; by default all who take part.",
        ),
    ] = None,
    window: Annotated[
        int,
        typer.Option(
            "--window", min=1, max=90, help="Days after a customer's first exposure that count."
        ),
    ] = 14,
    rest: Annotated[
        int,
        typer.Option(
            "--rest", min=0, max=365, help="Days in which its customers rest after its end."
        ),
    ] = 14,
    reason: Reason = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Start an experiment: the next night makes each customer's list by their arm.

    Who is in which arm is drawn by lot before that night, and stays. A customer is in one
    experiment at a time, and rests after it.

    For instance: recfleet experiment start germany --arm champion --arm popular --reason "is it
    worth it"
    """
    from recfleet.database import connect
    from recfleet.experiments import start_experiment
    from recfleet.operations import arm_model

    wanted = _wanted(arms, rollout, kpi, share=share, window=window, rest=rest)
    with closing(connect()) as connection:
        wanted = _tuned(connection, tenant_id, wanted, planned)
        ask_before(
            f"Start an experiment of {' against '.join(wanted.arms)} with {wanted.share:.0%} of "
            f"the customers of {tenant_id}",
            yes=yes,
        )
        started = start_experiment(
            connection,
            tenant_id,
            wanted,
            model_of=partial(arm_model, connection, tenant_id),
            actor=actor(),
            reason=reason,
            now=datetime.now(UTC),
        )
    if as_json:
        print_json(_plain(started))
        return
    console().print(
        Text(
            f"Experiment {started.experiment_id} of {tenant_id} is started; the next night makes "
            "its first lists."
        )
    )


def _wanted(
    arms: list[str] | None, rollout: int | None, kpi: str, *, share: float, window: int, rest: int
) -> Wanted:
    from recfleet.experiments import CHAMPION, Wanted

    kpis: dict[str, Kpi] = {"accepts": "accepts", "purchases": "purchases", "revenue": "revenue"}
    if kpi not in kpis:
        raise BadInputError(f"There is no KPI {kpi!r}: write accepts, purchases or revenue.")
    if (rollout is None) == (not arms):
        raise BadInputError("Name the arms with --arm, or one version with --rollout.")
    named = arms or [CHAMPION, f"version:{rollout}"]
    return Wanted(
        arms=named,
        kpi=kpis[kpi],
        kind="comparison" if rollout is None else "rollout",
        share=share,
        window_days=window,
        rest_days=rest,
    )


def _tuned(connection: Any, tenant_id: str, wanted: Wanted, planned: int | None) -> Wanted:
    """The same, tuned for the customers who are expected."""
    from dataclasses import replace

    from recfleet.interactions.known import count_all
    from recfleet.tenants import check_tenants

    check_tenants(connection, [tenant_id])
    if planned is None:
        there = count_all(connection, tenant_id)["customers"] * wanted.share
        planned = max(100, round(there * 2 / len(wanted.arms)))
    return replace(wanted, planned=planned)


@experiment.command("list")
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
        print_json([_plain(one) for one in found])
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


@experiment.command("stop")
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


@experiment.command("decide")
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


def _plain(one: Experiment) -> dict[str, Any]:
    return asdict(one) | {"arms": [arm.plain() for arm in one.arms]}
