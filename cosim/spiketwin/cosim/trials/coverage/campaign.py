"""The trials of mutants and more of the same kind, on designs that record what they cover."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from spiketwin.cosim.rtl.build import Design, library
from spiketwin.cosim.trials.coverage.recorded import Point, Recorded, points, units_of
from spiketwin.cosim.trials.coverage.results import CoverageResult, Missed, Unit
from spiketwin.cosim.trials.mutation.observing import Trial
from spiketwin.cosim.trials.mutation.trials import BENCHES, requests
from spiketwin.host.progress import Stages

_DEVICE: Final = "device"
_CORE: Final = "core/"
_MORE_REQUESTS: Final = 1
_VERILOG: Final = "core.v"
WAIVERS: Final = Path(__file__).with_name("waivers.toml")


@dataclass(frozen=True)
class Waiver:
    """Points that need not be covered.

    Attributes
    ----------
    name, reason:
        What they are, and why they are not covered.
    unit:
        File of the gateware, below ``gateware/``; a regular expression.
    text:
        A regular expression for the line of the Verilog with the one behind it.
    """

    name: str
    reason: str
    unit: str
    text: str

    def covers(self, unit: str, text: str) -> bool:
        """Return whether it is for a point of this unit."""
        return bool(re.fullmatch(self.unit, unit) and re.search(self.text, text))


def waivers() -> list[Waiver]:
    """Return all waivers."""
    held = tomllib.loads(WAIVERS.read_text("utf-8"))
    return [Waiver(name=name, **fields) for name, fields in held.items()]


def measure(report: Stages) -> CoverageResult:
    """Run all trials, and return what they cover.

    Parameters
    ----------
    report:
        Called with one line before each design.

    Raises
    ------
    TargetError
        A design cannot be built.
    """
    units: dict[str, Unit] = {}
    missed: list[Missed] = []
    waived: Counter[str] = Counter()
    for name, bench in BENCHES.items():
        report(f"covering {name}")
        design = replace(bench.design, instrument=Recorded())
        verilog = library(design).with_name(_VERILOG).read_text("utf-8")
        found = _covered(design, _trials(name), verilog)
        for unit, point, count, text in _placed(found, verilog):
            if unit.startswith(_CORE) == (name == _DEVICE):
                continue  # another design is for it
            waiver = next((w for w in waivers() if not count and w.covers(unit, text)), None)
            if waiver is not None:
                waived[waiver.name] += 1
                continue
            units[unit] = units.get(unit, Unit()).counted(point.kind, bool(count))
            if not count:
                missed.append(Missed(name, unit, point.kind, point.what, text))
    return CoverageResult(dict(sorted(units.items())), dict(waived), tuple(missed))


def _trials(name: str) -> dict[str, Trial]:
    """Return the trials of a bench, and more requests."""
    more: dict[str, Trial] = {
        f"requests, seed {seed}": partial(requests, seed=seed)
        for seed in range(3, 3 + _MORE_REQUESTS)
    }
    return {**BENCHES[name].trials, **more}


def _covered(design: Design, trials: dict[str, Trial], verilog: str) -> Counter[Point]:
    with TemporaryDirectory() as folder:
        record = ctypes.CDLL(str(library(design))).spiketwin_record
        record(os.fsencode(folder))
        for trial in trials.values():
            trial(design)
        gc.collect()  # a simulation writes what it covered when it ends
        record(b"")
        return points(sorted(Path(folder).iterdir()), verilog)


def _placed(found: Counter[Point], verilog: str) -> Iterator[tuple[str, Point, int, str]]:
    """Yield the points that are in units of the gateware: unit, point, count, and its text."""
    units, lines = units_of(verilog), verilog.splitlines()
    for point, count in found.items():
        if point.module in units:
            text = " ".join(line.strip() for line in lines[point.line - 1 : point.line + 1])
            yield units[point.module], point, count, re.sub(r"\(\*.*?\*\) ?", "", text)
