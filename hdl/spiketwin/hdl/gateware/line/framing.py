"""Frames: COBS and CRC-16 between bytes on the line and bodies in memory (`spec.protocol`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc import Algorithm, Processor
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import exact_log2

from spiketwin.hdl.spec.protocol import (
    CRC_BYTES,
    CRC_FINAL_XOR,
    CRC_INITIAL,
    CRC_POLYNOMIAL,
    MAX_BODY,
    MAX_FRAME,
    REQUEST_HEADER,
)

MAX_BLOCK = MAX_BODY + CRC_BYTES
"""Data bytes of the longest frame, which is exactly one COBS block, with the code 255."""

LEAST_APPENDIX = 256
"""Least bytes that a frame buffer has for its appendix, which are enough for a frame as well."""

BodyByte = data.StructLayout({"byte": 8, "end": 1})
"""One byte of a body on its way to a reply slot; the last byte is followed by an `end` alone."""


def _crc() -> Processor:
    algorithm = Algorithm(
        crc_width=8 * CRC_BYTES, polynomial=CRC_POLYNOMIAL, initial_crc=CRC_INITIAL,
        reflect_input=False, reflect_output=False, xor_output=CRC_FINAL_XOR,
    )  # fmt: skip
    return algorithm(data_width=8).create()


class MemoryReader(wiring.Component):
    """The unit that reads a memory byte by byte, at most one byte every other cycle.

    A register follows the memory, since the output of block RAM is slow. It is only filled again
    when it is empty, as `ready` comes too late in a cycle to enable the memory.

    Members
    -------
    start_stb, address:
        In, drop the byte that was read ahead, and go on at this address.
    bytes:
        Out, the bytes from that address on.
    port:
        The read port of the memory.
    """

    start_stb: Signal
    address: Signal
    bytes: stream.Interface
    port: ReadPort

    def __init__(self, address_width: int) -> None:
        super().__init__(
            {
                "start_stb": In(1),
                "address": In(address_width),
                "bytes": Out(stream.Signature(8)),
                "port": In(ReadPort.Signature(addr_width=address_width, shape=8)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        fetched = Signal()  # the memory's output is the byte after `bytes`
        move, fetch = Signal(), Signal()
        next_address = Signal.like(self.address)
        m.d.comb += [
            move.eq(~self.bytes.valid),
            fetch.eq(move | ~fetched),
            self.port.addr.eq(next_address),
            self.port.en.eq(fetch),
        ]
        with m.If(move):
            m.d.sync += [self.bytes.payload.eq(self.port.data), self.bytes.valid.eq(fetched)]
        with m.Elif(self.bytes.ready):
            m.d.sync += self.bytes.valid.eq(0)
        with m.If(fetch):
            m.d.sync += [next_address.eq(next_address + 1), fetched.eq(1)]
        with m.If(self.start_stb):
            m.d.sync += [next_address.eq(self.address), fetched.eq(0), self.bytes.valid.eq(0)]
        return m


class FrameSignature(wiring.Signature):
    """A received frame, and the access of its consumer to its bytes.

    Parameters
    ----------
    room:
        Bytes that the buffer has for an appendix, a power of two, `LEAST_APPENDIX` or more. The
        appendix begins at this address.

    Members
    -------
    valid:
        A frame has ended.
    good:
        The frame is complete and its CRC right: its body lies at address 0, its CRC behind it.
    position:
        The current address; when the frame has just ended, the number of bytes of body and CRC.
    seek_stb, address:
        Set the current address.
    byte:
        The byte at `position`, two cycles after a change of that.
    next_stb:
        Increment the current address.
    release_stb:
        The consumer has finished with the frame, and the next one can be received.
    """

    def __init__(self, room: int) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "good": Out(1),
                "position": Out(8),
                "seek_stb": In(1),
                "address": In(range(2 * room)),
                "byte": Out(8),
                "next_stb": In(1),
                "release_stb": In(1),
            }
        )


class FrameReceiver(wiring.Component):
    """The receiver of frames, which decodes and checks one frame at a time.

    While a frame waits for its consumer, no byte is taken from the line. A zero byte always ends a
    frame, so that the receiver finds the next frame after a bad one. The buffer is written and read
    in turns, so one address serves both.

    Parameters
    ----------
    appendix:
        Constant bytes, readable behind the frame. Up to `LEAST_APPENDIX` of them take no memory of
        their own, as a block RAM has at least 512 bytes, and a frame needs half of them.
    room:
        As in `FrameSignature`, and not below the length of the appendix.

    Members
    -------
    line:
        In, the bytes of the line.
    frame:
        Out, the frame.
    good_stb:
        Out, a complete frame with a right CRC was received.
    """

    line: stream.Interface
    frame: wiring.PureInterface
    good_stb: Signal

    def __init__(self, appendix: bytes, room: int) -> None:
        self.appendix, self.room = appendix, room
        super().__init__(
            {
                "line": In(stream.Signature(8)),
                "frame": Out(FrameSignature(room)),
                "good_stb": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        frame, line = self.frame, self.line
        init = bytes(self.room) + self.appendix
        buffer: Memory = Memory(shape=8, depth=2 * self.room, init=init)
        m.submodules.buffer = buffer
        write, read = buffer.write_port(), buffer.read_port()
        m.submodules.crc = crc = _crc()

        position = Signal(range(2 * self.room))
        block_left = Signal(8)
        begun = Signal()  # a code byte has come
        zero_due = Signal()  # the next code byte stands for a zero
        overlong = Signal()
        taken, code, decoded = Signal(), Signal(), Signal()
        m.d.comb += [
            line.ready.eq(~frame.valid),
            taken.eq(line.valid & line.ready),
            code.eq(block_left == 0),
            overlong.eq(position == MAX_BLOCK + 1),
            decoded.eq(taken & (line.payload != 0) & (~code | zero_due)),
            write.addr.eq(position),
            write.data.eq(Mux(code, 0, line.payload)),
            write.en.eq(decoded & ~overlong),
            crc.data.eq(write.data),
            crc.valid.eq(decoded),
            read.addr.eq(position),
            read.en.eq(frame.valid),
            frame.byte.eq(read.data),
            frame.position.eq(position),
        ]
        with m.If(frame.seek_stb):
            m.d.sync += position.eq(frame.address)
        with m.Elif((decoded & ~overlong) | frame.next_stb):
            m.d.sync += position.eq(position + 1)
        whole = code & ~overlong & crc.match_detected
        long_enough = position >= REQUEST_HEADER + CRC_BYTES
        with m.If(taken):
            with m.If(line.payload == 0):
                m.d.comb += [self.good_stb.eq(whole & long_enough), crc.start.eq(1)]
                m.d.sync += [
                    frame.good.eq(self.good_stb),
                    frame.valid.eq(begun),
                    block_left.eq(0),
                    begun.eq(0),
                    zero_due.eq(0),
                ]
            with m.Elif(code):
                m.d.sync += [
                    block_left.eq(line.payload - 1),
                    begun.eq(1),
                    zero_due.eq(line.payload != MAX_BLOCK + 1),
                ]
            with m.Else():
                m.d.sync += block_left.eq(block_left - 1)
        with m.If(frame.release_stb):
            m.d.sync += [frame.valid.eq(0), position.eq(0)]
        return m


class ReplySlots(wiring.Component):
    """The sender of answers, which frames each one as it comes in, sends it and keeps it in a slot.

    One answer can wait while another is being sent. While one waits, no other is accepted or
    repeated; and no answer is written to a slot that is being sent.

    Parameters
    ----------
    slots:
        Number of answers that are kept, a power of two.

    Members
    -------
    slot:
        In, the slot of the body; does not change from its first to its last byte.
    body:
        In, the bytes of a body, 1…252, and its end.
    repeat:
        In, the numbers of slots that are to be sent again.
    line:
        Out, the bytes of frames for the line.
    idle:
        Out, nothing is left to be sent.
    """

    slot: Signal
    body: stream.Interface
    repeat: stream.Interface
    line: stream.Interface
    idle: Signal

    def __init__(self, slots: int) -> None:
        self.slots = slots
        super().__init__(
            {
                "slot": In(range(slots)),
                "body": In(stream.Signature(BodyByte)),
                "repeat": In(stream.Signature(range(slots))),
                "line": Out(stream.Signature(8)),
                "idle": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        memory: Memory = Memory(shape=8, depth=self.slots * MAX_FRAME, init=[])
        m.submodules.memory = memory
        write = memory.write_port()
        m.submodules.reader = reader = MemoryReader(exact_log2(self.slots * MAX_FRAME))
        connect(m, reader.port, memory.read_port())
        slot_waiting = Signal.like(self.slot)
        slot_sent = Signal.like(self.slot)
        waiting, sending, ending = Signal(), Signal(), Signal()
        m.d.comb += [
            self.idle.eq(~waiting & ~sending & ~ending),
            self.body.ready.eq(~waiting & ~ending & ~(sending & (slot_sent == self.slot))),
            self.repeat.ready.eq(~waiting & ~ending),
        ]
        framed_stb = self._encode(m, write, slot_waiting, ending)
        with m.If(self.repeat.valid & self.repeat.ready):
            m.d.sync += [slot_waiting.eq(self.repeat.payload), waiting.eq(1)]
        with m.Elif(self.repeat.ready):
            m.d.sync += slot_waiting.eq(self.slot)
        with m.If(framed_stb):
            m.d.sync += waiting.eq(1)

        m.d.comb += [
            reader.address.eq(Cat(Const(0, exact_log2(MAX_FRAME)), slot_waiting)),
            self.line.payload.eq(reader.bytes.payload),
            self.line.valid.eq(sending & reader.bytes.valid),
            reader.bytes.ready.eq(sending & self.line.ready),
        ]
        with m.If(sending):
            # The only zero byte of a frame is its last byte.
            with m.If(self.line.valid & self.line.ready & (self.line.payload == 0)):
                m.d.sync += sending.eq(0)
        with m.Elif(waiting):
            m.d.comb += reader.start_stb.eq(1)
            m.d.sync += [sending.eq(1), waiting.eq(0), slot_sent.eq(slot_waiting)]
        return m

    def _encode(self, m: Module, write: WritePort, slot_ending: Signal, ending: Signal) -> Signal:
        """Encode the body by COBS as it is written to its slot, with one write for each byte.

        A zero is not written itself; in its place the code byte before it is.

        Returns the strobe with which a frame is complete.
        """
        framed_stb = Signal()
        m.submodules.crc = crc = _crc()
        position = Signal(8, init=1)
        code_position = Signal(8)
        address, value = Signal(8), Signal(8)
        put = Signal()  # `value` is the next byte to be encoded
        m.d.comb += [
            write.addr.eq(Cat(address, Mux(ending, slot_ending, self.slot))),
            crc.data.eq(self.body.payload.byte),
            address.eq(position),
            write.data.eq(value),
        ]
        with m.If(put):
            m.d.comb += write.en.eq(1)
            m.d.sync += position.eq(position + 1)
            with m.If(value == 0):
                m.d.comb += [address.eq(code_position), write.data.eq(position - code_position)]
                m.d.sync += code_position.eq(position)
        with m.FSM(name="encode") as encode:
            m.d.comb += ending.eq(~encode.ongoing("BODY"))
            with m.State("BODY"):
                taken = self.body.valid & self.body.ready
                m.d.comb += [
                    put.eq(taken & ~self.body.payload.end),
                    value.eq(self.body.payload.byte),
                    crc.valid.eq(put),
                ]
                with m.If(taken & self.body.payload.end):
                    m.next = "CRC HIGH"
            with m.State("CRC HIGH"):
                m.d.comb += [put.eq(1), value.eq(crc.crc[8:])]
                m.next = "CRC LOW"
            with m.State("CRC LOW"):
                m.d.comb += [put.eq(1), value.eq(crc.crc[:8])]
                m.next = "LAST CODE"
            with m.State("LAST CODE"):
                m.d.comb += [
                    write.en.eq(1),
                    address.eq(code_position),
                    write.data.eq(position - code_position),
                ]
                m.next = "ZERO"
            with m.State("ZERO"):
                m.d.comb += [write.en.eq(1), write.data.eq(0), crc.start.eq(1), framed_stb.eq(1)]
                m.d.sync += [position.eq(1), code_position.eq(0)]
                m.next = "BODY"
        return framed_stb
