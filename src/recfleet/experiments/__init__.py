"""Experiments: ways of serving that are compared by fair trials."""

from recfleet.experiments._arms import CHAMPION, MEANINGS, Arm, ArmModel, check_arm, version_in
from recfleet.experiments._curve import Point, draw
from recfleet.experiments._end import decide_experiment, stop_experiment
from recfleet.experiments._groups import LOT, OUTSIDE, arms_of
from recfleet.experiments._look import KPIS, ArmLook, Difference, Look, look_at
from recfleet.experiments._looks import KeptLook, looks_of
from recfleet.experiments._nightly import look_tonight
from recfleet.experiments._pauses import Pause, keep_pauses, pauses_of
from recfleet.experiments._plan import Past, plan_for
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
    models_of_arms,
    running_of,
    tenants_with_experiments,
)
from recfleet.experiments._told import Told, tell

__all__ = [
    "CHAMPION",
    "KPIS",
    "LOT",
    "MEANINGS",
    "OUTSIDE",
    "Arm",
    "ArmLook",
    "ArmModel",
    "Difference",
    "Experiment",
    "KeptLook",
    "Kind",
    "Kpi",
    "Look",
    "Past",
    "Pause",
    "Phase",
    "Point",
    "State",
    "Told",
    "Wanted",
    "arms_of",
    "begin_phases",
    "check_arm",
    "decide_experiment",
    "delete_experiments_of",
    "draw",
    "experiments_of",
    "get_experiment",
    "keep_pauses",
    "look_at",
    "look_tonight",
    "looks_of",
    "models_of_arms",
    "pauses_of",
    "plan_for",
    "running_of",
    "start_experiment",
    "stop_experiment",
    "tell",
    "tenants_with_experiments",
    "version_in",
]
