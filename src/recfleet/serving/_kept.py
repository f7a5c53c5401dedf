"""Lists that were read lately; whatever changes in a tenant makes them forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from recfleet.serving._lists import Listed
from recfleet.serving._names import FRESH_SECONDS


@dataclass(frozen=True)
class Kept:
    """A list, and when it was read."""

    listed: Listed
    topic: str
    at: float


class KeptLists:
    """The lists of customers who were asked for lately."""

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        """Nothing is kept.

        Args:
            most: so many lists; who was asked for longest ago goes first.
            clock: seconds.
        """
        self._most = most
        self._clock = clock
        self._lists: OrderedDict[tuple[str, str | None], Kept] = OrderedDict()
        self._of_topic: dict[str, set[tuple[str, str | None]]] = {}
        self._changed: dict[str, float] = {}
        self._all_changed = float("-inf")

    def __len__(self) -> int:
        return len(self._lists)

    def now(self) -> float:
        """The time, to be noted before a list is read."""
        return self._clock()

    def get(self, tenant_id: str, customer: str | None) -> tuple[Listed, float] | None:
        """A list that was kept, and its age in seconds."""
        key = (tenant_id, customer)
        kept = self._lists.get(key)
        if kept is None:
            return None
        self._lists.move_to_end(key)
        return kept.listed, self._clock() - kept.at

    def keep(
        self, tenant_id: str, customer: str | None, listed: Listed, topic: str, read_at: float
    ) -> None:
        """Keep a list, unless its tenant has changed since a time just before it was read."""
        if max(self._changed.get(topic, self._all_changed), self._all_changed) >= read_at:
            return
        key = (tenant_id, customer)
        self._lists[key] = Kept(listed, topic, read_at)
        self._lists.move_to_end(key)
        self._of_topic.setdefault(topic, set()).add(key)
        if len(self._lists) > self._most:
            gone, old = self._lists.popitem(last=False)
            self._of_topic[old.topic].discard(gone)

    def forget(self, topic: str | None) -> None:
        """Forget the lists of a tenant that has changed.

        None: anything may have changed. Then the lists grow old at once, and stay for the time in
        which the database is away.
        """
        if topic is None:
            self._all_changed = self._clock()
            return
        self._changed[topic] = self._clock()
        for key in self._of_topic.pop(topic, ()):
            self._lists.pop(key, None)

    def is_fresh(self, age: float) -> bool:
        """Whether a list of this age can hold what is live, if news were heard all the time."""
        return age <= FRESH_SECONDS and self._clock() - age > self._all_changed
