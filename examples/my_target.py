"""A target of one's own, a line that delays: ``python examples/my_target.py``."""

import numpy as np
from matplotlib.figure import Figure

from spiketwin.host import Network, connect
from spiketwin.host.addresses import parse
from spiketwin.host.kinds import Target, TargetKind
from spiketwin.host.transport import WrappedTransport

TICKS, DELAY = 100, 0.01  # seconds
SPIKES = np.argwhere(np.random.default_rng(1).random((TICKS, 64)) < 0.1)


class Delayed(WrappedTransport):
    """A line to the model, on which an answer takes its time. That only passes in waits."""

    def __init__(self) -> None:
        super().__init__(parse("model:?params=ncx").open())
        self.adapter_latency, self.now = DELAY, 0.0
        self.clock = lambda: self.now  # by which the link measures its deadlines
        self.arrivals: list[float] = []  # of each byte that the model has put out

    def write(self, data: bytes, /) -> int | None:
        """Write a request, and put the answer on its way."""
        written = self.inner.write(data)
        self.arrivals += [self.now + DELAY] * (self.inner.in_waiting - len(self.arrivals))
        return written

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        return int(np.searchsorted(self.arrivals, self.now, side="right"))

    def read(self, size: int = 1, /) -> bytes:
        """Read what has arrived, and wait for it if nothing has."""
        if not self.in_waiting:
            self.now = min([self.now + (self.timeout or 0.0), *self.arrivals[:1]])
        count = min(size, self.in_waiting)
        del self.arrivals[:count]
        return self.inner.read(count)


DELAYED = TargetKind("delayed", lambda _target: Delayed(), origin="computed")

figure = Figure(figsize=(11, 3.5), layout="constrained")
axes = figure.subplots()
for length in (1, 2, 5, 10, 20, 50, 100):
    with connect(Target(DELAYED)) as core:
        core.program(Network.random(n_axons=64, n_neurons=64, seed=1))
        begin = core.link.clock()
        for _ in range(TICKS // length):
            core.run(SPIKES[SPIKES[:, 0] < length], ticks=length)
        waits = round((core.link.clock() - begin) / DELAY)
    print(f"{TICKS // length} runs of {length}: {waits} waits for the line")
    axes.loglog(length, TICKS / (waits * DELAY), "o", color="C0")
axes.set(xlabel="ticks of a run", ylabel="ticks a second", title=f"Delay of {1000 * DELAY:g} ms")
figure.savefig("my_target.png", dpi=110)
