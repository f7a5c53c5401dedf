"""implicit's OpenMP runtime, on a machine without one."""

from __future__ import annotations

import subprocess
import sys

BUNDLED_FIRST = """
from recfleet.models.als._openmp import load_bundled, provide_openmp
load_bundled()
provide_openmp()
import implicit.cpu.als
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import identity
AlternatingLeastSquares(factors=2, num_threads=1, random_state=1).fit(
    identity(8, format="csr", dtype="float32"), show_progress=False)
lines = [line for line in open("/proc/self/maps") if "libgomp.so" in line]
print(*{line.split(maxsplit=5)[5].strip() for line in lines})
"""


def test_implicit_runs_with_the_copy_of_scikit_learns_wheel() -> None:
    """The copy is loaded first and implicit links to it; the system's is never opened."""
    done = subprocess.run(
        [sys.executable, "-c", BUNDLED_FIRST], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.strip()
    assert "/recfleet-openmp-" in loaded
    assert loaded.endswith("/libgomp.so.1 (deleted)")
    assert loaded.count("libgomp") == 1
