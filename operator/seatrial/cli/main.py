"""Entry point of the ``seatrial`` command."""

from __future__ import annotations

import click

from seatrial import __version__
from seatrial.cli.judge import judge_command
from seatrial.cli.plan import plan_command
from seatrial.cli.plugin.ask import ASKING
from seatrial.cli.plugin.read import READING
from seatrial.cli.plugin.watch import watch_command
from seatrial.cli.replay import replay_command
from seatrial.cli.simulate import simulate_command
from seatrial.cli.sli import sli_group

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seatrial")
def main() -> None:
    """Seatrial: rollouts of machine-learning models that answer to an error budget."""


for command in (
    *(judge_command, plan_command, replay_command, simulate_command, sli_group),
    *(*READING, watch_command, *ASKING),
):
    main.add_command(command)
