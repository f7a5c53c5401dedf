"""The service as a process."""

from __future__ import annotations

import gc
import signal

from recfleet.errors import ConfigurationError
from recfleet.serving._service import Service
from recfleet.settings import api_settings, artifact_settings

_SECONDS_TO_FINISH = 20
_YOUNG_BETWEEN_FULL = 1_000
"""Passes of the garbage collector over what is young, between two over everything. They take some
100,000 answers."""


def run(host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C; what was begun is finished.

    Args:
        host: the address to listen at.
        port: its port.

    Raises:
        ConfigurationError: the database's address is missing, or the port is taken.
    """
    import uvicorn
    from threadpoolctl import threadpool_limits

    from recfleet.registry import open_artifacts

    known = api_settings()
    if not known.api_database_url:
        raise ConfigurationError(
            "RECFLEET_API_DATABASE_URL is missing: set it to the address of the role recfleet_api, "
            "or run `recfleet up`, which makes one."
        )
    service = Service(known, open_artifacts(artifact_settings()))
    server = uvicorn.Server(
        uvicorn.Config(
            service,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        )
    )
    # What is there at the start stays: the garbage collector need not look through it again.
    gc.collect()
    gc.freeze()
    # To look through all that has lived for a while takes 35 ms with ten thousand lists in memory.
    # Nobody is answered meanwhile. Young garbage is looked for as usual.
    gc.set_threshold(*gc.get_threshold()[:2], _YOUNG_BETWEEN_FULL)
    # The server handles SIGTERM, and raises it again when it has finished.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with threadpool_limits(limits=1):  # a basket's sums are small: threads would only wait
        server.run()
