"""The number of cycles of a tick, as a formula that the model uses and that the RTL keeps to.

A tick runs through these phases, each beginning when the one before is over::

    lead     LEAD                    first source fetched, key of the noise formed
             + B · BIAS              for each of the B bias events of the tick
    rows     R · n_neurons / lanes   a row of weights for each of the R active sources
             + E · ROW_REPEAT        with learning, for each of the E events that repeat
                                     the one before, until it has changed the weights
             + ROW_DRAIN             until the last current is written; only if R > 0
             + ROW_DRAIN_RULES       more with rules, as currents wait for the weights
             + WALK                  with projections, until the first row begins
    due      receptors · n_neurons / lanes + DUE
             with synapse delays, beside WALK: the longer of both counts; if R = 0 with as
             many cycles as ROW_DRAIN instead of DUE
    update   the longer of
               n_neurons / neuron_lanes + NEURON_DRAIN
               n_sources / source_lanes + SOURCE_DRAIN   (with learning)
    learn    COLUMN_LEAD + F · n_sources / lanes + COLUMN_DRAIN
             a column for each of the F neurons that fired, twice as long with
             `single_port_weights`; only if F > 0, `learn_post` is 1 and at least one
             synapse is plastic
    report   probe_ranges · PROBE_RANGE + elements + PROBE
             the elements of all probes, one a cycle; only in a tick that reports them
    end      END                     the totals are reported, the next tick is decided on

With projections (docs/projections.md) an active source has a row for each of its projections, of
``targets / lanes`` cycles if it is dense, and a neuron that fired a column for each one that
learns, of ``sources / lanes`` cycles; but each row and column takes LEAST_WALKED cycles at least,
and a source or a neuron without any takes so many. Behind the rows each constant projection with an
active source takes ``targets / lanes`` cycles, and LEAST_WALKED at least, after SWEEP cycles for
all of them.

The row of a source in a sparse projection takes as many cycles as it has blocks, and LEAST_WALKED
at least. In a core with `sparse_rows` WALK and SWEEP are SPARSE cycles more. There and with synapse
delays ROW_DRAIN is WORDS cycles more, unless there are rules.

Relays are looked at in n_relays / 32 cycles of *lead*. The first row of a source with r relays
takes RELAY · r cycles at least.

The spikes of neuron group g leave ``g + SPIKE_LATENCY`` cycles after *update* began.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spiketwin.hdl.spec.params import CoreParams

LEAD: Final = 4
ROW_REPEAT: Final = 6
"""Cycles until the last weights of a row of the least length are in memory. The number is even, as
rows of a memory of one port begin every other cycle."""

ROW_DRAIN: Final = 5
ROW_DRAIN_RULES: Final = 3
NEURON_DRAIN: Final = 14
SOURCE_DRAIN: Final = 6
SPIKE_LATENCY: Final = 10
COLUMN_LEAD: Final = 4
COLUMN_DRAIN: Final = 8
END: Final = 2
WALK: Final = 12
LEAST_WALKED: Final = 8
SWEEP: Final = 10
RELAY: Final = 4
BIAS: Final = 4
WORDS: Final = 2
"""Cycles by which a current is known later if the words say where it is added: with sparse rows,
and with synapse delays."""

SPARSE: Final = 2
"""Cycles by which a row is prepared later with sparse rows, as its first word is in a memory."""

DUE: Final = 3
"""Cycles from the last of the currents that are due until a row may begin that adds to them."""

PROBE_RANGE: Final = 4
PROBE: Final = 6


def walked_cycles(blocks: Sequence[int], relays: int = 0) -> int:
    """Return the cycles of the rows of a source, or of the columns of a neuron.

    `blocks` are the blocks of each of them, and `relays` is the number of relays of the source.
    """
    least = max(LEAST_WALKED, RELAY * relays)
    return sum(max(LEAST_WALKED if k else least, n) for k, n in enumerate(blocks or [0]))


def lead_cycles(params: CoreParams, biases: int = 0) -> int:
    """Return the cycles from the beginning of a tick until its active sources are known.

    The tick has so many bias events.
    """
    return LEAD + params.relay_words + BIAS * biases


def deliver_cycles(params: CoreParams, rows: int, constant: int = 0, biases: int = 0) -> int:
    """Return the cycles from the beginning of a tick, with so many bias events, to *Update*.

    Of these, `rows` are those of the rows, with `repeat_cycles` for each event that repeats, and
    `constant` those of constant projections.
    """
    begin, due = lead_cycles(params, biases), due_cycles(params, rows > 0)
    if not rows:
        return begin + due
    sweeps = sweep_cycles(params) + constant if constant else 0
    return begin + max(due, walk_cycles(params)) + rows + sweeps + row_drain(params)


def due_cycles(params: CoreParams, any_row: bool) -> int:
    """Return the cycles in which currents are added that synapse delays have made late.

    These depend on whether there is any row behind them.
    """
    p = params
    if not p.has_synapse_delays:
        return 0
    return p.receptors * p.row_groups + (DUE if any_row else row_drain(p))


def walk_cycles(params: CoreParams) -> int:
    """Return the cycles until the first row or column of a core with projections begins."""
    return WALK + _sparse_cycles(params) if params.has_projections else 0


def sweep_cycles(params: CoreParams) -> int:
    """Return the cycles from the last row until the first constant projection is delivered."""
    return SWEEP + _sparse_cycles(params)


def row_drain(params: CoreParams) -> int:
    """Return the cycles from the last block of a row until its current is written."""
    p = params
    return ROW_DRAIN + max(ROW_DRAIN_RULES * p.has_rules, WORDS * p.words_address_currents)


def _sparse_cycles(params: CoreParams) -> int:
    return SPARSE if params.has_sparse else 0


def repeat_cycles(params: CoreParams) -> int:
    """Return the cycles that a row waits for the one before, if both are of the same axon."""
    return ROW_REPEAT if params.learning else 0


def update_cycles(params: CoreParams) -> int:
    """Return the cycles of *Update*."""
    neurons = params.neuron_groups + NEURON_DRAIN
    if not params.learning:
        return neurons
    return max(neurons, params.n_sources // params.source_lanes + SOURCE_DRAIN)


def column_cycles(params: CoreParams) -> int:
    """Return the cycles of a column of all sources, in a core without projections."""
    # With one port, a word is read every other cycle, so that the cycles between are free for
    # writes. A word has two weights of a row, but only one weight of a column.
    return params.column_groups * (2 if params.single_port_weights else 1)


def learn_cycles(params: CoreParams, columns: int) -> int:
    """Return the cycles of *Learn* with so many cycles of columns.

    There are none unless the post-event rule is on and at least one synapse is plastic.
    """
    cycles = COLUMN_LEAD + walk_cycles(params) + columns + COLUMN_DRAIN
    return cycles if columns else 0


def probe_cycles(params: CoreParams, elements: int) -> int:
    """Return the cycles in which a tick reports so many elements of state."""
    return params.probe_ranges * PROBE_RANGE + elements + PROBE


def tick_cycles(
    params: CoreParams, active_sources: int, fired: int, learns: bool, repeats: int = 0
) -> int:
    """Return the cycles of one tick with `active_sources` sources and `fired` neurons.

    The tick reports no probes.

    `learns` is whether the post-event rule is on and at least one synapse is plastic. In a core
    with projections each source has a row of all neurons, and each neuron a column of all sources.
    A source that spikes several times counts as often; `repeats` is how many of them are events
    that name an axon again.
    """
    rows, columns = params.row_groups, column_cycles(params)
    if params.has_projections:
        rows, columns = walked_cycles([rows]), walked_cycles([columns])
    return (
        deliver_cycles(params, active_sources * rows + repeats * repeat_cycles(params))
        + update_cycles(params)
        + learn_cycles(params, fired * columns if params.learning and learns else 0)
        + END
    )


def spike_cycle(params: CoreParams, neuron: int) -> int:
    """Return the cycles from the beginning of *Update* until a spike of `neuron` leaves."""
    return neuron // params.neuron_lanes + SPIKE_LATENCY


def most_cycles(params: CoreParams, repeats: int = 0) -> int:
    """Return the cycles of the longest possible tick: all sources active, all neurons firing.

    Each probe reports all elements that there are.

    `repeats` is the number of events that name an axon again, or a bias, which takes no longer; the
    event queue holds all of a tick.
    With projections this is a bound: every word of the weights streams once in *Deliver* and once
    in *Learn*, and every source and neuron has the least cycles of as many rows and columns as
    there are projections.
    """
    p = params
    probes = probe_cycles(p, p.probe_ranges * p.n_sources) if p.probe_ranges else 0
    if not p.has_projections:
        return tick_cycles(p, p.n_sources + repeats, p.n_neurons, True, repeats) + probes
    least = LEAST_WALKED * p.n_projections
    again = repeats * (ROW_REPEAT + p.n_projections * max(LEAST_WALKED, p.row_groups))
    relays = RELAY * p.n_relays  # each belongs to one source
    rows, columns = (
        p.weight_depth + p.n_sources * least + relays + again,
        p.weight_depth + p.n_neurons * least,
    )
    learn = learn_cycles(p, columns) if p.learning else 0
    constant = p.n_projections * max(LEAST_WALKED, p.row_groups)
    return deliver_cycles(p, rows, constant) + update_cycles(p) + learn + probes + END
