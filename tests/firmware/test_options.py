"""What each option of a core takes: the script that maps them, and its stored figures.

`python docs/options.py --json docs/options.json` stores them anew where a change is worth it.
"""

import importlib.util
import json
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.checkout import ROOT

from spiketwin.firmware.family import families
from spiketwin.firmware.wasm import Call
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


def test_every_option_is_mapped(script: ModuleType) -> None:
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


def test_a_row_is_the_difference_to_the_core_without() -> None:
    page = (ROOT / "docs/sizes.md").read_text()
    for core in STORED.values():
        if core["without"] is not None:
            row = next(r for r in page.splitlines() if r.startswith(f"| `{core['added']}`"))
            cells = [cell.strip() for cell in row.split("|")[3:-1]]
            less = STORED[core["without"]]["takes"]
            assert cells == [f"{n - less[kind]:+,}" for kind, n in core["takes"].items()]


class Yosys:
    """A stand-in for Yosys, which counts LUTs as the text of the design says."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails_at = 0

    def run(self, _call: Call, folder: Path) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise BuildError("synthesis ended with status 1")
        luts = int((folder / "core.il").read_text())
        cells = {"LUT4": luts, "CCU2C": 10, "TRELLIS_FF": 500, "DP16KD": 9, "MULT18X18D": 16}
        (folder / "cells.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))


@pytest.fixture
def yosys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: ModuleType) -> Yosys:
    stand_in = Yosys()
    monkeypatch.setattr(builds, "roots", lambda: [tmp_path])
    monkeypatch.setattr(Call, "run", lambda call, folder: stand_in.run(call, folder))
    numbers = {preset(core): 1000 * (1 + i * i) for i, core in enumerate(script.cores())}
    designs = SimpleNamespace(rtlil=lambda _, params: str(numbers[params]))
    monkeypatch.setattr(script, "emit", designs)
    return stand_in


def test_the_script_maps_all_says_what_each_adds_and_writes_it(
    script: ModuleType, yosys: Yosys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.json"
    assert script.main(["--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["family"] == "ecp5"
    assert list(written["cores"]) == list(script.cores())
    table = f"{script.BASE},{script.TABLE}"
    assert written["cores"][f"{table},sparse_rows=256"] == {
        "without": table,
        "added": "sparse_rows=256",
        "takes": {"logic": 101_020, "flip_flops": 500, "memory": 9, "dsp": 16},
    }
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        f"1 of {len(script.cores())}: {script.BASE}",
        "  1,020 LUTs, 500 flip-flops, 9 block RAMs, 16 multipliers (estimated)",
    ]
    # The tenth differs from the core with the table, which is the ninth beside the base.
    assert said[20] == f"11 of {len(script.cores())}: {table},sparse_rows=256"
    assert said[21].startswith("  +19,000 LUTs, +0 flip-flops, +0 block RAMs, +0 multipliers")


def test_a_call_that_was_broken_off_goes_on_where_it_ended(
    script: ModuleType, yosys: Yosys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "options.json"
    yosys.fails_at = 3
    assert script.main(["--json", str(path)]) == 1
    assert "synthesis ended" in capsys.readouterr().err
    assert list(json.loads(path.read_text())["cores"]) == list(script.cores())[:2]
    assert script.main(["--json", str(path)]) == 0
    assert list(json.loads(path.read_text())["cores"]) == list(script.cores())
    assert yosys.calls == 1 + len(script.cores())  # the one that failed is mapped once more


@pytest.mark.bulk
def test_a_core_takes_what_is_said(script: ModuleType) -> None:
    taken = script.takes(families()["ecp5"], script.BASE)
    stored = STORED[script.BASE]["takes"]
    for kind in ("logic", "flip_flops"):
        assert taken[kind] <= stored[kind] * (1 + MORE), kind
    assert (taken["memory"], taken["dsp"]) == (stored["memory"], stored["dsp"])


def test_the_help_says_what_is_mapped(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0
    assert "docs/options.json" in capsys.readouterr().out
