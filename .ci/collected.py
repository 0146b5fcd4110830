"""Fails, and names them, when there are tests that a test run did not run."""

import ast
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

TESTS = Path("tests")

Test = tuple[str, str]
"""A file, and the name of a test function in it."""


def written(path: Path) -> Iterator[Test]:
    """Yield the tests of a file, whatever the file is called.

    Coroutines do not count: they run in the simulator, started by a test that does.
    """
    tests = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    if not tests and (path.match("test_*.py") or path.match("*_test.py")):
        tests = ["nothing"]  # a file with the name of tests that holds none
    return ((path.as_posix(), name) for name in tests)


def main() -> int:
    """Compare the tests below ``tests/`` with those in the JUnit report given as argument.

    A test that was deselected is not in the report, so it counts as left out.
    """
    wanted = {test for path in TESTS.rglob("*.py") for test in written(path)}
    report = ElementTree.parse(sys.argv[1])
    ran = {
        (case.get("file"), case.get("name", "").split("[")[0]) for case in report.iter("testcase")
    }
    left_out = sorted(wanted - ran)
    for path, name in left_out:
        print(f"{path}: {name} was not collected, or was deselected", file=sys.stderr)
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
