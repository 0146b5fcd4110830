"""A trial of relays that no network has: several of one source, one behind the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Final, cast

import numpy as np

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial import MODEL
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.cosim.serial.protocol_model import open_target
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.cosim.trials.mutation.full import full
from spiketwin.cosim.trials.mutation.observing import Killed, unwarned
from spiketwin.cosim.trials.mutation.talk import Talk, place
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.host import Core
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link

_MOST: Final = 4
"""Relays of an axon, and a number that no delay of theirs reaches."""

_TICKS: Final = 10
_WORDS: Final = 62
_FETCHES: Final = 8


def _answers(port: InProcessSerial, params: CoreParams) -> Iterator[bytes]:
    """Give each axon some relays, run, and yield all answers."""
    Core(Link(port)).program(full(params, 1, learns=False))
    talk, rng = Talk(port), np.random.default_rng(1)
    talk.open()
    numbers = {
        Space.RELAY_FIRST: rng.integers(0, params.n_relays - _MOST, params.n_axons),
        Space.RELAY_COUNT: rng.integers(0, _MOST, params.n_axons),
        Space.RELAY_DELAY: rng.integers(1, _MOST, params.n_relays),
    }
    for space, values in numbers.items():
        size = space_formats(params)[space].element_bytes
        data = b"".join(value.to_bytes(size, "little") for value in values.tolist())
        yield talk.ask(Opcode.WRITE, place(space, 0) + data)
    events = b"".join(
        struct.pack("<HH", axon % 2, axon) for axon in (*range(0, 32, 2), *range(1, 32, 2))
    )
    yield talk.ask(Opcode.EVENTS, struct.pack("<I", 0) + events)
    yield talk.ask(Opcode.RUN, struct.pack("<I", _TICKS))
    for _ in range(_FETCHES):
        yield talk.ask(Opcode.FETCH, struct.pack("<BI", _WORDS, 0))


@cache
def _expected(core: str) -> list[bytes]:
    params = CORES[core]
    with closing(open_target(Target(MODEL, params=params))) as port, unwarned():
        return list(_answers(cast(InProcessSerial, port), params))


def several_relays(design: Design, core: str) -> None:
    """Run with several relays of a source: all answers are those of the model."""
    expected = _expected(core)
    with closing(DesignSerial(design)) as port, unwarned():
        for one, other in zip(expected, _answers(port, design.params), strict=True):
            if one != other:
                raise Killed(f"{other.hex(' ')}, not {one.hex(' ')}")
