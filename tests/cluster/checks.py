"""What must hold after the nights, each as one line of the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recfleet.settings import RegistrySettings, forget_settings
from tests.chaos import witness
from tests.cluster.stack import WORKERS, Cluster
from tests.cluster.story import Fleet, Killing, superuser_url

Row = Mapping[str, Any]
_COMPARED = ("outcome", "verdict", "reason")


@dataclass(frozen=True)
class Line:
    """One line of the verdict."""

    what: str
    holds: bool
    seen: str

    def __str__(self) -> str:
        return f"{'yes' if self.holds else 'NO ':<4} {self.what}: {self.seen}"


def differences(ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    """Tenants that the two stacks did not judge alike, in words."""
    mine = {row["tenant"]: row for row in ours}
    others = {row["tenant"]: row for row in theirs}
    found = [f"{tenant} is in one of them only" for tenant in sorted(mine.keys() ^ others.keys())]
    for tenant in sorted(mine.keys() & others.keys()):
        own, other = mine[tenant], others[tenant]
        found += [
            f"{tenant}: {name} {own.get(name)!r}, not {other.get(name)!r}"
            for name in _COMPARED
            if own.get(name) != other.get(name)
        ]
    return found


def line(what: str, wrong: Iterable[str], seen: str) -> Line:
    """A line that holds when nothing is wrong; otherwise it shows the first three."""
    found = list(wrong)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Line(what, not found, "; ".join(found[:3]) + more if found else seen)


def same_verdicts(local: Fleet, celery: Fleet) -> Line:
    """The same outcome, verdict and reason for each tenant of each night."""
    wrong = [
        f"night {number}, {each}"
        for number, (ours, theirs) in enumerate(zip(celery.nights, local.nights, strict=True), 1)
        for each in differences(ours, theirs)
    ]
    counted = sum(len(rows) for rows in celery.nights)
    return line("the verdicts are LocalExecutor's", wrong, f"{counted} tenants' nights alike")


def nothing_lost(cluster: Cluster, celery: Fleet, tenants: int) -> Line:
    """Every tenant's night ended, no step was made twice, all records agree."""
    os.environ["RECFLEET_DATABASE_URL"] = superuser_url(cluster)
    forget_settings()
    wrong = witness.violations(
        RegistrySettings(
            mlflow_store_url=superuser_url(cluster, "mlflow"),
            artifact_root=f"s3://{cluster.settings.get('OBJECT_STORE_BUCKET', 'recfleet')}/models",
        )
    )
    wrong += [
        f"night {number} has {len(rows)} tenants"
        for number, rows in enumerate(celery.nights, 1)
        if len(rows) != tenants
    ]
    ((releases, lists),) = cluster.sql(
        "select (select count(*) from recfleet.release), (select count(*) from "
        "recfleet.recommendation)"
    )
    return line("nothing is lost or done twice", wrong, f"{releases} releases, {lists} lists")


def command_agrees(cluster: Cluster, *words: str) -> Line:
    """A command of recfleet, run in a container, ends with 0."""
    done = cluster.recfleet(*words)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    said = [text for text in lines if any(map(str.isalnum, text))]
    return Line(f"recfleet {' '.join(words)}", done.returncode == 0, said[-1] if said else "")


def workers_had_shards(killing: Killing) -> Line:
    """In the first night both workers had shards, in the second the successor as well."""
    stages = [
        {name: host for name, host in tasks.items() if not name.endswith(" -1")}
        for tasks in killing.hosts.values()
    ]
    seen = [len(set(hosts.values())) for hosts in stages]
    wrong = [
        f"night {number}: {count} of {WORKERS} workers"
        for number, count in enumerate(seen, 1)
        if count < WORKERS
    ]
    if killing.victim in stages[-1].values() and killing.successor not in stages[-1].values():
        wrong.append(f"the new worker {killing.successor} had no shard")
    return line("both workers had shards", wrong, f"{seen[0]} workers, then {seen[-1]}")


def handed_over(killing: Killing) -> int:
    """Shards with stages on more than one worker."""
    count = 0
    for tasks in killing.hosts.values():
        hosts: dict[str, set[str]] = {}
        for name, host in tasks.items():
            shard = name.rpartition(" ")[2]
            if shard != "-1":
                hosts.setdefault(shard, set()).add(host)
        count += sum(len(each) > 1 for each in hosts.values())
    return count


def no_shared_disk(cluster: Cluster, killing: Killing) -> Line:
    """No container of the image has a disk that another container has, or a folder of the host."""
    places: dict[str, str] = {}
    wrong = []
    for service, said in cluster.services.items():
        if "build" not in said:
            continue
        for container in cluster.containers(service):
            details = cluster.engine.inspect(container)
            if not details["HostConfig"]["ReadonlyRootfs"]:
                wrong.append(f"{service} may write to its root")
            for mount in details["Mounts"]:
                if mount["Type"] == "bind" or mount["Source"] in places:
                    wrong.append(f"{service} shares {mount['Destination']}")
                places[mount["Source"]] = service
    return line(
        "nothing was handed over a shared disk",
        wrong,
        f"{len(places)} disks, each of one container; {handed_over(killing)} shards went on in "
        "another worker",
    )


def confined(cluster: Cluster) -> Line:
    """What the engine says of each container: no capability, limits, ports on loopback."""
    wrong, counted = [], 0
    for service in cluster.services:
        for container in cluster.containers(service):
            counted += 1
            details = cluster.engine.inspect(container)
            config = details["HostConfig"]
            if details.get("EffectiveCaps") or details.get("BoundingCaps"):
                wrong.append(f"{service} has capabilities")
            if not config["Memory"] or not config["PidsLimit"]:
                wrong.append(f"{service} has no limits")
            ports = details["NetworkSettings"]["Ports"] or {}
            open_to = {each["HostIp"] for bindings in ports.values() for each in bindings or ()}
            if open_to - {"127.0.0.1"}:
                wrong.append(f"{service} is open to other machines")
    return line("each container is confined", wrong, f"{counted} containers")


def workers_know_no_password_of_airflow(cluster: Cluster) -> Line:
    """The environment of a running worker."""
    secrets = ("POSTGRES_PASSWORD", "POSTGRES_AIRFLOW_PASSWORD", "AIRFLOW_PASSWORD",
               "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET")  # fmt: skip
    environment = "\n".join(
        cluster.engine.run("exec", cluster.containers("worker")[0], "env").splitlines()
    )
    wrong = [name for name in secrets if cluster.settings[name] in environment]
    return line("a worker has no password of Airflow's", wrong, f"none of {len(secrets)}")


def people_s_commands(cluster: Cluster) -> list[Line]:
    """A rollback and a backfill from a container, then the doctor and the audit."""
    found = cluster.sql(
        "select tenant_id from recfleet.in_force where previous_version is not null "
        "order by 1 limit 1"
    )
    if not found:
        return [Line("people's commands", False, "no tenant has a champion to go back to")]
    ((tenant,),) = found
    why = ("--reason", "tried by hand", "--yes")
    return [
        command_agrees(cluster, "rollback", tenant, *why),
        command_agrees(
            cluster,
            "backfill",
            tenant,
            "--from",
            "2025-12-20",
            "--to",
            "2025-12-21",
            "--wait",
            *why,
        ),
        command_agrees(cluster, "doctor"),
        command_agrees(cluster, "audit", "verify"),
    ]
