"""Build the RTL into a shared library, once for everybody who asks for the same."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

import filelock

from spiketwin.cosim.rtl import toolchain
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES, MAX_CLOCK_HZ, MIN_CYCLES_PER_BIT
from spiketwin.host.errors import TargetError

_TOPS: Final = {"bytes": "BytesTop", "pins": "PinsTop"}
LEVELS: Final = tuple(_TOPS)
_HARNESS: Final = Path(__file__).with_name("harness.cpp")
_LIBRARY: Final = "libcore.so"
_LOG: Final = "build.log"

_MAX_CYCLES_PER_BIT: Final = 65535

_BUILD_SECONDS: Final = 900.0
"""Far above the longest build; whoever waits for another's build waits no longer either."""

_FLAGS: Final = (
    "--cc", "--exe", "--build", "-j", "2", "--prefix", "Vcore", "-O3",
    "--x-assign", "fast", "--x-initial", "fast", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
    # Hidden symbols: several of these libraries live in one process and must not see each other.
    "-CFLAGS", "-fPIC -fvisibility=hidden -fno-gnu-unique", "-LDFLAGS", "-shared",
    "-MAKEFLAGS", "OPT_FAST=-O2",
)  # fmt: skip


class BuildError(TargetError):
    """The RTL could not be built; the message ends with the log's last lines and names the log."""


class DesignError(ValueError):
    """A design that cannot be built: a field is out of range."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is built: one core and how it is connected.

    Attributes
    ----------
    params:
        Sizes of the core.
    level:
        ``bytes``: the byte streams behind the UART, with back-pressure. ``pins``: the UART's wires.
    cycles_per_bit:
        Rate at which the UART starts, 4…65535.
    clock_hz:
        Frequency that the core reports and that turns seconds into cycles, 1…2**32 - 1.

    Raises
    ------
    DesignError
        A field is out of range.
    """

    params: CoreParams
    level: str = "bytes"
    cycles_per_bit: int = MIN_CYCLES_PER_BIT
    clock_hz: int = DEFAULT_CLOCK_HZ

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise DesignError(f"level must be {' or '.join(LEVELS)}, not {self.level!r}")
        for name, low, high in (
            ("cycles_per_bit", MIN_CYCLES_PER_BIT, _MAX_CYCLES_PER_BIT),
            ("clock_hz", 1, MAX_CLOCK_HZ),
        ):
            if not low <= getattr(self, name) <= high:
                raise DesignError(f"{name} must be in {low}…{high}, not {getattr(self, name)}")

    def digest(self) -> str:
        """Name everything that shapes the library: design, sources, flags and tools."""
        digest = hashlib.sha256()
        digest.update(json.dumps([asdict(self), _FLAGS, toolchain.versions()]).encode())
        for source in (*gateware_sources(), _HARNESS):
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        return digest.hexdigest()[:BUILD_BYTES]


def report_on_stderr(message: str) -> None:
    """Tell the user what takes long."""
    print(f"spiketwin: {message}", file=sys.stderr, flush=True)


def library(design: Design, report: Callable[[str], None] = report_on_stderr) -> Path:
    """Give the path of the shared library of a design, building it if nobody has yet.

    A library appears whole or not at all; of several processes that ask for the same one, one
    builds and the others wait.

    Parameters
    ----------
    design:
        What to build.
    report:
        Called with one line before a build begins.

    Raises
    ------
    BuildError
        A tool failed, or took longer than 15 minutes.
    ToolMissing
        A tool is not installed.
    """
    digest = design.digest()

    def build(folder: Path) -> None:
        report(f"building the RTL of {_describe(design)} (once, takes up to a minute)")
        _build(design, digest, folder)

    return built_once("rtl", digest, build) / _LIBRARY


def built_once(kind: str, digest: str, build: Callable[[Path], None]) -> Path:
    """Give the folder of a build, building it if nobody has yet.

    The folder appears whole or not at all; of several processes that ask for the same one, one
    builds and the others wait.

    Parameters
    ----------
    kind:
        Folder of all builds like this one, in `toolchain.build_root`.
    digest:
        Name of everything that shapes the build.
    build:
        Fills the folder it is given, which is moved once it is full.

    Raises
    ------
    BuildError
        Another process holds the build for more than 15 minutes.
    """
    root = toolchain.build_root() / kind
    finished = root / digest
    if finished.is_dir():
        return finished
    root.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(root / f"{digest}.lock", timeout=_BUILD_SECONDS):
            if finished.is_dir():
                return finished
            # Only a build that was killed leaves these, as the lock is ours.
            for left in root.glob(f"{digest}.tmp*"):
                shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{digest}.tmp", dir=root))
            build(folder)
            folder.rename(finished)
    except filelock.Timeout as error:
        raise BuildError(
            f"another process holds {error.lock_file} and has not finished its build in "
            f"{_BUILD_SECONDS:.0f} s; end it and try again"
        ) from error
    return finished


def _build(design: Design, digest: str, folder: Path) -> None:
    """Leave in the folder the library, the Verilog it was made of, and the log."""
    top = _TOPS[design.level]
    source = folder / "core.v"
    log = folder / _LOG
    arguments = {
        "top": top, "params": asdict(design.params), "clock_hz": design.clock_hz,
        "build": digest, "cycles_per_bit": design.cycles_per_bit,
    }  # fmt: skip
    with source.open("wb") as verilog:
        emission = [sys.executable, "-m", "spiketwin.cosim.rtl.emission"]
        _run(emission, log, verilog, json.dumps(arguments))
    objects = folder / "objects"
    command = [
        "verilator", *_FLAGS, "-CFLAGS", f"-DSPIKETWIN_{design.level.upper()}",
        "--top-module", top, "-Mdir", str(objects), "-o", str(folder / _LIBRARY),
        str(source), str(_HARNESS),
    ]  # fmt: skip
    _run(command, log)
    shutil.rmtree(objects)


def _run(command: list[str], log: Path, output: IO[bytes] | None = None, stdin: str = "") -> None:
    """Run one tool, with all that it says going to the log."""
    environment = os.environ | toolchain.environment()
    if shutil.which("ccache"):
        environment["OBJCACHE"] = "ccache"
    # A process group of its own, so that an end before its time ends the compilers too.
    with (
        log.open("ab") as said,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=output or said, stderr=said,
            process_group=0,
        ) as process,
    ):  # fmt: skip
        try:
            process.communicate(stdin.encode(), _BUILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BuildError(_failure(f"took longer than {_BUILD_SECONDS:.0f} s", log)) from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise BuildError(_failure(f"ended with status {process.returncode}", log))


def _failure(what: str, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"building the RTL {what}; the whole log is {log}", *lines[-20:]])


def _describe(design: Design) -> str:
    params = design.params
    return f"{params.n_axons} axons, {params.n_neurons} neurons, {params.lanes} lanes"


def gateware_sources() -> list[Path]:
    """Give the files of the specification and the gateware, sorted."""
    spec = importlib.util.find_spec("spiketwin.hdl")
    if spec is None or spec.origin is None:
        raise BuildError("spiketwin.hdl is not installed: install spiketwin anew")
    return sorted(Path(spec.origin).parent.rglob("*.py"))
