"""The command ``spiketwin convert``: events of a file, to another format or to ticks of axons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click
import numpy as np
from rich.table import Table

from spiketwin.hdl.spec.results import Result
from spiketwin.host.cli import event_file, options
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.elements import IntArray
from spiketwin.host.paths import readable

if TYPE_CHECKING:
    from spiketwin.host.events import Events, Ticks

_OF_TICKS: Final = (".csv", ".npy")


@dataclass(frozen=True)
class Binned(Result):
    """Events as ticks of axons.

    Attributes
    ----------
    dt:
        Seconds that a tick stands for.
    ticks:
        Ticks up to the last event.
    n_axons:
        Axons that events can have.
    events:
        Rows of (tick, axon).
    shared:
        Events that share their tick with an earlier one of the same axon; they count as well.
    left_out:
        Events outside of the crop.
    """

    dt: float
    ticks: int
    n_axons: int
    events: int
    shared: int
    left_out: int


@dataclass(frozen=True)
class Converted(Result):
    """The result of ``spiketwin convert``.

    Attributes
    ----------
    format:
        Format of the file, as its content says.
    events:
        Events that were read.
    microseconds:
        From the begin of the recording to the last event.
    size:
        Columns and rows of the sensor; null of units.
    units:
        Number of units; null of pixels.
    label:
        Class of the sample; null if the file says none.
    remarks:
        What was left out, sorted, rounded or assumed.
    binned:
        What became of the events as ticks; null without ``--dt``.
    """

    format: str
    events: int
    microseconds: int
    size: list[int] | None
    units: int | None
    label: int | None
    remarks: list[str]
    binned: Binned | None

    @classmethod
    def of(cls, found: Events, ticks: Ticks | None) -> Converted:
        """Return what was read of a file, and what became of it as ticks, if that was asked for."""
        binned = None
        if ticks is not None:
            binned = Binned(
                ticks.dt, ticks.ticks, ticks.n_axons, len(ticks.rows), ticks.shared, ticks.left_out
            )
        return cls(
            found.format, len(found), found.duration, None if found.size is None else [*found.size],
            found.units, found.label, list(found.remarks), binned,
        )  # fmt: skip


@click.command(
    epilog="\b\n"
    "spiketwin convert recording.aedat4 recording.csv\n"
    "spiketwin convert 00002.bin events.npy --dt 0.001 --pool 2 --json figures.json\n"
    "spiketwin convert shd_test.h5 sample.nix --sample 7"
)
@event_file.conversion
@click.argument("output", type=options.OutputFile())
@options.json_file
def convert(asked: Asked, output: Path, json_file: Path | None) -> None:
    """Read the events in FILE and write them to OUTPUT.

    What FILE is follows from its content: AEDAT 4, N-MNIST, .dat, SHD, text, CSV, NIX or .npz.
    OUTPUT is .csv, .npz or .nix, with times in microseconds. With --dt it is .csv or .npy with rows
    of (tick, axon), as --spikes takes them.
    """
    from spiketwin.host import events

    options.check_distinct({"OUTPUT": output, "--json": json_file}, {"FILE": asked.file})
    _check(asked, output)
    found = asked.read()
    ticks = None if asked.dt is None else asked.ticks(found)
    outputs = options.Outputs()
    if ticks is None:
        outputs.attempt(lambda: events.write(output, found))
    else:
        outputs.write(output, lambda file: _write_rows(file, output, ticks.rows))
    result = Converted.of(found, ticks)
    outputs.json(json_file, result)
    options.console().print(_table(f"{readable(asked.file)} to {readable(output)}", result))
    outputs.check()


def _check(asked: Asked, output: Path) -> None:
    """Raise `click.UsageError` for an output of no known format, or options without ``--dt``."""
    if asked.dt is None:
        from spiketwin.host.events.writing import check_name

        check_name(output)
        for name in ("pool", "crop"):
            if getattr(asked, name) is not None:
                raise click.UsageError(f"--{name} is for ticks of axons: give --dt")
    elif output.suffix.lower() not in _OF_TICKS:
        raise click.UsageError(f"with --dt, OUTPUT must end with {' or '.join(_OF_TICKS)}")


def _write_rows(file: IO[bytes], output: Path, rows: IntArray) -> None:
    if output.suffix.lower() == ".npy":
        np.save(file, rows, allow_pickle=False)
    else:
        file.write(b"tick,axon\n")
        np.savetxt(file, rows, fmt="%d", delimiter=",")


def _table(title: str, found: Converted) -> Table:
    table = Table(title=title, show_header=False)
    place = (
        f"{found.units:,} units" if found.size is None else "{:,} × {:,} pixels".format(*found.size)
    )
    for name, text in (
        ("format", found.format), ("events", f"{found.events:,}"), ("places", place),
        ("seconds", f"{found.microseconds / 1e6:,.6f}"),
        *([] if found.label is None else [("label", str(found.label))]),
    ):  # fmt: skip
        table.add_row(name, text)
    if (binned := found.binned) is not None:
        table.add_row("ticks, axons", f"{binned.ticks:,}, {binned.n_axons:,}")
        share = binned.shared / max(1, binned.events)
        table.add_row("events in a tick with others of their axon", f"{share:.1%}")
        table.add_row("events left out", f"{binned.left_out:,}")
    for remark in found.remarks:
        table.add_row("remark", remark)
    return table
