"""``recfleet ingest`` loads files; ``recfleet unusable`` shows their unusable lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from recfleet.cli._ingest._facts import customers_command, products_command
from recfleet.cli._ingest._loads import list_command, show_command, undo_command, unusable_command
from recfleet.cli._ingest._look import show_look
from recfleet.cli._ingest._words import MOST_NEW, FileFirst, delimiter_of
from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.terminal.actor import actor
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from recfleet.interactions import ColumnMapping, IngestReport, Reading
    from recfleet.interactions import Progress as FileProgress

_SHOWN_TENANTS = 40
"""Tenants that a file adds without a question."""
_NAMED = 5
_NEEDED = ("customer_column", "product_column", "time_column")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    loads = typer.Typer(
        cls=FileFirst,
        help="Load a file of purchases: `recfleet ingest FILE`, or of customers or products with "
        "--kind. List, show and take back loads.",
        epilog="FILE alone is short for `file FILE`; `recfleet ingest file --help` has options.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    loads.command("file")(ingest_command)
    loads.command("customers")(customers_command)
    loads.command("products")(products_command)
    loads.command("list")(list_command)
    loads.command("show")(show_command)
    loads.command("undo")(undo_command)
    app.add_typer(loads, name="ingest")
    app.command("unusable")(unusable_command)


def ingest_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV or JSON lines, also gzipped, Parquet or Excel (.xlsx)."
        ),
    ],
    *,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A known kind of file: online-retail, online-retail-2, movielens, movielens-1m, "
            "movielens-100k, instacart, complete-journey, h-and-m, retailrocket or olist."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be read, with columns proposed; store nothing."
        ),
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Read only lines with this value, such as event=transaction; may be given several "
            "times.",
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="ID", help="The tenant, if all lines belong to one.")
    ] = None,
    tenant_column: Annotated[
        str | None, typer.Option(help="Column with the tenant's name.")
    ] = None,
    customer_column: Annotated[
        str | None, typer.Option(help="Column with the customer's id.")
    ] = None,
    product_column: Annotated[
        str | None, typer.Option(help="Column with the product's id.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Column with the purchase time; UTC unless it has an offset.")
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            help="Such as '%d/%m/%Y %H:%M'; by default ISO 8601 or similar, seconds since 1970 or "
            "thousandths, millionths and so on, or Excel's days."
        ),
    ] = None,
    day_one: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="The date of day 1, if the time column counts days."
        ),
    ] = None,
    clock_column: Annotated[
        str | None, typer.Option(help="Column with the time of day beside such a count.")
    ] = None,
    quantity_column: Annotated[
        str | None, typer.Option(help="Column with the number of units; by default 1 per line.")
    ] = None,
    amount_column: Annotated[
        str | None, typer.Option(help="Column with the amount of the whole line.")
    ] = None,
    price_column: Annotated[
        str | None, typer.Option(help="Column with the price of one unit, instead of the amount.")
    ] = None,
    description_column: Annotated[
        str | None, typer.Option(help="Column with the product's name.")
    ] = None,
    category_column: Annotated[
        str | None, typer.Option(help="Column with the product's category.")
    ] = None,
    reference_column: Annotated[
        str | None, typer.Option(help="Column with the invoice, to tell equal lines apart.")
    ] = None,
    active_column: Annotated[
        str | None, typer.Option(help="Column that says whether the product is still sold.")
    ] = None,
    product_pattern: Annotated[
        str | None, typer.Option(help="Regular expression for the ids of products.")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal mark of numbers that are text: . or ,")
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="A word that means *missing*, instead of NULL, NaN, None, N/A, - and their like; "
            "may be given several times.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of the text, such as cp1251; by default UTF-8 or as marked.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Separator of a CSV file's cells; `tab` for a tab.")
    ] = None,
    no_header: Annotated[
        bool,
        typer.Option("--no-header", help="The file has no header: columns are 1, 2, …"),
    ] = False,
    skip_lines: Annotated[
        int, typer.Option(min=0, metavar="N", help="Lines above the header, such as a title.")
    ] = 0,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Take back earlier readings of this file with other settings."
        ),
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="Read the file once more beside such a reading.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help=f"Do not ask, even if the file adds more than {MOST_NEW} tenants."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Load a file of purchases.

    Either the whole file is loaded, or nothing; loading the same file again adds nothing. Unusable
    lines are counted by reason and kept; `recfleet unusable` shows them. A tenant column makes a
    tenant of each of its values: before more than 100 new ones, the command asks. Look first with
    --dry-run.
    """
    fields, form = _said(
        preset,
        tenant_id=tenant,
        tenant_column=tenant_column,
        customer_column=customer_column,
        product_column=product_column,
        time_column=time_column,
        time_format=time_format,
        quantity_column=quantity_column,
        amount_column=amount_column,
        price_column=price_column,
        description_column=description_column,
        category_column=category_column,
        reference_column=reference_column,
        active_column=active_column,
        product_pattern=product_pattern,
        decimal=decimal,
        day_one=None if day_one is None else day_one.date(),
        clock_column=clock_column,
        missing=tuple(missing) if missing else None,
        keep=_kept(keep),
    )
    from recfleet.database import connect
    from recfleet.interactions import Reading

    how = Reading(
        delimiter_of(delimiter) or form.get("delimiter"),
        encoding,
        sheet,
        form.get("has_header", True) and not no_header,
        skip_lines,
    )
    if dry_run:
        with closing(connect()) as connection:
            show_look(connection, file, fields, how, as_json=as_json)
        return
    mapping = _mapping(fields)
    with closing(connect()) as connection:
        again = _again(connection, file, replace=replace, beside=beside)
        report = _ingest(connection, file, mapping, how, yes=yes, **again)
    if as_json:
        print_json(asdict(report))
    else:
        _show(report)


def ingest_online_retail(connection: Connection, path: Path) -> list[str]:
    """Load the Online Retail file, print a report, and return its tenants' ids."""
    from recfleet.interactions import AS_IT_IS, NO_TENANT, ONLINE_RETAIL

    report = _ingest(connection, path, ONLINE_RETAIL, AS_IT_IS)
    _show(report)
    return [tenant.tenant_id for tenant in report.tenants if tenant.tenant_id != NO_TENANT]


def _said(preset: str | None, **options: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of the mapping and of the form that the command line names."""
    from recfleet.interactions import PRESETS

    fields: dict[str, Any] = {name: said for name, said in options.items() if said is not None}
    if preset is None:
        return fields, {}
    if preset not in PRESETS:
        raise BadInputError(f"There is no preset {preset!r}: use {', '.join(PRESETS)}.")
    known = PRESETS[preset]
    if "--day-one" in known.also and "day_one" not in fields:
        raise BadInputError(
            f"{preset} is {known.about}. Its days are numbers: give the date of day 1, such as "
            "--day-one 2017-01-01."
        )
    return _preset_fields(known.mapping, fields) | fields, known.form


def _kept(keep: list[str] | None) -> dict[str, tuple[str, ...]] | None:
    kept: dict[str, tuple[str, ...]] = {}
    for text in keep or ():
        column, sign, value = text.partition("=")
        if not column or not sign:
            raise BadInputError(f"--keep is COLUMN=VALUE, such as event=transaction; not {text!r}.")
        kept[column] = (*kept.get(column, ()), value)
    return kept or None


def _mapping(fields: dict[str, Any]) -> ColumnMapping:
    from recfleet.interactions import ColumnMapping

    missing = [f"--{name.replace('_', '-')}" for name in _NEEDED if name not in fields]
    if missing:
        raise BadInputError(
            f"Say which columns the file has: {', '.join(missing)} missing. Add --dry-run to see "
            "what the file seems to be; for a known kind of file, use --preset."
        )
    return ColumnMapping(**fields)


def _preset_fields(preset: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A preset's fields, without those that a given field replaces."""
    instead = [{"tenant_id", "tenant_column"}, {"amount_column", "price_column"}]
    dropped = {name for pair in instead if pair & given.keys() for name in pair}
    return {name: value for name, value in preset.items() if name not in dropped}


def _ingest(
    connection: Connection,
    path: Path,
    mapping: ColumnMapping,
    how: Reading,
    *,
    yes: bool = False,
    **again: Any,
) -> IngestReport:
    from recfleet.interactions import ingest

    with _progress_bar(path.name) as (bar, tell):

        def check_new(names: Mapping[str, str]) -> None:
            if len(names) > MOST_NEW and not yes:
                bar.stop()
                _ask_for(path.name, names)
                bar.start()

        return ingest(
            connection,
            path,
            mapping,
            how=how,
            progress=tell,
            check_new=check_new,
            **again,
        )


def _again(connection: Connection, file: Path, *, replace: bool, beside: bool) -> dict[str, Any]:
    """What happens to an earlier reading of the same file."""
    from recfleet.operations import undo_load

    if replace and beside:
        raise BadInputError("An earlier reading is replaced or kept: --replace or --beside.")
    if not replace:
        return {"beside": beside}

    def take_back(ingest_id: int) -> None:
        reason = f"{file.name} is read anew with other settings"
        undo_load(connection, ingest_id, actor=actor(), reason=reason)

    return {"instead": take_back}


def _ask_for(file: str, names: Mapping[str, str]) -> None:
    """Ask before a file adds many tenants; returns if it may.

    Raises:
        BadInputError: there is nobody to ask.
        typer.Exit: the person said no.
    """
    first = ", ".join(repr(name) for name in islice(names.values(), _NAMED))
    what = f"{file} would add {len(names):,} tenants, such as {first}"
    if not sys.stdin.isatty():
        raise BadInputError(
            f"{what}. That is more than {MOST_NEW}, and there is no terminal to ask on: check "
            "--tenant-column, or add --yes. Nothing was loaded."
        )
    if not typer.confirm(f"{what}. Add them?"):
        console().print("Nothing was loaded.")
        raise typer.Exit(1)


@contextmanager
def _progress_bar(name: str) -> Iterator[tuple[Progress, Callable[[FileProgress], None]]]:
    out = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.fields[name]}: {task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%  {task.fields[lines]:,} lines"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=1.0, name=name, lines=0)

        def tell(progress: FileProgress) -> None:
            bar.update(
                task, completed=progress.share, description=progress.stage, lines=progress.lines
            )

        yield bar, tell


def _show(report: IngestReport) -> None:
    out = console()
    unusable = sum(report.unusable.values())
    out.print(
        f"{report.source}: {report.lines:,} lines; {report.added:,} added, "
        f"{report.known:,} known before, {unusable:,} unusable.",
        markup=False,
    )
    for note in report.notes:
        out.print(note, markup=False)
    if unusable:
        print_table(
            "Unusable lines",
            [{"reason": reason, "lines": lines} for reason, lines in report.unusable.items()],
            ["reason", "lines"],
            right=frozenset({"lines"}),
        )
        out.print("`recfleet unusable TENANT` shows them.", markup=False)
    shown = sorted(report.tenants, key=lambda tenant: -tenant.usable)[:_SHOWN_TENANTS]
    print_table(
        f"{len(report.tenants)} tenants",
        [asdict(tenant) for tenant in shown],
        ["tenant_id", "usable", "added", "unusable"],
        right=frozenset({"usable", "added", "unusable"}),
        empty="The file has no lines.",
    )
    if len(report.tenants) > len(shown):
        out.print(f"and {len(report.tenants) - len(shown):,} more.")
