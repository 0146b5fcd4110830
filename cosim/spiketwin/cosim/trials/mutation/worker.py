"""The process that tries mutants: ``python -m spiketwin.cosim.trials.mutation.worker``.

It reads a line of JSON for each mutant, and answers with a line: which trial tells it, and why. The
system ends it if a mutant takes too much of the processor, which is no sign of how busy that is.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
import time
from typing import Final

from spiketwin.cosim.rtl.build import library
from spiketwin.cosim.trials.mutation.trials import BENCHES, told_by

_SECONDS: Final = 60
"""Processor seconds that a mutant may take: several times those of a correct design."""


def main() -> None:
    """Answer until there are no more lines."""
    for line in sys.stdin:
        bench, count, seed, but, number = json.loads(line)
        design = BENCHES[bench].mutated(count, seed, tuple(but))
        ctypes.CDLL(str(library(design))).spiketwin_choose(number)
        limit = int(time.process_time()) + _SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        print(json.dumps(told_by(BENCHES[bench].trials, design)), flush=True)


if __name__ == "__main__":
    main()
