"""Writing of events: CSV and .npz, which `read` reads again, and NIX for the tools of Neo."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from spiketwin.host.errors import InvalidInput
from spiketwin.host.events.neo_blocks import to_neo
from spiketwin.host.events.value import Events
from spiketwin.host.paths import path_of
from spiketwin.host.replacing import replacing

_SUFFIXES: Final = (".csv", ".npz", ".nix")


def write(path: str | os.PathLike[str], events: Events) -> None:
    """Write events to a file of the format that the end of its name says.

    An existing file is replaced atomically, once the new one is complete.

    Parameters
    ----------
    path:
        Path that ends in ``.csv``, in which a line is an event; ``.npz``, which also holds the
        size of the sensor; or ``.nix``, with a spike train for each unit.
    events:
        The events; at units, for NIX.

    Raises
    ------
    InvalidInput
        The name has another end, or the events are at pixels and the file would be NIX.
    ImportError
        NIX needs the extra `events`.
    OSError
        The file cannot be written; an existing one is unchanged.
    """
    place = check_name(path)
    if not isinstance(events, Events):
        raise InvalidInput("events must be Events: `read` and `of_spikes` return them")
    data = _nix(events) if place.suffix.lower() == ".nix" else None
    with replacing(place) as file:
        if data is not None:
            file.write(data)
        elif place.suffix.lower() == ".csv":
            _csv(file, events)
        else:
            _npz(file, events)


def check_name(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to write; raise `InvalidInput` if its end names no format."""
    place = path_of(path, "path")
    if place.suffix.lower() not in _SUFFIXES:
        raise InvalidInput(f"{place} must end with {', '.join(_SUFFIXES)}, which says the format")
    return place


def _csv(file: IO[bytes], events: Events) -> None:
    columns = events.arrays()
    names = ("time_us" if name == "t" else name for name in columns)
    file.write(f"{','.join(names)}\n".encode())
    np.savetxt(file, np.stack([*columns.values()], axis=1), fmt="%d", delimiter=",")


def _npz(file: IO[bytes], events: Events) -> None:
    arrays: dict[str, Any] = dict(events.arrays())
    name = "size" if events.pixels else "units"
    arrays |= {name: np.array(getattr(events, name)), "begin": np.array(events.begin)}
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _nix(events: Events) -> bytes:
    """Return the bytes of a NIX file; HDF5 writes files of a name and no streams."""
    from neo.io import NixIO

    block = to_neo(events)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "events.nix")
        with NixIO(str(made), mode="ow") as written:
            written.write_block(block)
        return made.read_bytes()
