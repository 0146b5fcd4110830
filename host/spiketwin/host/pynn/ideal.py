"""The ideal network: a model in double precision, with nothing rounded but times to ticks.

A tick is a step of exact integration (Rotter and Diesmann 1999): what arrives at its beginning is
in the current that acts on the potential, which is compared with the threshold at its end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host.elements import IntArray
from spiketwin.host.pynn.blocks import Block
from spiketwin.host.pynn.engines import PartResult, RunPart, with_weights
from spiketwin.host.pynn.model import Model
from spiketwin.host.pynn.scales import Scales, steps

Reals = NDArray[np.float64]

ADDRESS: Final = "float:"
"""Address of the ideal network."""

_COLUMNS: Final = {"i_syn": 0, "i_inh": 1}


class _Synapses:
    """The synapses of a block, and what they have learned."""

    def __init__(self, block: Block, model: Model) -> None:
        self.block = block
        self.weight = block.weight.copy()
        order = np.argsort(block.pre, kind="stable")
        ends = np.searchsorted(block.pre[order], np.arange(block.source.size + 1))
        self.of_source = [order[a:b] for a, b in zip(ends, ends[1:], strict=False)]
        self.target = block.targets.start + block.post
        if block.source.is_source:
            self.first = model.first_axon(block.source, block.late)
        else:
            self.first = model.first(block.source)
        self.pre = np.zeros(block.source.size)
        self.post = np.zeros(len(block.targets))

    def arrive(self, members: IntArray) -> IntArray:
        """Let spikes of sources arrive, and return the synapses, once for each of them."""
        found = [self.of_source[each] for each in members.tolist()]
        chosen: IntArray = np.concatenate([*found, np.empty(0, np.int64)]).astype(np.int64)
        pairs = self.block.pairs
        if pairs is not None:
            for synapses in found:
                lower = self.weight[synapses] - pairs.a_minus * self.post[self.block.post[synapses]]
                self.weight[synapses] = np.clip(lower, pairs.w_min, pairs.w_max)
            np.add.at(self.pre, members, 1.0)
        return chosen

    def end_tick(self, fired: IntArray, dt: float) -> None:
        """Decay the traces, and let neurons that fired at the end of the tick learn."""
        pairs = self.block.pairs
        if pairs is None:
            return
        self.pre *= np.exp(-dt / pairs.tau_plus)
        own = fired[(fired >= self.block.targets.start) & (fired < self.block.targets.stop)]
        chosen = np.isin(self.target, own)
        higher = self.weight[chosen] + pairs.a_plus * self.pre[self.block.pre[chosen]]
        self.weight[chosen] = np.clip(higher, pairs.w_min, pairs.w_max)
        self.post *= np.exp(-dt / pairs.tau_minus)
        self.post[own - self.block.targets.start] += 1.0


class IdealEngine:
    """A model in double precision."""

    name = ADDRESS
    is_open = True
    params: CoreParams | None = None
    scales: Scales | None = None

    def make_room(self, spikes: int, changes: int) -> bool:
        """Return False, as there is room for any number of events."""
        return False

    def begin(self, model: Model, currents: Reals) -> None:
        """Take a model with its initial values."""
        neurons = model.neurons
        self._state = {"v": neurons.v.copy()}
        self._state |= {name: neurons.isyn[:, each].copy() for name, each in _COLUMNS.items()}
        self._refractory = np.zeros(len(neurons), np.int64)
        self._due: dict[int, Reals] = {}
        self._fired: dict[int, IntArray] = {}
        self._set(model, currents)

    def go_on(self, model: Model, currents: Reals, tick: int, rewritten: Collection[Any]) -> None:
        """Take the same model with other parameters, and keep its state."""
        kept = [each for each in self.learned() if each[0] not in rewritten]
        traces = [(each.pre, each.post) for each in self._synapses]
        self._set(with_weights(model, kept), currents)
        for synapses, (pre, post) in zip(self._synapses, traces, strict=False):
            if synapses.pre.shape == pre.shape and synapses.post.shape == post.shape:
                synapses.pre, synapses.post = pre, post

    def _set(self, model: Model, currents: Reals) -> None:
        self._model, self._currents = model, currents.copy()
        neurons, dt = model.neurons, model.dt
        self._keep_v = np.exp(-dt / neurons.tau_m)
        tau = np.where(neurons.jumps[:, None], 1.0, neurons.tau_syn)
        self._keep_i = np.where(neurons.jumps[:, None], 0.0, np.exp(-dt / tau))
        self._step = steps(neurons, dt)
        self._per_na = neurons.tau_m / neurons.cm * (1.0 - self._keep_v)
        self._waits = np.rint(neurons.tau_refrac / dt).astype(np.int64)
        self._synapses = [_Synapses(block, model) for block in model.blocks]

    def put(self, name: str, neurons: IntArray, values: Reals) -> None:
        """Set a state of some neurons, in mV or nA."""
        self._state[name][neurons] = values

    def get(self, name: str, neurons: IntArray) -> Reals:
        """Return a state of some neurons, in mV or nA."""
        found: Reals = self._state[name][neurons]
        return found

    def run(self, part: RunPart) -> PartResult:
        """Run a part."""
        bounds = np.searchsorted(part.events[:, 0], np.arange(part.ticks + 1))
        spikes, samples = [], {name: list[Reals]() for name in part.recorded}
        for k in range(part.ticks):
            if part.driven.size:
                self._currents[part.driven] = part.currents[k]
            fired = self._tick(part.begin + k, part.events[bounds[k] : bounds[k + 1], 1])
            spikes.append(np.stack([np.full(fired.shape, k), fired], axis=1))
            for name, chosen in part.recorded.items():
                samples[name].append(self._state[name][chosen])
        return PartResult(
            np.concatenate(spikes), {name: np.array(rows) for name, rows in samples.items()}
        )

    def _tick(self, tick: int, axons: IntArray) -> IntArray:
        """Execute a tick, and return the neurons that fire at its end."""
        for synapses in self._synapses:
            self._deliver(synapses, tick, axons)
        currents = np.stack([self._state["i_syn"], self._state["i_inh"]], axis=1)
        currents += self._due.pop(tick, 0.0)
        model, v = self._model, self._state["v"]
        rest = model.neurons.v_rest
        moved = (v - rest) * self._keep_v + (self._step * currents).sum(axis=1)
        moved += rest + self._per_na * self._currents
        ready = self._refractory == 0
        v[ready] = moved[ready]
        self._state["i_syn"], self._state["i_inh"] = (currents * self._keep_i).T.copy()
        fires = ready & (v >= model.neurons.v_thresh)
        v[fires] = model.neurons.v_reset[fires]
        self._refractory -= ~ready
        self._refractory[fires] = self._waits[fires]
        fired = np.flatnonzero(fires)
        self._fired[tick] = fired
        self._fired.pop(tick - self._longest(), None)
        for synapses in self._synapses:
            synapses.end_tick(fired, model.dt)
        return fired

    def _longest(self) -> int:
        return max((each.late for each in self._model.blocks), default=0) + 2

    def _deliver(self, synapses: _Synapses, tick: int, axons: IntArray) -> None:
        """Add what arrives in a tick through a block to the currents, now or later."""
        block = synapses.block
        if block.source.is_source:
            spiked = axons
        else:
            spiked = self._fired.get(tick - 1 - block.late, np.empty(0, np.int64))
        members = spiked[(spiked >= synapses.first) & (spiked < synapses.first + block.source.size)]
        if not members.size:
            return
        chosen = synapses.arrive(members - synapses.first)
        for later in np.unique(block.later[chosen]).tolist():
            those = chosen[block.later[chosen] == later]
            due = self._due.setdefault(tick + later, np.zeros((len(self._keep_v), 2)))
            np.add.at(due, (synapses.target[those], int(block.inhibitory)), synapses.weight[those])

    def learned(self) -> list[tuple[Any, IntArray, Reals]]:
        """Return weights that learn."""
        return [
            (each.block.projection, each.block.rows, each.weight.copy())
            for each in self._synapses
            if each.block.pairs is not None
        ]

    def close(self) -> None:
        """End it, which takes nothing."""
