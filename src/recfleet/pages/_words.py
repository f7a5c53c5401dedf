"""Numbers, times and outcomes as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from markupsafe import Markup, escape

from recfleet.audit import facts_in_words
from recfleet.quality import Unit, observed_in_words

_TONES = {
    "failed": "bad",
    "quarantined": "bad",
    "rolled back": "warn",
    "awaiting approval": "warn",
    "nothing to offer": "warn",
    "no data": "warn",
    "promoted": "good",
    "first model": "good",
    "kept": "calm",
    "running": "warn",
    "done": "good",
    "critical": "bad",
    "warning": "warn",
    "frozen": "cold",
    "rollback": "warn",
    "promotion": "good",
    "rejected": "plain",
}


def tone(word: object) -> str:
    """The colour of an outcome, a mode or a kind, by its meaning."""
    return _TONES.get(str(word), "plain")


_WOULD = {
    "promote": "would have been promoted",
    "keep": "would have kept its champion",
    "rollback": "would have been rolled back",
    "reject": "would have had no model",
    "await approval": "would have awaited approval",
}


def would(verdict: str | None) -> str:
    """What a trial's verdict would have led to."""
    return _WOULD.get(verdict or "", "")


def number(value: float | None) -> str:
    """``12,345``; a dash for nothing."""
    return "–" if value is None else f"{value:,.0f}"


def decimals(value: float | None, places: int = 4) -> str:
    """``0.4712``; a dash for nothing."""
    return "–" if value is None else f"{value:.{places}f}"


def percent(value: float | None, places: int = 0) -> str:
    """``3.1%``; a dash for nothing."""
    return "–" if value is None else f"{100 * value:.{places}f}%"


def signed_percent(value: float | None, places: int = 1) -> str:
    """``+3.1%``; a dash for nothing."""
    return "–" if value is None else f"{100 * value:+.{places}f}%"


def duration(seconds: float | None) -> str:
    """``3 min 20 s``; a dash for nothing."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(value: float | None) -> str:
    """``35 ms``, or seconds when there are many; a dash for nothing."""
    if value is None or value >= 10_000:
        return duration(None if value is None else value / 1000)
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def day(value: date | None) -> str:
    """``28 Dec 2025``; a dash for nothing."""
    return "–" if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> str:
    """``28 Dec 2025, 06:00``, in UTC as everything is; a dash for nothing."""
    return "–" if value is None else f"{day(value)}, {value:%H:%M}"


def instant(text: str | None) -> datetime | None:
    """The time that a text says as JSON has it; None for nothing."""
    return None if text is None else datetime.fromisoformat(text)


def some(count: int, one: str, many: str | None = None) -> str:
    """``1 tenant``, ``2 tenants``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def setting(value: object) -> str:
    """A policy's value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def observed(value: float | None, expected: str | None, unit: Unit | None = None) -> str:
    """A result's number, as what is expected of it is written; a dash for nothing."""
    return "–" if value is None else observed_in_words(value, expected or "", unit)


def change(entry: Mapping[str, Any]) -> str:
    """What an entry of the audit changed, from what to what; nothing where the versions say it."""
    return facts_in_words(entry["facts"], longest=3)


def by_name(tenant_id: str, name: str, text: str) -> str:
    """What an operation tells of a tenant, which begins with its id, with its name instead."""
    # An id may be how another word begins.
    return re.sub(rf"^{re.escape(tenant_id)}(?![\w-])", lambda _: name, text)


def marked(text: str) -> Markup:
    """A text of ours, with what is to be typed or is called so, between backticks, as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def sentence(text: str | None) -> str:
    """With a capital letter to begin with, and a full stop; nothing for nothing."""
    told = (text or "").rstrip()
    return told[:1].upper() + told[1:] + ("." if told and told[-1] not in ".!?…" else "")


# What a reason begins with that its outcome says already.
_SAID = {
    "too thin": "too thin to train: ",
    "rolled back": "rollback ",
    "promoted": "promote ",
    "first model": "promote ",
    "switched on": "switched on ",
}


def told_of(reason: str | None, outcome: str | None) -> str:
    """A reason that stands after its outcome, which it does not repeat."""
    told = (reason or "").removeprefix(f"{outcome}: ")
    return sentence(told.removeprefix(_SAID.get(outcome or "", "")))


FILTERS = {
    "marked": marked,
    "sentence": sentence,
    "told_of": told_of,
    "tone": tone,
    "would": would,
    "number": number,
    "decimals": decimals,
    "percent": percent,
    "signed_percent": signed_percent,
    "duration": duration,
    "milliseconds": milliseconds,
    "day": day,
    "moment": moment,
    "instant": instant,
    "some": some,
    "setting": setting,
    "observed": observed,
    "change": change,
}
