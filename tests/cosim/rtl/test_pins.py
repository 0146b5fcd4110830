"""A whole device on its wires: bytes that come faster than it can take them are counted."""

import struct

from spiketwin.cosim.rtl.engine import Engine
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import MAX_FRAME, Opcode, Status
from spiketwin.hdl.spec.registers import COUNTERS, Space
from spiketwin.host.frames import FrameDecoder, encode

TINY = preset("tiny")
IDENTIFY = encode(bytes([0, 0, Opcode.IDENTIFY]))
LONG = 1e-2
"""Seconds in which anything is answered."""
WAIT = 200_000
"""Cycles that the device does nothing but wait, in which many more bytes come than it can keep."""


def frame(seq: int, opcode: int, arguments: bytes = b"") -> bytes:
    return encode(bytes([1, seq, opcode]) + arguments)


def answers(engine: Engine, count: int) -> list[bytes]:
    """So many answers, or fewer if no more come."""
    decoder, bodies = FrameDecoder(), list[bytes]()
    while len(bodies) < count and (data := engine.read(4096, LONG)):
        bodies += decoder.feed(data)
    return bodies


def damage(engine: Engine, seq: int) -> tuple[int, int]:
    """What the device counts: `frame_errors` and `rx_overflows`."""
    first = [c.name for c in COUNTERS].index("frame_errors")
    engine.write(frame(seq, Opcode.READ, struct.pack("<BIH", Space.COUNTER, first, 2)))
    (body,) = answers(engine, 1)
    assert body[3] == Status.OK
    found: tuple[int, int] = struct.unpack("<II", body[4:])
    return found


def test_every_byte_that_a_full_buffer_loses_is_counted() -> None:
    buffer = TINY.link_slots * MAX_FRAME
    sent = IDENTIFY * (buffer // len(IDENTIFY) + 100)
    with Engine(TINY, "pins") as engine:
        # In real time the second tick is far away, and FETCH waits for its words.
        period = struct.pack("<BIHI", Space.REGISTER, 0, 1, 0xFFFFFFFF)
        engine.write(
            encode(bytes([1, 0, Opcode.OPEN])) + frame(0, Opcode.WRITE, period)
            + frame(1, Opcode.RUN, struct.pack("<I", 2))
        )  # fmt: skip
        assert [body[3] for body in answers(engine, 3)] == [Status.OK] * 3
        assert damage(engine, 2) == (0, 0)
        assert len(sent) * 10 * engine.cycles_per_bit < WAIT
        engine.write(frame(3, Opcode.FETCH, struct.pack("<BI", 62, WAIT)) + sent)
        engine.run(len(sent) * 10 * engine.cycles_per_bit + 1000)
        assert engine.unsent == 0
        fetched, *heard = answers(engine, 1 + len(sent))
        assert fetched[2] == Opcode.FETCH
        # What was kept is the beginning: the rest of a frame that was cut ends with this zero.
        engine.write(b"\0")
        errors, lost = damage(engine, 4)
    assert lost >= len(sent) - buffer - len(IDENTIFY)
    assert len(heard) == (len(sent) - lost) // len(IDENTIFY)
    assert errors == ((len(sent) - lost) % len(IDENTIFY) > 0)


def test_damaged_frames_are_counted_beyond_255() -> None:
    with Engine(TINY, "pins") as engine:
        engine.write(encode(bytes([1, 0, Opcode.OPEN])) + b"\1\0" * 300)
        assert len(answers(engine, 1)) == 1
        engine.run(300 * 40 * engine.cycles_per_bit)
        assert damage(engine, 0) == (300, 0)


def test_repeats_on_a_busy_line_are_answered_in_order() -> None:
    numbers = [0, 1, 0, 1, 2, 0, 2, 2, 1, 3, 0]
    with Engine(TINY, "pins") as engine:
        block = struct.pack("<BIH", Space.WEIGHT, 0, 60)  # long answers to short requests
        engine.write(encode(bytes([1, 0, Opcode.OPEN])))
        for n in numbers:
            engine.write(frame(n, Opcode.READ, block))
        opened, *got = answers(engine, 1 + len(numbers))
        assert opened[3] == Status.OK
        assert got == [bytes([1, n, Opcode.READ, Status.OK]) + bytes(60) for n in numbers]
        assert damage(engine, 4) == (0, 0)
