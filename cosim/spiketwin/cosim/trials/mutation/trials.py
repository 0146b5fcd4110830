"""Trials: what a mutant has to get right, from cheap to dear."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

import numpy as np
from cobs.cobs import DecodeError

from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial import MODEL
from spiketwin.cosim.serial.protocol_model import open_target
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.testbenches.requests import Requests, framed, unframed
from spiketwin.cosim.trials import mutants
from spiketwin.cosim.trials.mutation.full import bursts, deadlines, full, full_networks
from spiketwin.cosim.trials.mutation.midway import (
    late_at_once,
    looked_at,
    looked_at_in_the_end,
    reset_at_once,
    unread,
    wiped,
)
from spiketwin.cosim.trials.mutation.observing import (
    Killed,
    Trial,
    compare,
    held,
    of_run,
    opened,
    unwarned,
)
from spiketwin.cosim.trials.mutation.relaying import several_relays
from spiketwin.cosim.trials.mutation.sites import Mutation
from spiketwin.cosim.trials.mutation.wires import overflows, rates, rates_apart, refusals
from spiketwin.cosim.trials.verify.samples import CORES, Sample, apart
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.projections import ProjectionKind
from spiketwin.hdl.spec.protocol import REPLY_HEADER, Opcode
from spiketwin.hdl.spec.registers import Space, profile_columns, registers
from spiketwin.hdl.spec.variables import ARRAYS, BY_SPACE, Kind, Per, Variable
from spiketwin.host import Core, Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link

_CORE: Final = "core/"
_REQUESTS: Final = 250
_MOST_TICKS: Final = 150
_SAMPLES: Final = 10
_FURTHER: Final = {"matrix": (33,)}
"""Numbers of further networks of a core: in this one a step ends just below `w_min`."""

_BUSY: Final = 4
_SAMPLES_OF_SESSION: Final = 3
_TICKS_OF_SESSION: Final = 30
_ANSWER_SECONDS: Final = 2e-3
_SETTLED_SECONDS: Final = 1e-4
_RARELY: Final = 0.9
"""Share of the requests that change what a network is that are left out while it runs."""

_EXTREMES: Final = 12
_EXTREME_TICKS: Final = 3
_AT_ENDS: Final = 0.7
_WILD: Final = {
    array.name
    for array in ARRAYS
    if array.per in (Per.NEURON, Per.SOURCE) and array.kind in (Kind.STATE, Kind.PARAMETER)
}
"""State and parameters that take any value of their range."""

_TIMED: Final = 0.05
"""Share of the requests that write a tick period, where answers do not depend on a line."""

_READ: Final = 0.1
_FEW_REGISTERS: Final = 9
"""Share of the requests that read registers, as there are so many of those: also during a run."""

_SHORT_PERIODS: Final = (0, 1, 45, 90, 300, 700, 1500, 3000)

_OF_RUNS: Final = (Opcode.EVENTS, Opcode.RUN, Opcode.FETCH, Opcode.STOP)
_PERIODS: Final = (3000, 200, 60, 0)
_PERIODS_OF_LINE: Final = (5000, 3000, 0)


_Line = tuple[bytes, bytes, bool]
"""A frame, its answer, and whether it can begin or end a run."""


@dataclass(frozen=True)
class Bench:
    """A design that has mutants, and what is asked of it.

    Attributes
    ----------
    design:
        The design, without mutants.
    trials:
        Functions that raise `Killed` or a `SpiketwinError` of a design that is wrong, by name,
        the cheapest first.
    of_core:
        Whether it is for units of the core; if not, for all others.
    """

    design: Design
    trials: dict[str, Trial]
    of_core: bool

    def mutated(self, places: Sequence[int]) -> Design:
        """Return the design with mutants at some places of its Verilog."""
        return replace(self.design, instrument=Mutation(tuple(places)))

    def is_for(self, unit: str) -> bool:
        """Return whether it is for a unit, a file of the gateware."""
        return unit.startswith(_CORE) == self.of_core


def told_by(
    trials: dict[str, Trial], design: Design, before: Callable[[], None] = lambda: None
) -> tuple[str, str] | None:
    """Return the first trial that a design fails, and in words why; None if it passes all.

    `before` is called before each trial.
    """
    for name, trial in trials.items():
        before()
        try:
            trial(design)
        except (SpiketwinError, ArithmeticError, LookupError, ValueError) as error:
            return name, f"{type(error).__name__}: {error}"[:200]
    return None


# --- requests ----------------------------------------------------------------------------------


@cache
def _transcript(params: CoreParams, seed: int, programmed: bool) -> tuple[_Line, ...]:
    """Return random frames with the answers of the model, as it is or with a network."""
    requests, lines = Requests(params, random.Random(seed)), []
    with closing(open_target(Target(MODEL, params=params))) as port:
        if programmed:
            Core(Link(port)).program(full(params, seed, learns=False))
        for number in range(_REQUESTS):
            frame = framed(requests.open()) if number % 80 == 0 else requests.any(runs=True)
            port.write(frame)
            answer = port.read(1 << 16)
            requests.follow(answer)
            lines.append((frame, answer, _is_of_run(frame)))
    return tuple(lines)


def _is_of_run(frame: bytes) -> bool:
    try:
        return unframed(frame[:-1])[2] in _OF_RUNS
    except (ValueError, IndexError, DecodeError):
        return False


def requests(design: Design, seed: int) -> None:
    """Send requests, most of them right: each answer has to be that of the model, to the byte."""
    # What memories hold is not known before they are written, if they hold anything at power-up.
    programmed = design.power_up is not None
    with DesignSerial(design) as port:
        if programmed:
            Core(Link(port)).program(full(design.params, seed, learns=False))
        _replay(port, _transcript(design.params, seed, programmed))


def _replay(port: DesignSerial, lines: Iterable[_Line]) -> None:
    """Send the frames of a transcript; raise `Killed` at the first answer that is another one."""
    port.timeout = _ANSWER_SECONDS
    for frame, expected, is_of_run in lines:
        port.write(frame)
        got = b""
        while len(got) < len(expected) and (part := port.read(1 << 16)):
            got += part
        if is_of_run or not expected:
            got += port.device.read(1 << 16, _SETTLED_SECONDS)
        if got != expected and not _are_identities(got, expected):
            raise Killed(f"{frame.hex(' ')}: {got.hex(' ')}, not {expected.hex(' ')}")


def _are_identities(*answers: bytes) -> bool:
    """Return whether both are the identity, which tells a twin from the model."""
    try:
        heads = [unframed(answer[:-1])[:REPLY_HEADER] for answer in answers]
    except (ValueError, DecodeError):
        return False
    return heads[0] == heads[1] and heads[0][2] in (Opcode.IDENTIFY, Opcode.OPEN)


# --- networks ----------------------------------------------------------------------------------


@cache
def _expected(core: str, number: int) -> tuple[Sample, Behaviour]:
    """Return a sample, cut short, and what the model makes of it."""
    sample = _cut(_sample(core, number), _MOST_TICKS)
    with connect("model:", params=sample.params) as model:
        return sample, sample.behaviour(model)


def _sample(core: str, number: int) -> Sample:
    return Sample.drawn(0, list(CORES).index(core) + number * len(CORES))


def _cut(sample: Sample, most: int) -> Sample:
    """Return a sample of so many ticks at most."""
    ticks = min(sample.ticks, most)
    run = dict(sample.run)
    if (biases := run.get("biases")) is not None:
        run["biases"] = np.asarray(biases)[np.asarray(biases)[:, 0] < ticks]
    return replace(sample, spikes=sample.spikes[sample.spikes[:, 0] < ticks], ticks=ticks, run=run)


def networks(design: Design, core: str, number: int) -> None:
    """Run a random network: all that it says and holds has to be that of the model."""
    sample, expected = _expected(core, number)
    with opened(design) as twin:
        if difference := apart(expected, sample.behaviour(twin)):
            raise Killed(difference)


@dataclass(frozen=True, eq=False)
class _Session:
    """Networks that are programmed one after the other, each run at several tick periods."""

    samples: Sequence[Sample]
    periods: tuple[int, ...]

    def seen(self, core: Core) -> Iterator[dict[str, Any]]:
        """Program, write weights, run and clear; reset in the end. Yield all that is seen."""
        for sample in self.samples:
            core.program(sample.net)
            _lessen(core, sample.net)
            for period in self.periods:
                run = core.run(sample.spikes, sample.ticks, tick_period=period, **sample.run)
                yield of_run(run) | core.read_state()
                core.clear("v", "traces")
            yield held(core)
        core.reset()
        yield held(core)


def _lessen(core: Core, net: Network) -> None:
    """Bring the weights of the first projection that has some nearer to 0."""
    weighted = (each for each in net.projections if each.kind is not ProjectionKind.CONSTANT)
    projection = next(weighted, None)
    if projection is not None or not net.populations:
        weights = core.read_weights(projection)
        core.write_weights(weights - np.sign(weights), projection)


def _of_device() -> Sample:
    """Return a lively network for a device of the size `tiny`."""
    params = preset("tiny")
    spikes = np.argwhere(np.random.default_rng(5).random((40, params.n_axons)) < 0.3)
    net = Network.random(params.n_axons, params.n_neurons, seed=5)
    return Sample(params, net, spikes, 40, {}, frozenset())


@cache
def _session_of(core: str) -> tuple[_Session, list[dict[str, Any]]]:
    """Return a session for a core of this name, or for a device, and what the model makes of it."""
    if core in CORES:
        numbers = range(_SAMPLES_OF_SESSION)
        samples = [_cut(_sample(core, number), _TICKS_OF_SESSION) for number in numbers]
        session = _Session(samples, _PERIODS)
    else:
        session = _Session([_of_device()], _PERIODS_OF_LINE)
    with connect("model:", params=session.samples[0].params) as model, unwarned():
        return session, list(session.seen(model))


def periods(design: Design, core: str) -> None:
    """Run networks at tick periods that a core keeps and, without a line, at some that are short.

    Each network is programmed over what the one before has left.
    """
    session, expected = _session_of(core)
    with opened(design) as twin:
        compare(expected, session.seen(twin))


@cache
def busy_transcript(core: str, seed: int) -> tuple[Sample, tuple[_Line, ...]]:
    """Return a sample, and random requests while its network runs, with the answers of the model.

    Words of many ticks may wait for the host, and a reset may find them in the queue.
    """
    rng = random.Random(seed)
    sample = _sample(core, 0) if core in CORES else _of_device()
    lines: list[_Line] = []
    with closing(open_target(Target(MODEL, params=sample.params))) as port, unwarned():
        Core(Link(port)).program(sample.net)
        requests = Requests(sample.params, rng, session=1)  # that of the host which programmed it
        for number in range(_REQUESTS):
            body = requests.good(runs=True) if number else requests.open()
            while body[2] not in (*_OF_RUNS, Opcode.READ, Opcode.OPEN) and rng.random() < _RARELY:
                body = requests.good(runs=True)
            if core in CORES and number and rng.random() < _TIMED:
                period = struct.pack("<BII", Space.REGISTER, 0, rng.choice(_SHORT_PERIODS))
                body = requests.body(Opcode.WRITE, period)
            elif number and rng.random() < _READ:
                some = struct.pack("<BIH", Space.REGISTER, 0, _FEW_REGISTERS)
                body = requests.body(Opcode.READ, some)
            port.write(framed(body))
            answer = port.read(1 << 16)
            requests.follow(answer)
            lines.append((framed(body), answer, body[2] in _OF_RUNS))
    return sample, tuple(lines)


def busy(design: Design, core: str, seed: int) -> None:
    """Send requests while a lively network runs; what it reports is fetched late or never."""
    sample, lines = busy_transcript(core, seed)
    with closing(DesignSerial(design)) as port, unwarned():
        Core(Link(port)).program(sample.net)
        _replay(port, lines)


def _extreme(core: Core, sample: Sample) -> Iterator[dict[str, Any]]:
    """Run a few ticks each time from values at the ends of their ranges; yield all that is seen."""
    rng, params = np.random.default_rng(2), core.params
    core.program(sample.net)
    for _ in range(_EXTREMES):
        state, parameters = core.read_state(), core.read_parameters()
        core.write_state(
            **{name: _wild(rng, params, state, name) for name in sorted(_WILD & {*state})}
        )
        chosen = sorted(_WILD & {*parameters})
        core.write_parameters(**{name: _wild(rng, params, parameters, name) for name in chosen})
        if columns := profile_columns(params):
            core.write_profiles(**{c.name: _constants(rng, c, params) for c in columns})
        else:
            constants = [r for r in registers(params) if r.is_decay]
            core.write_registers(**{r.name: _constants(rng, r, params)[0] for r in constants})
        run = core.run(sample.spikes[sample.spikes[:, 0] < _EXTREME_TICKS], _EXTREME_TICKS)
        counters = {"counters": list(core.read_counters().values())}
        yield of_run(run) | core.read_state() | counters
    core.reset()
    yield held(core)


def _wild(
    rng: np.random.Generator, params: CoreParams, arrays: dict[str, Any], name: str
) -> IntArray:
    """Return values for an array, many of them at the ends of their range or near 0."""
    low, high = BY_SPACE[Space[name.upper()]].limits(params)
    some = np.array([low, low + 1, high, high - 1, max(low, -1), 0, 1])
    shape = arrays[name].shape
    values: IntArray = rng.integers(low, high + 1, shape)
    ends = rng.random(shape) < _AT_ENDS
    values[ends] = rng.choice(some, int(ends.sum()))
    return values


def _constants(rng: np.random.Generator, variable: Variable, params: CoreParams) -> list[int]:
    """Return a value of a constant for each profile, many of them at the ends of its range."""
    low, high = variable.limits(params)
    if variable.name == "v_floor":
        high = 0  # so that what the network does not use never fires
    if variable.name == "linear_leak":
        high = 3
    some = [low, high, 1, high // 2, int(rng.integers(low, high + 1))]
    return [int(rng.choice(some)) for _ in range(params.n_profiles)]


@cache
def _extremes_of(core: str) -> tuple[Sample, list[dict[str, Any]]]:
    sample = _sample(core, 1)
    with connect("model:", params=sample.params) as model, unwarned():
        return sample, list(_extreme(model, sample))


def extremes(design: Design, core: str) -> None:
    """Run a few ticks from values at the ends of their ranges, with constants likewise."""
    sample, expected = _extremes_of(core)
    with opened(design) as twin:
        compare(expected, _extreme(twin, sample))


def limits(design: Design) -> None:
    """Run the networks that name seeded bugs: lively ones, and ones at all limits of a core."""
    for case in mutants.cases():
        if found := mutants.difference(design, case):
            raise Killed(f"{found.field} differs in tick {found.tick}")


def _of_core(name: str, power_up: int | None = None) -> Bench:
    """Return the bench of a core; with `power_up`, a seed, memories hold anything at power-up."""
    params = CORES[name]
    trials: dict[str, Trial] = {"requests": partial(requests, seed=1)}
    for number in (*range(_SAMPLES), *_FURTHER.get(name, ())):
        trials[f"network {number + 1}"] = partial(networks, core=name, number=number)
    trials["tick periods"] = partial(periods, core=name)
    trials["extremes"] = partial(extremes, core=name)
    trials["full networks"] = partial(full_networks, core=name)
    if params.has_sparse:
        trials["bursts"] = partial(bursts, core=name)
    trials["deadlines"] = partial(deadlines, core=name)
    trials["unread words"] = partial(unread, core=name)
    trials["registers in a run"] = looked_at
    trials["registers in the end"] = looked_at_in_the_end
    trials["late events"] = late_at_once
    trials["resets at once"] = reset_at_once
    if params.n_relays:
        trials["several relays"] = partial(several_relays, core=name)
    if params.single_port_weights:
        trials["wipe"] = wiped
    for seed in range(1, 1 + _BUSY):
        trials[f"busy requests {seed}"] = partial(busy, core=name, seed=seed)
    design = Design(params=params, level="core", power_up=power_up)
    return Bench(design, trials, of_core=True)


BENCHES: Final = {
    "matrix": _of_core("matrix"),
    "roomy": _of_core("roomy"),
    "paired": _of_core("paired", power_up=1),
    "device": Bench(
        Design(params=preset("tiny"), level="pins"),
        {
            "requests": partial(requests, seed=1),
            "refusals": refusals,
            "rates": rates,
            "rates apart": rates_apart,
            "overflows": overflows,
            "more requests": partial(requests, seed=2),
            "limits": limits,
            "tick periods": partial(periods, core="device"),
            "busy requests 1": partial(busy, core="device", seed=1),
        },
        of_core=False,
    ),
}
"""The designs that have mutants; an expression is changed in the first one that has it."""
