"""``make chaos``: the long form, with Airflow and without.

Prints its seed, how often what was killed and while what, and what was seen; exit code 1 when
anything does not hold.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import NoReturn

# Before numpy is imported anywhere: a fork of a process with many threads can hang.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.chaos import airflow, direct
from tests.chaos.report import Killings

_AIRFLOWS_SHARE = 0.25
"""Of the kills of stages and of Postgres, those made under Airflow; the scheduler's all are."""


def _stop(number: int, frame: object) -> NoReturn:
    """End as by Ctrl-C, so that what was started is stopped."""
    raise KeyboardInterrupt


def main() -> int:
    """Torment first without Airflow, then with it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each kind")
    parser.add_argument("--minutes", type=float, default=40, help="at most, about")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--only", choices=["with-airflow", "without-airflow"], help="one part")
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)  # also where a shell has it ignored
    print(f"seed {given.seed}", flush=True)

    with_airflow = round(given.kills * _AIRFLOWS_SHARE)
    reports: list[Killings] = []
    if given.only != "with-airflow":
        few = dict.fromkeys(("stage", "postgres"), given.kills - with_airflow)
        with direct.place() as place:
            minutes = given.minutes if given.only else given.minutes / 3
            reports.append(direct.torment(place, kills=few, seed=given.seed, minutes=minutes))
        print(reports[-1].text(), flush=True)
    if given.only != "without-airflow":
        few = {"stage": with_airflow, "scheduler": given.kills, "postgres": with_airflow}
        with airflow.stack() as layout:
            minutes = (until - time.monotonic()) / 60
            reports.append(airflow.torment(layout, kills=few, seed=given.seed, minutes=minutes))
        print(reports[-1].text(), flush=True)
    for kind in ("stage", "scheduler", "postgres"):
        print(f"{kind} killed {sum(each.of_kind(kind) for each in reports)} times in all")
    return 1 if any(each.wrong or each.reader.wrong for each in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
