"""The HTTP service: an endpoint of its own for every tenant."""

from recfleet.serving._run import run
from recfleet.serving._service import Service

__all__ = ["Service", "run"]
