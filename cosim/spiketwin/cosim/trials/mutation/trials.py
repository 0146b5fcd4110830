"""Trials: what a mutant has to get right, from cheap to dear."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final

import numpy as np
from cobs.cobs import DecodeError

from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.testbenches.requests import Requests, framed, unframed
from spiketwin.cosim.trials import mutants
from spiketwin.cosim.trials.mutation.sites import Mutation
from spiketwin.cosim.trials.verify.samples import CORES, Sample, apart
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import REPLY_HEADER, Opcode
from spiketwin.host import Core, Network, connect
from spiketwin.host.errors import SpiketwinError, SpiketwinWarning
from spiketwin.host.link import Link

_REQUESTS: Final = 250
_MOST_TICKS: Final = 150
_SAMPLES: Final = 10
_ANSWER_SECONDS: Final = 2e-3
_SETTLED_SECONDS: Final = 1e-4
_OF_RUNS: Final = (Opcode.EVENTS, Opcode.RUN, Opcode.FETCH, Opcode.STOP)
_PERIODS: Final = (3000, 200, 60, 0)
_PERIODS_OF_LINE: Final = (5000, 3000, 0)


Trial = Callable[[Design], None]
"""A function that raises `Killed`, or an error of the host, of a design that is wrong."""


class Killed(SpiketwinError):
    """A mutant does not do as the model; the message says where."""


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
    but:
        Units that are mutated on an earlier bench.
    """

    design: Design
    trials: dict[str, Trial]

    def mutated(self, count: int, seed: int, but: tuple[str, ...]) -> Design:
        """Return the design with mutants in all units but some."""
        return replace(self.design, instrument=Mutation(count, seed, but))


def told_by(trials: dict[str, Trial], design: Design) -> tuple[str, str] | None:
    """Return the first trial that a design fails, and in words why; None if it passes all."""
    for name, trial in trials.items():
        try:
            trial(design)
        except (SpiketwinError, ArithmeticError, LookupError, ValueError) as error:
            return name, f"{type(error).__name__}: {error}"[:200]
    return None


# --- requests ----------------------------------------------------------------------------------


@cache
def _transcript(params: CoreParams, seed: int) -> tuple[tuple[bytes, bytes, bool], ...]:
    """Return frames with the answers of the model, and whether they can begin or end a run."""
    requests, model = Requests(params, random.Random(seed)), ModelDevice(params)
    lines = []
    for number in range(_REQUESTS):
        frame = framed(requests.open()) if number % 80 == 0 else requests.any(runs=True)
        model.receive(frame)
        answer = model.drain(1 << 16)
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
    lines = _transcript(design.params, seed)
    with DesignSerial(design) as port:
        port.timeout = _ANSWER_SECONDS
        for frame, expected, of_run in lines:
            port.write(frame)
            got = b""
            while len(got) < len(expected) and (part := port.read(1 << 16)):
                got += part
            if of_run or not expected:
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


@contextmanager
def _opened(design: Design) -> Iterator[Core]:
    with Core(Link(DesignSerial(design), retries=1)) as core, warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)  # anything goes in these networks
        yield core


@cache
def _expected(core: str, number: int) -> tuple[Sample, Behaviour]:
    """Return a sample, cut short, and what the model makes of it."""
    found = Sample.drawn(0, list(CORES).index(core) + number * len(CORES))
    ticks = min(found.ticks, _MOST_TICKS)
    spikes = found.spikes[found.spikes[:, 0] < ticks]
    run = dict(found.run)
    if (biases := run.get("biases")) is not None:
        run["biases"] = np.asarray(biases)[np.asarray(biases)[:, 0] < ticks]
    sample = replace(found, spikes=spikes, ticks=ticks, run=run)
    with connect("model:", params=sample.params) as model:
        return sample, sample.behaviour(model)


def networks(design: Design, core: str, number: int) -> None:
    """Run a random network: all that it says and holds has to be that of the model."""
    sample, expected = _expected(core, number)
    with _opened(design) as twin:
        if difference := apart(expected, sample.behaviour(twin)):
            raise Killed(difference)


@dataclass(frozen=True, eq=False)
class _Timed:
    """Runs of a network at several tick periods, one after the other."""

    params: CoreParams
    net: Network
    spikes: Any
    ticks: int
    periods: tuple[int, ...]

    def seen(self, core: Core) -> list[Any]:
        """Run, clear and reset; return all that is seen."""
        core.program(self.net)
        seen: list[Any] = []
        for period in self.periods:
            run = core.run(self.spikes, self.ticks, tick_period=period)
            seen += [run.spikes, run.cycles, run.missed_deadlines, run.late_events, run.muted]
            seen += [core.read_weights(), *core.read_state().values(), _counts(core)]
            core.clear("v", "traces")
            seen += core.read_state().values()
        core.reset()
        seen += [*core.read_state().values(), list(core.read_registers().values())]
        return [*seen, _counts(core)]


def _counts(core: Core) -> list[int]:
    return list(core.read_counters().values())


@cache
def _runs_of(core: str) -> tuple[_Timed, list[Any]]:
    """Return runs for a core of this name, or for a device, and what the model makes of them."""
    if core in CORES:
        sample, _ = _expected(core, 0)
        timed = _Timed(sample.params, sample.net, sample.spikes, sample.ticks, _PERIODS)
    else:
        params = preset("tiny")
        spikes = np.argwhere(np.random.default_rng(5).random((40, params.n_axons)) < 0.3)
        net = Network.random(params.n_axons, params.n_neurons, seed=5)
        timed = _Timed(params, net, spikes, 40, _PERIODS_OF_LINE)
    with connect("model:", params=timed.params) as model:
        return timed, timed.seen(model)


def periods(design: Design, core: str) -> None:
    """Run at tick periods that a core keeps and, without a line, at some that it cannot keep."""
    timed, expected = _runs_of(core)
    with _opened(design) as twin:
        got = timed.seen(twin)
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        if not np.array_equal(one, other):
            raise Killed(f"item {number} of what is seen at tick periods differs")


def rates(design: Design) -> None:
    """Change the rate of the line, and go on."""
    with _opened(design) as core:
        for baud in (10_000_000, 25_000_000, 5_000_000):
            core.set_baud(baud)
            core.read_counters()
        if core.statistics.bad_frames or core.statistics.resent:
            raise Killed("bytes were lost on a line without faults")


def limits(design: Design) -> None:
    """Run the networks that name seeded bugs: lively ones, and ones at all limits of a core."""
    for case in mutants.cases():
        if found := mutants.difference(design, case):
            raise Killed(f"{found.field} differs in tick {found.tick}")


def _of_core(name: str) -> Bench:
    params = CORES[name]
    trials: dict[str, Trial] = {"requests": partial(requests, seed=1)}
    for number in range(_SAMPLES):
        trials[f"network {number + 1}"] = partial(networks, core=name, number=number)
    trials["tick periods"] = partial(periods, core=name)
    return Bench(Design(params=params, level="core"), trials)


BENCHES: Final = {
    "device": Bench(
        Design(params=preset("tiny"), level="pins"),
        {
            "requests": partial(requests, seed=1),
            "rates": rates,
            "more requests": partial(requests, seed=2),
            "limits": limits,
            "tick periods": partial(periods, core="device"),
        },
    ),
    "roomy": _of_core("roomy"),
    "matrix": _of_core("matrix"),
    "paired": _of_core("paired"),
}
"""The designs that have mutants; a unit is mutated on the first one that has it."""
