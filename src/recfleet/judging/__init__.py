"""Judging: how good each contender would have been on the holdout, and what follows from it."""

from recfleet.judging._holdout import Holdout
from recfleet.judging._leak import LeakError, check_no_leak
from recfleet.judging._score import Score, score, score_popularity
from recfleet.judging._verdict import Verdict, flatten, judge, too_few

__all__ = [
    "Holdout",
    "LeakError",
    "Score",
    "Verdict",
    "check_no_leak",
    "flatten",
    "judge",
    "score",
    "score_popularity",
    "too_few",
]
