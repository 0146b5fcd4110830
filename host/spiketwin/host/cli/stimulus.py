"""The stimulus of a run: saved with the network, or of a file of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spiketwin.host.cli.options import InputFile
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import Stimulus

_CSV_ROW: Final = re.compile(r"\s*([0-9]{1,10})\s*,\s*([0-9]{1,10})\s*")

spike_file = click.option(
    "--spikes",
    "spike_file",
    type=InputFile(),
    metavar="FILE",
    help="Axon events, one (tick, axon) a row: an integer array as .npy, or .csv. "
    "Default: those saved with the network.",
)

ticks = click.option(
    "--ticks",
    type=click.IntRange(min=1),
    help="Length of the run. Default: as saved; with --spikes, up to the last one.",
)


def chosen(
    saved: Stimulus | None, spike_file: Path | None, ticks: int | None
) -> tuple[NDArray[Any], int]:
    """Give events and length of a run, of what was saved and what the options say.

    Raises `InvalidInput` where neither says how long it is, or the file is no table of events.
    """
    if spike_file is not None:
        events = _read_spikes(spike_file)
        return events, ticks or (int(events[:, 0].max()) + 1 if len(events) else 1)
    if saved is None:
        if ticks is None:
            raise InvalidInput(
                "no spikes are saved with this network: give --spikes, or --ticks to run without"
            )
        return np.empty((0, 2), np.int64), ticks
    if ticks is None:
        return saved.spikes, saved.ticks
    return saved.spikes[saved.spikes[:, 0] < ticks], ticks


def _read_spikes(path: Path) -> NDArray[Any]:
    """Read a table of integers with two columns; nothing in a file can be executed."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix == ".npy":
        return _read_npy(path)
    raise InvalidInput(f"{path} must be a .npy or a .csv file: save it as one of them")


def _read_csv(path: Path) -> NDArray[Any]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is no text in UTF-8: save it as such") from error
    if lines and not any(character.isdigit() for character in lines[0]):
        lines[0] = ""  # a heading
    rows = []
    for number, line in enumerate(lines, start=1):
        row = _CSV_ROW.fullmatch(line)
        if row:
            rows.append((int(row[1]), int(row[2])))
        elif line.strip():
            raise InvalidInput(
                f"{path}, line {number}, must be two whole numbers from 0 on, tick and axon, "
                f"such as 12,3; it is {line!r}"
            )
    return np.array(rows, np.int64).reshape(-1, 2)


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            table: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise InvalidInput(
            f"{path} is no array of numbers: write it with numpy.save(file, spikes)"
        ) from error
    if table.size and (table.ndim != 2 or table.shape[1] != 2 or table.dtype.kind not in "iu"):
        raise InvalidInput(
            f"{path} must hold integers of shape (k, 2), (tick, axon), not {table.dtype} of "
            f"shape {table.shape}"
        )
    return table.reshape(-1, 2)
