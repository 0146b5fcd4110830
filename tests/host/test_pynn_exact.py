"""Spikes of the PyNN back end against an exact reference that is written here, step by step.

The reference is the leaky integrate-and-fire neuron with exponential currents on a grid, by its
exact propagators, as NEST's `iaf_psc_exp` has it; it knows nothing of the back end.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.rungs import bulk_but

import spiketwin.host.pynn as sim

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A network: Poisson sources to neurons, and neurons to neurons, with a delay each."""

    h: float
    steps: int
    inputs: Array  # (sources, steps), bool: a source spikes at time step · h
    w_in: Array  # (sources, neurons), nA
    d_in: Array  # steps
    w: Array  # (neurons, neurons), nA; 0: no synapse
    d: Array
    tau_m: float = 20.0
    tau_e: float = 5.0
    tau_i: float = 5.0
    cm: float = 0.5
    refrac: int = 2
    rest: float = -65.0
    thresh: float = -50.0
    reset: float = -62.5
    i_offset: float = 0.1

    @property
    def n(self) -> int:
        return int(self.w.shape[1])


def random_case(h: float, time: float, seed: int, *, closed: bool, tau_i: float) -> Case:
    rng = np.random.default_rng(seed)
    sources, n, steps = 80, 60, round(time / h)
    w_in = rng.uniform(0.02, 0.5, (sources, n)) * (rng.random((sources, n)) < 0.4)
    w_in[60:] *= -1.3
    w = rng.uniform(0.01, 0.06, (n, n)) * (rng.random((n, n)) < 0.15) * closed
    w[45:] *= -2.0
    d_in = rng.integers(1, round(6 / h) + 1, (sources, n))
    d = rng.integers(1, round(9 / h) + 1, (n, n))
    inputs = rng.random((sources, steps)) < 0.03 * h
    return Case(h, steps, inputs, w_in, d_in, w, d, tau_i=tau_i, refrac=round(2 / h))


def reference(case: Case) -> list[tuple[int, int]]:
    """The spikes of a case: (step, neuron); one of step k is at its end, at (k + 1)h."""
    h, n = case.h, case.n
    keep_v, taus = np.exp(-h / case.tau_m), (case.tau_e, case.tau_i)
    keep_i = [np.exp(-h / tau) for tau in taus]
    p21 = [
        h / case.cm * keep_v if tau == case.tau_m
        else case.tau_m * tau / (case.cm * (case.tau_m - tau)) * (keep_v - np.exp(-h / tau))
        for tau in taus
    ]  # fmt: skip
    p20 = case.tau_m / case.cm * (1 - keep_v)
    far = int(max(case.d_in.max(), case.d.max())) + 2
    arriving = np.zeros((2, case.steps + far, n))

    def send(weights: Array, delays: Array, source: int, step: int) -> None:
        for target in np.flatnonzero(weights[source]):
            weight = weights[source, target]
            arriving[int(weight < 0), step + delays[source, target], target] += weight

    for source, step in np.argwhere(case.inputs):
        send(case.w_in, case.d_in, source, step)
    v, current, wait, spikes = np.zeros(n), np.zeros((2, n)), np.zeros(n, int), []
    for step in range(case.steps):
        current += arriving[:, step]
        moved = keep_v * v + p20 * case.i_offset + p21[0] * current[0] + p21[1] * current[1]
        v = np.where(wait > 0, v, moved)
        current *= np.array(keep_i)[:, None]
        fires = (wait == 0) & (v >= case.thresh - case.rest)
        wait = np.where(fires, case.refrac, np.maximum(wait - 1, 0))
        v[fires] = case.reset - case.rest
        for neuron in np.flatnonzero(fires):
            spikes.append((step, int(neuron)))
            send(case.w, case.d, int(neuron), step + 1)
    return spikes


def connected(pre: Any, post: Any, weights: Array, delays: Array, h: float) -> None:
    for sign, receptor in ((1, "excitatory"), (-1, "inhibitory")):
        pairs = np.argwhere(weights * sign > 0)
        if len(pairs):
            rows = [(i, j, weights[i, j], delays[i, j] * h) for i, j in pairs.tolist()]
            sim.Projection(pre, post, sim.FromListConnector(rows), receptor_type=receptor)


def spikes_on(case: Case, target: str, **options: Any) -> list[tuple[int, int]]:
    sim.setup(timestep=case.h, min_delay=case.h, target=target, **options)
    trains = [np.flatnonzero(each) * case.h for each in case.inputs]
    sources = sim.Population(len(trains), sim.SpikeSourceArray(spike_times=trains))
    cells = sim.Population(
        case.n,
        sim.IF_curr_exp(
            v_rest=case.rest, v_thresh=case.thresh, v_reset=case.reset, cm=case.cm,
            tau_m=case.tau_m, tau_syn_E=case.tau_e, tau_syn_I=case.tau_i,
            tau_refrac=case.refrac * case.h, i_offset=case.i_offset,
        ),
        initial_values={"v": case.rest},
    )  # fmt: skip
    connected(sources, cells, case.w_in, case.d_in, case.h)
    connected(cells, cells, case.w, case.d, case.h)
    cells.record("spikes")
    sim.run(case.steps * case.h)
    (segment,) = cells.get_data().segments
    sim.end()
    found = [
        (round(time / case.h) - 1, neuron)
        for neuron, train in enumerate(segment.spiketrains)
        for time in train.magnitude.tolist()
    ]
    return sorted(found)


KINDS: dict[str, dict[str, Any]] = {
    "feed-forward, 1 ms": {"h": 1.0, "time": 2000.0, "closed": False, "tau_i": 5.0},
    "feed-forward, tau_syn_I 8 ms, 1 ms": {"h": 1.0, "time": 2000.0, "closed": False, "tau_i": 8.0},
    "recurrent, 1 ms": {"h": 1.0, "time": 2000.0, "closed": True, "tau_i": 5.0},
    "recurrent, tau_syn_I 8 ms, 1 ms": {"h": 1.0, "time": 2000.0, "closed": True, "tau_i": 8.0},
    "feed-forward, tau_syn_I 8 ms, 0.1 ms": {
        "h": 0.1, "time": 800.0, "closed": False, "tau_i": 8.0,
    },
}  # fmt: skip
SEEDS = (11, 12, 13)


@pytest.mark.parametrize("name", bulk_but(["recurrent, 1 ms"], KINDS))
def test_spikes_are_those_of_the_reference(name: str) -> None:
    """The share is over three networks of a kind; its figures are on docs/pynn.md."""
    same, spikes = 0, 0
    for seed in SEEDS:
        case = random_case(seed=seed, **KINDS[name])
        expected, found = reference(case), spikes_on(case, "model:")
        assert len(expected) > 300
        assert abs(len(found) - len(expected)) <= 0.005 * len(expected)
        same, spikes = same + len(set(expected) & set(found)), spikes + len(expected)
    print(f"{name}: {same / spikes:.2%} of {spikes:,} spikes at the same step")
    assert same / spikes >= (0.995 if "0.1" not in name else 0.98)


def test_the_reference_size_for_pynn_is_as_exact() -> None:
    """It has relays and no delays of synapses, so that all synapses of a kind are late alike."""
    same, spikes = 0, 0
    for seed in SEEDS:
        case = random_case(1.0, 1000.0, seed, closed=True, tau_i=8.0)
        case = replace(case, d_in=np.full_like(case.d_in, 2), d=np.full_like(case.d, 5))
        expected, found = reference(case), spikes_on(case, "model:", params="pynn")
        same, spikes = same + len(set(expected) & set(found)), spikes + len(expected)
    print(f"pynn, recurrent, 1 ms: {same / spikes:.2%} of {spikes:,} spikes at the same step")
    assert same / spikes >= 0.995


@pytest.mark.parametrize(("h", "least", "most"), [(1.0, 0.7, 0.95), (0.1, 0.0, 0.1)])
def test_16_and_8_bits_are_for_ticks_of_a_millisecond(h: float, least: float, most: float) -> None:
    case = random_case(h, 500.0, 11, closed=False, tau_i=8.0)
    expected, found = reference(case), spikes_on(case, "model:", v_width=16, weight_width=8)
    share = len(set(expected) & set(found)) / len(expected)
    print(f"16 and 8 bits, {h} ms: {share:.1%} of {len(expected):,} spikes at the same step")
    assert least < share < most


@pytest.mark.parametrize("name", [name for name in KINDS if "0.1" not in name])
def test_the_ideal_network_has_every_spike_of_the_reference(name: str) -> None:
    case = random_case(seed=SEEDS[0], **(KINDS[name] | {"time": 1000.0}))
    assert spikes_on(case, "float:") == reference(case)


def mixed(seed: int) -> sim.Report:
    """The report of a random script with cells, sources, currents and changes of all kinds."""
    rng = np.random.default_rng(seed)
    h = float(rng.choice([1.0, 0.5]))
    sim.setup(timestep=h, target=["float:", "model:"], rng_seed=seed)
    others = {"v_thresh": -50.0, "tau_refrac": 2 * h, "cm": 0.5}
    exp = sim.Population(
        8, sim.IF_curr_exp(i_offset=rng.uniform(0.0, 0.4, 8), tau_syn_I=8.0, **others)
    )
    delta = sim.Population(
        5, sim.IF_curr_delta(tau_m=15.0, v_reset=rng.uniform(-66.0, -60.0, 5), **others)
    )
    noise = sim.Population(9, sim.SpikeSourcePoisson(rate=30.0))
    given = sim.Population(2, sim.SpikeSourceArray(spike_times=list(rng.uniform(0, 200, (2, 30)))))

    def drawn(low: float, high: float) -> Any:
        numbers = sim.NumpyRNG(seed=int(rng.integers(1 << 30)))
        return sim.RandomDistribution("uniform", (low, high), rng=numbers)

    few = sim.FixedProbabilityConnector(0.5, rng=sim.NumpyRNG(seed=seed))
    links = [
        sim.Projection(noise, exp, few, sim.StaticSynapse(weight=drawn(0.1, 0.5), delay=3.0)),
        sim.Projection(noise + given, delta, few, sim.StaticSynapse(weight=drawn(0.5, 3.0))),
        sim.Projection(
            exp, delta, sim.FixedTotalNumberConnector(20, rng=sim.NumpyRNG(seed=seed)),
            sim.StaticSynapse(weight=drawn(0.1, 1.0), delay=drawn(h, 60 * h)),
        ),
        sim.Projection(
            exp[2:] + delta, exp, few, sim.StaticSynapse(weight=-0.1, delay=drawn(h, 9 * h)),
            receptor_type="inhibitory",
        ),
    ]  # fmt: skip
    sim.DCSource(amplitude=0.2, start=20.0, stop=70.0).inject_into(delta)
    sim.NoisyCurrentSource(mean=0.1, stdev=0.3, start=10.0, stop=150.0, dt=2 * h).inject_into(exp)
    sim.run(40.0)
    exp[:4].set(i_offset=0.123, v_rest=-64.0)
    sim.run(30.0)
    links[0].set(weight=0.4)
    delta.initialize(v=-55.0)
    sim.run(130.0)
    report = sim.report()
    sim.end()
    return report


def test_scripts_of_all_kinds_run_on_a_core_as_on_the_ideal_network() -> None:
    same, spikes = 0.0, 0
    for seed in range(6):
        (difference,) = mixed(seed).differences
        assert difference.reference_spikes > 40
        same += difference.same_tick_share * difference.reference_spikes
        spikes += difference.reference_spikes
    print(f"{same / spikes:.2%} of {spikes} spikes at the same step")
    assert same / spikes >= 0.995
