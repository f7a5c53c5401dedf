"""The four steps of a tenant's night: validate, train, judge, publish."""

from recfleet.fleet.stages.judge import JUDGE
from recfleet.fleet.stages.publish import PUBLISH
from recfleet.fleet.stages.train import TRAIN
from recfleet.fleet.stages.validate import VALIDATE

STAGES = {stage.name: stage for stage in (VALIDATE, TRAIN, JUDGE, PUBLISH)}

__all__ = ["JUDGE", "PUBLISH", "STAGES", "TRAIN", "VALIDATE"]
