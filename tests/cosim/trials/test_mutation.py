"""Mutants that are made by rule: where they are, what they change, and that trials tell them."""

import ctypes
import functools
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.rungs import bulk_but

from spiketwin.cosim.rtl.build import Design, emitted, library
from spiketwin.cosim.testbenches.requests import unframed
from spiketwin.cosim.trials.mutation import campaign, trials, worker
from spiketwin.cosim.trials.mutation.campaign import (
    MutantLost,
    MutationCampaign,
    NotRight,
    gateware,
)
from spiketwin.cosim.trials.mutation.observing import Killed, Trial
from spiketwin.cosim.trials.mutation.results import MutantFate, MutationResult
from spiketwin.cosim.trials.mutation.sites import Mutation, Site, drawn, sites
from spiketwin.cosim.trials.mutation.trials import Bench, requests, told_by
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Status
from spiketwin.host.cli import main
from spiketwin.host.errors import InvalidInput

SOURCE = '(* src = "/any/gateware/core/unit.py:{}" *)'


def assigned(line: int, text: str) -> str:
    """An operation from a line of the source; @ stands for where Yosys names it."""
    return f"  assign \\$1  = {text.replace('@', SOURCE.format(line))};\n"


def module(*lines: str) -> str:
    return "module unit(clk);\n" + "".join(lines) + "endmodule\n"


@pytest.mark.parametrize(
    ("text", "operator", "instead", "right"),
    [
        ("a + @ b", "minus for plus", "a - b", "a + b"),
        ("a - @ b[3:0]", "plus for minus", "a + b[3:0]", "a - b[3:0]"),
        ("a & @ \\b ", "or for and", "a | \\b", "a & \\b "),
        ("\\a | @ b", "and for or", "\\a & b", "\\a | b"),
        ("a == @ 3'h2", "unequal for equal", "a != 3'h2", "a == 3'h2"),
        ("$signed(a) < @ $signed(b)", "not greater for less",
         "$signed(a) <= $signed(b)", "$signed(a) < $signed(b)"),
        ("~ @ a", "not left out", " a", "~ a"),
        ("! @ a[2:0]", "any for none", "| a[2:0]", "! a[2:0]"),
        ("| @ a", "all for any", "& a", "| a"),
        ("s ? @ a[1:0] : { b[0], c }", "choice swapped",
         "s ? { b[0], c } : a[1:0]", "s ? a[1:0] : { b[0], c }"),
    ],
)  # fmt: skip
def test_an_operation_is_changed_where_its_number_is_chosen_only(
    text: str, operator: str, instead: str, right: str
) -> None:
    verilog = module(assigned(7, text))
    (site,) = sites(verilog)
    assert (site.unit, site.line, site.operator) == ("core/unit.py", 7, operator)
    (edited,) = (line for line in with_all(verilog).splitlines() if "assign" in line)
    choice, _, both = edited.partition(" ? ")
    assert choice.endswith("= (spiketwin_mutant_number == 1)")
    assert " ".join(both.split()) == " ".join(f"({instead} ) : ({right} );".split())


def with_all(verilog: str) -> str:
    return Mutation(tuple(site.place for site in sites(verilog))).edited(verilog)


def test_a_condition_never_holds_where_its_number_is_chosen() -> None:
    verilog = module(
        "  always @* begin\n", "    if (dump_module) begin end\n", "    if (\\$7 ) begin\n",
        "      x = y;\n", "    end\n", "  end\n", assigned(1, "a + @ b").replace("+", "%"),
    )  # fmt: skip
    (site,) = sites(verilog)
    assert site.operator == "condition that never holds"
    assert "if (!(spiketwin_mutant_number == 1) && (\\$7  )) begin" in with_all(verilog)


def test_an_expression_that_is_there_many_times_is_drawn_once_for_each_rule() -> None:
    lines = [
        assigned(line, f"a{k} {op} @ b") for k in range(4) for line, op in ((1, "+"), (2, "&"))
    ]
    fit = sites(module(*lines))
    assert len(fit) == 8
    found = drawn({"one": fit[:4], "two": fit}, 9, 0)
    assert {name: len(chosen) for name, chosen in found.items()} == {"one": 2, "two": 0}


def test_units_take_turns_and_what_one_lacks_the_others_have() -> None:
    def unit(name: str, count: int) -> str:
        lines = (assigned(line, "a + @ b") for line in range(1, 1 + count))
        return module(*lines).replace("unit", name)

    fit = {
        "small": sites(unit("one", 2) + unit("two", 20)),
        "large": sites(unit("two", 20) + unit("three", 20)),
    }
    found = drawn(fit, 18, 0)
    assert Counter(site.unit for chosen in found.values() for site in chosen) == {
        "core/one.py": 2, "core/two.py": 8, "core/three.py": 8,
    }  # fmt: skip
    assert {site.unit for site in found["large"]} == {"core/three.py"}
    assert found == drawn(fit, 18, 0)
    assert found != drawn(fit, 18, 1)
    assert sum(map(len, drawn(fit, 1000, 0).values())) == 42


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
    bench = Bench(TINY, REQUESTS, of_core=True)
    fit = [site for site in sites(emitted(bench.mutated(()))) if bench.is_for(site.unit)]
    mutants = drawn({"tiny": fit}, 60, 0)["tiny"]
    design = bench.mutated([site.place for site in mutants])
    assert told_by(REQUESTS, design) is None
    assert len(mutants) == 60
    told = {}
    for number, site in enumerate(mutants, 1):
        if site.unit == "core/access.py":
            with alive(design, number):
                told[number] = told_by(REQUESTS, design)
    assert any(told.values())
    assert told_by(REQUESTS, design) is None


@pytest.mark.parametrize("core", trials.BENCHES)
def test_most_requests_to_a_busy_core_are_carried_out(core: str) -> None:
    """Or they would tell no more than that a device refuses them."""
    _, lines = trials.busy_transcript(core, 1)
    answers = [unframed(frame)[3] for _, answer, _ in lines for frame in answer.split(b"\0")[:-1]]
    assert len(answers) > 200
    assert answers.count(Status.OK) > 0.6 * len(answers)


def test_the_first_trial_that_fails_is_named() -> None:
    def fails(design: Design) -> None:
        raise Killed("it is wrong")

    def passes(design: Design) -> None:
        pass

    assert told_by({"one": passes, "two": fails, "three": fails}, TINY) == (
        "two", "Killed: it is wrong",
    )  # fmt: skip
    assert told_by({"one": passes}, TINY) is None


STORED = Path(__file__).parents[3] / "docs" / "mutants.json"


@functools.cache
def chosen() -> dict[str, list[Site]]:
    """Draw the mutants that are stored once more, of each bench."""
    stored = json.loads(STORED.read_text())
    fit = {
        name: [site for site in sites(emitted(bench.mutated(()))) if bench.is_for(site.unit)]
        for name, bench in trials.BENCHES.items()
    }
    return drawn(fit, stored["mutants"] + stored["untried"], stored["seed"])


@pytest.mark.rtl
@pytest.mark.bulk
@pytest.mark.parametrize("name", trials.BENCHES)
def test_each_trial_tells_the_mutant_that_it_told_and_nothing_without_one(name: str) -> None:
    if json.loads(STORED.read_text())["gateware"] != gateware():
        pytest.skip("the stored mutants are of another gateware")
    bench = trials.BENCHES[name]
    of_trial = {
        fate.killed_by: fate
        for fate in campaign.earlier(STORED)
        if fate.bench == name and fate.killed_by in bench.trials
    }
    places = {
        MutantFate.of(name, site, None, "", False).place: site.place for site in chosen()[name]
    }
    design = bench.mutated([places[fate.place] for fate in of_trial.values()])
    for number, trial in enumerate(of_trial, 1):
        only = {str(trial): bench.trials[str(trial)]}
        assert told_by(only, design) is None
        with alive(design, number):
            assert told_by(only, design)


def passes(name: str, told: bool) -> None:
    """Ask a bench, without a mutant, the trials that told one when they were stored, or the others.

    Of another gateware than that of the stored mutants, any trial may tell one.
    """
    bench = trials.BENCHES[name]
    telling = set(bench.trials)
    if json.loads(STORED.read_text())["gateware"] == gateware():
        telling &= {fate.killed_by for fate in campaign.earlier(STORED) if fate.bench == name}
    asked = {each: trial for each, trial in bench.trials.items() if (each in telling) == told}
    assert told_by(asked, bench.design) is None


@pytest.mark.rtl
@pytest.mark.parametrize("told", bulk_but([True], [True, False]), ids=["told some", "told none"])
@pytest.mark.parametrize("name", trials.BENCHES)
def test_the_gateware_passes_what_tells_mutants(name: str, told: bool) -> None:
    """So a run of the tests tells each mutant that trials tell: it fails, or comes to no end."""
    process = multiprocessing.get_context("fork").Process(target=passes, args=(name, told))
    process.start()
    process.join(600)
    process.kill()
    process.join()
    assert process.exitcode == 0


# --- the command -------------------------------------------------------------------------------

SITE = Site(1, "core/unit.py", 7, "or for and", "a = b & c", "")
RESULT = MutationResult(
    0,
    gateware(),
    (
        MutantFate.of("device", SITE, "requests", "Killed: wrong", False),
        MutantFate.of("device", replace(SITE, line=8), None, "", False),
        MutantFate.of("device", replace(SITE, line=9), None, "", True),
    ),
    4,
    12.5,
)


def test_the_command_counts_by_unit_and_shows_survivors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    seen = []

    def run(self: MutationCampaign, *_: object, **__: object) -> MutationResult:
        seen.append(self)
        return RESULT

    monkeypatch.setattr(MutationCampaign, "run", run)
    file = tmp_path / "mutants.json"
    arguments = ["bench", "--mutants", "400", "--workers", "3", "--json", str(file)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert seen == [MutationCampaign(400, 0, 3)]
    said = " ".join(done.output.split())
    assert "1 of 3 killed (simulated), 1 proved to change nothing, 4 not tried" in said
    assert "core/unit.py:8 or for and: a = b & c" in done.output
    assert "core/unit.py:9" not in done.output
    found = json.loads(file.read_text())
    assert found["units"] == {"core/unit.py": {"mutants": 3, "killed": 1, "equivalent": 1}}
    assert (found["mutants"], found["killed"], found["by_trial"]) == (3, 1, {"requests": 1})
    assert (found["equivalent"], found["untried"]) == (1, 4)
    assert found["list"][0] == {
        "bench": "device", "unit": "core/unit.py", "line": 7, "operator": "or for and",
        "text": "a = b & c", "killed_by": "requests", "why": "Killed: wrong", "equivalent": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workers", "2"], "--workers is for --mutants NUMBER"),
        (["--mutants", "--workers", "2"], "--workers is for --mutants NUMBER"),
        (["--since", __file__], "--since is for --mutants NUMBER"),
        (["--mutants", "5", "--peers"], "call bench for each"),
        (["--mutants", "--coverage"], "call bench for each"),
        (["--mutants", "100001"], "100001 is not in the range"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["bench", *arguments])
    assert done.exit_code == 2
    assert says in done.output


def task(number: int) -> campaign._Task:
    return campaign._Task("device", (1, 2), number, replace(SITE, line=number))


def judged(
    monkeypatch: pytest.MonkeyPatch, answers: dict[tuple[str, int], Any], *known: MutantFate
) -> MutationResult:
    """The result of five mutants of which workers would say this, by question and number."""

    def found(_self: MutationCampaign, tasks: list[campaign._Task], work: object) -> Iterator[Any]:
        what = "trials" if work is worker.tried else "proof"
        for each in tasks:
            answer = answers.get((what, each.number))
            if isinstance(answer, BaseException):
                raise answer
            yield each, {"told": answer} if what == "trials" else bool(answer)

    monkeypatch.setattr(
        MutationCampaign, "_tasks", lambda *_: [task(number) for number in range(1, 6)]
    )
    monkeypatch.setattr(MutationCampaign, "_answers", found)
    return MutationCampaign(5, 0, 1, known).run(lambda _: None, lambda *_: None)


def test_of_mutants_that_no_trial_tells_a_proof_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {
        ("trials", 1): ["requests", "wrong"], ("trials", 2): ["limits", "wrong"],
        ("proof", 1): True, ("proof", 3): True,
    }  # fmt: skip
    result = judged(monkeypatch, answers)
    told = [each.killed_by for each in result.list]
    assert told == ["requests", "limits", None, None, None]
    assert [each.equivalent for each in result.list] == [False, False, True, False, False]
    assert [each.line for each in result.survivors] == [4, 5]


def test_what_was_told_earlier_is_not_tried_again_and_survivors_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = judged(
        monkeypatch,
        {("trials", 1): ["requests", "wrong"], ("trials", 3): KeyboardInterrupt()},
    )
    assert (first.mutants, first.untried) == (2, 3)
    file = tmp_path / "mutants.json"
    file.write_text(json.dumps(first.as_json()))
    known = campaign.earlier(file)
    assert known == first.list
    again = {
        ("trials", 1): AssertionError(), ("trials", 2): ["limits", "wrong"], ("proof", 3): True,
    }  # fmt: skip
    result = judged(monkeypatch, again, *known)
    assert [each.killed_by for each in result.list[:2]] == ["requests", "limits"]
    assert (result.untried, result.equivalent) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gateware": "another"}, "is of another gateware: leave --since out"),
        ({"list": [{}]}, "is no result of"),
        ({"list": None}, "is no result of"),
    ],
)
def test_a_result_that_is_none_of_this_gateware_is_refused(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "mutants.json"
    file.write_text(json.dumps(RESULT.as_json() | changes))
    with pytest.raises(InvalidInput, match=says):
        campaign.earlier(file)


def test_a_design_that_is_wrong_without_a_mutant_judges_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {"wrong": ["requests", "wrong"]}
    monkeypatch.setattr(MutationCampaign, "_tasks", lambda *_: [task(1)])
    monkeypatch.setattr(
        MutationCampaign, "_answers", lambda _self, tasks, _work: [(tasks[0], wrong)]
    )
    with pytest.raises(NotRight, match="device, without a mutant, fails 'requests': wrong"):
        MutationCampaign(1, 0, 1).run(lambda _: None, lambda *_: None)


# --- processes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [None, ("requests", "wrong")])
def test_a_mutant_is_tried_in_a_copy_of_the_process(
    told: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_tried", lambda *_: told)
    assert worker._tried_in_a_copy("device", (), 1) == told


def test_a_mutant_that_does_not_come_to_an_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        monkeypatch.setattr(worker, "_SECONDS", 0)
        worker._limit()
        while True:
            pass

    monkeypatch.setattr(worker, "_tried", endless)
    assert worker._tried_in_a_copy("device", (), 1) == ("does not come to an end", "")


class Double:
    """A worker that takes no time, as what a process makes of it: it ends at number 9."""

    def __reduce__(self) -> tuple[object, ...]:
        return (eval, ("lambda asked: __import__('os')._exit(7) if asked[2] == 9 else asked[2]",))

    def __call__(self, asked: worker.Question) -> int:
        raise AssertionError("it is not asked here")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_mutant_is_tried_whatever_the_number_of_processes(workers: int) -> None:
    tasks = [task(number) for number in range(1, 6)]
    answers = MutationCampaign(5, 0, workers)._answers(tasks, Double())
    assert {task.number: found for task, found in answers} == {n: n for n in range(1, 6)}


def test_a_mutant_that_ends_its_process_is_an_error() -> None:
    with pytest.raises(MutantLost, match=r"core/unit\.py.* ended with status 7"):
        list(MutationCampaign(1, 0, 1)._answers([task(9)], Double()))


def test_every_bench_has_trials_of_its_own() -> None:
    assert {"device", "roomy", "matrix", "paired"} == set(trials.BENCHES)
    assert all(bench.trials for bench in trials.BENCHES.values())
    for unit in ("core/core.py", "line/uart.py"):
        names = {name for name, bench in trials.BENCHES.items() if bench.is_for(unit)}
        assert ("device" in names) == (len(names) == 1) == unit.startswith("line/")
