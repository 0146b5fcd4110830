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
from spiketwin.hdl.spec.params import LEAST_WORDS_PER_TICK, CoreParams
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
    profile_columns,
    registers,
    rule_columns,
    space_formats,
)
from spiketwin.hdl.spec.variables import BY_SPACE, Kind, Per, Variable
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
_BARELY_TICKS: Final = 300
_BARELY_PERIOD: Final = 300
_MOST_AT_ONCE: Final = 64
_LATE: Final = 0.9
"""Share of the events that are late, which take some cycles each."""

_NO_EVENTS: Final = np.empty(0, np.int64)
_MOST_PROBED: Final = 20
_LONG_PERIOD: Final = 5000

_FIRING: Final = 300
_SILENT: Final = 2100
_HIGH: Final = {
    Space.PLASTIC,
    Space.V,
    Space.V_RESET,
    Space.BIAS,
    Space.WEIGHT,
    Space.I_SYN,
    Space.I_INH,
}
"""Spaces whose elements all have their largest value, so that sums saturate."""

_LOUD: Final = {
    "learn_pre": "1", "learn_post": "1", "theta_bump": "high", "trace_pre_bump": "high",
    "trace_post_bump": "high", "v_floor": "low", "w_max": "high", "w_min": "low",
    "pre_gain": "high", "post_gain": "low",
}  # fmt: skip
"""Of a constant with which all saturates: the end of its range that it is; 0 if it has none."""


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
        if params.has_projections:
            _lay_out(core, turn % _LAYOUTS)
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
    """Return all that a network is written as, by space: a random one, or `_of_axons` behind."""
    core_name = next(name for name, sizes in CORES.items() if sizes == params)
    sample = Sample.drawn(0, list(CORES).index(core_name) + number * len(CORES))
    with connect("model:", params=params) as core, warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)  # as in the trials of mutants
        core.program(sample.net if number < _LAYOUTS else _of_axons())
        return {space: _fetched(core, form) for space, form in _writable(params).items()}


def _lay_out(core: DeviceCore, number: int) -> None:
    """Write the network of `_layout`."""
    for space, elements in _layout(core.params, number).items():
        core.write(space, 0, elements)


def _fetched(core: Core, form: SpaceFormat) -> Elements:
    """Return all elements of a space, read through the link."""
    most = most_elements(form)
    parts: list[IntArray] = []
    core.link.run(
        access.read(form, first, min(most, form.size - first), parts.append)
        for first in range(0, form.size, most)
    )
    values = np.concatenate(parts).astype(np.int64)
    return np.where(values > _limits(form)[1], values - _WORD - 1, values)  # signed in a record


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
            first, count = size - 1, turn % 2
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


def unheard(design: Design) -> None:
    """Let probes ask for more words than there is room for: each tick is told to be muted."""
    rng, params = np.random.default_rng(23), design.params
    forms = space_formats(params)
    with closing(CoreEngine(design)) as core:
        for _ in range(_ROUNDS):
            core.reset()
            for space in (Space.PROBE_SPACE, Space.PROBE_FIRST, Space.PROBE_COUNT):
                core.write(space, 0, _drawn(rng, forms[space], ends=True))
            words = int(rng.integers(params.spike_queue_depth, 1 << 16))
            _registers(core, tick_period=_LONG_PERIOD, probe_period=1, probe_words=words)
            core.run_to(_TICKS)
            core.bare_loop((_TICKS + 1) * _LONG_PERIOD)
            _registers(core, tick_period=0, probe_period=0)
            told = [int(Word.MUTED | _WORD_KIND) << WORD_COUNT_BITS | _TICKS]
            if _waiting(core) != told or core.counters()["muted_ticks"] != _TICKS:
                raise Killed("ticks without room for their probes are not muted")


def saturating(core: DeviceCore) -> Iterator[object]:
    """Let all that can saturate do so in each tick, while neurons fire and while they do not."""
    params = core.params
    every = _writable(params)
    _lay_out(core, 0)
    for space in _HIGH & {*every}:
        core.write(space, 0, _limits(every[space])[1])
    tables = {Space.PROFILE_TABLE: profile_columns(params), Space.RULE_TABLE: rule_columns(params)}
    for space in tables.keys() & every.keys():
        loud = [_loud(params, column) for column in tables[space]]
        core.write(space, 0, np.resize(np.array(loud), every[space].size))
    _registers(core, **{each.name: _loud(params, each) for each in registers(params)})
    for threshold, ticks in ((0, _FIRING), (1, _SILENT)):
        core.write(Space.THRESHOLD, 0, _limits(every[Space.THRESHOLD])[threshold])
        core.write(Space.THETA, 0, _limits(every[Space.THETA])[1])
        core.run_to(core.tick + ticks)
        yield _words(core)
        yield sorted(core.counters().items())
    core.reset()
    yield sorted(core.counters().items())


def _loud(params: CoreParams, constant: Variable) -> int:
    """Return the value of a constant with which all saturates."""
    low, high = constant.limits(params)
    return {"high": high, "low": low, "1": 1, "": 0}[_LOUD.get(constant.name, "")]


def brimful(core: DeviceCore) -> Iterator[object]:
    """Let the queue of events be full."""
    params = core.params
    _silence(core)
    axons = np.arange(params.event_queue_depth) * params.n_axons // params.event_queue_depth
    core.queue(axons | 1 << EVENT_TICK_PLACE)
    yield core.events_queued
    core.run_to(_TICKS)
    yield _words(core)
    yield sorted(core.counters().items())


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
    _silence(core)
    _registers(core, tick_period=_LONG_PERIOD)
    core.run_to(_TICKS)
    core.advance()
    for _ in range(_MOST_COUNT // _EVENTS_AT_ONCE + 2):
        core.queue(np.zeros(_EVENTS_AT_ONCE, np.int64))
    most = {counter.name: (1 << counter.width) - 1 for counter in COUNTERS}
    yield [min(count, most.get(name, count)) for name, count in sorted(core.counters().items())]
    core.reset()
    yield sorted(core.counters().items())


def lossy(design: Design, ticks: int) -> None:
    """Let ticks begin too early while nobody reads, so that they are late and muted."""
    with closing(CoreEngine(design)) as core:
        _silence(core)  # a tick without spikes is short
        _registers(core, tick_period=1)
        core.run_to(ticks)
        while core.counters()["tick"] < ticks:
            core.bare_loop(_SLICE)
            core.queue(_NO_EVENTS)  # shows how far it has come
        check_lost(np.array(_words(core), np.int64), ticks, core.counters())
        _registers(core, tick_period=0)
        core.run_to(ticks + _TICKS)  # none of these is muted
        if len(_words(core)) != _TICKS * LEAST_WORDS_PER_TICK:
            raise Killed("ticks behind others that were muted have other words")
        core.reset()
        if core.counters()["muted_ticks"]:
            raise Killed("a reset leaves the counters as they were")


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

    Only the cycles of a tick may differ, as it waits until it knows which tick an event belongs to.
    """
    rng, params = np.random.default_rng(13), design.params
    with closing(CoreEngine(design)) as core:
        model = QueuedModel(params)
        _silence(core)
        _silence(model)
        for core_or_model in (core, model):
            _registers(core_or_model, tick_period=_ARRIVING_PERIOD)
        for _ in range(_ARRIVING_RUNS):
            events = list(_arrivals(core, rng))
            _as_if_waiting(model, core.run_until, events, _waiting(core))
        _hold_alike(core, model)


def _as_if_waiting(model: QueuedModel, end: int, events: list[int], words: list[int]) -> None:
    """Run the model with events that wait; raise `Killed` if other words than its are given."""
    model.run_to(end)
    model.queue(np.array(events, np.int64))
    if not np.array_equal(_untimed(words), _untimed(_words(model))):
        raise Killed("a run in which events arrive has other words")


def _untimed(words: list[int]) -> Elements:
    """Return words without the cycles of ticks."""
    held = np.array(words, np.int64)
    timed = np.isin(held >> WORD_COUNT_BITS, [_WORD_KIND | Word.UPDATE, _WORD_KIND | Word.END])
    return np.where(timed, held >> WORD_COUNT_BITS << WORD_COUNT_BITS, held)


def _waiting(core: CoreEngine) -> list[int]:
    """Take all output words that wait; to advance could be to wait for a tick that was seen."""
    return list(np.frombuffer(core.take(core.counters()["words_queued"]), np.uint32))


def _hold_alike(core: CoreEngine, model: QueuedModel) -> None:
    for form in _writable(core.params).values():
        if not np.array_equal(_read(core, form), _read(model, form)):
            raise Killed(f"{form.space.name} differs after runs in which events arrive")


def _silence(core: DeviceCore) -> None:
    """Write a network whose neurons do not fire, so that a run has few words."""
    _lay_out(core, 0)
    core.write(Space.THRESHOLD, 0, _limits(space_formats(core.params)[Space.THRESHOLD])[1])


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


def barely(design: Design) -> None:
    """Queue events behind others that are late, at any time: the core handles or drops each.

    All is as if those that it does not count as late had always waited.
    """
    rng, params = np.random.default_rng(19), design.params
    with closing(CoreEngine(design)) as core:
        model = QueuedModel(params)
        for layout in range(_LAYOUTS + params.has_projections):
            for each in (core, model):
                each.reset()
                each.clear(~ClearMask(0))
                _lay_out(each, layout)
                _registers(each, tick_period=_BARELY_PERIOD)
                each.set_tick(1)  # so that there are late events
            words: list[int] = []
            events = list(_at_any_time(core, rng, words))
            _as_if_waiting(model, core.run_until, events, words)
            _hold_alike(core, model)


def _at_any_time(core: CoreEngine, rng: np.random.Generator, words: list[int]) -> Iterator[int]:
    """Execute a run with events for the tick under way, or for the next one.

    Yields those that are not late, and adds all output words to `words`.
    """
    core.run_to(core.tick + _BARELY_TICKS)
    while core.tick + 1 < core.run_until:
        core.bare_loop(int(rng.integers(1, _BARELY_PERIOD)))
        core.queue(_NO_EVENTS)  # shows how far it has come
        before, tick = core.counters()["late_events"], core.tick + int(rng.integers(2))
        if tick >= core.run_until:
            break
        axon = int(rng.integers(core.params.n_axons))
        event, count = axon | tick << EVENT_TICK_PLACE, int(rng.integers(1, _MOST_AT_ONCE + 1))
        is_late = rng.random(count) < _LATE
        core.queue(np.where(is_late, 0, event))
        while core.events_queued:
            core.bare_loop(_BARELY_PERIOD)
            words += _waiting(core)
        late = core.counters()["late_events"] - before
        if not is_late.sum() <= late <= count:
            raise Killed(f"{late} of {count} events were late, not {is_late.sum()} or more")
        yield from [event] * (count - late)
    while core.tick < core.run_until:
        core.bare_loop(_BARELY_PERIOD)
        words += _waiting(core)
    core.bare_loop(_BARELY_PERIOD)
    words += _waiting(core)


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


def _of_axons() -> Network:
    """Return a network with a constant projection from the axons and none else."""
    net = Network(n_axons=_MEMBERS)
    net.project(net.axons, net.population(_MEMBERS, threshold=1000), constant=1)
    return net


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


def distant_ticks(design: Design) -> None:
    """Run a few ticks that are far from each other: all that is seen has to be as on the model."""
    with connect("model:", params=design.params) as model:
        expected = list(_far(model))
    with Core(Link(DesignSerial(design))) as twin:
        for number, (one, other) in enumerate(zip(expected, _far(twin), strict=True)):
            if one != other:
                raise Killed(f"step {number} of distant ticks differs: {other}, not {one}")


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
        return {each.__name__: each for each in (distant_ticks, mute, overlong, forgotten, slow)}
    params = CORES[name]
    scripts = [filled, wild, late, saturating, brimful]
    scripts += [probing] * (params.probe_ranges > 0) + [biased] * params.bias_events
    others = [unheard] * (params.probe_ranges > 0) + [crowded] * params.has_projections
    ticks = TICKS_LOST if name == _SMALLEST else _TICKS_MUTED
    return {
        **{script.__name__: partial(alike, script=script) for script in scripts},
        **{each.__name__: each for each in (arriving, barely, *others)},
        lossy.__name__: partial(lossy, ticks=ticks),
    }
