"""Blocks of weights that are written and read back, and the frames lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from spiketwin.hdl.spec.protocol import MAX_ELEMENT_BYTES
from spiketwin.hdl.spec.registers import Space, space_formats
from spiketwin.hdl.spec.results import Result
from spiketwin.host import access
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.exchange import Request
from spiketwin.host.progress import Steps


@dataclass(frozen=True)
class Losses(Result):
    """The losses of the link and what it recovered, as counted at both ends.

    Attributes
    ----------
    resent, timeouts:
        Frames that the host sent again, and times that it waited for an answer in vain.
    bad_frames, frame_errors:
        Frames that came in damaged at the host, and at the device.
    rx_overflows:
        Bytes that the device lost because it was too slow for them.
    """

    resent: int
    timeouts: int
    bad_frames: int
    frame_errors: int
    rx_overflows: int

    @classmethod
    def so_far(cls, core: Core) -> Losses:
        """Read the counters of both ends."""
        counters = core.read_counters()
        seen = core.statistics
        return cls(
            seen.resent,
            seen.timeouts,
            seen.bad_frames,
            counters["frame_errors"],
            counters["rx_overflows"],
        )

    def __sub__(self, before: Losses) -> Losses:
        """Return what was lost since `before`."""
        return Losses(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    @property
    def damaged(self) -> int:
        """Damage that only a bad line explains; timeouts can also come from a busy computer."""
        return self.bad_frames + self.frame_errors + self.rx_overflows


class Echo:
    """A program of transactions: a block is written, and the next request reads it back.

    Parameters
    ----------
    core:
        The core; its weights are overwritten.
    transactions:
        Number of transactions.
    rng:
        Source of random places, lengths and values.
    most_bytes:
        Length of the longest block, in bytes.
    progress:
        Called with (transactions done, transactions).

    Attributes
    ----------
    done, wrong:
        Numbers of transactions so far, and of those whose block came back different.
    first_wrong:
        The first difference, in words; None if there was none.
    payload_bytes:
        Bytes of elements in those blocks, in one direction.
    """

    def __init__(
        self,
        core: Core,
        transactions: int,
        rng: np.random.Generator,
        *,
        most_bytes: int = MAX_ELEMENT_BYTES,
        progress: Steps = lambda _done, _all: None,
    ) -> None:
        self.done = 0
        self.wrong = 0
        self.first_wrong: str | None = None
        self.payload_bytes = 0
        self._format = space_formats(core.params)[Space.WEIGHT]
        self._transactions = transactions
        self._rng = rng
        self._most = min(self._format.size, most_bytes // self._format.element_bytes)
        self._progress = progress

    def program(self) -> Iterator[Request]:
        """Return the requests; lengths of blocks and elements are random."""
        fmt = self._format
        low, high = fmt.limits()
        for _ in range(self._transactions):
            count = int(self._rng.integers(1, self._most, endpoint=True))
            index = int(self._rng.integers(fmt.size - count, endpoint=True))
            values = self._rng.integers(low, high, count, endpoint=True)
            self.payload_bytes += fmt.byte_length(count)
            yield access.write(fmt, index, values)
            yield access.read(fmt, index, count, self._comparison(index, values))

    def _comparison(self, index: int, expected: IntArray) -> Callable[[IntArray], None]:
        def compare(got: IntArray) -> None:
            different = np.flatnonzero(got != expected)
            if different.size:
                first = int(different[0])
                self.wrong += 1
                self.first_wrong = self.first_wrong or (
                    f"{access.place(self._format, index + first)}: "
                    f"expected {expected[first]}, got {got[first]}"
                )
            self.done += 1
            self._progress(self.done, self._transactions)

        return compare
