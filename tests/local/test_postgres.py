"""The embedded server starts, stops, and is not confused with anything that looks like it."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from recfleet.database import connect
from recfleet.errors import RecfleetError
from recfleet.local import PostgresServer, free_port

pytestmark = pytest.mark.postgres


@pytest.fixture
def server(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "home" / "postgres", free_port(), durable=False)
    yield server
    server.stop()


def _ask(server: PostgresServer, query: str) -> object:
    connection = psycopg2.connect(server.url())
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            (value,) = cursor.fetchone() or (None,)
            return value
    finally:
        connection.close()


def test_starts_stops_and_keeps_its_data(server: PostgresServer) -> None:
    assert not server.is_running()
    server.start()
    assert server.is_running()
    server.create_database("kept")
    server.create_database("kept")
    server.stop()
    assert not server.is_running()
    server.stop()
    server.start()
    assert _ask(server, "select count(*) from pg_database where datname = 'kept'") == 1
    server.drop_database("kept")
    assert _ask(server, "select count(*) from pg_database where datname = 'kept'") == 0


def test_start_reuses_a_running_server(server: PostgresServer) -> None:
    server.start()
    first = server.process()
    PostgresServer(server.data_dir, server.port, durable=False).start()
    assert server.process() == first


def test_another_port_moves_the_server(server: PostgresServer) -> None:
    server.start()
    moved = PostgresServer(server.data_dir, free_port(), durable=False)
    moved.start()
    assert _ask(moved, "show port") == str(moved.port)


def test_speaks_utf8_and_sorts_by_bytes(server: PostgresServer) -> None:
    server.start()
    assert _ask(server, "show server_encoding") == "UTF8"
    assert _ask(server, "select lower('ÄÖ')") == "äö"
    assert _ask(server, "select 'Z' < 'a'") is True


def test_wants_the_password_and_hides_it(server: PostgresServer) -> None:
    server.start()
    mode = stat.S_IMODE(server.password_path.stat().st_mode)
    assert mode == 0o600
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=server.port, user="recfleet", password="wrong")
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", port=server.port, user="recfleet")


def test_a_killed_server_starts_again(server: PostgresServer) -> None:
    server.start()
    process = server.process()
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait(300)
    assert not server.is_running()
    server.start()
    assert _ask(server, "select 1") == 1


def test_a_pid_file_that_names_somebody_else(server: PostgresServer) -> None:
    server.start()
    pid_file = server.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert not server.is_running()
    server.stop()
    assert psutil.pid_exists(os.getpid())
    server.start()
    assert _ask(server, "select 1") == 1


@pytest.mark.parametrize("text", ["", "not a pid\n", "99999999\n", "-1\n"])
def test_a_pid_file_that_says_nothing(server: PostgresServer, text: str) -> None:
    server.initialise()
    (server.data_dir / "postmaster.pid").write_text(text)
    assert not server.is_running()
    server.start()
    assert server.is_running()


def test_a_taken_port_is_named(server: PostgresServer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        with pytest.raises(RecfleetError, match=f"port {server.port}"):
            server.start()
        assert not server.is_running()


def test_a_server_that_cannot_start_shows_its_log(server: PostgresServer) -> None:
    server.initialise()
    (server.data_dir / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(RecfleetError, match="no_such_setting"):
        server.start()
    assert not server.is_running()


def test_an_interrupted_start_is_begun_anew(server: PostgresServer) -> None:
    server.data_dir.mkdir(parents=True)
    server.start()
    assert server.is_running()


def test_lost_password_is_said(server: PostgresServer) -> None:
    server.initialise()
    server.password_path.unlink()
    with pytest.raises(RecfleetError, match="password"):
        server.start()


def test_every_test_gets_a_database_of_its_own(
    postgres_server: PostgresServer, database_url: str
) -> None:
    connection = connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from tenant")
        assert cursor.fetchone() == (0,)
    connection.close()
