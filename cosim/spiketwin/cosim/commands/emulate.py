"""``spiketwin emulate``: the RTL on a pseudo-terminal."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from spiketwin.cosim.rtl.build import LINK_LEVELS, Design
from spiketwin.cosim.rtl.emulator import serve
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial.sizes import hertz_of
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, DEFAULT_PRESET
from spiketwin.host.addresses import sizes_of
from spiketwin.host.cli import options


@click.command()
@click.option(
    "--params",
    default=DEFAULT_PRESET,
    show_default=True,
    help="Reference size, and fields that differ from it: full,lanes=4.",
)
@click.option(
    "--level",
    type=click.Choice(LINK_LEVELS),
    default="pins",
    show_default=True,
    help="Simulate the UART bit by bit, or only the bytes behind it.",
)
@click.option(
    "--cycles-per-bit",
    type=int,
    default=Design.cycles_per_bit,
    show_default=True,
    help="Rate of the UART.",
)
@click.option(
    "--clock",
    default=str(DEFAULT_CLOCK_HZ),
    show_default=True,
    help="Clock frequency that the core reports, in Hz.",
)
@click.option(
    "--link",
    type=options.Place(),
    help="Put a symbolic link to the pseudo-terminal here while it lasts. One that a killed "
    "emulator left is replaced, one of an emulator that runs is not.",
)
def emulate(params: str, level: str, cycles_per_bit: int, clock: str, link: Path | None) -> None:
    """Serve the RTL on a pseudo-terminal, which any serial program can open, until Ctrl-C.

    Prints the terminal's path. Clients may come and go, the core keeps its state. While no
    answer is due, the clock stands still from 10 seconds after the last byte until the next one.
    """
    # Restore Ctrl-C, which a background job of a shell ignores.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Engine(
        sizes_of(params), level, cycles_per_bit=cycles_per_bit, clock_hz=hertz_of(clock)
    ) as engine:
        _serve(engine, link)


def _serve(engine: Engine, link: Path | None) -> None:
    try:
        serve(engine, click.echo, link=link)
    except KeyboardInterrupt:
        click.echo("spiketwin: the emulator has ended", err=True)
