"""A benchmark's own server ends with the benchmark, however that ends."""

from __future__ import annotations

import signal

import pytest

from benchmarks._home import bench_home

pytestmark = pytest.mark.postgres


def test_a_terminated_benchmark_leaves_no_server() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, bench_home(None) as (home, server):
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    assert not server.is_running()
    assert not home.exists()
    assert signal.getsignal(signal.SIGTERM) == former
