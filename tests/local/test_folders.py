"""What a stack keeps is for its owner alone, and folders that are not recfleet's are left alone."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from recfleet.errors import ConfigurationError
from recfleet.local import PostgresServer, _binaries, free_port
from recfleet.local._binaries import Owner, binaries
from recfleet.local._layout import Layout
from recfleet.local._processes import spawn
from recfleet.registry._disk import Disk
from tests.strangers import NOBODY, open_to_others, seen_by_nobody

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def lax() -> Iterator[None]:
    """The umask that most people have."""
    former = os.umask(0o022)
    yield
    os.umask(former)


@pytest.fixture
def layout(folder: Path, lax: None) -> Layout:
    """Where others could pass to, were it not closed."""
    folder.chmod(0o755)
    return Layout(folder / "home")


def _of_an_earlier_release(layout: Layout) -> None:
    """As folders were left when root had started a stack."""
    for folder in (layout.home, layout.airflow_home, layout.logs, layout.artifacts / "acme" / "1"):
        folder.mkdir(parents=True, exist_ok=True)
    layout.home.chmod(0o711)
    (layout.artifacts / "acme" / "1" / "customers.json").write_text('["c1"]')
    (layout.logs / "postgres.log").write_text("a log")
    (layout.logs / "latest").symlink_to("postgres.log")
    layout.lock.write_text("")
    layout.environment.write_text("SECRET=1")


def test_what_is_made_is_private(layout: Layout) -> None:
    layout.make()
    child = spawn(
        [sys.executable, "-c", "import os; os.mkdir('made'); open('made/file', 'w').close()"],
        layout.log("service"),
        env={},
        cwd=layout.airflow_home,
    )
    assert child.wait(60) == 0
    Disk().write(str(layout.artifacts / "acme" / "2"), {"model.json": b"{}"})
    assert (layout.airflow_home / "made" / "file").exists()
    assert (layout.artifacts / "acme" / "2" / "model.json").exists()
    assert open_to_others(layout.home) == []


def test_folders_of_an_earlier_release_are_closed(layout: Layout) -> None:
    _of_an_earlier_release(layout)
    assert len(open_to_others(layout.home)) == 10
    if os.geteuid() == 0:
        assert f"read {layout.artifacts}/acme/1/customers.json" in seen_by_nobody(layout.home)
    layout.make()
    assert open_to_others(layout.home) == []
    if os.geteuid() == 0:
        assert seen_by_nobody(layout.home) == []
    assert (layout.artifacts / "acme" / "1" / "customers.json").read_text() == '["c1"]'


def test_an_interrupted_closing_is_begun_again(layout: Layout) -> None:
    _of_an_earlier_release(layout)
    layout.home.chmod(0o700)
    layout.make()
    assert open_to_others(layout.artifacts) == open_to_others(layout.logs) == []


def test_an_empty_folder_is_taken(layout: Layout) -> None:
    layout.home.mkdir()
    layout.make()
    assert open_to_others(layout.home) == []


def test_a_folder_with_other_things_is_left_alone(layout: Layout) -> None:
    _of_an_earlier_release(layout)
    (layout.home / "thesis.txt").write_text("mine")
    before = open_to_others(layout.home)
    with pytest.raises(ConfigurationError, match=r"is open to other users and has .*'thesis.txt'"):
        layout.make()
    assert open_to_others(layout.home) == before
    layout.home.chmod(0o700)  # as the sentence says
    layout.make()
    assert open_to_others(layout.home) == [f"{layout.home}/thesis.txt -rw-r--r--"]


@pytest.mark.parametrize("name", ["home", "artifacts", "logs", "airflow_home"])
def test_a_link_is_refused(layout: Layout, folder: Path, name: str) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    if name != "home":
        layout.home.mkdir()
    getattr(layout, name).symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="is a symbolic link"):
        layout.make()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755


def test_a_file_is_no_folder(layout: Layout) -> None:
    layout.home.write_text("")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        layout.make()


@as_root
@pytest.mark.parametrize("name", ["home", "artifacts"])
def test_another_users_folder_is_refused(layout: Layout, name: str) -> None:
    theirs = getattr(layout, name)
    theirs.mkdir(parents=True)
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        layout.make()
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o755


def test_what_others_have_linked_is_left_alone(layout: Layout, folder: Path) -> None:
    _of_an_earlier_release(layout)
    outside = folder / "outside"
    outside.write_text("somebody else's")
    (layout.logs / "hard").hardlink_to(outside)
    (layout.logs / "soft").symlink_to(outside)
    layout.make()
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_the_disk_leaves_what_was_there(folder: Path, lax: None) -> None:
    shared = folder / "shared"
    shared.mkdir()
    Disk().write(str(shared / "acme" / "1"), {"model.json": b"{}"})
    Disk().write(str(shared / "acme" / "1"), {"model.json": b"{ }"})
    assert open_to_others(shared) == [f"{shared} drwxr-xr-x"]


def _modes_above(path: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for parent in path.parents}


@pytest.mark.postgres
def test_postgres_runs_in_a_closed_folder(layout: Layout, folder: Path) -> None:
    folder.chmod(0o700)
    above = _modes_above(layout.postgres.parent)
    programs = {path: path.stat().st_mode for path in binaries().parent.rglob("*")}
    layout.make()
    server = PostgresServer(layout.postgres, free_port(), log_path=layout.log("postgres"))
    try:
        server.start()
        assert server.process() is not None
        connection = psycopg2.connect(server.url())
        with connection, connection.cursor() as cursor:
            cursor.execute("create table kept as select 42 as answer")
        connection.close()
        server.stop()
        layout.postgres.chmod(0o750)
        server.start()
        connection = psycopg2.connect(server.url())
        with connection, connection.cursor() as cursor:
            cursor.execute("select answer from kept")
            assert cursor.fetchone() == (42,)
        connection.close()
        assert open_to_others(layout.home) == []
        folder.chmod(0o755)
        if os.geteuid() == 0:
            assert seen_by_nobody(layout.home) == []
        folder.chmod(0o700)
    finally:
        server.stop()
    assert _modes_above(layout.postgres.parent) == above
    assert {path: path.stat().st_mode for path in programs} == programs


@as_root
@pytest.mark.postgres
def test_programs_that_postgres_user_cannot_reach_are_copied(
    layout: Layout, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = folder / "closed" / "site"
    source = binaries()
    for name in (source.parents[1].name, f"{source.parents[1].name}.libs"):
        ignored = shutil.ignore_patterns("include", "pginstall")
        shutil.copytree(source.parents[2] / name, site / name, symlinks=True, ignore=ignored)
    site.parent.chmod(0o700)
    hidden = site / source.relative_to(source.parents[2])
    monkeypatch.setattr(_binaries, "binaries", lambda: hidden)
    monkeypatch.setattr(_binaries, "COPIES", folder / "copies")
    owner = Owner.find()
    programs = owner.programs()
    assert programs.is_relative_to(folder / "copies")
    assert owner.programs() == programs
    assert stat.S_IMODE(site.parent.stat().st_mode) == 0o700
    server = PostgresServer(folder / "server" / "data", free_port(), durable=False)
    try:
        server.start()
        assert server.is_running()
    finally:
        server.stop()
    monkeypatch.setattr(_binaries, "COPIES", folder / "missing" / "copies")
    with pytest.raises(ConfigurationError, match="could not be copied"):
        owner.programs()
