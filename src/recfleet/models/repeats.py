"""Whether a tenant's customers buy products again, found in their purchases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import Offers, Wish
from recfleet.models.log import InteractionLog, microseconds

BEGIN = 0.05
"""Lists begin to offer products again when customers surely repeat more than this share of their
purchases. A customer's own products are a few dozen and the others thousands, so that a repeat is
much easier to foresee than something new: already one purchase in twenty is worth its places."""
END = 0.03
"""Lists cease to offer them when customers surely repeat less than this share. Between the two
shares everything stays as it was, so that chance does not change lists to and fro."""
FEWEST_CUSTOMERS = 5
"""With fewer returning customers nothing is sure, and everything stays as it was."""
_DAYS = 28
"""Length of a block. The calendar is cut into blocks from 1970 on, and the question is asked at the
end of each: the answer changes at most once in four weeks."""
_BLOCKS = 7
"""The share is that of half a year."""
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class RepeatShare:
    """How much of what returning customers buy they have bought before."""

    share: float
    """Mean of the customers' shares, so that one large customer counts as one."""
    standard_error: float
    """Over customers; infinite for too few of them."""


def resolve_offers(wish: Wish, log: InteractionLog, *, before: datetime) -> Offers:
    """The kinds that a tenant's lists offer, when its policy may leave that to its data.

    Args:
        wish: the policy's; ``auto`` is ``both`` where customers buy again, and ``new`` elsewhere.
        log: the tenant's interactions.
        before: only earlier lines are seen. A night gives the beginning of its holdout, so that
            what is judged is not known.
    """
    if wish != "auto":
        return wish
    return "both" if buy_again(log, before=before) else "new"


def buy_again(log: InteractionLog, *, before: datetime) -> bool:
    """Whether a tenant's customers buy products again.

    A walk through the blocks that have ended, from the first purchase on. It begins with no, and
    turns to yes or back when the share of repeats in the last half a year is surely above ``BEGIN``
    or below ``END``: by one standard error. Only the log is asked, so every night with the same
    purchases has the same answer.

    Args:
        log: a tenant's interactions.
        before: only earlier lines are seen.
    """
    returning = _Returning.of(log, before)
    last = microseconds(before) // (_DAYS * _MICROSECONDS_A_DAY)
    answer = False
    for end in range(returning.first_block + 1, last + 1):
        found = returning.share(end - _BLOCKS, end)
        if found.share - found.standard_error > BEGIN:
            answer = True
        elif found.share + found.standard_error < END:
            answer = False
    return answer


@dataclass(frozen=True, eq=False)
class _Returning:
    """Purchases of customers who had bought on an earlier day: k in all, by time.

    A customer's purchases of one product on one day are one purchase.
    """

    block: NDArray[np.int64]
    """(k,) rising."""
    customer: NDArray[np.int64]
    """(k,)."""
    again: NDArray[np.bool_]
    """(k,) whether the customer had bought the product on an earlier day."""

    @classmethod
    def of(cls, log: InteractionLog, before: datetime) -> _Returning:
        known = slice(0, int(np.searchsorted(log.occurred_at, microseconds(before))))
        bought = (log.quantity[known] > 0) & (log.amount[known] > 0)
        days = log.occurred_at[known][bought] // _MICROSECONDS_A_DAY
        start = days[0] if len(days) else 0
        span = int(days[-1] - start) + 1 if len(days) else 1
        pairs = log.customer[known][bought].astype(np.int64) * len(log.product_ids)
        pairs += log.product[known][bought]
        pair, day = np.divmod(np.unique(pairs * span + days - start), span)
        customer = pair // max(len(log.product_ids), 1)
        first = np.full(len(log.customer_ids), span)
        np.minimum.at(first, customer, day)
        again = np.zeros(len(pair), dtype=bool)
        again[1:] = pair[1:] == pair[:-1]
        returning = np.flatnonzero(day > first[customer])
        returning = returning[np.argsort(day[returning], kind="stable")]
        block = (day[returning] + start) // _DAYS
        return cls(block, customer[returning], again[returning])

    @property
    def first_block(self) -> int:
        """The block of the first of them; without any, no block has ended since."""
        return int(self.block[0]) if len(self.block) else np.iinfo(np.int64).max - 1

    def share(self, first: int, end: int) -> RepeatShare:
        """The share of repeats in the blocks from the first one to the one before the end."""
        part = slice(*np.searchsorted(self.block, (first, end)))
        _, owner, bought = np.unique(self.customer[part], return_inverse=True, return_counts=True)
        customers = len(bought)
        if customers < FEWEST_CUSTOMERS:
            return RepeatShare(0.0, float("inf"))
        shares = np.bincount(owner, weights=self.again[part], minlength=customers) / bought
        error = float(shares.std(ddof=1)) / np.sqrt(customers)
        return RepeatShare(float(shares.mean()), float(error))
