"""The link's gateware: its program, and a dispatcher on a core made of a dict."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from support.fake_core import (
    IDENTITY,
    ZERO,
    Answer,
    FakeCore,
    Host,
    axon_events,
    bias_events,
    counter,
    elements,
    on_link,
    on_this_link,
    register,
    words,
    written,
)
from support.gateware import framed
from support.rungs import bulk_but

from spiketwin.hdl.gateware.link.dispatcher import dispatcher
from spiketwin.hdl.gateware.link.instructions import (
    MOST_PROGRAM_WORDS,
    PROGRAM_WORDS,
    Condition,
    Jump,
)
from spiketwin.hdl.gateware.link.link import Link
from spiketwin.hdl.gateware.link.tables import ADDRESSES, laid_out, tables
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import (
    MAX_BIASES,
    MAX_ELEMENT_BYTES,
    MAX_EVENTS,
    MAX_FETCH_WORDS,
    Identity,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import COUNTERS, ClearMask, Space, registers, space_formats

pytestmark = pytest.mark.rtl


# --- the program ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        *map(preset, ("tiny", "ncx", "digits", "up5k", "full")),
        # As many widths as there can be, each with a range of its own.
        CoreParams(
            n_axons=96, n_neurons=96, weight_width=6, v_width=21, i_syn_width=22,
            theta_width=23, trace_width=11, refrac_width=5,
        ),
        CoreParams(
            n_axons=2048, n_neurons=64, weight_width=8, v_width=21, i_syn_width=19, theta_width=9,
            trace_width=15, refrac_width=12, digest_rounds=1, saturation_counters=True,
            n_profiles=8,
        ),
        CoreParams(
            n_axons=4, n_neurons=24, lanes=4, neuron_lanes=1, source_lanes=1, weight_width=5,
            v_width=21, i_syn_width=22, theta_width=24, trace_width=10, refrac_width=11,
            digest_rounds=1, saturation_counters=True, n_profiles=8, decay_shift=True,
            receptors=2,
        ),
        CoreParams(n_axons=32, n_neurons=32, lanes=8, neuron_lanes=1, learning=False),
        *(replace(preset(name), bias_events=True) for name in ("full", "pynn")),
    ],
)  # fmt: skip
def test_program_and_tables_of_a_core_fit_its_memories(params: CoreParams) -> None:
    found = tables(params, Identity.of(params, 100_000_000, "test"))
    assert len(found.data) <= ADDRESSES * found.unit
    # A table of several records, and bias events, take more instructions: memories grow.
    longer = params.has_profiles or params.bias_events
    most = MOST_PROGRAM_WORDS if longer else PROGRAM_WORDS
    assert len(dispatcher(params, found).assemble()) <= most


@pytest.mark.parametrize(
    ("unit", "more_words"), bulk_but([(4, 1200)], [(1, 300), (2, 0), (4, 1200)])
)
def test_a_longer_program_and_longer_tables_work_as_short_ones(unit: int, more_words: int) -> None:
    """The program is moved behind words that only lead there, and the tables need larger units."""
    params = preset("tiny")
    link = Link(params, IDENTITY)
    link.tables = laid_out(params, IDENTITY, unit)
    link.program = program = dispatcher(params, link.tables)
    program.labels = {name: at + more_words for name, at in program.labels.items()}
    program.labels["FIRST"] = more_words
    program.instructions[:0] = [Jump(Condition.ALWAYS, "FIRST")] * more_words

    async def script(host: Host) -> None:
        assert (await host.ask(Opcode.IDENTIFY)).result == IDENTITY.pack()
        host.seq = 0
        await host.done(Opcode.WRITE, written(Space.REGISTER, 0, words(9, 0xFFFF, -5)))
        wrong = written(Space.REGISTER, 0, words(8, 0x10000, -5))
        await host.refused(Status.BAD_VALUE, 1, Opcode.WRITE, wrong)
        register_block = elements(Space.REGISTER, 0, 3)
        assert await host.done(Opcode.READ, register_block) == words(9, 0xFFFF, -5)
        await host.done(Opcode.WRITE, written(Space.WEIGHT, 15 << 16 | 6, b"\1\2"))
        beyond = written(Space.WEIGHT, 15 << 16 | 6, b"\1\2\3")
        await host.refused(Status.BAD_RANGE, 15 << 16 | 6, Opcode.WRITE, beyond)
        none = elements(Space.PROFILE, 0, 1)
        await host.refused(Status.BAD_SPACE, Space.PROFILE, Opcode.READ, none)
        await host.done(Opcode.WRITE, written(Space.PENDING, 0, words(0x301)))
        group = written(Space.PENDING, 0, words(0x401))
        await host.refused(Status.BAD_VALUE, 0, Opcode.WRITE, group)
        await host.refused(Status.BAD_VALUE, 1, Opcode.EVENTS, axon_events(1, (0, 7), (1, 8)))
        await host.done(Opcode.EVENTS, axon_events(1, (0, 7), (1, 7)))
        assert await host.done(Opcode.READ, counter("events_queued")) == words(2)

    on_this_link(script, link)


# --- requests ----------------------------------------------------------------------------------


def test_identify_and_open_need_no_session_and_no_number() -> None:
    async def script(host: Host) -> None:
        async def ask(session: int, seq: int, opcode: int, arguments: bytes = b"") -> Answer:
            await host.send(framed(bytes([session, seq, opcode]) + arguments))
            return await host.answer()

        assert await ask(77, 5, Opcode.IDENTIFY) == (0, 5, Opcode.IDENTIFY, 0, IDENTITY.pack())
        bad_length = (0, 6, Opcode.IDENTIFY, Status.BAD_LENGTH, words(2))
        assert await ask(0, 6, Opcode.IDENTIFY, b"ab") == bad_length
        assert await ask(9, 7, Opcode.RUN, words(1)) == (0, 7, 7, Status.WRONG_SESSION, ZERO)
        assert await ask(2, 8, Opcode.OPEN) == (0, 8, Opcode.OPEN, Status.WRONG_SESSION, ZERO)
        assert await ask(1, 9, Opcode.OPEN, b"a") == (0, 9, 1, Status.BAD_LENGTH, words(1))
        assert await ask(1, 200, Opcode.OPEN) == (1, 200, Opcode.OPEN, Status.OK, b"")
        assert await ask(1, 0, Opcode.STOP) == (1, 0, Opcode.STOP, Status.OK, ZERO)
        # Again, as if the answer had been lost: the next number is still 1.
        assert await ask(1, 201, Opcode.OPEN) == (1, 201, Opcode.OPEN, Status.OK, b"")
        assert await ask(1, 1, Opcode.STOP) == (1, 1, Opcode.STOP, Status.OK, ZERO)
        assert await ask(1, 5, Opcode.STOP) == (1, 5, 9, Status.WRONG_SEQUENCE, words(2))
        assert await ask(2, 0, Opcode.OPEN) == (2, 0, Opcode.OPEN, Status.OK, b"")
        # Nothing was answered in this session, so there is nothing to repeat.
        assert await ask(2, 255, Opcode.STOP) == (2, 255, 9, Status.WRONG_SEQUENCE, ZERO)
        assert await ask(1, 2, Opcode.STOP) == (2, 2, 9, Status.WRONG_SESSION, words(2))

    on_link(script)


@pytest.mark.bulk
def test_a_request_is_executed_once_and_answered_as_often_as_it_comes() -> None:
    async def script(host: Host) -> None:
        window = preset("tiny").link_slots - 1
        answers, ticks = {}, 0
        for n in range(270):
            opcode = Opcode.RUN if n % 7 else 99
            ticks += 1 + n % 3 if opcode == Opcode.RUN else 0
            answer = await host.ask(opcode, words(1 + n % 3))
            answers[answer.seq] = answer
            if n % 50 == 49:
                for back in range(1, window + 1):
                    repeated = (host.seq - back) % 256
                    await host.send(framed(bytes([0, repeated, Opcode.RUN]) + words(100)))
                    assert await host.answer() == answers[repeated]
                forgotten = (host.seq - window - 1) % 256
                answer = await host.ask(Opcode.RUN, words(100), seq=forgotten)
                assert (answer.status, answer.detail) == (Status.WRONG_SEQUENCE, host.seq)
        assert await host.done(Opcode.READ, counter("run_until")) == words(ticks)

    on_link(script)


def test_requests_that_come_at_once_are_answered_in_order() -> None:
    async def script(host: Host) -> None:
        numbers = [0, 1, 2, 1, 1, 4, 3, 9, 4]
        opening = framed(bytes([1, 0, Opcode.OPEN]))
        await host.send(opening + b"".join(framed(bytes([1, n, Opcode.STOP])) for n in numbers))
        answers = [await host.answer() for _ in range(1 + len(numbers))][1:]
        assert {answer.session for answer in answers} == {1}
        assert [answer.seq for answer in answers] == numbers
        missed = [answer.seq for answer in answers if answer.status == Status.WRONG_SEQUENCE]
        assert missed == [4, 9]

    on_link(script)


def test_what_is_no_request_is_refused() -> None:
    async def script(host: Host) -> None:
        refused = host.refused
        await refused(Status.BAD_OPCODE, 12, 12, b"")
        await refused(Status.BAD_OPCODE, 255, 255, b"abc")
        for opcode, arguments in (
            (Opcode.RESET, b"a"), (Opcode.CLEAR, b""), (Opcode.CLEAR, b"ab"),
            (Opcode.READ, bytes(6)), (Opcode.READ, bytes(8)), (Opcode.WRITE, bytes(4)),
            (Opcode.EVENTS, bytes(3)), (Opcode.EVENTS, bytes(9)), (Opcode.RUN, bytes(5)),
            (Opcode.FETCH, bytes(4)), (Opcode.STOP, bytes(249)), (Opcode.SET_BAUD, b"a"),
        ):  # fmt: skip
            await refused(Status.BAD_LENGTH, len(arguments), opcode, arguments)
        await refused(Status.BAD_VALUE, 0, Opcode.CLEAR, bytes([1 << len(ClearMask)]))
        await refused(Status.BAD_VALUE, 0, Opcode.RUN, words(0))
        await refused(Status.BAD_VALUE, 0, Opcode.FETCH, b"\0" + ZERO)
        await refused(Status.BAD_VALUE, 0, Opcode.FETCH, bytes([MAX_FETCH_WORDS + 1]) + ZERO)
        await refused(Status.BAD_VALUE, 0, Opcode.SET_BAUD, b"\3\0")
        assert not host.core.log

    on_link(script)


@pytest.mark.bulk
def test_elements_outside_a_space_are_refused() -> None:
    params = CoreParams(n_axons=32, n_neurons=32)

    async def script(host: Host) -> None:
        for opcode in (Opcode.READ, Opcode.WRITE):
            for space in (15, 255):
                await host.refused(Status.BAD_SPACE, space, opcode, elements(space, 0, 1))
            for space in (Space.REGISTER, Space.COUNTER, Space.PLASTIC, Space.V, Space.PENDING):
                form = space_formats(params)[space]
                last = (form.rows - 1) << 16 | (form.columns - 1)
                for start, count in (
                    (last, 2), (last + 1, 1), (form.rows << 16, 1), (1 << 31, 1), (1 << 15, 1),
                    (0, 0), (0, 65535), (0, MAX_ELEMENT_BYTES * 8 + 1),
                ):  # fmt: skip
                    arguments = elements(form.space, start, count)
                    if opcode == Opcode.WRITE and not form.packed:
                        data = bytes(count * form.element_bytes)
                        if len(data) > MAX_ELEMENT_BYTES:
                            continue  # no frame has so many
                        arguments = written(form.space, start, data)
                    if opcode == Opcode.READ or form.writable:
                        await host.refused(Status.BAD_RANGE, start, opcode, arguments)
                    else:
                        await host.refused(Status.READ_ONLY, form.space, opcode, arguments)
        long = elements(Space.WEIGHT, 0, MAX_ELEMENT_BYTES + 1)
        await host.refused(Status.BAD_RANGE, 0, Opcode.READ, long)
        assert not host.core.log

    on_link(script, params)


def test_the_longest_block_of_elements_fills_a_frame() -> None:
    assert MAX_ELEMENT_BYTES == 244

    async def script(host: Host) -> None:
        data = bytes(range(MAX_ELEMENT_BYTES))
        await host.done(Opcode.WRITE, written(Space.WEIGHT, 5, data))
        assert len(host.core.log) == MAX_ELEMENT_BYTES
        assert await host.done(Opcode.READ, elements(Space.WEIGHT, 5, len(data))) == data
        # A byte more is no frame: it is dropped, and the next one is answered.
        longer = bytes([0, host.seq, Opcode.WRITE]) + written(Space.WEIGHT, 5, data + b"\0")
        await host.send(framed(longer))
        assert await host.done(Opcode.READ, counter("frame_errors")) == words(1)
        assert len(host.core.log) == MAX_ELEMENT_BYTES

    on_link(script, CoreParams(n_axons=32, n_neurons=32))


def test_a_write_has_one_whole_element_or_more() -> None:
    params = preset("tiny")
    start = 1  # as it is told where a block is refused for its range

    async def script(host: Host) -> None:
        async def refused(status: Status, space: Space, data: bytes) -> None:
            detail = start if status is Status.BAD_RANGE else 5 + len(data)
            await host.refused(status, detail, Opcode.WRITE, written(space, start, data))

        sizes = {(form.element_bytes, form.packed): form for form in space_formats(params).values()}
        assert len(sizes) == 4
        for form in sizes.values():
            if form.packed:
                for data in (b"", b"\1"):
                    await refused(Status.BAD_LENGTH, form.space, data)
                for count, size in ((1, 0), (1, 2), (8, 2), (9, 1), (16, 1), (17, 2), (60, 242)):
                    data = count.to_bytes(2, "little") + bytes(size)
                    await refused(Status.BAD_LENGTH, form.space, data)
                for size in (0, 1):
                    await refused(Status.BAD_RANGE, form.space, bytes(2 + size))
            else:
                await refused(Status.BAD_RANGE, form.space, b"")
                lengths = [n for n in (1, 2, 3, 5, 6, 7, 121, 243) if n % form.element_bytes]
                for length in lengths:
                    await refused(Status.BAD_LENGTH, form.space, bytes(length))
        assert not host.core.log

    on_link(script, params)


@pytest.mark.bulk
def test_elements_are_written_whole_and_read_back() -> None:
    params = preset("tiny")

    async def script(host: Host) -> None:
        rng = random.Random(1)
        for form in space_formats(params).values():
            if not form.writable or form.space in (Space.REGISTER, Space.PENDING):
                continue
            low, high = form.limits()
            start = rng.randrange(form.rows), rng.randrange(form.columns)
            first = start[0] * form.columns + start[1]
            count = min(form.size - first, 20)
            values = [rng.choice([low, high, rng.randint(low, high)]) for _ in range(count)]
            if form.packed:
                bits = sum(value << k for k, value in enumerate(values))
                data = bits.to_bytes(form.byte_length(count), "little")
            else:
                size, signed = form.element_bytes, form.signed
                data = b"".join(v.to_bytes(size, "little", signed=signed) for v in values)
            address = start[0] << 16 | start[1]
            host.core.log.clear()
            counted = count.to_bytes(2, "little") if form.packed else b""
            await host.done(Opcode.WRITE, written(form.space, address, counted + data))
            assert host.core.log == [
                (form.space, *divmod(first + k, form.columns), value & 0xFFFFFFFF)
                for k, value in enumerate(values)
            ]
            assert await host.done(Opcode.READ, elements(form.space, address, count)) == data
            # No bits beyond those that are counted.
            host.core.log.clear()
            if form.packed:
                wrong = counted + data[:-1] + bytes([data[-1] ^ 0x80])
                arguments = written(form.space, address, wrong)
                await host.refused(Status.BAD_VALUE, count, Opcode.WRITE, arguments)
            assert not host.core.log

    on_link(script)


@pytest.mark.bulk
def test_every_register_takes_its_smallest_and_largest_value_and_no_other() -> None:
    params = preset("tiny")

    async def script(host: Host) -> None:
        for address, spec in enumerate(registers(params)):
            low, high = spec.limits(params)
            for value in (low, high):
                await host.done(Opcode.WRITE, written(Space.REGISTER, address, words(value)))
                assert host.core.log[-1] == (Space.REGISTER, 0, address, value & 0xFFFFFFFF)
            if high - low < 0xFFFFFFFF:
                for value in (low - 1, high + 1):
                    both = words(0, value)
                    if address:
                        both = written(Space.REGISTER, address - 1, both)
                        await host.refused(Status.BAD_VALUE, 1, Opcode.WRITE, both)
        assert len(host.core.log) == 2 * len(registers(params))

    on_link(script)


@pytest.mark.parametrize("unit", bulk_but([2], [1, 2]))
def test_each_column_of_a_table_has_a_range_of_its_own_in_every_row(unit: int) -> None:
    params = replace(preset("tiny"), n_profiles=4, learning=False, theta_width=20)
    form = space_formats(params)[Space.PROFILE_TABLE]
    columns = form.columns
    link = Link(params, Identity.of(params, 100_000_000, "test"))
    link.tables = laid_out(params, IDENTITY, unit)
    link.program = dispatcher(params, link.tables)
    assert form.rows == 4
    assert len({column.limits() for column in form.record}) > 3

    async def script(host: Host) -> None:
        def row(k: int) -> list[int]:
            return [limits[k % 2] for limits in map(form.limits_at, range(columns))]

        every = [value for k in range(4) for value in row(k)]
        await host.done(Opcode.WRITE, written(Space.PROFILE_TABLE, 0, words(*every)))
        read = elements(Space.PROFILE_TABLE, 0, form.size)
        assert await host.done(Opcode.READ, read) == words(*every)
        place = Space.PROFILE_TABLE, 3, 1
        assert host.core.memory[place] == form.limits_at(1)[1] & 0xFFFFFFFF
        last_two = 3 << 16 | columns - 2
        beyond = written(Space.PROFILE_TABLE, last_two, words(0, 0, 0))
        await host.refused(Status.BAD_RANGE, last_two, Opcode.WRITE, beyond)
        absent = elements(Space.PROFILE_TABLE, 4 << 16, 1)
        await host.refused(Status.BAD_RANGE, 4 << 16, Opcode.READ, absent)
        # A block from the third column of a row to the second one of the row after the next.
        most = 2 * columns
        for index in range(most):
            length = most if index < 3 else index + 1
            for wrong in (0, 1):
                values = [form.limits_at(2 + k)[0] for k in range(length)]
                values[index] = form.limits_at(2 + index)[wrong] + (1 if wrong else -1)
                block = written(Space.PROFILE_TABLE, 1 << 16 | 2, words(*values))
                await host.refused(Status.BAD_VALUE, index, Opcode.WRITE, block)
        assert len(host.core.log) == form.size
        # The registers that are left have their ranges, too.
        assert [r.name for r in registers(params)] == ["tick_period", "tag"]
        await host.done(Opcode.WRITE, written(Space.REGISTER, 1, words(0xFFFFFFFF)))
        wide = written(Space.WEIGHT, 15 << 16, b"\1\2\3")
        await host.done(Opcode.WRITE, wide)

    on_this_link(script, link)


def test_pending_entries_ascend_from_the_first_or_after_the_last() -> None:
    async def script(host: Host) -> None:
        def entries(start: int, *values: tuple[int, int]) -> bytes:
            data = words(*(group << 8 | mask for group, mask in values))
            return written(Space.PENDING, start, data)

        refused, write = host.refused, Opcode.WRITE
        await refused(Status.BAD_RANGE, 1, write, entries(1, (0, 1)))
        await refused(Status.BAD_VALUE, 1, write, entries(0, (0, 1), (1, 0)))
        await refused(Status.BAD_VALUE, 0, write, entries(0, (0, 4), (0, 4)))
        await refused(Status.BAD_VALUE, 0, write, entries(0, (4, 1)))
        await refused(Status.BAD_VALUE, 0, write, entries(0, (1 << 23, 1)))
        await refused(Status.BAD_ORDER, 1, write, entries(0, (1, 1), (1, 2)))
        assert not host.core.log
        await host.done(write, entries(0, (0, 1), (1, 3)))
        await refused(Status.BAD_RANGE, 1, write, entries(1, (3, 1)))
        await refused(Status.BAD_ORDER, 0, write, entries(2, (1, 1)))
        await host.done(write, entries(2, (2, 1), (3, 2)))
        assert host.core.pending == [0x001, 0x103, 0x201, 0x302]
        await host.done(write, entries(0, (3, 1)))
        assert host.core.pending == [0x301]

    on_link(script)


def test_an_event_can_be_there_again_in_a_request_and_in_the_next_one() -> None:
    async def script(host: Host) -> None:
        events, core = Opcode.EVENTS, host.core
        await host.done(events, axon_events(0, (0, 0), (0, 0), (0, 3), (0, 3)))
        await host.done(events, axon_events(0, (0, 3), (0, 3), (2, 1)))
        await host.done(events, axon_events(2, (0, 1)))
        assert core.events == [(0, 0)] * 2 + [(0, 3)] * 4 + [(2, 1)] * 2
        await host.refused(Status.BAD_ORDER, 0, events, axon_events(2, (0, 0)))

    on_link(script)


def test_bias_events_are_queued_before_the_axon_events_of_their_tick_or_not_at_all() -> None:
    params = replace(preset("tiny"), bias_events=True, v_width=13)

    async def script(host: Host) -> None:
        done, refused, core = host.done, host.refused, host.core
        biases, axons = Opcode.BIASES, Opcode.EVENTS
        await done(biases, bias_events(5))
        await done(biases, bias_events(5, (0, 7, -4096), (0, 0, 4095), (0x101, 7, -1)))
        wanted = [(5, 7, 1, -4096), (5, 0, 1, 4095), (0x106, 7, 1, -1)]
        assert core.events == wanted
        await done(axons, axon_events(0x106, (0, 0), (0, 3)))
        assert [event[:3] for event in core.events[3:]] == [(0x106, 0, 0), (0x106, 3, 0)]
        for place, arguments in (
            (0, bias_events(0x106, (0, 1, 0))),
            (0, bias_events(5, (1, 1, 0))),
            (2, bias_events(0x200, (0, 1, 0), (0x101, 1, 0), (0x100, 1, 0))),
        ):
            await refused(Status.BAD_ORDER, place, biases, arguments)
        for place, event in (
            (0, (0, 8, 0)), (1, (0, 0x100, 0)), (0, (0, 1, 4096)), (1, (0, 1, -4097)),
            (1, (0, 1, 1 << 20)), (0, (0, 1, -1 << 31)), (1, (0xFFFF, 1, 0)),
        ):  # fmt: skip
            good = [(0, 1, 1)] * place
            await refused(Status.BAD_VALUE, place, biases, bias_events(0xFFFF0001, *good, event))
        await refused(Status.BAD_LENGTH, 16, biases, bias_events(9, (0, 1, 1)) + bytes(4))
        assert len(core.events) == 5
        await done(biases, bias_events(0x107, *[(0, 1, k) for k in range(MAX_BIASES)]))
        await refused(Status.BAD_ORDER, 0, axons, axon_events(0x106, (0, 7)))
        await done(axons, axon_events(0x107, (0, 0)))
        free = params.event_queue_depth - len(core.events)
        more = bias_events(0x108, *[(0, 1, k) for k in range(MAX_BIASES)])
        assert free == 28
        await refused(Status.QUEUE_FULL, free, biases, more)
        # A bias event of the tick is in order again when all is dropped.
        await done(Opcode.STOP)
        await done(biases, bias_events(0, (0, 2, 3)))
        await done(Opcode.RUN, words(4))
        await refused(Status.LATE, 0, biases, bias_events(3, (0, 2, 3), (1, 2, 3)))

    on_link(script, params)


def test_a_core_without_bias_events_has_no_such_request() -> None:
    async def script(host: Host) -> None:
        refused = host.refused(Status.BAD_OPCODE, 12, Opcode.BIASES, bias_events(0, (0, 0, 0)))
        await refused
        assert not host.core.events

    on_link(script)


@pytest.mark.bulk
def test_events_are_queued_in_order_or_not_at_all() -> None:
    async def script(host: Host) -> None:
        refused, events, core = host.refused, Opcode.EVENTS, host.core
        await host.done(events, axon_events(5))
        await host.done(events, axon_events(5, (0, 3), (0, 4), (1, 0)))
        assert core.events == [(5, 3), (5, 4), (6, 0)]
        await refused(Status.BAD_ORDER, 0, events, axon_events(5, (0, 4)))
        await refused(Status.BAD_ORDER, 2, events, axon_events(6, (0, 1), (1, 0), (0, 7)))
        await refused(Status.BAD_ORDER, 1, events, axon_events(7, (0, 3), (0, 2)))
        await refused(Status.BAD_ORDER, 2, events, axon_events(7, (0, 3), (9, 3), (9, 2)))
        await refused(Status.BAD_VALUE, 1, events, axon_events(6, (0, 1), (0, 8)))
        await refused(Status.BAD_VALUE, 1, events, axon_events(0xFFFFFFFF, (0, 1), (1, 0)))
        assert len(core.events) == 3
        await host.done(events, axon_events(0xFFFFFFF0, (15, 6)))
        assert core.events[-1] == (0xFFFFFFFF, 6)
        await refused(Status.BAD_ORDER, 0, events, axon_events(0xFFFFFFFF, (0, 5)))
        # After a reset ticks count anew.
        await host.done(Opcode.RESET)
        every = [(tick, axon) for tick in range(8) for axon in range(8)][:MAX_EVENTS]
        await host.done(events, axon_events(0, *every))
        assert core.events == every
        free = core.params.event_queue_depth - len(every)
        more = [(0, axon) for axon in range(free + 1)]
        await refused(Status.QUEUE_FULL, free, events, axon_events(9, *more))
        await host.done(events, axon_events(9, *more[:free]))

    on_link(script)


def test_offsets_axons_and_ticks_of_events_have_all_their_bits() -> None:
    params = CoreParams(n_axons=512, n_neurons=32, event_queue_depth=1024)

    async def script(host: Host) -> None:
        refused, done, events, core = host.refused, host.done, Opcode.EVENTS, host.core
        sent = [(0, 1), (255, 2), (256, 3), (256, 255), (256, 256), (65535, 1)]
        await done(events, axon_events(5, *sent))
        assert core.events == [(5 + offset, axon) for offset, axon in sent]
        await refused(Status.BAD_ORDER, 1, events, axon_events(1 << 17, (0, 257), (0, 255)))
        await refused(Status.BAD_ORDER, 1, events, axon_events(1 << 17, (256, 1), (255, 2)))
        await refused(Status.BAD_ORDER, 1, events, axon_events(1 << 17, (256, 1), (0, 2)))
        await refused(Status.BAD_VALUE, 1, events, axon_events(1 << 17, (0, 1), (1, 512)))
        await refused(Status.BAD_ORDER, 0, events, axon_events(65539, (0, 3)))
        # Of 1024 entries 763 are taken: 261 are left, which is 5 in a byte.
        core.events = [(0, 0)] * 763
        await done(events, axon_events(1 << 17, *((0, axon) for axon in range(11))))
        core.events = [(0, 0)] * 1019
        more = axon_events(1 << 18, *((k, 0) for k in range(6)))
        await refused(Status.QUEUE_FULL, 5, events, more)

    on_link(script, params)


def test_the_tick_is_set_while_nothing_runs() -> None:
    async def script(host: Host) -> None:
        core, done = host.core, host.done
        await done(Opcode.RUN, words(3))
        await done(Opcode.EVENTS, axon_events(9, (0, 1)))
        await done(Opcode.SET_TICK, words(5))
        ticks = elements(Space.COUNTER, 0, 2)
        assert await done(Opcode.READ, ticks) == words(5, 5)
        # Events may be of any tick from there on, and a run goes on from there.
        await host.refused(Status.LATE, 0, Opcode.EVENTS, axon_events(4, (0, 1)))
        core.events.clear()  # the core drops them, as it is stopped
        await done(Opcode.EVENTS, axon_events(5, (0, 0)))
        await done(Opcode.RUN, words(2))
        assert await done(Opcode.READ, ticks) == words(7, 7)
        await host.refused(Status.BAD_VALUE, 0, Opcode.SET_TICK, words(0xFFFFFFFF))
        await host.refused(Status.BAD_LENGTH, 5, Opcode.SET_TICK, words(1) + b"a")
        core.hold = True
        await done(Opcode.RUN, words(1))
        await host.refused(Status.BUSY, 7, Opcode.SET_TICK, words(1))
        core.hold = False
        await done(Opcode.SET_TICK, words(0xFFFFFFFE))
        assert await done(Opcode.READ, ticks) == words(0xFFFFFFFE, 0xFFFFFFFE)
        await host.refused(Status.BAD_VALUE, 0, Opcode.RUN, words(2))
        await done(Opcode.RUN, words(1))
        assert await done(Opcode.READ, ticks) == words(0xFFFFFFFF, 0xFFFFFFFF)

    on_link(script)


def test_a_run_goes_on_beyond_tick_65535() -> None:
    async def script(host: Host) -> None:
        core, end = host.core, (1 << 16) + 4
        core.hold = True
        await host.done(Opcode.RUN, words(0xFFFF))
        await host.done(Opcode.RUN, words(end - 0xFFFF))
        core.tick = end - 2
        assert await host.done(Opcode.READ, counter("run_until")) == words(end)
        assert await host.done(Opcode.READ, counter("tick")) == words(end - 2)
        await host.refused(Status.BUSY, end - 2, Opcode.CLEAR, b"\1")
        for tick in (0xFFFF, end - 1):
            await host.refused(Status.LATE, 0, Opcode.EVENTS, axon_events(tick, (0, 1)))
        await host.done(Opcode.EVENTS, axon_events(end, (0, 1)))
        core.hold = False
        await host.done(Opcode.FETCH, b"\1" + words(-1))
        assert core.tick == end
        assert await host.done(Opcode.STOP) == words(end)

    on_link(script)


class Torn(NamedTuple):
    """A number of two bytes that changes while a request looks at it."""

    before: int
    after: int
    change: Callable[[FakeCore, int], None]
    opcode: Opcode
    arguments: bytes


def set_tick(core: FakeCore, value: int) -> None:
    core.tick = value


def set_level(core: FakeCore, value: int) -> None:
    core.events = [(0, 0)] * value


@pytest.mark.parametrize(
    ("torn", "answers"),
    [
        (Torn(0xFF, 0x100, set_tick, Opcode.READ, counter("tick")), {(0, 0xFF), (0, 0x100)}),
        (
            Torn(0xFF, 0x100, set_tick, Opcode.CLEAR, b"\1"),
            {(Status.BUSY, 0xFF), (Status.BUSY, 0x100)},
        ),
        # Half of 0x200 and half of 0x1FF would be room for hundreds.
        (
            Torn(0x200, 0x1FF, set_level, Opcode.EVENTS, axon_events(1, (0, 1), (0, 2))),
            {(Status.QUEUE_FULL, 0), (Status.QUEUE_FULL, 1)},
        ),
    ],
    ids=["counter", "busy", "room"],
)  # fmt: skip
@pytest.mark.bulk
def test_a_number_that_changes_while_it_is_read_is_the_one_before_or_after(
    torn: Torn, answers: set[tuple[int, int]]
) -> None:
    async def script(host: Host) -> None:
        core = host.core
        core.hold = True
        await host.done(Opcode.RUN, words(0x1000) if torn.change is set_tick else words(1))

        async def ask(delay: int) -> tuple[int, int]:
            """Answer when the number changes so many cycles after the request was sent."""
            torn.change(core, torn.before)
            await host.send(framed(bytes([0, host.seq, torn.opcode]) + torn.arguments))
            await host.ctx.tick().repeat(delay)
            torn.change(core, torn.after)
            answer = await host.answer()
            host.seq = (host.seq + 1) % 256
            return answer.status, answer.detail

        old, new = 1024, 1
        before, after = await ask(old), await ask(new)
        assert {before, after} == answers
        while old - new > 1:
            middle = (old + new) // 2
            old, new = (middle, new) if await ask(middle) == before else (old, middle)
        # Here a byte of each was read, unless it is looked at again.
        found = {await ask(delay) for delay in range(new - 10, new + 10)}
        assert found == answers

    on_link(script, replace(preset("tiny"), event_queue_depth=512))


def test_events_of_a_tick_that_a_run_covers_are_late_when_free_running() -> None:
    async def script(host: Host) -> None:
        period = register("tick_period")
        host.core.hold = True
        await host.done(Opcode.RUN, words(10))
        for start in (0, 9):
            await host.refused(Status.LATE, 0, Opcode.EVENTS, axon_events(start, (0, 1), (1, 1)))
        await host.done(Opcode.EVENTS, axon_events(10, (0, 1)))
        host.core.hold = False
        await host.done(Opcode.FETCH, b"\1" + words(-1))
        await host.done(Opcode.WRITE, written(Space.REGISTER, period, words(1000)))
        await host.done(Opcode.RUN, words(90))
        await host.done(Opcode.EVENTS, axon_events(20, (0, 1)))
        await host.done(Opcode.RESET)
        await host.done(Opcode.RUN, words(10))
        await host.refused(Status.LATE, 0, Opcode.EVENTS, axon_events(9, (0, 1)))

    on_link(script)


def test_a_run_in_progress_keeps_the_link_out_of_the_core() -> None:
    async def script(host: Host) -> None:
        core = host.core
        core.hold = True
        await host.done(Opcode.RUN, words(3))
        for opcode, arguments in (
            (Opcode.READ, elements(Space.V, 0, 1)),
            (Opcode.WRITE, written(Space.V, 0, bytes(2))),
            (Opcode.WRITE, written(Space.REGISTER, 0, ZERO)),
            (Opcode.CLEAR, b"\xff"),
        ):
            await host.refused(Status.BUSY, 0, opcode, arguments)
        assert await host.done(Opcode.READ, elements(Space.REGISTER, 1, 1)) == ZERO
        assert await host.done(Opcode.READ, counter("run_until")) == words(3)
        assert not core.log
        # The tick under way ends, and no other begins.
        await host.send(framed(bytes([0, host.seq, Opcode.STOP])))
        await host.ctx.tick().repeat(1000)
        assert not host.received
        core.hold = False
        answer = await host.answer()
        assert answer.detail == core.tick == 1
        host.seq += 1
        assert await host.done(Opcode.READ, counter("run_until")) == words(1)
        await host.done(Opcode.CLEAR, b"\x25")
        assert core.log == [("clear", 0x25)]

    on_link(script)


def test_reset_stops_and_clears_everything() -> None:
    async def script(host: Host) -> None:
        host.core.words = [1, 2]
        await host.done(Opcode.EVENTS, axon_events(5, (0, 3)))
        await host.done(Opcode.RUN, words(0xFFFFFFFF))
        await host.refused(Status.BAD_VALUE, 0, Opcode.RUN, words(1))
        await host.done(Opcode.RESET)
        assert host.core.log == [("reset", sum(ClearMask))]
        for name in ("tick", "run_until", "events_queued", "words_queued"):
            assert await host.done(Opcode.READ, counter(name)) == ZERO

    on_link(script)


@pytest.mark.parametrize("probe_ranges", [0, 1])
def test_fetch_waits_for_words_for_the_end_of_the_run_or_for_a_time(probe_ranges: int) -> None:
    async def script(host: Host) -> None:
        core, ctx = host.core, host.ctx
        assert await host.done(Opcode.FETCH, b"\5" + words(-1)) == b""  # idle
        core.hold = True
        await host.done(Opcode.RUN, words(1))
        core.words = [7, 8, 0x89ABCDEF]
        assert await host.done(Opcode.FETCH, b"\2" + words(-1)) == words(7, 8)
        assert await host.done(Opcode.FETCH, b"\2" + words(0)) == words(0x89ABCDEF)
        core.words = [9]
        await host.send(framed(bytes([0, host.seq, Opcode.FETCH]) + b"\2" + words(300)))
        await ctx.tick().repeat(250)
        assert not host.received
        assert (await host.answer()).result == words(9)
        await host.send(framed(bytes([0, host.seq + 1, Opcode.FETCH]) + b"\2" + words(-1)))
        await ctx.tick().repeat(300)
        assert not host.received
        core.words = list(range(MAX_FETCH_WORDS + 3))
        assert (await host.answer()).result == words(0, 1)
        host.seq += 2
        taken = await host.done(Opcode.FETCH, bytes([MAX_FETCH_WORDS]) + words(-1))
        assert taken == words(*range(2, MAX_FETCH_WORDS + 2))
        core.hold = False
        assert await host.done(Opcode.FETCH, b"\5" + words(-1)) == words(MAX_FETCH_WORDS + 2)

    on_link(script, replace(preset("tiny"), probe_ranges=probe_ranges))


def test_fetch_waits_as_long_as_it_is_asked_to() -> None:
    async def script(host: Host) -> None:
        host.core.hold = True
        await host.done(Opcode.RUN, words(1))

        async def cycles(wait: int) -> int:
            await host.send(framed(bytes([0, host.seq, Opcode.FETCH]) + b"\2" + words(wait)))
            for cycle in range(2 * wait + 2000):
                if 0 in host.received:
                    assert (await host.answer()).result == b""
                    host.seq += 1
                    return cycle
                await host.ctx.tick()
            raise AssertionError("no answer")

        at_once = await cycles(0)
        for wait in (500, 3000):
            # It looks at the time once in some 50 cycles.
            assert abs(await cycles(wait) - at_once - wait) < 60

    on_link(script)


def test_as_many_words_as_a_byte_cannot_count_are_enough() -> None:
    async def script(host: Host) -> None:
        host.core.hold = True
        await host.done(Opcode.RUN, words(1))
        host.core.words = list(range(256))
        assert await host.done(Opcode.READ, counter("words_queued")) == words(256)
        assert await host.done(Opcode.FETCH, b"\2" + words(-1)) == words(0, 1)

    on_link(script, replace(preset("tiny"), spike_queue_depth=512))


def test_the_deepest_queues_are_named_filled_and_counted() -> None:
    params = replace(preset("tiny"), event_queue_depth=65536, spike_queue_depth=65536)

    async def script(host: Host) -> None:
        core = host.core
        told = Identity.unpack(await host.done(Opcode.IDENTIFY))
        assert told == Identity.of(params, 100_000_000, "test")
        host.seq = 0  # which IDENTIFY does not count
        assert await host.done(Opcode.EVENTS, axon_events(0, (0, 3))) == b""
        core.events += [(1, 0)] * 65534
        await host.done(Opcode.EVENTS, axon_events(1, (0, 3)))
        assert await host.done(Opcode.READ, counter("events_queued")) == words(65536)
        await host.refused(Status.QUEUE_FULL, 0, Opcode.EVENTS, axon_events(1, (0, 4)))
        core.words = list(range(65536))
        assert await host.done(Opcode.READ, counter("words_queued")) == words(65536)
        assert await host.done(Opcode.FETCH, b"\2" + words(-1)) == words(0, 1)
        core.hold = True
        await host.done(Opcode.RUN, words(1))
        core.words = list(range(65536))
        assert await host.done(Opcode.FETCH, b"\2" + words(-1)) == words(0, 1)
        # What that request counted is forgotten.
        assert await host.done(Opcode.READ, counter("words_queued")) == words(65534)

    on_link(script, params)


def test_repeats_are_answered_in_order_while_the_line_is_busy() -> None:
    async def script(host: Host) -> None:
        ctx, ready = host.ctx, host.line.tx.ready
        await ctx.tick()
        ctx.set(ready, 0)
        numbers = [0, 1, 0, 1, 2, 0, 2, 2, 1]
        for n in numbers:
            await host.send(framed(bytes([0, n, Opcode.RUN]) + words(n + 1)))
        await ctx.tick().repeat(2000)
        assert not host.received
        ctx.set(ready, 1)
        answers = [await host.answer() for _ in numbers]
        assert answers == [(0, n, Opcode.RUN, Status.OK, b"") for n in numbers]
        host.seq = 3
        assert await host.done(Opcode.READ, counter("run_until")) == words(1 + 2 + 3)

    on_link(script)


def test_counters_are_read_in_the_order_of_their_table() -> None:
    async def script(host: Host) -> None:
        host.core.words = [1, 2, 3]
        await host.done(Opcode.EVENTS, axon_events(90, (0, 1), (0, 2)))
        await host.done(Opcode.WRITE, written(Space.PENDING, 0, words(0x101)))
        await host.done(Opcode.RUN, words(4))
        await host.send(b"\0\0" + b"rubbish\0" + b"\0" + framed(b"x") + framed(bytes(253)))
        for value in (1, 0, 1):
            host.ctx.set(host.line.lost_stb, value)
            await host.ctx.tick()
        host.ctx.set(host.line.lost_stb, 0)
        values = {
            "tick": 4, "run_until": 4, "cycles_low": 0x89ABCDEF, "cycles_high": 0x4567,
            "pending_groups": 1, "events_queued": 2, "words_queued": 3,
            "frame_errors": 3, "rx_overflows": 2,
        }  # fmt: skip
        got = await host.done(Opcode.READ, elements(Space.COUNTER, 0, len(COUNTERS)))
        assert got == words(*(values.get(c.name, 0) for c in COUNTERS))
        await host.done(Opcode.RESET)
        assert await host.done(Opcode.READ, counter("frame_errors")) == words(3)

    on_link(script)


def test_the_rate_changes_when_its_answer_has_left() -> None:
    async def script(host: Host) -> None:
        ctx, line = host.ctx, host.line
        ctx.set(line.sent, 0)
        await host.done(Opcode.SET_BAUD, struct.pack("<H", 1234))
        for _ in range(100):
            await ctx.tick()
            assert not ctx.get(line.rate_stb)
        ctx.set(line.sent, 1)
        changes = []
        for _ in range(50):
            _, _, changed, rate = await ctx.tick().sample(line.rate_stb, line.rate)
            changes += [rate] * changed
        assert changes == [1234]
        assert await host.done(Opcode.STOP) == ZERO

    on_link(script)
