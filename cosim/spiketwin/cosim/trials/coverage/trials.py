"""Trials for what those of mutants leave out, each of them true of a design without faults.

They speak to a core directly, without the networks of a host, so that every memory, register and
counter of it takes any value.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cache, partial
from typing import Final

import numpy as np

from spiketwin.cosim.device.core import EVENT_TICK_PLACE, DeviceCore, Elements
from spiketwin.cosim.model.queued import QueuedModel
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.testbenches.requests import framed, unframed
from spiketwin.cosim.trials.mutation.observing import Killed, Trial
from spiketwin.cosim.trials.verify.samples import CORES, Sample, apart
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import MOST_NIBBLES, probed, words_of
from spiketwin.hdl.spec.protocol import (
    BAUD_TRIAL_CYCLES,
    BITS_PER_BYTE,
    MAX_CYCLES_PER_BIT,
    MAX_FETCH_WORDS,
    MAX_FRAME,
    MAX_SET_TICK,
    WORD_BYTES,
    WORD_COUNT_BITS,
    Opcode,
    Status,
    Word,
    most_elements,
)
from spiketwin.hdl.spec.registers import (
    COUNTERS,
    ClearMask,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import BY_SPACE, Kind, Per
from spiketwin.host import Core, Network, access, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import SpiketwinWarning
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.link import Link

Seen = list[object]
Script = Callable[[DeviceCore], Iterator[object]]
"""What is done with a core; yields all that is seen."""

_WORD: Final = 0xFFFFFFFF
_ROUNDS: Final = 24
_TICKS: Final = 3
_LAYOUTS: Final = 5
_AT_ENDS: Final = 0.6
_OF_VALUES: Final = (Per.NEURON, Per.SOURCE, Per.SYNAPSE)
_OF_RUN: Final = ("tick_period", "probe_period", "probe_words")
"""Registers that are of a run, and 0 where none says so."""

_MOST_COUNT: Final = (1 << 16) - 1
"""Where the counters of what goes wrong stop."""

_EVENTS_AT_ONCE: Final = 64
TICKS_LOST: Final = _MOST_COUNT + 1000
"""Ticks of a run in which more are muted than are counted."""

_SMALLEST: Final = "paired"
"""The core that fills its counters, which takes minutes in the others."""

_TICKS_MUTED: Final = 2000

_SLICE: Final = 1 << 16
_WORD_KIND: Final = 8
"""Beside the kind of a word: its top bit."""

_CYCLES_LOST: Final = TICKS_LOST * 80
_LOOKS: Final = 16
_FAR: Final = (0x55555555, 0xAAAAAAAA)
_ANSWER_SECONDS: Final = 2e-3
_BYTES_OF_STOP: Final = 10
_CROWDED_TICKS: Final = 40
_MEMBERS: Final = 8
_ARRIVING_RUNS: Final = 40
_ARRIVING_TICKS: Final = 30
_ARRIVING_PERIOD: Final = 250
_AHEAD: Final = 2
_NO_EVENTS: Final = np.empty(0, np.int64)
_MOST_PROBED: Final = 20
_LONG_PERIOD: Final = 5000


def alike(design: Design, script: Script) -> None:
    """Do the same with a core and with its model; raise `Killed` where they differ."""
    with closing(CoreEngine(design)) as core:
        for number, (expected, got) in enumerate(
            zip(_of_model(design.params, script), script(core), strict=True)
        ):
            if not np.array_equal(np.asarray(expected), np.asarray(got)):
                raise Killed(f"step {number} of {script.__name__} differs")


@cache
def _of_model(params: CoreParams, script: Script) -> Seen:
    return list(script(QueuedModel(params)))


def _writable(params: CoreParams) -> dict[Space, SpaceFormat]:
    """Return the spaces that take any values of their range, in any order."""
    formats = space_formats(params)
    return {s: f for s, f in formats.items() if f.writable and s is not Space.PENDING}


def _read(core: DeviceCore, form: SpaceFormat) -> Elements:
    """Return all elements of a space, as 32 bits, as records leave it open how they are signed."""
    return core.read(form.space, 0, form.size) & _WORD


def _limits(form: SpaceFormat) -> tuple[Elements, Elements]:
    low, high = np.array([form.limits_at(k) for k in range(form.size)], np.int64).T
    return low, high


def _registers(core: DeviceCore, **values: int) -> None:
    names = [register.name for register in registers(core.params)]
    for name, value in values.items():
        core.write(Space.REGISTER, names.index(name), np.array([value]))


def _words(core: DeviceCore) -> list[int]:
    """Return all output words of a run, executed to its end."""
    data = b""
    while part := core.take(_EVENTS_AT_ONCE):
        data += part
    return list(np.frombuffer(data, np.uint32))


def filled(core: DeviceCore) -> Iterator[object]:
    """Let each element of each space be its least and its largest value, in turns."""
    for turn in range(3):
        for form in _writable(core.params).values():
            core.write(form.space, 0, _limits(form)[turn % 2])
            yield _read(core, form)
    core.reset()
    core.clear(~ClearMask(0))
    for form in _writable(core.params).values():
        yield _read(core, form)


def wild(core: DeviceCore) -> Iterator[object]:
    """Run a few ticks each time, far from each other, from values that no network has."""
    rng, params = np.random.default_rng(7), core.params
    every = _writable(params)
    drawn = [form for space, form in every.items() if _takes_anything(params, space)]
    for turn in range(_ROUNDS):
        core.reset()
        core.clear(~ClearMask(0))
        for space, elements in _layout(params, turn % _LAYOUTS).items():
            core.write(space, 0, elements)
        for form in drawn:
            core.write(form.space, 0, _drawn(rng, form, ends=turn % 2 == 0))
        _registers(core, **{name: 0 for name in _OF_RUN if _has(params, name)})
        core.set_tick((0, MAX_SET_TICK - _TICKS, int(rng.integers(MAX_SET_TICK)))[turn % 3])
        yield from _run(core, rng)
        for form in every.values():
            yield _read(core, form)


def _takes_anything(params: CoreParams, space: Space) -> bool:
    """Return whether a space takes any values while a core runs: it says not what is connected."""
    if space not in BY_SPACE:
        return space is not Space.RULE_TABLE
    array = BY_SPACE[space]
    is_value = array.kind in (Kind.STATE, Kind.PARAMETER)
    return is_value and array.per in _OF_VALUES and space is not Space.HISTORY


@cache
def _layout(params: CoreParams, number: int) -> dict[Space, Elements]:
    """Return all that a random network is written as, by space; nothing without projections."""
    if not params.has_projections:
        return {}
    core_name = next(name for name, sizes in CORES.items() if sizes == params)
    sample = Sample.drawn(0, list(CORES).index(core_name) + number * len(CORES))
    with connect("model:", params=params) as core, warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)  # as in the trials of mutants
        core.program(sample.net)
        return {space: _fetched(core, form) for space, form in _writable(params).items()}


def _fetched(core: Core, form: SpaceFormat) -> Elements:
    """Return all elements of a space, read through the link."""
    most = most_elements(form)
    parts: list[IntArray] = []
    core.link.run(
        access.read(form, first, min(most, form.size - first), parts.append)
        for first in range(0, form.size, most)
    )
    return np.concatenate(parts).astype(np.int64)


def _has(params: CoreParams, name: str) -> bool:
    return any(register.name == name for register in registers(params))


def _drawn(rng: np.random.Generator, form: SpaceFormat, *, ends: bool) -> Elements:
    """Return any values for a space, many of them at the ends of their ranges or near 0."""
    low, high = _limits(form)
    values = rng.integers(low, high + 1)
    near = np.clip(rng.integers(-1, 3, form.size), low, high)
    chosen = np.choose(rng.integers(0, 3, form.size), [low, high, near])
    return np.where(rng.random(form.size) < _AT_ENDS, chosen, values) if ends else values


def _run(core: DeviceCore, rng: np.random.Generator) -> Iterator[object]:
    first = core.tick
    axons = np.sort(rng.integers(0, core.params.n_axons, (_TICKS, 3)), axis=1)
    ticks = first + np.arange(_TICKS)[:, None]
    core.queue((axons | ticks << EVENT_TICK_PLACE).reshape(-1))
    core.run_to(first + _TICKS)
    yield _words(core)
    yield sorted(core.counters().items())


def probing(core: DeviceCore) -> Iterator[object]:
    """Report each state by probes, and spaces that none reports, from values at both ends."""
    rng, params = np.random.default_rng(11), core.params
    ranges = max(1, params.probe_ranges)
    forms = space_formats(params)
    for turn, space in enumerate([*probed(params), Space.THRESHOLD, *probed(params)]):
        for form in _writable(params).values():
            if _takes_anything(params, form.space):
                core.write(form.space, 0, _drawn(rng, form, ends=turn % 2 == 0))
        size = forms[space].size
        first = int(rng.integers(size))
        count = int(rng.integers(1, min(size - first, _MOST_PROBED) + 1))
        if turn % 3 == 0:
            first, count = size - 1, 1
        place = turn % ranges
        for of_range, value in (
            (Space.PROBE_SPACE, space), (Space.PROBE_FIRST, first), (Space.PROBE_COUNT, count),
        ):  # fmt: skip
            values = np.zeros(ranges, np.int64)
            values[place] = value
            core.write(of_range, 0, values)
        words = words_of(MOST_NIBBLES * count) if space in probed(params) else 0
        _registers(core, tick_period=0, probe_period=1 + turn % 2, probe_words=words)
        yield from _run(core, rng)


def biased(core: DeviceCore) -> Iterator[object]:
    """Change potentials by bias events of the largest values, up and down."""
    rng, params = np.random.default_rng(17), core.params
    high = (1 << (params.v_width - 1)) - 1
    core.write(Space.THRESHOLD, 0, np.full(params.n_neurons, high))
    for value in (high, -high - 1, high // 3, -high // 3):
        neurons = rng.integers(0, params.n_neurons, _TICKS)
        ticks = core.tick + np.arange(_TICKS)
        core.queue_biases(np.stack([ticks, neurons, np.full(_TICKS, value)], axis=1))
        core.run_to(core.tick + _TICKS)
        yield _words(core)
        yield core.read(Space.V, 0, params.n_neurons)


def late(core: DeviceCore) -> Iterator[object]:
    """Queue events of ticks that have begun, more of them than are counted."""
    _registers(core, tick_period=_LONG_PERIOD)
    core.run_to(_TICKS)
    core.advance()
    for _ in range(_MOST_COUNT // _EVENTS_AT_ONCE + 2):
        core.queue(np.zeros(_EVENTS_AT_ONCE, np.int64))
    most = {counter.name: (1 << counter.width) - 1 for counter in COUNTERS}
    yield [min(count, most.get(name, count)) for name, count in sorted(core.counters().items())]


def lossy(design: Design, ticks: int) -> None:
    """Let ticks begin too early while nobody reads, so that they are late and muted."""
    threshold = space_formats(design.params)[Space.THRESHOLD]
    with closing(CoreEngine(design)) as core:
        core.write(Space.THRESHOLD, 0, _limits(threshold)[1])  # a tick without spikes is short
        _registers(core, tick_period=1)
        core.run_to(ticks)
        while core.counters()["tick"] < ticks:
            core.bare_loop(_SLICE)
            core.queue(_NO_EVENTS)  # shows how far it has come
        check_lost(np.array(_words(core), np.int64), ticks, core.counters())


def check_lost(words: Elements, ticks: int, counters: Mapping[str, int]) -> None:
    """Raise `Killed` if ticks are neither reported nor counted, or counters went on too far."""
    kinds, counts = words >> WORD_COUNT_BITS, words & ((1 << WORD_COUNT_BITS) - 1)
    reported = int(np.sum(kinds == _WORD_KIND | Word.END))
    muted = int(counts[kinds == _WORD_KIND | Word.MUTED].sum())
    if reported + muted != ticks:
        raise Killed(f"of {ticks} ticks {reported} were reported, {muted} muted")
    if counters["muted_ticks"] != min(muted, _MOST_COUNT):
        raise Killed(f"{counters['muted_ticks']} of {muted} muted ticks were counted")
    if counters["missed_deadlines"] != min(ticks - 1, _MOST_COUNT):
        raise Killed(f"{counters['missed_deadlines']} of {ticks - 1} late ticks were counted")


def arriving(design: Design) -> None:
    """Queue events in any cycle of ticks before theirs: all is as if they had always waited.

    Only the cycles of a tick may differ, as it waits until it knows of which tick an event is.
    """
    rng, params = np.random.default_rng(13), design.params
    with closing(CoreEngine(design)) as core:
        model = QueuedModel(params)
        _silence(core)
        _silence(model)
        for _ in range(_ARRIVING_RUNS):
            events = np.array(list(_arrivals(core, rng)), np.int64)
            model.run_to(core.run_until)
            model.queue(events)
            # It is over, and to advance would be to wait for the end of a tick that was not seen.
            got = np.frombuffer(core.take(core.counters()["words_queued"]), np.uint32)
            if not np.array_equal(
                got >> WORD_COUNT_BITS, np.array(_words(model)) >> WORD_COUNT_BITS
            ):
                raise Killed("a run in which events arrive has other words")
        for form in _writable(params).values():
            if not np.array_equal(_read(core, form), _read(model, form)):
                raise Killed(f"{form.space.name} differs after runs in which events arrive")


def _silence(core: DeviceCore) -> None:
    """Write a network whose neurons do not fire, so that a run has few words."""
    params = core.params
    for space, elements in _layout(params, 0).items():
        core.write(space, 0, elements)
    core.write(Space.THRESHOLD, 0, _limits(space_formats(params)[Space.THRESHOLD])[1])
    _registers(core, tick_period=_ARRIVING_PERIOD)


def _arrivals(core: CoreEngine, rng: np.random.Generator) -> Iterator[int]:
    """Execute a run while events come in; yield them."""
    core.run_to(core.tick + _ARRIVING_TICKS)
    while core.tick < core.run_until:
        core.bare_loop(int(rng.integers(1, _ARRIVING_PERIOD)))
        core.queue(_NO_EVENTS)  # shows how far it has come
        if core.tick + _AHEAD < core.run_until:
            axon = int(rng.integers(core.params.n_axons))
            event = axon | core.tick + _AHEAD << EVENT_TICK_PLACE
            core.queue(np.array([event]))
            yield event
    core.bare_loop(_ARRIVING_PERIOD)  # until its last words are in the queue
    core.queue(_NO_EVENTS)


def crowded(design: Design) -> None:
    """Let all projections, relays and axons of a core be busy in the same ticks."""
    with connect("model:", params=design.params) as model, Core(Link(DesignSerial(design))) as twin:
        for make in (_of_constants, _of_relays, _of_few_targets):
            net = make(design.params)
            axons = np.repeat(np.arange(net.n_axons), 2)  # each of them twice in a tick
            spikes = np.array([(tick, axon) for tick in range(0, 9, 3) for axon in axons])
            sample = Sample(design.params, net, spikes, _CROWDED_TICKS, {}, frozenset())
            if difference := apart(sample.behaviour(model), sample.behaviour(twin)):
                raise Killed(difference)


def _of_constants(params: CoreParams) -> Network:
    """Return a network with as many constant projections as fit, all of them active at once."""
    net = Network(n_axons=0)
    side = math.isqrt(params.n_projections)
    populations = [net.population(_MEMBERS, threshold=10, bias=11) for _ in range(side)]
    for source in populations:
        for target in populations:
            net.project(source, target, constant=1)
    return net


def _of_relays(params: CoreParams) -> Network:
    """Return a network whose axons learn, and whose neurons have spikes of many delays."""
    net = Network(n_axons=4, learn_pre=True, trace_post_bump=1 << 14, trace_post_tau=20.0)
    pair = net.population(2, threshold=100)  # a row is one block, over before the next is ready
    for after in (False, True):
        net.project(
            net.axons, pair, plastic=True, weights=3, pre_gain=-300, w_min=-100, w_max=100,
            current_after=after,
        )  # fmt: skip
    at_once = net.population(params.n_relays // params.max_delay, threshold=10, bias=11)
    for delay in range(1, params.max_delay):
        net.project(at_once, pair, constant=1, delay=delay)
    return net


def _of_few_targets(params: CoreParams) -> Network:
    """Return a network in which synapses of one block after the other add to the same neuron."""
    net = Network(n_axons=params.n_axons)
    target = net.population(_MEMBERS, threshold=1000)
    weights = np.zeros((net.n_axons, _MEMBERS), np.int64)
    weights[:, 0] = 5
    net.project(net.axons, target, weights=weights, sparse=True)
    return net


# --- the link ----------------------------------------------------------------------------------


def far(design: Design) -> None:
    """Run a few ticks that are far from each other: all that is seen has to be as on the model."""
    with connect("model:", params=design.params) as model:
        expected = list(_far(model))
    with Core(Link(DesignSerial(design))) as twin:
        for number, (one, other) in enumerate(zip(expected, _far(twin), strict=True)):
            if one != other:
                raise Killed(f"step {number} of far ticks differs: {other}, not {one}")


def _far(core: Core) -> Iterator[object]:
    params = core.params
    core.program(Network.random(params.n_axons, params.n_neurons, seed=3))
    events = [(tick, axon) for tick in range(_TICKS) for axon in range(params.n_axons)]
    for first in (MAX_SET_TICK - _TICKS, 0, *_FAR):
        core.write_tick(first)
        run = core.run(events, _TICKS)
        yield core.tick, run.spikes.tolist(), run.cycles.tolist()
        yield core.read_counters()


def mute(design: Design) -> None:
    """Let a device run too fast for its line while nobody fetches words."""
    with Core(Link(port := DesignSerial(design))) as core:
        params = core.params
        high = space_formats(params)[Space.THRESHOLD].limits()[1]
        core.write_parameters(threshold=np.full(params.n_neurons, high))
        core.run([], 1, tick_period=1)
        core.link.request(Request(Opcode.RUN, arguments(Opcode.RUN, TICKS_LOST)))
        for _ in range(_LOOKS):
            port.engine.run(_CYCLES_LOST // _LOOKS)
            found = core.read_counters()
        if not found["missed_deadlines"] == found["muted_ticks"] == _MOST_COUNT:
            raise Killed(f"counted: {found}")
        words = _fetched_words(core)
        if sum(words >> WORD_COUNT_BITS == _WORD_KIND | Word.MUTED) != 1:
            raise Killed("muted ticks are not told by one word")


def _fetched_words(core: Core) -> Elements:
    """Return all words of a run that is over."""
    parts: list[bytes] = []
    size = MAX_FETCH_WORDS * WORD_BYTES
    while not parts or parts[-1]:
        fetch = arguments(Opcode.FETCH, MAX_FETCH_WORDS, 0)
        core.link.run([Request(Opcode.FETCH, fetch, size, WORD_BYTES, on_result=parts.append)])
    return np.frombuffer(b"".join(parts), np.uint32).astype(np.int64)


def overlong(design: Design) -> None:
    """Send a frame that is too long, and one that is good: only that one is answered."""
    with closing(DesignSerial(design)) as port:
        port.engine.write(b"\1" * (2 * MAX_FRAME) + b"\0")
        _ask(port, Opcode.IDENTIFY)


def forgotten(design: Design) -> None:
    """Change the rate of the line and say no more: the device goes back to the one before."""
    with closing(DesignSerial(design)) as port:
        engine, rate = port.engine, port.engine.cycles_per_bit
        _ask(port, Opcode.OPEN)
        _ask(port, Opcode.SET_BAUD, struct.pack("<H", MAX_CYCLES_PER_BIT))
        engine.set_cycles_per_bit(MAX_CYCLES_PER_BIT)
        engine.write(b"\0")
        engine.run(BITS_PER_BYTE * MAX_CYCLES_PER_BIT)
        engine.set_cycles_per_bit(rate)
        engine.run(BAUD_TRIAL_CYCLES)
        _ask(port, Opcode.IDENTIFY)


def slow(design: Design) -> None:
    """Ask at the slowest rate of the line: the answer begins at it."""
    with closing(DesignSerial(design)) as port:
        engine = port.engine
        _ask(port, Opcode.OPEN)
        _ask(port, Opcode.SET_BAUD, struct.pack("<H", MAX_CYCLES_PER_BIT))
        engine.set_cycles_per_bit(MAX_CYCLES_PER_BIT)
        engine.write(framed(bytes([1, 1, Opcode.STOP])))
        engine.run(_BYTES_OF_STOP * BITS_PER_BYTE * MAX_CYCLES_PER_BIT)
        if not engine.read(1, 0):
            raise Killed("there is no answer at the slowest rate")


def _ask(port: DesignSerial, opcode: Opcode, data: bytes = b"") -> None:
    """Send the request of a session that follows `OPEN`; raise `Killed` if it is not answered."""
    port.engine.write(framed(bytes([1, 0, opcode]) + data))
    answer = port.engine.read(1 << 16, _ANSWER_SECONDS)
    if not answer or unframed(answer[:-1])[3] != Status.OK:
        raise Killed(f"{opcode.name} is answered by {answer.hex(' ')}")


def trials(name: str) -> dict[str, Trial]:
    """Return the trials for a bench of the mutants, beside those that it has, by name."""
    if name not in CORES:
        return {each.__name__: each for each in (far, mute, overlong, forgotten, slow)}
    params = CORES[name]
    scripts = [filled, wild, late]
    scripts += [probing] * (params.probe_ranges > 0) + [biased] * params.bias_events
    crowds = [crowded] * params.has_projections
    ticks = TICKS_LOST if name == _SMALLEST else _TICKS_MUTED
    return {
        **{script.__name__: partial(alike, script=script) for script in scripts},
        **{each.__name__: each for each in (arriving, *crowds)},
        lossy.__name__: partial(lossy, ticks=ticks),
    }
