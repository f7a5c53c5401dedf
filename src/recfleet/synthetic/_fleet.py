"""The synthetic fleet that a database holds, according to its ingests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.interactions import begin_ingest, end_ingest, sources_with_prefix
from recfleet.synthetic._traits import traits
from recfleet.synthetic.world import World

_SOURCE = "synthetic tenants "


@dataclass(frozen=True)
class Fleet:
    """The synthetic tenants that a database holds."""

    world: World
    reached: tuple[date, ...]
    """For each tenant by its number: the day before which its history ends."""

    @property
    def until(self) -> date:
        """The day before which the longest history ends."""
        return max(self.reached)

    def numbers(self) -> dict[str, int]:
        """Id of each tenant -> its number."""
        return {traits(self.world, n).tenant_id: n for n in range(len(self.reached))}


def find_fleet(connection: Connection) -> Fleet | None:
    """The synthetic fleet of this database; None when it holds no synthetic tenant.

    Raises:
        BadInputError: another version of recfleet made it, of other parameters.
    """
    parts = [
        json.loads(source.removeprefix(_SOURCE))
        for source in sources_with_prefix(connection, _SOURCE)
    ]
    if not parts:
        return None
    world = _read_world(parts[0]["world"])
    reached = [world.first_day] * max(part["last"] for part in parts)
    for part in parts:
        until = date.fromisoformat(part["until"])
        for number in range(part["first"] - 1, part["last"]):
            reached[number] = max(reached[number], until)
    return Fleet(world, tuple(reached))


def begin_seeding(connection: Connection, world: World, first: int, last: int, until: date) -> int:
    """Record that tenants are being seeded; others see the record together with the interactions.

    Args:
        connection: an open connection; the caller commits.
        world: the fleet's world.
        first: number of the first tenant, from 0.
        last: one more than the number of the last tenant.
        until: the day before which their history ends.

    Returns:
        The number of the ingest.
    """
    part = {
        "seed": world.seed,
        "first": first + 1,
        "last": last,
        "until": until.isoformat(),
        "world": world.model_dump(mode="json"),
    }
    return begin_ingest(connection, _SOURCE + json.dumps(part), _fingerprint(part))


def end_seeding(connection: Connection, ingest_id: int, added: int) -> None:
    """Record the result; the caller commits."""
    end_ingest(connection, ingest_id, lines=added, added=added, known=0, unusable={})


def check_same_world(fleet: Fleet, world: World) -> None:
    """Check that a world is the existing fleet's.

    Raises:
        BadInputError: it is another world; the text names the differences.
    """
    there, asked = fleet.world.model_dump(), world.model_dump()
    differs = [name for name in there if there[name] != asked[name]]
    if differs:
        are = ", ".join(f"{name} {there[name]}" for name in differs)
        wants = ", ".join(f"{name} {asked[name]}" for name in differs)
        raise BadInputError(
            f"This database has {len(fleet.reached)} synthetic tenants made with {are}; they "
            f"cannot be mixed with tenants made with {wants}. To add to the existing ones, leave "
            "that out of `recfleet seed`, or use another database."
        )


def _read_world(parameters: dict[str, object]) -> World:
    try:
        return World.model_validate(parameters)
    except ValidationError as error:
        raise BadInputError(
            "Another version of recfleet made this database's synthetic tenants, so you cannot "
            f"add to them ({error.error_count()} parameters differ): use another database."
        ) from None


def _fingerprint(part: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
