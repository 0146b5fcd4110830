"""``spiketwin testbench``: whose benches it runs, what it reports, and whose words come first."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.checkout import ROOT

from spiketwin.cosim.rtl import toolchain
from spiketwin.cosim.testbenches import core_bench, runner
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import ToolMissing

TINY = preset("tiny")

BENCH = """
from spiketwin.cosim.testbenches.core_driver import CoreDriver
from spiketwin.cosim.testbenches.declare import Benches

bench = Benches(CoreDriver)

@bench
async def fires(core):
    await core.fill("threshold", 100)
    await core.write_synapse(source=0, neuron=3, weight=120)
    result = await core.tick([0])
    core.scoreboard.check_vector("spikes", result.spikes, [3])

@bench
async def is_quiet(core):
    await core.fill("threshold", 100)
    await core.tick()
"""
SEEDED = """
@bench
async def draws(core):
    core.scoreboard.check("drawn", core.rng.getrandbits(31), 695425564)
"""
"""Holds with seed 7."""

PLAIN = """
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

@cocotb.test()
@cocotb.parametrize(cycles=[1, 20])
async def clock_runs(dut, cycles):
    Clock(dut.clk, 2, "step").start()
    for _ in range(cycles):
        await FallingEdge(dut.clk)

@cocotb.test(skip=True)
async def left_out(dut):
    raise AssertionError

@cocotb.test()
async def drives_what_is_not_there(dut):
    dut.no_such_port.value = 1

@cocotb.test()
async def takes_the_simulator_with_it(dut):
    import os
    os._exit(3)
"""


def testbench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["testbench", *map(str, arguments)])


testbench.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    path = tmp_path / "bench_of_mine.py"
    path.write_text(BENCH)
    return path


# --- what is run --------------------------------------------------------------------------------


def test_a_file_is_run_and_reported(bench: Path, tmp_path: Path) -> None:
    junit = tmp_path / "results.xml"
    bench.write_text(BENCH + SEEDED)
    done = testbench(bench, "--seed", "7", "--junit", junit)
    assert done.exit_code == 0, done.output
    assert "3 passed, 0 failed; seed 7" in done.output
    (suite,) = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["seed"] == "7"
    assert preset(str(properties["params"])) == TINY
    assert [case.get("name") for case in suite.iter("testcase")] == ["fires", "is_quiet", "draws"]


def test_a_test_that_fails_is_told_in_our_words_first(bench: Path, tmp_path: Path) -> None:
    bench.write_text(bench.read_text().replace("[3]", "[4]"))
    junit = tmp_path / "results.xml"
    done = testbench(bench, "--junit", junit)
    assert done.exit_code == 1
    first, second, third, *rest = done.output.splitlines()
    assert first.startswith(f"FAILED  {bench} fires")
    assert "Mismatch: seed " in second
    assert second.endswith("tick 0, neuron 0, spikes: expected 4, got 3")
    assert "the whole log is " in third
    assert any("cocotb.regression" in line for line in rest)
    assert Path(third.partition(" is ")[2].partition(";")[0]).is_file()
    assert "1 passed, 1 failed" in done.output
    failures = ElementTree.parse(junit).getroot().findall(".//failure")
    assert [(f.get("type"), "expected 4, got 3" in str(f.get("message"))) for f in failures] == [
        ("Mismatch", True)
    ]


@pytest.mark.bulk
def test_tests_in_plain_cocotb_are_run_each_from_power_up(tmp_path: Path) -> None:
    path, junit = tmp_path / "plain_of_mine.py", tmp_path / "results.xml"
    path.write_text(PLAIN)
    done = testbench(path, "--level", "core", "--junit", junit)
    assert done.exit_code == 1
    assert "2 passed, 2 failed, 1 skipped" in done.output
    assert "AttributeError: CoreTop contains no child object named no_such_port" in done.output
    assert "takes_the_simulator_with_it ended with status" in done.output
    (suite,) = ElementTree.parse(junit).getroot()
    counts = [suite.get(name) for name in ("tests", "failures", "skipped")]
    assert counts == ["5", "2", "1"]


@pytest.mark.bulk
def test_a_chosen_test_writes_its_signals(bench: Path, tmp_path: Path) -> None:
    waves = tmp_path / "one.vcd"
    done = testbench(bench, "--waves", waves)
    assert done.exit_code == 2
    assert "--waves is of a single test: choose one by --test, of fires, is_quiet" in done.output
    assert not waves.exists()
    done = testbench(bench, "--test", "is_quiet", "--waves", waves)
    assert done.exit_code == 0, done.output
    assert "run_until" in waves.read_text()


def test_one_of_our_own_is_run_by_its_name() -> None:
    done = testbench("core", "--test", "begins_with_nothing")
    assert done.exit_code == 0, done.output
    assert "passed  core begins_with_nothing" in done.output


# --- a recorded session -------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.jsonl"
    with connect("model:", params="tiny", record=path) as core:
        core.program(Network.random(8, 8, seed=4))
        core.run(np.argwhere(np.random.default_rng(2).random((10, 8)) < 0.3), 10)
        core.set_baud(10_000_000)
        core.read_weights()
    # Closing sets a rate of 9600 baud, at which the last request and its answer take 2.7 million
    # cycles; the rate set before is followed as well.
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    return path


@pytest.mark.bulk
def test_a_session_with_the_model_is_answered_alike_at_the_pins(session: Path) -> None:
    done = testbench(session)
    assert done.exit_code == 0, done.output
    assert "session_at_the_pins" in done.output


@pytest.mark.bulk
def test_a_session_that_is_answered_otherwise_names_the_answer(session: Path) -> None:
    lines = session.read_text().splitlines()
    place = max(i for i, line in enumerate(lines) if '"host"' in line and len(line) > 250)
    burst = json.loads(lines[place])
    data = bytes.fromhex(burst["bytes"])
    # Another weight, and a frame that is good nevertheless.
    from spiketwin.host.frames import FrameDecoder, encode

    bodies = FrameDecoder().feed(data)
    changed = bytearray(bodies[0])
    changed[20] ^= 1
    frames = b"".join(map(encode, [bytes(changed), *bodies[1:]]))
    lines[place] = json.dumps(burst | {"bytes": frames.hex()})
    session.write_text("\n".join(lines) + "\n")
    done = testbench(session, "--level", "bytes")
    assert done.exit_code == 1
    assert "(READ): expected" in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--params", "ncx"], "is a session with a core of --params full,n_axons=8,"),
        (["--level", "core"], "a session is played to --level bytes or pins"),
    ],
)
def test_a_session_is_played_to_a_core_of_its_sizes(
    arguments: list[str], says: str, session: Path
) -> None:
    done = testbench(session, *arguments)
    assert done.exit_code == 2
    assert says in done.output


def test_a_damaged_session_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text('{"recording": 1, "baud"')
    done = testbench(path)
    assert done.exit_code == 2
    assert f"{path}, line 1, is no JSON" in done.output


# --- what cannot be run -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "\nimport no_such_module\n",
            ", line 2, cannot be imported: ModuleNotFoundError: No module",
        ),
        ("def f(:\n", ", line 1, cannot be imported: SyntaxError: invalid syntax"),
        ("raise SystemExit(5)\n", ", line 1, cannot be imported: SystemExit: 5"),
        ("import os; os._exit(5)\n", " cannot be looked at for tests: importing it ended with"),
        ("x = 1\n", " has no tests: declare one with @cocotb.test()"),
    ],
)
def test_a_file_that_is_no_testbench_is_named_before_anything_is_built(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "simulator", None)
    path = tmp_path / "broken_bench.py"
    path.write_text(text)
    done = testbench(path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: {path}{says}")


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("nothing", [], "there is no testbench and no file 'nothing': choose core, bytes, pins"),
        ("core", ["--level", "pins"], "the testbench core drives --level core"),
        ("core", ["--test", "nothing"], "core has no test 'nothing': choose of begins_with"),
        ("core", ["--params", "huge"], "no reference size 'huge'"),
        ("core", ["--top", "mine"], "--source and --top belong together"),
        ("json.py", [], "is named like the module 'json' that is already there: rename it"),
        ("my-bench.py", [], "must be named like a module"),
        ("bench_of_mine.py", ["--level", "pins"], "drive --level core: leave --level out"),
        ("plain_of_mine.py", [], "does not tell what it drives: choose --level core, bytes or"),
    ],
)
def test_a_wrong_call_says_what_is_right(
    name: str, arguments: list[str], says: str, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.parent)
    Path("plain_of_mine.py").write_text(PLAIN)
    for other in ("json.py", "my-bench.py"):
        Path(other).touch()
    done = testbench(name, *arguments)
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_missing_cocotb_is_named_with_its_mend(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner._check_cocotb.cache_clear()
    monkeypatch.setattr(runner, "find_spec", lambda _name: None)
    done = testbench(bench)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: testbenches run under cocotb, which is not installed")
    assert "[testbench]" in done.stderr


def test_a_python_without_a_shared_library_is_named_with_its_mend(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner._check_cocotb.cache_clear()
    monkeypatch.setattr("find_libpython.find_libpython", lambda: None)
    done = testbench(bench)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: cocotb runs Python inside the simulator and needs it as")
    assert "sudo apt-get install python3." in done.stderr


def test_a_missing_compiler_is_named_with_its_mend(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> dict[str, str]:
        raise ToolMissing("building the RTL needs g++, which is not on the path")

    monkeypatch.setattr(toolchain, "environment", missing)
    done = testbench(bench, "--params", "tiny,spike_queue_depth=256,event_queue_depth=128")
    assert done.exit_code == 2
    assert "Error: building the RTL needs g++" in done.stderr


# --- designs of one's own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verilog", "top", "says"),
    [
        ("module mine(input clk); endmodule", "yours", "there is no module 'yours' in "),
        ("module mine(input clk; endmodule", "mine", "building the simulator of 'mine', of "),
        ('`include "gone.v"\nmodule mine; endmodule', "mine", "reading "),
    ],
)
def test_verilog_that_is_no_design_is_told_in_our_words_first(
    verilog: str, top: str, says: str, bench: Path
) -> None:
    source = bench.with_name("mine.v")
    source.write_text(verilog)
    done = testbench(bench, "--source", source, "--top", top)
    assert done.exit_code == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("building")]
    assert said[0].startswith(f"Error: {says}")
    assert str(source) in said[0]


@pytest.mark.bulk
def test_a_change_of_an_included_file_is_simulated(tmp_path: Path) -> None:
    path, source = tmp_path / "included_bench.py", tmp_path / "mine.v"
    path.write_text(
        "import cocotb\n@cocotb.test()\nasync def test(dut):\n    assert dut.value_out.value == 5\n"
    )
    source.write_text(
        '`include "value.vh"\nmodule mine(output [7:0] value_out);\n'
        "assign value_out = `VALUE;\nwire never_used = value_out;\nendmodule\n"
    )
    for value, status in (("4", 1), ("5", 0)):
        source.with_name("value.vh").write_text(f"`define VALUE {value}\n")
        done = testbench(path, "--source", source, "--top", "mine")
        assert done.exit_code == status, done.output


# --- the runner ---------------------------------------------------------------------------------


@pytest.mark.bulk
def test_a_driver_refuses_a_top_of_another_level(tmp_path: Path) -> None:
    module = core_bench.__name__
    outcome = runner.simulate(
        runner.simulator("BytesTop", TINY, whole=False), "BytesTop", TINY, module,
        f"{module}.begins_with_nothing", seed=0, results=tmp_path,
    )  # fmt: skip
    assert not outcome.passed
    assert outcome.kind == "WrongLevel"
    assert "CoreDriver drives a core at the level of core" in outcome.reason


@pytest.mark.bulk
def test_the_runner_is_told_the_truth_by_a_process_that_knows_no_pytest(bench: Path) -> None:
    command = [sys.executable, "-c", "from spiketwin.host.cli import main; main()", "testbench"]
    done = subprocess.run(
        [*command, bench, "--test", "is_quiet"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 0 failed" in done.stdout
    assert "INFO" not in done.stdout + done.stderr


def test_the_core_emitted_alone_is_what_the_driver_drives() -> None:
    assert runner.simulator("CoreTop", TINY).joinpath("top.v").read_text() == emit.verilog(
        "CoreTop", TINY, build=runner.BUILD
    )


def test_the_help_names_files_that_are_there() -> None:
    shown = testbench("--help").output
    named = re.findall(r"examples/\w+\.py", shown)
    assert named
    assert all((ROOT / name).is_file() for name in named), named


@pytest.mark.bulk
def test_what_a_core_does_not_have_is_told_to_a_test_in_words(tmp_path: Path) -> None:
    calls = {
        'fill("treshold", 100)': "there is no 'treshold' to write in this core: choose of",
        'fill("threshold", 10**9)': "threshold must be in -",
        'write("threshold", [1])': "threshold is 1 × 8 elements here: give them all",
        'write_element("v", 8, 1)': "neuron of v must be in 0…7, not 8",
        "write_synapse(source=16, neuron=0, weight=1)": "source of weight must be in 0…15, not 16",
        "write_synapse(source=0, neuron=0, weight=128)": "weight must be in -128…127, not 128",
        "tick([8])": "axon must be in 0…7, not 8",
    }
    lines = BENCH.partition("@bench")[0]
    for place, call in enumerate(calls):
        lines += f"@bench\nasync def wrong_{place}(core):\n    await core.{call}\n\n"
    file = tmp_path / "wrong_calls.py"
    file.write_text(lines)
    done = testbench(file)
    assert done.exit_code == 1, done.output
    for says in calls.values():
        assert f"        DriverError: {says}" in done.output


@pytest.mark.bulk
def test_a_wait_for_what_does_not_come_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "waits.py"
    lines = BENCH.partition("@bench")[0].replace("Benches(CoreDriver)", "Benches(CoreDriver, 1000)")
    file.write_text(f"""import cocotb
from cocotb.triggers import RisingEdge
{lines}
@bench
async def waits(core):
    await RisingEdge(core.dut.reset_stb)

@cocotb.test()
async def has_no_clock(dut):
    await RisingEdge(dut.idle)
    await RisingEdge(dut.reset_stb)
""")
    done = testbench(file)
    assert done.exit_code == 1, done.output
    assert "SimTimeoutError: what the test waited for did not come" in done.output
    assert "SimFailure: the simulation was over before the test: nothing was left" in done.output
