"""One connected core: programming, running, reading and rewriting it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Identity
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import NEURON_PARAMETERS, STATE, Variable, names
from spiketwin.host.cautions import warn_of
from spiketwin.host.device_state import DeviceState
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import InvalidInput
from spiketwin.host.exchange import Statistics
from spiketwin.host.execution import Execution
from spiketwin.host.link import Link
from spiketwin.host.memories import Memories, spaces_of
from spiketwin.host.network import Network, Placement, checked_network
from spiketwin.host.plan import Watch, check_not_of_run, clear_mask
from spiketwin.host.progress import Steps
from spiketwin.host.runner import Runner
from spiketwin.host.runs import Runs
from spiketwin.host.spikes import Run
from spiketwin.host.stimuli import checked_events, checked_stimuli
from spiketwin.host.threads import checked_threads
from spiketwin.host.timeline import Stopwatch

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _exclusive(
    method: Callable[Concatenate[Core, _P], _R],
) -> Callable[Concatenate[Core, _P], _R]:
    """Have a method use the link for itself (`Link.exclusive`)."""

    @wraps(method)
    def call(self: Core, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.link.exclusive():
            return method(self, *args, **kwargs)

    return call


class Core:
    """A core at the other end of a link; also a context manager that closes it.

    All arrays are in the size of the network programmed, or of the core before that. A call whose
    arguments are wrong raises before anything is sent. Every call may raise the errors of the link
    (`spiketwin.host.errors.LinkError`).

    Several threads may use a core: their calls take turns. Ctrl-C, and whatever else the handler of
    a signal raises, ends a call where nothing is half done in the device. The call after that
    brings the device to rest first, whatever it was that ended the one before. What was being
    written is then half written, and `run` says so until it has been written again.

    Parameters
    ----------
    link:
        An open link; the core closes it.
    """

    def __init__(self, link: Link) -> None:
        if not isinstance(link, Link):
            raise InvalidInput(
                f"link must be an open Link, not {shown(link)}: `connect` makes a core"
            )
        self._link = link
        self.params: CoreParams = link.identity.params
        self._state = DeviceState(link)
        self._memories = Memories(self._state)
        self._execution = Execution(self._state)
        with link.exclusive():
            self._state.settle()

    def __repr__(self) -> str:
        p = self.params
        return f"Core({p.n_axons} axons, {p.n_neurons} neurons, build {self.identity.build!r})"

    def __enter__(self) -> Core:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.close("the end of its `with` block")

    @property
    def identity(self) -> Identity:
        """What the device said it is: release, sizes, clock and build."""
        return self._link.identity

    @property
    def link(self) -> Link:
        """The link underneath, for requests that no method here makes."""
        return self._link

    @property
    @_exclusive
    def tick(self) -> int:
        """The tick that is executed next, counted since the last `program` or `reset`."""
        self._state.settle()
        return self._state.tick

    @property
    @_exclusive
    def last_run(self) -> Run | None:
        """What the last run put out; of one that was broken off, all ticks that were executed.

        None before the first run. Unlike what the exception carries that broke a run off, it has
        the ticks that the device went on executing when it could not be reached.
        """
        self._state.settle()
        return self._state.last_run()

    @property
    def statistics(self) -> Statistics:
        """Frames, losses and round trips of the link so far."""
        return self._link.statistics

    def close(self) -> None:
        """Close the link; the core keeps what it holds. Any further call raises `CoreClosed`."""
        self._link.close()

    # --- networks and runs -----------------------------------------------------------------------

    @_exclusive
    def program(self, net: Network) -> None:
        """Reset the core and write a whole network into it.

        A network smaller than the core leaves the rest silent. Noise is a function of the source's
        number in the core, so with stochastic rounding the same network learns alike only on cores
        with as many axons.

        Raises
        ------
        InvalidInput
            It is no network.
        InvalidNetwork
            The network is wrong in itself.
        DoesNotFit
            It is more than this core holds; nothing was written.

        Warns (`SpiketwinWarning`) of what is almost surely a mistake: bounds of weights that are
        equal or exclude where weights begin, and sums that one tick can make saturate.
        """
        checked_network(net)
        placement = Placement(net.n_axons, net.n_neurons, self.params)
        values = net.register_values(self.params)
        arrays = placement.place(net)
        warn_of(net, self.params)
        self._state.half_written.clear()  # all of it is written now
        with self._state.writing({"the network": "program the core again"}):
            self._state.reset()
            self._state.placement = placement
            self._memories.write_checked_registers(values)
            for space, array in arrays.items():
                self._memories.write(space, array)

    def run(
        self,
        spikes: ArrayLike,
        ticks: int,
        tick_period: int = 0,
        progress: Steps | None = None,
        watch: Watch | None = None,
        digests: bool = False,
        clear: bool | Iterable[str] = False,
    ) -> Run:
        """Run the network for `ticks` ticks and return what it put out.

        Ctrl-C, an exception in `progress` or `watch`, or whatever else breaks a run off, stops the
        core after the tick that it is in. There it stays, with all of its state, and goes on from
        there with the next run: `tick` says where. Events of later ticks are dropped. The exception
        has the part of the run that came in as its attribute `run`, a `Run`; `last_run` has all
        ticks that were executed. Neither `progress` nor `watch` may use the core.

        Parameters
        ----------
        spikes:
            Shape (k, 2): axon events (tick, axon), ticks counted from the beginning of this run,
            in any order; equal events are one.
        ticks:
            1 or more.
        tick_period:
            Cycles from tick to tick; 0: each tick begins when the one before is over.
        progress:
            Called with (ticks done, ticks) as the run goes on.
        watch:
            Called before that with what came in: (first, part), where `part` is the `Run` of the
            ticks that ended since the last call, and counts them from 0, and `first` is the
            first of them in this run. Missed deadlines and late events are known at the end only.
        digests:
            Whether each tick is to report its digest, which costs it no cycles.
        clear:
            What is set to 0 before the run: names of state, as of `clear`, or True for all.

        Raises
        ------
        InvalidInput
            An argument is of a wrong kind, a tick or axon does not exist, or the core's 32-bit tick
            would be passed.
        DoesNotFit
            One tick has more events than the core's queue holds, or there are to be digests and the
            core has none.
        HalfWritten
            What was written before was broken off, and has not been written again.
        """
        _check_callbacks(progress, watch)

        def execute(begun: list[Runner], stopwatch: Stopwatch) -> Run:
            events = checked_events(spikes, ticks, self._state.placement.n_axons)
            plan = self._execution.plan(events, ticks, 1, tick_period, digests, clear, {})
            return self._execution.over_link(plan, progress, watch, begun, stopwatch)

        return self._execution.attaching_what_came_in(execute)

    def run_many(
        self,
        stimuli: Sequence[ArrayLike],
        ticks: int,
        *,
        clear: bool | Iterable[str] = False,
        registers: Mapping[str, ArrayLike] | None = None,
        tick_period: int = 0,
        progress: Steps | None = None,
        watch: Watch | None = None,
        digests: bool = False,
        threads: int | None = None,
    ) -> Runs:
        """Run the network once for each stimulus, one run after the other, by one call.

        The core does as if `clear`, `write_registers` and `run` were called for each, but requests
        of many runs are under way at a time, and results are decoded together. It is several times
        as fast where runs are short. What breaks it off does as in `run`; the exception has as its
        attribute `runs` the runs that came to their end, as `Runs`, and in `run` all ticks that
        came in. Registers that change from run to run are half written then, until they are written
        again.

        Where the target can (`model:`), free-running runs that do not depend on each other are
        spread over threads: those before which all state is cleared, and in which nothing learns,
        as the host knows from `program` and `write_registers`. Nothing of them passes the link, so
        that they have no ledger. Broken off, none of them was done, and the core is as it was;
        `watch` is called when all are over.

        Parameters
        ----------
        stimuli:
            For each run, its axon events as of `run`.
        ticks:
            Of each run, 1 or more.
        clear:
            What is set to 0 before each run: names of state, as of `clear`, or True for all.
        registers:
            Registers that are written before each run: name to a value, or to one for each run,
            shape (runs,). They stay as the last run had them.
        tick_period, digests:
            As of `run`.
        progress:
            Called with (runs done, runs) as it goes on.
        watch:
            Called before that, after each run, with its number and what it put out.
        threads:
            How many threads it may be spread over; as many as there are processors for this
            program if not given.

        Raises
        ------
        InvalidInput, DoesNotFit, HalfWritten
            As `run` and `write_registers`, and where there are no stimuli. Nothing was sent.
        """
        _check_callbacks(progress, watch)
        most_threads = checked_threads(threads)

        def execute(begun: list[Runner], stopwatch: Stopwatch) -> Run:
            events = checked_stimuli(stimuli, ticks, self._state.placement.n_axons)
            given = {} if registers is None else registers
            plan = self._execution.plan(
                events, ticks, len(stimuli), tick_period, digests, clear, given, many=True
            )
            return self._execution.many(plan, most_threads, progress, watch, begun, stopwatch)

        try:
            return Runs(int(ticks), self._execution.attaching_what_came_in(execute))
        except BaseException as error:
            if "run" in error.__dict__:
                error.__dict__["runs"] = Runs.of_whole(int(ticks), error.__dict__["run"])
            raise

    # --- memories --------------------------------------------------------------------------------

    @_exclusive
    def read_weights(self) -> IntArray:
        """Weights, shape (n_axons + n_neurons, n_neurons)."""
        return self._memories.read_array(Space.WEIGHT)

    @_exclusive
    def write_weights(self, weights: ArrayLike) -> None:
        """Write all weights, shaped as `read_weights` gives them."""
        self._memories.write_arrays({Space.WEIGHT: weights}, "write_weights")

    @_exclusive
    def read_plastic(self) -> NDArray[np.bool_]:
        """Plastic flags, shape (n_axons + n_neurons, n_neurons); `DoesNotFit` without learning."""
        return self._memories.read_array(self._memories.built(Space.PLASTIC)).astype(np.bool_)

    @_exclusive
    def write_plastic(self, plastic: ArrayLike) -> None:
        """Write all plastic flags, shaped as `read_plastic` gives them."""
        self._memories.write_arrays({Space.PLASTIC: plastic}, "write_plastic")

    @_exclusive
    def read_parameters(self) -> dict[str, IntArray]:
        """Read the parameters of all neurons: name to array of shape (n_neurons,).

        They are those `NEURON_PARAMETERS` of `spiketwin.hdl.spec.variables` that the core has.
        """
        return {p.name: self._memories.read_array(p.space) for p in self._neuron_parameters()}

    @_exclusive
    def write_parameters(self, /, **arrays: ArrayLike) -> None:
        """Write any of what `read_parameters` gives; a scalar fills the array."""
        allowed = names(self._neuron_parameters())
        self._memories.write_arrays(spaces_of(arrays, allowed), "write_parameters")

    def _neuron_parameters(self) -> list[Variable]:
        return [p for p in NEURON_PARAMETERS if p.is_built(self.params)]

    @_exclusive
    def read_state(self) -> dict[str, IntArray]:
        """Read all state: name to array, with one entry a neuron, of `trace_pre` one a source.

        `pending` is 1 for the neurons that fired in the last tick, whose spikes are delivered in
        the next. The traces are missing on a core without learning.
        """
        state: dict[str, IntArray] = {}
        for name in names(STATE):
            if name == "pending":
                state[name] = self._memories.read_pending()
            elif self._memories.has(Space[name.upper()]):
                state[name] = self._memories.read_array(Space[name.upper()])
        return state

    @_exclusive
    def write_state(self, /, **arrays: ArrayLike) -> None:
        """Write any of what `read_state` gives; a scalar fills the array."""
        spaces = spaces_of(arrays, names(STATE))
        flags = None
        if Space.PENDING in spaces:
            shape = (self._state.placement.n_neurons,)
            flags = integers("pending", spaces.pop(Space.PENDING), shape, (0, 1))
        self._memories.write_arrays(spaces, "write_state")
        if flags is not None:
            with self._state.writing({"pending": "write it again (`write_state`)"}):
                self._memories.write_pending(flags)

    @_exclusive
    def read_registers(self) -> dict[str, int]:
        """Read all registers of the core: name to value."""
        table = self._state.settings.table
        raw = self._memories.read(Space.REGISTER, len(table))
        return {
            name: int(raw[index].astype(np.int32)) if register.signed else int(raw[index])
            for name, (index, register) in table.items()
        }

    @_exclusive
    def write_registers(self, /, **values: int) -> None:
        """Write registers by name (`spiketwin.hdl.spec.registers`), decays as their codes.

        Raises
        ------
        InvalidInput
            There is no such register in this core, a value is out of range, or every run sets the
            register itself.
        DoesNotFit
            `v_floor` would make neurons fire that the network does not have.
        """
        for name, value in values.items():
            # At 0 they are as a run without the argument sets them.
            if not (isinstance(value, int | np.integer) and value == 0):
                check_not_of_run(name)
        self._memories.write_registers(values)

    @_exclusive
    def read_counters(self) -> dict[str, int]:
        """Read the counters of the device: name to value."""
        self._state.settle()
        return self._state.read_counters()

    @_exclusive
    def clear(self, *names: str) -> None:
        """Set state to 0: any of v, i_syn, refrac_count, pending, traces, theta; all if none named.

        Raises `InvalidInput` for another name.
        """
        mask = clear_mask(names or True)
        self._state.settle()
        self._link.run([self._state.settings.clear(mask)])

    @_exclusive
    def reset(self) -> None:
        """Set state, registers, tick and counters to 0 and empty the queues.

        Registers are the time constants and the learning rules, too: `program` sets them again.
        Weights, plastic flags and neuron parameters stay.
        """
        self._state.reset()

    @_exclusive
    def set_baud(self, baud: int) -> int:
        """Change the rate of the link at both ends; return the rate of the device.

        Raises `InvalidInput` for a rate that the device cannot make, and `LinkTimeout`, back at
        the rate the link was opened with, for one that the line does not carry.
        """
        self._state.settle()
        return self._link.set_baud(baud)


def _check_callbacks(progress: object, watch: object) -> None:
    if progress is None and watch is None:
        return
    for name, function in (("progress", progress), ("watch", watch)):
        if function is not None and not callable(function):
            raise InvalidInput(f"{name} must be a function, not {shown(function)}")
