"""The RTL as a serial port: in this process, and on a pseudo-terminal for any serial program."""

import gc
import os
import queue
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from click.testing import CliRunner

from spiketwin.cosim.rtl import emulator
from spiketwin.cosim.rtl.build import Design, DesignError
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial.protocol_rtl import Serial
from spiketwin.cosim.serial.terminal import Terminal, open_pty
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Opcode, Status
from spiketwin.hdl.spec.registers import Space
from spiketwin.host import Network, connect
from spiketwin.host.addresses import parse
from spiketwin.host.cli import main
from spiketwin.host.errors import TargetError
from spiketwin.host.frames import FrameDecoder, encode
from spiketwin.host.kinds import Target

pytestmark = pytest.mark.usefixtures("simulated_targets")

IDENTIFY = encode(bytes([0, 0, Opcode.IDENTIFY]))
REQUESTS = IDENTIFY + encode(bytes([1, 0, Opcode.OPEN])) + encode(bytes([1, 0, 255]))
SECONDS = 60
"""A deadline for what takes milliseconds."""

EMULATE = "from spiketwin.host.cli import main; main()"
OPEN_PTY = """
import signal
from spiketwin.cosim.serial.protocol_rtl import Serial
from spiketwin.cosim.serial.terminal import open_pty
from spiketwin.host.addresses import parse
served = open_pty(parse("rtl+pty:?params=tiny"))
print(served.path, flush=True)
signal.pause()
"""


def answers(port: serial.SerialBase, requests: bytes, count: int) -> list[bytes]:
    port.timeout = SECONDS
    port.write(requests)
    decoder = FrameDecoder()
    bodies: list[bytes] = []
    while len(bodies) < count:
        data = port.read(1)
        assert data, "the device is silent"
        bodies += decoder.feed(data)
    return bodies


@pytest.fixture(scope="module")
def expected() -> list[bytes]:
    """What the engine answers to `REQUESTS` at the level of pins, with nothing between."""
    with Engine(preset("tiny"), "pins") as engine:
        engine.write(REQUESTS)
        sent = b"".join(iter(lambda: engine.read(4096, 0.001), b""))
    return FrameDecoder().feed(sent)


@pytest.fixture
def pty() -> Iterator[str]:
    path, _, close = open_pty(parse("rtl+pty:?params=tiny"))
    yield path
    close()


def test_a_url_opens_the_rtl_in_process(expected: list[bytes]) -> None:
    with serial.serial_for_url("rtl://?params=tiny&level=pins") as port:
        assert answers(port, REQUESTS, 3) == expected
        assert port.baudrate == 25_000_000


def test_a_new_rate_is_followed_at_both_ends() -> None:
    with serial.serial_for_url("rtl://?params=tiny&level=pins") as port:
        answers(port, encode(bytes([1, 0, Opcode.OPEN])), 1)
        answers(port, encode(bytes([1, 0, Opcode.SET_BAUD, 10, 0])), 1)
        port.baudrate = 10_000_000
        assert answers(port, IDENTIFY, 1)
        port.baudrate = 25_000_000
        port.timeout = 0.001
        port.write(IDENTIFY)
        assert FrameDecoder().feed(port.read(4096)) == []


@pytest.mark.parametrize("rate", [0, 40_000_000])
def test_a_rate_that_no_uart_has_is_refused(rate: int) -> None:
    with serial.serial_for_url("rtl://?params=tiny&level=pins") as port:
        with pytest.raises(ValueError, match="must be"):
            port.baudrate = rate


def test_a_port_lives_in_the_time_of_its_device() -> None:
    with Serial("rtl://?params=tiny", timeout=0.002) as port:
        before = port.clock()
        assert port.read(1) == b""
        assert port.clock() - before == pytest.approx(0.002, abs=1e-8)


def test_the_time_of_a_core_is_what_it_is_simulated_for_and_what_is_waited() -> None:
    with Serial("rtl://?params=tiny&level=core&clock=1000", timeout=0.002) as port:
        before = port.clock()
        assert port.read(1) == b""
        assert port.clock() - before == pytest.approx(0.002, abs=1e-8)
        write = struct.pack("<BIHH", Space.V, 0, 1, 2)
        assert answers(port, encode(bytes([0, 0, Opcode.WRITE]) + write), 1)[0][3] == Status.OK
        assert port.clock() - before >= 0.002 + 2 / 1000


def test_a_run_at_a_fixed_tick_period_takes_its_time_on_the_core_alone() -> None:
    """Although the waits between its ticks are not simulated cycle by cycle."""
    ticks, period = 50, 1_000_000
    with connect("rtl:?level=core", params="tiny") as core:
        core.program(Network.random(8, 8, seed=1))
        before = core.link.clock()
        run = core.run([(3, 1), (40, 2)], ticks, tick_period=period)
        cycles = (core.link.clock() - before) * core.identity.clock_hz
    assert run.missed_deadlines == 0
    assert (ticks - 1) * period <= cycles < (ticks + 1) * period


@pytest.mark.parametrize("level", ["bytes", "core"])
def test_opening_again_is_a_power_cycle(level: str) -> None:
    port = serial.serial_for_url(f"rtl://?params=tiny&level={level}")
    assert answers(port, REQUESTS, 3)[1][0] == 1
    port.close()
    port.open()
    assert answers(port, IDENTIFY, 1)[0][0] == 0
    port.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rtl://?level=wires", "level must be bytes, pins or core, not 'wires'"),
        ("rtl://?cycles_per_bit=3", "4…65535"),
        ("rtl://?cycles_per_bit=fast", "cycles_per_bit"),
        ("rtl://?clock=0", "clock"),
        ("rtl://?params=huge", "tiny"),
        ("rtl://?params=tiny,lanes=3", "lanes"),
        ("rtl://?params=tiny,lines=2", "lines"),
        ("rtl://?params=tiny,lanes=two", "two"),
        ("rtl://?speed=9", "speed"),
    ],
)
def test_a_wrong_url_says_what_is_allowed(url: str, says: str) -> None:
    with pytest.raises(serial.SerialException, match=says):
        serial.serial_for_url(url)
    with pytest.raises(TargetError, match=says):
        open_pty(parse(url.replace("rtl://", "rtl+pty:")))


def test_a_core_without_the_link_of_the_gateware_is_not_for_a_terminal() -> None:
    says = "level must be bytes or pins on a pseudo-terminal, .* take rtl:\\?level=core"
    with pytest.raises(TargetError, match=says):
        open_pty(parse("rtl+pty:?level=core&params=tiny"))
    with pytest.raises(DesignError, match="level must be bytes or pins, not 'core'"):
        Engine(preset("tiny"), "core")
    with pytest.raises(DesignError, match="for waves, not 'core'"):
        Design(params=preset("tiny"), level="core", waves=True)


def test_plain_pyserial_gets_the_same_answers_on_the_terminal(
    pty: str, expected: list[bytes]
) -> None:
    with serial.Serial(pty) as port:
        assert answers(port, REQUESTS, 3) == expected


def test_the_terminal_follows_a_new_rate(pty: str) -> None:
    with serial.Serial(pty, baudrate=115200) as port:
        answers(port, encode(bytes([1, 0, Opcode.OPEN])), 1)
        answers(port, encode(bytes([1, 0, Opcode.SET_BAUD, 25, 0])), 1)
        port.baudrate = 4_000_000
        assert answers(port, IDENTIFY, 1)


def test_clients_come_and_go_and_the_core_stays(pty: str) -> None:
    with serial.Serial(pty) as port:
        answers(port, REQUESTS, 3)
    for _ in range(3):
        with serial.Serial(pty) as port:
            assert answers(port, IDENTIFY, 1)[0][0] == 1, "the session is still open"
            port.write(IDENTIFY[:3])
            port.write(b"\0")


def test_the_clock_runs_as_long_as_an_answer_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "_AWAKE_SECONDS", 0.0)
    reader, writer = os.pipe()
    paths: queue.Queue[str] = queue.Queue()
    with Engine(preset("tiny"), "pins") as engine:
        server = threading.Thread(
            target=emulator.serve, args=(engine, paths.put), kwargs={"until_eof": reader}
        )
        server.start()
        try:
            with serial.Serial(paths.get(timeout=SECONDS)) as port:
                for _ in range(3):
                    assert answers(port, IDENTIFY, 1)
        finally:
            os.close(writer)
            server.join(SECONDS)
        assert not server.is_alive()
    os.close(reader)


def ended(terminal: int) -> bool:
    """Whether the other end of an open terminal goes away."""
    watch = select.poll()
    watch.register(terminal, 0)
    return bool(watch.poll(1000 * SECONDS))


def test_the_link_of_an_emulator_that_runs_is_not_taken(pty: str, tmp_path: Path) -> None:
    link = tmp_path / "core"
    link.symlink_to(pty)
    Path(pty).chmod(0o666)  # which leaves the time of a terminal that is younger than the link
    result = CliRunner().invoke(main, ["emulate", "--params", "tiny", "--link", str(link)])
    assert result.exit_code == 2
    assert "another emulator" in result.output
    assert str(link.readlink()) == pty


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_the_link_of_a_killed_emulator_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """The number of its terminal is given again: to the next emulator, or to somebody else."""
    first, second = os.openpty(), os.openpty()
    link = tmp_path / "core"
    link.symlink_to(os.ttyname(first[1]))
    os.utime(link, (0, 0), follow_symlinks=False)
    monkeypatch.setattr(os, "openpty", lambda: first if whose == "own" else second)
    path = os.ttyname((first if whose == "own" else second)[1])
    reader, writer = os.pipe()
    os.close(writer)
    led: list[str] = []
    with Engine(preset("tiny"), "pins") as engine:
        emulator.serve(
            engine,
            lambda _path: led.append(str(link.readlink())),
            link=link,
            until_eof=reader,
        )
    assert led == [path]
    assert not link.is_symlink()
    for end in (reader, *(second if whose == "own" else first)):
        os.close(end)


def test_a_link_that_no_emulator_left_is_not_replaced(tmp_path: Path) -> None:
    host, device = os.openpty()
    link, file = tmp_path / "core", tmp_path / "file"
    file.touch()
    # Of another program, which made its terminal and then the link; and of the user.
    for target in (os.ttyname(device), str(file), os.devnull, str(tmp_path / "not mounted")):
        link.symlink_to(target)
        result = CliRunner().invoke(main, ["emulate", "--params", "tiny", "--link", str(link)])
        assert result.exit_code == 2
        assert "may be that of another emulator" in result.output
        assert str(link.readlink()) == target
        link.unlink()
    os.close(device)
    os.close(host)


def test_an_emulator_that_was_interrupted_before_it_served_has_not_done_its_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spiketwin.cosim.commands.emulate.Engine", interrupted)
    assert CliRunner().invoke(main, ["emulate", "--params", "tiny"]).exit_code == 130


def test_closing_ends_the_emulator() -> None:
    path, _, close = open_pty(parse("rtl+pty:?params=tiny"))
    terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
    close()
    assert ended(terminal)
    os.close(terminal)


def test_a_core_that_is_dropped_ends_its_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []

    def noted(target: Target) -> Terminal:
        opened = open_pty(target)
        paths.append(opened.path)
        return opened

    monkeypatch.setattr("spiketwin.cosim.serial.terminal.open_pty", noted)
    core = connect("rtl+pty:", params="tiny")
    terminal = os.open(paths[0], os.O_RDWR | os.O_NOCTTY)
    assert core.params == preset("tiny")
    del core
    gc.collect()
    assert ended(terminal)
    os.close(terminal)


def test_the_emulator_dies_with_its_parent() -> None:
    command = [sys.executable, "-c", OPEN_PTY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        path = first_line(parent)
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        parent.kill()
    assert ended(terminal)
    os.close(terminal)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], SECONDS)[0], "nothing was printed"
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_serves_until_a_signal_and_cleans_up(
    tmp_path: Path, number: signal.Signals, expected: list[bytes]
) -> None:
    link = tmp_path / "core"
    link.symlink_to("/dev/pts/999999")
    command = [sys.executable, "-c", EMULATE, "emulate", "--params", "tiny", "--link", str(link)]
    # Standard input is at its end from the start, as it is in a background job.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as emulator:
        assert first_line(emulator) == str(link.readlink())
        with serial.Serial(str(link)) as port:
            assert answers(port, REQUESTS, 3) == expected
        emulator.send_signal(number)
        _, said = emulator.communicate(timeout=SECONDS)
    assert emulator.returncode == 0
    assert "Traceback" not in said
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--params", "huge"], "tiny"),
        (["--level", "wires"], "pins"),
        (["--cycles-per-bit", "3"], "4…65535"),
        (["--clock", "0"], "clock"),
        (["--params", "tiny", "--link", "/"], "symbolic link"),
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, ["emulate", *arguments])
    assert result.exit_code == 2
    assert says in result.output
