"""What of an FPGA a core uses, and what to do when that is more than there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from spiketwin.firmware.board import Board
from spiketwin.firmware.synthesis import Family
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described


class Use(NamedTuple):
    """So many cells of a kind, of so many."""

    used: int
    available: int


CELLS: Final = {
    "logic": {"ICESTORM_LC", "TRELLIS_COMB"},
    "memory": {"ICESTORM_RAM", "DP16KD"},
    "dsp": {"ICESTORM_DSP", "MULT18X18D"},
    "spram": {"ICESTORM_SPRAM"},
}
"""Kinds of cells by what nextpnr calls them: 4-input LUTs with their flip-flop or alone; block RAM
of 4 kbit (iCE40) or 18 kbit (ECP5); multipliers; single-port RAM of 256 kbit."""

_XC7A35T: Final = {"logic": 20_800, "memory": 50, "dsp": 90}
"""LUTs, block RAM of 36 kbit, DSPs (AMD DS180)."""

_XC7_LUTS: Final = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
    "RAM32X1S": 1, "RAM64X1S": 1, "SRL16E": 1, "SRLC32E": 1,
}  # fmt: skip
"""LUTs that a cell takes; that two small LUTs can share one is not counted on."""

_ICE40_BLOCKS: Final = ((256, 16), (512, 8), (1024, 4), (2048, 2))

_BLOCKS: Final = {
    Family.ICE40: _ICE40_BLOCKS,
    Family.ICE40_ULTRA_PLUS: _ICE40_BLOCKS,
    Family.ECP5: ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    Family.XC7: ((1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1)),
}
"""Words and their bits as which a block RAM can be used."""

_SPRAM: Final = ((16384, 16),)
"""And a single-port RAM of an iCE40 UltraPlus."""

_MEMORIES: Final = {"memory": "block RAM", "spram": "single-port RAM"}
"""What can hold weights."""


def xc7_uses(design: dict[str, Any]) -> dict[str, Use]:
    """Count the cells that ``stat -json`` of Yosys lists, of those of an XC7A35T."""
    cells: dict[str, int] = design["num_cells_by_type"]
    halves = 2 * cells.get("RAMB36E1", 0) + cells.get("RAMB18E1", 0)
    used = {
        "logic": sum(luts * cells.get(cell, 0) for cell, luts in _XC7_LUTS.items()),
        "memory": (halves + 1) // 2,
        "dsp": cells.get("DSP48E1", 0),
    }
    return {kind: Use(used[kind], there) for kind, there in _XC7A35T.items()}


def exceeded(uses: dict[str, Use]) -> dict[str, Use]:
    """Give the kinds of which more is used than there is."""
    return {kind: use for kind, use in uses.items() if use.used > use.available}


def advice(board: Board, params: CoreParams, family: Family, uses: dict[str, Use]) -> str:
    """Say by how much a core does not fit, and what would.

    What would is computed from the memory of the weights alone: that goes with their number, all
    else is taken to stay as it is, and logic hardly depends on how many neurons there are.
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
            f"By its {_MEMORIES[kind]}, as computed, {fits} would fit."
            if fits
            else f"There is not enough {_MEMORIES[kind]} for any reference size."
        )
    elif "memory" in over:
        lines.append(
            "Weights are not in its block RAM, but the state of the neurons and the queues are: "
            "take fewer neurons, or less event_queue_depth, spike_queue_depth and link_slots."
        )
    if family is Family.ICE40_ULTRA_PLUS and kind == "memory":
        lines.append("With single_port_weights=1 the weights go to its single-port RAM.")
    if over.keys() - _MEMORIES.keys():
        lines.append(
            "Logic and DSPs go with lanes, neuron_lanes, source_lanes and learning, and hardly "
            "with the number of neurons: take fewer lanes."
        )
    if params != board.core:
        lines.append(f"Known to fit is what this board is set to: --params {board.params}.")
    return " ".join(lines)


def _largest(params: CoreParams, family: Family, memory: Use) -> str:
    """Name the largest reference size, and the most neurons, that leave enough for the rest."""
    kind = weight_memory(params, family)
    room = memory.available - memory.used + weight_blocks(params, family)
    sizes = sorted(PRESETS, key=lambda name: PRESETS[name].n_sources * PRESETS[name].n_neurons)
    names = [
        name
        for name in sizes
        if weight_memory(PRESETS[name], family) == kind
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
    """Name the kind of memory that holds the weights: single-port RAM where there is any."""
    in_spram = family is Family.ICE40_ULTRA_PLUS and params.single_port_weights
    return "spram" if in_spram else "memory"


def weight_blocks(params: CoreParams, family: Family) -> int:
    """Compute how many blocks of it hold the weights and flags, at the best of their shapes."""
    shapes = _SPRAM if weight_memory(params, family) == "spram" else _BLOCKS[family]
    bits = params.weights_per_word * (params.weight_width + params.learning)
    blocks = min(-(-params.bank_depth // words) * -(-bits // width) for words, width in shapes)
    return params.lanes * blocks
