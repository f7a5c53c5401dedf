"""MLflow's pages, for people who look: behind a login, and nothing is written through them.

``mlflow server --app-name recfleet`` finds ``make_app`` by the entry point in ``pyproject.toml``.
"""

from recfleet.registry.server._app import make_app

__all__ = ["make_app"]
