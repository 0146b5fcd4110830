"""The RTL on a pseudo-terminal, which any serial program can open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.rtl.meter import Meter
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.protocol import (
    BAUD_TRIAL_CYCLES,
    BITS_PER_BYTE,
    REPLY_HEADER,
    REQUEST_HEADER,
    Opcode,
    Status,
)
from spiketwin.host.frames import FrameDecoder

_AWAKE_SECONDS: Final = 10.0
"""Seconds for which simulation continues after the last byte in either direction.

The pins do not show whether a run is under way without a pending request. This lets such a run
continue for a while, and then stops using the processor.
"""

_SLICE_CYCLES: Final = 2048
"""Cycles between two polls of the terminal: a millisecond or two."""

_CHUNK_BYTES: Final = 4096

_TERMINALS: Final = "/dev/pts/"


class SymbolicLinkError(SpiketwinError, ValueError):
    """The requested symbolic link cannot be made."""

    exit_status = 2


class _Traffic:
    """The state of the device as far as the bytes on the terminal show it.

    That is whether it still owes an answer, and the rate that a request set, which the engine's
    end of the wires follows: a pseudo-terminal has no rate, whatever its clients set.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._requests = FrameDecoder()
        self._replies = FrameDecoder()
        self._unanswered = b""
        self._wanted: dict[bytes, int] = {}
        self._trial_end: int | None = None

    @property
    def owes_answer(self) -> bool:
        """Whether the latest request has not been answered yet; answers come in order."""
        return bool(self._unanswered)

    def to_device(self, data: bytes) -> None:
        for body in self._requests.feed(data):
            self._unanswered = body[1:REQUEST_HEADER]
            if body[2:REQUEST_HEADER] == bytes([Opcode.SET_BAUD]):
                self._wanted = {body[:2]: int.from_bytes(body[REQUEST_HEADER:], "little")}

    def from_device(self, data: bytes) -> None:
        for body in self._replies.feed(data):
            # A reply shows that a new rate, if there is one, has carried a request.
            self._trial_end = None
            if body[1:REQUEST_HEADER] == self._unanswered:
                self._unanswered = b""
            if (
                body[2:REPLY_HEADER] == bytes([Opcode.SET_BAUD, Status.OK])
                and body[:2] in self._wanted
            ):
                self._engine.set_cycles_per_bit(self._wanted[body[:2]])
                self._trial_end = self._engine.cycles + BAUD_TRIAL_CYCLES
        if self._trial_end is not None and self._engine.cycles > self._trial_end:
            self._engine.set_cycles_per_bit(self._engine.design.cycles_per_bit)
            self._trial_end = None


def serve(
    engine: Engine,
    announce: Callable[[str], None],
    *,
    link: Path | None = None,
    until_eof: int | None = None,
    meter: Meter | None = None,
) -> None:
    """Serve an engine on a new pseudo-terminal, to one client after the other.

    The terminal stays when a client disconnects, and so does the state of the core. Only an
    exception, such as `KeyboardInterrupt`, or `until_eof` ends the call.

    Parameters
    ----------
    engine:
        The device.
    announce:
        Called with the terminal's path once it can be opened.
    link:
        Path of a symbolic link to the terminal, which is removed at the end. An existing symbolic
        link is replaced if the terminal it leads to is gone or is younger than the link: then an
        emulator that was killed left it behind, and the terminal belongs to another program.
    until_eof:
        A file descriptor whose end ends the service as well.
    meter:
        Where the progress of the simulation is written for the host.

    Raises
    ------
    SymbolicLinkError
        The path of the link is in use, possibly by an emulator that runs, or its folder is missing
        or cannot be written.
    """
    master, client = os.openpty()
    try:
        tty.setraw(client)
        os.set_blocking(master, False)
        path = os.ttyname(client)
        # The lock shows others that an emulator serves this terminal; it ends with this process.
        fcntl.lockf(client, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _linked(link, path):
            if meter is not None:
                meter.note(0.0, _byte_seconds(engine), worked=0.0)
            announce(path)
            # `client` stays open; otherwise the terminal would hang up after the first client.
            _serve(engine, master, until_eof, meter)
    finally:
        os.close(client)
        os.close(master)


def _serve(engine: Engine, master: int, until_eof: int | None, meter: Meter | None) -> None:
    traffic = _Traffic(engine)
    slice_seconds = _SLICE_CYCLES / engine.design.clock_hz
    answer = b""
    awake_until = 0.0
    worked_until = time.monotonic()
    while True:
        # Output that the terminal does not take yet stalls the device, and the device its input.
        awake = traffic.owes_answer or time.monotonic() < awake_until
        simulating = awake and not answer
        sources = [fd for fd in (until_eof, master) if fd is not None]
        if engine.unsent >= _CHUNK_BYTES:
            sources.remove(master)
        readable, _, _ = select.select(
            sources, [master] if answer else [], [], 0 if simulating else None
        )
        if not simulating:
            worked_until = time.monotonic()  # leave out the time spent waiting
        if until_eof in readable and not os.read(until_eof, _CHUNK_BYTES):
            return
        if master in readable:
            data = os.read(master, _CHUNK_BYTES)
            traffic.to_device(data)
            engine.write(data)
        if not answer:
            answer = engine.read(_CHUNK_BYTES, slice_seconds if simulating else 0)
            traffic.from_device(answer)
        if meter is not None:
            # Before the host receives the answer, as it reads the meter at once.
            now = time.monotonic()
            clock = engine.cycles / engine.design.clock_hz
            meter.note(clock, _byte_seconds(engine), worked=now - worked_until)
            worked_until = now
        if master in readable or answer:
            awake_until = time.monotonic() + _AWAKE_SECONDS
        if answer:
            with contextlib.suppress(BlockingIOError):
                answer = answer[os.write(master, answer) :]


def _byte_seconds(engine: Engine) -> float:
    """Return the seconds of the device that a byte takes on its line, 0 if it has none."""
    if engine.design.level != "pins":
        return 0.0
    return BITS_PER_BYTE * engine.cycles_per_bit / engine.design.clock_hz


def _is_left_behind(link: Path, own: str) -> bool:
    """Return whether a path is certainly the link of an emulator that is gone.

    Then its terminal is gone too, and the system has since given the number to another terminal:
    to our own, or to one that is younger than the link and is served by no emulator.
    """
    if not link.is_symlink():
        return False
    terminal = str(link.readlink())
    if terminal == own:
        return True
    if not terminal.startswith(_TERMINALS):
        return False
    if not link.exists():
        return True
    try:
        # The change time: when it was made, or its owner or mode was changed.
        made_later = Path(terminal).stat().st_ctime_ns > link.lstat().st_mtime_ns
        return made_later and not _is_served(terminal)
    except OSError:
        return False


def _is_served(terminal: str) -> bool:
    """Return whether an emulator serves a terminal; `OSError` where one may not look."""
    client = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.lockf(client, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(client)
    return False


@contextlib.contextmanager
def _linked(link: Path | None, target: str) -> Iterator[None]:
    if link is None:
        yield
        return
    if (link.is_symlink() or link.exists()) and not _is_left_behind(link, target):
        found = f"a link to {link.readlink()}" if link.is_symlink() else link.resolve()
        raise SymbolicLinkError(
            f"cannot put a symbolic link at {link}: {found} is there, which may be that "
            "of another emulator. End it, or choose another place, or remove the link if nobody "
            "uses it"
        )
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    except OSError as error:
        raise SymbolicLinkError(
            f"cannot put a symbolic link at {link}: {error.strerror}"
        ) from error
    try:
        yield
    finally:
        # Another emulator may have replaced the link.
        if link.is_symlink() and str(link.readlink()) == target:
            link.unlink()
