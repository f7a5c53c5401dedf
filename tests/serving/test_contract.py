"""Whatever a caller sends, the answer is one that the OpenAPI document allows.

``make contract`` tries many more requests than the suite does.
"""

from __future__ import annotations

import json
import os
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from recfleet.local import free_port
from recfleet.serving._openapi import document
from tests.serving.conftest import World
from tests.serving.test_process import start, wait_until_ready

pytestmark = pytest.mark.postgres

EXAMPLES = int(os.environ.get("RECFLEET_CONTRACT_EXAMPLES", "3"))
"""Requests of each operation."""


def test_every_answer_is_one_that_the_document_allows(world: World) -> None:
    import schemathesis

    port = free_port()
    process = start(
        port,
        RECFLEET_API_DATABASE_URL=world.api,
        RECFLEET_ARTIFACT_ROOT=world.artifacts.root,
        RECFLEET_API_RATE="1000000",
        RECFLEET_API_TENANT_RATE="1000000",
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_ready(client)
        key = {"Authorization": f"Bearer {world.all_scopes()}"}
        schema = schemathesis.openapi.from_dict(json.loads(document()))
        tried = [
            _try(cast("Any", found).ok(), f"http://127.0.0.1:{port}", key)
            for found in schema.get_all_operations()
        ]
        assert len(tried) > 10
    finally:
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert "a request failed" not in log


def _try(operation: Any, address: str, key: dict[str, str]) -> str:
    from schemathesis import checks as known
    from schemathesis.specs.openapi import checks as of_documents

    checks = [
        known.not_a_server_error,
        of_documents.status_code_conformance,
        of_documents.content_type_conformance,
        of_documents.response_headers_conformance,
        of_documents.response_schema_conformance,
    ]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        if case.path_parameters and len(case.path_parameters.get("customer", "")) != 1:
            case.path_parameters["tenant"] = "acme"
        answer = case.call(base_url=address, headers=key)
        case.validate_response(answer, checks=checks)

    check()
    return str(operation.label)
