"""The whole stack on one machine: Postgres, MLflow, Airflow and the HTTP service on loopback."""

from recfleet.local._ports import free_port
from recfleet.local._stack import Progress, ServiceStatus, Stack, down, status, up
from recfleet.local.postgres import PostgresServer

__all__ = [
    "PostgresServer",
    "Progress",
    "ServiceStatus",
    "Stack",
    "down",
    "free_port",
    "status",
    "up",
]
