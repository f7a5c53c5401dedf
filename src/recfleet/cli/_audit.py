"""``recfleet audit`` and ``recfleet trace``: who changed what, and where a list came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from recfleet.cli._output import AsJson, console, print_json, printable

if TYPE_CHECKING:
    from recfleet.audit import Chain, OnRecord
    from recfleet.operations import Model, Trace

_TOLD_FAULTS = 20


class _TenantByDefault(TyperGroup):
    """``audit TENANT`` is ``audit tenant TENANT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["tenant", *args]
        return list(super().parse_args(ctx, args))


audit = typer.Typer(
    cls=_TenantByDefault,
    help="Who changed what of a tenant, when and why. `recfleet audit TENANT` tells one tenant's "
    "story; `recfleet audit verify` proves that nothing of it is missing or was changed.",
    epilog="A tenant that is called like a command: `recfleet audit tenant verify`. In SQL: the "
    "table audit, and the view promotion with the changes of champion alone.",
    no_args_is_help=True,
    subcommand_metavar="TENANT | COMMAND [OPTIONS]",
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(audit, name="audit")
    app.command("trace")(trace_command)


Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only so many of the newest; by default all.")
]


@audit.command("tenant")
def tenant_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """One tenant's story in order: when, what, by whom and why, with the judge's numbers.

    The word `tenant` may be left out.
    """
    from recfleet.database import connect
    from recfleet.operations import tell_story

    with closing(connect()) as connection:
        entries = tell_story(connection, tenant_id, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    out = console()
    if not entries:
        out.print(Text(f"Nothing of {tenant_id} was ever changed or decided."))
    for entry in entries:
        _print_entry(entry)


@audit.command("recent")
def recent_command(
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many of the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest entries of all tenants, and those of the fleet itself, in order."""
    from recfleet.audit import read_entries
    from recfleet.database import connect

    with closing(connect()) as connection:
        entries = read_entries(connection, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        console().print(Text("Nothing was ever changed or decided."))
    for entry in entries:
        _print_entry(entry, whose=True)


def _print_entry(entry: OnRecord, *, whose: bool = False) -> None:
    from recfleet.audit import numbers_in_words, what_changed, where_it_came_from

    out = console()
    of = f"{entry.tenant_id or 'the fleet'}  " if whose else ""
    night = f", night {entry.night_id}" if entry.night_id is not None else ""
    out.print(
        Text.assemble(
            f"{entry.happened_at:%Y-%m-%d %H:%M}  ",
            printable(of),
            (printable(what_changed(entry)), "bold"),
            printable(f"  by {entry.actor}{night}"),
        )
    )
    for line in (entry.reason, *numbers_in_words(entry), *where_it_came_from(entry)):
        if line:
            out.print(Text(f"    {printable(line)}"))


@audit.command("verify")
def verify_command(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER:HASH",
            help="A head that was noted earlier, as this command or a night's log printed it: it "
            "must still be in the chain.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that nothing of the audit is missing or was changed.

    Entries must be numbered from 1 without a gap, each must name the hash of the one before, and
    each hash is computed anew. What the audit says last of champions and modes must be what is on
    record. Prints the head: note it where nobody who can write to the database can write too, and
    give it with --head another day; without one, an end that was cut off is not seen.
    Exit code 0: all is well; 1: something is wrong, with what.
    """
    from recfleet.audit import parse_head
    from recfleet.database import connect
    from recfleet.operations import verify

    noted = parse_head(head) if head else None
    with (
        closing(connect(purpose="recfleet audit verify")) as connection,
        Console(stderr=True).status("Reading the audit …") as status,
    ):
        chain = verify(
            connection,
            noted=noted,
            told=lambda entries: status.update(f"Reading the audit: {entries:,} entries …"),
        )
    if as_json:
        print_json(
            {
                "entries": chain.entries,
                "head": str(chain.head) if chain.head else None,
                "faults": [asdict(fault) for fault in chain.faults],
            }
        )
    else:
        _print_chain(chain, noted=noted is not None)
    if chain.faults:
        raise typer.Exit(1)


def _print_chain(chain: Chain, *, noted: bool) -> None:
    out = console()
    for fault in chain.faults[:_TOLD_FAULTS]:
        out.print(Text(printable(fault.what)))
    if (more := len(chain.faults) - _TOLD_FAULTS) > 0:
        out.print(Text(f"… and {more:,} more; --json has all of them."))
    if chain.head is None:
        out.print(Text("The audit has no entry yet."))
        return
    many = "1 entry" if chain.entries == 1 else f"{chain.entries:,} entries"
    if chain.faults:
        wrong = "1 thing is" if len(chain.faults) == 1 else f"{len(chain.faults):,} things are"
        out.print(Text(f"{many}, head {chain.head}: {wrong} wrong."))
        return
    kept = " The head that was noted is in it." if noted else ""
    out.print(Text(f"{many}, head {chain.head}. Nothing is missing, nothing was changed.{kept}"))


def trace_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    customer_id: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="The customer, as the tenant writes it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Where a customer's live list came from.

    From the list to its release, model version, recipe, training data and their fingerprint, to the
    night's run in Airflow and the model's page in MLflow, and to who put the model in force and
    why. In SQL: the view live_origin, a row for each tenant.
    """
    from recfleet.database import connect
    from recfleet.operations import trace_list

    with closing(connect()) as connection:
        found = trace_list(connection, tenant_id, customer_id)
    if as_json:
        print_json(asdict(found))
        return
    out = console()
    for label, text in _told(found):
        out.print(Text.assemble((f"{label:>13}  ", "bold"), printable(text)))


def _told(found: Trace) -> Iterator[tuple[str, str]]:
    yield "list", _list_in_words(found)
    if found.release is None or found.source == "excluded":
        return
    release = found.release
    yield (
        "release",
        f"{release.release_id}, served by {release.served_by}, as of {_minute(release.as_of)}, "
        f"live since {_minute(release.live_since)}",
    )
    yield "made from", f"all interactions up to as-of, fingerprint {release.fingerprint}"
    yield "night", f"{release.night_id} ({_night_kind(release.night_kind)}), run {release.run}"
    if release.airflow_page:
        yield "", release.airflow_page
    if found.model is None:
        yield "model", "none: the tenant is served its popular products"
    else:
        yield from _told_model(found.model)


def _told_model(model: Model) -> Iterator[tuple[str, str]]:
    from recfleet.audit import span_in_words

    yield "model", f"version {model.version}"
    yield "", model.mlflow_page
    if model.recipe:
        yield "recipe", ", ".join(f"{name} {value}" for name, value in model.recipe.items())
    for label, span in (("trained on", model.training), ("judged by", model.holdout)):
        if span:
            yield label, span_in_words(span)
    if model.trained_in:
        code = f" by recfleet {model.code_version}" if model.code_version else ""
        yield "trained in", f"run {model.trained_in}{code}"
    if model.airflow_page:
        yield "", model.airflow_page
    yield "MLflow run", model.run_page or f"{model.run_id}, which MLflow has no more"
    if decision := model.decision:
        yield (
            "in force",
            f"since {_minute(decision.at)} by {decision.actor} ({decision.kind}, entry "
            f"{decision.audit_id} of the audit): {decision.reason}",
        )
    else:
        yield "in force", "and the audit does not say since when: `recfleet doctor` tells more"


def _list_in_words(found: Trace) -> str:
    if found.release is None:
        return (
            f"none: nothing was published for {found.tenant_id} yet; `recfleet night show` tells "
            "how far its last night came"
        )
    if found.source == "excluded":
        return (
            f"none: the customer is excluded by the policy of {found.tenant_id}, and nothing is "
            "recommended to them"
        )
    whose = "the customer's own" if found.known_customer else "the popular one, for want of an own"
    first = ", ".join(found.products[:5])
    what = f"{whose}, {len(found.products)} products" + (f": {first}" if first else "")
    what += ", …" if len(found.products) > 5 else ""
    return what if found.served else f"{what}; {found.tenant_id} is off, and nothing is served"


def _night_kind(kind: str) -> str:
    return {"fleet": "the fleet's", "backfill": "a backfill", "operator": "by day"}.get(kind, kind)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
