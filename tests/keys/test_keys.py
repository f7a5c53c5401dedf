"""Keys: their form, and their life from the first command to the last."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from recfleet.audit import what_changed
from recfleet.cli import app
from recfleet.database import Connection
from recfleet.errors import BadInputError, NotFoundError, UnknownTenantError
from recfleet.keys import FormError, create_key, list_keys, read_key, revoke_key, rotate_key
from recfleet.keys._form import make_key
from recfleet.operations import tell_story, verify
from recfleet.settings import forget_settings
from recfleet.tenants import add_tenants
from tests.nights import query

WHY = {"actor": "ann", "reason": "a till"}


def test_a_key_is_read_as_it_was_made() -> None:
    made = [make_key() for _ in range(50)]

    assert [read_key(text) for text, _ in made] == [shown for _, shown in made]
    assert len({shown.digest for _, shown in made}) == 50
    assert {len(text) for text, _ in made} == {66}
    assert all(text.startswith("rf_live_") for text, _ in made)


@given(place=st.integers(0, 65), sign=st.characters())
def test_one_wrong_sign_is_seen_without_asking(place: int, sign: str) -> None:
    text, _ = make_key()
    changed = text[:place] + sign + text[place + 1 :]
    if changed != text:
        with pytest.raises(FormError, match="shortened or mistyped"):
            read_key(changed)


@pytest.mark.postgres
def test_a_key_comes_is_replaced_and_goes(connection: Connection) -> None:
    add_tenants(connection, {"acme": "Acme", "beta": "Beta"})
    connection.commit()
    later = datetime.now(UTC) + timedelta(days=30)
    text = create_key(
        connection, "acme", scopes=["read", "events"], name="till", expires_at=later, **WHY
    )
    key_id = read_key(text).key_id

    new, until = rotate_key(connection, "acme", key_id, overlap=timedelta(hours=1), **WHY)
    revoke_key(connection, "acme", key_id, **WHY)

    old, kept = list_keys(connection, "acme")
    assert (old.key_id, old.state, old.expires_at) == (key_id, "revoked", until)
    assert (kept.key_id, kept.state, kept.name) == (read_key(new).key_id, "live", "till")
    assert kept.scopes == ["events", "read"]
    assert list_keys(connection, "beta") == []
    told = [what_changed(entry) for entry in tell_story(connection, "acme")]
    assert told == [
        f"key: created {key_id} (till) for events, read",
        f"key: created {kept.key_id} (till) for events, read in the place of {key_id}",
        f"key: revoked {key_id} (till)",
    ]
    connection.rollback()
    assert verify(connection).faults == ()
    secrets = [text.rpartition("_")[2][:43], new.rpartition("_")[2][:43]]
    for table in ("api_key", "audit"):
        [(found,)] = query(connection, f"select string_agg({table}::text, '') from {table}")
        assert not any(secret in found for secret in secrets)


@pytest.mark.postgres
def test_what_cannot_be_done_with_keys(connection: Connection) -> None:
    add_tenants(connection, {"acme": "Acme", "beta": "Beta"})
    connection.commit()
    good = {"scopes": ["read"], "name": "till", "expires_at": None, **WHY}
    key_id = read_key(create_key(connection, "acme", **good)).key_id  # type: ignore[arg-type]
    for changed, error in (
        ({"scopes": []}, "--scope"),
        ({"scopes": ["read", "everything"]}, "--scope"),
        ({"name": ""}, "what the key is for"),
        ({"name": "a\nb"}, "what the key is for"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "name a later time"),
        ({"reason": " "}, "Say why"),
    ):
        with pytest.raises(BadInputError, match=error):
            create_key(connection, "acme", **(good | changed))
    with pytest.raises(UnknownTenantError):
        create_key(connection, "acne", **good)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="beta has no key"):
        revoke_key(connection, "beta", key_id, **WHY)
    revoke_key(connection, "acme", key_id, **WHY)
    with pytest.raises(BadInputError, match="revoked already"):
        revoke_key(connection, "acme", key_id, **WHY)
    with pytest.raises(BadInputError, match="is revoked: make a new one"):
        rotate_key(connection, "acme", key_id, overlap=timedelta(), **WHY)


@pytest.mark.postgres
def test_the_commands(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tenants(connection, {"acme": "Acme"})
    connection.commit()
    monkeypatch.setenv("RECFLEET_DATABASE_URL", database_url)
    forget_settings()

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["key", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    created = run("create", "acme", "--scope", "control", "--scope", "read", "--reason", "tills")
    key_id = read_key(created.split()[-1]).key_id
    run("rotate", "acme", key_id, "--hours", "2", "--reason", "yearly")
    run("revoke", "acme", key_id, "--reason", "lost")

    with closing(connection):
        assert [key.state for key in list_keys(connection)] == ["revoked", "live"]
    assert "control, read" in " ".join(run("list", "acme").split())
    forget_settings()
