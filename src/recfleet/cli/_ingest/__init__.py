"""``recfleet ingest``: look at files, load them, and take loads back; ``recfleet unusable``."""

from recfleet.cli._ingest._command import ingest_online_retail, register

__all__ = ["ingest_online_retail", "register"]
