"""From the C++ that Verilator writes to a shared library, with as little compiling as possible.

The makefile that Verilator writes compiles a dozen files, and reading the same headers in each of
them takes longer than all else. Here they are joined into a few units (a unity build), only code
that runs in every cycle is optimised, and Verilator's own library, which depends on no design, is
compiled once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl import toolchain
from spiketwin.hdl import builds

PREFIX: Final = "Vcore"
"""Name of the model's class, with which all files that Verilator writes begin."""

FLAGS: Final = (
    # Hidden symbols: several of these libraries share a process and must not bind to each other.
    "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique",
    # The definitions of Verilator's makefile.
    "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0",
    "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0",
)  # fmt: skip

_FAST_UNITS: Final = 2
"""Number of units for code that runs in every cycle: one per processor of a small machine.

Each further unit reads the headers once more.
"""

_SLOW: Final = "__Slow.cpp"
"""End of the names of files whose functions run only once."""

_ONCE: Final = "-O0"
_RUNTIME: Final = ("verilated.cpp", "verilated_threads.cpp")
_RUNTIME_OF_WAVES: Final = ("verilated_vcd_c.cpp",)
_RUNTIME_OPTIMISATION: Final = "-O1"


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """The compiler at work on one library.

    Attributes
    ----------
    what:
        Description of the build, with which the message of an error begins.
    waves:
        Whether all signals can be written to a VCD file.
    options:
        More options for the model and its harness.
    environment, log:
        Arguments of `builds.run_tool`; the environment is that of `toolchain.environment`.
    """

    what: str
    waves: bool
    options: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path

    def library(self, folder: Path, harness: str, optimisation: str, library: Path) -> None:
        """Compile the model and its harness, and link them.

        Parameters
        ----------
        folder:
            Folder with the files that Verilator wrote; its path contains no blanks.
        harness:
            Name of the source of the harness, in the same folder.
        optimisation:
            Option of the compiler for code that runs in every cycle.
        library:
            File that is written.

        Raises
        ------
        BuildError
            The compiler failed or took too long.
        """
        files = sorted(folder.glob(f"{PREFIX}*.cpp"))
        once = [file for file in files if file.name.endswith(_SLOW)]
        always = _divided([folder / harness, *(file for file in files if file not in once)])
        units = [(f"fast_{n}", group, optimisation) for n, group in enumerate(always)]
        units.append(("slow", once, _ONCE))
        with ExitStack() as stack:
            waits = [
                stack.enter_context(
                    self._compiling(folder, name, [file.name for file in group], option)
                )
                for name, group, option in units
            ]
            runtime = self._runtime()
            for wait in waits:
                wait("")
        objects = [*(str(folder / f"{name}.o") for name, *_ in units), str(runtime)]
        builds.run_tool(
            self.what, ["g++", "-shared", *objects, "-o", str(library)], self.log,
            environment=self.environment,
        )  # fmt: skip

    def _runtime(self) -> Path:
        """Return the object of Verilator's own library, compiling it if nobody has yet."""
        name = "runtime"
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        shape = [toolchain.versions(), own, self.waves]

        def build(folder: Path) -> None:
            sources = [*_RUNTIME, *(_RUNTIME_OF_WAVES if self.waves else ())]
            with self._compiling(folder, name, sources, _RUNTIME_OPTIMISATION) as wait:
                wait("")

        digest = hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]
        return builds.built_once("verilator", digest, build) / f"{name}.o"

    @contextmanager
    def _compiling(
        self, folder: Path, name: str, sources: Iterable[str], optimisation: str
    ) -> Iterator[Callable[[str], None]]:
        """Compile some sources as one unit, concurrently with the block; see `builds.tool`."""
        (folder / f"{name}.cc").write_text(
            "".join(f'#include "{source}"\n' for source in sources), encoding="utf-8"
        )
        cache = ["ccache"] if shutil.which("ccache") else []
        include = Path(self.environment["VERILATOR_ROOT"], "include")
        command = [
            *cache, "g++", *FLAGS, f"-DVM_TRACE={self.waves:d}", f"-DVM_TRACE_VCD={self.waves:d}",
            *self.options, "-I.", f"-I{include}", f"-I{include / 'vltstd'}",
            optimisation, "-c", f"{name}.cc", "-o", f"{name}.o",
        ]  # fmt: skip
        with builds.tool(
            self.what, command, self.log, environment=self.environment, folder=folder
        ) as wait:
            yield wait


def _divided(files: Iterable[Path]) -> list[list[Path]]:
    """Divide files into units of roughly equal size."""
    units: list[list[Path]] = [[] for _ in range(_FAST_UNITS)]
    for file in sorted(files, key=_size, reverse=True):
        min(units, key=lambda unit: sum(map(_size, unit))).append(file)
    return units


def _size(file: Path) -> int:
    return file.stat().st_size
