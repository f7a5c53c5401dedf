"""Two nights of a fleet: once on LocalExecutor, once on Celery with a worker killed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg2

from tests.chaos import witness
from tests.cluster import cost
from tests.cluster.engine import ContainerError
from tests.cluster.images import Say
from tests.cluster.stack import Cluster
from tests.stacks import Stack

SEED = "7"
NIGHTS = ("2025-12-21", "2025-12-28")
UNTIL = NIGHTS[-1]
_EAGER = 40
"""So many tenants take any gain, so that some get a second champion, which can be rolled back."""
_KILL_WHEN_JUDGED = 0.25
"""Share of the second night's tenants that are judged when a worker is killed."""


@dataclass
class Fleet:
    """What came of the nights of one stack."""

    nights: list[list[dict[str, Any]]] = field(default_factory=list)
    """Of each night, a row for each tenant as ``recfleet night show --json`` prints it."""
    seconds: list[float] = field(default_factory=list)
    """From the moment that a night was queued to its end, as Airflow recorded them."""
    processor: list[float] = field(default_factory=list)
    """Seconds of all services' processors, in each night."""
    services: float = 0.0
    """The same from their start to their end."""

    def cost(self, number: int) -> str:
        """What a night took, in words."""
        return f"{self.seconds[number]:.0f} s, {self.processor[number]:.0f} s of processor"


@dataclass
class Killing:
    """The worker that was killed, and who did the shards."""

    victim: str = ""
    judged: int = 0
    """Tenants that were judged when it was killed."""
    processor: float = 0.0
    """Seconds of its processors, which are counted no more when it is gone."""
    successor: str = ""
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Run -> task and shard -> the worker of its last attempt."""


def seed(recfleet: Callable[..., str], tenants: int) -> None:
    """Make the fleet: the same on every stack."""
    recfleet("seed", "--tenants", str(tenants), "--seed", SEED, "--until", UNTIL)
    names = [row["tenant"] for row in json.loads(recfleet("tenant", "list", "--json"))]
    gains = ("minimum_gain=0", "cooldown_gain=0", "confidence=0.51")
    recfleet("tenant", "set", *names[:_EAGER], *gains, "--yes", "--reason", "any gain will do")


def local_nights(stack: Stack, tenants: int, say: Say) -> Fleet:
    """Both nights on LocalExecutor."""
    seed(stack, tenants)
    fleet, home = Fleet(), Path(stack.environment["RECFLEET_HOME"])
    airflows = stack.variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    for as_of in NIGHTS:
        used = cost.of_stack(home)
        rows = stack.night(as_of)
        fleet.seconds.append(_seconds(airflows))
        fleet.processor.append(cost.of_stack(home) - used)
        fleet.nights.append(list(rows.values()))
        say(f"LocalExecutor: night {as_of} in {fleet.cost(-1)}")
    fleet.services = cost.of_stack(home)
    return fleet


def celery_nights(cluster: Cluster, tenants: int, say: Say) -> tuple[Fleet, Killing]:
    """Both nights on Celery; in the middle of the second, one worker is killed."""
    witness.install(superuser_url(cluster))
    fleet, killing = Fleet(), Killing()
    for as_of in NIGHTS:
        used = cost.of_cluster(cluster)
        with subprocess.Popen(
            cluster.line("run", "--rm", "-T", "--no-deps", "cli",
                         "night", "run", "--as-of", as_of, "--wait"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(cluster.engine.environment),
        ) as night:  # fmt: skip
            try:
                if as_of == NIGHTS[-1]:
                    killing = _kill_one(cluster, night, tenants, say)
            except BaseException:
                night.terminate()
                raise
            said = night.communicate()[0]
        if night.returncode:
            raise ContainerError(f"the night {as_of} failed:\n{said[-3000:]}")
        fleet.seconds.append(_seconds(superuser_url(cluster, "airflow")))
        fleet.processor.append(cost.of_cluster(cluster) + killing.processor - used)
        fleet.nights.append(json.loads(run(cluster, "night", "show", "--json"))["tenants"])
        say(f"Celery: night {as_of} in {fleet.cost(-1)}")
    killing.hosts = _hosts(cluster)
    return fleet, killing


def run(cluster: Cluster, *words: str) -> str:
    """A command for people, in a container, which must succeed; returns what it printed."""
    done = cluster.recfleet(*words)
    if done.returncode:
        raise ContainerError(f"recfleet {' '.join(words)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def superuser_url(cluster: Cluster, database: str = "recfleet") -> str:
    """The superuser's address, from outside of the containers."""
    password, port = cluster.settings["POSTGRES_PASSWORD"], cluster.settings["POSTGRES_PORT"]
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"


def airflow(cluster: Cluster) -> httpx.Client:
    """A client of Airflow's API and pages, logged in."""
    address = f"http://127.0.0.1:{cluster.settings['AIRFLOW_PORT']}"
    answer = httpx.post(
        f"{address}/auth/token",
        json={"username": "admin", "password": cluster.settings["AIRFLOW_PASSWORD"]},
        timeout=60,
        trust_env=False,
    )
    answer.raise_for_status()
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return httpx.Client(base_url=address, headers=token, timeout=60, trust_env=False)


def _tasks(client: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    answer = client.get(
        f"/api/v2/dags/nightly_fleet/dagRuns/{run_id}/taskInstances", params={"limit": 1000}
    )
    answer.raise_for_status()
    return list(answer.json()["task_instances"])


def _kill_one(cluster: Cluster, night: subprocess.Popen[str], tenants: int, say: Say) -> Killing:
    """Wait until a part of the fleet is judged, kill a worker that has a shard, start another."""
    while (judged := _judged(cluster)) < _KILL_WHEN_JUDGED * tenants:
        if night.poll() is not None:
            raise ContainerError("the second night ended before a worker could be killed")
        time.sleep(0.5)
    (run_id,) = cluster.sql("select run_id from recfleet.night order by night_id desc limit 1")[0]
    with airflow(cluster) as client:
        while True:
            busy = {
                task["hostname"]: f"{task['task_id']} of shard {task['map_index']}"
                for task in _tasks(client, run_id)
                if task["state"] == "running" and task["map_index"] >= 0
            }
            before = cluster.containers("worker")
            victims = [each for each in before if each[:12] in busy]
            if victims:
                break
            time.sleep(0.2)
    host, used = victims[0][:12], cost.of_container(cluster, victims[0])
    cluster.kill(victims[0])
    say(f"killed worker {host} during {busy[host]}, when {judged} tenants were judged")
    cluster.add_worker()
    (successor,) = set(cluster.containers("worker")) - set(before)
    say(f"started worker {successor[:12]}")
    return Killing(host, judged, used, successor[:12])


def _judged(cluster: Cluster) -> int:
    return int(
        _value(
            superuser_url(cluster),
            "select count(*) from recfleet.tenant_night where as_of = %s and state = 'judged'",
            NIGHTS[-1],
        )
    )


def _seconds(airflows: str) -> float:
    """How long the last night took; Airflow's database tells."""
    return float(
        _value(
            airflows,
            "select extract(epoch from end_date - queued_at) from dag_run "
            "where dag_id = 'nightly_fleet' order by id desc limit 1",
        )
    )


def _value(address: str, text: str, *parameters: object) -> Any:
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(text, parameters)
        ((value,),) = cursor.fetchall()
        return value


def _hosts(cluster: Cluster) -> dict[str, dict[str, str]]:
    runs = cluster.sql("select run_id from recfleet.night where not is_trial order by night_id")
    with airflow(cluster) as client:
        return {
            run_id: {
                f"{task['task_id']} {task['map_index']}": task["hostname"]
                for task in _tasks(client, run_id)
            }
            for (run_id,) in runs
        }
