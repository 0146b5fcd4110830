"""PyNN's own values; those that are made wrongly are refused in its words and by name."""

from __future__ import annotations

from pyNN import network, parameters, random, space

from spiketwin.host.pynn.given import taking


@taking(
    __init__="the name of a distribution such as 'uniform', its parameters as a tuple or by name, "
    "and rng"
)
class RandomDistribution(random.RandomDistribution):
    """PyNN's `RandomDistribution`."""


@taking(__init__="seed, an integer in 0…4294967295 or None, and parallel_safe")
class NumpyRNG(random.NumpyRNG):
    """PyNN's `NumpyRNG`."""


@taking(__init__="a list or an array of numbers")
class Sequence(parameters.Sequence):
    """PyNN's `Sequence`."""


@taking(__init__="axes such as 'xy', scale_factor, offset, and periodic_boundaries")
class Space(space.Space):
    """PyNN's `Space`."""


@taking(__init__="populations, views, assemblies and projections")
class Network(network.Network):
    """PyNN's `Network`."""
