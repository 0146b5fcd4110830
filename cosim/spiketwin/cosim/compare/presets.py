"""Three classic networks and the demo's, each with its stimulus: ideal, and rounded for a core.

Potentials are in mV above rest and times in ms. A preset is the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.compare.quantisation import exact_loss
from spiketwin.hdl.spec.params import preset as size
from spiketwin.host.errors import InvalidInput

TICKS: Final = 1000
"""Length of each stimulus, except that of `digits`, which ends with an image."""

# --- f–I curve ---------------------------------------------------------------------------------

FI_DRIVE: Final = np.linspace(15.0, 60.0, 96)
"""Current of each neuron, as the potential at which it would settle if it did not fire, in mV."""


def fi_curve() -> Case:
    """Return neurons without connections, each with its own constant current: the f–I curve.

    The leaky integrate-and-fire neuron (Lapicque 1907; Gerstner et al., *Neuronal Dynamics*, 2014,
    section 1.3): membrane 20 ms, threshold 20 mV, reset to rest, 2 ms refractory, ticks of 1 ms,
    at a scale of 1000 units for a mV. On `ncx`. The current is a bias, so no axon is played.
    """
    ideal = Ideal(
        n_axons=96,
        n_neurons=96,
        threshold=np.full(96, 20.0),
        refrac_ticks=np.full(96, 2),
        bias=FI_DRIVE * exact_loss(20.0),
        v_tau=20.0,
    )
    return Case.rounded(ideal, 1000.0, "mV", size("ncx"), np.empty((0, 2), np.int64), TICKS)


# --- balanced random network -------------------------------------------------------------------


def balanced() -> Case:
    """Return a balanced random network of excitation and inhibition, which fires irregularly.

    After Brunel (*J. Comput. Neurosci.* 8:183, 2000), model A, at ``g = 5`` and twice the rate
    that brings a neuron to threshold: membrane 20 ms, threshold 20 mV, reset to 10 mV, 2 ms
    refractory, instantaneous synapses, 205 excitatory and 51 inhibitory neurons, and 256 axons
    that fire at random at 20 Hz, on `full`. As this network is small, it is more densely connected
    (a half, not a tenth, of the sources) with stronger synapses (0.8 mV, not 0.1). Ticks of 1 ms,
    delay 1 tick. At the scale of 30 units for a mV all values are whole; the weights are 24 and
    -120 units.
    """
    rng = np.random.default_rng(0)
    n_axons, n_neurons, n_excitatory = 256, 256, 205
    strength, g, rate = 0.8, 5.0, 20e-3
    weights = np.where(rng.random((n_axons + n_neurons, n_neurons)) < 0.5, strength, 0.0)
    weights[n_axons + n_excitatory :] *= -g
    ideal = Ideal(
        n_axons=n_axons,
        n_neurons=n_neurons,
        weights=weights,
        threshold=np.full(n_neurons, 20.0),
        v_reset=np.full(n_neurons, 10.0),
        refrac_ticks=np.full(n_neurons, 2),
        v_tau=20.0,
        v_floor=-math.inf,
    )
    spikes = np.argwhere(rng.random((TICKS, n_axons)) < rate)
    return Case.rounded(ideal, 30.0, "mV", size("full"), spikes, TICKS)


# --- synfire chain -----------------------------------------------------------------------------


def chain() -> Case:
    """Return a synfire chain: volleys of spikes that run from pool to pool, in noise, on `full`.

    After Abeles (*Local Cortical Circuits*, 1982) and Diesmann, Gewaltig and Aertsen (*Nature*
    402:529, 1999): each of 16 neurons of a pool excites all of the next, and every 20 ms a volley
    of 16 axons, scattered by 0.5 ms, excites the first. Membrane 10 ms, threshold 15 mV, 2 ms
    refractory, currents of 1 ms; a synapse brings 1.5 mV in all. 192 axons that excite and 48 that
    inhibit, each at 40 Hz to a fifth of the neurons, are the noise. Ticks of 0.1 ms; the scale
    makes the largest weight 127 units.
    """
    rng = np.random.default_rng(0)
    pool, n_axons, n_neurons, tick_ms = 16, 256, 256, 0.1
    i_syn_tau = 1.0 / tick_ms
    strength = 1.5 * exact_loss(i_syn_tau)
    weights = np.zeros((n_axons + n_neurons, n_neurons))
    noise = np.where(rng.random((n_axons - pool, n_neurons)) < 0.2, 0.2 * strength, 0.0)
    noise[192:] *= -2
    weights[pool:n_axons] = noise
    weights[:pool, :pool] = strength
    pools = np.arange(n_neurons) // pool
    weights[n_axons:][pools[:, None] + 1 == pools] = strength
    ideal = Ideal(
        n_axons=n_axons,
        n_neurons=n_neurons,
        weights=weights,
        threshold=np.full(n_neurons, 15.0),
        refrac_ticks=np.full(n_neurons, round(2.0 / tick_ms)),
        v_tau=10.0 / tick_ms,
        i_syn_tau=i_syn_tau,
        v_floor=-math.inf,
    )
    volleys = np.arange(50, TICKS, round(20.0 / tick_ms))
    times = np.rint(rng.normal(volleys[:, None], 0.5 / tick_ms, (volleys.size, pool)))
    volley = np.stack([times, np.broadcast_to(np.arange(pool), times.shape)], axis=-1)
    random = np.argwhere(rng.random((TICKS, n_axons - pool)) < 40e-3 * tick_ms) + (0, pool)
    spikes = np.concatenate([volley.reshape(-1, 2).astype(np.int64), random])
    spikes = spikes[np.lexsort((spikes[:, 1], spikes[:, 0]))]
    return Case.rounded(ideal, 127 / strength, "mV", size("full"), spikes, TICKS)


# --- the demo ----------------------------------------------------------------------------------


def digits() -> Case:
    """Return the demo's network while it learns its first images with labels, on `digits`.

    Nothing decays in it but the traces, and its values are whole by design: what differs is how
    steps of weights are rounded. State is cleared between the images, as in the
    demo. Needs the extra ``demo``.
    """
    from spiketwin.cosim.digits.encoding import load
    from spiketwin.cosim.digits.recipe import RECIPE

    images = load().first(TICKS // RECIPE.ticks)
    phase = RECIPE.phases(images, seed=0)[0]
    taught = phase.showings[1]
    network = RECIPE.network(seed=0)
    for name, value in taught.registers.items():
        setattr(network, name, value)
    network.validate()
    shown = [spikes + (k * RECIPE.ticks, 0) for k, spikes in enumerate(taught.spikes)]
    ticks = len(shown) * RECIPE.ticks
    case = Case.of(network, size("digits"), np.concatenate(shown), ticks)
    return replace(case, clear_every=RECIPE.ticks)


PRESETS: Final[dict[str, Callable[[], Case]]] = {
    "fi-curve": fi_curve,
    "balanced": balanced,
    "chain": chain,
    "digits": digits,
}
"""The presets, by name."""


def preset(name: str) -> Case:
    """Return the case with this name; raise `InvalidInput` if there is none."""
    if name not in PRESETS:
        raise InvalidInput(f"no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]()
