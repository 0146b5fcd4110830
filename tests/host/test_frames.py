"""Frames: every body survives the wire, however it is cut; nothing damaged gets through."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiketwin.hdl.spec.protocol import MAX_BODY, MAX_FRAME
from spiketwin.host.frames import FrameDecoder, encode, frame_bytes

BODIES = st.binary(min_size=1, max_size=MAX_BODY)


@given(BODIES)
def test_a_frame_has_one_zero_at_its_end_and_the_promised_length(body: bytes) -> None:
    frame = encode(body)
    assert frame.index(0) == len(frame) - 1
    assert len(frame) == frame_bytes(len(body)) <= MAX_FRAME


def test_the_crc_is_the_one_of_the_specification() -> None:
    # CRC-16/GENIBUS of the digits 1 to 9 is 0xD64E, sent high byte first.
    assert encode(b"123456789") == b"\x0c123456789\xd6\x4e\x00"


@given(st.lists(BODIES, max_size=6), st.data())
def test_any_chunking_of_the_bytes_yields_the_bodies(
    bodies: list[bytes], data: st.DataObject
) -> None:
    stream = b"\0".join(encode(body) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    found = []
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        found += decoder.feed(stream[start:end])
    assert found == bodies
    assert (decoder.good, decoder.bad) == (len(bodies), 0)


@given(BODIES, st.data())
def test_one_damaged_byte_loses_that_frame_and_no_other(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode(body))
    place = data.draw(st.integers(0, len(frame) - 2))
    frame[place] ^= data.draw(st.integers(1, 255))
    decoder = FrameDecoder()
    found = decoder.feed(bytes(frame) + b"\0" + encode(b"next"))
    assert found == [b"next"]
    assert decoder.bad >= 1


@given(BODIES, st.data())
def test_a_cut_frame_does_not_swallow_the_next_behind_a_zero(
    body: bytes, data: st.DataObject
) -> None:
    frame = encode(body)
    cut = data.draw(st.integers(1, len(frame) - 2))
    decoder = FrameDecoder()
    assert decoder.feed(frame[:cut] + b"\0" + encode(b"next")) == [b"next"]
    assert decoder.bad == 1


def test_a_frame_that_lost_or_doubled_its_last_byte_is_dropped_whatever_its_crc() -> None:
    for body in (n.to_bytes(2, "big") + b"x" for n in range(1 << 12)):
        frame = encode(body)
        assert FrameDecoder().feed(frame[:-2] + b"\0") == []
        assert FrameDecoder().feed(frame[:-1] + frame[-2:-1] + b"\0") == []


def test_noise_without_an_end_is_counted_once_and_kept_nowhere() -> None:
    decoder = FrameDecoder()
    for _ in range(1000):
        assert decoder.feed(b"\x55" * 1000) == []
    assert decoder.bad == 0
    assert decoder.feed(b"\0" + encode(b"next")) == [b"next"]
    assert decoder.bad == 1


def test_zeros_between_frames_are_no_frames() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"\0\0\0") == []
    assert decoder.bad == 0


def test_a_body_too_long_is_no_frame() -> None:
    with pytest.raises(ValueError, match="252"):
        encode(bytes(MAX_BODY + 1))
    decoder = FrameDecoder()
    assert decoder.feed(b"\x01" * (MAX_FRAME - 1) + b"\0") == []
    assert decoder.bad == 1
