"""The study behind the default recipe: prints the tables of docs/recipes.md.

    python -m tests.studies.recipes regularization absolute factors signals nights milliseconds

Reads Online Retail from RECFLEET_ONLINE_RETAIL, or from where the tests look for it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from recfleet.judging import Holdout, Score, flatten, judge, score, score_popularity
from recfleet.models import rank
from recfleet.models.als import AlsModel, dump_model, fit, fold_in, load_model
from recfleet.models.als._fit import scaled_penalty
from recfleet.models.log import InteractionLog
from recfleet.recipe import Recipe
from recfleet.synthetic import World
from recfleet.synthetic._days import draw_lines
from recfleet.synthetic._ids import customer_ids, product_ids
from recfleet.synthetic._market import Market
from recfleet.synthetic._traits import traits
from recfleet.tenants import Policy
from tests.online_retail import OnlineRetail, online_retail_path

NIGHTS = [datetime(2011, 11, 25, tzinfo=UTC), datetime(2011, 12, 2, tzinfo=UTC)]
NIGHTS.append(datetime(2011, 12, 10, tzinfo=UTC))


@dataclass
class Tenants:
    """Several tenants' nights, judged together: every holdout customer counts alike."""

    name: str
    logs: list[InteractionLog]
    holdouts: dict[tuple[int, str], tuple[Holdout, Score]] = field(default_factory=dict)

    def holdout(self, place: int, recipe: Recipe) -> tuple[Holdout, Score]:
        """A night's holdout and popularity's score on it."""
        key = (place, recipe.signal)
        if key not in self.holdouts:
            holdout = holdout_of(self.logs[place], recipe)
            self.holdouts[key] = holdout, score_popularity(holdout)
        return self.holdouts[key]

    def try_out(self, recipe_of: Callable[[Holdout], Recipe], seeds: Sequence[int] = (1,)) -> str:
        """RMSE's gain over popularity and NDCG@10, for a recipe chosen for each holdout."""
        errors, others, ndcg = [], [], []
        for place, log in enumerate(self.logs):
            holdout, popularity = self.holdout(place, recipe_of(self.holdout(place, Recipe())[0]))
            recipe = recipe_of(holdout)
            for seed in seeds:
                model = fit_on(holdout, log, recipe, seed)
                got = score(holdout, fold_in(model, holdout.history, log.product_ids))
                errors.append(got.squared_error)
                others.append(popularity.squared_error)
                ndcg.append(got.ndcg)
        gain = 1 - np.sqrt(np.concatenate(errors).mean() / np.concatenate(others).mean())
        return f"{gain:+.1%} / {np.concatenate(ndcg).mean():.4f}"

    def describe(self) -> str:
        """Sizes, and what popularity reaches."""
        found = [self.holdout(place, Recipe()) for place in range(len(self.logs))]
        judged = [len(holdout.customers) for holdout, _ in found]
        ndcg = np.concatenate([popularity.ndcg for _, popularity in found]).mean()
        lines = np.median([len(log) for log in self.logs])
        customers = np.median([len(log.customer_ids) for log in self.logs])
        products = np.median([len(log.product_ids) for log in self.logs])
        return (
            f"| {self.name} | {len(self.logs)} | {lines:.0f} | {customers:.0f} | {products:.0f} "
            f"| {sum(judged)} | {ndcg:.4f} |"
        )


def holdout_of(log: InteractionLog, recipe: Recipe) -> Holdout:
    """The holdout of a log's as-of."""
    return Holdout.of(
        log,
        as_of=log.as_of,
        holdout_days=recipe.holdout_days,
        offers="new",
        signal=recipe.signal,
    )


def fit_on(holdout: Holdout, log: InteractionLog, recipe: Recipe, seed: int = 1) -> AlsModel:
    """A model of what came before a holdout."""
    return fit(
        holdout.history,
        log.customer_ids,
        log.product_ids,
        recipe,
        train_end=holdout.start,
        seed=seed,
    )


def large(retail: OnlineRetail) -> Tenants:
    """The United Kingdom at two nights a fortnight apart."""
    nights = [NIGHTS[0], NIGHTS[2]]
    return Tenants("large", [retail.log("United Kingdom", at, returns=True) for at in nights])


def small(retail: OnlineRetail) -> Tenants:
    """Germany and France at eleven nights a fortnight apart."""
    nights = [NIGHTS[2] - timedelta(days=14 * back) for back in range(11)]
    return Tenants(
        "small",
        [retail.log(at, night, returns=True) for at in ("Germany", "France") for night in nights],
    )


def synthetic(numbers: Iterable[int] = range(40), days: Iterable[int] = (182,)) -> Tenants:
    """Synthetic tenants of 1,000 to 4,000 interactions, at the end of their 26 weeks."""
    world = World(seed=7)
    chosen = [n for n in numbers if not traits(world, n).thin]
    chosen = [n for n in chosen if 1_000 <= traits(world, n).size <= 4_000]
    return Tenants("synthetic", [synthetic_log(world, n, day) for n in chosen for day in days])


def synthetic_log(world: World, number: int, days: int) -> InteractionLog:
    """A synthetic tenant's first days as a log."""
    lines = draw_lines(Market(world, traits(world, number), -(-days // 7)), 0, days)
    begins = datetime.combine(world.first_day, datetime.min.time(), UTC)
    customers, customer = np.unique(lines.customer, return_inverse=True)
    products, product = np.unique(lines.product, return_inverse=True)
    return InteractionLog(
        tenant_id=traits(world, number).tenant_id,
        as_of=begins + timedelta(days=days),
        customer_ids=customer_ids(customers),
        product_ids=product_ids(products),
        customer=customer.astype(np.int32),
        product=product.astype(np.int32),
        occurred_at=(int(begins.timestamp()) + lines.day * 86_400 + lines.second) * 1_000_000,
        quantity=lines.quantity,
        amount=lines.amount,
    )


def everybody(retail: OnlineRetail) -> list[Tenants]:
    """The three kinds of tenants."""
    return [large(retail), small(retail), synthetic()]


def compare(
    retail: OnlineRetail,
    head: str,
    recipes: Iterable[tuple[str, Callable[[Holdout], Recipe]]],
    seeds: Sequence[int] = (1,),
) -> Iterator[str]:
    """A table: a line a recipe, a column a kind of tenant."""
    kinds = everybody(retail)
    yield f"| {head} | " + " | ".join(kind.name for kind in kinds) + " |"
    yield "|---" * (len(kinds) + 1) + "|"
    for label, recipe_of in recipes:
        cells = [kind.try_out(recipe_of, seeds) for kind in kinds]
        yield f"| {label} | " + " | ".join(cells) + " |"


def tenants(retail: OnlineRetail) -> Iterator[str]:
    """Who was measured."""
    yield "| | nights | lines | customers | products | judged | popularity's NDCG@10 |"
    yield "|---" * 7 + "|"
    for kind in everybody(retail):
        yield kind.describe()


def regularization(retail: OnlineRetail) -> Iterator[str]:
    """Alpha and the relative regularization."""
    choices = [(a, r) for a in (1, 3, 10, 20) for r in (0.2, 0.35, 0.45, 0.55, 0.7)]
    return compare(
        retail,
        "alpha, regularization",
        [(f"{a}, {r}", _always(Recipe(alpha=a, regularization=r))) for a, r in choices],
    )


def absolute(retail: OnlineRetail) -> Iterator[str]:
    """One absolute λ for everybody, at the default alpha."""

    def recipe_of(penalty: float) -> Callable[[Holdout], Recipe]:
        def of(holdout: Holdout) -> Recipe:
            used = holdout.history[np.diff(holdout.history.indptr) > 0][:, holdout.candidates]
            unit = scaled_penalty(Recipe(regularization=1), used)
            return Recipe(regularization=penalty / unit)

        return of

    penalties = (5, 15, 30, 60, 90)
    return compare(retail, "λ", [(f"{penalty}", recipe_of(penalty)) for penalty in penalties])


def factors(retail: OnlineRetail) -> Iterator[str]:
    """The length of the vectors, over three seeds."""
    return compare(
        retail,
        "factors",
        [(f"{n}", _always(Recipe(factors=n))) for n in (16, 32, 64, 128)],
        seeds=range(1, 4),
    )


def signals(retail: OnlineRetail) -> Iterator[str]:
    """What a pair of customer and product counts as."""
    return compare(
        retail,
        "signal",
        [
            ("log_lines", _always(Recipe(signal="log_lines"))),
            ("lines", _always(Recipe(signal="lines"))),
            ("log_quantity", _always(Recipe(signal="log_quantity"))),
            ("binary", _always(Recipe(signal="binary"))),
        ],
    )


def nights(retail: OnlineRetail) -> Iterator[str]:
    """Three nights of the large tenant as they would be judged, three times over."""
    yield "| seed | as of | verdict | NDCG@10 | skill | gain | from |"
    yield "|---" * 7 + "|"
    recipe = Recipe()
    logs = [retail.log("United Kingdom", as_of, returns=True) for as_of in NIGHTS]
    for seed in range(1, 4):
        champion: AlsModel | None = None
        promoted = NIGHTS[0]
        for log in logs:
            holdout = holdout_of(log, recipe)
            model = fit_on(holdout, log, recipe, seed)
            scores: dict[str, Score | None] = {
                name: score(holdout, fold_in(contender, holdout.history, log.product_ids))
                for name, contender in (("challenger", model), ("champion", champion))
                if contender is not None
            }
            scores["popularity"] = score_popularity(holdout)
            days = None if champion is None else float((log.as_of - promoted).days)
            verdict = judge(holdout, scores, Policy(), seed=seed, champion_days=days)
            metrics = flatten(verdict.numbers)
            if verdict.kind == "promote":
                champion, promoted = model, log.as_of
            yield (
                f"| {seed} | {log.as_of:%Y-%m-%d} | {verdict.kind} "
                f"| {metrics['ndcg_at_10_challenger']:.4f} | {metrics['skill_challenger']:.2%} "
                f"| {metrics['gain_value']:.2%} | {metrics['gain_low']:.2%} |"
            )


def milliseconds(retail: OnlineRetail) -> Iterator[str]:
    """Milliseconds of one core, the best of five."""
    yield "| tenant | lines | factors | fit | fold in | score | judge | rank | dump and load |"
    yield "|---" * 9 + "|"
    logs = [*synthetic().logs[:5], retail.log("Germany", NIGHTS[2], returns=True)]
    for log in [*logs, retail.log("United Kingdom", NIGHTS[2], returns=True)]:
        yield _timed(log)


def _timed(log: InteractionLog) -> str:
    recipe, policy = Recipe(), Policy(minimum_holdout_customers=2)
    holdout = holdout_of(log, recipe)
    model = fit_on(holdout, log, recipe)
    factors = fold_in(model, holdout.history, log.product_ids)
    got, popularity = score(holdout, factors), score_popularity(holdout)
    scores: dict[str, Score | None]
    scores = {"challenger": got, "champion": got, "popularity": popularity}
    allowed = np.ones(len(log.product_ids), dtype=bool)
    measured: list[Callable[[], object]] = [
        lambda: fit_on(holdout, log, recipe),
        lambda: fold_in(model, holdout.history, log.product_ids),
        lambda: score(holdout, factors),
        lambda: judge(holdout, scores, policy, seed=1),
        lambda: rank(factors, holdout.history, allowed=allowed, list_length=20, offers="new"),
        lambda: load_model(dump_model(model)),
    ]
    cells = " | ".join(f"{_best(function):.1f}" for function in measured)
    return f"| {log.tenant_id} | {len(log)} | {model.product_factors.shape[1]} | {cells} |"


def _best(function: Callable[[], object]) -> float:
    spent = []
    for _ in range(5):
        begin = time.process_time()
        function()
        spent.append(time.process_time() - begin)
    return min(spent) * 1000


def _always(recipe: Recipe) -> Callable[[Holdout], Recipe]:
    return lambda _: recipe


TABLES = {
    table.__name__: table
    for table in (tenants, regularization, absolute, factors, signals, nights, milliseconds)
}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="by default all")
    chosen = parser.parse_args().tables or list(TABLES)
    retail = OnlineRetail.read(online_retail_path())
    for name in chosen:
        print(f"\n{name}: {TABLES[name].__doc__}\n", flush=True)
        for line in TABLES[name](retail):
            print(line, flush=True)


if __name__ == "__main__":
    main()
