"""Draws docs/images/live.svg, a moment of ``./run demo --live``: ``python docs/live.py``.

The spikes are those of a real run on the model, broken off in the middle of the test.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import MONOKAI

from spiketwin.cosim.demo.lesson import lesson
from spiketwin.cosim.demo.run import SIZES, learn
from spiketwin.cosim.digits.encoding import load
from spiketwin.cosim.digits.recipe import RECIPE, TESTING, Phase
from spiketwin.host import Run, connect

PICTURE: Final = Path(__file__).parent / "images/live.svg"
TESTED: Final = 500


class _Moment(Exception):
    """The run has come to where the picture is taken."""


def main() -> None:
    """Run the demo until the picture can be drawn, and write it."""
    phases = RECIPE.phases(load(), seed=0)
    console = Console(
        file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor",
        width=100, height=23,
    )  # fmt: skip
    with connect("model:", params=SIZES) as core:
        view, add = lesson(core, "model:", RECIPE.taught(), phases)

        def watch(phase: Phase, number: int, part: Run) -> None:
            add(phase, number, part)
            if phase.name == TESTING and number + 1 == TESTED:
                console.print(view, height=console.height)
                raise _Moment

        try:
            learn(core, RECIPE.network(0), phases, RECIPE.ticks, watch=watch)
        except _Moment:
            svg = console.export_svg(title="./run demo --live", theme=MONOKAI)
            # A picture is to look the same without a network: no font from there.
            PICTURE.write_text(re.sub(r"@font-face {.*?}\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
