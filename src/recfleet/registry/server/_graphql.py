"""Questions in GraphQL: which of them only read."""

from __future__ import annotations

import json

LONGEST = 64 * 1024
"""Bytes; the longest question of MLflow's own pages has about 2,000."""

FIELDS = frozenset(
    {
        "mlflowGetExperiment",
        "mlflowGetMetricHistoryBulkInterval",
        "mlflowGetRun",
        "mlflowListArtifacts",
        "mlflowSearchModelVersions",
        "mlflowSearchRuns",
    }
)
"""What may be asked for; each of these reads."""


def plain_question(body: bytes) -> bytes | None:
    """The request's body in one plain form, or None if it does more than read.

    MLflow gets this form and not the text that was sent, so that both read the same in it.
    """
    try:
        asked = json.loads(body)
    except ValueError:
        return None
    if not isinstance(asked, dict) or not _only_reads(asked.get("query")):
        return None
    kept = {name: asked.get(name) for name in ("query", "variables", "operationName")}
    return json.dumps(kept).encode()


def _only_reads(query: object) -> bool:
    from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, parse

    if not isinstance(query, str):
        return False
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return False
    operations = [
        node for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    return len(operations) == 1 and all(
        operation.operation is OperationType.QUERY
        and isinstance(asked, FieldNode)
        and asked.name.value in FIELDS
        for operation in operations
        for asked in operation.selection_set.selections
    )
