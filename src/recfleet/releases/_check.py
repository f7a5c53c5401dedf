"""The checks that lists must pass before anyone can see them.

The checks share no code with the making of lists: they read the purchases from the log again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models import InteractionLog
from recfleet.recipe import Recipe
from recfleet.releases._lists import Lists


@dataclass(frozen=True)
class Check:
    """One check and its result."""

    name: str
    passed: bool
    detail: str
    """In words: how many were checked or, after a failure, how many failed and the first of
    them."""


def check_lists(
    lists: Lists,
    log: InteractionLog,
    *,
    active: NDArray[np.bool_],
    recipe: Recipe,
    minimum_coverage: float,
    excluded_products: Collection[str] = (),
    excluded_customers: Collection[str] = (),
) -> list[Check]:
    """Check lists against the interactions they were made from.

    The list for unknown customers is checked with the others. Nothing is raised: a release goes
    live only when all its checks have passed.

    Args:
        lists: as they would be published.
        log: the tenant's interactions up to as-of.
        active: (P,) products that may be recommended.
        recipe: gives the list's length and whether purchases may be repeated.
        minimum_coverage: least share of customers with a list. Only customers count who are not
        excluded and have not bought every product that is active and was ever bought.
        excluded_products: ids of products that may be in no list.
        excluded_customers: ids of customers who must have an empty list.

    Returns:
        Every check, always the same ones in the same order.
    """
    places = _Places.of(lists)
    bought = log.matrix("binary")
    return [
        _any_list(lists),
        _one_list_each(lists),
        _short_enough(lists, recipe.list_length),
        places.check("finite scores", ~np.isfinite(places.scores)),
        places.check("falling scores", _rising(places)),
        places.check("no product twice", _repeated(places)),
        places.check("only active products", ~(places.known & active[places.product])),
        places.check("no excluded product", places.of_products(excluded_products)),
        _nothing_for(lists, excluded_customers),
        _nothing_bought(places, bought, recipe),
        _covered(
            lists,
            bought,
            active,
            recipe,
            minimum_coverage=minimum_coverage,
            excluded_customers=excluded_customers,
        ),
    ]


@dataclass(frozen=True, eq=False)
class _Places:
    """Every place of every list; the list for unknown customers comes last."""

    lists: Lists
    owner: NDArray[np.int64]
    """Number of the list; the number of lists stands for the list for unknown customers."""
    number: NDArray[np.int64]
    """The product's number, as the list has it."""
    product: NDArray[np.int64]
    """The product's number if there is such a product, else 0."""
    known: NDArray[np.bool_]
    """Whether there is such a product."""
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, lists: Lists) -> _Places:
        number = np.concatenate([lists.products, lists.popular_products]).astype(np.int64)
        known = (number >= 0) & (number < len(lists.product_ids))
        lengths = np.append(lists.lengths, len(lists.popular_products))
        return cls(
            lists=lists,
            owner=np.repeat(np.arange(len(lists) + 1), lengths),
            number=number,
            product=np.where(known, number, 0),
            known=known,
            scores=np.concatenate([lists.scores, lists.popular_scores]),
        )

    def of_products(self, product_ids: Collection[str]) -> NDArray[np.bool_]:
        """Places whose product is one of these."""
        wanted = set(product_ids)
        named = np.array([product in wanted for product in self.lists.product_ids], dtype=bool)
        wrong = np.zeros(len(self.product), dtype=bool)
        wrong[self.known] = named[self.product[self.known]]
        return wrong

    def check(self, name: str, wrong: NDArray[np.bool_]) -> Check:
        """A check of every place, with the first wrong one."""
        places = np.flatnonzero(wrong)
        if not len(places):
            return Check(name, True, f"{len(wrong)} places in lists")
        first = places[0]
        product = (
            repr(self.lists.product_ids[self.product[first]])
            if self.known[first]
            else f"number {self.number[first]}, which is none"
        )
        return Check(
            name,
            False,
            f"{len(places)} of {len(wrong)} places in lists; first: "
            f"{_owner_name(self.lists, self.owner[first])}, product {product}",
        )


def _owner_name(lists: Lists, index: int) -> str:
    if index == len(lists):
        return "anybody unknown"
    customer = lists.customers[index]
    if 0 <= customer < len(lists.customer_ids):
        return f"customer {lists.customer_ids[customer]!r}"
    return f"customer number {customer}, who is none"


def _any_list(lists: Lists) -> Check:
    filled = int(np.count_nonzero(lists.lengths))
    passed = bool(filled or len(lists.popular_products))
    detail = f"{filled} lists with products in them"
    return Check("at least one list", passed, detail if passed else "no product in any list")


def _one_list_each(lists: Lists) -> Check:
    name = "one list for each customer"
    order = np.argsort(lists.customers, kind="stable")
    ordered = lists.customers[order]
    wrong = (ordered < 0) | (ordered >= len(lists.customer_ids))
    wrong[1:] |= ordered[1:] == ordered[:-1]
    if not wrong.any():
        return Check(name, True, f"{len(lists)} customers")
    first = _owner_name(lists, order[np.argmax(wrong)])
    return Check(name, False, f"{np.count_nonzero(wrong)} lists too many; first: {first}")


def _nothing_for(lists: Lists, excluded_customers: Collection[str]) -> Check:
    """Excluded customers without a row would count as unknown, and get popular products."""
    name = "nothing for excluded customers"
    wanted = set(excluded_customers)
    known = (lists.customers >= 0) & (lists.customers < len(lists.customer_ids))
    owners = lists.customer_ids[lists.customers[known]].tolist()
    emptied = {
        customer
        for customer, length in zip(owners, lists.lengths[known].tolist(), strict=True)
        if not length and customer in wanted
    }
    wrong = sorted(wanted - emptied)
    if not wrong:
        return Check(name, True, f"{len(wanted)} customers")
    detail = f"{len(wrong)} of {len(wanted)} have no empty list; first: customer {wrong[0]!r}"
    return Check(name, False, detail)


def _short_enough(lists: Lists, list_length: int) -> Check:
    name = "no list too long"
    lengths = np.append(lists.lengths, len(lists.popular_products))
    wrong = np.flatnonzero(lengths > list_length)
    if not len(wrong):
        return Check(name, True, f"at most {list_length} products in {len(lengths)} lists")
    return Check(
        name,
        False,
        f"{len(wrong)} of {len(lengths)} lists; first: {_owner_name(lists, wrong[0])} has "
        f"{lengths[wrong[0]]} products, not at most {list_length}",
    )


def _rising(places: _Places) -> NDArray[np.bool_]:
    """Places whose score is above the one before in the same list."""
    wrong = np.zeros(len(places.scores), dtype=bool)
    wrong[1:] = (places.scores[1:] > places.scores[:-1]) & (places.owner[1:] == places.owner[:-1])
    return wrong


def _repeated(places: _Places) -> NDArray[np.bool_]:
    """Places whose product stood earlier in the same list."""
    wrong = np.zeros(len(places.number), dtype=bool)
    least, most = (places.number.min(), places.number.max()) if len(wrong) else (0, 0)
    key = places.owner * (most - least + 1) + places.number - least
    ordered = np.sort(key)
    if not (ordered[1:] == ordered[:-1]).any():
        return wrong
    # Finding the places takes ten times as long, so it is done only now.
    order = np.argsort(key, kind="stable")
    wrong[order[1:]] = key[order[1:]] == key[order[:-1]]
    return wrong


def _nothing_bought(places: _Places, bought: csr_matrix, recipe: Recipe) -> Check:
    name = "nothing already bought"
    if recipe.repeat_purchases:
        return Check(name, True, "the recipe lets purchases be repeated")
    customers, products = bought.shape
    # The number after the last customer stands for unknown customers, who bought nothing.
    customer = np.append(places.lists.customers.astype(np.int64), customers)[places.owner]
    pairs = np.repeat(np.arange(customers), np.diff(bought.indptr)) * products + bought.indices
    if not len(pairs):
        return places.check(name, np.zeros(len(customer), dtype=bool))
    pair = customer * products + places.product
    nearest = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)  # they rise with the rows
    return places.check(name, places.known & (pairs[nearest] == pair))


def _covered(
    lists: Lists,
    bought: csr_matrix,
    active: NDArray[np.bool_],
    recipe: Recipe,
    *,
    minimum_coverage: float,
    excluded_customers: Collection[str],
) -> Check:
    name = "enough customers covered"
    customers, products = bought.shape
    offered = active & (np.bincount(bought.indices, minlength=products) > 0)
    left = np.full(customers, np.count_nonzero(offered))
    if not recipe.repeat_purchases:
        left -= (bought @ offered).astype(left.dtype)
    excluded = set(excluded_customers)
    left[[customer in excluded for customer in lists.customer_ids[:customers]]] = 0
    covered = np.zeros(customers, dtype=bool)
    owners = lists.customers[lists.lengths > 0]
    covered[owners[(owners >= 0) & (owners < customers)]] = True
    missing = np.flatnonzero((left > 0) & ~covered)
    wanted = int(np.count_nonzero(left > 0))
    detail = f"{wanted - len(missing)} of {wanted} customers to whom something is left to offer"
    if offered.any() and not len(lists.popular_products):
        return Check(name, False, f"{detail}, but no list for anybody unknown")
    if wanted - len(missing) >= minimum_coverage * wanted:
        return Check(name, True, detail)
    first = lists.customer_ids[missing[0]]
    return Check(
        name,
        False,
        f"{detail}, less than {minimum_coverage:.0%}; first without: customer {first!r}",
    )
