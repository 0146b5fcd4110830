"""Arty A7-35T: Artix-7."""

from amaranth_boards.arty_a7 import ArtyA7_35Platform

from spiketwin.firmware.board import FT2232H, Board, Programmer

ARTY_A7_35 = Board(
    name="arty_a7_35",
    title="Digilent Arty A7-35T",
    platform=ArtyA7_35Platform,
    params="full",
    clock_hz=72_000_000,
    adapter=FT2232H,
    programmer=Programmer(board="arty_a7_35t", volatile=True),
    sources=("https://github.com/Digilent/digilent-xdc/blob/master/Arty-A7-35-Master.xdc",),
)
