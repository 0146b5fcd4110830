"""The execution of the plan of a build: the bitstream of a core for a board, and its timing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware import fitting, nextpnr
from spiketwin.firmware.plan import CELLS, ESTIMATED, Implementation, Plan
from spiketwin.firmware.platforms import TOP, prepared
from spiketwin.firmware.top import BoardTop
from spiketwin.firmware.use import Use, exceeded
from spiketwin.hdl.builds import BuildError, built_once
from spiketwin.hdl.gateware import emit

_FIGURES: Final = "figures.json"

Figures = dict[str, Any]
"""The figures of a build by name, as in the table in docs/boards.md."""

Report = Callable[[str], None]
"""A function that is called with the name of each stage as it begins."""


class TooBig(BuildError):
    """A core does not fit the board."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """A finished build.

    Attributes
    ----------
    folder:
        Folder of all its files: logs, reports, and the bitstream or the project.
    figures:
        Its figures, as in ``figures.json`` of the folder.
    bitstream:
        Path of the bitstream; None if only a project for the vendor's tool was made, or if the
        design is slower than its clock.
    """

    folder: Path
    figures: Figures
    bitstream: Path | None


class TimingMissed(BuildError):
    """A core was routed, but is slower than its clock.

    Attributes
    ----------
    build:
        The build, without a bitstream, as that would not work.
    """

    def __init__(self, message: str, build: Build) -> None:
        super().__init__(message)
        self.build = build


def build(plan: Plan, report: Report = lambda stage: None) -> Build:
    """Return the build of a plan, building it if it is not in the cache yet.

    Parameters
    ----------
    plan:
        The plan to carry out.
    report:
        Called with the name of each stage as it begins.

    Raises
    ------
    TooBig
        The core does not fit; this is estimated if no open tool routes the family.
    TimingMissed
        The core fits, but is slower than its clock.
    BuildError
        A tool failed.
    """

    def make(folder: Path) -> None:
        begin = time.monotonic()
        report("elaboration")
        _elaborate(plan, folder)
        report("synthesis")
        if plan.implementation is None:
            uses, fmax_mhz = _estimate(plan, folder), None
        else:
            uses, fmax_mhz = _implement(plan, plan.implementation, folder, report)
        figures = {
            "board": plan.target.board.name,
            "params": asdict(plan.params),
            **{name: use.as_json() for name, use in uses.items()},
            "target_mhz": plan.clock_hz / 1e6,
            "fmax_mhz": fmax_mhz,
            "max_baud": plan.max_baud,
            "seed": plan.seed,
            "seconds": round(time.monotonic() - begin, 1),
            "origin": plan.target.family.flow.origin,
        }
        (folder / _FIGURES).write_text(json.dumps(figures, indent=2) + "\n")

    return _timing_met(plan, built_once("boards", plan.digest, make))


def _timing_met(plan: Plan, folder: Path) -> Build:
    """Return the build in a folder; raises `TimingMissed` if it is slower than its clock."""
    figures: Figures = json.loads((folder / _FIGURES).read_text())
    packed = folder / plan.implementation.flow.bitstream if plan.implementation else None
    bitstream = packed if packed is not None and packed.is_file() else None
    made = Build(folder=folder, figures=figures, bitstream=bitstream)
    target_mhz, fmax_mhz = figures["target_mhz"], figures["fmax_mhz"]
    if fmax_mhz is not None and fmax_mhz < target_mhz:
        raise TimingMissed(
            f"{plan.target.board.name}: routed for {target_mhz:g} MHz, but good for "
            f"{fmax_mhz:.1f} MHz only, {100 * (1 - fmax_mhz / target_mhz):.0f} % less: take "
            f"--clock {int(fmax_mhz)}, another --seed, or fewer lanes; the report is "
            f"{folder / nextpnr.TIMING}",
            made,
        )
    return made


def _elaborate(plan: Plan, folder: Path) -> None:
    """Write the files that Amaranth makes for the board: the design and its constraints."""
    platform = plan.target.board.new_platform()
    files = prepared(platform, BoardTop(plan)).files
    for name in {f"{TOP}{end}" for end in plan.target.family.written} & set(files):
        (folder / name).write_text(files[name])
    pins = {port: pin for port, pin, _ in platform.iter_port_constraints_bits()}
    (folder / "pins.json").write_text(json.dumps(pins, indent=2) + "\n")


def _estimate(plan: Plan, folder: Path) -> dict[str, Use]:
    """Return the use of cells after mapping a device without its pins and its PLL."""
    family, device = plan.target.family, plan.target.device
    rtlil = emit.rtlil("PinsTop", plan.params, plan.clock_hz, plan.build, plan.cycles_per_bit)
    (folder / ESTIMATED).write_text(rtlil)
    plan.synthesis.run(folder)
    design = json.loads((folder / CELLS).read_text())["design"]
    used = family.count(design["num_cells_by_type"])
    uses = {kind: Use(used[kind], there) for kind, there in device.holds.items()}
    if exceeded(uses):
        raise TooBig(
            f"{fitting.advice(plan.target.board, plan.params, family, uses)} What is used is "
            f"{family.flow.origin}. The whole log is {folder / plan.synthesis.log}"
        )
    return uses


def _implement(
    plan: Plan, implementation: Implementation, folder: Path, report: Report
) -> tuple[dict[str, Use], float]:
    """Synthesise, place, route and pack; return the use of cells, and the fastest clock in MHz."""
    flow, target = implementation.flow, plan.target
    plan.synthesis.run(folder)
    report("place and route")
    try:
        implementation.routing.run(folder)
    except BuildError as error:
        uses = flow.uses(folder)
        if exceeded(uses):
            advice = fitting.advice(target.board, plan.params, target.family, uses)
            log = folder / implementation.routing.log
            raise TooBig(f"{advice} The whole log is {log}") from error
        raise
    (folder / f"{TOP}.json").unlink(missing_ok=True)  # tens of megabytes
    fmax_mhz = nextpnr.fmax_mhz(folder, plan.clock_hz)
    if fmax_mhz * 1e6 >= plan.clock_hz:
        report("bitstream")
        implementation.packing.run(folder)
    return flow.uses(folder), fmax_mhz
