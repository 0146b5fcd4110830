"""`EVENTS`: axon events are checked one after the other, and then queued.

::

    ROOM ─► EVENT ─► TAKE EVENT ─► TICK ─► ADD TICK ─► JUDGE EVENT ─► EVENT
                                              └─► QUEUE EVENT ─► EVENT

Within a request ``offset, axon`` ascends where ``tick, axon`` does, so an event is compared with
the one before it as they come. Only the first has to follow what was queued before, and only the
first can be late: those that ascend from it are later.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from spiketwin.hdl.gateware.datapath import Datapath, Walk
from spiketwin.hdl.gateware.framing import ARGUMENTS
from spiketwin.hdl.gateware.interface import event_layout
from spiketwin.hdl.spec.protocol import REQUESTS, Opcode, Status

TICK_BYTES = REQUESTS[Opcode.EVENTS].argument_bytes
EVENT_BYTES = REQUESTS[Opcode.EVENTS].tail_size


class Events:
    """States of the dispatcher for `EVENTS`.

    Attributes
    ----------
    room:
        Free entries of the queue, when they were asked for.
    any_queued:
        Events were queued since the last reset, `last_queued` being the last one.
    """

    def __init__(self, path: Datapath) -> None:
        self.path = path
        self.room = Signal.like(path.core.event_level)
        self.any_queued = Signal()
        self.last_queued = Signal(event_layout(path.params))

    def states(self, m: Module) -> None:
        """Add the states."""
        path, core, queued = self.path, self.path.core, self.last_queued
        axon = path.word[16:]
        axon_ok = axon < path.params.n_axons
        follows = Signal()  # the event at hand comes after the one before it
        offset_greater, offset_differs = Signal(), Signal()
        late = Signal()
        first, all_taken = Signal(), Signal()
        applying = path.walk == Walk.APPLY
        m.d.comb += [
            first.eq(path.index == 0),
            all_taken.eq(path.position == path.frame.given),
            core.events.payload.tick.eq(queued.tick),
            core.events.payload.axon.eq(axon),
        ]
        with m.State("ROOM"):
            wanted = path.frame.given[2:] - TICK_BYTES // EVENT_BYTES
            m.d.sync += path.position.eq(TICK_BYTES)
            m.next = "EVENT"
            with m.If(wanted > self.room):
                path.refuse(m, Status.QUEUE_FULL)
            with m.Elif(path.frame.given == TICK_BYTES):
                path.answer(m)
        with m.State("EVENT"):
            path.seek(m, path.position)
            m.d.comb += path.restart_stb.eq(1)
            m.d.sync += [path.carry.eq(0), follows.eq(0), offset_differs.eq(0)]
            m.next = "TAKE EVENT"
        with m.State("TAKE EVENT"):
            # The bytes of this event enter the word as those of the one before it leave.
            greater = _less(path.word[:8], path.frame.bytes.payload, follows)
            path.shift_in(m)
            m.d.comb += path.shift_stb.eq(path.take_byte(m))
            with m.If(path.shift_stb):
                path.next_step(m)
                m.d.sync += [path.position.eq(path.position + 1), follows.eq(greater)]
                with m.If(~path.step[1] & path.differs):
                    m.d.sync += offset_differs.eq(1)
                with m.If(path.step == 1):
                    m.d.sync += [offset_greater.eq(greater), follows.eq(0)]
                with m.If(path.step == EVENT_BYTES - 1):
                    m.next = "TICK"
        with m.State("TICK"):
            path.seek(m, ARGUMENTS)
            m.d.comb += path.restart_stb.eq(1)
            m.d.sync += late.eq(0)
            m.d.sync += follows.eq(offset_greater | (~offset_differs & follows))
            with m.If(first):
                m.d.sync += follows.eq(axon[: len(queued.axon)] > queued.axon)
            m.next = "ADD TICK"
        with m.State("ADD TICK"):
            total = path.sum[:8]
            m.d.comb += [path.from_frame.eq(1), path.word_in.eq(path.word[:8])]
            with m.If(path.step < 2):
                m.d.comb += path.from_word.eq(1)
            with m.If(path.settled):
                m.d.comb += path.shift_stb.eq(path.take_byte(m))
            with m.If(path.shift_stb):
                path.next_step(m)
                m.d.sync += [
                    path.carry.eq(path.sum[8]),
                    late.eq(_less(total, path.looked_up, late)),
                    queued.tick.eq(Cat(queued.tick[8:], Mux(applying, total, queued.tick[:8]))),
                ]
                with m.If(first):
                    m.d.sync += follows.eq(_less(queued.tick[:8], total, follows))
                with m.If(path.step == TICK_BYTES - 1):
                    m.next = "JUDGE EVENT"
                    with m.If(applying):
                        m.next = "QUEUE EVENT"
        with m.State("JUDGE EVENT"):
            m.d.comb += path.next_stb.eq(1)
            m.next = "EVENT"
            with m.If(all_taken):
                m.d.sync += [
                    path.walk.eq(Walk.APPLY),
                    path.position.eq(TICK_BYTES),
                ]
            with m.If(path.carry | ~axon_ok):
                self._refuse(m, Status.BAD_VALUE)
            with m.Elif(~follows & ~(first & ~self.any_queued)):
                self._refuse(m, Status.BAD_ORDER)
            with m.Elif(first & ~core.real_time & late):
                self._refuse(m, Status.LATE)
        with m.State("QUEUE EVENT"):
            m.d.comb += core.events.valid.eq(1)
            with m.If(core.events.ready):
                m.d.sync += [queued.axon.eq(axon), self.any_queued.eq(1)]
                m.next = "EVENT"
                with m.If(all_taken):
                    path.answer(m)

    def _refuse(self, m: Module, status: Status) -> None:
        m.d.comb += self.path.next_stb.eq(0)
        self.path.refuse(m, status)


def _less(a: Value, b: Value, below: Value) -> Value:
    """Whether ``a < b`` of numbers that come byte by byte, given whether it was so further down."""
    return Cat(Const(0, 1), a) < Cat(below, b)
