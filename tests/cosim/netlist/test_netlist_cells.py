"""The models of the FPGAs' cells, each by itself, against what their data sheets say of them.

All cells of a test stand on one bench with the same inputs; each has a reference in Python.
"""

import hashlib
import os
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from support.verilated import compiled

from spiketwin.cosim.netlist import mapping
from spiketwin.cosim.rtl import compiling, toolchain
from spiketwin.hdl import builds

CYCLES = 3000

Pins = dict[str, int]
"""What the cells see in one cycle: numbers by the names of the inputs."""


class Cell(NamedTuple):
    """One cell on the bench.

    `verilog` is its instance, with $OUT for its outputs; `step` takes the inputs of a cycle and
    gives the `width` bits of outputs after its clock edge.
    """

    verilog: str
    width: int
    step: Callable[[Pins], int]


MAIN = """
#include "Vcore.h"
int main() {
    VerilatedContext context;
    Vcore bench{&context};
    bench.eval();
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
    }
}
"""

READER = """
    integer source, sink, count;
    initial begin
        source = $fopen("in.hex", "r");
        sink = $fopen("out.hex", "w");
        count = $fscanf(source, "%h", in);
    end
    always @(negedge clk) begin
        $fdisplay(sink, "%h", out);
        count = $fscanf(source, "%h", in);
        if (count != 1) $finish;
    end
"""


def verilator(family: str, *arguments: str) -> list[str]:
    """Return the command that reads `bench.v` and our models of a family."""
    return [
        "verilator", *arguments, "--top-module", "bench", "-Wno-lint", "-Wno-MULTIDRIVEN",
        *map(str, mapping.sources(family)), "bench.v",
    ]  # fmt: skip


def built(family: str, bench: str) -> Path:
    """Return the program that simulates a bench with cells of a family, building it once."""
    sources = [bench, MAIN, *(file.read_text() for file in mapping.sources(family))]
    key = [toolchain.versions(), Path(compiling.__file__).read_text(), *sources]

    def build(folder: Path) -> None:
        (folder / "bench.v").write_text(bench)
        compiled(folder, verilator(family), MAIN, compiling.OutputKind((), ("-pthread",)), "bench")

    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    return builds.built_once("cells", digest, build) / "bench"


def compare(
    folder: Path, family: str, inputs: Pins, cells: list[Cell], stimuli: list[Pins]
) -> None:
    """Drive all cells alike, and compare what each gives after every clock edge.

    `inputs` are the widths of all inputs.
    """
    lines = ["module bench(input clk);"]
    offset = 0
    for name, width in inputs.items():
        lines.append(f"wire [{width - 1}:0] {name} = in[{offset} +: {width}];")
        offset += width
    lines.insert(1, f"reg [{offset - 1}:0] in = 0;")
    offset = 0
    for cell in cells:
        lines.append(cell.verilog.replace("$OUT", f"out[{offset} +: {cell.width}]"))
        offset += cell.width
    lines.insert(2, f"wire [{offset - 1}:0] out;")
    with (folder / "in.hex").open("w") as file:
        for stimulus in stimuli:
            packed = offset = 0
            for name, width in inputs.items():
                packed |= stimulus[name] << offset
                offset += width
            file.write(f"{packed:x}\n")
    program = built(family, "\n".join([*lines, READER, "endmodule\n"]))
    subprocess.run([program], cwd=folder, check=True, timeout=300)
    outputs = [int(line, 16) for line in (folder / "out.hex").read_text().split()]
    assert len(outputs) == len(stimuli)
    for cycle, (stimulus, output) in enumerate(zip(stimuli, outputs, strict=True)):
        for cell in cells:
            found, wanted = output & ((1 << cell.width) - 1), cell.step(stimulus)
            output >>= cell.width
            assert found == wanted, f"cycle {cycle}: {found:#x}, not {wanted:#x}: {cell.verilog}"


def refused(folder: Path, family: str, verilog: str) -> str:
    """What Verilator says of a cell that it must not build."""
    (folder / "bench.v").write_text(f"module bench(input clk); {verilog} endmodule\n")
    done = subprocess.run(
        verilator(family, "--lint-only"), cwd=folder, env=os.environ | toolchain.environment(),
        timeout=300, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr


def number(bits: list[bool]) -> int:
    return sum(bit << place for place, bit in enumerate(bits))


def bit_list(value: int, width: int) -> list[bool]:
    return [bool(value >> place & 1) for place in range(width)]


# --- ECP5 block RAM -----------------------------------------------------------------------------

INITVALS = [Random(index).getrandbits(320) for index in range(64)]
PORT = {"AD": 14, "DI": 18, "CE": 1, "WE": 1, "RST": 1, "CS": 3}
RAM_INPUTS = {f"{name}{port}": width for port in "AB" for name, width in PORT.items()}


class BlockRam:
    """The block RAM as the data sheet has it: 2,048 bytes of nine bits, and two ports to them."""

    def __init__(self, widths: tuple[int, int], modes: tuple[str, str], reset: str) -> None:
        self.widths = dict(zip("AB", widths, strict=True))
        self.modes = dict(zip("AB", modes, strict=True))
        self.reset = reset
        words = [value >> 20 * word & 0x3FFFF for value in INITVALS for word in range(16)]
        self.stored = [bit for word in words for bit in bit_list(word, 18)]
        self.q = {"A": 0, "B": 0}

    def cell(self) -> Cell:
        settings = [f".INITVAL_{index:02X}(320'h{value:x})" for index, value in enumerate(INITVALS)]
        settings.append(f'.RESETMODE("{self.reset}")')
        pins = []
        for port in "AB":
            settings += [
                f".DATA_WIDTH_{port}({self.widths[port]})",
                f'.WRITEMODE_{port}("{self.modes[port]}")',
            ]
            pins += [f".CLK{port}(clk)", f".OCE{port}(1'b1)"]
            for name, width in PORT.items():
                if width == 1:
                    pins.append(f".{name}{port}({name}{port})")
                else:
                    pins += [f".{name}{port}{i}({name}{port}[{i}])" for i in range(width)]
        outputs = [f"DO{port}{i}" for port in "AB" for i in range(18)]
        name = f"ram{self.widths['A']}_{self.widths['B']}"
        wires = f"wire [35:0] {name}_q; assign $OUT = {name}_q;"
        pins += [f".{output}({name}_q[{i}])" for i, output in enumerate(outputs)]
        instance = f"DP16KD #({', '.join(settings)}) {name} ({', '.join(pins)});"
        return Cell(f"{wires} {instance}", 36, self.step)

    def reach(self, port: str, address: int) -> list[int]:
        """Places of the bits that a port reaches, lowest first; narrow ones skip the ninth bits."""
        width = self.widths[port]
        if width < 9:
            in_byte = address % 8 // width * width
            return [address // 8 * 9 + in_byte + bit for bit in range(width)]
        n_bytes = width // 9
        first = address // 8 // n_bytes * n_bytes
        return [first * 9 + bit for bit in range(width)]

    def step(self, pins: Pins) -> int:
        written: dict[str, dict[int, bool]] = {}
        places, active = {}, {}
        for port, other in ("AB", "BA"):
            address = pins["AD" + port]
            places[port] = self.reach(port, address)
            active[port] = bool(pins["CE" + port]) and pins["CS" + port] == 0
            writes = active[port] and pins["WE" + port]
            if pins["RST" + port] and self.reset == "SYNC":
                writes = False
            if port == "B" and self.widths["A"] == 36:
                writes = False
            data = bit_list(pins["DI" + port] | (pins["DI" + other] << 18), 36)
            enabled = [
                self.widths[port] < 18 or bool(address >> bit // 9 & 1)
                for bit in range(self.widths[port])
            ]
            written[port] = {
                place: value
                for place, value, enable in zip(places[port], data, enabled, strict=False)
                if enable and writes
            }
        for port, other in ("AB", "BA"):
            seen = [self.stored[place] for place in places[port]]
            if not written[other].keys().isdisjoint(places[port]):
                seen = [not bit for bit in seen]
            writes = bool(pins["WE" + port]) and (port == "A" or self.widths["A"] != 36)
            if pins["RST" + port]:
                self.q[port] = 0
            elif active[port] and not (writes and self.modes[port] == "NORMAL"):
                if self.modes[port] == "WRITETHROUGH":
                    seen = [
                        written[port].get(place, bit)
                        for place, bit in zip(places[port], seen, strict=True)
                    ]
                self.q[port] = number(seen)
        for place in written["A"].keys() | written["B"].keys():
            self.stored[place] = written["A"].get(place, False) ^ written["B"].get(place, False)
        if self.widths["B"] == 36:
            return self.q["B"]
        return (self.q["A"] & 0x3FFFF) | self.q["B"] << 18


def ram_stimuli() -> list[Pins]:
    """All that is stored at first, then anything, mostly where the two ports meet."""
    random = Random(1)
    idle = dict.fromkeys(RAM_INPUTS, 0)
    stimuli = [idle | {"CEA": 1, "CEB": 1, "ADA": 16 * i, "ADB": 16 * i + 8} for i in range(1024)]
    for _ in range(CYCLES):
        pins = {name: random.getrandbits(width) for name, width in RAM_INPUTS.items()}
        for port in "AB":
            if random.random() < 0.9:
                pins["AD" + port] &= 0x3F
            pins["CE" + port] = int(random.random() < 0.9)
            pins["RST" + port] = int(random.random() < 0.05)
            if random.random() < 0.9:
                pins["CS" + port] = 0
        stimuli.append(pins)
    return stimuli


@pytest.mark.bulk
def test_ecp5_block_ram_in_every_width_and_mode(tmp_path: Path) -> None:
    narrow = (1, 2, 4, 9, 18)
    modes = ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE")
    rams = [
        BlockRam((a, b), (modes[(i + j) % 3], modes[(i + 2 * j) % 3]), ("SYNC", "ASYNC")[j % 2])
        for (i, a), (j, b) in product(enumerate(narrow), enumerate(narrow))
    ]
    rams += [
        BlockRam((36, b), ("NORMAL", "NORMAL"), ("SYNC", "ASYNC")[i % 2])
        for i, b in enumerate((*narrow, 36))
    ]
    compare(tmp_path, "ecp5", RAM_INPUTS, [ram.cell() for ram in rams], ram_stimuli())


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (".DATA_WIDTH_A(3)", "DATA_WIDTH 3"),
        (".DATA_WIDTH_B(36)", "DATA_WIDTH_B 36 with DATA_WIDTH_A 18"),
        ('.DATA_WIDTH_A(36), .WRITEMODE_A("WRITETHROUGH")', "WRITEMODE WRITETHROUGH at 36 bits"),
        ('.REGMODE_A("OUTREG")', "REGMODE OUTREG"),
        ('.WRITEMODE_B("OTHER")', "WRITEMODE OTHER"),
        ('.RESETMODE("OTHER")', "RESETMODE OTHER"),
        ('.CSDECODE_B("0b001")', "CSDECODE 0b001"),
        ('.CLKAMUX("INV")', "CLKAMUX INV"),
        ('.CLKBMUX("INV")', "CLKBMUX INV"),
    ],
)
def test_ecp5_block_ram_refuses_modes_without_a_model(
    tmp_path: Path, setting: str, said: str
) -> None:
    assert f"DP16KD: no model of {said}" in refused(tmp_path, "ecp5", f"DP16KD #({setting}) ram();")


@pytest.mark.bulk
def test_ecp5_multiplier(tmp_path: Path) -> None:
    inputs = {"a": 18, "b": 18, "sa": 1, "sb": 1}

    def signed(value: int, is_signed: int) -> int:
        return value - (value >> 17 << 18) if is_signed else value

    def step(pins: Pins) -> int:
        product = signed(pins["a"], pins["sa"]) * signed(pins["b"], pins["sb"])
        return product & ((1 << 36) - 1)

    pins = [f".{name.upper()}{i}({name}[{i}])" for name in "ab" for i in range(18)]
    pins += [f".P{i}(p[{i}])" for i in range(36)] + [".SIGNEDA(sa)", ".SIGNEDB(sb)"]
    cell = Cell(f"wire [35:0] p; assign $OUT = p; MULT18X18D m({', '.join(pins)});", 36, step)
    edges = (0, 1, (1 << 17) - 1, 1 << 17, (1 << 18) - 1)
    random = Random(2)
    values = [
        *product(edges, edges),
        *((random.getrandbits(18), random.getrandbits(18)) for _ in range(100)),
    ]
    stimuli = [
        {"a": a, "b": b, "sa": sa, "sb": sb} for a, b in values for sa in (0, 1) for sb in (0, 1)
    ]
    compare(tmp_path, "ecp5", inputs, [cell], stimuli)


# --- iCE40 --------------------------------------------------------------------------------------


SMALL_INITS = [Random(index).getrandbits(256) for index in range(16)]
SMALL_INPUTS = {
    "RADDR": 11, "RE": 1, "RCLKE": 1, "WADDR": 11, "WE": 1, "WCLKE": 1, "WDATA": 16, "MASK": 16,
}  # fmt: skip


class SmallRam:
    """The iCE40's block RAM as the data sheet has it: 256 words of 16 bits, and two ports."""

    def __init__(self, read_mode: int, write_mode: int) -> None:
        self.modes = read_mode, write_mode
        words = [value >> 16 * word & 0xFFFF for value in SMALL_INITS for word in range(16)]
        self.stored = [bit_list(word, 16) for word in words]
        self.q = [False] * 16

    def cell(self) -> Cell:
        read_mode, write_mode = self.modes
        settings = [f".INIT_{index:X}(256'h{value:x})" for index, value in enumerate(SMALL_INITS)]
        settings += [f".READ_MODE({read_mode})", f".WRITE_MODE({write_mode})"]
        pins = [".RCLK(clk)", ".WCLK(clk)", ".RDATA($OUT)", *(f".{n}({n})" for n in SMALL_INPUTS)]
        name = f"ram{read_mode}{write_mode}"
        instance = f"SB_RAM40_4K #({', '.join(settings)}) {name}({', '.join(pins)});"
        return Cell(instance, 16, self.step)

    @staticmethod
    def wiring(mode: int, address: int) -> dict[int, int]:
        """Bit of the word behind every data pin that a mode has."""
        pins = (range(16), range(0, 16, 2), range(1, 16, 4), range(3, 16, 8))[mode]
        group = 1 << mode
        return {pin: pin // group * group + (address >> 8) % group for pin in pins}

    def step(self, pins: Pins) -> int:
        read_mode, write_mode = self.modes
        row, other_row = pins["RADDR"] & 0xFF, pins["WADDR"] & 0xFF
        read = self.wiring(read_mode, pins["RADDR"])
        written = {
            bit: bool(pins["WDATA"] >> pin & 1)
            for pin, bit in self.wiring(write_mode, pins["WADDR"]).items()
            if pins["WE"] and pins["WCLKE"] and not (write_mode == 0 and pins["MASK"] >> pin & 1)
        }
        if pins["RE"] and pins["RCLKE"]:
            collides = row == other_row and not written.keys().isdisjoint(read.values())
            self.q = [False] * 16
            for pin, bit in read.items():
                self.q[pin] = self.stored[row][bit] ^ collides
        for bit, value in written.items():
            self.stored[other_row][bit] = value
        return number(self.q)


@pytest.mark.bulk
def test_ice40_block_ram_in_every_mode(tmp_path: Path) -> None:
    random = Random(3)
    idle = dict.fromkeys(SMALL_INPUTS, 0)
    stimuli = [idle | {"RE": 1, "RCLKE": 1, "RADDR": address} for address in range(1 << 11)]
    for _ in range(CYCLES):
        pins = {name: random.getrandbits(width) for name, width in SMALL_INPUTS.items()}
        pins["RADDR"] &= 0x703
        pins["WADDR"] &= 0x703
        stimuli.append(pins)
    cells = [SmallRam(read, write).cell() for read in range(4) for write in range(4)]
    compare(tmp_path, "ice40", SMALL_INPUTS, cells, stimuli)


@pytest.mark.parametrize("setting", ["READ_MODE(4)", "WRITE_MODE(4)"])
def test_ice40_block_ram_refuses_modes_without_a_model(tmp_path: Path, setting: str) -> None:
    said = refused(tmp_path, "ice40", f"SB_RAM40_4K #(.{setting}) ram();")
    assert f"no model of {setting.replace('(', ' ').rstrip(')')}" in said


@pytest.mark.bulk
def test_ice40_single_port_ram_holds_garbage_until_it_is_written(tmp_path: Path) -> None:
    inputs = {"ADDRESS": 14, "DATAIN": 16, "MASKWREN": 4, "WREN": 1, "CHIPSELECT": 1}
    stored: dict[int, int] = {}
    q = 0

    def step(pins: Pins) -> int:
        nonlocal q
        address, old = pins["ADDRESS"], stored.get(pins["ADDRESS"], 0)
        if pins["CHIPSELECT"]:
            q = old ^ (0xFFFF if pins["WREN"] else 0)
            if pins["WREN"]:
                mask = sum(0xF << 4 * i for i in range(4) if pins["MASKWREN"] >> i & 1)
                stored[address] = (old & ~mask) | (pins["DATAIN"] & mask)
        return q

    pins = [".CLOCK(clk)", ".STANDBY(1'b0)", ".SLEEP(1'b0)", ".POWEROFF(1'b1)"]
    pins += [*(f".{name}({name})" for name in inputs), ".DATAOUT($OUT)"]
    ram = Cell(f"SB_SPRAM256KA ram({', '.join(pins)});", 16, step)
    random = Random(4)
    # What is there at first is for nobody to know, but it is not what a wiped memory would hold.
    stored |= {address: 40503 * (address + 1) & 0xFFFF for address in range(1 << 14)}
    stimuli = []
    for _ in range(CYCLES):
        pins_now = {name: random.getrandbits(width) for name, width in inputs.items()}
        pins_now["ADDRESS"] &= 0x2007
        stimuli.append(pins_now)
    compare(tmp_path, "ice40", inputs, [ram], stimuli)


# --- look-up tables -----------------------------------------------------------------------------


def test_look_up_tables_of_every_shape(tmp_path: Path) -> None:
    random = Random(5)
    inits = [random.getrandbits(16) for _ in range(250)]
    # Halves that are constant, equal or complementary, at every level.
    for width in (1, 2, 4, 8):
        ones = (1 << width) - 1
        half = random.getrandbits(width)
        for high in (0, ones, half, half ^ ones):
            pair = high << width | half
            inits.append(sum(pair << at for at in range(0, 16, 2 * width)))

    def table(init: int) -> Callable[[Pins], int]:
        return lambda pins: init >> pins["x"] & 1

    cells = []
    for index, init in enumerate(inits):
        one = f"LUT4 #(16'd{init}) l{index}(.A(x[0]), .B(x[1]), .C(x[2]), .D(x[3]), .Z($OUT));"
        other = one.replace("LUT4", "SB_LUT4").replace(f" l{index}", f" s{index}")
        for name, pin in (("A", "I0"), ("B", "I1"), ("C", "I2"), ("D", "I3"), ("Z", "O")):
            other = other.replace(f".{name}(", f".{pin}(")
        cells += [Cell(one, 1, table(init)), Cell(other, 1, table(init))]
    small = "LUT2 #(4'd6) two(.A(x[0]), .B(x[1]), .Z($OUT));"
    cells.append(Cell(small, 1, lambda pins: 6 >> (pins["x"] & 3) & 1))
    compare(tmp_path, "ice40", {"x": 4}, cells, [{"x": x} for x in range(16)])
