"""A short form of the judge's benchmark, and a check that it measures what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.judging.__main__ import run
from benchmarks.judging.damage import MONTH, missing_product, wrong_customers
from benchmarks.judging.findings import TABLES, demands
from benchmarks.judging.look import (
    Look,
    above_zero,
    back_by_policy,
    by_policy,
    read_looks,
    write_looks,
)
from benchmarks.judging.picture import draw
from benchmarks.judging.story import Story
from benchmarks.judging.tenants import Tenant
from benchmarks.judging.trials import FIRST, QUICK, TRIALS, steady
from benchmarks.marks import write_tables
from recfleet.judging import Evidence, Probation, judge, score, score_popularity
from recfleet.models.log import microseconds
from recfleet.tenants import Policy


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    """All trials, quickly."""
    return [look for trial in TRIALS for look in run(QUICK, trial)]


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return Tenant.draw(steady(3000, seed=7), 0, FIRST + 14)


@pytest.mark.slow
def test_the_nights_rule_meets_every_demand_and_a_lax_one_does_not(looks: list[Look]) -> None:
    assert {demand.name: demand.met for demand in demands(looks)} == {
        "null": True,
        "decline, first night": True,
        "decline, five nights": True,
        "damage": True,
        "flapping": True,
        "probation, sound": True,
        "probation, bad": True,
    }
    lax = {demand.name for demand in demands(looks, above_zero(0.6, 0.0)) if not demand.met}
    assert lax == {"null", "damage"}  # only the first change of flapping was checked
    never = {demand.name for demand in demands(looks, above_zero(0.995, 0.5)) if not demand.met}
    assert never == {"decline, first night", "decline, five nights"}
    always = demands(looks, back=lambda look, _: look.customers > 0)
    assert [demand.name for demand in always if not demand.met] == ["probation, sound"]
    never_back = demands(looks, back=lambda look, _: look.customers == 0)
    assert [demand.name for demand in never_back if not demand.met] == ["probation, bad"]


@pytest.mark.slow
def test_tables_and_picture_come_from_what_was_kept(looks: list[Look], tmp_path: Path) -> None:
    write_looks(tmp_path / "looks.csv.gz", looks)
    kept = read_looks(tmp_path / "looks.csv.gz")
    assert [(look.trial, look.night, look.data) for look in kept] == [
        (look.trial, look.night, look.data) for look in looks
    ]
    assert [look.gain for look in kept] == pytest.approx([look.gain for look in looks], rel=1e-4)
    for name, table in TABLES.items():
        assert len(list(table(kept))) > 2, name
    draw(kept, tmp_path / "promoted.svg")
    assert "holdout customers" in (tmp_path / "promoted.svg").read_text()

    page = tmp_path / "judging.md"
    page.write_text("before\n<!-- sound -->\nold\n<!-- end of sound -->\nafter\n")
    write_tables(page, {"sound": "| new |"})
    assert page.read_text() == ("before\n<!-- sound -->\n| new |\n<!-- end of sound -->\nafter\n")


def test_what_is_tried_on_the_looks_is_the_verdict_of_the_night(tenant: Tenant) -> None:
    for policy in (Policy(), Policy(minimum_gain=0, cooldown_days=0, confidence=0.6)):
        story, earlier = Story("decline", tenant, 0), list[Look]()
        for night in range(FIRST + 6, FIRST + 12):
            look, holdout = story.look(night, FIRST), tenant.holdout(night)
            scores = {
                name: score(holdout, tenant.as_served(story.model(made), holdout))
                for name, made in (("challenger", night), ("champion", FIRST))
            }
            verdict = judge(
                holdout,
                {**scores, "popularity": score_popularity(holdout)},
                policy,
                seed=story.seed(night),
                earlier=[Evidence(night - one.night, one.gain, one.gain_error) for one in earlier],
                champion_days=night - FIRST,
            )
            assert by_policy(policy)(look, earlier) == (verdict.kind == "promote")
            earlier.append(look)


def test_what_is_tried_on_a_probation_is_the_verdict_of_the_night(tenant: Tenant) -> None:
    story, earlier, found = Story("probation", tenant, 0), list[Look](), set[str]()
    bad = wrong_customers(tenant, FIRST, days=None, seed=3, share=0.6)
    champion, previous = bad.train(FIRST, seed=1), story.model(FIRST - 14)
    for policy in (Policy(), Policy(minimum_gain=0.03)):
        for night in range(FIRST + 1, FIRST + 6):
            holdout = tenant.holdout(night)
            served = {
                name: tenant.as_served(model, holdout)
                for name, model in (("previous", previous), ("champion", champion))
            }
            look = story.see(holdout, served["previous"], served["champion"], night, FIRST)
            scores = {name: score(holdout, factors) for name, factors in served.items()}
            verdict = judge(
                holdout,
                {
                    **scores,
                    "challenger": scores["champion"],
                    "popularity": score_popularity(holdout),
                },
                policy,
                seed=story.seed(night),
                probation=Probation(
                    version=1,
                    night=night - FIRST,
                    earlier=[
                        Evidence(night - one.night, one.gain, one.gain_error) for one in earlier
                    ],
                ),
            )
            assert back_by_policy(policy)(look, earlier) == (verdict.kind == "rollback")
            found.add(verdict.kind)
            earlier.append(look)
        earlier.clear()
    assert found == {"keep", "rollback"}


def test_other_pasts_are_of_the_same_customers_and_tastes(tenant: Tenant) -> None:
    first = FIRST - 14
    one, other = tenant.other_pasts(first, 2)
    (again,) = tenant.other_pasts(first, 1)
    assert one.fingerprint == again.fingerprint != other.fingerprint
    since = tenant.log.occurred_at >= microseconds(tenant.moment(first))
    for past in (one, other):
        assert (past.product_ids == tenant.log.product_ids).all()
        assert past.occurred_at.min() >= microseconds(tenant.moment(first))
        assert len(past) == pytest.approx(since.sum(), rel=0.2)
        sold = [
            np.bincount(products, minlength=len(past.product_ids))
            for products in (past.product, tenant.log.product[since])
        ]
        assert np.corrcoef(sold[0], sold[1])[0, 1] > 0.3
    assert (one.occurred_at[:50] != tenant.log.occurred_at[since][:50]).any()


def test_wrong_customers_are_a_tenth_of_the_lines_where_the_damage_falls(tenant: Tenant) -> None:
    bad = wrong_customers(tenant, FIRST, days=MONTH, seed=3)
    moved = bad.log.customer != tenant.log.customer
    times = tenant.log.occurred_at
    start, end = (microseconds(tenant.moment(day)) for day in (FIRST - MONTH, FIRST))
    inside = (times >= start) & (times < end)
    assert moved[inside].mean() == pytest.approx(0.1, abs=0.03)
    assert not moved[~inside].any()
    everywhere = wrong_customers(tenant, FIRST, days=None, seed=3)
    assert (everywhere.log.customer != tenant.log.customer)[times < start].mean() > 0.07


def test_the_missing_product_is_the_most_popular_and_is_missing_for_a_month(
    tenant: Tenant,
) -> None:
    bad = missing_product(tenant, FIRST, rank=0)
    start, end = (microseconds(tenant.moment(day)) for day in (FIRST - MONTH, FIRST))

    def sold(log_of: Tenant, *, inside: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        log = log_of.log
        where = ((log.occurred_at >= start) & (log.occurred_at < end)) == inside
        return np.bincount(log.product[where], minlength=len(log.product_ids))

    before, after = sold(tenant, inside=True), sold(bad, inside=True)
    assert np.flatnonzero(before != after).tolist() == [int(before.argmax())]
    assert after[before.argmax()] == 0
    assert (sold(tenant, inside=False) == sold(bad, inside=False)).all()
