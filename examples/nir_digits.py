"""Digits that come as a graph of NIR: ``python examples/nir_digits.py``.

digits.nir was trained elsewhere (digits_training.py), in floating point. It is rounded to weights
of 8 bits, each neuron by a scale of its own, and answers beside double precision. Other targets
than the model are arguments, such as ``rtl:?level=core``; they see the first 20 images.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spiketwin.cosim.digits.encoding import TOP, encode, load
from spiketwin.host import connect, nir
from spiketwin.host.quantisation import begin, run_floating

TICKS = TOP + 2  # a spike for each step of brightness, and a tick more for each layer behind
DRAWN = 8

net, report = nir.load(
    Path(__file__).with_name("digits.nir"), dt=1e-3, weight_width=8, reset="subtract"
)
hidden, output = report["lif"], report["li"]
test = load().test  # the half of the images that the training has not seen
stimuli = encode(test.pixels, TOP, most_spikes=TOP)
part = slice(output.first, output.first + output.size)

meant = [run_floating(report.meant, events, TICKS) for events in stimuli]
answers = np.array([run.v[part].argmax() for run in meant])
print(f"double precision: {np.mean(answers == test.labels):.1%} of {len(test)} test digits right")

for url in sys.argv[1:] or ["model:"]:
    count = len(stimuli) if url == "model:" else 20
    spikes, potentials = [], []
    with connect(url, params=net.core_params(**report.sizes)) as core:
        core.program(net)
        for events in stimuli[:count]:
            begin(core, report)
            run = core.run(events, TICKS, probe={"v": output.neurons})
            spikes.append(run.spikes)
            potentials.append(run.probes["v"] / output.scales)
    held = np.array([v[-1].argmax() for v in potentials])
    print(f"{url} {np.mean(held == test.labels[:count]):.1%} of {count} right, weights of 8 bits")
    print(f"as double precision answers: {np.mean(held == answers[:count]):.1%}")

figure = Figure(figsize=(11, 4), layout="constrained")
errors, raster, potential = figure.subplots(1, 3)
for layer in (hidden, output):
    errors.plot(layer.meant_weights, layer.held_weights - layer.meant_weights, ".", markersize=2)
errors.set(xlabel="weight, meant", ylabel="held - meant")
raster.plot(*meant[DRAWN].spikes.T, "o", mfc="none", label="meant")
raster.plot(*spikes[DRAWN].T, "x", label="on the core")
raster.set(xlabel="tick", ylabel="hidden neuron", title=f"A {test.labels[DRAWN]}")
raster.legend(loc="upper right")
potential.plot(potentials[DRAWN], color="lightgrey")
potential.plot(potentials[DRAWN][:, held[DRAWN]], label=f"{held[DRAWN]}")
potential.set(xlabel="tick", ylabel="v of the output", title=f"answered {held[DRAWN]}")
figure.savefig("nir_digits.png", dpi=110)
