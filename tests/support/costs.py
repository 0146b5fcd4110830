"""The costs of the rungs: processor seconds of all tests of a run, added up by rung."""

import json
import os
import time
from collections.abc import Iterator
from heapq import nlargest
from pathlib import Path
from typing import Final

import pytest

from support.rungs import RUNGS, rung_of

_LISTED: Final = 40
"""Number of the most expensive tests that are listed if the costs are written to a file."""

_SECONDS: Final = "processor_seconds"
_RUNG: Final = "rung"
_BEGUN: Final = pytest.StashKey[float]()


def _processor_seconds() -> float:
    """Return the processor seconds that this process and its ended children have used."""
    return sum(os.times()[:4])


class Costs:
    """A plug-in of pytest that measures every test, and prints the cost of each rung at the end."""

    def __init__(self, kind: str, file: Path | None) -> None:
        self._kind = kind
        self._file = file
        self._began = time.monotonic()
        self._tests = dict.fromkeys(RUNGS, 0)
        self._seconds = dict.fromkeys(RUNGS, 0.0)
        self._dearest: list[tuple[float, str]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        item.stash[_BEGUN] = _processor_seconds()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        try:
            return (yield)
        finally:
            # The report of the teardown carries these to the process that adds them up.
            seconds = round(_processor_seconds() - item.stash[_BEGUN], 3)
            item.user_properties += [(_RUNG, rung_of(item)), (_SECONDS, seconds)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        found = dict(report.user_properties)
        self._tests[str(found[_RUNG])] += 1
        seconds = float(str(found[_SECONDS]))
        self._seconds[str(found[_RUNG])] += seconds
        self._dearest = nlargest(_LISTED, [*self._dearest, (seconds, report.nodeid)])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not any(self._tests.values()):
            return
        terminalreporter.section("processor seconds of the rungs")
        for rung in RUNGS:
            if self._tests[rung]:
                line = f"{rung:8} {self._tests[rung]:5} tests {self._seconds[rung]:8.1f} s"
                terminalreporter.write_line(line)
        if self._file is not None:
            for seconds, test in self._dearest:
                terminalreporter.write_line(f"{seconds:8.1f} s  {test}")
            self._write(self._file)

    def _write(self, file: Path) -> None:
        """Write the costs of this run to the file; it keeps those of the other kind of run."""
        kept = json.loads(file.read_text()) if file.exists() else {}
        kept[self._kind] = {
            "wall_seconds": round(time.monotonic() - self._began),
            "processors": os.cpu_count(),
            "rungs": {
                rung: {"tests": self._tests[rung], _SECONDS: round(self._seconds[rung], 1)}
                for rung in RUNGS
            },
        }
        file.write_text(json.dumps(kept, indent=1) + "\n")
