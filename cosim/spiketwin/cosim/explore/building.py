"""Builds of the cores of a front: what the tools report of each, beside what was estimated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spiketwin.cosim.explore.results import Beside, BuiltCore, Exploration, TrialResult
from spiketwin.cosim.workers import answers
from spiketwin.cosim.workers.answers import AnswerFormat, Answers
from spiketwin.cosim.workers.crew import Crew, GivenUp
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.firmware.board import board
from spiketwin.firmware.build import TimingMissed, TooBig, build
from spiketwin.firmware.errors import BoardError, ClockError
from spiketwin.firmware.estimates.model import estimate
from spiketwin.firmware.plan import Plan, plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import preset
from spiketwin.host.progress import Steps

_FIGURES: Final = ("logic", "memory", "multipliers")
_KINDS: Final = dict(zip(_FIGURES, ("logic", "memory", "dsp"), strict=True))
"""Figures of a core that are counted in cells, and the kinds of cells of the FPGA."""


@dataclass(frozen=True)
class WantedBuild:
    """A core that is to be built.

    Attributes
    ----------
    board, core:
        Name of the board, and sizes of the core as ``--params`` takes them.
    clock_hz:
        Clock of the core; None for that of the board.
    """

    board: str
    core: str
    clock_hz: int | None

    @property
    def plan(self) -> Plan:
        """The plan of the build; raise `BoardError` or `ClockError` if there is none."""
        return plan(resolve(board(self.board)), preset(self.core), clock_hz=self.clock_hz)


@dataclass(frozen=True)
class Reported:
    """The report of the tools on a core.

    Attributes
    ----------
    figures:
        Figures of the build, as in its ``figures.json``; None if it came to none.
    failed:
        Why there is no bitstream; None if there is one, or a project for the vendor's tool.
    is_final:
        Whether the same build would end likewise, which one does not that a tool broke off.
    """

    figures: Mapping[str, Any] | None
    failed: str | None
    is_final: bool = True


def reported(wanted: WantedBuild) -> Reported:
    """Build a core, unless it lies in the cache of builds, and return what the tools report."""
    try:
        return Reported(build(wanted.plan).figures, None)
    except TimingMissed as missed:
        return Reported(missed.build.figures, _first_line(missed))
    except TooBig as error:
        return Reported(None, _first_line(error))
    except SpiketwinError as error:
        return Reported(None, _first_line(error), is_final=False)


def _first_line(error: SpiketwinError) -> str:
    return str(error).partition("\n")[0]


def wanted_of(trial: TrialResult) -> WantedBuild | None:
    """Return the core of a trial; None if it has no board or no core."""
    if trial.core is None or "board" not in trial.params:
        return None
    clock = trial.params.get("clock")
    return WantedBuild(
        str(trial.params["board"]), trial.core, None if clock is None else int(clock)
    )


def built(
    found: Exploration, store: Path | None, workforce: Workforce, progress: Steps
) -> Exploration:
    """Return a result with the builds of all cores of its front that have a board.

    Parameters
    ----------
    found:
        The result.
    store:
        File in which what the tools reported is kept, and looked up; None for none.
    workforce:
        Who builds.
    progress:
        Called with (cores done, cores).

    Raises
    ------
    StoreError, WorkersLost
        What was reported cannot be kept, or there is nobody to build.
    """
    of_front = {place: wanted_of(found.trials[place]) for place in found.front}
    cores = list(dict.fromkeys(each for each in of_front.values() if each is not None))
    with _kept(store) as kept, workforce.at_work(reported, may_be_here=True) as crew:
        reports = dict(_reports(cores, crew, kept, progress))
    trials = [
        dataclasses.replace(trial, built=_beside(core, reports[core]))
        if (core := of_front.get(place)) is not None
        else trial
        for place, trial in enumerate(found.trials)
    ]
    return dataclasses.replace(found, trials=trials)


@contextmanager
def _kept(store: Path | None) -> Iterator[Answers[WantedBuild, Reported]]:
    # The digest of a plan has all that shapes the build, the tools and the sources among them.
    form = AnswerFormat[WantedBuild, Reported](
        lambda core: core.plan.digest, dataclasses.asdict, lambda written: Reported(**written)
    )
    with answers.opened(store, "build", form) as kept:
        yield kept


def _reports(
    cores: list[WantedBuild],
    crew: Crew[WantedBuild, Reported],
    kept: Answers[WantedBuild, Reported],
    progress: Steps,
) -> Iterator[tuple[WantedBuild, Reported]]:
    """Yield each core with what is reported of it, kept as soon as it is there."""
    done, left = 0, []
    for core in cores:
        report = _known(core, kept)
        if report is None:
            left.append(core)
        else:
            done += 1
            yield core, report
    progress(done, len(cores))
    for place, found in crew.run(left):
        report = found if isinstance(found, Reported) else _given_up(found)
        if report.is_final:
            kept.add(left[place], report)
        done += 1
        progress(done, len(cores))
        yield left[place], report


def _known(core: WantedBuild, kept: Answers[WantedBuild, Reported]) -> Reported | None:
    try:
        return kept.find(core)
    except (BoardError, ClockError) as error:  # there is no such plan
        return Reported(None, _first_line(error), is_final=False)


def _given_up(end: GivenUp) -> Reported:
    return Reported(None, f"the build {end}", is_final=False)


def _beside(core: WantedBuild, report: Reported) -> BuiltCore:
    """Return what was reported of a core beside what is estimated, as far as either is known."""
    estimated: dict[str, float] = {}
    with suppress(BoardError):  # of a family without stored builds
        guess = estimate(preset(core.core), core.board)
        estimated = {name: getattr(guess, kind) for name, kind in _KINDS.items()}
        estimated["max_clock"] = guess.max_clock_hz
    figures = report.figures or {}
    found = {n: figures[kind]["used"] for n, kind in _KINDS.items() if kind in figures}
    fmax = figures.get("fmax_mhz")
    return BuiltCore(
        **{name: Beside(estimated.get(name), found.get(name)) for name in _FIGURES},
        max_clock=Beside(estimated.get("max_clock"), None if fmax is None else 1e6 * fmax),
        origin=figures.get("origin"),
        failed=report.failed,
    )
