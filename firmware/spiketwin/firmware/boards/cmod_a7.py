"""Cmod A7-35T: Artix-7 on a stick, the board of NeuroCoreX."""

from amaranth_boards.cmod_a7 import CmodA7_35Platform

from spiketwin.firmware.board import FT2232H, Board, Programmer

CMOD_A7_35 = Board(
    name="cmod_a7_35",
    title="Digilent Cmod A7-35T",
    platform=CmodA7_35Platform,
    params="full",
    clock_hz=72_000_000,
    adapter=FT2232H,
    programmer=Programmer(board="cmoda7_35t", volatile=True),
    sources=("https://github.com/Digilent/digilent-xdc/blob/master/Cmod-A7-Master.xdc",),
)
