"""The check of memories: every bit of every writable space, by march test and random data.

March C- (van de Goor, 1991), a block of one frame at a time: ⇕(w0) ⇑(r0,w1) ⇑(r1,w0) ⇓(r0,w1)
⇓(r1,w0) ⇕(r0), where 1 is an element with all bits set. It finds bits that are stuck or do not
change, addresses that reach two blocks or none, and blocks that disturb each other. Elements of one
block are distinguished afterwards, by random data and their complement.

The columns of registers and other records have widths of their own, and pending spikes are a list,
so they get whole patterns instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.hdl.spec.registers import Space, SpaceFormat, space_formats
from spiketwin.hdl.spec.results import Result
from spiketwin.host import access
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray, blocks
from spiketwin.host.exchange import Request
from spiketwin.host.progress import Steps

FAULTS_NAMED: Final = 8

_MARCH: Final = (
    ("⇕(w0)", False, None, 0),
    ("⇑(r0,w1)", False, 0, 1),
    ("⇑(r1,w0)", False, 1, 0),
    ("⇓(r0,w1)", True, 0, 1),
    ("⇓(r1,w0)", True, 1, 0),
    ("⇕(r0)", False, 0, None),
)
"""March elements: name, whether in descending order, value expected, value then written."""

_READS: Final = sum(expected is not None for _, _, expected, _ in _MARCH) + 3
"""Reads of each block: those of the march, of random data, their complement and zeros."""


@dataclass(frozen=True)
class Fault(Result):
    """An element that did not hold the value written.

    Attributes
    ----------
    element:
        Name and indices of the element, such as ``weight[3, 7]``.
    step:
        Step of the test, such as ``⇑(r0,w1)``.
    expected, got:
        Value that was written, and value that was read.
    """

    element: str
    step: str
    expected: int
    got: int


@dataclass(frozen=True)
class MemoryReport(Result):
    """The result of the check of memories.

    Attributes
    ----------
    bits:
        Bits tested, each counted once.
    wrong:
        Number of elements that were read with another value than was written.
    faults:
        The first of these elements.
    """

    bits: int
    wrong: int
    faults: tuple[Fault, ...]

    @property
    def passed(self) -> bool:
        """Whether every bit held its value."""
        return self.wrong == 0


class _Findings:
    """The bits tested so far, and the elements that were wrong."""

    def __init__(self) -> None:
        self.bits = 0
        self._wrong = 0
        self._faults: list[Fault] = []

    def report(self) -> MemoryReport:
        """Return all that was found."""
        return MemoryReport(self.bits, self._wrong, tuple(self._faults))

    def compare(
        self, fmt: SpaceFormat, step: str, first: int, want: IntArray, got: IntArray
    ) -> None:
        """Record where elements from index `first` on differ."""
        different = np.flatnonzero(want != got)
        self._wrong += different.size
        for index in different[: FAULTS_NAMED - len(self._faults)]:
            name = access.place(fmt, first + int(index))
            self._faults.append(Fault(name, step, int(want[index]), int(got[index])))


def check(core: Core, seed: int, progress: Steps) -> MemoryReport:
    """Test all memories of a core; afterwards they hold zeros.

    Raise `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
    """
    rng = np.random.default_rng((seed, 1))
    core.reset()
    formats = space_formats(core.params)
    marched = [
        fmt for fmt in formats.values()
        if fmt.writable and not fmt.record and fmt.space is not Space.PENDING
    ]  # fmt: skip
    reads = sum(_READS * len(list(blocks(fmt, 0, fmt.size))) for fmt in marched)
    tester = _Tester(core, reads, progress)
    for fmt in marched:
        tester.march(fmt)
        tester.random(fmt, rng)
        tester.findings.bits += fmt.size * fmt.width
    for fmt in formats.values():
        if fmt.record:
            _records(core, fmt, rng, tester.findings)
    _pending(core, formats[Space.PENDING], rng, tester.findings)
    return tester.findings.report()


class _Tester:
    """The tests of one space after the other, and their findings."""

    def __init__(self, core: Core, reads: int, progress: Steps) -> None:
        self.findings = _Findings()
        self._core = core
        self._progress = progress
        self._reads, self._all_reads = 0, reads

    def march(self, fmt: SpaceFormat) -> None:
        """Run the march test, block by block."""
        for step, down, expected, new in _MARCH:
            self._core.link.run(self._marching(fmt, step, down, expected, new))

    def random(self, fmt: SpaceFormat, rng: np.random.Generator) -> None:
        """Write random data and their complement, each as a whole, and zeros in the end."""
        low, high = fmt.limits()
        values = rng.integers(low, high, fmt.size, endpoint=True)
        where = list(blocks(fmt, 0, fmt.size))
        for step, data in (
            ("random data", values),
            ("complement", low + high - values),
            ("zeros", np.zeros(fmt.size, np.int64)),
        ):
            self._core.link.run(access.write(fmt, i, data[i : i + n]) for i, n in where)
            self._core.link.run(self._reading(fmt, i, data[i : i + n], step) for i, n in where)

    def _marching(
        self, fmt: SpaceFormat, step: str, down: bool, expected: int | None, new: int | None
    ) -> Iterator[Request]:
        low, high = fmt.limits()
        zeros_and_ones = (0, -1 if low < 0 else high)
        order = list(blocks(fmt, 0, fmt.size))
        for index, count in reversed(order) if down else order:
            if expected is not None:
                want = np.full(count, zeros_and_ones[expected], np.int64)
                yield self._reading(fmt, index, want, f"March C- {step}")
            if new is not None:
                yield access.write(fmt, index, np.full(count, zeros_and_ones[new], np.int64))

    def _reading(self, fmt: SpaceFormat, index: int, want: IntArray, step: str) -> Request:
        def compare(got: IntArray) -> None:
            self.findings.compare(fmt, step, index, want, got)
            self._reads += 1
            self._progress(self._reads, self._all_reads)

        return access.read(fmt, index, want.size, compare)


def _records(core: Core, fmt: SpaceFormat, rng: np.random.Generator, findings: _Findings) -> None:
    """Write patterns into all elements of a space of records; each column has its own width."""
    limits = np.array([fmt.limits_at(index) for index in range(fmt.size)], np.int64)
    low, high = limits[:, 0], limits[:, 1]
    values = rng.integers(low, high, endpoint=True)
    for step, data in (
        ("ones", np.where(low < 0, -1, high)),
        ("random data", values),
        ("complement", low + high - values),
        ("zeros", np.zeros(fmt.size, np.int64)),
    ):
        # Accessed through the link: the host's `Core` would overwrite registers of a run.
        core.link.run(
            access.write(fmt, index, np.array([value % (1 << 32)]))
            for index, value in enumerate(data.tolist())
        )
        read = list[IntArray]()
        core.link.run(access.read(fmt, i, n, read.append) for i, n in blocks(fmt, 0, fmt.size))
        got = np.concatenate(read)
        findings.compare(fmt, step, 0, data, np.where(low < 0, got.astype(np.int32), got))
    findings.bits += fmt.rows * sum(column.width for column in fmt.record)


def _pending(core: Core, fmt: SpaceFormat, rng: np.random.Generator, findings: _Findings) -> None:
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
        findings.compare(flags, step, 0, data, core.read_state()["pending"])
    findings.bits += neurons.size
