"""Trials in which a core runs while nobody takes its words, and is looked at in the middle.

The device in software lets no time pass between requests, and no tick begin without room for its
words, so what a core does then is not seen through it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Final, cast

import numpy as np

from spiketwin.cosim.device.core import EVENT_TICK_PLACE, Elements
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.cosim.serial import MODEL
from spiketwin.cosim.serial.core_port import CorePort
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.cosim.serial.protocol_model import ModelPort, open_target
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.trials.mutation.full import full
from spiketwin.cosim.trials.mutation.observing import Killed, unwarned
from spiketwin.cosim.trials.mutation.talk import Talk, block, place
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Opcode, Word
from spiketwin.hdl.spec.registers import COUNTERS, Space, registers
from spiketwin.hdl.spec.schedule import update_cycles
from spiketwin.host import Core, Network
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link
from spiketwin.host.words import count, of_kind

_PERIOD: Final = 50
"""Cycles: no tick is as short, so that each one begins as soon as the one before it has ended."""

_ROUNDS: Final = 12
_TICKS: Final = 250
"""Ticks of a round, whose words are more than a queue holds."""

_CYCLES: Final = 1000
"""Cycles after which it is seen whether a run is over."""

_FETCHES: Final = 14
_WORDS: Final = 62
_LATE_EVERY: Final = 3
_SPIKING: Final = 60
_ACTIVE: Final = 0.2
_READS: Final = 40
_APART: Final = 37
"""Readings of all registers in a run, and cycles between two of them."""

_LATE: Final = 8
_FOLLOWING: Final = 3
"""Events that come too late for a tick, and ticks from it on."""

_SETTLING: Final = 40
_AROUND: Final = 12
"""Cycles around the end of a tick at which a core is looked at, or reset."""

_Pass = Callable[[int], object]
"""A function that lets so many ticks pass, or time for them."""


def _place(params: CoreParams, name: str) -> int:
    return [register.name for register in registers(params)].index(name)


def _unread(port: InProcessSerial, params: CoreParams, pass_by: _Pass) -> Iterator[bytes]:
    """Run a network in rounds, whose words are taken when they are over; yield all answers."""
    core = Core(Link(port))
    core.program(full(params, 1, learns=False))
    talk = Talk(port)
    talk.open()
    period = place(Space.REGISTER, _place(params, "tick_period")) + struct.pack("<I", _PERIOD)
    for number in range(_ROUNDS):
        yield talk.ask(Opcode.WRITE, period)
        if number % _LATE_EVERY == 1:  # events of the first tick, which is over
            yield talk.ask(Opcode.RUN, struct.pack("<I", 1))
            yield talk.ask(Opcode.FETCH, struct.pack("<BI", _WORDS, 0))
            yield talk.ask(Opcode.EVENTS, struct.pack("<III", 0, 0, 1 << 16))
        yield talk.ask(Opcode.RUN, struct.pack("<I", _TICKS))
        pass_by(_TICKS)
        if number == _ROUNDS // 2:
            yield talk.ask(Opcode.RESET)
        for _ in range(_FETCHES):
            yield talk.ask(Opcode.FETCH, struct.pack("<BI", _WORDS, 0))
        yield talk.ask(Opcode.READ, block(Space.COUNTER, 0, len(COUNTERS)))


@cache
def _expected(core: str) -> list[bytes]:
    params = CORES[core]
    with closing(open_target(Target(MODEL, params=params))) as port, unwarned():
        line = cast(InProcessSerial, port)
        return list(_unread(line, params, cast(ModelPort, line.device).model.pass_ticks))


def unread(design: Design, core: str) -> None:
    """Run while nobody takes words: what is muted is counted and told, and all else is whole."""
    expected = _expected(core)
    with closing(DesignSerial(design)) as port, unwarned():
        engine = _engine(port)
        got = _unread(port, design.params, lambda _ticks: _let_run(engine))
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            if one != other:
                raise Killed(f"answer {number}: {other.hex(' ')}, not {one.hex(' ')}")


def _engine(port: DesignSerial) -> CoreEngine:
    return cast(CorePort, port.device).engine


@contextmanager
def _silent(design: Design) -> Iterator[CoreEngine]:
    """Open a core in which no neuron fires, whatever its memories held."""
    with closing(DesignSerial(design)) as port:
        Core(Link(port)).program(Network(n_axons=1, n_neurons=1, threshold=np.ones(1, np.int32)))
        yield _engine(port)


def _let_run(engine: CoreEngine) -> None:
    """Let a run end, whether or not there is room for its words."""
    while engine.tick < engine.run_until:
        engine.bare_loop(_CYCLES)
        engine.run_to(engine.run_until)  # which has the tick looked up


def looked_at(design: Design) -> None:
    """Read all registers time and again while a network runs: they are what was written."""
    params = design.params
    spikes = np.argwhere(np.random.default_rng(1).random((_SPIKING, params.n_axons)) < _ACTIVE)
    with closing(DesignSerial(design)) as port, unwarned():
        Core(Link(port)).program(full(params, 1, learns=True))
        engine, size = _engine(port), len(registers(params))
        engine.write(Space.REGISTER, _place(params, "tick_period"), np.array([_PERIOD]))
        before = engine.read(Space.REGISTER, 0, size)
        engine.queue(spikes[:, 0] << EVENT_TICK_PLACE | spikes[:, 1])
        engine.run_to(1 << 31)
        for number in range(_READS):
            engine.bare_loop(_APART)
            _check_registers(engine, before, f"reading {number}")


def looked_at_in_the_end(design: Design) -> None:
    """Read all registers as a tick ends, with which the next seed comes, whether needed or not."""
    params, size = design.params, len(registers(design.params))
    with _silent(design) as engine:
        if params.learning:
            engine.write(Space.REGISTER, _place(params, "seed"), np.array([-1]))
        before = engine.read(Space.REGISTER, 0, size)
        cycles = _cycles_of_a_tick(engine)
        for after in range(cycles - _AROUND, cycles):
            engine.run_to(engine.run_until + 1)
            engine.bare_loop(after)
            _check_registers(engine, before, f"cycle {after}")
            engine.bare_loop(_SETTLING)


def _check_registers(engine: CoreEngine, before: Elements, when: str) -> None:
    if not np.array_equal(engine.read(Space.REGISTER, 0, before.size), before):
        raise Killed(f"registers are other ones at {when}")


def _cycles_of_a_tick(engine: CoreEngine) -> int:
    """Return the cycles of a tick in which nothing happens."""
    engine.run_to(1)
    engine.advance()
    return engine.counters()["cycles"]


def late_at_once(design: Design) -> None:
    """Queue events of a tick while its *Update* is under way: they are gone before the next one."""
    params = design.params
    with _silent(design) as engine:
        cycles = _cycles_of_a_tick(engine)
        engine.write(Space.REGISTER, _place(params, "tick_period"), np.array([_PERIOD]))
        tick = engine.tick
        engine.run_to(tick + _FOLLOWING)
        engine.bare_loop(cycles - update_cycles(params) // 2)
        engine.queue(np.full(_LATE, tick << EVENT_TICK_PLACE))
        _let_run(engine)
        words = np.frombuffer(engine.take(_WORDS), np.uint32)
        took = count(words[of_kind(words, Word.END)]).tolist()
        late = engine.counters()["late_events"]
        if took != [cycles] * (1 + _FOLLOWING) or late != _LATE:
            raise Killed(f"ticks without events took {took} cycles, and {late} events were late")


def reset_at_once(design: Design) -> None:
    """Reset a core as soon as it is idle after a tick: nothing of the tick is left behind."""
    params = design.params
    with _silent(design) as engine:
        cycles = _cycles_of_a_tick(engine)
        for after in range(cycles, cycles + _AROUND):
            if params.digest_rounds:
                engine.write(Space.REGISTER, _place(params, "digest_en"), np.array([1]))
            engine.run_to(engine.run_until + 1)
            engine.bare_loop(after)
            engine.reset()
            engine.bare_loop(_SETTLING)
            engine.run_to(0)  # which has what is counted looked up
            if left := {name: value for name, value in engine.counters().items() if value}:
                raise Killed(f"reset {after} cycles after the beginning of a tick, and left {left}")


def wiped(design: Design) -> None:
    """Read the weights that a core wipes itself at power-up, as it says that it has."""
    with closing(CoreEngine(design)) as engine:
        weights = engine.read(Space.WEIGHT, 0, design.params.n_sources * design.params.n_neurons)
        if weights.any():
            raise Killed("weights are not 0 at power-up")
