"""The app, created at the first request.

Every process of Airflow reads the plugins, but only its API server has pages. Tasks must not pay
for the pages' imports.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

    from recfleet.pages._airflow import Airflow


class LazyApp:
    """An ASGI app that is created at the first request."""

    def __init__(self, airflow: Callable[[], Airflow]) -> None:
        self._airflow = airflow
        self._lock = threading.Lock()
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.app()(scope, receive, send)

    def app(self) -> FastAPI:
        """The app itself."""
        with self._lock:
            if self._app is None:
                from recfleet.pages._app import make_app

                self._app = make_app(self._airflow())
            return self._app
