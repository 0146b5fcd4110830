"""From the configuration of an iCE40 to Verilog with the same logic.

What a bit does is documented by Project IceStorm (https://prjicestorm.readthedocs.io). The Verilog
has one module with the ports of a device at the pins: ``clk`` drives what a PLL or the
pin of the clock drives in the FPGA, so that one cycle of it is one of the core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from spiketwin.firmware.families.icestorm.configuration import Configuration
from spiketwin.firmware.families.icestorm.database import Database, Place
from spiketwin.hdl.spec.errors import TargetError

_TABLE: Final = (4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0)
"""Which bits of a logic cell are the table: for each value of the inputs one, from 0 on."""

_CARRY, _FLIP_FLOP, _SETS, _ASYNCHRONOUS = 8, 9, 18, 19
"""Which bits of a logic cell are its carry, its flip-flop, and what its set or reset does."""

_NETWORK: Final = "glb_netwk_"

_OUTPUT, _THREE_STATE = 0b0110, 0b1010
"""Upper four bits of the type of a pin without a register: always an output, or while enabled."""


def verilog(database: Database, configuration: Configuration, top: str) -> str:
    """Return the logic that a bitstream configures, as far as the output depends on it.

    Parameters
    ----------
    database:
        The database of the FPGA.
    configuration:
        What the bitstream configures.
    top:
        Name of the module.

    Raises
    ------
    TargetError
        The logic is not that of a device with one input and one output beside its clock, or uses
        what is not modelled: clocks at a falling edge, registers of pins, multipliers.
    """
    return _Logic(database, configuration).verilog(top)


class _Logic:
    """The logic under construction, from the output backwards."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self._configuration = configuration
        self._numbers = database.wires()
        self._named = {number: wire for wire, number in self._numbers.items()}
        self._bits = {kind: database.bits(kind) for kind in ("logic", "io", "ramb", "ramt")}
        self._driver = _drivers(database, configuration)
        self._fixed: dict[int, str] = {}
        self._drive_networks(database)
        self._pads = database.tiles("io")
        self._input: set[int] = set()
        self._asked: dict[str, Callable[[], str]] = {}
        self._order: list[str] = []

    def verilog(self, top: str) -> str:
        outputs = [each for place in self._pads for each in self._outputs(place)]
        if len(outputs) != 1:
            raise TargetError(
                f"the bitstream has {len(outputs)} outputs, and a core one: the line to the host"
            )
        (result,) = outputs
        lines, done = [], 0
        while done < len(self._order):  # cells that are found ask for more
            lines.append(self._asked[self._order[done]]())
            done += 1
        if len(self._input) != 1:
            raise TargetError(
                f"the bitstream has {len(self._input)} inputs beside its clock, and a core one: "
                "the line from the host"
            )
        (pad,) = self._input
        return "\n".join([
            f"module {top}(input clk, input rx, output tx);",
            f"wire n{pad} = rx;", *lines, f"assign tx = {result};", "endmodule", "",
        ])  # fmt: skip

    def _drive_networks(self, database: Database) -> None:
        """Find what drives the global networks, and let a PLL be locked from the beginning."""
        for buffer in database.cells("gb"):
            self._driver |= dict(zip(buffer.outputs, buffer.inputs, strict=True))
        networks = {
            name: wire for (_, _, name), wire in self._numbers.items() if name.startswith(_NETWORK)
        }
        for pad in database.pads:
            if pad.bit in self._configuration.extra:
                self._fixed[networks[f"{_NETWORK}{pad.network}"]] = "clk"
        for pll in database.cells("pll_3"):
            for wire in pll.outputs:
                if not self._named[wire][2].startswith((_NETWORK, "io_")):
                    self._fixed[wire] = "1'b1"

    def _outputs(self, place: Place) -> list[str]:
        """Return the values of the pins of a tile that are outputs."""
        found = []
        for pin in range(2):
            kind = sum(
                self._bit("io", place, f"IOB_{pin}.PINTYPE_{bit}") << bit - 2 for bit in range(2, 6)
            )
            if not kind:
                continue
            value = self._at(place, f"io_{pin}:D_OUT_0")
            if kind == _THREE_STATE:
                value = f"{self._at(place, f'io_{pin}:OUT_ENB')} ? {value} : 1'b1"
            elif kind != _OUTPUT:
                raise TargetError(f"the bitstream has a pin of the output type {kind:04b}")
            found.append(value)
        return found

    # --- wires ------------------------------------------------------------------------------

    def _wire(self, place: Place, name: str) -> int:
        return self._numbers[*place, name]

    def _value(self, wire: int, otherwise: str) -> str:
        """Return the value of a wire; `otherwise` if nothing drives it."""
        while wire not in self._fixed and wire in self._driver:
            wire = self._driver[wire]
        if wire in self._fixed:
            return self._fixed[wire]
        x, y, name = self._named[wire]
        place, net = (x, y), f"n{wire}"
        cell, _, pin = name.partition(":")
        if name == "carry_in_mux":
            return f"1'b{self._bit('logic', place, 'CarryInSet'):d}"
        if pin == "D_IN_0":
            self._input.add(wire)
        elif cell == "ram" and pin.startswith("RDATA_"):
            return self._memory_output(place, int(pin.removeprefix("RDATA_")))
        elif cell.startswith("lutff_") and pin in ("out", "lout", "cout"):
            number = int(cell.removeprefix("lutff_"))
            if pin == "cout":
                self._ask(net, lambda: self._carry(net, place, number))
            elif pin == "lout" or not self._cell(place, number)[_FLIP_FLOP]:
                return self._table(place, number)
            else:
                self._ask(net, lambda: self._flip_flop(net, place, number))
        else:
            return otherwise
        return net

    def _ask(self, net: str, write: Callable[[], str]) -> None:
        """Let a cell be written, once."""
        if net not in self._asked:
            self._asked[net] = write
            self._order.append(net)

    def _at(self, place: Place, name: str, otherwise: str = "1'b0") -> str:
        return self._value(self._wire(place, name), otherwise)

    # --- cells ------------------------------------------------------------------------------

    def _bit(self, kind: str, place: Place, setting: str) -> bool:
        ((row, column), *_) = self._bits[kind][setting]
        return bool(self._configuration.tiles[place][row, column])

    def _cell(self, place: Place, number: int) -> list[bool]:
        """Return the twenty bits of a logic cell."""
        at = self._bits["logic"][f"LC_{number}"]
        bits: list[bool] = self._configuration.tiles[place][at[:, 0], at[:, 1]].tolist()
        return bits

    def _table(self, place: Place, number: int) -> str:
        bits = self._cell(place, number)
        contents = sum(bits[bit] << value for value, bit in enumerate(_TABLE))
        net = f"t{place[0]}_{place[1]}_{number}"

        zero = "1'b0"

        def write() -> str:
            pins = (
                f".I{k}({self._at(place, f'lutff_{number}:in_{k}') if matters else zero})"
                for k, matters in enumerate(_matter(contents))
            )
            return (
                f"wire {net}; SB_LUT4 #(.LUT_INIT(16'd{contents})) {net}_("
                f"{', '.join(pins)}, .O({net}));"
            )

        self._ask(net, write)
        return net

    def _carry(self, net: str, place: Place, number: int) -> str:
        if not self._cell(place, number)[_CARRY]:
            return f"wire {net} = 1'b0;"
        one, other = (self._at(place, f"lutff_{number}:in_{k}") for k in (1, 2))
        before = "carry_in_mux" if number == 0 else f"lutff_{number - 1}:cout"
        carry = self._at(place, before)
        return f"wire {net} = {one} & {other} | ({one} | {other}) & {carry};"

    def _flip_flop(self, net: str, place: Place, number: int) -> str:
        bits = self._cell(place, number)
        if self._bit("logic", place, "NegClk"):
            raise TargetError("the bitstream has flip-flops at the falling edge of the clock")
        clock, enable, reset = (
            self._at(place, f"lutff_global:{name}", otherwise)
            for name, otherwise in (("clk", "1'b0"), ("cen", "1'b1"), ("s_r", "1'b0"))
        )
        data, value = self._table(place, number), f"1'b{bits[_SETS]:d}"
        edge, step = f"posedge {clock}", f"{net} <= {reset} ? {value} : {data};"
        if bits[_ASYNCHRONOUS]:
            edge += f", posedge {reset}"
            step = f"if ({reset}) {net} <= {value}; else if ({enable}) {net} <= {data};"
        elif enable != "1'b1":
            step = f"if ({enable}) {step}"
        return f"reg {net} = 0; always @({edge}) {step}"

    def _memory_output(self, place: Place, bit: int) -> str:
        """Return a bit of the output of the RAM to which a tile belongs."""
        lower = place if place in self._configuration.memories else (place[0], place[1] - 1)
        net = f"m{lower[0]}_{lower[1]}"
        self._ask(net, lambda: self._memory(net, lower))
        return f"{net}[{bit}]"

    def _memory(self, net: str, lower: Place) -> str:
        upper = lower[0], lower[1] + 1
        writes, reads = upper, lower
        if self._bit("ramb", lower, "NegClk") or self._bit("ramt", upper, "NegClk"):
            raise TargetError("the bitstream has memories at the falling edge of the clock")

        def bus(name: str, width: int, halves: tuple[Place, Place]) -> str:
            pins = (f"ram:{name}_{bit}" for bit in range(width))
            values = [self._at(halves[bit >= 8], pin) for bit, pin in enumerate(pins)]
            return f".{name}({{{', '.join(reversed(values))}}})"

        both, write_mode, read_mode = (writes, reads), 0, 0
        for bit in range(2):
            write_mode |= self._bit("ramt", upper, f"RamConfig.CBIT_{bit}") << bit
            read_mode |= self._bit("ramt", upper, f"RamConfig.CBIT_{bit + 2}") << bit
        contents = ", ".join(
            f".INIT_{row:X}(256'h{line:x})"
            for row, line in enumerate(self._configuration.memories[lower])
        )
        ports = [
            bus("WADDR", 11, (writes, writes)), bus("RADDR", 11, (reads, reads)),
            bus("WDATA", 16, both), bus("MASK", 16, both),
        ]  # fmt: skip
        for prefix, place in (("W", writes), ("R", reads)):
            for name, otherwise in (("CLK", "1'b0"), ("CLKE", "1'b1"), ("E", "1'b0")):
                pin = f"{prefix}{name}"
                ports.append(f".{pin}({self._at(place, f'ram:{pin}', otherwise)})")
        modes = f".WRITE_MODE({write_mode}), .READ_MODE({read_mode})"
        return (
            f"wire [15:0] {net}; SB_RAM40_4K #({modes}, {contents}) {net}_("
            f"{', '.join(ports)}, .RDATA({net}));"
        )


def _matter(contents: int) -> list[bool]:
    """Return for each of the four inputs of a table whether its output depends on it."""
    low = (0x5555, 0x3333, 0x0F0F, 0x00FF)
    return [bool((contents ^ contents >> (1 << k)) & low[k]) for k in range(4)]


def _drivers(database: Database, tiles: Configuration) -> dict[int, int]:
    """Return the wire that drives each wire of a connection that is made."""
    every = np.zeros((database.height, database.width, 16, 64), np.uint8)
    for (x, y), bits in tiles.tiles.items():
        every[y, x, : bits.shape[0], : bits.shape[1]] = bits
    switches, pips = database.switches, database.pips
    row, column = switches["at"][:, :, 0], switches["at"][:, :, 1]
    bits = every[switches["y"][:, None], switches["x"][:, None], row, column]
    used = np.arange(bits.shape[1]) < switches["bits"][:, None]
    weight = 1 << np.maximum(switches["bits"][:, None] - 1 - np.arange(bits.shape[1]), 0)
    value = np.where(used, bits * weight, 0).sum(axis=1)
    made = (switches["bits"][pips["switch"]] > 0) & (value[pips["switch"]] == pips["mask"])
    made &= pips["mask"] != 0
    return dict(zip(pips["target"][made].tolist(), pips["source"][made].tolist(), strict=True))
