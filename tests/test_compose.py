"""docker-compose.yaml, .env.example and the Dockerfile agree with the code and with each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from recfleet.database import LOGINS
from recfleet.settings import (
    ENV_PREFIX,
    ROLES,
    AdministratorSettings,
    AirflowSettings,
    ApiSettings,
    ApplicationSettings,
    DatabaseSettings,
    LinkSettings,
    MlflowLoginSettings,
    NightSettings,
    PagesSettings,
    RegistrySettings,
)

CHECKOUT = Path(__file__).resolve().parent.parent
COMPOSE_TEXT = (CHECKOUT / "docker-compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
DEPLOY = CHECKOUT / "deploy"
INIT = (CHECKOUT / "deploy" / "init.sh").read_text(encoding="utf-8")

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
NETWORKS: dict[str, dict[str, Any] | None] = yaml.safe_load(COMPOSE_TEXT)["networks"]
OF_THE_IMAGE = sorted(name for name, service in SERVICES.items() if "build" in service)
LONG_LIVED = sorted(set(SERVICES) - {"init", "cli"})

# Compose's keys of a service that this file uses; a misspelt key is not among them.
SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
    "image", "init", "logging", "mem_limit", "networks", "pids_limit", "ports", "profiles",
    "read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user",
    "volumes",
}  # fmt: skip
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period"}

# Service -> the roles of recfleet's settings that it reads; what has a default may be missing.
ROLES_OF: dict[str, set[type[BaseSettings]]] = {
    "init": {
        AdministratorSettings, ApiSettings, ApplicationSettings, DatabaseSettings, RegistrySettings,
    },
    "api-server": {DatabaseSettings, PagesSettings, LinkSettings, AirflowSettings},
    "scheduler": {PagesSettings, LinkSettings},
    "dag-processor": {LinkSettings, NightSettings},
    "triggerer": {LinkSettings},
    "worker": set(ROLES) - {ApiSettings, MlflowLoginSettings},
    "mlflow": {MlflowLoginSettings},
    "cli": set(ROLES) - {ApiSettings, MlflowLoginSettings},
    "recfleet-api": {ApiSettings},
}  # fmt: skip

_IN_AIRFLOW_S_DATABASE = {"init", "api-server", "scheduler", "dag-processor", "triggerer"}
_IN_MLFLOW_S_DATABASE = {"init", "worker", "mlflow", "cli"}
_WRITES_MODELS = {"init", "worker", "cli"}
_ONLY_READS_MODELS = {"mlflow", "recfleet-api"}

# Secret of .env -> the services whose containers get it. Airflow's workers run the tenants' work
# and may stand on other machines: they get no password of Airflow's database.
HOLDERS = {
    "POSTGRES_PASSWORD": {"postgres", "init"},
    "POSTGRES_AIRFLOW_PASSWORD": {"postgres"} | _IN_AIRFLOW_S_DATABASE,
    "POSTGRES_MLFLOW_PASSWORD": {"postgres"} | _IN_MLFLOW_S_DATABASE,
    "POSTGRES_WRITER_PASSWORD": {"init", "api-server", "worker", "cli"},
    "POSTGRES_READER_PASSWORD": {"init", "api-server", "scheduler", "cli"},
    "POSTGRES_APPLICATION_PASSWORD": {"init", "cli"},
    "POSTGRES_API_PASSWORD": {"init", "recfleet-api"},
    "REDIS_PASSWORD": {"redis", "scheduler", "worker"},
    "OBJECT_STORE_ACCESS_KEY": {"objects"} | _WRITES_MODELS,
    "OBJECT_STORE_SECRET_KEY": {"objects"} | _WRITES_MODELS,
    "OBJECT_STORE_READER_ACCESS_KEY": {"objects"} | _ONLY_READS_MODELS,
    "OBJECT_STORE_READER_SECRET_KEY": {"objects"} | _ONLY_READS_MODELS,
    "AIRFLOW_PASSWORD": {"api-server", "cli"},
    "MLFLOW_PASSWORD": {"mlflow"},
    "AIRFLOW_FERNET_KEY": _IN_AIRFLOW_S_DATABASE,
    "AIRFLOW_JWT_SECRET": {"api-server", "scheduler"},
    "AIRFLOW_SECRET_KEY": {"api-server", "scheduler", "dag-processor", "triggerer", "worker"},
}

# Store -> its network, and what in an environment leads to it.
STORES = {
    "postgres": ("databases", "@postgres:5432/"),
    "redis": ("queue", "@redis:6379/"),
    "objects": ("objects", "http://objects:8333"),
}

FIELDS = {
    f"{ENV_PREFIX}{name.upper()}": field
    for role in ROLES
    for name, field in role.model_fields.items()
}
"""Variable of recfleet's settings -> its field."""

INTERPOLATION = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _handed_on() -> set[str]:
    """Variables without a value, for which Compose passes on its own environment's."""
    return {
        name
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }


def _used() -> set[str]:
    compose = {match[1] for match in INTERPOLATION.finditer(_without_comments(COMPOSE_TEXT))}
    return compose | _handed_on()


def _documented() -> dict[str, str]:
    lines = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE)
    assert len(lines) == len({name for name, _ in lines}), "a variable stands there twice"
    return dict(lines)


def _image_environment() -> dict[str, str]:
    block = re.search(r"^ENV (PATH=.*?)\n\n", DOCKERFILE, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(re.findall(r"(\w+)=(\S+)", block[1]))


def _recfleet_reads() -> set[str]:
    """Every variable of recfleet: the settings, and others that the code names."""
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("src", "dags", "plugins")
        for path in (CHECKOUT / folder).rglob("*.py")
    ]
    named = {name for source in sources for name in re.findall(rf"\b{ENV_PREFIX}[A-Z_]+\b", source)}
    return set(FIELDS) | named


# --- The environment ------------------------------------------------------------------------------


@pytest.mark.parametrize("service", OF_THE_IMAGE)
def test_settings_without_default_reach_whoever_reads_their_role(service: str) -> None:
    needed = {
        f"{ENV_PREFIX}{name.upper()}"
        for role in ROLES_OF[service]
        for name, field in role.model_fields.items()
        if field.is_required()
    }
    given = SERVICES[service]["environment"]

    assert needed <= {name for name, value in given.items() if value}


def test_every_setting_has_one_role() -> None:
    assert len(FIELDS) == sum(len(role.model_fields) for role in ROLES)


def test_every_setting_can_be_set() -> None:
    given = set(_of_people())
    given |= {name for one in ("init", "recfleet-api") for name in SERVICES[one]["environment"]}

    assert set(FIELDS) <= given | set(_image_environment())
    assert {role.__name__ for role in ROLES} == {
        role.__name__ for roles in ROLES_OF.values() for role in roles
    }


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_nothing_is_given_that_recfleet_does_not_read(service: str) -> None:
    given = {*SERVICES[service].get("environment", {}), *_image_environment()}

    assert {name for name in given if name.startswith(ENV_PREFIX)} <= _recfleet_reads()


def test_settings_can_be_made_from_what_the_services_get(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    values = {name: value or "s3cret" for name, value in _documented().items()}
    values |= {"RECFLEET_WORKERS": "8"}
    for name, value in {**_image_environment(), **_of_people()}.items():
        if name.startswith(ENV_PREFIX):
            monkeypatch.setenv(name, _interpolate(value, values) if value else values[name])

    settings = {name: value for role in ROLES for name, value in role().model_dump().items()}

    assert settings["database_url"] == "postgresql://recfleet_writer:s3cret@postgres:5432/recfleet"
    assert (
        settings["mlflow_store_url"] == "postgresql+psycopg2://mlflow:s3cret@postgres:5432/mlflow"
    )
    assert settings["artifact_root"] == "s3://recfleet/models"
    assert settings["artifact_endpoint_url"] == "http://objects:8333"
    assert settings["airflow_password"] == settings["mlflow_password"] == "s3cret"
    assert settings["workers"] == 8


def _of_people() -> dict[str, Any]:
    """The environment of the commands, and of the one service with a login of its own."""
    return {**SERVICES["mlflow"]["environment"], **SERVICES["cli"]["environment"]}


def _interpolate(text: str, values: dict[str, str]) -> str:
    return INTERPOLATION.sub(lambda found: values.get(found[1], found[3]), text)


def test_what_the_example_documents_for_recfleet_is_the_code_s_default() -> None:
    for variable, field in FIELDS.items():
        if variable in _documented():
            assert _documented()[variable] == str(field.default)


def test_env_example_has_every_variable_and_no_other() -> None:
    assert set(_documented()) == _used()


def test_env_example_shows_the_defaults_of_the_compose_file() -> None:
    for match in INTERPOLATION.finditer(_without_comments(COMPOSE_TEXT)):
        if match[2] == ":-":
            assert _documented()[match[1]] == match[3]


def test_every_variable_has_a_comment() -> None:
    paragraphs = [paragraph for paragraph in EXAMPLE.split("\n\n") if "=" in paragraph]

    assert len(paragraphs) == 8
    for paragraph in paragraphs:
        assert paragraph.startswith("# "), paragraph
        assert not re.match(r"# [A-Z_]+=", paragraph), paragraph


def test_no_password_has_a_default() -> None:
    secrets = {name for name, value in _documented().items() if value == ""}
    looks_secret = {name for name in _used() if re.search(r"PASSWORD|SECRET|KEY", name)}

    assert secrets == looks_secret
    for match in INTERPOLATION.finditer(_without_comments(COMPOSE_TEXT)):
        assert (match[1] in secrets) == (match[2] == ":?"), match[0]
        assert match[2] != ":?" or ".env" in match[3], "the message says what to do"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_secret_is_written_down(service: str) -> None:
    for name, value in SERVICES[service].get("environment", {}).items():
        if re.search(r"PASSWORD$|SECRET|_KEY|AUTH$", name):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name} of {service}"
        for password in re.findall(r"://\w*:(.*?)@", str(value)):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", password), f"{name} of {service}"
    assert not re.search(r"PASSWORD|SECRET|_KEY", DOCKERFILE)


def test_a_secret_is_given_to_its_holders_only() -> None:
    secrets = {name for name, value in _documented().items() if value == ""}
    holders = {
        secret: {name for name, service in SERVICES.items() if f"${{{secret}:" in str(service)}
        for secret in secrets
    }

    assert holders == HOLDERS


def _words_on_command_lines() -> list[str]:
    """What other people see of each service in a list of processes, and of the scripts."""
    words = []
    for service in SERVICES.values():
        for line in (
            service.get("command", []),
            service.get("entrypoint", []),
            service.get("healthcheck", {}).get("test", []),
        ):
            words += line
    words += [path.read_text(encoding="utf-8") for path in sorted(DEPLOY.rglob("*.sh"))]
    # A shell hands a here-document over by standard input.
    return [re.sub(r"(?ms)<<'?(\w+)'?\n.*?^\1$", "", word) for word in words]


def test_no_password_is_on_a_command_line() -> None:
    secret = r"\$\{?\w*(PASSWORD|AUTH|SECRET|KEY|_URL|_URI|_CONN)"
    for word in _words_on_command_lines():
        for line in _without_comments(word).splitlines():
            # `create` is a function of the script's own shell.
            assert line.startswith("create ") or not re.search(secret, line), line
            assert "--set password" not in line, line


def test_one_thread_each_and_nobody_phones_home() -> None:
    image = _image_environment()

    assert image["OPENBLAS_NUM_THREADS"] == image["OMP_NUM_THREADS"] == "1"
    assert image["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert image["GX_ANALYTICS_ENABLED"] == "false"
    assert SERVICES["mlflow"]["environment"]["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_mlflow_s_pages_are_behind_recfleet_s_gate() -> None:
    from recfleet.local._services import MLFLOW_APP

    command = SERVICES["mlflow"]["command"]

    assert command[command.index("--app-name") + 1] == MLFLOW_APP
    assert "--no-serve-artifacts" in command


# --- The services ---------------------------------------------------------------------------------


def test_the_services_that_make_recfleet_are_there() -> None:
    assert set(OF_THE_IMAGE) == {
        "init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "mlflow", "cli",
        "recfleet-api",
    }  # fmt: skip
    assert set(SERVICES) - set(OF_THE_IMAGE) == {"postgres", "redis", "objects"}
    assert SERVICES["worker"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_says_only_what_compose_knows(service: str) -> None:
    assert set(SERVICES[service]) <= SERVICE_KEYS
    assert set(SERVICES[service].get("healthcheck", {})) <= HEALTHCHECK_KEYS


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_container_is_confined(service: str) -> None:
    said = SERVICES[service]

    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said["read_only"] is True
    assert said["pids_limit"] <= 512
    assert re.fullmatch(r"(\$\{\w+:-)?\d+[gm]\}?", said["mem_limit"])
    assert said["logging"]["options"]["max-file"]
    # The image's own user is not root; other images begin as root if nothing is said.
    assert (service in OF_THE_IMAGE) == ("user" not in said)
    assert said.get("user") != "root"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_container_is_on_the_networks_that_it_needs(service: str) -> None:
    said = SERVICES[service]
    joined = set(said["networks"])
    leads = str(said.get("environment", {}))

    assert {name for name in joined if not NETWORKS[name]} == (
        {"applications" if service == "postgres" else "pages"} if "ports" in said else set()
    )
    for store, (network, address) in STORES.items():
        assert (network in joined) == (service == store or address in leads), network


def test_only_the_networks_of_published_ports_lead_outward() -> None:
    outward = {name for name, said in NETWORKS.items() if not said}

    assert outward == {"pages", "applications"}
    assert all(said == {"internal": True} for said in NETWORKS.values() if said)
    assert set(NETWORKS) == {name for service in SERVICES.values() for name in service["networks"]}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_ports_are_open_to_this_machine_only(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port)
    assert "network_mode" not in SERVICES[service]


def test_the_store_lets_a_reader_s_key_only_read() -> None:
    (script,) = SERVICES["objects"]["command"]
    (text,) = re.findall(r"(?ms)<<END\n(.*)^END$", script)
    writer, reader = json.loads(text)["identities"]
    environment = SERVICES["objects"]["environment"]

    assert writer["actions"] == ["Admin"]
    assert reader["actions"] == ["Read:$$BUCKET", "List:$$BUCKET"]
    for identity, kind in ((writer, ""), (reader, "READER_")):
        (credentials,) = identity["credentials"]
        for given in credentials.values():
            assert f"${{OBJECT_STORE_{kind}" in environment[given.removeprefix("$$")]
    # Its other ports ask for no key.
    assert {"-ip=127.0.0.1", "-s3.ip.bind=0.0.0.0", "-s3.port.iceberg=0"} <= {*script.split()}
    assert "-ip.bind" not in script
    # Its gRPC port, beside S3, asks for a token that is signed with this key.
    assert "OBJECT_STORE_SECRET_KEY" in environment["WEED_JWT_FILER_SIGNING_KEY"]


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_images_are_pinned(service: str) -> None:
    tag = SERVICES[service]["image"].rpartition(":")[2]

    assert re.fullmatch(r"\d+(\.\d+)+", tag)


@pytest.mark.parametrize("service", LONG_LIVED)
def test_whoever_stays_up_is_watched_and_started_again(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_whom_a_service_waits_for_can_come(service: str) -> None:
    for other, how in SERVICES[service].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("service", OF_THE_IMAGE)
def test_no_disk_is_shared_by_what_may_run_on_many_machines(service: str) -> None:
    assert "volumes" not in SERVICES[service]
    # The image's volume is made anew for each container.
    assert f"VOLUME {_image_environment()['AIRFLOW_HOME']}\n" in DOCKERFILE
    assert SERVICES[service]["environment"].get("RECFLEET_ARTIFACT_ROOT", "s3://")[:5] == "s3://"


def test_every_volume_is_declared_and_used() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(("./", "/"))
    }

    assert set(yaml.safe_load(COMPOSE_TEXT)["volumes"]) == named


def test_folders_of_the_checkout_that_are_mounted_are_there() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    ours = [mount.partition(":")[0] for mount in mounts if mount.startswith("./")]

    assert ours == ["./deploy/postgres"]
    assert (CHECKOUT / "deploy" / "postgres" / "databases.sh").stat().st_mode & 0o111


# --- What they run --------------------------------------------------------------------------------


def _commands() -> list[list[str]]:
    """Command lines of the image's services, and those of the init job's script."""
    lines = [
        [*service.get("entrypoint", []), *service["command"]]
        for name, service in SERVICES.items()
        if name in OF_THE_IMAGE
    ]
    script = _without_comments(INIT).splitlines()
    return lines + [shlex.split(line) for line in script if line and line != "set -eu"]


def test_programs_exist() -> None:
    for line in _commands():
        program = line[0]
        if program.startswith("/opt/recfleet/"):
            place = CHECKOUT / program.removeprefix("/opt/recfleet/")
            assert place.stat().st_mode & 0o111, f"{program} cannot be run"
        else:
            assert shutil.which(program, path=str(Path(sys.executable).parent)), program


def test_scripts_that_are_run_are_in_the_image() -> None:
    health = [SERVICES[name].get("healthcheck", {}).get("test", []) for name in OF_THE_IMAGE]
    for line in [*_commands(), *health]:
        for word in line:
            if word.startswith("/opt/recfleet/"):
                assert (CHECKOUT / word.removeprefix("/opt/recfleet/")).exists(), word


@pytest.mark.airflow
def test_airflow_knows_the_commands(tmp_path: Path) -> None:
    lines = [line[1:] for line in _commands() if line[0] == "airflow"]
    script = (CHECKOUT / "deploy" / "api_server.sh").read_text(encoding="utf-8")
    lines += [shlex.split(line)[2:] for line in re.findall(r"(?m)^exec airflow .*$", script)]
    assert [line[0] for line in lines] == [
        "scheduler", "dag-processor", "triggerer", "celery", "db", "api-server",
    ]  # fmt: skip

    _run(
        "from airflow.cli.cli_parser import get_parser\n"
        f"for line in {lines!r}:\n"
        "    get_parser().parse_args(line)\n",
        tmp_path,
        AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
    )


@pytest.mark.mlflow
def test_mlflow_knows_the_commands(tmp_path: Path) -> None:
    lines = [line[1:] for line in _commands() if line[0] == "mlflow"]
    assert [line[:2] for line in lines] == [["server", "--host"]]

    _run(
        "from mlflow.cli import cli\n"
        f"for line in {lines!r}:\n"
        "    command = cli\n"
        "    while hasattr(command, 'get_command'):\n"
        "        command = command.get_command(None, line.pop(0))\n"
        "    command.make_context('mlflow', line)\n",
        tmp_path,
    )


def test_recfleet_knows_the_commands() -> None:
    lines = [line for line in _commands() if line[0] == "recfleet"]
    assert ["recfleet", "migrate"] in lines

    for line in lines:
        command = [str(Path(sys.executable).with_name("recfleet")), *line[1:]]
        asked = subprocess.run(
            command if "--help" in command else [*command, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr


def _run(program: str, home: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "AIRFLOW_HOME": str(home), **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


# --- The image ------------------------------------------------------------------------------------


def test_the_image_s_python_is_one_we_support() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bases = re.findall(r"^FROM python:(\d+)\.(\d+)-slim", DOCKERFILE, flags=re.MULTILINE)
    limits = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"])

    assert limits is not None
    assert len(set(bases)) == 1
    major, minor = map(int, bases[0])
    assert major == 3
    assert int(limits[1]) <= minor < int(limits[2])
    assert "celery" in project["optional-dependencies"]


def test_the_image_installs_the_one_lock() -> None:
    locks = [path.name for path in CHECKOUT.iterdir() if re.search(r"\.lock$|^require", path.name)]
    installs = re.findall(r"(?s)pip install .+?(?=&&|\n\n|\Z)", _without_comments(DOCKERFILE))

    assert locks == ["requirements.lock"]
    uv, dependencies, package = [
        " ".join(install.replace("\\", " ").split()) for install in installs
    ]
    assert "grep '^uv==' requirements.lock" in uv
    assert "--constraint requirements.lock --requirement pyproject.toml" in dependencies
    assert "--extra celery" in dependencies
    assert "--no-deps ." in package
    assert "\nuv==" in (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_covers_what_the_image_needs() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["celery"]]
    lock = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    locked = {re.split("[=; ]", line)[0] for line in lock.splitlines() if line[:1].isalpha()}

    assert {re.split(r"[\[=<>; ]", name)[0] for name in wanted} <= locked


def test_the_image_is_not_root_s() -> None:
    uid = re.search(r"useradd --uid (\d+)", DOCKERFILE)
    assert uid is not None

    assert re.findall(r"^USER (\w+)$", DOCKERFILE, flags=re.MULTILINE) == ["recfleet"]
    assert int(uid[1]) > 0


def test_the_image_gets_what_it_copies() -> None:
    let_through = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE):
        for source in sources.split():
            assert (CHECKOUT / source).exists()
            assert f"!{source}" in let_through


def test_passwords_file_is_where_the_script_may_write() -> None:
    environment = SERVICES["api-server"]["environment"]
    place = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    name = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].partition(":admin")[0]

    assert SERVICES["api-server"]["tmpfs"] == [str(place.parent)]
    assert environment["RECFLEET_AIRFLOW_USERNAME"].startswith(name)


# --- The stack on one machine ---------------------------------------------------------------------

# Variables that only one of the two stacks sets, and why.
ONLY_LOCAL = {
    "AIRFLOW_CONFIG": "AIRFLOW_HOME is the image's own, and nobody else's configuration is in it",
    "AIRFLOW__API__HOST": "a container listens to the others, and publishes on loopback",
    "AIRFLOW__API__PORT": "8080 inside, AIRFLOW_PORT outside",
    "AIRFLOW__API__WORKERS": "Airflow's default is the same",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "below AIRFLOW_HOME",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "Docker keeps what a service says",
    "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": "to standard output instead",
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "a container has one user",
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "a container has one user",
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": "nobody else has a container's /tmp",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "for those who edit DAG files",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "for those who edit DAG files",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "for those who edit DAG files",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "two cores",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "two cores",
    "MLFLOW_TRACKING_URI": "for people's plain mlflow commands on this machine",
    "MLFLOW_TRACKING_USERNAME": "for people's plain mlflow commands on this machine",
    "MLFLOW_TRACKING_PASSWORD": "for people's plain mlflow commands on this machine",
    "RECFLEET_HOME": "where the stack on one machine keeps itself",
    "RECFLEET_AIRFLOW_PORT": "AIRFLOW_PORT in .env",
    "RECFLEET_MLFLOW_PORT": "MLFLOW_PORT in .env",
    "RECFLEET_POSTGRES_PORT": "POSTGRES_PORT in .env",
}
ONLY_COMPOSE = {
    "AIRFLOW__API__BASE_URL": "the address outside is another one than inside",
    "AIRFLOW__CELERY__BROKER_URL": "Celery",
    "AIRFLOW__CELERY__RESULT_BACKEND": "Celery",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "Celery",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "more workers than Airflow's default allows for",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "many processes, one Postgres",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "many processes, one Postgres",
    "AIRFLOW__LOGGING__DAG_PROCESSOR_LOG_TARGET": "Docker keeps what a service says",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "Docker asks",
    "MLFLOW_BACKEND_STORE_URI": "an option on the command line of the stack on one machine",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "an option on the command line of the stack on one machine",
    "MLFLOW_S3_ENDPOINT_URL": "the object store",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "many processes, one Postgres",
    "RECFLEET_ADMIN_DATABASE_URL": "a file of the server's on one machine",
    "RECFLEET_ARTIFACT_ENDPOINT_URL": "the object store",
}


def test_both_stacks_set_the_same(tmp_path: Path) -> None:
    from recfleet.local._environment import OWNERS, Ports, Secrets, compose
    from recfleet.local._layout import Layout

    layout = Layout(tmp_path)
    local = compose(
        layout,
        CHECKOUT,
        Ports(8080, 5000, 5432),
        Secrets.of(layout),
        {role: f"postgresql://{role}:p@127.0.0.1/d" for role in (*LOGINS, *OWNERS)},
        given={"RECFLEET_SUITES": "expectations", "RECFLEET_POLICY": "policy.toml"},
        running={},
    )
    composed = set(_image_environment())
    for name in OF_THE_IMAGE:
        composed |= set(SERVICES[name]["environment"])
    ours = re.compile(r"AIRFLOW|MLFLOW|RECFLEET|GX_|OMP|OPENBLAS")

    assert {name for name in set(local) - composed if ours.match(name)} == set(ONLY_LOCAL)
    only_compose = {name for name in composed - set(local) if ours.match(name)}
    assert only_compose - _handed_on() == set(ONLY_COMPOSE)
