"""The link's gateware: UART, frames, reply slots, and a dispatcher on a core made of a dict."""

import binascii
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream
from amaranth.sim import Simulator
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketwin.hdl.gateware.framing import FrameReceiver, ReplySlots
from spiketwin.hdl.gateware.link import Link
from spiketwin.hdl.gateware.uart import BaudRate, UartReceiver, UartTransmitter
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    CRC_INITIAL,
    MAX_BODY,
    MAX_ELEMENT_BYTES,
    MAX_EVENTS,
    MAX_FETCH_WORDS,
    Identity,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import COUNTERS, ClearMask, Space, registers, space_formats

PERIOD = 1e-8


def framed(body: bytes) -> bytes:
    crc = binascii.crc_hqx(body, CRC_INITIAL)
    return cobs.encode(body + crc.to_bytes(2, "big")) + b"\0"


def unframed(frame: bytes) -> bytes:
    decoded = cobs.decode(frame)
    body, crc = decoded[:-2], int.from_bytes(decoded[-2:], "big")
    assert crc == binascii.crc_hqx(body, CRC_INITIAL)
    return body


async def put(ctx: Any, port: Any, values: Any) -> None:
    """Send values into a stream, one a cycle where it is ready."""
    for value in values:
        ctx.set(port.payload, value)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


def simulate(design: Any, script: Any, *background: Any) -> None:
    """Run a script against a design until it ends."""
    simulator = Simulator(design)
    simulator.add_clock(PERIOD)
    for process in background:
        simulator.add_testbench(process, background=True)
    simulator.add_testbench(script)
    simulator.run()


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
        async for _, _, valid, byte in ctx.tick().sample(receiver.data.valid, receiver.data.payload):
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
        assert not ctx.get(receiver.overflow_stb)
        received.append(ctx.get(receiver.data.payload))
        assert ctx.get(receiver.data.valid)

    simulate(receiver, send)
    assert received == [0b01010101]


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
        assert ctx.get(receiver.data.payload) == 0x11

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
    rate = BaudRate(initial=100, trial_cycles=20)

    async def script(ctx: Any) -> None:
        async def change(to: int) -> None:
            ctx.set(rate.wanted, to)
            ctx.set(rate.change_stb, 1)
            await ctx.tick()
            ctx.set(rate.change_stb, 0)

        await change(7)
        await ctx.tick().repeat(19)
        assert ctx.get(rate.cycles_per_bit) == 7
        await ctx.tick()
        assert ctx.get(rate.cycles_per_bit) == 100
        await change(7)
        await ctx.tick().repeat(18)
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


@settings(max_examples=12)
@given(st.lists(CHUNKS, min_size=4, max_size=8))
def test_frames_are_received_as_the_library_decodes_them(chunks: list[bytes]) -> None:
    line = b"".join(chunks)
    expected = [body_of(chunk) for chunk in line.split(b"\0")[:-1] if chunk]
    receiver = FrameReceiver(b"")
    frame = receiver.frame
    got: list[bytes] = []
    errors = []

    async def consume(ctx: Any) -> None:
        while True:
            body = bytearray()
            ctx.set(frame.bytes.ready, 1)
            while not ctx.get(frame.valid) or len(body) < ctx.get(frame.length):
                if ctx.get(frame.valid) and ctx.get(frame.bytes.valid):
                    body.append(ctx.get(frame.bytes.payload))
                await ctx.tick()
            ctx.set(frame.bytes.ready, 0)
            got.append(bytes(body))
            ctx.set(frame.release_stb, 1)
            await ctx.tick()
            ctx.set(frame.release_stb, 0)

    async def count(ctx: Any) -> None:
        async for _, _, error in ctx.tick().sample(receiver.error_stb):
            errors.append(error)

    async def send(ctx: Any) -> None:
        await put(ctx, receiver.line, line)
        await ctx.tick().repeat(MAX_BODY + 10)

    simulate(receiver, send, consume, count)
    assert got == [body for body in expected if body is not None]
    assert sum(errors) == expected.count(None)


@settings(max_examples=12)
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
            last = len(body) - 1
            await put(
                ctx, replies.body, [{"byte": b, "last": n == last} for n, b in enumerate(body)]
            )
            if again:
                await put(ctx, replies.repeat, [k % slots])
        await ctx.tick().repeat(8)
        if not ctx.get(replies.idle):
            await ctx.tick().until(replies.idle)

    simulate(replies, build, collect)
    expected = b"".join(framed(body) * (1 + again) for body, again in bodies)
    assert bytes(received) == expected


# --- a core made of a dict ---------------------------------------------------------------------


class FakeCore:
    """Answers the seam as a core would, and logs what happens to it."""

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.memory: dict[tuple[int, int, int], int] = {}
        self.log: list[Any] = []
        self.events: list[tuple[int, int]] = []
        self.words: list[int] = []
        self.tick = 0
        self.hold = False
        """While true a tick that was begun does not end."""

    @property
    def pending(self) -> list[int]:
        return [value for key, value in self.memory.items() if key[0] == Space.PENDING]

    async def process(self, ctx: Any, core: Any) -> None:
        memory, latency, busy_cycles, under_way = core.memory, 0, 0, False
        while True:
            run_until = ctx.get(core.run_until)
            idle = not under_way and not busy_cycles and run_until == self.tick
            space, row, column = (ctx.get(s) for s in (memory.space, memory.row, memory.column))
            element = int(space), row, column
            latency = latency + 1 if ctx.get(memory.valid) else 0
            done = latency == 3
            ctx.set(core.idle, idle)
            ctx.set(core.tick, self.tick)
            ctx.set(core.event_level, len(self.events))
            ctx.set(core.word_level, len(self.words))
            ctx.set(core.words.valid, bool(self.words))
            ctx.set(core.words.payload, self.words[0] if self.words else 0)
            ctx.set(core.events.ready, len(self.events) < self.params.event_queue_depth)
            ctx.set(core.cycles, 0x0123456789ABCDEF)
            ctx.set(core.pending_groups, len(self.pending))
            ctx.set(memory.done, done)
            ctx.set(memory.r_data, self.memory.get(element, 0) if done else 0xDEADBEEF)
            write, w_data = ctx.get(memory.write), ctx.get(memory.w_data)
            clear, reset = ctx.get(core.clear_stb), ctx.get(core.reset_stb)
            mask = ctx.get(core.clear_mask)
            event = ctx.get(core.events.payload.tick), ctx.get(core.events.payload.axon)
            pushed = ctx.get(core.events.valid) and ctx.get(core.events.ready)
            popped = ctx.get(core.words.valid) and ctx.get(core.words.ready)
            await ctx.tick()
            busy_cycles = max(0, busy_cycles - 1)
            if under_way and not self.hold:
                under_way = False
                self.tick += 1
            elif not busy_cycles and not reset and run_until != self.tick:
                under_way = True
            if done:
                latency = 0
                if write:
                    assert idle
                    if element == (Space.PENDING, 0, 0):
                        for key in [k for k in self.memory if k[0] == Space.PENDING]:
                            del self.memory[key]
                    self.log.append((*element, w_data))
                    self.memory[element] = w_data
            if reset or clear:
                assert idle
                self.log.append(("reset" if reset else "clear", mask))
                busy_cycles = 5
            if reset:
                assert clear
                self.tick = 0
                self.events.clear()
                self.words.clear()
            if pushed:
                self.events.append(event)
            if popped:
                self.words.pop(0)


class Answer(NamedTuple):
    session: int
    seq: int
    opcode: int
    status: int
    result: bytes

    @property
    def detail(self) -> int:
        assert len(self.result) == 4
        return int.from_bytes(self.result, "little")


class Host:
    """The other end of the line."""

    def __init__(self, ctx: Any, line: Any, received: bytearray, core: FakeCore) -> None:
        self.ctx, self.line, self.received, self.core = ctx, line, received, core
        self.session, self.seq = 0, 0

    async def send(self, data: bytes) -> None:
        await put(self.ctx, self.line.rx, data)

    async def answer(self, cycles: int = 4000) -> Answer:
        for _ in range(cycles):
            if 0 in self.received:
                frame, _, rest = self.received.partition(b"\0")
                self.received[:] = rest
                body = unframed(bytes(frame))
                return Answer(*body[:4], body[4:])
            await self.ctx.tick()
        raise AssertionError("no answer")

    async def ask(self, opcode: int, arguments: bytes = b"", seq: int | None = None) -> Answer:
        """One request with the next number, or with `seq`."""
        number = self.seq if seq is None else seq
        await self.send(framed(bytes([self.session, number, opcode]) + arguments))
        answer = await self.answer()
        assert (answer.session, answer.seq, answer.opcode) == (self.session, number, opcode)
        if seq is None:
            self.seq = (self.seq + 1) % 256
        return answer

    async def done(self, opcode: int, arguments: bytes = b"") -> bytes:
        answer = await self.ask(opcode, arguments)
        assert answer.status == Status.OK
        return answer.result

    async def refused(self, status: Status, detail: int, opcode: int, arguments: bytes) -> None:
        answer = await self.ask(opcode, arguments)
        assert (Status(answer.status), answer.detail) == (status, detail)


def on_link(script: Callable[[Host], Any], params: CoreParams | None = None) -> None:
    """Run a script against a link with a fake core."""
    params = params or preset("tiny")
    link, core = Link(params, IDENTITY), FakeCore(params)
    received = bytearray()

    async def run_core(ctx: Any) -> None:
        await core.process(ctx, link.core)

    async def collect(ctx: Any) -> None:
        ctx.set(link.line.tx.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(link.line.tx.valid, link.line.tx.payload):
            if valid:
                received.append(byte)

    async def run_script(ctx: Any) -> None:
        ctx.set(link.line.sent, 1)
        await script(Host(ctx, link.line, received, core))

    simulate(link, run_script, run_core, collect)


IDENTITY = Identity.of(preset("tiny"), 100_000_000, "test")


def test_identify() -> None:
    async def script(host: Host) -> None:
        await host.send(framed(bytes([77, 5, Opcode.IDENTIFY])))
        answer = await host.answer()
        assert answer == (0, 5, Opcode.IDENTIFY, Status.OK, IDENTITY.pack())

    on_link(script)
