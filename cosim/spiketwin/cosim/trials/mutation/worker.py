"""The works of processes that try mutants, and that look for proofs that they change nothing.

A mutant is tried in a copy of the process, which has computed what the model does. The system ends
the copy if a trial takes too much of the processor, which is no sign of how busy that is.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import time
from typing import Any, Final

from spiketwin.cosim.rtl.build import emitted, library
from spiketwin.cosim.trials.mutation.equivalence import changes_nothing
from spiketwin.cosim.trials.mutation.trials import BENCHES, told_by
from spiketwin.hdl.builds import BuildError

_SECONDS: Final = 16
"""Processor seconds that a trial of a mutant may take: several times those without one."""

_SILENT: Final = "does not come to an end"


Question = tuple[str, tuple[int, ...], int]
"""Name of a bench, the places of its mutants, and the number of one of them."""

_right: Final = set[str]()
"""Benches whose designs have passed all trials without a mutant, in this process."""


def tried(question: Question) -> dict[str, Any]:
    """Return which trial tells a mutant and why, or one that a design fails without a mutant."""
    name, places, number = question
    if name not in _right and (told := _tried(name, places, 0)):
        return {"wrong": told}
    _right.add(name)
    return {"told": _tried_in_a_copy(name, places, number)}


def proved(question: Question) -> bool:
    """Return whether a mutant is proved to change nothing."""
    name, places, number = question
    try:
        return changes_nothing(emitted(BENCHES[name].mutated(())), places[number - 1])
    except BuildError as error:  # not judged, which is no reason to lose what all others are
        print(error, file=sys.stderr, flush=True)
        return False


def _tried(name: str, places: tuple[int, ...], number: int) -> tuple[str, str] | None:
    """Return the first trial that tells a mutant, and why; 0 is the design without a mutant."""
    bench = BENCHES[name]
    design = bench.mutated(places)
    ctypes.CDLL(str(library(design))).spiketwin_choose(number)
    return told_by(bench.trials, design, before=_limit if number else lambda: None)


def _tried_in_a_copy(name: str, places: tuple[int, ...], number: int) -> tuple[str, str] | None:
    reading, writing = os.pipe()
    copy = os.fork()
    if not copy:
        os.write(writing, json.dumps(_tried(name, places, number)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(copy, 0)
    told = json.loads(text) if text else (_SILENT, "")
    return told and (told[0], told[1])


def _limit() -> None:
    """Let the system end this process after so many more seconds of the processor."""
    limit = int(time.process_time()) + _SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
