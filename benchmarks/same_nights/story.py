"""What one side does: nights of a fleet in which everything happens, by the code of one checkout.

An interpreter that imports ``recfleet`` from that checkout, which may be an older one, runs this
file. The file knows the names of the functions that a night's tasks call, and looks for the modules
that define them, because modules move from one version to the next.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import structlog

WEEK = timedelta(weeks=1)
LAST = datetime(2025, 12, 28, tzinfo=UTC)
"""The last of the four weekly nights; the demo's fleet is made for them."""
RETAIL_NIGHTS = ("2011-11-25", "2011-12-02", "2011-12-10")
_SHOPS = 8
REPAIRED = "shop-7"
"""The shop with a wrong late file, so that the night rolls back to the previous model."""
_SOLD = range(-20, 6)
"""The shops sell in these weeks before and after LAST."""


def find(*names: str) -> Any:
    """The checkout's function with the first of these names that exists.

    Args:
        names: its present and earlier names; it may be defined anywhere below ``recfleet``.

    Raises:
        LookupError: none of the names is defined in exactly one module.
    """
    root = Path(str(importlib.import_module("recfleet").__file__)).parent
    texts = {path: path.read_text() for path in sorted(root.rglob("*.py"))}
    for name in names:
        defined = re.compile(rf"^def {name}\(", re.MULTILINE)
        places = [path for path, text in texts.items() if defined.search(text)]
        if len(places) == 1:
            parts = places[0].relative_to(root.parent).with_suffix("").parts
            return getattr(importlib.import_module(".".join(parts)), name)
    raise LookupError(f"{root} has no function, or several, of the name {' or '.join(names)}")


def prepare() -> None:
    """Bring the tables of both databases to this version's state."""
    from recfleet.database import migrate
    from recfleet.registry import upgrade_store

    migrate(os.environ["RECFLEET_DATABASE_URL"])
    upgrade_store(os.environ["RECFLEET_MLFLOW_STORE_URL"])


def night(run_id: str, as_of: datetime, tenants: Sequence[str] | None = None) -> None:
    """A night from plan to close, stage after stage, as the DAG does it."""
    _say(f"night {run_id}")
    stages, run_stage = importlib.import_module("recfleet.fleet.stages").STAGES, find("run_stage")
    conf = {} if tenants is None else {"tenants": list(tenants)}
    shards = find("plan_night", "plan")(run_id, None, as_of, conf)
    for stage in ("validate", "train_and_judge"):
        for shard in shards:
            run_stage(stages[stage], run_id, shard)
    find("decide_night", "decide")(run_id)
    for shard in shards:
        run_stage(stages["publish"], run_id, shard)
    find("close_night", "close")(run_id)


def backfill(run_id: str, tenants: Sequence[str], first: str, last: str, **conf: Any) -> None:
    """A backfill from plan to close, task after task, as the DAG does it."""
    _say(f"backfill {run_id}")
    run_stage = find("run_stage")
    asked = {"tenants": list(tenants), "from": first, "to": last, **conf}
    for shard in find("plan_backfill")(run_id, asked, triggered_by="a person"):
        find("replay_backfill", "replay")(run_id, shard, run_stage=run_stage)
    for shard in find("decide_backfill")(run_id):
        find("publish_backfill")(run_id, shard, run_stage=run_stage)
    find("close_backfill")(run_id)


def command(*words: str) -> None:
    """The command ``recfleet``, as a person calls it.

    Raises:
        AssertionError: the command failed.
    """
    from recfleet.cli import main

    _say("recfleet " + " ".join(words))
    before, sys.argv = sys.argv, ["recfleet", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"recfleet {' '.join(words)} ended with {end.code}") from end
    finally:
        sys.argv = before


def story(retail: str | None) -> None:
    """Run the whole story.

    Args:
        retail: the UCI Online Retail file; its tenants have three nights as well.
    """
    prepare()
    _seed()
    _set_policies()
    night("first", LAST - 3 * WEEK)
    _after_the_first_night()
    night("second", LAST - 2 * WEEK)
    _sell_late(range(-10, -1), turned=True, lines=3)
    night("third", LAST - WEEK)
    _after_the_third_night()
    _repair_feed()
    night("fourth", LAST)
    night("the day after", LAST + timedelta(days=1))
    _backfills()
    _sell_late(range(4), turned=True, lines=3)
    with _variables(RECFLEET_BRAKE_SHARE="0", RECFLEET_BRAKE_LEAST="0"):
        night("held", LAST + 5 * WEEK, _shops())
    command("approvals", "approve", "--all", "--yes", "--reason", "the season is real")
    night("the last", LAST + 6 * WEEK, _shops())
    if retail:
        _retail(retail)
    command("doctor")
    command("audit", "verify")


def _seed() -> None:
    from recfleet.database import connect
    from recfleet.synthetic import DEMO_TENANTS, demo_world, seed

    _say("seeding")
    with closing(connect()) as connection:
        seed(connection, demo_world(), tenants=DEMO_TENANTS, until=(LAST + WEEK).date())
        _sell(connection, _SOLD)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into product (tenant_id, product_id, name, category) "
                "select 'shop-6', 'p' || to_char(number, 'FM000'), 'Product ' || number, "
                "case when number % 5 = 0 then 'spirits' else 'food' end "
                "from generate_series(0, 79) as number"
            )


def _sell(
    connection: Any,
    weeks: range,
    *,
    shops: Sequence[str] = (),
    turned: bool = False,
    lines: int = 1,
) -> None:
    """Make each of the shops' customers buy almost only from one of four ranges of products.

    Args:
        connection: to commit on.
        weeks: the weeks, counted from LAST.
        shops: only these; empty: all.
        turned: whether the ranges have other products than usual.
        lines: of each customer in a week.
    """
    from recfleet.database import copy_rows
    from recfleet.tenants import add_tenants

    customers = 100
    add_tenants(connection, {name: name.title() for name in _shops()})
    rows = []
    for number, name in enumerate(_shops()):
        if shops and name not in shops:
            continue
        size = 60 if name == REPAIRED else 20
        weights = 1.0 / np.sqrt(np.arange(1, size + 1))
        weights /= weights.sum()
        draws = np.random.default_rng([number, weeks.start + 100, turned])
        for week, customer, line in product(weeks, range(customers), range(lines)):
            place, taste = int(draws.choice(size, p=weights)), customer % 4
            bought = taste * size + place if turned else taste + 4 * place
            moment = LAST + week * WEEK + timedelta(minutes=60 * customer + line + 30 * turned)
            values = (f"c{customer:03}", f"p{bought:03}", 1, 9.5)
            rows.append((name, moment.isoformat(), int(draws.integers(2**62)), *values))
    columns = ["tenant_id", "occurred_at", "line_hash", "customer_id", "product_id"]
    copy_rows(connection, "interaction", [*columns, "quantity", "amount"], rows)
    connection.commit()


def _sell_late(weeks: range, **what: Any) -> None:
    """Load a late file: further purchases in these weeks."""
    from recfleet.database import connect

    with closing(connect()) as connection:
        _sell(connection, weeks, **what)


def _repair_feed() -> None:
    """Delete the lines of one shop's late file, which belonged to another shop."""
    from recfleet.database import connect

    with closing(connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "delete from interaction where tenant_id = %s "
            "and extract(minute from occurred_at) >= 30",
            (REPAIRED,),
        )


def _shops() -> list[str]:
    return [f"shop-{number}" for number in range(_SHOPS)]


def _set_policies() -> None:
    why = ("--reason", "to see it at work", "--yes")
    eager = ("recipe.factors=16", "minimum_gain=0", "cooldown_days=0")
    command("tenant", "set", *_shops(), *eager, *why)
    command("tenant", "set", "shop-2", "approval=every", *why)
    command("tenant", "set", "shop-3", "approval=first", *why)
    some = ("excluded_products=p001,p002", "excluded_customers=c003", "excluded_categories=spirits")
    command("tenant", "set", "shop-6", *some, _both_kinds(), *why)


def _both_kinds() -> str:
    """The setting for lists with products that were bought before, in the words of the checkout."""
    from recfleet.tenants.fields import policy_fields

    return "offers=both" if "offers" in policy_fields() else "recipe.repeat_purchases=true"


def _after_the_first_night() -> None:
    command("approvals", "approve", "--tenant", "shop-2", "--reason", "as good as it looks")
    command("tenant", "set-mode", "shop-4", "frozen", "--reason", "their feed is rebuilt")
    command("tenant", "set-mode", "shop-5", "off", "--reason", "they pause")


def _after_the_third_night() -> None:
    command("approvals", "reject", "--all", "--yes", "--reason", "wait a week")
    command("tenant", "set-mode", "shop-5", "on", "--reason", "they are back")
    command("tenant", "set-mode", "shop-4", "on", "--reason", "their feed is mended")
    command("rollback", "shop-0", "--reason", "complaints")
    command("promote", "shop-0", "--version", "2", "--reason", "no complaints any more")


def _backfills() -> None:
    week = ("2025-12-14", "2025-12-21")
    backfill("tried again", ["shop-1", "shop-4", "shop-6"], *week, step=7, reason="to compare")
    week = ("2025-12-22", "2025-12-29")
    backfill("put in force", ["shop-2"], *week, step=7, promote=True, reason="to catch up")


def _retail(path: str) -> None:
    from recfleet.database import connect

    command("ingest", path, "--preset", "online-retail")
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select distinct tenant_id from interaction where occurred_at < '2012-01-01' order by 1"
        )
        tenants = [name for (name,) in cursor.fetchall()]
    for day in RETAIL_NIGHTS:
        night(f"retail {day}", datetime.fromisoformat(f"{day}T00:00:00+00:00"), tenants)


def seed_fleet(tenants: int, until: datetime) -> None:
    """Seed the fleet that docs/benchmarks.md measures, with its history before a day."""
    from recfleet.synthetic import World, seed

    prepare()
    seed(os.environ["RECFLEET_DATABASE_URL"], World(seed=7), tenants=tenants, until=until.date())


def timed_night(run_id: str, as_of: datetime) -> None:
    """Run a night of the whole fleet; prints its seconds and its processor seconds as JSON."""
    started, before = time.perf_counter(), _processor()
    night(run_id, as_of)
    spent = {"seconds": time.perf_counter() - started, "processor": _processor() - before}
    print(json.dumps(spent), flush=True)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    settings = importlib.import_module("recfleet.settings")
    forget = getattr(settings, "forget_settings", None) or settings.settings.cache_clear
    os.environ.update(values)
    forget()
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]
        forget()


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def do(words: Mapping[str, str]) -> None:
    """Do what ``what`` names: ``story``, ``seed`` or ``night``."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if words["what"] == "story":
        story(words.get("retail"))
    elif words["what"] == "seed":
        seed_fleet(int(words["tenants"]), datetime.fromisoformat(words["until"]))
    else:
        timed_night(words["run_id"], datetime.fromisoformat(words["as_of"]))


if __name__ == "__main__":
    do(json.loads(sys.argv[1]))
