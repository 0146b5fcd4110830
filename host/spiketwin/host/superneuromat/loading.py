"""Networks of SuperNeuroMAT as networks of a core."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.params import MAX_LINES, N_PROFILES
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.network import Network
from spiketwin.host.populations import Population, Projection
from spiketwin.host.superneuromat import scale as scales
from spiketwin.host.superneuromat import stdp
from spiketwin.host.superneuromat.chains import Chains, find_chains
from spiketwin.host.superneuromat.model import Model, Reals
from spiketwin.host.superneuromat.placing import Placed, placed
from spiketwin.host.superneuromat.reading import read_model
from spiketwin.host.superneuromat.report import Report, Rounded
from spiketwin.host.superneuromat.scale import Scale

_LOWEST_V: Final = -(1 << 23)
"""Lowest potential of the widest core."""

_NEVER: Final = (1 << 23) - 1
"""Threshold of a neuron that never fires."""


def load(
    path_or_snn: str | os.PathLike[str] | Any,
    *,
    network: str | None = None,
    weight_width: int = 16,
    inputs: Iterable[tuple[int, float]] = (),
) -> tuple[Network, Report]:
    """Return a network of SuperNeuroMAT as a network of a core, and a report of what became of it.

    Values become whole numbers of units, of which there are a power of two in 1: the fewest with
    which all of them are exact, or else as many as fit. Then spikes and weights are those of
    SuperNeuroMAT's own simulator. A neuron's potential is counted from its reset state, and neurons
    that only make delays are left out, as relays do that.

    Parameters
    ----------
    path_or_snn:
        Path of a JSON file (format ``snm`` 0.1), or an `SNN` of superneuromat 3.5 that has not run.
    network:
        Name of the network in a file of several.
    weight_width:
        Bits of a weight, 4…16.
    inputs:
        Pairs of neuron and value that get an axon beside those of the input spikes that the network
        has, for stimuli of your own (`Report.axon`).

    Returns
    -------
    Network, Report
        The network, and what was rounded, left out and collapsed; `Report.run` runs it.

    Raises
    ------
    NetworkFileError
        The file is no such JSON, is damaged, or has a value out of range.
    InvalidNetwork, InvalidInput
        The object, or an argument, is wrong.
    DoesNotFit
        There are more than 4096 neurons or inputs, more than 8 leaks, a rule that looks more than
        16 ticks back, or values too far apart.
    """
    model = read_model(path_or_snn, network)
    stdp.check_length(model)
    chains = find_chains(model)
    scale = scales.choose(model, weight_width, stdp.steps(model))
    axons = _axons(model, inputs)
    profiles = np.unique(model.leaks[chains.kept])
    _check_sizes(len(chains.kept), len(axons), len(profiles))
    net = _network(model, scale, profiles, len(axons))
    cells = _population(net, model, chains, scale, profiles)
    if axons:
        _project_inputs(net, cells, chains, scale, axons)
    parts = placed(model, chains, scale)
    rule = _rule(net, model, scale, weight_width)
    made = [_project(net, cells, part, rule if part.plastic.any() else {}) for part in parts]
    net.start = _start(model, chains, scale)
    net.validate()
    return net, _report(model, chains, scale, axons, parts, made, weight_width)


def _axons(model: Model, inputs: Iterable[tuple[int, float]]) -> dict[tuple[int, float], int]:
    """Return the axon of each pair of neuron and value."""
    pairs = zip(model.inputs[:, 1].tolist(), model.values.tolist(), strict=True)
    wanted = set(pairs)
    for pair in inputs:
        good = isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], int)
        if not good or not 0 <= pair[0] < model.n_neurons or not np.isfinite(pair[1]):
            raise InvalidInput(
                f"inputs must be pairs of a neuron, 0…{model.n_neurons - 1}, and a value, not "
                f"{shown(pair)}"
            )
        wanted.add((pair[0], float(pair[1])))
    return {pair: axon for axon, pair in enumerate(sorted(wanted))}


def _check_sizes(neurons: int, axons: int, profiles: int) -> None:
    for count, most, what, fix in (
        (neurons, MAX_LINES, "neurons that are no part of a delay", "take a part of the network"),
        (axons, MAX_LINES, "pairs of neuron and input value", "let inputs have fewer values"),
        (profiles, N_PROFILES[-1], "different leaks", "let some neurons have the same"),
    ):
        if count > most:
            raise DoesNotFit(f"the network has {count} {what}, and a core holds {most}: {fix}")


def _network(model: Model, scale: Scale, profiles: Reals, n_axons: int) -> Network:
    """Return the network without neurons; it has a profile for each leak."""
    falls = bool((model.weights < 0).any() or (model.values < 0).any() or model.learns)
    below = int(scale.whole(np.minimum(model.states - model.resets, 0)).min())
    infinite = np.isinf(profiles)
    leaks = np.where(infinite, 0, scale.whole(np.where(infinite, 0.0, profiles)))
    return Network(
        n_axons=n_axons, v_floor=_LOWEST_V if falls else below, refrac_integrates=True,
        v_tau=np.where(infinite, 0.0, np.inf), linear_leak=leaks, learn_post=model.learns,
    )  # fmt: skip


def _population(
    net: Network, model: Model, chains: Chains, scale: Scale, profiles: Reals
) -> Population:
    kept = chains.kept
    pairs = zip(model.thresholds[kept].tolist(), model.resets[kept].tolist(), strict=True)
    thresholds = [
        scales.threshold(scale, threshold, reset) if np.isfinite(threshold) else _NEVER
        for threshold, reset in pairs
    ]
    return net.population(
        len(kept), threshold=thresholds, refrac_ticks=model.refractory[kept],
        profile=np.searchsorted(profiles, model.leaks[kept]), name="neurons",
    )  # fmt: skip


def _project_inputs(
    net: Network, cells: Population, chains: Chains, scale: Scale,
    axons: dict[tuple[int, float], int],
) -> None:  # fmt: skip
    place = chains.place
    weights = np.zeros((len(axons), cells.size), np.int64)
    for (neuron, value), axon in axons.items():
        weights[axon, place[neuron]] = scale.whole(np.array(value))
    net.project(net.axons, cells, weights=weights, sparse=True, name="inputs")


def _rule(net: Network, model: Model, scale: Scale, weight_width: int) -> dict[str, int]:
    """Return what a projection that learns says of its rule; nothing if none does."""
    if not model.learns:
        return {}
    most = (1 << weight_width - 1) - 1
    drift = int(stdp.drifts(model, scale)[-1])
    rule = {"window": net.add_window(stdp.table(model, scale)), "w_min": -most - 1, "w_max": most}
    return rule | ({"drift": drift} if drift else {})


def _project(net: Network, cells: Population, part: Placed, rule: dict[str, int]) -> Projection:
    source = cells[: len(part.weights)]
    how: dict[str, Any] = {"plastic": part.plastic, **rule} if rule else {"sparse": part.sparse}
    return net.project(source, cells, weights=part.weights, delay=part.delay, name=part.name, **how)


def _start(model: Model, chains: Chains, scale: Scale) -> dict[str, IntArray]:
    """Return the state that the network begins with."""
    states = scale.whole((model.states - model.resets)[chains.kept])
    return {"v": states, "refrac_count": model.countdown[chains.kept]}


def _report(
    model: Model, chains: Chains, scale: Scale, axons: dict[tuple[int, float], int],
    parts: list[Placed], made: list[Projection], weight_width: int,
) -> Report:  # fmt: skip
    steps = np.concatenate([model.apos, model.aneg]) if model.learns else np.empty(0)
    events: list[tuple[int, int]] = []
    for (tick, neuron), value in zip(model.inputs.tolist(), model.values.tolist(), strict=True):
        events.append((tick, axons[neuron, value]))
    spikes: IntArray = np.array(events, np.int64).reshape(-1, 2)
    return Report(
        scale=scale.units, exact=scale.exact, weight_width=weight_width,
        n_neurons=model.n_neurons, relayed=model.n_neurons - len(chains.kept),
        longest_delay=int(chains.lag.max(initial=0)) + 1,
        rounded=Rounded(
            weights=scale.error(model.weights), inputs=scale.error(model.values),
            leaks=scale.error(model.leaks), states=scale.error(model.states - model.resets),
            stdp=scale.error(steps),
        ),
        axons=axons, spikes=spikes, model=model, chains=chains,
        parts=tuple(zip(parts, made, strict=True)),
        drifts=stdp.drifts(model, scale),
    )  # fmt: skip
