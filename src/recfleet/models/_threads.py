"""One thread for the linear algebra, so that tenants' models do not fight over few cores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes 5 ms, limiting them 20 µs.
    return ThreadpoolController()


def look_again() -> None:
    """Find the libraries anew, after loading one that brings threads of its own."""
    _controller.cache_clear()


def one_thread() -> AbstractContextManager[object]:
    """BLAS and OpenMP use one thread inside this context.

    Environment variables alone have failed for others, and implicit warns without it.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1)
    return limit
