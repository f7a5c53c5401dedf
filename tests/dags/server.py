"""A process that has imported Airflow once, and forks for each piece of Python that it gets.

Importing Airflow and the libraries of the nights takes longer than most of what the tests do with
them. Each line of its input is an order in JSON; each line of its output says that one is done.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any


def main() -> None:
    """Serve orders until the input ends."""
    import great_expectations  # noqa: F401
    import implicit.cpu.als  # noqa: F401
    import mlflow  # noqa: F401
    from airflow.api_fastapi.execution_api import app  # noqa: F401
    from airflow.dag_processing.dagbag import DagBag  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os._exit(_run(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(order: Mapping[str, Any]) -> int:
    """Run a piece of Python as a process of its own would; returns its exit code."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    code = 0
    try:
        exec(compile(order["code"], "<order>", "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
