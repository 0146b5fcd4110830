"""Cycles of a free-running core do not depend on when the host sends what comes later."""

import struct

import pytest

from spiketwin.cosim.rtl.engine import Engine
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, Opcode, Status, Word
from spiketwin.hdl.spec.registers import COUNTERS, Space
from spiketwin.hdl.spec.schedule import tick_cycles
from spiketwin.host.frames import FrameDecoder, encode

pytestmark = pytest.mark.rtl

TINY = preset("tiny")
ENDS = 8 | Word.END
RUN = 60
"""Ticks for whose words the output queue has room: the run does not wait for the host."""
IDLE = tick_cycles(TINY, 0, 0, False)
LONG = 1e-3
"""Seconds in which anything is answered."""


class Line:
    """The bytes of the RTL, and a host that lets cycles pass between them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.decoder = FrameDecoder()
        self.seq = -1
        self.ask(Opcode.OPEN)
        self.ask(Opcode.WRITE, struct.pack("<BI8h", Space.THRESHOLD, 0, *[1] * 8))

    def ask(self, opcode: Opcode, arguments: bytes = b"") -> bytes:
        self.engine.write(encode(bytes([1, max(0, self.seq), opcode]) + arguments))
        self.seq = (self.seq + 1) % 256
        while True:
            data = self.engine.read(1, LONG)
            assert data, "no answer"
            for body in self.decoder.feed(data):
                assert body[3] == Status.OK
                return body[4:]

    def counter(self, name: str) -> int:
        place = [c.name for c in COUNTERS].index(name)
        found = self.ask(Opcode.READ, struct.pack("<BIH", Space.COUNTER, place, 1))
        return int.from_bytes(found, "little")

    def cycles(self) -> list[int]:
        """Cycles of every tick until the run is over."""
        found: list[int] = []
        fetch = struct.pack("<BI", MAX_FETCH_WORDS, 0xFFFFFFFF)
        while data := self.ask(Opcode.FETCH, fetch):
            words = struct.unpack(f"<{len(data) // 4}I", data)
            found += [word & 0xFFFFFFF for word in words if word >> 28 == ENDS]
        return found


def test_an_event_that_arrives_early_costs_the_tick_under_way_nothing() -> None:
    """The event of a later tick reaches the empty queue at every cycle of a tick under way."""
    axon = 3
    ticks = set()
    with Engine(TINY) as engine:
        line = Line(engine)
        for delay in range(IDLE + 4):
            line.ask(Opcode.RESET)
            line.ask(Opcode.RUN, struct.pack("<I", RUN))
            engine.run(delay)
            line.ask(Opcode.EVENTS, struct.pack("<IHH", RUN, 0, axon))
            ticks.add(line.counter("tick"))
            assert line.counter("events_queued") == 1
            line.ask(Opcode.RUN, struct.pack("<I", 1))
            assert line.cycles() == [IDLE] * RUN + [tick_cycles(TINY, 1, 0, False)]
    assert 2 <= min(ticks)
    assert max(ticks) < RUN, "the event came when the run was over"
