"""A session: the targets of a script from its first run to its reset or its end."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import MAX_SYNAPSE_DELAY_WIDTH
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput, SpiketwinWarning
from spiketwin.host.kinds import Target
from spiketwin.host.pynn.cells import RECORDED
from spiketwin.host.pynn.engines import Engine, PartResult, RunPart
from spiketwin.host.pynn.ideal import ADDRESS, IdealEngine
from spiketwin.host.pynn.model import Model, modelled
from spiketwin.host.pynn.on_core import OnCore, refuse_delays
from spiketwin.host.pynn.sources import Spikes, is_given, joined, made
from spiketwin.host.spikes import Saturations
from spiketwin.host.targets import takes_sizes

Reals = NDArray[np.float64]

_LONGEST: Final = 5000
"""Ticks of a part, after which the host takes what has come in."""


class Past:
    """The work that a target has done in a session.

    Attributes
    ----------
    spikes:
        Parts of its spikes, shape (m, 2): (tick, neuron); ticks count from the reset on.
    saturations:
        What saturated in each part.
    accounts:
        The accounts of the last run, for its ledger.
    """

    def __init__(self) -> None:
        self.spikes: list[IntArray] = []
        self.saturations: list[Saturations | None] = []
        self.accounts: list[Account] = []


class Session:
    """The targets of a script, which run the same network with the same input.

    Attributes
    ----------
    stale:
        Whether parameters changed since the network was programmed.
    rewritten:
        Projections whose weights were set since then.
    notes:
        What was warned of while the network was programmed.

    `ticks` are those of the first run: how many spikes it has at a time says how large a core is.
    """

    def __init__(self, state: Any, ticks: int) -> None:
        self._state = state
        self.engines: list[Engine] = []
        self.past: list[Past] = []
        self.stale = False
        self.rewritten: set[Any] = set()
        self.notes: list[str] = []
        self._coming: dict[Any, Spikes] = {}
        self._before: dict[Any, Spikes] = {}
        self._delays: dict[Any, Reals] = {}
        self._fetched = True
        self._broken = False
        try:
            # A network without neurons is only its sources, which the host makes.
            if not all(each.is_source for each in state.populations):
                self.engines = _engines(state.options.targets, state.options)
                self.past = [Past() for _ in self.engines]
            self.model: Model = modelled(state, self._span)
            self._make_room(ticks)
            self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def _span(self) -> int:
        """Different delays that synapses can have of their own on all targets."""
        built = [each.params for each in self.engines if not each.is_open]
        widths = [each.synapse_delay_width for each in built if each is not None]
        return 1 << min([MAX_SYNAPSE_DELAY_WIDTH, *widths])

    def _begin(self) -> None:
        currents = self._currents(self.model, self._state.tick, 1)
        with _noting(self.notes):
            for engine in self.engines:
                engine.begin(self.model, currents[0])
        self._state.fresh.clear()

    def run(self, ticks: int) -> None:
        """Run for so many ticks, after all changes that were made since the last run."""
        state = self._state
        if self._broken:
            raise InvalidInput(
                "the last run was broken off, and targets may be at different ticks: call reset()"
            )
        if self.engines:
            self._catch_up()
        for past in self.past:
            past.accounts.clear()
        self._note_off_grid()
        self._make_room(ticks)
        end = state.tick + ticks
        while state.tick < end:
            self._run_part(min(_LONGEST, end - state.tick))

    def _make_room(self, ticks: int) -> None:
        """Let all targets have room for the most events of a tick, before any of them runs."""
        if not self.engines:
            return
        tick, most = self._state.tick, 0
        for begin in range(tick, tick + ticks, _LONGEST):
            end = min(begin + _LONGEST, tick + ticks)
            events = self._arriving(self._spikes(begin, end), begin, end)
            most = max(most, int(np.bincount(events[:, 0]).max(initial=0)))
        # Each neuron that is driven may have another bias in every tick. All targets are asked
        # before any is programmed anew.
        changes = self._driven().size
        if short := [each for each in self.engines if each.make_room(most, changes)]:
            currents = self._currents(self.model, tick, 1)[0]
            with _noting(self.notes), self._at_work():
                for engine in short:
                    engine.go_on(self.model, currents, tick, ())

    def note(self, text: str) -> None:
        """Keep a note for the report, once."""
        if text not in self.notes:
            self.notes.append(text)

    def _note_off_grid(self) -> None:
        """Note the current sources that change between two ticks."""
        for source in self._state.currents:
            between = source.off_grid() if source.cells else np.empty(0)
            if between.size:
                self.note(
                    f"A {type(source).__name__} changes between two ticks, such as at "
                    f"{between[0]:g} ms, and its current with the next one: what begins and ends "
                    "between the same two does not act."
                )

    def will_change(self, population: Any) -> None:
        """Take note that parameters of sources are about to change, and of their spikes so far."""
        tick = self._state.tick
        if tick and population not in self._before and is_given(population):
            self._before[population] = made(population, self._state, 0, tick + 1)

    def will_delay(self, projection: Any) -> None:
        """Take note that delays are about to change, and of those so far."""
        self._delays.setdefault(projection, projection.held("delay").copy())

    def _check_delays(self, model: Model) -> None:
        """Raise `InvalidNetwork` if spikes of sources are on their way with delays that changed.

        The host delays them, so they would be lost, or sent twice.
        """
        tick = self._state.tick
        for projection, before in self._delays.items():
            if np.array_equal(before, projection.held("delay")):
                continue
            sources = {each.source for each in model.blocks if each.projection is projection}
            for source in sources & self._coming.keys():
                lates = [late for each, late in (*self.model.axons, *model.axons) if each is source]
                if self._coming[source].between(tick - max(lates, default=0), tick).ticks.size:
                    refuse_delays()
        self._delays.clear()

    def _note_missed(self) -> None:
        """Note the spikes that sources were given too late: for ticks that are over."""
        for population, before in self._before.items():
            now = made(population, self._state, 0, self._state.tick + 1)
            missed = now.without(before)
            if missed.times.size:
                self.note(
                    f"spike_times of {population.label} were set at {self._state.t:g} ms, and "
                    f"{missed.times.size} of them up to then, such as {missed.times[0]:g} ms, came "
                    "too late to be sent: set times before the run that reaches them."
                )
        self._before.clear()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Take note if targets are broken off, as not all of them are then where they were."""
        self._broken = True
        yield
        self._broken = False

    def _catch_up(self) -> None:
        """Program the network anew if it has changed, and set what was initialized."""
        state = self._state
        recorded = {name for each in state.recorders for name in each.signals()}
        two = not self.model.two_currents and recorded & {"isyn_exc", "isyn_inh"}
        if self.stale or two:
            model = modelled(state, self._span)
            self._check_delays(model)
            if model.two_currents and not self.model.two_currents:
                self.note(
                    f"From {state.t:g} ms on there are two currents: what was in the one of before "
                    "counts as excitatory, also what was inhibitory."
                )
            # Two currents stay two, as both may have something in them.
            both = model.two_currents or self.model.two_currents
            self.model = replace(model, two_currents=both)
            currents = self._currents(self.model, state.tick, 1)[0]
            with _noting(self.notes), self._at_work():
                for engine in self.engines:
                    engine.go_on(self.model, currents, state.tick, self.rewritten)
            self.stale = False
            self.rewritten.clear()
        for population, variable in sorted(state.fresh, key=lambda each: int(each[0].first_id)):
            if variable in RECORDED and not population.is_source:
                neurons = self._numbers(population, np.arange(population.size))
                for engine in self.engines:
                    engine.put(RECORDED[variable], neurons, population.initial(variable))
        state.fresh.clear()

    def _numbers(self, population: Any, members: IntArray) -> IntArray:
        return self.model.first(population) + members

    def _run_part(self, ticks: int) -> None:
        state, begin = self._state, self._state.tick
        events = self._events(begin, begin + ticks)
        if self.engines:
            part = self._part(begin, ticks, events)
            self._add_first_samples(part)
            with self._at_work():
                outcomes = [engine.run(part) for engine in self.engines]
            for past, outcome in zip(self.past, outcomes, strict=True):
                past.spikes.append(outcome.spikes + np.array([begin, 0]))
                past.saturations.append(outcome.saturations)
                past.accounts += outcome.accounts
            self._hand_out(part, outcomes[0])
            self._fetched = False
        state.tick += ticks

    def _events(self, begin: int, end: int) -> IntArray:
        """Make the spikes of sources, keep them, and return the axon events of the ticks."""
        # All are made before any is kept, as those of one may be wrong.
        coming = self._spikes(begin, end)
        self._note_missed()
        for population, spikes in coming.items():
            population.recorder.add_spikes(spikes.between(begin + 1 if begin else 0, end + 1))
        self._coming = coming
        return self._arriving(coming, begin, end)

    def _spikes(self, begin: int, end: int) -> dict[Any, Spikes]:
        """Return the spikes that sources have sent, or will, and that arrive in the ticks."""
        now = self._state.tick
        first = now + 1 if now else 0
        from_on = begin - max((late for _, late in self.model.axons), default=0)
        found = {}
        for population in self._state.populations:
            if population.is_source:
                sent = self._coming.get(population)
                new = made(population, self._state, max(first, from_on), end + 1)
                whole = new if sent is None else joined([sent, new])
                found[population] = whole.between(from_on, end + 1)
        return found

    def _arriving(self, spikes: dict[Any, Spikes], begin: int, end: int) -> IntArray:
        """Return the axon events of some ticks, ascending, counted from the first of them."""
        rows = [np.empty((0, 2), np.int64)]
        for population, late in self.model.axons:
            due = spikes[population].between(begin - late, end - late)
            axons = self.model.first_axon(population, late) + due.members
            rows.append(np.stack([due.ticks + late - begin, axons], axis=1))
        events = np.concatenate(rows)
        return events[np.lexsort((events[:, 1], events[:, 0]))]

    def _part(self, begin: int, ticks: int, events: IntArray) -> RunPart:
        recorded: dict[str, list[IntArray]] = {}
        for population in self.model.populations:
            for name in population.recorder.signals():
                members = population.recorder.members(name)
                numbers = self._numbers(population, members)
                recorded.setdefault(RECORDED[name], []).append(numbers)
        driven = self._driven()
        currents = self._currents(self.model, begin, ticks)[:, driven] if driven.size else None
        return RunPart(
            begin, ticks, events, driven,
            np.empty((ticks, 0)) if currents is None else currents,
            {name: np.concatenate(numbers) for name, numbers in recorded.items()},
        )  # fmt: skip

    def _driven(self) -> IntArray:
        """Return the numbers of the neurons that current sources inject into."""
        cells = {cell for each in self._state.currents for cell in each.cells}
        return np.array(sorted(self._number_of(cell) for cell in cells), np.int64)

    def _number_of(self, cell: Any) -> int:
        return int(self.model.first(cell.parent)) + int(cell.parent.id_to_index(cell))

    def _currents(self, model: Model, begin: int, ticks: int) -> Reals:
        """Return the constant current of every neuron in each tick, in nA, shape (ticks, n)."""
        found = np.broadcast_to(model.neurons.i_offset, (ticks, len(model.neurons)))
        sources = [each for each in self._state.currents if each.cells]
        if not sources:
            return found
        currents = found.copy()
        for source in sources:
            its = source.current(np.arange(begin, begin + ticks))
            for cell in source.cells:
                currents[:, self._number_of(cell)] += its
        return currents

    def _add_first_samples(self, part: RunPart) -> None:
        """Add the samples from before the first tick, where a recording begins."""
        for population in self.model.populations:
            recorder = population.recorder
            for name in recorder.signals():
                if recorder.lacks_first(name):
                    numbers = self._numbers(population, recorder.members(name))
                    samples = self.engines[0].get(RECORDED[name], numbers)
                    recorder.add_samples(name, samples[None])

    def _hand_out(self, part: RunPart, outcome: PartResult) -> None:
        """Give each recorder what its population did on the first target."""
        dt = self.model.dt
        places = dict.fromkeys(part.recorded, 0)
        for population in self.model.populations:
            first = self.model.first(population)
            own = outcome.spikes[:, 1] - first
            chosen = (own >= 0) & (own < population.size)
            ticks = outcome.spikes[chosen, 0] + part.begin + 1
            population.recorder.add_spikes(Spikes(ticks, own[chosen], ticks * dt))
            for name in population.recorder.signals():
                size = len(population.recorder.members(name))
                key = RECORDED[name]
                columns = slice(places[key], places[key] + size)
                population.recorder.add_samples(name, outcome.samples[key][:, columns])
                places[key] += size

    def fetch_learned(self) -> None:
        """Let projections take over the weights that the first target has learned."""
        if self._fetched or self._broken or not self.engines:
            return
        self._fetched = True
        for projection, rows, weights in self.engines[0].learned():
            if projection not in self.rewritten:
                projection.learned(rows, weights)

    def close(self) -> None:
        """Fetch what was learned, and close all targets."""
        try:
            self.fetch_learned()
        finally:
            for engine in self.engines:
                engine.close()


@contextmanager
def _noting(notes: list[str]) -> Iterator[None]:
    """Keep warnings of this package as notes of the report, each once; let others through."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for each in caught:
        if not issubclass(each.category, SpiketwinWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        elif str(each.message) not in notes:
            notes.append(str(each.message))


def _engines(targets: Iterable[str | Target], options: Any) -> list[Engine]:
    """Return an engine for each target; simulated cores take the sizes of one that has them."""
    made: dict[int, Engine] = {}
    params = options.params
    numbered = sorted(enumerate(targets), key=lambda each: _is_open(each[1]))
    try:
        for number, target in numbered:
            if target == ADDRESS:
                made[number] = IdealEngine()
                continue
            given = params if _is_open(target) else None
            made[number] = OnCore(target, options.v_width, options.weight_width, given)
            params = params or (None if _is_open(target) else made[number].params)
    except BaseException:
        for engine in made.values():
            engine.close()
        raise
    return [made[number] for number in range(len(made))]


def _is_open(target: str | Target) -> bool:
    return target == ADDRESS or takes_sizes(target)
