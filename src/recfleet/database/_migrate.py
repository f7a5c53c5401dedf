"""Upgrading the schema to what this version of the code needs."""

from __future__ import annotations

from recfleet.settings import database_settings


def migrate(url: str | None = None) -> None:
    """Apply the missing migrations, if any.

    Args:
        url: ``postgresql://…``; by default the settings' address.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = url or database_settings().database_url
    command.upgrade(config, "head")
