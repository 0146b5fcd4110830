"""Who is active: axon events of the tick, then the neurons that fired, in ascending order."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.interface import event_layout
from spiketwin.hdl.gateware.core.streams import MemoryQueue
from spiketwin.hdl.spec.params import CoreParams


class AxonEvents(wiring.Component):
    """Queues events, holds the oldest one against the tick, and drops it when its time is over.

    Members
    -------
    events, level:
        In, events for the queue; Out, how many are in it.
    tick, tick_end_stb:
        In, the current tick; high in the last cycle in which it is that.
    due, axon:
        Out, an event of this tick is here.
    settled:
        Out, `due` can be relied on: no event is on its way here.
    take_stb:
        In, the event is used.
    over:
        In, axons have had their turn in this tick: what comes now is late.
    late_stb:
        Out, high for a cycle for each event dropped.
    reset_stb:
        In, forget all events.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.layout = event_layout(params)
        super().__init__(
            {
                "events": In(stream.Signature(self.layout)),
                "level": Out(range(params.event_queue_depth + 1)),
                "tick": In(32),
                "tick_end_stb": In(1),
                "due": Out(1),
                "axon": Out(self.layout["axon"].shape),
                "settled": Out(1),
                "take_stb": In(1),
                "over": In(1),
                "late_stb": Out(1),
                "reset_stb": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        queue = MemoryQueue(self.layout.size, self.params.event_queue_depth)
        m.submodules.queue = ResetInserter({"sync": self.reset_stb})(queue)
        m.d.comb += [
            queue.write.payload.eq(self.events.payload),
            queue.write.valid.eq(self.events.valid),
            self.events.ready.eq(queue.write.ready),
        ]
        oldest = self.layout(queue.read.payload)
        head = Signal(self.layout)  # the tick is inverted
        gone_stb = Signal()
        full, compared, matches, stale = (
            Signal(name=name) for name in ("full", "compared", "matches", "stale")
        )
        m.d.comb += [
            queue.read.ready.eq(~full),
            self.axon.eq(head.axon),
            gone_stb.eq(full & compared & (self.take_stb | self.late_stb)),
            self.due.eq(full & compared & matches & ~self.over),
            self.settled.eq((full & compared & ~self.late_stb) | (~full & ~queue.read.valid)),
            self.late_stb.eq(full & compared & (stale | (matches & self.over))),
        ]
        with m.If(~full):
            m.d.sync += [
                head.axon.eq(oldest.axon),
                head.tick.eq(~oldest.tick),
                full.eq(queue.read.valid),
            ]
        # Without inverters before it, the sum takes a logic cell a bit: it carries where the tick
        # of the event is the smaller one, and is all ones where both are the same. The comparison
        # is registered: a tick and its event stand for several cycles.
        apart = head.tick + self.tick
        m.d.sync += [
            matches.eq(apart[:-1].all()),
            stale.eq(apart[-1]),
            compared.eq(full & ~self.tick_end_stb),
        ]
        with m.If(gone_stb):
            m.d.sync += [full.eq(0), compared.eq(0)]
        arrives = self.events.valid & self.events.ready
        m.d.sync += self.level.eq(self.level + arrives - gone_stb)
        with m.If(self.reset_stb):
            m.d.sync += [full.eq(0), self.level.eq(0)]
        return m


def entry_layout(params: CoreParams) -> data.StructLayout:
    """A group of neurons, and which of them fired: an entry of the space `pending`."""
    return data.StructLayout(
        {"mask": params.neuron_lanes, "group": bits_for(params.neuron_groups - 1)}
    )


class PendingPort(wiring.Signature):
    """Access of the link to the entries of the space `pending`.

    Members
    -------
    owned:
        The link has the list, and the groups that *Update* pushes are ignored.
    place:
        Which entry is read, or overwritten.
    store_stb, entry:
        Overwrite it, which makes it the last one.
    stored:
        The entry, one cycle after `place`.
    """

    def __init__(self, params: CoreParams) -> None:
        entry = entry_layout(params)
        super().__init__(
            {
                "owned": Out(1),
                "place": Out(range(params.neuron_groups)),
                "store_stb": Out(1),
                "entry": Out(entry),
                "stored": In(entry),
            }
        )


class FiredNeurons(wiring.Component):
    """The neurons that fired in the last *Update*, kept by groups, given out one by one.

    Members
    -------
    empty_stb:
        In, forget all.
    push_stb, entry:
        In, a group in which at least one neuron fired; groups come in ascending order.
    count:
        Out, entries kept.
    rewind_stb:
        In, begin again with the first; the first neuron is out four cycles later.
    valid, neuron, take_stb:
        Out, the next neuron; In, it is used. The one after it is out within four cycles.
    link:
        The link's access, in place of `push_stb` and `entry` while it owns the list.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        entry = entry_layout(p)
        super().__init__(
            {
                "empty_stb": In(1),
                "push_stb": In(1),
                "entry": In(entry),
                "count": Out(range(p.neuron_groups + 1)),
                "rewind_stb": In(1),
                "valid": Out(1),
                "neuron": Out(range(p.n_neurons)),
                "take_stb": In(1),
                "link": In(PendingPort(p)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, link = self.params, self.link
        lane_bits = exact_log2(p.neuron_lanes)
        entry = entry_layout(p)
        memory: Memory = Memory(shape=entry, depth=p.neuron_groups, init=[])
        m.submodules.list = memory
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [write.data.eq(self.entry), link.stored.eq(read.data)]
        with m.If(link.owned):
            m.d.comb += [
                write.data.eq(link.entry),
                write.addr.eq(link.place),
                write.en.eq(link.store_stb),
            ]
        with m.Else():
            m.d.comb += [write.addr.eq(self.count), write.en.eq(self.push_stb)]
        with m.If(self.empty_stb):
            m.d.sync += self.count.eq(0)
        with m.Elif(write.en):
            m.d.sync += self.count.eq(write.addr + 1)

        # Memory → head (an entry being taken apart) → out (a neuron).
        position = Signal.like(self.count)
        fetching = Signal()
        head = Signal(entry)
        m.d.comb += read.addr.eq(link.place)
        with m.If(~link.owned):
            m.d.comb += read.addr.eq(position)
        with m.If(fetching):
            m.d.sync += [head.eq(read.data), position.eq(position + 1), fetching.eq(0)]
        with m.Elif((head.mask == 0) & (position != self.count)):
            m.d.sync += fetching.eq(1)
        with m.If(~self.valid | self.take_stb):
            m.d.sync += [
                self.valid.eq(head.mask != 0),
                self.neuron.eq((head.group << lane_bits) | _lowest(m, head.mask)),
            ]
            with m.If(~fetching):
                m.d.sync += head.mask.eq(head.mask & (head.mask - 1))
        with m.If(self.rewind_stb):
            m.d.sync += [position.eq(0), fetching.eq(0), head.mask.eq(0), self.valid.eq(0)]
        return m


def _lowest(m: Module, mask: Value) -> Value:
    """Return the place of the lowest bit that is set (a priority encoder)."""
    place = Signal(range(len(mask)) if len(mask) > 1 else 1, name="lowest")
    for k in reversed(range(len(mask))):
        with m.If(mask[k]):
            m.d.comb += place.eq(k)
    return place
