"""Probes of a run: the state that its ticks report, and how it is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import (
    NIBBLE_BITS,
    PROBED,
    WORD_NIBBLES,
    element_nibbles,
    probed,
    words_of,
)
from spiketwin.hdl.spec.protocol import Word
from spiketwin.hdl.spec.registers import Space, SpaceFormat, limits
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import Per, Variable
from spiketwin.host import access
from spiketwin.host.elements import IntArray, as_array, integers
from spiketwin.host.errors import DoesNotFit, InvalidInput, LinkError
from spiketwin.host.exchange import Request
from spiketwin.host.words import Words, of_kind, tick_of


@runtime_checkable
class Members(Protocol):
    """A holder of neurons: their numbers, and their numbers as sources."""

    @property
    def neurons(self) -> range:
        """Numbers of the neurons."""

    @property
    def sources(self) -> range:
        """Numbers as sources."""


Selection: TypeAlias = ArrayLike | Members
"""The neurons, or for `trace_pre` the sources, whose state is reported: their numbers."""


@dataclass(frozen=True, eq=False)
class Probe:
    """One state that ticks report.

    Attributes
    ----------
    array:
        The state.
    first, count:
        Range of the elements of the core that are reported.
    columns:
        Shape (n,): those of the range that were asked for.
    nibbles:
        Nibbles of an element.
    """

    array: Variable
    first: int
    count: int
    columns: IntArray
    nibbles: int

    def values(self, nibbles: NDArray[np.uint8]) -> IntArray:
        """Return the values, shape (rows, n), from nibbles of shape (rows, count · nibbles)."""
        parts = nibbles.reshape(len(nibbles), self.count, self.nibbles)[:, self.columns]
        values = np.zeros(parts.shape[:2], np.int64)
        for place in range(self.nibbles):
            values |= parts[:, :, place].astype(np.int64) << NIBBLE_BITS * place
        sign = 1 << (NIBBLE_BITS * self.nibbles - 1) if self.array.signed else 0
        return (values ^ sign) - sign


@dataclass(frozen=True, eq=False)
class Probes:
    """All that the ticks of a run report of their state.

    Attributes
    ----------
    period:
        Ticks from one that reports to the next; the first one of the run does.
    each:
        What is reported, in the order of the words.
    """

    period: int
    each: tuple[Probe, ...]

    @property
    def words(self) -> int:
        """Output words of a report."""
        return words_of(sum(probe.count * probe.nibbles for probe in self.each))

    @property
    def registers(self) -> dict[str, int]:
        """Registers of the run: name to value."""
        return {"probe_period": self.period, "probe_words": self.words}

    def requests(self, formats: Mapping[Space, SpaceFormat]) -> Iterator[Request]:
        """Yield the requests that write the ranges to a core with these spaces."""
        ranges = [(int(probe.array.space), probe.first, probe.count) for probe in self.each]
        spaces = Space.PROBE_SPACE, Space.PROBE_FIRST, Space.PROBE_COUNT
        for space, values in zip(spaces, np.array(ranges, np.int64).T, strict=True):
            whole = np.zeros(formats[space].size, np.int64)
            whole[: len(values)] = values
            yield access.write(formats[space], 0, whole)

    def decoded(
        self, words: Words, muted: NDArray[np.bool_], first: int
    ) -> tuple[dict[str, IntArray], IntArray]:
        """Return the values by name, shape (rows, n), and the tick of each row.

        Parameters
        ----------
        words:
            All output words of ticks that follow each other.
        muted:
            Shape (ticks,): which of them were muted, and so report nothing.
        first:
            Number of the first of them in its run.

        Raises
        ------
        LinkError
            The words are not those of these probes.
        """
        reported = of_kind(words, Word.PROBE)
        due = (first + np.arange(len(muted))) % self.period == 0
        rows = np.flatnonzero(due & ~muted)
        if not np.array_equal(tick_of(words)[reported], np.repeat(rows, self.words)):
            raise LinkError(
                f"the device did not report {self.words} words of probes in each of the "
                f"{len(rows)} ticks that were to: program the core again (`core.program`)"
            )
        places = NIBBLE_BITS * np.arange(WORD_NIBBLES, dtype=np.uint32)
        nibbles = (words[reported, None] >> places & 15).astype(np.uint8)
        row = nibbles.reshape(len(rows), WORD_NIBBLES * self.words)
        values, begin = {}, 0
        for probe in self.each:
            end = begin + probe.count * probe.nibbles
            values[probe.array.name] = probe.values(row[:, begin:end])
            begin = end
        return values, rows


def checked_probes(
    given: Mapping[str, Selection] | None,
    every: int,
    params: CoreParams,
    extract: Callable[[Space, IntArray], IntArray],
) -> Probes | None:
    """Return what a run is to report, checked; None if nothing.

    Parameters
    ----------
    given, every:
        As `Core.run` takes them.
    params:
        Sizes of the core.
    extract:
        Function that returns the part of an array of the core that belongs to the network.

    Raises
    ------
    InvalidInput, DoesNotFit
        As `Core.run` raises them.
    """
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInput(f"probe must be a mapping of names to numbers, not {shown(given)}")
    period = int(integers("probe_every", every, (), (1, limits(16, signed=False)[1])))
    if not given:
        return None
    if not params.probe_ranges:
        raise DoesNotFit(
            "this core has no probes: connect to one built with probe_ranges=1 or more "
            "(`net.core_params(probe_ranges=1)`)"
        )
    if len(given) > params.probe_ranges:
        raise DoesNotFit(
            f"this core reports {params.probe_ranges} states at once, not {len(given)}: name "
            f"fewer, or connect to one built with probe_ranges={len(given)} (at most 4)"
        )
    each = tuple(_probe(name, chosen, params, extract) for name, chosen in given.items())
    probes = Probes(period, each)
    least = params.min_spike_queue_depth + probes.words
    if least > params.spike_queue_depth:
        raise DoesNotFit(
            f"a report of these probes takes {probes.words} output words, for which this core's "
            f"spike_queue_depth of {params.spike_queue_depth} is too small: probe less, or connect "
            f"to one built with spike_queue_depth={1 << (least - 1).bit_length()}"
        )
    return probes


def _probe(
    name: object,
    given: Selection,
    params: CoreParams,
    extract: Callable[[Space, IntArray], IntArray],
) -> Probe:
    array = next((v for v in PROBED.values() if v.name == name), None)
    if array is None:
        there = ", ".join(v.name for v in PROBED.values())
        raise InvalidInput(f"there is no state {shown(name)} to probe: it is one of {there}")
    if array.space not in probed(params):
        raise DoesNotFit(f"this core has no {name}: connect to one built with {array.built}")
    (size,) = array.shape_in(params)
    numbers = extract(array.space, np.arange(size))
    if isinstance(given, Members):
        given = given.sources if array.per is Per.SOURCE else given.neurons
    what = f"probe[{shown(name)}]"
    values = as_array(what, given, InvalidInput, "of numbers").reshape(-1)
    if not values.size:
        raise InvalidInput(f"{what} must name at least one of 0…{len(numbers) - 1}")
    chosen = integers(what, values, values.shape, (0, len(numbers) - 1))
    places = numbers[chosen]
    first, last = int(places.min()), int(places.max())
    return Probe(
        array, first, last - first + 1, places - first, element_nibbles(array, params)
    )  # fmt: skip
