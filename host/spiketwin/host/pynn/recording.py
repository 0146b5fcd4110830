"""The recordings of a population, kept by the host and handed out as Neo blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyNN import recording

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.sources import Spikes, joined

Reals = NDArray[np.float64]

SPIKES = "spikes"


class _Cache(recording.DataCache):
    """The segments of before the last reset, handed out as copies, which PyNN and Neo change."""

    def __iter__(self) -> Iterator[Any]:
        return iter(deepcopy(self._data))


class Recorder(recording.Recorder):
    """The recorder of one population.

    Spikes are those of cells that were recorded when they spiked. A signal has a sample for every
    tick from where its recording began, or data were last cleared, and one before them.
    """

    _simulator = simulator

    def __init__(self, population: Any, file: Any = None) -> None:
        super().__init__(population, file)
        self.cache = _Cache()
        self._parts: list[Spikes] = []
        self._signals: dict[str, list[Reals]] = {}
        self._interval = 1

    def _record(
        self, variable: Any, new_ids: Iterable[Any], sampling_interval: float | None = None
    ) -> None:
        if sampling_interval is not None:
            dt = simulator.state.dt
            if isinstance(sampling_interval, bool) or not np.isfinite(sampling_interval):
                raise InvalidInput(
                    f"sampling_interval must be a number of ms, not {sampling_interval}"
                )
            ticks = round(sampling_interval / dt)
            if ticks < 1 or abs(ticks * dt - sampling_interval) > 1e-6 * dt:
                raise InvalidInput(
                    f"sampling_interval must be a multiple of the time step of {dt} ms, not "
                    f"{sampling_interval}"
                )
            self.sampling_interval, self._interval = sampling_interval, ticks
        if variable.name != SPIKES and not self._signals.get(variable.name):
            # Samples of before are not known: they are not numbers.
            size = self.population.size
            before = simulator.state.tick - self._first_tick
            self._signals[variable.name] = [np.full((before, size), np.nan)] if before else []

    def get(
        self, variables: Any, gather: bool = False, filter_ids: Any = None, clear: bool = False,
        annotations: Any = None, locations: Any = None,
    ) -> Any:  # fmt: skip
        """Return what was recorded of some variables, or of ``"all"``."""
        names = [variables] if isinstance(variables, str) else list(variables)
        known = self.population.celltype.recordable
        for name in names:
            # Old calls ask for the conductances of any cell, which then are none.
            if name not in (*known, "all", "gsyn_exc", "gsyn_inh"):
                raise InvalidInput(
                    f"{self.population.label} has no variable {shown(name)}: there are "
                    f"{', '.join(known)}, and 'all'"
                )
        return super().get(variables, gather, filter_ids, clear, annotations, locations)

    @property
    def _first_tick(self) -> int:
        return round(float(self._recording_start_time) / simulator.state.dt)

    def members(self, variable: str) -> IntArray:
        """Return the indices of the cells whose variable is recorded, ascending."""
        key = recording.Variable(variable, None, None)
        ids = sorted(self.recorded[key]) if key in self.recorded else []
        return np.array([self.population.id_to_index(each) for each in ids], np.int64)

    def signals(self) -> list[str]:
        """Return the names of the signals that are recorded."""
        return [each.name for each in self.recorded if each.name != SPIKES and self.recorded[each]]

    def lacks_first(self, variable: str) -> bool:
        """Return whether the sample from before the next tick is missing."""
        held = sum(map(len, self._signals.get(variable, [])))
        return held <= simulator.state.tick - self._first_tick

    def add_spikes(self, spikes: Spikes) -> None:
        """Add spikes of the population; those of recorded cells are kept."""
        chosen = self.members(SPIKES)
        if chosen.size:
            self._parts.append(spikes.of(np.isin(spikes.members, chosen)))

    def add_samples(self, variable: str, samples: Reals) -> None:
        """Add samples of a signal, shape (ticks, cells), of the cells of `members`."""
        rows = np.full((len(samples), self.population.size), np.nan)
        rows[:, self.members(variable)] = samples
        self._signals.setdefault(variable, []).append(rows)

    def restart(self) -> None:
        """Forget the data since the last reset, which are in PyNN's cache."""
        self._parts = []
        self._signals = {}

    def _get_spiketimes(self, ids: Any, clear: bool = False) -> dict[int, Reals]:
        first = self.population.first_id
        self._parts = [joined(self._parts)]
        (spikes,) = self._parts
        return {
            int(each): spikes.times[spikes.members == int(each) - int(first)]
            for each in np.atleast_1d(ids)
        }

    def _get_all_signals(
        self, variable: Any, ids: list[Any], clear: bool = False
    ) -> tuple[Reals, None]:
        chosen = [self.population.id_to_index(each) for each in ids]
        held = self._signals.get(variable.name) or [np.empty((0, self.population.size))]
        return np.concatenate(held)[:: self._interval, chosen], None

    def _local_count(self, variable: Any, filter_ids: Any = None) -> dict[int, int]:
        ids = self.filter_recorded(variable, filter_ids)
        return {int(each): len(times) for each, times in self._get_spiketimes(sorted(ids)).items()}

    def _clear_simulator(self) -> None:
        """Forget what was handed out; the last sample is the first one of what follows."""
        self._parts = []
        self._signals = {
            name: [np.concatenate(held)[-1:]] if held else []
            for name, held in self._signals.items()
        }

    def _reset(self) -> None:
        self.restart()
