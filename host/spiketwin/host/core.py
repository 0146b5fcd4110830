"""One connected core: programming, running, reading and rewriting it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, wraps
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Identity
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import BY_SPACE, STATE, VECTOR_PARAMETERS, Per, Variable, names
from spiketwin.host.cautions import warn_of
from spiketwin.host.device_state import DeviceState
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import InvalidInput
from spiketwin.host.exchange import Statistics
from spiketwin.host.execution import Execution
from spiketwin.host.layout import layout
from spiketwin.host.link import Link
from spiketwin.host.memories import Memories, spaces_of
from spiketwin.host.network import Network, checked_network
from spiketwin.host.plan import Watch, check_not_of_run, clear_mask
from spiketwin.host.populations import Projection
from spiketwin.host.probes import Selection
from spiketwin.host.progress import Steps
from spiketwin.host.runner import Runner
from spiketwin.host.runs import Runs
from spiketwin.host.spikes import Run
from spiketwin.host.stimuli import checked_events, checked_stimuli
from spiketwin.host.threads import checked_threads
from spiketwin.host.timeline import Stopwatch

_RINGS: Final = {v.space: v.name for v in STATE if v.per is Per.NEURON_TICK}
"""The currents that are on their way, which have a row for each neuron."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _exclusive(
    method: Callable[Concatenate[Core, _P], _R],
) -> Callable[Concatenate[Core, _P], _R]:
    """Return a method that has the link to itself while it runs (`Link.exclusive`)."""

    @wraps(method)
    def call(self: Core, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.link.exclusive():
            return method(self, *args, **kwargs)

    return call


class Core:
    """A core at the other end of a link; also a context manager that closes it.

    All arrays have the size of the programmed network, or of the core until one is programmed. If
    the arguments of a call are wrong, it raises before anything is sent. Every call may raise the
    errors of the link (`spiketwin.host.errors.LinkError`).

    Several threads may use a core: their calls take turns. Ctrl-C, and any other exception that the
    handler of a signal raises, ends a call only between two requests. The next call brings the
    device to rest first. Memory that was being written is then half written, and `run` raises
    `HalfWritten` until it has been written again.

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
        """The identity that the device reported: release, sizes, clock and build."""
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

    @_exclusive
    def write_tick(self, tick: int) -> None:
        """Let this be the tick that is executed next, 0…2**32 - 2.

        The noise of learning depends on it: with the tick, the registers, the parameters and the
        state of another core of the same sizes, this one goes on exactly as that one would.
        Raises `InvalidInput` for any other tick.
        """
        self._state.write_tick(tick)

    @property
    @_exclusive
    def last_run(self) -> Run | None:
        """The result of the last run, with all ticks that were executed; None before the first run.

        The exception that breaks a run off carries only the ticks that had come in by then. This
        result also has those that the device executed while it could not be reached.
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
        """Reset the core and write a whole network into it, with the state that it begins with.

        `Network.start` is written once: `clear`, or a run with `clear`, sets it to 0 as all state.
        A network smaller than the core leaves the rest of the core silent. A core without a table
        of projections also holds a network of populations in which no pair has two synapses. The
        noise of stochastic rounding is a function of the numbers of source and neuron in the core,
        so with it a network learns the same only where these are the same.

        Raises
        ------
        InvalidInput
            `net` is not a network.
        InvalidNetwork
            The network contradicts itself.
        DoesNotFit
            The network is more than this core holds; nothing was written.

        Warns
        -----
        SpiketwinWarning
            Something is almost surely a mistake: bounds of weights that are equal or exclude the
            weights at the start, or sums that one tick can make saturate.
        """
        checked_network(net)
        placed = layout(net, self.params)
        values = net.register_values(self.params)
        tables = {
            Space.PROFILE_TABLE: net.profile_values(self.params),
            Space.RULE_TABLE: net.rule_values(self.params),
        }
        arrays = placed.place(net)
        warn_of(net, self.params)
        self._state.half_written.clear()  # everything is written now
        with self._state.writing({"the network": "program the core again"}):
            self._state.reset()
            self._state.layout = placed
            self._memories.write_checked_registers(values)
            for space, columns in tables.items():
                if columns:
                    table = np.array([*columns.values()], np.int64).T
                    self._memories.write(space, table % (1 << 32))
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
        probe: Mapping[str, Selection] | None = None,
        probe_every: int = 1,
        biases: ArrayLike | None = None,
    ) -> Run:
        """Run the network for `ticks` ticks and return the result.

        Ctrl-C, an exception in `progress` or `watch`, or any other exception breaks a run off and
        stops the core after the tick that it is in. The core keeps all of its state, and the next
        run goes on from there: `tick` says where. Events of later ticks are dropped. The exception
        has the part of the run that came in as its attribute `run`, a `Run`; `last_run` has all
        ticks that were executed. Neither `progress` nor `watch` may use the core.

        Parameters
        ----------
        spikes:
            Shape (k, 2): axon events (tick, axon) in any order, ticks counted from the beginning
            of this run. An axon that is named twice in a tick spikes twice.
        ticks:
            Number of ticks, 1 or more.
        tick_period:
            Cycles from tick to tick; 0 is free-running: each tick begins when the last one ends.
        progress:
            Called with (ticks done, ticks) as the run goes on.
        watch:
            Called before `progress` with (first, part): `part` is the `Run` of the ticks that ended
            since the last call, counted from 0, and `first` is the number of its first tick in
            this run. Missed deadlines and late events are known at the end only.
        digests:
            Whether each tick is to report its digest, which costs no cycles.
        clear:
            State that is set to 0 before the run: names as `clear` takes them, or True for all.
        probe:
            State that ticks report as they leave it, as `Run.probes`: a name of `read_state` but
            `pending`, to the numbers of the neurons, or for `trace_pre` of the sources. The core
            reads all elements from the first to the last one of a name.
        probe_every:
            Ticks from one that reports to the next, from the first tick of the run on.
        biases:
            Shape (k, 3): bias events (tick, neuron, bias) in any order. From the tick on, `bias` of
            the neuron is another one, also after the run, until it is written again. Of two rows
            with the same tick and neuron the last one counts.

        Raises
        ------
        InvalidInput
            An argument has a wrong type, a tick, axon or neuron does not exist, a bias does not fit
            the core's `v_width`, or the core's 32-bit count of ticks would overflow.
        DoesNotFit
            One tick has more events than the core's queue holds, digests, probes or bias events are
            asked for and the core has none, it reports fewer states at once, or its queue of output
            words is too small for a report.
        HalfWritten
            An earlier write was broken off, and its data have not been written again.
        """
        _check_callbacks(progress, watch)

        def execute(begun: list[Runner], stopwatch: Stopwatch) -> Run:
            events = self._placed(checked_events(spikes, ticks, self._state.layout.n_axons))
            plan = self._execution.plan(
                events, ticks, 1, tick_period, digests, clear, {},
                probes=self._execution.probes(probe, probe_every),
                biases=self._execution.biases(biases, ticks),
            )  # fmt: skip
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
        """Run the network once for each stimulus, one run after the other, in one call.

        The result is that of calling `clear`, `write_registers` and `run` for each stimulus, but
        the requests of many runs are pipelined and their results are decoded together, which is
        several times as fast for short runs. An exception breaks the runs off as in `run`; its
        attribute `runs` has the runs that came to their end, as `Runs`, and its attribute `run` all
        ticks that came in. Registers that change from run to run are then half written until they
        are written again.

        On a target that can do so (`model:`), independent free-running runs are spread over
        threads. Runs are independent if all state is cleared before each and nothing learns, as far
        as the host knows from `program` and `write_registers`. They do not use the link, so they
        have no ledger. If they are broken off, none of them counts as run and the core is as it was
        before; `watch` is called when all are over.

        Parameters
        ----------
        stimuli:
            The axon events of each run, as `run` takes them.
        ticks:
            Number of ticks of each run, 1 or more.
        clear:
            State that is set to 0 before each run: names as `clear` takes them, or True for all.
        registers:
            Registers that are written before each run: name to one value for all runs, or to an
            array of shape (runs,). They keep the values of the last run.
        tick_period, digests:
            As `run` takes them.
        progress:
            Called with (runs done, runs) as runs end.
        watch:
            Called after each run, before `progress`, with the number of the run and its result.
        threads:
            Most threads that the runs may be spread over; by default the number of processors
            that this program may use.

        Raises
        ------
        InvalidInput, DoesNotFit, HalfWritten
            As `run` and `write_registers` raise them, and if there are no stimuli. Nothing was
            sent.
        """
        _check_callbacks(progress, watch)
        most_threads = checked_threads(threads)

        def execute(begun: list[Runner], stopwatch: Stopwatch) -> Run:
            events = self._placed(checked_stimuli(stimuli, ticks, self._state.layout.n_axons))
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

    def _placed(self, events: IntArray) -> IntArray:
        """Give axon events the numbers that their axons have in the core."""
        events[:, 1] = self._state.layout.axons[events[:, 1]]
        return events

    # --- memories --------------------------------------------------------------------------------

    @_exclusive
    def read_weights(self, projection: Projection | None = None) -> IntArray:
        """Return the weights of a projection, in the shape of `Projection.weights`.

        Without a projection, return those of all sources to all neurons, shape (n_axons +
        n_neurons, n_neurons); where a pair has several synapses, this is their sum, and where it
        has none, 0. They are the weights that act, which is what is stored and what a rule has
        drifted by.

        Raises `InvalidInput` if the projection is not of the network that was programmed last, or
        if the core has projections and none was programmed by this host.
        """
        return self._memories.read_synapses(Space.WEIGHT, projection)

    @_exclusive
    def write_weights(self, weights: ArrayLike, projection: Projection | None = None) -> None:
        """Write all weights of a projection, in the shape in which `read_weights` returns them.

        Without a projection, write those of an all-to-all network; one of populations is refused.
        """
        self._memories.write_synapses(Space.WEIGHT, weights, projection, "write_weights")

    @_exclusive
    def read_plastic(self, projection: Projection | None = None) -> NDArray[np.bool_]:
        """Return the plastic flags, in the shapes of `read_weights`.

        Without a projection they say whether any synapse of a pair is plastic. Raises `DoesNotFit`
        for a core without learning.
        """
        return self._memories.read_synapses(Space.PLASTIC, projection) > 0

    @_exclusive
    def write_plastic(self, plastic: ArrayLike, projection: Projection | None = None) -> None:
        """Write all plastic flags of a projection, in the shape in which `read_plastic` returns.

        Without a projection, write those of an all-to-all network. Raises `DoesNotFit` for a core
        without learning, and for a projection in which nothing was plastic when it was programmed.
        """
        self._memories.write_plastic(plastic, projection)

    @_exclusive
    def read_synapse_delay(self, projection: Projection | None = None) -> IntArray:
        """Return the delays of synapses in ticks, in the shapes of `read_weights`.

        Raises `DoesNotFit` for a core without delays of synapses.
        """
        return self._memories.read_synapses(Space.SYNAPSE_DELAY, projection)

    @_exclusive
    def write_synapse_delay(self, delays: ArrayLike, projection: Projection | None = None) -> None:
        """Write all delays of synapses, in the shape in which `read_synapse_delay` returns them.

        Without a projection, write those of an all-to-all network. Currents that are on their way
        arrive when they were due. Raises `DoesNotFit` for a core without delays of synapses.
        """
        self._memories.write_synapses(
            Space.SYNAPSE_DELAY, delays, projection, "write_synapse_delay"
        )

    @_exclusive
    def read_parameters(self) -> dict[str, IntArray]:
        """Return the parameters of all neurons and sources: name to array, of shape (n_neurons,).

        That of `source_profile` is (n_sources,).

        The names are the `VECTOR_PARAMETERS` of `spiketwin.hdl.spec.variables` that the core has.
        """
        return {p.name: self._memories.read_array(p.space) for p in self._neuron_parameters()}

    @_exclusive
    def write_parameters(self, /, **arrays: ArrayLike) -> None:
        """Write parameters of all neurons, by the names of `read_parameters`.

        A scalar fills the array.
        """
        allowed = names(self._neuron_parameters())
        self._memories.write_arrays(spaces_of(arrays, allowed), "write_parameters")

    def _neuron_parameters(self) -> list[Variable]:
        return [p for p in VECTOR_PARAMETERS if p.is_built(self.params)]

    @_exclusive
    def read_state(self) -> dict[str, IntArray]:
        """Return all state: name to array, of shape (n_neurons,), or (n_sources,) for `trace_pre`.

        `pending` is 1 for the neurons that fired in the last tick, whose spikes are delivered in
        the next. The traces are missing on a core without learning.

        With delays there are relays: for each source and delay one, in the order of the sources and
        then of the delays. `trace_pre` has their traces behind those of the sources, and
        `relay_ring`, of shape (relays, ticks), is 1 for the spikes on their way: element (k, d)
        for relay k in d ticks, where 0 is the next one. A relay takes what the one of the next
        shorter delay lets out, so the ticks are as many as the longest difference.

        With delays of synapses `i_syn_ring`, and with two receptors `i_inh_ring`, of shape
        (n_neurons, ticks), are the currents on their way: element (j, d) is that of neuron j in d
        ticks, where 0 is the next one.

        With windows `drift_sum`, of shape (n_rules,), is what each rule has drifted by, in 1/65536
        weight units.
        """
        state: dict[str, IntArray] = {}
        for name in names(STATE):
            if name == "pending":
                state[name] = self._memories.read_pending()
            elif name == "relay_ring":
                if self._state.layout.relay_numbers.size:
                    state[name] = self._memories.read_relay_ring()
            elif name in _RINGS.values():
                if self._memories.has(Space[name.upper()]):
                    state[name] = self._memories.read_currents(Space[name.upper()])
            elif self._memories.has(Space[name.upper()]):
                state[name] = self._memories.read_array(Space[name.upper()])
        return state

    @_exclusive
    def write_state(self, /, **arrays: ArrayLike) -> None:
        """Write state, by the names of `read_state`; a scalar fills the array.

        Set the tick before (`write_tick`), as the spikes on their way are due at ticks.
        """
        spaces = spaces_of(arrays, names(STATE))
        write: dict[Space, Callable[[IntArray], None]] = {
            Space.PENDING: self._memories.write_pending,
            Space.RELAY_RING: self._memories.write_relay_ring,
        }
        write |= {space: partial(self._memories.write_currents, space) for space in _RINGS}
        checked: dict[Space, IntArray] = {}
        # In this order: writing `pending` clears the spikes that are on their way, too.
        for space in [each for each in write if each in spaces]:
            shape = self._state.layout.shape(self._memories.built(space))
            limits = BY_SPACE[space].limits(self.params) if space in _RINGS else (0, 1)
            checked[space] = integers(space.name.lower(), spaces.pop(space), shape, limits)
        self._memories.write_arrays(spaces, "write_state")
        for space, values in checked.items():
            with self._state.writing({space.name.lower(): "write it again (`write_state`)"}):
                write[space](values)

    @_exclusive
    def read_registers(self) -> dict[str, int]:
        """Return all registers of the core: name to value."""
        table = self._state.settings.table
        raw = self._memories.read(Space.REGISTER, len(table))
        return {
            name: int(raw[index].astype(np.int32)) if register.signed else int(raw[index])
            for name, (index, register) in table.items()
        }

    @_exclusive
    def write_registers(self, /, **values: int) -> None:
        """Write registers by name (`spiketwin.hdl.spec.registers`); decays are given as codes.

        Raises
        ------
        InvalidInput
            This core has no such register, a value is out of range, or every run sets the register
            itself.
        DoesNotFit
            `v_floor` would make neurons fire that the network does not have.
        """
        for name, value in values.items():
            # A run without the argument sets these registers to 0 as well, so 0 is allowed.
            if not (isinstance(value, int | np.integer) and value == 0):
                check_not_of_run(name)
        self._memories.write_registers(values)

    @_exclusive
    def read_profiles(self) -> dict[str, IntArray]:
        """Return what profiles hold: name to array of shape (n_profiles,), decays as codes.

        Raises `DoesNotFit` for a core with one profile, in which all of it are registers.
        """
        return self._memories.read_table(Space.PROFILE_TABLE)

    @_exclusive
    def write_profiles(self, /, **values: ArrayLike) -> None:
        """Write what profiles hold, by the names of `read_profiles`; a scalar fills the array.

        Raises
        ------
        InvalidInput
            Profiles hold no such thing, or a value is out of range.
        DoesNotFit
            The core has one profile, or `v_floor` would make neurons fire that the network does not
            have.
        """
        self._memories.write_table(Space.PROFILE_TABLE, values)

    @_exclusive
    def read_rules(self) -> dict[str, IntArray]:
        """Return what rules hold: name to array of shape (n_rules,).

        Raises `DoesNotFit` for a core with one rule, in which all of it are registers.
        """
        return self._memories.read_table(Space.RULE_TABLE)

    @_exclusive
    def write_rules(self, /, **values: ArrayLike) -> None:
        """Write what rules hold, by the names of `read_rules`; a scalar fills the array.

        Raises
        ------
        InvalidInput
            Rules hold no such thing, or a value is out of range.
        DoesNotFit
            The core has one rule.
        """
        self._memories.write_table(Space.RULE_TABLE, values)

    @_exclusive
    def read_windows(self) -> IntArray:
        """Return the tables of windows: shape (n_rules, 256), or (n_rules, 512) for 16 ticks.

        Raises `DoesNotFit` for a core without windows.
        """
        form = self._state.formats[self._memories.built(Space.WINDOW_TABLE)]
        return self._memories.read(form.space, form.size).reshape(self.params.n_rules, -1)

    @_exclusive
    def write_windows(self, tables: ArrayLike) -> None:
        """Write all tables of windows, as `read_windows` returns them.

        Raises
        ------
        InvalidInput
            The array has another shape, or an entry is out of range.
        DoesNotFit
            The core has no windows.
        """
        form = self._state.formats[self._memories.built(Space.WINDOW_TABLE)]
        shape = self.params.n_rules, self.params.window_entries
        checked = integers("tables", tables, shape, form.limits())
        with self._state.writing({"window_table": "write it again (`write_windows`)"}):
            self._memories.write(form.space, checked)

    @_exclusive
    def read_counters(self) -> dict[str, int]:
        """Return the counters of the device: name to value."""
        self._state.settle()
        return self._state.read_counters()

    @_exclusive
    def clear(self, *names: str) -> None:
        """Set the named state to 0, or all state if no name is given.

        Names are v, i_syn, refrac_count, pending, traces and theta. Raises `InvalidInput` for any
        other name.
        """
        mask = clear_mask(names or True)
        self._state.settle()
        self._link.run([self._state.settings.clear(mask)])

    @_exclusive
    def reset(self) -> None:
        """Set state, registers, tick and counters to 0 and empty the queues.

        The time constants and the learning rules are registers too; `program` sets them again.
        Weights, plastic flags and neuron parameters stay.
        """
        self._state.reset()

    @_exclusive
    def set_baud(self, baud: int) -> int:
        """Change the bits per second of the link at both ends; return the rate of the device.

        Raises `InvalidInput` for a rate that the device cannot make. Raises `LinkTimeout` for a
        rate that the line does not carry; the link is then back at the rate it was opened with.
        """
        self._state.settle()
        return self._link.set_baud(baud)


def _check_callbacks(progress: object, watch: object) -> None:
    if progress is None and watch is None:
        return
    for name, function in (("progress", progress), ("watch", watch)):
        if function is not None and not callable(function):
            raise InvalidInput(f"{name} must be a function, not {shown(function)}")
