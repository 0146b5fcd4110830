"""What the commands are for: the text of ``spiketwin --help``, there without loading any of them.

A command that is installed but not listed here works, and is shown by its name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Entry:
    """One command.

    Attributes
    ----------
    name, summary, example:
        What is typed, what it does, and a call that works as it stands.
    extra:
        Extra of the package that all its options need; empty if the core installation will do.
    """

    name: str
    summary: str
    example: str
    extra: str = ""


SECTIONS: Final[dict[str, tuple[Entry, ...]]] = {
    "See it work": (
        Entry(
            "demo",
            "Learn handwritten digits on the model and on the RTL, and prove them equal.",
            "spiketwin demo --json demo.json",
            extra="demo",
        ),
        Entry(
            "doctor",
            "Say what is missing on this machine, and the command that mends it.",
            "spiketwin doctor",
        ),
    ),
    "Work with networks": (
        Entry(
            "run",
            "Run a saved network on any target.",
            "spiketwin run net.npz --on model: --plot raster.png",
            extra="demo",
        ),
        Entry(
            "compare",
            "Run a network on several targets, and name the first difference.",
            "spiketwin compare net.npz --on model: --on rtl:",
            extra="demo",
        ),
        Entry(
            "latency",
            "Compare the latencies of software and hardware, over clocks and rates of the line.",
            "spiketwin latency net.npz --clock 50M,100M --plot curve.png",
            extra="demo",
        ),
    ),
    "Work with targets": (
        Entry(
            "emulate",
            "Serve the RTL on a pseudo-terminal that any serial program can open.",
            "spiketwin emulate --params ncx --link ./chip",
            extra="rtl",
        ),
        Entry(
            "selftest",
            "Prove a target good: link, memory, equivalence with the model.",
            "spiketwin selftest --on /dev/ttyUSB1",
        ),
        Entry(
            "testbench",
            "Run cocotb testbenches: the project's own, a file of yours, a recorded session.",
            "spiketwin testbench bytes --params tiny --junit results.xml",
            extra="testbench",
        ),
        Entry(
            "bench",
            "Measure the project's own performance figures, as ratios taken in one run.",
            "spiketwin bench --json bench.json",
            extra="bench",
        ),
        Entry(
            "fuzz",
            "Hand over inputs that nobody would make, and see that each is met in words.",
            "spiketwin fuzz --inputs 1000000 --json fuzz.json",
        ),
    ),
    "Work with boards": (
        Entry(
            "verilog",
            "Write the Verilog of a core, for a simulator or a design of your own.",
            "spiketwin verilog --params tiny core.v",
            extra="rtl",
        ),
        Entry(
            "build",
            "Build the bitstream of a core for a board, with open tools alone.",
            "spiketwin build --board icebreaker --json figures.json",
            extra="boards",
        ),
        Entry(
            "devices",
            "List the serial ports that could be a board, with the reasons.",
            "spiketwin devices",
        ),
        Entry(
            "flash",
            "Load a bitstream onto a board, and prove that it works there.",
            "spiketwin flash --board ulx3s_85f",
            extra="boards",
        ),
    ),
}
"""The commands by what one wants to do."""


def extra(name: str) -> str:
    """Extra that a command needs; empty if none, or if it is not listed."""
    entries = (entry for section in SECTIONS.values() for entry in section)
    return next((entry.extra for entry in entries if entry.name == name), "")
