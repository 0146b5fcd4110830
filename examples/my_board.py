"""A board of one's own: ``python examples/my_board.py`` checks it and draws its pins.

``spiketwin build --board examples/my_board.py`` builds a core for it from this same file.
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticePlatform
from amaranth_boards.resources import UARTResource
from matplotlib.figure import Figure

from spiketwin.firmware.board import FT231X, Board, Programmer
from spiketwin.firmware.fitting import weight_blocks
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import PRESETS

LEVELS = Attrs(IO_TYPE="LVCMOS33")
BLOCKS = 56  # block RAMs of this FPGA, by its data sheet


class MyPlatform(LatticePlatform):
    """An ECP5 with an oscillator and a USB-serial adapter."""

    device, package, speed = "LFE5U-25F", "BG256", "6"
    default_clk = "clk25"
    resources = [
        Resource("clk25", 0, Pins("P6", dir="i"), Clock(25e6), LEVELS),
        UARTResource(0, rx="A9", tx="B9", attrs=LEVELS),
    ]
    connectors = []


MINE = Board(
    name="my_board", title="My board 1.0", platform=MyPlatform, params="ncx", clock_hz=75_000_000,
    adapter=FT231X, programmer=Programmer(board="ecp5_generic", volatile=True), sources=(),
)  # fmt: skip

if __name__ == "__main__":
    target = resolve(MINE)
    used = {"clock": "P6", "rx": "A9", "tx": "B9"}
    pins = sorted(target.package.pins) if target.package else []
    blocks = {name: weight_blocks(sizes, target.family) for name, sizes in PRESETS.items()}
    print(f"{MINE.title}: {len(used)} of {len(pins)} pins used")
    print(f"fastest line: {MINE.max_baud(MINE.clock_hz):,} baud")
    print(f"block RAMs for weights: {blocks}")
    figure = Figure(figsize=(11, 5), layout="constrained")
    balls, bars = figure.subplots(1, 2)
    balls.plot([int(pin[1:]) for pin in pins], [pin[0] for pin in pins], "o", color="0.85")
    for name, pin in used.items():
        balls.plot(int(pin[1:]), pin[0], "o", label=f"{name}, {pin}")
    balls.set_title(f"Pins of an {MyPlatform.device} in {MyPlatform.package}")
    balls.invert_yaxis()
    bars.barh(list(blocks), list(blocks.values()))
    bars.axvline(BLOCKS, color="grey", linestyle="--", label=f"{BLOCKS} there are")
    bars.set_title("Block RAMs for the weights of a core")
    figure.legend(loc="outside lower center", ncols=4)
    figure.savefig("my_board.png", dpi=110)
