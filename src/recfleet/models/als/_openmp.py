"""OpenMP's runtime for implicit, on machines that have none."""

from __future__ import annotations

import ctypes
import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from recfleet.errors import ConfigurationError

NAME = b"libgomp.so.1"


@lru_cache(maxsize=1)
def provide_openmp() -> None:
    """See to it that ``libgomp.so.1`` is loaded, before implicit is imported, which needs it.

    implicit's wheel leaves it to the system, and a small system has none. scikit-learn's wheel has
    one under a name of its own, as wheels do; the linker is content with a copy whose recorded name
    is the usual one.

    Raises:
        ConfigurationError: neither is there.
    """
    try:
        ctypes.CDLL(NAME.decode(), ctypes.RTLD_GLOBAL)
    except OSError:
        load_bundled()


def load_bundled() -> None:
    """Load scikit-learn's copy under the usual name.

    Raises:
        ConfigurationError: its wheel has none.
    """
    scikit_learn = find_spec("sklearn")
    folder = Path(scikit_learn.origin or "").parents[1] if scikit_learn else Path()
    bundled = next(folder.glob("scikit_learn.libs/libgomp-*.so*"), None)
    if bundled is None:
        raise ConfigurationError(
            "The library libgomp.so.1 is missing, and implicit needs it: install your system's "
            "package (libgomp1 on Debian and Ubuntu, libgomp on Fedora)."
        )
    recorded = bundled.name.encode() + b"\0"
    renamed = bundled.read_bytes().replace(recorded, (NAME + b"\0").ljust(len(recorded), b"\0"))
    with tempfile.TemporaryDirectory(prefix="recfleet-openmp-") as copy_folder:
        copy = Path(copy_folder) / NAME.decode()
        copy.write_bytes(renamed)
        # Once loaded it needs no file.
        ctypes.CDLL(str(copy), ctypes.RTLD_GLOBAL)
