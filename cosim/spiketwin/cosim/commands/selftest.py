"""``spiketwin selftest``: proves a target good."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from spiketwin.cosim import selftest as checks
from spiketwin.hdl.spec.params import DEFAULT_PRESET
from spiketwin.host.cli import options
from spiketwin.host.core import Core
from spiketwin.host.targets import connect


@click.command(
    epilog="\b\n"
    "spiketwin selftest --on model:\n"
    "spiketwin selftest --on rtl+pty: --params tiny\n"
    "spiketwin selftest --on /dev/ttyUSB1 --baud 1000000 --json board.json"
)
@options.on_target(f"Default: {DEFAULT_PRESET}.")
@click.option(
    "--transactions",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Random blocks written over the link and read back.",
)
@click.option(
    "--networks",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Random networks compared with the model.",
)
@click.option(
    "--ticks",
    type=click.IntRange(min=1),
    default=100,
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
    baud: int,
    transactions: int,
    networks: int,
    ticks: int,
    seed: int,
    json_file: Path | None,
) -> None:
    """Prove a target good: its link, its memories, and that it computes what the model does.

    Whatever the core holds is lost. Exits with status 1 if anything is wrong.
    """
    console = Console()
    with connect(url, params=params, baud=baud) as core:
        console.print(f"{url}  {_identity(core)}", soft_wrap=True, markup=False)
        report = _check(console, core, transactions, networks, ticks, seed)
    console.print(_table(report))
    for trouble in _troubles(report):
        console.print(f"WRONG  {trouble}", style="bold red", markup=False, soft_wrap=True)
    if json_file is not None:
        options.write_json(json_file, report.figures())
    if not report.passed:
        raise click.exceptions.Exit(1)
    console.print("PASSED  link, memory and equivalence", style="bold green")


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
    with options.progress_bar(console) as bar:
        tasks = {n: bar.add_task(n, total=None) for n in ("link", "memory", "equivalence")}
        return checks.check(
            core,
            transactions=transactions,
            networks=networks,
            ticks=ticks,
            seed=seed,
            progress=lambda name, done, total: bar.update(tasks[name], completed=done, total=total),
        )


def _table(report: checks.Report) -> Table:
    line, memory, equivalence = report.line, report.memory, report.equivalence
    latency = line.latency()
    trips = " / ".join(f"{1000 * seconds:.3f}" for seconds in latency.values())
    table = Table("check", "", "what was found")
    link_text = (
        f"{line.transactions:,} blocks back and forth, {line.payload_bytes:,} bytes; "
        f"{line.wrong} wrong, {line.resent} frames resent, {line.timeouts} timeouts, "
        f"{line.bad_frames} damaged\n"
        f"measured here: round trip {trips} ms (min / median / max), "
        f"upload {line.upload_rate / 1000:,.0f} kB/s, stream {line.stream_rate / 1000:,.0f} kB/s"
    )
    if equivalence.difference:
        outcome = "spikes, cycles, weights and state differ"
    elif equivalence.spikes:
        outcome = "spikes, cycles, weights and state equal"
    else:
        outcome = "nothing fired"
    equivalence_text = (
        f"{equivalence.networks} random networks, {equivalence.ticks:,} ticks, "
        f"{equivalence.neuron_updates:,} neuron updates, {equivalence.spikes:,} spikes: "
        f"{outcome}"
    )
    for name, passed, text in (
        ("link", line.passed, link_text),
        ("memory", memory.passed, f"{memory.bits:,} bits, {memory.wrong} elements wrong"),
        ("equivalence", equivalence.passed, equivalence_text),
    ):
        table.add_row(name, "ok" if passed else "WRONG", text)
    return table


def _troubles(report: checks.Report) -> list[str]:
    """Give the first things wrong in each check."""
    troubles = [f"link: {report.line.first_wrong}"] if report.line.first_wrong else []
    troubles += [
        f"memory: {fault.element} in {fault.step}: expected {fault.expected}, got {fault.got}"
        for fault in report.memory.faults
    ]
    if report.equivalence.difference:
        troubles.append(f"equivalence: {report.equivalence.difference}")
    elif not report.equivalence.passed:
        troubles.append(
            "equivalence: nothing fired, so nothing is proved: give more --ticks or --networks"
        )
    return troubles
