"""The process that tries mutants: ``python -m spiketwin.cosim.trials.mutation.worker``.

It reads a line of JSON for each question, and answers with a line: which trial tells a mutant and
why, or whether the mutant is proved to change nothing. A mutant is tried in a copy of the process,
which has computed what the model does. The system ends the copy if a trial takes too much of the
processor, which is no sign of how busy that is.
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

_SECONDS: Final = 8
"""Processor seconds that a trial of a mutant may take: several times those without one."""

_SILENT: Final = "does not come to an end"


def main() -> None:
    """Answer until there are no more lines."""
    right = set[str]()
    for line in sys.stdin:
        question = json.loads(line)
        name, places, number = question["bench"], question["places"], question["number"]
        if question["what"] == "proof":
            found: Any = _proved(name, places[number - 1])
        elif name not in right and (told := _tried(name, places, 0)):
            found = {"wrong": told}
        else:
            right.add(name)
            found = {"told": _tried_in_a_copy(name, places, number)}
        print(json.dumps(found), flush=True)


def _proved(name: str, place: int) -> bool:
    """Return whether the change at a place is proved to make no difference."""
    try:
        return changes_nothing(emitted(BENCHES[name].mutated(())), place)
    except BuildError as error:  # not judged, which is no reason to lose what all others are
        print(error, file=sys.stderr, flush=True)
        return False


def _tried(name: str, places: list[int], number: int) -> tuple[str, str] | None:
    """Return the first trial that tells a mutant, and why; 0 is the design without a mutant."""
    bench = BENCHES[name]
    design = bench.mutated(places)
    ctypes.CDLL(str(library(design))).spiketwin_choose(number)
    return told_by(bench.trials, design, before=_limit if number else lambda: None)


def _tried_in_a_copy(name: str, places: list[int], number: int) -> tuple[str, str] | None:
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


if __name__ == "__main__":
    main()
