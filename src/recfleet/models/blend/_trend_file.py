"""The trend of a tenant's products, kept beside a model's arrays for histories from elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from recfleet.errors import TenantError
from recfleet.models.blend._features import Signals
from recfleet.models.habit import Habit
from recfleet.models.purchases import Purchases
from recfleet.models.trend import Trend

TREND = "trend.npy"
"""The file that holds the trend, beside a model's own files."""


def write_trend(trend: Trend, products: NDArray[np.intp]) -> bytes:
    """The trend of some products as a structured array of float32; equal trends, equal bytes.

    Args:
        trend: the tenant's, of P products.
        products: (k,) numbers of the products that are kept, in the order of the model's.
    """
    names = [field.name for field in fields(Trend)]
    table = np.zeros(len(products), dtype=[(name, np.float32) for name in names])
    for name in names:
        table[name] = getattr(trend, name)[products]
    file = io.BytesIO()
    np.save(file, table, allow_pickle=False)
    return file.getvalue()


def read_trend(files: Mapping[str, bytes]) -> Trend | None:
    """The trend that lies beside a model; None: an older release wrote the model.

    Raises:
        TenantError: the file cannot be read, or has the features of another version.
    """
    if TREND not in files:
        return None
    names = [field.name for field in fields(Trend)]
    try:
        table = np.load(io.BytesIO(files[TREND]), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise TenantError(f"The file {TREND} cannot be read: {error}") from error
    if list(table.dtype.names or ()) != names:
        raise TenantError(f"The file {TREND} has the features of another version: train again.")
    return Trend(**{name: table[name].astype(np.float64) for name in names})


@dataclass(frozen=True, eq=False)
class KeptSignals(Signals):
    """Signals of histories from elsewhere, with the trend of the tenant's own purchases."""

    @classmethod
    def of_histories(cls, purchases: Purchases, trend: Trend) -> KeptSignals:
        """The signals of some histories.

        Args:
            purchases: the histories', over the P products of the trend.
            trend: as it was kept.
        """
        return cls(purchases, Habit.of(purchases), trend)

    @property
    def bought(self) -> NDArray[np.bool_]:
        """(P,) all: the tenant's customers bought them, if not those of the histories."""
        return np.ones(self.purchases.products, dtype=bool)
