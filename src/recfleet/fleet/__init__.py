"""The night: which tenants are in it, the stages of their work, and what runs and ends them.

In the order of a night:

- ``plan``, ``request``, ``shards``: read the request, choose the tenants, pack them into shards.
- ``stages``: validate, train and judge, publish; ``evidence`` and ``probation`` read what earlier
  nights found about a champion; ``lists`` reads the data for lists, makes and checks them.
- ``stage_loop``, ``stopwatch``, ``accounting``: run any stage over a shard, and measure its cost;
  ``supervisor`` runs the stage in a process of its own.
- ``decide``: sees all verdicts of the fleet before anything changes.
- ``close``, ``intents``, ``answers``: end a night; bring MLflow to what is on record after
  unfinished changes of champion, and after people's answers.
- ``policy_audit``, ``data_docs``: write the fleet's policy into the audit; render pages about data.

Beside it:

- ``report``: nights and tenants for people to read.

Names are imported when they are first used, so that a task imports only what it needs.
"""

from typing import TYPE_CHECKING

from recfleet.faces import import_on_demand

if TYPE_CHECKING:
    from recfleet.fleet.close import NightSummary, close_night, failed_share
    from recfleet.fleet.data_docs import document_quality
    from recfleet.fleet.decide import FleetVerdicts, decide_night
    from recfleet.fleet.plan import Idle, Prospect, place, plan_night, survey
    from recfleet.fleet.report import (
        find_night,
        finished_night,
        fleet_tenants,
        list_nights,
        night_progress,
        night_sentence,
        night_tenants,
        tenant_story,
        trio,
    )
    from recfleet.fleet.request import parse_as_of, read_request
    from recfleet.fleet.stage_loop import Desk, ShardSummary, Stage, Work, run_stage
    from recfleet.fleet.stages import PUBLISH, STAGES, TRAIN_AND_JUDGE, VALIDATE
    from recfleet.fleet.supervisor import import_ahead, run_supervised
else:
    __getattr__ = import_on_demand(__name__, __file__)

__all__ = [
    "PUBLISH",
    "STAGES",
    "TRAIN_AND_JUDGE",
    "VALIDATE",
    "Desk",
    "FleetVerdicts",
    "Idle",
    "NightSummary",
    "Prospect",
    "ShardSummary",
    "Stage",
    "Work",
    "close_night",
    "decide_night",
    "document_quality",
    "failed_share",
    "find_night",
    "finished_night",
    "fleet_tenants",
    "import_ahead",
    "list_nights",
    "night_progress",
    "night_sentence",
    "night_tenants",
    "parse_as_of",
    "place",
    "plan_night",
    "read_request",
    "run_stage",
    "run_supervised",
    "survey",
    "tenant_story",
    "trio",
]
