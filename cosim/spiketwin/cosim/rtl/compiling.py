"""From the C++ that Verilator writes to native code, with as little compiling as possible.

The makefile that Verilator writes compiles a dozen files, and reading the same headers in each of
them takes longer than all else. Here they are joined into a few units (a unity build), only code
that runs in every cycle is optimised, and Verilator's own library and headers, which depend on no
design, are compiled once.
"""

from __future__ import annotations

import hashlib
import json
import re
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

_FLAGS: Final = (
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

_OPTIMISATION: Final = "-O1"
"""Option of the compiler for code that runs in every cycle, and for Verilator's own library.

What Verilator writes is straight-line code: with more it is no faster, and takes half as long again
to compile.
"""
_ONCE: Final = "-O0"
_OF_ALL: Final = "verilated.h"
"""What every file that Verilator writes includes, and most of what a unit has to read."""
_FILE_OF_RUNTIME: Final = re.compile(r"^ +(verilated\w*) ", re.M)


@dataclass(frozen=True)
class OutputKind:
    """The output that is made of a model: the options to compile, and to link it with."""

    compiling: tuple[str, ...]
    linking: tuple[str, ...]


LIBRARY: Final = OutputKind(
    # Hidden symbols: several of these libraries share a process and must not bind to each other.
    compiling=("-fPIC", "-fvisibility=hidden", "-fno-gnu-unique"),
    linking=("-shared",),
)


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """The compiler at work on one model.

    Attributes
    ----------
    what:
        Description of the build, with which the message of an error begins.
    kind:
        What is made of the model.
    waves:
        Whether all signals can be written to a VCD file.
    options:
        More options for the model and its harness.
    environment, log:
        Arguments of `builds.run_tool`; the environment is that of `toolchain.environment`.
    """

    what: str
    kind: OutputKind
    waves: bool
    options: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path

    def link(self, folder: Path, result: Path) -> None:
        """Compile a model and its harness, and link them.

        Parameters
        ----------
        folder:
            Folder with the source of the harness and what Verilator wrote; its path contains no
            blanks.
        result:
            File that is written.

        Raises
        ------
        BuildError
            The compiler failed or took too long.
        """
        files = sorted(folder.glob("*.cpp"))
        once = [file for file in files if file.name.endswith(_SLOW)]
        always = _divided(file for file in files if file not in once)
        units = [(f"fast_{n}.cc", group, _OPTIMISATION) for n, group in enumerate(always)]
        units.append(("slow.cc", once, _ONCE))
        with ExitStack() as stack:
            waits = [
                stack.enter_context(
                    self._compiling(
                        folder,
                        name,
                        [file.name for file in group],
                        (*self.options, "-include", str(self._headers(option)), option),
                    )
                )
                for name, group, option in units
            ]
            runtime = self._runtime(folder)
            for wait in waits:
                wait("")
        objects = [*(str(folder / f"{name}.o") for name, *_ in units), str(runtime)]
        builds.run_tool(
            self.what, ["g++", *objects, *self.kind.linking, "-o", str(result)], self.log,
            environment=self.environment,
        )  # fmt: skip

    def _runtime(self, model: Path) -> Path:
        """Return the object of Verilator's own library, compiling it if nobody has yet.

        The makefile in the folder of the model names the files that this one needs.
        """
        (classes,) = model.glob("*_classes.mk")
        files = [f"{file}.cpp" for file in _FILE_OF_RUNTIME.findall(classes.read_text())]
        return self._once("runtime.cc", files, _OPTIMISATION).with_suffix(".cc.o")

    def _headers(self, optimisation: str) -> Path:
        """Return Verilator's headers, beside which they lie compiled (*precompiled header*).

        A compiler with other options, or another compiler, reads the text.
        """
        return self._once("headers.h", [_OF_ALL], optimisation)

    def _once(self, unit: str, sources: list[str], optimisation: str) -> Path:
        """Return a unit of sources of Verilator alone, compiling it if nobody has yet."""
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        shape = [toolchain.versions(), own, self.waves, self.kind.compiling, sources, optimisation]

        def build(folder: Path) -> None:
            with self._compiling(folder, unit, sources, [optimisation]) as wait:
                wait("")

        digest = hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]
        return builds.built_once("verilator", digest, build) / unit

    @contextmanager
    def _compiling(
        self, folder: Path, unit: str, sources: Iterable[str], options: Iterable[str]
    ) -> Iterator[Callable[[str], None]]:
        """Compile sources as one unit, concurrently with the block; see `builds.tool`.

        What it makes has the name of the unit and ``.o``, or ``.gch`` if that is a header.
        """
        (folder / unit).write_text(
            "".join(f'#include "{source}"\n' for source in sources), encoding="utf-8"
        )
        result = f"{unit}.gch" if unit.endswith(".h") else f"{unit}.o"
        cache = ["ccache"] if shutil.which("ccache") else []
        include = Path(self.environment["VERILATOR_ROOT"], "include")
        command = [
            *cache, "g++", *_FLAGS, f"-DVM_TRACE={self.waves:d}", f"-DVM_TRACE_VCD={self.waves:d}",
            *self.kind.compiling, *options, "-I.", f"-I{include}", f"-I{include / 'vltstd'}",
            "-c", unit, "-o", result,
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
