"""Graphs of NIR and what they do in double precision, node by node, in steps of their equations.

This is written from the equations alone and shares nothing with the import: every node is a
function of its input and its own state, a graph is run in the order of its nodes, and an edge from
a later node carries what that had in the step before.
"""

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Spikes = set[tuple[int, int]]
Step = Callable[[Any], Any]


def neuron(node: Any, dt: float, subtracts: bool, gain_one: bool) -> tuple[Step, Reals]:
    """A step of a node with a state, and its potential, which changes in place."""
    kind = type(node).__name__
    shape = node.threshold.shape if kind == "Threshold" else node.r.shape
    v, current = np.zeros(shape), np.zeros(shape)

    def step(x: Reals) -> Reals:
        if kind == "Threshold":
            above: Reals = (x > node.threshold).astype(float)
            return above
        if kind in ("IF", "I"):
            v[...] += (1.0 if gain_one else dt) * node.r * x
        elif kind in ("LIF", "LI"):
            v[...] += dt / node.tau * (node.v_leak - v + node.r * x)
        else:
            current[...] += dt / node.tau_syn * (node.w_in * x - current)
            v[...] += dt / node.tau_mem * (node.v_leak - v + node.r * current)
        if not hasattr(node, "v_threshold"):
            return v.copy()
        fired = v > node.v_threshold
        after = v - node.v_threshold if subtracts else node.v_reset
        v[...] = np.where(fired, after, v)
        spikes: Reals = fired.astype(float)
        return spikes

    return step, v


def convolved(node: Any, x: Reals) -> Reals:
    """A convolution, product by product: each element of a kernel shifts what comes in."""
    dims, groups = x.ndim - 1, node.groups
    how = (node.padding, node.stride, node.dilation)
    pads, strides, dilations = (np.broadcast_to(np.asarray(each), dims) for each in how)
    x = np.pad(x, [(0, 0), *((p, p) for p in pads)])
    kernel = node.weight.shape[2:]
    sizes = [
        (size - (k - 1) * d - 1) // s + 1
        for size, k, d, s in zip(x.shape[1:], kernel, dilations, strides, strict=True)
    ]
    made = np.empty((len(node.weight), *sizes))
    for out, weight in enumerate(node.weight):
        made[out] = node.bias[out]
        first = out // (len(node.weight) // groups) * len(weight)
        for channel, *place in np.ndindex(weight.shape):
            part = [
                slice(at * d, at * d + (size - 1) * s + 1, s)
                for at, d, s, size in zip(place, dilations, strides, sizes, strict=True)
            ]
            made[out] += weight[(channel, *place)] * x[(first + channel, *part)]
    return made


def pooled(node: Any, x: Reals) -> Reals:
    (kh, kw), (sh, sw), (ph, pw) = node.kernel_size, node.stride, node.padding
    x = np.pad(x, [(0, 0), (ph, ph), (pw, pw)])
    rows, columns = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    sums = np.zeros((len(x), rows, columns))
    for r in range(rows):
        for c in range(columns):
            sums[:, r, c] = x[:, r * sh : r * sh + kh, c * sw : c * sw + kw].sum(axis=(1, 2))
    return sums / (kh * kw) if isinstance(node, nir.AvgPool2d) else sums


def stateless(node: Any, x: Reals) -> Reals:
    if isinstance(node, nir.Affine):
        return node.weight @ x + node.bias  # type: ignore[no-any-return]
    if isinstance(node, nir.Linear):
        return node.weight @ x  # type: ignore[no-any-return]
    if isinstance(node, nir.Scale):
        return node.scale * x  # type: ignore[no-any-return]
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        return convolved(node, x)
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        return pooled(node, x)
    if isinstance(node, nir.Flatten):
        return x.reshape(-1)
    return x


def simulate(
    graph: nir.NIRGraph,
    events: NDArray[np.int64],
    ticks: int,
    dt: float,
    subtracts: bool = False,
    gain_one: bool = False,
) -> dict[str, Reals]:
    """What every node gives in every step, shape (ticks, …), by name."""
    steps: dict[str, Step] = {}
    given: dict[str, Reals] = {}
    for name, node in graph.nodes.items():
        if type(node).__name__ in ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I", "Threshold"):
            steps[name], given[name] = neuron(node, dt, subtracts, gain_one)
            given[name] = np.zeros_like(given[name])
    records: dict[str, list[Reals]] = {name: [] for name in graph.nodes}
    (name_in,) = (n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    shape = graph.nodes[name_in].input_type["input"]
    counts = np.zeros((ticks, int(np.prod(shape))))
    np.add.at(counts, tuple(events.T), 1)
    for tick in range(ticks):
        for name, node in graph.nodes.items():
            arriving = [given[s] for s, t in graph.edges if t == name and s in given]
            if name == name_in:
                arriving = [counts[tick].reshape(shape)]
            x: Reals = np.asarray(sum(arriving[1:], arriving[0]))
            if isinstance(node, nir.Delay):
                late = int(round(float(node.delay.flat[0]) / dt))
                records[name].append(x)
                past = records[name]
                given[name] = past[-1 - late] if len(past) > late else np.zeros_like(x)
                continue
            given[name] = steps[name](x) if name in steps else stateless(node, x)
            records[name].append(given[name])
    return {name: np.array(record) for name, record in records.items()}


def lif(n: int, tau: float = 5e-3, **others: Any) -> nir.LIF:
    values = {"r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | others
    return nir.LIF(tau=np.full(n, tau), **{k: np.full(n, v) for k, v in values.items()})


def cuba(n: int, tau_mem: float = 1e-2, tau_syn: float = 4e-3, **others: Any) -> nir.CubaLIF:
    values = {"r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, "w_in": 1.0} | others
    return nir.CubaLIF(
        tau_mem=np.full(n, tau_mem),
        tau_syn=np.full(n, tau_syn),
        **{k: np.full(n, v) for k, v in values.items()},
    )


def graph_of(edges: str, **nodes: Any) -> nir.NIRGraph:
    """A graph of nodes, whose edges are written as chains: ``"in a b out, b a"``."""
    chains = [chain.split() for chain in edges.split(",")]
    pairs = [(a, b) for chain in chains for a, b in zip(chain, chain[1:], strict=False)]
    return nir.NIRGraph(nodes, pairs, type_check=False)


def inputs(n: int) -> nir.Input:
    return nir.Input(np.array([n]))


def outputs(n: int) -> nir.Output:
    return nir.Output(np.array([n]))


def recurrent(seed: int, make: Callable[..., Any] = lif, drive: float = 10.0, **own: Any) -> Any:
    """12 inputs, 40 neurons that are connected to themselves, 7 neurons."""
    rng, bias = np.random.default_rng(seed), own.pop("b", 0.0)
    return graph_of(
        "in first hidden second out_layer out, hidden own hidden",
        **{
            "in": inputs(12),
            "first": nir.Affine(drive * rng.normal(0.3, 0.5, (40, 12)), np.full(40, bias)),
            "own": nir.Linear(drive * rng.normal(-0.05, 0.1, (40, 40))),
            "hidden": make(40, **own),
            "second": nir.Affine(0.7 * drive * rng.normal(0.2, 0.5, (7, 40)), np.zeros(7)),
            "out_layer": make(7, **own),
            "out": outputs(7),
        },
    )


def events(n: int, ticks: int, rate: float, seed: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    found: NDArray[np.int64] = np.argwhere(rng.random((ticks, n)) < rate)
    return found


def spikes_of(given: dict[str, Reals], report: Any, ticks: int) -> Spikes:
    """Spikes of all layers by the numbers and in the ticks of the core."""
    found: Spikes = set()
    for layer in report.layers:
        z = given[layer.name].reshape(ticks, -1)
        at = np.argwhere(z) + (layer.lag, layer.first)
        found |= {(int(t), int(j)) for t, j in at if t < ticks}
    return found
