"""Mutants that are made by rule: where they are, what they change, and that trials tell them."""

import ctypes
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from spiketwin.cosim.rtl.build import Design, emitted, library
from spiketwin.cosim.trials.mutation import campaign, trials
from spiketwin.cosim.trials.mutation.campaign import Campaign, NotRight
from spiketwin.cosim.trials.mutation.results import Fate, MutationResult
from spiketwin.cosim.trials.mutation.sites import Mutant, Mutation
from spiketwin.cosim.trials.mutation.trials import Bench, Killed, Trial, requests, told_by
from spiketwin.hdl.spec.params import preset
from spiketwin.host.cli import main

SOURCE = '(* src = "/any/gateware/core/unit.py:{}" *)'


def assigned(line: int, text: str) -> str:
    """An operation from a line of the source; @ stands for where Yosys names it."""
    return f"  assign \\$1  = {text.replace('@', SOURCE.format(line))};\n"


def module(*lines: str) -> str:
    return "module unit(clk);\n" + "".join(lines) + "endmodule\n"


@pytest.mark.parametrize(
    ("text", "operator", "instead", "right"),
    [
        ("a + @ b", "plus for minus", "a - b", "a + b"),
        ("a - @ b[3:0]", "minus for plus", "a + b[3:0]", "a - b[3:0]"),
        ("a & @ \\b ", "and for or", "a | \\b", "a & \\b "),
        ("\\a | @ b", "or for and", "\\a & b", "\\a | b"),
        ("a == @ 3'h2", "equal for unequal", "a != 3'h2", "a == 3'h2"),
        ("$signed(a) < @ $signed(b)", "less for not greater",
         "$signed(a) <= $signed(b)", "$signed(a) < $signed(b)"),
        ("~ @ a", "not left out", " a", "~ a"),
        ("! @ a[2:0]", "none for any", "| a[2:0]", "! a[2:0]"),
        ("| @ a", "any for all", "& a", "| a"),
        ("s ? @ a[1:0] : { b[0], c }", "choice swapped",
         "s ? { b[0], c } : a[1:0]", "s ? a[1:0] : { b[0], c }"),
    ],
)  # fmt: skip
def test_an_operation_is_changed_where_its_number_is_chosen_only(
    text: str, operator: str, instead: str, right: str
) -> None:
    verilog = module(assigned(7, text))
    mutation = Mutation(9, 0)
    (mutant,) = mutation.mutants(verilog)
    assert (mutant.unit, mutant.line, mutant.operator) == ("core/unit.py", 7, operator)
    (edited,) = (line for line in mutation.edited(verilog).splitlines() if "assign" in line)
    choice, _, both = edited.partition(" ? ")
    assert choice.endswith("= (spiketwin_mutant_number == 1)")
    assert " ".join(both.split()) == " ".join(f"({instead} ) : ({right} );".split())


def test_a_condition_never_holds_where_its_number_is_chosen() -> None:
    verilog = module(
        "  always @* begin\n", "    if (dump_module) begin end\n", "    if (\\$7 ) begin\n",
        "      x = y;\n", "    end\n", "  end\n", assigned(1, "a + @ b").replace("+", "%"),
    )  # fmt: skip
    mutation = Mutation(9, 0)
    (mutant,) = mutation.mutants(verilog)
    assert mutant.operator == "condition that never holds"
    assert "if (!(spiketwin_mutant_number == 1) && (\\$7  )) begin" in mutation.edited(verilog)


def test_an_expression_that_is_there_many_times_has_each_change_once() -> None:
    lines = [
        assigned(line, f"a{k} {op} @ b") for k in range(4) for line, op in ((1, "+"), (2, "&"))
    ]
    assert len(Mutation(9, 0).mutants(module(*lines))) == 2


def test_units_take_turns_and_some_are_left_out() -> None:
    def unit(name: str) -> str:
        lines = (assigned(line, "a + @ b") for line in range(20))
        return module(*lines).replace("unit", name)

    verilog = unit("one") + unit("two") + unit("three")
    found = Mutation(8, 0, ("core/two.py",)).mutants(verilog)
    assert [m.number for m in found] == list(range(1, 9))
    assert sorted(m.unit for m in found) == ["core/one.py"] * 4 + ["core/three.py"] * 4
    assert found == Mutation(8, 0, ("core/two.py",)).mutants(verilog)
    assert found != Mutation(8, 1, ("core/two.py",)).mutants(verilog)


# --- trials ------------------------------------------------------------------------------------

TINY = Design(params=preset("tiny"), level="core")
REQUESTS: dict[str, Trial] = {"requests": partial(requests, seed=1)}


@contextmanager
def alive(design: Design, number: int) -> Iterator[None]:
    choose = ctypes.CDLL(str(library(design))).spiketwin_choose
    choose(number)
    try:
        yield
    finally:
        choose(0)


@pytest.mark.rtl
@pytest.mark.bulk
def test_requests_tell_a_mutant_of_access_and_nothing_without_one() -> None:
    design = Bench(TINY, REQUESTS).mutated(60, 0, ())
    assert told_by(REQUESTS, design) is None
    assert isinstance(design.instrument, Mutation)
    mutants = design.instrument.mutants(emitted(design))
    assert len(mutants) == 60
    told = {}
    for mutant in mutants:
        if mutant.unit == "core/state_memory.py":
            with alive(design, mutant.number):
                told[mutant.number] = told_by(REQUESTS, design)
    assert any(told.values())
    assert told_by(REQUESTS, design) is None


def test_the_first_trial_that_fails_is_named() -> None:
    def fails(design: Design) -> None:
        raise Killed("it is wrong")

    def passes(design: Design) -> None:
        pass

    assert told_by({"one": passes, "two": fails, "three": fails}, TINY) == (
        "two", "Killed: it is wrong",
    )  # fmt: skip
    assert told_by({"one": passes}, TINY) is None


# --- the command -------------------------------------------------------------------------------

MUTANT = Mutant(1, "core/unit.py", 7, "and for or", "a = b & c")
RESULT = MutationResult(
    0,
    (
        Fate.of("device", MUTANT, "requests", "Killed: wrong"),
        Fate.of("device", MUTANT, None, ""),
    ),
    12.5,
)


def test_the_command_counts_by_unit_and_shows_survivors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    seen = []

    def run(self: Campaign, *_: object, **__: object) -> MutationResult:
        seen.append(self)
        return RESULT

    monkeypatch.setattr(Campaign, "run", run)
    file = tmp_path / "mutants.json"
    arguments = ["bench", "--mutants", "400", "--workers", "3", "--json", str(file)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert seen == [Campaign(400, 0, 3)]
    assert "1 of 2 killed" in done.output
    assert "core/unit.py:7 and for or: a = b & c" in done.output
    found = json.loads(file.read_text())
    assert found["units"] == {"core/unit.py": {"mutants": 2, "killed": 1}}
    assert (found["mutants"], found["killed"], found["by_trial"]) == (2, 1, {"requests": 1})
    assert found["list"][0] == {
        "bench": "device", "unit": "core/unit.py", "line": 7, "operator": "and for or",
        "text": "a = b & c", "killed_by": "requests", "why": "Killed: wrong",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workers", "2"], "--workers is for --mutants NUMBER"),
        (["--mutants", "--workers", "2"], "--workers is for --mutants NUMBER"),
        (["--mutants", "5", "--peers"], "call bench for each"),
        (["--mutants", "--coverage"], "call bench for each"),
        (["--mutants", "100001"], "100001 is not in the range"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["bench", *arguments])
    assert done.exit_code == 2
    assert says in done.output


def test_a_design_that_is_wrong_without_a_mutant_judges_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        Campaign, "_tasks", lambda self, report: [campaign._Task("device", 1, (), MUTANT)]
    )
    monkeypatch.setattr(
        Campaign, "_tried", lambda self, tasks: [(task, "requests", "wrong") for task in tasks]
    )
    with pytest.raises(NotRight, match="device, without a mutant, fails 'requests': wrong"):
        Campaign(1, 0, 1).run(lambda _: None, lambda *_: None)


DOUBLE = """
import json, sys
for line in sys.stdin:
    number = json.loads(line)[-1]
    if number == 2:
        sys.exit()
    print(json.dumps(None if number == 3 else ["requests", f"why {number}"]), flush=True)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mutant_that_ends_its_process_is_told_and_the_next_ones_are_tried(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "double.py").write_text(DOUBLE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(campaign, "worker", SimpleNamespace(__name__="double"))
    tasks = [
        campaign._Task("device", 5, (), replace(MUTANT, number=number)) for number in range(1, 6)
    ]
    found = {
        t.mutant.number: (trial, why) for t, trial, why in Campaign(5, 0, workers)._tried(tasks)
    }
    assert found == {
        1: ("requests", "why 1"), 2: ("does not come to an end", ""), 3: (None, ""),
        4: ("requests", "why 4"), 5: ("requests", "why 5"),
    }  # fmt: skip


def test_every_bench_has_trials_of_its_own() -> None:
    assert {"device", "roomy", "matrix", "paired"} == set(trials.BENCHES)
    assert all(bench.trials for bench in trials.BENCHES.values())
