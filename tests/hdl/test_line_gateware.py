"""The gateware of the line: UART, frames, and the slots of replies."""

import random
from typing import Any

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gateware import framed, put, simulate, unframed
from support.rungs import examples

from spiketwin.hdl.gateware.line.framing import LEAST_APPENDIX, FrameReceiver, ReplySlots
from spiketwin.hdl.gateware.line.uart import BaudRate, UartReceiver, UartTransmitter
from spiketwin.hdl.spec.protocol import (
    MAX_BODY,
)

pytestmark = pytest.mark.rtl


# --- UART --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cycles_per_bit", [4, 5, 16])
@pytest.mark.parametrize("error", [-0.02, 0, 0.02])
def test_the_receiver_follows_a_sender_with_another_clock(
    cycles_per_bit: int, error: float
) -> None:
    sent = bytes(random.Random(cycles_per_bit).randbytes(20)) + b"\x00\xff\x00"
    levels = [1] * 3
    for byte in sent:
        levels += [0, *(byte >> k & 1 for k in range(8)), 1]
    levels += [1] * 3
    receiver = UartReceiver()
    received = []

    async def collect(ctx: Any) -> None:
        ctx.set(receiver.data.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(
            receiver.data.valid, receiver.data.payload
        ):
            if valid:
                received.append(byte)

    async def send(ctx: Any) -> None:
        ctx.set(receiver.cycles_per_bit, cycles_per_bit)
        bit_cycles = cycles_per_bit * (1 + error)
        for cycle in range(int(len(levels) * bit_cycles)):
            ctx.set(receiver.pin, levels[int(cycle / bit_cycles)])
            await ctx.tick()

    simulate(receiver, send, collect)
    assert bytes(received) == sent


def test_a_byte_without_a_stop_bit_is_dropped_and_the_next_one_heard() -> None:
    receiver, cycles_per_bit = UartReceiver(), 4
    received = []

    async def send(ctx: Any) -> None:
        async def level(value: int, bits: int) -> None:
            ctx.set(receiver.pin, value)
            for _ in range(bits * cycles_per_bit):
                await ctx.tick()

        ctx.set(receiver.cycles_per_bit, cycles_per_bit)
        ctx.set(receiver.data.ready, 0)
        ctx.set(receiver.pin, 0)  # too short for a start bit
        await ctx.tick()
        await level(1, 2)
        await level(0, 25)  # a break
        await level(1, 2)
        for value in (0, 1, 0, 1, 0, 1, 0, 1, 0, 1):
            await level(value, 1)
        await level(1, 1)
        assert not ctx.get(receiver.overflow_stb)
        received.append(ctx.get(receiver.data.payload))
        assert ctx.get(receiver.data.valid)

    simulate(receiver, send)
    assert received == [0b01010101]


@pytest.mark.parametrize("waited", range(0, 42, 3))
def test_a_byte_is_taken_whole_or_reported_lost(waited: int) -> None:
    """It waits while the next one begins, and is not mixed with it."""
    receiver, sent = UartReceiver(), [0x11, 0x22, 0x33]
    taken, lost = [], []

    async def run(ctx: Any) -> None:
        ctx.set(receiver.cycles_per_bit, 4)
        bits = [bit for byte in sent for bit in (0, *(byte >> k & 1 for k in range(8)), 1)]
        waits = 0  # cycles for which the first byte has waited
        for bit in (*bits, 1, 1):
            ctx.set(receiver.pin, bit)
            for _ in range(4):
                waits += ctx.get(receiver.data.valid) or waits > 0
                ctx.set(receiver.data.ready, waits > waited)
                lost.append(ctx.get(receiver.overflow_stb))
                if ctx.get(receiver.data.valid) and waits > waited:
                    taken.append(ctx.get(receiver.data.payload))
                await ctx.tick()

    simulate(receiver, run)
    assert taken == sent[sum(lost) :]
    assert sum(lost) == (waited > 4)


def test_bytes_that_nobody_takes_are_reported_lost() -> None:
    receiver, lost = UartReceiver(), []

    async def watch(ctx: Any) -> None:
        async for _, _, overflow in ctx.tick().sample(receiver.overflow_stb):
            lost.append(overflow)

    async def send(ctx: Any) -> None:
        ctx.set(receiver.cycles_per_bit, 4)
        for byte in (0x11, 0x22, 0x33):
            for value in (0, *(byte >> k & 1 for k in range(8)), 1):
                ctx.set(receiver.pin, value)
                await ctx.tick().repeat(4)
        await ctx.tick().repeat(8)
        assert ctx.get(receiver.data.payload) == 0x33

    simulate(receiver, send, watch)
    assert sum(lost) == 2


@pytest.mark.parametrize("cycles_per_bit", [4, 5, 16])
def test_the_transmitter_leaves_no_gap(cycles_per_bit: int) -> None:
    transmitter = UartTransmitter()
    sent = bytes([0x00, 0xFF, 0xA5, 0x3C])
    levels: list[int] = []

    async def watch(ctx: Any) -> None:
        async for _, _, pin in ctx.tick().sample(transmitter.pin):
            levels.append(pin)

    async def send(ctx: Any) -> None:
        ctx.set(transmitter.cycles_per_bit, cycles_per_bit)
        await put(ctx, transmitter.data, sent)
        await ctx.tick().until(transmitter.idle)

    simulate(transmitter, send, watch)
    expected = []
    for byte in sent:
        for value in (0, *(byte >> k & 1 for k in range(8)), 1):
            expected += [value] * cycles_per_bit
    begin = levels.index(0)
    assert levels[begin : begin + len(expected)] == expected


def test_a_rate_holds_only_if_a_good_frame_arrives_in_time() -> None:
    rate = BaudRate(initial=100, trial_cycles=16)

    async def script(ctx: Any) -> None:
        async def change(to: int) -> None:
            ctx.set(rate.wanted, to)
            ctx.set(rate.change_stb, 1)
            await ctx.tick()
            ctx.set(rate.change_stb, 0)

        await change(7)
        await ctx.tick().repeat(15)
        assert ctx.get(rate.cycles_per_bit) == 7
        await ctx.tick()
        assert ctx.get(rate.cycles_per_bit) == 100
        await change(7)
        await ctx.tick().repeat(14)
        ctx.set(rate.good_frame_stb, 1)
        await ctx.tick()
        ctx.set(rate.good_frame_stb, 0)
        await ctx.tick().repeat(40)
        assert ctx.get(rate.cycles_per_bit) == 7

    simulate(rate, script)


# --- frames ------------------------------------------------------------------------------------


def body_of(chunk: bytes) -> bytes | None:
    """What a frame says, by the library for COBS; None if it is bad."""
    try:
        return unframed(chunk) if 5 <= len(cobs.decode(chunk)) <= MAX_BODY + 2 else None
    except (cobs.DecodeError, AssertionError):
        return None


BODIES = st.binary(min_size=3, max_size=MAX_BODY) | st.builds(
    lambda size, byte: bytes([byte]) * size, st.integers(3, MAX_BODY), st.sampled_from([0, 1, 255])
)
DAMAGED = st.builds(
    lambda body, place, byte: (
        framed(body)[: place % len(body)] + bytes([byte]) + framed(body)[place % len(body) + 1 :]
    ),
    BODIES, st.integers(0, 255), st.integers(0, 255),
)  # fmt: skip
CHUNKS = st.one_of(
    BODIES.map(framed),
    DAMAGED,
    st.binary(max_size=40).map(lambda data: data + b"\0"),
    st.builds(lambda body: framed(body)[: len(body) // 2] + b"\0", BODIES),
    st.just(b"\xff" + b"\x01" * 300 + b"\0"),
    st.builds(lambda body: framed(body), st.binary(max_size=2)),
    st.builds(lambda body: framed(body), st.binary(min_size=MAX_BODY + 1, max_size=MAX_BODY + 3)),
)


@settings(max_examples=examples(12))
@given(st.lists(CHUNKS, min_size=4, max_size=8))
def test_frames_are_received_as_the_library_decodes_them(chunks: list[bytes]) -> None:
    line = b"".join(chunks)
    expected = [body_of(chunk) for chunk in line.split(b"\0")[:-1] if chunk]
    receiver = FrameReceiver(b"", LEAST_APPENDIX)
    frame: Any = receiver.frame
    got: list[bytes | None] = []

    async def consume(ctx: Any) -> None:
        async def strobe(signal: Any) -> None:
            ctx.set(signal, 1)
            await ctx.tick()
            ctx.set(signal, 0)
            await ctx.tick().repeat(2)

        while True:
            while not ctx.get(frame.valid):
                await ctx.tick()
            length = ctx.get(frame.position) - 2
            ctx.set(frame.address, 0)
            await strobe(frame.seek_stb)
            body = bytearray()
            while ctx.get(frame.good) and len(body) < length:
                body.append(ctx.get(frame.byte))
                await strobe(frame.next_stb)
            got.append(bytes(body) if ctx.get(frame.good) else None)
            await strobe(frame.release_stb)

    async def send(ctx: Any) -> None:
        await put(ctx, receiver.line, line)
        await ctx.tick().repeat(8 * MAX_BODY + 20)  # a byte in three cycles

    simulate(receiver, send, consume)
    assert got == expected


@settings(max_examples=examples(12))
@given(st.lists(st.tuples(BODIES, st.booleans()), min_size=1, max_size=6), st.integers(1, 3))
def test_reply_slots_send_what_the_library_encodes(
    bodies: list[tuple[bytes, bool]], pace: int
) -> None:
    slots = 4
    replies = ReplySlots(slots)
    received = bytearray()

    async def collect(ctx: Any) -> None:
        while True:
            ctx.set(replies.line.ready, 1)
            _, _, valid, byte = await ctx.tick().sample(replies.line.valid, replies.line.payload)
            if valid:
                received.append(byte)
            ctx.set(replies.line.ready, 0)
            for _ in range(pace):
                await ctx.tick()

    async def build(ctx: Any) -> None:
        for k, (body, again) in enumerate(bodies):
            ctx.set(replies.slot, k % slots)
            items = [{"byte": byte, "end": 0} for byte in body]
            await put(ctx, replies.body, [*items, {"byte": 0, "end": 1}])
            if again:
                await put(ctx, replies.repeat, [k % slots])
        await ctx.tick().repeat(8)
        if not ctx.get(replies.idle):
            await ctx.tick().until(replies.idle)

    simulate(replies, build, collect)
    expected = b"".join(framed(body) * (1 + again) for body, again in bodies)
    assert bytes(received) == expected
