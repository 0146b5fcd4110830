"""Export of a network as a graph of NIR that comes back exactly.

Every population becomes a node, with a time constant that Euler's rule turns into the very decay
code of the core, and a resistance that turns a weight of the graph into that of the core. A
threshold lies half a unit below the core's, as a graph fires above it and a core at it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Container, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, InvalidNetwork
from spiketwin.host.network import Network, checked_network
from spiketwin.host.nir.held import KEY, Held
from spiketwin.host.nir.lags import lags_of, natural_delay
from spiketwin.host.nir.neurons import Options
from spiketwin.host.nir.reading import library
from spiketwin.host.populations import Population, Projection
from spiketwin.host.quantisation.meant import Reals
from spiketwin.host.quantisation.profiles import held_loss
from spiketwin.host.quantisation.report import QuantisationReport
from spiketwin.host.quantisation.rounding import V_WIDTHS, WEIGHT_WIDTHS
from spiketwin.host.replacing import replacing
from spiketwin.host.sums import NEVER_FIRES, WIDEST

_AXONS = "input"
"""Name of the node of all axons."""

_NOT_IN_NAMES: Final = re.compile(r"[/.\0]")
"""What a name in a file may not have: it names a group there."""

_FLOORS: Final = tuple(-(1 << width - 1) for width in range(V_WIDTHS[0], WIDEST + 1))
"""Lowest potentials of cores."""


class Layer(NamedTuple):
    """A population that becomes a node.

    Attributes
    ----------
    name, population:
        Its name in the graph, and its neurons.
    scales:
        Shape (n,): units of the core that make one unit of the graph.
    v_loss, i_loss:
        Shape (n,): part of the potential and of the current that the core takes away in a tick.
    steady:
        Shape (n,): part of the bias that comes as a current from nodes before it, in units of the
        core: it begins at 0 and not at its level.
    """

    name: str
    population: Population
    scales: Reals
    v_loss: Reals
    i_loss: Reals
    steady: Reals


Between = tuple[str, Layer, Reals, int]
"""Name of a source, the target, the weights of all pairs, and the delay in ticks."""


def save(
    path: str | os.PathLike[str],
    net: Network,
    dt: float = 1e-4,
    *,
    report: QuantisationReport | None = None,
) -> None:
    """Save a network as a graph of NIR.

    `load` brings it back exactly: the same neurons, and the same weights and delays of every pair.
    A graph does not tell several synapses of one pair and delay apart, so they come back as one,
    and a constant projection comes back with weights.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    net:
        The network.
    dt:
        Seconds of a tick.
    report:
        The report of the import that made the network, if one did: the graph is then in the units
        of the one that was imported, and has the same start. Else it is in units of the core that
        ``net.core_params()`` gives.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    InvalidNetwork
        The network has what a graph cannot say; the message names it and what would do.
    ToolMissing
        The package ``nir`` is not installed.
    OSError
        The file cannot be written.
    """
    package = library()
    net = checked_network(net)
    Options(dt).check()
    _check_carried(net)
    _check_start(net, report)
    layers = _layers(net, report)
    between = list(_between(net, layers))
    most_weight = max((int(np.abs(each[2]).max(initial=0)) for each in between), default=0)
    widths = _widths(net, report, most_weight)
    table = Held(float(dt), *widths, net.i_syn_shift, at_rest=not net.start).table()
    nodes, edges = _parts(package, net, layers, between, dt)
    graph = package.NIRGraph(nodes, edges, metadata={KEY: table}, type_check=False)
    buffer = io.BytesIO()
    package.write(buffer, graph)
    with replacing(path) as file:
        file.write(buffer.getvalue())


def _parts(
    package: Any, net: Network, layers: list[Layer], between: list[Between], dt: float
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the nodes of a graph by name, and its edges."""
    fine = float(1 << net.i_syn_shift)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    fed: set[str] = set()
    nodes[_AXONS] = package.Input(np.array([net.n_axons]))
    nodes |= {layer.name: _node(package, net, layer, dt) for layer in layers}
    for layer in layers:
        name = _free(f"{layer.name}_output", nodes)
        nodes[name] = package.Output(np.array([len(layer.population)]))
        edges.append((layer.name, name))
    for number, (source, target, weights, delay) in enumerate(between):
        name = _free(f"synapses_{number}", nodes)
        held = np.ascontiguousarray((weights / (target.scales * fine)).T)
        if target.steady.any() and target.name not in fed:
            bias = target.steady * target.i_loss / target.scales
            nodes[name] = package.Affine(weight=held, bias=bias)
        else:
            nodes[name] = package.Linear(weight=held)
        fed.add(target.name)
        edges.append((name, target.name))
        if delay:
            late = _free(f"delay_{number}", nodes)
            nodes[late] = package.Delay(delay=np.full(len(weights), delay * dt))
            edges += [(source, late), (late, name)]
        else:
            edges.append((source, name))
    return nodes, edges


def _free(name: str, taken: Container[str]) -> str:
    """Return a name, or one like it, that is not taken yet."""
    while name in taken:
        name += "_"
    return name


def _layers(net: Network, report: QuantisationReport | None) -> list[Layer]:
    if report is not None and not isinstance(report, QuantisationReport):
        raise InvalidInput(f"report must be that of `nir.load`, not {shown(report)}")
    scales = np.ones(net.n_neurons) if report is None else report.scales
    if len(scales) != net.n_neurons:
        raise InvalidInput(
            f"report is of {len(scales)} neurons, and the network has {net.n_neurons}: give the "
            "report that came with it, or none"
        )
    shifts = _has_shifts(net) if report is None else report.sizes["decay_shift"]
    v_loss, i_loss = (_losses(net, name, shifts) for name in ("v_tau", "i_syn_tau"))
    start = np.zeros(net.n_neurons) if report is None else report.meant.gather("i_start") * scales
    steady = np.where(start == 0, 0.0, -start / np.where(i_loss < 1, 1 - i_loss, 1.0))
    steady = np.where(v_loss == 0, net.bias, steady)  # what has no leak has no level to leak to
    made = net.populations or (Population(net, "neurons", False, 0, net.n_neurons),)
    layers: list[Layer] = []
    for each in made:
        name = _free(_NOT_IN_NAMES.sub("_", each.name), [_AXONS, *(e.name for e in layers)])
        part = slice(each.neurons.start, each.neurons.stop)
        its = (scales[part], v_loss[part], i_loss[part], steady[part])
        layers.append(Layer(name, each, *its))
    return layers


def _check_carried(net: Network) -> None:
    """Raise `InvalidNetwork` for the first thing that a graph cannot say."""
    if not net.n_axons:
        raise InvalidNetwork("a graph of NIR has an Input: give the network an axon")
    never = net.threshold == NEVER_FIRES
    for name, there, does in (
        ("no plastic", net.learns, "set plastic to False, as the weights of a graph stay"),
        ("no refrac_ticks", bool(net.refrac_ticks.any()), "set them to 0"),
        (
            "no theta_bump",
            bool(np.any(net.theta_bump)),
            "set it to 0, as thresholds of a graph stay",
        ),
        ("no linear_leak", bool(np.any(net.linear_leak)), "set it to 0, and v_tau instead"),
        ("no i_inh_en", net.i_inh_en, "set it to False: a node has one current"),
        (
            "no synapse_delay",
            any(np.any(each.synapse_delay) for each in net.blocks),
            "put the synapses of each delay into a projection of their own, with `delay`",
        ),
        (
            "no decay of i_syn without one of v",
            bool(np.any(np.isinf(net.of_neurons("v_tau")) & (net.of_neurons("i_syn_tau") > 0))),
            "give these neurons a v_tau, such as 65535",
        ),
        (
            "no current that never decays",
            bool(np.isinf(net.of_neurons("i_syn_tau")).any()),
            "give these neurons an i_syn_tau",
        ),
        (
            "no v_reset or reset_subtract of neurons that never fire beside others in a population",
            any(0 < never[e.first : e.first + e.size].sum() < e.size for e in net.populations),
            "put neurons that never fire into a population of their own, with `fires=False`",
        ),
    ):
        if there:
            raise InvalidNetwork(f"a graph of NIR has {name}: {does}")
    negative = any(np.any(each.weights < 0) for each in net.blocks) or np.any(net.bias < 0)
    floors = np.unique(net.of_neurons("v_floor")).tolist()
    highest = int(np.abs(net.threshold[~never]).max(initial=0))
    holds = len(floors) > 1 or floors[0] not in _FLOORS or highest >= -floors[0]
    if (negative or np.any(net.v_reset < 0)) and holds:
        raise InvalidNetwork(
            f"a graph of NIR has no v_floor, and {floors[-1]} holds potentials up: set it to the "
            "lowest of a core that holds the thresholds, such as -(1 << 23)"
        )


def _check_start(net: Network, report: QuantisationReport | None) -> None:
    """Raise `InvalidNetwork` if the network begins otherwise than a graph can say."""
    imported = report.start if isinstance(report, QuantisationReport) else {}
    same = net.start.keys() == imported.keys()
    if not same or any(np.any(net.start[name] != each) for name, each in imported.items()):
        raise InvalidNetwork(
            "a graph of NIR begins at rest, or as its import did: set start to {}, or give the "
            "report that came with the network"
        )


def _has_shifts(net: Network) -> bool:
    """Return whether the core that ``net.core_params()`` gives has shifts of decays."""
    # With widths that are given it does not warn of what may saturate, which saving does not do.
    widest = dict.fromkeys(("v_width", "i_syn_width", "theta_width"), WIDEST)
    return net.core_params(**widest).decay_shift


def _widths(net: Network, report: QuantisationReport | None, most_weight: int) -> tuple[int, int]:
    """Return the widths of weights, whose largest is given, and of potentials."""
    if report is not None:
        return report.sizes["weight_width"], report.sizes["v_width"]
    least, most = WEIGHT_WIDTHS
    width = most_weight.bit_length() + 1
    if width > most:
        raise InvalidNetwork(
            f"the synapses of a pair of neurons add up to {most_weight:,} units, and a graph of "
            "NIR has one for each pair: make their sum smaller"
        )
    floor = int(np.min(net.v_floor))
    # A floor that is the lowest of a width comes back as such.
    return max(least, width), (-floor).bit_length() if floor in _FLOORS else WIDEST


def _node(package: Any, net: Network, layer: Layer, dt: float) -> Any:
    """Return the node of a population."""
    part = slice(layer.population.first, layer.population.first + layer.population.size)
    v_loss, i_loss, scales = layer.v_loss, layer.i_loss, layer.scales
    bias, threshold = net.bias[part], net.threshold[part]
    fires = not bool((threshold == NEVER_FIRES).all())
    leaks = bool((v_loss > 0).all())
    if not leaks and bool((v_loss > 0).any()):
        raise InvalidNetwork(
            f"{shown(layer.name)} has neurons with a v_tau and others without: put each kind into "
            "a population of its own"
        )
    subtracts = bool(np.any(net.of_neurons("reset_subtract")[part]))
    if subtracts and not bool(np.all(net.of_neurons("reset_subtract")[part])):
        raise InvalidNetwork(
            f"{shown(layer.name)} has neurons with reset_subtract and others without: put each "
            "kind into a population of its own"
        )
    table: dict[str, Any] = {"scale": scales, "reset_subtract": int(subtracts), "first": part.start}
    own: dict[str, Any] = {"metadata": {KEY: table}}
    if fires:
        own |= {"v_threshold": (threshold - 0.5) / scales, "v_reset": net.v_reset[part] / scales}
    if not leaks:
        r = np.full(len(scales), 1.0 / dt)
        return package.IF(r=r, **own) if fires else package.I(r=r, **own)
    own |= {"r": 1.0 / v_loss, "v_leak": (bias - layer.steady) / v_loss / scales}
    if (i_loss == 1).all():
        kind = package.LIF if fires else package.LI
        return kind(tau=dt / v_loss, **own)
    kind = package.CubaLIF if fires else package.CubaLI
    return kind(tau_mem=dt / v_loss, tau_syn=dt / i_loss, w_in=1.0 / i_loss, **own)


def _losses(net: Network, name: str, shifts: bool) -> Reals:
    """Return the part that each neuron loses in a tick on a core with shifts of decays or not."""
    held = np.array([held_loss(float(tau), shifts) for tau in net.held(name)])
    losses: Reals = held[net.profile]
    return losses


def _between(net: Network, layers: list[Layer]) -> Iterator[Between]:
    """Yield the name of a source, the target, the weights of all pairs, and the delay in ticks."""
    blocks: dict[tuple[str, str, int], Reals] = {}
    by_name = {layer.name: layer for layer in layers}
    for each in net.blocks:
        source, target = _ends(each, layers)
        key = ("" if source is None else source.name, target.name, each.delay)
        rows = net.n_axons if source is None else len(source.population)
        whole = blocks.setdefault(key, np.zeros((rows, len(target.population))))
        first = 0 if source is None else source.population.first
        row, column = each.source.first - first, each.target.first - target.population.first
        shape = each.weights.shape
        whole[row : row + shape[0], column : column + shape[1]] += each.weights
    for name in sorted(by_name.keys() - {target for _, target, _ in blocks}):
        # Nothing comes to it, which is no graph: so what comes to it has no weight.
        blocks["", name, 0] = np.zeros((net.n_axons, len(by_name[name].population)))
    near = sorted(by_name, key=lambda name: not any(s == "" and t == name for s, t, _ in blocks))
    edges = dict.fromkeys((s, t) for s, t, _ in blocks if s)
    lags, back = lags_of(near, [(s, t) for t in near for s in near if (s, t) in edges])
    for (source_name, target_name, delay), weights in blocks.items():
        late = delay - natural_delay(lags, back, source_name, target_name)
        if late < 0:
            raise InvalidNetwork(
                f"{source_name or 'axons'} reach {target_name} {-late} ticks before others that "
                f"pass through more layers, which a graph of NIR cannot say: give them a delay of "
                f"{delay - late} ticks"
            )
        yield source_name or _AXONS, by_name[target_name], weights, late


def _ends(each: Projection, layers: list[Layer]) -> tuple[Layer | None, Layer]:
    """Return the layers of a projection between them or their parts; None for the axons."""
    found = [
        next(e for e in layers if end.first in e.population.neurons)
        for end in (each.source, each.target)
        if not end.of_axons
    ]
    return (None, found[0]) if each.source.of_axons else (found[0], found[1])
