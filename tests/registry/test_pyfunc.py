"""A registered model is loaded and used like any MLflow model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recfleet.errors import TenantError
from recfleet.models import Factors, rank
from recfleet.models.als import AlsModel, dump_model, fold_in
from recfleet.registry import ArtifactStore, Registry, load_library, model_folder
from recfleet.registry._folder import mlmodel_text
from tests.registry.writing import log, register

pytestmark = [pytest.mark.postgres, pytest.mark.mlflow]


def _promote(registry: Registry, tenant: str, model: AlsModel) -> str:
    """Promote a model; returns its folder."""
    run = log(registry, tenant, model)
    version = register(registry, tenant, run)
    registry.set_champion(tenant, version=version, previous=None)
    return run.model_uri


@pytest.fixture(autouse=True, scope="module")
def _people(store_url: str) -> Iterator[None]:
    """MLflow, set up as in a person's notebook."""
    load_library()
    import mlflow

    mlflow.set_tracking_uri(store_url)
    yield
    mlflow.set_tracking_uri("")


@pytest.fixture
def champion(registry: Registry, model: AlsModel, tenant: str) -> Any:
    import mlflow.pyfunc

    _promote(registry, tenant, model)
    return mlflow.pyfunc.load_model(f"models:/als-{tenant}@champion")


def _history(model: AlsModel, purchases: csr_matrix, row: int) -> list[str]:
    """The products of a row of log(1 + lines), each as often as it has lines."""
    lines = np.rint(np.expm1(purchases[row].toarray()[0])).astype(int)
    return [str(model.product_ids[i]) for i, n in enumerate(lines) for _ in range(n)]


def test_a_history_is_ranked_as_the_nightly_lists_are(
    champion: Any, model: AlsModel, purchases: csr_matrix
) -> None:
    expected = rank(
        fold_in(model, purchases, model.product_ids),
        purchases,
        allowed=np.ones(25, dtype=bool),
        list_length=7,
        offers="new",
    )
    histories = [_history(model, purchases, row) for row in range(40)]
    given = champion.predict(pd.DataFrame({"history": histories}))
    assert given["source"].tolist() == ["history"] * 40
    assert given["products"].tolist() == [
        model.product_ids[list_].tolist() for _, list_, _ in expected.each()
    ]
    for scores, (_, _, wanted) in zip(given["scores"], expected.each(), strict=True):
        np.testing.assert_allclose(scores, wanted, rtol=1e-5)


def test_a_customer_of_the_training_is_ranked_by_the_stored_factors(
    champion: Any, model: AlsModel
) -> None:
    expected = rank(
        Factors(
            customers=model.customer_factors,
            products=model.product_factors,
            known_customers=np.ones(40, dtype=bool),
            known_products=np.ones(25, dtype=bool),
        ),
        csr_matrix(np.zeros((40, 25), dtype=np.float32)),
        allowed=np.ones(25, dtype=bool),
        list_length=7,
        offers="new",
    )
    order = [17, 3]
    customers = [str(model.customer_ids[i]) for i in order]
    given = champion.predict(pd.DataFrame({"customer_id": customers}, index=[5, 9]))
    assert given.index.tolist() == [5, 9]
    assert given["customer_id"].tolist() == customers
    assert given["source"].tolist() == ["customer", "customer"]
    lists = {customer: (places, values) for customer, places, values in expected.each()}
    assert given["products"].tolist() == [model.product_ids[lists[i][0]].tolist() for i in order]
    assert given["scores"].tolist() == [lists[i][1].astype(float).tolist() for i in order]


def test_who_is_unknown_gets_an_empty_list(champion: Any, model: AlsModel) -> None:
    known, product = str(model.customer_ids[0]), str(model.product_ids[0])
    given = champion.predict(
        pd.DataFrame(
            {
                "customer_id": ["nobody", known, "nobody", known, None],
                "history": [None, None, [product], ["no product"], []],
            }
        )
    )
    assert given["source"].tolist() == ["unknown", "customer", "history", "customer", "unknown"]
    assert [len(products) for products in given["products"]] == [0, 7, 7, 7, 0]
    assert product not in given["products"][2]


def test_the_length_of_the_lists(champion: Any, model: AlsModel) -> None:
    row = pd.DataFrame({"customer_id": [str(model.customer_ids[0])]})
    lengths = [len(champion.predict(row, params={"n": n})["products"][0]) for n in (1, 3, 1000)]
    assert lengths == [1, 3, 25]


def test_no_rows(champion: Any) -> None:
    given = champion.predict(pd.DataFrame({"customer_id": pd.Series([], dtype=object)}))
    assert given.columns.tolist() == ["customer_id", "products", "scores", "source"]
    assert len(given) == 0


def test_the_signature_refuses_other_types(champion: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="schema"):
        champion.predict(pd.DataFrame({"customer_id": [12583]}))
    with pytest.raises(MlflowException, match="schema"):
        champion.predict(pd.DataFrame({"history": ["product '1'\n"]}))


def test_nothing_of_the_model_is_a_pickle(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    files = artifacts.read(_promote(registry, tenant, model))
    assert {name.rpartition(".")[2] for name in files} == {"MLmodel", "json", "npy"}
    assert not any(content.startswith((b"\x80", b"PK")) for content in files.values())
    for name, content in files.items():
        if name.endswith(".npy"):
            assert b"'descr': '<f4'" in content[:128]


def test_loading_twice_leaves_the_model_readable(
    registry: Registry, artifacts: ArtifactStore, model: AlsModel, tenant: str
) -> None:
    import mlflow.pyfunc

    uri = _promote(registry, tenant, model)
    for _ in range(2):
        mlflow.pyfunc.load_model(f"models:/als-{tenant}@champion")
    assert artifacts.read(uri)["model.json"] == dump_model(model)["model.json"]


def test_a_damaged_model_is_not_loaded(registry: Registry, model: AlsModel, tenant: str) -> None:
    import mlflow.pyfunc

    folder = Path(url2pathname(_promote(registry, tenant, model).removeprefix("file://")))
    (folder / "customer_factors.npy").write_bytes(b"")
    with pytest.raises(
        TenantError, match=r"customer_factors\.npy was changed since it was written"
    ):
        mlflow.pyfunc.load_model(f"models:/als-{tenant}@champion")


def test_a_model_in_an_object_store(
    s3: str,
    store_url: str,
    model: AlsModel,
    monkeypatch: pytest.MonkeyPatch,
    tenant: str,
) -> None:
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", s3)
    uri = _promote(Registry(store_url, ArtifactStore("s3://models/fleet", s3)), tenant, model)
    assert uri.startswith(f"s3://models/fleet/als-{tenant}/")
    champion = mlflow.pyfunc.load_model(f"models:/als-{tenant}@champion")
    given = champion.predict(pd.DataFrame({"customer_id": [str(model.customer_ids[0])]}))
    assert len(given["products"][0]) == 7


def test_the_text_of_mlmodel_is_what_mlflow_would_write() -> None:
    load_library()
    import yaml
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    signature = ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.string, "customer_id", required=False),
                ColSpec(Array(DataType.string), "history", required=False),
                ColSpec(Array(DataType.string), "times", required=False),
            ]
        ),
        outputs=Schema(
            [
                ColSpec(DataType.string, "customer_id", required=False),
                ColSpec(Array(DataType.string), "products"),
                ColSpec(Array(DataType.double), "scores"),
                ColSpec(DataType.string, "source"),
            ]
        ),
        params=ParamSchema([ParamSpec("n", DataType.long, 20)]),
    )
    theirs = Model(signature=signature)
    theirs.add_flavor(
        "python_function",
        loader_module="recfleet.registry.pyfunc",
        python_version=".".join(map(str, sys.version_info[:3])),
    )
    ours = Model.from_dict(yaml.safe_load(mlmodel_text(20)))
    assert ours.signature == theirs.signature
    assert ours.flavors == theirs.flavors
    assert (ours.run_id, ours.artifact_path, ours.model_uuid) == (None, None, None)


def test_the_last_file_of_a_folder_has_the_checksums(model: AlsModel) -> None:
    folder = model_folder(dump_model(model))
    assert list(folder)[-1] == "model.json"
    assert model_folder(folder) == folder
