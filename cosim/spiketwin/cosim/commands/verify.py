"""``spiketwin verify``: model and twin on random networks, in bulk."""

from __future__ import annotations

import math
import shlex
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.commands import spreading
from spiketwin.cosim.trials.verify import shrinking
from spiketwin.cosim.trials.verify.campaign import VerifyCampaign, VerifyTally
from spiketwin.cosim.trials.verify.results import SampleDifference, VerifyResult
from spiketwin.cosim.trials.verify.samples import CORES, Sample, core_of
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl.spec.params import described
from spiketwin.host import files
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.errors import InvalidInput
from spiketwin.host.progress import Progress
from spiketwin.host.targets import takes_sizes
from spiketwin.host.threads import checked_threads

TWIN: Final = "rtl:?level=core"
"""The twin that is verified unless another one is named: the fastest."""

_MOST_UPDATES: Final = 1e15


def _whole(_ctx: click.Context, _param: click.Parameter, value: float) -> int:
    """Return a number such as 1e8 as an integer; fail if it is none."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of updates: give one such as 1e8")
    return int(value)


@click.command(
    epilog="\b\n"
    "spiketwin verify --updates 1e6\n"
    "spiketwin verify --updates 1e8 --workers 2 --json evidence.json\n"
    "spiketwin verify --updates 1e9 --store verify.sqlite --json evidence.json\n"
    "spiketwin verify --seed 1 --first 4000 --updates 1e8\n"
    "spiketwin verify --on netlist: --only paired --updates 1e5"
)
@click.option(
    "--on",
    "url",
    default=TWIN,
    show_default=True,
    metavar="URL",
    help="The twin that is compared with the model: a simulated one, which takes any sizes.",
)
@click.option(
    "--updates",
    type=click.FloatRange(1, _MOST_UPDATES),
    callback=_whole,
    default=1e7,
    show_default="1e7",
    help="Neuron updates to compare; the last sample is run to its end.",
)
@spreading.workers(None, "Processes that run samples. Default: the processors there are.")
@spreading.scheduler
@spreading.store
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 64) - 1),
    default=0,
    show_default=True,
    help="Of the samples: with the same number they are the same.",
)
@click.option(
    "--first",
    type=click.IntRange(0, (1 << 63) - 1),
    default=0,
    show_default=True,
    help="Number of the sample to begin with: where an earlier call has ended, or one to repeat.",
)
@click.option(
    "--only",
    type=click.Choice(list(CORES)),
    multiple=True,
    help="Cores that samples are for; may be given several times. Default: all.",
)
@options.json_file
def verify(
    url: str,
    updates: int,
    workers: int | None,
    scheduler: str | None,
    store_file: Path | None,
    seed: int,
    first: int,
    only: tuple[str, ...],
    json_file: Path | None,
) -> None:
    """Compare a twin with the model on random networks, until so many neurons were updated.

    Each sample is a network with some of all options, and its stimulus, for one of several cores.
    Spikes, the cycles of every tick and of every spike, digests, probes, saturations, and in the
    end all state and weights must be equal. A sample follows from seed and number alone: the same
    call compares the same, however many processes share the work, and --first goes on with others.

    The first difference ends the search. Its network is saved in this folder, whole and as small as
    it can be made, and commands that repeat it are printed. With --store, the same call goes on
    where one ended, however that ended.

    Exits with status 1 if there is one.
    """
    if not takes_sizes(url):
        raise InvalidInput(
            f"{url} has sizes of its own: name a simulated twin, such as {TWIN}, or prove this "
            "target good with `spiketwin selftest`"
        )
    options.check_distinct({"--json": json_file, "--store": store_file}, {})
    workforce = Workforce(checked_threads(workers), scheduler)
    campaign = VerifyCampaign(
        url, seed, first, only or tuple(CORES), updates, workforce, store_file
    )
    console, outputs, tally = options.console(), options.Outputs(), VerifyTally(first)
    with progress.shown(console, "neuron updates") as display:
        builds = campaign.prepare(display.stage)
        display.stage(f"running samples, {workforce}")
        begin = time.perf_counter()
        try:
            campaign.search(tally, lambda done: display("samples", done, updates))
        finally:  # what was compared is said even if the search is broken off
            seconds = time.perf_counter() - begin
            difference = _kept(campaign, tally, outputs, display)
            found = VerifyResult.of(campaign, tally, builds, seconds, difference)
            outputs.json(json_file, found)
            _say(console, found, tally.resumed)
    outcome = _outcome(found)
    outcome.say(console)
    for call in found.difference.repeat if found.difference else ():
        console.print(f"    {call}", soft_wrap=True, highlight=False)
    outputs.check()
    end(outcome.passed)


def _kept(
    campaign: VerifyCampaign, tally: VerifyTally, outputs: options.Outputs, display: Progress
) -> SampleDifference | None:
    """Save the sample in which model and twin differ, if any, whole and shrunk."""
    differs = tally.difference
    if differs is None or differs.difference is None:
        return None
    sample = Sample.drawn(campaign.seed, differs.number)
    file = f"verify-{campaign.seed}-{differs.number}.npz"
    biases = sample.run.get("biases")
    outputs.attempt(lambda: files.save(file, sample.net, sample.spikes, sample.ticks, biases))
    shrunk = shrinking.smallest(campaign.url, sample, display)
    small = None if shrunk is None else f"verify-{campaign.seed}-{differs.number}-small.npz"
    if shrunk is not None and small is not None:
        case = shrunk.case
        few = case.biases if len(case.biases) else None
        outputs.attempt(lambda: files.save(small, case.network, case.spikes, case.ticks, few))
    on = shlex.quote(campaign.url)
    params = described(sample.params)
    which = f"--seed {campaign.seed} --first {differs.number}"
    return SampleDifference(
        number=differs.number,
        core=core_of(differs.number),
        what=differs.difference,
        network=file,
        small=small,
        repeat=[
            f"spiketwin verify --on {on} {which} --updates 1",
            f"spiketwin compare {small or file} --on model: --on {on} --params {params}",
        ],
    )


def _say(console: Console, found: VerifyResult, resumed: bool) -> None:
    """Print what was compared, and the call that goes on."""
    table = Table("option", "samples", "option", "samples")
    cells = [text for each in found.options for text in (each.name, f"{each.samples:,}")]
    for begin in range(0, len(cells), 4):
        table.add_row(*cells[begin : begin + 4])
    console.print(table)
    on_each = ", ".join(f"{core.samples:,} {core.name}" for core in found.cores)
    rate = f"{found.neuron_updates / max(found.seconds, 1e-9):,.0f} neuron updates a second"
    speed = "in this call, beside what the store held" if resumed else f"at {rate} (measured here)"
    for line in (
        f"{found.samples:,} samples: {on_each}",
        f"{found.neuron_updates:,} neuron updates, {found.ticks:,} ticks, {found.spikes:,} spikes",
        f"{found.seconds:,.0f} s {speed}",
        f"Further samples: --seed {found.seed} --first {found.next}",
    ):
        console.print(line, soft_wrap=True, highlight=False)


def _outcome(found: VerifyResult) -> Outcome:
    """Return the verdict on a search that came to its end."""
    if found.difference is None:
        return Outcome(True, "EQUAL", (f"model and {found.on}, in all samples",))
    first = found.difference
    return Outcome(False, "DIFFERENT", (f"sample {first.number} on {first.core}: {first.what}",))
