"""The place where two targets part: the first tick after which anything differs, and the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.equality import (
    NO_SPIKE,
    Behaviour,
    first_tick,
    unequal,
    unequal_runs,
    unequal_state,
)
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.variables import CHANGED_IN_TICKS, Per, names
from spiketwin.host import Network
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.layout import layout
from spiketwin.host.populations import AXONS
from spiketwin.host.progress import Progress

FIELDS: Final = (
    *(name for name in names(CHANGED_IN_TICKS) if name != "pending"),
    "spike", "spike_cycle", "pending", "update_cycle", "cycles", "digest",
)  # fmt: skip
"""Fields that can differ after a tick, causes before their effects (`Difference`)."""

_FOLLOWS_FROM_A_SPIKE: Final = (
    *names(v for v in CHANGED_IN_TICKS if v.per is Per.SYNAPSE or v.writer in ("neurons", "fired")),
    "spike_cycle",
)
"""Fields that differ as a consequence if a neuron fired in one target alone."""

_COUNTS_OF_CYCLES: Final = ("spike_cycle", "update_cycle", "cycles")

_AROUND: Final = 3
"""Ticks shown before a difference, and after it."""


class NotReproducible(SpiketwinError):
    """Two targets differed in one run but not in the next: one of them is not deterministic."""


@dataclass(frozen=True, eq=False)
class DifferenceWindow(Result):
    """The ticks around a difference, for each of two targets by its name.

    Attributes
    ----------
    ticks:
        The ticks, ascending.
    spikes:
        Neurons that fired in each of them.
    values:
        The element that differs, after each of them.
    """

    ticks: list[int]
    spikes: dict[str, list[list[int]]]
    values: dict[str, list[int]]


@dataclass(frozen=True, eq=False)
class Difference(Result):
    """The first difference of two targets, traced to its cause.

    Of all that differs after the tick, it is the one from which the rest can follow: if a neuron
    fired in one target alone, its own state and incoming weights are disregarded; then the first
    of `FIELDS` is taken, and the first of its elements.

    Attributes
    ----------
    tick:
        The first tick after which anything differs; None if it does before the first one.
    cycle:
        Cycle of the run, counted from its beginning, at which the tick began, or at which the
        spike left if the field is ``spike`` or ``spike_cycle``; None without a tick.
    field:
        What differs: a name of the state, ``weight``, ``spike`` (1 if the neuron fired),
        ``spike_cycle`` (cycle in the tick at which it left), ``update_cycle`` (cycle in the tick
        at which *Update* began), ``cycles`` (of the tick) or ``digest`` (of what it wrote).
    source, neuron:
        The element: both for a synapse, one for a trace or a neuron, none for the last three
        fields. Relays are sources behind the neurons, in the order of `Core.read_state`.
    values:
        Its value in each of the two targets, by name.
    elements:
        Elements that differ after the tick, by field.
    around:
        The ticks around it; None without a tick.
    part:
        The projections of the synapse, or the population of the source or neuron, by their names;
        None in an all-to-all network, and without an element.
    """

    tick: int | None
    cycle: int | None
    field: str
    source: int | None
    neuron: int | None
    values: dict[str, int]
    elements: dict[str, int]
    around: DifferenceWindow | None
    part: str | None = None

    @property
    def element(self) -> str:
        """The element in words; empty for fields of the whole core."""
        inside = "" if self.part is None else f" of {self.part}"
        if self.source is not None and self.neuron is not None:
            return f"synapse ({self.source}, {self.neuron}){inside}"
        if self.source is not None:
            return f"source {self.source}{inside}"
        return "" if self.neuron is None else f"neuron {self.neuron}{inside}"


def differ_after(
    a: Subject,
    b: Subject,
    case: Case,
    behaviours: tuple[Behaviour, Behaviour],
    every: int,
    progress: Progress,
) -> int | None:
    """Return a number of ticks after which two targets differ; None if they are equal throughout.

    It is the least number after which spikes, cycles or digests differ. If digests cannot be
    compared, all state is, in lockstep every so many ticks, and weights only at the end.

    Parameters
    ----------
    a, b, case:
        Two targets and the case that they play.
    behaviours:
        Their behaviours for the whole case.
    every:
        Ticks between two comparisons of all state.
    progress:
        Called with the ticks that were compared.

    Raises
    ------
    SpiketwinError
        As the methods of the cores.
    """
    first, second = behaviours
    in_runs = first_tick(unequal_runs(first.run, second.run, same_sizes(a, b)))
    end = case.ticks if in_runs is None else in_runs + 1
    if have_digests(a, b, case):
        unequal = _differ_in_digests(a, b, case, end, progress)
    else:
        unequal = _differ_in_state(a, b, case, end, every, progress)
    if unequal is not None:
        return unequal
    return None if in_runs is None and not unequal_state(first.held, second.held) else end


def same_sizes(a: Subject, b: Subject) -> bool:
    """Return whether two targets have the same sizes, so that cycles can be compared."""
    return a.core.params == b.core.params


def have_digests(a: Subject, b: Subject, case: Case) -> bool:
    """Return whether both targets have digests, equal for equal states."""
    first, second = a.core.params, b.core.params
    if not first.digests_alike(second):
        return False
    # Populations are filled up to groups of lanes, and the numbers of neurons are in the digest.
    places = layout(case.network, first), layout(case.network, second)
    # Unused neurons get the current of a constant if they are in a group with one that is used.
    if first.lanes != second.lanes and places[0].has_constants:
        return False
    return np.array_equal(places[0].sources, places[1].sources)


def both_after(a: Subject, b: Subject, case: Case, ticks: int) -> tuple[Behaviour, Behaviour]:
    """Play the first `ticks` ticks of a case on two targets, with digests where they have them."""
    digests = have_digests(a, b, case)
    return a.after(case, ticks, digests=digests), b.after(case, ticks, digests=digests)


def _differ_in_digests(
    a: Subject, b: Subject, case: Case, end: int, progress: Progress
) -> int | None:
    digests = []
    for done, each in enumerate((a, b)):
        progress(f"digests of {a.name} and {b.name}", done, 2)
        digests.append(each.begin(case, digests=True).to(end).digests)
    parted = np.flatnonzero(digests[0] != digests[1])
    return int(parted[0]) + 1 if parted.size else None


def _differ_in_state(
    a: Subject, b: Subject, case: Case, end: int, every: int, progress: Progress
) -> int | None:
    playing = a.begin(case), b.begin(case)
    for begin in range(0, end, every):
        ticks = min(begin + every, end)
        for each in playing:
            each.to(ticks)
        progress(f"state of {a.name} and {b.name}", ticks, end)
        if unequal_state(playing[0].state(), playing[1].state()):
            return ticks
    return None


def first_difference(
    a: Subject, b: Subject, case: Case, differ_by: int, progress: Progress
) -> Difference:
    """Find where two targets part.

    Both play the case up to where they differ, and once more without the last tick. If they differ
    even then, the number of ticks is bisected. Each time everything is compared, weights included.
    A difference that disappears after some ticks is found if `differ_after` found it.

    Parameters
    ----------
    a, b, case:
        Two targets and the case that they play.
    differ_by:
        Number of ticks after which they differ.
    progress:
        Called each time the case is played.

    Raises
    ------
    NotReproducible
        The targets do not differ again.
    SpiketwinError
        As the methods of the cores.
    """
    cycles = same_sizes(a, b)
    same, most, done = -1, differ_by.bit_length() + 2, 0

    def after(ticks: int) -> tuple[Behaviour, Behaviour]:
        nonlocal done
        progress("first difference", done, most)
        done += 1
        return both_after(a, b, case, ticks)

    found = after(differ_by)
    if not unequal(*found, cycles):
        raise NotReproducible(
            f"{a.name} and {b.name} differed in one run and not in the next: one of them is not "
            "deterministic. Run `spiketwin selftest` on each"
        )
    ticks = differ_by - 1
    while differ_by - same > 1:
        behaviour = after(ticks)
        if not unequal(*behaviour, cycles):
            same = ticks
        else:
            differ_by, found = ticks, behaviour
        ticks = (same + differ_by) // 2
    return _named(a, b, case, differ_by, found)


def _named(
    a: Subject, b: Subject, case: Case, ticks: int, found: tuple[Behaviour, Behaviour]
) -> Difference:
    """Return the difference between two behaviours of `ticks` ticks that is in none of fewer."""
    names = a.name, b.name
    tick = ticks - 1
    n_neurons = max(a.core.params.n_neurons, b.core.params.n_neurons)
    values = [_values(behaviour, tick, n_neurons) for behaviour in found]
    marked = _marked(values[0], values[1], same_sizes(a, b))
    counts = {field: int(np.count_nonzero(marked[field])) for field in FIELDS if field in marked}
    causes = _without_consequences(marked)
    field = next(field for field in FIELDS if field in causes and causes[field].any())
    place = tuple(np.argwhere(causes[field])[0].tolist())
    both = dict(zip(names, (int(each[field][place]) for each in values), strict=True))
    source, neuron = None, None
    per = next((v.per for v in CHANGED_IN_TICKS if v.name == field), Per.NEURON)
    if per is Per.SYNAPSE:
        source, neuron = place
    elif per is Per.SOURCE:
        (source,) = place
    elif per is Per.RELAY_WORD:
        source = case.network.n_sources + place[0]
    elif place:
        (neuron,) = place
    return Difference(
        tick=tick if ticks else None,
        cycle=_cycle(found, tick, field, neuron) if ticks else None,
        field=field,
        source=source,
        neuron=neuron,
        part=_part(case.network, source, neuron),
        values=both,
        elements={field: count for field, count in counts.items() if count},
        around=_window((a, b), case, tick, field, place, n_neurons) if ticks else None,
    )


def _part(net: Network, source: int | None, neuron: int | None) -> str | None:
    """Return the names of the projections of a synapse, or of the population of one end."""
    if net.all_to_all:
        return None
    if source is not None and neuron is not None:
        names = [
            each.name
            for each in net.projections
            if source in each.pairs.sources and neuron in each.pairs.neurons
        ]
        return ", ".join(names) or None
    if source is not None and source < net.n_axons:
        return AXONS
    if source is not None and source >= net.n_sources:
        return "the relays"
    number = neuron if source is None else source - net.n_axons
    populations = (each.name for each in net.populations if number in each.neurons)
    return next(populations, None)


def _values(behaviour: Behaviour, tick: int, n_neurons: int) -> dict[str, IntArray]:
    """Return all values that can differ after a tick; below tick 0 no spikes and no cycles."""
    run, values = behaviour.run, dict(behaviour.held)
    if tick < 0:
        return values
    fired = run.spikes[:, 0] == tick
    cycle = np.full(n_neurons, NO_SPIKE)
    cycle[run.spikes[fired, 1]] = run.spike_cycles[fired]
    if run.digests is not None:
        values["digest"] = np.array(run.digests[tick], np.int64)
    return values | {
        "spike": (cycle != NO_SPIKE).astype(np.int64),
        "spike_cycle": cycle,
        "update_cycle": np.array(run.update_cycles[tick]),
        "cycles": np.array(run.cycles[tick]),
    }


Marked = dict[str, NDArray[np.bool_]]
"""Flags of the elements that differ, by field."""


def _marked(a: dict[str, IntArray], b: dict[str, IntArray], cycles: bool) -> Marked:
    """Flag the elements that differ, those of cycles only if `cycles` is set."""
    return {
        field: np.asarray(a[field] != b[field])
        for field in a
        if cycles or field not in _COUNTS_OF_CYCLES
    }


def _without_consequences(marked: Marked) -> Marked:
    """Remove differences that only follow from a neuron having fired in one target alone."""
    causes = {field: elements.copy() for field, elements in marked.items()}
    if "spike" in marked:
        fired = marked["spike"]
        for field in causes.keys() & set(_FOLLOWS_FROM_A_SPIKE):
            elements = causes[field]
            elements[..., fired[: elements.shape[-1]]] = False
    return causes


def _cycle(found: tuple[Behaviour, Behaviour], tick: int, field: str, neuron: int | None) -> int:
    """Return the cycle of the run at which a tick began, or at which a spike in it left."""
    run = found[0].run
    begin = int(run.cycles[:tick].sum())
    if field not in ("spike", "spike_cycle"):
        return begin
    left = [
        behaviour.run.spike_cycles[(behaviour.run.spikes == (tick, neuron)).all(axis=1)]
        for behaviour in found
    ]
    return begin + int(np.concatenate(left)[0])


def _window(
    subjects: tuple[Subject, Subject],
    case: Case,
    tick: int,
    field: str,
    place: tuple[int, ...],
    n_neurons: int,
) -> DifferenceWindow:
    begin, end = max(0, tick - _AROUND), min(case.ticks, tick + _AROUND + 1)
    spikes: dict[str, list[list[int]]] = {}
    values: dict[str, list[int]] = {}
    for subject in subjects:
        playback = subject.begin(case, have_digests(*subjects, case))
        playback.to(begin)
        spikes[subject.name], values[subject.name] = [], []
        for after in range(begin + 1, end + 1):
            behaviour = Behaviour(playback.to(after), playback.held())
            spikes[subject.name].append(behaviour.run.spikes[:, 1].tolist())
            values[subject.name].append(int(_values(behaviour, 0, n_neurons)[field][place]))
    return DifferenceWindow(list(range(begin, end)), spikes, values)
