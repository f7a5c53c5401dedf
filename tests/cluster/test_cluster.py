"""What ``make cluster`` does without containers: reading the files, and judging what it saw."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cluster import checks, cost, images, stack
from tests.cluster.story import Fleet, Killing

SERVICES = yaml.safe_load(stack.COMPOSE_FILE.read_text(encoding="utf-8"))["services"]


def test_services_start_after_those_they_wait_for() -> None:
    first, second, third = stack.levels(SERVICES)

    assert first == ["objects", "postgres", "redis"]
    assert second == ["init"]
    assert "worker" in third
    assert "cli" not in {*first, *second, *third}, "it is for people's commands"


def test_every_image_has_a_stand_in() -> None:
    (base,) = images.bases((images.CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))
    stores = images.stores(SERVICES)

    assert images.full(base) == f"docker.io/library/{base}"
    assert images.full(stores["objects"]) == f"docker.io/{stores['objects']}"
    for service in stores:
        containerfile = (images.STAND_INS / service / "Containerfile").read_text(encoding="utf-8")
        assert containerfile.startswith("# ")
        assert f" {SERVICES[service]['user']} " in containerfile.replace("\n", " ")


def test_the_settings_are_the_example_s_with_secrets_and_free_ports() -> None:
    example = (images.CHECKOUT / ".env.example").read_text(encoding="utf-8")
    pairs = [
        line.partition("=")
        for line in stack.settings(example, {"AIRFLOW": 1234}).splitlines()
        if line and line[0] != "#"
    ]

    values = {name: value for name, _, value in pairs}
    assert all(values.values())
    assert values["AIRFLOW_PORT"] == "1234"
    assert values["RECFLEET_WORKERS"] == str(stack.WORKERS)


def test_indexes_on_this_machine_s_own_disk_stay_here(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nextra-index-url = file:///a https://packages.test/simple\n")

    said = images.pip_configuration({"PIP_CONFIG_FILE": str(file), "PATH": "/usr/bin"})

    assert said["extra-index-url"] == "https://packages.test/simple"


def test_a_control_group_s_time_is_read_in_both_versions() -> None:
    assert cost.seconds("usage_usec 2500000\nuser_usec 1\n") == 2.5
    assert cost.seconds("2500000000\n") == 2.5


ONE = {"tenant": "alfa", "outcome": "promoted", "verdict": "promote", "reason": "better by 2%"}


def test_another_verdict_is_told() -> None:
    other = {**ONE, "outcome": "kept"}

    assert checks.differences([ONE], [ONE]) == []
    assert checks.differences([ONE], [other]) == ["alfa: outcome 'promoted', not 'kept'"]
    assert checks.differences([ONE], []) == ["alfa is in one of them only"]
    line = checks.same_verdicts(Fleet(nights=[[other]]), Fleet(nights=[[ONE]]))
    assert str(line).startswith("NO ")


def test_a_night_on_one_worker_is_told() -> None:
    both = {"validate 0": "a", "validate 1": "b", "close -1": "a"}
    killed = {"validate 0": "a", "validate 1": "b", "publish 0": "c"}

    well = Killing("b", 10, 0.0, "c", {"first": both, "second": killed})
    alone = Killing("b", 10, 0.0, "c", {"first": {"validate 0": "a"}, "second": both})

    assert checks.workers_had_shards(well).holds
    assert not checks.workers_had_shards(alone).holds
    assert checks.handed_over(well) == 1
