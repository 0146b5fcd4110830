"""Seeded bugs: each has its place in the gateware, and what compares it with the model names it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from spiketwin import hdl
from spiketwin.cosim.compare.difference import FIELDS, Difference
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.trials import mutants
from spiketwin.cosim.trials.mutants import (
    MUTANTS,
    Mutant,
    MutantError,
    MutantsFound,
    MutantsResult,
    Named,
    mutated,
)
from spiketwin.hdl.spec.params import preset
from spiketwin.host.cli import main

PACKAGE = Path(next(iter(hdl.__path__)))
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def sources(package: Path) -> dict[str, str]:
    return {str(f.relative_to(package)): f.read_text() for f in sorted(package.rglob("*.py"))}


def test_there_are_twenty_different_bugs() -> None:
    assert len(BY_NAME) == len({mutant.wrong for mutant in MUTANTS}) == len(MUTANTS) == 20


def test_a_bug_shows_at_something_that_is_at_an_element() -> None:
    of_the_whole_core = {"update_cycle", "cycles", "digest"}
    assert {mutant.field for mutant in MUTANTS} <= set(FIELDS) - of_the_whole_core


def named(field: str, tick: int | None, neuron: int | None) -> bool:
    """Whether a bug that must show at `v` counts as named by a difference."""
    difference = Difference(tick, 0, field, None, neuron, {}, {}, None)
    return Named(replace(MUTANTS[0], field="v"), difference, 0.0, 0.0).named


def test_a_bug_is_named_by_its_own_field_alone() -> None:
    assert named("v", 3, 4)
    assert not named("i_syn", 3, 4)
    assert not named("v", None, 4)
    assert not named("v", 3, None)
    assert not Named(MUTANTS[0], None, 0.0, 0.0).named


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_changes_one_place_of_a_copy(mutant: Mutant, tmp_path: Path) -> None:
    before = sources(PACKAGE)
    mutated(mutant, tmp_path)
    copy = sources(tmp_path / "spiketwin" / "hdl")
    name = f"gateware/{mutant.file}"
    assert [file for file in before if copy[file] != before[file]] == [name]
    assert copy[name] == before[name].replace(mutant.right, mutant.wrong)
    compile(copy[name], name, "exec")
    assert sources(PACKAGE) == before


@pytest.mark.parametrize("right", ["no such text", "import"])
def test_a_bug_whose_place_is_gone_or_not_the_only_one_is_an_error(
    right: str, tmp_path: Path
) -> None:
    with pytest.raises(MutantError, match="not once"):
        mutated(replace(MUTANTS[0], right=right), tmp_path)


def test_a_copy_of_the_gateware_is_built_for_what_is_in_it(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "same" / "spiketwin" / "hdl")
    mutated(MUTANTS[0], tmp_path / "broken")
    installed, same, broken = (
        Design(params=preset("tiny"), gateware=folder and str(tmp_path / folder)).digest()
        for folder in (None, "same", "broken")
    )
    assert installed == same != broken


@pytest.mark.rtl
@pytest.mark.bulk
def test_a_bug_is_built_and_named() -> None:
    found = mutants.name(BY_NAME["weights that are not plastic learn"])
    difference = found.difference
    assert found.named
    assert difference is not None
    assert difference.field == "weight"
    place = difference.source, difference.neuron
    assert not all(case.network.plastic[place] for case in mutants.cases())


@pytest.mark.rtl
def test_the_gateware_as_it_is_has_no_difference() -> None:
    design = Design(params=mutants.SIZES)
    assert [mutants.difference(design, case) for case in mutants.cases()] == [None, None]


# --- the command -------------------------------------------------------------------------------


def figures(named: bool) -> MutantsResult:
    difference = Difference(3, 0, "v", None, 4, {}, {}, None) if named else None
    bug = replace(MUTANTS[0], name="a bug", file="core.py", field="v")
    return MutantsResult(MutantsFound([Named(bug, difference, 15.0, 0.5)]))


@pytest.mark.parametrize("named", [True, False])
def test_the_command_shows_what_was_named_and_fails_if_one_was_not(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "measure", lambda _report: figures(named))
    file = tmp_path / "mutants.json"
    done = CliRunner().invoke(main, ["bench", "--mutants", "--json", str(file)])
    assert done.exit_code == (0 if named else 1)
    found = {
        "name": "a bug", "file": "core.py", "named": named, "tick": 3 if named else None,
        "field": "v" if named else None, "source": None, "neuron": 4 if named else None,
        "seconds": 0.5, "build_seconds": 15.0,
    }  # fmt: skip
    assert json.loads(file.read_text()) == {
        "mutants": {"seeded": 1, "named": int(named), "slowest_seconds": 0.5, "list": [found]}
    }
    assert f"{int(named)} of 1 named" in done.output
    assert "the slowest in 0.50 s" in done.output.replace("\n", " ")
