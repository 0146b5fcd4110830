"""The state that all parts of the back end share; PyNN asks for it as `simulator.state`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyNN import common, errors

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.text import shown
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput, InvalidNetwork
from spiketwin.host.kinds import Target
from spiketwin.host.pynn.report import Report, reported
from spiketwin.host.pynn.session import Session

name: Final = "spiketwin"
"""Name of the simulator in the annotations of recorded data."""

FIRST_STEP: Final = 0.1
"""PyNN's usual time step, in ms, which holds until `setup` is called."""

_MOST_TICKS: Final = (1 << 32) - 2
"""Ticks that a core counts."""

NEAR: Final = 1e-6
"""Part of a tick by which a time may be off the grid and still be on it."""


class ID(int, common.IDMixin):
    """The number of a cell, which also gives access to its parameters."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a parameter or a property; a name that is neither is an error."""
        if name != "parent" and not hasattr(type(self), name):
            known = self.celltype.get_parameter_names()
            if name not in known:
                raise errors.NonExistentParameterError(name, type(self.celltype).__name__, known)
        common.IDMixin.__setattr__(self, name, value)


@dataclass(frozen=True)
class Options:
    """The options of `setup`, checked.

    Attributes
    ----------
    targets:
        The targets that run the network; data are those of the first one.
    v_width, weight_width:
        Bits of potentials and of weights in a core whose sizes are open.
    params:
        Sizes of such a core; None for the smallest one that holds the network.
    rng_seed:
        Seed of what the host draws: Poisson sources and noisy currents.
    """

    targets: tuple[str | Target, ...] = ("model:",)
    v_width: int = 24
    weight_width: int = 16
    params: str | CoreParams | None = None
    rng_seed: int = 1


class State:
    """A simulation: its network, its time, and the session that runs it.

    Attributes
    ----------
    dt:
        Length of a tick in ms.
    tick:
        Number of the tick that is run next, from 0 on after a reset.
    populations, projections, currents:
        All populations, projections and current sources, in the order in which they were made.
    session:
        What runs the network; None before the first run and after a reset.
    ended:
        Whether `end` was called, after which nothing can run.
    """

    num_processes = 1
    mpi_rank = 0

    def __init__(self) -> None:
        self.session: Session | None = None
        self.begin(FIRST_STEP, "auto", "auto", Options())

    def begin(self, dt: float, min_delay: Any, max_delay: Any, options: Options) -> None:
        """Forget the network of before, and begin with another one."""
        self.close()
        self.dt = dt
        self.options = options
        self._min_delay, self._max_delay = min_delay, max_delay
        self.populations: list[Any] = []
        self.projections: list[Any] = []
        self.currents: list[Any] = []
        self.recorders: set[Any] = set()
        self.write_on_end: list[Any] = []
        self.id_counter = 1
        self.segment_counter = 0
        self.resets = 0
        self.ended = False
        self._reported: Session | None = None
        self._start()

    def _start(self) -> None:
        self.tick = 0
        self.t_start = 0
        self.running = False
        self.restructured = False
        self.fresh: set[tuple[Any, str]] = set()

    @property
    def t(self) -> float:
        """The time in ms."""
        return self.tick * self.dt

    @property
    def min_delay(self) -> float:
        """The least delay in ms: that of `setup`, or else a tick."""
        return self.dt if self._min_delay == "auto" else float(self._min_delay)

    @property
    def max_delay(self) -> float:
        """The longest delay in ms: that of `setup`, or else any."""
        return math.inf if self._max_delay == "auto" else float(self._max_delay)

    @property
    def bounds_delays(self) -> bool:
        """Whether `setup` was told a least or a longest delay."""
        return bool(self._min_delay != "auto" or self._max_delay != "auto")

    @property
    def delay_bounds(self) -> tuple[float, float]:
        """The least and the longest delay in ms that a connection may be given.

        Where `setup` was not told the least one, shorter ones are rounded to a tick.
        """
        return 0.0 if self._min_delay == "auto" else float(self._min_delay), self.max_delay

    def ticks(self, times: NDArray[np.float64]) -> IntArray:
        """Return times in whole ticks, rounded up unless on the grid within 1e-6 ticks."""
        return np.ceil(times / self.dt - NEAR).astype(np.int64)

    def changed(self) -> None:
        """Take note that parameters are others than before."""
        if self.session is not None:
            self.session.stale = True

    def grown(self) -> None:
        """Take note that there is a population or a projection more."""
        self.restructured = self.session is not None

    def initialized(self, population: Any, variable: str) -> None:
        """Take note that a variable of a population has a new value, which holds from now on."""
        self.fresh.add((population, variable))

    def run_until(self, end: float) -> None:
        """Run until `end`, in ms, or the first tick after it: a run never ends before it was due.

        PyNN calls this again and again, with the times of callbacks, until its own end is reached.
        """
        if self.ended:
            raise InvalidInput("the simulation was ended: call setup() to begin another one")
        if self.restructured:
            raise InvalidNetwork(
                "populations or projections were made after the first run, and a core has one "
                "network from the first run on: make them before, or call reset() first"
            )
        if not 0 <= end / self.dt <= _MOST_TICKS:
            raise InvalidInput(
                f"the end of a run must be in 0…{_MOST_TICKS * self.dt:g} ms, which is what a core "
                f"counts in ticks of {self.dt:g} ms, not {end}"
            )
        last = math.ceil(end / self.dt - NEAR)
        if self.session is None:
            self.session = self._reported = Session(self, last)
        self.session.run(last - self.tick)
        if last - end / self.dt > NEAR:
            self.session.note(
                f"Runs end with a tick of {self.dt:g} ms: one until {end:g} ms went on until "
                f"{last * self.dt:g} ms."
            )
        self.running = True

    def reset(self) -> None:
        """Go back to time 0, to the initial values and to the initial weights."""
        self.close()
        for projection in self.projections:
            projection.restore_weights()
        for recorder in self.recorders:
            recorder.restart()
        self.segment_counter += 1
        self.resets += 1
        self._start()
        for population in self.populations:
            for variable in population.initial_values:
                self.initialized(population, variable)

    def close(self) -> None:
        """End the session; what was recorded and learned stays."""
        if self.session is not None:
            self.session.close()
        self.session = None

    def report(self) -> Report:
        """Return the report of the last run; raise `InvalidInput` before the first one."""
        if self._reported is None:
            raise InvalidInput("there is no report before the first run: call run() first")
        return reported(self, self._reported)


def checked_targets(given: object) -> tuple[str | Target, ...]:
    """Return the targets of `setup`; raise `InvalidInput` for what is none."""
    targets = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not targets or not all(isinstance(each, str | Target) for each in targets):
        raise InvalidInput(
            f"target must be an address such as 'model:' or 'float:', or a list of some, not "
            f"{shown(given)}"
        )
    return tuple(each for each in targets if isinstance(each, str | Target))


state: Final = State()
