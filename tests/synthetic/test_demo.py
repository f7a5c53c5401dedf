"""The demo's fleet keeps the promises of its three nights."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from recfleet.judging import Holdout, Score, judge, score, score_popularity
from recfleet.models import resolve_offers
from recfleet.models.als import AlsModel, fit, fold_in
from recfleet.recipe import Recipe
from recfleet.synthetic import (
    DEMO_NIGHTS,
    DEMO_TENANTS,
    DEMO_UNTIL,
    TROUBLES,
    demo_world,
    fleet_truth,
)
from recfleet.tenants import Policy
from tests.synthetic.logs import make_log, midnight


def test_every_kind_of_tenant_is_in_the_demo() -> None:
    world = demo_world()
    fleet = fleet_truth(world, DEMO_TENANTS)
    assert Counter(tenant.trouble for tenant in fleet if tenant.trouble) == Counter(TROUBLES)
    assert sum(tenant.thin for tenant in fleet) == 2
    assert sum(tenant.drifts for tenant in fleet) == 8
    assert all(1500 <= tenant.size <= 15_000 for tenant in fleet if not tenant.thin)
    assert sum(tenant.size for tenant in fleet) < 200_000


def test_the_first_night_finds_nothing_broken_the_second_half_of_it_and_the_third_all() -> None:
    fleet = fleet_truth(demo_world(), DEMO_TENANTS)
    broken = [tenant.trouble_day for tenant in fleet if tenant.trouble_day is not None]
    assert [sum(day < night for day in broken) for night in DEMO_NIGHTS] == [0, 3, 6]


def test_tastes_change_six_weeks_before_the_first_nights_models_were_trained() -> None:
    world = demo_world()
    trained = DEMO_NIGHTS[0] - timedelta(weeks=2)
    for tenant in fleet_truth(world, DEMO_TENANTS):
        for day in tenant.drift_days(world, DEMO_UNTIL):
            assert trained - day == timedelta(weeks=6)


def test_drifting_tenants_are_given_a_first_model_and_a_better_one_three_weeks_later() -> None:
    """The nights of the demo in memory, over its drifting tenants."""
    # With fewer factors than by default: the same verdicts at a fifth of the cost.
    world, policy = demo_world(), Policy(recipe=Recipe(factors=32))
    days_back = [(DEMO_UNTIL - night).days for night in DEMO_NIGHTS]
    outcomes = Counter[tuple[int, str]]()
    for tenant in fleet_truth(world, DEMO_TENANTS):
        if not tenant.drifts:
            continue
        log = make_log(world, tenant, DEMO_UNTIL)
        champion: AlsModel | None = None
        promoted = 0
        for back in days_back:
            as_of = midnight(DEMO_UNTIL) - timedelta(days=back)
            # Staples make the lists offer both kinds, found as a night finds it.
            offers = resolve_offers("auto", log, before=as_of - timedelta(days=14))
            assert offers == "both"
            holdout = Holdout.of(
                log, as_of=as_of, holdout_days=14, offers=offers, signal="log_lines"
            )
            model = fit(
                holdout.history,
                log.customer_ids,
                log.product_ids,
                policy.recipe,
                train_end=holdout.start,
                seed=back,
            )
            scores: dict[str, Score | None] = {
                name: score(holdout, fold_in(one, holdout.history, log.product_ids))
                for name, one in (("challenger", model), ("champion", champion))
                if one is not None
            }
            scores["popularity"] = score_popularity(holdout)
            age = None if champion is None else promoted - back
            verdict = judge(holdout, scores, policy, seed=back, champion_days=age)
            kind = "first model" if verdict.first and verdict.kind == "promote" else verdict.kind
            outcomes[back, kind] += 1
            if verdict.kind == "promote":
                champion, promoted = model, back
    assert outcomes[21, "first model"] >= 5
    assert outcomes[14, "keep"] >= 4
    assert outcomes[0, "promote"] >= 3
