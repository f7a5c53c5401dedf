"""``recfleet api``: the HTTP service for tenants' applications."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("api")(api)


def api(
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; by default on this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Its port; by default RECFLEET_API_PORT, or 8090."
        ),
    ] = None,
) -> None:
    """Serve tenants' applications over HTTP, until SIGTERM or Ctrl-C.

    It needs RECFLEET_API_DATABASE_URL and RECFLEET_ARTIFACT_ROOT, which `recfleet up` sets; `up`
    starts it as one of its services. It keeps no state: run as many as you like. What was begun is
    finished before it ends. `recfleet key create` makes keys, and /openapi.json has every address.
    """
    from recfleet.serving import run
    from recfleet.settings import api_settings

    run(host, port or api_settings().api_port)
