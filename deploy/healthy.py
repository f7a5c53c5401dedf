"""Exit with 0 when a service reports that it is healthy: ``healthy.py URL [COMPONENT]``.

With a component, the address is Airflow's health report, and only that component's part counts.
An HTTP request is far cheaper than starting Airflow's command line every half minute.
"""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen


def is_healthy(url: str, component: str | None = None) -> bool:
    """Whether the address answers and the component, if named, has a recent heartbeat."""
    try:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - the address is in the compose file
            report = answer.read()
    except OSError:
        return False
    return component is None or json.loads(report)[component]["status"] == "healthy"


if __name__ == "__main__":
    sys.exit(0 if is_healthy(*sys.argv[1:3]) else 1)
