"""Networks of populations and projections that are legal and otherwise anything."""

import numpy as np

from spiketwin.cosim.trials.verify.networks import OVERLAPS, Drawing
from spiketwin.host import Network


def random_network(
    rng: np.random.Generator, *, overlaps: bool = True, kinds: bool = False, rules: bool = False
) -> Network:
    """Return a small network that fires, with slices on both sides of its projections.

    Without overlaps no pair of a source and a neuron has two synapses. With all kinds some
    projections are constant, some are sparse, some have a delay, and some have one of each
    synapse. With rules some learn by constants of their own, some of these over a window.
    """
    options = {"learning", "dense", "plastic"}
    options |= {OVERLAPS} if overlaps else set()
    options |= (
        {"constants", "not to itself", "sparse", "delays", "synapse delays"} if kinds else set()
    )
    options |= {"rules", "windows"} if rules else set()
    return Drawing(rng, options).network()
