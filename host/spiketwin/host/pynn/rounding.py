"""The numbers of a model that were rounded on its way to a core, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.arithmetic import shifted_decay_code
from spiketwin.hdl.spec.results import Result
from spiketwin.host.network import decay_tau
from spiketwin.host.pynn.blocks import ticks_of
from spiketwin.host.pynn.model import Model
from spiketwin.host.pynn.scales import (
    Scales,
    never_fires,
    resets,
    thresholds,
    whole_weights,
)
from spiketwin.host.pynn.sources import moved

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Rounding(Result):
    """The rounding of one kind of numbers, in one place.

    Attributes
    ----------
    what, where:
        The parameter, and the label of the population or projection.
    unit:
        Unit of the errors.
    numbers, rounded:
        Number of values, and how many of them are held as others than they are meant.
    worst, rms:
        The largest error, and the root of the mean square of all.
    relative:
        The largest error as a share of the largest value; null where all are 0.
    lost:
        Number of values that became 0 and are not.
    """

    what: str
    where: str
    unit: str
    numbers: int
    rounded: int
    worst: float
    rms: float
    relative: float | None
    lost: int


def roundings(state: Any, model: Model, scales: Scales) -> list[Rounding]:
    """Return what was rounded of a model, what is exact included."""
    found = [each for each in _of_cells(model, scales) if each is not None]
    found += [each for each in _of_synapses(model, scales) if each is not None]
    for population in state.populations:
        if population.is_source:
            late = moved(population, state)
            rounding = _of("spike_times", population.label, "ms", late, np.zeros_like(late))
            found += [] if rounding is None else [rounding]
    return found


def _of(what: str, where: str, unit: str, held: Reals, meant: Reals) -> Rounding | None:
    """Return the errors of numbers; None if there are none of them."""
    if not meant.size:
        return None
    error = held - meant
    largest = float(np.abs(meant).max())
    # What is off by less is off by the arithmetic of this report.
    off = np.abs(error) > 1e-9 * max(largest, 1e-3)
    worst = float(np.abs(error).max()) if off.any() else 0.0
    return Rounding(
        what, where, unit, int(meant.size), int(off.sum()), worst,
        float(np.sqrt(np.mean(np.where(off, error, 0.0) ** 2))),
        worst / largest if largest else None, int(np.count_nonzero((held == 0) & (meant != 0))),
    )  # fmt: skip


def _of_cells(model: Model, scales: Scales) -> Iterator[Rounding | None]:
    neurons, dt = model.neurons, model.dt
    limit = scales.mv(thresholds(neurons, scales))
    limit = np.where(never_fires(neurons), neurons.v_thresh, limit)
    settles = scales.bias(neurons.i_offset) + scales.lost * scales.origin
    held = {
        "v_thresh": ("mV", limit, neurons.v_thresh),
        "v_reset": ("mV", scales.mv(resets(neurons, scales)), neurons.v_reset),
        "tau_m": ("ms", _held_taus(neurons.tau_m, dt, scales), neurons.tau_m),
        "tau_refrac": ("ms", np.rint(neurons.tau_refrac / dt) * dt, neurons.tau_refrac),
        "i_offset": (
            "nA", settles / scales.per_na, neurons.i_offset,
        ),
    }  # fmt: skip
    for k, name in enumerate(("tau_syn_E", "tau_syn_I")):
        meant = neurons.tau_syn[:, k]
        held[name] = ("ms", np.where(neurons.jumps, 0.0, _held_taus(meant, dt, scales)), meant)
    first = 0
    for population in model.populations:
        part = slice(first, first + population.size)
        for name, (unit, values, meant) in held.items():
            if population.celltype.has_parameter(name):
                yield _of(name, population.label, unit, values[part], meant[part])
        first += population.size


def _held_taus(taus: Reals, dt: float, scales: Scales) -> Reals:
    """Return time constants, in ms, as the decays of a core hold them."""
    unique, place = np.unique(taus, return_inverse=True)
    codes = [shifted_decay_code(float(tau) / dt, scales.has_shifts) for tau in unique]
    held = [decay_tau(*each) * dt for each in codes]
    made: Reals = np.array(held)[place.reshape(-1)]
    return made


def _of_synapses(model: Model, scales: Scales) -> Iterator[Rounding | None]:
    for projection in {id(each.projection): each.projection for each in model.blocks}.values():
        blocks = [each for each in model.blocks if each.projection is projection]
        meant = np.concatenate([each.weight for each in blocks])
        held = [
            whole_weights(each, units) / units
            for each in blocks
            for units in [_units(scales, each)]
        ]
        jumps = bool(model.neurons.jumps[blocks[0].targets.start])
        unit = "mV" if jumps else "nA"
        yield _of("weight", projection.label, unit, np.concatenate(held), meant)
        delays = projection.held("delay")
        grid = (ticks_of(delays, model.dt) * float(model.dt)).astype(np.float64)
        yield _of("delay", projection.label, "ms", grid, delays)


def _units(scales: Scales, block: Any) -> Reals:
    column = int(block.inhibitory)
    units: Reals = scales.weight_units[block.targets.start + block.post, column]
    return units
