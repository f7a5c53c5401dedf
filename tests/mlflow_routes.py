"""All routes of the installed MLflow's server: of its two apps, and of its protocol."""

from __future__ import annotations

import importlib
import json
import pkgutil
from typing import Any


def routes(app: Any) -> list[tuple[str, str]]:
    """Method and path of each route.

    Args:
        app: MLflow's own, ``mlflow.server.fastapi_app.app``.
    """
    import mlflow.protos
    from mlflow.protos import databricks_pb2
    from mlflow.server import app as flask_app

    found = {
        (method, rule.rule)
        for rule in flask_app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    found |= {
        (method, route.path) for route in app.routes for method in getattr(route, "methods", ())
    }
    for module in pkgutil.iter_modules(mlflow.protos.__path__):
        if module.name.endswith("_pb2"):
            protos = importlib.import_module(f"mlflow.protos.{module.name}")
            for service in protos.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    for end in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                        for root in ("api/2.0", "api/3.0", "ajax-api/2.0", "ajax-api/3.0"):
                            found.add((end.method, f"/{root}{end.path}"))
    return sorted(found)


if __name__ == "__main__":
    from mlflow.server.fastapi_app import app

    print(json.dumps(routes(app)))
