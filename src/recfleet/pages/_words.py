"""Numbers, times and outcomes in words for people."""

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
    "decided": "good",
    "stopped": "warn",
    "frozen": "cold",
    "rollback": "warn",
    "promotion": "good",
    "rejected": "plain",
}


def tone(word: object) -> str:
    """The colour for an outcome, a mode or a kind, by its meaning."""
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
    """``35 ms``, or seconds for large values; a dash for nothing."""
    if value is None or value >= 10_000:
        return duration(None if value is None else value / 1000)
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def day(value: date | None) -> str:
    """``28 Dec 2025``; a dash for nothing."""
    return "–" if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> str:
    """``28 Dec 2025, 06:00``, in UTC like all times; a dash for nothing."""
    return "–" if value is None else f"{day(value)}, {value:%H:%M}"


def instant(text: str | None) -> datetime | None:
    """The time that a text from JSON holds; None for nothing."""
    return None if text is None else datetime.fromisoformat(text)


def some(count: int, one: str, many: str | None = None) -> str:
    """``1 tenant``, ``2 tenants``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def setting(value: object) -> str:
    """A policy's value as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def observed(value: float | None, expected: str | None, unit: Unit | None = None) -> str:
    """A result's number, written like the expected value; a dash for nothing."""
    return "–" if value is None else observed_in_words(value, expected or "", unit)


def change(entry: Mapping[str, Any]) -> str:
    """Old and new value in an entry of the audit; empty if the versions say it already."""
    return facts_in_words(entry["facts"], longest=3)


def by_name(tenant_id: str, name: str, text: str) -> str:
    """An operation's sentence about a tenant, with the tenant's name in place of its leading id."""
    # Another word may begin with the id.
    return re.sub(rf"^{re.escape(tenant_id)}(?![\w-])", lambda _: name, text)


def marked(text: str) -> Markup:
    """A text of ours, with the parts between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def sentence(text: str | None) -> str:
    """The text with a capital letter at the beginning, and a full stop; empty for nothing."""
    told = (text or "").rstrip()
    return told[:1].upper() + told[1:] + ("." if told and told[-1] not in ".!?…" else "")


# Beginnings of reasons that repeat the outcome.
_SAID = {
    "too thin": "too thin to train: ",
    "rolled back": "rollback ",
    "promoted": "promote ",
    "first model": "promote ",
    "switched on": "switched on ",
}


def told_of(reason: str | None, outcome: str | None) -> str:
    """A reason to stand after its outcome, without repeating the outcome."""
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
