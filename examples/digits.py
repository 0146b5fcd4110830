"""Handwritten digits in a network of layers: ``python examples/digits.py``.

The network was trained elsewhere (digits_training.py) and comes from a file. A pixel spikes as
often as it is bright, hidden neurons count, and the output neuron with the highest potential in the
last tick answers. Other targets than the model are arguments, such as ``model: rtl:?level=core``.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spiketwin.cosim.digits.encoding import SIDE, TOP, encode, load
from spiketwin.host import Run, connect, files

TICKS = TOP + 1  # a spike for each step of brightness, and one more tick until the last one arrives
DRAWN = (8, 9, 3, 215)  # images of which the network answers the last one wrongly

net, _ = files.load(Path(__file__).with_name("digits.npz"))
hidden, output = net.populations
test = load().test  # the half of the images that the training has not seen
stimuli = encode(test.pixels, TOP, most_spikes=TOP)


def shown(url: str) -> list[Run]:
    """Return the run of each image on a target."""
    with connect(url, params=net.core_params()) as core:
        core.program(net)
        probe = {"v": output.neurons}
        return [core.run(events, TICKS, clear=True, probe=probe) for events in stimuli]


for url in sys.argv[1:] or ["model:"]:
    runs = shown(url)
    answers = np.array([run.probes["v"][-1].argmax() for run in runs])
    right = int((answers == test.labels).sum())
    spikes, cycles = np.mean([(len(run.spikes), run.cycles.sum()) for run in runs], axis=0)
    print(f"{url} {right} of {len(test)} test digits right, {right / len(test):.1%}")
    print(f"an image takes {spikes:.0f} spikes and {cycles:,.0f} cycles")

figure = Figure(figsize=(11, 6), layout="constrained")
rows = figure.subplots(3, len(DRAWN), sharex="row", sharey="row", height_ratios=(2, 3, 3))
for image, (picture, raster, potential) in zip(DRAWN, rows.T, strict=True):
    picture.imshow(test.pixels[image].reshape(SIDE, SIDE), cmap="gray_r")
    picture.set(title=f"A {test.labels[image]}, answered {answers[image]}", xticks=[], yticks=[])
    raster.plot(*runs[image].spikes.T, "|", markersize=4)
    colours = {answers[image]: "tab:red", test.labels[image]: "tab:green"}
    for digit, v in enumerate(runs[image].probes["v"].T):
        potential.plot(v, color=colours.get(digit, "lightgrey"), label=f"{digit}")
    potential.set(xlabel="tick")
rows[1, 0].set(ylabel="hidden neuron")
rows[2, 0].set(ylabel="v of the output")
figure.savefig("digits.png", dpi=110)
