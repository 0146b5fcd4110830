"""A network as SuperNeuroMAT describes it: its lists as arrays, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork

Reals = NDArray[np.float64]

MOST: Final = 1 << 22
"""Most neurons or synapses of a list that is read; chains of delays may have many."""

_MOST_TICK: Final = (1 << 32) - 2

_OF_NEURONS: Final = {
    "thresholds": "neuron_thresholds", "leaks": "neuron_leaks", "resets": "neuron_reset_states",
    "states": "neuron_states", "refractory": "neuron_refractory_periods",
    "countdown": "neuron_refractory_periods_state",
}  # fmt: skip
_OF_SYNAPSES: Final = {
    "pre": "pre_synaptic_neuron_ids", "post": "post_synaptic_neuron_ids",
    "weights": "synaptic_weights", "delays": "synaptic_delays", "enabled": "enable_stdp",
}  # fmt: skip
_WHOLE: Final = ("refractory", "countdown", "pre", "post", "delays", "enabled")
_MAY_BE_INFINITE: Final = ("thresholds", "leaks")

KEYS: Final = (
    *_OF_NEURONS.values(), *_OF_SYNAPSES.values(), "input_spikes", "spike_train", "apos", "aneg",
    "stdp", "stdp_positive_update", "stdp_negative_update",
)  # fmt: skip
"""What is taken of a network. The rest says how SuperNeuroMAT computes, and changes no spike."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network as SuperNeuroMAT describes it.

    Attributes
    ----------
    thresholds, leaks, resets, states:
        Shape (neurons,): what `v` has to exceed, what it is pushed towards `resets` by in every
        tick, what it is after a spike, and what it is now.
    refractory, countdown:
        Shape (neurons,): ticks in which a neuron does not fire after a spike, and from now on.
    pre, post, weights, delays, enabled:
        Shape (synapses,): both ends, the weight, the delay, which is negative at the end of a chain
        of neurons that makes it, and whether STDP changes the weight.
    inputs:
        Shape (k, 2): (tick, neuron) of each input spike.
    values:
        Shape (k,): its value.
    apos, aneg:
        What a plastic weight gets for each of the ticks before a spike of its neuron: at place k,
        `apos` if its source fired k + 1 ticks before, and `aneg` otherwise; of one length.
    """

    thresholds: Reals
    leaks: Reals
    resets: Reals
    states: Reals
    refractory: IntArray
    countdown: IntArray
    pre: IntArray
    post: IntArray
    weights: Reals
    delays: IntArray
    enabled: IntArray
    inputs: IntArray
    values: Reals
    apos: Reals
    aneg: Reals

    @property
    def n_neurons(self) -> int:
        """Number of neurons, those of chains included."""
        return len(self.thresholds)

    @property
    def learns(self) -> bool:
        """Whether STDP changes any weight."""
        return bool(self.enabled.any() and (self.apos.any() or self.aneg.any()))


def model_of(found: Mapping[str, Any]) -> Model:
    """Return the network that the attributes of an `SNN` say, by their names.

    Raises
    ------
    InvalidNetwork
        One is missing, has a wrong length or a value out of range; the message names it.
    """
    for name in KEYS:
        if name not in found:
            raise InvalidNetwork(f"the network lacks {name}: save it by SuperNeuroMAT 3.5")
    arrays: dict[str, Any] = {}
    for group in (_OF_NEURONS, _OF_SYNAPSES):
        for name, key in group.items():
            arrays[name] = _array(key, found[key], name)
            first = next(iter(group))
            if len(arrays[name]) != len(arrays[first]):
                raise InvalidNetwork(
                    f"{key} has {len(arrays[name])} values, and {group[first]} "
                    f"{len(arrays[first])}: they must have as many"
                )
    count = len(arrays["thresholds"])
    if not count:
        raise InvalidNetwork("the network has no neurons")
    for name in ("pre", "post"):
        _check_range(_OF_SYNAPSES[name], arrays[name], 0, count - 1)
    for name in ("leaks", "refractory", "countdown"):
        _check_range(_OF_NEURONS[name], arrays[name], 0, math.inf)
    if not isinstance(found["spike_train"], Sequence | np.ndarray | Mapping):
        raise InvalidNetwork(
            f"spike_train must be a list of ticks, not {shown(found['spike_train'])}"
        )
    if len(found["spike_train"]):
        raise InvalidNetwork(
            f"spike_train has {len(found['spike_train'])} ticks, whose last spikes are on their "
            "way: save the network before it runs, or after `snn.clear_spike_train()`"
        )
    inputs, values = _inputs(found["input_spikes"], count)
    apos, aneg = _stdp(found)
    arrays["enabled"] = (arrays["enabled"] != 0).astype(np.int64)
    return Model(**arrays, inputs=inputs, values=values, apos=apos, aneg=aneg)


def _array(key: str, given: Any, name: str) -> NDArray[Any]:
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str) or len(given) > MOST:
        raise InvalidNetwork(f"{key} must be a list of at most {MOST} numbers, not {shown(given)}")
    for at, value in enumerate(given):
        plain = isinstance(value, int | float | np.number | np.bool_)
        good = plain and (_is_finite(value) or name in _MAY_BE_INFINITE and value == math.inf)
        whole = good and name in _WHOLE
        if not good or whole and (value != int(value) or abs(value) > _MOST_TICK):
            kind = "a whole number" if name in _WHOLE else "a number"
            raise InvalidNetwork(f"{key}[{at}] must be {kind}, not {shown(value)}")
    return np.asarray(given, np.int64 if name in _WHOLE else np.float64)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all real numbers
        return False


def _check_range(key: str, array: NDArray[Any], low: float, high: float) -> None:
    wrong = np.flatnonzero((array < low) | (array > high))
    if wrong.size:
        at = int(wrong[0])
        raise InvalidNetwork(f"{key}[{at}] must be in {low}…{high}, not {array[at]}")


def _inputs(given: Any, count: int) -> tuple[IntArray, Reals]:
    """Return ticks, neurons and values of the input spikes.

    Of several of one neuron in one tick the last one counts, as in SuperNeuroMAT.
    """
    if not isinstance(given, Mapping):
        raise InvalidNetwork(f"input_spikes must be by ticks, not {shown(given)}")
    chosen: dict[tuple[int, int], float] = {}
    for tick, spikes in given.items():
        time = int(tick) if str(tick).isdecimal() and len(str(tick)) <= 10 else -1
        where = f"input_spikes[{shown(tick)}]"
        if not 0 <= time <= _MOST_TICK or not isinstance(spikes, Mapping):
            raise InvalidNetwork(f"{where} must be the spikes of a tick in 0…{_MOST_TICK}")
        neurons = _array(f"{where}.nids", spikes.get("nids"), "pre")
        values = _array(f"{where}.values", spikes.get("values"), "weights")
        _check_range(f"{where}.nids", neurons, 0, count - 1)
        if len(neurons) != len(values):
            raise InvalidNetwork(f"{where} must have as many values as nids")
        chosen |= zip(((time, each) for each in neurons.tolist()), values.tolist(), strict=True)
    kept = {key: value for key, value in sorted(chosen.items()) if value}
    return np.array([*kept], np.int64).reshape(-1, 2), np.array([*kept.values()], np.float64)


def _stdp(found: Mapping[str, Any]) -> tuple[Reals, Reals]:
    """Return both lists of the rule, filled up with zeros where one of them does not count."""
    lists = []
    for key, flag in (("apos", "stdp_positive_update"), ("aneg", "stdp_negative_update")):
        for name in ("stdp", flag):
            if not isinstance(found[name], bool | np.bool_ | int) or found[name] not in (0, 1):
                raise InvalidNetwork(f"{name} must be true or false, not {shown(found[name])}")
        used = bool(found["stdp"]) and bool(found[flag])
        lists.append(_array(key, found[key], "weights") if used else np.empty(0))
    lengths = {len(each) for each in lists if each.any()}
    if len(lengths) > 1:
        raise InvalidNetwork(
            f"apos has {len(lists[0])} values and aneg {len(lists[1])}: they must have as many"
        )
    length = max(lengths, default=0)
    apos, aneg = (each if each.any() else np.zeros(length) for each in lists)
    return apos, aneg
