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
    """Load ``libgomp.so.1``, which implicit needs; call it before implicit is imported.

    implicit's wheel expects it from the system, and a small system has none. scikit-learn's wheel
    brings one under another name, as wheels do. The linker accepts a copy whose recorded name is
    the usual one.

    Raises:
        ConfigurationError: the system and scikit-learn have none.
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
        # Once it is loaded, the file is not needed any more.
        ctypes.CDLL(str(copy), ctypes.RTLD_GLOBAL)
