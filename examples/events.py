"""Events of a sensor, read and pooled: ``python examples/events.py``.

A bar moves to the right over a sensor of 32 × 32 pixels, and then to the left. Its events are
written to a file as N-MNIST has them, which is read again and pooled 4 × 4. Eight neurons look at
a column of the pooled pixels each, and fire when many of them grow brighter at once.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.events import read, to_ticks

EDGE, POOL, PACE, DT = 32, 4, 3000, 0.001  # pixels, pixels, microseconds a pixel, seconds a tick
COLUMNS = EDGE // POOL


def moving_bar() -> IntArray:
    """Return rows of (time in µs, x, y, polarity): pixels that a bar lights and leaves dark."""
    rng = np.random.default_rng(1)
    rows: list[tuple[int, ...]] = []
    for step, x in enumerate([*range(EDGE), *reversed(range(EDGE))]):
        for polarity, later in ((1, 0), (0, 2 * PACE)):
            seen = np.flatnonzero(rng.random(EDGE) < 0.8)
            at = PACE * step + later + rng.integers(0, PACE, len(seen))
            rows += [(t, x, y, polarity) for t, y in np.stack([at, seen], axis=1).tolist()]
    noise = rng.integers(0, (PACE * 2 * EDGE, EDGE, EDGE, 2), (400, 4)).tolist()
    return np.array(sorted([*rows, *map(tuple, noise)]))


packed = (bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in moving_bar().tolist())
Path("bar.bin").write_bytes(b"".join(packed))

events = read("bar.bin", size=(EDGE, EDGE))  # it is known by its content
ticks = to_ticks(events, DT, pool=POOL)
print(f"{events.format}: {len(events)} events, {ticks.n_axons} axons, {ticks.ticks} ticks")
print(f"{ticks.shared / len(events):.1%} share their tick with another one of their axon")

net = Network(n_axons=ticks.n_axons, v_tau=8.0)
cells = net.population(COLUMNS, threshold=45, refrac_ticks=5)
brighter = np.tile(np.eye(COLUMNS, dtype=int), (COLUMNS, 1))  # axons are rows of columns
net.project(net.axons[COLUMNS**2 :], cells, weights=brighter)  # those that grow darker come first
with connect("model:", params=net.core_params()) as core:
    core.program(net)
    spikes = core.run(ticks.rows, ticks.ticks).spikes
print("columns in the order in which they fire:", *spikes[:, 1].tolist())

figure = Figure(figsize=(9, 5), layout="constrained")
above, below = figure.subplots(2, sharex=True)
for polarity, colour in ((0, "tab:blue"), (1, "tab:red")):
    here = events.polarity == polarity
    above.plot(events.t[here] / 1000, events.x[here], ",", color=colour)
above.set(ylabel="x of events", title="A bar that moves, and the neurons of its columns")
below.plot(spikes[:, 0] * DT * 1000, spikes[:, 1], "k|")
below.set(xlabel="time in ms", ylabel="neuron", ylim=(-0.5, COLUMNS - 0.5))
figure.savefig("events.png", dpi=110)
