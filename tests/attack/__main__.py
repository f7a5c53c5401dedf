"""``make attack``: attack a stack as people do who have a little and want more.

Starts a stack in a folder of its own, runs a night, attacks, and stops it. Prints each attempt and
what it met. Exit code 0: nothing was gained; 1: something was; 2: it could not be tried.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.attack import mlflow_routes, persons, store
from tests.attack.ground import Attempt, Ground, ground_of, opened
from tests.stacks import FIRST_NIGHT, running_stack

_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:5.0f} s  {text}", flush=True)


def _stop(number: int, frame: object) -> NoReturn:
    """End as by Ctrl-C, so that what was started is stopped."""
    raise KeyboardInterrupt


def _attack_own() -> list[Attempt]:
    """Attack a stack that is made for it, also by a model's files and while a night runs."""
    with running_stack() as stack:
        _say("a stack is up")
        stack("seed", "--tenants", "6", "--seed", "7", "--until", FIRST_NIGHT)
        with persons.watching(stack) as seen:
            stack("night", "run", "--as-of", FIRST_NIGHT, "--wait")
        _say("a night has run")
        ground = ground_of(stack)
        return [*seen, *_attack(ground), *store.attempt(ground)]


def _attack(ground: Ground) -> list[Attempt]:
    return [*persons.attempts(ground), *mlflow_routes.attempt(ground)]


def main() -> int:
    """Attack; print what came of it."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument(
        "--home",
        type=Path,
        metavar="FOLDER",
        help="attack the stack that runs in this folder. What should be refused is tried there in "
        "earnest; no model's files are exchanged.",
    )
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    os.umask(0o022)
    try:
        found = _attack(ground_of(opened(given.home.resolve()))) if given.home else _attack_own()
    except KeyboardInterrupt:
        print("interrupted; everything that was started is stopped", file=sys.stderr)
        return 130
    print()
    for each in found:
        print(each)
    gains = [each for each in found if each.gained]
    print(f"\n{len(found)} kinds of attempts: ", end="")
    print(f"{len(gains)} gained something" if gains else "nothing gained")
    return 1 if gains else 0


if __name__ == "__main__":
    sys.exit(main())
