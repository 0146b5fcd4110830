"""``spiketwin selftest``: the proof that a target works."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.trials import selftest as checks
from spiketwin.cosim.trials.selftest.equivalence import EquivalenceReport
from spiketwin.cosim.trials.selftest.line import LineReport
from spiketwin.cosim.trials.selftest.memory import MemoryReport
from spiketwin.cosim.trials.selftest.streaming import Stream
from spiketwin.hdl.spec.params import DEFAULT_PRESET
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.core import Core
from spiketwin.host.errors import LinkError
from spiketwin.host.targets import connect

TRANSACTIONS: Final = 1000
NETWORKS: Final = 10
TICKS: Final = 100
"""Default amounts of what is tested."""


@click.command(
    epilog="\b\n"
    "spiketwin selftest --on model:\n"
    "spiketwin selftest --on rtl+pty: --params tiny\n"
    "spiketwin selftest --on /dev/ttyUSB1 --baud 1000000 --json board.json\n"
    "spiketwin selftest --on /dev/ttyUSB1 --record session.jsonl"
)
@options.on_target(f"Default: {DEFAULT_PRESET}.")
@click.option(
    "--transactions",
    type=click.IntRange(min=1),
    default=TRANSACTIONS,
    show_default=True,
    help="Random blocks written over the link and read back.",
)
@click.option(
    "--networks",
    type=click.IntRange(min=1),
    default=NETWORKS,
    show_default=True,
    help="Random networks compared with the model.",
)
@click.option(
    "--ticks",
    type=click.IntRange(min=1),
    default=TICKS,
    show_default=True,
    help="Ticks of each network.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="Seed of all that is random; the same one repeats a test exactly.",
)
@options.json_file
def selftest(
    url: str,
    params: str | None,
    baud: int | None,
    retries: int,
    record: Path | None,
    transactions: int,
    networks: int,
    ticks: int,
    seed: int,
    json_file: Path | None,
) -> None:
    """Prove a target good: its link, its memories, and that it computes what the model does.

    Whatever the core holds is written over, with zeros in the end: program it again afterwards.
    Exits with status 1 if anything is wrong.
    """
    options.check_distinct({"--json": json_file, "--record": record}, urls=[url])
    console = options.console()
    try:
        with connect(url, params=params, baud=baud, retries=retries, record=record) as core:
            report = examined(
                console, url, core,
                transactions=transactions, networks=networks, ticks=ticks, seed=seed,
            )  # fmt: skip
    except LinkError as error:  # there was no answer from the beginning
        report = checks.Unfinished(None, None, str(error))
    outputs = options.Outputs()
    outputs.json(json_file, report)
    say(console, report)
    outputs.check()
    end(report.passed)


def examined(
    console: Console,
    url: str,
    core: Core,
    *,
    transactions: int = TRANSACTIONS,
    networks: int = NETWORKS,
    ticks: int = TICKS,
    seed: int = 0,
) -> checks.Report | checks.Unfinished:
    """Print the identity of a core, and check it; the parameters are those of the command."""
    console.print(f"{url}  {_identity(core)}", soft_wrap=True, markup=False)
    try:
        return _check(console, core, transactions, networks, ticks, seed)
    except checks.CutShort as error:
        return error.found


def say(console: Console, report: checks.Report | checks.Unfinished) -> None:
    """Print the report."""
    console.print(_table(report))
    if report.link is not None and report.link.rates:
        console.print(_rates_table(report.link))
    if isinstance(report, checks.Report):
        console.print("The core holds zeros now: program it again before you use it.")
    for trouble in _troubles(report):
        Outcome(False, "WRONG", (trouble,)).say(console)
    if report.passed:
        Outcome(True, "PASSED", ("link, memory and equivalence",)).say(console)


def _identity(core: Core) -> str:
    identity = core.identity
    p = identity.params
    return (
        f"build {identity.build}, {p.n_axons} axons, {p.n_neurons} neurons, {p.lanes} lanes, "
        f"{identity.clock_hz / 1e6:g} MHz, protocol {identity.version}"
    )


def _check(
    console: Console, core: Core, transactions: int, networks: int, ticks: int, seed: int
) -> checks.Report:
    with progress.shown(console) as display:
        return checks.check(
            core,
            transactions=transactions,
            networks=networks,
            ticks=ticks,
            seed=seed,
            progress=display,
        )


def _table(report: checks.Report | checks.Unfinished) -> Table:
    """Return a table with one row per check; in an unfinished report the failed one comes first."""
    table = Table("check", "", "what was found")
    found: list[tuple[bool, str]] = []
    if report.link is not None:
        found.append((report.link.passed, _link_text(report.link)))
    if report.memory is not None:
        found.append((report.memory.passed, _memory_text(report.memory)))
    if isinstance(report, checks.Report):
        found.append((report.equivalence.passed, _equivalence_text(report.equivalence)))
    else:
        found.append((False, report.ended))
    for name, each in zip_longest(("link", "memory", "equivalence"), found):
        passed, text = each or (None, "not begun")
        table.add_row(name, {True: "ok", False: "WRONG", None: "–"}[passed], text)
    return table


def _memory_text(memory: MemoryReport) -> str:
    return f"{memory.bits:,} bits, {memory.wrong} elements wrong"


def _link_text(line: LineReport) -> str:
    trips = " / ".join(f"{1000 * each:.3f}" for each in line.round_trips.as_json().values())
    return (
        f"{line.transactions:,} blocks back and forth, {line.payload_bytes:,} bytes; "
        f"{line.wrong} wrong, {line.losses.resent} frames resent, {line.losses.timeouts} timeouts, "
        f"{line.losses.bad_frames} frames damaged at the host, {line.losses.frame_errors} at the "
        "device\n"
        f"measured here: round trip {trips} ms (least / median / worst), "
        f"upload {_stream(line.streams.upload)}, stream {_stream(line.streams.stream)}\n"
        f"rates: {_fastest(line)}"
    )


def _equivalence_text(equivalence: EquivalenceReport) -> str:
    if equivalence.difference is not None:
        outcome = "spikes, cycles, weights and state differ"
    elif equivalence.spikes:
        outcome = "spikes, cycles, weights and state equal"
    else:
        outcome = "nothing fired"
    return (
        f"{equivalence.networks} random networks, {equivalence.ticks:,} ticks, "
        f"{equivalence.neuron_updates:,} neuron updates, {equivalence.spikes:,} spikes: "
        f"{outcome}"
    )


def _stream(stream: Stream) -> str:
    share = stream.share_of_line
    return f"{stream.rate / 1000:,.0f} kB/s" + (f" ({share:.0%} of the line)" if share else "")


def _fastest(line: LineReport) -> str:
    if not line.rates:
        return "not applicable, there is no line"
    if line.fastest_clean_baud is None:
        return "none without errors"
    return f"the fastest without an error is {line.fastest_clean_baud:,} baud"


def _rates_table(line: LineReport) -> Table:
    table = Table("baud", "exchanges", "wrong", "frames damaged, host / device", "verdict")
    for rate in line.rates:
        damaged = f"{rate.losses.bad_frames} / {rate.losses.frame_errors}"
        verdict = rate.trouble or ("ok" if rate.clean else "errors")
        table.add_row(f"{rate.baud:,}", str(rate.exchanges), str(rate.wrong), damaged, verdict)
    return table


def _troubles(report: checks.Report | checks.Unfinished) -> list[str]:
    """Return the first few errors of each check."""
    troubles = [f"link: {trouble}" for trouble in (report.link.troubles() if report.link else ())]
    troubles += [
        f"memory: {fault.element} in {fault.step}: expected {fault.expected}, got {fault.got}"
        for fault in (report.memory.faults if report.memory else ())
    ]
    if isinstance(report, checks.Unfinished):
        troubles.append(report.ended)
    elif report.equivalence.difference is not None:
        troubles.append(f"equivalence: {report.equivalence.difference}")
    elif not report.equivalence.passed:
        troubles.append(
            "equivalence: nothing fired, so nothing is proved: give more --ticks or --networks"
        )
    return troubles
