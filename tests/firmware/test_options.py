"""What each option of a core takes: the script that builds them, and its stored figures.

`python docs/options.py --json docs/options.json` stores them anew where a change is worth it.
"""

import importlib.util
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.checkout import ROOT

from spiketwin.firmware.board import board
from spiketwin.firmware.build import Build, TimingMissed
from spiketwin.firmware.calls import Call
from spiketwin.firmware.plan import Plan
from spiketwin.hdl import builds
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.params import CoreParams, preset

STORED: dict[str, Any] = json.loads((ROOT / "docs/options.json").read_text())["cores"]

MORE = 0.02
"""A change of a line moves this much by the luck of the mapping."""

NOT_ON_AN_ECP5 = "single_port_weights"
"""An option for memories that an ECP5 does not have."""


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("options", ROOT / "docs/options.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_option_is_built(script: ModuleType) -> None:
    changed = {
        name
        for without, added in script.OPTIONS
        for name, size in asdict(preset(f"{without},{added}")).items()
        if size != asdict(preset(without))[name]
    }
    # Options are off by default, all but learning.
    options = {field.name for field in fields(CoreParams) if field.default in (0, 1)}
    assert changed == options - {NOT_ON_AN_ECP5}


def test_what_is_stored_is_whole(script: ModuleType) -> None:
    assert list(STORED) == list(script.cores())
    for core, adds in script.cores().items():
        assert (STORED[core]["without"], STORED[core]["added"]) == (adds or (None, None))
        assert list(STORED[core]["takes"]) == list(script.COLUMNS)
        assert STORED[core]["fmax_mhz"] > 0


def test_a_row_is_the_difference_to_the_core_without() -> None:
    page = (ROOT / "docs/sizes.md").read_text()
    for core in STORED.values():
        if core["without"] is not None:
            row = next(r for r in page.splitlines() if r.startswith(f"| `{core['added']}`"))
            cells = [cell.strip() for cell in row.split("|")[3:-1]]
            less = STORED[core["without"]]["takes"]
            takes = [f"{n - less[kind]:+,}" for kind, n in core["takes"].items()]
            assert cells == [*takes, f"{core['fmax_mhz']:.1f} MHz"]


class Builds:
    """A stand-in for the tools: each core has more LUTs, and a lower clock, than the one before."""

    def __init__(self, script: ModuleType) -> None:
        self.numbers = {preset(core): number for number, core in enumerate(script.cores())}
        self.calls = 0
        self.fails_at = 0

    def build(self, plan: Plan) -> Build:
        self.calls += 1
        if self.calls == self.fails_at:
            raise BuildError("synthesis ended with status 1")
        number = self.numbers[plan.params]
        uses = {"logic": 1000 * (1 + number**2), "flip_flops": 500, "memory": 9, "dsp": 16}
        figures = {
            "fmax_mhz": 100.0 - number,
            **{kind: {"used": used, "available": 10**6} for kind, used in uses.items()},
        }
        made = Build(folder=Path(), figures=figures, bitstream=None)
        if number % 2:
            raise TimingMissed("slower than its clock", made)
        return made


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, script: ModuleType) -> Builds:
    stand_in = Builds(script)
    monkeypatch.setattr(script, "build", stand_in.build)
    return stand_in


@pytest.mark.usefixtures("tools")
def test_the_script_builds_all_says_what_each_adds_and_writes_it(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.json"
    assert script.main(["--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["board"] == "ulx3s_85f"
    assert list(written["cores"]) == list(script.cores())
    table = f"{script.BASE},{script.TABLE}"
    assert written["cores"][f"{table},sparse_rows=256"] == {
        "without": table,
        "added": "sparse_rows=256",
        "takes": {"logic": 101_000, "flip_flops": 500, "memory": 9, "dsp": 16},
        "fmax_mhz": 90.0,
    }
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        f"1 of {len(script.cores())}: {script.BASE}",
        "  1,000 LUTs, 500 flip-flops, 9 block RAMs, 16 multipliers, 100.0 MHz (estimated)",
    ]
    # The tenth differs from the core with the table, which is the ninth beside the base; that one
    # missed its clock, and counts all the same.
    assert said[20] == f"11 of {len(script.cores())}: {table},sparse_rows=256"
    assert said[21] == (
        "  +19,000 LUTs, +0 flip-flops, +0 block RAMs, +0 multipliers, 90.0 MHz (estimated)"
    )


def test_what_was_built_before_a_tool_failed_is_written(
    script: ModuleType, tools: Builds, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.json"
    tools.fails_at = 3
    assert script.main(["--json", str(path)]) == 1
    assert "synthesis ended" in capsys.readouterr().err
    assert list(json.loads(path.read_text())["cores"]) == list(script.cores())[:2]
    # A call that comes after it is whole; `build` itself keeps what was built.
    assert script.main(["--json", str(path)]) == 0
    assert list(json.loads(path.read_text())["cores"]) == list(script.cores())


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have nextpnr pack the cells, by which they are counted, and not place them.

    Where they lie does not change their number, and takes ten times as long.
    """
    run = Call.run

    def run_or_pack(call: Call, folder: Path) -> None:
        if "--report" not in call.arguments:
            run(call, folder)
            return
        written = call.arguments.index("--textcfg")
        kept = call.arguments[:written] + call.arguments[written + 2 :]
        run(replace(call, arguments=(*kept, "--pack-only")), folder)
        asked = float(call.arguments[call.arguments.index("--freq") + 1])
        slow = {"fmax": {"clock": {"achieved": asked / 2, "constraint": asked}}}
        (folder / "timing.json").write_text(json.dumps(slow))

    monkeypatch.setattr(Call, "run", run_or_pack)
    monkeypatch.setattr(builds, "roots", lambda: [tmp_path / "builds"])


@pytest.mark.bulk
@pytest.mark.usefixtures("packed")
def test_a_core_takes_what_is_said(script: ModuleType) -> None:
    taken, _ = script.takes(board("ulx3s_85f"), script.BASE)
    stored = STORED[script.BASE]["takes"]
    for kind in ("logic", "flip_flops"):
        assert taken[kind] <= stored[kind] * (1 + MORE), kind
    assert (taken["memory"], taken["dsp"]) == (stored["memory"], stored["dsp"])


def test_the_help_says_what_is_built(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0
    assert "docs/options.json" in capsys.readouterr().out
