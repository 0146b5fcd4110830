"""A fake core, which is a dict, behind the gateware of the link, and a host at the line."""

import functools
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from spiketwin.hdl.gateware.core.interface import event_layout
from spiketwin.hdl.gateware.link.link import Link
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    Identity,
    Status,
)
from spiketwin.hdl.spec.registers import COUNTERS, Space, registers, space_formats
from support.gateware import framed, put, unframed
from support.verilated import simulate

ZERO = bytes(4)


def elements(space: int, start: int, count: int) -> bytes:
    """Return the arguments of a `READ`."""
    return struct.pack("<BIH", space, start, count)


def written(space: int, start: int, data: bytes = b"") -> bytes:
    """Return the arguments of a `WRITE`; to a space of single bits, data begins with `count`."""
    return struct.pack("<BI", space, start) + data


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def axon_events(tick: int, *events: tuple[int, int]) -> bytes:
    return words(tick) + b"".join(struct.pack("<HH", *event) for event in events)


def bias_events(tick: int, *events: tuple[int, int, int]) -> bytes:
    return words(tick) + b"".join(struct.pack("<HHi", *event) for event in events)


def register(name: str) -> int:
    return [r.name for r in registers(preset("tiny"))].index(name)


def counter(name: str) -> bytes:
    return elements(Space.COUNTER, [c.name for c in COUNTERS].index(name), 1)


class FakeCore:
    """A fake that drives the interface between link and core as a core would, and logs access."""

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.memory: dict[tuple[int, int, int], int] = {}
        self.log: list[Any] = []
        self.events: list[tuple[int, ...]] = []
        self.words: list[int] = []
        self.tick = 0
        self.hold = False
        """Whether a tick that has begun is kept from ending."""

    def _extended(self, space: int, w_data: int) -> int:
        """Return the 32-bit word of an element that is written: truncated, and sign-extended."""
        form = space_formats(self.params)[Space(space)]
        bits = 1 if form.packed else 8 * form.element_bytes
        value = w_data % (1 << bits)
        return (value - (form.signed * value >> bits - 1 << bits)) & 0xFFFFFFFF

    @property
    def pending(self) -> list[int]:
        return [value for key, value in self.memory.items() if key[0] == Space.PENDING]

    async def process(self, ctx: Any, core: Any) -> None:
        # An interface looks its signals up anew in each access, so that this is done only once.
        memory, events, out = core.memory, core.events, core.words
        valid, done, r_data = memory.valid, memory.done, memory.r_data
        access = memory.space, memory.row, memory.column, memory.write, memory.w_data
        event_valid, event_ready, event = events.valid, events.ready, events.payload
        event_fields = [name for name, _ in event_layout(self.params)]
        word_valid, word_ready, word = out.valid, out.ready, out.payload
        tick, run_until, stop, real_time = core.tick, core.run_until, core.stop, core.real_time
        idle, event_level, word_level = core.idle, core.event_level, core.word_level
        cycles, pending_groups = core.cycles, core.pending_groups
        clear_stb, reset_stb, clear_mask = core.clear_stb, core.reset_stb, core.clear_mask
        set_tick_stb, set_tick = core.set_tick_stb, core.set_tick
        latency, busy_cycles, under_way = 0, 0, False
        tick_period = Space.REGISTER, 0, register("tick_period")
        while True:
            ctx.set(tick, self.tick)
            until = self.tick if ctx.get(stop) else ctx.get(run_until)
            ctx.set(real_time, self.memory.get(tick_period, 0) != 0)
            is_idle = not under_way and not busy_cycles and until == self.tick
            latency = latency + 1 if ctx.get(valid) else 0
            is_done = latency == 3
            ctx.set(idle, is_idle)
            ctx.set(event_level, len(self.events))
            ctx.set(word_level, len(self.words))
            ctx.set(word_valid, bool(self.words))
            ctx.set(word, self.words[0] if self.words else 0)
            ctx.set(event_ready, len(self.events) < self.params.event_queue_depth)
            ctx.set(cycles, 0x456789ABCDEF)
            ctx.set(pending_groups, len(self.pending))
            ctx.set(done, is_done)
            if latency:
                space, row, column, write, w_data = map(ctx.get, access)
                element = int(space), row, column
                ctx.set(r_data, self.memory.get(element, 0) if is_done else 0xDEADBEEF)
            clear, reset = ctx.get(clear_stb), ctx.get(reset_stb)
            mask = ctx.get(clear_mask) if clear else 0
            pushed = ctx.get(event_valid) and ctx.get(event_ready)
            if pushed:
                told = ctx.get(event)
                pushed_event = tuple(told[field] for field in event_fields)
            popped = ctx.get(word_valid) and ctx.get(word_ready)
            sets_tick = ctx.get(set_tick_stb)
            tick_to_set = ctx.get(set_tick) if sets_tick else 0
            await ctx.tick()
            busy_cycles = max(0, busy_cycles - 1)
            if under_way and not self.hold:
                under_way = False
                self.tick += 1
            elif not busy_cycles and not reset and until != self.tick:
                under_way = True
            if is_done:
                latency = 0
                if write:
                    assert is_idle
                    if element == (Space.PENDING, 0, 0):
                        for key in [k for k in self.memory if k[0] == Space.PENDING]:
                            del self.memory[key]
                    value = self._extended(space, w_data)
                    self.log.append((*element, value))
                    self.memory[element] = value
            if reset or clear:
                assert is_idle
                self.log.append(("reset" if reset else "clear", mask))
                busy_cycles = 5
            if sets_tick:
                assert is_idle
                self.tick = tick_to_set
            if reset:
                assert clear
                self.memory = {k: v for k, v in self.memory.items() if k[0] != Space.REGISTER}
                self.tick = 0
                self.events.clear()
                self.words.clear()
            if pushed:
                self.events.append(pushed_event)
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
    """The host at the other end of the line."""

    def __init__(self, ctx: Any, line: Any, received: bytearray, core: FakeCore) -> None:
        self.ctx, self.line, self.received, self.core = ctx, line, received, core
        self.session, self.seq = 0, 0

    async def send(self, data: bytes) -> None:
        await put(self.ctx, self.line.rx, data)

    async def answer(self, cycles: int = 20_000) -> Answer:
        for _ in range(cycles):
            if 0 in self.received:
                frame, _, rest = self.received.partition(b"\0")
                self.received[:] = rest
                body = unframed(bytes(frame))
                session, seq, opcode, status = body[:4]
                return Answer(session, seq, opcode, status, body[4:])
            await self.ctx.tick()
        raise AssertionError("no answer")

    async def ask(self, opcode: int, arguments: bytes = b"", seq: int | None = None) -> Answer:
        """Send a request with the next sequence number, or with `seq`, and return its answer."""
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
    on_this_link(script, _link(params or preset("tiny")))


@functools.cache
def _link(params: CoreParams) -> Link:
    return Link(params, Identity.of(params, 100_000_000, "test"))


def on_this_link(script: Callable[[Host], Any], link: Link) -> None:
    """Run a script against this link with a fake core."""
    core = FakeCore(link.params)
    line: Any = link.line
    received = bytearray()

    async def run_core(ctx: Any) -> None:
        await core.process(ctx, link.core)

    async def collect(ctx: Any) -> None:
        ctx.set(line.tx.ready, 1)
        async for _, _, valid, ready, byte in ctx.tick().sample(
            line.tx.valid, line.tx.ready, line.tx.payload
        ):
            if valid and ready:
                received.append(byte)

    async def run_script(ctx: Any) -> None:
        ctx.set(line.sent, 1)
        await script(Host(ctx, line, received, core))

    simulate(link, run_script, run_core, collect)


IDENTITY = Identity.of(preset("tiny"), 100_000_000, "test")
