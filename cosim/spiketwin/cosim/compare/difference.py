"""Where two targets part: the first tick after which anything differs, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.matching import parting_tick
from spiketwin.cosim.compare.subject import Outcome, Subject
from spiketwin.hdl.spec.variables import CHANGED_IN_TICKS, Per, names
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import SpiketwinError

FIELDS: Final = (
    *(name for name in names(CHANGED_IN_TICKS) if name != "pending"),
    "spike", "spike_cycle", "pending", "update_cycle", "cycles", "digest",
)  # fmt: skip
"""What can differ after a tick, causes before what follows from them (`Difference`)."""

_FOLLOWS_FROM_A_SPIKE: Final = (
    *names(v for v in CHANGED_IN_TICKS if v.per is Per.SYNAPSE or v.writer in ("neurons", "fired")),
    "spike_cycle",
)
"""What differs of a neuron, its incoming weights included, if it fired in one target alone."""

_COUNTS_OF_CYCLES: Final = ("spike_cycle", "update_cycle", "cycles")

_AROUND: Final = 3
"""Ticks shown before a difference, and after it."""

NO_SPIKE: Final = -1
"""The `spike_cycle` of a neuron that did not fire."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is of it."""


class NotReproducible(SpiketwinError):
    """Two targets differed in one run and not in the next: one of them is not deterministic."""


@dataclass(frozen=True, eq=False)
class Window:
    """The few ticks around a difference, for each of two targets by its name.

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
class Difference:
    """The first difference of two targets.

    Of all that differs after the tick, it is what the rest can follow from: if a neuron fired in
    one target alone, its own state and incoming weights are set aside; then the first of `FIELDS`
    is taken, and the first of its elements.

    Attributes
    ----------
    tick:
        The first tick after which anything differs; None if it does before the first one.
    cycle:
        Cycle of the run, counted from its beginning, at which the tick began, or at which the
        spike left if the field is ``spike`` or ``spike_cycle``; None without a tick.
    field:
        One of `FIELDS`: a name of the state, ``weight``, ``spike`` (1 if the neuron fired),
        ``spike_cycle`` (cycle in the tick at which it left), ``update_cycle`` (cycle in the tick
        at which *Update* began), ``cycles`` (of the tick) or ``digest`` (of what it wrote).
    source, neuron:
        The element: both for a synapse, one for a trace or a neuron, none for the last three
        fields.
    values:
        Its value in each of the two targets, by name.
    elements:
        Elements that differ after the tick, by field.
    around:
        The ticks around it; None without a tick.
    """

    tick: int | None
    cycle: int | None
    field: str
    source: int | None
    neuron: int | None
    values: dict[str, int]
    elements: dict[str, int]
    around: Window | None

    @property
    def element(self) -> str:
        """Which element it is, in words; empty for what the core has but one of."""
        if self.source is not None and self.neuron is not None:
            return f"synapse ({self.source}, {self.neuron})"
        if self.source is not None:
            return f"source {self.source}"
        return "" if self.neuron is None else f"neuron {self.neuron}"

    def figures(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return vars(self) | {"around": self.around and vars(self.around)}


def equal(a: Outcome, b: Outcome, cycles: bool) -> bool:
    """Whether two outcomes of the same ticks are the same, with their cycles if these count.

    Digests count where both have them.
    """
    return _first_in_runs(a, b, cycles) is None and _same(a.held, b.held)


def differ_after(
    a: Subject,
    b: Subject,
    case: Case,
    outcomes: tuple[Outcome, Outcome],
    every: int,
    progress: Progress,
) -> int | None:
    """Give a number of ticks after which two targets differ; None if they are equal throughout.

    It is the least after which spikes, cycles or digests differ. Where their digests cannot be
    compared, all state is: side by side, every so many ticks, and weights in the end alone.

    Parameters
    ----------
    a, b, case:
        Two targets and what they play.
    outcomes:
        Their outcomes of the whole of it.
    every:
        Ticks between two comparisons of all state.
    progress:
        Told of the ticks compared.

    Raises
    ------
    SpiketwinError
        As the methods of the cores.
    """
    in_runs = _first_in_runs(outcomes[0], outcomes[1], a.core.params == b.core.params)
    end = case.ticks if in_runs is None else in_runs + 1
    if have_digests(a, b):
        unequal = _differ_in_digests(a, b, case, end, progress)
    else:
        unequal = _differ_in_state(a, b, case, end, every, progress)
    if unequal is not None:
        return unequal
    return None if in_runs is None and _same(outcomes[0].held, outcomes[1].held) else end


def have_digests(a: Subject, b: Subject) -> bool:
    """Whether two targets have digests, and the same ones for the same state."""
    return a.core.params.digests_alike(b.core.params)


def both_after(a: Subject, b: Subject, case: Case, ticks: int) -> tuple[Outcome, Outcome]:
    """Play the first `ticks` ticks of a case on two targets, with digests where they have them."""
    digests = have_digests(a, b)
    return a.after(case, ticks, digests=digests), b.after(case, ticks, digests=digests)


def _differ_in_digests(
    a: Subject, b: Subject, case: Case, end: int, progress: Progress
) -> int | None:
    told = []
    for done, each in enumerate((a, b)):
        progress(f"digests of {a.name} and {b.name}", done, 2)
        told.append(each.begin(case, digests=True).to(end).digests)
    parted = np.flatnonzero(told[0] != told[1])
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
        if not _same(playing[0].state(), playing[1].state()):
            return ticks
    return None


def first_difference(
    a: Subject, b: Subject, case: Case, unequal: int, progress: Progress
) -> Difference:
    """Find where two targets part.

    Both play the case up to where they differ, and once more without the last tick. Should they
    differ even then, the number of ticks is bisected. Each time all of it is compared, weights
    included. What differs for some ticks and then no more is found if `differ_after` saw it.

    Parameters
    ----------
    a, b, case:
        Two targets and what they play.
    unequal:
        Number of ticks after which they differ.
    progress:
        Told of each time.

    Raises
    ------
    NotReproducible
        They do not differ again.
    SpiketwinError
        As the methods of the cores.
    """
    cycles = a.core.params == b.core.params
    same, most, done = -1, unequal.bit_length() + 2, 0

    def after(ticks: int) -> tuple[Outcome, Outcome]:
        nonlocal done
        progress("first difference", done, most)
        done += 1
        return both_after(a, b, case, ticks)

    found = after(unequal)
    if equal(*found, cycles):
        raise NotReproducible(
            f"{a.name} and {b.name} differed in one run and not in the next: one of them is not "
            "deterministic. Run `spiketwin selftest` on each"
        )
    ticks = unequal - 1
    while unequal - same > 1:
        outcome = after(ticks)
        if equal(*outcome, cycles):
            same = ticks
        else:
            unequal, found = ticks, outcome
        ticks = (same + unequal) // 2
    return _named(a, b, case, unequal, found)


def _same(a: dict[str, IntArray], b: dict[str, IntArray]) -> bool:
    return all(np.array_equal(values, b[name]) for name, values in a.items())


def _first_in_runs(a: Outcome, b: Outcome, cycles: bool) -> int | None:
    """First tick of which two runs tell anything different; None if there is none."""
    parted = parting_tick(a.run.spikes, b.run.spikes)
    ticks: list[int] = [] if parted is None else [parted]
    if a.run.digests is not None and b.run.digests is not None:
        ticks += np.flatnonzero(a.run.digests != b.run.digests)[:1].tolist()
    if cycles:
        for name in ("cycles", "update_cycles"):
            ticks += np.flatnonzero(getattr(a.run, name) != getattr(b.run, name))[:1].tolist()
        shared = min(len(a.run.spikes), len(b.run.spikes))
        late = np.flatnonzero(a.run.spike_cycles[:shared] != b.run.spike_cycles[:shared])[:1]
        ticks += a.run.spikes[late, 0].tolist()
    return min(ticks, default=None)


def _named(
    a: Subject, b: Subject, case: Case, ticks: int, found: tuple[Outcome, Outcome]
) -> Difference:
    """Name what differs in two outcomes of so many ticks and in none of fewer."""
    names = a.name, b.name
    tick = ticks - 1
    n_neurons = max(a.core.params.n_neurons, b.core.params.n_neurons)
    values = [_values(outcome, tick, n_neurons) for outcome in found]
    unequal = _unequal(values[0], values[1], a.core.params == b.core.params)
    counts = {field: int(np.count_nonzero(unequal[field])) for field in FIELDS if field in unequal}
    causes = _without_consequences(unequal)
    field = next(field for field in FIELDS if field in causes and causes[field].any())
    place = tuple(np.argwhere(causes[field])[0].tolist())
    both = dict(zip(names, (int(each[field][place]) for each in values), strict=True))
    source, neuron = None, None
    per = next((v.per for v in CHANGED_IN_TICKS if v.name == field), Per.NEURON)
    if per is Per.SYNAPSE:
        source, neuron = place
    elif per is Per.SOURCE:
        (source,) = place
    elif place:
        (neuron,) = place
    return Difference(
        tick=tick if ticks else None,
        cycle=_cycle(found, tick, field, neuron) if ticks else None,
        field=field,
        source=source,
        neuron=neuron,
        values=both,
        elements={field: count for field, count in counts.items() if count},
        around=_window((a, b), case, tick, field, place, n_neurons) if ticks else None,
    )


def _values(outcome: Outcome, tick: int, n_neurons: int) -> dict[str, IntArray]:
    """Give all that can differ after a tick; a tick below 0 has no spikes and no cycles."""
    run, values = outcome.run, dict(outcome.held)
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


Unequal = dict[str, NDArray[np.bool_]]


def _unequal(a: dict[str, IntArray], b: dict[str, IntArray], cycles: bool) -> Unequal:
    """Mark the elements that differ."""
    return {
        field: np.asarray(a[field] != b[field])
        for field in a
        if cycles or field not in _COUNTS_OF_CYCLES
    }


def _without_consequences(unequal: Unequal) -> Unequal:
    """Set aside what differs because a neuron fired in one target alone."""
    causes = {field: marked.copy() for field, marked in unequal.items()}
    if "spike" in unequal:
        fired = unequal["spike"]
        for field in causes.keys() & set(_FOLLOWS_FROM_A_SPIKE):
            marked = causes[field]
            marked[..., fired[: marked.shape[-1]]] = False
    return causes


def _cycle(found: tuple[Outcome, Outcome], tick: int, field: str, neuron: int | None) -> int:
    """Cycle of the run at which a tick began, or at which a spike in it left."""
    run = found[0].run
    begin = int(run.cycles[:tick].sum())
    if field not in ("spike", "spike_cycle"):
        return begin
    left = [
        outcome.run.spike_cycles[(outcome.run.spikes == (tick, neuron)).all(axis=1)]
        for outcome in found
    ]
    return begin + int(np.concatenate(left)[0])


def _window(
    subjects: tuple[Subject, Subject],
    case: Case,
    tick: int,
    field: str,
    place: tuple[int, ...],
    n_neurons: int,
) -> Window:
    begin, end = max(0, tick - _AROUND), min(case.ticks, tick + _AROUND + 1)
    spikes: dict[str, list[list[int]]] = {}
    values: dict[str, list[int]] = {}
    for subject in subjects:
        playback = subject.begin(case, have_digests(*subjects))
        playback.to(begin)
        spikes[subject.name], values[subject.name] = [], []
        for after in range(begin + 1, end + 1):
            outcome = Outcome(playback.to(after), playback.held())
            spikes[subject.name].append(outcome.run.spikes[:, 1].tolist())
            values[subject.name].append(int(_values(outcome, 0, n_neurons)[field][place]))
    return Window(list(range(begin, end)), spikes, values)
