"""The whole stack on one machine: Postgres, MLflow and Airflow on loopback."""

from recfleet.local._ports import free_port
from recfleet.local.postgres import PostgresServer

__all__ = ["PostgresServer", "free_port"]
