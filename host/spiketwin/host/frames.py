"""Framing: bodies to frames and back by COBS and CRC-16, from a stream cut up in any way."""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import Final

from cobs import cobs

from spiketwin.hdl.spec.protocol import CRC_BYTES, CRC_FINAL_XOR, CRC_INITIAL, MAX_BODY, MAX_FRAME

DELIMITER = b"\0"


def encode(body: bytes) -> bytes:
    """Return the frame of a body of at most `MAX_BODY` bytes, including its final zero.

    Raises `ValueError` for a longer body.
    """
    if len(body) > MAX_BODY:
        raise ValueError(f"a body has at most {MAX_BODY} bytes, not {len(body)}")
    return _encoded_memoised(body) if len(body) <= _SHORT else _encoded(body)


def _encoded(body: bytes) -> bytes:
    crc = binascii.crc_hqx(body, CRC_INITIAL) ^ CRC_FINAL_XOR
    block: bytes = cobs.encode(body + crc.to_bytes(CRC_BYTES, "big"))
    return block + DELIMITER


def frame_bytes(body_bytes: int) -> int:
    """Return the bytes on the wire of a body of `body_bytes`, with CRC, COBS and the final zero."""
    return body_bytes + CRC_BYTES + 2


class FrameDecoder:
    """Finds the bodies of good frames in a stream of bytes, however it is cut into chunks.

    Attributes
    ----------
    good, bad:
        Number of frames passed on, and of frames dropped: truncated, overlong or with a wrong CRC.
    """

    def __init__(self) -> None:
        self.good = 0
        self.bad = 0
        self._frame = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take in received bytes; return the bodies of the good frames that they complete."""
        *ends, rest = data.split(DELIMITER)
        bodies = []
        for part in ends:
            # Most frames come whole; the start of one is kept only where a chunk ends within it.
            if self._frame or self._overlong:
                part = self._completed(part)
            if not part:
                continue  # two zeros in a row separate nothing
            body = _decoded_memoised(part) if len(part) <= _SHORT else _decoded(part)
            if body is None:
                self.bad += 1
            else:
                self.good += 1
                bodies.append(body)
        if rest:
            self._append(rest)
        return bodies

    def _append(self, part: bytes) -> None:
        # Noise without a zero must not let the buffer grow without limit.
        self._overlong = self._overlong or len(self._frame) + len(part) >= MAX_FRAME
        if not self._overlong:
            self._frame += part

    def _completed(self, part: bytes) -> bytes:
        """Return the frame that `part` completes; `_OVERLONG`, which is bad, if it was overlong."""
        self._append(part)
        frame = _OVERLONG if self._overlong else bytes(self._frame)
        self._frame.clear()
        self._overlong = False
        return frame


def _decoded(frame: bytes) -> bytes | None:
    """Return the body of a frame, given without its zero; None if the frame is damaged."""
    if len(frame) >= MAX_FRAME:
        return None
    try:
        decoded: bytes = cobs.decode(frame)
    except cobs.DecodeError:
        return None
    # Over a body and its own CRC the register ends at the same value, whatever the body is.
    if len(decoded) > CRC_BYTES and binascii.crc_hqx(decoded, CRC_INITIAL) == _RESIDUE:
        return decoded[:-CRC_BYTES]
    return None


_SHORT: Final = 16
"""Bytes up to which encoding and decoding are memoised: sequence numbers wrap around, and short
requests differ in little else, so the same bodies and frames recur."""

_MEMOISED: Final = 4096
_encoded_memoised: Final = lru_cache(_MEMOISED)(_encoded)
_decoded_memoised: Final = lru_cache(_MEMOISED)(_decoded)
_OVERLONG: Final = bytes(MAX_FRAME)
_RESIDUE: Final = binascii.crc_hqx(
    (CRC_INITIAL ^ CRC_FINAL_XOR).to_bytes(CRC_BYTES, "big"), CRC_INITIAL
)
"""Residue of the CRC: its value after a body and the CRC of that body."""
