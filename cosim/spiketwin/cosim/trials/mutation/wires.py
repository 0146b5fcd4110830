"""Trials of a whole device on its wires: its rates, what it loses, and answers in a row."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import Final

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.testbenches.requests import framed, unframed
from spiketwin.cosim.trials.mutation.observing import Killed, opened
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, MAX_FRAME, REPLY_HEADER, Opcode
from spiketwin.hdl.spec.registers import COUNTERS, Space
from spiketwin.host import Core
from spiketwin.host.link import Link

_LONG_SECONDS: Final = 1e-2
_WAIT: Final = 200_000
"""Cycles in which a device does nothing but wait, and in which all else is answered."""

_REFUSED: Final = 24
"""Requests in a row of a session that there is not."""

_CYCLES_PER_BIT: Final = 40
_PAUSES: Final = range(0, 2 * _CYCLES_PER_BIT, 3)
"""Cycles a bit of the device, and cycles between requests, so that bits begin at any of them."""


def overflows(design: Design) -> None:
    """Send more than a device can keep while it waits: each byte that it loses is counted."""
    identify = framed(bytes([0, 0, Opcode.IDENTIFY]))
    kept = design.params.link_slots * MAX_FRAME
    flood = identify * (kept // len(identify) + 100)
    # In real time the second tick is far away, and FETCH waits for its words.
    bodies = (
        bytes([1, 0, Opcode.OPEN]),
        bytes([1, 0, Opcode.WRITE]) + struct.pack("<BII", Space.REGISTER, 0, 0xFFFFFFFF),
        bytes([1, 1, Opcode.RUN]) + struct.pack("<I", 2),
        bytes([1, 2, Opcode.FETCH]) + struct.pack("<BI", 62, _WAIT),
    )
    with closing(DesignSerial(design)) as port:
        engine = port.engine
        engine.write(b"".join(map(framed, bodies)) + flood)
        engine.run(len(flood) * BITS_PER_BYTE * engine.cycles_per_bit)
        heard = len(_answers(port)) - len(bodies)
        overflowed = [counter.name for counter in COUNTERS].index("rx_overflows")
        block = struct.pack("<BIH", Space.COUNTER, overflowed, 1)
        engine.write(b"\0" + framed(bytes([1, 3, Opcode.READ]) + block))  # ends a frame that is cut
        lost = int.from_bytes(unframed(_answers(port)[-1])[REPLY_HEADER:], "little")
    least = len(flood) - kept - len(identify)
    if lost < least or heard != (len(flood) - lost) // len(identify):
        raise Killed(f"{lost} of {len(flood)} bytes were counted as lost, {heard} frames answered")


def _answers(port: DesignSerial) -> list[bytes]:
    """Return the frames that come until none does any more."""
    data = b""
    while part := port.device.read(1 << 16, _LONG_SECONDS):
        data += part
    return data.split(b"\0")[:-1]


def rates(design: Design) -> None:
    """Change the rate of the line, and go on."""
    with opened(design) as core:
        for baud in (10_000_000, 25_000_000, 5_000_000):
            core.set_baud(baud)
            core.read_counters()
        if core.statistics.bad_frames or core.statistics.resent:
            raise Killed("bytes were lost on a line without faults")


def rates_apart(design: Design) -> None:
    """Use a line whose ends differ in their rates as much as a receiver allows."""
    with closing(DesignSerial(design)) as port, Core(Link(port, retries=1)) as core:
        core.set_baud(design.clock_hz // _CYCLES_PER_BIT)
        for cycles_per_bit in (_CYCLES_PER_BIT + 1, _CYCLES_PER_BIT - 1):
            port.engine.set_cycles_per_bit(cycles_per_bit)
            for pause in _PAUSES:
                port.engine.run(pause)
                core.read_counters()
        if core.statistics.bad_frames or core.statistics.resent:
            raise Killed("bytes were lost between ends of almost the same rate")


def refusals(design: Design) -> None:
    """Send requests in a row that are refused: no answer is put in the place of one being sent."""
    line = b"".join(framed(bytes([9, number, Opcode.STOP])) for number in range(_REFUSED))
    model = ModelDevice(design.params)
    model.receive(line)
    expected = model.drain(1 << 16).split(b"\0")[:-1]
    with closing(DesignSerial(design)) as port:
        port.engine.write(line)
        if _answers(port) != expected:
            raise Killed("answers in a row are other ones")
