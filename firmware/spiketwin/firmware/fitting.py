"""Advice for a core that does not fit an FPGA."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from spiketwin.firmware.board import Board
from spiketwin.firmware.family import Family
from spiketwin.firmware.use import Use, exceeded
from spiketwin.hdl.gateware.core.deep_memory import PART_DEPTH
from spiketwin.hdl.gateware.core.weights import synapse_layout
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described

MEMORIES: Final = {"memory": "block RAM", "spram": "single-port RAM"}
"""The kinds of cells that can hold weights, with their names in messages."""


def advice(board: Board, params: CoreParams, family: Family, uses: dict[str, Use]) -> str:
    """Return a message that says by how much a core does not fit, and which sizes would.

    These sizes are computed from the memory of the weights alone, which grows with their number.
    All other memory is assumed to stay as it is, and logic hardly depends on the number of neurons.
    """
    over = exceeded(uses)
    missing = ", ".join(
        f"{use.used} of {use.available} {kind} ({100 * use.used / use.available - 100:.0f} % over)"
        for kind, use in over.items()
    )
    named = next((name for name, size in PRESETS.items() if size == params), described(params))
    lines = [f"{named} does not fit {board.name}: {missing}."]
    kind = weight_memory(params, family)
    if kind in over:
        fits = _largest(params, family, uses[kind])
        lines.append(
            f"By its {MEMORIES[kind]}, as computed, {fits} would fit."
            if fits
            else f"There is not enough {MEMORIES[kind]} for any reference size."
        )
    elif "memory" in over:
        lines.append(
            "Weights are not in its block RAM, but the state of the neurons and the queues are: "
            "take fewer neurons, or less event_queue_depth, spike_queue_depth and link_slots."
        )
    if family.single_port_ram and kind == "memory":
        lines.append("With single_port_weights=1 the weights go to its single-port RAM.")
    if over.keys() - MEMORIES.keys():
        lines.append(
            "Logic and DSPs go with lanes, neuron_lanes, source_lanes and learning, and hardly "
            "with the number of neurons: take fewer lanes."
        )
    if params != board.core:
        lines.append(f"Known to fit is what this board is set to: --params {board.params}.")
    return " ".join(lines)


def _largest(params: CoreParams, family: Family, memory: Use) -> str:
    """Return text that names the largest reference size, and the most neurons, that would fit."""
    kind = weight_memory(params, family)
    room = memory.available - memory.used + weight_blocks(params, family)
    sizes = sorted(PRESETS, key=lambda name: PRESETS[name].bank_depth * PRESETS[name].lanes)
    names = [
        name
        for name in sizes
        if PRESETS[name].has_projections == params.has_projections
        and weight_memory(PRESETS[name], family) == kind
        and weight_blocks(PRESETS[name], family) <= room
    ]
    step = params.lanes * params.weights_per_word
    neurons = [
        count
        for count in range(4 * params.lanes, params.n_neurons, step)
        if weight_blocks(replace(params, n_neurons=count), family) <= room
    ]
    found = [f"--params {name}" for name in names[-1:]]
    found += [f"{params.n_axons} axons with {count} neurons" for count in neurons[-1:]]
    return " or ".join(found)


def weight_memory(params: CoreParams, family: Family) -> str:
    """Return the kind of cells that holds the weights: block RAM or single-port RAM."""
    return "spram" if family.single_port_ram and params.single_port_weights else "memory"


def weight_blocks(params: CoreParams, family: Family) -> int:
    """Return how many blocks of that kind hold all of the synapses, in the best of their shapes."""
    blocks = min(
        -(-params.bank_depth // words) * beside for words, beside in _stacks(params, family)
    )
    return params.lanes * blocks


def weight_words(params: CoreParams, family: Family, blocks: int) -> int:
    """Return how many words each weight bank can have in so many blocks of all banks together."""
    in_each = blocks // params.lanes
    return max(in_each // beside * words for words, beside in _stacks(params, family))


def _stacks(params: CoreParams, family: Family) -> list[tuple[int, int]]:
    """Return for each shape of a block its words, and the blocks side by side that hold a word."""
    in_spram = weight_memory(params, family) == "spram"
    shapes = family.single_port_ram if in_spram else family.block_ram
    if params.has_projections:  # their banks are made of parts
        shapes = tuple((words, width) for words, width in shapes if words <= PART_DEPTH)
    bits = params.weights_per_word * synapse_layout(params).size
    return [(words, -(-bits // width)) for words, width in shapes]
