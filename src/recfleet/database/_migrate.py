"""Bringing the schema to where this version of the code needs it."""

from __future__ import annotations

from recfleet.settings import database_settings


def migrate(url: str | None = None) -> None:
    """Apply the migrations that are missing; does nothing when there are none.

    Args:
        url: ``postgresql://…``; by default that of the settings.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = url or database_settings().database_url
    command.upgrade(config, "head")
