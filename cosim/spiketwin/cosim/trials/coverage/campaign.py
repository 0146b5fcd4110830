"""The trials of mutants and more of the same kind, on designs that record what they cover."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from spiketwin.cosim.rtl.build import Design, emitted, library
from spiketwin.cosim.trials.coverage.constants import Constants
from spiketwin.cosim.trials.coverage.recorded import (
    CoverPoint,
    Recorded,
    points,
    text_of,
    units_of,
)
from spiketwin.cosim.trials.coverage.results import Borrowed, CoverageResult, Missed, Unit
from spiketwin.cosim.trials.coverage.trials import trials
from spiketwin.cosim.trials.mutation.observing import Trial
from spiketwin.cosim.trials.mutation.trials import BENCHES, requests
from spiketwin.cosim.workers.crew import GivenUp, WorkFailed
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl.gateware.levels import TOP_OF
from spiketwin.host.progress import Stages, Steps

_DEAREST_FIRST: Final = ("roomy", "device", "matrix", "paired")
"""Order in which benches begin, so that no process is left alone with a long one."""

Job = TypeVar("Job")
Answer = TypeVar("Answer")

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
    bench, module:
        Regular expressions for the name of the design, and for the last part of that of the module;
        empty for all.
    text:
        A regular expression for the line of the Verilog with the one behind it, and the case that
        it is in before it.
    what:
        A regular expression for the branch, or the bit with its change.
    elsewhere:
        Whether it is only for points that are reached in another design (`Missed.likeness`).
    """

    name: str
    reason: str
    unit: str
    bench: str = ""
    module: str = ""
    text: str = ""
    what: str = ""
    elsewhere: bool = False

    def covers(self, point: Missed) -> bool:
        """Return whether it is for a point."""
        whole = (self.unit, point.unit), (self.bench, point.bench), (self.module, point.module)
        parts = (self.text, point.text), (self.what, point.what)
        return all(not wanted or re.fullmatch(wanted, name) for wanted, name in whole) and all(
            re.search(wanted, text) for wanted, text in parts
        )


@cache
def waivers() -> tuple[Waiver, ...]:
    """Return all waivers."""
    held = tomllib.loads(WAIVERS.read_text("utf-8"))
    return tuple(Waiver(name=name, **fields) for name, fields in held.items())


@dataclass(frozen=True)
class CoverageTask:
    """A trial of a bench, and the folder for what it covers."""

    bench: str
    trial: str
    folder: str


def measure(report: Stages, progress: Steps, workers: int) -> CoverageResult:
    """Run all trials, and return what they cover.

    Parameters
    ----------
    report:
        Called with one line before each part of the work.
    progress:
        Called with the number of trials that were run, and of all.
    workers:
        Number of processes.

    Raises
    ------
    TargetError
        A design cannot be built.
    WorkFailed
        A trial fails.
    """
    for name in BENCHES:
        report(f"building {name}")
        library(_design(name))
    # Here, and not where the trials run: these processes are ended where an interrupt finds them.
    with TemporaryDirectory() as folder:
        tasks = [
            CoverageTask(name, trial, str(Path(folder, name, str(number))))
            for name in sorted(BENCHES, key=_DEAREST_FIRST.index)
            for number, trial in enumerate(_trials(name))
        ]
        report(f"running trials, processes: {workers}")
        for done, _ in enumerate(_done(covered, tasks, workers), 1):
            progress(done, len(tasks))
        report("counting what was covered")
        places = [(name, str(Path(folder, name))) for name in BENCHES]
        found = CoverageResult.joined(_done(counted, places, workers))
        # A waiver that is for no point any more is shown with none.
        none = dict.fromkeys(sorted(each.name for each in waivers()), 0)
        return replace(found, waived=none | found.waived)


def _done(work: Callable[[Job], Answer], jobs: Sequence[Job], workers: int) -> Iterator[Answer]:
    """Yield the answers of a work, in any order; raise `WorkFailed` for one without an answer."""
    with Workforce(workers).at_work(work) as crew:
        for place, answer in crew.run(jobs):
            if isinstance(answer, GivenUp):
                raise WorkFailed(f"{jobs[place]} {answer}")
            yield answer


def _design(name: str) -> Design:
    return replace(BENCHES[name].design, instrument=Recorded())


def _trials(name: str) -> dict[str, Trial]:
    """Return the trials of a bench of the mutants, and more."""
    return {**BENCHES[name].trials, "requests 3": partial(requests, seed=3), **trials(name)}


def covered(task: CoverageTask) -> None:
    """Run a trial, and have what it covers written to its folder."""
    design = _design(task.bench)
    Path(task.folder).mkdir(parents=True)
    record = ctypes.CDLL(str(library(design))).spiketwin_record
    record(os.fsencode(task.folder))
    _trials(task.bench)[task.trial](design)
    gc.collect()  # a simulation writes what it covered when it ends
    record(b"")


def counted(place: tuple[str, str]) -> CoverageResult:
    """Return what the trials of a bench cover, from the folder with the folders of the trials."""
    name, folder = place
    design = _design(name)
    verilog = library(design).with_name(_VERILOG).read_text("utf-8")
    constants = Constants(emitted(design), TOP_OF[design.level])
    files = sorted(Path(folder).rglob("*.dat"))
    found = points(files, verilog)
    units: dict[str, Unit] = {}
    missed: list[Missed] = []
    reached: set[tuple[str, str]] = set()
    borrowed: list[Borrowed] = []
    waived: Counter[str] = Counter()
    for point, count, here in _placed(name, found, verilog):
        unit = here.unit
        if count:
            units[unit] = units.get(unit, Unit()).counted(point.kind, covered=True)
            if point.kind != "toggle":
                reached.add((name, here.likeness))
            continue
        # What Yosys takes for constant may change if it begins undefined: then it was counted.
        if point in constants or constants.forbid(point, here.text):
            continue
        waiver = next((each for each in waivers() if each.covers(here)), None)
        if waiver is None:
            units[unit] = units.get(unit, Unit()).counted(point.kind, covered=False)
            missed.append(here)
        elif waiver.elsewhere:
            borrowed.append(Borrowed(waiver.name, here))
        else:
            waived[waiver.name] += 1
    return CoverageResult(units, dict(waived), tuple(missed), frozenset(reached), tuple(borrowed))


def _placed(
    name: str, found: Counter[CoverPoint], verilog: str
) -> Iterator[tuple[CoverPoint, int, Missed]]:
    """Yield the points in units that a bench is for, with counts, and as if they were missed."""
    units, lines = units_of(verilog), verilog.splitlines()
    for point, count in found.items():
        unit = units.get(point.module)
        if unit is not None and BENCHES[name].is_for(unit):
            module, text = point.module.split(".")[-1], lines[point.line - 1].strip()
            if point.kind != "toggle":
                text = text_of(lines, point.line)
            yield point, count, Missed(name, unit, module, point.kind, point.what, text)
