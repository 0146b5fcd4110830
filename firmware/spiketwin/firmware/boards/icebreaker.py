"""iCEBreaker: iCE40UP5K, the weights in its SPRAM."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from spiketwin.firmware.board import FT2232H, Board, Programmer

BOARD = Board(
    name="icebreaker",
    title="iCEBreaker 1.0",
    platform=ICEBreakerPlatform,
    params="up5k",
    clock_hz=30_000_000,
    adapter=FT2232H,
    programmer=Programmer(board="ice40_generic", volatile=False),
    sources=(
        "https://github.com/icebreaker-fpga/icebreaker-verilog-examples/blob/main/icebreaker/icebreaker.pcf",
        "https://github.com/icebreaker-fpga/icebreaker/tree/master/hardware",
    ),
)
