"""A whole device on its wires: bytes that come faster than it can take them are counted."""

import re
import shutil
import struct
from collections.abc import Iterator

import pytest

from spiketwin import hdl
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


TRIAL = 1 << 13
"""Cycles of the trial of a rate, of a device in which it is short."""
SLOW = 10
"""Cycles a bit of another rate than the first one."""


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
        period = struct.pack("<BII", Space.REGISTER, 0, 0xFFFFFFFF)
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


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another gateware, in which the trial of a rate is over soon."""
    folder = tmp_path_factory.mktemp("hasty")
    package = folder / "spiketwin" / "hdl"
    shutil.copytree(next(iter(hdl.__path__)), package, ignore=shutil.ignore_patterns("__pycache__"))
    file = package / "spec" / "protocol.py"
    text, count = re.subn(
        r"^BAUD_TRIAL_CYCLES: Final = .*$", f"BAUD_TRIAL_CYCLES: Final = {TRIAL}",
        file.read_text("utf-8"), flags=re.MULTILINE,
    )  # fmt: skip
    assert count == 1
    file.write_text(text, "utf-8")
    return str(folder)


@pytest.fixture
def on_trial(hasty: str) -> Iterator[Engine]:
    """A device that has just changed its rate, and a host that has followed."""
    with Engine(TINY, "pins", gateware=hasty) as engine:
        engine.write(encode(bytes([1, 0, Opcode.OPEN])))
        engine.write(frame(0, Opcode.SET_BAUD, struct.pack("<H", SLOW)))
        assert [body[3] for body in answers(engine, 2)] == [Status.OK] * 2
        engine.set_cycles_per_bit(SLOW)
        yield engine


def rate_of(engine: Engine) -> list[int]:
    """The rates at which the device answers."""
    found = []
    for cycles in (SLOW, engine.design.cycles_per_bit):
        engine.set_cycles_per_bit(cycles)
        engine.write(b"\0" + IDENTIFY)
        if answers(engine, 1):
            found.append(cycles)
    return found


def test_a_rate_that_nobody_follows_is_given_up(on_trial: Engine) -> None:
    on_trial.run(TRIAL)
    assert rate_of(on_trial) == [on_trial.design.cycles_per_bit]


def test_damaged_frames_do_not_make_it_stay(on_trial: Engine) -> None:
    on_trial.write(IDENTIFY[:-2] + b"\1\0" + b"\1\0" * 4)
    on_trial.run(TRIAL)
    assert rate_of(on_trial) == [on_trial.design.cycles_per_bit]


@pytest.mark.parametrize(
    "heard", [IDENTIFY, b"\1\0" + IDENTIFY, frame(9, 255)], ids=["good", "after-bad", "refused"]
)
def test_one_good_frame_does(on_trial: Engine, heard: bytes) -> None:
    on_trial.write(heard)
    on_trial.run(4 * TRIAL)
    assert answers(on_trial, 1)
    assert rate_of(on_trial) == [SLOW]
