"""The Approvals page: what waits for a person, with its numbers, and what was decided."""

from __future__ import annotations

from recfleet.database import Connection, Row, read_rows

_ROWS = 200
_DECIDED = 50

_COLUMNS = """
select approval.*, tenant.name, as_of, ledger.reason,
       numbers -> 'contenders' as contenders,
       (numbers #>> '{gain,value}')::float as gain,
       (numbers #>> '{gain,low}')::float as gain_low,
       (numbers #>> '{holdout,customers}')::int as holdout_customers
  from approval
  join tenant using (tenant_id)
  join night using (night_id)
  left join ledger using (night_id, tenant_id)
"""


def read_waiting(connection: Connection) -> list[Row]:
    """What waits, the soonest to expire first."""
    return read_rows(
        connection,
        f"{_COLUMNS} where approval.status = 'waiting' and expires_at > now() "
        "order by expires_at, tenant_id limit %(rows)s",
        {"rows": _ROWS},
    )


def count_waiting(connection: Connection) -> int:
    """How many wait."""
    [row] = read_rows(
        connection,
        "select count(*) as waiting from approval where status = 'waiting' and expires_at > now()",
    )
    return int(row["waiting"])


def read_decided(connection: Connection) -> list[Row]:
    """What was decided last, by whom and why."""
    return read_rows(
        connection,
        f"{_COLUMNS} where approval.status <> 'waiting' "
        "order by decided_at desc, approval_id desc limit %(rows)s",
        {"rows": _DECIDED},
    )
