"""``make cluster``: docker-compose.yaml in real containers, from nothing to a verdict.

Builds the image, starts the services of the file with two workers on Celery, runs two nights of a
fleet, kills a worker's container in the middle of the second night and starts another. Runs the
same nights on LocalExecutor. Exit code 0: everything held; 1: something did not; 2: it could not
be tried. What it starts, it stops and removes, also after Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import NoReturn

import yaml

from tests.cluster import checks, cost, doors, images, story
from tests.cluster.checks import Line
from tests.cluster.engine import ContainerError, Engine, empty, find
from tests.cluster.stack import COMPOSE_FILE, WORKERS, Cluster, project
from tests.stacks import running_stack

_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:5.0f} s  {text}", file=sys.__stdout__, flush=True)


def _stop(number: int, frame: object) -> NoReturn:
    """End as by Ctrl-C, so that what was started is stopped."""
    raise KeyboardInterrupt


@contextmanager
def _place(kept: Path | None) -> Iterator[Path]:
    """A folder for everything; it goes with the block unless it is to be kept."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    work = Path(tempfile.mkdtemp(prefix="recfleet-cluster-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _celery(cluster: Cluster, tenants: int) -> tuple[story.Fleet, list[Line]]:
    cluster.start(_say)
    story.seed(lambda *words: story.run(cluster, *words), tenants)
    _say(f"seeded {tenants} tenants")
    fleet, killing = story.celery_nights(cluster, tenants, _say)
    lines = []
    for line in _verdict(cluster, fleet, killing, tenants):
        _say(str(line))
        lines.append(line)
    fleet.services = cost.of_cluster(cluster) + killing.processor
    return fleet, lines


def _verdict(
    cluster: Cluster, fleet: story.Fleet, killing: story.Killing, tenants: int
) -> Iterator[Line]:
    yield checks.nothing_lost(cluster, fleet, tenants)
    yield checks.workers_had_shards(killing)
    yield checks.no_shared_disk(cluster, killing)
    yield checks.confined(cluster)
    yield checks.workers_know_no_password_of_airflow(cluster)
    yield doors.pages_ask_for_a_login(cluster)
    yield doors.nights_have_notes(cluster)
    yield doors.the_api_answers(cluster)
    yield doors.only_nights_write_models(cluster)
    yield from checks.people_s_commands(cluster)


def _local(tenants: int) -> story.Fleet:
    # The stack tells tests all that its commands print.
    with redirect_stdout(io.StringIO()), running_stack(WORKERS=str(WORKERS)) as stack:
        _say("the stack on LocalExecutor is up")
        return story.local_nights(stack, tenants, _say)


def _try(engine: Engine, work: Path, tenants: int) -> list[Line]:
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    stood_in = images.provide(engine, services, work, _say)
    with project(engine, work) as cluster:
        celery, lines = _celery(cluster, tenants)
    local = _local(tenants)
    lines.insert(1, checks.same_verdicts(local, celery))
    print()
    for image, what in stood_in.items():
        print(f"stand-in for {image}: {what}")
    print(f"\n{'night':<12}{'LocalExecutor':>28}{'Celery':>28}")
    for number, as_of in enumerate(story.NIGHTS):
        print(f"{as_of:<12}{local.cost(number):>28}{celery.cost(number):>28}")
    processor = cost.of_this_command() + local.services + celery.services
    print(f"\nfrom nothing to here at least {processor:.0f} s of processor\n")
    return lines


def main() -> int:
    """Run it all; print the verdict."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--tenants", type=int, default=400)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep images and stand-ins here, for the next time",
    )
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)  # also where a shell has it ignored
    os.umask(0o022)
    with _place(given.keep) as work:
        try:
            engine = find(work / "podman")
            _say(f"containers by {engine.program}")
            lines = _try(engine, work, given.tenants)
        except ContainerError as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted; everything that was started is stopped", file=sys.stderr)
            return 130
        finally:
            if given.keep is None:
                empty(work / "podman")
    for line in lines:
        print(line)
    _say("done")
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
