"""The doctor: what disagrees between Postgres, MLflow and the artifact store, and its repair."""

from recfleet.operations.doctor._examine import Examined, Repaired, examine, repair
from recfleet.operations.doctor._finding import Finding

__all__ = ["Examined", "Finding", "Repaired", "examine", "repair"]
