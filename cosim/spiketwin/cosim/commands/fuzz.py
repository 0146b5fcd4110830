"""``spiketwin fuzz``: malformed and extreme inputs of all kinds."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.commands import spreading
from spiketwin.cosim.trials.fuzz import parts
from spiketwin.cosim.trials.fuzz.campaign import FuzzFinding, FuzzTally, bounded_memory, hand_over
from spiketwin.cosim.trials.fuzz.results import FuzzResult, KeptFinding
from spiketwin.cosim.trials.fuzz.surfaces import SURFACES
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl.spec.text import shown
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import end
from spiketwin.host.errors import InvalidInput
from spiketwin.host.inputs import open_regular

_MOST_FINDING_BYTES: Final = 1 << 26


@click.command(
    epilog="\b\n"
    "spiketwin fuzz\n"
    "spiketwin fuzz --inputs 1000000 --seed 1 --json fuzz.json\n"
    "spiketwin fuzz --inputs 100000000 --workers 2 --store fuzz.sqlite\n"
    "spiketwin fuzz --only network --only recording --inputs 100000\n"
    "spiketwin fuzz --replay fuzz-network-0123abcd.json"
)
@click.option(
    "--inputs",
    type=click.IntRange(min=1, max=1_000_000_000),
    default=20_000,
    show_default=True,
    help="How many to make, in equal shares for each way in.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0, max=(1 << 64) - 1),
    default=0,
    show_default=True,
    help="Of the inputs: the same one makes the same.",
)
@click.option(
    "--only",
    type=click.Choice(list(SURFACES)),
    multiple=True,
    help="Ways in; may be given several times. Default: all.",
)
@spreading.workers(1, "Processes that the inputs are fed to.")
@spreading.scheduler
@spreading.store
@click.option(
    "--replay",
    type=options.InputFile(),
    metavar="FILE",
    help="Instead, hand over the input of a finding once more.",
)
@options.json_file
def fuzz(
    inputs: int,
    seed: int,
    only: tuple[str, ...],
    workers: int,
    scheduler: str | None,
    store_file: Path | None,
    replay: Path | None,
    json_file: Path | None,
) -> None:
    """Hand over inputs that nobody would make, and see that each is met in words.

    Network files, recorded sessions, tables of spikes, addresses, names of sizes, requests to a
    device and answers to a host are made at random, most of them by changing good ones. Each must
    give a result or an error of this package, within seconds and a bounded memory, and execute
    nothing. What ends otherwise is made as small as possible and kept in a file in this folder. The
    inputs are the same, however many processes share them; with --store, the same call goes on
    where one ended.

    Exits with status 1 if there was any, or if inputs ended the process they were fed to.
    """
    written = {"--json": json_file, "--store": store_file}
    options.check_distinct(written, {"--replay": replay})
    console = options.console()
    if replay is not None:
        _replay(replay, console)
        return
    begin = time.perf_counter()
    names = (list(only) or list(SURFACES))[:inputs]
    todo = list(parts.parts(names, inputs, seed))
    with progress.shown(console, "inputs") as display:
        tallies, lost = parts.run(todo, Workforce(workers, scheduler), store_file, display)
    seconds = time.perf_counter() - begin
    outputs = options.Outputs()
    files = [_keep(finding, outputs) for tally in tallies.values() for finding in tally.findings]
    found = FuzzResult.of(tallies, seed, seconds, files, lost)
    outputs.json(json_file, found)
    console.print(_table(tallies))
    console.print(
        f"{found.inputs:,} inputs in {seconds:,.0f} seconds, {found.untyped:,} of which "
        "ended in no error of ours"
    )
    for file in files:
        console.print(f"    spiketwin fuzz --replay {file}", highlight=False)
    for each in lost:
        console.print(f"    {each}", highlight=False, soft_wrap=True)
    outputs.check()
    end(not found.untyped and not lost)


def _keep(finding: FuzzFinding, outputs: options.Outputs) -> str:
    """Write a finding to the working folder; return the name of the file."""
    digest = hashlib.sha256(finding.data).hexdigest()[:8]
    path = Path(f"fuzz-{finding.surface}-{digest}.json")
    outputs.json(path, KeptFinding.of(finding))
    return str(path)


def _replay(path: Path, console: Console) -> None:
    name, data = _finding(path)
    with tempfile.TemporaryDirectory() as folder:
        surface = SURFACES[name](Path(folder))
        with bounded_memory():
            error, finding = hand_over(name, surface, data)
    if finding is None:
        console.print(f"It ends in {error or 'a result'}.")
    else:
        console.print(finding.trace, highlight=False, soft_wrap=True)
    end(finding is None)


def _finding(path: Path) -> tuple[str, bytes]:
    """Read a finding; return the surface it is for, and its input."""
    with open_regular(path, _MOST_FINDING_BYTES, InvalidInput) as file:
        text = file.read(_MOST_FINDING_BYTES)
    try:
        values = dict(json.loads(text))
        name, data = str(values["surface"]), bytes.fromhex(str(values["data"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput(f"{path} is no finding that `spiketwin fuzz` has written") from error
    if name not in SURFACES:
        raise InvalidInput(f"{path} is for {shown(name)}, not one of {', '.join(SURFACES)}")
    return name, data


def _table(tallies: dict[str, FuzzTally]) -> Table:
    table = Table(
        "way in", "inputs", "results", "errors of ours", "others", "slowest (ms, measured)"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, tally in tallies.items():
        table.add_row(
            name,
            f"{tally.inputs:,}",
            f"{tally.results:,}",
            f"{tally.errors.total():,}",
            f"{tally.untyped:,}",
            f"{1000 * tally.slowest_seconds:,.1f}",
        )
    return table
