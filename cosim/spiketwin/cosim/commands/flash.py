"""``spiketwin flash``: a bitstream onto a board, and the proof that it works there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from spiketwin.cosim.commands.build import board_file, built, of_size, on_board
from spiketwin.cosim.commands.devices import adapters_of_boards
from spiketwin.cosim.commands.selftest import examined, say
from spiketwin.firmware.board import Board
from spiketwin.firmware.openfpgaloader import calls, process, words
from spiketwin.firmware.openfpgaloader.words import Trouble
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import end
from spiketwin.host.errors import SpiketwinError, TargetError
from spiketwin.host.ports import SerialPort, serial_ports
from spiketwin.host.targets import connect

_PORT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


class NotProven(SpiketwinError):
    """A board was programmed, but nothing proves that it works."""


@click.command(
    epilog="\b\n"
    "spiketwin flash --board ulx3s_85f\n"
    "spiketwin flash --board icebreaker --port /dev/ttyUSB1\n"
    "spiketwin flash --board cmod_a7_35 --bitstream vivado/top.bit"
)
@on_board
@of_size
@click.option(
    "--bitstream",
    type=options.InputFile(),
    metavar="FILE",
    help="What to load. Default: what `spiketwin build` makes for the board, built if need be.",
)
@click.option(
    "--port", metavar="PORT",
    help="Serial port of the board. Default: the only one that could be it.",
)  # fmt: skip
@options.line
@options.json_file
def flash(
    wanted: ResolvedBoard,
    params: CoreParams | None,
    bitstream: Path | None,
    port: str | None,
    baud: int | None,
    retries: int,
    json_file: Path | None,
) -> None:
    """Load a bitstream onto a board, and prove by the self-test that it works there.

    Whatever the board held is lost. Exits with status 2 where the board could not be programmed and
    is as it was, and with status 1 where it does not work afterwards.
    """
    options.check_distinct(
        {"--json": json_file},
        {"--board": board_file(), "--bitstream": bitstream},
        [] if port is None else [port],
    )
    console = options.console()
    program = process.loader()
    board = wanted.board
    chosen = _port(board, port)
    # Of several identical boards, choose the one behind the serial port.
    serial = chosen.serial_number if chosen and _programs(board, chosen) else ""
    if calls.tells_idcode(wanted):
        _detect(console, wanted, calls.detect(program, board, serial))
    built_as = ""
    if bitstream is None:
        bitstream, built_as = _bitstream(console, wanted, params)
        params = params or board.core
    _load(console, board, calls.load(program, board, bitstream, serial))
    console.print(f"{board.title} is programmed.")
    if board.programmer.volatile:
        console.print("It forgets that when its power goes: flash it again then.")
    address = port or (chosen or _found_port(board)).device
    _await_port(address)
    console.print(f"Proving it good over {address}:")
    with connect(address, params=params, baud=baud, retries=retries) as core:
        if built_as and core.identity.build != built_as:
            raise NotProven(
                f"the board answers as build {core.identity.build}, not as {built_as}, which was "
                "loaded: is another board at this port? Give --port"
            )
        report = examined(console, address, core)
    outputs = options.Outputs()
    outputs.json(json_file, report)
    say(console, report)
    outputs.check()
    end(report.passed)


def _port(target: Board, port: str | None) -> SerialPort | None:
    """Find the named port, or the only one that could be the board; either may be missing."""
    ports = serial_ports(adapters_of_boards() | {target.name: target.adapter.usb})
    if port is not None:
        path = Path(port).resolve()
        return next((found for found in ports if Path(found.device).resolve() == path), None)
    fitting = [found for found in ports if _fits(target, found)]
    if len(fitting) > 1:
        raise TargetError(
            f"several serial ports could be {target.title}, "
            f"{', '.join(found.device for found in fitting)}: choose one with --port "
            "(`spiketwin devices` tells more of them)"
        )
    return fitting[0] if fitting else None


def _found_port(target: Board) -> SerialPort:
    found = _port(target, None)
    if found is None:
        raise NotProven(
            f"the board is programmed, but was not proved good: no serial port could be "
            f"{target.title}. {target.notes} `spiketwin devices` lists ports; give one with --port "
            "to `spiketwin selftest --on PORT`"
        )
    return found


def _await_port(address: str) -> None:
    """Wait until a port is back: while programming, its adapter leaves the system.

    The system sends no notice, so the port is polled; if it never returns, `connect` reports it.
    """
    deadline = time.monotonic() + _PORT_SECONDS
    while not os.access(address, os.R_OK | os.W_OK) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _fits(target: Board, port: SerialPort) -> bool:
    return port.candidate and (target.adapter.usb is None or target.name in port.boards)


def _programs(target: Board, port: SerialPort) -> bool:
    """Return whether the adapter of a port also programs the board."""
    return target.name in port.boards


def _detect(console: Console, target: ResolvedBoard, command: list[str]) -> None:
    with console.status(f"looking for {target.board.title}"):
        status, output = _run(command, console)
    _check(words.diagnosis(target.board, output, status) or words.wrong_board(target, output))


def _load(console: Console, target: Board, command: list[str]) -> None:
    status, output = _run(command, console)
    _check(words.diagnosis(target, output, status))


def _run(command: list[str], console: Console) -> tuple[int, str]:
    with progress.shown(console, "%") as display:
        so_far = ""

        def show(text: str) -> None:
            nonlocal so_far
            so_far += text
            for stage, percent in words.progress(so_far):
                display(stage, round(percent), 100)

        return process.run(command, process.SILENCE_SECONDS, show)


def _check(trouble: Trouble | None) -> None:
    if trouble is not None:
        raise trouble.error()


def _bitstream(
    console: Console, target: ResolvedBoard, sizes: CoreParams | None
) -> tuple[Path, str]:
    """Return the bitstream for a board, and the build that it will report."""
    made = built(console, target, sizes)
    flow, board = target.family.flow, target.board
    if made.bitstream is None:
        raise TargetError(
            f"no open tool makes a bitstream for {board.title}: run {flow.tool} on the project in "
            f"{made.folder}, then `spiketwin flash --board {board.name} --bitstream FILE`"
        )
    return made.bitstream, made.folder.name[:BUILD_BYTES]
