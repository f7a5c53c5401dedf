"""All commands together, in the order in which one needs them."""

from __future__ import annotations

import typer

from recfleet.experiment_cli._end import decide_command, stop_command
from recfleet.experiment_cli._plan import plan_command
from recfleet.experiment_cli._show import list_command, show_command
from recfleet.experiment_cli._start import start_command

experiment = typer.Typer(
    help="Compare ways of serving by fair trials, and let the better one win.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
experiment.command("plan")(plan_command)
experiment.command("start")(start_command)
experiment.command("list")(list_command)
experiment.command("show")(show_command)
experiment.command("stop")(stop_command)
experiment.command("decide")(decide_command)
