"""What the MLflow server does for people: every address and method that it answers."""

from __future__ import annotations

HEALTH = "/health"
"""The one address that is answered without a login."""

GRAPHQL = "/graphql"
"""The pages ask here for runs; what they ask is looked at, see ``_graphql``."""

_FILES = "/static-files/"
"""The pages' own scripts, styles and pictures are below it."""

_GET = frozenset({"GET"})
_POST = frozenset({"POST"})
_BOTH = _GET | _POST

_API = {
    "2.0/mlflow/experiments/get": _GET,
    "2.0/mlflow/experiments/get-by-name": _GET,
    "2.0/mlflow/experiments/search": _BOTH,
    "2.0/mlflow/runs/get": _GET,
    "2.0/mlflow/runs/search": _POST,
    "2.0/mlflow/metrics/get-history": _GET,
    "2.0/mlflow/metrics/get-history-bulk-interval": _GET,
    "2.0/mlflow/artifacts/list": _GET,
    "2.0/mlflow/logged-models/search": _POST,
    "2.0/mlflow/registered-models/get": _GET,
    "2.0/mlflow/registered-models/search": _GET,
    "2.0/mlflow/registered-models/get-latest-versions": _BOTH,
    "2.0/mlflow/registered-models/alias": _GET,
    "2.0/mlflow/model-versions/get": _GET,
    "2.0/mlflow/model-versions/get-download-uri": _GET,
    "2.0/mlflow/model-versions/search": _GET,
    "3.0/mlflow/server-info": _GET,
    "3.0/mlflow/traces/search": _POST,
}
"""For programs below /api, and for the pages below /ajax-api."""

_PAGES = {
    "2.0/mlflow/experiments/search-datasets": _POST,
    "2.0/mlflow/metrics/get-history-bulk": _GET,
}
"""For the pages alone."""

ALLOWED: dict[str, frozenset[str]] = {
    "/": _GET,
    HEALTH: _GET,
    "/version": _GET,
    "/get-artifact": _GET,
    "/model-versions/get-artifact": _GET,
    GRAPHQL: _POST,
    **{f"/api/{path}": methods for path, methods in _API.items()},
    **{f"/ajax-api/{path}": methods for path, methods in (_API | _PAGES).items()},
}
"""Path -> its methods. What is not here is refused, also what a later MLflow adds."""


def is_allowed(method: str, path: str, raw_path: bytes) -> bool:
    """Whether a request only reads.

    Args:
        method: as it was sent; no header takes its place.
        path: decoded, without the query.
        raw_path: as it was sent. It must be written plainly, so that nobody behind reads another
            path from it.
    """
    if raw_path != path.encode():
        return False
    if path.startswith(_FILES):
        parts = path.removeprefix(_FILES).split("/")
        return method == "GET" and not {"", ".", ".."} & set(parts)
    return method in ALLOWED.get(path, ())
