"""The link: frames from and to the line, and the requests of the host executed on the core."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from spiketwin.hdl.gateware.core.interface import CoreSignature
from spiketwin.hdl.gateware.core.streams import Queue
from spiketwin.hdl.gateware.line.framing import FrameReceiver, ReplySlots
from spiketwin.hdl.gateware.line.uart import RATE_WIDTH
from spiketwin.hdl.gateware.link.dispatcher import dispatcher
from spiketwin.hdl.gateware.link.sequencer import Sequencer
from spiketwin.hdl.gateware.link.tables import ADDRESSES, tables
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import MAX_FRAME, Identity
from spiketwin.hdl.spec.registers import DAMAGE_WIDTH


class LineSignature(wiring.Signature):
    """The line as the link sees it.

    Members
    -------
    rx, tx:
        Bytes from and to the line.
    lost_stb:
        A byte from the line was lost, because `rx` was not ready.
    sent:
        Every byte taken from `tx` has left.
    good_frame_stb:
        A complete frame with a right CRC arrived.
    rate_stb, rate:
        From now on the line has this rate, in cycles a bit.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(stream.Signature(8)),
                "tx": Out(stream.Signature(8)),
                "lost_stb": In(1),
                "sent": In(1),
                "good_frame_stb": Out(1),
                "rate_stb": Out(1),
                "rate": Out(RATE_WIDTH),
            }
        )


class Link(wiring.Component):
    """Receive buffer, frame receiver, sequencer, reply slots, and the counters of the link.

    Parameters
    ----------
    params:
        Sizes of the core.
    identity:
        The answer of the device to `IDENTIFY`.

    Members
    -------
    line:
        The line (`LineSignature`).
    core:
        The core (`core.interface.CoreSignature`), from the other end.
    """

    line: wiring.PureInterface
    core: wiring.PureInterface

    def __init__(self, params: CoreParams, identity: Identity) -> None:
        self.params = params
        self.tables = tables(params, identity)
        self.program = dispatcher(params, self.tables)
        super().__init__({"line": Out(LineSignature()), "core": In(CoreSignature(params))})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        slots = self.params.link_slots
        m.submodules.buffer = buffer = Queue(8, slots * MAX_FRAME)
        unit, program = self.tables.unit, self.program.assemble()
        m.submodules.receiver = receiver = FrameReceiver(self.tables.data, ADDRESSES * unit)
        m.submodules.sequencer = sequencer = Sequencer(self.params, program, unit)
        m.submodules.replies = replies = ReplySlots(slots)
        line = self.line
        connect(m, flipped(line.rx), buffer.write)
        connect(m, buffer.read, receiver.line)
        connect(m, receiver.frame, sequencer.frame)
        connect(m, sequencer.reply, replies.body)
        connect(m, sequencer.repeat, replies.repeat)
        connect(m, replies.line, flipped(line.tx))
        connect(m, sequencer.core, flipped(self.core))
        m.d.comb += [
            replies.slot.eq(sequencer.slot),
            sequencer.replies_sent.eq(replies.idle & line.sent),
            line.good_frame_stb.eq(receiver.good_stb),
            line.rate_stb.eq(sequencer.rate_stb),
            line.rate.eq(sequencer.rate),
            sequencer.rx_overflows.eq(_count(m, line.lost_stb, "rx_overflows")),
        ]
        return m


def _count(m: Module, strobe: Signal, name: str) -> Signal:
    """Return a saturating counter of the cycles in which the strobe is high."""
    count = Signal(DAMAGE_WIDTH, name=name)
    with m.If(strobe & ~count.all()):
        m.d.sync += count.eq(count + 1)
    return count
