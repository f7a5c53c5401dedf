"""An S3 in memory, called as SeaweedFS is: ``store.py mini … -s3.port=8333``.

It refuses whoever has not the one access key; moto itself does not ask for one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    """Keep connections open, and write no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def with_a_key(application: Application, key: str) -> Application:
    """Answer ``/healthz``, and hand on what is signed with the access key."""
    signed = f"Credential={key}/"

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/healthz":
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        if signed not in environ.get("HTTP_AUTHORIZATION", ""):
            start("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return application(environ, start)

    return answer


if __name__ == "__main__":
    port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("-s3.port="))
    store = DomainDispatcherApplication(create_backend_app)
    run_simple(
        "0.0.0.0",
        port,
        with_a_key(store, os.environ["AWS_ACCESS_KEY_ID"]),
        threaded=True,
        request_handler=_Quiet,
    )
