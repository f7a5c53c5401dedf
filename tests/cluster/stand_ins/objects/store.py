#!/usr/bin/env python3
"""An S3 in memory, called as SeaweedFS is: ``weed server … -s3.config=FILE -s3.port=8333``.

It refuses whoever has none of the file's access keys, and whatever the key's actions do not allow;
moto itself asks for no key. Signatures are not checked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_REFUSAL = b"<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>"


class _Quiet(WSGIRequestHandler):
    """Keep connections open, and write no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def actions_of(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Access key -> its actions, from the text of ``-s3.config``."""
    return {
        credentials["accessKey"]: identity["actions"]
        for identity in config["identities"]
        for credentials in identity["credentials"]
    }


def may(actions: Sequence[str], method: str, path: str) -> bool:
    """Whether a key's actions allow a request; to read is all that is told apart."""
    bucket = path.strip("/").partition("/")[0]
    reads = method in ("GET", "HEAD") and {f"Read:{bucket}", f"List:{bucket}"} <= {*actions}
    return "Admin" in actions or reads


def with_keys(application: Application, known: Mapping[str, Sequence[str]]) -> Application:
    """Answer ``/healthz``, and hand on what is signed with a key that allows it."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/healthz":
            start("200 OK", [("Content-Length", "0")])
            return [b""]
        signed = re.search(r"Credential=(\w+)/", environ.get("HTTP_AUTHORIZATION", ""))
        actions = known.get(signed[1], ()) if signed else ()
        if not may(actions, environ["REQUEST_METHOD"], environ["PATH_INFO"]):
            head = [("Content-Type", "application/xml"), ("Content-Length", str(len(_REFUSAL)))]
            # What was sent is not read, so the connection cannot go on.
            start("403 Forbidden", [*head, ("Connection", "close")])
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else _REFUSAL]
        return application(environ, start)

    return answer


def main(words: Sequence[str]) -> None:
    """Serve until the container is stopped."""
    options = dict(word.lstrip("-").split("=", 1) for word in words if "=" in word)
    config = json.loads(Path(options["s3.config"]).read_text(encoding="utf-8"))
    store = DomainDispatcherApplication(create_backend_app)
    run_simple(
        options["s3.ip.bind"],
        int(options["s3.port"]),
        with_keys(store, actions_of(config)),
        threaded=True,
        request_handler=_Quiet,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
