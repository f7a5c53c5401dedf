"""Who calls: the key, what it has opened lately, and the limits of rate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from recfleet.keys import FormError, ShownKey, read_key
from recfleet.serving._http import Call
from recfleet.serving._limits import Limit
from recfleet.serving._problems import ProblemError, no_such_tenant, wrong_key

FRESH_SECONDS = 10.0
"""For so long a key that the database has opened may open what is kept in memory."""
_MOST = 20_000
_LONGEST = 100
"""Characters of a header that is kept; one with more white space than it needs is read anew."""
_STRANGERS = 20.0
"""Keys a second that one address may show and that open nothing. Many callers may share it."""
_ASK = {"WWW-Authenticate": "Bearer"}


@dataclass
class Opened:
    """What a key has opened."""

    tenant_id: str
    topic: str
    """Of its tenant."""
    at: float
    """When the database last said so, by the clock of this process."""


class Gate:
    """The keys that callers show."""

    def __init__(
        self, key_rate: float, tenant_rate: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """Nobody has called.

        Args:
            key_rate: requests a second of each key.
            tenant_rate: requests a second of all keys of a tenant.
            clock: seconds.
        """
        self._clock = clock
        self._keys = Limit(key_rate, "A key", clock)
        self._tenants = Limit(tenant_rate, "All keys of a tenant together", clock)
        self._strangers = Limit(_STRANGERS, "An address whose keys open nothing", clock)
        self._read: OrderedDict[str, ShownKey] = OrderedDict()
        self._opened: OrderedDict[ShownKey, Opened] = OrderedDict()
        self._of_topic: dict[str, set[ShownKey]] = {}

    def key_of(self, call: Call) -> ShownKey:
        """The key that a call shows; its form is checked, and its limits are counted.

        Raises:
            ProblemError: there is none, it is none, or its limit is reached.
        """
        told = call.header(b"authorization")
        key = self._read.get(told or "")
        if key is None:
            key = self._take_apart(told)
        opened = self._opened.get(key)
        self._keys.take(key.key_id)
        if opened is None:
            self._strangers.take(call.client, 0)
        else:
            self._tenants.take(opened.tenant_id)
        return key

    def refused(self, call: Call) -> None:
        """Count a key that opens nothing."""
        with suppress(ProblemError):
            self._strangers.take(call.client)

    def _take_apart(self, told: str | None) -> ShownKey:
        scheme, _, text = (told or "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise ProblemError(
                401,
                "No key",
                "Send your key as `Authorization: Bearer KEY`; `recfleet key create` makes one.",
                headers=_ASK,
            )
        try:
            key = read_key(text.strip())
        except FormError as error:
            raise ProblemError(401, "No valid key", str(error), headers=_ASK) from None
        if len(told or "") <= _LONGEST:
            self._read[told or ""] = key
        if len(self._read) > _MOST:
            self._read.popitem(last=False)
        return key

    def note(self, key: ShownKey, tenant_id: str, topic: str) -> None:
        """Keep that the database has opened a tenant with a key just now."""
        opened = self._opened.get(key)
        if opened is not None and opened.topic == topic:
            opened.at = self._clock()
            return
        self._opened[key] = Opened(tenant_id, topic, self._clock())
        self._of_topic.setdefault(topic, set()).add(key)
        if len(self._opened) > _MOST:
            gone, old = self._opened.popitem(last=False)
            self._of_topic[old.topic].discard(gone)

    def has_opened(self, key: ShownKey, tenant_id: str, seconds: float) -> bool:
        """Whether the database has opened this tenant with this key in the last so many seconds."""
        opened = self._opened.get(key)
        return (
            opened is not None
            and opened.tenant_id == tenant_id
            and self._clock() - opened.at <= seconds
        )

    def forget(self, topic: str | None) -> None:
        """Ask the database again about the keys of a tenant that has changed; None: about all."""
        # They stay known, so that their limits go on.
        for key in self._opened if topic is None else self._of_topic.get(topic, ()):
            self._opened[key].at = float("-inf")


def check_opened(trouble: str | None, found: str | None, asked: str, scope: str = "read") -> None:
    """Check what the database says of a key.

    Args:
        trouble: what is wrong with the key.
        found: the tenant that the database has found for it.
        asked: the tenant of the address.
        scope: the scope that was asked for.

    Raises:
        ProblemError: the key opens nothing, or another tenant.
    """
    if trouble in ("unknown", "revoked", "expired", "scope"):
        raise wrong_key(trouble, scope)
    if found != asked:
        raise no_such_tenant(asked)
