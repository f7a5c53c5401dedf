"""Judging: how good each contender would have been on the holdout, and what follows from it.

The names are imported when they are first asked for, so that code that only reads a verdict's
numbers does not import the code that computes them.
"""

from typing import TYPE_CHECKING

from recfleet.faces import import_on_demand

if TYPE_CHECKING:
    from recfleet.judging._compare import Comparison, compare
    from recfleet.judging._evidence import Evidence, Pooled, pool
    from recfleet.judging._first import Likeness, TasteEvidence
    from recfleet.judging._holdout import Holdout
    from recfleet.judging._leak import LeakError, check_no_leak
    from recfleet.judging._numbers import (
        Bounds,
        EstimateNumbers,
        GainNumbers,
        HoldoutNumbers,
        Numbers,
        PooledNumbers,
        ProbationNumbers,
        ScoreNumbers,
        TasteNumbers,
        flatten,
    )
    from recfleet.judging._probation import Probation
    from recfleet.judging._rule import Ruling, needed_gain, rule
    from recfleet.judging._score import Score, score, score_popularity
    from recfleet.judging._taste import ServedNdcg, score_lists, score_lists_of, score_served
    from recfleet.judging._verdict import Verdict, judge, too_few

__all__ = [
    "Bounds",
    "Comparison",
    "EstimateNumbers",
    "Evidence",
    "GainNumbers",
    "Holdout",
    "HoldoutNumbers",
    "LeakError",
    "Likeness",
    "Numbers",
    "Pooled",
    "PooledNumbers",
    "Probation",
    "ProbationNumbers",
    "Ruling",
    "Score",
    "ScoreNumbers",
    "ServedNdcg",
    "TasteEvidence",
    "TasteNumbers",
    "Verdict",
    "check_no_leak",
    "compare",
    "flatten",
    "judge",
    "needed_gain",
    "pool",
    "rule",
    "score",
    "score_lists",
    "score_lists_of",
    "score_popularity",
    "score_served",
    "too_few",
]

__getattr__ = import_on_demand(__name__, __file__)
