"""The register map, the memory spaces and the counters: the one table of what can be addressed.

A *space* is an array of elements, vector or matrix, that `READ` and `WRITE` address. Gateware,
model, host and documentation are all built from the tables below.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spiketwin.hdl.spec.arithmetic import DECAY_BITS, GAIN_WIDTH, OFFSET_WIDTH
from spiketwin.hdl.spec.params import CoreParams

Width = Callable[[CoreParams], int]


def _fixed(width: int) -> Width:
    return lambda _params: width


@dataclass(frozen=True)
class Register:
    """One run-time parameter of the core, 32 bits on the link, `width` bits in the core.

    A value that does not fit the width, sign- or zero-extended to 32 bits, is refused.
    """

    name: str
    width: Width
    signed: bool
    doc: str
    learning: bool = False
    """Present only in cores built with learning."""
    digest: bool = False
    """Present only in cores built with a digest."""

    def limits(self, params: CoreParams) -> tuple[int, int]:
        """Smallest and largest value."""
        return limits(self.width(params), self.signed)


def limits(width: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest integer of `width` bits."""
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


_DECAY = _fixed(DECAY_BITS)
_BIT = _fixed(1)


def _v(params: CoreParams) -> int:
    return params.v_width


def _theta(params: CoreParams) -> int:
    return params.theta_width


def _trace(params: CoreParams) -> int:
    return params.trace_width


def _weight(params: CoreParams) -> int:
    return params.weight_width


_REGISTERS: Final = (
    Register(
        "tick_period", _fixed(32), False,
        "Cycles from tick to tick; 0 is free-running. Ticks are due a period apart, counted from "
        "the first tick after this is written.",
    ),
    Register("v_decay", _DECAY, False, "Decay code of the membrane potential."),
    Register("v_floor", _v, True, "Lowest membrane potential that integration reaches."),
    Register("i_syn_decay", _DECAY, False, "Decay code of the synaptic current."),
    Register("reset_subtract", _BIT, False, "1: reset subtracts threshold + theta; 0: to v_reset."),
    Register("theta_decay", _DECAY, False, "Decay code of theta."),
    Register("theta_bump", _theta, False, "What a spike adds to theta."),
    Register("learn_pre", _BIT, False, "1: the pre-event rule is applied.", learning=True),
    Register("learn_post", _BIT, False, "1: the post-event rule is applied.", learning=True),
    Register("stochastic", _BIT, False, "1: steps rounded by noise; 0: nearest.", learning=True),
    Register("seed", _fixed(32), False, "Seed of the noise.", learning=True),
    Register("w_min", _weight, True, "Lower bound of a plastic weight.", learning=True),
    Register("w_max", _weight, True, "Upper bound of a plastic weight.", learning=True),
    Register(
        "pre_gain", _fixed(GAIN_WIDTH), True,
        "Weight units, in 1/256, that a full-scale trace_post is worth at a pre-event.",
        learning=True,
    ),
    Register(
        "pre_offset", _fixed(OFFSET_WIDTH), True,
        "Step of the weight, in 1/65536, at every pre-event.", learning=True,
    ),
    Register(
        "post_gain", _fixed(GAIN_WIDTH), True,
        "Weight units, in 1/256, that a full-scale trace_pre is worth at a post-event.",
        learning=True,
    ),
    Register(
        "post_offset", _fixed(OFFSET_WIDTH), True,
        "Step of the weight, in 1/65536, at every post-event.", learning=True,
    ),
    Register("trace_pre_decay", _DECAY, False, "Decay code of trace_pre.", learning=True),
    Register("trace_pre_bump", _trace, False, "What a spike brings to trace_pre.", learning=True),
    Register(
        "trace_pre_replace", _BIT, False,
        "1: a spike sets trace_pre to the bump; 0: it adds the bump.", learning=True,
    ),
    Register("trace_post_decay", _DECAY, False, "Decay code of trace_post.", learning=True),
    Register("trace_post_bump", _trace, False, "What a spike brings to trace_post.", learning=True),
    Register(
        "trace_post_replace", _BIT, False,
        "1: a spike sets trace_post to the bump; 0: it adds the bump.", learning=True,
    ),
    Register("digest_en", _BIT, False, "1: every tick reports its digest.", digest=True),
)  # fmt: skip


RUN_REGISTERS: Final = ("tick_period", "digest_en")
"""Registers that belong to a run; all others are a network's."""


def registers(params: CoreParams) -> tuple[Register, ...]:
    """The registers of a core; the address of each is its index. After a reset all read 0.

    All zero means: nothing decays, `v` stays at or above 0, nothing is learned, free-running.
    """
    return tuple(
        r
        for r in _REGISTERS
        if (params.learning or not r.learning) and (params.digest_rounds or not r.digest)
    )


@dataclass(frozen=True)
class Counter:
    """A value of `width` bits that the device keeps, 32 on the link.

    It stays at its largest value rather than wrap. `cycles_low` alone wraps, into `cycles_high`;
    the two are read one after the other, so both are of one moment only between runs.
    """

    name: str
    doc: str
    width: int = 32


DAMAGE_WIDTH: Final = 16
"""Bits of a counter of what went wrong: more would not say more."""

CYCLES_WIDTH: Final = 48
"""Bits of the count of cycles: a month at 100 MHz."""

COUNTERS: Final = (
    Counter("tick", "The next tick to be executed, counted from the last reset."),
    Counter("run_until", "The tick before which the current run stops."),
    Counter("cycles_low", "Cycles spent in ticks since the last reset, low 32 bits."),
    Counter("cycles_high", "The same, the bits above.", CYCLES_WIDTH - 32),
    Counter(
        "missed_deadlines", "Ticks that began late because the one before was not done.",
        DAMAGE_WIDTH,
    ),
    Counter("late_events", "Axon events dropped because their tick had begun.", DAMAGE_WIDTH),
    Counter(
        "muted_ticks", "Ticks whose output words were dropped: the queue was full.", DAMAGE_WIDTH
    ),
    Counter("pending_groups", "Entries of the space `pending`."),
    Counter("events_queued", "Axon events in the queue."),
    Counter("words_queued", "Output words in the queue."),
    Counter("frame_errors", "Frames dropped: cut, overlong or with a wrong CRC.", DAMAGE_WIDTH),
    Counter("rx_overflows", "Bytes lost because the receive buffer was full.", DAMAGE_WIDTH),
)  # fmt: skip
"""The counters of every core; the index of each is its element in the space `counter`."""

SATURATIONS: Final = (
    Counter("i_syn_saturations", "Weights added to `i_syn` whose sum did not fit its width."),
    Counter("v_saturations", "Values that `v` took over although they did not fit its width."),
    Counter("theta_saturations", "Spikes after which `theta` did not fit its width."),
    Counter("weight_saturations", "Steps of weights that `w_min` or `w_max` cut short."),
)
"""Counters of cores built with `saturation_counters`, in which they follow the others. They are 0
after a reset. While none but the last counts, a core with wider state does the same."""


def counters(params: CoreParams) -> tuple[Counter, ...]:
    """The counters of a core; the index of each is its element in the space `counter`."""
    return COUNTERS + (SATURATIONS if params.saturation_counters else ())


class Space(enum.IntEnum):
    """What `READ` and `WRITE` address. The value is the number on the link."""

    REGISTER = 0
    COUNTER = 1
    WEIGHT = 2
    PLASTIC = 3
    THRESHOLD = 4
    V_RESET = 5
    REFRAC_TICKS = 6
    BIAS = 7
    V = 8
    I_SYN = 9
    REFRAC_COUNT = 10
    THETA = 11
    TRACE_POST = 12
    TRACE_PRE = 13
    PENDING = 14


ADDRESS_COLUMN_BITS: Final = 16
"""Low bits of an address, which are the column; the row is above them."""


@dataclass(frozen=True)
class SpaceFormat:
    """Format of the elements of one space in one core.

    Attributes
    ----------
    rows, columns:
        Shape; a vector has one row. A block of elements runs along the row and on into the next.
    width, signed:
        Range of an element. Elements travel little-endian in 1, 2 or 4 bytes, sign- or
        zero-extended; elements of 1 bit travel eight in a byte, the first lowest, and spare bits
        of the last byte are 0.
    writable:
        Whether `WRITE` is accepted.
    """

    space: Space
    rows: int
    columns: int
    width: int
    signed: bool
    writable: bool
    doc: str

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
        """Bytes of one element (of eight where packed)."""
        return 1 if self.width <= 8 else 2 if self.width <= 16 else 4

    def address(self, index: int) -> int:
        """Address of an element, ``row << 16 | column``, of its index with the rows joined."""
        row, column = divmod(index, self.columns)
        return row << ADDRESS_COLUMN_BITS | column

    def byte_length(self, count: int) -> int:
        """Bytes that `count` elements take."""
        return -(-count // 8) if self.packed else count * self.element_bytes

    def limits(self) -> tuple[int, int]:
        """Smallest and largest value of an element."""
        return limits(self.width, self.signed)


READ_DURING_RUN: Final = (Space.REGISTER, Space.COUNTER)
"""Spaces that can be read while a run is under way; the others are busy."""

PENDING_MASK_BITS: Final = 8
"""An entry of `pending` is ``group << 8 | mask``: bit k is neuron ``group * neuron_lanes + k``."""


_PENDING_DOC: Final = (
    "Neurons that fired in the last tick: the first `pending_groups` entries, by group. "
    "Written from entry 0 (which empties the list) or appended; groups ascend strictly."
)


def space_formats(params: CoreParams) -> dict[Space, SpaceFormat]:
    """The spaces of a core; those of learning are missing where it is not built."""
    p = params
    rows = [
        (Space.REGISTER, 1, len(registers(p)), 32, False, True, "Run-time parameters of the core."),
        (Space.COUNTER, 1, len(counters(p)), 32, False, False, "Counters of the device."),
        (Space.WEIGHT, p.n_sources, p.n_neurons, p.weight_width, True, True, "Weights."),
        (Space.PLASTIC, p.n_sources, p.n_neurons, 1, False, True, "1 where learning applies."),
        (Space.THRESHOLD, 1, p.n_neurons, p.v_width, True, True, "Threshold of each neuron."),
        (Space.V_RESET, 1, p.n_neurons, p.v_width, True, True, "Potential after a spike."),
        (Space.REFRAC_TICKS, 1, p.n_neurons, p.refrac_width, False, True, "Ticks v is held."),
        (Space.BIAS, 1, p.n_neurons, p.v_width, True, True, "Added to the potential every tick."),
        (Space.V, 1, p.n_neurons, p.v_width, True, True, "Membrane potential."),
        (Space.I_SYN, 1, p.n_neurons, p.i_syn_width, True, True, "Synaptic current."),
        (Space.REFRAC_COUNT, 1, p.n_neurons, p.refrac_width, False, True, "Held ticks left."),
        (Space.THETA, 1, p.n_neurons, p.theta_width, False, True, "Adaptive part of threshold."),
        (Space.TRACE_POST, 1, p.n_neurons, p.trace_width, False, True, "Trace of each neuron."),
        (Space.TRACE_PRE, 1, p.n_sources, p.trace_width, False, True, "Trace of each source."),
        (
            Space.PENDING, 1, p.neuron_groups, 32, False, True,
            _PENDING_DOC,
        ),
    ]  # fmt: skip
    learning_only = {Space.PLASTIC, Space.TRACE_POST, Space.TRACE_PRE}
    return {row[0]: SpaceFormat(*row) for row in rows if p.learning or row[0] not in learning_only}


class ClearMask(enum.IntFlag):
    """What `CLEAR` sets to 0, each on its own."""

    V = 1
    I_SYN = 2
    REFRAC_COUNT = 4
    PENDING = 8
    TRACES = 16
    THETA = 32
