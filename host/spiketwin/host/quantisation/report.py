"""The report of a quantisation: what was meant, what a core holds, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.results import Result
from spiketwin.host.door_report import DoorReport
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.quantisation.meant import Choice, Meant, Reals

_LISTED: Final = 8
"""Most decays of a layer that are listed."""


@dataclass(frozen=True)
class LayerDecay(Result):
    """A time constant of a layer.

    Attributes
    ----------
    variable:
        What decays: ``v`` or ``i_syn``.
    neurons:
        Neurons that are meant to have it.
    meant, held:
        Part that is lost in a tick: as meant, and as the core's code has it.
    code, shift:
        The decay code, and its shift.
    """

    json_keys = ("variable", "neurons", "meant", "held", "code", "shift", "error")

    variable: str
    neurons: int
    meant: float
    held: float
    code: int
    shift: int

    @property
    def error(self) -> float:
        """Error of the part that is lost, as a share of it."""
        return abs(self.held - self.meant) / self.meant if self.meant else self.held


@dataclass(frozen=True, eq=False)
class LayerHeld(Result):
    """A layer as a core holds it.

    Attributes
    ----------
    name, kind:
        Name of the layer, and what its description calls its neurons.
    first, size:
        Number of its first neuron, and how many it has.
    lag:
        Ticks by which it is later than the first layer: its spikes are this much late.
    scales:
        Shape (size,): units of `v` that make one unit of what is meant, of each neuron.
    synapses:
        Synapses to it whose weight is meant not to be 0.
    lost:
        Of these, those whose weight became 0.
    clipped:
        Of these, those whose weight was beyond the width of weights, and is the largest instead.
    largest:
        The largest weight that is meant, as a magnitude.
    weight_worst, weight_rms:
        Error of the weights, the worst and the root mean square, as a share of the largest weight
        of the same neuron.
    threshold_worst:
        The worst error of a threshold, as a share of it; 0 where no neuron fires.
    decays:
        Time constants that are meant, the most frequent ones first.
    decays_left_out:
        Further time constants that are not listed.
    decay_worst:
        The worst error of a decay, as a share of what is lost in a tick.
    """

    json_keys = (
        "name", "kind", "first", "size", "lag", "scales", "synapses", "lost", "clipped", "largest",
        "weight_worst", "weight_rms", "threshold_worst", "decays", "decays_left_out",
        "decay_worst",
    )  # fmt: skip

    name: str
    kind: str
    first: int
    size: int
    lag: int
    scales: Reals
    synapses: int
    lost: int
    clipped: int
    largest: float
    weight_worst: float
    weight_rms: float
    threshold_worst: float
    decays: list[LayerDecay]
    decays_left_out: int
    decay_worst: float
    meant_weights: Reals = field(repr=False)
    held_weights: Reals = field(repr=False)

    @classmethod
    def of(
        cls,
        name: str,
        kind: str,
        neurons: range,
        scales: Reals,
        *,
        wanted: Reals,
        held: Reals,
        thresholds: tuple[Reals, Reals],
        decays: list[LayerDecay],
        clipped: int = 0,
        lag: int = 0,
    ) -> Self:
        """Compare what is meant with what a core holds.

        Parameters
        ----------
        name, kind, neurons, scales, clipped, lag:
            As the attributes; `neurons` are its numbers.
        wanted, held:
            Shape (synapses to a neuron, size): the weights to each neuron, in the unit of what is
            meant; 0 where there is none.
        thresholds:
            Thresholds as they are meant and as they are held, in the same unit; not finite where
            no neuron fires.
        decays:
            All time constants, the most frequent ones first.
        """
        largest = np.abs(wanted).max(axis=0, initial=0.0)
        share = np.abs(held - wanted) / np.where(largest > 0, largest, 1.0)
        there, (meant, its) = wanted != 0, thresholds
        off = 0.0
        if np.isfinite(meant).all():
            off = float((np.abs(its - meant) / np.where(meant == 0, 1.0, np.abs(meant))).max())
        return cls(
            name=name, kind=kind, first=neurons.start, size=len(neurons), lag=lag, scales=scales,
            synapses=int(there.sum()), lost=int((there & (held == 0)).sum()), clipped=clipped,
            largest=float(largest.max(initial=0.0)),
            weight_worst=float(share[there].max(initial=0.0)),
            weight_rms=float(np.sqrt((share[there] ** 2).mean())) if there.any() else 0.0,
            threshold_worst=off, decays=decays[:_LISTED], decays_left_out=len(decays[_LISTED:]),
            decay_worst=max((each.error for each in decays), default=0.0),
            meant_weights=wanted[there], held_weights=held[there],
        )  # fmt: skip

    @property
    def neurons(self) -> range:
        """Numbers of its neurons, as in `Run.spikes`."""
        return range(self.first, self.first + self.size)


@dataclass(frozen=True, eq=False)
class QuantisationReport(DoorReport):
    """The report on a network that was rounded for a core.

    Attributes
    ----------
    sizes:
        Sizes of the core that it was rounded for, the arguments of `Network.core_params`.
    i_syn_shift:
        Currents are finer than potentials by two to the power of this.
    layers:
        What the core holds of each layer.
    choices:
        What the description of the network left open, and what was chosen.
    notes:
        What else was changed or cannot be exact, in sentences.
    start:
        State to begin with, which `Network.start` of the network is, by the names of
        `Core.write_state`: arrays of shape (n_neurons,). Empty if the network begins at rest.
    description:
        The network that was meant, as `measure` runs it; None from a front end whose networks
        cannot be described so.
    dt:
        Seconds of a tick; None where a tick stands for none.
    """

    json_keys: ClassVar[tuple[str, ...]] = (
        "sizes", "i_syn_shift", "layers", "choices", "notes", "start",
    )  # fmt: skip

    sizes: dict[str, Any]
    i_syn_shift: int
    layers: list[LayerHeld]
    choices: tuple[Choice, ...]
    notes: list[str]
    start: dict[str, IntArray]
    description: Meant | None = field(default=None, repr=False)
    dt: float | None = None

    @property
    def meant(self) -> Meant:
        """The network that was meant; raise `InvalidInput` if the report has none."""
        if self.description is None:
            raise InvalidInput(
                "this report has no network that is meant, so nothing can run beside the core: "
                "compare targets instead (`spiketwin compare`)"
            )
        return self.description

    def __getitem__(self, name: str) -> LayerHeld:
        """Return a layer by its name; raise `KeyError` if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer is called {name!r}: {', '.join(e.name for e in self.layers)}")

    @property
    def scales(self) -> Reals:
        """The scale of each neuron, shape (n_neurons,)."""
        return np.concatenate([layer.scales for layer in self.layers])

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        widths = ", ".join(f"{name} {value}" for name, value in self.sizes.items())
        yield f"rounded for {widths}; i_syn_shift {self.i_syn_shift}"
        for each in self.layers:
            late = f", {each.lag} ticks late" if each.lag else ""
            yield f"{each.name}: {each.size} neurons ({each.kind}){late}"
            yield f"  scale {_span(each.scales)} units"
            yield (
                f"  {each.synapses:,} weights, error at worst {each.weight_worst:.2%}, "
                f"rms {each.weight_rms:.3%} of a neuron's largest; {each.lost:,} became 0, "
                f"{each.clipped:,} clipped"
            )
            yield (
                f"  threshold off by {each.threshold_worst:.3%}, decays by {each.decay_worst:.3%} "
                "at worst"
            )
        for choice in self.choices:
            others = ", ".join(choice.others)
            yield f"{choice.name}={choice.value} (or {others}): {choice.means}"
        yield from self.notes


def _span(values: NDArray[Any]) -> str:
    least, most = float(values.min()), float(values.max())
    return f"{least:,.4g}" if least == most else f"{least:,.4g}…{most:,.4g}"
