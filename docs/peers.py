"""Draws docs/images/peers.png of the figures in docs/peers.json: ``python docs/peers.py``.

``spiketwin bench --peers --json docs/peers.json`` stores the figures anew, and
``python docs/generate.py`` makes their table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt

DOCS: Final = Path(__file__).parent
PICTURE: Final = DOCS / "images/peers.png"

CASES: Final = {"peers": "with STDP", "static": "without learning", "layers": "layers, sparse"}
LINES: Final = {
    "kernel": ("spiketwin, kernel", "C0", "-"),
    "connect": ("spiketwin, connect", "C0", "--"),
    "brian2_cpp": ("Brian2 C++", "C1", "-"),
    "brian2_cpp_tuned": ("Brian2 C++, traces of neurons", "C1", "--"),
    "nest": ("NEST", "C2", "-"),
}
"""Label, colour and style of each simulator."""


def main() -> None:
    """Draw ticks a second over neurons, a panel a case."""
    figures = json.loads((DOCS / "peers.json").read_text(encoding="utf-8"))
    figure, panels = plt.subplots(1, len(CASES), figsize=(10, 3.8), sharey=True)
    for axes, (case, title) in zip(panels, CASES.items(), strict=True):
        sizes = [int(size) for size in figures[case]]
        for name, (label, colour, style) in LINES.items():
            rates = [rates.get(name) for rates in figures[case].values()]
            if all(rates):
                axes.loglog(sizes, rates, style, color=colour, marker="o", label=label)
        axes.set(title=title, xlabel="neurons", xticks=sizes)
        axes.set_xticks([], minor=True)
        axes.set_xticklabels([f"{size:,}" for size in sizes])
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("ticks of 1 ms a second (measured)")
    # The last panel has room below its lines; the first one has all of them.
    panels[-1].legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="lower left")
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
