"""Releases of old nights: which ones stay, and deleting the rows of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from recfleet.database import Connection
from recfleet.releases._old_lists import WANTED_RELEASES


def wanted_releases(connection: Connection) -> list[int]:
    """Numbers of the releases that are live or that a rollback would return to."""
    with connection.cursor() as cursor:
        cursor.execute(f"select release_id from ({WANTED_RELEASES}) as wanted")  # noqa: S608
        return [release_id for (release_id,) in cursor]


def tenants_of(connection: Connection, night_id: int, releases: Sequence[int]) -> list[str]:
    """The tenants of those of these releases that belong to a night."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from release where night_id = %s and release_id = any(%s)",
            (night_id, list(releases)),
        )
        return [tenant_id for (tenant_id,) in cursor]


def delete_releases(connection: Connection, night_id: int, *, besides: Sequence[int]) -> int:
    """Delete the rows of a night's releases, whose lists are gone; returns how many.

    Args:
        connection: an open connection; the caller commits.
        night_id: the night.
        besides: releases that stay.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from release where night_id = %s and release_id <> all(%s)",
            (night_id, list(besides)),
        )
        return cursor.rowcount


def count_releases(connection: Connection, night_ids: Collection[int]) -> int:
    """How many releases of these nights are left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from release where night_id = any(%s)", (sorted(night_ids),)
        )
        [(releases,)] = cursor.fetchall()
    return int(releases)


def delete_releases_of(connection: Connection, tenant_id: str) -> dict[str, int]:
    """Delete all releases of a tenant with their lists, the live one too; the caller commits.

    Returns:
        What was deleted -> how many.
    """
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("delete from live_release where tenant_id = %s", (tenant_id,))
        cursor.execute(
            "delete from recommendation using release "
            "where release.tenant_id = %s and recommendation.night_id = release.night_id "
            "and recommendation.release_id = release.release_id",
            (tenant_id,),
        )
        counts["lists"] = cursor.rowcount
        cursor.execute("delete from release where tenant_id = %s", (tenant_id,))
        counts["releases"] = cursor.rowcount
    return counts


def forget_lists_of_customer(
    connection: Connection, tenant_id: str, customer_id: str
) -> dict[str, int]:
    """Delete a customer's lists of all releases, and have the HTTP service forget them.

    The caller commits.

    Returns:
        What was deleted -> how many.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            with gone as (
              delete from recommendation using release
               where recommendation.release_id = release.release_id
                 and recommendation.night_id = release.night_id
                 and release.tenant_id = %s and recommendation.customer_id = %s
              returning release.release_id, recommendation.source
            ), counted as (
              -- A release whose lists are fewer than it says is not shown again.
              update release
                 set customers = customers - 1,
                     from_model = greatest(from_model - (gone.source = 'model')::integer, 0)
                from gone where gone.release_id = release.release_id
            )
            select count(*) from gone
            """,
            (tenant_id, customer_id),
        )
        [[lists]] = cursor.fetchall()
        # The service hears of it.
        cursor.execute(
            "update live_release set switched_at = switched_at where tenant_id = %s", (tenant_id,)
        )
    return {"lists": lists}
