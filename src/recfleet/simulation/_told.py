"""What a day leaves in the tables: events and exposures; and memory, read from events again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from uuid import UUID

import numpy as np

from recfleet.answer_ids import make_answer_id
from recfleet.feedback import CONTROL, Channel, Event, EventKind, Exposure, Told
from recfleet.simulation._crowd import Bools, Crowd
from recfleet.simulation._day import Day
from recfleet.simulation._memory import Memory
from recfleet.simulation._reaction import PULL, PUSH
from recfleet.simulation._served import Live, number_of
from recfleet.synthetic import World, customer_ids, product_ids

TOLD_BY = "recfleet simulate"
"""Who tells the events."""
_CHANNELS: tuple[Channel, Channel] = ("pull", "push")
_SENT = 7 * 3600
# Seconds from when a list was opened until something is done with it.
_UNTIL_DONE = 30
_TAKEN = "taken"
"""In the id of an accepting event: the product was bought because it was shown."""


@dataclass(frozen=True)
class Account:
    """A day as a shop tells it."""

    crowd: Crowd
    day: Day
    live: Live

    def events(self) -> Iterator[Event]:
        """What came of the lists.

        An event's id says day, channel, customer, place and what happened: a day that is told again
        changes nothing, and what customers remember can be read from the ids.
        """
        reaction = self.day.reaction
        yield from self._events("shown", "shown", reaction.shown)
        yield from self._events("accepted", "accepted", reaction.accepted & ~reaction.caused)
        yield from self._events("accepted", _TAKEN, reaction.caused)
        yield from self._events("rejected", "rejected", reaction.rejected)
        yield from self._purchases()

    def exposures(self) -> Iterator[Exposure]:
        """Who was given a list, with items or without.

        Nobody of a tenant that shows nothing, and nobody whom the policy excludes.
        """
        at, origins = self.day.at, self.live.origins
        _, pushed = self.day.exposed
        for place in np.flatnonzero(at.channel == PULL).tolist():
            if (origin := origins.get(int(at.customer[place]))) is not None:
                answered_at = self._moment(int(at.second[place]))
                yield Exposure(self._customers[place], "pull", answered_at, None, *origin)
        sent = self._moment(_SENT)
        for customer, name in zip(pushed.tolist(), customer_ids(pushed), strict=True):
            version, arm = origins[customer]
            arm = CONTROL if self.live.control[customer] else arm
            yield Exposure(name, "push", sent, self._answer(customer, PUSH, _SENT), version, arm)

    @cached_property
    def _customers(self) -> list[str]:
        names: list[str] = customer_ids(self.day.at.customer).tolist()
        return names

    @cached_property
    def _answers(self) -> list[UUID]:
        """The id of each occasion's answer."""
        at = self.day.at
        occasions = zip(at.customer.tolist(), at.channel.tolist(), at.second.tolist(), strict=True)
        return [self._answer(*occasion) for occasion in occasions]

    def _answer(self, customer: int, channel: int, second: int) -> UUID:
        """The id of an answer; what is sent is made in the morning, whenever it is opened."""
        luck = self.crowd.draws.uniform(f"answer {self.day.day}", customer, channel)[0]
        made_at = self._moment(second if channel == PULL else _SENT)
        release = self.live.release_id
        return UUID(make_answer_id(release, made_at=made_at, drawn=int(luck * 2**34)))

    def _events(self, kind: EventKind, word: str, which: Bools) -> Iterator[Event]:
        """The events of one kind, for each place of each list that is marked."""
        occasions, places = np.nonzero(which)
        products = product_ids(self.day.reaction.products[which])
        after = 0 if kind == "shown" else _UNTIL_DONE
        for occasion, place, product in zip(
            occasions.tolist(), places.tolist(), products, strict=True
        ):
            yield Event(
                id=self._id(occasion, place, word),
                kind=kind,
                product=product,
                customer=self._customers[occasion],
                answer=self._answers[occasion],
                position=place + 1,
                happened_at=self._moment(int(self.day.at.second[occasion]) + after),
            )

    def _purchases(self) -> Iterator[Event]:
        lines = self.day.lines
        products = product_ids(lines.product)
        for line, occasion, place in self.day.told.T.tolist():
            yield Event(
                id=self._id(occasion, place, f"bought {lines.number[line]}"),
                kind="bought",
                product=products[line],
                customer=self._customers[occasion],
                answer=self._answers[occasion],
                position=place + 1,
                happened_at=self._moment(int(lines.second[line])),
                quantity=float(lines.quantity[line]),
                amount=round(float(lines.amount[line] / lines.quantity[line]), 4),
            )

    def _id(self, occasion: int, place: int, word: str) -> str:
        channel = _CHANNELS[self.day.at.channel[occasion]]
        date = self.crowd.market.world.date_of(self.day.day)
        return f"simulated {date} {channel} {self._customers[occasion]} {place + 1} {word}"

    def _moment(self, second: int) -> datetime:
        midnight = datetime.combine(self.crowd.market.world.date_of(self.day.day), time(), UTC)
        return midnight + timedelta(seconds=second)


def remembered_of(world: World, told: list[Told]) -> Memory:
    """What customers remember, from the events of earlier days."""
    seen: list[tuple[int, int, int]] = []
    bought: list[tuple[int, int, int]] = []
    for one in told:
        _, date, channel, customer, place, word, *_ = one.event_id.split(" ")
        day = world.day_of(datetime.fromisoformat(date).date())
        if word == "shown" and place == "1":
            seen.append((day, number_of(customer), _CHANNELS.index(channel)))
        elif word == _TAKEN:
            bought.append((day, number_of(customer), number_of(one.product_id)))
    columns = [np.array(rows, np.int64).reshape(-1, 3).T for rows in (seen, bought)]
    return Memory(*columns[0], *columns[1])
