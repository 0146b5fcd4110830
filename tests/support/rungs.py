"""The ladder of tests: on which rung a test stands, and what a rung may build."""

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from support.checkout import ROOT

RUNGS: Final = ("spec", "host", "model", "rtl", "proof", "netlist", "board", "project")
"""The rungs from cheap to expensive, as pyproject.toml registers and describes them."""

BULK: Final = "bulk"
"""Mark of the tests that `./run test` leaves to `./run test --all`."""

EARLY: Final = "early"
"""Mark of the tests with which a process begins, so that no other waits for them at the end."""

_FOLDERS: Final = {
    "hdl": "spec",
    "host": "host",
    "cosim": "model",
    "cosim/rtl": "rtl",
    "cosim/testbenches": "rtl",
    "formal": "proof",
    "cosim/netlist": "netlist",
    "firmware": "board",
    "project": "project",
}

_TWIN: Final = re.compile(r"(rtl|netlist)\b")

_BUILDS: Final = {"component": "rtl", "rtl": "rtl", "cocotb": "rtl", "boards": "board"}
"""The lowest rung on which each kind of build is used."""

_WHOLE_EXAMPLES: Final = 100
_SHORT_EXAMPLES: Final = 12
"""Number of examples that Hypothesis tries by default, in the whole run and in the short one."""


def set_examples(*, whole: bool, in_ci: bool) -> None:
    """Set how Hypothesis searches for failures.

    There is no deadline, so that the speed of the machine does not decide a test. In CI the
    examples are the same in every run, so that a failure can be repeated; elsewhere they are new in
    every run, so that more are tried in the long term.
    """
    number = _WHOLE_EXAMPLES if whole else _SHORT_EXAMPLES
    settings.register_profile(
        "ladder", max_examples=number, deadline=None, derandomize=in_ci, print_blob=in_ci
    )
    settings.load_profile("ladder")


def examples(count: int) -> int:
    """Return the number of examples in this run for a test with `count` in the whole run."""
    return max(1, count * settings().max_examples // _WHOLE_EXAMPLES)


def bulk_but(kept: Container[object], cases: Iterable[object]) -> list[object]:
    """Return the cases of a parameter; those that are not in `kept` are marked `bulk`."""
    return [case if case in kept else _bulk(case) for case in cases]


def _bulk(case: object) -> object:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.bulk)


def rung_of(item: pytest.Item) -> str:
    """Return the rung on which a test stands.

    A mark of the test itself decides. A test without one stands on the rung of its file, given by a
    mark or by the folder, or on a higher one if a parameter of the test is the address of a twin
    of that rung.
    """
    rungs = [_of_folder(item.path.parent.relative_to(ROOT / "tests"))]
    for node, mark in item.iter_markers_with_node():
        if mark.name in RUNGS:
            if node is item:
                return mark.name
            rungs = [mark.name]
            break
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        for value in item.callspec.params.values():
            if isinstance(value, str) and (twin := _TWIN.match(value)):
                rungs.append(twin[0])
    return max(rungs, key=RUNGS.index)


def _of_folder(folder: Path) -> str:
    """Return the rung of a folder below `tests/`, or of the nearest one above it that has one."""
    known = (_FOLDERS.get(above.as_posix()) for above in (folder, *folder.parents))
    return next(rung for rung in known if rung is not None)


def in_order(items: Iterable[pytest.Item], *, spread: bool) -> list[pytest.Item]:
    """Return tests from cheap to dear; if they are `spread` over processes, `EARLY` ones first."""

    def place(item: pytest.Item) -> tuple[bool, int]:
        early = spread and item.get_closest_marker(EARLY) is not None
        return not early, RUNGS.index(rung_of(item))

    return sorted(items, key=place)


def may_build(rung: str, kind: str) -> bool:
    """Return whether a test of a rung may use a kind of build."""
    return RUNGS.index(rung) >= RUNGS.index(_BUILDS.get(kind, RUNGS[0]))
