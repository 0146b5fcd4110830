"""``spiketwin verilog``: the core as a file of Verilog, for use in another design."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource
from rich.console import Console

from spiketwin.hdl import builds
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.gateware.levels import TOP_OF
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, DEFAULT_PRESET, CoreParams
from spiketwin.hdl.spec.protocol import (
    BUILD_BYTES,
    DEFAULT_BAUD,
    MAX_CLOCK_HZ,
    MAX_CYCLES_PER_BIT,
    MIN_CYCLES_PER_BIT,
)
from spiketwin.host.cli import options, progress
from spiketwin.host.replacing import replacing

_TOLERANCE: Final = 0.02
"""Largest relative difference of the rates of a UART's two ends, with a margin for crystals."""


@click.command(
    epilog="\b\n"
    "spiketwin verilog --params tiny core.v\n"
    "spiketwin verilog --params ncx --level bytes --prefix small_ small.v\n"
    "spiketwin verilog --params digits --clock 48000000 --baud 1000000 core.v\n"
    "\n"
    "docs/design.md shows the core beside logic of your own, in Verilog and in Amaranth."
)
@click.argument("file", type=options.OutputFile(".v"), metavar="FILE.v")
@click.option(
    "--params",
    default=DEFAULT_PRESET,
    show_default=True,
    type=options.SIZES,
    metavar="SIZES",
    help="Reference size, and fields that differ from it: full,lanes=4.",
)
@click.option(
    "--level",
    type=click.Choice(TOP_OF),
    default="pins",
    show_default=True,
    help="What the ports are: the wires of a UART (PinsTop), the bytes behind it with valid and "
    "ready (BytesTop), or the core alone, without its link (CoreTop).",
)
@click.option(
    "--prefix",
    default="",
    metavar="TEXT",
    help="What all names of modules begin with, so that two cores can be in one design.",
)
@click.option(
    "--clock",
    type=click.IntRange(1, MAX_CLOCK_HZ),
    default=DEFAULT_CLOCK_HZ,
    show_default=True,
    metavar="HZ",
    help="Frequency of clk, which the device reports and from which the rate of its UART follows.",
)
@click.option(
    "--baud",
    type=click.IntRange(min=1),
    default=DEFAULT_BAUD,
    show_default=True,
    help="Rate of the UART after power-up; of --level pins alone.",
)
@click.option(
    "--build",
    "name",
    metavar="TEXT",
    help=f"Name that the device reports, up to {BUILD_BYTES} characters. Default: a digest of the "
    "sources and of these options.",
)
def verilog(
    file: Path, params: CoreParams, level: str, prefix: str, clock: int, baud: int, name: str | None
) -> None:
    """Write the Verilog of a core to FILE.v, one file with flat ports.

    Its ports are those of the level, and clk and rst. Simulators and synthesis take it as it is:
    Verilator has no warning about it.
    """
    top = TOP_OF[level]
    _refuse_what_has_no_effect(level)
    cycles = _cycles_per_bit(clock, baud) if level == "pins" else None
    if name is None:
        name = _digest(params, level, clock, cycles)
    console = Console(stderr=True)
    with progress.shown(console) as display:
        display.stage(f"writing the Verilog of {params.n_axons} axons, {params.n_neurons} neurons")
        text = emit.verilog(top, params, clock, name, cycles, prefix)
    with replacing(file) as written:
        written.write(text.encode("ascii"))
    click.echo(f"{file}: module {prefix}{top}")


def _refuse_what_has_no_effect(level: str) -> None:
    """Raise `click.UsageError` if an option is given that has no effect at the level."""
    lacking = {"bytes": ("baud",), "core": ("baud", "clock", "name")}.get(level, ())
    context = click.get_current_context()
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in lacking and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{option.opts[0]} would have no effect at --level {level}, which has no "
                f"{'UART' if option.name == 'baud' else 'link to report it'}: leave it out"
            )


def _cycles_per_bit(clock: int, baud: int) -> int:
    """Return the cycles per bit; raise `click.BadParameter` unless the clock makes the rate."""
    least, most = -(-clock // MAX_CYCLES_PER_BIT), clock // MIN_CYCLES_PER_BIT
    if not least <= baud <= most:
        raise click.BadParameter(
            f"must be in {least}…{most} at a clock of {clock} Hz, which is "
            f"{MIN_CYCLES_PER_BIT} to {MAX_CYCLES_PER_BIT} cycles a bit, not {baud}",
            param_hint="'--baud'",
        )
    cycles = round(clock / baud)
    if abs(clock / cycles / baud - 1) > _TOLERANCE:
        near = sorted({clock // (clock // baud), clock // (clock // baud + 1)})
        raise click.BadParameter(
            f"a clock of {clock} Hz makes no {baud} baud, but {' or '.join(map(str, near))}",
            param_hint="'--baud'",
        )
    return cycles


def _digest(params: CoreParams, *options: object) -> str:
    """Return the hash of everything that shapes the design, as the other builds do."""
    digest = hashlib.sha256(repr((params, *options)).encode())
    for source in builds.gateware_sources():
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()[:BUILD_BYTES]
