"""The live view: what it draws, where it draws, and what it leaves of the terminal."""

import fcntl
import io
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from rich.console import Console
from support.rungs import bulk_but

from spiketwin.cosim.demo.answers import DigitAnswers
from spiketwin.cosim.demo.run import SIZES, learn
from spiketwin.cosim.digits.encoding import load
from spiketwin.cosim.digits.recipe import RECIPE, Phase
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Identity, Opcode
from spiketwin.host import Network, Run, connect
from spiketwin.host.cli.dots import bars, braille
from spiketwin.host.cli.view import View
from spiketwin.host.cli.window import KEPT_TICKS, Window
from spiketwin.host.exchange import Statistics
from spiketwin.host.files import save
from spiketwin.host.frames import FrameDecoder
from spiketwin.host.recording import Recording

WITHIN = 120.0
"""Seconds in which a command ends, however slow the machine: far more than it takes."""


def part_of(spikes: ArrayLike, ticks: int, muted: tuple[int, ...] = ()) -> Run:
    """What ticks put out, each in 100 cycles."""
    table = np.asarray(spikes, np.int64).reshape(-1, 2)
    is_muted = np.isin(np.arange(ticks), muted)
    return Run(
        spikes=table,
        spike_cycles=np.zeros(len(table), np.int64),
        cycles=np.where(is_muted, 0, 100),
        update_cycles=np.zeros(ticks, np.int64),
        muted=is_muted,
    )


# --- dots and bars ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dot", "character"),
    [((0, 0), "⠁"), ((1, 0), "⠂"), ((2, 0), "⠄"), ((3, 0), "⡀"),
     ((0, 1), "⠈"), ((1, 1), "⠐"), ((2, 1), "⠠"), ((3, 1), "⢀")],
)  # fmt: skip
def test_each_dot_has_its_place_in_a_character(dot: tuple[int, int], character: str) -> None:
    picture = np.zeros((4, 2), np.bool_)
    picture[dot] = True
    assert braille(picture) == [character]
    assert braille(np.tile(picture, (2, 3))) == [3 * character] * 2


def test_bars_go_from_nothing_to_full() -> None:
    assert bars(np.arange(9) / 8, 1.0) == " ▁▂▃▄▅▆▇█"
    assert bars([0.0, 0.001, 3.0], 1.0) == " ▁█"
    assert bars([0.0, 0.0], 0.0) == "  "


# --- the latest ticks ----------------------------------------------------------------------------


@given(st.lists(st.integers(1, 700), min_size=1, max_size=8), st.integers(0, KEPT_TICKS))
def test_the_latest_ticks_are_there_however_they_came(lengths: list[int], back: int) -> None:
    rng, window = np.random.default_rng(sum(lengths)), Window(4)
    spikes, muted, begin = [np.empty((0, 2), np.int64)], [], 0
    for ticks in lengths:
        fired = np.argwhere(rng.random((ticks, 4)) < 0.1)
        part = part_of(fired, ticks, tuple(np.flatnonzero(rng.random(ticks) < 0.1)))
        window.add(part)
        spikes.append(fired + (begin, 0))
        muted.append(part.muted)
        begin += ticks
    table, first = np.concatenate(spikes), max(0, begin - back)
    recent = window.since(first)
    assert np.array_equal(recent.spikes, table[table[:, 0] >= first] - (first, 0))
    assert np.array_equal(recent.muted, np.concatenate(muted)[first:])
    assert (window.ticks, window.spikes) == (begin, len(table))
    assert window.muted_ticks == np.concatenate(muted).sum()


# --- the view -----------------------------------------------------------------------------------


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def view_of(n_neurons: int, total: int, notes: dict[str, str] | None = None) -> View:
    """A view of 40 ticks in which neuron j fires in ticks j, j + 8 …, seen in 2 seconds."""
    clock = Clock()
    view = View(
        "net.npz on model:",
        identity=Identity.of(preset("tiny"), 50_000_000, "test"),
        statistics=Statistics(requests=1234, resent=2, bytes_sent=5000, bytes_received=1_200_000),
        origin="simulated",
        n_neurons=n_neurons,
        total=total,
        unit="ticks",
        clock=clock,
    )
    clock.now += 2.0
    ticks = np.arange(20)
    for first in (0, 20):
        fired = np.argwhere((ticks[:, None] + first) % 8 == np.arange(n_neurons))
        view.add(part_of(fired, 20), first + 20, notes)
    return view


def drawn(view: View, width: int, height: int) -> list[str]:
    """The lines of a view, as a terminal without colours shows them."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(view, height=height)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


SCREENS = {
    "room for all": (view_of(8, 100), 64, 18),
    "done, and little room": (view_of(8, 40), 40, 8),
    "more neurons than dots": (view_of(64, 100), 50, 12),
    "lines of the command": (view_of(8, 100, {"hits": "▃▅▇", "": "testing"}), 40, 10),
    "next to no room": (view_of(8, 100), 24, 4),
    "no room": (view_of(8, 100), 9, 1),
}
PICTURES = {
    "room for all": """\
net.npz on model:                     8 axons, 8 neurons, 50 MHz
━━━━━━━━━━━━━╸                     40 of 100 ticks, 0:00:03 left
   0 ⠇   ⠇   ⠇   ⠇   ⠇
   1 ⠸   ⠸   ⠸   ⠸   ⠸
   2  ⠇   ⠇   ⠇   ⠇   ⠇
   3  ⠸   ⠸   ⠸   ⠸   ⠸
   4   ⠇   ⠇   ⠇   ⠇   ⠇
   5   ⠸   ⠸   ⠸   ⠸   ⠸
   6    ⠇   ⠇   ⠇   ⠇   ⠇
   7    ⠸   ⠸   ⠸   ⠸   ⠸
tick 0                                                        39
rate ████████████████████
     0.1250 spikes a neuron and tick · 0.1250 at most
 top 0 (0.12) · 1 (0.12) · 2 (0.12) · 3 (0.12) · 4 (0.12)
link 1,234 requests · 5.0 kB out · 1.2 MB in · 2 resent
     0 timeouts · 0 bad frames
core 20 ticks/s (measured)
     100.0 cycles a tick (simulated), 2.00 µs · 0 muted
""",
    "done, and little room": """\
━━━━━━━━━━━━━━━━ 40 of 40 ticks in 2.0 s
   0 ⠡   ⠡   ⠡   ⠡   ⠡
   2  ⠡   ⠡   ⠡   ⠡   ⠡
   4   ⠡   ⠡   ⠡   ⠡   ⠡
   6    ⠡   ⠡   ⠡   ⠡   ⠡
rate ████████████████████
     0.1250 spikes a neuron and tick
     0.1250 at most
""",
    "more neurons than dots": """\
net.npz on model:       8 axons, 8 neurons, 50 MHz
━━━━━━━━             40 of 100 ticks, 0:00:03 left
   0 ⠉⠉⠒⠒⠉⠉⠒⠒⠉⠉⠒⠒⠉⠉⠒⠒⠉⠉⠒⠒
  16
  32
  48
rate ████████████████████
     0.0156 spikes a neuron and tick
     0.0156 at most
 top 0 (0.12) · 1 (0.12) · 2 (0.12) · 3 (0.12)
link 1,234 requests · 5.0 kB out · 1.2 MB in
     2 resent · 0 timeouts · 0 bad frames
""",
    "lines of the command": """\
━━━━       40 of 100 ticks, 0:00:03 left
   0 ⠡   ⠡   ⠡   ⠡   ⠡
   2  ⠡   ⠡   ⠡   ⠡   ⠡
   4   ⠡   ⠡   ⠡   ⠡   ⠡
   6    ⠡   ⠡   ⠡   ⠡   ⠡
rate ████████████████████
     0.1250 spikes a neuron and tick
     0.1250 at most
hits ▃▅▇
     testing
""",
    "next to no room": """\
40 of 100 ticks, 0:00:0…
   0 ⢄  ⠑⢄  ⠑⢄  ⠑⢄  ⠑⢄
   4  ⠑⢄  ⠑⢄  ⠑⢄  ⠑⢄  ⠑⢄
""",
    "no room": """\
40 of 10…
""",
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_view_is_drawn_for_the_room_there_is(name: str) -> None:
    assert "\n".join(drawn(*SCREENS[name])) + "\n" == PICTURES[name]


@pytest.mark.parametrize("n_neurons", [1, 3, 8, 250, 2048])
@pytest.mark.parametrize("height", [1, 2, 3, 7, 12, 23, 60])
@pytest.mark.parametrize("width", [1, 4, 5, 6, 33, 79, 2000])
def test_the_view_is_never_larger_than_the_terminal(
    n_neurons: int, width: int, height: int
) -> None:
    lines = drawn(view_of(n_neurons, 100, {"": "a line"}), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_view_is_there_before_the_first_tick_is() -> None:
    view = View(
        "net.npz on rtl:",
        identity=Identity.of(preset("tiny"), 50_000_000, "test"),
        statistics=Statistics(),
        origin="simulated",
        n_neurons=8,
        total=5,
        unit="ticks",
    )
    lines = drawn(view, 80, 24)
    assert lines[1].strip() == "0 of 5 ticks"
    assert " top nobody fires" in lines


def test_a_spike_moves_to_the_left_by_whole_characters() -> None:
    view, places = view_of(4, 1000), []
    for tick in range(40, 140):
        view.add(part_of([[0, 0]] if tick == 100 else [], 1), tick + 1)
        places.append(drawn(view, 5 + 8, 60)[2][5:])  # of 8 characters: 16 ticks
    assert places[60:78] == [" " * (7 - age // 2) + "⠇" for age in range(16)] + ["", ""]


def test_neurons_can_be_put_in_an_order_with_names_of_its_own() -> None:
    view = View(
        "",
        identity=Identity.of(preset("tiny"), 50_000_000, "test"),
        statistics=Statistics(),
        origin="simulated",
        n_neurons=4,
        total=5,
        unit="ticks",
        order=[2, 0, 3, 1],
        names=["c", "a", "d", "b"],
    )
    view.add(part_of([[0, 2], [2, 0], [4, 3], [6, 1]], 8), 5)
    assert drawn(view, 20, 24)[2:6] == ["   c ⠇", "   a  ⠇", "   d   ⠇", "   b    ⠇"]


def test_what_was_lost_on_the_way_is_marked() -> None:
    view = view_of(8, 100)
    view.add(part_of([], 10, muted=(2, 3, 8)), 50)
    lines = drawn(view, 100, 24)
    assert "rate ████████████████████ ×  ×" in lines
    assert lines[-1].endswith(" · 3 muted")


def test_the_share_that_is_shown_at_the_end_is_the_accuracy() -> None:
    phases, taught = RECIPE.phases(load().first(40), seed=0), RECIPE.taught()
    answers = DigitAnswers(taught, phases, parts=10)
    summaries = []
    with connect("model:", params=SIZES) as core:

        def watch(phase: Phase, number: int, run: Run) -> None:
            answers.add(phase, number, run)
            summaries.append(answers.summary())

        record = learn(core, RECIPE.network(0), phases, RECIPE.ticks, watch=watch)
    assert answers.presentations == sum(phase.presentations for phase in phases)
    assert len(answers.right) == 4 * 40
    assert summaries[0].startswith("learning, pass 1: ")
    assert summaries[0].endswith(" % of 1 images recognised before they were taught")
    assert summaries[-1] == f"testing: {100 * record.accuracy():.1f} % of 40 images recognised"
    assert len(answers.history) == 10
    assert np.mean(answers.history[-4:-2]) > np.mean(answers.history[:2])  # it has learned them


# --- on a terminal ------------------------------------------------------------------------------

WHOLE_SCREEN, NORMAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
SHOWN_CURSOR, HIDDEN_CURSOR, ESCAPE = b"\x1b[?25h", b"\x1b[?25l", b"\x1b"

# A leader of a session takes the first terminal that it opens for its own, from which Ctrl-C comes.
COMMAND = (
    "import os, signal; os.close(os.open(os.ttyname(2), os.O_RDWR)); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from spiketwin.host.cli import main; main()"
)


class Terminal:
    """A pseudo-terminal, and a command whose standard error it is."""

    def __init__(self, *arguments: str | Path, stdout: int | None = None, **environ: str) -> None:
        self.shown = b""
        self._end = time.monotonic() + WITHIN
        self._host, device = os.openpty()
        self.resize(80, 24)
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            stdin=device,
            stdout=device if stdout is None else stdout,
            stderr=device,
            env=clean | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | environ,
            start_new_session=True,
        )
        os.close(device)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self._host, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._host, keys)

    def read(self) -> bool:
        """Wait for more to be shown; false once everything was."""
        left = self._end - time.monotonic()
        if not select.select([self._host], [], [], max(0.0, left))[0]:
            raise TimeoutError(f"nothing more within {WITHIN} s after {self.shown[-500:]!r}")
        try:
            self.shown += os.read(self._host, 1 << 16)
        except OSError:  # the last program on this terminal has ended
            return False
        return True

    def frames(self) -> list[bytes]:
        """Whole pictures drawn so far, each from the upper left corner on."""
        return self.shown.split(b"\x1b[H")[1:-1]

    def finish(self) -> int:
        """Wait for the end, and give the status."""
        while self.read():
            pass
        return self.process.wait(max(1.0, self._end - time.monotonic()))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._host)


@contextmanager
def terminal(*arguments: str | Path, **options: Any) -> Iterator[Terminal]:
    opened = Terminal(*arguments, **options)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A saved network with a stimulus."""
    path = tmp_path / "net.npz"
    save(path, Network.random(8, 8, seed=5), np.argwhere(np.eye(500, 8)), 500)
    return path


def assert_sane(shown: bytes) -> None:
    """The terminal is what it was: normal screen, with a cursor."""
    assert shown.count(WHOLE_SCREEN) == shown.count(NORMAL_SCREEN) == 1
    assert shown.index(WHOLE_SCREEN) < shown.index(NORMAL_SCREEN)
    assert shown.rindex(SHOWN_CURSOR) > shown.rindex(HIDDEN_CURSOR)


def test_a_terminal_shows_the_run_and_is_as_it_was_afterwards(net: Path) -> None:
    with terminal("run", net, "--on", "model:", "--live") as opened:
        assert opened.finish() == 0
    assert_sane(opened.shown)
    picture, _, left = opened.shown.partition(NORMAL_SCREEN)
    for text in ("net.npz on model:", "500 of 500 ticks", "spikes a neuron and tick", "requests"):
        assert text.encode() in left  # the last picture stays
    assert b"of 500 ticks" in picture
    assert b"busiest neurons" in left


def test_results_can_be_piped_while_the_terminal_shows_the_run(net: Path) -> None:
    reader, writer = os.pipe()
    with (
        terminal("run", net, "--on", "model:", "--live", stdout=writer) as opened,
        os.fdopen(reader, "rb") as piped,
    ):
        os.close(writer)
        assert opened.finish() == 0
        table = piped.read()
    assert_sane(opened.shown)
    assert "busiest neurons" in table.decode()
    assert ESCAPE not in table


def test_the_view_follows_the_size_and_ctrl_c_stops_the_core(net: Path, tmp_path: Path) -> None:
    endless, session = ["--ticks", "4000000000"], tmp_path / "session"
    with terminal("run", net, "--on", "model:", "--live", *endless, "--record", session) as opened:
        for columns, lines in ((80, 24), (50, 9)):
            opened.resize(columns, lines)
            while not any(frame.count(b"\n") == lines - 1 for frame in opened.frames()):
                assert opened.read()
        opened.type(b"\x03")
        assert opened.finish() == 130
    assert_sane(opened.shown)
    assert opened.shown.endswith(b"spiketwin: interrupted\r\n")
    said = b"".join(burst.data for burst in Recording.load(session).bursts if burst.to_device)
    opcodes = [Opcode(body[2]) for body in FrameDecoder().feed(said)]
    assert Opcode.STOP in opcodes[opcodes.index(Opcode.RUN) :]


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"TERM": "dumb"}, b"the terminal says that it is dumb (TERM)"),
        pytest.param(
            {"TTY_COMPATIBLE": "0"}, b"standard error is no terminal", marks=pytest.mark.bulk
        ),
        pytest.param(
            {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
            b"the terminal writes ascii",
            marks=pytest.mark.bulk,
        ),
    ],
)
def test_a_terminal_that_cannot_show_it_is_told(
    environ: dict[str, str], reason: bytes, net: Path
) -> None:
    with terminal("run", net, "--on", "model:", "--live", **environ) as opened:
        assert opened.finish() == 0
    assert b"spiketwin: no live view, " + reason in opened.shown
    assert WHOLE_SCREEN not in opened.shown
    assert b"busiest neurons" in opened.shown


@pytest.mark.parametrize("colours", bulk_but([{"FORCE_COLOR": "1"}], [{}, {"FORCE_COLOR": "1"}]))
def test_no_picture_is_ever_drawn_into_a_file(colours: dict[str, str], net: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from spiketwin.host.cli import main; main()",
         "run", net, "--on", "model:", "--live"],
        env=os.environ | colours,
        capture_output=True,
        check=True,
        timeout=WITHIN,
    )  # fmt: skip
    assert done.stderr == b"spiketwin: no live view, standard error is no terminal\n"
    assert WHOLE_SCREEN not in done.stdout
    assert colours or ESCAPE not in done.stdout


@pytest.mark.bulk
def test_the_demo_shows_how_far_it_has_learned(tmp_path: Path) -> None:
    arguments = ["--on", "model:", "--images", "20", "--output", str(tmp_path)]
    with terminal("demo", *arguments, "--live") as opened:
        assert opened.finish() == 0
    assert_sane(opened.shown)
    left = opened.shown.partition(NORMAL_SCREEN)[2]
    assert b"testing: " in left
    assert b" % of 20 images recognised" in left
    assert b"120 of 120 images" in left
