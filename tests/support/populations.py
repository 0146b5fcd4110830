"""Networks of populations and projections that are legal and otherwise anything."""

from typing import Any

import numpy as np

from spiketwin.host import Network
from spiketwin.host.populations import Population

DELAYS = (0, 0, 1, 2, 5, 8)


def random_network(
    rng: np.random.Generator, *, overlaps: bool = True, kinds: bool = False, rules: bool = False
) -> Network:
    """Return a small network that fires, with slices on both sides of its projections.

    Without overlaps no pair of a source and a neuron has two synapses. With all kinds some
    projections are constant, some are sparse, some have a delay of `DELAYS`, and some have one of
    each synapse. With rules some learn by constants of their own.
    """
    net = Network(
        n_axons=int(rng.integers(1, 20)), v_tau=20.0, i_syn_tau=3.0, v_floor=-900, theta_tau=30.0,
        theta_bump=30, learn_pre=True, learn_post=True, w_min=-50, w_max=100, pre_gain=-4000,
        post_gain=9000, trace_pre_tau=10.0, trace_pre_bump=9000, trace_post_tau=10.0,
        trace_post_bump=9000,
    )  # fmt: skip
    for _ in range(rng.integers(1, 4)):
        size = int(rng.integers(1, 20))
        net.population(size, threshold=rng.integers(60, 300, size), refrac_ticks=1)
    taken = np.zeros((net.n_sources, net.n_neurons), np.bool_)
    for _ in range(rng.integers(0, 6)):
        whole = [net.axons, *net.populations]
        source = _part(whole[rng.integers(len(whole))], rng)
        target = _part(net.populations[rng.integers(len(net.populations))], rng)
        shape = source.size, target.size
        plastic = rng.random(shape) < rng.choice([0.0, 0.5, 1.0])
        delay = int(rng.choice(DELAYS)) if kinds else 0
        if kinds and rng.random() < 0.4:
            itself = bool(rng.random() < 0.5) or delay > 0
            net.project(
                source, target, constant=int(rng.integers(-20, 40)), itself=itself, delay=delay
            )
            continue
        if overlaps or not taken[np.ix_(source.sources, target.neurons)].any():
            weights = rng.integers(-50, 100, shape)
            its: dict[str, Any] = {"plastic": plastic}
            if kinds and rng.random() < 0.4:
                weights *= rng.random(shape) < rng.choice([0.0, 0.1, 0.5])
                its = {"sparse": True}
            elif rules and rng.random() < 0.6:
                its |= _own_rule(rng)
                if len(net.windows) < 2 and rng.random() < 0.5:
                    its["window"] = net.add_window(rng.integers(-1 << 19, 1 << 19, 512))
            if kinds and rng.random() < 0.3:
                its["synapse_delay"] = rng.integers(0, 8, shape)
            net.project(source, target, weights=weights, delay=delay, **its)
            taken[np.ix_(source.sources, target.neurons)] = True
    return net


def _own_rule(rng: np.random.Generator) -> dict[str, Any]:
    """Return any constants of learning, with bounds that hold the weights at the start."""
    own: dict[str, Any] = {
        "w_min": int(rng.integers(-70, -49)),
        "w_max": int(rng.integers(100, 128)),
        "pre_gain": int(rng.integers(-9000, 9000)),
        "post_offset": int(rng.integers(-1 << 18, 1 << 18)),
        "gain_shift": int(rng.choice([0, 1, 2, 15])),
        "current_after": bool(rng.random() < 0.5),
        "stochastic": bool(rng.random() < 0.5),
    }
    return {name: value for name, value in own.items() if rng.random() < 0.7}


def _part(population: Population, rng: np.random.Generator) -> Population:
    if rng.random() < 0.5:
        return population
    begin = int(rng.integers(population.size))
    return population[begin : int(rng.integers(begin, population.size)) + 1]
