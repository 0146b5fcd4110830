"""An answer is sent as the frame of its body, whole, and again when that is asked for."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Mux, Signal
from support.benches import Bench, crc_after, implies
from support.one_word import OneWord
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named, replaced

from spiketwin.hdl.gateware.line.framing import ReplySlots
from spiketwin.hdl.spec.protocol import CRC_FINAL_XOR, CRC_INITIAL, MAX_BODY

SLOTS = 2
FRAMED = 4
"""Cycles from the end of a body until its frame is complete."""

LATENCY = 4
"""Most cycles from a byte until the next one is offered to the line."""

CYCLES = FRAMED + 2
"""Cycles after which nothing of before counts."""


def bench(bug: Bug | None = None) -> Bench:
    """Follow any one byte of the frame in any one slot, from bodies to the line."""
    b = Bench()
    m = b.m
    slot, at = b.fixed("followed_slot", range(SLOTS)), b.fixed("followed_place", 8)
    word, other = Signal(8, name="word"), b.free("other", 8)

    def one_word(*, shape: Any, depth: int, init: Any) -> OneWord:
        address = Cat(at, slot)
        return OneWord(shape, depth, here=Const(1), address=address, word=word, other=other)

    unit: Any = ReplySlots
    made = replaced(unit, Memory=one_word) if bug is None else bug.seeded(unit, Memory=one_word)
    replies = b.unit(made(SLOTS))
    body, repeat, line = replies.body, replies.repeat, replies.line
    m.d.comb += [
        replies.slot.eq(b.free("slot", range(SLOTS))),
        body.valid.eq(b.free("comes")),
        body.payload.byte.eq(b.free("byte", 8)),
        body.payload.end.eq(b.free("end")),
        repeat.valid.eq(b.free("asks_again")),
        repeat.payload.eq(b.free("again", range(SLOTS))),
        line.ready.eq(b.free("ready")),
    ]
    put = b.tell("put", body.valid & body.ready & ~body.payload.end)
    ends = b.tell("ends", body.valid & body.ready & body.payload.end)
    repeats = b.tell("repeats", repeat.valid & repeat.ready)
    here = b.tell("here", replies.slot == slot)
    begun, expected, end = encoded(b, replies, put, ends, at)
    is_found, is_closed = b.shown["found"] != 0, b.shown["closed"]
    b.check("writes_bytes", implies(begun & here & is_found, word == b.shown["found"]))
    b.check("writes_codes", implies(begun & here & is_closed, word == b.shown["code"]))

    # The slot has the frame whose last byte is at `held_end`, and `held` in the place followed.
    framed = b.tell("framed", b.past(ends, FRAMED))
    own = Signal(name="own")  # the body that ended last is that of the slot
    stored, held, held_end = Signal(name="stored"), Signal(8, name="held"), Signal(8)
    with m.If(ends):
        m.d.sync += own.eq(here)
        with m.If(here):
            m.d.sync += [held.eq(expected), held_end.eq(end)]
    with m.If(put & here):
        m.d.sync += stored.eq(0)
    with m.If(framed & own):
        m.d.sync += stored.eq(1)
    right = (word == held) & ((held == 0) == (at == held_end))
    b.check("is_stored", implies(stored & (at <= held_end), right))
    b.check("has_no_frame_yet", implies(begun & here, ~stored))
    b.tell("stored", stored)

    sending, sent, count = sent_frames(b, replies, framed, repeats, ends)
    follows = sending & (sent == slot) & stored
    arrives = b.tell("arrives", follows & line.valid & (count == at) & (at <= held_end))
    b.check("sends_the_byte", implies(arrives, line.payload == held))
    b.check("sends_no_more", implies(follows, count <= held_end))
    # Of the other bytes this is shown when they are followed.
    elsewhere = follows & line.valid & (count != at)
    b.assume(implies(elsewhere, (line.payload == 0) == (count == held_end)))
    read_ahead(b, sending, sent, count, word, (slot, at))
    return b


def encoded(b: Bench, replies: Any, put: Any, ends: Any, at: Any) -> tuple[Any, ...]:
    """COBS: a zero, and the place before the first byte, becomes the distance to the next zero.

    Returns whether a body is on its way, and of a body that ends now which byte of its frame is at
    the place, and where its last byte is.
    """
    m, body = b.m, replies.body
    begun, place = Signal(name="begun"), Signal(8, name="place", init=1)
    crc = Signal(16, name="crc_of_body", init=CRC_INITIAL)
    zero, closed = Signal(8, name="last_zero"), Signal(name="closed")
    found, code = Signal(8, name="found"), Signal(8, name="code")
    byte = body.payload.byte
    b.assume(implies(put, place <= MAX_BODY))
    b.assume(implies(ends, begun))
    b.assume(implies(begun, replies.slot == b.past(replies.slot)))
    b.assume(implies(replies.repeat.valid, ~begun & ~body.valid))
    is_open = (at < place) & (found == 0) & ~closed
    with m.If(put):
        m.d.sync += [begun.eq(1), place.eq(place + 1), crc.eq(crc_after(b, crc, byte))]
        with m.If(place == at):
            m.d.sync += found.eq(byte)
        with m.If(byte == 0):
            m.d.sync += zero.eq(place)
            with m.If(is_open):
                m.d.sync += [closed.eq(1), code.eq(place - at)]
    with m.If(ends):
        m.d.sync += [begun.eq(0), place.eq(1), crc.eq(CRC_INITIAL), zero.eq(0)]
        m.d.sync += [closed.eq(0), found.eq(0)]
    for name, signal in (
        ("place", place),
        ("closed", closed),
        ("found", found),
        ("code", code),
        ("crc_of_body", crc),
    ):
        b.shown[name] = signal
    high, low = ~crc[8:], ~crc[:8]
    end = b.tell("frame_end", (place + 2)[:8])
    first_zero = b.tell("next_zero", Mux(high == 0, place, Mux(low == 0, place + 1, end)))
    low_zero = Mux(low == 0, place + 1, end)
    expected = Signal(8, name="expected")
    with m.If(at < place):
        m.d.comb += expected.eq(Mux(found != 0, found, Mux(closed, code, first_zero - at)))
    with m.Elif(at == place):
        m.d.comb += expected.eq(Mux(high != 0, high, low_zero - at))
    with m.Elif(at == (place + 1)[:8]):
        m.d.comb += expected.eq(Mux(low != 0, low, 1))
    b.tell("expected", expected)

    encodes(b, ends, at, (begun, zero, is_open))
    return begun, expected, end


def encodes(b: Bench, ends: Any, at: Any, body: tuple[Any, Any, Any]) -> None:
    """What is in the registers while a body comes, and while its frame is ended."""
    begun, zero, is_open = body
    place, closed, found, code, crc = (
        b.shown[name] for name in ("place", "closed", "found", "code", "crc_of_body")
    )
    ending = Cat(*(b.past(ends, k + 1) for k in range(FRAMED)))
    state = sum((Mux(ending[k], k + 1, 0) for k in range(FRAMED)), start=Const(0, 3))
    b.check("ends_one_body", (ending & (ending - 1)[:FRAMED]) == 0)
    b.check("ends_step_by_step", b.inner("encode_state", 3) == state)
    rests = ending == 0
    own = (b.inner("position", 8) == place) & (b.inner("code_position", 8) == zero)
    b.check("encodes", implies(rests, own & (b.inner("crc", 16) == crc ^ CRC_FINAL_XOR)))
    b.check(
        "rests",
        begun | ((place == 1) & (zero == 0) & ~closed & (found == 0) & (crc == CRC_INITIAL)),
    )
    b.check("places", (zero < place) & (place <= MAX_BODY + 1) & implies(begun, place > 1))
    b.check("unread", implies(at >= place, (found == 0) & ~closed))
    b.check("closes", implies(closed, (zero > at) & (code > 0) & (found == 0)))
    b.check("is_open", implies(at < place, implies(is_open, zero == at)))
    b.check("is_no_zero", implies(found != 0, zero != at))


def sent_frames(
    b: Bench, replies: Any, framed: Any, repeats: Any, ends: Any
) -> tuple[Any, Any, Any]:
    """Frames are sent in the order in which they are complete or asked for, each once.

    Returns whether one is being sent, from which slot, and how many bytes of it are sent.
    """
    m, line = b.m, replies.line
    ended = Signal(range(SLOTS), name="ended")  # slot of the body that ended last
    waiting, waits = Signal(name="waiting"), Signal(range(SLOTS), name="slot_that_waits")
    sending, sent = Signal(name="sending"), Signal(range(SLOTS), name="slot_that_is_sent")
    count, quiet = Signal(9, name="count"), Signal(range(LATENCY + 2), name="quiet")
    ending = b.past(ends) | b.past(ends, 2) | b.past(ends, 3) | b.past(ends, 4)
    gives = b.tell("gives", line.valid & line.ready)
    with m.If(ends):
        m.d.sync += ended.eq(replies.slot)
    with m.If(framed | repeats):
        m.d.sync += [waiting.eq(1), waits.eq(Mux(framed, ended, replies.repeat.payload))]
    with m.If(gives):
        m.d.sync += [count.eq(count + 1), sending.eq(line.payload != 0)]
    with m.If(~sending & waiting):
        m.d.sync += [sending.eq(1), waiting.eq(0), sent.eq(waits), count.eq(0)]
    m.d.sync += quiet.eq(Mux(~sending | line.valid, 0, Mux(quiet > LATENCY, quiet, quiet + 1)))
    for name, signal in (("waiting", waiting), ("sending", sending), ("count", count)):
        b.shown[name] = signal
    b.check("sends_what_is_asked_for", implies(line.valid, sending))
    b.check("goes_on", quiet < LATENCY)
    b.check("idle", replies.idle == ~(waiting | sending | ending))
    takes = ~waiting & ~ending & ~(sending & (sent == replies.slot))
    b.check("takes_bodies", replies.body.ready == takes)
    b.check("takes_repeats", replies.repeat.ready == ~(waiting | ending))
    same = ~b.past(replies.body.valid | replies.repeat.valid)
    same &= replies.slot == b.past(replies.slot)
    for name, stream in (("bodies", replies.body), ("repeats", replies.repeat)):
        room = implies(b.past(stream.ready) & same, stream.ready)
        b.check(f"room_for_{name}_stays", room)
    b.check("one_waits", ~(waiting & ending) & ~(framed & repeats))
    own = b.inner("slot_waiting", range(SLOTS)), b.inner("slot_sent", range(SLOTS))
    kept = implies(waiting, own[0] == waits) & implies(ending, own[0] == ended)
    b.check("keeps_slots", kept & implies(sending, own[1] == sent))
    b.check("leaves_slots_alone", ~(ending & sending & (sent == ended)))
    return sending, sent, count


def read_ahead(b: Bench, sending: Any, sent: Any, count: Any, word: Any, followed: Any) -> None:
    """What is read of the memory before the line takes it."""
    slot, at = followed
    address, fetched = b.inner("reader.next_address", 9), b.inner("reader.fetched", 1)
    valid, ahead = b.inner("reader.bytes__valid", 1), b.inner("reader.port__data", 8)
    read = b.tell("read", count + valid + fetched)
    b.check("reads_in_order", implies(sending, address == (Cat(Const(0, 8), sent) + read)[:9]))
    next_one = sending & fetched & (sent == slot) & (count + valid == at)
    b.check("reads_the_byte", implies(next_one & b.shown["stored"], ahead == word))


BUGS = [
    Bug("a zero is written itself", "with m.If(value == 0):", "with m.If(0):"),
    Bug("the first code of a frame is where the last one was",
        "[position.eq(1), code_position.eq(0)]", "[position.eq(1)]"),
    Bug("the low byte of the CRC comes first", "value.eq(crc.crc[8:])", "value.eq(crc.crc[:8])"),
    Bug("the CRC goes on from the last body", "write.data.eq(0), crc.start.eq(1)",
        "write.data.eq(0), crc.start.eq(0)"),
    Bug("a slot is written while it is sent",
        "~ending & ~(sending & (slot_sent == self.slot))", "~ending"),
    Bug("a repeat comes into a frame that waits", "self.repeat.ready.eq(~waiting & ~ending)",
        "self.repeat.ready.eq(~ending)"),
    Bug("a repeat comes while a frame waits or ends", "self.repeat.ready.eq(~waiting & ~ending)",
        "self.repeat.ready.eq(~waiting | ~ending)"),
    Bug("the last byte is not sent", "(self.line.payload == 0)):", "(reader.port.data == 0)):"),
    Bug("a byte that was read ahead begins the next frame",
        "fetched.eq(0), self.bytes.valid.eq(0)]", "fetched.eq(0)]"),
    Bug("bytes that nobody took are lost", "move.eq(~self.bytes.valid)", "move.eq(1)"),
]  # fmt: skip


def test_an_answer_is_sent_as_its_frame() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(BUGS[:1], BUGS), ids=named)
def test_a_seeded_bug_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug), 20)
