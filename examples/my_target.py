"""A target of one's own, a line that counts its bytes: ``python examples/my_target.py``.

It stands in front of the model and hands on what passes. A line that delays, loses or encrypts
bytes, or that leads to a chip of another kind, is made in the same way.
"""

from dataclasses import replace
from typing import ClassVar

from matplotlib.figure import Figure

from spiketwin.cosim.serial import MODEL
from spiketwin.host import Network, connect
from spiketwin.host.kinds import Target, TargetKind
from spiketwin.host.transport import Transport, WrappedTransport


class Counted(WrappedTransport):
    """A transport that counts the bytes of both directions."""

    passed: ClassVar = {"out": 0, "in": 0}

    def write(self, data: bytes, /) -> int | None:
        """Hand bytes to the device."""
        self.passed["out"] += len(data)
        return super().write(data)

    def read(self, size: int = 1, /) -> bytes:
        """Hand the device's bytes on."""
        data = super().read(size)
        self.passed["in"] += len(data)
        return data


def open_counted(target: Target) -> Transport:
    """Open the model behind the counter."""
    return Counted(replace(target, kind=MODEL).open())


COUNTED = TargetKind("counted", open_counted, origin="computed", options=("params",))

net = Network.random(n_axons=64, n_neurons=64, seed=1)
spikes = [(tick, axon) for tick in range(100) for axon in range(tick % 7, 64, 9)]
steps: dict[str, dict[str, int]] = {}


def count(step: str) -> None:
    """Keep what has passed since the last step."""
    steps[step] = dict(Counted.passed)
    Counted.passed.update({"out": 0, "in": 0})
    print(f"{step}: {steps[step]['out']:,} bytes out, {steps[step]['in']:,} in")


with connect(Target(COUNTED), params="ncx") as core:
    count("connect")
    core.program(net)
    count("program")
    run = core.run(spikes, ticks=100)
    count("run")
    core.read_weights()
    count("read_weights")
print(f"the ledger has of the run: {run.ledger.bytes_out:,} out, {run.ledger.bytes_in:,} in")

figure = Figure(figsize=(11, 3.5), layout="constrained")
axes = figure.subplots()
for place, (direction, label) in enumerate({"out": "to the device", "in": "to the host"}.items()):
    heights = [passed[direction] for passed in steps.values()]
    positions = [0.4 * place + number for number in range(len(steps))]
    axes.bar_label(axes.bar(positions, heights, 0.4, label=label), fmt="{:,.0f}")
axes.set(yscale="log", ylim=(10, 100_000), ylabel="bytes", title="What passed in each step")
axes.set_xticks([0.2 + number for number in range(len(steps))], list(steps))
axes.legend(frameon=False)
figure.savefig("my_target.png", dpi=110)
