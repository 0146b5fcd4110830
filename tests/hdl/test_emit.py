"""The design as text: what it is given is checked, and it can be part of anybody's design."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from spiketwin.cosim.rtl import toolchain
from spiketwin.firmware import yosys
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.gateware.levels import Top
from spiketwin.hdl.spec.params import preset
from spiketwin.host.cli import main

pytestmark = pytest.mark.rtl

TINY = preset("tiny")
LARGER = preset("tiny,n_axons=16,n_neurons=16")
MODULE = re.compile(r"^\s*module (\S+?)\s*\(", re.MULTILINE)


@pytest.mark.parametrize("write", [emit.verilog, emit.rtlil])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"top": "Core"}, "top must be CoreTop, BytesTop or PinsTop, not 'Core'"),
        ({"params": "tiny"}, "params must be a CoreParams, not 'tiny'"),
        ({"clock_hz": 0}, "clock_hz must be a whole number in 1…4294967295, not 0"),
        ({"clock_hz": 12e6}, "clock_hz must be a whole number in 1…4294967295, not 12000000.0"),
        ({"cycles_per_bit": 1}, "cycles_per_bit must be a whole number in 4…65535, not 1"),
        ({"cycles_per_bit": 65536}, "cycles_per_bit must be a whole number in 4…65535, not 65536"),
        ({"top": "BytesTop", "cycles_per_bit": 8}, "the rate of a UART, which BytesTop does not"),
        ({"build": "x" * 20}, "build must be up to 16 characters, not the 20"),
        ({"build": "größer"}, "build must be printable ASCII"),
        ({"build": "a\n"}, "build must be printable ASCII"),
        ({"prefix": "1st"}, "prefix must be empty, or a letter and up to 31 letters"),
        ({"prefix": "a b"}, "prefix must be empty"),
        ({"prefix": "a" * 33}, "prefix must be empty"),
    ],
)
def test_what_is_no_design_is_refused_by_name(
    write: Any, arguments: dict[str, Any], says: str
) -> None:
    usual: dict[str, Any] = {"top": "PinsTop", "params": TINY}
    with pytest.raises(emit.EmissionError, match=re.escape(says)):
        write(**(usual | arguments))


@pytest.mark.parametrize(
    ("top", "ports"),
    [
        pytest.param("PinsTop", {"clk", "rst", "rx", "tx"}, marks=pytest.mark.bulk),
        pytest.param("BytesTop", {"clk", "rst", "rx_data", "tx_ready"}, marks=pytest.mark.bulk),
        ("CoreTop", {"clk", "rst", "memory_valid", "words_payload"}),
    ],
)
def test_each_top_is_emitted_under_its_name(top: Top, ports: set[str]) -> None:
    text = emit.verilog(top, TINY)
    (found,) = re.findall(rf"^module {top}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert ports <= set(re.split(r",\s*", found))


def test_without_a_reset_there_is_no_port_for_one_and_nothing_that_it_does() -> None:
    text = emit.verilog("BytesTop", TINY, reset=False)
    (found,) = re.findall(r"^module BytesTop\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert "clk" in re.split(r",\s*", found)
    assert not re.search(r"\brst\b", text)


@pytest.mark.bulk
def test_the_text_does_not_grow_with_the_depth_of_memories() -> None:
    small, large = (
        emit.verilog("BytesTop", preset(f"digits,n_axons={n},n_neurons={n}")) for n in (64, 256)
    )
    assert len(large) < 1.01 * len(small)


@pytest.mark.bulk
def test_memories_begin_in_verilog_with_what_amaranth_gives_them(tmp_path: Path) -> None:
    """Yosys reads both ways of saying it, and finds the same in all words of all memories."""
    (tmp_path / "core.v").write_text(emit.verilog("BytesTop", TINY))
    (tmp_path / "core.il").write_text(emit.rtlil("BytesTop", TINY))
    commands = [
        f"{read}; proc -norom; memory_collect; write_rtlil {name}; design -reset"
        for read, name in (("read_verilog core.v", "v.il"), ("read_rtlil core.il", "il.il"))
    ]
    yosys.call("reading", commands, "log").run(tmp_path)
    of_verilog, of_amaranth = (
        sorted(re.findall(r"parameter \\INIT (\d+'\S+)", (tmp_path / name).read_text()))
        for name in ("v.il", "il.il")
    )
    assert of_verilog == of_amaranth
    assert len(of_verilog) > 20
    assert {"0", "1"} == set("".join(value.partition("'")[2] for value in of_verilog))


@pytest.mark.bulk
def test_two_cores_of_different_sizes_live_in_one_design_without_a_word(tmp_path: Path) -> None:
    texts = {
        "a": emit.verilog("PinsTop", TINY, prefix="a_"),
        "b": emit.verilog("PinsTop", LARGER, prefix="b_"),
        "both": """
            module both(input clk, input rst, input [1:0] rx, output [1:0] tx);
                a_PinsTop one (.clk(clk), .rst(rst), .rx(rx[0]), .tx(tx[0]));
                b_PinsTop two (.clk(clk), .rst(rst), .rx(rx[1]), .tx(tx[1]));
            endmodule\n""",
    }
    modules = [name for text in texts.values() for name in MODULE.findall(text)]
    assert len(modules) == len(set(modules)) > 90
    for name, text in texts.items():
        (tmp_path / f"{name}.v").write_text(text)
    done = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top", "both", *sorted(tmp_path.glob("*.v"))],
        env=os.environ | toolchain.environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert "%" not in done.stdout + done.stderr  # how warnings and errors begin


# --- the command --------------------------------------------------------------------------------


def test_the_command_writes_what_python_does(tmp_path: Path) -> None:
    file = tmp_path / "core.v"
    arguments = ["--params", "tiny", "--clock", "1000000", "--baud", "9600", "--build", "mine"]
    done = CliRunner().invoke(main, ["verilog", *arguments, "--prefix", "my_", str(file)])
    assert done.exit_code == 0, done.output
    assert f"{file}: module my_PinsTop" in done.output
    assert file.read_text() == emit.verilog("PinsTop", TINY, 1_000_000, "mine", 104, "my_")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--params", "huge"], "no reference size 'huge'"),
        (["--baud", "100000000"], "must be in 1526…25000000 at a clock of 100000000 Hz"),
        (["--clock", "1000000", "--baud", "230400"], "makes no 230400 baud, but 200000 or 250000"),
        (["--level", "bytes", "--baud", "9600"], "--baud would have no effect at --level bytes"),
        (["--level", "core", "--clock", "9600"], "--clock would have no effect at --level core"),
        (["--level", "core", "--build", "mine"], "--build would have no effect at --level core"),
        (["--build", "x" * 20], "build must be up to 16 characters"),
        (["--prefix", "1st"], "prefix must be empty, or a letter"),
    ],
)
def test_a_wrong_call_of_the_command_writes_nothing(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "core.v"
    done = CliRunner().invoke(main, ["verilog", "--params", "tiny", *arguments, str(file)])
    assert done.exit_code == 2
    assert says in done.stderr
    assert not list(tmp_path.iterdir())
