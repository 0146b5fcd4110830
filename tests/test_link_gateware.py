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

    simulator = Simulator(link)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(run_core, background=True)
    simulator.add_testbench(collect, background=True)
    simulator.add_testbench(run_script)
    simulator.run()


IDENTITY = Identity.of(preset("tiny"), 100_000_000, "test")


def test_identify() -> None:
    async def script(host: Host) -> None:
        await host.send(framed(bytes([77, 5, Opcode.IDENTIFY])))
        answer = await host.answer()
        assert answer == (0, 5, Opcode.IDENTIFY, Status.OK, IDENTITY.pack())

    on_link(script)
