"""The stimulus of a run: saved with the network, or read from a file of its own."""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.text import shown
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.cli.options import InputFile
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import Stimulus
from spiketwin.host.inputs import bounded_lines, open_regular
from spiketwin.host.npy import ArrayError, read_elements, read_header
from spiketwin.host.paths import readable
from spiketwin.host.stimuli import MOST_EVENTS, checked_events

_MOST_BYTES: Final = 1 << 29
"""Most bytes of a file of spikes: the most events, each with the longest numbers."""

_CSV_ROW: Final = re.compile(r"\s*([0-9]{1,10})\s*,\s*([0-9]{1,10})\s*")

spike_file = click.option(
    "--spikes",
    "spike_file",
    type=InputFile(),
    metavar="FILE",
    help="Axon events, one (tick, axon) a row: an integer array as .npy, or .csv. "
    "Default: those saved with the network, and its bias events.",
)

ticks = click.option(
    "--ticks",
    type=click.IntRange(min=1),
    help="Length of the run. Default: as saved; with --spikes or --events, up to the last one.",
)


def chosen(
    saved: Stimulus | None,
    n_axons: int,
    spike_file: Path | None,
    ticks: int | None,
    asked: Asked | None = None,
) -> Stimulus:
    """Return the stimulus of a run, as saved or as the options say.

    Events are checked here, before a target is opened, which may take a build. Raises
    `InvalidInput` if the length of the run is not given, the file is not a table of events, or an
    event is outside the run or the network.
    """
    if asked is not None:
        asked.check()
    if asked is not None and asked.file is not None:
        if spike_file is not None:
            raise click.UsageError("give --spikes or --events, not both")
        found = _of_events(asked, asked.file, n_axons, ticks)
    else:
        found = _asked_for(saved, spike_file, ticks)
    return replace(found, spikes=checked_events(found.spikes, found.ticks, n_axons))


def _of_events(asked: Asked, file: Path, n_axons: int, ticks: int | None) -> Stimulus:
    """Return the events of a file as a stimulus, and say what became of them."""
    found = asked.read()
    binned = asked.ticks(found)
    if binned.n_axons > n_axons:
        raise InvalidInput(
            f"{file} has events for {binned.n_axons} axons, and the network has {n_axons}: pool "
            "more (--pool), or take a part (--crop)"
        )
    length = ticks or binned.ticks
    rows = binned.rows[binned.rows[:, 0] < length]
    notes = [
        f"{len(rows)} events of {len(found)} ({found.format})",
        f"{binned.shared} share their tick with another one of their axon",
        *([f"{binned.left_out} are outside of the crop"] if binned.left_out else []),
        *found.remarks,
    ]
    click.echo(f"spiketwin: {readable(file)}: {'; '.join(notes)}", err=True)
    return Stimulus(rows, length)


def without_biases(chosen: Stimulus, command: str) -> Stimulus:
    """Return a stimulus for a command that plays axon events alone.

    Raises `InvalidInput` if there are bias events in it.
    """
    if len(chosen.biases):
        raise InvalidInput(
            f"the stimulus has {len(chosen.biases)} bias events, which `spiketwin {command}` does "
            "not play: give --spikes, or save the network without `biases`"
        )
    return chosen


def _asked_for(saved: Stimulus | None, spike_file: Path | None, ticks: int | None) -> Stimulus:
    if spike_file is not None:
        events = read_spikes(spike_file)
        return Stimulus(events, ticks or max(1, int(events[:, 0].max(initial=0)) + 1))
    if saved is None:
        if ticks is None:
            raise InvalidInput(
                "no spikes are saved with this network: give --spikes, or --ticks to run without"
            )
        return Stimulus(np.empty((0, 2), np.int64), ticks)
    if ticks is None:
        return saved
    spikes, biases = (rows[rows[:, 0] < ticks] for rows in (saved.spikes, saved.biases))
    return Stimulus(spikes, ticks, biases)


def read_spikes(path: Path) -> NDArray[np.int64]:
    """Return the table of axon events in a file, shape (k, 2): (tick, axon).

    The memory taken is bounded by the most events of a run, and nothing in the file is executed.

    Raises
    ------
    InvalidInput
        The file is neither .npy nor .csv, is not a table of two columns of integers, or is
        truncated.
    OSError
        As `open` raises it.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".npy":
        return _read_npy(path)
    raise InvalidInput(f"{path} must be a .npy or a .csv file: save it as one of them")


def _read_csv(path: Path) -> NDArray[np.int64]:
    numbers = array("q")
    with open_regular(path, _MOST_BYTES, InvalidInput) as file:
        for index, line in enumerate(bounded_lines(file, path, _MOST_BYTES, InvalidInput), start=1):
            row = _CSV_ROW.fullmatch(line)
            if row:
                numbers.append(int(row[1]))
                numbers.append(int(row[2]))
                _check_number(path, len(numbers) // 2)
            elif line.strip() and (index > 1 or any(each.isdigit() for each in line)):
                raise InvalidInput(
                    f"{path}, line {index}, must be two whole numbers from 0 on, tick and axon, "
                    f"such as 12,3; it is {shown(line)}"
                )
    return np.frombuffer(numbers, np.int64).reshape(-1, 2)


def _read_npy(path: Path) -> NDArray[np.int64]:
    with open_regular(path, _MOST_BYTES, InvalidInput) as file:
        try:
            header = read_header(file)
            if 0 in header.shape:
                return np.empty((0, 2), np.int64)
            shape, dtype = header.shape, header.dtype
            if dtype is None or dtype.kind not in "iu" or len(shape) != 2 or shape[1] != 2:
                raise InvalidInput(
                    f"{path} must hold integers of shape (k, 2), (tick, axon), not {header}: write "
                    "it with numpy.save(file, spikes)"
                )
            _check_number(path, shape[0])
            events = read_elements(file, header, dtype)
        except ArrayError as error:
            raise InvalidInput(
                f"{path} is no array of numbers ({error}): write it with numpy.save(file, spikes)"
            ) from error
    if dtype.itemsize == 8 and dtype.kind == "u" and events.max() >> 63:
        raise InvalidInput(f"{path} holds {events.max()}, which is no tick and no axon")
    return events.astype(np.int64)


def _check_number(path: Path, events: int) -> None:
    if events > MOST_EVENTS:
        raise InvalidInput(
            f"{path} has more than {MOST_EVENTS} events, the most there can be: run it in parts"
        )
