"""The vectors of a core: a memory for each array but those of synapses."""

from __future__ import annotations

from typing import Final

from amaranth.hdl import Shape

from spiketwin.hdl.gateware.core.state_memory import StatePort
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import PROBED
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.variables import ARRAYS, Kind, Per, Variable

_USED_BY_SYNAPSES: Final = (
    "i_syn", "i_inh", "i_syn_ring", "i_inh_ring", "trace_pre", "history", "trace_post",
)  # fmt: skip
"""Vectors from which the lane pipeline reads `lanes` elements a cycle."""

CURRENTS: Final = (Space.I_SYN, Space.I_INH)
RINGS: Final = (Space.I_SYN_RING, Space.I_INH_RING)
"""Vectors to which synapses add: the currents of each receptor, and those on their way. The
addresses of lanes differ in sparse rows, and on the way by the delays of synapses."""

_KEPT_AS_A_LIST: Final = "pending"
"""The only array of neurons that is no vector, but a list (`sources.ActiveList`)."""


def vectors(params: CoreParams) -> dict[Space, StatePort]:
    """Return the port of every vector, in the order of their spaces.

    A word has as many elements as its unit handles a cycle, or `lanes` if the lane pipeline uses
    the vector too. A vector that no unit uses is a memory that only the link writes and reads.
    """
    arrays = (a for a in ARRAYS if a.per is not Per.SYNAPSE and a.is_built(params))
    kept = sorted((a for a in arrays if a.name != _KEPT_AS_A_LIST), key=lambda a: a.space)
    return {array.space: _port(params, array) for array in kept}


def _port(params: CoreParams, array: Variable) -> StatePort:
    lanes = {Per.NEURON: params.neuron_lanes, Per.SOURCE: params.source_lanes}.get(array.per, 1)
    if array.kind is Kind.LAYOUT:
        lanes = 1  # the walk reads one element after the other
    (size,) = array.shape_in(params)
    return StatePort(
        Shape(array.width(params), array.signed),
        params.lanes if array.name in _USED_BY_SYNAPSES else lanes,
        size,
        lanes,
        written=bool(array.writer) or (params.bias_events and array.space is Space.BIAS),
        probed=params.probe_ranges > 0 and array.space in PROBED,
        scattered=array.space in RINGS or (params.has_sparse and array.space in CURRENTS),
    )
