"""The contract of models: what a model is trained from, what it writes, and what it answers.

A ``Scorer`` says how well each product suits each customer of one tenant's log. A ``Trainer`` makes
a ``Model`` from a log. A model is written, registered and read again; folding in shows it what
customers bought up to a time, and gives a scorer. Anything that needs no training, such as
popularity, is a scorer at once.

Judging scores scorers, releases rank them, and the night trains, writes and reads models; none of
them knows a model's family. ``tests/models/contract.py`` is the suite that each family passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recfleet.kinds import Offers
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe

Source = Literal["popular", "taste", "habit", "trend"]

SOURCES: tuple[Source, ...] = ("popular", "taste", "habit", "trend")
"""What can put a product into a list; each place in a list holds the index of its source.

*Taste* is the trained model's. *Habit*, *trend* and *popular* need none."""


class Scorer(ABC):
    """Scores of the C customers and P products of a log, in its numbering."""

    known_customers: NDArray[np.bool_]
    """(C,) whether it knows the customer; scores of unknown customers mean nothing."""
    known_products: NDArray[np.bool_]
    """(P,) whether it knows the product; an unknown product is in no list."""

    @property
    @abstractmethod
    def is_finite(self) -> bool:
        """Whether all its scores are finite numbers."""

    @abstractmethod
    def tables(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Every score of these customers with these products, some customers at a time.

        Args:
            customers: (m,) their numbers.
            products: (k,) their numbers.

        Yields:
            Which of the m customers, and their (·, k) scores; the caller may write into these.
        """

    def sums(self, customers: NDArray[np.intp], products: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sum of the scores and of their squares over products, for each customer.

        Args:
            customers: (m,) their numbers.
            products: (k,) their numbers.

        Returns:
            (m, 2).
        """
        found = np.zeros((len(customers), 2))
        for rows, table in self.tables(customers, products):
            wide = table.astype(np.float64)
            found[rows] = np.column_stack([wide.sum(axis=1), np.square(wide).sum(axis=1)])
        return found

    def of_pairs(
        self, customers: NDArray[np.intp], products: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The score of each pair.

        Args:
            customers: (n,) a customer's number for each pair.
            products: (n,) a product's number for each pair.

        Returns:
            (n,).
        """
        asked, row = np.unique(customers, return_inverse=True)
        offered, column = np.unique(products, return_inverse=True)
        found = np.zeros(len(customers))
        for rows, table in self.tables(asked, offered):
            here = (row >= rows.start) & (row < rows.start + len(table))
            found[here] = table[row[here] - rows.start, column[here]]
        return found


class Basket(ABC):
    """What a model needs to score the products for one customer at once, and no more of it.

    It serves by day: it knows no customer, and one whose purchases the model knows gets the scores
    that folding in would give.
    """

    product_ids: NDArray[np.object_]
    """(P',) text: the products that the model was fitted to."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of memory that it takes."""

    @abstractmethod
    def scores(
        self, products: NDArray[np.intp], lines: NDArray[np.float64], net: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Every product's score for a customer who bought these.

        Args:
            products: (b,) numbers of the products that the customer bought, each once.
            lines: (b,) number of purchase lines of each.
            net: (b,) quantity of each, less returns; above zero.

        Returns:
            (P',).

        Raises:
            TenantError: the scores are not finite numbers.
        """

    @abstractmethod
    def because(
        self,
        products: NDArray[np.intp],
        lines: NDArray[np.float64],
        net: NDArray[np.float64],
        asked: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """How much each product that a customer bought has to do with the scores of others.

        Args:
            products: (b,) numbers of the products that the customer bought, each once.
            lines: (b,) number of purchase lines of each.
            net: (b,) quantity of each, less returns; above zero.
            asked: (k,) numbers of the products whose scores are asked about.

        Returns:
            (k, b) parts: each row sums to the score that ``scores`` gives the product.

        Raises:
            TenantError: the scores cannot be taken apart.
        """

    @abstractmethod
    def pair_lists(
        self, seeds: NDArray[np.intp], allowed: NDArray[np.intp], length: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """The best products for a customer who bought two products once each, for all pairs.

        Args:
            seeds: (n,) numbers of the products that are paired.
            allowed: (a,) numbers of the products that may be in a list, rising.
            length: most products in a list.

        Returns:
            (n (n - 1) / 2, min(length, a)) numbers of products, the best first, without the pair's
            own, and the scores that ``scores`` gives them; -inf where no product is left. The
            pairs are (0, 1), (0, 2), …, (1, 2), ….
        """

    @abstractmethod
    def likeness(self, product: int) -> NDArray[np.float32]:
        """How alike a product is to every product, by who buys them.

        Args:
            product: its number.

        Returns:
            (P',) from -1 to 1, the product's own is the highest.
        """


@dataclass(frozen=True)
class Parent:
    """The model that another one's fit began with, as the other one names it."""

    train_end: datetime
    """The parent saw only interactions before this time."""
    digest: str
    """The parent's ``Model.digest``."""


class Model(ABC):
    """A fitted model of one tenant: it keeps arrays, and no purchases."""

    recipe: Recipe
    """Hyper-parameters of the fit; folding in uses them as well."""
    train_end: datetime
    """Only interactions before this time (with a zone) were seen."""
    seed: int
    """Seed of the random numbers that the fit began with."""
    offers: Offers
    """The kinds of the lists that it was fitted for."""
    customer_ids: NDArray[np.object_]
    """(C',) text: the customers that it was fitted to."""
    product_ids: NDArray[np.object_]
    """(P',) text: the products that it was fitted to."""
    parent: Parent | None
    """The model that its fit began with; None: the fit began with random numbers."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A hash of everything that a fit which begins with this model depends on."""

    @abstractmethod
    def fold_in(
        self,
        log: InteractionLog,
        *,
        before: datetime | None = None,
        wanted: NDArray[np.intp] | None = None,
    ) -> Scorer:
        """The scorer that serves these customers.

        Args:
            log: the scorer has this log's customers and products.
            before: use only lines before this time; by default the whole log.
            wanted: numbers of the customers whose scores are wanted, by default all. The others may
                stay unknown.

        Raises:
            TenantError: it cannot be folded in.
        """

    @abstractmethod
    def recall(self, customer_ids: NDArray[np.object_]) -> Scorer:
        """The scorer of what the model remembers of customers, over its own products.

        Args:
            customer_ids: (C,) text; customers that it was not fitted to are unknown.
        """

    @abstractmethod
    def because(
        self, log: InteractionLog, customer: int, products: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """How much each product that a customer bought has to do with the scores of others.

        Args:
            log: the purchases that the customer is folded in from.
            customer: the customer's number.
            products: (k,) numbers of the products whose scores are asked about.

        Returns:
            (b,) numbers of the products that the customer bought, and (k, b) their parts: each
            row sums to the score that the customer's ``fold_in`` gives the product.

        Raises:
            TenantError: the customer cannot be folded in.
        """

    @abstractmethod
    def basket(self) -> Basket:
        """The part of it that serves single customers by day."""

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """Name -> content: plain arrays and JSON with checksums. Equal models have equal files."""


class Trainer(Protocol):
    """Fits models by one recipe."""

    def train(
        self,
        log: InteractionLog,
        *,
        before: datetime,
        seed: int,
        parent: Model | None = None,
    ) -> Model:
        """Fit a model to the purchases before a time.

        The same log, time, seed and parent give the same model, to the byte.

        Args:
            log: a tenant's interactions.
            before: the model sees nothing of this time or later.
            seed: seed of the random numbers that a cold fit begins with.
            parent: an earlier model of the tenant, with which a warm fit begins; None: a cold fit.

        Raises:
            TenantError: there is no purchase, or the fit did not end in finite numbers.
        """
        ...

    def why_not_from(self, parent: Model, log: InteractionLog, *, before: datetime) -> str | None:
        """Why a fit cannot begin with a model; None: it can.

        Args:
            parent: an earlier model of the tenant.
            log: the tenant's interactions.
            before: as ``train`` would get it.
        """
        ...
