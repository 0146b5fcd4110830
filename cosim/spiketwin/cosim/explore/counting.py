"""The work of a core in a run, counted exactly: it follows from the events and the spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.case import Case
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.projections import ProjectionKind
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Run
from spiketwin.host.elements import IntArray
from spiketwin.host.layout import Block, Layout, layout


@dataclass(frozen=True)
class Counts(Result):
    """The work that a core did in a run. All counts are exact.

    Attributes
    ----------
    ticks, cycles:
        Ticks, and clock cycles of all of them.
    synaptic_events:
        Weights that were added to a current, those of 0 among them. Of a constant projection it is
        one sum for each of its neurons in a tick.
    weights_read, weights_written:
        Weights that were read, for currents and for learning, and that learning has written.
    neuron_updates, trace_updates:
        Updates of neurons, and of traces.
    """

    ticks: int
    cycles: int
    synaptic_events: int
    weights_read: int
    weights_written: int
    neuron_updates: int
    trace_updates: int


@dataclass(frozen=True)
class _Part:
    """Synapses of a core: those from the sources of a projection to its neurons.

    `row` is the number of synapses that are read for a spike of each source, and `plastic`, of
    shape (sources, neurons), flags those that learn; it has no elements where none can.
    """

    sources: range
    neurons: range
    row: IntArray
    plastic: NDArray[np.bool_]
    constant: bool = False
    in_columns: bool = False


def counts(case: Case, run: Run) -> Counts:
    """Return what a core did in a run of a case."""
    p, network = case.params, case.network
    placed = layout(network, p)
    active = _active(case, run, placed)
    spikes = np.bincount(active[:, 1], minlength=p.n_sources)
    fired = np.bincount(placed.neurons[run.spikes[:, 1]], minlength=p.n_neurons)
    flags = (
        np.asarray(placed.place(network)[Space.PLASTIC]) > 0 if p.learning else np.zeros(0, bool)
    )
    register = network.register_values(p)
    pre, post = (flags.any() and register.get(name) for name in ("learn_pre", "learn_post"))
    events = read = written = 0
    for part in _parts(placed, flags):
        of_sources, of_neurons = spikes[part.sources], fired[part.neurons]
        if part.constant:
            ticks = active[np.isin(active[:, 1], part.sources), 0]
            events += len(np.unique(ticks)) * len(part.neurons)
            continue
        events += int(of_sources @ part.row)
        read += int(of_sources @ part.row)
        if part.plastic.size and pre:
            written += int(of_sources @ part.plastic.sum(axis=1))
        if part.in_columns and post:
            read += int(of_neurons.sum()) * len(part.sources)
            written += int(of_neurons @ part.plastic.sum(axis=0))
    return Counts(
        ticks=case.ticks,
        cycles=int(run.cycles.sum()),
        synaptic_events=events,
        weights_read=read,
        weights_written=written,
        neuron_updates=case.ticks * p.n_neurons,
        trace_updates=case.ticks * (p.n_sources + p.n_neurons) * p.learning,
    )


def _active(case: Case, run: Run, placed: Layout) -> IntArray:
    """Return the spikes that rows are read for, shape (k, 2): tick, and source in the core.

    Those of neurons are delivered a tick later, and those of relays after their delays, unless the
    run has ended or the state was cleared.
    """
    p = case.params
    axons = np.stack([case.spikes[:, 0], placed.axons[case.spikes[:, 1]]], axis=1)
    neurons = np.stack([run.spikes[:, 0], p.n_axons + placed.neurons[run.spikes[:, 1]]], axis=1)
    active = np.concatenate([axons, _later(case, neurons, 1)])
    for each in placed.relays:
        relay = np.full(p.n_sources, -1)
        relay[placed.sources[each.origins]] = placed.sources[each.numbers]
        repeated = active[relay[active[:, 1]] >= 0]
        repeated = np.stack([repeated[:, 0], relay[repeated[:, 1]]], axis=1)
        # A source that spikes twice in a tick does not do so any more when it is repeated.
        active = np.concatenate([active, np.unique(_later(case, repeated, each.delay), axis=0)])
    return active


def _later(case: Case, spikes: IntArray, ticks: int) -> IntArray:
    """Return spikes, some ticks later, as far as they arrive."""
    later = spikes + (ticks, 0)
    period = case.clear_every or case.ticks
    arrives = (later[:, 0] < case.ticks) & (later[:, 0] // period == spikes[:, 0] // period)
    arrived: IntArray = later[arrives]
    return arrived


def _parts(placed: Layout, flags: NDArray[np.bool_]) -> Iterator[_Part]:
    """Yield the synapses of all projections of a core; without a table they are a single one."""
    p = placed.params
    if not p.has_projections:
        row = np.full(p.n_sources, p.n_neurons)
        yield _Part(range(p.n_sources), range(p.n_neurons), row, flags, in_columns=p.learning)
        return
    for block in placed.blocks:
        yield _of_block(p, block, flags.reshape(-1))


def _of_block(p: CoreParams, block: Block, flags: NDArray[np.bool_]) -> _Part:
    # Every block of a table has an entry, and the arithmetic of its method is that of arrays, too.
    entry: Any = block.entry
    sources = range(entry.source * p.lanes, (entry.source + entry.sources) * p.lanes)
    neurons = range(entry.target * p.lanes, (entry.target + entry.targets) * p.lanes)
    row, plastic = np.full(len(sources), len(neurons)), np.zeros((0, 0), bool)
    if block.rows is not None:
        row = block.rows.blocks * p.lanes
    elif entry.kind == ProjectionKind.DENSE and flags.size:
        plastic = flags[entry.place(np.array(sources)[:, None], np.array(neurons)[None], p.lanes)]
    return _Part(
        sources, neurons, row, plastic, block.is_constant, bool(plastic.size) and block.learns
    )
