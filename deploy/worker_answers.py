"""Exit with 0 when this container's Celery worker answers over the queue.

Celery's own command would import all of Airflow each time, which takes seconds.
"""

from __future__ import annotations

import os
import socket
import sys

from celery import Celery


def answers(broker_url: str, worker: str, timeout: float = 10) -> bool:
    """Whether the worker of that name answers within so many seconds."""
    app = Celery(broker=broker_url)
    return bool(app.control.ping(destination=[worker], timeout=timeout, limit=1))


if __name__ == "__main__":
    broker = os.environ["AIRFLOW__CELERY__BROKER_URL"]
    sys.exit(0 if answers(broker, f"celery@{socket.gethostname()}") else 1)
