"""What ``mlflow.pyfunc.load_model`` loads a tenant's model with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.models.als import AlsModel, Factors, fold_in, load_model, rank
from recfleet.models.recipe import Signal

if TYPE_CHECKING:
    import pandas as pd

_VALUE: dict[Signal, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "lines": lambda lines: lines,
    "log_lines": np.log1p,
    "log_quantity": np.log1p,
    "binary": np.ones_like,
}


class Recommender:
    """A tenant's model as MLflow calls it."""

    def __init__(self, model: AlsModel) -> None:
        self.model = model
        self._product = {product_id: i for i, product_id in enumerate(model.product_ids)}
        self._customer = {customer_id: i for i, customer_id in enumerate(model.customer_ids)}

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Rank the products for each row.

        A row is ranked by its ``history``, a list of product ids, when it has one: it is folded in
        as the nightly lists are, a product named twice counting as two purchase lines of one
        piece, and what is in it is not recommended again unless the recipe wants that. Otherwise
        it is ranked by its ``customer_id``, with the factors that the customer got in training: the
        model does not keep what a customer bought, so products bought before can be among them.

        Args:
            model_input: columns ``customer_id`` and ``history``, or one of them.
            params: ``n``, the length of the lists; by default the recipe's.

        Returns:
            One row for each row of the input, with its index: ``customer_id``; ``products`` and
            ``scores``, lists with the best first; ``source``: ``history``, ``customer``, or
            ``unknown`` for a row that the model knows neither by its customer nor by any product
            of its history, whose lists are empty.
        """
        import pandas as pd

        customer_ids = _column(model_input, "customer_id", _text)
        histories = _column(model_input, "history", _ids)
        length = (params or {}).get("n") or self.model.recipe.list_length
        factors, bought, sources = self._factors(customer_ids, histories)
        ranked = rank(
            factors,
            bought,
            allowed=np.ones(len(self._product), dtype=bool),
            list_length=int(length),
            repeat_purchases=self.model.recipe.repeat_purchases,
        )
        products: list[list[str]] = [[] for _ in sources]
        scores: list[list[float]] = [[] for _ in sources]
        for row, places, values in zip(
            ranked.customers, ranked.products, ranked.scores, strict=True
        ):
            products[row] = self.model.product_ids[places].tolist()
            scores[row] = values.astype(float).tolist()
        return pd.DataFrame(
            {
                "customer_id": customer_ids,
                "products": products,
                "scores": scores,
                "source": sources,
            },
            index=model_input.index,
        )

    def _factors(
        self, customer_ids: Sequence[str | None], histories: Sequence[list[str]]
    ) -> tuple[Factors, csr_matrix, list[str]]:
        """Factors of the rows, what they bought, and where the factors are from."""
        bought = self._matrix(histories)
        folded = fold_in(self.model, bought, self.model.product_ids)
        customers, known = folded.customers.copy(), folded.known_customers.copy()
        sources = ["history" if row else "unknown" for row in known]
        for row, customer_id in enumerate(customer_ids):
            place = self._customer.get(customer_id) if customer_id is not None else None
            if place is not None and not known[row]:
                customers[row], known[row] = self.model.customer_factors[place], True
                sources[row] = "customer"
        factors = Factors(
            customers=customers,
            products=self.model.product_factors,
            known_customers=known,
            known_products=folded.known_products,
        )
        return factors, bought, sources

    def _matrix(self, histories: Sequence[list[str]]) -> csr_matrix:
        """(rows, P') signal of the products that the model knows."""
        counts = [
            Counter(self._product[item] for item in history if item in self._product)
            for history in histories
        ]
        starts = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum([len(count) for count in counts], out=starts[1:])
        columns = np.array([place for count in counts for place in sorted(count)], dtype=np.int32)
        lines = np.array([count[place] for count in counts for place in sorted(count)], dtype=float)
        values = _signal(self.model.recipe.signal, lines)
        return csr_matrix((values, columns, starts), shape=(len(counts), len(self._product)))


def _load_pyfunc(path: str) -> Recommender:
    """Load the model of a folder; MLflow calls this by its name.

    Raises:
        TenantError: a file is missing, or is not what was written.
    """
    # MLflow may have put a file of its own beside the model's, and MLmodel is not the model's.
    files = {
        file.name: file.read_bytes()
        for file in Path(path).iterdir()
        if file.suffix in {".npy", ".json"}
    }
    return Recommender(load_model(files))


def _signal(signal: Signal, lines: NDArray[np.float64]) -> NDArray[np.float32]:
    return _VALUE[signal](lines).astype(np.float32)


def _column(frame: pd.DataFrame, name: str, read: Any) -> list[Any]:
    return [read(value) for value in frame[name]] if name in frame else [read(None)] * len(frame)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _ids(value: object) -> list[str]:
    if isinstance(value, (list, tuple, np.ndarray)):
        return [item for item in value if isinstance(item, str)]
    return []
