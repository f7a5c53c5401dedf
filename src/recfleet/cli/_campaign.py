"""``recfleet campaign`` and ``recfleet export``: lists of many customers, and models, as files."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import typer

from recfleet.errors import BadInputError, NotFoundError
from recfleet.terminal.output import console

if TYPE_CHECKING:
    from recfleet.campaigns import Campaign, SentList
    from recfleet.database import Connection

Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")]
_export = typer.Typer(no_args_is_help=True, help="Write a tenant's lists or its model to files.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("campaign")(campaign)
    _export.command("lists")(export_lists)
    _export.command("model")(export_model)
    app.add_typer(_export, name="export")


def campaign(
    tenant_id: Tenant,
    *,
    customers: Annotated[
        Path | None,
        typer.Option("--customers", help="A text file with one customer in a line."),
    ] = None,
    segment: Annotated[
        str | None, typer.Option("--segment", help="The customers of this segment.")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="All customers whom the live lists know.")
    ] = False,
    form: Annotated[
        Literal["ndjson", "csv", "parquet"], typer.Option("--format", help="Of the file.")
    ] = "ndjson",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100, help="Most products of a customer.")
    ] = 10,
    control: Annotated[
        float,
        typer.Option(
            "--control", min=0, max=1, help="Share of the customers who get none, by lot."
        ),
    ] = 0.0,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file; by default the terminal.")
    ] = None,
) -> None:
    """Write the live lists of many customers, to send them.

    Each list has an id of its own, which events name. The lot of the control group is drawn once:
    the same customers are kept out each time. All of these customers, the control too, are noted as
    exposed today, by which `recfleet kpi` compares them.
    """
    from recfleet.campaigns import customers_in_file, make_campaign
    from recfleet.database import connect
    from recfleet.interactions.facts import customers_in_segment

    if [customers is not None, segment is not None, everybody].count(True) != 1:
        raise BadInputError("Say for whom: with one of --customers FILE, --segment NAME and --all.")
    with closing(connect()) as connection:
        _one_moment(connection)
        named: Sequence[str] | None = None
        if customers is not None:
            named = customers_in_file(customers)
        elif segment is not None:
            named = customers_in_segment(connection, tenant_id, segment)
        made = make_campaign(connection, tenant_id, customers=named, limit=limit, control=control)
        with closing(connect()) as notes:
            _write(made, form, output, notes)


def export_lists(
    tenant_id: Tenant,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The Parquet file to write.")],
) -> None:
    """Write all live lists of a tenant as Parquet, a row for each place."""
    from recfleet.campaigns import make_campaign
    from recfleet.database import connect

    with closing(connect()) as connection:
        _one_moment(connection)
        _write(make_campaign(connection, tenant_id, limit=sys.maxsize), "parquet", output)


def export_model(
    tenant_id: Tenant,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that is made for the files.")
    ],
) -> None:
    """Write the model in force as plain arrays; docs/api.md says how to rank with them."""
    from recfleet.database import connect
    from recfleet.record import get_champion
    from recfleet.registry import open_artifacts
    from recfleet.settings import artifact_settings
    from recfleet.tenants import check_tenants

    with closing(connect()) as connection:
        check_tenants(connection, [tenant_id])
        champion = get_champion(connection, tenant_id)
    if champion is None:
        raise NotFoundError(f"{tenant_id} has no model in force: there is nothing to export.")
    files = open_artifacts(artifact_settings()).read(champion.model_uri, champion.contents)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise BadInputError(f"{folder} is there already: name a new folder.") from error
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    console().print(f"{len(files)} files of version {champion.version} are in {folder}.")


def _one_moment(connection: Connection) -> None:
    """Have everything read from one moment: a night may switch the lists meanwhile."""
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)


def _write(
    made: Campaign,
    form: Literal["ndjson", "csv", "parquet"],
    output: Path | None,
    notes: Connection | None = None,
) -> None:
    """Write the lists; with ``notes``, a connection, the customers are noted as exposed."""
    from recfleet.campaigns import exposed_by, open_writer
    from recfleet.feedback import note_exposures

    lists = control = 0

    def written() -> Iterator[SentList]:
        nonlocal lists, control
        for one in made.lists:
            writer.write(one)
            lists += 1
            control += one.is_control
            yield one

    with _open(output, form) as out:
        writer = open_writer(form, out, made)
        if notes is None:
            deque(written(), maxlen=0)
        else:
            note_exposures(notes, made.tenant, exposed_by(written()))
        writer.end()
        if notes is not None:
            # Before the file has its name: nobody sends lists that are not noted.
            notes.commit()
    if output is not None:
        kept_out = f", {control:,} of them without, by lot" if control else ""
        console().print(f"{output}: {lists:,} customers{kept_out}.")


@contextmanager
def _open(output: Path | None, form: str) -> Iterator[IO[bytes]]:
    if output is None:
        if form == "parquet":
            raise BadInputError("Parquet is no text for a terminal: name a file with --output.")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    half = output.with_name(f".{output.name}.part")
    try:
        with half.open("wb") as out:
            yield out
        half.replace(output)
    finally:
        half.unlink(missing_ok=True)
