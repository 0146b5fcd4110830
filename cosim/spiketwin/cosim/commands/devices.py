"""``spiketwin devices``: the serial ports that could be a board."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from spiketwin.hdl.spec.adapters import UsbId
from spiketwin.host.cli import options
from spiketwin.host.ports import SerialPort, SerialPorts, serial_ports


@click.command()
@options.json_file
def devices(json_file: Path | None) -> None:
    """List the serial ports that could be a board, with the reasons, and then all others.

    Exits with status 0 also where there is none. Nothing is opened.
    """
    console = options.console()
    ports = serial_ports(adapters_of_boards())
    outputs = options.Outputs()
    outputs.json(json_file, SerialPorts(ports))
    candidates = [port for port in ports if port.candidate]
    others = [port for port in ports if not port.candidate]
    if candidates:
        console.print(_table("could be a board", candidates))
    else:
        console.print("No serial port could be a board: connect one, by a cable that carries data.")
    if others:
        console.print(_table("no board", others))
    outputs.check()


def adapters_of_boards() -> dict[str, UsbId | None]:
    """Return the adapter on each board, by name; none without the extra that knows boards."""
    try:
        from spiketwin.firmware.board import boards
    except ModuleNotFoundError:
        return {}
    return {name: board.adapter.usb for name, board in boards().items()}


def _table(title: str, ports: list[SerialPort]) -> Table:
    table = Table("port", title=title)
    table.add_column("boards", overflow="fold")
    table.add_column("reasons", overflow="fold")
    for port in ports:
        table.add_row(port.device, ", ".join(port.boards), "; ".join(port.reasons))
    return table
