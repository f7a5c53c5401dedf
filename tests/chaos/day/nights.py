"""Another process that runs two nights: ``python -m tests.chaos.day.nights FOLDER PORT``.

The first night makes live lists; the second begins when the file ``go`` is in the folder. A task
that does not end well is repeated.
"""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path

from recfleet.local import PostgresServer
from tests.chaos import tasks
from tests.chaos.direct import Place, _Conductor
from tests.chaos.report import Killings
from tests.chaos.world import occasions

NIGHTS = 2


def main(folder: Path, port: int) -> None:
    """Run the nights."""
    tasks.load_libraries()
    place = Place(PostgresServer(folder / "postgres", port), folder)
    work = folder / "work"
    work.touch()
    report = Killings("by day", 0)
    for occasion in islice(occasions(), NIGHTS):
        while occasion.number and not (folder / "go").exists():
            time.sleep(0.1)
        conductor = _Conductor(place, {}, 0, report, time.monotonic())
        for phase in tasks.phases(f"night-{occasion.number}", occasion, work):
            conductor.run(phase)
        (folder / f"night-{occasion.number}").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
