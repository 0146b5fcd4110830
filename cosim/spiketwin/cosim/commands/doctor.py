"""``spiketwin doctor``: what is missing on this machine, and how to install it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from spiketwin.cosim.trials.doctor import Examination, Finding, examine
from spiketwin.host.cli import options
from spiketwin.host.cli.outcome import Outcome, end


@click.command()
@options.json_file
def doctor(json_file: Path | None) -> None:
    """Say what is missing on this machine, and the exact command that mends it.

    Exits with status 1 if something is missing or broken. An extra that is not installed is named,
    but is no fault. Nothing is changed.
    """
    console = options.console()
    with console.status("looking around"):
        findings = examine()
    missing = [finding for finding in findings if not finding.fine]
    outputs = options.Outputs()
    outputs.json(json_file, Examination(findings))
    console.print(_table(findings))
    for fix in dict.fromkeys(finding.fix for finding in missing):
        mended = [finding for finding in missing if finding.fix == fix]
        what = " and ".join(finding.what for finding in mended)
        needed_for = mended[0].needed_for
        console.print(f"Missing for {needed_for}: {what}. Run:", markup=False, soft_wrap=True)
        console.print(f"    {fix}", markup=False, highlight=False, soft_wrap=True)
    outputs.check()
    if not missing:
        Outcome(True, "", ("Nothing is missing.",)).say(console)
    end(not missing)


def _table(findings: list[Finding]) -> Table:
    table = Table("", "what")
    table.add_column("found", overflow="fold")  # do not cut commands and paths
    table.add_column("needed for")
    for finding in findings:
        table.add_row(
            "ok" if finding.fine else "LACKING", finding.what, finding.found, finding.needed_for
        )
    return table
