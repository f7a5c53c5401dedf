"""Files that arrive in a folder: once each, whatever is killed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from recfleet.audit import read_entries, what_changed
from recfleet.database import Connection
from recfleet.errors import BadInputError
from recfleet.feeds import (
    Access,
    example_of,
    get_feed,
    late_feeds,
    list_takings,
    parse_feed,
    pause_feed,
    remove_feed,
    take,
    take_due,
    try_feed,
)
from recfleet.feeds.folder import is_complete
from recfleet.feeds.ledger import Key, begin_taking
from recfleet.feeds.table import delete_feeds_of
from recfleet.interactions import ingest
from tests.feeds._places import LINES, NOW, add, bought, folder_toml, write
from tests.feeds._places import take as take_now

pytestmark = pytest.mark.postgres

ALL = [("shop", "c1", "p1"), ("shop", "c2", "p1"), ("shop", "c2", "p2")]


class Killed(BaseException):
    """What nobody catches."""


def test_a_file_is_taken_once_and_what_it_gains_later(
    connection: Connection, tmp_path: Path
) -> None:
    add(connection, folder_toml(tmp_path))
    path = write(tmp_path / "a.csv")
    first, second = take_now(connection), take_now(connection)
    assert (first.takings, first.added, second.takings) == (1, 3, 0)
    with path.open("a") as file:
        file.write("c3,p3,2026-03-01 13:00,5\nc4,,2026-03-01 13:00,5\n")
    third = take_now(connection)
    assert (third.takings, third.added, third.unusable) == (1, 1, 1)
    assert bought(connection) == [*ALL, ("shop", "c3", "p3")]


def test_what_cannot_be_read_is_set_aside_and_the_rest_goes_on(
    connection: Connection, tmp_path: Path
) -> None:
    add(connection, folder_toml(tmp_path))
    (tmp_path / "a.csv").write_text("nothing,of,this\n1,2,3\n")
    write(tmp_path / "b.csv")
    taken = take_now(connection)
    assert (taken.takings, taken.aside) == (1, 1)
    assert not (tmp_path / "a.csv").exists()
    aside = tmp_path / ".unusable" / "a.csv"
    assert "customer" in aside.with_name("a.csv.reason.txt").read_text()
    assert take_now(connection).takings == 0
    # Mended and put back, it is read again; put back as it was, it is set aside again.
    aside.rename(tmp_path / "a.csv")
    assert take_now(connection).aside == 1
    aside.unlink()
    write(tmp_path / "a.csv", ["c9,p9,2026-03-01 10:00,5"])
    assert take_now(connection).added == 1


@pytest.mark.parametrize("name", ["a.csv.part", ".a.csv", "_a.csv", "a.csv.done", "a.tmp", "b.txt"])
def test_names_that_are_left_alone(connection: Connection, tmp_path: Path, name: str) -> None:
    toml = folder_toml(tmp_path).replace("[folder]", 'pattern = "*.csv*"\n[folder]')
    add(connection, toml)
    write(tmp_path / name)
    assert take_now(connection).takings == 0


def test_when_a_file_is_complete(tmp_path: Path) -> None:
    state = write(tmp_path / "a.csv").lstat()
    at = state.st_ctime
    assert is_complete("renamed", state, at, has_mark=False)
    assert [is_complete("done", state, at, has_mark=mark) for mark in (False, True)] == [
        False,
        True,
    ]
    # The time of its content can be set, as `cp -p` does; that of its change cannot.
    os.utime(tmp_path / "a.csv", (1, 1))
    state = (tmp_path / "a.csv").lstat()
    waits = [is_complete("unchanged", state, at + seconds, has_mark=True) for seconds in (30, 62)]
    assert waits == [False, True]
    # A time in the future says nothing.
    os.utime(tmp_path / "a.csv", (at + 9_999, at + 9_999))
    state = (tmp_path / "a.csv").lstat()
    later = state.st_ctime + 62
    assert is_complete("unchanged", state, later, has_mark=True)


def test_feeds_take_turns(connection: Connection, tmp_path: Path) -> None:
    for name in ("a", "b"):
        add(connection, folder_toml(tmp_path), name)
    for names in (["a"], ["a", "b"]):
        found = take_due(connection, lambda _: Access(), now=NOW, names=names)
    assert [taken.feed for taken in found] == ["b", "a"]


def test_equal_files_of_two_tenants_keep_their_lines(
    connection: Connection, tmp_path: Path
) -> None:
    for shop in ("one", "two"):
        add(connection, folder_toml(tmp_path / shop, whose=f'tenant = "{shop}"'), shop)
        write(tmp_path / shop / "a.csv", [*LINES, "c3,p1,never,1"])
        assert take_now(connection, shop).aside == 0
    with connection.cursor() as cursor:
        cursor.execute("select tenant_id, reason from unusable_line order by 1")
        assert cursor.fetchall() == [("one", "unreadable time"), ("two", "unreadable time")]


def test_links_are_not_followed(connection: Connection, tmp_path: Path) -> None:
    secret = write(tmp_path / "other" / "secret.csv")
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "a.csv").symlink_to(secret)
    (feed / "folder").symlink_to(secret.parent)
    (feed / ".unusable").symlink_to(secret.parent)
    (feed / "b.csv").write_text("no table")
    add(connection, folder_toml(feed))
    assert take_now(connection).aside == 1
    assert bought(connection) == []
    assert [path.name for path in secret.parent.iterdir()] == ["secret.csv"]
    assert (feed / "b.csv").exists()


def test_one_folder_a_tenant(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path, whose='tenants = "folders"'))
    write(tmp_path / "Ελλάδα" / "a.csv")
    write(tmp_path / "Shop" / "old" / "a.csv")
    write(tmp_path / "stray.csv")
    taken = take_now(connection)
    assert (taken.takings, taken.aside) == (2, 1)
    with connection.cursor() as cursor:
        cursor.execute("select tenant_id, name from tenant order by 1")
        assert cursor.fetchall() == [("ellada-752e6ea6", "Ελλάδα"), ("shop", "Shop")]
    # A deleted tenant does not come back.
    delete_feeds_of(connection, "shop")
    connection.commit()
    write(tmp_path / "Shop" / "b.csv", ["c9,p9,2026-03-01 10:00,5"])
    assert take_now(connection).takings == 0
    assert {row["tenant_id"] for row in list_takings(connection, "sales", 9)} == {
        "ellada-752e6ea6", None,
    }  # fmt: skip


STEPS = ("begin_taking", "ingest", "end_taking", "write_aside", "write_moved", "end_look")


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step(
    connection: Connection, tmp_path: Path, step: str, is_after: bool
) -> None:
    add(connection, folder_toml(tmp_path))
    write(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("no table")
    work = getattr(take, step)

    def die(*args: object, **named: object) -> None:
        if is_after:
            work(*args, **named)
        raise Killed

    with patch.object(take, step, die), pytest.raises(Killed):
        take_now(connection)
    connection.rollback()
    take_now(connection)
    assert bought(connection) == ALL
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        ".unusable", "a.csv", "b.csv", "b.csv.reason.txt",
    ]  # fmt: skip
    states = [(row["item"], row["state"]) for row in list_takings(connection, "sales", 9)]
    assert sorted(states) == [("a.csv", "taken"), ("b.csv", "set aside")]


def test_killed_while_a_file_is_moved_aside(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    (tmp_path / "b.csv").write_text("no table")
    with patch.object(Path, "replace", side_effect=Killed), pytest.raises(Killed):
        take_now(connection)
    connection.rollback()
    assert take_now(connection).aside == 0
    assert not (tmp_path / "b.csv").exists()


def test_a_file_that_kills_the_process_is_set_aside(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    state = write(tmp_path / "a.csv").lstat()
    for _ in range(3):
        key = Key("sales", "a.csv", f"{state.st_size}-{state.st_mtime_ns}")
        begin_taking(connection, key, None)
    connection.commit()
    assert take_now(connection).aside == 1


def test_a_file_that_changes_while_it_is_read_waits(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    path = write(tmp_path / "a.csv")
    work = ingest

    def grow(*args: object, **named: object) -> object:
        with path.open("a") as file:
            file.write("c9,p9,2026-03-01 10:00,5\n")
        return work(*args, **named)  # type: ignore[arg-type]

    with patch.object(take, "ingest", grow):
        taken = take_now(connection)
    assert (taken.takings, taken.unfinished) == (0, 1)
    assert bought(connection) == []
    assert take_now(connection).added == 4


def test_a_folder_that_is_missing_is_that_feeds_trouble(
    connection: Connection, tmp_path: Path
) -> None:
    add(connection, folder_toml(tmp_path / "nowhere"))
    add(connection, folder_toml(tmp_path), "other")
    write(tmp_path / "a.csv")
    looks = take.take_due(connection, lambda _: Access(), now=NOW)
    assert [bool(look.trouble) for look in looks] == [False, True]
    assert "nowhere cannot be read" in (get_feed(connection, "sales").trouble or "")


def test_what_a_night_waits_for(connection: Connection, tmp_path: Path) -> None:
    night = '[night]\nexpects = "sales-%Y-%m-%d.csv"\n'
    add(connection, folder_toml(tmp_path) + night)
    as_of = NOW.replace(hour=0)
    assert late_feeds(connection, as_of) == {"sales": "nobody has looked at it since"}
    take_now(connection)
    assert late_feeds(connection, as_of) == {"sales": "no file sales-2026-03-01.csv has come"}
    write(tmp_path / "de" / "sales-2026-03-01.csv")
    take_now(connection)
    assert late_feeds(connection, as_of) == {}
    assert late_feeds(connection, as_of + timedelta(days=1)) != {}
    pause_feed(connection, "sales", paused=True, actor="ann", reason="trial")
    assert late_feeds(connection, as_of + timedelta(days=1)) == {}


def test_the_examples_can_be_read_and_of_customers_too(
    connection: Connection, tmp_path: Path
) -> None:
    for kind in ("folder", "s3", "sql"):
        assert parse_feed(example_of(kind)).kind == kind
    toml = folder_toml(tmp_path).replace('kind = "folder"', 'kind = "folder"\ndata = "customers"')
    toml = toml[: toml.index("[columns]")] + '[columns]\ncustomer_column = "customer"\n'
    feed = add(connection, toml)
    write(tmp_path / "a.csv")
    told = try_feed(connection, feed, lambda _: Access())
    assert told[0].startswith("1 complete files, 1 of them new")
    assert told[2] == "3 lines; 2 new customers, 0 changed."
    assert take_now(connection).added == 2


def test_a_name_that_is_no_text_holds_up_nothing(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    write(tmp_path / "a.csv").rename(tmp_path / os.fsdecode(b"caf\xe9.csv"))
    write(tmp_path / "b.csv")
    taken = take_now(connection)
    assert taken.takings == 1
    assert "rename them" in (taken.trouble or "")


def test_what_nobody_foresaw_is_that_feeds_trouble(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    with patch.object(take, "known_takings", side_effect=ZeroDivisionError("oh")):
        assert take_now(connection).trouble == "recfleet could not read it (ZeroDivisionError: oh)."


def test_changes_of_a_feed_are_in_the_audit(connection: Connection, tmp_path: Path) -> None:
    add(connection, folder_toml(tmp_path))
    add(connection, folder_toml(tmp_path))
    for paused in (True, False):
        pause_feed(connection, "sales", paused=paused, actor="bob", reason="the tills are away")
    remove_feed(connection, "sales", actor="bob", reason="the shop has closed")
    connection.commit()
    entries = [entry for entry in read_entries(connection, None) if entry.kind == "feed"]
    assert [(what_changed(entry), entry.actor) for entry in entries] == [
        ("feed: added sales", "ann"),
        ("feed: changed sales", "ann"),
        ("feed: paused sales", "bob"),
        ("feed: resumed sales", "bob"),
        ("feed: removed sales", "bob"),
    ]
    with pytest.raises(BadInputError, match="--reason"):
        pause_feed(connection, "sales", paused=True, actor="bob", reason="\u200b")
