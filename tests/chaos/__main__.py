"""``make chaos``: the long form, with Airflow and without.

Prints its seed, how often what was killed and while what, and what was seen; exit code 1 when
anything does not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

# Before numpy is imported anywhere: a fork of a process with many threads can hang.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.chaos import airflow, direct

_AIRFLOWS_SHARE = 0.25
"""Of the kills of stages and of Postgres, those made under Airflow; the scheduler's all are."""


def main() -> int:
    """Torment first without Airflow, then with it."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each kind")
    parser.add_argument("--minutes", type=float, default=40, help="at most, about")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    given = parser.parse_args()
    began = time.monotonic()
    print(f"seed {given.seed}", flush=True)

    with_airflow = round(given.kills * _AIRFLOWS_SHARE)
    without = given.kills - with_airflow
    with direct.place() as place:
        first = direct.torment(
            place,
            kills={"stage": without, "postgres": without},
            seed=given.seed,
            minutes=given.minutes / 3,
        )
    print(first.text(), flush=True)
    with airflow.stack() as layout:
        second = airflow.torment(
            layout,
            kills={"stage": with_airflow, "scheduler": given.kills, "postgres": with_airflow},
            seed=given.seed,
            minutes=given.minutes - (time.monotonic() - began) / 60,
        )
    print(second.text(), flush=True)
    for kind in ("stage", "scheduler", "postgres"):
        print(f"{kind} killed {first.of_kind(kind) + second.of_kind(kind)} times in all")
    wrong = [*first.wrong, *first.reader.wrong, *second.wrong, *second.reader.wrong]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
