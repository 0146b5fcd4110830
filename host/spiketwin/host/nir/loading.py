"""Import of a graph: from its nodes to a network that is meant, and from there to integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import DoesNotFit, InvalidNetwork
from spiketwin.host.network import Network
from spiketwin.host.nir.held import Held, first_of, scale_of, subtracts
from spiketwin.host.nir.lags import lags_of, natural_delay
from spiketwin.host.nir.neurons import (
    KINDS,
    Gain,
    Integration,
    Neurons,
    Options,
    Reset,
    neurons_of,
    shape_of,
)
from spiketwin.host.nir.reading import FlatGraph, flattened, read
from spiketwin.host.nir.signals import Signal, Signals
from spiketwin.host.populations import MAX_DELAY
from spiketwin.host.quantisation.meant import Meant, MeantProjection
from spiketwin.host.quantisation.report import QuantisationReport
from spiketwin.host.quantisation.rounding import quantise
from spiketwin.host.quantisation.scales import Chosen, Scales

_DT = 1e-4
_WEIGHT_WIDTH, _V_WIDTH = 16, 24


def load(
    source: Any,
    dt: float | None = None,
    *,
    weight_width: int | None = None,
    v_width: int | None = None,
    scales: Scales = "neuron",
    integration: Integration = "euler",
    reset: Reset | None = None,
    if_gain: Gain = "dt",
) -> tuple[Network, QuantisationReport]:
    """Import a graph of NIR.

    The elements of its inputs are axons; each node with a state becomes a population of its name.

    Parameters
    ----------
    source:
        A `nir.NIRGraph`, or the path of a file.
    dt:
        Seconds of a tick: by default as `save` wrote, else 1e-4.
    weight_width, v_width:
        Bits of weights, 4…16, and of potentials, 8…24: by default as `save` wrote, else 16 and 24.
    scales:
        What has a scale of its own: each ``"neuron"``, each ``"layer"``, or the ``"network"``.
    integration:
        ``"euler"``: a step takes ``dt / tau`` of the way; ``"exact"``: ``1 - exp(-dt / tau)``.
    reset:
        ``"zero"``: a spike sets the potential to `v_reset` of the node, 0 unless it says another;
        ``"subtract"``: it takes the threshold off. By default as `save` wrote, else ``"zero"``.
    if_gain:
        What a spike adds to IF and I: ``"dt"``: ``dt·R·w``, by their equation; ``"one"``: ``R·w``.

    Returns
    -------
    Network, QuantisationReport
        The network, and what was rounded: ``report.sizes`` are arguments of ``net.core_params``,
        and ``report.start`` is the state to begin with, which the network has as `start`.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    InvalidNetwork
        The graph contradicts itself, or has what is not carried; it is named.
    DoesNotFit
        The graph is larger than every core.
    NetworkFileError, OSError
        The file is not one of NIR, damaged, or cannot be read.
    ToolMissing
        The package ``nir`` is not installed.
    """
    graph = flattened(read(source))
    held = Held.of(graph)
    seconds = dt if dt is not None else held.dt if held else _DT
    options = Options(seconds, integration, reset or "zero", if_gain)
    options.check()
    meant = _meant(graph, options, reset)
    return _rounded(graph, meant, held, seconds, weight_width, v_width, scales)


def _rounded(
    graph: FlatGraph,
    meant: Meant,
    held: Held | None,
    dt: float,
    weight_width: int | None,
    v_width: int | None,
    scales: Scales,
) -> tuple[Network, QuantisationReport]:
    """Round a graph as it was before it was saved, where it was and nothing else is asked for."""
    chosen, at_rest = None, False
    if held is not None and (
        dt == held.dt
        and weight_width in (None, held.weight_width)
        and v_width in (None, held.v_width)
    ):
        weight_width, v_width = held.weight_width, held.v_width
        chosen, at_rest = _chosen(graph, meant, held), held.at_rest
    net, report = quantise(
        meant,
        weight_width=_WEIGHT_WIDTH if weight_width is None else weight_width,
        v_width=_V_WIDTH if v_width is None else v_width,
        scales=scales,
        held=chosen,
    )
    if at_rest:
        net.start = {}
        report = replace(report, start={})
    return net, replace(report, dt=dt)


def _chosen(graph: FlatGraph, meant: Meant, held: Held) -> Chosen | None:
    """Return the scales that the metadata say; None if those of a layer are missing."""
    scales = [scale_of(e.name, graph.nodes[e.name], e.size) for e in meant.layers]
    there = [each for each in scales if each is not None]
    if len(there) < len(scales):
        return None
    return Chosen(np.concatenate(there), held.i_syn_shift)


def _meant(graph: FlatGraph, options: Options, reset: Reset | None) -> Meant:
    """Return what a graph means."""
    own: dict[str, Options] = {}
    for name, node in graph.nodes.items():
        if type(node).__name__ in KINDS:
            softly = reset is None and subtracts(node)
            own[name] = replace(options, reset="subtract") if softly else options
    firsts = {name: first_of(graph.nodes[name]) for name in own}
    if None not in firsts.values():
        own = {name: own[name] for name in sorted(own, key=lambda name: firsts[name] or 0)}
    shapes = {name: _input_shape(name, graph.nodes[name]) for name in graph.inputs}
    shapes |= {name: shape_of(name, graph.nodes[name]) for name in own}
    _check_sizes(shapes, graph.inputs)
    if not own:
        raise InvalidNetwork(
            f"the graph has no neurons: a node with a state is wanted, one of {', '.join(KINDS)}"
        )
    neurons = {name: neurons_of(name, graph.nodes[name], own[name]) for name in own}
    signals = Signals(graph, shapes, options.dt)
    into = {name: signals.into(name) for name in own}
    for name, signal in into.items():
        _check_arrival(name, signal, shapes, neurons, graph.inputs)
    for name in graph.outputs:
        _check_output(name, signals.into(name), graph.inputs)
    notes = []
    if signals.delay_error:
        notes.append(f"Delays are rounded to ticks, by {signals.delay_error:.2g} ticks at most.")
    return _assembled(graph, neurons, into, notes, options, own)


def _input_shape(name: str, node: Any) -> tuple[int, ...]:
    given = node.input_type.get("input") if isinstance(node.input_type, dict) else None
    try:
        shape = np.asarray(given)
    except ValueError:  # a ragged list
        shape = np.zeros(0)
    if shape.dtype.kind not in "iu" or not shape.size or np.any(shape < 1):
        raise InvalidNetwork(f"the input {shown(name)} must say the shape of what comes in")
    return tuple(shape.reshape(-1).tolist())


def _check_sizes(shapes: dict[str, tuple[int, ...]], inputs: list[str]) -> None:
    for what, names in (("axons", inputs), ("neurons", [n for n in shapes if n not in inputs])):
        count = sum(int(np.prod([float(size) for size in shapes[name]])) for name in names)
        if count > MAX_LINES:
            raise DoesNotFit(
                f"the graph has {count:,} {what}, and a core has {MAX_LINES:,} at most: pool or "
                "crop what comes in, or take fewer features"
            )


def _check_arrival(
    name: str,
    signal: Signal,
    shapes: dict[str, tuple[int, ...]],
    neurons: dict[str, Neurons],
    inputs: list[str],
) -> None:
    if signal.shape != shapes[name]:
        raise InvalidNetwork(
            f"the neurons of {shown(name)} have the shape {shapes[name]}, and what comes to them "
            f"{signal.shape}: give its parameters that shape"
        )
    for source, _ in signal.terms:
        if source not in inputs and not neurons[source].layer.fires:
            raise InvalidNetwork(
                f"the potential of {shown(source)} goes to {shown(name)}, and only spikes pass "
                "from neuron to neuron: make it LIF or CubaLIF, or lead it to an Output alone"
            )


def _check_output(name: str, signal: Signal, inputs: list[str]) -> None:
    for (source, delay), term in signal.terms.items():
        if source in inputs:
            raise InvalidNetwork(
                f"the output {shown(name)} gets what comes in at {shown(source)} without a neuron "
                "between: put a node with a state there, such as LI"
            )
        flat = term.reshape(len(term), -1)
        if delay or flat.shape[0] != flat.shape[1] or not np.array_equal(flat, np.eye(len(flat))):
            raise InvalidNetwork(
                f"between {shown(source)} and the output {shown(name)} are nodes that compute, and "
                "a core gives out spikes and potentials of neurons: put a node LI behind them"
            )


def _assembled(
    graph: FlatGraph,
    neurons: dict[str, Neurons],
    into: dict[str, Signal],
    notes: list[str],
    options: Options,
    own: dict[str, Options],
) -> Meant:
    """Return the network of the layers and of the signals between them."""
    near = sorted(into, key=lambda name: not any(s in graph.inputs for s, _ in into[name].terms))
    edges = list(
        dict.fromkeys(
            (source, name) for name in near for source, _ in into[name].terms
            if source not in graph.inputs
        )
    )  # fmt: skip
    lags, back = lags_of(near, edges)
    placed = all(first_of(graph.nodes[name]) is not None for name in near)
    names = list(own) if placed else sorted(near, key=lambda name: lags[name])
    firsts, first = {}, 0
    for name in graph.inputs:
        firsts[name] = first
        first += int(np.prod(_input_shape(name, graph.nodes[name])))
    projections = []
    for name in names:
        for (source, delay), term in into[name].terms.items():
            axons = source in graph.inputs
            late = delay + natural_delay(lags, back, "" if axons else source, name)
            if late < 0:
                notes.append(
                    f"Spikes of {source} go back to {name} and arrive {-late} ticks too late, as a "
                    "core takes a tick for each layer between."
                )
            if late > MAX_DELAY:
                raise InvalidNetwork(
                    f"spikes of {shown(source)} would have to wait {late} ticks for {shown(name)}, "
                    f"and a core delays by {MAX_DELAY} at most: chain less delay"
                )
            projections.append(
                MeantProjection(
                    "" if axons else source, name, term.reshape(len(term), -1) * neurons[name].gain,
                    max(0, late), firsts.get(source, 0),
                )
            )  # fmt: skip
    layers = [neurons[n].biased(into[n].bias.reshape(-1), lags[n]) for n in names]
    kinds = {layer.kind for layer in layers}
    # A reset that came with the graph was not chosen here.
    softly = any(own[n].reset != options.reset for n in names)
    chosen = replace(options, reset="subtract") if softly else options
    return Meant(first, tuple(layers), tuple(projections), chosen.choices(kinds), tuple(notes))
