"""Find the cocotb tests of a module, in a process of its own, as importing it may do anything.

The arguments are the name of the module, its folder (empty for an installed one) and the file to
write to. It receives JSON: ``tests``, each with ``name``, ``full_name``, ``skip`` and ``level``,
which is null for a test without one of our drivers; or ``error``, and the ``line`` of the module at
which it was raised, null if it was elsewhere.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

# cocotb finds tests by these classes itself; they are private, and stable in one minor release.
from cocotb._decorators import Test, TestGenerator

from spiketwin.cosim.testbenches.declare import Benches


def collect(module: str) -> list[dict[str, Any]]:
    """Import a module, and return a list of its tests in the order of their definition."""
    found = list(vars(importlib.import_module(module)).values())
    levels = {
        name: bench.level for bench in found if isinstance(bench, Benches) for name in bench.names
    }
    tests: list[Test] = []
    for value in found:
        if isinstance(value, TestGenerator):
            tests += value.generate_tests()
        elif isinstance(value, Test):
            tests.append(value)
    return [
        {
            "name": test.name,
            "full_name": test.fullname,
            "skip": test.skip,
            "level": levels.get(test.name.partition("/")[0]),
        }
        for test in tests
    ]


def _described(error: BaseException, module: str) -> tuple[str, int | None]:
    """Return the traceback of an error within the module, and its line there; None if elsewhere."""
    summary = traceback.TracebackException.from_exception(error)
    ours = [Path(frame.filename).stem == module for frame in summary.stack]
    line = None
    if True in ours:
        line = [frame.lineno for frame, mine in zip(summary.stack, ours, strict=True) if mine][-1]
    if isinstance(error, SyntaxError) and Path(error.filename or "").stem == module:
        line = error.lineno
    # Leave out the frames of the import machinery that lead to the module.
    summary.stack[:] = summary.stack[ours.index(True) :] if True in ours else []
    return "".join(summary.format()), line


if __name__ == "__main__":
    name, folder, output = sys.argv[1:]
    if folder:
        sys.path.append(folder)
    try:
        result: dict[str, Any] = {"tests": collect(name)}
    except (Exception, SystemExit) as error:
        description, line = _described(error, name)
        print(description, file=sys.stderr)
        result = {"error": traceback.format_exception_only(error)[-1].strip(), "line": line}
    Path(output).write_text(json.dumps(result), encoding="utf-8")
