"""The process that tries mutants: ``python -m spiketwin.cosim.trials.mutation.worker``.

It reads a line of JSON for each question, and answers with a line: which trial tells a mutant and
why, or whether the mutant is proved to change nothing. The system ends it if a trial takes too much
of the processor, which is no sign of how busy that is.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
import time
from functools import partial
from typing import Any, Final

from spiketwin.cosim.rtl.build import emitted, library
from spiketwin.cosim.trials.mutation.equivalence import changes_nothing
from spiketwin.cosim.trials.mutation.trials import BENCHES, Bench, told_by

_SECONDS: Final = 30
"""Processor seconds that a trial of a mutant may take: many times those without one."""

_SECONDS_AT_FIRST: Final = 900
"""Those of a trial without a mutant, which is the first one: kernels of the model are compiled."""


def main() -> None:
    """Answer until there are no more lines."""
    for line in sys.stdin:
        question = json.loads(line)
        answer = {"trials": _tried, "proof": _proved}[question["what"]]
        found = answer(BENCHES[question["bench"]], question["places"], question["number"])
        print(json.dumps(found), flush=True)


def _tried(bench: Bench, places: list[int], number: int) -> Any:
    design = bench.mutated(places)
    ctypes.CDLL(str(library(design))).spiketwin_choose(number)
    seconds = _SECONDS if number else _SECONDS_AT_FIRST
    return told_by(bench.trials, design, before=partial(_limit, seconds))


def _proved(bench: Bench, places: list[int], number: int) -> Any:
    resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return changes_nothing(emitted(bench.mutated(())), places[number - 1])


def _limit(seconds: int) -> None:
    """Let the system end this process after so many more seconds of the processor."""
    limit = int(time.process_time()) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
