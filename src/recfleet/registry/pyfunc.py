"""A tenant's model for Python: the loader that ``mlflow.pyfunc.load_model`` uses, and a safer way.

Both compare the files with the digest that the night noted at the version in MLflow. MLflow reads
the folder's ``MLmodel`` first and imports the loader that it names, so whoever can write into the
folder can have other code loaded, and that code compares nothing. ``load_champion`` compares the
files before anything in them is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recfleet.contents import contents_of, digest_of
from recfleet.errors import BadInputError, TenantError
from recfleet.models import (
    InteractionLog,
    KeptSignals,
    Model,
    Purchases,
    Ranked,
    Scorer,
    Trend,
    Weights,
    blend,
    merge,
    microseconds,
    rank,
    read_model,
    read_trend,
    read_weights,
)
from recfleet.registry._disk import Disk
from recfleet.registry._names import CHAMPION, DIGEST, OF_MLFLOW, model_name

if TYPE_CHECKING:
    import pandas as pd


class Recommender:
    """A tenant's model as MLflow calls it."""

    def __init__(
        self, model: Model, weights: Weights | None = None, trend: Trend | None = None
    ) -> None:
        self.model = model
        self._weights, self._trend = weights, trend
        self._product = {product_id: i for i, product_id in enumerate(model.product_ids)}

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Rank the products for each row.

        A row with a ``history``, a list of product ids, is ranked by it as the nightly lists are:
        by taste, habit and trend together, with the weights and the trend of the model's night. A
        product named twice counts as two purchase lines of one piece. ``times`` says when each was
        bought; without it, all count as bought when the model was made. Products of the history are
        recommended again if the model was fitted for such lists. A model of an older release ranks
        by taste alone.
        A row without a history is ranked by its ``customer_id``, with the customer's factors from
        training. The model does not keep purchases, so such a list can hold products that the
        customer bought.

        Args:
            model_input: columns ``customer_id`` and ``history``, or one of them; beside ``history``
                perhaps ``times``, one for each product, such as ``2026-03-01T10:30:00+00:00``; in
                UTC if they name no zone.
            params: ``n``, the length of the lists; by default the recipe's.

        Returns:
            One row for each row of the input, with its index: ``customer_id``; ``products`` and
            ``scores``, lists with the best first; ``source``: ``history``, ``customer``, or
            ``unknown``. A row is ``unknown``, and its lists are empty, when the model knows neither
            the customer nor any product of the history.

        Raises:
            BadInputError: a row has other times than products, or one that is none.
        """
        import pandas as pd

        customer_ids = _column(model_input, "customer_id", _text)
        histories = _column(model_input, "history", _ids)
        times = _column(model_input, "times", _ids)
        length = int((params or {}).get("n") or self.model.recipe.list_length)
        ranked, sources = self._rank(customer_ids, (histories, times), length)
        products: list[list[str]] = [[] for _ in sources]
        scores: list[list[float]] = [[] for _ in sources]
        for row, places, values in ranked.each():
            products[row] = self.model.product_ids[places[:length]].tolist()
            scores[row] = values[:length].astype(float).tolist()
        return pd.DataFrame(
            {
                "customer_id": customer_ids,
                "products": products,
                "scores": scores,
                "source": sources,
            },
            index=model_input.index,
        )

    def _rank(
        self,
        customer_ids: Sequence[str | None],
        purchases: tuple[Sequence[list[str]], Sequence[list[str]]],
        length: int,
    ) -> tuple[Ranked, list[str]]:
        """The rows' lists, and the source of each row's ranking."""
        log = self._log(*purchases)
        folded = self.model.fold_in(log)
        recalled = self.model.recall(_objects(customer_ids))
        by_customer = recalled.known_customers & ~folded.known_customers
        sources = np.where(
            folded.known_customers, "history", np.where(by_customer, "customer", "unknown")
        )
        # The model does not know what a remembered customer bought, unless the row says so.
        bought = log.matrix("binary")
        by_history = self._blended(log, folded, length)
        if by_history is None:
            by_history = self._best(folded, bought, folded.known_customers, length)
        ranked = [
            by_history.of(folded.known_customers),
            self._best(recalled, bought, by_customer, length),
        ]
        return merge(ranked), sources.tolist()

    def _blended(self, log: InteractionLog, taste: Scorer, length: int) -> Ranked | None:
        """The lists of the histories; None: an older release wrote the model."""
        if self._weights is None or self._trend is None:
            return None
        return blend(
            KeptSignals.of_histories(Purchases.of(log, log.as_of), self._trend),
            taste,
            self._weights,
            allowed=np.ones(len(self._product), dtype=bool),
            list_length=length,
            offers=self.model.offers,
        )

    def _best(
        self, scorer: Scorer, bought: csr_matrix, rows: NDArray[np.bool_], length: int
    ) -> Ranked:
        """The lists of only these rows."""
        ranked = rank(
            scorer,
            bought,
            allowed=np.ones(len(self._product), dtype=bool),
            list_length=length,
            offers=self.model.offers,
        )
        return ranked.of(rows)

    def _log(self, histories: Sequence[list[str]], times: Sequence[list[str]]) -> InteractionLog:
        """The histories as purchase lines of one piece each; unknown products are left out."""
        made = self.model.train_end + timedelta(days=self.model.recipe.holdout_days)
        found = [
            (microseconds(time), row, self._product[item])
            for row, history in enumerate(histories)
            for item, time in zip(history, _moments(times[row], len(history), made), strict=True)
            if item in self._product
        ]
        as_of = made
        if found:
            last = datetime.fromtimestamp(max(found)[0] / 1_000_000, UTC)
            as_of = max(made, last + timedelta(microseconds=1))
        numbers = np.array(sorted(found), dtype=np.int64).reshape(-1, 3)
        lines = numbers[:, 1:].astype(np.int32)
        return InteractionLog(
            tenant_id="",
            as_of=as_of,
            customer_ids=_objects([f"row {row}" for row in range(len(histories))]),
            product_ids=self.model.product_ids,
            customer=lines[:, 0],
            product=lines[:, 1],
            occurred_at=numbers[:, 0],
            quantity=np.ones(len(lines)),
            amount=np.ones(len(lines)),
        )


def load_champion(tenant_id: str, alias: str = CHAMPION) -> Recommender:
    """The model in force of a tenant, after comparing its files with their digest in MLflow.

    Args:
        tenant_id: the tenant.
        alias: ``champion``, or ``previous``.

    Raises:
        BadInputError: the tenant's id is not a slug.
        TenantError: the files are not those that were registered, or no digest is noted.
        mlflow.exceptions.MlflowException: there is no such model, or MLflow is away.
    """
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    name = model_name(tenant_id)
    version = MlflowClient().get_model_version_by_alias(name, alias)
    noted = version.tags.get(DIGEST)
    if noted is None:
        raise TenantError(
            f"Version {version.version} of {name} has no digest in MLflow, so nobody can say "
            "whether its files were changed: `recfleet doctor --repair` notes one."
        )
    files = _read(download_artifacts(f"models:/{name}/{version.version}"))
    _check(files, noted, f"Version {version.version} of {name}")
    return _recommender(files)


def _load_pyfunc(path: str) -> Recommender:
    """Load the model of a folder; MLflow calls this by its name.

    Raises:
        TenantError: a file is missing, or is not what was written, or does not belong there.
    """
    files = _read(path)
    if registered := _registered(path):
        name, version = registered
        if noted := _noted(name, version):
            _check(files, noted, f"Version {version} of {name}")
    return _recommender(files)


def _read(path: str) -> dict[str, bytes]:
    """The files of a folder on this machine, without the one that MLflow puts beside them."""
    files = Disk().read(os.path.abspath(path))  # noqa: PTH100 - a link stays one
    if files is None:
        raise TenantError(f"There is no folder {path}.")
    return files


def _registered(path: str) -> tuple[str, str] | None:
    """Name and version, which MLflow writes beside a model that it finds by these."""
    import yaml

    try:
        told = yaml.safe_load((Path(path) / OF_MLFLOW).read_text(encoding="utf-8"))
        return str(told["model_name"]), str(told["model_version"])
    except FileNotFoundError:
        return None  # The caller named a folder or a run.
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise TenantError(f"{OF_MLFLOW} in {path} cannot be read: {error}") from error


def _noted(name: str, version: str) -> str | None:
    """The digest at a version in MLflow; None: an older release registered it."""
    from mlflow import MlflowClient

    noted: str | None = MlflowClient().get_model_version(name, version).tags.get(DIGEST)
    return noted


def _check(files: Mapping[str, bytes], noted: str, who: str) -> None:
    found = digest_of(contents_of(files))
    if found != noted:
        raise TenantError(
            f"{who} is not what was registered: its files have the digest {found}, but MLflow has "
            f"{noted}. `recfleet doctor` says which file was changed."
        )


def _recommender(files: Mapping[str, bytes]) -> Recommender:
    return Recommender(read_model(files), read_weights(files), read_trend(files))


def _moments(times: list[str], products: int, made: datetime) -> list[datetime]:
    """When each product of a history was bought; by default when the model was made."""
    if not times:
        return [made] * products
    if len(times) != products:
        raise BadInputError(
            f"A row has {products} products in its history, but {len(times)} times: give one for "
            "each, or none."
        )
    try:
        moments = [datetime.fromisoformat(time) for time in times]
    except ValueError as error:
        raise BadInputError(f"{error}: write times as 2026-03-01T10:30:00+00:00.") from error
    return [time if time.tzinfo else time.replace(tzinfo=UTC) for time in moments]


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _column(frame: pd.DataFrame, name: str, read: Any) -> list[Any]:
    return [read(value) for value in frame[name]] if name in frame else [read(None)] * len(frame)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _ids(value: object) -> list[str]:
    if isinstance(value, (list, tuple, np.ndarray)):
        return [item for item in value if isinstance(item, str)]
    return []
