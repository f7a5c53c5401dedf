"""A registry on MLflow's own database, artifact stores of both kinds, and a small model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from scipy.sparse import csr_matrix

from recfleet.local import PostgresServer
from recfleet.models.als import AlsModel, fit
from recfleet.recipe import Recipe
from recfleet.registry import ArtifactStore, Registry

BUCKET = "models"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store_url(postgres_server: PostgresServer, mlflow_template: str) -> Iterator[str]:
    """Address of an MLflow database for this file."""
    name = f"registry_{next(_numbers)}"
    postgres_server.create_database(name, template=mlflow_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """A store on disk, in a folder whose name needs quoting in an address."""
    return ArtifactStore(tmp_path_factory.mktemp("model files").as_uri())


@pytest.fixture(scope="module")
def registry(store_url: str, artifacts: ArtifactStore) -> Registry:
    """A registry that this file's tests share; each test has its own tenant."""
    return Registry(store_url, artifacts)


@pytest.fixture
def another_process(store_url: str, artifacts: ArtifactStore) -> Registry:
    """A registry without memory of the first one, as in a retried task."""
    return Registry(store_url, artifacts)


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test uses."""
    return f"tenant-{next(_numbers)}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3-compatible store on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """That store with one empty bucket, and the environment that lets this process in."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client("s3", endpoint_url=s3_server)
    client.create_bucket(Bucket=BUCKET)
    yield s3_server
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    """An artifact store of either kind."""
    if request.param == "file":
        # Short, because MLflow has room for few characters; it needs quoting in an address.
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        return ArtifactStore(factory.mktemp("m f").as_uri())
    return ArtifactStore(f"s3://{BUCKET}/fleet", request.getfixturevalue("s3"))


@pytest.fixture(scope="session")
def purchases() -> csr_matrix:
    """(40, 25): 40 customers, 25 products, each customer with a few lines."""
    random = np.random.default_rng(3)
    lines = random.integers(1, 4, (40, 25)) * (random.random((40, 25)) < 0.25)
    lines[np.arange(40), random.integers(0, 25, 40)] += 1
    return csr_matrix(np.log1p(lines).astype(np.float32))


@pytest.fixture(scope="session")
def model(purchases: csr_matrix) -> AlsModel:
    """A small model of these purchases."""
    customers = np.array([f"customer {i}" for i in range(40)], dtype=object)
    products = np.array([f"product '{i}'\n" for i in range(25)], dtype=object)
    recipe = Recipe(factors=6, regularization=1.0, list_length=7)
    train_end = datetime(2011, 11, 26, tzinfo=UTC)
    return fit(purchases, customers, products, recipe, train_end=train_end, seed=1)
