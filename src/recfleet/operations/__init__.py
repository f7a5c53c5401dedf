"""What a person does by day: answer, change, switch, run again, and look up.

- ``champions``: roll a tenant back, or promote a version. ``champion_choice`` says which version
  may be chosen, ``champion_changes`` puts it in force, and ``version_history`` has remarks on a
  version from its past.
- ``approvals``: answer waiting changes of champion; ``questions`` is how a night asks in Airflow.
- ``modes``, ``policies``: switch tenants on, frozen or off, and set their policies.
- ``deletion``: delete tenants, or one customer, with everything of theirs.
- ``loads``: take loads of files back.
- ``arm_models``: versions that an experiment may serve.
- ``analysts``: logins of the database that see one tenant's live lists.
- ``backfill_request``, ``backfill_preview``, ``backfill_left_out``, ``backfill_tasks``,
  ``backfill_results``: run nights of the past again, from the request to the results.
- ``standing``: where each tenant stands; ``attention``: which tenants need a person, and why.
- ``returns``: what a tenant's nights cost beside what they bring.
- ``audit``: verify the audit, and tell a tenant's story.
- ``choose``: select tenants. ``result``: an operation's result for each tenant.
  ``operator_night``: records what a person does as a night.

Names are imported when they are first used, because the command line and Airflow's plugins read
this face at each start.
"""

from typing import TYPE_CHECKING

from recfleet.faces import import_on_demand

if TYPE_CHECKING:
    from recfleet.operations.analysts import add_analyst, drop_analyst
    from recfleet.operations.approvals import Answered, approve, list_waiting, reject
    from recfleet.operations.arm_models import arm_model
    from recfleet.operations.attention import ATTENTION, URGENT_OUTCOMES, Attention, Standing
    from recfleet.operations.audit import tell_story, verify
    from recfleet.operations.backfill_left_out import left_out_in_words, why_left_out
    from recfleet.operations.backfill_preview import BackfillNight, look_ahead
    from recfleet.operations.backfill_request import BackfillRequest, read_backfill
    from recfleet.operations.backfill_results import (
        BackfillProgress,
        BackfillSummary,
        backfill_progress,
        backfill_sentence,
        backfilled_nights,
    )
    from recfleet.operations.backfill_tasks import (
        close_backfill,
        decide_backfill,
        plan_backfill,
        publish_backfill,
        replay_backfill,
    )
    from recfleet.operations.champion_changes import Changed
    from recfleet.operations.champion_choice import Case, Choice, promotion_of, rollback_to
    from recfleet.operations.champions import change_all, promote, roll_back
    from recfleet.operations.choose import choose_tenants, parse_condition
    from recfleet.operations.deletion import delete_tenants, forget_customer
    from recfleet.operations.loads import undo_load
    from recfleet.operations.modes import set_mode
    from recfleet.operations.policies import (
        explain_policy,
        left_over_keys,
        parse_changes,
        set_policies,
    )
    from recfleet.operations.questions import (
        Question,
        carry_out,
        put_question,
        tell_answers,
        tell_answers_of,
    )
    from recfleet.operations.result import Result
    from recfleet.operations.returns import Cost, cost_in_words, cost_of
    from recfleet.operations.standing import (
        SORTS,
        Selection,
        Standings,
        read_standing,
        read_standings,
    )
else:
    __getattr__ = import_on_demand(__name__, __file__)

__all__ = [
    "ATTENTION",
    "SORTS",
    "URGENT_OUTCOMES",
    "Answered",
    "Attention",
    "BackfillNight",
    "BackfillProgress",
    "BackfillRequest",
    "BackfillSummary",
    "Case",
    "Changed",
    "Choice",
    "Cost",
    "Question",
    "Result",
    "Selection",
    "Standing",
    "Standings",
    "add_analyst",
    "approve",
    "arm_model",
    "backfill_progress",
    "backfill_sentence",
    "backfilled_nights",
    "carry_out",
    "change_all",
    "choose_tenants",
    "close_backfill",
    "cost_in_words",
    "cost_of",
    "decide_backfill",
    "delete_tenants",
    "drop_analyst",
    "explain_policy",
    "forget_customer",
    "left_out_in_words",
    "left_over_keys",
    "list_waiting",
    "look_ahead",
    "parse_changes",
    "parse_condition",
    "plan_backfill",
    "promote",
    "promotion_of",
    "publish_backfill",
    "put_question",
    "read_backfill",
    "read_standing",
    "read_standings",
    "reject",
    "replay_backfill",
    "roll_back",
    "rollback_to",
    "set_mode",
    "set_policies",
    "tell_answers",
    "tell_answers_of",
    "tell_story",
    "undo_load",
    "verify",
    "why_left_out",
]
