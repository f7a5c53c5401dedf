"""MLflow's pages are for looking: a login, and no way to write."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import httpx
import pandas as pd
import psycopg2
import pytest

from recfleet.models.als import AlsModel
from recfleet.registry import ArtifactStore, Registry, load_library
from recfleet.registry.server._gate import Gate
from recfleet.registry.server._locks import is_below
from tests.mlflow_server import MlflowServer, mlflow_server
from tests.registry.writing import log, register

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow, pytest.mark.slow]

TENANT = "looked-at"
NAME = f"als-{TENANT}"
FILES = ("GET", "/static-files/<path:path>")
QUESTION = {
    "query": 'query { mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } } }'
}

# Of the app behind the gate, in a process like the server's: its routes, and what the locks hold.
BEHIND = """
import asyncio, json, sys
import httpx
from recfleet.registry.server import make_app
from tests.mlflow_routes import routes

app = make_app()._app
async def ask():
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        created = await client.post("/api/2.0/mlflow/experiments/create", json={"name": "x"})
        query = {"run_id": sys.argv[1], "path": "hostname"}
        outside = await client.get("/get-artifact", params=query)
    return [[answer.status_code, answer.text] for answer in (created, outside)]

print(json.dumps({"routes": routes(app), "answers": asyncio.run(ask())}))
"""


@dataclass(frozen=True)
class Site:
    """A running server over one tenant's model."""

    server: MlflowServer
    store_url: str
    run: str
    experiment: str
    outside: str
    """A run that somebody placed outside the artifact root."""

    def written(self) -> tuple[object, ...]:
        """Everything that MLflow keeps: its tables and its files."""
        with closing(psycopg2.connect(self.store_url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select table_name from information_schema.tables where table_schema = 'public'"
            )
            rows: dict[str, Any] = {}
            for (name,) in cursor.fetchall():
                cursor.execute(f'select each::text from "{name}" as each order by 1')
                rows[name] = cursor.fetchall()
        files = self.server.home / "artifacts"
        return rows, {path: path.stat().st_mtime_ns for path in sorted(files.rglob("*"))}

    def reads(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """A request for each address and method that may be asked."""
        with self.server.client(self.server.login) as client:
            pages = client.get("/").text
        [script] = re.findall(r'src="static-files/(static/js/main\.[^"]+)"', pages)
        yield "GET", "/", {}
        yield "GET", "/health", {}
        yield "GET", "/version", {}
        yield "GET", f"/static-files/{script}", {}
        yield "GET", "/get-artifact", {"run_id": self.run, "path": self.file()}
        yield (
            "GET",
            "/model-versions/get-artifact",
            {"name": NAME, "version": "1", "path": "MLmodel"},
        )
        yield "POST", "/graphql", QUESTION
        for root in ("/api", "/ajax-api"):
            for method, path, what in self._api():
                yield method, f"{root}/{path}", what
        yield (
            "POST",
            "/ajax-api/2.0/mlflow/experiments/search-datasets",
            {"experiment_ids": [self.experiment]},
        )
        yield (
            "GET",
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            {"run_id": self.run, "metric_key": "rmse_challenger"},
        )

    def _api(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        experiment, run, name = self.experiment, self.run, NAME
        yield "GET", "2.0/mlflow/experiments/get", {"experiment_id": experiment}
        yield "GET", "2.0/mlflow/experiments/get-by-name", {"experiment_name": name}
        yield "GET", "2.0/mlflow/experiments/search", {"max_results": 5}
        yield "POST", "2.0/mlflow/experiments/search", {"max_results": 5}
        yield "GET", "2.0/mlflow/runs/get", {"run_id": run}
        yield "POST", "2.0/mlflow/runs/search", {"experiment_ids": [experiment]}
        metric = {"run_id": run, "metric_key": "rmse_challenger"}
        yield "GET", "2.0/mlflow/metrics/get-history", metric
        yield (
            "GET",
            "2.0/mlflow/metrics/get-history-bulk-interval",
            {"run_ids": run, "metric_key": "rmse_challenger", "max_results": 5},
        )
        yield "GET", "2.0/mlflow/artifacts/list", {"run_id": run}
        yield "POST", "2.0/mlflow/logged-models/search", {"experiment_ids": [experiment]}
        yield "GET", "2.0/mlflow/registered-models/get", {"name": name}
        yield "GET", "2.0/mlflow/registered-models/search", {"max_results": 5}
        yield "GET", "2.0/mlflow/registered-models/get-latest-versions", {"name": name}
        yield "POST", "2.0/mlflow/registered-models/get-latest-versions", {"name": name}
        yield "GET", "2.0/mlflow/registered-models/alias", {"name": name, "alias": "champion"}
        yield "GET", "2.0/mlflow/model-versions/get", {"name": name, "version": "1"}
        yield "GET", "2.0/mlflow/model-versions/get-download-uri", {"name": name, "version": "1"}
        yield "GET", "2.0/mlflow/model-versions/search", {"max_results": 5}
        yield "GET", "3.0/mlflow/server-info", {}
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        yield "POST", "3.0/mlflow/traces/search", {"locations": [place]}

    def file(self) -> str:
        """A file of the run, relative to its own folder."""
        with closing(psycopg2.connect(self.store_url)) as connection, connection.cursor() as cursor:
            cursor.execute("select artifact_uri from runs where run_uuid = %s", (self.run,))
            [(uri,)] = cursor.fetchall()
        root = Path(url2pathname(uri.removeprefix("file://")))
        [found] = root.rglob("MLmodel")
        return str(found.relative_to(root))

    def ask(self, method: str, target: str, headers: dict[str, str], body: str = "{}") -> int:
        """Send a request exactly as it is written; returns the status."""
        host, _, port = self.server.address.removeprefix("http://").partition(":")
        with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
            connection.request(method, target, body, {"Content-Type": "application/json"} | headers)
            return connection.getresponse().status


@pytest.fixture(scope="module")
def site(
    store_url: str, model: AlsModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("mlflow server") / "home"
    with mlflow_server(home, store_url) as server:
        registry = Registry(store_url, ArtifactStore((home / "artifacts").as_uri()))
        run = log(registry, TENANT, model)
        registry.set_champion(TENANT, version=register(registry, TENANT, run), previous=None)
        other = log(registry, "misplaced", model)
        with closing(psycopg2.connect(store_url)) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(
                "update runs set artifact_uri = 'file:///etc' where run_uuid = %s", (other.run_id,)
            )
            cursor.execute("select experiment_id from experiments where name = %s", (NAME,))
            [(experiment,)] = cursor.fetchall()
        yield Site(server, store_url, run.run_id, str(experiment), other.run_id)


@pytest.fixture(scope="module")
def behind(site: Site) -> dict[str, Any]:
    """What the app behind the gate has and does."""
    root = (site.server.home / "artifacts").as_uri()
    own = {
        "_MLFLOW_SERVER_FILE_STORE": site.store_url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": root,
    }
    done = subprocess.run(
        [sys.executable, "-c", BEHIND, site.outside],
        env={**os.environ, **site.server.variables, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


# --- The list -------------------------------------------------------------------------------------


def _login(user: str = "reader", password: str = "secret") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _statuses(
    requests: Iterable[tuple[str, str]], headers: dict[str, str], content: str = ""
) -> list[int]:
    """The gate's answers; 299 stands for MLflow's."""

    async def passed(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": (await receive())["body"]})

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(Gate(passed, "reader", "secret"))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return [
                (await client.request(*each, headers=headers, content=content)).status_code
                for each in requests
            ]

    return asyncio.run(ask())


def test_a_route_is_shown_not_to_write_or_it_is_refused(site: Site, behind: dict[str, Any]) -> None:
    routes = [(method, path) for method, path in behind["routes"]]
    asked = [(method, re.sub(r"[{<][^}>]+[}>]", "x", path)) for method, path in routes]

    with_login = _statuses(asked, _login(), json.dumps(QUESTION))
    without = _statuses(asked, {}, json.dumps(QUESTION))

    shown = {
        FILES if "static-files" in path else (method, path) for method, path, _ in site.reads()
    }
    assert len(routes) > 400
    assert {each for each, status in zip(routes, with_login, strict=True) if status == 299} == shown
    assert set(with_login) == {299, 403}
    open_to_all = {each for each, status in zip(routes, without, strict=True) if status != 401}
    assert open_to_all == {("GET", "/health")}


def test_reading_works_and_writes_nothing(site: Site) -> None:
    before = site.written()
    with site.server.client(site.server.login) as client:
        for method, path, what in site.reads():
            options = {"json": what} if method == "POST" else {"params": what}
            answer = client.request(method, path, **options)  # type: ignore[arg-type]
            assert answer.status_code == 200, (method, path, answer.text[-500:])

    assert site.written() == before


def test_a_method_that_nobody_knows_is_refused() -> None:
    methods = ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "Post", "X")
    asked = [(method, "/api/2.0/mlflow/experiments/search") for method in methods]

    assert set(_statuses([*asked, ("HEAD", "/health")], _login())) <= {403, 299}
    assert _statuses([("HEAD", "/"), ("OPTIONS", "/"), ("PUT", "/health")], _login()) == [403] * 3


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("{ mlflowSearchRuns(input: {}) { runs { info { runId } } } }", 299),
        ("query A { a: mlflowGetRun(input: {}) { run { info { runId } } } }", 299),
        ("mutation { mlflowSearchRuns(input: {}) { runs { info { runId } } } }", 403),
        ("query A { mlflowGetRun { a } } mutation B { mlflowSearchRuns { a } }", 403),
        ("query { ...all } fragment all on Query { mlflowGetRun { a } }", 403),
        ("query { ... on Query { mlflowGetRun { a } } }", 403),
        ("query { mlflowDeleteRun(input: {}) { run } }", 403),
        ("subscription { mlflowGetRun { a } }", 403),
        ("fragment all on Query { mlflowGetRun { a } }", 403),
        ("{" * 20_000, 403),
        ("query {", 403),
        (["query { mlflowGetRun }"], 403),
        (None, 403),
    ],
)
def test_graphql_only_asks(query: object, status: int) -> None:
    content = json.dumps({"query": query})

    assert _statuses([("POST", "/graphql")], _login(), content) == [status]


@pytest.mark.parametrize("content", ["", "[]", "not json", '"{}"', " " * 70_000 + "{}"])
def test_graphql_refuses_what_it_cannot_read(content: str) -> None:
    assert _statuses([("POST", "/graphql")], _login(), content) == [403]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _login("reader", "wrong"),
        _login("admin"),
        _login("reader", ""),
        {"authorization": _login()["authorization"].replace("Basic", "Bearer")},
        {"authorization": "Basic"},
        {"authorization": "Basic é"},
    ],
)
def test_nothing_without_the_login(headers: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}

    assert _statuses([("GET", "/"), ("POST", "/graphql")], encoded) == [401, 401]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://here", 299), ("http://localhost:9999", 403), ("null", 403), ("http://here:1", 403)],
)
def test_other_sites_pages_read_nothing(origin: str, status: int) -> None:
    headers = _login() | {"origin": origin}

    assert _statuses([("GET", "/version")], headers) == [status]


# --- The running server ---------------------------------------------------------------------------

CREATE = "/api/2.0/mlflow/experiments/create"
TRICKS = [
    f"/{CREATE}",
    f"{CREATE}/",
    f"{CREATE}?path=/health",
    f"{CREATE};/health",
    CREATE.upper(),
    CREATE.replace("/create", "%2fcreate"),
    CREATE.replace("create", "%63reate"),
    CREATE.replace("create", "search/../create"),
    CREATE.replace("create", "search%00"),
    f"/health/..{CREATE}",
    f"/health#{CREATE}",
    f"/static-files/..{CREATE}",
    f"/static-files/%2e%2e{CREATE}",
    f"/static-files/{CREATE}",
    f"/mlflow{CREATE}",
    f"\\{CREATE}",
    f"http://127.0.0.1{CREATE}",
    "*",
]
HEADERS = {
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
    "X-Original-URL": CREATE,
    "X-Rewrite-URL": CREATE,
    "X-Forwarded-Prefix": CREATE,
    "X-Script-Name": CREATE,
}


def test_an_attack_changes_nothing(site: Site) -> None:
    before = site.written()
    run, name = {"run_id": site.run}, {"name": NAME}
    place = {"name": "dags", "artifact_location": site.server.home.as_uri()}
    attack: list[tuple[str, str, dict[str, str]]] = [
        ("POST", "experiments/create", place),
        ("POST", "runs/create", {"experiment_id": site.experiment}),
        ("POST", "runs/set-tag", run | {"key": "a", "value": "b"}),
        ("POST", "runs/delete", run),
        ("POST", "registered-models/alias", name | {"alias": "champion", "version": "1"}),
        ("DELETE", "registered-models/alias", name | {"alias": "champion"}),
        ("DELETE", "registered-models/delete", name),
        ("POST", "model-versions/set-tag", name | {"version": "1", "key": "a", "value": "b"}),
        ("POST", "webhooks", {"name": "w", "url": "http://127.0.0.1:1"}),
    ]
    for login, status in ((site.server.login, 403), (None, 401), (("reader", "guess"), 401)):
        with site.server.client(login) as client:
            for method, path, what in attack:
                answer = client.request(method, f"/api/2.0/mlflow/{path}", json=what)
                assert answer.status_code == status, path
            for root in ("/api", "/ajax-api"):
                path = f"{root}/2.0/mlflow-artifacts/artifacts/dags/evil.py"
                assert client.put(path, content=b"x").status_code == status
                assert client.delete(path).status_code == status
            upload = {"run_uuid": site.run, "path": "evil.py"}
            path = "/ajax-api/2.0/mlflow/upload-artifact"
            assert client.post(path, params=upload, content=b"x").status_code == status

    assert site.written() == before


def test_no_way_of_writing_an_address_leads_past_the_list(site: Site) -> None:
    before = site.written()
    login = _login(*site.server.login)
    body = json.dumps({"name": "dags"})

    for target in TRICKS:
        for headers, statuses in ((login, {400, 403}), ({}, {400, 401})):
            assert site.ask("POST", target, headers, body) in statuses, target
    search = "/api/2.0/mlflow/experiments/search"
    assert site.ask("POST", search, login | HEADERS, '{"max_results": 1}') == 200
    assert site.ask("DELETE", search, login | {"X-HTTP-Method-Override": "GET"}) == 403

    assert site.written() == before


def test_what_passed_the_gate_would_meet_two_locks(behind: dict[str, Any]) -> None:
    (created, told), (status, file) = behind["answers"]

    assert created != 200
    assert "read-only transaction" in told
    assert (status, "not below the artifact root" in file) == (403, True)


def test_files_outside_the_root_are_not_shown(site: Site) -> None:
    with site.server.client(site.server.login) as client:
        asked = {"run_id": site.outside, "path": "hostname"}
        assert client.get("/get-artifact", params=asked).status_code == 403
        listed = client.get("/api/2.0/mlflow/artifacts/list", params={"run_id": site.outside})
        assert listed.status_code == 403
        for path in (
            "../../../secrets.json",
            "/etc/hostname",
            "%2e%2e/x",
            "..%2f..%2fsecrets.json",
        ):
            inside = client.get("/get-artifact", params={"run_id": site.run, "path": path})
            assert inside.status_code == 400, path


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("file:///home/a/artifacts/7", True),
        ("/home/a/artifacts/7", True),
        ("file:///home/a/artifacts", True),
        ("file:///home/a/artifacts2/7", False),
        ("file:///home/a/artifacts/../7", False),
        ("file:///home/a/artifacts/%2e%2e/7", False),
        ("file:///home/a/artifacts/7?x", False),
        ("file://elsewhere/home/a/artifacts/7", False),
        ("file:///etc", False),
        ("s3://home/a/artifacts/7", False),
        ("runs:/7/model", False),
        ("http://127.0.0.1/home/a/artifacts/7", False),
        ("", False),
    ],
)
def test_below_the_root(place: str, expected: bool) -> None:
    assert is_below(place, "file:///home/a/artifacts") == expected
    in_bucket = place.replace("file:///home", "s3://bucket")
    if in_bucket != place:
        assert is_below(in_bucket, "s3://bucket/a/artifacts") == expected


# --- People and programs --------------------------------------------------------------------------


@pytest.fixture
def client(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """MLflow's own client, set up as the README says."""
    load_library()
    import mlflow

    username, password = site.server.login
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", username)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
    mlflow.set_tracking_uri(site.server.address)
    yield mlflow
    mlflow.set_tracking_uri("")


def test_a_program_reads_with_the_login(client: Any, site: Site, tmp_path: Path) -> None:
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    answer = loaded.predict(pd.DataFrame({"customer_id": ["customer 1"]}), params={"n": 3})
    assert len(answer["products"][0]) == 3
    assert client.search_runs(experiment_names=[NAME])["run_id"].tolist() == [site.run]
    assert client.artifacts.download_artifacts(
        run_id=site.run, artifact_path=site.file(), dst_path=str(tmp_path)
    )


def test_a_program_is_told_what_is_missing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(client.MlflowException, match="nothing is written"):
        client.create_experiment("mine")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    with pytest.raises(client.MlflowException, match="MLFLOW_TRACKING_PASSWORD"):
        client.search_experiments()
