"""Coverage: what is counted, for which unit, and what is waived."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from spiketwin.cosim.trials.coverage import campaign
from spiketwin.cosim.trials.coverage.campaign import Waiver, waivers
from spiketwin.cosim.trials.coverage.recorded import Point, Recorded, points, units_of
from spiketwin.cosim.trials.coverage.results import CoverageResult, Missed, Unit
from spiketwin.host.cli import main

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
        Point("branch", "Top.unit", 4, "if"): 3, Point("toggle", "Top.unit", 2, "a"): 2,
    }  # fmt: skip


def test_a_point_that_no_simulation_reached_is_still_there(tmp_path: Path) -> None:
    file = tmp_path / "0.dat"
    file.write_text(recorded(("line", 4, "block", 0)))
    assert list(points([file], VERILOG)) == [Point("line", "Top.unit", 4, "block")]


def test_a_module_is_of_the_file_that_it_comes_from_and_those_of_libraries_of_none() -> None:
    assert units_of(VERILOG) == {"Top.unit": "core/unit.py"}


def test_what_is_covered_is_written_when_the_simulation_ends() -> None:
    edited = Recorded().edited(VERILOG).splitlines()
    assert edited.index("  final spiketwin_covered();") == len(edited) - 2


def test_a_waiver_is_for_a_place_in_a_unit() -> None:
    waiver = Waiver("w", "because", r"core/\w+\.py", r"^if \(en\)")
    assert waiver.covers("core/unit.py", "if (en) begin x = y;")
    assert not waiver.covers("link/unit.py", "if (en) begin x = y;")
    assert not waiver.covers("core/unit.py", "else if (en) begin x = y;")


def test_waivers_are_few_and_each_says_why() -> None:
    assert len(waivers()) <= 15
    for waiver in waivers():
        assert waiver.reason.endswith("."), waiver.name
        re.compile(waiver.unit)
        re.compile(waiver.text)


def test_the_command_shows_units_and_what_was_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit().counted("line", covered=True).counted("branch", covered=False)
    missed = (
        Missed("roomy", "core/unit.py", "branch", "if", "if (en) begin"),
        Missed("roomy", "core/unit.py", "toggle", "a[3]", "wire a;"),
    )
    found = CoverageResult({"core/unit.py": unit, "core/x.py": unit}, {"w": 2}, missed)
    monkeypatch.setattr(campaign, "measure", lambda _report: found)
    file = tmp_path / "coverage.json"
    done = CliRunner().invoke(main, ["bench", "--coverage", "--json", str(file)])
    assert done.exit_code == 0, done.output
    assert "if (en) begin" in done.output
    written = json.loads(file.read_text())
    assert written["total"]["covered"] == {"line": 2, "branch": 0, "toggle": 0}
    assert written["total"]["points"] == {"line": 2, "branch": 2, "toggle": 0}
    assert [each["what"] for each in written["list"]] == ["if"]
    assert written["waived"] == {"w": 2}
