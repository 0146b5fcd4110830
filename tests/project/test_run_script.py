"""The script `run`: what it says of the verbs, and what it makes ready for each of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.checkout import ROOT, copy_script

from spiketwin.host.cli import catalogue

SECONDS = 60
TOOLS = ("sh", "cat", "cksum", "cut", "dirname", "id", "mkdir", "rm", "touch")

# Says which packages it is to install, has no Python that can be embedded, and no headers.
PYTHON = """#!/bin/sh
case "$*" in
*version_info*:2*) echo 3.12 ;;
-\\ * | - | *ctypes* | *get_path*) {of_system} ;;
*" install "*) echo "$*" >>{log} ;;
esac
"""


class Machine:
    """A system with the tools that are named, and an environment that is there but empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.folder.mkdir()
        copy_script(self.folder)
        self.path = folder / "path"
        self.path.mkdir()
        self.log = folder / "log"
        self.add(*TOOLS)
        self.lacks_python_dev = True

    def add(self, *programs: str) -> None:
        """Have programs: those of this machine, or else some that do nothing."""
        for name in programs:
            (self.path / name).symlink_to(shutil.which(name) or "/bin/true")

    def run(self, *arguments: str) -> str:
        """Call the script; give all that it says."""
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        of_system = "exit 1" if self.lacks_python_dev else ":"
        python.write_text(PYTHON.format(log=self.log, of_system=of_system))
        python.chmod(0o755)
        done = subprocess.run(
            [self.path / "sh", "run", *arguments],
            cwd=self.folder, env={"PATH": str(self.path)}, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def extra(self) -> str:
        """Name the extra that was installed."""
        (found,) = re.findall(r"\[(\w+)\]", self.log.read_text())
        return str(found)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_catalogue_is_as_simple_as_a_shell_must_have_it() -> None:
    path = ROOT / "host/spiketwin/host/cli/commands.toml"
    for line in path.read_text().splitlines():
        assert re.fullmatch(r'|#.*|\[\w+\.\w+\]|\w+ = "[^"\\]*"', line), line


def test_the_usage_is_that_of_the_catalogue() -> None:
    done = subprocess.run(["sh", ROOT / "run"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2
    said = dict(re.findall(r"^  \./run (\S+) +(.*)$", done.stdout, re.MULTILINE))
    assert said.keys() == catalogue.COMMANDS.keys() | {"test", "lint"}
    for name, entry in catalogue.COMMANDS.items():
        assert said[name] == entry.summary


@pytest.mark.parametrize(
    ("verb", "packages"),
    [
        ("test", "g++ make python3.12-dev chromium"),
        ("lint", "g++ make python3.12-dev"),
        ("testbench", "g++ make python3.12-dev"),
        ("bench", "g++ make python3.12-dev"),
        ("flash", "libusb-1.0-0 libftdi1-2"),
    ],
)
def test_what_a_verb_cannot_do_without_is_named_at_once(
    verb: str, packages: str, machine: Machine
) -> None:
    said = machine.run(verb)
    assert said == (
        f"run: './run {verb}' needs more than this system has. Install what Debian calls: "
        f"{packages}\n"
    )
    assert not machine.log.exists()


@pytest.mark.parametrize(
    ("verb", "extra"),
    [
        ("demo", "demo"),
        ("emulate", "rtl"),
        ("sweep", "demo"),  # its measures are compiled
        ("run", "demo"),
        ("compare", "demo"),
        ("doctor", "rtl"),
        ("selftest", "rtl"),
        ("devices", "boards"),
        ("build", "boards"),
        ("of-another-package", "rtl"),
    ],
)
def test_a_verb_that_is_of_use_without_a_compiler_needs_none(
    verb: str, extra: str, machine: Machine
) -> None:
    said = machine.run(verb)
    assert "needs more than this system has" not in said
    assert machine.extra() == extra


@pytest.mark.parametrize(("verb", "extra"), [("sweep", "sweep"), ("test", "test"), ("lint", "dev")])
def test_a_verb_has_its_extra_where_the_system_has_all(
    verb: str, extra: str, machine: Machine
) -> None:
    machine.add("g++", "make", "chromium")
    machine.lacks_python_dev = False
    machine.run(verb)
    assert machine.extra() == extra


def test_one_of_several_programs_will_do(machine: Machine) -> None:
    machine.add("g++", "make", "google-chrome")
    machine.lacks_python_dev = False
    machine.run("test")
    assert machine.extra() == "test"


def test_what_is_installed_is_not_installed_again(machine: Machine) -> None:
    machine.run("doctor")
    machine.run("doctor")
    assert machine.extra() == "rtl"
    assert (machine.folder / ".venv" / ".installed-rtl").exists()
