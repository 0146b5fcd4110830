"""What is written: where, whole or not at all, and whatever happens to the program meanwhile."""

import errno
import importlib
import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from support.rungs import bulk_but

from spiketwin.cosim.commands import demo as demo_command
from spiketwin.cosim.trials import doctor
from spiketwin.host import Network, connect
from spiketwin.host.cli import endings, group, main
from spiketwin.host.cli.start import at_once
from spiketwin.host.errors import InvalidInput, LinkLost, SpiketwinWarning, TargetError
from spiketwin.host.files import load, save
from spiketwin.host.ports import SerialPort
from spiketwin.host.recording import Recording
from spiketwin.host.replacing import replacing

TICKS = 50
SECONDS = 300.0
"""A deadline for what takes a second or two, and a minute where a model is compiled under load."""

PROGRAM = (sys.executable, "-c", "from spiketwin.host.cli.start import start; start()")
CLOSING_STDOUT = ("/bin/sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM)
TINY = ("--on", "model:", "--params", "tiny")


def spiketwin(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved network with a stimulus, in the folder where commands run."""
    path = tmp_path / "net.npz"
    spikes = np.argwhere(np.random.default_rng(3).random((TICKS, 8)) < 0.3)
    save(path, Network.random(8, 8, seed=5), spikes, TICKS)
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def recorded(net: Path) -> Path:
    """A session with that network."""
    assert spiketwin("run", net, *TINY, "--record", "r.jsonl").exit_code == 0
    return Path("r.jsonl")


def written(path: Path, data: bytes) -> None:
    with replacing(path) as file:
        file.write(data)


# --- files that appear whole or not at all -------------------------------------------------------


def test_nobody_elses_file_is_written_to(tmp_path: Path) -> None:
    mine, target = tmp_path / "x.json.part", tmp_path / "target"
    target.write_text("target")
    mine.write_text("mine")
    (tmp_path / "y.json.part").symlink_to(target)
    for name in ("x.json", "y.json"):
        written(tmp_path / name, b"new")
    assert (mine.read_text(), target.read_text()) == ("mine", "target")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "target", "x.json", "x.json.part", "y.json", "y.json.part",
    ]  # fmt: skip


def test_the_fresh_name_is_taken_by_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _bytes: "taken")
    target = tmp_path / "target"
    target.write_text("target")
    (tmp_path / ".spiketwin-taken").symlink_to(target)
    with pytest.raises(FileExistsError):
        written(tmp_path / "x", b"new")
    assert target.read_text() == "target"
    assert (tmp_path / ".spiketwin-taken").is_symlink()


@pytest.mark.parametrize("before", [None, 0o600, 0o664, 0o755])
def test_permissions_are_those_that_open_would_leave(before: int | None, tmp_path: Path) -> None:
    path, opened = tmp_path / "x", tmp_path / "opened"
    for each in (path, opened):
        if before is not None:
            each.touch()
            each.chmod(before)
    mask = os.umask(0o027)
    try:
        written(path, b"new")
        with opened.open("wb") as file:
            file.write(b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(opened.stat().st_mode)


def test_a_file_that_may_not_be_written_to_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_text("kept")
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    with pytest.raises(PermissionError) as denied:
        written(path, b"new")
    assert denied.value.filename == str(path)
    assert path.read_text() == "kept"


def test_a_name_may_be_as_long_as_the_system_has_them(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    written(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_symbolic_link_stays_one_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("there", "not-yet"):
        (tmp_path / name).symlink_to(Path("folder", name))
    (tmp_path / "folder" / "there").write_text("old")
    for name in ("there", "not-yet"):
        written(tmp_path / name, b"new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "folder" / name).read_bytes() == b"new"
    assert len(list((tmp_path / "folder").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "number"),
    [("folder", errno.EISDIR), ("loop", errno.ELOOP), ("nowhere", errno.ENOENT),
     ("net.npz/x", errno.ENOTDIR), ("y" * 300, errno.ENAMETOOLONG)],
)  # fmt: skip
def test_what_cannot_be_written_is_named_and_nothing_is_left(
    name: str, number: int, net: Path
) -> None:
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    Path("nowhere").symlink_to("no/such/folder")
    there = sorted(net.parent.iterdir())
    with pytest.raises(OSError) as failed:
        written(Path(name), b"new")
    assert (failed.value.errno, failed.value.filename) == (number, name)
    assert sorted(net.parent.iterdir()) == there
    done = spiketwin("run", net, *TINY, "--json", name)
    assert done.exit_code == 2, done.output
    assert "Error: " in done.stderr


def test_a_disk_that_is_full_is_told_by_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError) as failed:
        written(Path("/dev/full"), b"new")
    assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, "/dev/full")


def test_no_path_has_a_nul_in_it(net: Path) -> None:
    network, _ = load(net)
    with pytest.raises(InvalidInput, match="NUL"):
        save("a\0b", network)
    with pytest.raises(InvalidInput, match="NUL"):
        connect("model:", record="a\0b")
    with pytest.raises(TargetError, match="control characters"):
        connect("replay:a\0b")
    with pytest.raises(InvalidInput, match="record must be the path of a file, not 5"):
        connect("model:", record=5)  # type: ignore[arg-type]


NUL = "a\0b"


@pytest.mark.parametrize(
    "call",
    [
        ["run", NUL, *TINY],
        *(
            ["run", "net.npz", *TINY, option, NUL + end]
            for option, end in (("--spikes", ".csv"), ("--json", ""), ("--plot", ".png"),
                                ("--output", ""), ("--record", ""))
        ),
        ["run", "net.npz", "--on", f"replay:{NUL}"],
        ["run", "net.npz", "--on", f"/dev/{NUL}"],
        *(
            ["compare", "net.npz", "--on", "model:", "--on", "model:", option, NUL + end]
            for option, end in (("--report", ".html"), ("--trace", ".json"), ("--waves", ".vcd"),
                                ("--shrink", ".npz"), ("--json", ""))
        ),
        ["selftest", *TINY, "--json", NUL],
        ["emulate", "--link", NUL],
        ["demo", "--output", NUL],
        ["doctor", "--json", NUL],
        ["build", "--board", "icebreaker", "--out", NUL],
        ["build", "--board", f"{NUL}.py"],
        ["flash", "--board", "icebreaker", "--bitstream", NUL],
    ],
    ids=lambda call: " ".join((call[0], *call[-2:])).replace("\0", "0"),
)  # fmt: skip
def test_a_nul_in_a_path_is_a_wrong_call_of_every_command(call: list[str], net: Path) -> None:
    done = spiketwin(*call)
    assert done.exit_code == 2, done.exception
    assert isinstance(done.exception, SystemExit)


# --- inputs are no outputs ------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
@pytest.mark.parametrize(
    "call",
    [
        ["run", "net.npz", "--on", "replay:r.jsonl", "--json"],
        ["run", "net.npz", "--on", "replay:r.jsonl", "--record"],
        ["run", "net.npz", "--on", "r.jsonl", "--output"],
        ["selftest", "--on", "replay:r.jsonl", "--json"],
        ["compare", "net.npz", "--on", "model:", "--on", "replay:r.jsonl", "--json"],
        ["compare", "r.jsonl", "--on", "model:", "--on", "rtl:", "--json"],
        ["demo", "--on", "model:", "--on", "replay:r.jsonl", "--json"],
        ["flash", "--board", "icebreaker", "--bitstream", "r.jsonl", "--json"],
        ["flash", "--board", "icebreaker", "--port", "r.jsonl", "--json"],
    ],
    ids=" ".join,
)
def test_what_a_command_reads_is_not_written(call: list[str], link: str, recorded: Path) -> None:
    before = recorded.read_bytes()
    output = {"same": "./r.jsonl", "symbolic": "s.jsonl", "hard": "h.jsonl"}[link]
    Path("s.jsonl").symlink_to(recorded)
    Path("h.jsonl").hardlink_to(recorded)
    done = spiketwin(*call, output)
    assert done.exit_code == 2, done.output
    assert "the same file" in done.stderr
    assert recorded.read_bytes() == before


@pytest.mark.parametrize("command", ["build", "flash"])
def test_the_file_of_a_board_is_not_written(command: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import replace\n"
        "from spiketwin.firmware.boards.icebreaker import BOARD as ICEBREAKER\n"
        "BOARD = replace(ICEBREAKER, name='mine')\n"
    )
    done = spiketwin(command, "--board", path, "--json", path)
    assert done.exit_code == 2
    assert "--board and --json are the same file" in done.stderr
    assert path.read_text().startswith("from")


def test_no_picture_of_the_demo_is_written_over() -> None:
    done = spiketwin("demo", "--output", "pictures", "--json", "pictures/demo.png")
    assert done.exit_code == 2
    assert not Path("pictures").exists()


def test_the_save_file_of_waves_is_an_output_as_well(net: Path) -> None:
    Path("x.gtkw").hardlink_to(net)
    done = spiketwin(
        "compare", net, "--on", "model:", "--on", "rtl:", "--waves", "x.vcd"
    )  # fmt: skip
    assert done.exit_code == 2
    assert "NET and the save file of --waves are the same file" in done.stderr


def test_a_session_is_not_recorded_over_itself(recorded: Path) -> None:
    before = recorded.read_bytes()
    with pytest.raises(InvalidInput, match="the same file"):
        connect("replay:r.jsonl", record=recorded)
    assert recorded.read_bytes() == before


# --- streams --------------------------------------------------------------------------------------


@contextmanager
def descriptor(path: Path, flags: int) -> Iterator[int]:
    number = os.open(path, flags)
    try:
        yield number
    finally:
        os.close(number)


@pytest.mark.parametrize("by", ["/dev/fd/{}", "/proc/self/fd/{}", "a link"])
@pytest.mark.parametrize("append", [True, False])
def test_a_stream_is_written_to_where_it_stands(by: str, append: bool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n")
    with descriptor(log, os.O_WRONLY | (os.O_APPEND if append else 0)) as number:
        os.lseek(number, 0, os.SEEK_END)
        path = Path(by.format(number))
        if by == "a link":
            path = tmp_path / "link"
            path.symlink_to(f"/dev/fd/{number}")
        written(path, b"second\n")
        os.write(number, b"third\n")
    assert log.read_text() == "first\nsecond\nthird\n"


def test_a_network_can_be_appended_to_what_is_there(net: Path) -> None:
    network, _ = load(net)
    log = Path("log")
    log.write_bytes(b"before")
    with descriptor(log, os.O_WRONLY | os.O_APPEND) as number:
        save(f"/dev/fd/{number}", network)
    assert log.read_bytes().startswith(b"before")
    log.write_bytes(log.read_bytes().removeprefix(b"before"))
    np.testing.assert_array_equal(load(log)[0].weights, network.weights)


def test_a_stream_that_is_not_there_is_told_before_the_run(net: Path) -> None:
    done = spiketwin("run", net, "--on", "/dev/no-such-port", "--json", "/dev/fd/999")
    assert done.exit_code == 2
    assert "no such stream" in done.stderr


def test_whoever_may_not_write_to_dev_may_write_to_its_streams(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode, **_: str(path) != "/dev")
    assert spiketwin("run", net, *TINY, "--json", "/dev/null").exit_code == 0


# --- what is written although nothing can be printed ---------------------------------------------


@pytest.mark.parametrize(
    ("start", "status", "says"),
    bulk_but(
        [(PROGRAM, 2, "No space left on device")],
        [(PROGRAM, 2, "No space left on device"), (CLOSING_STDOUT, 2, "Bad file descriptor"),
         (PROGRAM, 1, "")],
    ),
    ids=["full", "closed", "without a reader"],
)  # fmt: skip
def test_files_are_there_although_nothing_can_be_printed(
    start: tuple[str, ...], status: int, says: str, net: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full, os.fdopen(writer, "wb") as unread:
        done = subprocess.run(
            [*start, "run", net, *TINY, "--json", "a.json", "--output", "a.npz",
             "--plot", "a.png", "--ledger"],
            stdout=unread if not says else full, stderr=subprocess.PIPE, text=True,
            timeout=SECONDS, check=False,
            env=os.environ | {"MPLBACKEND": "no-such-backend"},
        )  # fmt: skip
    assert done.returncode == status
    assert done.stderr == (f"Error: standard output: {says}\n" if says else "")
    assert json.loads(Path("a.json").read_text())["ticks"] == TICKS
    with np.load("a.npz") as arrays:
        assert arrays["cycles"].shape == (TICKS,)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_that_cannot_be_printed_ends_with_a_message(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
            timeout=SECONDS, check=False, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "Error: standard output: No space left on device\n"


def test_a_message_that_cannot_be_printed_leaves_the_status(net: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "run", net, "--on", "nowhere"], stdout=full, stderr=full,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    assert done.returncode == 2


@pytest.mark.parametrize(("mode", "count"), [("ab", 2), ("wb", 1)])
def test_a_log_is_not_replaced_by_the_figures_in_it(mode: str, count: int, net: Path) -> None:
    Path("log").write_text("first\n")
    with Path("log").open(mode) as log:
        subprocess.run(
            [*PROGRAM, "run", net, *TINY, "--json", "/dev/stdout"],
            stdout=log, timeout=SECONDS, check=True,
        )  # fmt: skip
    text = Path("log").read_text()
    assert text.startswith("first\n{\n" if count == 2 else "{\n")
    _, rest = json.JSONDecoder().raw_decode(text.removeprefix("first\n"))
    assert "ticks" in text[rest:]


def test_the_log_itself_is_no_place_for_figures(net: Path) -> None:
    with Path("log").open("wb") as log:
        done = subprocess.run(
            [*PROGRAM, "run", net, *TINY, "--json", "log"],
            stdout=log, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "--json is the file of standard output, log" in done.stderr


def test_one_file_that_fails_takes_no_other_with_it(net: Path) -> None:
    done = spiketwin("run", net, *TINY, "--output", "/dev/full", "--json", "a.json")
    assert done.exit_code == 2
    assert done.stderr == "Error: /dev/full: No space left on device\n"
    assert "ticks" in done.stdout
    assert json.loads(Path("a.json").read_text())["ticks"] == TICKS


@pytest.mark.parametrize("command", ["run", "compare", "selftest", "doctor", "devices", "demo"])
def test_files_come_before_what_is_printed_of_them(
    command: str, net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that cannot be made finds the file there."""

    def fails(*_: object, **__: object) -> None:
        raise LinkLost("not to be shown")

    where = "host.cli" if command == "run" else "cosim.commands"
    monkeypatch.setattr(f"spiketwin.{where}.{command}._table", fails)
    monkeypatch.setattr(doctor, "examine", lambda: [])
    monkeypatch.setattr(demo_command, "save_all", lambda *_: [])
    found = SerialPort("/dev/x", "", "", "", candidate=True, boards=(), reasons=())
    monkeypatch.setattr("spiketwin.cosim.commands.devices.serial_ports", lambda _boards: [found])
    call: dict[str, list[str | Path]] = {
        "run": [net, *TINY],
        "compare": [net, "--on", "model:", "--on", "model:"],
        "selftest": [*TINY, "--transactions", "1", "--networks", "1", "--ticks", "9"],
        "demo": ["--on", "model:", "--images", "1"],
    }
    done = spiketwin(command, *call.get(command, []), "--json", "a.json")
    assert "not to be shown" in done.stderr, done.output
    assert json.loads(Path("a.json").read_text())


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", bulk_but([signal.SIGTERM], [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
)
def test_a_recording_is_finished_however_the_run_is_ended(
    number: signal.Signals, net: Path
) -> None:
    with subprocess.Popen(
        [*PROGRAM, "run", net, *TINY, "--ticks", "100000000", "--record", "r.jsonl"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while not any(path.stat().st_size > 50_000 for path in net.parent.glob(".spiketwin-*")):
            assert time.monotonic() < deadline
            assert program.poll() is None
            time.sleep(0.01)
        program.send_signal(number)
        if number == signal.SIGHUP:
            program.send_signal(signal.SIGTERM)  # as a system that goes down does
        _, said = program.communicate(timeout=SECONDS)
    assert program.returncode == 128 + number
    assert "Traceback" not in said
    assert len(Recording.load(Path("r.jsonl")).bursts) > 10
    with connect("replay:r.jsonl", params="tiny") as core:
        core.program(load(net)[0])
    assert {path.name for path in net.parent.iterdir()} == {"net.npz", "r.jsonl"}


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ours = endings.Unwinding()
    try:
        ours.begin()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        ours.close()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_while_packages_are_imported_is_told_by_the_status(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen(
        [*PROGRAM, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert select.select([program.stdout], [], [], SECONDS)[0]
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=SECONDS)
    assert (program.returncode, said) == (130, "")


def test_ctrl_c_is_not_lost_in_a_finalizer_nor_in_the_compiler(
    unwinding: endings.Unwinding,
) -> None:
    """Python prints what is raised there, and goes on."""
    binding = importlib.import_module("llvmlite.binding")
    unwinding.begin()
    passed = []

    class Final:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)
            passed.append("finalizer")

    with pytest.raises(KeyboardInterrupt):
        Final()
        time.sleep(SECONDS)

    def notified(_module: object, _code: bytes) -> None:
        signal.raise_signal(signal.SIGINT)
        passed.append("compiler")

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly("define i32 @one() {\n ret i32 1\n}")
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(module, machine)
    engine.set_object_cache(notified)
    with pytest.raises(KeyboardInterrupt):
        engine.finalize_object()
        time.sleep(SECONDS)
    assert passed == ["finalizer", "compiler"]


@pytest.fixture
def unwinding() -> Iterator[endings.Unwinding]:
    """Signals as in a command; afterwards they do what they did before."""
    ours = endings.Unwinding()
    before = signal.signal(signal.SIGINT, at_once)
    ours.begin()
    try:
        yield ours
    finally:
        ours.close()
        assert signal.getsignal(signal.SIGINT) is at_once
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_package_that_takes_an_interrupt_for_its_own_does_not_have_it(
    name: str, unwinding: endings.Unwinding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"greedy_{name}.py").write_text(
        f"import signal\ntry:\n    signal.raise_signal(signal.{name})\nexcept BaseException:\n"
        "    raise SystemError('mine')\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        assert __import__(f"greedy_{name}").whole
        threading.Event().wait(SECONDS)
    assert unwinding.number == getattr(signal, name)


def test_only_the_first_of_several_signals_ends_the_work(unwinding: endings.Unwinding) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)
    assert unwinding.number == signal.SIGHUP
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


# --- messages -------------------------------------------------------------------------------------


def command_that(action: Any, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run a command that does one thing."""
    loaded = SimpleNamespace(load=lambda: click.Command("acts", callback=action))
    monkeypatch.setattr(group, "find_commands", lambda: {"acts": loaded})
    return spiketwin("acts")


def test_warnings_are_lines_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def action() -> None:
        for text in ("w_max is 0:\nset it", "another", "w_max is 0:\nset it"):
            warnings.warn(text, SpiketwinWarning, stacklevel=2)

    done = command_that(action, monkeypatch)
    assert done.exit_code == 0, done.exception
    assert done.stderr == (
        "spiketwin: warning: w_max is 0: set it\nspiketwin: warning: another\n"
    )  # fmt: skip
    assert done.stdout == ""


def test_warnings_of_others_are_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    done = command_that(lambda: warnings.warn("theirs", UserWarning, stacklevel=2), monkeypatch)
    assert isinstance(done.exception, UserWarning)  # as the tests have it


def test_too_little_memory_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def action() -> None:
        raise MemoryError("Unable to allocate 745. GiB")

    done = command_that(action, monkeypatch)
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: this computer has not enough memory (Unable to allocate 745. GiB): ask for less\n"
    )


def test_names_that_are_no_text_can_be_drawn_and_written(net: Path) -> None:
    name = os.fsdecode(b"n\xff$a$\\x$[/b]:smile:.npz".replace(b"/", b"|"))
    session = os.fsdecode(b"r\xfe[b].jsonl")
    picture = os.fsdecode(b"p\xfe.png")
    Path(name).write_bytes(net.read_bytes())
    done = spiketwin("run", name, *TINY, "--plot", picture, "--record", session)
    assert done.exit_code == 0, done.exception
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    replayed = ["run", name, "--on", f"replay:{session}", "--params", "tiny", "--json", "a.json"]
    done = spiketwin(*replayed, "--plot", picture, "--ledger")
    assert done.exit_code == 0, done.exception
    assert json.loads(Path("a.json").read_text())["target"] == r"replay:r\xfe[b].jsonl"
    assert "[b].jsonl" in done.stdout
    done = spiketwin(
        "compare", name, "--on", "model:", "--on", "model:", "--report", "a.html",
        "--trace", "t.json",
    )  # fmt: skip
    assert done.exit_code == 0, done.exception
    assert r"n\xff$a$" in Path("a.html").read_bytes().decode()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["run", "net.npz", "--on", "model:", "--baud", "4294967296"], "9600<=x<=50000000"),
        (["run", "net.npz", "--on", "model:", "--baud", "1"], "9600<=x<=50000000"),
        (["run", "net.npz", "--on", "model:", "--baud", "9" * 5000], "not a valid integer"),
        (["run", "net.npz", "--on", "model:", "--ticks", "9" * 5000], "not a valid integer"),
        (["run", "net.npz", "--on", "model:", "--ticks", "0"], "x>=1"),
        (["run", "net.npz", "--on", "model:", "--ticks", "4294967296"], "1…4294967295"),
        (["run", "net.npz", "--on", "model:", "--params", f"tiny,lanes={'9' * 5000}"], "number"),
        (["run", "net.npz", "--on", f"model:?clock={'9' * 4000}"], "1…4294967295"),
        (["run", "net.npz", "--on", f"rtl:?cycles_per_bit={'9' * 4000}"], "must be a number"),
        (["emulate", "--clock", "9" * 5000], "1…4294967295"),
        (["emulate", "--cycles-per-bit", "-1"], "4…65535"),
        (["build", "--board", "icebreaker", "--clock", "nan"], "is no number"),
        (["build", "--board", "icebreaker", "--clock", "inf"], "range"),
        (["build", "--board", "icebreaker", "--clock", "1e-9"], "range"),
        (["build", "--board", "icebreaker", "--clock", "1e300"], "range"),
        (["sweep", "net.npz", "--on", "model:", "--tick-period", "9" * 5000], "--tick-period"),
        (["demo", "--seed", "-1"], "0<=x<=4294967295"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value)[:60],
)
def test_a_number_out_of_range_is_a_wrong_call(call: list[str], says: str, net: Path) -> None:
    done = spiketwin(*call)
    assert done.exit_code == 2, done.exception
    assert isinstance(done.exception, SystemExit)
    assert says in done.stderr


@pytest.mark.parametrize("baud", [0, 1, 9599, 50_000_001, 1 << 32, True, 115200.0, "115200"])
def test_a_rate_at_which_nothing_can_be_told_is_refused(baud: Any) -> None:
    with pytest.raises(InvalidInput, match="9600…50000000"):
        connect("model:", baud=baud)


@pytest.mark.parametrize(
    "raised",
    ["raise type('Own', (BaseException,), {})('no')", "import sys; sys.exit(0)",
     "raise GeneratorExit", "raise Exception"],
)  # fmt: skip
def test_whatever_the_file_of_a_board_raises_is_told(raised: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(raised)
    done = spiketwin("build", "--board", path)
    assert done.exit_code == 2
    assert "mine.py does not describe a board: " in done.stderr


def test_the_folder_of_the_demo_is_looked_at_before_it_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode, **_: Path(path) != tmp_path)
    done = spiketwin("demo", "--on", "model:", "--output", tmp_path / "a" / "b")
    assert done.exit_code == 2
    assert "may not be written to" in done.stderr
