"""The smallest case in which two targets still differ, found by delta debugging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import (
    Difference,
    NotReproducible,
    both_after,
    first_difference,
    same_sizes,
)
from spiketwin.cosim.compare.equality import unequal
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Per
from spiketwin.host import Network
from spiketwin.host.elements import IntArray
from spiketwin.host.network import ARRAYS, SETTINGS
from spiketwin.host.progress import Progress
from spiketwin.host.stimuli import between

MOST_RUNS: Final = 1000
"""Most cases that are tried."""

_SILENT: Final = {p.name: p.default for p in VECTOR_PARAMETERS if p.per is Per.NEURON}
"""Parameters of a silenced neuron: the defaults of `Network`."""

_OF_SYNAPSES: Final = tuple(name for name, v in ARRAYS.items() if v.per is Per.SYNAPSE)

_Part = TypeVar("_Part")


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A small case in which two targets differ.

    Attributes
    ----------
    case:
        The case; its network ends with the last neuron and axon in use.
    difference:
        The first difference in it, which need not be the one that the search began with.
    runs:
        Cases that were tried.
    whole:
        Whether the search was completed: no further part can be removed by itself.
    """

    case: Case
    difference: Difference
    runs: int
    whole: bool


def shrink(
    a: Subject, b: Subject, case: Case, found: Difference, progress: Progress,
    most_runs: int = MOST_RUNS,
) -> Shrunk:  # fmt: skip
    """Remove ticks, events, neurons, synapses and settings as long as two targets differ.

    This is delta debugging after Zeller and Hildebrandt (*IEEE Trans. Softw. Eng.* 28:183, 2002):
    halves are removed first, then quarters, down to single parts. Nothing is random, so the same
    difference always leads to the same case.

    Parameters
    ----------
    a, b, case, found:
        Two targets, the case, and their first difference in it.
    progress:
        Called with the number of cases tried.
    most_runs:
        Most cases that are tried.

    Raises
    ------
    NotReproducible
        The targets do not differ again, or not without the clears of state of the case.
    SpiketwinError
        As the methods of the cores.
    """
    search = _Search(a, b, progress, most_runs)
    small = next((each for each in _beginnings(a, case, found) if search.differ(each)), None)
    if small is None:
        raise NotReproducible(
            f"{a.name} and {b.name} do not differ in what a file can hold: either one of them is "
            "not deterministic, or it matters that state is cleared in between"
        )
    before = None
    while before != small.size and not search.over:
        before = small.size
        for fewer in (
            _fewer_projections, _fewer_delays, _fewer_neurons, _fewer_ticks, _fewer_events,
            _fewer_biases, _fewer_weights, _fewer_settings,
        ):  # fmt: skip
            small = fewer(small, search.still_differ)
    whole = not search.over
    cut = _cut(small)
    if search.differ(cut):
        small = cut
    final = search.case(small)
    return Shrunk(
        final, first_difference(a, b, final, final.ticks, progress), runs=search.runs, whole=whole
    )


@dataclass(frozen=True, eq=False)
class _Small:
    """A candidate for the smallest case, in the form in which a file holds it."""

    network: Network
    events: IntArray
    biases: IntArray
    ticks: int

    @property
    def size(self) -> tuple[int, ...]:
        net = self.network
        settings = sum(
            bool(np.any(getattr(net, name) != value)) for name, value in _usual_settings().items()
        )
        neurons = sum(int((getattr(net, n) != v).sum()) for n, v in _SILENT.items())
        neurons += sum(int(np.count_nonzero(each)) for each in net.start.values())
        delays = sum(each.delay > 0 for each in net.projections)
        return (
            self.ticks, len(self.events), len(self.biases), len(net.projections), delays,
            net.n_weights, net.n_plastic, neurons, settings,
        )  # fmt: skip

    def changed(self, **attributes: Any) -> _Small:
        """Return the candidate with other attributes of the network."""
        network = self.network.copy()
        for name, value in attributes.items():
            setattr(network, name, value)
        return replace(self, network=network)


def _beginnings(a: Subject, case: Case, found: Difference) -> Iterator[_Small]:
    """Yield candidates that end with the first difference, those without earlier ticks first.

    If state is cleared in the case, the first candidate begins with the last clear before the
    difference, with the weights learned up to there.
    """
    end = 1 if found.tick is None else found.tick + 1
    if case.clear_every and end > case.clear_every:
        begin = (end - 1) // case.clear_every * case.clear_every
        a.after(case, begin)
        learned = case.network.copy()
        learned.start = {}
        for was, now in zip(case.network.projections, learned.projections, strict=True):
            if was.constant is None:
                now.weights = a.core.read_weights(was)
        if learned.all_to_all:
            learned.weights = a.core.read_weights()
        if len(case.biases):
            learned.bias = a.core.read_parameters()["bias"]
        yield _beginning(case, learned, begin, end)
    yield _beginning(case, case.network, 0, end)


def _beginning(case: Case, network: Network, begin: int, end: int) -> _Small:
    spikes, biases = (between(rows, begin, end) for rows in (case.spikes, case.biases))
    return _Small(network, spikes, biases, end - begin)


_Differ = Callable[[_Small], bool]


class _Search:
    """Tries candidates on both targets, as long as there are runs left."""

    def __init__(self, a: Subject, b: Subject, progress: Progress, most_runs: int) -> None:
        self.runs = 0
        self._a, self._b = a, b
        self._progress = progress
        self._most_runs = most_runs

    @property
    def over(self) -> bool:
        """Whether no run is left."""
        return self.runs >= self._most_runs

    def case(self, small: _Small) -> Case:
        """Make the case of a candidate."""
        sizes = self._a.core.params
        return Case.of(small.network, sizes, small.events, small.ticks, small.biases)

    def differ(self, small: _Small) -> bool:
        """Return whether the targets differ in a candidate."""
        self.runs += 1
        self._progress("shrinking", min(self.runs, self._most_runs), self._most_runs)
        case = self.case(small)
        found = both_after(self._a, self._b, case, case.ticks)
        return bool(unequal(*found, cycles=same_sizes(self._a, self._b)))

    def still_differ(self, small: _Small) -> bool:
        """Return whether the targets differ in a candidate, or False once no run is left."""
        return not self.over and self.differ(small)


def _minimal(parts: Sequence[_Part], needed: Callable[[list[_Part]], bool]) -> list[_Part]:
    """Remove parts while those that are kept satisfy `needed` (delta debugging)."""
    kept, size = list(parts), len(parts) // 2
    if kept and needed([]):
        return []
    while size >= 1:
        begin = 0
        while begin < len(kept):
            fewer = kept[:begin] + kept[begin + size :]
            if len(fewer) < len(kept) and needed(fewer):
                kept = fewer
            else:
                begin += size
        size //= 2
    return kept


def _fewer_events(small: _Small, differ: _Differ) -> _Small:
    def only(rows: list[int]) -> _Small:
        return replace(small, events=small.events[rows])

    return only(_minimal(range(len(small.events)), lambda rows: differ(only(rows))))


def _fewer_biases(small: _Small, differ: _Differ) -> _Small:
    def only(rows: list[int]) -> _Small:
        return replace(small, biases=small.biases[rows])

    kept = range(len(small.biases))
    return only(_minimal(kept, lambda rows: differ(only(rows)))) if kept else small


def _fewer_ticks(small: _Small, differ: _Differ) -> _Small:
    """Remove ticks with their events, and move later ticks forward."""

    def only(ticks: list[int]) -> _Small:
        events, biases = (_moved(rows, ticks) for rows in (small.events, small.biases))
        return replace(small, events=events, biases=biases, ticks=max(1, len(ticks)))

    return only(_minimal(range(small.ticks), lambda ticks: differ(only(ticks))))


def _moved(rows: IntArray, ticks: list[int]) -> IntArray:
    """Return the events of these ticks, which follow each other now."""
    kept = rows[np.isin(rows[:, 0], ticks)]
    kept[:, 0] = np.searchsorted(ticks, kept[:, 0])
    return kept


def _fewer_projections(small: _Small, differ: _Differ) -> _Small:
    """Remove projections of a network of populations."""

    def only(numbers: list[int]) -> _Small:
        network = small.network.copy()
        network.projections = tuple(network.projections[number] for number in numbers)
        return replace(small, network=network)

    numbers = range(len(small.network.projections))
    return only(_minimal(numbers, lambda kept: differ(only(kept)))) if numbers else small


def _fewer_delays(small: _Small, differ: _Differ) -> _Small:
    """Set delays of projections to 0."""
    delayed = [k for k, each in enumerate(small.network.projections) if each.delay]

    def only(numbers: list[int]) -> _Small:
        fewer = small.changed()
        for number in set(delayed) - set(numbers):
            fewer.network.projections[number].delay = 0
        return fewer

    return only(_minimal(delayed, lambda kept: differ(only(kept)))) if delayed else small


def _fewer_neurons(small: _Small, differ: _Differ) -> _Small:
    """Silence neurons: no weights from and to them, but constant ones, and default parameters."""
    net = small.network
    everything = range(net.n_neurons)

    def only(neurons: list[int]) -> _Small:
        silent = np.ones(net.n_neurons, np.bool_)
        silent[neurons] = False
        arrays = {
            name: np.where(silent, value, getattr(net, name)) for name, value in _SILENT.items()
        }
        start = {name: np.where(silent, 0, each) for name, each in net.start.items()}
        fewer = small.changed(**arrays, start=start)
        for block in fewer.network.blocks:
            if block.constant is not None:
                continue
            for matrix in (block.weights, block.plastic):
                matrix[:, silent[block.target.neurons]] = 0
                if not block.source.of_axons:
                    matrix[silent[block.source.neurons]] = 0
        return fewer

    return only(_minimal(everything, lambda neurons: differ(only(neurons))))


def _fewer_weights(small: _Small, differ: _Differ) -> _Small:
    """Set weights and delays of synapses to 0 and clear plastic flags, in whole rows first."""
    for name in _OF_SYNAPSES:
        rows = [
            (number, (row, slice(None)))
            for number, whole in _arrays(small, name)
            for row in np.flatnonzero(whole.any(axis=1)).tolist()
        ]
        small = _only(small, name, rows, differ)
        cells = [
            (number, tuple(cell))
            for number, whole in _arrays(small, name)
            for cell in np.argwhere(whole).tolist()
        ]
        small = _only(small, name, cells, differ)
    return small


def _arrays(small: _Small, name: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield number and array of those projections that are not constant."""
    for number, block in enumerate(small.network.blocks):
        if block.constant is None:
            yield number, getattr(block, name)


def _only(small: _Small, name: str, places: list[tuple[int, Any]], differ: _Differ) -> _Small:
    """Keep only those entries of the arrays of projections that are needed.

    `places` are the numbers of projections, each with an index into its array.
    """
    wholes = dict(_arrays(small, name))

    def only(kept: list[tuple[int, Any]]) -> _Small:
        fewer = small.changed()
        arrays = dict(_arrays(fewer, name))  # views of what the network has
        for array in arrays.values():
            array[...] = 0
        for number, place in kept:
            arrays[number][place] = wholes[number][place]
        return fewer

    return only(_minimal(places, lambda kept: differ(only(kept))))


def _fewer_settings(small: _Small, differ: _Differ) -> _Small:
    """Set settings, and single parameters of neurons, to their defaults."""
    for name, value in _usual_settings().items():
        if np.any(getattr(small.network, name) != value):
            usual = small.changed(**{name: value})
            small = usual if differ(usual) else small
    for name, value in _SILENT.items():
        usual = small.changed(**{name: np.full(small.network.n_neurons, value)})
        if usual.size != small.size and differ(usual):
            small = usual
    for name in small.network.start:
        others = {n: each for n, each in small.network.start.items() if n != name}
        usual = small.changed(start=others)
        small = usual if differ(usual) else small
    return small


def _usual_settings() -> dict[str, Any]:
    """Return the default settings of a network, without the bounds, which could cross."""
    defaults = {field.name: field.default for field in fields(Network)}
    return {name: defaults[name] for name in SETTINGS if name not in ("w_min", "w_max")}


def _cut(small: _Small) -> _Small:
    """Remove the neurons and axons after the last ones in use."""
    net = small.network
    if not net.all_to_all:
        return _cut_populations(small)
    linked = net.weights.astype(np.bool_) | net.plastic
    special = _special(net)
    special[small.biases[:, 1]] = True
    used = np.stack([linked.any(axis=0), linked[net.n_axons :].any(axis=1), special])
    n_neurons = max(1, _length(used.any(axis=0)))
    played = int(small.events[:, 1].max(initial=-1)) + 1
    n_axons = max(played, _length(linked[: net.n_axons].any(axis=1)))
    sources = [*range(n_axons), *range(net.n_axons, net.n_axons + n_neurons)]
    return small.changed(
        n_axons=n_axons,
        n_neurons=n_neurons,
        **{name: getattr(net, name)[sources, :n_neurons] for name in _OF_SYNAPSES},
        source_profile=net.source_profile[sources],
        **{name: getattr(net, name)[:n_neurons] for name in _SILENT},
        start={name: each[:n_neurons] for name, each in net.start.items()},
    )


def _special(net: Network) -> NDArray[np.bool_]:
    """Return which neurons have parameters of their own, or begin with state."""
    own = [getattr(net, name) != value for name, value in _SILENT.items()]
    special: NDArray[np.bool_] = np.any([*own, *(each != 0 for each in net.start.values())], axis=0)
    return special


def _cut_populations(small: _Small) -> _Small:
    """Remove the unused populations, and the axons after the last used.

    A population is used if a projection has any of its neurons, or one has parameters of its own
    or a bias event.
    """
    net = small.network
    ends = [end for each in net.projections for end in (each.source, each.target)]
    axons = [end.first + end.size for end in ends if end.of_axons]
    played = int(small.events[:, 1].max(initial=-1)) + 1
    used = _special(net)
    used[small.biases[:, 1]] = True
    for end in ends:
        if not end.of_axons:
            used[end.neurons] = True
    kept = [each for each in net.populations if used[each.neurons].any()] or [net.populations[0]]
    settings = {name: getattr(net, name) for name in SETTINGS}
    fewer = Network(n_axons=max([played, *axons]), windows=net.windows, **settings)
    firsts = dict[int, int]()
    for each in kept:
        firsts |= dict(zip(each.neurons, range(fewer.n_neurons, MAX_LINES), strict=False))
        its = {name: getattr(net, name)[each.neurons] for name in _SILENT}
        fewer.population(each.size, name=each.name, **its)
    numbers = [*range(fewer.n_axons), *(source for each in kept for source in each.sources)]
    fewer.source_profile = net.source_profile[numbers]
    for projection in net.projections:
        source, target = (
            replace(end, network=fewer, first=end.first if end.of_axons else firsts[end.first])
            for end in (projection.source, projection.target)
        )
        fewer.project(source, target, **projection.keywords())
    kept_neurons = [neuron for each in kept for neuron in each.neurons]
    fewer.start = {name: each[kept_neurons] for name, each in net.start.items()}
    biases = small.biases.copy()
    biases[:, 1] = [firsts[neuron] for neuron in biases[:, 1].tolist()]
    return replace(small, network=fewer, biases=biases)


def _length(used: ArrayLike) -> int:
    """Return one more than the index of the last element that is in use."""
    places = np.flatnonzero(used)
    return int(places[-1]) + 1 if places.size else 0
