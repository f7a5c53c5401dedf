"""``recfleet ingest --kind customers`` and ``--kind products``: facts about them, from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recfleet.cli._ingest._words import MOST_NEW, delimiter_of
from recfleet.errors import BadInputError
from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.interactions import IngestReport, Reading
    from recfleet.interactions.facts import FactMapping

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="CSV or JSON lines, also gzipped, Parquet or Excel (.xlsx)."
    ),
]
Tenant = Annotated[
    str | None, typer.Option(metavar="ID", help="The tenant, if all lines belong to one.")
]
TenantColumn = Annotated[str | None, typer.Option(help="Column with the tenant's name.")]
Missing = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="A word that means *missing*, instead of NULL and so on."),
]
Encoding = Annotated[str | None, typer.Option(help="Of the text, such as cp1251.")]
Delimiter = Annotated[
    str | None, typer.Option(help="Separator of a CSV file's cells; `tab` for a tab.")
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The file has no header: columns are 1, 2, …")
]
SkipLines = Annotated[int, typer.Option(min=0, metavar="N", help="Lines above the header.")]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be stored; store nothing.")
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help=f"Even if it adds more than {MOST_NEW} tenants.")
]


def customers_command(
    file: File,
    *,
    customer_column: Annotated[str, typer.Option(help="Column with the customer's id.")],
    tenant: Tenant = None,
    tenant_column: TenantColumn = None,
    name_column: Annotated[str | None, typer.Option(help="Column with the name.")] = None,
    region_column: Annotated[
        str | None,
        typer.Option(help="Column with the region; products can be bound to regions."),
    ] = None,
    segment_column: Annotated[
        str | None, typer.Option(help="Column with the segment, whose products a newcomer gets.")
    ] = None,
    attribute_column: Annotated[
        list[str] | None, typer.Option(help="Column that is kept as it is; may be repeated.")
    ] = None,
    missing: Missing = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    skip_lines: SkipLines = 0,
    sheet: Sheet = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Load a file of customers: name, region, segment and other attributes.

    The file says what is so from now on: its columns replace what was known, and customers that it
    does not name stay. `recfleet ingest FILE --kind customers` is the same.
    """
    from recfleet.interactions.facts import CustomerMapping

    mapping = CustomerMapping(
        tenant_id=tenant,
        tenant_column=tenant_column,
        customer_column=customer_column,
        name_column=name_column,
        region_column=region_column,
        segment_column=segment_column,
        attribute_columns=tuple(attribute_column or ()),
        **_missing(missing),
    )
    how = _how(delimiter, encoding, sheet, no_header=no_header, skip_lines=skip_lines)
    _load(file, mapping, how, dry_run=dry_run, yes=yes, as_json=as_json)


def products_command(
    file: File,
    *,
    product_column: Annotated[str, typer.Option(help="Column with the product's id.")],
    tenant: Tenant = None,
    tenant_column: TenantColumn = None,
    description_column: Annotated[str | None, typer.Option(help="Column with the name.")] = None,
    category_column: Annotated[str | None, typer.Option(help="Column with the category.")] = None,
    price_column: Annotated[
        str | None, typer.Option(help="Column with the price of one unit.")
    ] = None,
    regions_column: Annotated[
        str | None,
        typer.Option(help="Column with the regions where alone it may be sold, as DE|FR."),
    ] = None,
    introduced_column: Annotated[
        str | None, typer.Option(help="Column with the time from which it is sold.")
    ] = None,
    discontinued_column: Annotated[
        str | None, typer.Option(help="Column with the time from which it is no longer sold.")
    ] = None,
    time_format: Annotated[str | None, typer.Option(help="Such as '%d/%m/%Y'.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal mark of prices: . or ,")] = None,
    missing: Missing = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    skip_lines: SkipLines = 0,
    sheet: Sheet = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Load a file of products: name, category, price, regions, when each comes and goes.

    The file says what is so from now on: its columns replace what was known, and products that it
    does not name stay. `recfleet ingest FILE --kind products` is the same.
    """
    from recfleet.interactions.facts import ProductMapping

    mapping = ProductMapping(
        tenant_id=tenant,
        tenant_column=tenant_column,
        product_column=product_column,
        description_column=description_column,
        category_column=category_column,
        price_column=price_column,
        regions_column=regions_column,
        introduced_column=introduced_column,
        discontinued_column=discontinued_column,
        time_format=time_format,
        decimal=decimal,
        **_missing(missing),
    )
    how = _how(delimiter, encoding, sheet, no_header=no_header, skip_lines=skip_lines)
    _load(file, mapping, how, dry_run=dry_run, yes=yes, as_json=as_json)


def _missing(words: list[str] | None) -> dict[str, Any]:
    return {"missing": tuple(words)} if words else {}


def _how(
    delimiter: str | None,
    encoding: str | None,
    sheet: str | None,
    *,
    no_header: bool,
    skip_lines: int,
) -> Reading:
    from recfleet.interactions import Reading

    return Reading(delimiter_of(delimiter), encoding, sheet, not no_header, skip_lines)


def _load(
    file: Path,
    mapping: FactMapping,
    how: Reading,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from recfleet.database import connect
    from recfleet.interactions.facts import ingest_facts, look_at_facts

    with closing(connect()) as connection:
        if dry_run:
            report = look_at_facts(connection, file, mapping, how=how)
        else:
            report = ingest_facts(
                connection, file, mapping, how=how, check_new=_checker(file, yes=yes)
            )
    if as_json:
        print_json(asdict(report))
    else:
        _show(report, mapping.subject, dry_run=dry_run)


def _checker(file: Path, *, yes: bool) -> Callable[[Mapping[str, str]], None]:
    def check(names: Mapping[str, str]) -> None:
        if len(names) > MOST_NEW and not yes:
            raise BadInputError(
                f"{file.name} would add {len(names):,} tenants: check --tenant-column, or add "
                "--yes. Nothing was loaded."
            )

    return check


def _show(report: IngestReport, subject: str, *, dry_run: bool) -> None:
    out = console()
    unusable = sum(report.unusable.values())
    same = report.known - report.changed
    out.print(
        f"{report.source}: {report.lines:,} lines about {subject}; {report.added:,} new, "
        f"{report.changed:,} changed, {same:,} as before, {unusable:,} unusable.",
        markup=False,
    )
    if dry_run:
        out.print("Nothing was stored.")
    for note in report.notes:
        out.print(note, markup=False)
    if unusable:
        print_table(
            "Unusable lines",
            [{"reason": reason, "lines": lines} for reason, lines in report.unusable.items()],
            ["reason", "lines"],
            right=frozenset({"lines"}),
        )
