"""The recipe by which a network learns the digits: the network, and the phases of learning.

The neurons form juries. A jury has one neuron for each digit, and its neurons compete: a spike
inhibits the other nine. Juries know nothing of each other; they begin with different random
weights, err differently, and all their spikes count when a digit is read out.

Learning compares two answers to the same image. First the image is shown alone and the post-event
rule runs with its sign turned, so that the neurons that answer unlearn the image. Then it is shown
with its label: in every jury the teacher, an axon for each digit, silences the nine wrong neurons
and encourages the right one, and the rule runs as it is, so that the right neuron learns the
image. Where it would have answered anyway the two nearly cancel; what remains is the correction of
errors (contrastive Hebbian learning, Movellan 1991, with spikes and 8-bit weights). The steps
become smaller from pass to pass.

All this happens on the core, from random weights. Between showings the host writes the sign of the
rule, a register; it never computes or writes a weight. While neurons are labelled and tested,
nothing is learned and no teacher spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from spiketwin.cosim.digits.encoding import N_CLASSES, N_PIXELS, Digits, Images, encode, teach
from spiketwin.host import Network
from spiketwin.host.elements import IntArray

_WEIGHTS, _ORDER = 0, 1
"""Purposes of streams of random numbers, by which the streams of one seed differ."""

LABELLING = "labelling"
TESTING = "testing"


@dataclass(frozen=True)
class Showing:
    """One way in which the images of a phase are shown.

    Attributes
    ----------
    spikes:
        For each image, shape (k, 2): tick and axon.
    registers:
        Registers of the core during the showing, by name.
    """

    spikes: list[IntArray]
    registers: dict[str, int]


@dataclass(frozen=True)
class Phase:
    """A pass over one half of the images.

    Attributes
    ----------
    name:
        Name of the phase, for display.
    images:
        The half of the images.
    order:
        Indices of the images in the order in which they are shown.
    showings:
        Ways in which each image is shown, one after the other, before the next image. All set the
        same registers.
    """

    name: str
    images: Images
    order: IntArray
    showings: tuple[Showing, ...]

    @property
    def presentations(self) -> int:
        """Presentations in all."""
        return len(self.order) * len(self.showings)

    def stimuli(self) -> list[IntArray]:
        """Return the spikes of every presentation, in order."""
        return [showing.spikes[image] for image in self.order for showing in self.showings]

    def registers(self) -> dict[str, IntArray]:
        """Return the values of each register, one per presentation in order, by name."""
        return {
            name: np.tile([each.registers[name] for each in self.showings], len(self.order))
            for name in self.showings[0].registers
        }


def parted(phases: tuple[Phase, ...], images: int) -> tuple[Phase, ...]:
    """Split the phases so that one ends after the first `images` of all that are shown.

    The images and their order remain the same. But weights and state are read after every phase,
    so that a target which stops there can be compared with one that goes on.
    """
    first, *others = phases
    if images >= len(first.order):
        return phases
    beginning = replace(first, name=f"{first.name} (beginning)", order=first.order[:images])
    return (beginning, replace(first, order=first.order[images:]), *others)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The constants of the demo, in the units of the core.

    Attributes
    ----------
    juries:
        Number of juries, each with a neuron for every digit: neuron j belongs to digit j mod 10.
    ticks, most_spikes:
        Length of a presentation, and most spikes of a pixel in it (`encode`).
    passes:
        Number of passes over the training half.
    first_weight:
        Bound of the magnitude of initial weights from the pixels.
    rival_weight:
        Weight from each neuron to the other neurons of its jury.
    teacher_period:
        Ticks from spike to spike of the teacher.
    silence, encouragement:
        Weights of the teacher to wrong and to right neurons.
    threshold, refrac_ticks, trace_tau, trace_bump:
        Parameters of every neuron, and of the traces of the pixels.
    gain:
        Weight units, in 1/256, that a full-scale trace is worth in the first pass.
    anneal:
        Factor on the gain from pass to pass.
    weight_width:
        Bits of a weight, in whose units all of these are.
    """

    juries: int
    ticks: int
    most_spikes: int
    passes: int
    first_weight: int
    rival_weight: int
    teacher_period: int
    silence: int
    encouragement: int
    threshold: int
    refrac_ticks: int
    trace_tau: float
    trace_bump: int
    gain: int
    anneal: float
    weight_width: int = 8

    def in_bits(self, weight_width: int) -> Self:
        """Return the same recipe for weights of other widths, 4 to 16 bits.

        The range of the weights is always used in full: with a bit less, all weights, thresholds
        and steps are half as large, rounded to whole units.
        """
        factor = 2.0 ** (weight_width - self.weight_width)
        least = -(1 << weight_width - 1)
        return replace(
            self,
            weight_width=weight_width,
            first_weight=max(1, round(self.first_weight * factor)),
            rival_weight=max(least, round(self.rival_weight * factor)),
            silence=max(least, round(self.silence * factor)),
            encouragement=min(-1 - least, round(self.encouragement * factor)),
            threshold=round(self.threshold * factor),
            gain=round(self.gain * factor),
        )

    def taught(self) -> IntArray:
        """Return the digit that each neuron is taught to answer to, shape (neurons,)."""
        return np.tile(np.arange(N_CLASSES), self.juries)

    def network(self, seed: int) -> Network:
        """Build the network before it has seen anything."""
        digit = self.taught()
        n_axons, n_neurons = N_PIXELS + N_CLASSES, len(digit)
        jury = np.arange(n_neurons) // N_CLASSES
        weights = np.zeros((n_axons + n_neurons, n_neurons), np.int32)
        rng = np.random.default_rng([seed, _WEIGHTS])
        weights[:N_PIXELS] = rng.integers(
            -self.first_weight, self.first_weight, (N_PIXELS, n_neurons), endpoint=True
        )
        right = np.arange(N_CLASSES)[:, None] == digit
        weights[N_PIXELS:n_axons] = np.where(right, self.encouragement, self.silence)
        rivals = (jury[:, None] == jury) & (digit[:, None] != digit)
        weights[n_axons:][rivals] = self.rival_weight
        plastic = np.zeros(weights.shape, np.bool_)
        plastic[:N_PIXELS] = True
        return Network(
            n_axons=n_axons,
            n_neurons=n_neurons,
            weights=weights,
            plastic=plastic,
            threshold=np.full(n_neurons, self.threshold, np.int32),
            refrac_ticks=np.full(n_neurons, self.refrac_ticks, np.int32),
            reset_subtract=True,
            stochastic=True,
            seed=seed,
            w_min=-(1 << self.weight_width - 1),
            w_max=(1 << self.weight_width - 1) - 1,
            trace_pre_tau=self.trace_tau,
            trace_pre_bump=self.trace_bump,
        )

    def phases(self, digits: Digits, seed: int) -> tuple[Phase, ...]:
        """Return everything that is shown, in order."""
        rng = np.random.default_rng([seed, _ORDER])
        free, tested = (
            encode(images.pixels, self.ticks, self.most_spikes)
            for images in (digits.train, digits.test)
        )
        taught = [
            teach(spikes, int(label), self.ticks, self.teacher_period)
            for spikes, label in zip(free, digits.train.labels, strict=True)
        ]
        phases = []
        for number in range(self.passes):
            gain = round(self.gain * self.anneal**number)
            showings = (
                Showing(free, {"learn_post": 1, "post_gain": -gain}),
                Showing(taught, {"learn_post": 1, "post_gain": gain}),
            )
            order = rng.permutation(len(digits.train))
            phases.append(Phase(f"learning, pass {number + 1}", digits.train, order, showings))
        frozen = {"learn_post": 0}
        for name, images, spikes in (
            (LABELLING, digits.train, free),
            (TESTING, digits.test, tested),
        ):
            order = np.arange(len(images))
            phases.append(Phase(name, images, order, (Showing(spikes, frozen),)))
        return tuple(phases)


RECIPE = Recipe(
    juries=12,
    ticks=6,
    most_spikes=6,
    passes=2,
    first_weight=10,
    rival_weight=-128,
    teacher_period=1,
    silence=-128,
    encouragement=127,
    threshold=192,
    refrac_ticks=2,
    trace_tau=20.0,
    trace_bump=8192,
    gain=2048,
    anneal=0.5,
)
"""The demo's recipe, chosen by accuracy on held-out parts of the training half, and by cycles."""
