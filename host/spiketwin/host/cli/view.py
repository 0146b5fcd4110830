"""The live view of a run: raster, rates and link, drawn with characters at any size."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.filesize import decimal
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from spiketwin.hdl.spec.protocol import Identity
from spiketwin.host.cli import dots
from spiketwin.host.cli.window import KEPT_TICKS, Recent, Window
from spiketwin.host.exchange import Statistics
from spiketwin.host.spikes import Run

_MARGIN: Final = 5
"""Characters at the left for names, including the space after them."""

_LEAST_RASTER: Final = 4
"""Lines that are reserved for the raster before other sections are left out."""

_MOST_STRETCH: Final = 4
"""Most rows of dots for a neuron, including the gap to the next one."""

_BUSIEST: Final = 8
_BETWEEN: Final = " · "
_DIM: Final = "dim"
_FAULT: Final = "bold red"
_MUTED: Final = "×"


class _Section(NamedTuple):
    """Lines that are shown together, and their weight: light ones are left out first."""

    weight: int
    lines: Sequence[RenderableType]


class View:
    """The view of a core while it works; what is drawn depends only on what was added.

    One thread may add to it while another one draws it.

    Parameters
    ----------
    title:
        Heading: what runs, and where.
    identity, statistics:
        Identity of the core, and statistics of its link.
    origin:
        Where the cycles of the core come from (`spiketwin.host.targets.origin`).
    n_neurons:
        Number of neurons of the network.
    total, unit:
        Amount of work, and the name of its unit.
    order, names:
        Neurons from top to bottom, and the name of each neuron; their numbers by default.
    clock:
        Function that returns seconds; the work begins when the view is made.
    """

    def __init__(
        self,
        title: str,
        *,
        identity: Identity,
        statistics: Statistics,
        origin: str,
        n_neurons: int,
        total: int,
        unit: str,
        order: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._title = title
        self._identity = identity
        self._statistics = statistics
        self._origin = origin
        self._total = total
        self._unit = unit
        self._place = np.argsort(np.arange(n_neurons) if order is None else np.asarray(order))
        self._names = names or [str(neuron) for neuron in range(n_neurons)]
        self._clock = clock
        self._begin = clock()
        self._window = Window(n_neurons)
        self._done = 0
        self._notes: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, part: Run, done: int, notes: dict[str, str] | None = None) -> None:
        """Add the output of the next ticks.

        Parameters
        ----------
        part:
            Result of the ticks, counted from 0.
        done:
            Amount of the total that is done after them.
        notes:
            Lines to be shown from now on: label to text.
        """
        with self._lock:
            self._window.add(part)
            self._done = done
            self._notes = notes or {}

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as many lines as the options ask for, or as the terminal has."""
        with self._lock:
            lines = self._lines(options.max_width, options.height or options.size.height)
        yield from lines

    def _lines(self, width: int, height: int) -> list[RenderableType]:
        columns = max(1, min(width - _MARGIN, KEPT_TICKS // dots.COLUMNS))
        window = self._window
        # The first tick is even, so that a spike stays in the same column of its character.
        first = max(0, window.ticks + window.ticks % dots.COLUMNS - columns * dots.COLUMNS)
        recent = window.since(first)
        above = [_Section(4, [self._heading(width)]), _Section(7, [self._progress()])]
        below = [
            _Section(0, [self._axis(recent, columns)]),
            _Section(5, self._rates(recent, columns, width)),
            _Section(2, self._busiest(recent, width)),
            _Section(6, [_labelled(name, Text(line)) for name, line in self._notes.items()]),
            _Section(3, self._link(width)),
            _Section(1, self._core(width)),
        ]
        reserved, least = min(_LEAST_RASTER, window.n_neurons, height - 1), 0

        def shown(sections: Iterable[_Section]) -> list[RenderableType]:
            return [line for each in sections if each.weight >= least for line in each.lines]

        while (left := height - len(shown(above + below))) < reserved:
            least += 1
        return [*shown(above), *self._raster(recent, columns, left), *shown(below)]

    def _heading(self, width: int) -> Text:
        params, clock = self._identity.params, self._identity.clock_hz / 1e6
        facts = f"{params.n_axons} axons, {params.n_neurons} neurons, {clock:g} MHz"
        gap = max(1, width - len(self._title) - len(facts))
        return _line(Text(self._title, "bold"), " " * gap, Text(facts, _DIM))

    def _progress(self) -> Table:
        seconds, done, total = self._seconds(), self._done, self._total
        if done < total:
            seconds = seconds * (total - done) / done if done else 0.0
        time_left = timedelta(seconds=round(seconds))
        ending = (
            "" if not done else f", {time_left} left" if done < total else f" in {seconds:.1f} s"
        )
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        grid.add_row(
            ProgressBar(total=total, completed=done),
            Text(f"{done:,} of {total:,} {self._unit}{ending}"),
        )
        return grid

    def _raster(self, recent: Recent, columns: int, lines: int) -> list[RenderableType]:
        """Return the raster, a dot for each spike; neurons share a row if there are too many."""
        n_neurons = self._window.n_neurons
        most_dots = lines * dots.ROWS
        if most_dots == 0:
            return []
        stretch = max(1, min(_MOST_STRETCH, most_dots // n_neurons))
        group = -(-n_neurons // most_dots)
        lines = -(-n_neurons * stretch // (group * dots.ROWS))
        picture = np.zeros((lines * dots.ROWS, columns * dots.COLUMNS), np.bool_)
        row = self._place[recent.spikes[:, 1]] * stretch // group
        for above in range(max(1, stretch - 1)):
            picture[row + above, recent.spikes[:, 0]] = True
        firsts = -(-np.arange(lines) * dots.ROWS * group // stretch)
        names = [self._names[neuron] for neuron in firsts.tolist()]
        return [
            _labelled(name if name != before else "", Text(line, "cyan"))
            for name, before, line in zip(names, ["", *names], dots.braille(picture), strict=False)
        ]

    def _axis(self, recent: Recent, columns: int) -> Text:
        begin, end = f"{recent.first:,}", f"{max(0, self._window.ticks - 1):,}"
        gap = max(1, columns - len(begin) - len(end))
        return _labelled("tick", Text(begin + " " * gap + end, _DIM))

    def _rates(self, recent: Recent, columns: int, width: int) -> list[RenderableType]:
        """Return the rates of all neurons together, as bars below the raster and in numbers."""
        span, n_neurons = columns * dots.COLUMNS, self._window.n_neurons
        muted = np.zeros(span, np.bool_)
        muted[: len(recent.muted)] = recent.muted
        counts = np.bincount(recent.spikes[:, 0], minlength=span)
        rates = counts.reshape(columns, dots.COLUMNS).mean(axis=1) / n_neurons
        line = Text(dots.bars(rates, rates.max()), "green")
        for column in np.flatnonzero(muted.reshape(columns, dots.COLUMNS).any(axis=1)).tolist():
            line = _line(line[:column], Text(_MUTED, _FAULT), line[column + 1 :])
        mean = len(recent.spikes) / (n_neurons * max(1, len(recent.muted)))
        facts = [
            Text(f"{mean:.4f} spikes a neuron and tick"),
            Text(f"{rates.max():.4f} at most"),
        ]
        return [_labelled("rate", line), *_flowing("", facts, width)]

    def _busiest(self, recent: Recent, width: int) -> list[RenderableType]:
        counts = np.bincount(recent.spikes[:, 1], minlength=self._window.n_neurons)
        ranking = np.argsort(-counts, kind="stable")[:_BUSIEST]
        fields = [
            Text(f"{neuron} ({counts[neuron] / len(recent.muted):.2f})")
            for neuron in ranking.tolist()
            if counts[neuron]
        ]
        return _flowing("top", fields or [Text("nobody fires")], width)[:1]

    def _link(self, width: int) -> list[RenderableType]:
        seen = self._statistics
        fields = [
            Text(f"{seen.requests:,} requests"),
            Text(f"{decimal(seen.bytes_sent)} out"),
            Text(f"{decimal(seen.bytes_received)} in"),
            *(
                _fault(number, name)
                for number, name in (
                    (seen.resent, "resent"),
                    (seen.timeouts, "timeouts"),
                    (seen.bad_frames, "bad frames"),
                )
            ),
        ]
        return _flowing("link", fields, width)

    def _core(self, width: int) -> list[RenderableType]:
        window, clock_hz = self._window, self._identity.clock_hz
        seconds = self._seconds()
        speed = window.ticks / seconds if seconds else 0.0
        cycles = window.cycles / max(1, window.ticks - window.muted_ticks)
        fields = [
            Text(f"{speed:,.0f} ticks/s (measured)"),
            Text(f"{cycles:.1f} cycles a tick ({self._origin}), {cycles / clock_hz * 1e6:.2f} µs"),
            _fault(window.muted_ticks, "muted"),
        ]
        return _flowing("core", fields, width)

    def _seconds(self) -> float:
        return self._clock() - self._begin


def _line(*parts: Text | str) -> Text:
    """Return parts joined to one line, which is cut at the edge of the terminal."""
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _labelled(name: str, line: Text) -> Text:
    return _line(Text(f"{name[: _MARGIN - 1]:>{_MARGIN - 1}} ", _DIM), line)


def _fault(number: int, name: str) -> Text:
    """Return the count of a fault as text, highlighted unless it is 0."""
    return Text(f"{number:,} {name}", _FAULT if number else "")


def _flowing(name: str, fields: Iterable[Text], width: int) -> list[RenderableType]:
    """Return fields distributed to as many lines as they need."""
    lines: list[Text] = []
    for field in fields:
        if lines and len(lines[-1]) + len(_BETWEEN) + len(field) <= width - _MARGIN:
            lines[-1] = _line(lines[-1], _BETWEEN, field)
        else:
            lines.append(field)
    return [_labelled(name if number == 0 else "", line) for number, line in enumerate(lines)]
