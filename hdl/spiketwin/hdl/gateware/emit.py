"""The tops of the design as text: Verilog for simulators, RTLIL for synthesis."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from amaranth.back import rtlil as rtlil_backend
from amaranth.back import verilog as verilog_backend
from amaranth.hdl import ClockDomain

from spiketwin.hdl.gateware.levels import TOPS, Top
from spiketwin.hdl.gateware.top import BytesTop, CoreTop, PinsTop
from spiketwin.hdl.gateware.yosys import use_own_yosys
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import (
    BUILD_BYTES,
    MAX_CLOCK_HZ,
    MAX_CYCLES_PER_BIT,
    MIN_CYCLES_PER_BIT,
)

_YOSYS_NAME: Final = re.compile(r"\\\$(auto\$\S+)")
"""An escaped name that Yosys made up: behind ``$auto$`` it says which of its passes did so."""

_ZERO_MEMORY: Final = re.compile(
    r"^  reg (\[\d+:0\] )?(?P<name>\S+ +)\[(?P<last>\d+):0\];\n(?!  initial begin$)", re.MULTILINE
)
"""The declaration of a memory that no initial values follow."""

_PREFIX: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9_]{0,31})?")

_UNREMARKABLE: Final = (
    "WIDTH", "CASEINCOMPLETE", "UNUSEDSIGNAL", "PROCASSINIT", "VARHIDDEN", "DECLFILENAME",
)  # fmt: skip
"""Warnings of Verilator about the style of Verilog that Yosys writes, the first two at any level of
strictness. A warning makes Verilator fail by default, so the text itself switches them off."""

_QUIET: Final = "\n".join(
    ["/* verilator lint_save */", *(f"/* verilator lint_off {kind} */" for kind in _UNREMARKABLE)]
)
_LOUD: Final = "/* verilator lint_restore */"


_EMITTING: Final = threading.Lock()
"""Lock for emission, which one thread does at a time: `_zeros_left_out` changes Amaranth itself."""


class EmissionError(SpiketwinError, ValueError):
    """An argument of `verilog` or `rtlil` is wrong; the message names it and its range."""

    exit_status = 2


def verilog(
    top: Top,
    params: CoreParams,
    clock_hz: int = DEFAULT_CLOCK_HZ,
    build: str = "",
    cycles_per_bit: int | None = None,
    prefix: str = "",
    reset: bool = True,
    zeros: bool = True,
    sources: bool = False,
) -> str:
    """Return the Verilog of a device or of its core alone, free of warnings of Verilator.

    Parameters
    ----------
    top:
        Name of the top. Its ports are its members, ``clk`` and ``rst``. ``rst`` is active high and
        synchronous, and may stay 0, since every register has an initial value.
    params:
        Sizes of the core.
    clock_hz:
        Frequency of ``clk`` that the device reports, 1…2**32 - 1. `CoreTop` reports nothing.
    build:
        Name of this build that the device reports: up to 16 characters of printable ASCII.
    cycles_per_bit:
        Rate of the UART after power-up, 4…65535 clock cycles a bit; 4 by default. Only `PinsTop`
        has a UART, and takes this argument.
    prefix:
        Prefix of the names of all modules, so that cores of different sizes can be in one design:
        empty, or a letter and up to 31 letters, digits and underscores. The name of the top module
        is the prefix and `top`.
    reset:
        Whether there is a port ``rst``. Without it a simulation is faster, as resets are a good
        part of the logic that it evaluates.
    zeros:
        Whether memories without other initial values begin with 0. If not, the text leaves open
        what they hold.
    sources:
        Whether attributes ``src`` name the lines of the gateware that parts come from.

    Raises
    ------
    EmissionError
        An argument is not as described here.
    """
    _check(top, params, clock_hz, build, cycles_per_bit, prefix)
    use_own_yosys()
    design = _component(top, params, clock_hz, build, cycles_per_bit)
    # The names of all other modules begin with that of the top, so that they have the prefix, too.
    with _zeros_left_out():
        text: str = verilog_backend.convert(
            design, name=prefix + top, emit_src=sources,
            missing_domain=lambda name: ClockDomain(name, reset_less=not reset),
        )  # fmt: skip
    # Dots and colons in a name break wave viewers. Verilator leaves names with a leading _ out.
    named = _YOSYS_NAME.sub(lambda name: "_" + re.sub(r"\W", "_", name[1]), text)
    return f"{_QUIET}\n{_with_zeros(named) if zeros else named}{_LOUD}\n"


def rtlil(
    top: Top,
    params: CoreParams,
    clock_hz: int = DEFAULT_CLOCK_HZ,
    build: str = "",
    cycles_per_bit: int | None = None,
    prefix: str = "",
) -> str:
    """Return the design as RTLIL, the text form of what Yosys works on.

    Arguments and errors are those of `verilog`. Unlike the Verilog, the RTLIL has an initial value
    for every word of every memory, and always a port ``rst``.
    """
    _check(top, params, clock_hz, build, cycles_per_bit, prefix)
    design = _component(top, params, clock_hz, build, cycles_per_bit)
    with _EMITTING:
        text: str = rtlil_backend.convert(design, name=prefix + top, emit_src=False)
    return text


@contextmanager
def _zeros_left_out() -> Iterator[None]:
    """Make Amaranth write no initial values for memories in which all are 0, during the block.

    Amaranth writes a value for every word, and has no option against this. In a design with large
    memories these values are most of the text, and take most of the time to write and read it.
    """
    emitter: Any = rtlil_backend.ModuleEmitter
    with _EMITTING:
        usual = emitter.emit_memory

        def emit_memory(self: object, cell_idx: int, cell: Any) -> None:
            if any(cell.init):
                usual(self, cell_idx, cell)

        emitter.emit_memory = emit_memory
        try:
            yield
        finally:
            emitter.emit_memory = usual


def _with_zeros(text: str) -> str:
    """Return the Verilog in which one loop sets each memory without initial values to 0."""
    number = count()

    def zeros(memory: re.Match[str]) -> str:
        # Names with a leading _ are left out of waves.
        return (
            f"{memory[0]}"
            f"  initial begin : _zeros_{next(number)}\n"
            "    integer _word;\n"
            f"    for (_word = 0; _word <= {memory['last']}; _word = _word + 1)\n"
            f"      {memory['name']}[_word] = 0;\n"
            "  end\n"
        )

    return _ZERO_MEMORY.sub(zeros, text)


def _check(
    top: str, params: object, clock_hz: int, build: str, cycles_per_bit: int | None, prefix: str
) -> None:
    if top not in TOPS:
        raise EmissionError(f"top must be {', '.join(TOPS[:-1])} or {TOPS[-1]}, not {top!r}")
    if not isinstance(params, CoreParams):
        raise EmissionError(
            f"params must be a CoreParams, not {params!r}: spiketwin.hdl.spec.params.preset gives "
            "one by its name"
        )
    if cycles_per_bit is not None and top != "PinsTop":
        raise EmissionError(
            f"cycles_per_bit is the rate of a UART, which {top} does not have: leave it out"
        )
    rate = MIN_CYCLES_PER_BIT if cycles_per_bit is None else cycles_per_bit
    for name, value, low, high in (
        ("clock_hz", clock_hz, 1, MAX_CLOCK_HZ),
        ("cycles_per_bit", rate, MIN_CYCLES_PER_BIT, MAX_CYCLES_PER_BIT),
    ):
        if type(value) is not int or not low <= value <= high:
            raise EmissionError(f"{name} must be a whole number in {low}…{high}, not {value!r}")
    if not (isinstance(build, str) and build.isascii() and build.isprintable()):
        raise EmissionError(f"build must be printable ASCII, not {build!r}")
    if len(build) > BUILD_BYTES:
        raise EmissionError(
            f"build must be up to {BUILD_BYTES} characters, not the {len(build)} of {build!r}: "
            "shorten it"
        )
    if not (isinstance(prefix, str) and _PREFIX.fullmatch(prefix)):
        raise EmissionError(
            "prefix must be empty, or a letter and up to 31 letters, digits and underscores, not "
            f"{prefix!r}"
        )


def _component(
    top: Top, params: CoreParams, clock_hz: int, build: str, cycles_per_bit: int | None
) -> CoreTop | BytesTop | PinsTop:
    match top:
        case "CoreTop":
            return CoreTop(params)
        case "BytesTop":
            return BytesTop(params, clock_hz, build)
        case "PinsTop":
            return PinsTop(params, clock_hz, build, cycles_per_bit or MIN_CYCLES_PER_BIT)
