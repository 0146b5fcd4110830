"""Training of the network in digits.npz and digits.nir: ``python examples/digits_training.py``.

scikit-learn trains rectified units on the training half of the digits, each also shifted by half a
pixel to all sides. A unit becomes a neuron that spikes once for each `top` that it adds up: as much
as all but one in a thousand of the activities of the units. Weights are rounded to 8 bits in
digits.npz; digits.nir is the same network in floating point, for any program that reads NIR.
"""

import nir
import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from spiketwin.cosim.digits.encoding import SIDE, TOP, load
from spiketwin.host import Network
from spiketwin.host.elements import IntArray
from spiketwin.host.files import save

HIDDEN, MOST_WEIGHT = 96, 127

digits = load()
images = digits.train.pixels.reshape(-1, SIDE, SIDE) / TOP
shifts = [(np.eye(SIDE) + np.eye(SIDE, k=k)) / 2 for k in (0, 1, -1)]
shown = np.concatenate([down @ images @ aside for down in shifts for aside in shifts])
units = MLPClassifier((HIDDEN,), alpha=0.1, max_iter=1000, random_state=0)
with threadpool_limits(1):  # more threads only wait for each other with matrices as small as these
    units.fit(shown.reshape(-1, SIDE * SIDE), np.tile(digits.train.labels, len(shifts) ** 2))
(first, second), (bias, out_bias) = units.coefs_, units.intercepts_
top = np.percentile(np.maximum(digits.train.pixels / TOP @ first + bias, 0), 99.9)
fine, coarse = (MOST_WEIGHT / np.abs(weights).max() for weights in (first, second))


def whole(values: NDArray[np.float64]) -> IntArray:
    """Return values rounded to integers."""
    return np.round(values).astype(np.int64)


# The leak is slow, but bounds what a potential can add up to.
net = Network(n_axons=SIDE * SIDE, v_tau=200.0, v_floor=-(1 << 22), reset_subtract=True)
hidden = net.population(HIDDEN, name="hidden", threshold=round(top * fine), bias=whole(bias * fine))
output = net.population(10, name="output", fires=False, bias=whole(out_bias / top * coarse))
net.project(net.axons, hidden, weights=whole(first * fine))
net.project(hidden, output, weights=whole(second * coarse))
save("digits.npz", net)
# A tau of 200 ticks of a millisecond, of whose input a tick passes on a part of 1 / 200.
cells = {"tau": 0.2, "r": 200.0, "v_leak": 0.0}
graph = nir.NIRGraph.from_list(
    nir.Affine(first.T, bias),
    nir.LIF(**{k: np.full(HIDDEN, v) for k, v in (cells | {"v_threshold": top}).items()}),
    nir.Affine(second.T, out_bias / top),
    nir.LI(**{k: np.full(10, v) for k, v in cells.items()}),
)
nir.write("digits.nir", graph)
for name, half in (("training", digits.train), ("test", digits.test)):
    right = int((units.predict(half.pixels / TOP) == half.labels).sum())
    print(f"float units: {right} of {len(half)} {name} digits right, {right / len(half):.1%}")
