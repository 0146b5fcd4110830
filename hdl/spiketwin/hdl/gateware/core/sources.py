"""The active sources of a tick: its axon events, and lists of others, ascending; bias events."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.interface import event_layout
from spiketwin.hdl.gateware.core.streams import MemoryQueue
from spiketwin.hdl.spec.params import CoreParams


class AxonEvents(wiring.Component):
    """The queue of events, which compares the oldest one with the tick and drops late ones.

    Members
    -------
    events, level:
        In, events for the queue; Out, the number of events in it.
    tick, tick_end_stb:
        In, the current tick; the last cycle in which it is current.
    due, axon:
        Out, the oldest event is an axon event of this tick; its axon.
    bias_due, neuron, bias:
        Out, with bias events: the oldest event is one of this tick; its neuron, and the new bias.
    repeats:
        Out, with learning: the axon is the one that was used up last in this tick.
    settled:
        Out, `due` is final: no event is on its way through the queue.
    take_stb, take_bias_stb:
        In, the oldest event, which is an axon event, or a bias event, is used up.
    over, biases_over:
        In, all axons, or biases, of this tick were handled, so that an event which arrives now is
        late.
    late_stb:
        Out, high for a cycle for each late event, which is dropped.
    reset_stb:
        In, drop all events.
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
                "axon": Out(range(params.n_axons)),
                **({"repeats": Out(1)} if params.learning else {}),
                **(
                    {
                        "bias_due": Out(1),
                        "neuron": Out(range(params.n_neurons)),
                        "bias": Out(self.layout["bias"].shape),
                        "take_bias_stb": In(1),
                        "biases_over": In(1),
                    }
                    if params.bias_events
                    else {}
                ),
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
        head = Signal(self.layout)  # the oldest event, its tick inverted
        gone_stb = Signal()
        full, compared, matches, stale = (
            Signal(name=name) for name in ("full", "compared", "matches", "stale")
        )
        taken, over, due = self.take_stb, self.over, full & compared & matches & ~self.over
        if self.params.bias_events:
            taken = self.take_stb | self.take_bias_stb
            over = Mux(head.is_bias, self.biases_over, self.over)
            due &= ~head.is_bias
            m.d.comb += [
                self.bias_due.eq(full & compared & matches & ~self.biases_over & head.is_bias),
                self.neuron.eq(head.number),
                self.bias.eq(head.bias),
            ]
        m.d.comb += [
            queue.read.ready.eq(~full),
            self.axon.eq(head.number),
            gone_stb.eq(full & compared & (taken | self.late_stb)),
            self.due.eq(due),
            self.settled.eq((full & compared & ~self.late_stb) | (~full & ~queue.read.valid)),
            self.late_stb.eq(full & compared & (stale | (matches & over))),
        ]
        with m.If(~full):
            m.d.sync += [head.eq(oldest), head.tick.eq(~oldest.tick), full.eq(queue.read.valid)]
        # The comparison is a subtraction with the minuend inverted beforehand, which takes a logic
        # cell a bit: the sum carries if the tick of the event is the smaller one, and is all ones
        # if both are equal. It is registered, as the tick and the event stay for several cycles.
        apart = head.tick + self.tick
        m.d.sync += [
            matches.eq(apart[:-1].all()),
            stale.eq(apart[-1]),
            compared.eq(full & ~self.tick_end_stb),
        ]
        if self.params.learning:
            before, any_before = Signal.like(self.axon), Signal()
            with m.If(self.take_stb):
                m.d.sync += [before.eq(self.axon), any_before.eq(1)]
            with m.If(self.tick_end_stb):
                m.d.sync += any_before.eq(0)
            m.d.sync += self.repeats.eq(any_before & (self.axon == before))
        with m.If(gone_stb):
            m.d.sync += [full.eq(0), compared.eq(0)]
        arrives = self.events.valid & self.events.ready
        m.d.sync += self.level.eq(self.level + arrives - gone_stb)
        with m.If(self.reset_stb):
            m.d.sync += [full.eq(0), self.level.eq(0)]
        return m


def entry_layout(lanes: int, groups: int) -> data.StructLayout:
    """Return the layout of an entry of a list: a group, and those of its members that are in it."""
    return data.StructLayout({"mask": lanes, "group": bits_for(groups - 1)})


class ListPort(wiring.Signature):
    """Access of the link to the entries of a list.

    Members
    -------
    owned:
        The link owns the list, and groups that the core pushes are ignored.
    place:
        The number of the entry that is read or overwritten.
    store_stb, entry:
        Overwrite the entry, which becomes the last one of the list.
    stored:
        The entry, one cycle after `place`.
    """

    def __init__(self, lanes: int, groups: int) -> None:
        entry = entry_layout(lanes, groups)
        super().__init__(
            {
                "owned": Out(1),
                "place": Out(range(groups)),
                "store_stb": Out(1),
                "entry": Out(entry),
                "stored": In(entry),
            }
        )


class ActiveList(wiring.Component):
    """A list of active sources of one kind, stored by groups, read one by one.

    Parameters
    ----------
    lanes, groups:
        Sources of a group, and number of groups.

    Members
    -------
    empty_stb:
        In, empty the list.
    push_stb, entry:
        In, a group in which at least one source is active; groups come in ascending order.
    count:
        Out, the number of entries.
    rewind_stb:
        In, go back to the first source, which is at the output four cycles later.
    valid, source, take_stb:
        Out, the next source; In, it is used up. The one after it follows within four cycles.
    link:
        Access of the link, in place of `push_stb` and `entry` while it owns the list.
    """

    def __init__(self, lanes: int, groups: int) -> None:
        self.lanes, self.groups = lanes, groups
        entry = entry_layout(lanes, groups)
        super().__init__(
            {
                "empty_stb": In(1),
                "push_stb": In(1),
                "entry": In(entry),
                "count": Out(range(groups + 1)),
                "rewind_stb": In(1),
                "valid": Out(1),
                "source": Out(range(lanes * groups)),
                "take_stb": In(1),
                "link": In(ListPort(lanes, groups)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        link = self.link
        lane_bits = exact_log2(self.lanes)
        entry = entry_layout(self.lanes, self.groups)
        memory: Memory = Memory(shape=entry, depth=self.groups, init=[])
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

        # Pipeline: memory → head (an entry with the sources that are left) → out (one source).
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
                self.source.eq((head.group << lane_bits) | _lowest(m, head.mask)),
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
