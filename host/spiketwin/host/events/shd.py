"""Spiking Heidelberg Digits and its like (HDF5): samples of spikes of the units of a cochlea.

``spikes/times`` has the times of each sample in seconds, ``spikes/units`` the unit of each spike,
and ``labels`` the class of each sample (Cramer, Stradmann, Schemmel and Zenke 2020).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.host.errors import EventFileError
from spiketwin.host.events import hdf5
from spiketwin.host.events.value import MOST_UNITS, Events
from spiketwin.host.events.wanted import Format, Wanted

_TIMES: Final = "spikes/times"
_UNITS: Final = "spikes/units"
_LABELS: Final = "labels"
_USUAL: Final = 700
"""Units of SHD and SSC."""


def _read(path: Path, wanted: Wanted) -> Events:
    with hdf5.opened(path) as file:
        for name in (_TIMES, _UNITS):
            if name not in file or not hasattr(file[name], "shape"):
                raise EventFileError(
                    f"it lacks the table {name}, beside which it has the other one"
                )
        times, units = file[_TIMES], file[_UNITS]
        if times.shape != units.shape or len(times.shape) != 1:
            raise EventFileError(
                f"{_TIMES} and {_UNITS} must be lists of one length, not of {times.shape} and "
                f"{units.shape}"
            )
        number = wanted.number(path, len(times))
        t = hdf5.microseconds(f"{_TIMES}[{number}]", np.asarray(times[number]), 1e6)
        unit = np.asarray(units[number])
        label = _label(file, number, len(times))
    hdf5.check_count(_TIMES, len(t))
    if unit.shape != t.shape or unit.dtype.kind not in "iu":
        raise EventFileError(
            f"{_UNITS}[{number}] must be {len(t)} integers, as there are so many times, not "
            f"{unit.dtype} {unit.shape}"
        )
    remarks = []
    order = np.argsort(t, kind="stable")
    if (np.diff(t) < 0).any():
        remarks.append("times were not ascending, and events are sorted")
    count = wanted.units
    if count is None and not (unit >= _USUAL).any():
        count = _USUAL
        remarks.append(f"there are taken to be {count} units, as in SHD and SSC")
    if (unit.astype(np.int64) >= MOST_UNITS).any():
        raise EventFileError(f"{_UNITS}[{number}] must be in 0…{MOST_UNITS - 1}")
    return replace(wanted, units=count).events(
        t=t[order], unit=unit[order].astype(np.int64), label=label, remarks=tuple(remarks)
    )


def _label(file: Any, number: int, count: int) -> int | None:
    """Return the label of a sample, if there are labels; raise `EventFileError` for others."""
    if _LABELS not in file:
        return None
    labels = file[_LABELS]
    if getattr(labels, "shape", None) != (count,) or labels.dtype.kind not in "iu":
        raise EventFileError(f"{_LABELS} must be {count} integers, one for each sample")
    return int(labels[number])


def _recognises(path: Path, head: bytes) -> bool:
    if not head.startswith(hdf5.MARK):
        return False
    with hdf5.opened(path) as file:
        return _TIMES in file or _UNITS in file


FORMAT: Final = Format("SHD", _recognises, _read)
