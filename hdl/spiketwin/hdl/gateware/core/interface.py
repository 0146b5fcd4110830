"""The interface between the core and the link."""

from __future__ import annotations

import enum
from typing import cast

from amaranth.hdl import Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import (
    CYCLES_WIDTH,
    DAMAGE_WIDTH,
    SATURATIONS,
    ClearMask,
    space_formats,
)


def event_layout(params: CoreParams) -> data.StructLayout:
    """Return the layout of an event.

    Fields
    ------
    tick:
        The tick that it belongs to.
    number:
        Its axon, or if it is a bias event its neuron.
    is_bias, bias:
        With `bias_events`: whether it is one, and the new bias.
    """
    of_biases = {"is_bias": 1, "bias": Shape(params.v_width, signed=True)}
    return data.StructLayout(
        {
            "tick": 32,
            "number": params.event_number_width,
            **(of_biases if params.bias_events else {}),
        }
    )


def space_shape(params: CoreParams) -> type[enum.IntEnum]:
    """Return the shape of the number of a space: the spaces of a core, which waves show by name."""
    spaces = {space.name: int(space) for space in space_formats(params)}
    return cast("type[enum.IntEnum]", enum.IntEnum("SpaceOfCore", spaces))


class MemoryPort(wiring.Signature):
    """Access to one element of a space, for the link, while the core is idle.

    The initiator holds `valid` and the request until `done`, which is high for one cycle and, on a
    read, comes with `r_data`, which then stays as long as the element is addressed. Values that are
    read are sign- or zero-extended to 32 bits; of values that are written, only the bits of the
    element count. The initiator has checked space, element and value. Registers may be read at any
    time; counters have ports of their own.

    Members
    -------
    valid, done:
        Handshake.
    write:
        1 to write `w_data`, 0 to read.
    space, row, column:
        The element (`spec.registers`).
    """

    def __init__(self, params: CoreParams) -> None:
        formats = space_formats(params).values()
        rows, columns = max(f.rows for f in formats), max(f.columns for f in formats)
        super().__init__(
            {
                "valid": Out(1),
                "write": Out(1),
                "space": Out(space_shape(params)),
                "row": Out(max(12, bits_for(rows - 1))),
                "column": Out(max(12, bits_for(columns - 1))),
                "w_data": Out(32),
                "done": In(1),
                "r_data": In(32),
            }
        )


class CoreSignature(wiring.Signature):
    """The core as the link sees it.

    Members
    -------
    memory:
        Every space but the counters.
    events:
        Axon events, in ascending order, and bias events, which in a tick come first. `event_level`
        is the number queued.
    words:
        Output words (`spec.protocol.Word`). `word_level` is the number queued.
    run_until:
        Ticks before this one are executed as soon as they can be.
    stop:
        Begin no tick, as if `run_until` were `tick`; while idle, drop all queued events.
    tick:
        The next tick to be executed; while a tick is under way, its number.
    real_time:
        Ticks have a period.
    idle:
        No tick and no clear is under way or about to begin. Follows `run_until` and `stop` two
        cycles late.
    clear_stb, clear_mask:
        While idle, set state to 0; `idle` is low from the next cycle until it is done.
    reset_stb:
        While idle, set all registers, `tick` and the counters to 0 and empty both queues; state is
        cleared by a `clear_stb` beside it.
    set_tick_stb, set_tick:
        While idle, and while `run_until` becomes the same, this tick becomes the next one.
    cycles, missed_deadlines, late_events, muted_ticks, pending_groups:
        Counters (`spec.registers.COUNTERS`).
    <counter>:
        With `saturation_counters`: the counters of `spec.registers.SATURATIONS`.
    """

    def __init__(self, params: CoreParams) -> None:
        super().__init__(
            {
                "memory": In(MemoryPort(params)),
                "events": In(stream.Signature(event_layout(params))),
                "event_level": Out(range(params.event_queue_depth + 1)),
                "words": Out(stream.Signature(32)),
                "word_level": Out(range(params.spike_queue_depth + 1)),
                "run_until": In(32),
                "stop": In(1),
                "tick": Out(32),
                "real_time": Out(1),
                "idle": Out(1),
                "clear_stb": In(1),
                "clear_mask": In(len(ClearMask)),
                "reset_stb": In(1),
                "set_tick_stb": In(1),
                "set_tick": In(32),
                "cycles": Out(CYCLES_WIDTH),
                "missed_deadlines": Out(DAMAGE_WIDTH),
                "late_events": Out(DAMAGE_WIDTH),
                "muted_ticks": Out(DAMAGE_WIDTH),
                "pending_groups": Out(range(params.neuron_groups + 1)),
                **{c.name: Out(c.width) for c in SATURATIONS if params.saturation_counters},
            }
        )
