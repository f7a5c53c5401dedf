"""``python -m benchmarks.fleet``: the benchmarks of a fleet's night.

Each prints its table and keeps its numbers in a file beside the stack's folder; ``report`` prints
all that were kept as Markdown. The exit code is 1 when a number misses what is asked of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.demands import Demand, conclude
from benchmarks.fleet import report
from benchmarks.fleet.asked import asked as asked_of
from benchmarks.fleet.bare_limit import bare_limit
from benchmarks.fleet.giant import add_giant
from benchmarks.fleet.night import dictionaries, run_night
from benchmarks.fleet.stack import stack

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

FIRST_NIGHT = datetime(2025, 12, 28, tzinfo=UTC)
SEED = 7


def main() -> int:
    """Run the chosen benchmark; the exit code is 1 if a demand is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument(
        "what", choices=[*BENCHMARKS, "all", "report"], help="which; `all` for all of them"
    )
    parser.add_argument("--tenants", type=int, default=4000, help="size of the fleet")
    parser.add_argument("--home", type=Path, default=Path(".recfleet-bench"), help="folder of it")
    asked = parser.parse_args()
    for what in BENCHMARKS if asked.what == "all" else [asked.what]:
        if what != "report":
            with stack(asked.home / what):
                result = BENCHMARKS[what](asked.tenants)
            kept = {"machine": _machine(), "at": datetime.now(UTC).isoformat(), **result}
            (asked.home / f"{what}.json").write_text(json.dumps(kept, indent=1, default=str))
        report.show(asked.home, None if what == "report" else what)
    return conclude(_demands(asked.home, asked.what))


def _demands(home: Path, what: str) -> list[Demand]:
    """The demands on the numbers of this run; for ``report``, on all kept numbers."""
    found = []
    for name in BENCHMARKS if what in {"all", "report"} else [what]:
        path = home / f"{name}.json"
        if path.exists():
            found += asked_of(name, json.loads(path.read_text()))
    return found


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def _night(tenants: int) -> dict[str, Any]:
    """The first and the following night, compared with the bare limit and one task per tenant."""
    _seed(tenants, FIRST_NIGHT)
    first = _beside_the_bare_limit(FIRST_NIGHT)
    following = FIRST_NIGHT + timedelta(days=1)
    _seed(tenants, following)
    result = {"first": first, "following": _beside_the_bare_limit(following)}
    names = sorted(row["tenant_id"] for row in dictionaries("select tenant_id from tenant"))
    some = names[:: max(1, len(names) // 40)][:40]
    print(f"One task for each of {len(some)} of the tenants", flush=True)
    each = run_night(following + timedelta(hours=1), some, dag_id="one_task_each").plain()
    return result | {"one_task_each": each}


def _beside_the_bare_limit(as_of: datetime) -> dict[str, Any]:
    print(f"A night of {as_of:%Y-%m-%d}", flush=True)
    measured = run_night(as_of).plain()
    names = [
        row["tenant_id"]
        for row in dictionaries(
            "select tenant_id from ledger join night using (night_id) "
            "where night_id = (select max(night_id) from night) and challenger is not null"
        )
    ]
    print(f"The bare limit of the {len(names)} tenants that it trained", flush=True)
    return {"night": measured, "trained": len(names), "bare_seconds": bare_limit(names, as_of)}


def _growth(largest: int) -> dict[str, Any]:
    """Following nights of fleets of several sizes, each with one more day of data."""
    sizes = [size for size in (500, 1000, 2000, 4000, 8000) if size <= largest]
    _seed(largest, FIRST_NIGHT)
    as_of, nights = FIRST_NIGHT, {}
    run_night(as_of)
    for size in sizes:
        as_of += timedelta(days=1)
        _seed(largest, as_of)
        _switch_on(size)
        nights[str(size)] = run_night(as_of).plain()
        print(size, nights[str(size)], flush=True)
    return {"nights": nights}


def _large(tenants: int) -> dict[str, Any]:
    """A tenant of five million interactions among small ones."""
    _seed(min(tenants, 200), FIRST_NIGHT)
    giant = add_giant(FIRST_NIGHT)
    night = run_night(FIRST_NIGHT).plain()
    stages = dictionaries(
        "select stage, shard, tenants, extract(epoch from finished_at - started_at)::float as "
        "seconds, peak_mb from shard_run where night_id = (select max(night_id) from night) "
        "order by started_at"
    )
    row = dictionaries(
        "select outcome, reason, timings from ledger where tenant_id = %s "
        "order by night_id desc limit 1",
        giant["tenant_id"],
    )[0]
    return {"giant": giant, "night": night, "stages": stages, "ledger": row}


def _seed(tenants: int, until: datetime) -> None:
    """Extend the fleet's history to a day, with the command that a person would use."""
    import subprocess
    import sys

    command = Path(sys.executable).parent / "recfleet"
    arguments = ["--tenants", str(tenants), "--seed", str(SEED), "--until", f"{until:%Y-%m-%d}"]
    output = subprocess.run(
        [str(command), "seed", *arguments], check=True, capture_output=True, text=True
    ).stdout
    print(output.rstrip().splitlines()[-1], flush=True)


def _switch_on(size: int) -> None:
    """Switch on only this many tenants, the first ones."""
    from contextlib import closing

    from recfleet.database import connect, transaction

    with closing(connect()) as connection, transaction(connection), connection.cursor() as cursor:
        cursor.execute(
            "update tenant set mode = case when number <= %s then 'on' else 'off' end "
            "from (select tenant_id, row_number() over (order by right(tenant_id, 4)) as number "
            "from tenant) as numbered where numbered.tenant_id = tenant.tenant_id",
            (size,),
        )


BENCHMARKS: dict[str, Callable[[int], dict[str, Any]]] = {
    "night": _night,
    "growth": _growth,
    "large": _large,
}

if __name__ == "__main__":
    sys.exit(main())
