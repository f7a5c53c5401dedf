"""The checks that lists must pass before anyone can see them.

The checks share no code with the making of lists: they read the purchases from the log again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.interactions.facts import Eligibility
from recfleet.kinds import KINDS, Kind, Offers, kinds_of
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
    eligibility: Eligibility | None = None,
) -> list[Check]:
    """Check lists against the interactions they were made from.

    The list for unknown customers is checked with the others. Nothing is raised: a release goes
    live only when all its checks have passed.

    Args:
        lists: as they would be published.
        log: the tenant's interactions up to as-of.
        active: (P,) products that may be recommended.
        recipe: gives the most products of each kind.
        minimum_coverage: for each kind that the lists offer, least share of customers with products
        of it. Only customers count who are not excluded and to whom some are left.
        excluded_products: ids of products that may be in no list.
        excluded_customers: ids of customers who must have an empty list.
        eligibility: where products may be sold, and where customers are; None: everywhere.

    Returns:
        Every check, always the same ones in the same order.
    """
    places = _Places.of(lists)
    bought = log.matrix("binary")
    return [
        _any_list(lists),
        _one_list_each(lists),
        places.check_lengths(recipe.list_length),
        places.check("finite scores", ~np.isfinite(places.scores)),
        places.check("falling scores", _rising(places)),
        places.check("no product twice", _repeated(places)),
        places.check("only active products", ~(places.known & active[places.product])),
        places.check("no excluded product", places.of_products(excluded_products)),
        places.check("nothing outside its regions", _outside(places, eligibility)),
        _nothing_for(lists, excluded_customers),
        places.check("nothing of a kind that is not offered", places.of_no_kind(lists.offers)),
        *_true_kinds(places, bought),
        _covered(
            places,
            bought,
            active,
            minimum_coverage=minimum_coverage,
            excluded_customers=excluded_customers,
            eligibility=eligibility,
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
    kinds: NDArray[np.int8]
    """Whom a release does not know has bought nothing: their products are new."""

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
            kinds=np.append(lists.kinds, np.zeros(len(lists.popular_products), np.int8)),
        )

    def of_kind(self, kind: Kind) -> NDArray[np.bool_]:
        """Places of one kind."""
        places: NDArray[np.bool_] = self.kinds == KINDS.index(kind)
        return places

    def of_no_kind(self, offers: Offers) -> NDArray[np.bool_]:
        """Places of customers' lists that are of no kind among these."""
        wanted = [KINDS.index(kind) for kind in kinds_of(offers)]
        return ~np.isin(self.kinds, wanted) & (self.owner < len(self.lists))

    def check_lengths(self, list_length: int) -> Check:
        """The check that no list has too many products of a kind."""
        name = "no list too long"
        lists = len(self.lists) + 1
        for kind in KINDS:
            lengths = np.bincount(self.owner[self.of_kind(kind)], minlength=lists)
            wrong = np.flatnonzero(lengths > list_length)
            if len(wrong):
                return Check(
                    name,
                    False,
                    f"{len(wrong)} of {lists} lists; first: {_owner_name(self.lists, wrong[0])} "
                    f"has {lengths[wrong[0]]} products of the kind {kind}, not at most "
                    f"{list_length}",
                )
        return Check(name, True, f"at most {list_length} products of a kind in {lists} lists")

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


def _true_kinds(places: _Places, bought: csr_matrix) -> list[Check]:
    """Nothing among the new products was bought before; everything among the others was."""
    customers, products = bought.shape
    # The number after the last customer stands for unknown customers, who bought nothing.
    customer = np.append(places.lists.customers.astype(np.int64), customers)[places.owner]
    # They rise with the rows; the last one, which no place can have, saves a special case.
    pairs = np.repeat(np.arange(customers), np.diff(bought.indptr)) * products + bought.indices
    pairs = np.append(pairs, np.iinfo(np.int64).max)
    pair = customer * products + places.product
    before = places.known & (pairs[np.searchsorted(pairs, pair)] == pair)
    return [
        places.check("nothing already bought among the new", places.of_kind("new") & before),
        places.check("only bought before among the others", places.of_kind("again") & ~before),
    ]


def _outside(places: _Places, eligibility: Eligibility | None) -> NDArray[np.bool_]:
    """Places whose product may not be sold in the customer's region."""
    wrong = np.zeros(len(places.product), dtype=bool)
    if eligibility is None or not eligibility.regions_of:
        return wrong
    lists = places.lists
    number = {name: place for place, name in enumerate({*eligibility.region_of.values()})}
    unknown = len(number)
    sold = np.ones((unknown + 1, len(lists.product_ids)), dtype=bool)
    for product, name in enumerate(lists.product_ids):
        if (regions := eligibility.regions_of.get(name)) is not None:
            for region, place in number.items():
                sold[place, product] = region in regions
            sold[unknown, product] = eligibility.unknown_region == "all"
    # The last one stands for unknown customers, and for numbers that are nobody's.
    told = (eligibility.region_of.get(name, "") for name in lists.customer_ids)
    region_of = np.array([*(number.get(where, unknown) for where in told), unknown])
    nobody = len(lists.customer_ids)
    known = (lists.customers >= 0) & (lists.customers < nobody)
    owners = np.append(np.where(known, lists.customers, nobody), nobody)[places.owner]
    wrong[places.known] = ~sold[region_of[owners], places.product][places.known]
    return wrong


def _left(
    bought: csr_matrix, offered: NDArray[np.bool_], eligibility: Eligibility | None
) -> dict[Kind, NDArray[np.int64]]:
    """Kind -> (C,) how many products of it are left to offer to each customer."""
    everybody = np.zeros(bought.shape[0], np.intp)
    allowed = np.ones((1, len(offered)), bool) if eligibility is None else eligibility.allowed
    group_of = everybody if eligibility is None else eligibility.group_of
    own = np.zeros(bought.shape[0], np.int64)
    for group in np.unique(group_of):
        theirs = np.flatnonzero(group_of == group)
        own[theirs] = bought[theirs] @ (offered & allowed[group]).astype(np.int64)
    counts = np.count_nonzero(offered & allowed, axis=1)
    return {"new": counts[group_of] - own, "again": own}


def _covered(
    places: _Places,
    bought: csr_matrix,
    active: NDArray[np.bool_],
    *,
    minimum_coverage: float,
    excluded_customers: Collection[str],
    eligibility: Eligibility | None,
) -> Check:
    name, lists = "enough customers covered", places.lists
    customers, products = bought.shape
    offered = active & (np.bincount(bought.indices, minlength=products) > 0)
    left = _left(bought.astype(bool), offered, eligibility)
    if eligibility is not None:
        offered &= eligibility.allowed[0]
    excluded = set(excluded_customers)
    out = [customer in excluded for customer in lists.customer_ids[:customers]]
    told: list[str] = []
    for kind in kinds_of(lists.offers):
        wanted = (left[kind] > 0) & ~np.array(out, dtype=bool)
        missing = np.flatnonzero(wanted & ~_have(places, kind, customers))
        total = int(np.count_nonzero(wanted))
        told.append(
            f"{total - len(missing)} of {total} customers to whom something {_OF_KIND[kind]} is "
            "left to offer"
        )
        if total - len(missing) < minimum_coverage * total:
            first = lists.customer_ids[missing[0]]
            return Check(
                name,
                False,
                f"{told[-1]}, less than {minimum_coverage:.0%}; first without: customer {first!r}",
            )
    detail = ", and ".join(told)
    if offered.any() and not len(lists.popular_products):
        return Check(name, False, f"{detail}, but no list for anybody unknown")
    return Check(name, True, detail)


_OF_KIND: dict[Kind, str] = {"new": "new", "again": "bought before"}


def _have(places: _Places, kind: Kind, customers: int) -> NDArray[np.bool_]:
    """(C,) whether a customer's list has a product of a kind."""
    lists = places.lists
    filled = np.bincount(places.owner[places.of_kind(kind)], minlength=len(lists) + 1) > 0
    owners = lists.customers[filled[:-1]]
    covered = np.zeros(customers, dtype=bool)
    covered[owners[(owners >= 0) & (owners < customers)]] = True
    return covered
