"""The memories: every bit of every writable space, by a march test and by random data.

March C- (van de Goor, 1991), a block of one frame at a time: ⇕(w0) ⇑(r0,w1) ⇑(r1,w0) ⇓(r0,w1)
⇓(r1,w0) ⇕(r0), where 1 is an element with all bits set. It finds bits that are stuck or do not
change, addresses that reach two blocks or none, and blocks that disturb each other. Elements of one
block are told apart afterwards, by random data and their complement.

Registers are no memory and pending spikes are a list, so they get whole patterns instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from spiketwin.cosim.selftest import access
from spiketwin.hdl.spec.registers import Space, SpaceFormat, registers, space_formats
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray, blocks
from spiketwin.host.exchange import Request

FAULTS_NAMED: Final = 8

_MARCH: Final = (
    ("⇕(w0)", False, None, 0),
    ("⇑(r0,w1)", False, 0, 1),
    ("⇑(r1,w0)", False, 1, 0),
    ("⇓(r0,w1)", True, 0, 1),
    ("⇓(r1,w0)", True, 1, 0),
    ("⇕(r0)", False, 0, None),
)
"""Name, whether from the last block to the first, what is expected, what is written then."""


@dataclass(frozen=True)
class Fault:
    """An element that did not hold what was written.

    Attributes
    ----------
    element:
        Such as ``weight[3, 7]``.
    step:
        Of the test, such as ``⇑(r0,w1)``.
    expected, got:
        Values.
    """

    element: str
    step: str
    expected: int
    got: int


@dataclass
class MemoryReport:
    """What the memories did.

    Attributes
    ----------
    bits:
        Bits tested, each counted once.
    wrong:
        Elements read that were different from what was written.
    faults:
        The first of them.
    """

    bits: int = 0
    wrong: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every bit held."""
        return self.wrong == 0

    def figures(self) -> dict[str, Any]:
        """Figures, and the first faults."""
        return {
            "bits": self.bits,
            "wrong": self.wrong,
            "faults": [vars(fault) for fault in self.faults],
        }

    def compare(
        self, fmt: SpaceFormat, step: str, first: int, want: IntArray, got: IntArray
    ) -> None:
        """Note where elements from the place `first` on differ."""
        different = np.flatnonzero(want != got)
        self.wrong += different.size
        for index in different[: FAULTS_NAMED - len(self.faults)]:
            name = access.place(fmt, first + int(index))
            self.faults.append(Fault(name, step, int(want[index]), int(got[index])))


def check(core: Core, seed: int, progress: Callable[[int, int], None]) -> MemoryReport:
    """Test all memories of a core; afterwards they hold zeros.

    Raises `SpiketwinError` as `spiketwin.cosim.selftest.check`.
    """
    report = MemoryReport()
    rng = np.random.default_rng((seed, 1))
    core.reset()
    formats = space_formats(core.params)
    apart = (Space.REGISTER, Space.PENDING)
    marched = [f for f in formats.values() if f.writable and f.space not in apart]
    total = sum(fmt.size for fmt in formats.values() if fmt.writable)
    done = 0

    for fmt in marched:
        _march(core, fmt, report)
        _random(core, fmt, rng, report)
        report.bits += fmt.size * fmt.width
        done += fmt.size
        progress(done, total)
    _registers(core, formats[Space.REGISTER], rng, report)
    _pending(core, formats[Space.PENDING], rng, report)
    progress(total, total)
    return report


def _march(core: Core, fmt: SpaceFormat, report: MemoryReport) -> None:
    low, high = fmt.limits()
    zeros_and_ones = (0, -1 if low < 0 else high)

    def whole(bit: int, count: int) -> IntArray:
        return np.full(count, zeros_and_ones[bit], np.int64)

    def program(step: str, down: bool, expected: int | None, new: int | None) -> Iterator[Request]:
        order = list(blocks(fmt, 0, fmt.size))
        for index, _, count in reversed(order) if down else order:
            if expected is not None:
                yield _reading(fmt, index, whole(expected, count), f"March C- {step}", report)
            if new is not None:
                yield access.write(fmt, index, whole(new, count))

    for step, down, expected, new in _MARCH:
        core.link.run(program(step, down, expected, new))


def _random(core: Core, fmt: SpaceFormat, rng: np.random.Generator, report: MemoryReport) -> None:
    """Write random data and their complement, each as a whole, and zeros in the end."""
    low, high = fmt.limits()
    values = rng.integers(low, high, fmt.size, endpoint=True)
    for step, data in (
        ("random data", values),
        ("complement", low + high - values),
        ("zeros", np.zeros(fmt.size, np.int64)),
    ):
        where = list(blocks(fmt, 0, fmt.size))
        core.link.run(access.write(fmt, i, data[i : i + n]) for i, _, n in where)
        core.link.run(_reading(fmt, i, data[i : i + n], step, report) for i, _, n in where)


def _reading(
    fmt: SpaceFormat, index: int, want: IntArray, step: str, report: MemoryReport
) -> Request:
    return access.read(
        fmt, index, want.size, lambda got: report.compare(fmt, step, index, want, got)
    )


def _registers(
    core: Core, fmt: SpaceFormat, rng: np.random.Generator, report: MemoryReport
) -> None:
    """Write patterns into all registers, each of which has its own width."""
    table = registers(core.params)
    limits = np.array([register.limits(core.params) for register in table], np.int64)
    low, high = limits[:, 0], limits[:, 1]
    values = rng.integers(low, high, endpoint=True)
    for step, data in (
        ("ones", np.where(low < 0, -1, high)),
        ("random data", values),
        ("complement", low + high - values),
        ("zeros", np.zeros(len(table), np.int64)),
    ):
        core.write_registers(**{r.name: int(v) for r, v in zip(table, data, strict=True)})
        got = core.read_registers()
        report.compare(fmt, step, 0, data, np.array([got[r.name] for r in table], np.int64))
    report.bits += sum(register.width(core.params) for register in table)


def _pending(core: Core, fmt: SpaceFormat, rng: np.random.Generator, report: MemoryReport) -> None:
    """Write patterns of neurons that fired, from all of them to none; faults name the neuron."""
    neurons = np.arange(core.params.n_neurons)
    values = rng.integers(0, 1, neurons.size, endpoint=True)
    flags = SpaceFormat(fmt.space, 1, neurons.size, 1, False, True, fmt.doc)
    for step, data in (
        ("ones", np.ones_like(neurons)),
        ("every other", neurons % 2),
        ("the others", 1 - neurons % 2),
        ("random data", values),
        ("complement", 1 - values),
        ("zeros", np.zeros_like(neurons)),
    ):
        core.write_state(pending=data)
        report.compare(flags, step, 0, data, core.read_state()["pending"])
    report.bits += neurons.size
