"""Build the simulator of a top with Verilator for cocotb, once, and run one cocotb test on it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from spiketwin.cosim.rtl import compiling, toolchain
from spiketwin.cosim.rtl.build import built
from spiketwin.cosim.testbenches.levels import LEVEL_VARIABLE, PARAMS_VARIABLE
from spiketwin.hdl import builds
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.gateware.levels import TOP_OF, Top
from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.host.errors import TargetError

BUILD: Final = "model"
"""Arguments of devices under test, which report the same as the model beside them."""

WAVES: Final = "waves.vcd"
"""Name of the file with the signals, in the folder of results."""

_FLAGS: Final = (
    # The name is the one that cocotb expects.
    "--cc", "--prefix", "Vtop", "--vpi",
    "-O3", "--x-assign", "fast", "--x-initial", "fast",
)  # fmt: skip
_WHOLE: Final = "--public-flat-rw"
"""Flag with which a test can read and write every signal. Nothing is then left out of a design, so
that it takes three times as long to compile."""

_SEEN: Final = (
    ("*", "memory"), ("*weights", "bank_*"),
    ("*controller", "tick"), ("*timer", "slack"), ("*reports", "*"), ("*rate", "cycle"),
)  # fmt: skip
"""Units and signals that our testbenches look at or change inside a core: memories, and counters
that would take too long to reach their ends."""

_COLLECT_SECONDS: Final = 120.0
_LOG_LINES: Final = 40
_MODULE: Final = re.compile(r"^\s*(?:module|macromodule)\s+(?:automatic\s+)?(\\\S+|\w+)", re.M)
_HERE: Final = "spiketwin.cosim.testbenches"


class BenchFailed(AssertionError):
    """A cocotb test failed or was not run; the message ends with the simulator's output.

    Within pytest it counts as a failure and not as an error, as it is an assertion error.
    """


class BenchError(TargetError):
    """A testbench cannot be run at all; the message says why."""


@dataclass(frozen=True)
class Test:
    """One cocotb test, as `collect` finds it.

    Attributes
    ----------
    name, full_name:
        Name of the test, and the same with the name of its module before it.
    skip:
        Whether it is declared to be skipped unless it is named in the call.
    level:
        Level of its driver; None if it is declared without one of our drivers.
    """

    name: str
    full_name: str
    skip: bool
    level: str | None


@dataclass(frozen=True)
class BenchOutcome:
    """The outcome of a test.

    Attributes
    ----------
    passed, skipped:
        Whether it passed or was skipped; a skipped test has not failed.
    kind, reason:
        Type and message of the error that ended it, or why it was skipped; empty if it passed.
    seconds:
        Wall time.
    log:
        File with all output of the simulator.
    """

    passed: bool
    skipped: bool
    kind: str
    reason: str
    seconds: float
    log: Path

    def tail(self, lines: int = _LOG_LINES) -> list[str]:
        """Return the last lines of the log; none if there is no log."""
        if not self.log.is_file():
            return []
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]


_ENDS: Final = {
    "SimTimeoutError": "what the test waited for did not come in the simulated time that it has",
    "SimFailure": "the simulation was over before the test: nothing was left that could happen, as "
    "where no clock runs, or the design called $finish",
}
"""Descriptions of those outcomes for which cocotb has names of its own, by their type."""


def collect(
    module: str, folder: Path | None, params: CoreParams, seed: int, results: Path
) -> list[Test]:
    """Find the tests of a module, which is imported in a process of its own.

    Parameters
    ----------
    module:
        Name of the module.
    folder:
        Folder of its file; None for an installed module.
    params, seed:
        Sizes and seed, passed in its environment.
    results:
        Folder to write the log to.

    Raises
    ------
    BenchError
        The module cannot be imported or has no tests, or cocotb is not installed.
    """
    _check_cocotb()
    path = str(folder / f"{module}.py") if folder else module
    output, log = results / "tests.json", results / "import.log"
    log.unlink(missing_ok=True)
    try:
        builds.run_tool(
            f"{path} cannot be looked at for tests: importing it",
            _command("collect", module, str(folder or ""), str(output)), log,
            environment=_environment(params, seed), seconds=_COLLECT_SECONDS,
        )  # fmt: skip
    except builds.BuildError as error:
        raise BenchError(str(error)) from error
    found = json.loads(output.read_text(encoding="utf-8"))
    if "error" in found:
        where = f", line {found['line']}," if found["line"] else ""
        printed = log.read_text(encoding="utf-8", errors="replace").rstrip()
        raise BenchError(f"{path}{where} cannot be imported: {found['error']}\n{printed}")
    tests = [Test(**each) for each in found["tests"]]
    if not tests:
        raise BenchError(
            f"{path} has no tests: declare one with @cocotb.test(), or as docs/testbenches.md does"
        )
    return tests


def _silent(_message: str) -> None:
    return


def simulator(
    top: Top,
    params: CoreParams,
    *,
    whole: bool = True,
    waves: bool = False,
    report: Callable[[str], None] = _silent,
) -> Path:
    """Return the folder of the simulator of a top, building it if nobody has yet.

    Parameters
    ----------
    top:
        The top to simulate.
    params:
        Sizes of its core.
    whole:
        Whether tests can look at every signal; if not, at those alone that our testbenches need.
    waves:
        Whether it can write its signals to a file.
    report:
        Called with one line before a build begins.

    Raises
    ------
    TargetError
        A tool is not installed or failed, or another process does not finish the same build.
    """
    _check_cocotb()
    digest = hashlib.sha256()
    seen = "" if whole else _seen(top)
    flags = [*_FLAGS, _WHOLE] if whole else _FLAGS
    key = [top, asdict(params), waves, flags, seen, *_shaping()]
    digest.update(json.dumps(key).encode())
    for source in builds.gateware_sources():
        digest.update(hashlib.sha256(source.read_bytes()).digest())

    def build(folder: Path) -> None:
        toolchain.environment()  # before all else, as it tells what is missing
        report(f"building the simulator of {top} (once, takes up to a minute)")
        source = folder / "top.v"
        text = emit.verilog(top, params, DEFAULT_CLOCK_HZ, BUILD)
        source.write_text(text, encoding="ascii")
        settings = folder / "seen.vlt"
        settings.write_text(f"`verilator_config\n{seen}", encoding="ascii")
        files = [source, settings]
        _build(f"building the simulator of {top}", files, top, folder, waves, flags)

    return built("cocotb", digest.hexdigest()[:16], build)


def _seen(top: str) -> str:
    """Return the settings of Verilator that let tests see the ports of a top, and `_SEEN`."""
    seen = ((top, "*"), *_SEEN)
    return "".join(f'public_flat_rw -module "{unit}" -var "{name}"\n' for unit, name in seen)


def simulator_of(
    sources: Sequence[Path],
    top: str,
    *,
    results: Path,
    waves: bool = False,
    report: Callable[[str], None] = _silent,
) -> Path:
    """Return the folder of the simulator of a user's Verilog, building it if nobody has yet.

    Unlike for our own tops, Verilator's warnings are no errors; they are in the log.

    Parameters
    ----------
    sources:
        All files of the design; included files are searched for beside each of them.
    top:
        The module to simulate.
    results:
        Folder to write the preprocessed sources to.
    waves:
        Whether it can write its signals to a file.
    report:
        Called with one line before a build begins.

    Raises
    ------
    TargetError
        The cases of `simulator`, an error in the sources, or a missing module.
    """
    flags = [*_FLAGS, _WHOLE, "-Wno-fatal"]
    folders = [f"-I{folder}" for folder in {source.absolute().parent for source in sources}]
    names = ", ".join(map(str, sources))
    _check_cocotb()
    whole = _included(sources, folders, results)
    modules = sorted(set(_MODULE.findall(whole.decode("utf-8", "replace"))))
    if top not in modules:
        known = ", ".join(name for name in modules if not name.startswith("\\")) or "none"
        raise BenchError(f"there is no module {top!r} in {names}: choose one of {known}")
    digest = hashlib.sha256(json.dumps([top, waves, flags, *_shaping()]).encode())
    digest.update(whole)

    def build(folder: Path) -> None:
        report(f"building the simulator of {top} (once, takes up to a minute)")
        what = f"building the simulator of {top!r}, of {names},"
        _build(what, sources, top, folder, waves, [*flags, *folders])

    return built("cocotb", digest.hexdigest()[:16], build)


def _included(sources: Sequence[Path], folders: Sequence[str], results: Path) -> bytes:
    """Return the text of a design with all that its files include."""
    text, log = results / "included.v", results / "included.log"
    log.unlink(missing_ok=True)
    try:
        with text.open("wb") as output:
            builds.run_tool(
                f"reading {', '.join(map(str, sources))}",
                ["verilator", "-E", "-P", *folders, *map(str, sources)], log,
                environment=toolchain.environment(), output=output,
            )  # fmt: skip
    except builds.BuildError as error:
        raise BenchError(str(error)) from error
    return text.read_bytes()


def simulate(
    folder: Path,
    top: str,
    params: CoreParams,
    module: str,
    test: str,
    *,
    seed: int,
    results: Path,
    environment: Mapping[str, str] | None = None,
    path: Path | None = None,
    waves: bool = False,
) -> BenchOutcome:
    """Run one cocotb test from power-up, in the working folder, and return its outcome.

    Parameters
    ----------
    folder, top, params:
        The folder of the simulator, the name of the top and its sizes.
    module:
        Name of the module to import.
    test:
        Full name of a test in it.
    seed:
        Seed of all random choices of the test.
    results:
        Folder to write the log and the results to.
    environment:
        Variables for the test, beside the sizes and the seed.
    path:
        Folder of the module; None for an installed module.
    waves:
        Whether to write the signals to `WAVES` in the folder of results.

    Raises
    ------
    TargetError
        cocotb is not installed, or there is no shared library of Python.
    """
    _check_cocotb()
    log, report = results / "simulation.log", results / "results.xml"
    for left in (log, report):
        left.unlink(missing_ok=True)
    command = [str(folder / top)]
    if waves:
        command += ["--trace", "--trace-file", str((results / WAVES).absolute())]
    variables = {
        **(environment or {}), **_environment(params, seed, top), **_embedded(path),
        "COCOTB_TOPLEVEL": top, "COCOTB_TEST_MODULES": module,
        "COCOTB_TEST_FILTER": f"^{re.escape(test)}$",
        "COCOTB_RESULTS_FILE": str(report.absolute()),
    }  # fmt: skip
    died = ""
    try:
        builds.run_tool(f"the simulation of {test}", command, log, environment=variables)
    except builds.BuildError as error:
        died = str(error).partition(";")[0]
    return _reported(report, log, died or f"there is no test {test}")


def _reported(report: Path, log: Path, else_reason: str) -> BenchOutcome:
    """Read the outcome of the one test in a report; `else_reason` says why there may be none."""
    try:
        cases = ElementTree.parse(report).findall(".//testcase")
    except (OSError, ElementTree.ParseError):
        cases = []
    if len(cases) != 1:
        return BenchOutcome(False, False, "NotRun", else_reason, 0.0, log)
    (case,) = cases
    seconds = float(case.get("time", 0))
    for tag in ("failure", "error", "skipped"):
        mark = case.find(tag)
        if mark is not None:
            kind, reason = mark.get("type", tag), mark.get("message", "")
            if kind in _ENDS:
                reason = f"{_ENDS[kind]} ({reason})" if reason else _ENDS[kind]
            return BenchOutcome(False, tag == "skipped", kind, reason, seconds, log)
    return BenchOutcome(True, False, "", "", seconds, log)


_NO_REWRITING: Final = {"COCOTB_REWRITE_ASSERTION_FILES": ""}
"""Variables by which cocotb leaves assertions as they are. To rewrite them it loads pytest's set-up
of the working folder, for longer than a short test takes; installed tests assert nothing."""


def run(
    folder: Path,
    top: Top,
    params: CoreParams,
    test: str,
    *,
    seed: int,
    results: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one installed cocotb test, ``module.name``; the other arguments are as of `simulate`.

    Raises
    ------
    BenchFailed
        The test failed, was not found, or the simulator ended early.
    """
    outcome = simulate(
        folder, top, params, test.rpartition(".")[0], test,
        seed=seed, results=results, environment=_NO_REWRITING | dict(environment or {}),
    )  # fmt: skip
    if not outcome.passed:
        head = f"{test}, seed {seed}: {outcome.reason}; the whole log is {outcome.log}"
        raise BenchFailed("\n".join([head, *outcome.tail()]))


def _shaping() -> list[str]:
    """Return what shapes every simulator beside its design and flags, for the key of a cache."""
    own = builds.fingerprint([Path(compiling.__file__)])
    return [toolchain.versions(), f"cocotb {version('cocotb')}", own]


def _build(
    what: str, sources: Sequence[Path], top: str, folder: Path, waves: bool, flags: Sequence[str]
) -> None:
    """Write the simulator, named like its top, and the log to the folder, as cocotb's runner does.

    That one would compile Verilator's own library anew for every design.
    """
    from cocotb_tools import config

    environment = toolchain.environment()
    log, objects = folder / "build.log", folder / "objects"
    traced = ["--trace"] if waves else []
    command = [
        "verilator", *flags, *traced, "--top-module", top, "-Mdir", str(objects),
        *(str(source.absolute()) for source in sources),
    ]  # fmt: skip
    builds.run_tool(what, command, log, environment=environment)
    shutil.copy(config.share_dir / "lib" / "verilator" / "verilator.cpp", objects)
    linking = (f"-Wl,-rpath,{config.libs_dir}", f"-L{config.libs_dir}", "-lcocotbvpi_verilator")
    compiler = compiling.Compiler(
        what=what, kind=compiling.OutputKind((), (*linking, "-pthread")), waves=waves, options=(),
        environment=environment, log=log,
    )  # fmt: skip
    compiler.link(objects, folder / top)
    shutil.rmtree(objects)


def _command(program: str, *arguments: str) -> list[str]:
    # -P keeps modules in the working folder from shadowing those of Python.
    return [sys.executable, "-P", "-m", f"{_HERE}.{program}", *arguments]


def _environment(params: CoreParams, seed: int, top: str = "") -> dict[str, str]:
    """Return the environment variables of a process in which a testbench is imported."""
    variables = {
        PARAMS_VARIABLE: json.dumps(asdict(params)),
        "COCOTB_RANDOM_SEED": str(seed),
    }
    for level, name in TOP_OF.items():
        if name == top:
            variables[LEVEL_VARIABLE] = level
    return variables


def _embedded(path: Path | None) -> dict[str, str]:
    """Return the variables by which a simulator finds Python, cocotb and modules in a folder.

    They are those that cocotb's runner sets. It would take a process of its own, which imports all
    of cocotb before the simulator does, and takes longer than a short test.
    """
    return {
        "GPI_USERS": os.environ.get("GPI_USERS", _gpi_users()),
        "PYGPI_PYTHON_BIN": sys.executable,
        "COCOTB_TRUST_INERTIAL_WRITES": os.environ.get("COCOTB_TRUST_INERTIAL_WRITES", "1"),
        # The folder comes last, so that no module in it shadows one of the standard library.
        "PYTHONPATH": os.pathsep.join([*_search_path(), *([str(path)] if path else [])]),
    }


@functools.cache
def _gpi_users() -> str:
    """Return what cocotb loads into a simulator: Python as a shared library, and its own entry."""
    from find_libpython import find_libpython

    python = os.environ.get("LIBPYTHON_LOC") or find_libpython()
    cocotb = find_spec("cocotb")
    # Its folder is looked into here, as importing the package takes longer than a short test.
    places = cocotb.submodule_search_locations if cocotb else None
    entry = PathFinder.find_spec("simulator", places)
    if entry is None:
        raise BenchError("cocotb is damaged, it has no 'simulator': install it anew")
    return f"{python};{entry.origin},initialize"


@functools.cache
def _search_path() -> list[str]:
    """Return the folders in which a Python finds modules that was not started in any of them."""
    command = [sys.executable, "-P", "-c", "import sys; print(*sys.path, sep='\\n')"]
    return subprocess.check_output(command, text=True).splitlines()


@functools.cache
def _check_cocotb() -> None:
    """Raise `TargetError`, with the remedy, unless cocotb can work here."""
    found = find_spec("cocotb")
    if found is None:
        raise BenchError(
            "testbenches run under cocotb, which is not installed in this Python; run: "
            f"{install_command('testbench')}"
        )
    if not builds.usable_by_tools(Path(str(found.origin))):
        raise BenchError(
            f"cocotb links simulators by its own path, {found.origin}, which tools cannot use: "
            "make an environment in a folder of letters, digits, '.', '-' and '_'"
        )
    from find_libpython import find_libpython  # cocotb's, which gives up without it

    if find_libpython() is None:
        release = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
        raise BenchError(
            "cocotb runs Python inside the simulator and needs it as a shared library, which "
            f"{sys.executable} has not; on Debian or Ubuntu run: sudo apt-get install {release}"
        )
