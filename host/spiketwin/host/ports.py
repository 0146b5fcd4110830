"""The serial ports of this computer, and which of them could be a board."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from serial.tools import list_ports

from spiketwin.hdl.spec import adapters
from spiketwin.hdl.spec.adapters import UsbId
from spiketwin.hdl.spec.results import Result

ADAPTERS: Final[dict[UsbId, str]] = {
    (0x0403, 0x6001): "FT232R",
    adapters.FT2232: "FT2232",
    (0x0403, 0x6011): "FT4232",
    (0x0403, 0x6014): "FT232H",
    adapters.FT231X: "FT231X",
    (0x067B, 0x2303): "PL2303",
    (0x10C4, 0xEA60): "CP2102",
    (0x1A86, 0x55D4): "CH9102",
    (0x1A86, 0x7523): "CH340",
}
"""Chips that convert USB to a UART, on boards and on cables for any board."""

_PROGRAMS_FIRST: Final = (adapters.FT2232, (0x0403, 0x6011))
"""Chips of several channels, the first of which boards use to program the FPGA."""

_INTERFACE: Final = re.compile(r":\d+\.(\d+)$")


@dataclass(frozen=True)
class SerialPort(Result):
    """A serial port, and the reasons for and against a board being behind it.

    Attributes
    ----------
    device:
        Address of the port, to give to `connect`.
    usb:
        USB ids of vendor and product, such as ``0403:6010``; empty if the port is not on USB.
    product, serial_number:
        Product name and serial number that the adapter reports; empty if it reports none.
    candidate:
        Whether the port could be a board.
    boards:
        Boards that have this adapter; boards that take any adapter are left out.
    reasons:
        Why the port could be a board, or why not.
    """

    device: str
    usb: str
    product: str
    serial_number: str
    candidate: bool
    boards: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class SerialPorts(Result):
    """The serial ports of this computer.

    Attributes
    ----------
    ports:
        The ports; those that could be a board come first.
    """

    ports: list[SerialPort]


def serial_ports(boards: Mapping[str, UsbId | None]) -> list[SerialPort]:
    """Return all serial ports of this computer, candidates first.

    Parameters
    ----------
    boards:
        Name of each board, and the adapter on it; None if it takes any adapter.
    """
    ports = [examined(found, boards) for found in list_ports.comports()]
    return sorted(ports, key=lambda port: (not port.candidate, port.device))


def examined(found: Any, boards: Mapping[str, UsbId | None]) -> SerialPort:
    """Return whether a port, given as pyserial's `ListPortInfo`, could be a board, and why."""
    product = found.product or ""
    if found.vid is None:
        reasons = ("it is not on USB, as all boards are",)
        return SerialPort(found.device, "", product, "", False, (), reasons)
    usb = (found.vid, found.pid)
    name = f"{usb[0]:04x}:{usb[1]:04x}"
    on_boards = tuple(board for board, adapter in boards.items() if adapter == usb)
    named = tuple(board for board in on_boards if _named(board, product))
    chip = ADAPTERS.get(usb)
    against = _against(found, usb, chip)
    return SerialPort(
        device=found.device,
        usb=name,
        product=product,
        serial_number=found.serial_number or "",
        candidate=not against,
        boards=() if against else named or on_boards,
        reasons=(against,)
        if against
        else (
            f"USB {name} is a {chip}",
            *_speaking_for(product, named, on_boards, boards.values()),
            *_permission(found.device),
        ),
    )


def _against(found: Any, usb: UsbId, chip: str | None) -> str:
    """Return why a port on USB cannot be a board; empty text if it can be one."""
    if chip is None:
        product = f" ({found.product})" if found.product else ""
        return f"USB {usb[0]:04x}:{usb[1]:04x}{product} is no adapter that boards have"
    interface = _INTERFACE.search(found.location or "")
    if usb in _PROGRAMS_FIRST and interface and interface[1] == "0":
        return f"the first channel of this {chip} programs the FPGA; the UART is on the next"
    return ""


def _speaking_for(
    product: str,
    named: tuple[str, ...],
    on_boards: tuple[str, ...],
    adapters: Iterable[UsbId | None],
) -> Iterator[str]:
    if named:
        yield f"it calls itself {product!r}"
    elif on_boards:
        yield f"the adapter of {', '.join(on_boards)}"
    elif None in adapters:
        yield "an adapter that can be connected to a board without one"


def _permission(device: str) -> Iterator[str]:
    if not os.access(device, os.R_OK | os.W_OK):
        yield "you may not open it: `spiketwin doctor` says what mends that"


def _named(board: str, product: str) -> bool:
    """Return whether the product name of an adapter contains the first word of a board's name."""
    return board.partition("_")[0].lower() in product.lower()
