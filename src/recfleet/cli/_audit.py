"""``recfleet audit``, ``trace`` and ``answer``: who changed what, and where lists came from."""

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

from recfleet.terminal.output import AsJson, console, print_json, print_table, printable

if TYPE_CHECKING:
    from recfleet.audit import Chain, OnRecord
    from recfleet.reasons import AnswerTrace, Link, Model, Trace

_TOLD_FAULTS = 20


class _TenantByDefault(TyperGroup):
    """``audit TENANT`` is ``audit tenant TENANT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["tenant", *args]
        return list(super().parse_args(ctx, args))


audit = typer.Typer(
    cls=_TenantByDefault,
    help="See who changed what, when and why. `recfleet audit TENANT` shows one tenant's entries; "
    "`recfleet audit verify` proves that the audit is complete and unchanged.",
    epilog="For a tenant named like a command: `recfleet audit tenant verify`. In SQL: the table "
    "audit, and the view promotion with only the changes of champion.",
    no_args_is_help=True,
    subcommand_metavar="TENANT | COMMAND [OPTIONS]",
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(audit, name="audit")
    app.command("trace")(trace_command)
    app.command("answer")(answer_command)


Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the newest N entries; by default all.")
]


@audit.command("tenant")
def tenant_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Show one tenant's entries in order.

    Each says when, what, by whom, why, and the judge's numbers. You may leave out the word
    `tenant`.
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
        out.print(Text(f"The audit has no entry of {tenant_id}."))
    for entry in entries:
        _print_entry(entry)


@audit.command("recent")
def recent_command(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Only the newest N entries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest entries of all tenants.

    Entries of the fleet itself are among them.
    """
    from recfleet.audit import read_entries
    from recfleet.database import connect

    with closing(connect()) as connection:
        entries = read_entries(connection, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        console().print(Text("The audit has no entry yet."))
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
            help="A head noted earlier, from this command or a night's log. It must still be in "
            "the chain.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the audit is complete and unchanged.

    The command checks that entries are numbered from 1 without a gap and name the hash of the entry
    before, recomputes each hash, and compares the last champions and modes with those on record. It
    prints the head. Note the head in a place that people with write access to the database cannot
    change, and pass it as --head another day: without it, a missing end goes unnoticed.
    Exit code 0: all is well; 1: something is wrong, and the output says what.
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
    kept = " It contains the head you noted." if noted else ""
    out.print(Text(f"{many}, head {chain.head}. The audit is complete and unchanged.{kept}"))


def trace_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    customer_id: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="The customer, as the tenant writes it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show where a customer's live list came from.

    The command shows the list's release, model version, recipe, training data and fingerprint, the
    night's run in Airflow, the model's page in MLflow, and who put the model in force and why. In
    SQL: the view live_origin, one row per tenant.
    """
    from recfleet.database import connect
    from recfleet.reasons import trace_list

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
    if found.arm:
        yield "arm", f"{found.arm}, of an experiment (`recfleet experiment list {found.tenant_id}`)"
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
        yield (
            "model",
            ("the arm's own, or none" if found.arm else "none: the tenant is served without one"),
        )
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
    if model.chain:
        yield "fit", _chain_in_words(model.chain)
    yield "MLflow run", model.run_page or f"{model.run_id}, deleted from MLflow"
    if decision := model.decision:
        yield (
            "in force",
            f"since {_minute(decision.at)} by {decision.actor} ({decision.kind}, entry "
            f"{decision.audit_id} of the audit): {decision.reason}",
        )
    else:
        yield "in force", "since when is not in the audit: `recfleet doctor` says more"


def _chain_in_words(chain: list[Link]) -> str:
    """From what the fit began with back to the cold one."""
    own, *earlier = chain
    parents = [f"as of {_minute(link.as_of)} ({(link.digest or '?')[:12]})" for link in earlier]
    told = f"arrays {(own.digest or '?')[:12]}"
    if parents:
        told += f", begun with the fit {', that with the one '.join(parents)}"
    if why := chain[-1].cold_because:
        told += f"; {'that one was ' if parents else ''}cold, because {why}"
    return told


def _list_in_words(found: Trace) -> str:
    if found.release is None:
        return (
            f"none: {found.tenant_id} has no published lists yet; `recfleet night show` tells how "
            "far its last night came"
        )
    if found.source == "excluded" and found.arm:
        return "none: an experiment shows the customer nothing"
    if found.source == "excluded":
        return (
            f"none: the policy of {found.tenant_id} excludes the customer, who gets no "
            "recommendations"
        )
    whose = "the customer's own" if found.known_customer else "the popular one: they have no own"
    first = ", ".join(found.products[:5])
    what = f"{whose}, {len(found.products)} products" + (f": {first}" if first else "")
    what += ", …" if len(found.products) > 5 else ""
    return what if found.served else f"{what}; {found.tenant_id} is off, so nothing is served"


def _night_kind(kind: str) -> str:
    return {"fleet": "the fleet's", "backfill": "a backfill", "operator": "by day"}.get(kind, kind)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def answer_command(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    answer_id: Annotated[str, typer.Argument(metavar="ID", help="The `id` of the answer.")],
    as_json: AsJson = False,
) -> None:
    """Show what an answer of the HTTP service was made from, and what came of it.

    The id itself says when the answer was made, and from which release. The command shows that
    release's model and data, and the events that name the answer.
    """
    from recfleet.database import connect
    from recfleet.reasons import trace_answer

    with closing(connect()) as connection:
        found = trace_answer(connection, tenant_id, answer_id)
    if as_json:
        print_json(asdict(found))
        return
    out = console()
    for label, text in _answer_in_words(found):
        out.print(Text.assemble((f"{label:>10}  ", "bold"), printable(text)))
    print_table(
        f"{len(found.events)} events",
        [asdict(event) for event in found.events],
        ["happened_at", "kind", "product_id", "customer_id", "position", "standing", "told_by"],
        empty="Nothing has been told of it yet.",
    )


def _answer_in_words(found: AnswerTrace) -> list[tuple[str, str]]:
    told = [("answer", f"{found.answer_id}, made {found.made_at:%Y-%m-%d %H:%M:%S} UTC")]
    if found.release_id is None:
        return [*told, ("release", "none: the tenant had no lists")]
    if found.as_of is None:
        return [*told, ("release", f"{found.release_id}, no longer kept")]
    version = "" if found.model_version is None else f", model version {found.model_version}"
    return [
        *told,
        (
            "release",
            f"{found.release_id} of night {found.night_id}, as of {found.as_of:%Y-%m-%d %H:%M}",
        ),
        ("served by", f"{found.served_by}{version}"),
        ("made from", f"all interactions up to as-of, fingerprint {found.fingerprint}"),
    ]
