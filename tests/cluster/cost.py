"""How much processor time a stack has used so far."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import psutil

from recfleet.local._layout import Layout
from recfleet.local._state import State
from tests.cluster.engine import ContainerError
from tests.cluster.stack import Cluster


def of_stack(home: Path) -> float:
    """Seconds of all processes of ``recfleet up``, with children that have ended."""
    layout, total = Layout(home), 0.0
    pids = [identity.pid for identity in State.read(layout).processes.values()]
    pids.append(int((layout.postgres / "postmaster.pid").read_text().split()[0]))
    for pid in pids:
        with suppress(psutil.Error):
            service = psutil.Process(pid)
            for process in (service, *service.children(recursive=True)):
                with suppress(psutil.Error):
                    total += sum(process.cpu_times()[:4])
    return total


def of_cluster(cluster: Cluster) -> float:
    """Seconds of all containers that run now, by their control groups."""
    containers = [each for service in cluster.services for each in cluster.containers(service)]
    return sum(of_container(cluster, container) for container in containers)


def of_container(cluster: Cluster, container: str) -> float:
    """Seconds of a container that runs."""
    for place in ("cpu.stat", "cpuacct/cpuacct.usage", "cpu,cpuacct/cpuacct.usage"):
        with suppress(ContainerError):
            return seconds(cluster.engine.run("exec", container, "cat", f"/sys/fs/cgroup/{place}"))
    return 0.0


def of_this_command() -> float:
    """Seconds of this process and of all that it ran and waited for, such as builds of images."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def seconds(said: str) -> float:
    """What a control group's file says: version 2 in lines with names, version 1 one number."""
    for line in said.splitlines():
        if line.startswith("usage_usec "):
            return int(line.split()[1]) / 1e6
    return int(said) / 1e9
