"""One thread for the linear algebra, so that tenants' models do not fight over few cores."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

from recfleet.models.als._openmp import provide_openmp


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes 5 ms, limiting them 20 µs. Those that this room uses
    # must be loaded by then.
    provide_openmp()
    import implicit.cpu.als  # noqa: F401

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """BLAS and OpenMP use one thread inside this context.

    Environment variables alone have failed for others, and implicit warns without it.
    """
    limit: AbstractContextManager[object] = _controller().limit(limits=1)
    return limit


def load_library() -> float:
    """Import implicit, so that no tenant's time has it; returns the seconds that took."""
    started = time.perf_counter()
    _controller()
    return time.perf_counter() - started
