"""The number of cycles of a tick, as a formula that the model uses and that the RTL keeps to.

A tick runs through these phases, each beginning when the one before is over::

    lead     LEAD                    first source fetched, key of the noise formed
    rows     R · n_neurons / lanes   a row of weights for each of the R active sources
             + E · ROW_REPEAT        with learning, for each of the E events that repeat
                                     the one before, until it has changed the weights
             + ROW_DRAIN             until the last current is written; only if R > 0
    update   the longer of
               n_neurons / neuron_lanes + NEURON_DRAIN
               n_sources / source_lanes + SOURCE_DRAIN   (with learning)
    learn    COLUMN_LEAD + F · n_sources / lanes + COLUMN_DRAIN
             a column for each of the F neurons that fired, twice as long with
             `single_port_weights`; only if F > 0, `learn_post` is 1 and at least one
             synapse is plastic
    end      END                     the totals are reported, the next tick is decided on

The spikes of neuron group g leave ``g + SPIKE_LATENCY`` cycles after *update* began.
"""

from __future__ import annotations

from typing import Final

from spiketwin.hdl.spec.params import CoreParams

LEAD: Final = 4
ROW_REPEAT: Final = 6
"""Cycles until the last weights of a row of the least length are in memory. The number is even, as
rows of a memory of one port begin every other cycle."""

ROW_DRAIN: Final = 5
NEURON_DRAIN: Final = 14
SOURCE_DRAIN: Final = 6
SPIKE_LATENCY: Final = 10
COLUMN_LEAD: Final = 4
COLUMN_DRAIN: Final = 8
END: Final = 2


def repeat_cycles(params: CoreParams) -> int:
    """Return the cycles that a row waits for the one before, if both are of the same axon."""
    return ROW_REPEAT if params.learning else 0


def deliver_cycles(params: CoreParams, rows: int, repeats: int = 0) -> int:
    """Return the cycles from the beginning of a tick to the beginning of *Update*.

    `rows` is the number of active sources, each counted as often as it spiked; `repeats` is how
    many of them are events that name an axon again.
    """
    if not rows:
        return LEAD
    return LEAD + rows * params.row_groups + repeats * repeat_cycles(params) + ROW_DRAIN


def update_cycles(params: CoreParams) -> int:
    """Return the cycles of *Update*."""
    neurons = params.neuron_groups + NEURON_DRAIN
    if not params.learning:
        return neurons
    return max(neurons, params.n_sources // params.source_lanes + SOURCE_DRAIN)


def learn_cycles(params: CoreParams, fired: int, learns: bool) -> int:
    """Return the cycles of *Learn* after `fired` neurons fired.

    `learns` is whether the post-event rule is on and at least one synapse is plastic.
    """
    if not (params.learning and learns and fired):
        return 0
    # With one port, a word is read every other cycle, so that the cycles between are free for
    # writes. A word has two weights of a row, but only one weight of a column.
    block_cycles = 2 if params.single_port_weights else 1
    return COLUMN_LEAD + fired * params.column_groups * block_cycles + COLUMN_DRAIN


def tick_cycles(params: CoreParams, rows: int, fired: int, learns: bool, repeats: int = 0) -> int:
    """Return the cycles of one tick (`deliver_cycles`, `learn_cycles`)."""
    return (
        deliver_cycles(params, rows, repeats)
        + update_cycles(params)
        + learn_cycles(params, fired, learns)
        + END
    )


def spike_cycle(params: CoreParams, neuron: int) -> int:
    """Return the cycles from the beginning of *Update* until a spike of `neuron` leaves."""
    return neuron // params.neuron_lanes + SPIKE_LATENCY


def most_cycles(params: CoreParams, repeats: int = 0) -> int:
    """Return the cycles of the longest tick: all sources active, all neurons firing.

    `repeats` is the number of events that name an axon again; the event queue holds all of a tick.
    """
    rows = params.n_sources + repeats
    return tick_cycles(params, rows, params.n_neurons, True, repeats)
