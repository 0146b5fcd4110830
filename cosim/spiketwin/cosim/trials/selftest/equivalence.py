"""The check of computation: random networks on target and model, equal in everything.

Registers, parameters, weights, flags, state and spikes are drawn from the tables of the
specification, so that a new register or memory is drawn as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from spiketwin.cosim.compare.equality import Behaviour, Inequality, unequal
from spiketwin.hdl.spec.arithmetic import DECAY_AT_ONCE, DECAY_NONE, decay_code
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import RUN_REGISTERS, Space, registers, space_formats
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Variable, names
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.progress import Steps
from spiketwin.host.targets import connect

MODEL: Final = "model:"

_ACTIVITY: Final = (0.0, 0.02, 0.1, 0.5, 1.0)
"""Share of the axons that spike in a tick."""


@dataclass(frozen=True)
class EquivalenceReport(Result):
    """The comparison with the model.

    Attributes
    ----------
    networks, ticks, neuron_updates, spikes:
        Random networks that were run, up to the first difference, and their ticks, updates of
        neurons and spikes, of all networks together.
    difference:
        The first difference, in words; null if there is none.
    """

    networks: int
    ticks: int
    neuron_updates: int
    spikes: int
    difference: str | None

    @property
    def passed(self) -> bool:
        """Whether everything was equal, and enough happened to tell."""
        return self.difference is None and self.spikes > 0


def check(core: Core, networks: int, ticks: int, seed: int, progress: Steps) -> EquivalenceReport:
    """Run random networks on a core and on a model of its sizes, up to the first difference.

    Raise `SpiketwinError` as `spiketwin.cosim.trials.selftest.check`.
    """
    tried, spikes, difference = 0, 0, None
    with connect(MODEL, params=core.params) as model:
        while tried < networks and difference is None:
            case = RandomCase.random(core.params, ticks, np.random.default_rng((seed, 2, tried)))
            expected, got = case.behaviour(model), case.behaviour(core)
            spikes += len(expected.run.spikes)
            found = next(iter(unequal(expected, got).values()), None)
            if found is not None:
                difference = f"network {tried} of seed {seed}: {described(found)}"
            tried += 1
            progress(tried, networks)
    updates = tried * ticks * core.params.n_neurons
    return EquivalenceReport(tried, tried * ticks, updates, spikes, difference)


@dataclass(frozen=True, eq=False)
class RandomCase:
    """One random network, its first state, and spikes.

    Attributes
    ----------
    registers:
        Name to value.
    arrays:
        Every writable space but the registers, and `pending` as a flag for each neuron.
    events:
        Shape (k, 2): (tick, axon).
    ticks:
        Length of the run.
    """

    registers: dict[str, int]
    arrays: dict[str, IntArray]
    events: IntArray
    ticks: int

    @classmethod
    def random(cls, params: CoreParams, ticks: int, rng: np.random.Generator) -> RandomCase:
        """Draw a network with extreme values that fires neither always nor never."""
        arrays = {}
        for fmt in space_formats(params).values():
            if fmt.writable and fmt.space not in (Space.REGISTER, Space.PENDING):
                shape = (fmt.rows, fmt.columns) if fmt.rows > 1 else (fmt.columns,)
                arrays[fmt.space.name.lower()] = _magnitudes(rng, *fmt.limits(), shape)
        low, high = space_formats(params)[Space.WEIGHT].limits()
        arrays["weight"] = rng.integers(low // 2, high, arrays["weight"].shape, endpoint=True)
        # As high as the input from some of the axons within a few ticks.
        drive = min(high * params.n_axons, space_formats(params)[Space.THRESHOLD].limits()[1])
        arrays["threshold"] = rng.integers(drive // 8, drive, params.n_neurons, endpoint=True)
        longest = min(8, space_formats(params)[Space.REFRAC_TICKS].limits()[1])
        arrays["refrac_ticks"] = rng.integers(0, longest, params.n_neurons, endpoint=True)
        arrays["pending"] = (rng.random(params.n_neurons) < 0.2).astype(np.int64)
        return cls(
            {
                r.name: _setting(rng, r, params)
                for r in registers(params)
                if r.name not in RUN_REGISTERS
            },
            arrays,
            _events(rng, params, ticks),
            ticks,
        )

    def behaviour(self, core: Core) -> Behaviour:
        """Run on a core that is as large as the trial was drawn for."""
        core.reset()
        core.write_registers(**self.registers)
        rest = dict(self.arrays)
        core.write_weights(rest.pop("weight"))
        if core.params.learning:
            core.write_plastic(rest.pop("plastic"))
        own = [name for name in names(VECTOR_PARAMETERS) if name in rest]
        core.write_parameters(**{name: rest.pop(name) for name in own})
        core.write_state(**rest)
        run = core.run(self.events, self.ticks)
        return Behaviour(run, {"weight": core.read_weights()} | core.read_state())


def _magnitudes(
    rng: np.random.Generator, low: int, high: int, shape: tuple[int, ...] = ()
) -> IntArray:
    """Draw numbers uniform in magnitude (log scale), of both signs if the range has both."""
    bits = rng.integers(0, high.bit_length(), shape, endpoint=True)
    values = rng.integers(0, (1 << bits) - 1, shape, endpoint=True)
    return np.where((rng.random(shape) < 0.5) & (low < 0), -1 - values, values)


def _setting(rng: np.random.Generator, register: Variable, params: CoreParams) -> int:
    """Draw the value of a register."""
    low, high = register.limits(params)
    if register.is_decay:
        tau = float(10 ** rng.uniform(0, 3))
        return int(rng.choice([DECAY_NONE, DECAY_AT_ONCE, *[decay_code(tau)] * 6]))
    value = int(_magnitudes(rng, low, high))
    if register.name in ("v_floor", "w_min"):
        return min(value, -1 - value)
    return max(value, -1 - value) if register.name == "w_max" else value


def _events(rng: np.random.Generator, params: CoreParams, ticks: int) -> IntArray:
    """Draw axon events, some twice: ticks from silent to full, as far as the queue holds them."""
    share = rng.choice(_ACTIVITY, ticks)
    shape = (ticks, params.n_axons)
    times = (rng.random(shape) < share[:, None]) * rng.choice((1, 1, 1, 2), shape)
    times[times.cumsum(axis=1) > params.event_queue_depth] = 0
    return np.repeat(np.argwhere(times), times[times > 0], axis=0)


_PLURALS: Final = {
    "spike": "spikes",
    "spike_cycle": "spike_cycles",
    "update_cycle": "update_cycles",
    "weight": "weights",
}
"""Names of fields in the description of a difference, if they are not those of `Inequality`."""


def described(found: Inequality) -> str:
    """Return a sentence about where the model and the target differ, with the values."""
    name = _PLURALS.get(found.field, found.field)
    expected, got = map(str, found.values)
    if found.tick is None:
        where = f"{name}[{', '.join(map(str, found.element))}] after the run"
    else:
        neuron = "".join(f", neuron {neuron}" for neuron in found.element)
        where = f"tick {found.tick}{neuron}: {name}"
    if found.field == "spike":
        expected, got = ("a spike" if value else "none" for value in found.values)
    return f"{where}: expected {expected}, got {got}"
