"""The model of what a design takes of an FPGA, fitted to builds that are stored beside it.

Memories are counted: a block RAM has a few shapes, and small memories are made of logic; the rules
are those by which Yosys' mapping of the stored builds is told. So are multipliers. Logic is a sum
over the bits of the elaborated design (`design`), whose weights are fitted, none below 0, to the
relative error. Both kinds of iCE40 have one sum, of fewer terms than that of the ECP5, as they have
fewer builds: their LUTs are the same, and what one of them lacks is made of them, which are two of
the terms. The clock is fitted to logic and block RAM, in logarithms, and to whether decays are
shifted, which lengthens the path of a product; an iCE40 has that of the ECP5, times a factor.
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
from spiketwin.firmware.family import Family, Shapes, families
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.results import Result

BUILDS: Final = Path(__file__).with_name("builds.json")
"""The builds to which the model is fitted, and others that are held out."""

_LOGIC: Final = tuple(kind for kind in KINDS if kind not in ("registers", "products"))
"""Kinds of logic whose bits take cells; registers share those, and products take multipliers."""

_MOST_BUILT: Final = "ecp5"
"""The family with most of the stored builds."""

_OPERATIONS: Final = ("choices", "gates", "sums", "comparisons")
"""Kinds of logic a bit of which takes as much of an iCE40 as one of another."""

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
    """The cells that a core with its link takes of a board, estimated without building it.

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
        max_clock_hz=1e6 * clock(cells, used["memory"], params.decay_shift),
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
    return cells, clock(cells, memory, other.params.decay_shift)


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
    return ((512, 36), *family.block_ram) if family.name == _MOST_BUILT else family.block_ram


def _blocks(memory: tuple[int, int], shapes: Shapes) -> int:
    words, width = memory
    return min(-(-words // depth) * -(-width // bits) for depth, bits in shapes)


def _in_spram(memory: tuple[int, int], params: CoreParams, family: Family) -> bool:
    large = memory[0] >= _SPRAM_WORDS
    return bool(family.single_port_ram) and params.single_port_weights and large


def _in_blocks(memory: tuple[int, int], family: Family) -> bool:
    words, width = memory
    bits = words * width
    if family.name != _MOST_BUILT:
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

_Logic = Callable[[Design], float]
_Clock = Callable[[float, int, bool], float]
_Fit = tuple[_Logic, _Clock]


@cache
def _fitted(name: str) -> _Fit:
    """Return the logic of a design, and the clock in MHz by logic, block RAMs, shifted decays."""
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
        Builds of any family; the clock is fitted to those of the ECP5 first.
    name:
        Name of the family.
    """
    base = [each for each in builds if each.family == _MOST_BUILT]
    clock = _clock(base)
    own = [each for each in builds if each.family == name]
    if name == _MOST_BUILT or not own:
        return _logic(base, name), clock
    # In logarithms, a factor of its own, and one for what shifted decays cost there beyond that.
    rows = np.array([[1.0, each.params.decay_shift] for each in own])
    ratios = [_ratio(each, clock) for each in own]
    factor, shifted = np.linalg.lstsq(rows, np.log(ratios), rcond=None)[0]
    others = [each for each in builds if each.family != _MOST_BUILT]
    return (
        _logic(others, name),
        lambda count, blocks, shifts: float(
            np.exp(factor + shifted * shifts) * clock(count, blocks, shifts)
        ),
    )


def _ratio(build: StoredBuild, clock: _Clock) -> float:
    used = build.used
    return build.fmax_mhz / clock(used["logic"], used["memory"], build.params.decay_shift)


def _logic(builds: Sequence[StoredBuild], name: str) -> _Logic:
    """Fit the logic of a family to builds of its kind."""
    rows = np.array([_row(each.design, each.family) for each in builds])
    cells = np.array([each.used["logic"] for each in builds], np.float64)
    weights = _least_squares(rows / cells[:, None])
    return lambda parts: float(np.array(_row(parts, name)) @ weights)


def _clock(builds: Sequence[StoredBuild]) -> _Clock:
    """Fit the clock to builds."""

    def row(count: float, blocks: int, shifts: bool) -> list[float]:
        return [1.0, float(np.log(count)), float(np.log(max(1, blocks))), float(shifts)]

    rows = [row(e.used["logic"], e.used["memory"], e.params.decay_shift) for e in builds]
    slopes = np.linalg.lstsq(rows, np.log([each.fmax_mhz for each in builds]), rcond=None)[0]
    return lambda count, blocks, shifts: float(np.exp(slopes @ row(count, blocks, shifts)))


def _row(parts: Design, name: str) -> list[float]:
    """Return what a design has of each that takes logic of a family, and itself."""
    family = families()[name]
    small = [each for each in parts.memories if not _in_blocks(each, family)]
    if name == _MOST_BUILT:
        made = sum(-(-words // 16) * -(-width // 4) for words, width in small)
        return [*(float(parts.bits[kind]) for kind in _LOGIC), float(made), 1.0]
    operations = sum(parts.bits[kind] for kind in _OPERATIONS)
    products = 0 if name in _MULTIPLIER else parts.bits["products"]
    flip_flops = sum(words * width for words, width in small)
    return [*map(float, (operations, parts.bits["shifts"], flip_flops, products)), 1.0]


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
