"""A note in Airflow's grid on each run that has ended: the run's summary."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from sqlalchemy.orm import object_session

from recfleet.database import Connection

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


class RunNotes:
    """The scheduler calls this when a run has ended; a note that fails never fails the run."""

    @hookimpl
    def on_dag_run_success(self, dag_run: DagRun, msg: str) -> None:  # noqa: ARG002
        """The run ended well."""
        _note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: DagRun, msg: str) -> None:  # noqa: ARG002
        """The run failed."""
        _note(dag_run)


def _note(dag_run: DagRun) -> None:
    # The scheduler commits what its own session holds; another session would wait for its lock on
    # the run. Only tests have runs without a session.
    if dag_run.dag_id not in _SENTENCES or object_session(dag_run) is None:
        return
    if dag_run.note:
        return  # Keep a person's note.
    try:
        from recfleet.database import connect
        from recfleet.settings import pages_settings

        # A scheduler on a machine of its own has the address for reading alone.
        address = pages_settings().pages_database_url
        with closing(connect(address, purpose="recfleet note")) as connection:
            if sentence := _SENTENCES[dag_run.dag_id](connection, dag_run):
                dag_run.note = sentence
    except Exception:
        log.warning("recfleet has no note for %s", dag_run.run_id, exc_info=True)


def _of_night(connection: Connection, dag_run: DagRun) -> str | None:
    from recfleet.fleet import night_sentence

    return night_sentence(connection, dag_run.run_id)


def _of_backfill(connection: Connection, dag_run: DagRun) -> str | None:
    from recfleet.operations import backfill_sentence

    return backfill_sentence(connection, dag_run.run_id)


def _of_approvals(connection: Connection, dag_run: DagRun) -> str | None:
    from recfleet.operations import tell_answers_of

    night = (dag_run.conf or {}).get("night")
    return tell_answers_of(connection, night) if night else None


_SENTENCES: dict[str, Callable[[Connection, DagRun], str | None]] = {
    "nightly_fleet": _of_night,
    "tenant_backfill": _of_backfill,
    "fleet_approvals": _of_approvals,
}


class RecfleetNotes(AirflowPlugin):
    """Notes on runs."""

    name = "recfleet_notes"
    listeners = [RunNotes()]  # noqa: RUF012
