"""Fails, and names them, when there are test files that a test run did not collect."""

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path("tests")


def holds_tests(path: Path) -> bool:
    """Whether a file is meant to be collected, by its name or by the tests in it.

    Coroutines do not count: they run in the simulator, started by a test that does.
    """
    if path.match("test_*.py") or path.match("*_test.py"):
        return True
    return any(
        (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
        or (isinstance(node, ast.ClassDef) and node.name.startswith("Test"))
        for node in ast.parse(path.read_text()).body
    )


def main() -> int:
    """Compare the files below ``tests/`` with those in the JUnit report given as argument."""
    written = {path.as_posix() for path in TESTS.rglob("*.py") if holds_tests(path)}
    report = ElementTree.parse(sys.argv[1])
    collected = {case.get("file") for case in report.iter("testcase")}
    left_out = sorted(written - collected)
    for path in left_out:
        print(f"{path}: holds tests, but none of them was collected", file=sys.stderr)
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())
