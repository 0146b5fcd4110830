"""The RTL is built once, whole or not at all, whoever asks and however a build ends.

Stand-ins for Verilator, which notes every call, and for the compiler do the work at once.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import filelock
import pytest
from support.rungs import bulk_but

from spiketwin.cosim.rtl import toolchain
from spiketwin.cosim.rtl.build import Design, library
from spiketwin.hdl import builds
from spiketwin.hdl.spec.params import preset
from spiketwin.host.errors import TargetError

DESIGN = Design(params=preset("tiny"))
CORE = replace(DESIGN, level="core")
"""What is built where it does not matter what, as it is written soonest."""
DEADLINE = 120

BUILDER = """
import sys
from pathlib import Path
from spiketwin.cosim.rtl import build
from spiketwin.hdl import builds
from spiketwin.hdl.spec.params import preset
root = Path(sys.argv[1])
builds.roots = lambda: [root]
print(build.library(build.Design(params=preset("tiny"), level="core")))
"""
"""Builds `CORE` below the folder it is given, in a process that can be killed."""

SUCCEEDS = """
while [ "$1" != -Mdir ]; do shift; done
mkdir "$2"
touch "$2/Vcore.cpp" "$2/Vcore__Slow.cpp" "$2/Vcore_classes.mk"
"""
COMPILES = """
for option; do
    if [ "$option" = -shared ]; then linked="a library"; fi
done
while [ "$1" != -o ]; do shift; done
echo "${linked:-an object}" >"$2"
"""
FAILS = """
seq 1000
echo "%Error: no such signal"
exit 3
"""
HANGS = """
exec 9>"$(dirname "$0")/alive"
echo $$ >&9
sleep 600 &
wait
"""
"""Has a child, as Verilator has compilers; both hold the pipe `alive` open as long as they live."""


class Bench:
    """A build folder with stand-ins for the tools in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls"
        self.alive = root / "tools" / "alive"
        self.alive.parent.mkdir()
        os.mkfifo(self.alive)
        self.compiler(COMPILES)

    def verilator(self, behaviour: str) -> None:
        self._put("verilator", f'echo called >>"{self.calls}"\n{behaviour}')

    def compiler(self, behaviour: str) -> None:
        self._put("g++", behaviour)

    def _put(self, tool: str, behaviour: str) -> None:
        script = self.root / "tools" / tool
        script.write_text(f"#!/bin/sh\nset -eu\n{behaviour}")
        script.chmod(0o755)

    def builder(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BUILDER, str(self.root)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )

    @contextlib.contextmanager
    def hanging_builder(self) -> Iterator[tuple[subprocess.Popen[str], TextIO]]:
        """A builder whose tools run and will not end, and the pipe that they hold."""
        self.verilator(HANGS)
        # Not blocking, so that opening waits for nobody.
        with os.fdopen(os.open(self.alive, os.O_RDONLY | os.O_NONBLOCK)) as alive:
            builder = self.builder()
            assert select.select([alive], [], [], DEADLINE)[0], "Verilator was not called"
            assert alive.readline()
            yield builder, alive


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(builds, "roots", lambda: [tmp_path])
    return Bench(tmp_path)


def test_the_second_to_ask_finds_it_built(bench: Bench) -> None:
    bench.verilator(SUCCEEDS)
    said: list[str] = []
    path = library(CORE, said.append)
    assert path.read_text() == "a library\n"
    assert "module CoreTop" in path.with_name("core.v").read_text()
    assert library(CORE, said.append) == path
    assert path.parent.stat().st_mode == path.parent.parent.stat().st_mode  # whoever may read it
    assert len(said) == 1
    assert "8 axons, 8 neurons" in said[0]
    assert bench.calls.read_text().split() == ["called"]


def test_two_processes_that_ask_at_once_build_once(bench: Bench) -> None:
    bench.verilator(SUCCEEDS)
    both = [bench.builder(), bench.builder()]
    results = [builder.communicate(timeout=DEADLINE) for builder in both]
    assert results[0][0] == results[1][0] != ""
    assert sorted(said.count("building the RTL") for _, said in results) == [0, 1]
    assert bench.calls.read_text().split() == ["called"]


def test_a_killed_build_is_not_taken_for_one(bench: Bench) -> None:
    with bench.hanging_builder() as (builder, alive):
        builder.kill()
        builder.communicate(timeout=DEADLINE)
        assert select.select([alive], [], [], DEADLINE)[0], "the tools live on"
    bench.verilator(SUCCEEDS)
    path = library(CORE)
    assert path.read_text() == "a library\n"
    assert [folder.name for folder in (bench.root / "rtl").iterdir() if folder.is_dir()] == [
        path.parent.name
    ]


@pytest.mark.parametrize(
    "number", bulk_but(["SIGTERM"], ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
)
def test_a_build_takes_its_tools_with_it_however_it_ends(bench: Bench, number: str) -> None:
    with bench.hanging_builder() as (builder, alive):
        builder.send_signal(getattr(signal, number))
        builder.communicate(timeout=DEADLINE)
        assert builder.returncode != 0
        assert select.select([alive], [], [], DEADLINE)[0], "the tools live on"
        assert alive.read() == ""


def test_a_failure_shows_the_end_of_the_log_and_is_tried_again(bench: Bench) -> None:
    bench.verilator(FAILS)
    with pytest.raises(TargetError, match="status 3") as error:
        library(CORE)
    message = str(error.value)
    assert message.endswith("%Error: no such signal")
    assert len(message.splitlines()) < 30
    log = Path(message.splitlines()[0].rpartition(" ")[2])
    assert log.read_text().startswith("1\n2\n")
    bench.verilator(SUCCEEDS)
    assert library(CORE).is_file()


def test_what_the_compiler_says_is_shown_and_nothing_of_it_is_kept(bench: Bench) -> None:
    bench.verilator(SUCCEEDS)
    bench.compiler("echo no space left >&2; exit 4")
    with pytest.raises(TargetError, match="status 4") as error:
        library(CORE)
    assert str(error.value).endswith("no space left")
    bench.compiler(COMPILES)
    assert library(CORE).read_text() == "a library\n"


def test_what_failed_builds_leave_does_not_pile_up(bench: Bench) -> None:
    """The last few of each kind stay, with the logs that were named, and none longer than a day."""

    def fails(folder: Path) -> None:
        (folder / "a.log").write_text("why")
        raise builds.BuildError(f"the log is {folder / 'a.log'}")

    logs = []
    for number in range(7):
        with pytest.raises(builds.BuildError) as error:
            builds.built_once("rtl", f"digest{number}", fails)
        logs.append(Path(str(error.value).rpartition(" ")[2]))
        assert logs[-1].read_text() == "why"
        os.utime(logs[-1].parent, (time.time() - 100 + number,) * 2)
    assert [log.exists() for log in logs] == [False, False, True, True, True, True, True]
    day_ago = time.time() - 25 * 3600
    os.utime(logs[-1].parent, (day_ago, day_ago))
    os.utime(logs[-2].parent, (day_ago, day_ago))
    with filelock.FileLock(bench.root / "rtl" / "digest6.lock"):  # somebody is at work in it
        builds.built_once("rtl", "another", lambda folder: None)
    assert logs[-1].exists()
    assert not logs[-2].exists()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_build_that_is_broken_off_leaves_nothing(
    bench: Bench, ending: type[BaseException]
) -> None:
    def broken_off(folder: Path) -> None:
        (folder / "large").write_text("…")
        raise ending

    with pytest.raises(ending):
        builds.built_once("rtl", "digest", broken_off)
    assert [path for path in (bench.root / "rtl").iterdir() if path.is_dir()] == []


@pytest.mark.bulk
def test_a_build_that_takes_too_long_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.verilator("exec sleep 600\n")
    monkeypatch.setattr(builds, "BUILD_SECONDS", 5.0)
    with pytest.raises(TargetError, match="longer than 5 s"):
        library(CORE)


def test_whatever_shapes_the_library_is_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [
        replace(DESIGN, params=preset("ncx")),
        replace(DESIGN, level="core"),
        replace(DESIGN, level="pins"),
        replace(DESIGN, level="pins", cycles_per_bit=5),
        replace(DESIGN, clock_hz=1),
    ]
    digests = {design.digest() for design in (DESIGN, *others)}
    assert len(digests) == 6
    monkeypatch.setattr(toolchain, "versions", lambda: "another compiler")
    assert DESIGN.digest() not in digests


def test_what_a_library_does_not_have_is_not_in_its_name() -> None:
    core = replace(DESIGN, level="core")
    assert replace(core, clock_hz=1, cycles_per_bit=5).digest() == core.digest()
    assert replace(DESIGN, cycles_per_bit=5).digest() == DESIGN.digest()


def test_a_change_of_any_source_makes_another_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [tmp_path / "a.py", tmp_path / "b.py"]
    for source in sources:
        source.write_text("x = 1\n")
    monkeypatch.setattr(builds, "gateware_sources", lambda: sources)
    digests = {DESIGN.digest()}
    for source in sources:
        source.write_text("x = 2\n")
        digests.add(DESIGN.digest())
    assert len(digests) == 3


def test_the_gateware_is_among_the_sources() -> None:
    names = {path.name for path in builds.gateware_sources()}
    assert {"emit.py", "params.py", "core.py"} <= names
