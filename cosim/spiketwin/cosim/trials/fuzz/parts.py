"""The inputs of a campaign in parts, which processes feed, and what came of each."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spiketwin.cosim.trials.fuzz.campaign import FuzzFinding, FuzzTally, bounded_memory, search
from spiketwin.cosim.trials.fuzz.results import KeptFinding
from spiketwin.cosim.trials.fuzz.surfaces import SURFACES
from spiketwin.cosim.workers import answers, sources
from spiketwin.cosim.workers.answers import AnswerFormat, answered
from spiketwin.cosim.workers.crew import GivenUp
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.host.progress import Progress

_INPUTS: Final = 2_000
"""Most inputs of a part, which take about a second."""

_MOST_SECONDS: Final = 1800.0
"""Longest time that a part may take, in case an input stops the process that it is fed to."""

_MEMORY: Final = Path("/dev/shm")
"""Folder in memory, if the system has one: half of the inputs are files, each written once."""


@dataclass(frozen=True)
class FuzzPart:
    """A part of the inputs for one surface, which follow from these values alone.

    Attributes
    ----------
    surface:
        Name of the surface.
    first, inputs:
        Number of its first input, and how many inputs it has.
    seed:
        Seed of the campaign.
    """

    surface: str
    first: int
    inputs: int
    seed: int

    def __str__(self) -> str:
        """Return the text by which it is kept."""
        return f"{self.surface}, {self.inputs} inputs from {self.first} on, of seed {self.seed}"


def parts(names: Sequence[str], inputs: int, seed: int) -> Iterator[FuzzPart]:
    """Yield the parts of a campaign: equal shares for all surfaces, in order."""
    for index, name in enumerate(names):
        left = inputs // len(names) + (index < inputs % len(names))
        for first in range(0, left, _INPUTS):
            yield FuzzPart(name, first, min(_INPUTS, left - first), seed)


def fed(part: FuzzPart) -> FuzzTally:
    """Feed a part of the inputs, within the bounds of `campaign`."""
    folder = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as files, bounded_memory():
        surface = SURFACES[part.surface](Path(files))
        return search(part.surface, surface, part.inputs, part.seed, part.first)


def run(
    todo: Sequence[FuzzPart], workforce: Workforce, store: Path | None, progress: Progress
) -> tuple[dict[str, FuzzTally], list[str]]:
    """Have all parts fed; return the outcomes by surface, and what ended the process it was fed to.

    Parameters
    ----------
    todo, workforce:
        The parts, and who feeds them.
    store:
        File in which outcomes are kept, and looked up; None for none.
    progress:
        Called with the inputs so far.

    Raises
    ------
    StoreError, WorkersLost
        An outcome cannot be kept, or there is nobody to feed inputs.
    """
    tallies: dict[str, dict[int, FuzzTally]] = {part.surface: {} for part in todo}
    lost: list[str] = []
    done, total = 0, sum(part.inputs for part in todo)
    with (
        answers.opened(store, f"fuzz {sources.fingerprint(sources.ALL)}", _FORM) as kept,
        workforce.at_work(fed, seconds=_MOST_SECONDS, may_be_here=True) as crew,
    ):
        for part, outcome in answered(todo, crew, kept):
            if isinstance(outcome, GivenUp):
                lost.append(f"{part}: it {outcome}")
            else:
                tallies[part.surface][part.first] = outcome
            done += part.inputs
            progress(part.surface, done, total)
    return {
        name: FuzzTally.of([found[n] for n in sorted(found)]) for name, found in tallies.items()
    }, lost


def _written(tally: FuzzTally) -> dict[str, Any]:
    findings = [KeptFinding.of(each).as_json() for each in tally.findings]
    return vars(tally) | {"findings": findings}


def _read(written: dict[str, Any]) -> FuzzTally:
    findings = [
        FuzzFinding(
            each["surface"], bytes.fromhex(each["data"]), each["error"], each["place"],
            each["trace"],
        )
        for each in written["findings"]
    ]  # fmt: skip
    return FuzzTally(**written | {"errors": Counter(written["errors"]), "findings": findings})


_FORM: Final = AnswerFormat[FuzzPart, FuzzTally](str, _written, _read)
