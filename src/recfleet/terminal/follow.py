"""Trigger a DAG, and watch its run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from recfleet.errors import RecfleetError
from recfleet.terminal.output import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from recfleet.terminal.airflow import AirflowClient

_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_FOR_AIRFLOW_TO_READ_THE_DAG = 90
_FOR_AIRFLOW = "waiting for Airflow"

STEPS = 3
"""Steps of a tenant's night, as far as its states tell them apart."""
STEPS_DONE = {
    "planned": 0,
    "validated": 1,
    "judged": 2,
    "published": 3,
    "quarantined": 3,
    "failed": 3,
    "unchanged": 3,
}
"""State of a tenant's night -> how many of these steps are done."""


@dataclass(frozen=True)
class Look:
    """How far a run is at one moment."""

    done: int
    total: int
    detail: str
    """In words."""
    mark: str
    """Without a terminal, a line is printed whenever this changes."""


@dataclass(frozen=True)
class Watched:
    """A kind of run to watch, and what to call it."""

    dag_id: str
    noun: str
    """Such as ``night``."""
    command: str
    """The command that shows its progress later."""
    look: Callable[[str], Look | None]
    """Run id -> how far it is; None while nothing is on record about it."""


def trigger(airflow: AirflowClient, dag_id: str, conf: Mapping[str, Any]) -> str:
    """Trigger a run of a DAG and return its run id.

    Raises:
        RecfleetError: Airflow has not read the DAG.
    """
    patience = time.monotonic() + _SECONDS_FOR_AIRFLOW_TO_READ_THE_DAG
    while not airflow.has_dag(dag_id):
        if time.monotonic() > patience:
            raise RecfleetError(
                f"Airflow does not know the DAG {dag_id}. See the log of the dag processor; "
                "`recfleet status` shows its path."
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    airflow.unpause(dag_id)
    return airflow.trigger(dag_id, conf)


def follow(airflow: AirflowClient, run_id: str, watched: Watched) -> bool:
    """Show a run's progress until it ends; return whether it ended well."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task(watched.noun, total=None, detail=_FOR_AIRFLOW)
        said = ""
        try:
            while (state := airflow.state(watched.dag_id, run_id)) in ("queued", "running"):
                if state == "queued":
                    progress.update(task, detail=_waits_for(airflow, run_id, watched))
                said = _show(progress, task, watched.look(run_id), said)
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            progress.stop()
            console().print(
                f"\nStopped watching. The {watched.noun} continues in Airflow as {run_id}; "
                f"`{watched.command}` shows its progress.",
                markup=False,
            )
            raise typer.Exit(130) from None
        _show(progress, task, watched.look(run_id), said)
    if state == "failed":
        _say_why_failed(airflow, run_id, watched)
    return state == "success"


def _waits_for(airflow: AirflowClient, run_id: str, watched: Watched) -> str:
    """What a queued run waits for, in words."""
    if set(airflow.running(watched.dag_id)) - {run_id}:
        return f"waiting for another {watched.noun} to end"
    return _FOR_AIRFLOW


def _show(progress: Progress, task: TaskID, look: Look | None, said: str) -> str:
    """Move the bar on; without a terminal, print a line whenever the mark changes."""
    if look is None:
        return said
    progress.update(task, total=look.total, completed=look.done, detail=look.detail)
    if look.mark != said and not progress.console.is_terminal:
        progress.console.print(f"  {look.detail}", markup=False)
    return look.mark


def _say_why_failed(airflow: AirflowClient, run_id: str, watched: Watched) -> None:
    failed = [
        task["task_display_name"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else "")
        for task in airflow.tasks(watched.dag_id, run_id)
        if task["state"] == "failed"
    ]
    console().print(
        f"The {watched.noun} failed in: {', '.join(failed) or 'no task'}. "
        f"Its log is in Airflow, run {run_id}.",
        markup=False,
    )
