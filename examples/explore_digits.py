"""Which core for the digits, on which board: ``python examples/explore_digits.py``.

Some of the handwritten digits are learned with weights of 4, 6 and 8 bits, on cores with few and
many lanes, on two boards. What no other trial beats in accuracy, speed and energy is the front.
"""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.cosim.explore.axes import axis, grid
from spiketwin.cosim.explore.evaluation import evaluate
from spiketwin.cosim.explore.front import front
from spiketwin.cosim.explore.objectives import KNOWN
from spiketwin.cosim.explore.subjects import named

VARIED = ["images=100", "board=icebreaker,ulx3s_25f", "weight_width=4..8..2", "lanes=2,8"]
NAMES = ["accuracy", "ticks_per_second", "energy"]
digits = named("digits")
points = list(grid([axis(text) for text in VARIED]))
found = [evaluate(digits, point, NAMES).figures for point in points]
values = np.array([[figures[name].value for name in NAMES] for figures in found])
best = front(values, [KNOWN[name].direction for name in NAMES])

print(f"{len(points)} trials, {len(best)} on the front of {', '.join(NAMES)}")
for row in best:
    accuracy, speed, joules = values[row]
    where = "{board:10} {weight_width} bits {lanes} lanes".format(**points[row])
    print(f"{where}: {accuracy:.1%} right, {speed:,.0f} ticks/s, {joules * 1e9:.0f} nJ a tick")

figure = Figure(figsize=(9, 4.5), layout="constrained")
axes = figure.subplots(1, 2, sharey=True)
for panel, column, factor, label, apart in (
    (axes[0], 1, 1e-3, "thousand ticks a second (computed)", "board"),
    (axes[1], 2, 1e9, "nJ a tick, upper end (estimated)", "lanes"),
):
    for series, mark in zip(dict.fromkeys(point[apart] for point in points), "os", strict=True):
        mine = [row for row, point in enumerate(points) if point[apart] == series]
        top = [row for row in mine if row in best]
        hollow = panel.plot(factor * values[mine, column], values[mine, 0], mark, mfc="none")[0]
        hue, name = hollow.get_color(), f"{apart} {series}, front"
        panel.plot(factor * values[top, column], values[top, 0], mark, color=hue, label=name)
    panel.set_xlabel(label)
    panel.legend(frameon=False, loc="center")
axes[0].set_ylabel("right answers (computed)")
figure.suptitle("Digits: 4, 6 and 8 bits a weight, 2 and 8 lanes, two boards")
figure.savefig("explore_digits.png", dpi=110)
