"""MLflow: a run for every challenger, a version for every champion, arrays in an artifact store."""

from recfleet.registry._artifacts import ArtifactStore
from recfleet.registry._code import code_version
from recfleet.registry._folder import model_folder
from recfleet.registry._library import load_library
from recfleet.registry._links import model_page, run_page, version_page
from recfleet.registry._look_up import KnownVersion, find_versions
from recfleet.registry._names import CHAMPION, DIGEST, PREVIOUS, model_name, tenant_of
from recfleet.registry._open import open_artifacts, open_registry
from recfleet.registry._registry import Registry
from recfleet.registry._retention import OldRun, OldVersion, Retention
from recfleet.registry._run_rows import Challenger
from recfleet.registry._runs import LoggedRun
from recfleet.registry._survey import Surveyed, survey
from recfleet.registry._upgrade import (
    add_indexes,
    rebuild_bloated_indexes,
    upgrade_store,
)
from recfleet.registry._version_rows import Promotion
from recfleet.registry._versions import Aliases, ModelVersion

__all__ = [
    "CHAMPION",
    "DIGEST",
    "PREVIOUS",
    "Aliases",
    "ArtifactStore",
    "Challenger",
    "KnownVersion",
    "LoggedRun",
    "ModelVersion",
    "OldRun",
    "OldVersion",
    "Promotion",
    "Registry",
    "Retention",
    "Surveyed",
    "add_indexes",
    "code_version",
    "find_versions",
    "load_library",
    "model_folder",
    "model_name",
    "model_page",
    "open_artifacts",
    "open_registry",
    "rebuild_bloated_indexes",
    "run_page",
    "survey",
    "tenant_of",
    "upgrade_store",
    "version_page",
]
