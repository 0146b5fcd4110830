"""Rounding of a network that is meant to one of integers, and the report of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.arithmetic import decay, shifted_decay_code
from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.registers import limits
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.network import Network
from spiketwin.host.quantisation.meant import Meant, MeantLayer, MeantProjection, Reals
from spiketwin.host.quantisation.profiles import Profiles, held_loss, profiles_of
from spiketwin.host.quantisation.report import LayerDecay, LayerHeld, QuantisationReport
from spiketwin.host.quantisation.scales import SCALES, Chosen, Scales, scales_of
from spiketwin.host.sums import NEVER_FIRES, WIDEST, reach

_SPARSE: Final = 0.25
"""Share of pairs with a synapse below which a projection is sparse."""

_NARROWEST: Final = 8
"""Least bits of currents."""

WEIGHT_WIDTHS: Final = (4, 16)
V_WIDTHS: Final = (8, WIDEST)
"""Least and largest widths of weights and of the potential that a core can have."""


def quantise(
    meant: Meant,
    *,
    weight_width: int = 16,
    v_width: int = WIDEST,
    scales: Scales = "neuron",
    held: Chosen | None = None,
) -> tuple[Network, QuantisationReport]:
    """Round a network that is meant to one of integers.

    Parameters
    ----------
    meant:
        The network.
    weight_width, v_width:
        Bits of weights, 4…16, and of potentials, 8…24.
    scales:
        What has a scale of its own: each ``"neuron"``, each ``"layer"``, or the ``"network"``.
    held:
        Scales and shift to use instead, of a network that was one of integers before.

    Returns
    -------
    Network, QuantisationReport
        The network, and what was rounded.

    Raises
    ------
    InvalidInput
        A width or `scales` is none.
    DoesNotFit
        There are more neurons or axons than a core can have, or a value fits at no scale.
    """
    _check(meant, weight_width, v_width, scales)
    profiles = profiles_of(meant)
    chosen = held or scales_of(meant, weight_width, v_width, scales)
    net = Network(
        n_axons=meant.n_axons,
        v_tau=profiles.v_tau,
        i_syn_tau=profiles.i_syn_tau,
        reset_subtract=profiles.reset_subtract,
        v_floor=limits(v_width, signed=True)[0],
        i_syn_shift=chosen.i_syn_shift,
    )
    for layer in meant.layers:
        place = meant.places[layer.name]
        _add_neurons(net, layer, profiles, place, chosen.scales[place.start : place.stop])
    rounded = [_add_synapses(net, meant, each, chosen, weight_width) for each in meant.projections]
    net.validate()
    sizes = {"weight_width": weight_width, "v_width": v_width, "decay_shift": True}
    sizes["i_syn_width"] = _i_syn_width(net, weight_width)
    layers = [_layer_held(meant, layer, net, profiles, chosen, rounded) for layer in meant.layers]
    net.start = _start(meant, net, chosen, sizes["i_syn_width"])
    net.validate()
    notes = [*meant.notes, *_notes(meant, layers, net, sizes["i_syn_width"])]
    report = QuantisationReport(
        sizes, chosen.i_syn_shift, layers, meant.choices, notes, net.start, meant
    )
    return net, report


def _check(meant: Meant, weight_width: object, v_width: object, scales: object) -> None:
    for name, value, (least, most) in (
        ("weight_width", weight_width, WEIGHT_WIDTHS),
        ("v_width", v_width, V_WIDTHS),
    ):
        if type(value) is not int or not least <= value <= most:
            raise InvalidInput(f"{name} must be {least}…{most} bits, not {shown(value)}")
    if scales not in SCALES:
        raise InvalidInput(f"scales must be one of {', '.join(SCALES)}, not {shown(scales)}")
    for count, what in ((meant.n_axons, "axons"), (meant.n_neurons, "neurons")):
        if count > MAX_LINES:
            raise DoesNotFit(
                f"the network has {count:,} {what}, and a core has {MAX_LINES:,} at most: pool or "
                "crop its input, or take fewer features"
            )


def _add_neurons(
    net: Network, layer: MeantLayer, profiles: Profiles, place: range, scales: Reals
) -> None:
    profile = profiles.of_neurons[place.start : place.stop]
    # The rest is held by the part that is really lost, or the level would be off by its error.
    losses = np.array([held_loss(float(tau)) for tau in profiles.v_tau])
    bias = scales * (losses[profile] * layer.rest + layer.drift)
    parameters: dict[str, Any] = {"bias": _whole(f"bias of {layer.name}", bias)}
    if layer.fires:
        threshold = np.floor(scales * layer.threshold) + 1  # fires above it, a core at it
        parameters["threshold"] = _whole(f"threshold of {layer.name}", threshold)
        parameters["v_reset"] = _whole(f"v_reset of {layer.name}", scales * layer.v_reset)
    net.population(layer.size, name=layer.name, fires=layer.fires, profile=profile, **parameters)


def _whole(name: str, values: Reals) -> IntArray:
    """Return values rounded to nearest; raise `DoesNotFit` if one is beyond every core."""
    low, high = limits(WIDEST, signed=True)
    whole = np.rint(values)
    if whole.size and not (low <= whole.min() and whole.max() < high):
        raise DoesNotFit(
            f"{name} comes to {float(whole[np.abs(whole).argmax()]):,.0f} units, and a core holds "
            f"{low:,}…{high:,}: take a smaller dt, or smaller values beside the threshold"
        )
    return whole.astype(np.int64)


def _add_synapses(
    net: Network, meant: Meant, each: MeantProjection, chosen: Chosen, weight_width: int
) -> tuple[MeantProjection, Reals, int]:
    """Add a projection; return it with the weights it holds as real numbers, and clipped ones."""
    target = next(p for p in net.populations if p.name == each.target)
    place = meant.places[each.target]
    units = chosen.scales[place.start : place.stop] * float(1 << chosen.i_syn_shift)
    low, high = limits(weight_width, signed=True)
    wanted = np.rint(each.weights * units)
    whole = np.clip(wanted, low, high)
    if each.source:
        source = next(p for p in net.populations if p.name == each.source)
    else:
        source = net.axons[each.first : each.first + len(whole)]
    sparse = bool(np.count_nonzero(whole) < _SPARSE * whole.size)
    net.project(source, target, weights=whole.astype(np.int64), delay=each.delay, sparse=sparse)
    return each, whole / units, int(np.count_nonzero(whole != wanted))


def _i_syn_width(net: Network, weight_width: int) -> int:
    """Return the width that holds all sums of currents, as far as there is one."""
    most = int(np.abs(reach(net, shifts=True).i_syn).max(initial=0))
    return min(WIDEST, max(most.bit_length() + 1, weight_width, _NARROWEST))


def _layer_held(
    meant: Meant,
    layer: MeantLayer,
    net: Network,
    profiles: Profiles,
    chosen: Chosen,
    rounded: list[tuple[MeantProjection, Reals, int]],
) -> LayerHeld:
    mine = [each for each in rounded if each[0].target == layer.name]
    wanted = np.concatenate([p.weights for p, *_ in mine] or [np.zeros((0, layer.size))])
    held = np.concatenate([h for _, h, _ in mine] or [np.zeros((0, layer.size))])
    place = meant.places[layer.name]
    part = slice(place.start, place.stop)
    return LayerHeld.of(
        layer.name, layer.kind, place, chosen.scales[part],
        wanted=wanted, held=held, clipped=sum(clipped for *_, clipped in mine), lag=layer.lag,
        # Between the last integer that does not fire and the first that does.
        thresholds=(layer.threshold, (net.threshold[part] - 0.5) / chosen.scales[part]),
        decays=_decays(layer, profiles, profiles.of_neurons[part]),
    )  # fmt: skip


def _decays(layer: MeantLayer, profiles: Profiles, profile: IntArray) -> list[LayerDecay]:
    """Return the different decays of a layer, the most frequent ones first."""
    found = []
    for variable, losses, taus in (
        ("v", layer.v_loss, profiles.v_tau),
        ("i_syn", layer.i_loss, profiles.i_syn_tau),
    ):
        pairs, counts = np.unique(
            np.stack([losses, taus[profile]], axis=1), axis=0, return_counts=True
        )
        for (loss, tau), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            code, shift = shifted_decay_code(tau)
            found.append(LayerDecay(variable, count, loss, held_loss(tau), code, shift))
    return sorted(found, key=lambda each: -each.neurons)


def _start(meant: Meant, net: Network, chosen: Chosen, i_syn_width: int) -> dict[str, IntArray]:
    """Return the state with which late layers begin late, and currents that are not 0."""
    state: dict[str, IntArray] = {}
    moves = np.concatenate([np.full(e.size, e.moves_alone) for e in meant.layers] or [np.zeros(0)])
    lag = meant.gather("lag").astype(np.int64)
    if (lag * moves).any():
        state["refrac_count"] = np.where(moves, lag, 0).astype(np.int64)
    wanted = meant.gather("i_start") * chosen.scales * float(1 << chosen.i_syn_shift)
    if not wanted.any():
        return state
    currents = np.zeros(meant.n_neurons, np.int64)
    top = limits(i_syn_width, signed=True)[1]
    taus = net.of_neurons("i_syn_tau")
    for neuron in np.flatnonzero(wanted).tolist():
        currents[neuron] = _before(float(wanted[neuron]), int(lag[neuron]), float(taus[neuron]))
    if np.abs(currents).max() > top:
        raise DoesNotFit(
            f"the current of neuron {int(np.abs(currents).argmax())}, which begins "
            f"{int(lag.max())} ticks late, would have to begin beyond ±{top:,}: take its bias out "
            "of the layer, or longer time constants of its current"
        )
    return state | {"i_syn": currents}


def _before(wanted: float, lag: int, tau: float) -> int:
    """Return the current that is nearest to `wanted` after it has decayed for `lag` ticks."""
    code, shift = shifted_decay_code(tau)
    guess = round(abs(wanted) / (1.0 - held_loss(tau)) ** lag)
    best, error = 0, abs(wanted)
    for start in range(max(0, guess - 2 * lag - 2), guess + 2 * lag + 3):
        left = start
        for _ in range(lag):
            left = decay(left, code, shift)
        if abs(left - abs(wanted)) < error:
            best, error = start, abs(left - abs(wanted))
    return best if wanted > 0 else -best


def _notes(meant: Meant, layers: list[LayerHeld], net: Network, i_syn_width: int) -> list[str]:
    notes = []
    beyond = np.abs(reach(net, shifts=True).i_syn).max(axis=1)
    top = limits(i_syn_width, signed=True)[1]
    if (many := int((beyond > top).sum())) > 0:
        notes.append(
            f"The current of {many:,} neurons saturates should all of their sources be active for "
            f"long: it can grow to {int(beyond.max()):,}, and {i_syn_width} bits hold {top:,}."
        )
    for each in layers:
        if each.clipped:
            notes.append(f"{each.clipped:,} weights to {each.name} are clipped to their width.")
        if each.decay_worst > 0.001:
            notes.append(
                f"Neurons of {each.name} share time constants with others, as a core has few: the "
                f"worst is off by {each.decay_worst:.1%}."
            )
    notes += [
        f"A spike of {layer.name} takes up to a unit more than its threshold off, which is of "
        f"{int(net.threshold[meant.places[layer.name].start :][: layer.size].min()):,} units or "
        "more, as a core subtracts the least potential that fires."
        for layer in meant.layers
        if layer.reset_subtract
    ]
    notes += [
        f"Axons {p.first}…{p.first + len(p.weights) - 1} reach {p.target} after a delay of "
        f"{p.delay} ticks, and one that is named several times in a tick arrives there once."
        for p in meant.projections
        if p.delay and not p.source
    ]
    never = net.threshold == NEVER_FIRES
    endless = never & (net.of_neurons("v_tau") == np.inf)
    if endless.any():
        notes.append(
            f"{int(endless.sum()):,} neurons integrate without a leak, and saturate in the end."
        )
    return notes
