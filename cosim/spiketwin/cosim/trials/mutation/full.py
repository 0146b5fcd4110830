"""Trials with networks that use all that there is in a core: each line, each entry of its tables.

Random networks are smaller than their core, so the upper ends of numbers would never be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.trials.mutation.observing import compare, held, of_run, opened, unwarned
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import probed
from spiketwin.hdl.spec.variables import Per
from spiketwin.host import Core, Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.populations import Population

_TICKS: Final = 40
_HURRIED: Final = 10
_PROBED_TICKS: Final = 3
_PROBED: Final = 64
"""Most elements of a probe, which have to fit a queue."""

_ACTIVE: Final = 0.15
_VERY: Final = 0.7
"""Shares of the axons that spike in a tick."""

_AROUND: Final = 3
"""Cycles by which a tick period is longer or shorter than a tick."""

_SHARES: Final = (3, 3, 2)
"""Sizes of the populations, in eighths of all neurons."""

_W: Final = (-50, 60)
_CONSTANT: Final = (-9, 9)
_DENSITIES: Final = (0.08, 0.95)
"""Shares of the synapses of a lane in a sparse row."""

_OF_AXONS: Final = (1, 3, 8)
_OF_NEURONS: Final = ((0, 1, 2), (1, 2, 4), (1, 0, 9), (0, 2, 5))
"""Delays of the projections of axons; source, target and delay of those between populations. They
take all relays."""

_SPARSE: Final = ((0, 1), (1, 0), (2, 1), (0, 2))
_ITSELF: Final = 0.3
_SEEDS: Final = 4
_FEW: Final = 24
_LAST: Final = 4
"""Neurons to which many add at once, and blocks in which one may be added to once more."""

_STIRRED: Final[dict[str, Any]] = {
    "v_tau": 20.0, "i_syn_tau": 3.0, "i_inh_en": True, "i_inh_tau": 6.0, "v_floor": -900,
    "theta_tau": 30.0, "theta_bump": 30, "w_min": -50, "w_max": 100, "pre_gain": -3000,
    "post_gain": 5000, "trace_pre_tau": 10.0, "trace_pre_bump": 9000, "trace_post_tau": 10.0,
    "trace_post_bump": 9000,
}  # fmt: skip


def full(params: CoreParams, seed: int, *, learns: bool) -> Network:
    """Return a random network that fires and uses all of a core.

    Without learning nothing follows the neurons that fire but what the next tick adds.
    """
    if params.has_projections:
        return _of_populations(params, seed, learns)
    net = Network.random(params.n_axons, params.n_neurons, seed)
    net.i_inh_en = params.has_two_receptors
    net.i_inh_tau = 6.0
    net.learn_pre = net.learn_post = learns = learns and params.learning
    net.plastic[:] = learns
    net.w_min, net.w_max = _W
    for name in ("pre_gain", "post_gain", "trace_pre_bump", "trace_post_bump"):
        setattr(net, name, _STIRRED[name])
    taus = np.random.default_rng(seed).uniform(5, 60, params.n_profiles)
    net.v_tau = taus.tolist()
    net.profile[:] = np.arange(params.n_neurons) % params.n_profiles
    return net


def _of_populations(params: CoreParams, seed: int, learns: bool) -> Network:
    """Return one that fills the table of projections, most of them constants that overlap."""
    rng = np.random.default_rng(seed)
    windows = rng.integers(-1 << 19, 1 << 19, (2, 512))
    net = Network(
        n_axons=params.n_axons, learn_pre=learns, learn_post=learns, seed=seed, windows=windows,
        **_STIRRED,
    )  # fmt: skip
    parts = [
        net.population(size, threshold=rng.integers(100, 500, size), refrac_ticks=1)
        for size in (eighths * params.n_neurons // 8 for eighths in _SHARES)
    ]
    _learn(net, parts, params, rng)
    for k, j in _SPARSE:
        source, target = parts[k], parts[j]
        shape, lanes = (source.size, target.size), params.lanes
        densities = np.tile(rng.choice(_DENSITIES, (source.size, lanes)), target.size // lanes)
        weights = rng.integers(*_W, shape) * (rng.random(shape) < densities)
        late = _late(params, rng, shape)
        net.project(source, target, weights=weights, sparse=True, synapse_delay=late)
    for delay in _OF_AXONS:
        net.project(net.axons, parts[0], constant=delay, delay=delay)
    for k, j, delay in _OF_NEURONS:
        net.project(parts[k], parts[j], constant=int(rng.integers(*_CONSTANT)), delay=delay)
    while len(net.projections) < params.n_projections:
        source, target = (parts[k] for k in rng.integers(len(parts), size=2))
        itself, constant = bool(rng.random() < _ITSELF), int(rng.integers(*_CONSTANT))
        net.project(source, target, constant=constant, itself=itself)
    return net


def _learn(
    net: Network, parts: list[Population], params: CoreParams, rng: np.random.Generator
) -> None:
    """Let each population learn from all axons by a rule of its own: two by windows that drift."""
    for number, target in enumerate(parts):
        rule: dict[str, Any] = {}
        if number:
            rule = {
                "window": number, "drift": int(rng.integers(-1 << 17, 1 << 17)),
                "stochastic": number == 1, "current_after": number == 1,
                "post_offset": int(rng.integers(-1 << 18, 1 << 18)),
                "w_min": _W[0] + number, "w_max": _W[1] - number,
            }  # fmt: skip
        shape = params.n_axons, target.size
        weights, late = rng.integers(*_W, shape), _late(params, rng, shape)
        net.project(net.axons, target, weights=weights, plastic=True, synapse_delay=late, **rule)


def _bursts(params: CoreParams, seed: int) -> Network:
    """Return a network of sparse rows without gaps, which add to the same neurons at once.

    Every other row has all neurons. The one behind begins with one of the last of them.
    """
    rng, shape = np.random.default_rng(seed), (params.n_axons, _FEW)
    there = np.ones(shape, np.bool_)
    there[1::2] = False
    last = np.arange(params.n_axons // 2) % (_LAST * params.lanes)
    there[1::2][np.arange(len(last)), _FEW - 1 - last] = True
    net = Network(n_axons=params.n_axons, **_STIRRED)
    few = net.population(_FEW, threshold=rng.integers(100, 500, _FEW))
    weights = rng.integers(*_W, shape) * there
    late = rng.integers(0, min(2, 1 << params.synapse_delay_width), shape)
    net.project(net.axons, few, weights=weights, sparse=True, synapse_delay=late)
    return net


def _late(params: CoreParams, rng: np.random.Generator, shape: tuple[int, int]) -> IntArray:
    return rng.integers(0, 1 << params.synapse_delay_width, shape)


def _seen(core: Core) -> Iterator[dict[str, Any]]:
    """Program one network over another, with and without learning, and look at all of it."""
    params = core.params
    for seed in range(1, 5):
        rng = np.random.default_rng(seed)
        spikes = np.argwhere(rng.random((_TICKS, params.n_axons)) < _ACTIVE)
        core.program(full(params, seed, learns=seed % 2 == 0))
        run = core.run(spikes, _TICKS, digests=params.digest_rounds > 0)
        yield of_run(run) | core.read_state()
        for probe in _ranges(params):
            yield of_run(core.run(spikes[spikes[:, 0] < _PROBED_TICKS], _PROBED_TICKS, probe=probe))
        yield held(core)
    core.reset()
    yield held(core)


def _seen_in_bursts(core: Core) -> Iterator[dict[str, Any]]:
    for seed in range(_SEEDS):
        rng = np.random.default_rng(seed)
        core.program(_bursts(core.params, seed))
        spikes = np.argwhere(rng.random((_HURRIED, core.params.n_axons)) < _VERY)
        yield of_run(core.run(spikes, _HURRIED)) | core.read_state()


def _ranges(params: CoreParams) -> list[dict[str, range]]:
    """Return probes of each state up to its last element, of as many states as there can be."""
    every = []
    for array in probed(params).values():
        size = params.n_sources if array.per is Per.SOURCE else params.n_neurons
        every.append((array.name, range(max(0, size - _PROBED), size)))
    at_once = params.probe_ranges
    return [dict(every[k : k + at_once]) for k in range(0, len(every), at_once)] if at_once else []


def _hurried(core: Core) -> Iterator[dict[str, Any]]:
    """Run at tick periods around the cycles of the shortest tick and of a usual one."""
    params = core.params
    core.program(full(params, 1, learns=True))
    spikes = np.argwhere(np.random.default_rng(1).random((_HURRIED, params.n_axons)) < _ACTIVE)
    run = core.run(spikes, _HURRIED)
    for cycles in (int(run.cycles.min()), int(np.median(run.cycles))):
        for period in range(cycles - _AROUND, cycles + _AROUND + 1):
            core.clear("v", "i_syn")
            yield of_run(core.run(spikes, _HURRIED, tick_period=period))
    # Ticks of the same length, each of which ends with its period, or a cycle before or behind.
    core.program(Network(n_axons=1, n_neurons=1, threshold=np.ones(1, np.int32)))
    cycles = int(core.run([], 2).cycles[-1])
    for period in range(cycles - _AROUND, cycles + _AROUND + 1):
        yield of_run(core.run([], _HURRIED, tick_period=period))


_SESSIONS: Final = {"full": _seen, "bursts": _seen_in_bursts, "deadlines": _hurried}
"""What is done with a core, by name."""


@cache
def _expected(session: str, core: str) -> list[dict[str, Any]]:
    with connect("model:", params=CORES[core]) as model, unwarned():
        return list(_SESSIONS[session](model))


def _as_model(design: Design, session: str, core: str) -> None:
    expected = _expected(session, core)
    with opened(design) as twin:
        compare(expected, _SESSIONS[session](twin))


def full_networks(design: Design, core: str) -> None:
    """Run networks that use all of a core: all that it says, probes and holds is the model's."""
    _as_model(design, "full", core)


def bursts(design: Design, core: str) -> None:
    """Run networks that add to the same currents in cycles that follow one another."""
    _as_model(design, "bursts", core)


def deadlines(design: Design, core: str) -> None:
    """Run at periods that ticks keep to the cycle, or miss by one."""
    _as_model(design, "deadlines", core)
