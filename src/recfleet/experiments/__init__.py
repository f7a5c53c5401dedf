"""Experiments: ways of serving that are compared by fair trials."""

from recfleet.experiments._arms import CHAMPION, MEANINGS, Arm, ArmModel, check_arm, version_in
from recfleet.experiments._end import decide_experiment, stop_experiment
from recfleet.experiments._groups import LOT, OUTSIDE, arms_of
from recfleet.experiments._pauses import Pause, keep_pauses, pauses_of
from recfleet.experiments._start import Wanted, start_experiment
from recfleet.experiments._table import (
    Experiment,
    Kind,
    Kpi,
    Phase,
    State,
    begin_phases,
    delete_experiments_of,
    experiments_of,
    get_experiment,
    running_of,
    tenants_with_experiments,
)

__all__ = [
    "CHAMPION",
    "LOT",
    "MEANINGS",
    "OUTSIDE",
    "Arm",
    "ArmModel",
    "Experiment",
    "Kind",
    "Kpi",
    "Pause",
    "Phase",
    "State",
    "Wanted",
    "arms_of",
    "begin_phases",
    "check_arm",
    "decide_experiment",
    "delete_experiments_of",
    "experiments_of",
    "get_experiment",
    "keep_pauses",
    "pauses_of",
    "running_of",
    "start_experiment",
    "stop_experiment",
    "tenants_with_experiments",
    "version_in",
]
