"""Switching tenants on, off and frozen, over real nights."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from recfleet.database import Connection
from recfleet.errors import BadInputError, UnknownTenantError
from recfleet.operations.modes import set_mode
from recfleet.operations.policies import parse_changes, set_policies
from recfleet.operations.result import Result
from recfleet.releases import NotServedError, look_up
from recfleet.settings import RegistrySettings
from recfleet.tenants import Mode, add_tenants
from tests.nights import START, WEEK, outcomes, query, run_night, shop
from tests.pasts import past

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK
LIVE = (
    "select served_by, model_version, release.as_of, night.kind from live_release "
    "join release using (tenant_id, release_id, night_id) join night using (night_id) "
    "where tenant_id = %s"
)
SHOWN = (
    "select (select count(*) from live_recommendation where tenant_id = %(one)s), "
    "(select count(*) from live_popular where tenant_id = %(one)s)"
)


def _set(connection: Connection, mode: Mode, *tenant_ids: str) -> list[Result]:
    return set_mode(connection, tenant_ids, mode, actor="ann", reason="a test")


def _shows(connection: Connection, tenant_id: str) -> bool:
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute(SHOWN, {"one": tenant_id})
        [(lists, popular)] = cursor.fetchall()
    assert bool(lists) == bool(popular)
    return bool(lists)


def _grow_old(connection: Connection, days: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update release set created_at = created_at - %s", (timedelta(days),))
    connection.commit()


@past
def alpha(connection: Connection) -> None:
    """A tenant with a model, after one night."""
    shop(connection, "alpha")
    run_night("one", AS_OF)


def test_off_shows_nothing_and_on_brings_the_last_lists_back(
    connection: Connection, alpha: Connection
) -> None:
    [off] = _set(connection, "off", "alpha")
    assert off == Result("alpha", "done", "alpha is off: nothing is computed or shown")
    assert not _shows(connection, "alpha")
    with pytest.raises(NotServedError, match="off"):
        look_up(connection, "alpha", "c0001")
    connection.rollback()
    [again] = _set(connection, "off", "alpha")
    assert (again.status, again.sentence) == ("unchanged", "alpha is already off")

    [on] = _set(connection, "on", "alpha")
    assert on.sentence.endswith("its lists as of 2026-03-30 09:00 are shown again")
    assert _shows(connection, "alpha")
    assert query(connection, LIVE, "alpha") == [("model", 1, AS_OF, "fleet")]
    assert query(connection, "select kind, facts ->> 'from', facts ->> 'to' from audit") == [
        ("first model", None, None),
        ("mode", "on", "off"),
        ("mode", "off", "on"),
    ]
    assert query(connection, "select distinct actor, reason from audit where kind = 'mode'") == [
        ("ann", "a test")
    ]


def test_lists_that_are_too_old_give_way_to_lists_without_a_model_until_the_next_night(
    connection: Connection, alpha: Connection
) -> None:
    _set(connection, "off", "alpha")
    _grow_old(connection, 8)

    [on] = _set(connection, "on", "alpha")

    assert "its last lists are 8 days old, so lists without a model" in on.sentence
    assert query(connection, LIVE, "alpha") == [("personal", None, AS_OF, "operator")]
    assert _shows(connection, "alpha")
    [(outcome, reason, state)] = query(
        connection,
        "select outcome, reason, state from ledger join night using (night_id) "
        "where night.kind = 'operator'",
    )
    assert (outcome, state) == ("switched on", "published")
    assert "ann (a test)" in reason
    assert query(connection, "select status from night where kind = 'operator'") == [("done",)]
    assert query(connection, "select night_id from audit where kind = 'mode' order by 1") == [
        (2,),
        (None,),
    ]

    # There is no new data, but the next night makes the model's lists again.
    run_night("two", AS_OF + timedelta(hours=1))
    assert outcomes(connection, "two") == {"alpha": "kept"}
    assert query(connection, LIVE, "alpha")[0][:2] == ("model", 1)


def test_a_frozen_tenant_comes_back_with_its_pinned_champion(
    connection: Connection, alpha: Connection
) -> None:
    _set(connection, "frozen", "alpha")
    _set(connection, "off", "alpha")
    _grow_old(connection, 100)

    [frozen] = _set(connection, "frozen", "alpha")

    assert "the lists of its frozen version 1 as of" in frozen.sentence
    assert query(connection, LIVE, "alpha") == [("model", 1, AS_OF, "operator")]
    assert _shows(connection, "alpha")


def test_a_pinned_champion_that_is_lost_is_stood_in_for(
    connection: Connection, alpha: Connection, artifact_root: Path
) -> None:
    _set(connection, "frozen", "alpha")
    _set(connection, "off", "alpha")
    _grow_old(connection, 100)
    for file in artifact_root.rglob("*"):
        if file.is_file():
            file.unlink()

    [frozen] = _set(connection, "frozen", "alpha")

    assert "so lists without a model as of" in frozen.sentence
    assert query(connection, LIVE, "alpha") == [("personal", None, AS_OF, "operator")]


def test_lists_from_before_an_exclusion_are_not_shown_again(
    connection: Connection, alpha: Connection
) -> None:
    [first, *_] = look_up(connection, "alpha", "c0001")
    connection.rollback()
    _set(connection, "off", "alpha")
    changes = parse_changes([f"excluded_products={first.product_id}", "excluded_customers=c0002"])
    set_policies(connection, ["alpha"], changes, actor="ann", reason="a test")

    [on] = _set(connection, "on", "alpha")

    assert "may contain what its policy excludes now" in on.sentence
    shown = query(
        connection,
        "select count(*) from live_recommendation where product_id = %s",
        first.product_id,
    )
    assert shown == [(0,)]
    with pytest.raises(NotServedError, match="excludes"):
        look_up(connection, "alpha", "c0002")


def test_nothing_bad_is_shown_for_want_of_something_better(
    connection: Connection, alpha: Connection
) -> None:
    _set(connection, "off", "alpha")
    _grow_old(connection, 100)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into product (tenant_id, product_id, discontinued_at) "
            "select distinct tenant_id, product_id, %s::timestamptz from interaction "
            "on conflict (tenant_id, product_id) "
            "do update set discontinued_at = excluded.discontinued_at",
            (START,),
        )
    connection.commit()

    [on] = _set(connection, "on", "alpha")

    assert on.status == "done"
    assert "nothing is shown before its next night: alpha has no product" in on.sentence
    assert not _shows(connection, "alpha")
    assert query(connection, "select mode from tenant") == [("on",)]
    with pytest.raises(NotServedError, match="no published lists"):
        look_up(connection, "alpha", "c0001")


def test_a_tenant_that_never_had_a_night(connection: Connection, stack: RegistrySettings) -> None:
    add_tenants(connection, {"new": "New"})
    connection.commit()
    _set(connection, "off", "new")
    [on] = _set(connection, "on", "new")
    assert on.sentence.endswith("nothing was live, and nothing is shown before its first night")


def test_several_at_once_and_a_rehearsal(connection: Connection, alpha: Connection) -> None:
    names = [f"t{number:03}" for number in range(120)]
    add_tenants(connection, {name: name for name in names})
    connection.commit()
    tried = set_mode(connection, [*names, "alpha"], "off", actor="", reason="", dry_run=True)
    assert query(connection, "select distinct mode from tenant") == [("on",)]
    assert query(connection, "select count(*) from audit where kind = 'mode'") == [(0,)]

    done = _set(connection, "off", *names, "alpha")

    assert tried == done
    assert [result.tenant_id for result in done] == sorted([*names, "alpha"])
    assert query(connection, "select count(*) from audit where kind = 'mode'") == [(121,)]
    _grow_old(connection, 100)
    before = query(connection, LIVE, "alpha")
    [would] = set_mode(connection, ["alpha"], "on", actor="", reason="", dry_run=True)
    assert "100 days old, so new ones would be made at once" in would.sentence
    assert query(connection, LIVE, "alpha") == before
    assert query(connection, "select count(*) from night") == [(1,)]


def test_who_why_and_whom(connection: Connection, alpha: Connection) -> None:
    for actor, reason in (("", "so"), ("ann", " ")):
        with pytest.raises(BadInputError):
            set_mode(connection, ["alpha"], "off", actor=actor, reason=reason)
    with pytest.raises(UnknownTenantError, match="'beta', 'gamma'"):
        _set(connection, "off", "gamma", "alpha", "beta")
    assert query(connection, "select mode from tenant") == [("on",)]
