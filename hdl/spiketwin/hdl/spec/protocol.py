"""Frames, requests, refusals, identity, and the words of the output stream.

A frame is ``COBS(body + CRC-16)`` and a zero byte. A request body is ``session, seq, opcode`` and
arguments; a reply body is ``session, seq, opcode, status`` and a result. All integers are
little-endian. Requests are executed strictly in the order of their sequence numbers, each once: a
request that was executed already is answered again from memory, and one that is further ahead than
the next is refused.
"""

from __future__ import annotations

import enum
import hashlib
import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Final

from spiketwin.hdl.spec import arithmetic, schedule
from spiketwin.hdl.spec import registers as registers_module
from spiketwin.hdl.spec.params import ANSWER_WORDS, CoreParams, field_types, size_bytes
from spiketwin.hdl.spec.registers import ClearMask, SpaceFormat, counters, space_formats

PROTOCOL_VERSION: Final = 5
"""Version of the protocol. 2: `STOP` drops the events that are queued. 3: the identity has
`n_profiles`. 4: a size takes 1, 2 or 4 bytes in the identity; events may
repeat; there are `SET_TICK` and `BIASES`. 5: the number of elements in a `WRITE` follows from its
length."""

CRC_POLYNOMIAL: Final = 0x1021
CRC_INITIAL: Final = 0xFFFF
CRC_FINAL_XOR: Final = 0xFFFF
CRC_BYTES: Final = 2
"""CRC-16/GENIBUS: most significant bit first, inverted at the end; sent high byte first. Without
the inversion, a frame with a CRC that ends in 0 would pass even if that byte is lost or doubled."""

REQUEST_HEADER: Final = 3
REPLY_HEADER: Final = 4
WORD_BYTES: Final = 4
"""Bytes of an output word."""
MAX_FETCH_WORDS: Final = ANSWER_WORDS

MAX_BODY: Final = REPLY_HEADER + WORD_BYTES * MAX_FETCH_WORDS
"""Bytes of the longest body. With its CRC it is one COBS block of 254 bytes, so that framing costs
two bytes."""

MAX_FRAME: Final = MAX_BODY + 4
"""Bytes of the longest frame on the wire, the zero included."""

BUILD_BYTES: Final = 16


class Opcode(enum.IntEnum):
    """The kinds of requests."""

    IDENTIFY = 0
    OPEN = 1
    RESET = 2
    CLEAR = 3
    READ = 4
    WRITE = 5
    EVENTS = 6
    RUN = 7
    FETCH = 8
    STOP = 9
    SET_BAUD = 10
    SET_TICK = 11
    BIASES = 12


class Status(enum.IntEnum):
    """First byte of a result: done, or the reason of a refusal, which has a detail of 32 bits."""

    OK = 0
    BAD_OPCODE = 1
    BAD_LENGTH = 2
    BAD_SPACE = 3
    BAD_RANGE = 4
    BAD_VALUE = 5
    BAD_ORDER = 6
    READ_ONLY = 7
    BUSY = 8
    QUEUE_FULL = 9
    LATE = 10
    WRONG_SESSION = 11
    WRONG_SEQUENCE = 12


STATUS_DOC: Final[dict[Status, str]] = {
    Status.OK: "Done.",
    Status.BAD_OPCODE: "No such request. Detail: the opcode.",
    Status.BAD_LENGTH: "The arguments are too short, too long or cut. Detail: their bytes.",
    Status.BAD_SPACE: "No such space in this core. Detail: the space.",
    Status.BAD_RANGE: "Elements outside the space, or an answer too long. Detail: the start.",
    Status.BAD_VALUE: "A value out of range; nothing was applied. Detail: its index.",
    Status.BAD_ORDER: "Events do not ascend, or entries not strictly. Detail: the first's index.",
    Status.READ_ONLY: "The space cannot be written. Detail: the space.",
    Status.BUSY: "Not while a run is under way. Detail: the next tick.",
    Status.QUEUE_FULL: "Not room for all the events; none was queued. Detail: free entries.",
    Status.LATE: "An event of a tick that a run already covers. Detail: its index.",
    Status.WRONG_SESSION: "The session is over: the device restarted. Detail: its session.",
    Status.WRONG_SEQUENCE: "A request is missing before this one. Detail: the number expected.",
}


def _numbers(sizes: Iterable[int]) -> struct.Struct:
    """Return how unsigned numbers of 1, 2 or 4 bytes each are packed."""
    codes = {1: "B", 2: "H", 4: "I"}
    return struct.Struct("<" + "".join(codes[size] for size in sizes))


_SIZES: Final = _numbers(map(size_bytes, field_types()))
"""How the sizes of a core are packed in its identity."""


@dataclass(frozen=True)
class Field:
    """One argument of a request: `size` bytes, unsigned, little-endian."""

    name: str
    size: int


@dataclass(frozen=True)
class Request:
    """Layout of one request: fixed arguments, then `tail` items of `tail_size` bytes each.

    With `tail_size` 0 nothing follows, or in a `WRITE` elements whose size depends on the space.
    """

    opcode: Opcode
    arguments: tuple[Field, ...]
    tail: str
    tail_size: int
    result: str
    doc: str

    @property
    def argument_bytes(self) -> int:
        """Bytes of the fixed arguments."""
        return sum(field.size for field in self.arguments)

    @cached_property
    def layout(self) -> struct.Struct:
        """How the fixed arguments are packed."""
        return _numbers(field.size for field in self.arguments)


REQUESTS: Final[dict[Opcode, Request]] = {
    request.opcode: request
    for request in (
        Request(
            Opcode.IDENTIFY, (), "", 0, "identity",
            "Who answers. Needs no session; its session and seq are not checked.",
        ),
        Request(
            Opcode.OPEN, (), "", 0, "",
            "Begin the session named in the header; the next seq is 0. Accepted when the number is "
            "one more (modulo 256) than the device's, and again as a repeat when it is the same.",
        ),
        Request(
            Opcode.RESET, (), "", 0, "",
            "Stop, empty both queues, set all state, registers, tick and counters (except those "
            "of the link) to 0. Weights, flags, and parameters of neurons and profiles stay.",
        ),
        Request(
            Opcode.CLEAR, (Field("mask", 1),), "", 0, "",
            "Set the state that the mask names to 0 (bits of `ClearMask`).",
        ),
        Request(
            Opcode.READ, (Field("space", 1), Field("start", 4), Field("count", 2)), "", 0,
            "elements",
            "Read `count` (1 or more) elements; they must fit one answer.",
        ),
        Request(
            Opcode.WRITE, (Field("space", 1), Field("start", 4)), "elements", 0, "",
            "Write elements (1 or more), all or none; there are as many as its length says. In a "
            "space of single bits, of which it does not say that, `count` (2) comes before them.",
        ),
        Request(
            Opcode.EVENTS, (Field("tick", 4),), "offset, axon", 4, "",
            "Queue axon events (16-bit offset to `tick`, 16-bit axon), all or none. (tick, axon) "
            "ascends, also from one request to the next; an event that is there again counts "
            "again. Free-running, an event must lie "
            "at or after `run_until`; at a fixed tick period, a late one is dropped and counted.",
        ),
        Request(
            Opcode.RUN, (Field("ticks", 4),), "", 0, "",
            "Move `run_until` on by `ticks` (1 or more); answers at once. `run_until` stays "
            "below 2**32, or the request is refused.",
        ),
        Request(
            Opcode.FETCH, (Field("words", 1), Field("wait_cycles", 4)), "", 0, "words",
            "Take up to `words` (1…62) output words. Answers when there are so many, when the run "
            "is over, or after `wait_cycles`.",
        ),
        Request(
            Opcode.STOP, (), "", 0, "tick",
            "End the run after the tick under way, and drop all queued events, so that the "
            "next ones may be of any tick from there on. State, registers, tick, counters and "
            "output words stay. Answers with the next tick (32 bits).",
        ),
        Request(
            Opcode.SET_BAUD, (Field("cycles_per_bit", 2),), "", 0, "",
            "After this answer use so many cycles a bit (4 or more). Unless a good frame arrives "
            "within 2**25 cycles the device returns to the rate it started with.",
        ),
        Request(
            Opcode.SET_TICK, (Field("tick", 4),), "", 0, "",
            "Let this be the next tick (up to 2**32 - 2), and `run_until` as well, and drop all "
            "queued events, as `STOP` does. Not while a run is under way. All else stays.",
        ),
        Request(
            Opcode.BIASES, (Field("tick", 4),), "offset, neuron, bias", 8, "",
            "Queue bias events (16-bit offset to `tick`, 16-bit neuron, signed 32-bit bias), all "
            "or none, in the queue of axon events; only in cores with `bias_events`. Ticks ascend, "
            "also from one request to the next, and in a tick no bias event comes after an axon "
            "event. Neurons are in any order, and of several biases of one in a tick the last "
            "counts. An event is late as an axon event is.",
        ),
    )
}  # fmt: skip

MAX_ELEMENT_BYTES: Final = MAX_BODY - REQUEST_HEADER - REQUESTS[Opcode.WRITE].argument_bytes
"""Most bytes of elements in one `WRITE`; `READ` answers are held to the same."""

COUNT_BYTES: Final = 2
"""Bytes of the number of elements that come before these in a `WRITE` to a space of single bits."""


def counted(fmt: SpaceFormat, count: int) -> bytes:
    """Return what comes before the elements in a `WRITE`: in a space of single bits, `count`."""
    return count.to_bytes(COUNT_BYTES, "little") if fmt.packed else b""


def most_elements(fmt: SpaceFormat) -> int:
    """Return the number of elements in the longest block that can be both written and read."""
    if fmt.packed:
        return (MAX_ELEMENT_BYTES - COUNT_BYTES) * 8
    return MAX_ELEMENT_BYTES // fmt.element_bytes


MAX_EVENTS: Final = (MAX_BODY - REQUEST_HEADER - 4) // 4
MAX_BIASES: Final = (MAX_BODY - REQUEST_HEADER - 4) // 8
BITS_PER_BYTE: Final = 10
"""8N1: a start bit, eight bits and a stop bit."""

DEFAULT_BAUD: Final = 115200
"""Rate of a board's line after power-up, in baud."""

BAUD_TRIAL_CYCLES: Final = 1 << 25
MIN_CYCLES_PER_BIT: Final = 4
MAX_CYCLES_PER_BIT: Final = (1 << 16) - 1
MAX_CLOCK_HZ: Final = (1 << 32) - 1
MAX_SET_TICK: Final = (1 << 32) - 2
"""Largest tick that `SET_TICK` takes: it can still be executed, as `run_until` is below 2**32."""


class Word(enum.IntEnum):
    """Kinds of output words with the top bit set: bits 30…28; bits 27…0 hold a count.

    A word with the top bit clear reports spikes: group (bits 30…20), mask (19…12), and cycles since
    *Update* began (11…0). Bit k of the mask is neuron ``group * neuron_lanes + k``.
    """

    UPDATE = 0
    """*Update* begins; the count is the cycles since the tick began."""
    END = 1
    """The tick is over; the count is its cycles."""
    MUTED = 2
    """Ticks were muted; the count is the number of executed ticks whose words were dropped."""
    DIGEST_LOW = 3
    """Bits 15…0 of the digest of a tick; with `digest_en`, behind the word that ends the tick."""
    DIGEST_HIGH = 4
    """Bits 31…16 of the digest of a tick, behind the word with the low bits."""
    PROBE = 5
    """State that probes report, before the word that ends the tick; the count is seven nibbles."""


def count_word(kind: Word, count: int) -> int:
    """Return the output word of a kind, with its count saturated to `WORD_COUNT_BITS`."""
    return 1 << 31 | kind << WORD_COUNT_BITS | min(count, (1 << WORD_COUNT_BITS) - 1)


WORD_COUNT_BITS: Final = 28
SPIKE_GROUP_BITS: Final = 11
SPIKE_MASK_BITS: Final = 8
SPIKE_CYCLE_BITS: Final = 12


@dataclass(frozen=True)
class Identity:
    """The answer to `IDENTIFY`."""

    version: int
    params_digest: int
    map_digest: int
    clock_hz: int
    build: str
    params: CoreParams

    _HEAD = struct.Struct(f"<HIII{BUILD_BYTES}s")

    def pack(self) -> bytes:
        """Return the bytes on the link: version, digests, clock, build, and every size."""
        head = self._HEAD.pack(
            self.version, self.params_digest, self.map_digest, self.clock_hz,
            self.build.encode("ascii").ljust(BUILD_BYTES, b"\0"),
        )  # fmt: skip
        return head + _SIZES.pack(*(int(size) for size in asdict(self.params).values()))

    @classmethod
    def of(cls, params: CoreParams, clock_hz: int, build: str) -> Identity:
        """Return the identity with which a device of these sizes answers."""
        return cls(PROTOCOL_VERSION, params.digest(), map_digest(params), clock_hz, build, params)

    @classmethod
    def unpack(cls, data: bytes) -> Identity:
        """Return the identity that bytes from the link hold.

        The version is checked first, since another version may have another layout. The digests
        are not checked.

        Raises
        ------
        ValueError
            The bytes are no identity of this version.
        ParamsError
            There is no core of the sizes.
        """
        if len(data) < 2:
            raise ValueError("an identity has at least its version")
        version = int.from_bytes(data[:2], "little")
        if version != PROTOCOL_VERSION:
            raise ValueError(
                f"the device speaks protocol {version}, this host {PROTOCOL_VERSION}: "
                "install the release of spiketwin that the device was built with"
            )
        types = field_types()
        if len(data) != cls._HEAD.size + _SIZES.size:
            raise ValueError(f"an identity of {len(data)} bytes is cut or of another release")
        _, params_digest, map_digest_, clock_hz, build = cls._HEAD.unpack_from(data)
        sizes = _SIZES.unpack_from(data, cls._HEAD.size)
        params = CoreParams(
            **{name: types[name](size) for name, size in zip(types, sizes, strict=True)}
        )
        return cls(
            version, params_digest, map_digest_, clock_hz,
            build.rstrip(b"\0").decode("ascii", "replace"), params,
        )  # fmt: skip


_AGREED: Final = (
    # The frame and the bodies in it.
    CRC_POLYNOMIAL, CRC_INITIAL, CRC_FINAL_XOR, CRC_BYTES, REQUEST_HEADER, REPLY_HEADER, WORD_BYTES,
    MAX_FETCH_WORDS, MAX_BODY, MAX_FRAME, MAX_ELEMENT_BYTES, COUNT_BYTES, MAX_EVENTS, MAX_BIASES,
    BUILD_BYTES, BAUD_TRIAL_CYCLES, MIN_CYCLES_PER_BIT, MAX_CYCLES_PER_BIT, MAX_CLOCK_HZ,
    MAX_SET_TICK,
    # Addresses, and the words of the output stream.
    registers_module.ADDRESS_COLUMN_BITS, registers_module.PENDING_MASK_BITS,
    registers_module.DAMAGE_WIDTH, registers_module.CYCLES_WIDTH,
    WORD_COUNT_BITS, SPIKE_GROUP_BITS, SPIKE_MASK_BITS, SPIKE_CYCLE_BITS,
    # The arithmetic of a tick.
    arithmetic.DECAY_BITS, arithmetic.DECAY_NONE, arithmetic.DECAY_AT_ONCE, arithmetic.GAIN_BITS,
    arithmetic.GAIN_WIDTH, arithmetic.OFFSET_WIDTH, arithmetic.STEP_BITS, arithmetic.HALF_STEP,
    arithmetic.PASS_PRE, arithmetic.PASS_POST, arithmetic.KEY_ROUNDS, arithmetic.NOISE_ROUNDS,
    arithmetic.SPREAD_SPIKED, arithmetic.SPREAD_PAIR,
    *arithmetic.digest_rows(1 << 12), *arithmetic.digest_rows(1 << 14),
    # Its cycles.
    schedule.LEAD, schedule.ROW_REPEAT, schedule.ROW_DRAIN, schedule.NEURON_DRAIN,
    schedule.SOURCE_DRAIN, schedule.SPIKE_LATENCY, schedule.COLUMN_LEAD, schedule.COLUMN_DRAIN,
    schedule.END, schedule.WALK, schedule.LEAST_WALKED, schedule.SWEEP, schedule.RELAY,
    schedule.PROBE_RANGE, schedule.PROBE, schedule.SPARSE, schedule.WORDS, schedule.DUE,
    schedule.ROW_DRAIN_RULES, schedule.BIAS,
)  # fmt: skip
"""Numbers that both ends must agree on: their values alone, so that a constant may be renamed."""


def map_digest(params: CoreParams) -> int:
    """Return a 32-bit hash of all that both ends must agree on.

    These are requests, statuses, output words, registers, counters, spaces and constants.
    """
    tables = {
        "requests": [
            [r.opcode.name, r.opcode, [[f.name, f.size] for f in r.arguments], r.tail_size]
            for r in REQUESTS.values()
        ],
        "statuses": [[s.name, s] for s in Status],
        "words": [[w.name, w] for w in Word],
        "counters": [c.name for c in counters(params)],
        "spaces": [
            [
                f.space.name,
                f.space,
                f.rows,
                f.columns,
                f.width,
                f.signed,
                f.writable,
                [[c.name, c.width, c.signed] for c in f.record],
            ]
            for f in space_formats(params).values()
        ],
        "clear": [[m.name, int(m)] for m in ClearMask],
        "constants": _AGREED,
    }
    text = json.dumps(tables, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
