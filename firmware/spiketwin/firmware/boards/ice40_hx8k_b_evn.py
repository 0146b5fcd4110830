"""iCE40-HX8K Breakout Board: without multipliers, so a small core that does not learn."""

from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

from spiketwin.firmware.board import FT2232H, Board, Programmer

BOARD = Board(
    name="ice40_hx8k_b_evn",
    title="Lattice iCE40-HX8K Breakout Board",
    platform=ICE40HX8KBEVNPlatform,
    params="tiny,neuron_lanes=1,source_lanes=1,learning=0",
    clock_hz=60_000_000,
    adapter=FT2232H,
    programmer=Programmer(board="ice40_generic", volatile=False),
    # Lattice EB85, "iCE40HX-8K Breakout Board User Guide": schematics in appendix A.
    sources=("https://www.latticesemi.com/view_document?document_id=50373",),
    notes="Jumpers J6 and J7 choose between its flash and the FPGA itself; leave them at flash.",
)
