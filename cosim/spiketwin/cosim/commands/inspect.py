"""``spiketwin inspect``: what a saved network is, and which cores and boards hold it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from spiketwin.hdl.spec.params import CoreParams, ParamsError
from spiketwin.host import files
from spiketwin.host.cli import options
from spiketwin.host.cli.inspect import BoardRoom, Inspection, tables


@click.command()
@click.argument("net", type=options.InputFile())
@options.json_file
def inspect(net: Path, json_file: Path | None) -> None:
    """Say what a saved network is, and which cores and boards hold it.

    NET is a file as `spiketwin.host.files.save` writes it. Nothing is connected or built. Of a
    network of populations it also says what each projection takes of the smallest core. Of each
    board it says whether the weights of that core fit its FPGA, and how many words are left over,
    as estimated from the memories of the FPGA; `spiketwin build` says what all of a core takes.
    """
    found = Inspection.of(*files.load(net), rooms_on_boards)
    outputs = options.Outputs()
    outputs.json(json_file, found)
    for table in tables(found, net.name):
        options.console().print(table)
    outputs.check()


def rooms_on_boards(params: CoreParams) -> list[BoardRoom]:
    """Return what a core takes of each board; nothing without the extra that knows boards."""
    try:
        from spiketwin.firmware import fitting
        from spiketwin.firmware.board import boards
        from spiketwin.firmware.target import resolve
    except ModuleNotFoundError:
        return []
    rooms = []
    for name, board in boards().items():
        target = resolve(board)
        family = target.family
        core = _single_port(params) if family.single_port_ram else params
        kind = fitting.weight_memory(core, family)
        blocks, available = fitting.weight_blocks(core, family), target.device.holds[kind]
        words = fitting.weight_words(core, family, available) - core.bank_depth
        title = fitting.MEMORIES[kind]
        rooms.append(BoardRoom(name, title, blocks, available, blocks <= available, max(0, words)))
    return rooms


def _single_port(params: CoreParams) -> CoreParams:
    """Return a core with weights of a single port; the core as it is if it cannot have them."""
    try:
        return replace(params, single_port_weights=True)
    except ParamsError:
        return params
