"""Coverage: what is counted, for which unit, and what is waived."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.checkout import ROOT

from spiketwin.cosim.device.core import DeviceCore
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.cosim.trials.coverage import campaign, trials
from spiketwin.cosim.trials.coverage.campaign import Waiver, waivers
from spiketwin.cosim.trials.coverage.constants import Constants
from spiketwin.cosim.trials.coverage.recorded import (
    CoverPoint,
    Recorded,
    points,
    text_of,
    units_of,
)
from spiketwin.cosim.trials.coverage.results import Borrowed, CoverageResult, Missed, Unit
from spiketwin.cosim.trials.coverage.trials import alike, filled
from spiketwin.cosim.trials.mutation.observing import Killed
from spiketwin.cosim.trials.mutation.trials import Bench
from spiketwin.cosim.workers.crew import Alone
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import WORD_COUNT_BITS, Word
from spiketwin.host.cli import main
from spiketwin.host.progress import Stages, Steps

VERILOG = """module \\Top.unit (clk);
  assign a = b ? (* src = "/x/gateware/core/unit.py:3" *) c : d;
    if (dump_module) begin end
    if (en) begin
      x = y;
endmodule
module library(clk);
endmodule
"""


def recorded(*lines: tuple[str, int, str, int]) -> str:
    """The text of a file of Verilator."""
    return "# SystemC::Coverage-3\n" + "".join(
        f"C '\x01f\x02core.v\x01l\x02{line}\x01n\x021\x01page\x02v_{kind}/Top.unit\x01o\x02{what}"
        f"\x01h\x02TOP.unit' {count}\n"
        for kind, line, what, count in lines
    )


def test_points_of_several_simulations_add_up_without_those_of_yosys(tmp_path: Path) -> None:
    one, other = tmp_path / "0.dat", tmp_path / "1.dat"
    one.write_text(recorded(("branch", 4, "if", 0), ("toggle", 2, "a", 2), ("branch", 3, "if", 9)))
    other.write_text(recorded(("branch", 4, "if", 3), ("toggle", 2, "a", 0), ("user", 1, "u", 1)))
    assert points([one, other], VERILOG) == {
        CoverPoint("branch", "Top.unit", 4, "if"): 3, CoverPoint("toggle", "Top.unit", 2, "a"): 2,
    }  # fmt: skip


def test_a_point_that_no_simulation_reached_is_still_there(tmp_path: Path) -> None:
    file = tmp_path / "0.dat"
    file.write_text(recorded(("line", 4, "block", 0)))
    assert list(points([file], VERILOG)) == [CoverPoint("line", "Top.unit", 4, "block")]


def test_a_module_is_of_the_file_that_it_comes_from_and_those_of_libraries_of_none() -> None:
    assert units_of(VERILOG) == {"Top.unit": "core/unit.py"}


def test_what_is_covered_is_written_when_the_simulation_ends() -> None:
    edited = Recorded().edited(VERILOG).splitlines()
    assert edited.index("  final spiketwin_covered();") == len(edited) - 2


POINT = Missed("paired", "core/unit.py", "adder_0", "branch", "if", "4'h3: if (en) begin x = y;")


def test_a_waiver_is_for_a_place_in_a_unit() -> None:
    waiver = Waiver("w", "because", r"core/\w+\.py", text=r"^4'h[37]: if \(en\)")
    assert waiver.covers(POINT)
    assert not waiver.covers(replace(POINT, unit="link/unit.py"))
    assert not waiver.covers(replace(POINT, text="4'h4: if (en) begin x = y;"))
    of_bits = replace(waiver, text="", what=r"^cycles\[4.\]:")
    assert of_bits.covers(replace(POINT, kind="toggle", what="cycles[40]:0->1"))
    assert not of_bits.covers(replace(POINT, kind="toggle", what="cycles[4]:0->1"))


def test_a_waiver_can_be_for_one_bench_or_module() -> None:
    of_bench = Waiver("w", "because", r"core/\w+\.py", bench="paired|matrix")
    assert of_bench.covers(POINT)
    assert not of_bench.covers(replace(POINT, bench="roomy"))
    of_module = Waiver("w", "because", r"core/\w+\.py", module=r"adder_\d")
    assert of_module.covers(POINT)
    assert not of_module.covers(replace(POINT, module="adder_0_1"))


def test_a_borrowed_point_is_waived_if_one_like_it_is_reached_in_another_design() -> None:
    alike = replace(POINT, bench="roomy", text="5'h0a: if (en) begin x = y;")
    part = CoverageResult({}, {}, (), borrowed=(Borrowed("w", POINT),))
    for bench, waived in (("roomy", {"w": 1}), ("paired", {})):
        other = CoverageResult({}, {}, (), reached=frozenset({(bench, alike.likeness)}))
        joined = CoverageResult.joined([part, other])
        assert joined.waived == waived
        assert joined.missed == (() if waived else (POINT,))
        assert joined.total.points["branch"] == (not waived)


def test_points_that_are_alike_differ_in_numbers_alone() -> None:
    one = replace(POINT, text=r"4'h3: \$61 = 4'h7;")
    assert one.likeness == replace(one, bench="roomy", text=r"2'h2: \$7 = 3'h1;").likeness
    assert one.likeness != replace(one, text=r"4'h3: \$61 = en;").likeness
    assert one.likeness != replace(one, what="else").likeness


CASES = """module \\Top (clk);
  assign y = x ? a : b;
  always @* begin
    casez (state)
      4'h3:
          if (en) begin
            (* src = "/x.py:3" *)
            x = y;
          end
      4'h7: /* empty */;
    endcase
    if (en) begin
      z = y;
  always @* begin
    if (en) begin
""".splitlines()


def test_the_text_of_a_point_tells_its_case() -> None:
    assert text_of(CASES, 6) == "4'h3: if (en) begin "
    assert text_of(CASES, 8) == "4'h3: x = y; end"
    assert text_of(CASES, 10) == "4'h7: /* empty */; endcase"
    assert text_of(CASES, 12) == "if (en) begin z = y;"
    assert text_of(CASES, 2) == "assign y = x ? a : b; always @* begin"
    assert text_of(CASES, 15) == "if (en) begin"


def test_waivers_are_few_and_each_says_why() -> None:
    assert len(waivers()) <= 15
    for waiver in waivers():
        assert waiver.reason.endswith("."), waiver.name
        for wanted in (waiver.unit, waiver.bench, waiver.module, waiver.text, waiver.what):
            re.compile(wanted)


def test_a_waiver_that_is_for_no_point_is_shown(
    one_bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "covered", lambda _task: None)
    monkeypatch.setattr(campaign, "counted", lambda _place: CoverageResult({}, {}, ()))
    monkeypatch.setattr(campaign, "library", lambda _design: None)
    found = campaign.measure(lambda _stage: None, lambda *_: None, 1)
    assert found.waived == dict.fromkeys(sorted(each.name for each in waivers()), 0)
    assert not list(one_bench.iterdir())


def test_every_waiver_is_for_some_points_of_the_recorded_figures() -> None:
    waived = json.loads((ROOT / "docs" / "coverage.json").read_text("utf-8"))["waived"]
    assert {*waived} == {each.name for each in waivers()}
    assert all(waived.values()), waived


def test_the_command_shows_units_and_what_was_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit().counted("line", covered=True).counted("branch", covered=False)
    missed = (
        Missed("roomy", "core/unit.py", "unit", "branch", "if", "if (en) begin"),
        Missed("roomy", "core/unit.py", "unit", "toggle", "a[3]", "wire a;"),
    )
    waived = {"u": 0, "w": 2}
    found = CoverageResult({"core/unit.py": unit, "core/x.py": unit}, waived, missed)
    processes = []

    def measure(report: Stages, progress: Steps, workers: int) -> CoverageResult:
        report("running trials")
        progress(1, 1)
        processes.append(workers)
        return found

    monkeypatch.setattr(campaign, "measure", measure)
    file = tmp_path / "coverage.json"
    arguments = ["bench", "--coverage", "--workers", "3", "--json", str(file)]
    done = CliRunner().invoke(main, arguments)
    assert processes == [3]
    assert done.exit_code == 0, done.output
    assert "if (en) begin" in done.output
    assert "a waiver that is for no point: u" in done.output
    assert "a waiver that is for no point: w" not in done.output
    written = json.loads(file.read_text())
    assert written["total"]["covered"] == {"line": 2, "branch": 0, "toggle": 0}
    assert written["total"]["points"] == {"line": 2, "branch": 2, "toggle": 0}
    assert [each["what"] for each in written["list"]] == ["if"]
    assert written["waived"] == waived


def test_workers_are_for_trials_alone() -> None:
    done = CliRunner().invoke(main, ["bench", "--workers", "2"])
    assert done.exit_code == 2
    assert "--coverage" in done.output


def test_results_of_designs_add_up() -> None:
    one = Unit().counted("line", covered=True)
    two = Unit().counted("line", covered=False)
    missed = Missed("roomy", "core/a.py", "a", "line", "block", "x = y;")
    joined = CoverageResult.joined([
        CoverageResult({"core/b.py": one}, {"w": 1}, ()),
        CoverageResult({"core/a.py": two, "core/b.py": two}, {"w": 2, "v": 1}, (missed,)),
    ])  # fmt: skip
    assert list(joined.units) == ["core/a.py", "core/b.py"]
    assert joined.units["core/b.py"] == one.counted("line", covered=False)
    assert joined.total.points["line"] == 3
    assert joined.total.covered["line"] == 1
    assert joined.waived == {"v": 1, "w": 3}
    assert joined.list == (missed,)


# --- constants ---------------------------------------------------------------------------------

FOLDED = """module Top(clk, a, y);
  input clk; input [1:0] a; output [3:0] y;
  wire [3:0] wide = {2'b00, a};
  wire [1:0] zero = {a[0], 1'b0};
  reg never = 1'b0;
  reg after = 1'b1;
  reg held = 1'b0;
  reg kept = 1'b0;
  always @(posedge clk) begin
    never <= wide[3] & a[0];
    after <= ~never;
    held <= a[1];
    if (a[0]) kept <= kept & held;
    else if (a[1]) kept <= 1'b0;
  end
  \\Top.part part(.a(after), .y());
  assign y = wide ^ {held, 3'b000};
endmodule
module \\Top.part (a, y);
  input a; output y;
  wire \\x[1] = a;
  assign y = \\x[1] ;
endmodule
"""


def test_bits_that_never_change_are_found_across_registers_and_modules() -> None:
    constants = Constants(FOLDED, "Top")
    for module, what, expected in (
        ("Top", "wide[3]:0->1", True),
        ("Top", "wide[1]:0->1", False),
        ("Top", "never:1->0", True),
        ("Top", "after:0->1", True),
        ("Top", "held:0->1", False),
        ("Top", "kept:0->1", True),
        ("Top", "absent:0->1", False),
        ("Top", "y[2]:0->1", True),
        ("Top.part", "x__05b1__05d:0->1", True),
    ):
        assert (CoverPoint("toggle", module, 1, what) in constants) == expected, what
    assert CoverPoint("branch", "Top", 1, "never:1->0") not in constants


def test_a_side_of_a_choice_is_never_taken_if_its_condition_never_changes() -> None:
    constants = Constants(FOLDED, "Top")
    for what, text, expected in (
        ("if", "if (never) begin x = y;", True),
        ("else", "if (never) begin x = y;", False),
        ("elsif", "end else if (never) begin if (after) begin", True),
        ("else", "4'h3: if (after) begin if (held) begin", True),
        ("if", "if (held) begin if (never) begin", False),
        ("if", "if (1'h0) begin", True),
        ("else", "if (1'h0) begin", False),
        ("cond_then", "assign x = wide[3] ? a : b; assign y = held ? a : b;", True),
        ("cond_else", "assign x = wide[3] ? a : b;", False),
        ("cond_else", "assign x = after  ? a : b;", True),
        ("cond_then", "assign x = wide[1] ? a : b;", False),
        ("case", "4'h3: if (never) begin", False),
        ("if", "if (zero) begin x = y;", False),
    ):
        assert constants.forbid(CoverPoint("branch", "Top", 1, what), text) == expected, (
            what,
            text,
        )


# --- trials ------------------------------------------------------------------------------------

CORE = Design(params=preset("tiny"), level="core")


def differs(core: DeviceCore) -> Iterator[object]:
    yield 1
    yield isinstance(core, CoreEngine)


@pytest.mark.rtl
def test_what_a_core_does_has_to_be_what_its_model_does() -> None:
    alike(CORE, filled)
    with pytest.raises(Killed, match="step 1 of differs"):
        alike(CORE, differs)


def test_ticks_that_are_neither_reported_nor_muted_are_told() -> None:
    lost = 1 << 31 | Word.MUTED << WORD_COUNT_BITS | 70_000
    end = 1 << 31 | Word.END << WORD_COUNT_BITS | 9
    counters = {"missed_deadlines": 65535, "muted_ticks": 65535}
    trials.check_lost(np.array([end, lost]), 70_001, counters)
    with pytest.raises(Killed, match="0 were reported"):
        trials.check_lost(np.array([lost]), 70_001, counters)
    for name in counters:
        with pytest.raises(Killed, match="7 of 70000"):
            trials.check_lost(np.array([end, lost]), 70_001, counters | {name: 7})


# --- all together ------------------------------------------------------------------------------


def fills(design: Design) -> None:
    alike(design, filled)


@pytest.fixture
def one_bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A single bench, tried in this process; the folder for files that are temporary."""
    monkeypatch.setattr(campaign, "BENCHES", {"paired": Bench(CORE, {"fill": fills}, of_core=True)})
    monkeypatch.setattr(campaign, "trials", lambda _name: {})
    monkeypatch.setattr(campaign, "requests", lambda *_, **__: None)
    monkeypatch.setattr(Workforce, "at_work", lambda _workforce, work: nullcontext(Alone(work)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.rtl
@pytest.mark.bulk
def test_what_trials_cover_is_counted_and_leaves_no_files(one_bench: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = campaign.measure(lambda _stage: None, lambda *step: steps.append(step), 1)
    assert steps == [(1, 2), (2, 2)]
    access = found.units["core/access.py"]
    assert 0 < access.covered["toggle"] < access.points["toggle"]
    assert all(unit.startswith("core/") for unit in found.units)
    assert {each.bench for each in found.missed} == {"paired"}
    assert not list(one_bench.iterdir())


def test_an_interrupt_leaves_no_files(one_bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(task: campaign.CoverageTask) -> None:
        Path(task.folder).mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "covered", interrupted)
    monkeypatch.setattr(campaign, "library", lambda _design: None)
    with pytest.raises(KeyboardInterrupt):
        campaign.measure(lambda _stage: None, lambda *_: None, 1)
    assert not list(one_bench.iterdir())
