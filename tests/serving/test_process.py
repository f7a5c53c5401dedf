"""The service as a process: it begins, is stopped, and says what it lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from threading import Thread
from typing import Any

import httpx
import pytest

from recfleet.database import connect
from recfleet.local import free_port
from tests.serving.conftest import World, products

pytestmark = pytest.mark.postgres


def start(port: int, **variables: str) -> subprocess.Popen[str]:
    """Start the service on a port of loopback."""
    kept = {name: value for name, value in os.environ.items() if "RECFLEET" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "recfleet.cli", "api", "--port", str(port)],
        env={**kept, "RECFLEET_HOME": "/nonexistent", **variables},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until the service answers."""
    for _ in range(600):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.05)
    raise AssertionError("the service does not become ready")


def test_what_was_begun_is_finished(served: World) -> None:
    port = free_port()
    process = start(
        port,
        RECFLEET_API_DATABASE_URL=served.api,
        RECFLEET_ARTIFACT_ROOT=served.artifacts.root,
    )
    answers: list[Any] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client)
        key = {"Authorization": f"Bearer {served.keys['acme']}"}
        path = "/v1/tenants/acme/customers/a%2Fb/recommendations"
        assert products(client.get(path, headers=key)) == ["p2", "p1"]

        with closing(connect(served.writer)) as other, other.cursor() as cursor:
            cursor.execute("lock table release in access exclusive mode")
            slow = "/v1/tenants/acme/customers/c1/recommendations"
            asking = Thread(target=lambda: answers.append(client.get(slow, headers=key)))
            asking.start()
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        asking.join(10)

    assert products(answers[0]) == ["p1", "a/b", "p3"]
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")


def test_what_it_lacks_is_said_in_words() -> None:
    process = start(free_port(), RECFLEET_ARTIFACT_ROOT="file:///nonexistent")

    _, said = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "RECFLEET_API_DATABASE_URL is missing" in " ".join(said.split())
