"""``stack.env`` says the same to a shell, to dotenv and to the stack itself."""

from __future__ import annotations

import json
import stat
import subprocess
from collections import ChainMap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recfleet.database import LOGINS, WRITER
from recfleet.errors import ConfigurationError
from recfleet.local import _environment as environment
from recfleet.local._environment import OWNERS, Ports, Secrets
from recfleet.local._layout import Layout
from recfleet.settings import ROLES

_URLS = {
    role: f"postgresql://{role}:secret@127.0.0.1:5/{OWNERS.get(role, 'recfleet')}"
    for role in (*LOGINS, *OWNERS)
}
_PORTS = Ports(airflow=1001, mlflow=1002, postgres=1003)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "a home")
    layout.make()
    return layout


def _compose(layout: Layout, **given: str) -> dict[str, str]:
    secret = Secrets.of(layout)
    return environment.compose(
        layout, Path("/checkout"), _PORTS, secret, _URLS, given=given, running={}
    )


def _as_sh_reads(path: Path) -> dict[str, str]:
    done = subprocess.run(
        ["sh", "-c", 'set -a; . "$0"; env -0', str(path)], capture_output=True, check=True, env={}
    )
    pairs = (pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    return {name: value for name, value in pairs if name not in ("PWD", "_", "SHLVL")}


def test_all_readers_agree(layout: Layout) -> None:
    variables = _compose(layout)
    environment.write(layout.environment, variables)
    assert environment.read(layout.environment) == variables
    assert _as_sh_reads(layout.environment) == variables
    read = [role(_env_file=layout.environment).model_dump() for role in ROLES]
    settings = ChainMap(*read)
    assert settings["database_url"] == _URLS[WRITER]
    assert settings["artifact_root"] == (layout.home / "artifacts").as_uri()
    assert settings["airflow_password"] == Secrets.of(layout).admin_password
    assert settings["mlflow_password"] == variables["MLFLOW_TRACKING_PASSWORD"]
    assert settings["mlflow_password"] == Secrets.of(layout).mlflow_password


_VALUES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="'\"\\$`")
)


@given(value=_VALUES)
def test_any_value_that_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    path = tmp_path_factory.mktemp("env") / "stack.env"
    environment.write(path, {"RECFLEET_VALUE": value, "RECFLEET_AFTER": "1"})
    expected = {"RECFLEET_VALUE": value, "RECFLEET_AFTER": "1"}
    assert environment.read(path) == expected
    assert _as_sh_reads(path) == expected


@pytest.mark.parametrize("character", list("'\"\\$`\n"))
def test_what_readers_would_read_differently_is_refused(tmp_path: Path, character: str) -> None:
    path = tmp_path / "stack.env"
    with pytest.raises(ConfigurationError, match="RECFLEET_HOME"):
        environment.write(path, {"RECFLEET_SUITES": f"/a{character}b"})
    assert not path.exists()


def test_secrets_are_kept_private_and_the_same(layout: Layout) -> None:
    environment.write(layout.environment, _compose(layout))
    assert Secrets.of(layout) == Secrets.of(layout)
    for path in (layout.environment, layout.secrets):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_that_an_earlier_release_did_not_have_is_added(layout: Layout) -> None:
    kept = Secrets.of(layout)
    earlier = {name: value for name, value in vars(kept).items() if name != "mlflow_password"}
    layout.secrets.write_text(json.dumps(earlier))

    now = Secrets.of(layout)

    assert vars(now) == earlier | {"mlflow_password": now.mlflow_password}
    assert now.mlflow_password != kept.mlflow_password
    assert Secrets.of(layout) == now


@pytest.mark.parametrize(
    "text", ['{"admin_password": 1}', "[]", "{", '{"of_a_later_release": "a"}']
)
def test_unreadable_secrets_are_said(layout: Layout, text: str) -> None:
    layout.secrets.write_text(text)
    with pytest.raises(ConfigurationError, match=r"secrets\.json"):
        Secrets.of(layout)


def test_a_person_may_tune_the_nights(layout: Layout) -> None:
    variables = _compose(layout, RECFLEET_WORKERS="3", RECFLEET_SUITES="suites")
    assert variables["RECFLEET_WORKERS"] == "3"
    assert variables["AIRFLOW__CORE__PARALLELISM"] == "3"
    assert variables["RECFLEET_SUITES"] == str(Path.cwd() / "suites")


def test_settings_of_another_stack_do_not_count(layout: Layout) -> None:
    variables = _compose(layout, RECFLEET_DATABASE_URL="postgresql://elsewhere/other")
    assert variables["RECFLEET_DATABASE_URL"] == _URLS[WRITER]


def test_a_useless_setting_is_named(layout: Layout) -> None:
    with pytest.raises(ConfigurationError, match="RECFLEET_WORKERS=none"):
        _compose(layout, RECFLEET_WORKERS="none")


def test_ports_asked_for_come_before_those_in_use() -> None:
    asked = {"RECFLEET_AIRFLOW_PORT": "9001"}
    running = {"RECFLEET_AIRFLOW_PORT": "9002", "RECFLEET_MLFLOW_PORT": "9003"}
    assert Ports.choose(asked, running) == Ports(airflow=9001, mlflow=9003, postgres=54329)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80.0"])
def test_what_is_not_a_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="RECFLEET_MLFLOW_PORT"):
        Ports.choose({"RECFLEET_MLFLOW_PORT": text}, {})


def test_two_services_on_one_port_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs its own port"):
        Ports.choose({"RECFLEET_MLFLOW_PORT": "8080"}, {})
