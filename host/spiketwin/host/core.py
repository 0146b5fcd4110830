"""One connected core: programming, running, reading and rewriting it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from types import TracebackType
from typing import Concatenate, Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, WORD_BYTES, Identity, Opcode
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    RUN_REGISTERS,
    ClearMask,
    Space,
    counters,
    space_formats,
)
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import NEURON_PARAMETERS, STATE, names
from spiketwin.host import access
from spiketwin.host.account import Account
from spiketwin.host.cautions import warn_of
from spiketwin.host.decoding import decode_network, decode_nothing
from spiketwin.host.elements import IntArray, blocks, integers
from spiketwin.host.errors import DoesNotFit, HalfWritten, InvalidInput, LinkError
from spiketwin.host.exchange import Request, Statistics, arguments
from spiketwin.host.link import Link
from spiketwin.host.network import Network, Placement, checked_network
from spiketwin.host.plan import Plan, Settings, Watch, check_not_of_run, clear_mask
from spiketwin.host.progress import Steps
from spiketwin.host.runner import ANY_WAIT, Runner
from spiketwin.host.runs import Runs
from spiketwin.host.spikes import Run, Saturations
from spiketwin.host.stimuli import checked_events, checked_stimuli
from spiketwin.host.threads import checked_threads
from spiketwin.host.timeline import Activity, Stopwatch
from spiketwin.host.transport import RunApart

_LAST_TICK: Final = (1 << 32) - 1

_REGISTER_AGAIN: Final = "write it again (`write_registers`)"
"""What mends a register that was half written."""

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
        self._formats = space_formats(self.params)
        self._settings = Settings(self.params)
        self._placement = Placement(self.params.n_axons, self.params.n_neurons, self.params)
        self._tick = 0
        self._known_registers: dict[str, int] = {}  # where their values are known
        self._half_written: dict[str, str] = {}  # what it is, and what mends it
        self._runner: Runner | None = None  # of a run whose words are still to come
        self._last_begun: Runner | None = None
        self._counted: dict[str, int] | None = None  # the counters before the next one, if known
        self._last_run: Run | None = None
        self._settled = False
        with link.exclusive():
            self._settle()

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
        self._settle()
        return self._tick

    @property
    @_exclusive
    def last_run(self) -> Run | None:
        """What the last run put out; of one that was broken off, all ticks that were executed.

        None before the first run. Unlike what the exception carries that broke a run off, it has
        the ticks that the device went on executing when it could not be reached.
        """
        self._settle()
        if self._last_run is None and self._last_begun is not None:
            # Broken off before the device knew of it.
            self._last_begun.broken_off = True
            self._last_run = self._last_begun.result()
        return self._last_run

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
        arrays = placement.place(net)
        values = net.register_values(self.params)
        warn_of(net, self.params)
        self._half_written.clear()  # all of it is written now
        with self._writing({"the network": "program the core again"}):
            self.reset()
            self._placement = placement
            self.write_registers(**values)
            for space, array in arrays.items():
                self._write(space, array)

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
            events = checked_events(spikes, ticks, self._placement.n_axons)
            plan = self._plan(events, ticks, 1, tick_period, digests, clear, {})
            return self._execute(plan, progress, watch, begun, stopwatch)

        return self._telling(execute)

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
            events = checked_stimuli(stimuli, ticks, self._placement.n_axons)
            given = {} if registers is None else registers
            plan = self._plan(
                events, ticks, len(stimuli), tick_period, digests, clear, given, many=True
            )
            run_apart = self._link.run_apart
            if run_apart is not None and self._can_run_apart(plan, most_threads):
                run = self._run_apart(plan, run_apart, most_threads, progress)
                try:
                    self._show(Runs(plan.ticks, run), watch)
                except BaseException as error:
                    error.__dict__["run"] = run
                    raise
                return run
            return self._execute(
                plan, plan.of_runs(progress), plan.of_parts(watch), begun, stopwatch
            )

        try:
            return Runs(int(ticks), self._telling(execute))
        except BaseException as error:
            if "run" in error.__dict__:
                error.__dict__["runs"] = Runs.of_whole(int(ticks), error.__dict__["run"])
            raise

    def _telling(self, execute: Callable[[list[Runner], Stopwatch], Run]) -> Run:
        """Execute runs; what came in until they are broken off is told by the exception.

        `execute` is given a list that takes the runner, from when on anything may have come in.
        """
        begun: list[Runner] = []
        try:
            with self._link.exclusive(), self._link.timed() as stopwatch:
                return execute(begun, stopwatch)
        except BaseException as error:
            for runner in begun:
                runner.broken_off = True
                with suppress(LinkError):  # where the device reports what no core does
                    error.__dict__["run"] = part = runner.result()
                    error.add_note(
                        f"The run was broken off with {len(part.cycles)} of {runner.ticks} ticks "
                        "come in, which the attribute `run` of this exception has. `core.tick` "
                        "says where the core is, and `core.run` goes on from there."
                    )
            raise

    def _plan(
        self,
        events: IntArray,
        ticks: int,
        runs: int,
        tick_period: int,
        digests: bool,
        clear: bool | Iterable[str],
        registers: Mapping[str, ArrayLike],
        many: bool = False,
    ) -> Plan:
        """Check what is asked for, as far as `checked_events` has not; nothing is sent yet."""
        settings = self._settings
        self._check_queue(events, int(ticks), many)
        if not isinstance(registers, Mapping):
            raise InvalidInput(
                f"registers must be a mapping of names to values, not {shown(registers)}"
            )
        for name in registers:
            check_not_of_run(name)
        plan = Plan(
            events, int(ticks), runs, settings.period(tick_period), settings.digests(digests),
            clear_mask(clear),
            {name: settings.checked(name, each, (runs,)) for name, each in registers.items()}, many,
        )  # fmt: skip
        if "v_floor" in plan.registers:
            self._placement.check_floor(int(plan.registers["v_floor"].max()))
        for what, mend in self._half_written.items():
            if what not in plan.registers:  # which are written again
                raise HalfWritten(f"writing {what} was broken off: {mend} before it is run")
        return plan

    def _execute(
        self,
        plan: Plan,
        progress: Steps | None,
        watch: Watch | None,
        begun: list[Runner],
        stopwatch: Stopwatch,
    ) -> Run:
        self._settle()
        self._check_ticks(plan)
        runner = Runner(
            self.identity, self._tick, plan,
            self._settings, dict(self._known_registers), progress, watch,
            self._placement.n_neurons, self._link.calling_back,
        )  # fmt: skip
        begun.append(runner)
        self._last_begun, self._last_run = runner, None
        reads = plan.tick_period > 0 or self.params.saturation_counters
        if self._counted is None or (reads and "tick" not in self._counted):
            self._counted = self._count(reads)
        counters = self._carry_out(runner, reads)
        run = self._keep(runner, counters, (runner.account(stopwatch, self._link.line),))
        stopwatch.lap(Activity.DECODE)
        stopwatch.stop()
        return run

    def _can_run_apart(self, plan: Plan, threads: int) -> bool:
        """Whether the runs of a plan can be spread over threads, none depending on another."""
        return (
            min(threads, plan.runs) > 1
            and self._link.run_apart is not None
            and plan.starts_anew
            and not plan.tick_period
            and not self._learns(plan)
        )

    def _learns(self, plan: Plan) -> bool:
        """Whether weights may change in any run of a plan, which the next one would see."""
        if not self.params.learning:
            return False
        known = self._known_registers
        return any(
            bool(np.any(plan.registers.get(name, known.get(name, 1))))
            for name in ("learn_pre", "learn_post")
        )

    def _run_apart(
        self,
        plan: Plan,
        run_apart: RunApart,
        threads: int,
        progress: Steps | None,
    ) -> Run:
        """Have the device carry out runs on several threads, all or none of them."""
        self._settle()
        self._check_ticks(plan)
        before = self._count(self.params.saturation_counters)

        told = 0

        def report(done: int) -> None:
            nonlocal told
            self._link.heed()
            if progress is not None and done > told:
                told = done
                with self._link.calling_back():
                    progress(done, plan.runs)

        try:
            words = np.frombuffer(run_apart(plan, threads, report), "<u4")
        except BaseException as error:  # nothing of it was done
            error.__dict__["run"] = Run(*decode_nothing(self.params))
            raise
        ticks = plan.runs * plan.ticks
        decoded = decode_network(words, ticks, self.params, plan.digests, self._placement.n_neurons)
        self._tick += ticks
        self._known_registers |= self._settings.behind(plan)
        for name in plan.registers:
            self._half_written.pop(name, None)
        self._counted = self._count(self.params.saturation_counters)
        self._last_run = run = Run(*decoded, saturations=Saturations.between(before, self._counted))
        return run

    def _show(self, runs: Runs, watch: Watch | None) -> None:
        if watch is not None:
            for number, run in enumerate(runs):
                with self._link.calling_back():
                    watch(number, run)

    def _check_ticks(self, plan: Plan) -> None:
        if self._tick + plan.runs * plan.ticks > _LAST_TICK:
            raise InvalidInput(
                f"the core is at tick {self._tick} and counts to {_LAST_TICK}: program it again, "
                "or run less"
            )

    def _carry_out(self, runner: Runner, reads: bool) -> dict[str, int]:
        """Have the device carry out a run, or bring it to rest where that is broken off.

        Gives the counters behind it, which are read with `reads`.
        """
        self._settled, self._runner = False, runner
        written = self._settings.changed(runner.plan, self._known_registers)
        self._half_written |= dict.fromkeys(written, _REGISTER_AGAIN)
        for name in (*RUN_REGISTERS, *written):
            self._known_registers.pop(name, None)  # known again when they have been written
        try:
            self._link.run(runner.program())
            counters = self._count(reads)
        except BaseException as error:
            runner.broken_off = True
            if not isinstance(error, LinkError):  # with one that failed the next call tries
                with suppress(LinkError):
                    self._settle()
            raise
        for name in written:
            self._half_written.pop(name)
        self._known_registers |= self._settings.behind(runner.plan)
        self._tick += runner.ticks
        self._settled = True
        return counters

    # --- memories --------------------------------------------------------------------------------

    @_exclusive
    def read_weights(self) -> IntArray:
        """Weights, shape (n_axons + n_neurons, n_neurons)."""
        return self._read_array(Space.WEIGHT)

    @_exclusive
    def write_weights(self, weights: ArrayLike) -> None:
        """Write all weights, shaped as `read_weights` gives them."""
        self._write_arrays({Space.WEIGHT: weights}, "write_weights")

    @_exclusive
    def read_plastic(self) -> NDArray[np.bool_]:
        """Plastic flags, shape (n_axons + n_neurons, n_neurons); `DoesNotFit` without learning."""
        return self._read_array(self._built(Space.PLASTIC)).astype(np.bool_)

    @_exclusive
    def write_plastic(self, plastic: ArrayLike) -> None:
        """Write all plastic flags, shaped as `read_plastic` gives them."""
        self._write_arrays({Space.PLASTIC: plastic}, "write_plastic")

    @_exclusive
    def read_parameters(self) -> dict[str, IntArray]:
        """Read the parameters of all neurons: name to array of shape (n_neurons,).

        They are the `NEURON_PARAMETERS` of `spiketwin.hdl.spec.variables`.
        """
        return {name: self._read_array(Space[name.upper()]) for name in names(NEURON_PARAMETERS)}

    @_exclusive
    def write_parameters(self, /, **arrays: ArrayLike) -> None:
        """Write any of what `read_parameters` gives; a scalar fills the array."""
        self._write_arrays(_spaces(arrays, names(NEURON_PARAMETERS)), "write_parameters")

    @_exclusive
    def read_state(self) -> dict[str, IntArray]:
        """Read all state: name to array, one entry a neuron, but for `trace_pre` with one a source.

        `pending` is 1 for the neurons that fired in the last tick, whose spikes are delivered in
        the next. The traces are missing on a core without learning.
        """
        state: dict[str, IntArray] = {}
        for name in names(STATE):
            if name == "pending":
                state[name] = self._read_pending()
            elif Space[name.upper()] in self._formats:
                state[name] = self._read_array(Space[name.upper()])
        return state

    @_exclusive
    def write_state(self, /, **arrays: ArrayLike) -> None:
        """Write any of what `read_state` gives; a scalar fills the array."""
        spaces = _spaces(arrays, names(STATE))
        flags = None
        if Space.PENDING in spaces:
            shape = (self._placement.n_neurons,)
            flags = integers("pending", spaces.pop(Space.PENDING), shape, (0, 1))
        self._write_arrays(spaces, "write_state")
        if flags is not None:
            with self._writing({"pending": "write it again (`write_state`)"}):
                self._write_pending(flags)

    @_exclusive
    def read_registers(self) -> dict[str, int]:
        """Read all registers of the core: name to value."""
        table = self._settings.table
        raw = self._read(Space.REGISTER, len(table))
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
        self._write_registers(values)

    def _write_registers(self, values: dict[str, int]) -> None:
        checked = {name: int(self._settings.checked(name, v)) for name, v in values.items()}
        if "v_floor" in checked:
            self._placement.check_floor(checked["v_floor"])
        self._settle()
        for name in checked:
            self._known_registers.pop(name, None)  # known again when it has been written
        with self._writing(dict.fromkeys(checked.keys() - RUN_REGISTERS, _REGISTER_AGAIN)):
            self._link.run(self._settings.write(name, value) for name, value in checked.items())
        self._known_registers |= checked

    @_exclusive
    def read_counters(self) -> dict[str, int]:
        """Read the counters of the device: name to value."""
        self._settle()
        return self._read_counters()

    @_exclusive
    def clear(self, *names: str) -> None:
        """Set state to 0: any of v, i_syn, refrac_count, pending, traces, theta; all if none named.

        Raises `InvalidInput` for another name.
        """
        mask = clear_mask(names or True)
        self._settle()
        self._link.run([self._settings.clear(mask)])

    @_exclusive
    def reset(self) -> None:
        """Set state, registers, tick and counters to 0 and empty the queues.

        Registers are the time constants and the learning rules, too: `program` sets them again.
        Weights, plastic flags and neuron parameters stay.
        """
        self._settled, self._known_registers, self._counted = False, {}, None
        self._link.request(Request(Opcode.RESET, cycles=self._stop_cycles()))
        if self._runner is not None:
            with suppress(LinkError):  # where the device reports what no core does
                self._keep(self._runner, {})  # the rest of its words is gone
            self._counted = None
        self._tick = 0
        self._known_registers = dict.fromkeys(self._settings.table, 0)
        self._settled = True

    @_exclusive
    def set_baud(self, baud: int) -> int:
        """Change the rate of the link at both ends; return the rate of the device.

        Raises `InvalidInput` for a rate that the device cannot make, and `LinkTimeout`, back at
        the rate the link was opened with, for one that the line does not carry.
        """
        self._settle()
        return self._link.set_baud(baud)

    # --- underneath ------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Bring a device that may be in the middle of a run, ours or another's, to rest.

        It stays as the last whole tick left it; events of later ticks are dropped. Each step can be
        done again: where this is broken off, the next call does it all. What a run of ours had put
        out by then is kept.
        """
        if self._settled:
            return
        self._link.request(Request(Opcode.STOP, result_bytes=4, cycles=self._stop_cycles()))
        runner, full, answers = self._runner, WORD_BYTES * MAX_FETCH_WORDS, list[int]()

        def take(answer: bytes) -> None:
            answers.append(len(answer))
            if runner is not None:
                runner.take(answer)

        fetch = Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, MAX_FETCH_WORDS, ANY_WAIT),
            result_bytes=full,
            result_item_bytes=WORD_BYTES,
            cycles=self._stop_cycles(),
            on_result=take,
        )
        # A short answer tells that the run is over and its words are all out.
        most_words = self.params.spike_queue_depth + self.params.max_words_per_tick
        for _ in range(most_words // MAX_FETCH_WORDS + 1):
            self._link.run([fetch])
            if answers[-1] < full:
                break
        else:
            raise LinkError(
                f"the device has more than the {most_words} output words that it can hold: switch "
                "it off and on, and connect again"
            )
        counters = self._count(reads=True)
        self._tick = counters["tick"]
        if runner is not None:
            self._keep(runner, counters)
        self._counted = counters
        self._settled = True

    def _count(self, reads: bool) -> dict[str, int]:
        """Give the counters, where they are to be read, and those that a model tells by itself."""
        return (self._read_counters() if reads else {}) | self._link.saturations()

    def _keep(
        self, runner: Runner, counters: dict[str, int], accounts: tuple[Account, ...] = ()
    ) -> Run:
        """Make what a run put out the last one, given what is known of the counters after it."""
        before = self._counted or {}
        if "tick" in counters and "tick" in before:
            runner.missed_deadlines = counters["missed_deadlines"] - before["missed_deadlines"]
            runner.late_events = counters["late_events"] - before["late_events"]
        runner.saturations = Saturations.between(before, counters)
        self._counted = counters  # nothing is counted between two runs
        self._runner = None
        self._last_run = run = runner.result(accounts)
        return run

    def _stop_cycles(self) -> int:
        # The tick under way, and the sweep of a clear, which takes less than a tick.
        return 2 * self._settings.most_cycles

    def _check_queue(self, events: IntArray, ticks: int, many: bool) -> None:
        depth = self.params.event_queue_depth
        if len(events) > depth:
            crowded = np.flatnonzero(events[depth:, 0] == events[:-depth, 0])
            if crowded.size:
                run, tick = divmod(int(events[crowded[0], 0]), ticks)
                which = f"stimuli[{run}]: " if many else ""
                raise DoesNotFit(
                    f"{which}tick {tick} has more events than the event queue of "
                    f"this core holds ({depth}): take a core with a larger event_queue_depth"
                )

    def _built(self, space: Space) -> Space:
        if space not in self._formats:
            raise DoesNotFit(
                f"this core has no {space.name.lower()}: connect to one built with learning"
            )
        return space

    def _read_array(self, space: Space) -> IntArray:
        fmt = self._formats[self._built(space)]
        values = self._read(space, fmt.size)
        if fmt.rows > 1:
            values = values.reshape(fmt.rows, fmt.columns)
        return self._placement.extract(space, values)

    def _write_arrays(self, arrays: dict[Space, ArrayLike], method: str) -> None:
        """Write whole spaces, all of them checked first; `method` can be told to do it again."""
        placed = {}
        for space, values in arrays.items():
            limits = self._formats[self._built(space)].limits()
            checked = integers(space.name.lower(), values, self._placement.shape(space), limits)
            placed[space] = self._placement.embed(space, checked)
        again = f"write it again (`{method}`)"
        with self._writing({space.name.lower(): again for space in placed}):
            for space, whole in placed.items():
                self._write(space, whole)

    @contextmanager
    def _writing(self, things: dict[str, str]) -> Iterator[None]:
        """Know of things, each with what mends it, as half written until the end of the block."""
        self._half_written |= things
        yield
        for thing in things:
            self._half_written.pop(thing, None)

    def _read_pending(self) -> IntArray:
        self._settle()
        count, groups = self._read_counters()["pending_groups"], self.params.neuron_groups
        if count > groups:
            raise LinkError(
                f"the device reports {count} of {groups} groups as pending: program it again"
            )
        entries = self._read(Space.PENDING, count) if count else np.empty(0, np.int64)
        if count and entries.max() >> PENDING_MASK_BITS >= groups:
            raise LinkError(
                f"the device reports group {entries.max() >> PENDING_MASK_BITS} of {groups} as "
                "pending: program it again"
            )
        flags = np.zeros((self.params.neuron_groups, self.params.neuron_lanes), np.int64)
        mask = entries[:, None] >> np.arange(self.params.neuron_lanes) & 1
        flags[entries >> PENDING_MASK_BITS] = mask
        return self._placement.extract(Space.PENDING, flags.reshape(-1))

    def _write_pending(self, flags: IntArray) -> None:
        whole = self._placement.embed(Space.V, flags)  # laid out as any vector of neurons
        lanes = whole.reshape(self.params.neuron_groups, self.params.neuron_lanes)
        masks = (lanes << np.arange(self.params.neuron_lanes)).sum(axis=1)
        groups = np.flatnonzero(masks)
        if groups.size:
            self._write(Space.PENDING, groups << PENDING_MASK_BITS | masks[groups])
        else:
            self._settle()
            self._link.run([self._settings.clear(ClearMask.PENDING)])

    def _read_counters(self) -> dict[str, int]:
        built = counters(self.params)
        values = self._read_elements(Space.COUNTER, len(built))
        return {counter.name: int(v) for counter, v in zip(built, values, strict=True)}

    def _read(self, space: Space, count: int) -> IntArray:
        self._settle()
        return self._read_elements(space, count)

    def _read_elements(self, space: Space, count: int) -> IntArray:
        """Read the first `count` elements of a space."""
        fmt = self._formats[space]
        values: list[IntArray] = []
        self._link.run(access.read(fmt, i, n, values.append) for i, n in blocks(fmt, 0, count))
        return np.concatenate(values)

    def _write(self, space: Space, values: IntArray) -> None:
        """Write the first elements of a space."""
        self._settle()
        fmt = self._formats[space]
        flat = values.reshape(-1)
        self._link.run(
            access.write(fmt, index, flat[index : index + n])
            for index, n in blocks(fmt, 0, flat.size)
        )


def _check_callbacks(progress: object, watch: object) -> None:
    if progress is None and watch is None:
        return
    for name, function in (("progress", progress), ("watch", watch)):
        if function is not None and not callable(function):
            raise InvalidInput(f"{name} must be a function, not {shown(function)}")


def _spaces(arrays: dict[str, ArrayLike], names: tuple[str, ...]) -> dict[Space, ArrayLike]:
    for name in arrays:
        if name not in names:
            allowed = ", ".join(names)
            raise InvalidInput(f"there is no {shown(name)} to write: it is one of {allowed}")
    return {Space[name.upper()]: values for name, values in arrays.items()}
