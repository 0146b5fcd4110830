"""Build the RTL or a netlist into a shared library, once for all who request the same one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from spiketwin.cosim.netlist import mapping
from spiketwin.cosim.rtl import compiling, ports, toolchain
from spiketwin.cosim.rtl.instrument import Instrument
from spiketwin.hdl import builds
from spiketwin.hdl.gateware.levels import TOP_OF
from spiketwin.hdl.spec.errors import SpiketwinError, TargetError
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import (
    BUILD_BYTES,
    MAX_CLOCK_HZ,
    MAX_CYCLES_PER_BIT,
    MIN_CYCLES_PER_BIT,
)

LEVELS: Final = ("bytes", "pins", "core")
LINK_LEVELS: Final = tuple(level for level in LEVELS if level != "core")
"""Levels at which the gateware's link is simulated; at ``core`` the link is software."""
_HARNESS: Final = Path(__file__).with_name("harness.cpp")
_CORE_HARNESS: Final = Path(__file__).with_name("core_harness.cpp")
_PACKAGE: Final = ("spiketwin", "hdl")
_LIBRARY: Final = "libcore.so"
_EMITTED: Final = "emitted.v"
_LOG: Final = "build.log"
_BUILDING: Final = "building the RTL"

_FLAGS: Final = (
    "--cc", "--prefix", compiling.PREFIX, "-O3", "--x-assign", "fast",
    # What the design leaves open at power-up: zeros, or anything, as the harness is told.
    "--x-initial", "unique",
    "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
    # Smaller functions compile faster, and their files can be spread over several compilers.
    "--output-split", "5000", "--output-split-cfuncs", "2000",
)  # fmt: skip
_MOST_SEED: Final = (1 << 31) - 1


class DesignError(SpiketwinError, ValueError):
    """A design cannot be built, or lacks a requested feature; the message says why."""

    exit_status = 2


@dataclass(frozen=True, kw_only=True)
class Design:
    """A design to build: one core and its connection.

    Attributes
    ----------
    params:
        Sizes of the core.
    level:
        ``bytes``: the byte streams behind the UART, with back-pressure. ``pins``: the UART's wires.
        ``core``: the core's ports; only for the RTL and without waves.
    cycles_per_bit:
        Rate of the UART at power-up, in clock cycles per bit, 4…65535.
    clock_hz:
        Frequency in hertz that the core reports and that turns seconds into cycles, 1…2**32 - 1.
    family:
        Family of FPGAs whose netlist is simulated, one of `mapping.families`; None for the RTL.
    image:
        What a build for a board made: a packed bitstream, or a routed netlist; only at the pins.
        None to make the design of the gateware.
    gateware:
        A folder with another ``spiketwin/hdl`` to build; None for the installed one.
    waves:
        Whether all signals can be written to a VCD file.
    power_up:
        Seed of what memories without initial contents hold at power-up, and the registers behind
        them: anything, as on a chip. 1…2**31 - 1; None for 0 in all of them.
    instrument:
        What is added to the RTL; None for nothing.

    Raises
    ------
    DesignError
        A field is out of range.
    """

    params: CoreParams
    level: str = "bytes"
    cycles_per_bit: int = MIN_CYCLES_PER_BIT
    clock_hz: int = DEFAULT_CLOCK_HZ
    family: str | None = None
    image: str | None = None
    gateware: str | None = None
    waves: bool = False
    power_up: int | None = None
    instrument: Instrument | None = None

    def __post_init__(self) -> None:
        self._check_level()
        if self.family is not None and self.family not in mapping.families():
            raise DesignError(
                f"family must be {' or '.join(mapping.families())}, not {self.family!r}"
            )
        for name, low, high in (
            ("cycles_per_bit", MIN_CYCLES_PER_BIT, MAX_CYCLES_PER_BIT),
            ("clock_hz", 1, MAX_CLOCK_HZ),
        ):
            if not low <= getattr(self, name) <= high:
                raise DesignError(f"{name} must be in {low}…{high}, not {getattr(self, name)}")
        if self.power_up is not None and not 1 <= self.power_up <= _MOST_SEED:
            raise DesignError(f"power_up must be in 1…{_MOST_SEED}, not {self.power_up}")

    def _check_level(self) -> None:
        of_netlist = " for a netlist" if self.family is not None else ""
        of_waves = " for waves" if self.waves else ""
        levels = LINK_LEVELS if of_netlist or of_waves else LEVELS
        if self.level not in levels:
            allowed = f"{', '.join(levels[:-1])} or {levels[-1]}"
            raise DesignError(f"level must be {allowed}{of_netlist}{of_waves}, not {self.level!r}")

    @property
    def harness(self) -> Path:
        """Source of the harness around the core or the device."""
        return _HARNESS if self.level in LINK_LEVELS else _CORE_HARNESS

    def digest(self) -> str:
        """Return the cache key of the library: a hash of design, sources, flags and tools."""
        tools = [toolchain.versions()]
        shape = asdict(self)
        del shape["power_up"]  # one library serves all seeds, and none
        shape["instrument"] = None if self.instrument is None else self.instrument.key()
        if self.level == "core":
            del shape["clock_hz"]  # it is software that reports it
        if self.level != "pins":
            del shape["cycles_per_bit"]
        if shape.pop("gateware") is None:
            gateware = builds.gateware_sources()
        else:
            gateware = builds.gateware_sources(Path(str(self.gateware), *_PACKAGE))
        sources = [*gateware, self.harness, Path(compiling.__file__)]
        if self.image is not None:
            shape["image"] = hashlib.sha256(Path(self.image).read_bytes()).hexdigest()
            tools.append(mapping.image_version())
            sources += mapping.sources_of_images()
        if self.level not in LINK_LEVELS:
            sources.append(Path(ports.__file__))
        if self.family is not None:
            tools.append(mapping.version(self.family))
            sources += mapping.sources(self.family)
        key = [shape, _FLAGS, tools, builds.fingerprint(sources)]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:BUILD_BYTES]


def report_on_stderr(message: str) -> None:
    """Print a notice of a lengthy step to standard error."""
    print(f"spiketwin: {message}", file=sys.stderr, flush=True)


def library(design: Design, report: Callable[[str], None] = report_on_stderr) -> Path:
    """Return the path of the shared library of a design, building it if nobody has yet.

    A library appears whole or not at all; of several processes that ask for the same one, one
    builds and the others wait.

    Parameters
    ----------
    design:
        The design to build.
    report:
        Called with one line before a build begins.

    Raises
    ------
    TargetError
        A tool is not installed, failed, or took longer than `builds.BUILD_SECONDS`.
    """
    digest = design.digest()

    def build(folder: Path) -> None:
        environment = toolchain.environment()
        report(f"building {_describe(design)}")
        _build(design, digest, folder, environment)

    return built("rtl", digest, build) / _LIBRARY


def emitted(design: Design) -> str:
    """Return the Verilog of a design to which an instrument is added, without the instrument.

    Raises
    ------
    TargetError
        As `library`.
    """
    digest = design.digest()

    def build(folder: Path) -> None:
        _emit(design, digest, folder, toolchain.environment())

    return (built("emitted", digest, build) / _EMITTED).read_text("utf-8")


def built(kind: str, digest: str, build: Callable[[Path], None]) -> Path:
    """Call `builds.built_once`, and turn its errors into those that the host knows.

    Raises
    ------
    TargetError
        The build failed, or `build` raised it.
    """
    try:
        return builds.built_once(kind, digest, build)
    except builds.BuildError as error:
        raise TargetError(str(error)) from error


def _build(design: Design, digest: str, folder: Path, environment: dict[str, str]) -> None:
    """Write the library, the files it is made of, and the log to the folder."""
    log, objects = folder / _LOG, folder / "objects"
    sources = _emit(design, digest, folder, environment)
    waves = ["--trace"] if design.waves else []
    added = design.instrument
    command = [
        "verilator", *_FLAGS, *waves, *(added.options if added else ()),
        "--top-module", TOP_OF[design.level],
        "-Mdir", str(objects), *sources,
    ]  # fmt: skip
    builds.run_tool(_BUILDING, command, log, environment=environment)
    # A copy, as the package may lie in a path with a blank, which make cannot handle.
    for source in (design.harness, *(added.sources if added else ())):
        shutil.copy(source, objects)
    # Only a netlist has a reset, as the hardware has. A board begins by itself, some time later.
    reset = () if design.family is None else ("-DSPIKETWIN_RESET",)
    if design.image is not None:
        reset = (f"-DSPIKETWIN_START_CYCLES={mapping.start_cycles(design.clock_hz)}",)
    compiler = compiling.Compiler(
        what=_BUILDING, kind=compiling.LIBRARY, waves=design.waves,
        options=(
            f"-DSPIKETWIN_{design.level.upper()}", *reset, "-I..",
            *(added.definitions if added else ()),
        ),
        environment=environment, log=log,
    )  # fmt: skip
    compiler.link(objects, folder / _LIBRARY)
    shutil.rmtree(objects)


def _emit(design: Design, digest: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Write the RTL or the netlist, and return the arguments with which Verilator reads it."""
    top, log = TOP_OF[design.level], folder / _LOG
    if design.image is not None:
        return mapping.write_image(Path(design.image), top, folder)
    rate = design.cycles_per_bit if design.level == "pins" else None
    arguments = {
        "top": top, "params": asdict(design.params), "clock_hz": design.clock_hz,
        "build": digest, "cycles_per_bit": rate,
    }  # fmt: skip
    language, name = ("verilog", "core.v") if design.family is None else ("rtlil", "core.il")
    if design.family is None:
        arguments["reset"] = False  # not needed: every register has an initial value
        arguments["zeros"] = False  # the harness sets them
        arguments["sources"] = design.instrument is not None
    with (folder / name).open("wb") as text:
        if design.gateware is not None:
            # First on the path, so that it is found before the installed package.
            paths = design.gateware, *filter(None, [os.environ.get("PYTHONPATH")])
            environment = environment | {"PYTHONPATH": os.pathsep.join(paths)}
        emission = [sys.executable, "-m", "spiketwin.cosim.rtl.emission", language]
        builds.run_tool(
            _BUILDING, emission, log,
            environment=environment, output=text, stdin=json.dumps(arguments),
        )  # fmt: skip
    if design.instrument is not None:
        verilog = (folder / name).read_text("utf-8")
        (folder / _EMITTED).write_text(verilog, "utf-8")
        (folder / name).write_text(design.instrument.edited(verilog), "utf-8")
    if design.family is None:
        settings = (
            ports.write_settings(design.params, folder) if design.level not in LINK_LEVELS else []
        )
        return [str(folder / name), *map(str, settings)]
    return mapping.write_netlist(design.family, name, top, folder, log)


def _describe(design: Design) -> str:
    params = design.params
    if design.image is not None:
        return f"the logic of {design.image} (once, takes a minute)"
    sizes = f"{params.n_axons} axons, {params.n_neurons} neurons, {params.lanes} lanes"
    if design.family is None:
        return f"the RTL of {sizes} (once, takes some ten seconds)"
    return f"the {design.family} netlist of {sizes} (once, takes some minutes)"
