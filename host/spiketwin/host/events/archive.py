"""Archives of arrays (.npz), as `write` makes them: `t`, and `x`, `y`, `polarity`, or `unit`.

``size`` or ``units`` beside them is that of the sensor. The data are read by a reader of our own,
which takes the memory that the shapes need once they are known to be possible.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.host.archives import DAMAGED, check_directory
from spiketwin.host.errors import EventFileError
from spiketwin.host.events.value import Events
from spiketwin.host.events.wanted import Format, Wanted
from spiketwin.host.inputs import open_regular
from spiketwin.host.npy import ArrayError, read_elements, read_header
from spiketwin.host.stimuli import MOST_EVENTS

_MARK: Final = b"PK\3\4"
_MOST_BYTES: Final = 1 << 30
_COLUMNS: Final = ({"t", "x", "y", "polarity"}, {"t", "unit"})
_OF_SENSOR: Final = {"size": (2,), "units": (), "begin": ()}


def _read(path: Path, wanted: Wanted) -> Events:
    with open_regular(path, _MOST_BYTES, EventFileError) as file:
        try:
            check_directory(file, EventFileError)
            with zipfile.ZipFile(file) as archive:
                found = _arrays(archive)
        except (EventFileError, ArrayError):
            raise
        except DAMAGED as error:
            raise EventFileError(f"it is damaged ({error}): write it again") from error
    for name in found.keys() & _OF_SENSOR.keys():
        found[name] = tuple(found[name].tolist()) if found[name].ndim else int(found[name])
    return wanted.events(**found)


def _arrays(archive: zipfile.ZipFile) -> dict[str, Any]:
    members = {name.removesuffix(".npy") for name in archive.namelist()}
    columns = members - _OF_SENSOR.keys()
    if columns not in _COLUMNS or len(members) != len(archive.namelist()):
        network = " (it is a network: `spiketwin run` takes it)" if "header" in members else ""
        raise EventFileError(
            "it must hold the arrays t and unit, or t, x, y and polarity, beside size, units or "
            f"begin, not {', '.join(sorted(members)[:9])}{network}"
        )
    return {name: _array(archive, name) for name in sorted(members)}


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        header = read_header(member)
        dtype, shape = header.dtype, header.shape
        one = name not in _OF_SENSOR and len(shape) == 1 and shape[0] <= MOST_EVENTS
        if dtype is None or dtype.kind not in "iub" or not (one or shape == _OF_SENSOR.get(name)):
            raise EventFileError(
                f"{name} must be integers, one for each of at most {MOST_EVENTS} events, not "
                f"{header}"
            )
        array = read_elements(member, header, dtype)
    if dtype.kind == "u" and dtype.itemsize == 8 and (array >> np.uint64(63)).any():
        raise EventFileError(f"{name} holds {array.max()}, which is beyond all ranges")
    return array.astype(np.int64)


def _recognises(_path: Path, head: bytes) -> bool:
    return head.startswith(_MARK)


FORMAT: Final = Format(".npz", _recognises, _read)
