"""``spiketwin testbench``: cocotb testbenches, the project's own and the user's."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import click
import filelock
from rich.console import Console

from spiketwin.cosim.testbenches import runner
from spiketwin.cosim.testbenches.levels import SESSION_VARIABLE
from spiketwin.cosim.testbenches.runner import BenchError, BenchOutcome, Test
from spiketwin.hdl import builds
from spiketwin.hdl.gateware.levels import TOP_OF
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import end
from spiketwin.host.recording import Recording
from spiketwin.host.replacing import replacing

_OURS: Final = "spiketwin.cosim.testbenches"
OWN: Final = {
    "core": f"{_OURS}.core_bench",
    "bytes": f"{_OURS}.link_bench",
    "pins": f"{_OURS}.pins_bench",
}
"""The project's own testbenches, by the level that they drive."""

_SESSION: Final = f"{_OURS}.session_bench"
_DEFAULT_SIZES: Final = "tiny"
_TAIL: Final = 20
_NO_XML: Final = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]")
"""Characters that XML forbids, such as the escape codes of a terminal."""


@dataclass(frozen=True)
class _Bench:
    """A module with tests, and the design that it is run with.

    Attributes
    ----------
    title:
        Name in the call.
    module, folder:
        Name of the module, and its folder; None for an installed module.
    params:
        Sizes of the core.
    level:
        Level that its tests must drive; None if the tests decide.
    environment:
        Further environment variables of its tests.
    """

    title: str
    module: str
    folder: Path | None
    params: CoreParams
    level: str | None
    environment: dict[str, str]


@click.command(
    epilog="\b\n"
    "spiketwin testbench bytes --params tiny\n"
    "spiketwin testbench core --test weights_saturate --seed 7 --waves core.vcd\n"
    "spiketwin testbench examples/my_bench.py --junit results.xml\n"
    "spiketwin testbench session.jsonl --level pins\n"
    "spiketwin testbench examples/beside_bench.py --top beside --source beside.v\n"
    "\n"
    "docs/testbenches.md shows how to write one."
)
@click.argument("bench", required=False, metavar="[NAME|FILE]")
@click.option(
    "--params",
    type=options.SIZES,
    metavar="SIZES",
    help=f"The core: a reference size ({', '.join(PRESETS)}), and fields that differ from it: "
    f"tiny,n_axons=16. Default: {_DEFAULT_SIZES}, or those of the session.",
)
@click.option(
    "--level",
    type=click.Choice(TOP_OF),
    help="What a file drives: the core alone, the bytes behind the UART, or its wires. Default: "
    "that of the driver that its tests take; of a session, pins.",
)
@click.option("--test", "wanted", multiple=True, metavar="NAME", help="Run only this test; repeat.")
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 31) - 1),
    help="Seed of all that the tests choose at random. Default: another one each time, shown.",
)
@click.option(
    "--waves",
    type=options.OutputFile(".vcd"),
    metavar="FILE.vcd",
    help="Write all signals here, of a single test.",
)
@click.option(
    "--junit",
    type=options.OutputFile(),
    metavar="FILE.xml",
    help="Write the results here as JUnit XML, which every CI reads.",
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.v",
    help="Simulate a design of your own instead: all its Verilog, the core of `spiketwin verilog` "
    "as well; repeat.",
)
@click.option("--top", metavar="MODULE", help="Module of --source to simulate.")
def testbench(
    bench: str | None,
    params: CoreParams | None,
    level: str | None,
    wanted: tuple[str, ...],
    seed: int | None,
    waves: Path | None,
    junit: Path | None,
    sources: tuple[Path, ...],
    top: str | None,
) -> None:
    """Run cocotb testbenches on the RTL, each test from power-up.

    NAME is one of the project's own: core, bytes or pins; without it, all of them. FILE is a Python
    file with cocotb tests of yours, or a session that --record wrote, which is played to the device
    and must be answered alike. Exits with status 1 if a test fails.
    """
    if bool(sources) != bool(top):
        raise click.UsageError("--source and --top belong together: give both")
    options.check_distinct({"--waves": waves, "--junit": junit})
    seed = secrets.randbits(31) if seed is None else seed
    benches = [_bench(name, params, level) for name in ([bench] if bench else OWN)]
    if sources and any(each.folder is None for each in benches):
        raise click.UsageError("--source is for a Python file of yours: name it as FILE")
    console = Console(highlight=False, soft_wrap=True)
    cases: list[tuple[_Bench, Test, BenchOutcome]] = []
    for each in benches:
        with _results(each) as results:
            cases += _run(console, each, wanted, seed, waves, sources, top, results)
    if junit is not None:
        _write_junit(junit, cases, seed)
    failed = sum(not outcome.passed and not outcome.skipped for _, _, outcome in cases)
    skipped = sum(outcome.skipped for _, _, outcome in cases)
    parts = [f"{len(cases) - failed - skipped} passed", f"{failed} failed"]
    parts += [f"{skipped} skipped"] if skipped else []
    console.print(f"{', '.join(parts)}; seed {seed}", markup=False)
    end(failed == 0)


def _bench(name: str, params: CoreParams | None, level: str | None) -> _Bench:
    """Return the testbench that a name means; raise `click.UsageError` if there is none."""
    usual = params or PRESETS[_DEFAULT_SIZES]
    if name in OWN:
        if level not in (None, name):
            raise click.UsageError(f"the testbench {name} drives --level {name}: leave it out")
        return _Bench(name, OWN[name], None, usual, name, {})
    path = Path(name)
    if not path.is_file():
        raise click.UsageError(
            f"there is no testbench and no file {name!r}: choose {', '.join(OWN)}, or give a "
            "Python file or a recorded session"
        )
    if path.suffix == ".py":
        _check_name(path)
        return _Bench(name, path.stem, path.absolute().parent, usual, level, {})
    return _session(path, params, level or "pins")


def _session(path: Path, params: CoreParams | None, level: str) -> _Bench:
    if level == "core":
        raise click.UsageError("a session is played to --level bytes or pins: the core has no link")
    # Imported late, as it imports cocotb and the drivers.
    from spiketwin.cosim.testbenches import session

    recorded = session.identity(Recording.load(path)).params
    if params not in (None, recorded):
        raise click.UsageError(
            f"{path} is a session with a core of --params {described(recorded)}: leave them out"
        )
    environment = {SESSION_VARIABLE: str(path.absolute())}
    return _Bench(str(path), _SESSION, None, recorded, level, environment)


def _check_name(path: Path) -> None:
    """Refuse a file that cannot be imported by its name, or whose name another module has."""
    name = path.stem
    if not name.isidentifier():
        raise click.UsageError(
            f"{path} must be named like a module, of letters, digits and underscores: rename it"
        )
    taken = name in sys.stdlib_module_names or find_spec(name) is not None
    if taken and str(path.absolute().parent) not in sys.path:
        raise click.UsageError(
            f"{path} is named like the module {name!r} that is already there: rename it"
        )


@contextmanager
def _results(bench: _Bench) -> Iterator[Path]:
    """Yield the folder of the logs of a testbench, locked against other processes."""
    place = hashlib.sha256(repr((bench.title, Path.cwd())).encode()).hexdigest()[:8]
    folder = builds.build_root() / "testbench" / f"{Path(bench.title).stem}-{place}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(f"{folder}.lock", timeout=builds.BUILD_SECONDS):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
    except filelock.Timeout as error:
        raise BenchError(
            f"another process runs {bench.title} and has not finished in "
            f"{builds.BUILD_SECONDS:.0f} s; end it and try again"
        ) from error


def _run(
    console: Console,
    bench: _Bench,
    wanted: Sequence[str],
    seed: int,
    waves: Path | None,
    sources: Sequence[Path],
    top: str | None,
    results: Path,
) -> list[tuple[_Bench, Test, BenchOutcome]]:
    """Build the simulator of a testbench and run its tests, one line of output each."""
    tests = _chosen(bench, wanted, seed, results)
    if waves is not None and len(tests) > 1:
        names = ", ".join(test.name for test in tests)
        raise click.UsageError(f"--waves is of a single test: choose one by --test, of {names}")
    simulated, folder = _simulator(bench, tests, sources, top, waves is not None, results)
    cases = []
    with progress.shown(console, "tests") as display:
        display(bench.title, 0, len(tests))
        for number, test in enumerate(tests):
            place = results / str(number)
            place.mkdir()
            if test.skip and not wanted:
                outcome = BenchOutcome(
                    False, True, "skipped", "declared with skip", 0.0, place / "log"
                )
            else:
                outcome = runner.simulate(
                    folder, simulated, bench.params, bench.module, test.full_name, seed=seed,
                    results=place, environment=bench.environment, path=bench.folder,
                    waves=waves is not None,
                )  # fmt: skip
            _say(display.console, bench, test, outcome)
            if waves is not None and (place / runner.WAVES).is_file():
                with replacing(waves) as file, (place / runner.WAVES).open("rb") as signals:
                    shutil.copyfileobj(signals, file)
            cases.append((bench, test, outcome))
            display(bench.title, number + 1, len(tests))
    return cases


def _chosen(bench: _Bench, wanted: Sequence[str], seed: int, results: Path) -> list[Test]:
    """Return the tests of a testbench that are to be run, in their order."""
    tests = runner.collect(bench.module, bench.folder, bench.params, seed, results)
    if bench.module == _SESSION:
        return [test for test in tests if test.level == bench.level]
    if bench.title == "core":
        from spiketwin.cosim.testbenches.core_bench import is_for

        tests = [test for test in tests if is_for(test.name, bench.params)]
    if not wanted:
        return tests
    unknown = set(wanted) - {test.name for test in tests}
    if unknown:
        raise click.UsageError(
            f"{bench.title} has no test {min(unknown)!r}: choose of "
            f"{', '.join(test.name for test in tests)}"
        )
    return [test for test in tests if test.name in wanted]


def _simulator(
    bench: _Bench,
    tests: Sequence[Test],
    sources: Sequence[Path],
    top: str | None,
    waves: bool,
    results: Path,
) -> tuple[str, Path]:
    """Return the name of the simulated top, and the folder of its simulator."""
    with progress.shown(Console(stderr=True)) as display:
        if top is not None:
            return top, runner.simulator_of(
                sources, top, results=results, waves=waves, report=display.stage
            )
        ours = TOP_OF[_level(bench, tests)]
        return ours, runner.simulator(
            ours, bench.params,
            whole=bench.folder is not None, waves=waves, report=display.stage,
        )  # fmt: skip


def _level(bench: _Bench, tests: Sequence[Test]) -> str:
    """Return the level of a testbench; `click.UsageError` if its tests have none or another."""
    driven = sorted({test.level for test in tests if test.level is not None})
    if bench.level is not None:
        others = [level for level in driven if level != bench.level]
        if others:
            raise click.UsageError(
                f"the tests of {bench.title} drive --level {' and '.join(driven)}: leave --level "
                "out, or choose by --test"
            )
        return bench.level
    if len(driven) != 1:
        what = f"drives {' and '.join(driven)}" if driven else "does not tell what it drives"
        *some, last = TOP_OF
        raise click.UsageError(
            f"{bench.title} {what}: choose --level {', '.join(some)} or {last}, "
            "or a design of your own by --source and --top"
        )
    return driven[0]


def _say(console: Console, bench: _Bench, test: Test, outcome: BenchOutcome) -> None:
    """Print the outcome of a test: our words first, then those of cocotb."""
    word, style = ("passed", "green") if outcome.passed else ("FAILED", "bold red")
    if outcome.skipped:
        word, style = "skipped", "yellow"
    console.print(
        f"{word:8}{bench.title} {test.name}  {outcome.seconds:.1f} s", style=style, markup=False
    )
    if outcome.passed:
        return
    console.print(f"        {outcome.kind}: {outcome.reason}", markup=False)
    if not outcome.skipped:
        console.print(f"        the whole log is {outcome.log}; it ends:", markup=False)
        for line in outcome.tail(_TAIL):
            console.print(f"        | {line}", markup=False)


def _write_junit(path: Path, cases: Sequence[tuple[_Bench, Test, BenchOutcome]], seed: int) -> None:
    """Write results in the XML format of pytest, with one suite per testbench."""
    root = ElementTree.Element("testsuites", name="spiketwin testbench")
    suites: dict[str, ElementTree.Element] = {}
    for bench, test, outcome in cases:
        if bench.title not in suites:
            mine = [each for other, _, each in cases if other is bench]
            suites[bench.title] = suite = ElementTree.SubElement(
                root, "testsuite", name=bench.title, tests=str(len(mine)), errors="0",
                failures=str(sum(not each.passed and not each.skipped for each in mine)),
                skipped=str(sum(each.skipped for each in mine)),
                time=f"{sum(each.seconds for each in mine):.3f}",
            )  # fmt: skip
            properties = ElementTree.SubElement(suite, "properties")
            for name, value in (("seed", str(seed)), ("params", described(bench.params))):
                ElementTree.SubElement(properties, "property", name=name, value=value)
        case = ElementTree.SubElement(
            suites[bench.title], "testcase", classname=bench.module, name=test.name,
            time=f"{outcome.seconds:.3f}",
        )  # fmt: skip
        if not outcome.passed:
            mark = ElementTree.SubElement(
                case, "skipped" if outcome.skipped else "failure",
                type=_xml(outcome.kind), message=_xml(outcome.reason),
            )  # fmt: skip
            mark.text = "" if outcome.skipped else _xml("\n".join(outcome.tail()))
    with replacing(path) as file:
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _xml(text: str) -> str:
    return _NO_XML.sub("", text)
