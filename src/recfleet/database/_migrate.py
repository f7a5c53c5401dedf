"""Upgrading the schema to what this version of the code needs."""

from __future__ import annotations

from contextlib import closing

import psycopg2

from recfleet.database._roles import make_roles
from recfleet.settings import administrator_settings, database_settings


def migrate(url: str | None = None) -> None:
    """Make the missing roles and apply the missing migrations, if any.

    The tables belong to a role that nobody logs in as, whoever migrates.

    Args:
        url: ``postgresql://…`` of an administrator of the server; by default the settings' address
            of one, or else that of nights and commands.

    Raises:
        ConfigurationError: the address is not an administrator's.
    """
    from alembic import command
    from alembic.config import Config

    url = url or administrator_settings().admin_database_url or database_settings().database_url
    with closing(psycopg2.connect(url, application_name="recfleet migrate")) as connection:
        make_roles(connection)
    config = Config()
    config.set_main_option("script_location", "recfleet:database/migrations")
    config.attributes["url"] = url
    command.upgrade(config, "head")
