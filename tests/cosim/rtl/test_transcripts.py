"""The RTL answers every request, right or wrong, with the bytes that the model answers."""

import random
import struct
from collections import Counter
from dataclasses import replace

import pytest
from cobs import cobs
from support.rungs import bulk_but

from spiketwin.cosim.device.device import SoftwareDevice
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import MAX_BODY, MAX_ELEMENT_BYTES, Opcode, Status
from spiketwin.hdl.spec.registers import Space, registers, space_formats
from spiketwin.host.frames import encode

TINY = preset("tiny")
# No element but a bit fills its bytes: the range of each ends inside one.
INSIDE = replace(
    TINY, weight_width=7, v_width=13, i_syn_width=19, theta_width=11, trace_width=12,
    refrac_width=5,
)  # fmt: skip
SINGLE_PORT = replace(
    TINY, weight_width=4, trace_width=9, single_port_weights=True, neuron_lanes=1,
    event_queue_depth=16, digest_rounds=3, saturation_counters=True,
)  # fmt: skip
BIASED = replace(INSIDE, bias_events=True)
# An event has more than 64 bits.
WIDE = replace(TINY, n_axons=256, v_width=24, bias_events=True, weight_width=16)
COUNTED = replace(INSIDE, learning=False, lanes=2, digest_rounds=1, saturation_counters=True)
UNNUMBERED = (Status.WRONG_SESSION, Status.WRONG_SEQUENCE)
RUNNING = (Opcode.EVENTS, Opcode.BIASES, Opcode.RUN, Opcode.FETCH, Opcode.STOP)
OF_BIASES = {
    bytes([Opcode.BIASES, status])
    for status in (Status.OK, Status.BAD_VALUE, Status.BAD_ORDER, Status.QUEUE_FULL)
}
SETTLED_CYCLES = 20_000
"""Far more than the core needs until it is idle or its output queue is full."""


class Requests:
    """Requests most of which are right, and most of the others nearly so."""

    def __init__(self, params: CoreParams, seed: int) -> None:
        self.params = params
        self.formats = space_formats(params)
        self.rng = random.Random(seed)
        self.session = self.expected = self.event_tick = 0

    def frame(self) -> tuple[int, bytes]:
        rng = self.rng
        opcode = rng.choice([*Opcode, Opcode.READ, *[Opcode.WRITE] * 4, Opcode.EVENTS, 13])
        if opcode == Opcode.IDENTIFY:
            opcode = Opcode.STOP  # the identities differ
        arguments = self.arguments(opcode)
        if rng.random() < 0.05:
            arguments = arguments[: rng.randrange(len(arguments) + 1)]
        if rng.random() < 0.05:
            arguments += bytes(rng.randrange(3))
        seq, session = self.expected, self.session
        if rng.random() < 0.1:
            seq = (seq + rng.randrange(-9, 3)) % 256
        if opcode == Opcode.OPEN:
            session = (session + rng.choice([0, 1, 1, 2])) % 256
        elif rng.random() < 0.02:
            session = rng.randrange(256)
        frame = encode((bytes([session, seq, opcode]) + arguments)[:MAX_BODY])
        if rng.random() < 0.04:
            place = rng.randrange(len(frame))
            frame = frame[:place] + rng.randbytes(rng.randrange(3)) + frame[place + 1 :] + b"\0"
        return opcode, frame

    def arguments(self, opcode: int) -> bytes:
        rng = self.rng
        match opcode:
            case Opcode.CLEAR:
                return bytes([rng.choice([rng.randrange(64), rng.randrange(256)])])
            case Opcode.READ | Opcode.WRITE:
                return self.elements(opcode)
            case Opcode.EVENTS:
                return self.events()
            case Opcode.BIASES:
                return self.biases()
            case Opcode.RUN:
                return struct.pack("<I", rng.choice([0, 1, 2, 5, 20, 0xFFFFFFFF]))
            case Opcode.FETCH:
                return struct.pack("<BI", rng.choice([0, 1, 5, 62, 63]), 0xFFFFFFFF)
            case Opcode.SET_BAUD:
                return struct.pack("<H", rng.choice([0, 3, 4, 65535]))
            case Opcode.SET_TICK:
                tick = rng.choice([0, 1, max(0, self.event_tick - 5), 0xFFFFFFFF])
                return struct.pack("<I", tick)
        return b""

    def elements(self, opcode: int) -> bytes:
        rng = self.rng
        form = self.formats[rng.choice(list(self.formats))]
        row, column = rng.randrange(form.rows), rng.randrange(form.columns)
        if form.space == Space.PENDING:
            column = rng.choice([0, 0, 1, 2])
        if rng.random() < 0.1:
            row, column = rng.choice([(row, form.columns), (form.rows, 0), (1 << 15, column)])
        per_byte = 8 if form.packed else 1
        left = max(1, form.size - row * form.columns - column)
        most = min(left, MAX_ELEMENT_BYTES * per_byte // form.element_bytes)
        count = rng.choice([1, 2, most, rng.randint(1, most), rng.choice([0, most + 1, 0xFFFF])])
        address = struct.pack("<BHH", rng.choice([form.space] * 9 + [15]), column, row)
        told = struct.pack("<H", count)
        if opcode == Opcode.READ:
            return address + told
        if form.packed:
            return address + told + rng.randbytes(form.byte_length(min(count, most)))
        count = min(count, most + 1)
        size, mask = form.element_bytes, (1 << 8 * form.element_bytes) - 1
        values = [self.value(form.space) & mask for _ in range(count)]
        return address + b"".join(value.to_bytes(size, "little") for value in values)

    def value(self, space: Space) -> int:
        if self.formats[space].record:
            # A tick period would let ticks pass with the time, and the model has no time.
            return 0
        if space == Space.PENDING:
            return self.rng.randrange(self.params.neuron_groups) << 8 | self.rng.choice(
                [1, 2, 3, 3, 4]
            )
        low, high = self.formats[space].limits()
        wrong = self.rng.random() < 0.01
        return self.rng.choice([low - 1, high + 1] if wrong else [low, high, low // 2, high // 2])

    def events(self) -> bytes:
        rng, offset, data = self.rng, 0, b""
        first = rng.choice([self.event_tick] * 8 + [0xFFFFFFF0])
        axon = rng.randrange(self.params.n_axons)
        for _ in range(rng.choice([0, 1, 5, 30, 61])):
            data += struct.pack("<HH", offset, axon)
            axon += rng.random() > 0.2
            if axon >= self.params.n_axons - (rng.random() > 0.01) or rng.random() < 0.3:
                offset += rng.randrange(1, 3)
                axon = rng.randrange(self.params.n_axons)
        self.event_tick = (first + offset) % (1 << 20)
        return struct.pack("<I", first) + data

    def biases(self) -> bytes:
        """Bias events, half of them in front of the axon events that come next."""
        rng, offset, data = self.rng, 0, b""
        first = max(0, rng.choice([self.event_tick + 1] * 8 + [self.event_tick, 0xFFFFFFF0]))
        low, high = self.formats[Space.BIAS].limits()
        for _ in range(rng.choice([0, 1, 5, 30])):
            bias = rng.choice([low, high, 0, low // 2, high // 2])
            if rng.random() < 0.01:
                bias = rng.choice([low - 1, high + 1])
            neuron = rng.randrange(self.params.n_neurons + (rng.random() < 0.01))
            data += struct.pack("<HHi", offset, neuron, bias)
            offset += rng.random() < 0.3
        self.event_tick = (first + offset) % (1 << 20)
        return struct.pack("<I", first) + data

    def follow(self, answers: bytes) -> None:
        """Learn from the answers which session it is and which number comes next."""
        for chunk in answers.split(b"\0")[:-1]:
            session, seq, opcode, status = cobs.decode(chunk)[:4]
            if opcode == Opcode.OPEN:
                self.expected = 0 if session != self.session else self.expected
            elif seq == self.expected and status not in UNNUMBERED:
                self.expected = (seq + 1) % 256
            self.session = session


def answered(rtl: Engine, frame: bytes, size: int) -> bytes:
    """What the RTL answers to a frame, as far as that many bytes."""
    rtl.write(frame)
    got = b""
    while len(got) < size and (part := rtl.read(1 << 16, 1e-3)):
        got += part
    return got


@pytest.mark.bulk
@pytest.mark.parametrize(
    ("params", "seed"),
    [(TINY, 1), (INSIDE, 2), (BIASED, 3)],
    ids=["whole-bytes", "inside-bytes", "biased"],
)
def test_a_transcript_is_the_same_on_the_model_and_on_the_rtl(
    params: CoreParams, seed: int
) -> None:
    requests, model = Requests(params, seed), ModelDevice(params)
    statuses = set()
    with Engine(params) as rtl:
        for _ in range(1500):
            opcode, frame = requests.frame()
            model.receive(frame)
            expected = model.drain(1 << 16)
            got = answered(rtl, frame, len(expected))
            if opcode in RUNNING:
                rtl.run(SETTLED_CYCLES)
            assert got == expected, frame.hex(" ")
            assert not rtl.read(1 << 16, 1e-6), frame.hex(" ")
            statuses |= {(cobs.decode(c)[2:4]) for c in expected.split(b"\0")[:-1]}
            requests.follow(expected)
    assert len(statuses) > 40
    if params.bias_events:
        assert statuses >= OF_BIASES


class TimedRequests(Requests):
    """The tick period is written, too: ticks keep up with it or do not."""

    def elements(self, opcode: int) -> bytes:
        if opcode == Opcode.WRITE and self.rng.random() < 0.3:
            period = self.rng.choice([0, 1, 20, 45, 60, 90, 150, 3000, 0xFFFFFFFF])
            return struct.pack("<BII", Space.REGISTER, 0, period)
        return super().elements(opcode)

    def events(self) -> bytes:
        """Some of them late; a run goes on from where the core is, which may be behind them."""
        if self.rng.random() < 0.3:
            self.event_tick = max(0, self.event_tick - self.rng.randrange(30))
        return super().events()


@pytest.mark.parametrize(
    ("params", "seed"),
    bulk_but(
        [(TINY, 1), (WIDE, 5)],
        [(TINY, 1), (INSIDE, 2), (SINGLE_PORT, 3), (COUNTED, 4), (WIDE, 5)],
    ),
    ids=["whole-bytes", "inside-bytes", "single-port", "no-learning", "wide-events"],
)
@pytest.mark.parametrize("kind", [Requests, TimedRequests], ids=["free-running", "timed"])
def test_a_transcript_is_the_same_with_the_core_of_the_rtl_behind_the_software_device(
    params: CoreParams, seed: int, kind: type[Requests]
) -> None:
    requests, model = kind(params, seed), ModelDevice(params)
    statuses, damage = set(), Counter[str]()
    with CoreEngine(Design(params=params, level="core")) as core:
        device = SoftwareDevice(core, 1, "core")
        for _ in range(6000):
            _, frame = requests.frame()
            model.receive(frame)
            expected = model.drain(1 << 16)
            device.receive(frame)
            assert device.drain(1 << 16) == expected, frame.hex(" ")
            statuses |= {(cobs.decode(c)[2:4]) for c in expected.split(b"\0")[:-1]}
            requests.follow(expected)
            damage |= Counter(core.counters())
    assert len(statuses) > 40
    if params.bias_events:
        assert statuses >= OF_BIASES
    if kind is TimedRequests:
        assert min(damage["missed_deadlines"], damage["late_events"]) > 5


def test_a_write_of_any_length_is_answered_as_by_the_model() -> None:
    """It has as many elements as its bytes hold, and of bits as many as it says."""

    def write(space: Space, data: bytes) -> bytes:
        return struct.pack("<BI", space, 3) + data

    writes = [
        write(space, bytes(k % 256 for k in range(length)))
        for space in (Space.WEIGHT, Space.V, Space.REFRAC_COUNT, Space.REGISTER)
        for length in (*range(10), *range(241, MAX_ELEMENT_BYTES + 1))
    ]
    sizes = {space_formats(WIDE)[Space(each[0])].element_bytes for each in writes}
    assert sizes == {1, 2, 4}
    for count in (0, 1, 8, 9, 1935, 1936, 1937, 1944, 1945, 1952, 1953, 2110, 0xFFFF):
        octets = (count + 7) // 8
        told = count.to_bytes(2, "little")
        writes += [write(Space.PLASTIC, told[:size]) for size in (0, 1)]
        writes += [
            write(Space.PLASTIC, told + bytes(size))
            for size in sorted({0, 1, octets - 1, octets, octets + 1, 241, 242})
            if 0 <= size <= MAX_ELEMENT_BYTES - 2
        ]
    longest = MAX_ELEMENT_BYTES // 2
    reads = [struct.pack("<BIH", Space.WEIGHT, 3, longest + more) for more in (0, 1)]
    bits = 8 * MAX_ELEMENT_BYTES
    reads += [struct.pack("<BIH", Space.PLASTIC, 3, bits + more) for more in (0, 1)]
    requests = [(Opcode.WRITE, arguments) for arguments in writes]
    requests += [(Opcode.READ, arguments) for arguments in reads]
    model, statuses = ModelDevice(WIDE), Counter[tuple[int, int]]()
    with Engine(WIDE) as rtl:
        for seq, (opcode, arguments) in enumerate(requests):
            frame = encode(bytes([0, seq % 256, opcode]) + arguments)
            model.receive(frame)
            expected = model.drain(1 << 16)
            assert answered(rtl, frame, len(expected)) == expected, arguments.hex(" ")
            body = cobs.decode(expected[:-1])
            statuses[opcode, body[3]] += 1
    found = {status for opcode, status in statuses if opcode == Opcode.WRITE}
    assert found == {Status.OK, Status.BAD_LENGTH, Status.BAD_RANGE, Status.BAD_VALUE}
    assert statuses[Opcode.READ, Status.OK] == statuses[Opcode.READ, Status.BAD_RANGE] == 2


def test_stop_drops_what_is_queued_and_nothing_else() -> None:
    """And the next event may be of any tick from there on, an earlier one than those dropped."""

    def events(tick: int, *axons: int) -> bytes:
        return struct.pack("<I", tick) + b"".join(struct.pack("<HH", 0, axon) for axon in axons)

    def block(space: Space, count: int) -> bytes:
        return struct.pack("<BIH", space, 0, count)

    requests = (
        (Opcode.WRITE, struct.pack("<BI8h", Space.V, 0, *range(-9, -1)), b""),
        (Opcode.EVENTS, events(0, 1, 2), b""),
        (Opcode.RUN, struct.pack("<I", 3), b""),
        (Opcode.EVENTS, events(100, 3, 4, 5), b""),
        (Opcode.STOP, b"", struct.pack("<I", 3)),
        (Opcode.READ, struct.pack("<BIH", Space.COUNTER, 8, 1), bytes(4)),  # events_queued
        (Opcode.READ, struct.pack("<BIH", Space.COUNTER, 5, 1), bytes(4)),  # late_events
        (Opcode.READ, block(Space.COUNTER, 2), struct.pack("<II", 3, 3)),  # tick, run_until
        (Opcode.READ, block(Space.REGISTER, len(registers(TINY))), None),
        (Opcode.READ, block(Space.V, 8), None),
        (Opcode.EVENTS, events(3, 0), b""),
        (Opcode.EVENTS, events(4, 7), b""),
        (Opcode.RUN, struct.pack("<I", 2), b""),
        (Opcode.FETCH, struct.pack("<BI", 62, 0xFFFFFFFF), None),
        (Opcode.READ, block(Space.TRACE_PRE, 16), None),
        (Opcode.RESET, b"", b""),
        (Opcode.READ, block(Space.COUNTER, 2), bytes(8)),
        (Opcode.EVENTS, events(0, 0), b""),
        (Opcode.STOP, b"", bytes(4)),
        (Opcode.EVENTS, events(0, 0), b""),
    )
    model = ModelDevice(TINY)
    with Engine(TINY) as rtl:
        for seq, (opcode, arguments, wanted) in enumerate(requests):
            frame = encode(bytes([0, seq, opcode]) + arguments)
            model.receive(frame)
            expected = model.drain(1 << 16)
            got = answered(rtl, frame, len(expected))
            rtl.run(SETTLED_CYCLES)
            assert got == expected, opcode
            body = cobs.decode(expected[:-1])[:-2]
            assert body[3] == Status.OK
            assert wanted is None or body[4:] == wanted, opcode


@pytest.mark.bulk
def test_every_element_and_register_of_the_rtl_has_its_range_inside_its_bytes() -> None:
    """The least and the greatest value come back, and their neighbours outside are refused."""
    session, seq = 1, 0
    checked = 0
    with Engine(INSIDE) as rtl:

        def ask(opcode: Opcode, arguments: bytes) -> tuple[int, bytes]:
            nonlocal seq
            rtl.write(encode(bytes([session, seq, opcode]) + arguments))
            answer = b""
            while not answer.endswith(b"\0"):
                part = rtl.read(1 << 16, 1e-3)
                assert part, "no answer"
                answer += part
            seq = 0 if opcode == Opcode.OPEN else (seq + 1) % 256
            body = cobs.decode(answer[:-1])[:-2]
            return body[3], body[4:]

        assert ask(Opcode.OPEN, b"") == (Status.OK, b"")
        blocks: list[tuple[Space, int, int, tuple[int, int]]] = [
            (form.space, 0, form.element_bytes, form.limits())
            for form in space_formats(INSIDE).values()
            if not form.packed and form.writable
            and form.space not in (Space.REGISTER, Space.PENDING)
        ]  # fmt: skip
        blocks += [
            (Space.REGISTER, address, 4, register.limits(INSIDE))
            for address, register in enumerate(registers(INSIDE))
        ]
        for space, start, size, (low, high) in blocks:
            block = struct.pack("<BIH", space, start, 1)
            for value in (low, high, low - 1, high + 1):
                data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
                if high - low == (1 << 8 * size) - 1 and not low <= value <= high:
                    continue  # there is no such value
                write = struct.pack("<BI", space, start) + data
                if low <= value <= high:
                    assert ask(Opcode.WRITE, write) == (Status.OK, b"")
                    kept = data
                else:
                    assert ask(Opcode.WRITE, write) == (Status.BAD_VALUE, bytes(4))
                    checked += 1
                assert ask(Opcode.READ, block) == (Status.OK, kept)
    assert checked == 2 * (len(blocks) - 3)  # `tick_period`, `seed` and `tag` fill their bytes
