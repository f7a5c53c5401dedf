"""Rolling back and promoting by hand, on real Postgres and the real MLflow store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, InfrastructureError, NotFoundError
from recfleet.operations import champion_changes
from recfleet.operations.champion_choice import rollback_to
from recfleet.operations.champions import change_all, promote, roll_back
from recfleet.registry import Aliases, ArtifactStore, Registry
from recfleet.settings import RegistrySettings
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

FIRST, SECOND = START + 12 * WEEK, START + 20 * WEEK
WHO: dict[str, Any] = {"actor": "ann", "reason": "the new lists look wrong"}
LIVE = """
select release.model_version, release.as_of, release.night_id, count(*)
  from live_release join release using (tenant_id, release_id, night_id)
  join recommendation using (night_id, release_id) group by 1, 2, 3
"""
ON_RECORD = "select role, version from champion order by role"
STORY = "select kind, from_version, to_version, actor, reason from audit order by audit_id"


@past
def turned(connection: Connection) -> None:
    """A tenant whose champion is version 2, after one night with version 1."""
    shop(connection, "turning", seed=1)
    run_night("first", FIRST)
    shop(connection, "turning", seed=1, weeks=range(12, 20), shuffled=True)
    run_night("second", SECOND)
    assert query(connection, ON_RECORD) == [("champion", 2), ("previous", 1)]


def _registry(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def _state(connection: Connection) -> list[list[tuple[object, ...]]]:
    """The state that a refusal must not change."""
    tables = ("champion", "live_release", "audit", "night", "ledger", "approval")
    return [query(connection, f"select * from {table} order by 1, 2") for table in tables]


def test_rolling_back_switches_to_the_kept_lists(
    turned: Connection, stack: RegistrySettings
) -> None:
    before = query(turned, "select max(as_of) from release")

    changed = roll_back(turned, "turning", **WHO)

    assert changed.is_kept
    assert changed.sentence == (
        "turning: version 1 is in force instead of version 2; its lists as of 2026-03-30 09:00, "
        "kept, are live."
    )
    assert query(turned, LIVE) == [(1, FIRST, 1, 120)]
    assert query(turned, ON_RECORD) == [("champion", 1)]
    assert _registry(stack).aliases("turning") == Aliases(champion=1, previous=None)
    assert query(turned, STORY)[-1] == ("rollback", 2, 1, "ann", "the new lists look wrong")
    tags = _registry(stack).get_version("turning", 2).tags
    assert (tags["verdict"], tags["decided_by"]) == ("rolled back", "ann")
    # The person's night is on record as of the time of the tenant's lists.
    assert query(
        turned,
        "select kind, as_of, status, outcome, ledger.reason, intent from night "
        "join ledger using (night_id) where night_id = 3",
    ) == [
        ("operator", before[0][0], "done", "rolled back", "rollback by ann: the new lists look "
         "wrong", None)
    ]  # fmt: skip


def test_without_kept_lists_they_are_made_at_once(
    turned: Connection, stack: RegistrySettings
) -> None:
    with turned, turned.cursor() as cursor:
        cursor.execute("delete from recommendation where night_id = 1")

    changed = roll_back(turned, "turning", to_version=1, **WHO)

    assert not changed.is_kept
    # As of the tenant's own time, not the kept lists': only the model goes back.
    assert query(turned, LIVE) == [(1, SECOND, 3, 120)]
    assert query(turned, ON_RECORD) == [("champion", 1)]


def test_lists_made_before_an_exclusion_are_not_shown_again(turned: Connection) -> None:
    [(product,)] = query(
        turned,
        "select products[1] from recommendation where night_id = 1 order by customer_id limit 1",
    )
    with turned, turned.cursor() as cursor:
        cursor.execute(
            "update tenant set policy = jsonb_build_object('excluded_products', array[%s])",
            (product,),
        )

    assert not roll_back(turned, "turning", **WHO).is_kept


def test_the_next_night_judges_against_the_old_model(
    turned: Connection, stack: RegistrySettings
) -> None:
    roll_back(turned, "turning", **WHO)

    run_night("third", SECOND, {"tenants": ["turning"]})

    [(against, outcome)] = query(
        turned,
        "select numbers ->> 'against', outcome from ledger join night using (night_id) "
        "where run_id = 'third'",
    )
    assert against == "1"
    # On the same data the challenger that was promoted before is far better again.
    assert outcome == "promoted"
    assert query(turned, ON_RECORD) == [("champion", 3), ("previous", 1)]


def test_promoting_back_and_forth(turned: Connection, stack: RegistrySettings) -> None:
    promote(turned, "turning", 1, **WHO)
    assert query(turned, ON_RECORD) == [("champion", 1), ("previous", 2)]
    assert _registry(stack).aliases("turning") == Aliases(champion=1, previous=2)

    promote(turned, "turning", 2, actor="bob", reason="it was right after all")
    assert query(turned, ON_RECORD) == [("champion", 2), ("previous", 1)]
    assert [(kind, version) for kind, _, version, _, _ in query(turned, STORY)][-2:] == [
        ("promotion", 1),
        ("promotion", 2),
    ]
    assert query(turned, LIVE) == [(2, SECOND, 2, 120)]


@pytest.mark.parametrize("mode", ["frozen", "off"])
def test_a_person_may_change_a_tenant_that_no_night_changes(turned: Connection, mode: str) -> None:
    with turned, turned.cursor() as cursor:
        cursor.execute("update tenant set mode = %s", (mode,))
    roll_back(turned, "turning", **WHO)
    assert query(turned, LIVE) == [(1, FIRST, 1, 120)]
    served = query(turned, "select count(*) > 0 from live_recommendation")
    assert served == [(mode == "frozen",)]


REFUSED: list[tuple[str, Callable[[Connection], object], str]] = [
    (
        "unknown tenant",
        lambda it: roll_back(it, "turnin", **WHO),
        r"no tenant 'turnin'\. Did you mean 'turning'\?",
    ),
    (
        "no such version",
        lambda it: roll_back(it, "turning", to_version=7, **WHO),
        r"turning: It has no version 7\. Its other versions are: 1\.",
    ),
    (
        "champion already",
        lambda it: promote(it, "turning", 2, **WHO),
        r"turning: Version 2 is already its champion",
    ),
    ("no reason", lambda it: promote(it, "turning", 1, actor="ann", reason=" "), r"Say why"),
    (
        "nobody",
        lambda it: promote(it, "turning", 1, actor="", reason="so"),
        r"The actor is missing",
    ),
]


@pytest.mark.parametrize(
    ("act", "sentence"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED]
)
def test_what_cannot_be_is_said_and_changes_nothing(
    turned: Connection, act: Callable[[Connection], object], sentence: str
) -> None:
    before = _state(turned)
    with pytest.raises((BadInputError, NotFoundError), match=sentence):
        act(turned)
    assert _state(turned) == before


def test_without_a_previous_the_versions_are_named(turned: Connection) -> None:
    roll_back(turned, "turning", **WHO)
    before = _state(turned)
    with pytest.raises(
        BadInputError,
        match=r"turning: It went back to version 1 already, at .* by ann \(the new lists look "
        r"wrong\), and has had no previous version since\. There is no older one\.",
    ):
        roll_back(turned, "turning", **WHO)
    with pytest.raises(NotFoundError, match=r"Its other versions are: 2 \(was rolled back from\)"):
        roll_back(turned, "turning", to_version=7, **WHO)
    with pytest.raises(BadInputError, match="Version 2 is newer than the champion, version 1"):
        roll_back(turned, "turning", to_version=2, **WHO)
    assert _state(turned) == before


def test_without_a_model_there_is_nothing_to_go_back_from(
    connection: Connection, stack: RegistrySettings
) -> None:
    shop(connection, "thin", customers=5)
    run_night("first", FIRST)
    with pytest.raises(BadInputError, match="thin: It has no model in force"):
        roll_back(connection, "thin", **WHO)


def test_a_version_whose_files_are_gone_or_damaged(
    turned: Connection, stack: RegistrySettings
) -> None:
    [(uri,)] = query(turned, "select model_uri from champion where version = 1")
    folder = uri.removeprefix("file://")
    before = _state(turned)
    with open(f"{folder}/product_factors.npy", "ab") as file:  # noqa: PTH123
        file.write(b"x")
    told = r"turning: .* product_factors\.npy was changed.* Nothing was changed"
    with pytest.raises(BadInputError, match=told):
        roll_back(turned, "turning", **WHO)
    shutil.rmtree(folder)
    with pytest.raises(BadInputError, match=r"turning: The files of .* are gone"):
        roll_back(turned, "turning", **WHO)
    assert _state(turned) == before
    assert _registry(stack).aliases("turning") == Aliases(champion=2, previous=1)


def test_one_that_died_before_mlflow_followed_is_finished_not_undone(
    turned: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(champion_changes, "mend_intents", die)
        with pytest.raises(KeyboardInterrupt):
            roll_back(turned, "turning", **WHO)
    assert query(turned, LIVE) == [(1, FIRST, 1, 120)]
    assert _registry(stack).aliases("turning") == Aliases(champion=2, previous=1)

    with turned, turned.cursor() as cursor:
        cursor.execute("update tenant set mode = 'frozen'")
    run_night("soon", SECOND, {"tenants": ["turning"]})
    assert _registry(stack).aliases("turning").champion == 2, "it may still be at work"
    with turned, turned.cursor() as cursor:
        cursor.execute("update ledger set updated_at = updated_at - interval '2 hours'")
    run_night("later", SECOND, {"tenants": ["turning"]})

    assert _registry(stack).aliases("turning") == Aliases(champion=1, previous=None)
    assert query(turned, "select count(*) from ledger where intent is not null") == [(0,)]
    assert _registry(stack).get_version("turning", 2).tags["verdict"] == "rolled back"


def test_without_mlflow_nothing_is_changed_but_what_is_live_stays_live(
    turned: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow may be away when its aliases should follow: the change stands, and the command says
    so."""

    def away(*_: object) -> None:
        raise InfrastructureError("MLflow's database does not answer.")

    monkeypatch.setattr(champion_changes, "mend_intents", away)
    results, trouble = change_all(turned, "rollback", ["turning"], rollback_to(None), **WHO)
    assert [result.status for result in results] == ["done"]
    assert trouble == "MLflow's database does not answer."
    assert query(turned, LIVE) == [(1, FIRST, 1, 120)]


def test_of_several_each_ones_trouble_is_its_own(turned: Connection) -> None:
    shop(turned, "single", seed=2, weeks=range(20))
    run_night("another", SECOND, {"tenants": ["single"]})

    foreseen, _ = change_all(
        turned, "rollback", ["single", "turning"], rollback_to(None), dry_run=True, **WHO
    )
    assert [result.status for result in foreseen] == ["failed", "done"]
    assert foreseen[1].sentence == (
        "turning: version 1 would be in force instead of version 2; its lists are kept, and would "
        "be live at once."
    )
    results, _ = change_all(turned, "rollback", ["single", "turning"], rollback_to(None), **WHO)
    assert [(result.tenant_id, result.status) for result in results] == [
        ("single", "failed"),
        ("turning", "done"),
    ]
    # A change that was interrupted is requested again.
    again, _ = change_all(turned, "rollback", ["single", "turning"], rollback_to(None), **WHO)
    assert [result.status for result in again] == ["failed", "unchanged"]
    assert again[1].sentence.startswith("turning: It went back to version 1 already, at ")
    by_version, _ = change_all(turned, "rollback", ["single", "turning"], rollback_to(1), **WHO)
    assert [result.status for result in by_version] == ["failed", "unchanged"]
    assert query(
        turned, "select tenant_id, version from champion where role = 'champion' order by 1"
    ) == [("single", 1), ("turning", 1)]
