"""What the looks show: demands, and the tables behind the choice of the rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from benchmarks.demands import Demand
from benchmarks.judging.look import Look, Rule, above_zero, back_by_policy, by_policy
from benchmarks.judging.trials import AS_GOOD, DECLINED, FIRST, NIGHTS
from recfleet.tenants import Policy

ENOUGH_CUSTOMERS = 150
"""With at least this many customers in the holdout, a decline has to be seen at once."""
WITHIN = 5
"""Nights, counted from the night of the decline."""
GAINS = (-0.02, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.09)
"""Bounds of the classes of true gains."""

LOSSES = (0.01, 0.02, 0.04, 0.2)
"""Bounds of the classes of bad champions, by how much lower the RMSE of previous truly is."""
BAD = 0.02
"""From this loss on, a champion has to be rolled back within ``SOON`` nights."""
SOON = 3

Story = list[Look]


def demands(
    looks: Sequence[Look], rule: Rule | None = None, back: Rule | None = None
) -> list[Demand]:
    """The demands on the rules.

    Args:
        looks: of all trials.
        rule: for promotion; by default the night's own.
        back: for rolling back; by default the night's own.
    """
    rule, back = rule or by_policy(Policy()), back or back_by_policy(Policy())
    nulls = {
        size: [rule(look, []) for look in of_size]
        for size, of_size in _by_size(look for look in looks if look.trial == "null").items()
    }
    worst = max((float(np.mean(promoted)) for promoted in nulls.values()), default=0.0)
    trials = sum(len(promoted) for promoted in nulls.values())
    declines = [one for one in declined(looks, rule) if one.customers >= ENOUGH_CUSTOMERS]
    damaged, caught = damage_promoted(looks, rule)
    flaps = changes(looks, rule)
    changed = median(flaps) if flaps else 0
    return [
        Demand(
            "null",
            "at most 1% promoted, at every size",
            f"{worst:.1%} at the worst size ({trials} challengers)",
            worst <= 0.01,
        ),
        _share_in_time("decline, first night", declines, nights=1, least=0.80),
        _share_in_time("decline, five nights", declines, nights=WITHIN, least=0.95),
        Demand("damage", "none promoted", f"{caught} of {damaged}", caught == 0),
        Demand(
            "flapping",
            f"at most one change in {NIGHTS} nights, median",
            f"{changed:g} (at most {max(flaps, default=0)}; {len(flaps)} tenants)",
            changed <= 1,
        ),
        *_probation_demands(looks, back),
    ]


def _probation_demands(looks: Sequence[Look], back: Rule) -> list[Demand]:
    found = [trial for trial in tried(looks, back) if trial.is_sound]
    wrong = sum(trial.nights is not None for trial in found)
    bad = [
        trial
        for trial in tried(looks, back)
        if not trial.is_sound and trial.loss >= BAD and trial.customers >= ENOUGH_CUSTOMERS
    ]
    share = _mean(trial.within(SOON) for trial in bad)
    asked = f"at least 95% rolled back in {SOON} nights"
    return [
        Demand(
            "probation, sound",
            "at most 2 of 1,000 rolled back",
            f"{wrong} of {len(found)}",
            wrong <= 0.002 * len(found),
        ),
        Demand("probation, bad", asked, f"{share:.0%} of {len(bad)}", share >= 0.95)
        if bad
        else Demand("probation, bad", asked, "no champion was that bad", met=True),
    ]


@dataclass(frozen=True)
class Tried:
    """A new champion's probation, under a rule."""

    data: str
    """What it was trained on."""
    size: int
    customers: int
    """Customers in the holdout of the first night."""
    loss: float
    """How much lower the true RMSE of previous is; 0 if it was not measured."""
    nights: int | None
    """Nights until it was rolled back, from 1; None: it stayed."""

    @property
    def is_sound(self) -> bool:
        """Whether its data was sound."""
        return "wrong" not in self.data

    def within(self, nights: int) -> bool:
        """Whether it was rolled back within this many nights."""
        return self.nights is not None and self.nights <= nights


def tried(looks: Sequence[Look], back: Rule) -> list[Tried]:
    """Every new champion of the trial, under a rule."""
    stories = defaultdict(list)
    for look in looks:
        if look.trial == "probation":
            stories[look.size, look.tenant, look.champion, look.data].append(look)
    found = []
    for (size, _, champion, data), unordered in stories.items():
        story = sorted(unordered, key=lambda look: look.night)
        gone = next((look.night for p, look in enumerate(story) if back(look, story[:p])), None)
        nights = None if gone is None else gone - champion
        found.append(Tried(data, size, story[0].customers, story[0].truth or 0.0, nights))
    return found


def probation(looks: Sequence[Look]) -> Iterator[str]:
    """How many champions on probation are rolled back, and how soon."""
    yield from _head(
        "champion", "holdout customers", "champions", "first night", "within 3", "within 7"
    )
    found = tried(looks, back_by_policy(Policy()))
    for data in dict.fromkeys(one.data for one in found if one.is_sound):
        some = [one for one in found if one.data == data]
        whom = "as good as previous" if data == AS_GOOD else f"sound, {data}"
        yield _tried_row(whom, some)
    bad = [one for one in found if not one.is_sound]
    for low, high in pairwise(LOSSES):
        for size in sorted({one.size for one in bad}):
            some = [one for one in bad if one.size == size and low <= one.loss < high]
            if some:
                label = f"worse by {low:.0%} to {high:.0%}"
                label = label if high < LOSSES[-1] else f"worse by {low:.0%} or more"
                yield _tried_row(label, some)


def _tried_row(label: str, some: Sequence[Tried]) -> str:
    customers = f"{median(one.customers for one in some):.0f}"
    cells = [f"{_mean(one.within(nights) for one in some):.0%}" for nights in (1, 3, 7)]
    return f"| {label} | {customers} | {len(some)} | {' | '.join(cells)} |"


BACKS: dict[str, Rule] = {
    "one night, 99.5% above zero": lambda look, _: look.comparison.gain.low(0.995) > 0,
    "one night, 99.5% above 0.5%": back_by_policy(Policy(pooled_confidence=0.99999)),
    "one night, 99.5% above 1%": back_by_policy(
        Policy(pooled_confidence=0.99999, minimum_gain=0.01)
    ),
    "one night, 95% above 0.5%": back_by_policy(Policy(pooled_confidence=0.99999, confidence=0.95)),
    "**chosen**: 99.5% above 0.5%, or three nights at 95%": back_by_policy(Policy()),
    "three nights at 99%": back_by_policy(Policy(pooled_confidence=0.99)),
    "three nights at 90%": back_by_policy(Policy(pooled_confidence=0.9)),
}


def backs(looks: Sequence[Look]) -> Iterator[str]:
    """What other rules would have done with the champions on probation."""
    yield from _head(
        "rule",
        "as good as previous, rolled back per 1,000",
        "a month newer",
        "bad, ≥ 150 customers: within 3, 7",
        "40 to 149",
        "under 40",
    )
    for name, back in BACKS.items():
        found = tried(looks, back)
        cells = []
        for is_as_good in (True, False):
            some = [one for one in found if one.is_sound and (one.data == AS_GOOD) == is_as_good]
            cells.append(f"{1000 * _mean(one.nights is not None for one in some):.1f}")
        for least, most in ((150, 10**9), (40, 149), (0, 39)):
            some = [
                one
                for one in found
                if not one.is_sound and one.loss >= BAD and least <= one.customers <= most
            ]
            soon = [f"{_mean(one.within(nights) for one in some):.0%}" for nights in (3, 7)]
            cells.append(", ".join(soon) if some else "–")
        yield f"| {name} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class Decline:
    """A champion that has declined, and its replacement."""

    size: int
    customers: int
    """Customers in the holdout of the first night with the decline."""
    age: int
    """The champion's age in that night."""
    waited: int | None
    """Nights from that night to the replacement, 0 or less for at once; None: never replaced."""
    alone: bool
    """Whether that night's holdout alone would have replaced it."""


def declined(looks: Sequence[Look], rule: Rule) -> list[Decline]:
    """Every decline of a champion, with its replacement under a rule."""
    found = []
    for story in _tenants(looks, "decline"):
        first = _first_decline(story)
        if first is None or not _is_daily(story, first):
            continue  # it never declined, or only after the daily looks had ended
        replaced = next((look.night for p, look in enumerate(story) if rule(look, story[:p])), None)
        look = story[first]
        waited = None if replaced is None else replaced - look.night
        found.append(Decline(look.size, look.customers, look.age, waited, rule(look, [])))
    return found


def damage_promoted(looks: Sequence[Look], rule: Rule) -> tuple[int, int]:
    """How many challengers were trained on damaged data, and how many of them a rule promotes."""
    damaged = [look for look in looks if look.trial == "damage" and look.data != "sound"]
    sound = defaultdict(list)
    for look in looks:
        if look.trial == "damage" and look.data == "sound":
            sound[look.size, look.tenant, look.champion].append(look)
    promoted = sum(
        rule(look, sound[look.size, look.tenant, look.champion] if look.age else [])
        for look in damaged
    )
    return len(damaged), promoted


def changes(looks: Sequence[Look], rule: Rule) -> list[int]:
    """Each tenant's number of changes of champion in the nights of flapping.

    Only existing looks can be replayed. Under another rule than the night's own, a tenant is
    followed until its champion comes from a night without looks.
    """
    counts = []
    for story in _tenants(looks, "flapping"):
        at = {(look.night, look.champion): look for look in story}
        champion, earlier, count = FIRST, list[Look](), 0
        for night in range(FIRST + 1, FIRST + NIGHTS + 1):
            look = at.get((night, champion))
            if look is None:
                break
            if rule(look, earlier):
                champion, earlier, count = night, [], count + 1
            else:
                earlier.append(look)
        counts.append(count)
    return counts


def replaced_within(looks: Sequence[Look], rule: Rule, nights: int) -> float:
    """Share of sound tenants whose first champion a rule replaces within this many nights."""
    stories = [
        [look for look in story if look.champion == FIRST and look.age <= nights]
        for story in _tenants(looks, "flapping")
    ]
    return _mean([any(rule(one, story[:p]) for p, one in enumerate(story)) for story in stories])


_NO_WEEK = 365
"""More nights than a story has, so that nothing is ever pooled."""
RULES: dict[str, Rule] = {
    "former rule: one night, 99% above zero, gain 0.2%": above_zero(0.99, 0.002),
    "one night, 99.9% above zero, gain 0.2%": above_zero(0.999, 0.002),
    "one night, 99.5% above zero, gain 1.5%": above_zero(0.995, 0.015),
    "one night, 99.5% above 0.5%, no cooldown": by_policy(
        Policy(pooled_nights=_NO_WEEK, cooldown_days=0)
    ),
    "one night, 99.5% above 1%, no cooldown": by_policy(
        Policy(pooled_nights=_NO_WEEK, cooldown_days=0, minimum_gain=0.01)
    ),
    "one night, 99.5% above 0.5%, cooldown": by_policy(Policy(pooled_nights=_NO_WEEK)),
    "**chosen**: the same, or the week at 95%": by_policy(Policy()),
    "without the cooldown": by_policy(Policy(cooldown_days=0)),
    "one night at 99%": by_policy(Policy(confidence=0.99)),
    "the week at 90%": by_policy(Policy(pooled_confidence=0.9)),
    "the week at 99%": by_policy(Policy(pooled_confidence=0.99)),
    "three nights of five": by_policy(Policy(pooled_days=5, pooled_nights=3)),
    "seven nights of fourteen": by_policy(Policy(pooled_days=14, pooled_nights=7)),
}


def rules(looks: Sequence[Look]) -> Iterator[str]:
    """What other rules would have done: damaged promoted, declines replaced, sound replaced."""
    yield from _head(
        "rule",
        "damaged challengers promoted",
        "declined, ≥ 150 customers: first night, five",
        "40 to 149",
        "under 40",
        "sound champions replaced in 7 nights",
        "14",
        "30",
    )
    for name, rule in RULES.items():
        cases = declined(looks, rule)
        cells = [str(damage_promoted(looks, rule)[1])]
        for least, most in ((150, 10**9), (40, 149), (0, 39)):
            some = [case for case in cases if least <= case.customers <= most]
            cells.append(f"{_in_time(some, 1):.0%}, {_in_time(some, WITHIN):.0%}" if some else "–")
        cells += [f"{replaced_within(looks, rule, nights):.0%}" for nights in (7, 14, NIGHTS)]
        yield f"| {name} | {' | '.join(cells)} |"


@dataclass(frozen=True)
class Point:
    """A class of true gains at one size: shares of its nights with a promotion."""

    alone: float
    """Share promoted by the night's holdout alone."""
    nights: int
    together: float
    """Share promoted together with the nights before. It covers nights up to four after the
    decline: these have daily looks whatever the rule says. Later looks exist only for champions
    that stay."""
    daily: int


def curves(looks: Sequence[Look]) -> Iterator[str]:
    """Share promoted by true gain and holdout size: by one night alone, and with earlier nights."""
    sizes = sorted({look.size for look in looks if look.trial == "decline"})
    counted = {size: curve(looks, size) for size in sizes}
    labels = [f"{typical_customers(looks, size):.0f}" for size in sizes]
    yield from _head("true gain", *labels)
    for place, (low, high) in enumerate(pairwise(GAINS)):
        cells = [_cell(counted[size][place]) for size in sizes]
        label = f"under {high:.2%}" if place == 0 else f"{low:.2%} to {high:.2%}"
        yield f"| {label} | {' | '.join(cells)} |"


def _cell(point: Point) -> str:
    if not point.nights:
        return "–"
    together = f"{point.together:.0%}" if point.daily else "–"
    return f"{point.alone:.0%} / {together} ({point.nights})"


def curve(looks: Sequence[Look], size: int) -> list[Point]:
    """How often the night's own rule promotes, for each class of true gains."""
    rule = by_policy(Policy())
    alone: list[list[bool]] = [[] for _ in GAINS[1:]]
    together: list[list[bool]] = [[] for _ in GAINS[1:]]
    for story in _tenants((look for look in looks if look.size == size), "decline"):
        until = (_first_decline(story) or len(story)) + WITHIN
        for place, look in enumerate(story):
            if look.truth is None or not GAINS[0] <= look.truth < GAINS[-1]:
                continue
            where = int(np.searchsorted(GAINS, look.truth, side="right")) - 1
            alone[where].append(rule(look, []))
            if place < until and _is_daily(story, place):
                together[where].append(rule(look, story[:place]))
    return [
        Point(_mean(one), len(one), _mean(both), len(both))
        for one, both in zip(alone, together, strict=True)
    ]


def waiting(looks: Sequence[Look]) -> Iterator[str]:
    """How long a declined champion stays, in nights from the first true gain of 3%."""
    yield from _head(
        "holdout customers",
        "tenants",
        "champion's age",
        "replaced by the first night",
        "within 5",
        "within 14",
        "within 28",
        "by one night alone",
    )
    cases = declined(looks, by_policy(Policy()))
    for size in sorted({case.size for case in cases}):
        some = [case for case in cases if case.size == size]
        ages = sorted(case.age for case in some)
        shares = [f"{_in_time(some, nights):.0%}" for nights in (1, 5, 14, 28)]
        alone = f"{_mean(case.alone for case in some):.0%}"
        customers = median(case.customers for case in some)
        yield (
            f"| {customers:.0f} | {len(some)} | {ages[0]} to {ages[-1]} | "
            f"{' | '.join(shares)} | {alone} |"
        )


def sound(looks: Sequence[Look]) -> Iterator[str]:
    """Sound tenants: gains by the champion's age, changes in thirty nights."""
    yield from _head(
        "holdout customers",
        "tenants",
        "gain at 7 nights",
        "14",
        "30",
        "changes of champion: median",
        "at most",
    )
    for of_size in _by_size(look for look in looks if look.trial == "flapping").values():
        flaps = changes(of_size, by_policy(Policy()))
        gains = [
            _mean(look.gain for look in of_size if look.champion == FIRST and look.age == age)
            for age in (7, 14, 30)
        ]
        customers = median(look.customers for look in of_size)
        yield (
            f"| {customers:.0f} | {len(flaps)} | {' | '.join(f'{gain:.2%}' for gain in gains)} | "
            f"{median(flaps):g} | {max(flaps)} |"
        )


def damaged(looks: Sequence[Look]) -> Iterator[str]:
    """Gains of challengers with damaged data over both champions, and how many are promoted."""
    yield from _head(
        "damage",
        "champion",
        "challengers",
        "mean gain",
        "largest",
        "promoted",
        "by the former rule",
    )
    bad = [look for look in looks if look.trial == "damage" and look.data != "sound"]
    for data in dict.fromkeys(look.data for look in bad):
        for age in (0, 7):
            some = [look for look in bad if (look.data, look.age) == (data, age)]
            earlier = [look for look in looks if look.trial == "damage" and look.data == "sound"]
            promoted = damage_promoted([*some, *earlier], by_policy(Policy()))[1]
            before = damage_promoted(some, above_zero(0.99, 0.002))[1]
            gains = [look.gain for look in some]
            whom = "the same night's" if age == 0 else "a week old"
            yield (
                f"| {data} | {whom} | {len(some)} | {_mean(gains):.2%} | {max(gains):.2%} | "
                f"{promoted} | {before} |"
            )


def overlap(looks: Sequence[Look]) -> Iterator[str]:
    """Correlation of two nights' errors (gain minus truth): as measured, and as assumed."""
    yield from _head(
        "nights apart",
        "measured",
        "taken",
    )
    daily = [
        [look for place, look in enumerate(story) if _is_daily(story, place)]
        for story in _tenants(looks, "decline")
    ]
    series = [
        np.array([(look.gain - (look.truth or 0)) / max(look.gain_error, 1e-4) for look in story])
        for story in daily
    ]
    for lag in (1, 3, 5, 7, 10, 14):
        pairs = [(one[lag:], one[:-lag]) for one in series if len(one) > lag]
        later, first = (np.concatenate(side) for side in zip(*pairs, strict=True))
        yield f"| {lag} | {np.corrcoef(later, first)[0, 1]:.2f} | {max(0.0, 1 - lag / 14):.2f} |"


TABLES: dict[str, Callable[[Sequence[Look]], Iterator[str]]] = {
    "curves": curves,
    "waiting": waiting,
    "sound": sound,
    "damaged": damaged,
    "rules": rules,
    "overlap": overlap,
    "probation": probation,
    "backs": backs,
}


def typical_customers(looks: Sequence[Look], size: int) -> float:
    """Median number of holdout customers, over declining tenants of a size."""
    some = [look.customers for look in looks if look.trial == "decline" and look.size == size]
    return float(median(some))


def _head(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"


def _share_in_time(name: str, cases: Sequence[Decline], *, nights: int, least: float) -> Demand:
    asked = f"at least {least:.0%} replaced"
    if not cases:
        return Demand(name, asked, "no tenant declined", met=True)
    share = _in_time(cases, nights)
    return Demand(name, asked, f"{share:.0%} of {len(cases)}", share >= least)


def _in_time(cases: Sequence[Decline], nights: int) -> float:
    return _mean(case.waited is not None and case.waited < nights for case in cases)


def _first_decline(story: Story) -> int | None:
    """The place of the first night with the true gain of a decline."""
    return next((p for p, look in enumerate(story) if (look.truth or 0) >= DECLINED), None)


def _is_daily(story: Story, place: int) -> bool:
    """Whether every night up to this one has a look."""
    return story[place].night - story[0].night == place


def _tenants(looks: Iterable[Look], trial: str) -> list[Story]:
    """The looks at each tenant of a trial, in the order of their nights."""
    by_tenant = defaultdict(list)
    for look in looks:
        if look.trial == trial:
            by_tenant[look.size, look.tenant].append(look)
    return [sorted(story, key=lambda look: look.night) for story in by_tenant.values()]


def _by_size(looks: Iterable[Look]) -> dict[int, list[Look]]:
    sizes = defaultdict(list)
    for look in looks:
        sizes[look.size].append(look)
    return dict(sorted(sizes.items()))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return float(np.mean(listed)) if listed else 0.0
