"""The number of cycles of a tick, as a formula that the model uses and that the RTL keeps to.

A tick runs through these phases, each beginning when the one before is over::

    lead     LEAD                    first source fetched, key of the noise formed
    rows     R · n_neurons / lanes   a row of weights for each of the R active sources
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
ROW_DRAIN: Final = 5
NEURON_DRAIN: Final = 14
SOURCE_DRAIN: Final = 6
SPIKE_LATENCY: Final = 10
COLUMN_LEAD: Final = 4
COLUMN_DRAIN: Final = 8
END: Final = 2


def deliver_cycles(params: CoreParams, active_sources: int) -> int:
    """Return the cycles from the beginning of a tick to the beginning of *Update*."""
    rows = active_sources * params.row_groups
    return LEAD + (rows + ROW_DRAIN if rows else 0)


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


def tick_cycles(params: CoreParams, active_sources: int, fired: int, learns: bool) -> int:
    """Return the cycles of one tick with `active_sources` sources and `fired` neurons."""
    return (
        deliver_cycles(params, active_sources)
        + update_cycles(params)
        + learn_cycles(params, fired, learns)
        + END
    )


def spike_cycle(params: CoreParams, neuron: int) -> int:
    """Return the cycles from the beginning of *Update* until a spike of `neuron` leaves."""
    return neuron // params.neuron_lanes + SPIKE_LATENCY


def most_cycles(params: CoreParams) -> int:
    """Return the cycles of the longest possible tick: all sources active, all neurons firing."""
    return tick_cycles(params, params.n_sources, params.n_neurons, True)
