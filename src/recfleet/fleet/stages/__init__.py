"""The steps of a tenant's night: validate, train and judge, publish."""

from recfleet.fleet.stages.publish import PUBLISH
from recfleet.fleet.stages.train_and_judge import TRAIN_AND_JUDGE
from recfleet.fleet.stages.validate import VALIDATE

STAGES = {stage.name: stage for stage in (VALIDATE, TRAIN_AND_JUDGE, PUBLISH)}

__all__ = ["PUBLISH", "STAGES", "TRAIN_AND_JUDGE", "VALIDATE"]
