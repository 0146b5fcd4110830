"""The RTL as a native engine: built once whoever asks, the same answers at both levels."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spiketwin.cosim.rtl.build import LINK_LEVELS, Design, DesignError, library
from spiketwin.cosim.rtl.engine import Engine, EngineClosed
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Identity, Opcode, Status
from spiketwin.host.frames import FrameDecoder, encode

TINY = preset("tiny")
CYCLE = 1 / Design.clock_hz
LONG = 100_000 * CYCLE
"""Seconds within which the device has answered anything."""

IDENTIFY = encode(bytes([0, 0, Opcode.IDENTIFY]))
OPEN = encode(bytes([1, 0, Opcode.OPEN]))


def ask(engine: Engine, request: bytes) -> bytes:
    """The body of the next answer; empty if there is none."""
    engine.write(request)
    decoder = FrameDecoder()
    while data := engine.read(4096, LONG):
        for body in decoder.feed(data):
            return body
    return b""


def identity(body: bytes) -> Identity:
    assert body[2:4] == bytes([Opcode.IDENTIFY, Status.OK])
    return Identity.unpack(body[4:])


@pytest.fixture(scope="session", params=LINK_LEVELS)
def level(request: pytest.FixtureRequest) -> str:
    """Each level, built before the first test that uses it begins."""
    name: str = request.param
    library(Design(params=TINY, level=name))
    return name


@pytest.fixture
def engine(level: str) -> Iterator[Engine]:
    with Engine(TINY, level) as device:
        yield device


def test_the_device_says_who_it_is(engine: Engine) -> None:
    who = identity(ask(engine, IDENTIFY))
    digest = Design(params=TINY, level=engine.design.level).digest()
    assert who == Identity.of(TINY, Design.clock_hz, digest)


def test_bytes_one_at_a_time_and_at_once_get_the_same_answers(engine: Engine) -> None:
    together = IDENTIFY + OPEN + IDENTIFY
    engine.write(together)
    at_once = b"".join(iter(lambda: engine.read(4096, LONG), b""))
    engine.reset()
    for byte in together:
        engine.write(bytes([byte]))
    one_by_one = b"".join(iter(lambda: engine.read(1, LONG), b""))
    assert at_once == one_by_one
    assert len(FrameDecoder().feed(at_once)) == 3


def test_nothing_sent_is_lost_when_nobody_reads(engine: Engine) -> None:
    first = ask(engine, IDENTIFY)
    engine.write(IDENTIFY * 50)
    engine.run(50 * (len(IDENTIFY) + 300) * 10 * engine.design.cycles_per_bit)
    assert engine.unsent == 0
    # A whole answer fits one read, so this takes what is there without simulating any further.
    before = engine.cycles
    bodies = FrameDecoder().feed(b"".join(iter(lambda: engine.read(1000, 0.0), b"")))
    assert engine.cycles == before
    assert bodies == [first] * 50


def test_bytes_wait_while_the_device_is_busy() -> None:
    with Engine(TINY, "bytes") as engine:
        engine.write(IDENTIFY * 1000)
        engine.run(len(IDENTIFY) * 1000)
        # As many cycles as bytes, and yet there are bytes left: the answers held them up.
        assert 0 < engine.unsent < len(IDENTIFY) * 1000
        answers = b"".join(iter(lambda: engine.read(4096, LONG), b""))
        assert len(FrameDecoder().feed(answers)) == 1000


def test_cycles_are_counted_exactly_and_only_when_asked_for(engine: Engine) -> None:
    assert engine.cycles == 0
    engine.run(1000)
    assert engine.cycles == 1000
    engine.write(IDENTIFY)
    assert engine.read(100, 0.0) == b""
    assert engine.cycles == 1000
    assert engine.bare_loop(300_001) > 0
    assert engine.cycles == 301_001


def test_a_silent_device_costs_the_time_asked_for(engine: Engine) -> None:
    assert engine.read(100, 300_000 * CYCLE) == b""
    assert engine.cycles == 300_000


def test_a_power_cycle_loses_everything(engine: Engine) -> None:
    assert ask(engine, OPEN)[3] == Status.OK
    session = ask(engine, IDENTIFY)[0]
    assert session == 1
    engine.write(IDENTIFY)
    engine.reset()
    assert engine.cycles == 0
    assert engine.read(100, LONG) == b""
    assert ask(engine, IDENTIFY)[0] == 0


def test_engines_side_by_side_share_nothing(level: str) -> None:
    with Engine(TINY, "bytes") as other:
        with Engine(TINY, level) as one:
            ask(one, OPEN)
            assert (ask(one, IDENTIFY)[0], ask(other, IDENTIFY)[0]) == (1, 0)
        assert ask(other, IDENTIFY)[0] == 0


def test_a_closed_engine_says_so(engine: Engine) -> None:
    engine.close()
    engine.close()
    calls: tuple[Callable[[], object], ...] = (
        lambda: engine.write(b"x"),
        lambda: engine.read(1, 0.0),
        lambda: engine.run(1),
        engine.reset,
        lambda: engine.cycles,
    )
    for call in calls:
        with pytest.raises(EngineClosed):
            call()


def test_closing_ends_a_read_under_way() -> None:
    engine = Engine(TINY, "bytes")
    ended: list[pytest.ExceptionInfo[EngineClosed]] = []
    reader = threading.Thread(
        target=lambda: ended.append(pytest.raises(EngineClosed, engine.read, 1, 1e6))
    )
    reader.start()
    end = time.monotonic() + 60
    while engine.cycles == 0:
        assert time.monotonic() < end, "nothing is read"
    engine.close()
    reader.join(60)
    assert len(ended) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("level", "wires"), ("cycles_per_bit", 3), ("cycles_per_bit", 65536), ("clock_hz", 0)],
)
def test_a_design_out_of_range_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(DesignError, match=field):
        Design(params=TINY, **{field: value})


def test_an_engine_built_without_waves_says_so(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"take Design\(waves=True\)"):
        engine.open_waves(tmp_path / "waves.vcd")
    with pytest.raises(ValueError, match=r"take Design\(waves=True\)"):
        engine.close_waves()
    assert not list(tmp_path.iterdir())
