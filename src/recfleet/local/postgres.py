"""A private Postgres server, from the binaries of a Python package."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from recfleet.errors import ConfigurationError, RecfleetError
from recfleet.local._binaries import Owner
from recfleet.local._files import tail, write_private
from recfleet.local._folders import check_ours
from recfleet.local._ports import LOOPBACK, is_taken
from recfleet.local._processes import end_with_parent, is_alive, spawn, wait_until_gone

USER = "recfleet"
"""The superuser of every server made here."""

_MEGABYTE = 1024 * 1024

_DURABLE = {"max_wal_size": "2GB", "checkpoint_timeout": "15min"}

_THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "autovacuum": "off",
}


class PostgresServer:
    """One server in one folder, on one port of loopback.

    It runs in the background and is found again by its folder. Unless it is a throwaway, it
    outlives the process that started it.
    """

    def __init__(
        self, data_dir: Path, port: int, *, durable: bool = True, log_path: Path | None = None
    ) -> None:
        """Describe a server, without making or starting it.

        Args:
            data_dir: its folder, which may not exist yet.
            port: its port on 127.0.0.1.
            durable: False for a throwaway server of tests, which is faster, loses data in a
                crash, and ends with the thread that started it.
            log_path: its log; by default beside its folder.
        """
        self.data_dir = data_dir.absolute()
        self.port = port
        self.durable = durable
        self.log_path = log_path or self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def password_path(self) -> Path:
        """The file with its password, readable only by the owner."""
        return self.data_dir.with_name(f"{self.data_dir.name}.password")

    @property
    def _next_password_path(self) -> Path:
        """There while the password is being changed."""
        return self.password_path.with_name(f"{self.password_path.name}.next")

    def url(self, database: str = "postgres") -> str:
        """The superuser's address of a database, ``postgresql://user:password@127.0.0.1:port/name``.

        Raises:
            ConfigurationError: the server has not been initialised, or its password is lost.
        """
        return self.url_of(USER, self.password(), database)

    def url_of(self, role: str, password: str, database: str) -> str:
        """A role's address of a database."""
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def password(self) -> str:
        """The superuser's password.

        Raises:
            ConfigurationError: the server has not been initialised, or its password is lost.
        """
        try:
            return self.password_path.read_text().strip()
        except FileNotFoundError:
            raise ConfigurationError(
                f"the password of the Postgres in {self.data_dir} is missing: there is no "
                f"{self.password_path}"
            ) from None

    def initialise(self) -> None:
        """Make the folder and the password; does nothing when they are there.

        The folder appears only when it is complete, so an interrupted call is simply repeated.

        Raises:
            RecfleetError: ``initdb`` failed.
        """
        if (self.data_dir / "PG_VERSION").exists():
            self.password()
            return
        owner = Owner.find()
        self.data_dir.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self.password_path, secrets.token_hex(24) + "\n")
        with _folder_of(owner, beside=self.data_dir) as work:
            password = work / "password"
            write_private(password, self.password() + "\n")
            owner.take(password)
            data = work / "data"
            data.mkdir(mode=0o700)
            owner.take(data)
            self._initdb(data, owner)
            data.rename(self.data_dir)

    def start(self, timeout: float = 60) -> None:
        """Start it and wait until it answers; initialise it first if need be.

        A running server is reused; the remains of a dead one are cleared.

        Args:
            timeout: seconds to wait; after a crash the server replays its log before it answers.

        Raises:
            RecfleetError: the port is taken, or the server does not come up; the text has its log's
                end.
        """
        self.initialise()
        if self._answers():
            self._end_change_of_password()
            return
        self.stop()
        self.clear_remains()
        if is_taken(self.port):
            raise ConfigurationError(f"port {self.port} for Postgres is taken by another program")
        child = self._child = self._spawn()
        deadline = time.monotonic() + timeout
        while not self._answers():
            if child.poll() is not None or time.monotonic() > deadline:
                end = "ended" if child.poll() is not None else f"took more than {timeout:.0f} s"
                self._abandon(child)
                raise RecfleetError(
                    f"Postgres {end} while starting; its log ends:\n{tail(self.log_path)}"
                )
            time.sleep(0.02)
        self._end_change_of_password()

    def stop(self, timeout: float = 60) -> None:
        """Stop it and disconnect its clients; does nothing when it is not running.

        Raises:
            RecfleetError: it does not end.
        """
        process = self.process()
        if process is None:
            return
        for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if not wait_until_gone([process], patience):
                if self._child is not None:
                    self._child.poll()  # else Python believes that it still runs
                return
        raise RecfleetError(f"Postgres (pid {process.pid}) does not stop; see {self.log_path}")

    def clear_remains(self) -> None:
        """After the main process was killed, end its orphans and remove its pid file.

        Does nothing when it runs.

        The orphans hold the old shared memory, and the pid in the file may belong to another
        process by now; either keeps Postgres from starting.
        """
        if self.is_running():
            return
        orphans = [psutil.Process(pid) for pid in psutil.pids() if self._is_ours(pid)]
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal.SIGQUIT)
        for orphan in wait_until_gone(orphans, 5):
            orphan.kill()
        wait_until_gone(orphans, 5)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether it runs, on any port."""
        return self.process() is not None

    def has_pid_file(self) -> bool:
        """Whether it was started and not stopped, so that it runs or has died."""
        return (self.data_dir / "postmaster.pid").exists()

    def running_port(self) -> int | None:
        """The port that it answers on; None when it does not run."""
        lines = self._pid_file()
        return int(lines[3]) if len(lines) > 3 and self.is_running() else None

    def process(self) -> psutil.Process | None:
        """Its main process, or None.

        The pid in the folder may be a leftover that belongs to another process by now. Only the
        server has its data folder as its working folder.
        """
        try:
            pid = int(self._pid_file()[0])
        except (IndexError, ValueError):
            return None
        return psutil.Process(pid) if self._is_ours(pid) else None

    def change_password(self, password: str) -> None:
        """Give the superuser another password.

        If it is interrupted, the next call of ``start`` ends it.
        """
        with self._maintenance() as cursor:
            write_private(self._next_password_path, password + "\n")
            verifier = encrypt_password(password, USER, cursor.connection, "scram-sha-256")
            cursor.execute(f"alter role {USER} password %s", (verifier,))
        self._next_password_path.replace(self.password_path)

    def create_role(self, name: str) -> None:
        """Make a role that logs in, without a password yet; does nothing when it is there."""
        with self._maintenance() as cursor:
            cursor.execute("select 1 from pg_roles where rolname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))

    def create_database(self, name: str, *, template: str | None = None, owner: str = USER) -> bool:
        """Make a database; does nothing when it is there.

        Args:
            name: name of the new database.
            template: a database to copy; nobody may be connected to it.
            owner: the role that it belongs to; by default the superuser.

        Returns:
            Whether it was made.
        """
        with self._maintenance() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if cursor.fetchone() is not None:
                return False
            statement = sql.SQL("create database {} template {} owner {}").format(
                *map(sql.Identifier, (name, template or "template1", owner))
            )
            cursor.execute(statement)
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections to it."""
        with self._maintenance() as cursor:
            statement = sql.SQL("drop database if exists {} with (force)")
            cursor.execute(statement.format(sql.Identifier(name)))

    def _end_change_of_password(self) -> None:
        """Find out which password the server took, if a change of it was interrupted."""
        if not self._next_password_path.exists():
            return
        password = self._next_password_path.read_text().strip()
        try:
            psycopg2.connect(self.url_of(USER, password, "postgres")).close()
        except psycopg2.OperationalError:
            self._next_password_path.unlink()
        else:
            self._next_password_path.replace(self.password_path)

    @contextlib.contextmanager
    def _maintenance(self) -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(self.url())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _initdb(self, target: Path, owner: Owner) -> None:
        """Make a server in ``target``, which is empty; its password is beside it."""
        command = [
            str(owner.programs() / "initdb"),
            f"--pgdata={owner.name_of(target)}",
            f"--username={USER}",
            "--pwfile=../password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=target,
            env=_environment(),
            **owner.spawn_options(),
        )
        if done.returncode:
            raise RecfleetError(f"initdb could not create a Postgres in {target}:\n{done.stderr}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        owner = Owner.find()
        self._close(owner)
        command = [str(owner.programs() / "postgres"), "-D", owner.name_of(self.data_dir)]
        for name, value in self._server_settings().items():
            command += ["-c", f"{name}={value}"]
        return spawn(
            command,
            self.log_path,
            env=_environment(),
            cwd=self.data_dir,
            preexec_fn=None if self.durable else end_with_parent(signal.SIGQUIT),
            **owner.spawn_options(),
        )

    def _close(self, owner: Owner) -> None:
        """Close the folder to other users; Postgres would let a group of its own read it."""
        check_ours(self.data_dir, also=[owner.uid])
        self.data_dir.chmod(0o700)

    def _server_settings(self) -> dict[str, str]:
        memory = psutil.virtual_memory().total // _MEGABYTE
        return {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            # No socket file: its path is limited to 107 characters, and a folder's is not.
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": f"{max(32, min(512 if self.durable else 64, memory // 16))}MB",
            "effective_cache_size": f"{memory // 4}MB",
            "work_mem": "32MB",
            "maintenance_work_mem": "128MB",
            "random_page_cost": "1.1",
            "jit": "off",
            # Parallel queries need /dev/shm, which is small in containers; nights are parallel
            # anyway.
            "max_parallel_workers_per_gather": "0",
            "max_parallel_maintenance_workers": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **(_DURABLE if self.durable else _THROWAWAY),
        }

    def _answers(self) -> bool:
        lines = self._pid_file()
        complete = len(lines) >= 8
        ready = complete and lines[3] == str(self.port) and lines[7].strip() == "ready"
        return ready and self.is_running()

    def _pid_file(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _is_ours(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            inside = process.name() == "postgres" and Path(process.cwd()) == self.data_dir.resolve()
            return inside and is_alive(process)
        except (psutil.Error, OSError, ValueError, OverflowError):
            return False

    def _abandon(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is None:
            child.send_signal(signal.SIGQUIT)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def _folder_of(owner: Owner, *, beside: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}-", dir=beside.parent))
    try:
        owner.take(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    """The environment of Postgres, without the variables that its clients read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
