"""The interface of what runs a model, which a core and the ideal network have alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray
from spiketwin.host.pynn.model import Model
from spiketwin.host.pynn.scales import Scales
from spiketwin.host.spikes import Saturations

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunPart:
    """A part of a run.

    Attributes
    ----------
    begin, ticks:
        Its first tick, counted from the last reset, and how many there are.
    events:
        Shape (k, 2): axon events (tick, axon); ticks count from the beginning of the part.
    driven:
        Numbers of the neurons that current sources inject into, ascending.
    currents:
        Shape (ticks, len(driven)): the constant current of each of them in each tick, in nA, with
        their `i_offset`.
    recorded:
        Numbers of the neurons whose state is wanted, by its name in a core.
    """

    begin: int
    ticks: int
    events: IntArray
    driven: IntArray
    currents: Reals
    recorded: Mapping[str, IntArray]


@dataclass(frozen=True, eq=False)
class PartResult:
    """The result of a part of a run.

    Attributes
    ----------
    spikes:
        Shape (m, 2): (tick, neuron), ascending; ticks count from the beginning of the part.
    samples:
        By name, shape (ticks, n): the state that was wanted, in mV and nA.
    saturations:
        What saturated; None where it is not counted.
    accounts:
        The account of the run, for its ledger; none where there is no link.
    """

    spikes: IntArray
    samples: dict[str, Reals]
    saturations: Saturations | None = None
    accounts: tuple[Account, ...] = field(default=())


class Engine(Protocol):
    """An engine: it runs a model part by part, with the state that the last part left."""

    @property
    def name(self) -> str:
        """Its address."""

    @property
    def is_open(self) -> bool:
        """Whether its sizes are taken as a network needs them."""

    @property
    def params(self) -> CoreParams | None:
        """The sizes of its core; None of one that is no core."""

    @property
    def scales(self) -> Scales | None:
        """The scales of its numbers; None where nothing is rounded."""

    def make_room(self, spikes: int, changes: int) -> bool:
        """Take note of the most spikes of sources and changes of currents that a tick may have.

        Returns whether `go_on` has to follow, before there is room for them.

        Raises `DoesNotFit` for more spikes than the target takes.
        """

    def begin(self, model: Model, currents: Reals) -> None:
        """Take a model with its initial values; `currents` are those of the first tick, in nA."""

    def go_on(self, model: Model, currents: Reals, tick: int, rewritten: Collection[Any]) -> None:
        """Take the same model with other parameters, and keep its state.

        `rewritten` are the projections whose weights are those of the model; the weights of others
        that learn are kept.
        """

    def put(self, name: str, neurons: IntArray, values: Reals) -> None:
        """Set a state (``"v"``, ``"i_syn"`` or ``"i_inh"``) of some neurons, in mV or nA."""

    def get(self, name: str, neurons: IntArray) -> Reals:
        """Return a state of some neurons, in mV or nA."""

    def run(self, part: RunPart) -> PartResult:
        """Run a part."""

    def learned(self) -> list[tuple[Any, IntArray, Reals]]:
        """Return weights that learn: the projection, its connections, and what they are now."""

    def close(self) -> None:
        """End it."""


def with_weights(model: Model, learned: list[tuple[Any, IntArray, Reals]]) -> Model:
    """Return a model with weights that were learned (`Engine.learned`)."""
    blocks = list(model.blocks)
    for projection, rows, weights in learned:
        for place, block in enumerate(blocks):
            if block.projection is projection and np.array_equal(block.rows, rows):
                blocks[place] = replace(block, weight=weights)
    return replace(model, blocks=tuple(blocks))
