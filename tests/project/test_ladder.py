"""The ladder of tests: every test has its rung, and none is left out unseen."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.checkout import ROOT
from support.rungs import BULK, EARLY, RUNGS, bulk_but, in_order, rung_of

REPORT = """<testsuites><testsuite>
<testcase file="tests/test_some.py" name="test_one[a]"/>
<testcase file="tests/test_some.py" name="test_one[b]"/>
</testsuite></testsuites>
"""
ONE = "def test_one(): ...\n"


def test_the_marks_are_those_that_are_described() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    marks = settings["tool"]["pytest"]["ini_options"]["markers"]
    assert [mark.split(":")[0] for mark in marks] == [*RUNGS, BULK, EARLY]


def test_a_test_of_this_folder_stands_on_its_rung(request: pytest.FixtureRequest) -> None:
    assert rung_of(request.node) == "project"


@pytest.mark.parametrize("url", ["rtl:?level=core", "rtl+pty:", "netlist:", "model:"])
def test_a_twin_among_the_parameters_lifts_no_test_of_a_higher_rung(
    url: str, request: pytest.FixtureRequest
) -> None:
    assert rung_of(request.node) == "project"


@pytest.mark.spec
@pytest.mark.parametrize("url", ["rtl:", "netlist:"])
def test_a_mark_decides(url: str, request: pytest.FixtureRequest) -> None:
    assert rung_of(request.node) == "spec"


def test_all_but_some_cases_are_bulk() -> None:
    kept, left = bulk_but([1], [1, 2])
    assert kept == 1
    assert left == pytest.param(2, marks=pytest.mark.bulk)
    assert bulk_but([], [(1, 2)]) == [pytest.param(1, 2, marks=pytest.mark.bulk)]


@pytest.mark.early
def test_what_takes_long_is_begun_first_by_one_of_several_processes(
    request: pytest.FixtureRequest,
) -> None:
    here = request.node
    others = [item for item in request.session.items if item.get_closest_marker(EARLY) is None]
    assert in_order([*others, here], spread=True)[0] is here
    assert in_order([*others, here], spread=False)[-1] is here


def left_out(folder: Path, text: str) -> str:
    """What CI says of a run with two results of `test_one`, if the file holds that text."""
    (folder / "tests").mkdir()
    (folder / "tests/test_some.py").write_text(text)
    (folder / "report.xml").write_text(REPORT)
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/collected.py", "report.xml"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (1 if done.stderr else 0)
    return done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE, ""),
        (f"{ONE}async def test_coroutine(): ...\n", ""),
        (f"{ONE}def test_two(): ...\n", "test_two was not collected, or was deselected"),
        ("class TestAll:\n    def test_two(self): ...\n", "test_two was not collected"),
        ("", "nothing was not collected"),
    ],
)
def test_what_did_not_run_is_named(text: str, said: str, tmp_path: Path) -> None:
    found = left_out(tmp_path, text)
    assert said in found
    assert bool(found) == bool(said)
