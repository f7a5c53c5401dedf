"""Judging: how good each contender would have been on the holdout, and what follows from it."""

from recfleet.judging._compare import Comparison, compare
from recfleet.judging._evidence import Evidence, Pooled, pool
from recfleet.judging._holdout import Holdout
from recfleet.judging._leak import LeakError, check_no_leak
from recfleet.judging._probation import Probation
from recfleet.judging._rule import Ruling, needed_gain, rule
from recfleet.judging._score import Score, score, score_popularity
from recfleet.judging._verdict import Verdict, flatten, judge, too_few

__all__ = [
    "Comparison",
    "Evidence",
    "Holdout",
    "LeakError",
    "Pooled",
    "Probation",
    "Ruling",
    "Score",
    "Verdict",
    "check_no_leak",
    "compare",
    "flatten",
    "judge",
    "needed_gain",
    "pool",
    "rule",
    "score",
    "score_popularity",
    "too_few",
]
