"""The one import of implicit."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import lru_cache
from types import ModuleType

from recfleet.models import _threads
from recfleet.models.als._openmp import provide_openmp


@lru_cache(maxsize=1)
def implicit_als() -> ModuleType:
    """The module ``implicit.cpu.als``."""
    provide_openmp()
    import implicit.cpu.als as library

    _threads.look_again()
    module: ModuleType = library
    return module


def load_library() -> float:
    """Import implicit, so that its import counts in no tenant's time; returns the seconds."""
    started = time.perf_counter()
    implicit_als()
    return time.perf_counter() - started


def one_thread() -> AbstractContextManager[object]:
    """One thread for everything that a fit and a fold-in use, implicit's own code included."""
    implicit_als()
    return _threads.one_thread()
