"""What the link can address in a core: its registers, its memory spaces and its counters.

A *space* is an array of elements, vector or matrix, that `READ` and `WRITE` address. Registers and
spaces follow from the table of variables (`variables`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.variables import (
    ARRAYS,
    CONSTANTS,
    ClearMask,
    Kind,
    Per,
    Space,
    Variable,
    limits,
    names,
)

__all__ = [
    "ADDRESS_COLUMN_BITS",
    "COUNTERS",
    "CYCLES_WIDTH",
    "DAMAGE_WIDTH",
    "PENDING_MASK_BITS",
    "READ_DURING_RUN",
    "REGISTERS",
    "RUN_REGISTERS",
    "SATURATIONS",
    "ClearMask",
    "Column",
    "Counter",
    "Space",
    "SpaceFormat",
    "counters",
    "limits",
    "profile_columns",
    "registers",
    "rule_columns",
    "space_formats",
]

REGISTERS: Final = CONSTANTS
"""All registers that a core can have, each 32 bits on the link. A value is sign- or zero-extended
to 32 bits, and refused if it does not fit the width of the register."""

RUN_REGISTERS: Final = names(r for r in REGISTERS if r.kind is Kind.RUN)
"""Registers that belong to a run; all others are a network's."""


def registers(params: CoreParams) -> tuple[Variable, ...]:
    """Return the registers of a core; the address of each is its index. After a reset all read 0.

    All zero means: nothing decays, `v` stays at or above 0, nothing is learned, free-running.
    """
    in_tables = profile_columns(params) + rule_columns(params)
    return tuple(r for r in REGISTERS if r.is_built(params) and r not in in_tables)


def profile_columns(params: CoreParams) -> tuple[Variable, ...]:
    """Return the columns of the space `PROFILE_TABLE`: what each profile holds.

    There are none in a core with a single profile, where all of them are registers.
    """
    return tuple(
        r for r in REGISTERS
        if r.is_built(params) and r.per is Per.PROFILE and params.has_profiles
    )  # fmt: skip


def rule_columns(params: CoreParams) -> tuple[Variable, ...]:
    """Return the columns of the space `RULE_TABLE`: what each rule holds.

    There are none in a core with a single rule, where all of them are registers.
    """
    return tuple(
        r for r in REGISTERS if r.is_built(params) and r.per is Per.RULE and params.has_rules
    )


@dataclass(frozen=True)
class Counter:
    """A counter of the device: `width` bits in the gateware, 32 on the link.

    A counter saturates at its largest value. `cycles_low` alone wraps, with a carry into
    `cycles_high`; as the two are read one after the other, they fit together only between runs.
    """

    name: str
    doc: str
    width: int = 32


DAMAGE_WIDTH: Final = 16
"""Bits of the counters of errors, which need not be exact when they are large."""

CYCLES_WIDTH: Final = 48
"""Bits of the counter of cycles, which are enough for a month at 100 MHz."""

COUNTERS: Final = (
    Counter("tick", "The next tick to be executed, counted from the last reset."),
    Counter("run_until", "The tick before which the current run stops."),
    Counter("cycles_low", "Cycles spent in ticks since the last reset, low 32 bits."),
    Counter("cycles_high", "The same, the bits above.", CYCLES_WIDTH - 32),
    Counter(
        "missed_deadlines", "Ticks that began late because the one before was not done.",
        DAMAGE_WIDTH,
    ),
    Counter("late_events", "Events dropped because their tick had begun.", DAMAGE_WIDTH),
    Counter(
        "muted_ticks", "Ticks whose output words were dropped: the queue was full.", DAMAGE_WIDTH
    ),
    Counter("pending_groups", "Entries of the space `pending`."),
    Counter("events_queued", "Events in the queue."),
    Counter("words_queued", "Output words in the queue."),
    Counter("frame_errors", "Frames dropped: cut, overlong or with a wrong CRC.", DAMAGE_WIDTH),
    Counter("rx_overflows", "Bytes lost because the receive buffer was full.", DAMAGE_WIDTH),
)  # fmt: skip
"""The counters of every core; the index of each is its element in the space `counter`."""

SATURATIONS: Final = (
    Counter("i_syn_saturations", "Weights added to `i_syn` whose sum did not fit its width."),
    Counter("v_saturations", "Values that `v` took over although they did not fit its width."),
    Counter("theta_saturations", "Spikes after which `theta` did not fit its width."),
    Counter(
        "weight_saturations",
        "Steps of weights that `w_min` or `w_max` cut short, and drifts that no sum holds.",
    ),
)
"""Counters of cores with `saturation_counters`, numbered behind `COUNTERS`. They are 0 after a
reset. As long as all of them but `weight_saturations` are 0, wider state would change nothing."""


def counters(params: CoreParams) -> tuple[Counter, ...]:
    """Return the counters of a core; the index of each is its element in the space `counter`."""
    return COUNTERS + (SATURATIONS if params.saturation_counters else ())


ADDRESS_COLUMN_BITS: Final = 16
"""Number of the low bits of an address that hold the column; the row is above them."""


@dataclass(frozen=True)
class Column:
    """A named column of a space of records: its elements have a range of their own."""

    name: str
    width: int
    signed: bool

    def limits(self) -> tuple[int, int]:
        """Return the smallest and the largest value."""
        return limits(self.width, self.signed)


@dataclass(frozen=True)
class SpaceFormat:
    """Format of the elements of one space in one core.

    Attributes
    ----------
    rows, columns:
        Shape; a vector has one row. A block of elements runs along a row and on into the next one.
    width, signed:
        Range of an element. Elements travel little-endian in 1, 2 or 4 bytes, sign- or
        zero-extended; elements of 1 bit travel eight in a byte, the first lowest, and spare bits
        of the last byte are 0.
    writable:
        Whether `WRITE` is accepted.
    record:
        The columns by name, if the space has records for its rows; else none. An element of a
        record is sign- or zero-extended to 32 bits, and refused if it is out of the range of its
        column.
    """

    space: Space
    rows: int
    columns: int
    width: int
    signed: bool
    writable: bool
    doc: str
    record: tuple[Column, ...] = ()

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.rows * self.columns

    @property
    def packed(self) -> bool:
        """Whether elements are single bits."""
        return self.width == 1

    @property
    def element_bytes(self) -> int:
        """Bytes of one element, or of eight elements if they are packed."""
        return 1 if self.width <= 8 else 2 if self.width <= 16 else 4

    def address(self, index: int) -> int:
        """Return the address ``row << 16 | column`` of an element, from its row-major index."""
        row, column = divmod(index, self.columns)
        return row << ADDRESS_COLUMN_BITS | column

    def byte_length(self, count: int) -> int:
        """Return the bytes that `count` elements take."""
        return -(-count // 8) if self.packed else count * self.element_bytes

    def limits(self) -> tuple[int, int]:
        """Return the smallest and the largest value of an element."""
        return limits(self.width, self.signed)

    def limits_at(self, index: int) -> tuple[int, int]:
        """Return the smallest and the largest value of an element, from its row-major index."""
        return self.record[index % self.columns].limits() if self.record else self.limits()


READ_DURING_RUN: Final = (Space.REGISTER, Space.COUNTER)
"""Spaces that can be read while a run is under way; for the others the device is busy."""

PENDING_MASK_BITS: Final = 8
"""Bits of the mask in an entry of `pending`, which is ``group << 8 | mask``. Bit k of the mask is
neuron ``group * neuron_lanes + k``."""


_PENDING_DOC: Final = (
    "Neurons that fired in the last tick: the first `pending_groups` entries, by group. "
    "Written from entry 0 (which empties the list) or appended; groups ascend strictly."
)


def _records(
    params: CoreParams, space: Space, rows: int, columns: tuple[Variable, ...], doc: str
) -> SpaceFormat:
    """Return the format of a space of records, whose columns are these variables."""
    record = tuple(Column(v.name, v.width(params), v.signed) for v in columns)
    return SpaceFormat(space, rows, len(record), 32, False, True, doc, record)


def space_formats(params: CoreParams) -> dict[Space, SpaceFormat]:
    """Return the spaces of a core; spaces of a feature that is not built are missing."""
    formats = {
        Space.REGISTER: _records(
            params, Space.REGISTER, 1, registers(params), "Run-time parameters of the core."
        ),
        Space.COUNTER: SpaceFormat(
            Space.COUNTER, 1, len(counters(params)), 32, False, False, "Counters of the device."
        ),
        Space.PENDING: SpaceFormat(
            Space.PENDING, 1, params.neuron_groups, 32, False, True, _PENDING_DOC
        ),
    }  # fmt: skip
    if profiled := profile_columns(params):
        formats[Space.PROFILE_TABLE] = _records(
            params, Space.PROFILE_TABLE, params.n_profiles, profiled,
            "Constants that the neurons and sources of a profile share.",
        )  # fmt: skip
    if ruled := rule_columns(params):
        formats[Space.RULE_TABLE] = _records(
            params, Space.RULE_TABLE, params.n_rules, ruled,
            "Constants of learning that the projections of a rule share.",
        )  # fmt: skip
    for array in ARRAYS:
        if array.is_built(params) and array.space not in formats:
            *rows, columns = array.shape_in(params)
            formats[array.space] = SpaceFormat(
                array.space, rows[0] if rows else 1, columns, array.width(params), array.signed,
                True, array.doc,
            )  # fmt: skip
    return dict(sorted(formats.items()))
