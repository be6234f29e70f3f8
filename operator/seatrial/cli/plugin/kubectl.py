"""Entry points for kubectl: ``kubectl seatrial ...``, and what completes its words.

kubectl takes any program on PATH that is called ``kubectl-NAME`` for a plugin, and asks ``kubectl_complete-NAME`` for
completions: the words after the plugin's name, the last of which is being typed. It expects one completion on a line
and, at the end, a directive of the Cobra library in the form ``:NUMBER``.
"""

from __future__ import annotations

import sys

import click
from click.shell_completion import ShellComplete

from seatrial.cli.main import main

__all__ = ["complete", "plugin"]

_NO_FILES = ":4"
"""Cobra's directive not to offer file names."""


def plugin() -> None:
    """Run as plugin of kubectl."""
    main(prog_name="kubectl seatrial", complete_var="_KUBECTL_SEATRIAL_COMPLETE")


def complete() -> None:
    """Print the completions of a command line that kubectl passes on."""
    *words, typed = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, "kubectl seatrial", "_KUBECTL_SEATRIAL_COMPLETE").get_completions(words, typed)
    for item in found:
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(_NO_FILES)
