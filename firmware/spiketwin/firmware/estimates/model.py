"""The model of what a design takes of an FPGA, fitted to builds that are stored beside it.

Memories are counted: a block RAM has a few shapes, and small memories are made of logic; the rules
are those by which Yosys' mapping of the stored builds is told. So are multipliers. Logic is a sum
over the bits of the elaborated design (`design`), whose weights are fitted, none below 0, to the
relative error. The clock is fitted to logic and block RAM, in logarithms. A family with too few
builds of its own takes those of the other one, times one factor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.firmware.board import board
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.estimates.design import KINDS, Design, design
from spiketwin.firmware.family import Family, Shapes
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.results import Result

BUILDS: Final = Path(__file__).with_name("builds.json")
"""The builds to which the model is fitted, and others that are held out."""

_LOGIC: Final = tuple(kind for kind in KINDS if kind not in ("registers", "products"))
"""Kinds of logic whose bits take cells; registers share those, and products take multipliers."""

_DEEP: Final = 26
"""Words that a memory of an ECP5 has more than, if it is in block RAM."""

_LARGE: Final = 2100
_LARGE_IN_ONE: Final = 1300
"""Bits above which it is there in any case, and with 2 bits a word added, if it is one block."""

_LEAST_BITS: Final = 70
_LEAST_WORDS: Final = 4
"""Bits and words that a memory of an iCE40 has more than, if it is in block RAM."""

_SPRAM_WORDS: Final = 8192
"""Words from which a memory of weights is in single-port RAM, where it may be."""

_MULTIPLIER: Final = {"ecp5": 18, "ice40": 16}
"""Bits of a factor of a multiplier, by the name of the family; others have none."""


@dataclass(frozen=True)
class Estimate(Result):
    """What a core with its link takes of a board, estimated without building it.

    Attributes
    ----------
    board:
        Name of the board.
    logic, memory, dsp, spram:
        Logic cells, block RAMs, multipliers and single-port RAMs.
    max_clock_hz:
        Clock that it is good for.
    room:
        Largest share of a kind of cells that it takes, of those there are; above 1 it does not fit.
    """

    board: str
    logic: float
    memory: int
    dsp: int
    spram: int
    max_clock_hz: float
    room: float


@dataclass(frozen=True)
class StoredBuild:
    """A build that is stored.

    Attributes
    ----------
    board, family, params:
        Its board, the family of that, and the sizes of the core.
    held_out:
        Whether the model is tested with it, and not fitted to it.
    used, available:
        Cells by their kind, and how many the FPGA has.
    fmax_mhz:
        Clock that it is good for.
    design:
        Parts of the design.
    """

    board: str
    family: str
    params: CoreParams
    held_out: bool
    used: dict[str, int]
    available: dict[str, int]
    fmax_mhz: float
    design: Design


@cache
def stored() -> tuple[StoredBuild, ...]:
    """Return the stored builds."""
    written: list[dict[str, Any]] = json.loads(BUILDS.read_text())
    return tuple(
        StoredBuild(
            **each
            | {
                "params": CoreParams(**each["params"]),
                "design": Design.of_json(each["design"]),
            }
        )
        for each in written
    )


def estimate(params: CoreParams, name: str) -> Estimate:
    """Estimate what a core takes of a board.

    Parameters
    ----------
    params:
        Sizes of the core.
    name:
        Name of the board.

    Raises
    ------
    BoardError
        There is no such board, or no build of its family is stored.
    """
    family = _family(name)
    logic, clock = _fitted(family.name)
    parts = design(params)
    used = counted(parts, params, family)
    cells = logic(parts)
    available = _available(name)
    # Of what the FPGA has none of, one cell is too many.
    shares = [
        count / available[kind] if available.get(kind) else 1.0 + count
        for kind, count in used.items()
        if count
    ]
    return Estimate(
        board=name,
        logic=cells,
        **used,
        max_clock_hz=1e6 * clock(cells, used["memory"]),
        room=max(cells / available["logic"], *shares),
    )


@cache
def _family(name: str) -> Family:
    return resolve(board(name)).family


@cache
def _available(name: str) -> dict[str, int]:
    """Return the cells of a board: its own, or those of one with the same FPGA."""
    target = resolve(board(name))
    for each in stored():
        if each.board == name or resolve(board(each.board)).device == target.device:
            return each.available
    raise BoardError(f"what the FPGA of {name} has is not stored: estimate for another board")


def predicted(builds: Sequence[StoredBuild], other: StoredBuild) -> tuple[float, float]:
    """Return logic and clock in MHz of another build, by a model that is fitted to some builds."""
    logic, clock = fitted(builds, other.family)
    cells = logic(other.design)
    memory = counted(other.design, other.params, _family(other.board))["memory"]
    return cells, clock(cells, memory)


# --- what is counted -----------------------------------------------------------------------------


def counted(parts: Design, params: CoreParams, family: Family) -> dict[str, int]:
    """Return block RAMs, multipliers and single-port RAMs of a design."""
    spram = [each for each in parts.memories if _in_spram(each, params, family)]
    blocks = [each for each in parts.memories if each not in spram and _in_blocks(each, family)]
    return {
        "memory": sum(_blocks(each, _shapes(family)) for each in blocks),
        "dsp": _multipliers(params, family),
        "spram": sum(_blocks(each, family.single_port_ram) for each in spram),
    }


def _shapes(family: Family) -> Shapes:
    # With a port for reads and one for writes, a block of an ECP5 is twice as wide.
    return ((512, 36), *family.block_ram) if family.name == "ecp5" else family.block_ram


def _blocks(memory: tuple[int, int], shapes: Shapes) -> int:
    words, width = memory
    return min(-(-words // depth) * -(-width // bits) for depth, bits in shapes)


def _in_spram(memory: tuple[int, int], params: CoreParams, family: Family) -> bool:
    large = memory[0] >= _SPRAM_WORDS
    return bool(family.single_port_ram) and params.single_port_weights and large


def _in_blocks(memory: tuple[int, int], family: Family) -> bool:
    words, width = memory
    bits = words * width
    if family.name != "ecp5":
        return bits > _LEAST_BITS and words > _LEAST_WORDS
    in_one = _blocks(memory, _shapes(family)) == 1
    return words > _DEEP and (bits > _LARGE or in_one and bits + 2 * words > _LARGE_IN_ONE)


def _multipliers(p: CoreParams, family: Family) -> int:
    """Return the products of decays, of each neuron that is updated at once, and of learning."""
    bits = _MULTIPLIER.get(family.name)
    if bits is None:
        return 0
    widths = (p.v_width, p.theta_width, *[p.i_syn_width] * p.receptors)
    decays = p.neuron_lanes * sum(-(-width // bits) for width in widths)
    learning = p.lanes + p.source_lanes + p.neuron_lanes
    return decays + learning * p.learning + p.has_projections


# --- what is fitted ------------------------------------------------------------------------------

_Fit = tuple[Callable[[Design], float], Callable[[float, int], float]]


@cache
def _fitted(name: str) -> _Fit:
    """Return the logic of a design, and the clock in MHz by logic and block RAMs."""
    if not [each for each in stored() if each.family == name]:
        raise BoardError(
            f"no build of the family {name} is stored, so nothing of it can be estimated"
        )
    return fitted([each for each in stored() if not each.held_out], name)


def fitted(builds: Sequence[StoredBuild], name: str) -> _Fit:
    """Fit logic and clock of a family to builds.

    Parameters
    ----------
    builds:
        Builds of any family; those of ECP5 weigh the bits of a design.
    name:
        Name of the family.
    """
    base = [each for each in builds if each.family == "ecp5"]
    bits = np.array([_row(each.design, each.family) for each in base])
    cells = np.array([each.used["logic"] for each in base], np.float64)
    weights = _least_squares(bits / cells[:, None])
    memory = np.array([each.used["memory"] for each in base], np.float64)
    logs = np.stack([np.ones(len(base)), np.log(cells), np.log(memory)], axis=1)
    slopes = np.linalg.lstsq(logs, np.log([each.fmax_mhz for each in base]), rcond=None)[0]

    def logic(parts: Design) -> float:
        return float(np.array(_row(parts, name)) @ weights)

    def clock(count: float, blocks: int) -> float:
        return float(np.exp(slopes @ [1.0, np.log(count), np.log(max(1, blocks))]))

    own = [each for each in builds if each.family == name]
    if name == "ecp5" or not own:
        return logic, clock
    more = _mean([e.used["logic"] / logic(e.design) for e in own])
    faster = _mean([e.fmax_mhz / clock(e.used["logic"], e.used["memory"]) for e in own])
    return (
        lambda parts: more * logic(parts),
        lambda count, blocks: faster * clock(count, blocks),
    )


def _mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean, which is as far above the least as below the largest ratio."""
    return float(np.exp(np.mean(np.log(ratios))))


def _row(parts: Design, family: str) -> list[float]:
    """Return what a design has of each that takes logic: bits, memories made of it, and itself."""
    small = 0
    if family == "ecp5":  # an iCE40 has no memory in its logic
        deep = _ecp5()
        small = sum(
            -(-words // 16) * -(-width // 4)
            for words, width in parts.memories
            if not _in_blocks((words, width), deep)
        )
    return [*(float(parts.bits[kind]) for kind in _LOGIC), float(small), 1.0]


@cache
def _ecp5() -> Family:
    return _family("ulx3s_85f")


def _least_squares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights, none below 0, with which the sum of each row is nearest to 1.

    Columns whose weight would be below 0 are left out one after the other, the worst one first.
    """
    kept = list(range(rows.shape[1]))
    while True:
        found = np.linalg.lstsq(rows[:, kept], np.ones(len(rows)), rcond=None)[0]
        if (found >= 0).all():
            break
        scale = np.abs(rows[:, kept]).mean(axis=0)
        del kept[int((found * scale).argmin())]
    weights = np.zeros(rows.shape[1])
    weights[kept] = found
    return weights
