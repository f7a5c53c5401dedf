"""Connecting to the database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from queue import Queue
from threading import Thread

import psycopg2
import pytest

from recfleet.database import connect
from recfleet.local._environment import for_process

_ASKS_FOR_A_PLAIN_PASSWORD = b"R\0\0\0\x08\0\0\0\x03"
PASSWORD = "correct-horse"


def _pretend(listening: socket.socket, heard: Queue[bytes]) -> None:
    """Be a server that was never Postgres, on a port that was Postgres's."""
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with closing(client):
            first = client.recv(4096)
            if len(first) == 8:  # It asks for encryption.
                client.sendall(b"N")
                client.recv(4096)
            client.sendall(_ASKS_FOR_A_PLAIN_PASSWORD)
            heard.put(client.recv(4096))


@pytest.mark.parametrize("who", ["recfleet", "Airflow and MLflow"])
def test_who_has_taken_the_port_gets_no_password(who: str) -> None:
    heard: Queue[bytes] = Queue()
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        Thread(target=_pretend, args=(listening, heard), daemon=True).start()
        port = listening.getsockname()[1]
        address = f"postgresql://recfleet_writer:{PASSWORD}@127.0.0.1:{port}/recfleet"
        if who == "recfleet":
            with pytest.raises(psycopg2.OperationalError, match="requested a cleartext password"):
                connect(address)
        else:
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "import sys, psycopg2; psycopg2.connect(sys.argv[1])",
                    address,
                ],
                env=for_process({"PATH": os.environ["PATH"]}),
                capture_output=True,
                text=True,
                check=False,
            )
            assert "requested a cleartext password" in done.stderr
        assert PASSWORD.encode() not in heard.get(timeout=60)
