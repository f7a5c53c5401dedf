"""The doctor finds and mends each kind of disagreement, and reports nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from typer.testing import CliRunner

from recfleet.audit import read_entries, what_changed, where_it_came_from
from recfleet.cli import app
from recfleet.contents import digest_of
from recfleet.database import Connection, connect
from recfleet.doctor import Finding, examine, repair
from recfleet.errors import BadInputError, TenantError
from recfleet.fleet.plan import plan_night
from recfleet.fleet.stage_loop import run_stage
from recfleet.fleet.stages import STAGES
from recfleet.operations.audit import verify
from recfleet.operations.champions import roll_back
from recfleet.operations.modes import set_mode
from recfleet.registry import ArtifactStore, Registry, Surveyed, survey
from recfleet.registry.pyfunc import load_champion
from recfleet.settings import (
    RegistrySettings,
)
from recfleet.tenants import lock_tenants
from tests.aging import artifact_folder, days_pass
from tests.nights import START, WEEK, query, run_night, shop
from tests.pasts import past
from tests.roles import administer

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]

AS_OF = START + 12 * WEEK


@past
def fleet(connection: Connection) -> None:
    """alpha with a champion and one before it, berry with a first model, thin without one."""
    shop(connection, "alpha", weeks=range(12))
    shop(connection, "berry", seed=1)
    shop(connection, "thin", customers=5)
    run_night("one", AS_OF)
    # Their tastes change completely, so that the old models are useless.
    shop(connection, "alpha", weeks=range(12, 24), shuffled=True)
    run_night("two", START + 24 * WEEK, {"tenants": ["alpha"]})


def _goes_on(connection: Connection, tenant_id: str, week: int, *, shuffled: bool = False) -> None:
    """Another week of a tenant's purchases."""
    shop(connection, tenant_id, weeks=range(week, week + 1), shuffled=shuffled, seed=week)


def _found(connection: Connection, stack: RegistrySettings) -> list[Finding]:
    connection.rollback()
    return list(examine(connection, stack).findings)


def _change(connection: Connection, *statements: str) -> None:
    connection.rollback()
    # As if there were no trigger, which needs a superuser.
    administer(connection, "set session_replication_role = replica", *statements)


def _change_mlflow(stack: RegistrySettings, *statements: str) -> None:
    with closing(psycopg2.connect(stack.mlflow_store_url)) as store, store:
        for statement in statements:
            with store.cursor() as cursor:
                cursor.execute(statement)


def _mend(connection: Connection, stack: RegistrySettings, findings: list[Finding]) -> None:
    """Repair, and check that everything agrees and is in the audit."""
    done = repair(connection, stack, findings, actor="mara")
    assert [item.trouble for item in done] == [None] * len(findings)
    assert _found(connection, stack) == []
    entries = query(connection, "select actor, tenant_id from audit where kind = 'repair'")
    assert entries == [("mara", finding.tenant_id) for finding in findings]
    connection.rollback()
    assert verify(connection).faults == ()


def _models(stack: RegistrySettings) -> Registry:
    return Registry(stack.mlflow_store_url, ArtifactStore(stack.artifact_root))


def test_a_healthy_fleet_is_healthy(fleet: Connection, stack: RegistrySettings) -> None:
    found = examine(fleet, stack)
    assert (found.tenants, found.models, found.findings) == (3, 3, ())
    result = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    assert result.output == "3 tenants, 3 models: everything agrees.\n"
    assert result.exit_code == 0


def test_aliases_that_strayed(fleet: Connection, stack: RegistrySettings) -> None:
    models = _models(stack)
    models.set_champion("alpha", version=1, previous=None)
    models.set_champion("berry", version=None, previous=None)
    found = _found(fleet, stack)
    assert [(finding.tenant_id, finding.what) for finding in found] == [
        (
            "alpha",
            "champion is version 1 in MLflow, but version 2 on record; "
            "previous is none in MLflow, but version 1 on record",
        ),
        ("berry", "champion is none in MLflow, but version 1 on record"),
    ]
    _mend(fleet, stack, found)
    assert survey(stack.mlflow_store_url)["alpha"].aliases == {"champion": 2, "previous": 1}


def test_an_alias_of_a_tenant_without_a_champion(
    fleet: Connection, stack: RegistrySettings
) -> None:
    _change(
        fleet,
        "delete from live_release where tenant_id = 'berry'",
        "delete from champion where tenant_id = 'berry'",
    )
    found = _found(fleet, stack)
    assert [(finding.check, finding.what) for finding in found] == [
        ("audit", "entry 2 of the audit made version 1 champion, but none is on record"),
        ("aliases", "champion is version 1 in MLflow, but none on record"),
    ]
    _mend(fleet, stack, found)


def test_a_version_that_a_person_deleted(fleet: Connection, stack: RegistrySettings) -> None:
    from mlflow.tracking import MlflowClient

    # Through MLflow itself, as its page does it.
    url = stack.mlflow_store_url.replace("postgresql://", "postgresql+psycopg2://")
    MlflowClient(url, url).delete_model_version("als-alpha", "2")
    MlflowClient(url, url).delete_registered_model("als-berry")
    found = _found(fleet, stack)
    assert [(finding.check, finding.tenant_id, finding.version) for finding in found] == [
        ("versions", "alpha", 2),
        ("versions", "berry", 1),
        ("aliases", "alpha", None),
        ("aliases", "berry", None),
    ]
    _mend(fleet, stack, found)
    [(run_id, model_uri)] = query(
        fleet, "select run_id, model_uri from champion where role = 'champion' and version = 2"
    )
    back = _models(stack).get_version("alpha", 2)
    assert (back.run_id, back.model_uri, back.tags["tenant"]) == (run_id, model_uri, "alpha")
    assert MlflowClient(url, url).get_model_version_by_alias("als-berry", "champion").version
    # The next night continues the numbers from there.
    shop(fleet, "alpha", weeks=range(24, 36), seed=3)
    run_night("three", START + 36 * WEEK, {"tenants": ["alpha"]})
    assert _found(fleet, stack) == []


def test_a_version_of_another_run(fleet: Connection, stack: RegistrySettings) -> None:
    _change_mlflow(
        stack,
        "update model_versions set run_id = repeat('a', 32) where name = 'als-berry'",
    )
    [finding] = found = _found(fleet, stack)
    assert finding.what.startswith(f"version 1, its champion, is of run {'a' * 32} in MLflow")
    _mend(fleet, stack, found)


def _folder(connection: Connection, stack: RegistrySettings, tenant_id: str, role: str) -> Path:
    [(uri,)] = query(
        connection,
        "select model_uri from champion where tenant_id = %s and role = %s",
        tenant_id,
        role,
    )
    folder = Path(uri.removeprefix("file://"))
    assert artifact_folder(stack) in folder.parents
    return folder


def test_a_champions_files_are_gone_or_damaged(fleet: Connection, stack: RegistrySettings) -> None:
    shutil.rmtree(_folder(fleet, stack, "berry", "champion"))
    factors = _folder(fleet, stack, "alpha", "champion") / "product_factors.npy"
    factors.write_bytes(factors.read_bytes()[:-1] + b"\x01")
    alpha, berry = _found(fleet, stack)
    assert alpha.what.startswith("version 2, its champion, cannot be loaded: The folder")
    assert "product_factors.npy was changed" in alpha.what
    assert alpha.repair is None
    assert alpha.advice is not None
    assert "`recfleet rollback alpha --reason …` goes back to version 1" in alpha.advice
    assert "are gone" in berry.what
    assert berry.advice is not None
    assert "`recfleet night run --tenant berry` trains a new model" in berry.advice
    # What cannot be repaired stays, and is reported again.
    result = CliRunner().invoke(app, ["doctor", "--repair"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "2 things still disagree among 3 tenants" in result.output
    assert repair(fleet, stack, [alpha, berry], actor="mara") == []
    # A night helps, as the report says.
    _goes_on(fleet, "berry", 12)
    run_night("help", AS_OF + WEEK, {"tenants": ["berry"]})
    alpha, berry = _found(fleet, stack)
    assert berry.what.startswith("version 1, the one before its champion, cannot be loaded")
    repair(fleet, stack, [berry], actor="mara")
    assert _found(fleet, stack) == [alpha]


def test_nobody_goes_back_to_a_damaged_model(fleet: Connection, stack: RegistrySettings) -> None:
    folder = _folder(fleet, stack, "alpha", "previous")
    (folder / "product_ids.json").unlink()
    [finding] = found = _found(fleet, stack)
    assert finding.repair == "drops it as previous, so that nobody goes back to it"
    _mend(fleet, stack, found)
    assert folder.exists()
    assert sorted(survey(stack.mlflow_store_url)["alpha"].runs) == [1, 2]


# --- Another model in a model's place -------------------------------------------------------------


def _exchange(folder: Path) -> None:
    """Put other factors into a model's folder, with the checksum that belongs to them."""
    factors = folder / "product_factors.npy"
    content = factors.read_bytes()
    other = content[:128] + content[128:][::-1]
    factors.write_bytes(other)
    head = folder / "model.json"
    told = json.loads(head.read_text())
    told["sha256"][factors.name] = hashlib.sha256(other).hexdigest()
    head.write_text(json.dumps(told, indent=2))


def _load_plainly(tenant_id: str) -> object:
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(f"models:/als-{tenant_id}@champion")


@pytest.fixture
def notebook(stack: RegistrySettings) -> Iterator[None]:
    """MLflow as a person's program uses it."""
    import mlflow

    mlflow.set_tracking_uri(stack.mlflow_store_url)
    yield
    mlflow.set_tracking_uri("")


@pytest.mark.usefixtures("notebook")
def test_an_exchanged_model_is_used_by_nobody(fleet: Connection, stack: RegistrySettings) -> None:
    """Array and checksum are exchanged together, so that the folder agrees with itself."""
    live = query(fleet, "select tenant_id, release_id from live order by 1")
    for tenant_id, role in (("berry", "champion"), ("alpha", "previous")):
        _exchange(_folder(fleet, stack, tenant_id, role))

    alpha, berry = _found(fleet, stack)
    told = "model.json and product_factors.npy were changed"
    assert berry.what.startswith("version 1, its champion, cannot be loaded")
    assert told in berry.what
    assert told in alpha.what
    for load in (_load_plainly, load_champion):
        with pytest.raises(TenantError, match="Version 1 of als-berry is not what was registered"):
            load("berry")
    with pytest.raises(BadInputError, match=told):
        roll_back(fleet, "alpha", actor="mara", reason="to the one before")
    set_mode(fleet, ["berry"], "frozen", actor="mara", reason="to look closer")
    for tenant_id in ("alpha", "berry"):
        _goes_on(fleet, tenant_id, 24, shuffled=True)
    run_night("three", START + 25 * WEEK, {"tenants": ["alpha", "berry"]})
    [(outcome, reason)] = query(
        fleet,
        "select outcome, reason from tenant_night where tenant_id = 'berry' and run_id = 'three'",
    )
    assert outcome == "failed"
    assert reason.startswith("publish: version 1 cannot be loaded")
    assert told in reason
    now = dict(query(fleet, "select tenant_id, release_id from live"))
    assert now["berry"] == dict(live)["berry"]
    assert now["alpha"] != dict(live)["alpha"]


@pytest.mark.usefixtures("notebook")
def test_a_loader_that_is_not_ours_never_runs(
    fleet: Connection, stack: RegistrySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(fleet, stack, "berry", "champion")
    mlmodel = folder / "MLmodel"
    text = mlmodel.read_text().replace("recfleet.registry.pyfunc", "foreign_loader")
    mlmodel.write_text(text)
    (tmp_path / "foreign_loader.py").write_text("_load_pyfunc = print\n")
    monkeypatch.syspath_prepend(tmp_path)

    [finding] = _found(fleet, stack)

    assert "MLmodel was changed" in finding.what
    with pytest.raises(TenantError, match="is not what was registered"):
        load_champion("berry")
    assert "foreign_loader" not in sys.modules


@pytest.mark.parametrize("strange", ["file", "link", "folder"])
@pytest.mark.usefixtures("notebook")
def test_what_does_not_belong_into_a_models_folder(
    fleet: Connection, stack: RegistrySettings, strange: str
) -> None:
    assert load_champion("berry").model.product_ids.size
    assert _load_plainly("berry")  # MLflow leaves a file of its own, which belongs there.
    assert _found(fleet, stack) == []
    folder = _folder(fleet, stack, "berry", "champion")
    if strange == "file":
        (folder / "code.py").write_text("print()")
    elif strange == "folder":
        (folder / "code.py").mkdir()
    else:
        content = folder / "product_ids.json"
        content.rename(folder.parent / "elsewhere.json")
        content.symlink_to(folder.parent / "elsewhere.json")

    [finding] = _found(fleet, stack)

    name = "product_ids.json" if strange == "link" else "code.py"
    assert f"{name} does not belong there" in finding.what
    for load in (_load_plainly, load_champion):
        with pytest.raises(TenantError):
            load("berry")


def test_a_digest_that_was_changed_behind_the_audits_back(
    fleet: Connection, stack: RegistrySettings
) -> None:
    [(contents,)] = query(fleet, "select contents from champion where tenant_id = 'berry'")
    facts = "select facts -> 'contents' from audit where tenant_id = 'berry' and to_version = 1"
    assert query(fleet, facts) == [(contents,)]
    tags = _models(stack).get_version("berry", 1).tags
    assert tags["digest"] == digest_of(contents)
    _change(
        fleet,
        'update champion set contents = contents || \'{"MLmodel": "3 00"}\' '
        "where tenant_id = 'berry'",
        "update champion set contents = null where tenant_id = 'alpha' and role = 'previous'",
    )
    wrong = [fault.what for fault in verify(fleet).faults]
    assert "alpha: entry 1 of the audit has another digest of version 1 than the record." in wrong
    found = _found(fleet, stack)
    digests = [finding for finding in found if finding.check == "digests"]
    assert [finding.tenant_id for finding in digests] == ["alpha", "berry"]
    _mend(fleet, stack, digests)
    _change_mlflow(stack, "update model_version_tags set value = 'other' where key = 'digest'")
    found = _found(fleet, stack)
    assert {finding.check for finding in found} == {"versions"}
    repair(fleet, stack, found, actor="mara")
    assert _models(stack).get_version("berry", 1).tags == tags
    assert _found(fleet, stack) == []


def test_a_champion_of_a_release_without_digests(
    fleet: Connection, stack: RegistrySettings
) -> None:
    """A repair records what is there, as first seen; before that, it is used as it always was."""
    _change(
        fleet,
        "update champion set contents = null",
        "alter table audit disable trigger append_only",
        "update audit set facts = facts - 'contents'",
        "alter table audit enable always trigger append_only",
        "update ledger set challenger = challenger - 'contents'",
    )
    _change_mlflow(stack, "delete from model_version_tags where key = 'digest'")
    found = _found(fleet, stack)
    assert [finding.check for finding in found] == ["digests"] * 3
    assert "version 2, its champion, has no digest on record" in found[0].what
    roll_back(fleet, "alpha", actor="mara", reason="to the one before")
    told = "select facts -> 'first_seen' from history where tenant_id = 'alpha' and to_version = 1"
    assert query(fleet, told + " order by audit_id desc limit 1") == [(True,)]
    [berry] = _found(fleet, stack)
    assert [done.trouble for done in repair(fleet, stack, [berry], actor="mara")] == [None]
    assert _found(fleet, stack) == []
    entry = read_entries(fleet, "berry")[-1]
    assert where_it_came_from(entry)[0].startswith("files first seen, digest ")
    _exchange(_folder(fleet, stack, "berry", "champion"))
    [finding] = _found(fleet, stack)
    assert "were changed" in finding.what


def test_quick_reads_some_of_the_files(
    fleet: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(_folder(fleet, stack, "berry", "champion"))
    monkeypatch.setattr("recfleet.doctor._files._SAMPLED", 10**9)
    assert examine(fleet, stack, quick=True).findings == ()
    monkeypatch.setattr("recfleet.doctor._files._SAMPLED", 1)
    assert len(examine(fleet, stack, quick=True).findings) == 1


LIVE_ALPHA = "(select release_id from live_release where tenant_id = 'alpha')"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            (
                f"delete from recommendation where release_id = {LIVE_ALPHA} "
                "and customer_id = 'c0001'",
            ),
            "is not complete: it has 119 of 120 lists",
        ),
        ((f"update release set checks = '[]' where release_id = {LIVE_ALPHA}",), "never checked"),
        (
            (
                'update release set checks = \'[{"name": "x", "detail": "y", "passed": false}]\' '
                f"where release_id = {LIVE_ALPHA}",
            ),
            "failed its checks",
        ),
        (
            (
                "update live_release set (release_id, night_id) = (select release_id, night_id "
                "from release where tenant_id = 'alpha' and model_version = 1) "
                "where tenant_id = 'alpha'",
            ),
            "is of version 1, but the champion on record is version 2",
        ),
        (
            (f"update release set run_id = 'other' where release_id = {LIVE_ALPHA}",),
            "is of run other, but the champion on record is of run",
        ),
        (
            ("delete from live_release where tenant_id = 'alpha'",),
            "version 2 is its champion, but nothing is live",
        ),
    ],
)
def test_what_is_live_may_not_be(
    fleet: Connection, stack: RegistrySettings, statements: tuple[str, ...], said: str
) -> None:
    _change(fleet, *statements)
    [finding] = found = _found(fleet, stack)
    assert (finding.check, finding.tenant_id) == ("lists", "alpha")
    assert said in finding.what
    _mend(fleet, stack, found)
    assert query(
        fleet,
        "select model_version, customers from live_release join release using (release_id) "
        "where release.tenant_id = 'alpha'",
    ) == [(2, 120)]
    assert _found(fleet, stack) == []


def test_lists_of_a_model_that_is_gone_are_gone_back_to(
    fleet: Connection, stack: RegistrySettings
) -> None:
    """If nothing can be published, the champion's kept lists are live again."""
    [(kept,)] = query(fleet, "select release_id from live_release where tenant_id = 'berry'")
    _goes_on(fleet, "berry", 12)
    run_night("again", AS_OF + WEEK, {"tenants": ["berry"]})
    _change(
        fleet,
        "delete from recommendation where release_id = "
        "(select release_id from live_release where tenant_id = 'berry') and customer_id = 'c0002'",
    )
    assert query(fleet, "select version from champion where tenant_id = 'berry'") == [(1,)]
    shutil.rmtree(_folder(fleet, stack, "berry", "champion"))
    lists = [finding for finding in _found(fleet, stack) if finding.check == "lists"]
    assert [item.trouble for item in repair(fleet, stack, lists, actor="mara")] == [None]
    assert query(fleet, "select release_id from live_release where tenant_id = 'berry'") == [
        (kept,)
    ]


def test_lists_of_nobody(fleet: Connection, stack: RegistrySettings) -> None:
    _change(fleet, "delete from tenant where tenant_id = 'thin'")
    [finding] = found = _found(fleet, stack)
    assert finding.what == (
        "release "
        + str(query(fleet, "select release_id from release where tenant_id = 'thin'")[0][0])
        + " is live, but there is no such tenant"
    )
    _mend(fleet, stack, found)
    assert query(fleet, "select count(*) from release where tenant_id = 'thin'") == [(1,)]


def test_the_record_was_changed_behind_the_audits_back(
    fleet: Connection, stack: RegistrySettings
) -> None:
    _change(
        fleet,
        "alter table audit disable trigger append_only",
        "update audit set to_version = 9 where tenant_id = 'berry'",
        "alter table audit enable always trigger append_only",
    )
    champion, digest = found = _found(fleet, stack)
    assert (
        champion.what == "entry 2 of the audit made version 9 champion, but version 1 is on record"
    )
    assert digest.what == ("the record has a digest of version 1, but no entry of the audit has it")
    done = repair(fleet, stack, found, actor="mara")
    assert [item.trouble for item in done] == [None, None]
    assert _found(fleet, stack) == []
    fleet.rollback()
    # The changed entry itself can be neither mended nor hidden.
    assert [fault.entry for fault in verify(fleet).faults] == [2]


def test_a_mode_that_was_changed_behind_the_audits_back(
    fleet: Connection, stack: RegistrySettings
) -> None:
    _change(fleet, "update tenant set mode = 'frozen' where tenant_id = 'berry'")
    [finding] = found = _found(fleet, stack)
    assert finding.what == "it is frozen on record, but no entry of the audit made it so"
    _mend(fleet, stack, found)
    assert query(fleet, "select reason from audit where kind = 'repair'") == [
        (
            "It is frozen on record, but no entry of the audit made it so. The repair writes what "
            "is on record into the audit, so that the audit continues from there",
        )
    ]
    assert what_changed(read_entries(fleet, "berry")[-1]) == "repair: mode frozen"
    _change(fleet, "update tenant set mode = 'on' where tenant_id = 'berry'")
    assert "made it frozen, but on record it is on" in _found(fleet, stack)[0].what


def test_a_policy_that_was_changed_behind_the_audits_back(
    fleet: Connection, stack: RegistrySettings
) -> None:
    own = '{"approval": "every"}'
    _change(fleet, f"update tenant set policy = '{own}' where tenant_id = 'berry'")
    [finding] = found = _found(fleet, stack)
    what = "its policy has approval every on record, but no entry of the audit made it so"
    assert finding.what == what
    fleet.rollback()
    assert [fault.what for fault in verify(fleet).faults] == [f"berry: {what}."]
    _mend(fleet, stack, found)
    assert what_changed(read_entries(fleet, "berry")[-1]) == "repair: policy approval every"
    _change(fleet, "update tenant set policy = '{}' where tenant_id = 'berry'")
    [finding] = found = _found(fleet, stack)
    assert "has approval every after entry" in finding.what
    assert [item.trouble for item in repair(fleet, stack, found, actor="mara")] == [None]
    assert _found(fleet, stack) == []
    assert what_changed(read_entries(fleet, "berry")[-1]) == "repair: policy as the fleet"


def test_a_night_that_nobody_goes_on_with(fleet: Connection, stack: RegistrySettings) -> None:
    _goes_on(fleet, "alpha", 24, shuffled=True)
    plan_night("stuck", None, START + 25 * WEEK, {})
    assert _found(fleet, stack) == []
    days_pass(fleet, stack, 0.3)
    [finding] = _found(fleet, stack)
    assert finding.tenant_id is None
    assert "(stuck) has been running since" in finding.what
    # Only the report, though closing a night writes to the log.
    mended = CliRunner().invoke(app, ["doctor", "--repair", "--json"], catch_exceptions=False)
    assert json.loads(mended.stdout)["left"] == []
    assert query(fleet, "select status from night where run_id = 'stuck'") == [("failed",)]


def test_a_night_whose_task_lives_is_not_stuck(
    fleet: Connection, stack: RegistrySettings, database_url: str
) -> None:
    _goes_on(fleet, "alpha", 24, shuffled=True)
    plan_night("slow", None, START + 25 * WEEK, {})
    [(night_id,)] = query(fleet, "select night_id from night where run_id = 'slow'")
    with fleet.cursor() as cursor:
        cursor.execute(
            "insert into shard_run (night_id, stage, shard, attempt, started_at) "
            "values (%s, 'train_and_judge', 0, 1, now())",
            (night_id,),
        )
    fleet.commit()
    days_pass(fleet, stack, 0.3)
    with closing(connect(database_url)) as task:
        with task.cursor() as cursor:
            name = f"night {night_id} shard 0 train_and_judge"
            cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
        task.commit()
        assert _found(fleet, stack) == []
        # As when it dies: the server notices a closed connection a moment later.
        with task.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_all()")
        task.commit()
        assert len(_found(fleet, stack)) == 1


def test_tenants_left_under_way_in_a_night_that_ended(
    fleet: Connection, stack: RegistrySettings
) -> None:
    _goes_on(fleet, "alpha", 24, shuffled=True)
    plan_night("odd", None, START + 25 * WEEK, {})
    _change(fleet, "update night set status = 'done', finished_at = now() where run_id = 'odd'")
    assert _found(fleet, stack) == []  # It may be ending just now.
    days_pass(fleet, stack, 0.3)
    [finding] = found = _found(fleet, stack)
    assert "has ended, but" in finding.what
    _mend(fleet, stack, found)


@pytest.fixture
def dead_promotion(
    fleet: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A night that died after MLflow's aliases had moved, before anything was on record."""
    as_of = START + 25 * WEEK
    shop(fleet, "cherry", seed=4, weeks=range(12, 25))
    shards = plan_night("dead", None, as_of, {"tenants": ["cherry"]})
    for stage in ("validate", "train_and_judge"):
        run_stage(STAGES[stage], "dead", shards[0])

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("recfleet.releases.switch_live", die)
        with pytest.raises(KeyboardInterrupt):
            run_stage(STAGES["publish"], "dead", shards[0])
    assert survey(stack.mlflow_store_url)["cherry"].aliases == {"champion": 1}
    return "cherry"


def test_a_promotion_that_is_under_way_is_no_disagreement(
    fleet: Connection, stack: RegistrySettings, dead_promotion: str
) -> None:
    """It is not known yet whether its process is dead."""
    assert _found(fleet, stack) == []


def test_a_promotion_that_died(
    fleet: Connection, stack: RegistrySettings, dead_promotion: str
) -> None:
    days_pass(fleet, stack, 0.3)
    found = _found(fleet, stack)
    assert [(finding.check, finding.tenant_id) for finding in found] == [
        ("nights", None),
        ("intents", "cherry"),
    ]
    done = repair(fleet, stack, found, actor="mara")
    assert [item.trouble for item in done] == [None, None]
    assert _found(fleet, stack) == []
    assert survey(stack.mlflow_store_url)["cherry"].aliases == {}
    assert survey(stack.mlflow_store_url)["cherry"].runs.keys() == {1}


def _ask(connection: Connection, *, against: int, expires: str, version: int = 1) -> None:
    """Make the last night's challenger a version of berry's that waits for a person."""
    _change(
        connection,
        "insert into approval (tenant_id, night_id, change, version, run_id, against, held_by, "
        f"expires_at) select 'berry', night_id, 'promotion', {version}, challenger ->> 'run_id', "
        f"{against}, 'policy', now() + interval '{expires}' from ledger where tenant_id = 'berry'",
    )


def test_a_request_that_has_expired(fleet: Connection, stack: RegistrySettings) -> None:
    _ask(fleet, against=1, expires="-1 hour")
    assert _found(fleet, stack) == []  # The next night ends it.
    days_pass(fleet, stack, 2)
    _change(fleet, "update approval set expires_at = now() - interval '2 days'")
    [finding] = found = _found(fleet, stack)
    assert "request 1, for version 1, still waits but expired" in finding.what
    done = repair(fleet, stack, found, actor="mara")
    assert [item.trouble for item in done] == [None]
    assert _found(fleet, stack) == []
    assert query(fleet, "select status, is_told from approval") == [("expired", True)]
    assert query(fleet, "select kind from audit order by audit_id desc limit 2") == [
        ("repair",),
        ("expired",),
    ]


def test_a_request_against_a_champion_that_was(fleet: Connection, stack: RegistrySettings) -> None:
    _ask(fleet, against=7, expires="1 day")
    [finding] = found = _found(fleet, stack)
    assert finding.what == (
        "request 1, for version 1, waits against version 7 as champion, but version 1 is champion "
        "on record"
    )
    repair(fleet, stack, found, actor="mara")
    assert _found(fleet, stack) == []
    assert query(fleet, "select status from approval") == [("overtaken",)]


def test_a_version_that_waits_is_gone(fleet: Connection, stack: RegistrySettings) -> None:
    """It is restored from its night's record, with the files that are still there."""
    _ask(fleet, against=1, expires="1 day", version=2)
    [finding] = found = _found(fleet, stack)
    assert finding.what == "version 2, which awaits approval, is not in MLflow"
    _mend(fleet, stack, found)
    assert survey(stack.mlflow_store_url)["berry"].runs.keys() == {1, 2}
    shutil.rmtree(_folder(fleet, stack, "berry", "champion"))
    assert [(finding.check, finding.repair) for finding in _found(fleet, stack)] == [
        ("files", None),
        ("files", None),
    ]


def test_a_change_in_the_moment_of_looking_is_no_disagreement(
    fleet: Connection, stack: RegistrySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding without the tenant's lock is checked again with it."""
    seen: list[object] = []

    def stale_at_first(url: str, tenant_ids: Collection[str] | None) -> dict[str, Surveyed]:
        found = survey(url, tenant_ids)
        if tenant_ids is None:
            found.pop("alpha")
            seen.append(1)
        return found

    monkeypatch.setattr("recfleet.doctor._models.survey", stale_at_first)
    assert _found(fleet, stack) == []
    assert len(seen) == 2


def test_a_repair_waits_for_whoever_has_the_tenant(
    fleet: Connection, stack: RegistrySettings, database_url: str
) -> None:
    _models(stack).set_champion("berry", version=None, previous=None)
    found = _found(fleet, stack)
    with closing(connect(database_url)) as other:
        lock_tenants(other, ["berry"])
        fleet.rollback()
        with fleet.cursor() as cursor:
            cursor.execute("set lock_timeout = '200ms'")
        fleet.commit()
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            repair(fleet, stack, found, actor="mara")
        other.rollback()
    _mend(fleet, stack, found)


def test_everything_at_once_on_the_command_line(fleet: Connection, stack: RegistrySettings) -> None:
    _models(stack).set_champion("alpha", version=1, previous=None)
    _change_mlflow(
        stack,
        "delete from model_version_tags where name = 'als-berry'",
        "delete from model_versions where name = 'als-berry'",
    )
    _change(
        fleet,
        "delete from recommendation where customer_id = 'c0003' and release_id = "
        "(select release_id from live_release where tenant_id = 'thin')",
    )
    run = CliRunner()
    told = run.invoke(app, ["doctor"], catch_exceptions=False)
    assert told.exit_code == 1
    assert "alpha  champion is version 1 in MLflow, but version 2 on record" in told.output
    assert "--repair points MLflow's aliases to what is on record" in told.output
    assert (
        "3 things disagree among 3 tenants; `recfleet doctor --repair` can repair 3." in told.output
    )
    report = json.loads(run.invoke(app, ["doctor", "--json"], catch_exceptions=False).output)
    assert [finding["check"] for finding in report["findings"]] == ["versions", "aliases", "lists"]
    assert report["left"] == report["findings"]

    mended = run.invoke(app, ["doctor", "--repair"], catch_exceptions=False)
    assert mended.exit_code == 0, mended.output
    assert "3 repaired. 3 tenants, 3 models: everything agrees." in mended.output
    assert run.invoke(app, ["doctor"], catch_exceptions=False).exit_code == 0
