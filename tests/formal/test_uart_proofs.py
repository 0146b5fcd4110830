"""A byte goes from the UART's transmitter to its receiver, and what is no byte is dropped."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal
from support.benches import Bench, implies
from support.provers import Refuted, prove_by_induction
from support.rungs import bulk_but
from support.seeded import Bug, named

from spiketwin.hdl.gateware.line.uart import (
    RATE_WIDTH,
    BaudRate,
    UartReceiver,
    UartTransmitter,
)
from spiketwin.hdl.spec.protocol import BAUD_TRIAL_CYCLES, MIN_CYCLES_PER_BIT

FRAME = 10
"""Bits of a byte on the line: a start bit, the byte, a stop bit."""

SYNCHRONISED = 2
"""Cycles from the pin to what the receiver sees."""

CYCLES = SYNCHRONISED + 2
"""Cycles after which nothing of before counts."""

IDLE, START, DATA, STOP = range(4)


class Wire(Elaboratable):
    """A transmitter whose pin is that of a receiver, at the same rate."""

    def __init__(self, transmitter: Any, receiver: Any) -> None:
        self.transmitter, self.receiver = transmitter(), receiver()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.transmitter, m.submodules.receiver = self.transmitter, self.receiver
        m.d.comb += self.receiver.pin.eq(self.transmitter.pin)
        return m


def bench(
    transmitter: Any = UartTransmitter, receiver: Any = UartReceiver, at: int | None = None
) -> Bench:
    """Bytes come and are taken at any time, at one rate or at any that stays the same."""
    b = Bench()
    m, wire = b.m, b.unit(Wire(transmitter, receiver))
    sender, getter = wire.transmitter, wire.receiver
    rate: Any = b.fixed("rate", RATE_WIDTH) if at is None else Const(at, RATE_WIDTH)
    b.assume(rate >= MIN_CYCLES_PER_BIT)
    m.d.comb += [
        sender.cycles_per_bit.eq(rate),
        getter.cycles_per_bit.eq(rate),
        sender.data.valid.eq(b.free("offered")),
        sender.data.payload.eq(b.free("byte", 8)),
        getter.data.ready.eq(b.free("ready")),
    ]
    sending, place, cycle, frame = sent(b, sender, rate)
    late = [b.past(value, SYNCHRONISED) for value in (sending, place, cycle, frame)]
    received(b, getter, rate, *late)
    return b


def sent(b: Bench, sender: Any, rate: Any) -> tuple[Any, ...]:
    """The frame of a byte is on the pin from the cycle after it is taken, bit by bit."""
    m = b.m
    sending, place = Signal(name="sending"), Signal(range(FRAME + 1), name="place")
    cycle, frame = Signal(RATE_WIDTH + 1, name="cycle"), Signal(FRAME, name="frame")
    bit_over = cycle == rate
    over = sending & bit_over & (place == FRAME - 1)
    takes = b.tell("takes", sender.data.valid & sender.data.ready)
    with m.If(takes):
        m.d.sync += [sending.eq(1), place.eq(0), cycle.eq(1)]
        m.d.sync += frame.eq(Cat(Const(0, 1), sender.data.payload, Const(1, 1)))
    with m.Elif(over):
        m.d.sync += sending.eq(0)
    with m.Elif(bit_over):
        m.d.sync += [place.eq(place + 1), cycle.eq(1)]
    with m.Else():
        m.d.sync += cycle.eq(cycle + 1)
    for name, signal in (("sending", sending), ("place", place), ("in_bit", cycle)):
        b.tell(name, signal)
    b.check("pin", sender.pin == (~sending | (frame >> place)[0]))
    b.check("takes_in_time", sender.data.ready == (~sending | over))
    b.check("idle", sender.idle == ~sending)
    # What the transmitter has in its registers.
    left, at = b.inner("transmitter.bits", FRAME), b.inner("transmitter.cycle", RATE_WIDTH)
    b.check("left", left == Mux(sending, frame >> place, 1))
    b.check("at", at == Mux(sending, cycle, 1))
    b.check("in_range", implies(sending, (place < FRAME) & (cycle != 0) & (cycle <= rate)))
    b.check("a_frame", implies(sending, ~frame[0] & frame[-1]))
    return sending, place, cycle, frame


def received(
    b: Bench, getter: Any, rate: Any, sending: Any, place: Any, cycle: Any, frame: Any
) -> None:
    """Each bit is read in its middle; the byte is there a cycle after the middle of its stop bit.

    A byte that is not taken by the middle of the next start bit is lost, which is told once.
    """
    m = b.m
    half = rate >> 1
    # The middle of bit `awaited` is the next one, `since` cycles after that of the one before.
    passed = b.tell("passed", cycle > half + 1)
    awaited = b.tell("awaited", Mux(sending, place + passed, FRAME))
    since = b.tell("since", Mux(passed, cycle - half - 1, cycle + (rate - half) - 1))
    starts = sending & (awaited == 0)
    expected = Signal(2, name="expected")
    at = Signal(RATE_WIDTH + 2, name="expected_cycle")
    m.d.comb += at.eq(1)
    with m.If(starts & (cycle != 1)):
        m.d.comb += [expected.eq(START), at.eq((cycle - 1) << 1)]
    with m.Elif((awaited > 0) & (awaited < FRAME - 1)):
        m.d.comb += [expected.eq(DATA), at.eq(since)]
    with m.Elif(awaited == FRAME - 1):
        m.d.comb += [expected.eq(STOP), at.eq(since)]
    state, counted = b.inner("receiver.bit_state", 2), b.inner("receiver.cycle", RATE_WIDTH)
    bits = b.inner("receiver.bits", 8)
    b.check("state", state == expected)
    b.check("counts", counted == at)
    payload = frame[1:-1]
    have = (Cat(Const(1, 1), payload) << 7) >> (awaited - 1)[:4]
    b.check("bits", implies((state == DATA) | (state == STOP), bits == have[:8]))

    middle = since == rate
    here, lost = Signal(name="here"), Signal(name="lost")
    held = Signal(8, name="held")
    begins = starts & (cycle == half + 1)
    m.d.comb += lost.eq(here & ~getter.data.ready & begins)
    with m.If(getter.data.ready | begins):
        m.d.sync += here.eq(0)
    with m.If((awaited == FRAME - 1) & middle):
        m.d.sync += [here.eq(1), held.eq(payload)]
    b.check("comes_once", getter.data.valid == here)
    b.check("is_the_byte", implies(getter.data.valid, getter.data.payload == held))
    b.check("gone_in_time", implies(here, (awaited == 0) | (awaited == FRAME)))
    b.check("loss_is_told", getter.overflow_stb == lost)
    b.tell("payload", getter.data.payload)


def any_line(rate: int, receiver: Any = UartReceiver) -> Bench:
    """Look at what the receiver does at a rate, whatever is on its pin, and whoever takes bytes.

    `seen[k]` is the level as it was k cycles before the receiver looks at it.
    """
    b = Bench()
    m, getter = b.m, b.unit(receiver())
    pin = b.free("pin")
    m.d.comb += [
        getter.pin.eq(pin),
        getter.cycles_per_bit.eq(rate),
        getter.data.ready.eq(b.free("ready")),
    ]
    half, most = rate // 2, FRAME * rate
    level = b.inner("level", 1)
    seen = Signal(most + rate + 1, name="seen", init=-1)
    past = Signal(len(seen) - 1, init=-1)
    m.d.comb += seen.eq(Cat(level, past))
    m.d.sync += past.eq(seen)
    state, cycle = b.inner("bit_state", 2), b.inner("cycle", RATE_WIDTH)
    bits, before = b.inner("bits", 8), b.inner("before", 1)
    b.check("before", before == seen[1])

    # In a byte `got` bits were read, the last one `cycle` cycles ago.
    got = Signal(range(9), name="got")
    for k in range(8):
        with m.If(bits[: 8 - k] == 1 << 7 - k):
            m.d.comb += got.eq(k)
    with m.If(state == STOP):
        m.d.comb += got.eq(8)
    b.tell("got", got)
    reads = (state == DATA) | (state == STOP)
    b.check("in_a_bit", implies(reads, (cycle > 0) & (cycle <= rate)))
    begun = cycle[1:] + 0
    b.check("begins", implies(state == START, ~cycle[0] & (begun > 0) & (begun <= half)))
    b.check("rests", implies(state == IDLE, cycle == 1))
    b.check("marked", implies(state == DATA, bits.any()))
    since = Signal(range(most + 1), name="since_edge")
    m.d.comb += since.eq(Mux(state == START, begun, got * rate + cycle + half))
    edge = ~(seen >> since)[0] & (seen >> since + 1)[0]
    b.check("after_an_edge", implies(state != IDLE, edge))
    start = ~(seen >> (since - half)[: len(since)])[0]
    b.check("after_a_start_bit", implies(reads, start))
    for k in range(8):
        is_read = (seen >> cycle[: rate.bit_length()] + k * rate)[0]
        b.check(f"bit_{7 - k}", implies(reads & (got > k), bits[7 - k] == is_read))

    gives_frames(b, getter, rate, (seen, since, state, cycle))
    return b


def gives_frames(b: Bench, getter: Any, rate: int, now: tuple[Any, ...]) -> None:
    """A byte is given if it was a frame, and then alone; a pause ends whatever was under way."""
    m, half, most = b.m, rate // 2, FRAME * rate
    seen, since, state, cycle = now
    level, reads = seen[0], (state == DATA) | (state == STOP)
    valid, payload = b.tell("valid", getter.data.valid), b.tell("payload", getter.data.payload)
    comes = b.tell("comes", valid & ~b.past(valid))
    byte = Cat(*(seen[1 + (8 - k) * rate] for k in range(8)))
    right = ~seen[1 + 9 * rate + half] & ~seen[1 + 9 * rate] & (payload == byte) & seen[1]
    b.check("comes_as_a_frame", implies(comes, right))
    ended = b.past((state == STOP) & (cycle == rate))
    b.check("comes_if_it_stops", implies(ended, (valid == seen[1]) & (state == IDLE)))
    b.check("comes_else_never", implies(comes, ended))
    taken = b.past(getter.data.ready) | b.past(getter.overflow_stb)
    b.check("stays", implies(b.past(valid) & ~taken & ~ended, valid & (payload == b.past(payload))))
    b.check("gone_in_time", implies(valid, ~reads))
    b.check("is_used_up", implies(taken & ~ended, ~valid))
    b.check("loses_what_is_there", implies(getter.overflow_stb, valid & ~getter.data.ready))
    high = Signal(range(most + 1), name="high")
    m.d.sync += high.eq(Mux(~level, 0, Mux(high == most, most, high + 1)))
    b.tell("high", high)
    b.check("no_longer_than_since", implies(state != IDLE, high < since))
    b.check("rests_after_a_pause", implies(high == most, state == IDLE))


def any_rates(trial: int, unit: Any = BaudRate) -> Bench:
    """Change the rate whenever none is on trial, as the request for it is a good frame itself."""
    b, initial = Bench(), 7
    m, rate = b.m, b.unit(unit(initial, trial))
    changes, wanted = b.free("changes"), b.free("wanted", RATE_WIDTH)
    good = b.free("good_frame")
    m.d.comb += [rate.change_stb.eq(changes), rate.wanted.eq(wanted)]
    m.d.comb += rate.good_frame_stb.eq(good)
    tried, chosen = Signal(range(trial + 1), name="tried"), Signal(RATE_WIDTH, name="chosen")
    trying = Signal(name="trying")
    falls = b.tell("falls", trying & (tried == trial - 1) & ~good)
    b.assume(~(changes & trying))
    m.d.sync += tried.eq(tried + 1)
    with m.If(changes):
        m.d.sync += [trying.eq(1), tried.eq(0), chosen.eq(wanted)]
    with m.Elif(good | falls):
        m.d.sync += trying.eq(0)
    known = Signal(name="was_changed")
    with m.If(changes | falls):
        m.d.sync += known.eq(changes)
    b.shown["trying"], b.shown["tried"] = trying, tried
    b.check("rate", rate.cycles_per_bit == Mux(known, chosen, initial))
    b.check("tries_what_is_new", implies(trying, known))
    counts = b.inner("cycle", range(trial)) == tried
    b.check("counts", implies(trying, counts & (tried < trial)))
    calm = ~trying & ~b.past(trying)
    b.check("counts_anew", implies(calm, b.shown["inner_cycle"] == 0))
    return b


SENDER_BUGS = [
    Bug("a bit is a cycle longer", "bit_over.eq(cycle == self", "bit_over.eq(cycle > self"),
    Bug("there is no stop bit", "self.data.payload, Const(1, 1)", "self.data.payload, Const(0, 1)"),
    Bug("the next byte comes a bit too early", "last.eq(~bits[1:].any())",
        "last.eq(~bits[2:].any())"),
]  # fmt: skip
RECEIVER_BUGS = [
    Bug("a start bit is as long as any", "cycle + 1 + starting", "cycle + 1"),
    Bug("odd rates are a cycle short", "self.cycles_per_bit[0]) | starting",
        "self.cycles_per_bit[0]) | 1"),
    Bug("the next byte begins in the one that waits", "m.d.comb += starting.eq(1)\n",
        "m.d.comb += starting.eq(1)\n                m.d.sync += bits.eq(1 << len(bits) - 1)\n"),
]  # fmt: skip
NOISE_BUGS = [
    Bug("a byte needs no stop bit", "self.data.valid.eq(level)", "self.data.valid.eq(1)"),
    Bug("a glitch begins a byte", "bit_over & ~level", "bit_over"),
    Bug("a byte begins without an edge", "restart.eq(~before | level)", "restart.eq(level)"),
]
RATE_BUGS = [
    Bug("a good frame does not end a trial", "m.d.sync += on_trial.eq(0)", "pass"),
    Bug("a trial goes on from the one before", "Mux(on_trial, next_cycle, 0)", "next_cycle"),
    Bug("a rate that is not followed stays", "rate.eq(self.initial), on_trial.eq(0)",
        "on_trial.eq(0)"),
]  # fmt: skip
LONGEST = FRAME * 5 + 8
"""Cycles in which every one of the bugs can be seen."""


def test_a_byte_arrives_as_it_was_sent() -> None:
    prove_by_induction(bench(), CYCLES)


@pytest.mark.parametrize("rate", [4, 5])
def test_what_is_no_byte_is_dropped(rate: int) -> None:
    prove_by_induction(any_line(rate), CYCLES)


def test_a_rate_falls_back_unless_a_good_frame_comes_in_time() -> None:
    prove_by_induction(any_rates(16), CYCLES)
    prove_by_induction(any_rates(BAUD_TRIAL_CYCLES), CYCLES)


@pytest.mark.parametrize("bug", bulk_but(RATE_BUGS[:1], RATE_BUGS), ids=named)
def test_a_seeded_bug_of_the_rate_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(any_rates(8, bug.seeded(BaudRate)), 24)


@pytest.mark.parametrize("bug", bulk_but(SENDER_BUGS[:2], SENDER_BUGS), ids=named)
def test_a_seeded_bug_of_the_sender_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(bug.seeded(UartTransmitter), at=4), LONGEST)


@pytest.mark.parametrize("bug", bulk_but(RECEIVER_BUGS[:2], RECEIVER_BUGS), ids=named)
def test_a_seeded_bug_of_the_receiver_is_found(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(bench(receiver=bug.seeded(UartReceiver), at=5), LONGEST)


@pytest.mark.parametrize("bug", bulk_but(NOISE_BUGS[1:2], NOISE_BUGS), ids=named)
def test_a_seeded_bug_is_found_on_any_line(bug: Bug) -> None:
    with pytest.raises(Refuted, match="does not hold in cycle"):
        prove_by_induction(any_line(4, bug.seeded(UartReceiver)), LONGEST)
