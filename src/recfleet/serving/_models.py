"""Models in memory: loaded when they are first asked for, within a bound."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from recfleet.errors import RecfleetError, TenantError
from recfleet.serving._database import Row

if TYPE_CHECKING:
    from recfleet.models import Basket
    from recfleet.registry import ArtifactStore

log = structlog.get_logger(__name__)

_Place = tuple[str, int]
"""Tenant and version."""


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to answer."""

    basket: Basket
    number: Mapping[str, int]
    """Product id -> its number."""
    size: int
    """Bytes."""


class ModelAwayError(Exception):
    """A model cannot be had; the text says why, for the log."""


class NotFromModelError(ModelAwayError):
    """The model is not away, but cannot answer; the error says why, for callers."""


class Models:
    """The champions that were asked for lately."""

    def __init__(self, artifacts: ArtifactStore | None, most_bytes: int) -> None:
        """Nothing is loaded.

        Args:
            artifacts: where models are; None: there are none.
            most_bytes: what was asked for longest ago goes when the models take more.
        """
        self._artifacts = artifacts
        self._most = most_bytes
        self._loaded: OrderedDict[_Place, Loaded] = OrderedDict()
        self._loading: dict[_Place, asyncio.Task[Loaded]] = {}
        self.size = 0
        """Bytes that the loaded models take."""

    def __len__(self) -> int:
        return len(self._loaded)

    async def of(self, row: Row) -> Loaded:
        """The model of a tenant's live release.

        Args:
            row: what ``serve_basket`` says.

        Raises:
            ModelAwayError: its files are away, changed, or cannot be used.
        """
        place = (row["tenant_id"], row["model_version"])
        loaded = self._loaded.get(place)
        if loaded is not None:
            self._loaded.move_to_end(place)
            return loaded
        task = self._loading.get(place)
        if task is None:
            task = asyncio.create_task(self._load(place, row["model_uri"], row["contents"]))
            self._loading[place] = task
            task.add_done_callback(lambda _done: self._loading.pop(place, None))
        # Whoever waits may leave; the model is loaded for the next one.
        return await asyncio.shield(task)

    async def _load(self, place: _Place, uri: str, contents: str | None) -> Loaded:
        if self._artifacts is None:
            raise ModelAwayError("there is no artifact store")
        try:
            loaded = await asyncio.to_thread(_read, self._artifacts, uri, contents)
        except (RecfleetError, TenantError) as error:
            log.warning("a model is away", tenant=place[0], version=place[1], error=str(error))
            raise ModelAwayError(str(error)) from error
        for other in [other for other in self._loaded if other[0] == place[0]]:
            self._drop(other)
        self._loaded[place] = loaded
        self.size += loaded.size
        while self.size > self._most and len(self._loaded) > 1:
            self._drop(next(iter(self._loaded)))
        return loaded

    def _drop(self, place: _Place) -> None:
        self.size -= self._loaded.pop(place).size


def _read(artifacts: ArtifactStore, uri: str, contents: str | None) -> Loaded:
    from recfleet.models import read_model

    files = artifacts.read(uri, None if contents is None else json.loads(contents))
    basket = read_model(files).basket()
    ids: Sequence[str] = basket.product_ids.tolist()
    number = {product_id: place for place, product_id in enumerate(ids)}
    return Loaded(basket, number, basket.size + 100 * len(number))
