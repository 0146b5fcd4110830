"""The model's device, bytes in and bytes out: every request, refusal and fault of the line."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from support.device_line import (
    MAX_U32,
    TINY,
    Line,
    at,
    biases,
    block,
    elements,
    events,
    place,
    quiet,
    run,
    word,
)

from spiketwin.cosim.device.elements import RecordRanges
from spiketwin.cosim.device.session import Refusal
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import (
    COUNT_BYTES,
    MAX_BODY,
    MAX_ELEMENT_BYTES,
    REQUESTS,
    Identity,
    Opcode,
    Status,
    Word,
)
from spiketwin.hdl.spec.registers import (
    ClearMask,
    Column,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import Variable
from spiketwin.host.frames import FrameDecoder, encode

# --- frames, session, sequence -------------------------------------------------------------------


def test_identify_needs_no_session() -> None:
    device = ModelDevice(TINY, 12_000_000)
    device.receive(encode(bytes((77, 88, Opcode.IDENTIFY))))
    (body,) = FrameDecoder().feed(device.drain(1000))
    assert body[:4] == bytes((0, 88, Opcode.IDENTIFY, Status.OK))
    assert Identity.unpack(body[4:]) == Identity.of(TINY, 12_000_000, "model")


def test_the_next_session_opens_and_begins_at_0() -> None:
    line = Line()
    for _ in range(3):
        line.ok(Opcode.STOP)
    assert line.open(2) == (2, 0, Opcode.OPEN, Status.OK, b"")
    line.ok(Opcode.STOP)


def test_opening_the_same_session_again_changes_nothing() -> None:
    line = Line()
    line.ok(Opcode.STOP)
    assert line.send(1, 9, Opcode.OPEN) == (1, 9, Opcode.OPEN, Status.OK, b"")
    assert line.send(1, 0, Opcode.STOP).status is Status.OK  # a repeat still
    line.ok(Opcode.STOP)


@pytest.mark.parametrize("session", [0, 3, 255])
def test_no_other_session_opens(session: int) -> None:
    line = Line()
    reply = line.send(session, 5, Opcode.OPEN)
    assert (reply.session, reply.status, reply.detail) == (1, Status.WRONG_SESSION, 1)
    line.ok(Opcode.STOP)


def test_sessions_wrap() -> None:
    line = Line()
    for session in [*range(2, 256), 0, 1]:
        assert line.open(session).status is Status.OK
    line.ok(Opcode.STOP)


def test_a_request_of_another_session_is_refused_and_takes_no_number() -> None:
    line = Line()
    reply = line.send(7, 0, 200)
    assert (reply.session, reply.status, reply.detail) == (1, Status.WRONG_SESSION, 1)
    line.ok(Opcode.STOP)


@pytest.mark.parametrize("link_slots", [2, 4, 8])
def test_repeats_are_answered_from_memory_and_gaps_are_refused(link_slots: int) -> None:
    line = Line(replace(TINY, link_slots=link_slots))
    quiet(line)
    for _ in range(260):  # past the wrap of the numbers
        line.ok(Opcode.RUN, run(1))
    seq, window = line.seq, link_slots - 1
    for ahead in range(1, 256):
        reply = line.send(1, (seq + ahead) % 256, Opcode.RUN, run(1))
        if ahead >= 256 - window:
            assert reply.status is Status.OK
        else:
            assert (reply.status, reply.detail) == (Status.WRONG_SEQUENCE, seq)
    assert line.counters()["run_until"] == 260


def test_repeats_are_the_same_bytes_even_of_a_refusal() -> None:
    line = Line()
    requests = [(Opcode.STOP, b""), (200, b"x"), (Opcode.READ, block(Space.COUNTER, 0, 12))]
    first = []
    for opcode, arguments in requests:
        line.device.receive(encode(bytes((1, line.seq, opcode)) + arguments))
        first.append(line.device.drain(1000))
        line.seq += 1
    for seq in (2, 0, 1, 1):
        line.device.receive(encode(bytes((1, seq, Opcode.STOP))))
        assert line.device.drain(1000) == first[seq]


def test_nothing_of_an_earlier_session_is_repeated() -> None:
    line = Line()
    for _ in range(3):
        line.ok(Opcode.STOP)
    line.open(2)
    reply = line.send(2, 255, Opcode.STOP)
    assert (reply.status, reply.detail) == (Status.WRONG_SEQUENCE, 0)


def test_a_refusal_takes_its_number() -> None:
    line = Line()
    assert line.refused(99) == (Status.BAD_OPCODE, 99)
    line.ok(Opcode.STOP)


GARBAGE = [
    (b"\0\0\0", 0),
    (b"\1\0", 1),
    (b"\5ab\0", 1),
    (b"abc\0", 1),
    (encode(b"\1\0\11")[1:], 1),
    (encode(b"\1\0\11")[:-2] + b"\x77\0", 1),
    (encode(b"\1\0"), 1),  # too short for a request
    (b"x" * 10_000 + b"\0", 1),
    (encode(bytes(range(1, 253)))[:-1] + encode(b"\1\0\11"), 1),  # a zero lost
]


@pytest.mark.parametrize(("garbage", "errors"), GARBAGE)
def test_bad_frames_are_dropped_and_counted(garbage: bytes, errors: int) -> None:
    line = Line()
    line.device.receive(garbage)
    assert line.replies() == []
    assert line.counters()["frame_errors"] == errors


def test_the_longest_frame_is_taken_and_nothing_longer() -> None:
    line = Line()
    body = bytes((1, 0, Opcode.WRITE)) + b"\1" * (MAX_BODY - 3)
    line.device.receive(encode(body))
    assert len(line.replies()) == 1
    line.seq = 1
    block_ = encode(b"\1" * MAX_BODY)
    line.device.receive(block_[:1] + b"\1" + block_[1:])
    assert line.replies() == []
    assert line.counters()["frame_errors"] == 1


@given(chunks=st.lists(st.binary(max_size=300), max_size=20))
def test_the_device_survives_any_bytes(chunks: list[bytes]) -> None:
    line = Line()
    for chunk in chunks:
        line.device.receive(chunk)
    line.device.receive(b"\0")
    line.device.drain(1 << 20)
    assert line.send(1, 9, Opcode.OPEN).session == 1


@given(cuts=st.lists(st.integers(0, 200), max_size=10))
def test_bytes_may_come_in_any_pieces(cuts: list[int]) -> None:
    line = Line()
    stream = b"".join(encode(bytes((1, seq, Opcode.STOP))) for seq in range(7))
    pieces = sorted({0, len(stream), *(c for c in cuts if c < len(stream))})
    for start, end in zip(pieces, pieces[1:], strict=False):
        line.device.receive(stream[start:end])
    assert [r.seq for r in line.replies()] == list(range(7))


# --- refusals ------------------------------------------------------------------------------------

LAST = at(15, 7)  # of the weights of the tiny core
REFUSALS = [
    (Opcode.READ, b"", (Status.BAD_LENGTH, 0)),
    (Opcode.READ, block(Space.V, 0, 1) + b"x", (Status.BAD_LENGTH, 8)),
    (Opcode.WRITE, place(Space.V, 0)[:-1], (Status.BAD_LENGTH, 4)),
    (Opcode.WRITE, place(Space.V, 0) + b"xxx", (Status.BAD_LENGTH, 8)),
    (Opcode.WRITE, place(Space.V, 8) + b"x", (Status.BAD_LENGTH, 6)),
    (Opcode.WRITE, place(Space.REGISTER, 0) + bytes(6), (Status.BAD_LENGTH, 11)),
    (Opcode.WRITE, place(Space.PLASTIC, 0), (Status.BAD_LENGTH, 5)),
    (Opcode.WRITE, place(Space.PLASTIC, 0) + b"\1", (Status.BAD_LENGTH, 6)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 8), (Status.BAD_LENGTH, 7)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 8) + b"\1\0", (Status.BAD_LENGTH, 9)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 9) + b"\1", (Status.BAD_LENGTH, 8)),
    (Opcode.RESET, b"x", (Status.BAD_LENGTH, 1)),
    (Opcode.CLEAR, b"", (Status.BAD_LENGTH, 0)),
    (Opcode.EVENTS, events(0)[:-1], (Status.BAD_LENGTH, 3)),
    (Opcode.EVENTS, events(0, (0, 0)) + b"xx", (Status.BAD_LENGTH, 10)),
    (Opcode.RUN, b"xxx", (Status.BAD_LENGTH, 3)),
    (Opcode.FETCH, b"x", (Status.BAD_LENGTH, 1)),
    (Opcode.STOP, b"x", (Status.BAD_LENGTH, 1)),
    (Opcode.SET_BAUD, b"x", (Status.BAD_LENGTH, 1)),
    (13, b"", (Status.BAD_OPCODE, 13)),
    (Opcode.BIASES, biases(0, (0, 0, 0)), (Status.BAD_OPCODE, 12)),  # only with `bias_events`
    (Opcode.SET_TICK, b"\0\0\0", (Status.BAD_LENGTH, 3)),
    (Opcode.SET_TICK, b"\xff\xff\xff\xff", (Status.BAD_VALUE, 0)),
    (255, b"xyz", (Status.BAD_OPCODE, 255)),
    (Opcode.READ, block(15, 0, 1), (Status.BAD_SPACE, 15)),
    (Opcode.WRITE, place(255, 0) + b"x", (Status.BAD_SPACE, 255)),
    (Opcode.WRITE, place(Space.COUNTER, 999) + b"x", (Status.READ_ONLY, Space.COUNTER)),
    (Opcode.READ, block(Space.V, 0, 0), (Status.BAD_RANGE, 0)),
    (Opcode.READ, block(Space.V, 8, 1), (Status.BAD_RANGE, 8)),
    (Opcode.READ, block(Space.V, 3, 6), (Status.BAD_RANGE, 3)),
    (Opcode.READ, block(Space.V, at(1, 0), 1), (Status.BAD_RANGE, at(1, 0))),
    (Opcode.READ, block(Space.WEIGHT, at(0, 8), 1), (Status.BAD_RANGE, 8)),
    (Opcode.READ, block(Space.WEIGHT, at(16, 0), 1), (Status.BAD_RANGE, at(16, 0))),
    (Opcode.READ, block(Space.WEIGHT, LAST, 2), (Status.BAD_RANGE, LAST)),
    (Opcode.READ, block(Space.WEIGHT, MAX_U32, 1), (Status.BAD_RANGE, MAX_U32)),
    (Opcode.WRITE, place(Space.V, 0), (Status.BAD_RANGE, 0)),
    (Opcode.WRITE, place(Space.V, 8) + b"xx", (Status.BAD_RANGE, 8)),
    (Opcode.WRITE, place(Space.V, 7) + b"xxxx", (Status.BAD_RANGE, 7)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 0), (Status.BAD_RANGE, 0)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 0) + b"x", (Status.BAD_RANGE, 0)),
    (Opcode.WRITE, block(Space.PLASTIC, 1, 128) + bytes(16), (Status.BAD_RANGE, 1)),
    (Opcode.WRITE, block(Space.PLASTIC, 1, 128), (Status.BAD_RANGE, 1)),
    (Opcode.WRITE, place(Space.PENDING, 1) + b"\1\1\0\0", (Status.BAD_RANGE, 1)),
    (Opcode.WRITE, block(Space.PLASTIC, 0, 4) + b"\x1f", (Status.BAD_VALUE, 4)),
    (Opcode.WRITE, place(Space.PENDING, 0) + b"\0\1\0\0", (Status.BAD_VALUE, 0)),
    (Opcode.WRITE, place(Space.PENDING, 0) + b"\4\1\0\0", (Status.BAD_VALUE, 0)),
    (Opcode.WRITE, place(Space.PENDING, 0) + b"\1\0\0\0\1\4\0\0", (Status.BAD_VALUE, 1)),
    (Opcode.WRITE, place(Space.PENDING, 0) + b"\1\1\0\0\1\1\0\0", (Status.BAD_ORDER, 1)),
    (Opcode.CLEAR, b"\x40", (Status.BAD_VALUE, 0)),
    (Opcode.RUN, run(0), (Status.BAD_VALUE, 0)),
    (Opcode.FETCH, struct.pack("<BI", 0, 0), (Status.BAD_VALUE, 0)),
    (Opcode.FETCH, struct.pack("<BI", 63, 0), (Status.BAD_VALUE, 0)),
    (Opcode.SET_BAUD, b"\3\0", (Status.BAD_VALUE, 0)),
    (Opcode.EVENTS, events(0, (0, 1), (0, 8)), (Status.BAD_VALUE, 1)),
    (Opcode.EVENTS, events(MAX_U32, (0, 1), (1, 1)), (Status.BAD_VALUE, 1)),
    (Opcode.EVENTS, events(0, (1, 1), (1, 1), (1, 0)), (Status.BAD_ORDER, 2)),
    (Opcode.EVENTS, events(0, (1, 1), (0, 2), (0, 9)), (Status.BAD_ORDER, 1)),
]


@pytest.mark.parametrize(("opcode", "arguments", "refusal"), REFUSALS)
def test_every_wrong_request_is_refused_and_changes_nothing(
    opcode: int, arguments: bytes, refusal: tuple[Status, int]
) -> None:
    line = Line()
    line.write(Space.V, 0, range(8))
    line.write(Space.PLASTIC, 0, [1, 0] * 4)
    assert line.refused(opcode, arguments) == refusal
    assert line.read(Space.V, 0, 8) == list(range(8))
    assert line.ok(Opcode.READ, block(Space.PLASTIC, 0, 8)) == b"\x55"
    counters = line.counters()
    assert (counters["events_queued"], counters["pending_groups"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (biases(4)[:-1], (Status.BAD_LENGTH, 3)),
        (biases(4, (0, 1, 2)) + b"xxxx", (Status.BAD_LENGTH, 16)),
        (biases(4, (0, 7, 4095), (0, 8, 0)), (Status.BAD_VALUE, 1)),
        (biases(4, (0, 7, -4096), (0, 0, 4096)), (Status.BAD_VALUE, 1)),
        (biases(4, (0, 0, -4097)), (Status.BAD_VALUE, 0)),
        (biases(4, (0, 0, 1 << 16)), (Status.BAD_VALUE, 0)),
        (biases(MAX_U32, (0, 1, 0), (1, 1, 0)), (Status.BAD_VALUE, 1)),
        (biases(3, (2, 1, 0), (2, 0, 0), (1, 3, 0)), (Status.BAD_ORDER, 2)),
        (biases(2, (1, 1, 0)), (Status.BAD_ORDER, 0)),  # an axon event of tick 3 is queued
        (biases(4, *[(0, 0, 0)] * 30), (Status.QUEUE_FULL, 2)),
    ],
)
def test_wrong_bias_events_are_refused_and_change_nothing(
    arguments: bytes, refusal: tuple[Status, int]
) -> None:
    line = Line(replace(TINY, bias_events=True, v_width=13))
    line.ok(Opcode.BIASES, biases(3))
    line.ok(Opcode.BIASES, biases(3, (0, 1, 5), (0, 1, 6)))
    line.ok(Opcode.EVENTS, events(3, (0, 0)))
    if refusal[0] is Status.QUEUE_FULL:
        line.ok(Opcode.EVENTS, events(3, *[(0, 1)] * 59))
    before = line.counters()["events_queued"]
    assert line.refused(Opcode.BIASES, arguments) == refusal
    assert line.counters()["events_queued"] == before
    assert line.read(Space.BIAS, 0, 8) == [0] * 8


def test_bias_events_come_before_the_axon_events_of_their_tick_and_are_late_as_they_are() -> None:
    line = Line(replace(TINY, bias_events=True))
    line.ok(Opcode.EVENTS, events(1, (0, 7)))
    assert line.refused(Opcode.BIASES, biases(1, (0, 0, 1))) == (Status.BAD_ORDER, 0)
    line.ok(Opcode.BIASES, biases(2, (0, 0, 1)))
    assert line.refused(Opcode.EVENTS, events(1, (0, 7))) == (Status.BAD_ORDER, 0)
    line.ok(Opcode.BIASES, biases(2, (0, 0, -9)))
    line.ok(Opcode.EVENTS, events(2, (0, 0)))
    line.ok(Opcode.RUN, run(4))
    assert line.read(Space.BIAS, 0, 1) == [-9]
    assert line.refused(Opcode.BIASES, biases(3, (0, 0, 1), (1, 0, 1))) == (Status.LATE, 0)
    line.set("tick_period", 100)
    line.ok(Opcode.BIASES, biases(3, (0, 0, 1), (1, 0, 2)))
    assert (line.counters()["late_events"], line.counters()["events_queued"]) == (1, 1)
    line.ok(Opcode.STOP, b"")
    assert line.counters()["events_queued"] == 0
    line.ok(Opcode.BIASES, biases(0, (0, 0, 1)))  # of any tick again: this one is late
    assert line.counters()["late_events"] == 2
    assert line.read(Space.BIAS, 0, 1) == [-9]


@pytest.mark.parametrize("opcode", [Opcode.IDENTIFY, Opcode.OPEN])
def test_requests_outside_the_sequence_have_their_length_checked(opcode: Opcode) -> None:
    reply = Line().send(2, 0, opcode, b"xy")
    assert (reply.session, reply.status, reply.detail) == (1, Status.BAD_LENGTH, 2)


def test_a_core_without_learning_has_not_its_spaces() -> None:
    line = Line(replace(TINY, learning=False))
    for space in (Space.PLASTIC, Space.TRACE_POST, Space.TRACE_PRE):
        assert line.refused(Opcode.READ, block(space, 0, 1)) == (Status.BAD_SPACE, space)


def test_an_answer_must_fit() -> None:
    line = Line(preset("full"))
    most = MAX_ELEMENT_BYTES // 4
    assert len(line.ok(Opcode.READ, block(Space.PENDING, 0, most))) == 4 * most
    wrong = block(Space.PENDING, 0, most + 1)
    assert line.refused(Opcode.READ, wrong) == (Status.BAD_RANGE, 0)
    bits = 8 * MAX_ELEMENT_BYTES
    assert len(line.ok(Opcode.READ, block(Space.PLASTIC, 0, bits))) == MAX_ELEMENT_BYTES
    assert line.refused(Opcode.READ, block(Space.PLASTIC, 0, bits + 1)) == (Status.BAD_RANGE, 0)


def test_the_longest_block_fills_a_frame() -> None:
    line = Line(preset("full"))
    data = bytes(range(MAX_ELEMENT_BYTES))
    frame = bytes((1, 0, Opcode.WRITE)) + place(Space.WEIGHT, 7) + data
    assert len(frame) == MAX_BODY
    line.ok(Opcode.WRITE, place(Space.WEIGHT, 7) + data)
    assert line.ok(Opcode.READ, block(Space.WEIGHT, 7, len(data))) == data
    octets = MAX_ELEMENT_BYTES - COUNT_BYTES
    bits = bytes(range(octets))
    line.ok(Opcode.WRITE, block(Space.PLASTIC, 7, 8 * octets) + bits)
    assert line.ok(Opcode.READ, block(Space.PLASTIC, 7, 8 * octets)) == bits
    # What can be read at once need not fit one request; more cannot be read, either.
    for count, status, detail in (
        (8 * octets + 1, Status.BAD_LENGTH, MAX_BODY - 3),
        (8 * MAX_ELEMENT_BYTES, Status.BAD_LENGTH, MAX_BODY - 3),
        (8 * MAX_ELEMENT_BYTES + 1, Status.BAD_RANGE, 7),
    ):
        wrong = block(Space.PLASTIC, 7, count) + bits
        assert line.refused(Opcode.WRITE, wrong) == (status, detail)


def test_elements_of_records_are_checked_by_their_columns_row_after_row() -> None:
    columns = (Column("narrow", 4, signed=False), Column("below", 4, signed=True))
    ranges = RecordRanges(SpaceFormat(Space.REGISTER, 3, 2, 32, False, True, "", columns))
    values = np.array([0xFFFFFFF8, 15, 7, 0], np.int64)
    assert ranges.checked(1, values).tolist() == [-8, 15, 7, 0]
    for index, wrong in ((0, 8), (1, 16), (2, 0xFFFFFFF7), (3, 0xFFFFFFFF)):
        changed = values.copy()
        changed[index] = wrong
        with pytest.raises(Refusal) as refusal:
            ranges.checked(1, changed)
        assert (refusal.value.status, refusal.value.detail) == (Status.BAD_VALUE, index)


@pytest.mark.parametrize("register", registers(TINY), ids=lambda r: r.name)
def test_registers_hold_their_range_and_nothing_else(register: Variable) -> None:
    line = Line()
    index = registers(TINY).index(register)
    low, high = register.limits(TINY)
    for value in (low, high, 0):
        line.write(Space.REGISTER, index, [value])
        assert line.read(Space.REGISTER, index, 1) == [value & MAX_U32]
    for value in (low - 1, high + 1):
        if register.width(TINY) < 32:  # nothing on the link is wider
            wrong = place(Space.REGISTER, index) + elements(Space.REGISTER, [value])
            assert line.refused(Opcode.WRITE, wrong) == (Status.BAD_VALUE, 0)
    assert line.read(Space.REGISTER, index, 1) == [0]


# --- memory --------------------------------------------------------------------------------------

MEMORIES = [
    s for s in space_formats(TINY) if s not in (Space.REGISTER, Space.COUNTER, Space.PENDING)
]


@pytest.mark.parametrize("space", MEMORIES)
def test_every_element_of_every_space_holds_its_extremes(space: Space) -> None:
    line, form = Line(), space_formats(TINY)[space]
    for value in form.limits():
        for row in range(form.rows):
            line.write(space, at(row, 0), [value] * form.columns)
        data = line.ok(Opcode.READ, block(space, 0, form.size))
        assert data == elements(space, [value] * form.size)


def test_a_block_runs_along_the_row_and_on_into_the_next() -> None:
    line = Line()
    line.write(Space.WEIGHT, at(2, 6), range(1, 13))
    assert line.read(Space.WEIGHT, at(2, 0), 8) == [0] * 6 + [1, 2]
    assert line.read(Space.WEIGHT, at(3, 0), 11) == [*range(3, 13), 0]


def test_a_value_too_wide_refuses_the_whole_block() -> None:
    params = replace(TINY, weight_width=7)
    line = Line(params)
    line.write(Space.WEIGHT, 0, [-64, 63, 5])
    wrong = place(Space.WEIGHT, 0) + bytes((1, 64, 2))
    assert line.refused(Opcode.WRITE, wrong) == (Status.BAD_VALUE, 1)
    assert line.read(Space.WEIGHT, 0, 3) == [-64, 63, 5]


def test_pending_is_written_from_its_begin_or_appended_to() -> None:
    line = Line()
    line.write(Space.PENDING, 0, [0 << 8 | 2])
    line.write(Space.PENDING, 1, [2 << 8 | 3])
    assert line.counters()["pending_groups"] == 2
    assert line.read(Space.PENDING, 0, 2) == [2, 2 << 8 | 3]
    again = place(Space.PENDING, 2) + elements(Space.PENDING, [2 << 8 | 1])
    assert line.refused(Opcode.WRITE, again) == (Status.BAD_ORDER, 0)
    line.write(Space.PENDING, 0, [1 << 8 | 1])
    assert line.counters()["pending_groups"] == 1
    line.ok(Opcode.RUN, run(1))
    one = schedule.deliver_cycles(TINY, TINY.row_groups)
    assert line.fetch()[0] == word(Word.UPDATE, one)  # one source was active


def test_clear_and_reset_leave_what_they_do_not_name() -> None:
    line = Line()
    state = (Space.V, Space.I_SYN, Space.REFRAC_COUNT, Space.THETA, Space.TRACE_POST)
    for space in (*state, Space.THRESHOLD):
        line.write(space, 0, [5] * 8)
    line.write(Space.TRACE_PRE, 0, [5] * 16)
    line.write(Space.WEIGHT, 0, [5])
    line.set("v_decay", 7)
    line.ok(Opcode.CLEAR, bytes([ClearMask.V | ClearMask.TRACES]))
    found = {space.name: line.read(space, 0, 1)[0] for space in (*state, Space.TRACE_PRE)}
    assert {name for name, value in found.items() if value == 0} == {
        "V", "TRACE_POST", "TRACE_PRE",
    }  # fmt: skip
    line.ok(Opcode.EVENTS, events(3, (0, 0)))
    line.ok(Opcode.RUN, run(2))
    line.device.receive(b"x\0")
    line.ok(Opcode.RESET)
    assert all(line.read(space, 0, 1) == [0] for space in (*state, Space.TRACE_PRE))
    assert line.read(Space.THRESHOLD, 0, 1) == line.read(Space.WEIGHT, 0, 1) == [5]
    assert line.read(Space.REGISTER, 0, 23) == [0] * 23
    assert {name for name, value in line.counters().items() if value} == {"frame_errors"}


# --- power, port ---------------------------------------------------------------------------------


def test_a_power_cycle_loses_everything() -> None:
    line = Line()
    line.write(Space.WEIGHT, 0, [5])
    line.write(Space.THRESHOLD, 0, [5])
    line.ok(Opcode.EVENTS, events(3, (0, 0)))
    line.ok(Opcode.RUN, run(2))
    line.device.receive(b"half a frame")
    line.device.power_cycle()
    reply = line.send(1, line.seq, Opcode.STOP)
    assert (reply.session, reply.status, reply.detail) == (0, Status.WRONG_SESSION, 0)
    line.open(1)
    assert line.read(Space.WEIGHT, 0, 1) == line.read(Space.THRESHOLD, 0, 1) == [0]
    assert not any(line.counters().values())


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        serial, "protocol_handler_packages", ["serial.urlhandler", "spiketwin.cosim.serial"]
    )


@pytest.mark.usefixtures("handlers")
def test_the_model_is_a_serial_port() -> None:
    with serial.serial_for_url("model://?params=tiny&clock=5000", timeout=0) as port:
        assert (port.in_waiting, port.read(10)) == (0, b"")
        request = encode(bytes((0, 3, Opcode.IDENTIFY)))
        assert port.write(request) == len(request)
        waiting = port.in_waiting
        data = port.read(5) + port.read(1000)
        assert len(data) == waiting
        (body,) = FrameDecoder().feed(data)
        assert Identity.unpack(body[4:]) == Identity.of(TINY, 5000, "model")
        port.write(request)
        port.reset_input_buffer()
        assert port.read(1000) == b""
    with pytest.raises(serial.PortNotOpenError):
        port.read(1)
    port.open()  # a new device
    port.write(request)
    assert port.read(1)
    port.close()


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("params=huge", "choose one of tiny, ncx"),
        ("params=tiny,lanes=3", "lanes must be one of"),
        ("params=tiny,wings=2", "wings"),
        ("params=tiny,lanes=two", "two"),
        ("clock=0", r"clock=0: must be in 1…4294967295"),
        ("clock=fast", "clock=fast: must be"),
        ("size=tiny", r"no option 'size': choose of clock, params"),
        ("clock=1&clock=2", "'clock' twice"),
    ],
)
def test_a_wrong_address_is_named(query: str, message: str) -> None:
    with pytest.raises(serial.SerialException, match=message):
        serial.serial_for_url(f"model://?{query}")


def test_every_request_has_been_asked() -> None:
    asked = {opcode for opcode, _, _ in REFUSALS} | {Opcode.IDENTIFY, Opcode.OPEN}
    assert asked >= set(REQUESTS)
