"""A frame is good exactly if COBS, length and CRC are right, and its body is in memory as sent."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Signal
from support.benches import Bench, crc_after, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.line.framing import LEAST_APPENDIX, FrameReceiver
from spiketwin.hdl.spec.protocol import (
    CRC_BYTES,
    CRC_FINAL_XOR,
    CRC_INITIAL,
    MAX_BODY,
    REQUEST_HEADER,
)

CYCLES = 3
"""Cycles after which nothing of before counts."""

MOST = MAX_BODY + CRC_BYTES
"""Bytes of the longest frame, which is one block of COBS: no zero follows it."""


def bench(bug: Bug | None = None, most: int = MOST) -> Bench:
    """Any bytes come at any time, and a consumer looks at each frame in any order.

    Its longest frame has so many bytes.
    """
    b = Bench()
    followed = b.fixed("followed", 8)
    word = Signal(8, name="word")
    other = b.free("other", 8)

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        assert depth == 2 * LEAST_APPENDIX
        return OneWord(shape, depth, here=Const(1), address=followed, word=word, other=other)

    unit: Any = FrameReceiver
    names = {"Memory": one_word, "MAX_BLOCK": most}
    made = replaced(unit, **names) if bug is None else bug.seeded(unit, **names)
    receiver = b.unit(made(bytes(LEAST_APPENDIX), LEAST_APPENDIX))
    line, frame = receiver.line, receiver.frame
    comes, byte = b.free("comes"), b.free("byte", 8)
    seek, address = b.free("seek_stb"), b.free("address", len(frame.address))
    onward, release = b.free("next_stb"), b.free("release_stb")
    b.m.d.comb += [line.valid.eq(comes), line.payload.eq(byte)]
    b.m.d.comb += [frame.seek_stb.eq(seek), frame.address.eq(address)]
    b.m.d.comb += [frame.next_stb.eq(onward), frame.release_stb.eq(release)]
    b.assume(implies(seek | onward | release, frame.valid))
    taken = b.tell("taken", comes & line.ready)
    length, decodes, decoded, good, some = decoded_by(b, taken, byte, most)
    ends = b.tell("ends", taken & (byte == 0))

    # What the consumer sees.
    waits, was_good = Signal(name="waits"), Signal(name="was_good")
    at = Signal(len(frame.address), name="at")
    body_length = Signal(8, name="body_length")
    with b.m.If(ends):
        b.m.d.sync += [waits.eq(some), was_good.eq(good), at.eq(length), body_length.eq(length)]
    with b.m.If(release):
        b.m.d.sync += waits.eq(0)
    with b.m.If(seek):
        b.m.d.sync += at.eq(address)
    with b.m.Elif(onward):
        b.m.d.sync += at.eq(at + 1)
    b.check("waits_for_its_consumer", (frame.valid == waits) & (line.ready == ~waits))
    b.check("rests_while_it_waits", implies(waits, length == 0))
    b.check("is_good", implies(waits, frame.good == was_good))
    b.check("is_told_good", receiver.good_stb == (ends & good))
    position = b.inner("position", len(frame.address))
    b.check("position", position == Mux(waits, at, length))

    # The byte that is followed is where it belongs, and appears when it is addressed.
    held = Signal(8, name="held")
    with b.m.If(decodes & (length == followed)):
        b.m.d.sync += held.eq(decoded)
    have = b.tell("have", followed < Mux(waits, body_length, length))
    b.check("is_kept", implies(have, word == held))
    addressed = b.past(waits & (at == followed)) & waits & have
    b.check("is_shown", implies(addressed, frame.byte == held))
    return b


def decoded_by(b: Bench, taken: Any, byte: Any, most: int) -> tuple[Any, ...]:
    """COBS as it is told: blocks of a code and code - 1 bytes, and between them a zero.

    Returns how many bytes are decoded of this frame, one more than `most` at most; whether the
    byte of the line brings another one, and that; and whether the frame is good, and any, if it
    ends now.
    """
    m = b.m
    block_rest = Signal(8, name="rest_of_block")
    begun, full_block = Signal(name="begun"), Signal(name="full_block")
    length = Signal(8, name="length")
    is_code = b.tell("is_code", block_rest == 0)
    ends = taken & (byte == 0)
    decodes = b.tell("decodes", taken & (byte != 0) & (~is_code | (begun & ~full_block)))
    decoded = b.tell("decoded", Mux(is_code, 0, byte))
    # The last two bytes, and the CRC of those before them.
    high, low = Signal(8, name="high"), Signal(8, name="low")
    count, before = Signal(2, name="count"), Signal(16, name="crc_before", init=CRC_INITIAL)
    with m.If(decodes):
        m.d.sync += [high.eq(low), low.eq(decoded), count.eq(Mux(count == 2, 2, count + 1))]
        m.d.sync += length.eq(Mux(length > most, length, length + 1))
        with m.If(count == 2):
            m.d.sync += before.eq(crc_after(b, before, high))
    with m.If(taken & (byte != 0)):
        m.d.sync += block_rest.eq(Mux(is_code, byte - 1, block_rest - 1))
        with m.If(is_code):
            m.d.sync += [begun.eq(1), full_block.eq(byte == most + 1)]
    with m.If(ends):
        m.d.sync += [block_rest.eq(0), begun.eq(0), length.eq(0), count.eq(0)]
        m.d.sync += before.eq(CRC_INITIAL)
    sent_crc = b.tell("sent_crc", Cat(low, high))
    is_right = before ^ CRC_FINAL_XOR == sent_crc
    in_range = (length >= REQUEST_HEADER + CRC_BYTES) & (length <= most)
    good = b.tell("good", is_code & in_range & is_right)

    # What the receiver has in its registers.
    after_one = crc_after(b, before, Mux(count == 2, high, low))
    after_two = crc_after(b, after_one, low)
    b.check(
        "crc",
        b.inner("crc.crc_reg", 16)
        == Mux(count == 0, before, Mux(count == 1, after_one, after_two)),
    )
    b.check(
        "count",
        (count == Mux(length > 2, 2, length[:2])) & implies(count != 2, before == CRC_INITIAL),
    )
    b.check("block_left", b.inner("block_left", 8) == block_rest)
    b.check("has_begun", (b.inner("begun", 1) == begun) & implies(~begun, is_code & (length == 0)))
    b.check("zero_due", b.inner("zero_due", 1) == (begun & ~full_block))
    return length, decodes, decoded, good, begun


BUGS = [
    Bug("a frame may end within a block", "whole = code & ~overlong", "whole = ~overlong"),
    Bug("a CRC is enough for a frame", "REQUEST_HEADER + CRC_BYTES\n", "CRC_BYTES\n"),
    Bug("a frame may be longer than its buffer", "whole = code & ~overlong &", "whole = code &"),
    Bug("a zero follows the longest block", "zero_due.eq(line.payload != MAX_BLOCK + 1)",
        "zero_due.eq(1)"),
    Bug("a zero is due in the next frame", "                    zero_due.eq(0),\n", ""),
    Bug("the CRC goes on from a bad frame", "crc.start.eq(1)]\n                m.d.sync",
        "crc.start.eq(self.good_stb)]\n                m.d.sync"),
    Bug("bytes come into a frame that waits", "line.ready.eq(~frame.valid)", "line.ready.eq(1)"),
    Bug("the next frame is not written from 0 on", "frame.valid.eq(0), position.eq(0)",
        "frame.valid.eq(0)"),
]  # fmt: skip


def test_a_frame_is_good_if_it_is() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug, most=6), CYCLES + 10)
