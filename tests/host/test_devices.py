"""Which serial ports could be a board, and why."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from spiketwin.cosim.commands.devices import adapters_of_boards
from spiketwin.firmware.board import boards
from spiketwin.host.cli import main
from spiketwin.host.ports import ADAPTERS, SerialPort, examined


def port(device: str = "/dev/null", **known: Any) -> SimpleNamespace:
    """A port as pyserial describes it."""
    blank = dict.fromkeys(("vid", "pid", "product", "serial_number", "location"))
    return SimpleNamespace(**{"device": device} | blank | known)


def judged(**known: Any) -> SerialPort:
    return examined(port(**known), adapters_of_boards())


def test_every_adapter_on_a_board_is_known() -> None:
    usb = {board.adapter.usb for board in boards().values()} - {None}
    assert usb <= ADAPTERS.keys()


def test_the_adapter_of_a_board_makes_a_candidate() -> None:
    found = judged(vid=0x0403, pid=0x6015, product="FT231X USB UART", serial_number="D1")
    assert found.candidate
    assert found.boards == ("ulx3s_12f", "ulx3s_25f", "ulx3s_45f", "ulx3s_85f")
    assert found.reasons == (
        "USB 0403:6015 is a FT231X",
        "the adapter of ulx3s_12f, ulx3s_25f, ulx3s_45f, ulx3s_85f",
    )
    assert (found.usb, found.serial_number) == ("0403:6015", "D1")


def test_what_an_adapter_calls_itself_narrows_the_boards() -> None:
    found = judged(vid=0x0403, pid=0x6010, product="iCEBreaker V1.0e", location="1-2:1.1")
    assert found.candidate
    assert found.boards == ("icebreaker",)
    assert "it calls itself 'iCEBreaker V1.0e'" in found.reasons


def test_the_channel_that_programs_is_no_candidate() -> None:
    found = judged(vid=0x0403, pid=0x6010, product="iCEBreaker V1.0e", location="1-2:1.0")
    assert not found.candidate
    assert found.boards == ()
    assert found.reasons == (
        "the first channel of this FT2232 programs the FPGA; the UART is on the next",
    )


def test_an_adapter_that_is_on_no_board_could_be_connected_to_one() -> None:
    found = judged(vid=0x1A86, pid=0x7523, product="USB Serial")
    assert found.candidate
    assert found.boards == ()
    assert found.reasons == (
        "USB 1a86:7523 is a CH340",
        "an adapter that can be connected to a board without one",
    )


def test_what_is_no_adapter_or_not_on_usb_is_no_candidate() -> None:
    arduino = judged(vid=0x2341, pid=0x0043, product="Arduino Uno")
    assert not arduino.candidate
    assert arduino.reasons == ("USB 2341:0043 (Arduino Uno) is no adapter that boards have",)
    assert judged().reasons == ("it is not on USB, as all boards are",)


def test_a_port_that_may_not_be_opened_says_so() -> None:
    found = examined(port("/dev/no-such-port", vid=0x0403, pid=0x6015), adapters_of_boards())
    assert found.candidate
    assert found.reasons[-1] == "you may not open it: `spiketwin doctor` says what mends that"


def test_the_command_lists_candidates_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [port("/dev/ttyS0"), port("/dev/ttyUSB0", vid=0x0403, pid=0x6015)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    path = tmp_path / "devices.json"
    done = CliRunner().invoke(main, ["devices", "--json", str(path)])
    assert done.exit_code == 0, done.output
    assert done.output.index("could be a board") < done.output.index("/dev/ttyUSB0")
    assert done.output.index("/dev/ttyUSB0") < done.output.index("no board")
    assert done.output.index("no board") < done.output.index("/dev/ttyS0")
    listed = json.loads(path.read_text())["ports"]
    assert [(p["device"], p["candidate"]) for p in listed] == [
        ("/dev/ttyUSB0", True),
        ("/dev/ttyS0", False),
    ]


def test_a_computer_without_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    done = CliRunner().invoke(main, ["devices"])
    assert done.exit_code == 0
    assert "No serial port could be a board" in done.output
