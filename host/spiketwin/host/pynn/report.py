"""The report of a run: scales, what was rounded, what saturated, and how targets differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.results import Result
from spiketwin.host.elements import IntArray
from spiketwin.host.lateness import interval_distortions, out_of_order
from spiketwin.host.ledger import Ledger
from spiketwin.host.matching import match, parting_tick
from spiketwin.host.pynn.model import Model
from spiketwin.host.pynn.rounding import Rounding, roundings
from spiketwin.host.spikes import Saturations
from spiketwin.host.summaries import LedgerSummary

_SHOWN = 6  # rows of a list that the text has


@dataclass(frozen=True)
class TargetFigures(Result):
    """The work of one target since the last reset.

    Attributes
    ----------
    target:
        Its address.
    core:
        Sizes of its core, as ``--params`` takes them; null for the ideal network.
    spikes:
        Spikes of its neurons.
    saturated:
        What saturated; null where it is not counted.
    ledger:
        Where the time of the last run went; null where nothing passed a link.
    """

    target: str
    core: str | None
    spikes: int
    saturated: Saturations | None
    ledger: LedgerSummary | None


@dataclass(frozen=True)
class PopulationScale(Result):
    """The scales of a population on the first core.

    Attributes
    ----------
    population:
        Its label.
    units_per_mv:
        Units of the potential in a mV: the least and the most of its neurons.
    weight_units:
        Units of an excitatory weight in a nA, or a mV where synapses act at once, likewise.
    """

    population: str
    units_per_mv: tuple[float, float]
    weight_units: tuple[float, float]


@dataclass(frozen=True)
class SpikeDifference(Result):
    """The first spike that one of two targets has and the other has not.

    Attributes
    ----------
    time:
        Its time in ms.
    population, index:
        Label of the population, and index of the cell in it.
    fired_on:
        The target that has it.
    """

    time: float
    population: str
    index: int
    fired_on: str


@dataclass(frozen=True)
class TargetDifference(Result):
    """The differences of the spikes of a target from those of the first one.

    Attributes
    ----------
    target, reference:
        Addresses of both.
    spikes, reference_spikes:
        Spikes of both.
    same_tick_share:
        Share of the reference's spikes that the target has at the same tick.
    first_difference:
        The first spike that only one of both has; null if there is none.
    isi_distortion_mean, isi_distortion_most:
        ms by which intervals between spikes of a neuron differ, the k-th of one target from the
        k-th of the other; null if no neuron has two.
    disordered:
        Spikes that come after one that should follow them.
    """

    target: str
    reference: str
    spikes: int
    reference_spikes: int
    same_tick_share: float
    first_difference: SpikeDifference | None
    isi_distortion_mean: float | None
    isi_distortion_most: float | None
    disordered: int


@dataclass(frozen=True)
class Report(Result):
    """The report of a run, which `str` shows as text and `as_json` as values.

    Attributes
    ----------
    time:
        Time of the simulation in ms.
    timestep:
        Length of a tick in ms.
    i_syn_shift:
        Bits by which weights and currents are finer than potentials; null without a core.
    targets:
        What each target did.
    scales:
        The scales of each population on the first core.
    roundings:
        What was rounded on the first core, and by how much.
    differences:
        How each further target differs from the first one.
    notes:
        What was warned of while the network was programmed.
    """

    time: float
    timestep: float
    i_syn_shift: int | None
    targets: list[TargetFigures]
    scales: list[PopulationScale]
    roundings: list[Rounding]
    differences: list[TargetDifference]
    notes: list[str]

    def __str__(self) -> str:
        """Return the report as text, the largest errors first."""
        lines = [f"{self.time:g} ms in ticks of {self.timestep:g} ms"]
        for target in self.targets:
            lines += _target_lines(target)
        for scale in self.scales:
            low, high = scale.units_per_mv
            mv = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            lines.append(f"{scale.population}: {mv} units a mV")
        off = sorted(
            (each for each in self.roundings if each.rounded), key=lambda r: -(r.relative or 0.0)
        )
        lines.append(f"rounded: {len(off)} of {len(self.roundings)} kinds of numbers")
        for each in off[:_SHOWN]:
            share = "" if each.relative is None else f", {each.relative:.2g} of the largest"
            lines.append(
                f"  {each.what} of {each.where}: {each.rounded} of {each.numbers} by up to "
                f"{each.worst:.3g} {each.unit}{share}"
            )
        for other in self.differences:
            lines += _difference_lines(other)
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def _target_lines(target: TargetFigures) -> list[str]:
    lines = [f"{target.target} has {target.spikes} spikes"]
    if target.core is not None:
        lines[0] += f", core {target.core}"
    if target.saturated is not None:
        counts = target.saturated.as_json()
        full = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        lines.append(f"  saturated: {full or 'nothing'}")
    if target.ledger is not None:
        took = f"  the last run took {target.ledger.wall_seconds:.3g} s on the wall"
        latency = target.ledger.spike_latency
        if latency is not None:
            took += f", and a spike {latency.median_seconds:.3g} s from host to host"
        lines.append(took)
    return lines


def _difference_lines(other: TargetDifference) -> list[str]:
    both = f"{other.target} beside {other.reference}"
    share = f"{other.same_tick_share:.2%} of {other.reference_spikes} spikes at the same tick"
    lines = [f"{both} has {share}, {other.disordered} out of order"]
    first = other.first_difference
    if first is not None:
        lines.append(
            f"  first difference at {first.time:g} ms: cell {first.index} of {first.population} "
            f"fires on {first.fired_on} alone"
        )
    if other.isi_distortion_mean is not None:
        lines.append(
            f"  intervals between spikes: {other.isi_distortion_mean:.3g} ms off in the mean, "
            f"{other.isi_distortion_most:.3g} ms at most"
        )
    return lines


def reported(state: Any, session: Any) -> Report:
    """Return the report of a session.

    Parameters
    ----------
    state:
        The state of the simulator.
    session:
        The session, which may be closed.
    """
    model: Model = session.model
    spikes = [np.concatenate([np.empty((0, 2), np.int64), *past.spikes]) for past in session.past]
    targets = [
        TargetFigures(
            engine.name, None if engine.params is None else described(engine.params),
            len(its), None if engine.scales is None else Saturations.of(past.saturations),
            Ledger.of(past.accounts).summary() if past.accounts else None,
        )
        for engine, past, its in zip(session.engines, session.past, spikes, strict=True)
    ]  # fmt: skip
    cores = [engine.scales for engine in session.engines if engine.scales is not None]
    scales, rounded = [], list[Rounding]()
    for found in cores[:1]:
        rounded = roundings(state, model, found)
        for population in model.populations:
            part = slice(model.first(population), model.first(population) + population.size)
            scales.append(
                PopulationScale(
                    population.label,
                    _range(found.per_mv[part]),
                    _range(found.weight_units[part, 0]),
                )  # fmt: skip
            )
    names = [engine.name for engine in session.engines]
    differences = [
        _difference(model, (names[0], spikes[0]), (name, its))
        for name, its in zip(names[1:], spikes[1:], strict=True)
    ]
    shift = cores[0].shift if cores else None
    return Report(
        state.t, model.dt, shift, targets, scales, rounded, differences, list(session.notes)
    )


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _difference(
    model: Model, reference: tuple[str, IntArray], other: tuple[str, IntArray]
) -> TargetDifference:
    (name, wanted), (other_name, found) = reference, other
    meant, times = _paired(wanted, found)
    distortions = interval_distortions(meant, times, 1) * model.dt
    some = bool(distortions.size)
    return TargetDifference(
        other_name, name, len(found), len(wanted), match(wanted, found).same_tick_share,
        _first_difference(model, reference, other),
        float(distortions.mean()) if some else None,
        float(distortions.max()) if some else None,
        int(out_of_order(meant[:, 0], times).size),
    )  # fmt: skip


def _paired(wanted: IntArray, found: IntArray) -> tuple[IntArray, IntArray]:
    """Return spikes that both have as the k-th of their neuron, and when the others are."""

    def keyed(spikes: IntArray) -> tuple[IntArray, IntArray]:
        ordered = spikes[np.lexsort((spikes[:, 0], spikes[:, 1]))]
        first = np.searchsorted(ordered[:, 1], ordered[:, 1], side="left")
        return ordered, ordered[:, 1] * (1 << 32) + np.arange(len(ordered)) - first

    (wanted, its), (found, others) = keyed(wanted), keyed(found)
    _, here, there = np.intersect1d(its, others, assume_unique=True, return_indices=True)
    return wanted[here], found[there, 0]


def _first_difference(
    model: Model, reference: tuple[str, IntArray], other: tuple[str, IntArray]
) -> SpikeDifference | None:
    (name, wanted), (other_name, found) = reference, other
    tick = parting_tick(wanted, found)
    if tick is None:
        return None
    there = {
        who: set(spikes[spikes[:, 0] == tick, 1].tolist())
        for who, spikes in ((name, wanted), (other_name, found))
    }
    neuron = min(there[name] ^ there[other_name])
    fired_on = name if neuron in there[name] else other_name
    population = next(each for each in model.populations if neuron < model.first(each) + each.size)
    index = neuron - model.first(population)
    return SpikeDifference((tick + 1) * model.dt, population.label, index, fired_on)
