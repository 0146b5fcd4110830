"""Find the cocotb tests of a module, as a program of its own, in which its code may do anything.

Takes the name of the module, the folder that it is in (or nothing, for one that is installed) and
the file to write to, as JSON: ``tests``, each with ``name``, ``full_name`` and ``level``, null if
it is declared without one of our drivers; or ``error``, and the ``line`` of the module at which it
was raised, null if it was elsewhere.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

# By these cocotb finds tests itself; that and how they are named is the same for one minor release.
from cocotb._decorators import Test, TestGenerator

from spiketwin.cosim.testbenches.declare import Benches


def collect(module: str) -> list[dict[str, Any]]:
    """Import a module, and list its tests in the order in which they stand."""
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
            "level": levels.get(test.name.partition("/")[0]),
        }
        for test in tests
    ]


def _line(error: BaseException, module: str) -> int | None:
    """Line of the module at which an error was raised, or is."""
    if isinstance(error, SyntaxError) and Path(error.filename or "").stem == module:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).stem == module]
    return lines[-1] if lines else None


if __name__ == "__main__":
    name, folder, output = sys.argv[1:]
    if folder:
        sys.path.append(folder)
    try:
        result: dict[str, Any] = {"tests": collect(name)}
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        said = traceback.format_exception_only(error)[-1].strip()
        result = {"error": said, "line": _line(error, name)}
    Path(output).write_text(json.dumps(result), encoding="utf-8")
