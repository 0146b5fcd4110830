"""The current sources: what each injects in every tick, as the biases of its neurons.

A current that begins at a time acts from the tick on that begins then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyNN.parameters import ParameterSpace, Sequence
from pyNN.standardmodels import StandardCurrentSource, electrodes

from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.cells import untranslated
from spiketwin.host.pynn.given import check_parameters, check_values, taking
from spiketwin.host.pynn.wrong import InvalidKind

Reals = NDArray[np.float64]

_NEAR = 1e-6  # ms by which a time may be off that of a tick, and count as that


@taking(
    __init__="parameters of this source by name",
    set_parameters="parameters of this source by name",
    inject_into="a population, a view, an assembly, or a list of cells",
)
class Injection(StandardCurrentSource):
    """A current source that is computed tick by tick.

    Attributes
    ----------
    cells:
        The cells that it injects into.
    """

    def __init__(self, **parameters: Any) -> None:
        check_parameters(self, parameters)
        space = ParameterSpace(self.default_parameters, self.get_schema(), shape=(1,))
        space.update(**parameters)
        self.parameter_space = space
        self.cells: list[Any] = []
        self._drawn: dict[int, float] = {}
        self._recorded_from: int | None = None
        simulator.state.currents.append(self)

    def inject_into(self, cells: Iterable[Any]) -> None:
        """Inject into cells; raise `TypeError` for sources of spikes."""
        chosen = list(cells)
        if not all(cell.celltype.injectable for cell in chosen):
            raise InvalidKind("Can't inject current into a spike source: name neurons")
        if self not in simulator.state.currents:  # one that was made before `setup`
            simulator.state.currents.append(self)
        self.cells += chosen
        simulator.state.changed()

    def set_parameters(self, copy: bool = True, **parameters: Any) -> None:
        """Set parameters by name."""
        check_parameters(self, parameters)
        super().set_parameters(copy, **parameters)

    def set_native_parameters(self, parameters: Any) -> None:
        """Set parameters, which have PyNN's names and units."""
        parameters.evaluate(simplify=True)
        check_values(type(self).__name__, dict(parameters.items()))
        for name, value in parameters.items():
            self.parameter_space.update(**{name: value})

    def get_native_parameters(self) -> Any:
        """Return all parameters."""
        return self.parameter_space

    def value(self, name: str) -> Any:
        """Return a parameter as a number, or an array of numbers."""
        (found,) = np.atleast_1d(self.parameter_space[name].evaluate())
        return np.asarray(found.value, float) if isinstance(found, Sequence) else float(found)

    def record(self) -> None:
        """Record the current from now on, for `get_data`."""
        self._recorded_from = simulator.state.tick

    def _get_data(self) -> tuple[Reals, Reals]:
        if self._recorded_from is None:
            raise InvalidInput("the current was not recorded: call record() before the run")
        ticks = np.arange(self._recorded_from, simulator.state.tick + 1)
        return _times(ticks), self.current(ticks)

    def changes(self) -> Reals:
        """Return the times in ms at which the current begins, ends, or takes a step."""
        return np.array([self.value("start"), self.value("stop")])

    def off_grid(self) -> Reals:
        """Return the `changes` that lie between two ticks."""
        found, dt = self.changes(), float(simulator.state.dt)
        return found[np.abs(np.rint(found / dt) * dt - found) > _NEAR]

    def current(self, ticks: IntArray) -> Reals:
        """Return the current in nA that acts in each tick."""
        times = _times(ticks) + _NEAR
        begins, ends = self.value("start"), self.value("stop")
        on = (times >= begins) & (times < ends)
        return np.where(on, self._while_on(times, begins), 0.0)

    def _while_on(self, times: Reals, begins: float) -> Reals:
        raise NotImplementedError


class DCSource(Injection, electrodes.DCSource):
    """PyNN's `DCSource`, as biases of its neurons."""

    translations = untranslated(electrodes.DCSource)

    def _while_on(self, times: Reals, begins: float) -> Reals:
        return np.full(times.shape, self.value("amplitude"))


class ACSource(Injection, electrodes.ACSource):
    """PyNN's `ACSource`, as biases of its neurons."""

    translations = untranslated(electrodes.ACSource)

    def _while_on(self, times: Reals, begins: float) -> Reals:
        cycles = self.value("frequency") * (times - _NEAR - begins) / 1000.0
        phase = np.deg2rad(self.value("phase"))
        wave: Reals = np.sin(2 * np.pi * cycles + phase)
        current: Reals = self.value("offset") + self.value("amplitude") * wave
        return current


class StepCurrentSource(Injection, electrodes.StepCurrentSource):
    """PyNN's `StepCurrentSource`, as biases of its neurons."""

    translations = untranslated(electrodes.StepCurrentSource)

    def changes(self) -> Reals:
        """Return the times of all steps in ms."""
        return np.atleast_1d(self.value("times"))

    def current(self, ticks: IntArray) -> Reals:
        """Return the current in nA that acts in each tick."""
        times, amplitudes = self.value("times"), self.value("amplitudes")
        if times.shape != amplitudes.shape or np.any(np.diff(times) < 0) or np.any(times < 0):
            raise InvalidInput(
                "times and amplitudes of a StepCurrentSource must be of one length, and times "
                f"ascend from 0 on: they are {times.tolist()} and {amplitudes.tolist()}"
            )
        steps = np.searchsorted(times, _times(ticks) + _NEAR, side="right")
        found: Reals = np.concatenate([[0.0], amplitudes])[steps]
        return found


class NoisyCurrentSource(Injection, electrodes.NoisyCurrentSource):
    """PyNN's `NoisyCurrentSource`, as biases of its neurons."""

    translations = untranslated(electrodes.NoisyCurrentSource)

    def __init__(self, **parameters: Any) -> None:
        self._rng = parameters.pop("rng", None)
        if self._rng is not None and not hasattr(self._rng, "next"):
            raise InvalidInput(
                f"rng of a NoisyCurrentSource must be a random number generator such as "
                f"NumpyRNG(), not {shown(self._rng)}"
            )
        parameters.setdefault("dt", simulator.state.dt)
        super().__init__(**parameters)

    def _while_on(self, times: Reals, begins: float) -> Reals:
        """Return the values of the intervals, each of which is drawn once."""
        numbers = np.floor((times - begins) / self.value("dt")).astype(int)
        mean, spread = self.value("mean"), self.value("stdev")
        place = simulator.state.currents.index(self)
        for number in np.unique(numbers[numbers >= 0]).tolist():
            if number not in self._drawn:
                seed = (simulator.state.options.rng_seed, place, number)
                self._drawn[number] = (
                    float(np.random.default_rng(seed).standard_normal())
                    if self._rng is None
                    else float(self._rng.next(1, "normal", {"mu": 0.0, "sigma": 1.0})[0])
                )
        return np.array([mean + spread * self._drawn.get(k, 0.0) for k in numbers.tolist()])


def _times(ticks: IntArray) -> Reals:
    """Return when ticks begin, in ms."""
    times: Reals = ticks.astype(np.float64) * float(simulator.state.dt)
    return times
