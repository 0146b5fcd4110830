"""A model on a core: it gets whole numbers, and what comes back is in PyNN's units again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.variables import limits
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.kinds import Target
from spiketwin.host.network import Network
from spiketwin.host.pynn.compiled import Compiled, compiled
from spiketwin.host.pynn.engines import PartResult, RunPart, with_weights
from spiketwin.host.pynn.model import EXCITATORY, INHIBITORY, Model
from spiketwin.host.pynn.scales import Scales, scaled
from spiketwin.host.targets import connect, takes_sizes

Reals = NDArray[np.float64]

_COLUMNS: Final = {"i_syn": EXCITATORY, "i_inh": INHIBITORY}

_CURRENT_WIDTH: Final = 24

_DEEPEST: Final = 1 << 16
"""Most events that the queue of a core holds."""


class _Running(NamedTuple):
    """A core, and what is programmed into it."""

    core: Core
    model: Model
    made: Compiled


class OnCore:
    """A model on a core.

    Parameters
    ----------
    target:
        The target.
    v_width, weight_width:
        Bits of potentials and weights, where the sizes of the target are open.
    params:
        Sizes of such a target; None for the smallest core.
    """

    def __init__(
        self,
        target: str | Target,
        v_width: int,
        weight_width: int,
        params: str | CoreParams | None,
    ) -> None:
        self.name = str(target)
        self._target = target
        self._widths = v_width, weight_width
        self._core: Core | None = None
        self._params: CoreParams | None = None
        self._now: _Running | None = None
        self.is_open = takes_sizes(target) and params is None
        self._bias: IntArray = np.empty(0, np.int64)
        self._most_events = 0
        if not self.is_open:
            self._connect(params)

    def _connect(self, params: str | CoreParams | None) -> Core:
        self.close()
        self._core = connect(self._target, params=params)
        self._params = self._core.params
        return self._core

    @property
    def _has_lists(self) -> bool:
        """Whether the core has lists of synapses, as one of open sizes has if there are any."""
        return self.is_open or self._params is None or self._params.sparse_rows > 0

    @property
    def params(self) -> CoreParams | None:
        """The sizes of the core; None before the first run on a core of open sizes."""
        return self._params

    @property
    def scales(self) -> Scales | None:
        """The scales of its numbers."""
        return None if self._now is None else self._now.made.scales

    def make_room(self, spikes: int, changes: int) -> bool:
        """Take note of the most spikes of sources and changes of currents that a tick may have.

        Returns whether `go_on` has to follow, which takes a core with a longer queue. Raises
        `DoesNotFit` for more spikes than any core takes, or than this one of fixed sizes.
        """
        fixed = None if self.is_open else self._params
        most = _DEEPEST if fixed is None else fixed.event_queue_depth
        if spikes > most:
            wanted = 1 << (spikes - 1).bit_length()
            remedy = "give sources fewer spikes at the same time, or fewer delays"
            if takes_sizes(self._target) and wanted <= _DEEPEST:
                remedy = (
                    f"call setup(params=…) with event_queue_depth={wanted} or more, or without "
                    "params, for a core with as much as the network needs"
                )
            raise DoesNotFit(
                f"{spikes} spikes of sources come in one tick, and the event queue of {self.name} "
                f"holds {most}: {remedy}"
            )
        self._most_events = max(self._most_events, spikes + changes)
        built = self._params if fixed is None and self._now is not None else None
        return built is not None and built.event_queue_depth < min(self._most_events, _DEEPEST)

    def begin(self, model: Model, currents: Reals) -> None:
        """Take a model with its initial values."""
        self._program(model, currents, None)
        everything, isyn = np.arange(len(model.neurons)), model.neurons.isyn
        self.put("v", everything, model.neurons.v)
        # One current is that of both kinds of synapses, which then decay alike.
        currents = isyn if model.two_currents else isyn.sum(axis=1, keepdims=True)
        for name, values in zip(_COLUMNS, currents.T, strict=False):
            if values.any():
                self.put(name, everything, values)

    def go_on(self, model: Model, currents: Reals, tick: int, rewritten: Collection[Any]) -> None:
        """Take the same model with other parameters, and keep its state."""
        before, state = self._running(), self._running().core.read_state()
        kept = [each for each in self.learned() if each[0] not in rewritten]
        self._program(with_weights(model, kept), currents, before.made.scales)
        now = self._running()
        now.core.write_tick(tick)
        scales = before.made.scales, now.made.scales
        now.core.write_state(**carried(state, now.core.read_state(), *scales))

    def _program(self, model: Model, currents: Reals, before: Scales | None) -> None:
        """Program the network of a model, on a core that holds it."""
        (v_width, weight_width), has_shifts = self._widths, True
        if self._core is not None and not self.is_open:
            built = self._core.params
            v_width, weight_width = built.v_width, built.weight_width
            has_shifts = built.decay_shift
        scales = scaled(model, v_width, weight_width, has_shifts, before)
        _check_currents(model, scales, currents, np.arange(len(model.neurons)), v_width)
        self._bias = scales.bias(currents)
        made = compiled(model, scales, self._bias, v_width, self._has_lists)
        core = self._core
        if core is None or self.is_open:
            params = self._smallest(made.network, v_width, weight_width, model.driven)
            if core is None or core.params != params:
                core = self._connect(params)
        core.program(made.network)
        self._now = _Running(core, model, made)

    @property
    def core(self) -> Core:
        """The core, which has the network."""
        return self._running().core

    def _running(self) -> _Running:
        if self._now is None:
            raise InvalidInput("this engine has no model yet: call begin() first")
        return self._now

    def _smallest(self, net: Network, v_width: int, weight_width: int, driven: bool) -> CoreParams:
        """Return the sizes of the smallest core, with room for several events of each axon."""
        events = max(4 * (net.n_axons + net.n_neurons), self._most_events)
        depth = max(512, 1 << (events - 1).bit_length())
        return net.core_params(
            v_width=v_width, i_syn_width=_CURRENT_WIDTH, weight_width=weight_width,
            decay_shift=True, bias_events=driven, event_queue_depth=min(depth, _DEEPEST),
        )  # fmt: skip

    def put(self, name: str, neurons: IntArray, values: Reals) -> None:
        """Set a state of some neurons, in mV or nA."""
        now = self._running()
        if name == "i_inh" and not now.model.two_currents:
            raise InvalidNetwork(
                "isyn_inh has an initial value, and the network has one current: record isyn_inh, "
                "or give isyn_exc"
            )
        whole = now.core.read_state()[name]
        if name == "v":
            units = now.made.scales.units(values, neurons)
        else:
            units = values * self._current_units(name)[neurons]
        width = now.core.params.v_width if name == "v" else now.core.params.i_syn_width
        low, high = limits(width, signed=True)
        wrong = np.flatnonzero(~((np.rint(units) >= low) & (np.rint(units) <= high)))
        if wrong.size:
            ends = self._in_units(name, np.array([low, high]), neurons[wrong[:1]])
            unit = "mV" if name == "v" else "nA"
            raise InvalidInput(
                f"{name} of {now.model.cell(neurons[wrong[0]])} can be set to {ends[0]:.6g}…"
                f"{ends[1]:.6g} {unit} with the scale that it has, not to {values[wrong[0]]:g} "
                f"{unit}"
            )
        whole[neurons] = np.rint(units).astype(np.int64)
        now.core.write_state(**{name: whole})

    def get(self, name: str, neurons: IntArray) -> Reals:
        """Return a state of some neurons, in mV or nA."""
        return self._in_units(name, self._running().core.read_state()[name][neurons], neurons)

    def _in_units(self, name: str, values: IntArray, neurons: IntArray) -> Reals:
        """Return values of a state of some neurons in mV or nA."""
        if name == "v":
            return self._running().made.scales.mv(values, neurons)
        currents: Reals = values / self._current_units(name)[neurons]
        return currents

    def _current_units(self, name: str) -> Reals:
        units: Reals = self._running().made.scales.weight_units[:, _COLUMNS[name]]
        return units

    def run(self, part: RunPart) -> PartResult:
        """Run a part."""
        now = self._running()
        run = now.core.run(
            part.events, part.ticks, probe=part.recorded or None, biases=self._biases(part)
        )
        samples = {
            name: self._in_units(name, run.probes[name], neurons)
            for name, neurons in part.recorded.items()
        }
        if part.driven.size:
            last = now.made.scales.bias(part.currents[-1], part.driven)
            self._bias[part.driven] = last
        return PartResult(run.spikes, samples, run.saturations, run.accounts)

    def _biases(self, part: RunPart) -> IntArray | None:
        """Return the bias events of a part: where a rounded bias is another one than before."""
        if not part.driven.size:
            return None
        now = self._running()
        scales, v_width = now.made.scales, now.core.params.v_width
        _check_currents(now.model, scales, part.currents, part.driven, v_width)
        wanted = scales.bias(part.currents, part.driven)
        before = np.concatenate([self._bias[part.driven][None], wanted[:-1]])
        ticks, columns = np.nonzero(wanted != before)
        rows = np.stack([ticks, part.driven[columns], wanted[ticks, columns]], axis=1)
        return rows if len(rows) else None

    def learned(self) -> list[tuple[Any, IntArray, Reals]]:
        """Return weights that learn, in nA or mV."""
        now, found = self._running(), []
        for block, projection in now.made.parts:
            if block.pairs is not None:
                column = INHIBITORY if block.inhibitory else EXCITATORY
                units = now.made.scales.weight_units[block.targets.start, column]
                weights = now.core.read_weights(projection)[block.pre, block.post] / units
                for bound in (block.pairs.w_min, block.pairs.w_max):
                    # Units of a bound that are whole come back as the bound itself.
                    at_bound = np.isclose(weights, bound, rtol=1e-12, atol=0.0)
                    weights = np.where(at_bound, bound, weights)
                found.append((block.projection, block.rows, weights))
        return found

    def close(self) -> None:
        """Close the core."""
        if self._core is not None:
            self._core.close()
        self._core = None


def _check_currents(model: Model, scales: Scales, na: Reals, neurons: IntArray, width: int) -> None:
    """Raise `InvalidNetwork` for a constant current, shape (…, neurons), that no bias holds."""
    most = limits(width, signed=True)[1] / scales.per_na[neurons]
    wrong = np.argwhere(~(np.abs(na) <= most))
    if wrong.size:
        place = tuple(wrong[0])
        raise InvalidNetwork(
            f"the constant current of {model.cell(neurons[place[-1]])}, i_offset and current "
            f"sources together, must be in ±{most[place[-1]]:.4g} nA with the scale of its "
            f"potential, not {na[place]:g} nA: give less, or a larger cm"
        )


def carried(
    state: dict[str, IntArray], room: dict[str, IntArray], before: Scales, now: Scales
) -> dict[str, IntArray]:
    """Return the state of a run as a core has it that is programmed anew.

    Parameters
    ----------
    state:
        The state of before (`Core.read_state`).
    room:
        That of the core that goes on, for its shapes.
    before, now:
        The scales of both.

    Raises
    ------
    InvalidNetwork
        Spikes are on their way with delays that there are no longer.
    """
    ratio = now.per_mv / before.per_mv
    moved = now.per_mv * (before.rest - now.rest) + before.origin * ratio - now.origin
    ratios = {"v": ratio}
    for name, column in _COLUMNS.items():
        ratio = now.weight_units[:, column] / before.weight_units[:, column]
        ratios |= {name: ratio, f"{name}_ring": ratio[:, None]}
    made = {}
    for name, empty in room.items():
        old = state.get(name, np.zeros_like(empty))
        if name in ratios:
            old = np.rint(old * ratios[name] + (moved if name == "v" else 0)).astype(np.int64)
        if old.shape != empty.shape:
            old = _reshaped(old, empty.shape)
        made[name] = old
    gone = [name for name in state.keys() - room.keys() if np.any(state[name])]
    if gone and gone != ["i_inh"]:
        refuse_delays()
    return made


def _reshaped(old: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return what is on its way, in more or fewer ticks or relays; it must all have a place."""
    made = np.zeros(shape, np.int64)
    common = tuple(slice(0, min(both)) for both in zip(old.shape, shape, strict=True))
    made[common] = old[common]
    if np.count_nonzero(made) < np.count_nonzero(old) or old.ndim == 2 and old.shape[0] != shape[0]:
        if np.any(old):
            refuse_delays()
    return made


def refuse_delays() -> NoReturn:
    """Raise `InvalidNetwork`, as delays change while spikes are on their way."""
    raise InvalidNetwork(
        "spikes are on their way with delays that the network no longer has: change delays before "
        "the first run, or after reset()"
    )
