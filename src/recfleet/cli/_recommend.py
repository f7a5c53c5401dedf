"""``recfleet recommend``: a customer's live list, and where it came from."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from recfleet.terminal.output import AsJson, console, print_json, print_table

if TYPE_CHECKING:
    from recfleet.database import Connection
    from recfleet.releases import Recommended


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recommend")(recommend)


def recommend(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id.")],
    customer_id: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="The customer, as the tenant writes it.")
    ],
    *,
    n: Annotated[int, typer.Option("--n", min=1, help="Show at most N products.")] = 10,
    kind: Annotated[
        Literal["new", "again"] | None,
        typer.Option(
            "--kind",
            help="Show only products new to the customer, or only those bought before.",
        ),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say why each product is in the list.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a customer's live list.

    Each product has its rank in the whole list, its kind with the rank within it (new 1, again 2),
    and the source that put it there: taste (the model), habit, trend, or popular.

    An unknown customer gets the tenant's popular products.
    """
    from recfleet.database import connect
    from recfleet.releases import look_up

    with closing(connect()) as connection:
        places = look_up(connection, tenant_id, customer_id, n, kind=kind)
        reasons = _reasons(connection, tenant_id, customer_id, places) if why else None
    if as_json:
        print_json(
            {
                "tenant_id": tenant_id,
                "customer_id": customer_id,
                "recommended": [
                    asdict(place) | ({"why": reasons[index]} if reasons else {})
                    for index, place in enumerate(places)
                ],
            }
        )
        return
    customer = f"Customer {customer_id!r} of {tenant_id}"
    if not places:
        console().print(Text(f"{customer}: {_NOTHING[kind]}"))
        return
    if not places[0].known_customer:
        console().print(Text(f"{customer} is unknown: these are the tenant's popular products."))
    print_table(
        customer,
        [
            {
                "rank": place.rank,
                "product": _visible(place.product_id),
                "name": place.product_name and _visible(place.product_name),
                "kind": place.kind and f"{place.kind} {place.rank_in_kind}",
                "score": place.score,
                "source": place.source,
                "why": reasons and _visible(reasons[index]),
            }
            for index, place in enumerate(places)
        ],
        ["rank", "product", "name", "kind", "score", "source", *(["why"] if reasons else [])],
        right=frozenset({"rank", "score"}),
    )
    console().print(Text(_origin(places[0])))


def _reasons(
    connection: Connection, tenant_id: str, customer_id: str, places: list[Recommended]
) -> list[str]:
    from recfleet.reasons import say_why
    from recfleet.registry import open_artifacts
    from recfleet.settings import registry_settings

    artifacts = open_artifacts(registry_settings())
    return say_why(connection, tenant_id, customer_id, places, artifacts)


_NOTHING = {
    None: "nothing is left to offer.",
    "new": "no product on offer is new to them.",
    "again": "they bought nothing before that is on offer again.",
}


def _origin(place: Recommended) -> str:
    model = (
        f"no model{'' if place.arm else ', because the tenant has none'}"
        if place.model_version is None
        else f"model version {place.model_version}"
    )
    arm = f", arm {place.arm} of an experiment" if place.arm else ""
    return (
        f"From release {place.release_id} of night {place.night_id}{arm}, as of "
        f"{place.as_of:%Y-%m-%d %H:%M} UTC: {model}. A higher score is more likely to be bought."
    )


def _visible(text: str) -> str:
    """The text on one line, with control characters escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
