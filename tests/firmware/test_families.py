"""Families of FPGAs: one file is all that one takes, and everybody finds it there."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from amaranth_boards.icebreaker import ICEBreakerPlatform
from click.testing import CliRunner
from support.checkout import ROOT
from support.wire import Wire

from spiketwin.cosim.netlist import mapping
from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.firmware import families as package
from spiketwin.firmware import plan as planning
from spiketwin.firmware import top, yosys
from spiketwin.firmware.board import Board, board
from spiketwin.firmware.build import build
from spiketwin.firmware.calls import Call
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.family import CellModels, Family, VendorProject, families
from spiketwin.firmware.fpga import Device, Package
from spiketwin.firmware.nextpnr import Nextpnr
from spiketwin.firmware.openfpgaloader import calls
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl import builds
from spiketwin.hdl.spec.params import preset
from spiketwin.host import connect
from spiketwin.host.cli import main
from spiketwin.host.errors import TargetError

MADE_UP = """\
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from amaranth.hdl import Instance

from spiketwin.firmware.clocks import Pll
from spiketwin.firmware.family import CellModels, Family, input_buffer
from spiketwin.firmware.fpga import Device, Package
from spiketwin.firmware.nextpnr import Nextpnr


@dataclass(frozen=True, kw_only=True)
class Doubler(Pll):
    def instantiate(self, m, pad, package, clock, locked):
        m.submodules.pll = Instance(
            "DOUBLER", i_I=input_buffer(m, pad), o_O=clock, o_LOCKED=locked
        )


class Cheap(Family):
    def pll(self, input_hz, wanted_hz):
        return Doubler(hz=Fraction(2 * input_hz))

    def package(self, platform):
        return Package("small", frozenset({"6", "9", "35"}))


CHEAP = Cheap(
    name="cheap",
    title="Cheap",
    devices=(Device("iCE40LP384", "--least", 0x12345678),),
    synthesis="synth_cheap",
    mapped={"logic": {"CHEAP_LUT*": 2}, "flip_flops": {"CHEAP_FF": 1}, "memory": {}},
    block_ram=((256, 16),),
    flow=Nextpnr(
        routes="cheap_tools.route",
        packs="cheap_tools.pack",
        arguments=("--pcf", "top.pcf"),
        routed="top.routed",
        bitstream="top.cheap",
        cells={"logic": "CHEAP_CELL"},
    ),
    written=(".il", ".pcf"),
    distributions=("cheap-tools",),
    models=CellModels((Path(__file__).with_name("cheap.v"),), ("cheap/cells_sim.v",), ("CHEAP",)),
    oscillators=("CHEAP_OSC",),
)
"""
"""A family that nobody makes, whose tools are none that there are."""


class CheapPlatform(ICEBreakerPlatform):  # type: ignore[misc]
    device = "iCE40LP384"


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """One more file among the families, and nothing else."""
    folder = tmp_path / "families"
    folder.mkdir()
    (folder / "cheap.py").write_text(MADE_UP)
    (folder / "cheap.v").write_text("module CHEAP_LUT4; endmodule")
    with monkeypatch.context() as patch:
        patch.setattr(package, "__path__", [*package.__path__, str(folder)])
        yield families()["cheap"]
    del sys.modules[f"{package.__name__}.cheap"]


@pytest.fixture
def cheap_board(made_up: Family, monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(
        planning, "version", lambda name: "1" if name == "cheap-tools" else version(name)
    )
    return replace(
        board("icebreaker"), name="mine", platform=CheapPlatform, params="tiny",
        clock_hz=24_000_000,
    )  # fmt: skip


def test_without_its_file_a_family_is_not_there() -> None:
    assert "cheap" not in families()


def test_a_board_with_it_is_resolved(cheap_board: Board, made_up: Family) -> None:
    target = resolve(cheap_board)
    assert target.family is made_up
    assert target.device == Device("iCE40LP384", "--least", 0x12345678)
    assert target.package == Package("small", frozenset({"6", "9", "35"}))
    assert target.pll.hz == 24_000_000
    assert calls.tells_idcode(target)
    platform = type("Other", (CheapPlatform,), {"default_clk": "CHEAP_OSC"})
    with pytest.raises(BoardError, match="oscillator inside of the FPGA, CHEAP_OSC"):
        resolve(replace(cheap_board, platform=platform))


def test_an_unknown_fpga_is_told_those_of_every_family(made_up: Family) -> None:
    platform = type("Other", (CheapPlatform,), {"device": "iCE40LP1K"})
    with pytest.raises(BoardError) as error:
        resolve(replace(board("icebreaker"), platform=platform))
    for family in families().values():
        assert all(device.name in str(error.value) for device in family.devices)


def test_a_bitstream_is_built_by_its_tools(
    cheap_board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Call] = []

    def run(call: Call, folder: Path) -> None:
        called.append(call)
        (folder / call.log).write_text("Info: \t CHEAP_CELL: 12/ 384 3%\n")
        fmax = {"clock": {"achieved": 30.0, "constraint": 24.0}}
        (folder / "timing.json").write_text(json.dumps({"fmax": fmax}))
        if call.function == "cheap_tools.pack":
            (folder / call.arguments[-1]).write_text("bits")

    monkeypatch.setattr(builds, "roots", lambda: [tmp_path / "builds"])
    monkeypatch.setattr(top, "PinsTop", Wire)
    monkeypatch.setattr(Call, "run", run)
    made = build(plan(resolve(cheap_board)))
    synthesis, routing, packing = called
    assert synthesis.arguments[-2:] == ("synth_cheap -top top", "write_json top.json")
    assert routing.function == "cheap_tools.route"
    assert routing.arguments[:3] == ("--least", "--package", "small")
    assert routing.arguments[-2:] == ("--pcf", "top.pcf")
    assert packing.arguments == ("top.routed", "top.cheap")
    assert made.bitstream == made.folder / "top.cheap"
    assert made.figures["logic"] == {"used": 12, "available": 384}
    assert (made.folder / "top.pcf").is_file()
    design = (made.folder / "top.il").read_text()
    assert "cell \\DOUBLER" in design
    assert "SB_PLL40" not in design


def test_its_netlist_can_be_asked_for(made_up: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = preset("tiny")
    assert list(mapping.families()) == ["cheap", "ecp5", "ice40"]
    design = Design(params=tiny, family="cheap")
    assert [path.name for path in mapping.sources("cheap")] == ["cheap.v"]
    digest = design.digest()
    assert digest not in {Design(params=tiny, family=name).digest() for name in (None, "ecp5")}
    mapping.sources("cheap")[0].write_text("module CHEAP_LUT4; /* another one */ endmodule")
    assert design.digest() != digest
    with pytest.raises(DesignError, match="family must be cheap or ecp5 or ice40, not 'xc7'"):
        Design(params=tiny, family="xc7")
    asked: list[Design] = []

    def library(design: Design, *_: object) -> Path:
        asked.append(design)
        raise TargetError("not built in this test")

    monkeypatch.setattr("spiketwin.cosim.rtl.engine.library", library)
    with pytest.raises(TargetError, match="not built"):
        connect("netlist:?family=cheap", params="tiny")
    assert [one.family for one in asked] == ["cheap"]


def test_the_netlist_is_mapped_and_simulated_with_its_models(
    made_up: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Call] = []
    monkeypatch.setattr(Call, "run", lambda call, _folder: called.append(call))
    models = tmp_path / "yosys/share/cheap"
    models.mkdir(parents=True)
    (models / "cells_sim.v").touch()
    monkeypatch.setattr(yosys, "folder", lambda: tmp_path / "yosys")
    folder = tmp_path / "made"
    folder.mkdir()
    arguments = mapping.write_netlist("cheap", "core.il", "BytesTop", folder, folder / "build.log")
    assert "synth_cheap -top BytesTop" in called[0].arguments
    assert "-DCHEAP" in arguments
    files = ["cheap.v", "cells_sim.v", "netlist.v"]
    assert arguments[-3:] == [str(folder / name) for name in files]


def test_the_command_tells_an_fpga_of_it(made_up: Family, tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(
        "from dataclasses import replace\n"
        "from spiketwin.firmware.boards.icebreaker import BOARD\n"
        "class Other(BOARD.platform):\n    device = 'iCE40LP1K'\n"
        "MINE = replace(BOARD, name='mine', platform=Other)\n"
    )
    done = CliRunner().invoke(main, ["build", "--board", str(path)])
    assert done.exit_code == 2
    assert "iCE40LP384" in re.sub(r"[\s│]", "", done.output)


def test_its_cells_are_counted(made_up: Family) -> None:
    cells = {"CHEAP_LUT4": 3, "CHEAP_LUT5": 2, "CHEAP_FF": 7, "OTHER": 9}
    assert made_up.count(cells) == {"logic": 10, "flip_flops": 7, "memory": 0}


# --- those that there are -----------------------------------------------------------------------


def test_no_two_families_have_a_device_in_common() -> None:
    devices = [device.name for family in families().values() for device in family.devices]
    assert len(devices) == len(set(devices))


def test_the_tools_of_every_family_are_in_the_extra_for_boards() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {
        re.split(r"[^\w-]", needed)[0] for needed in project["optional-dependencies"]["boards"]
    }
    for family in families().values():
        assert extra.issuperset(family.distributions), family.name


def test_the_models_of_cells_are_there() -> None:
    for models in mapping.families().values():
        assert models.ours
        assert all(path.is_file() for path in models.ours)


LISTED = {
    # The family that `netlist:` means if none is given.
    "cosim/spiketwin/cosim/serial/protocol_netlist.py",
    "cosim/spiketwin/cosim/trials/fuzz/addresses.py",
    # And so what a figure of it is called.
    "cosim/spiketwin/cosim/trials/bench_figures.py",
    # What was measured of one chip, and what is fitted to the builds of a family.
    "cosim/spiketwin/cosim/explore/energy.py",
    "firmware/spiketwin/firmware/estimates/model.py",
}


def test_nobody_else_names_a_family() -> None:
    """Code may not, so that another family needs no change of it; docstrings may."""
    named = re.compile("ecp5|ice40|xc7", re.IGNORECASE)
    found = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("*/spiketwin/**/*.py")
        if not {"families", "boards"} & set(path.parts)
        and named.search(path.read_text())
        and any(map(named.search, words_of_code(path)))
    }
    assert found == LISTED


def words_of_code(path: Path) -> Iterator[str]:
    """The names and texts in a module; texts that stand alone are documentation."""
    tree = ast.parse(path.read_text())
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.Constant(value=str(word)):
                if id(node) not in documentation:
                    yield word


# --- the documentation --------------------------------------------------------------------------


@pytest.mark.parametrize("described", [Family, Device, Package, Nextpnr, VendorProject, CellModels])
def test_every_field_is_on_the_page(described: type[Any]) -> None:
    page = (ROOT / "docs/boards.md").read_text()
    rows = page.partition(f"| field of `{described.__name__}` | what it is |\n")[2]
    first = re.findall(r"^\| ([^|]*) \|", rows.partition("\n\n")[0], re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(first))
    assert named == [field.name for field in fields(described)]
