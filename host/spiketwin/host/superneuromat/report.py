"""The report on a network of SuperNeuroMAT, and its results as SuperNeuroMAT has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.text import shown
from spiketwin.host.core import Core
from spiketwin.host.door_report import DoorReport
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import Stimulus
from spiketwin.host.populations import Projection
from spiketwin.host.spikes import Run
from spiketwin.host.superneuromat.chains import Chains
from spiketwin.host.superneuromat.model import Model, Reals
from spiketwin.host.superneuromat.placing import Placed

_MOST_TICKS: Final = (1 << 32) - 1


@dataclass(frozen=True)
class Rounded(Result):
    """By how much the worst value of each kind was rounded, in SuperNeuroMAT's own units.

    Attributes
    ----------
    weights, inputs, leaks, states, stdp:
        Weights, values of input spikes, leaks, states from the reset state, and the values of
        `apos` and `aneg`.
    """

    weights: float
    inputs: float
    leaks: float
    states: float
    stdp: float


@dataclass(frozen=True, eq=False)
class Results:
    """Results of a run, as SuperNeuroMAT has them.

    Attributes
    ----------
    ispikes:
        Shape (ticks, neurons), bool: whether a neuron fired in a tick; members of chains included.
    weight_mat:
        Shape (neurons, neurons), float64: the weight of each pair after the run, 0 without a
        synapse.
    runs:
        The runs of the core, which follow each other: a rule with drift takes one for each of the
        first ticks.
    """

    ispikes: NDArray[np.bool_]
    weight_mat: Reals
    runs: tuple[Run, ...]


@dataclass(frozen=True, eq=False)
class Report(DoorReport):
    """The report on a network of SuperNeuroMAT.

    Attributes
    ----------
    scale:
        Units of the core in 1, a power of two.
    exact:
        Whether nothing was rounded, so that all spikes and weights are those of SuperNeuroMAT, as
        long as nothing saturates (`Run.saturations`).
    weight_width:
        Bits of a weight, within which a weight that learns is held.
    n_neurons:
        Neurons of the network, members of chains included.
    relayed:
        Members of chains, whose part relays take.
    longest_delay:
        Ticks of the longest delay.
    rounded:
        By how much values were rounded.
    axons:
        The axon of each pair of neuron and value.
    spikes:
        Shape (k, 2): the input spikes of the network as rows of (tick, axon).
    remarks:
        Sentences about what a saved network does not hold.
    """

    json_keys: ClassVar[tuple[str, ...] | None] = (
        "scale", "exact", "weight_width", "n_neurons", "relayed", "longest_delay", "rounded",
        "remarks",
    )  # fmt: skip

    scale: float
    exact: bool
    weight_width: int
    n_neurons: int
    relayed: int
    longest_delay: int
    rounded: Rounded
    axons: dict[tuple[int, float], int] = field(repr=False)
    spikes: IntArray = field(repr=False)
    model: Model = field(repr=False)
    chains: Chains = field(repr=False)
    parts: tuple[tuple[Placed, Projection], ...] = field(repr=False)
    drifts: IntArray = field(repr=False)

    @property
    def remarks(self) -> list[str]:
        """Sentences about what a saved network does not hold, and `run` does."""
        if not self._drifts:
            return []
        return [
            (
                f"aneg counts in full from tick {len(self.drifts) - 1} on; `Report.run` sees to "
                "the ticks before, and a run of its own lets it count from the first one on"
            )
        ]

    @property
    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Tables of the synapses, of the rounding, and of what learns; as in `DoorReport`."""
        model = self.model
        synapses: list[tuple[Any, ...]] = [
            ("projection", "delay in ticks", "synapses", "that learn", "least weight", "largest")
        ]
        for part, _ in self.parts:
            weights = model.weights[part.synapses]
            ends = (weights.min(), weights.max()) if len(weights) else (0.0, 0.0)
            plastic = int(part.plastic[part.rows, part.columns].sum())
            synapses.append((part.name, part.delay + 1, len(weights), plastic, *ends))
        kinds: list[tuple[Any, ...]] = [("values", "how many", "off by at most", "a unit is")]
        counts = {
            "weights": len(model.weights), "inputs": len(model.values),
            "leaks": int(np.isfinite(model.leaks).sum()), "states": len(model.states),
            "stdp": len(model.apos) + len(model.aneg),
        }  # fmt: skip
        errors = self.rounded.as_json()
        kinds += [(name, count, errors[name], 1 / self.scale) for name, count in counts.items()]
        tables = {"Synapses": synapses, "Rounding": kinds}
        if model.learns:
            most = (1 << self.weight_width - 1) - 1
            rows = zip(range(1, len(model.apos) + 1), model.apos, model.aneg, strict=True)
            tables["STDP"] = [("ticks before", "apos", "aneg"), *rows]
            tables["Bounds of weights that learn"] = [
                ("least", "largest"), (-(most + 1) / self.scale, most / self.scale),
            ]  # fmt: skip
        return tables

    @property
    def stimulus(self) -> Stimulus | None:
        """The input spikes of the network, up to the last one; None without."""
        if not len(self.spikes):
            return None
        return Stimulus(self.spikes, int(self.spikes[:, 0].max()) + 1)

    def __str__(self) -> str:
        how = "exactly" if self.exact else "rounded"
        lines = [
            f"{self.n_neurons} neurons of SuperNeuroMAT, {how}, with {self.scale:g} units in 1",
            f"{self.relayed} of them only make delays, of up to {self.longest_delay} ticks",
            f"{len(self.axons)} axons, one for each neuron and value of an input spike",
        ]
        lines += [
            f"{name} are off by {error:.3g} at most"
            for name, error in self.rounded.as_json().items()
            if error
        ]
        return "\n".join([*lines, *self.remarks])

    def axon(self, neuron: int, value: float) -> int:
        """Return the axon that gives a neuron a value; raise `InvalidInput` if there is none."""
        try:
            return self.axons[neuron, float(value)]
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"no axon gives neuron {shown(neuron)} the value {shown(value)}: name the pair in "
                "`load(…, inputs=[(neuron, value)])`"
            ) from error

    def run(self, core: Core, ticks: int) -> Results:
        """Run the network from its first tick on, with its own input spikes.

        Parameters
        ----------
        core:
            A core that `Core.program` has just given the network.
        ticks:
            Ticks to run, 1 or more. Input spikes of later ones are left out.

        Raises
        ------
        InvalidInput
            `ticks` is out of range.
        SpiketwinError
            As `Core.run` raises it.
        """
        count = int(integers("ticks", ticks, (), (1, _MOST_TICKS)))
        runs = []
        for begin, end, drift in self._stretches(count):
            if drift is not None:
                self._write_drift(core, drift)
            within = (self.spikes[:, 0] >= begin) & (self.spikes[:, 0] < end)
            runs.append(core.run(self.spikes[within] - (begin, 0), end - begin))
        starts = np.cumsum([0, *(len(run.cycles) for run in runs[:-1])])
        spikes = np.concatenate(
            [run.spikes + (start, 0) for run, start in zip(runs, starts.tolist(), strict=True)]
        )
        return Results(self.ispikes(spikes, count), self.weight_mat(core), tuple(runs))

    @property
    def _drifts(self) -> bool:
        """Whether weights drift, which they do by more and more in the first ticks."""
        return bool(self.model.learns and self.drifts.any())

    def _stretches(self, ticks: int) -> list[tuple[int, int, int | None]]:
        """Return the ticks of each run, and the drift that is written before it."""
        if not self._drifts:
            return [(0, ticks, None)]
        last = len(self.drifts) - 1
        single = [(t, t + 1, int(self.drifts[t])) for t in range(min(last, ticks))]
        rest = [(last, ticks, int(self.drifts[last]))] if ticks > last else []
        return [*single, *rest]

    def _write_drift(self, core: Core, drift: int) -> None:
        rules = {each.rule for _, each in self.parts if each.learns}
        values = core.read_rules()["drift"]
        values[[*rules]] = drift
        core.write_rules(drift=values)

    def ispikes(self, spikes: IntArray, ticks: int) -> NDArray[np.bool_]:
        """Return spikes of the core as SuperNeuroMAT's `ispikes`.

        Parameters
        ----------
        spikes:
            Shape (m, 2): (tick, neuron), as `Run.spikes` from the first tick on.
        ticks:
            Number of ticks.

        Returns
        -------
        NDArray[bool]
            Shape (ticks, neurons); a member of a chain fires as many ticks after its origin as it
            is late.
        """
        fired = np.zeros((ticks, self.n_neurons), np.bool_)
        fired[spikes[:, 0], self.chains.kept[spikes[:, 1]]] = True
        for member in np.flatnonzero(self.chains.lag):
            lag = int(self.chains.lag[member])
            fired[lag:, member] = fired[: max(0, ticks - lag), self.chains.origin[member]]
        return fired

    def weight_mat(self, core: Core) -> Reals:
        """Return the weights of a core as SuperNeuroMAT's, shape (neurons, neurons)."""
        weights: Any = self.model.weights.copy()
        for part, projection in self.parts:
            held = core.read_weights(projection)[part.rows, part.columns]
            weights[part.synapses] = held / self.scale
        matrix = np.zeros((self.n_neurons, self.n_neurons))
        matrix[self.model.pre, self.model.post] = weights
        return matrix
