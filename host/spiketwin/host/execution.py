"""Runs, checked and executed: over the link, or on several threads of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spiketwin.hdl.spec.registers import RUN_REGISTERS, limits
from spiketwin.hdl.spec.text import shown
from spiketwin.host.decoding import decode_network, decode_nothing
from spiketwin.host.device_state import REGISTER_AGAIN, DeviceState
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, HalfWritten, InvalidInput, LinkError
from spiketwin.host.plan import Plan, Watch, check_not_of_run, clear_mask
from spiketwin.host.probes import Probes, Selection, checked_probes
from spiketwin.host.progress import Steps
from spiketwin.host.runner import Runner
from spiketwin.host.runs import Runs
from spiketwin.host.spikes import Run, Saturations
from spiketwin.host.stimuli import NO_BIASES, checked_biases
from spiketwin.host.timeline import Activity, Stopwatch
from spiketwin.host.transport import RunApart

_LAST_TICK: Final = (1 << 32) - 1


class Execution:
    """Checks the arguments of runs, and has the device execute them.

    Parameters
    ----------
    state:
        The known state of the device.
    """

    def __init__(self, state: DeviceState) -> None:
        self._state = state

    def plan(
        self,
        events: IntArray,
        ticks: int,
        runs: int,
        tick_period: int,
        digests: bool,
        clear: bool | Iterable[str],
        registers: Mapping[str, ArrayLike],
        many: bool = False,
        probes: Probes | None = None,
        biases: IntArray = NO_BIASES,
    ) -> Plan:
        """Return the plan of runs whose events were checked; nothing is sent.

        Raises `InvalidInput`, `DoesNotFit` or `HalfWritten` as `Core.run` and `Core.run_many`.
        """
        state = self._state
        settings = state.settings
        self._check_queue(np.sort(np.append(events[:, 0], biases[:, 0])), int(ticks), many)
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
            probes, biases,
        )  # fmt: skip
        if "v_floor" in plan.registers:
            state.layout.check_floor(int(plan.registers["v_floor"].max()))
        for what, mend in state.half_written.items():
            if what not in plan.registers:  # the plan writes its registers again
                raise HalfWritten(f"writing {what} was broken off: {mend} before it is run")
        return plan

    def probes(self, given: Mapping[str, Selection] | None, every: int) -> Probes | None:
        """Return what a run is to report of its state; raises as `Core.run`."""
        state = self._state
        return checked_probes(given, every, state.params, state.layout.extract)

    def biases(self, given: ArrayLike | None, ticks: int) -> IntArray:
        """Return the bias events of a run, by the neurons of the core; raises as `Core.run`.

        The number of ticks has been checked.
        """
        params, placed = self._state.params, self._state.layout
        allowed = limits(params.v_width, signed=True)
        rows = checked_biases(
            NO_BIASES if given is None else given, ticks, placed.n_neurons, allowed
        )
        if len(rows) and not params.bias_events:
            raise DoesNotFit(
                "this core has no bias events: connect to one built with bias_events=True "
                "(`params=net.core_params(bias_events=True)` where the target is simulated)"
            )
        rows[:, 1] = placed.neurons[rows[:, 1]]
        return rows

    def attaching_what_came_in(self, execute: Callable[[list[Runner], Stopwatch], Run]) -> Run:
        """Return the result of `execute`, or attach to its exception the ticks that came in.

        Parameters
        ----------
        execute:
            Function that executes runs, called with an empty list and a stopwatch. It appends its
            runner to the list before any words can come in.
        """
        state = self._state
        begun: list[Runner] = []
        try:
            with state.link.exclusive(), state.link.timed() as stopwatch:
                return execute(begun, stopwatch)
        except BaseException as error:
            for runner in begun:
                runner.broken_off = True
                with suppress(LinkError):  # the words may be malformed
                    error.__dict__["run"] = part = runner.result()
                    error.add_note(
                        f"The run was broken off with {len(part.cycles)} of {runner.ticks} ticks "
                        "come in, which the attribute `run` of this exception has. `core.tick` "
                        "says where the core is, and `core.run` goes on from there."
                    )
            raise

    def over_link(
        self,
        plan: Plan,
        progress: Steps | None,
        watch: Watch | None,
        begun: list[Runner],
        stopwatch: Stopwatch,
    ) -> Run:
        """Execute a plan by requests over the link, and return the result.

        Parameters
        ----------
        plan:
            The runs.
        progress, watch:
            As `Runner` takes them.
        begun:
            List to which the runner is appended.
        stopwatch:
            Takes the times of the run.
        """
        state = self._state
        state.settle()
        self._check_ticks(plan)
        runner = Runner(
            state.link.identity, state.tick, plan,
            state.settings, dict(state.known_registers), progress, watch,
            state.layout.numbers, state.link.calling_back, state.link.fetch,
        )  # fmt: skip
        begun.append(runner)
        state.begin(runner)
        reads = plan.tick_period > 0 or state.params.saturation_counters
        if state.counted is None or (reads and "tick" not in state.counted):
            state.counted = state.count(reads)
        counters = self._carry_out(runner, reads)
        run = state.keep(runner, counters, (runner.account(stopwatch, state.link.line),))
        stopwatch.lap(Activity.DECODE)
        stopwatch.stop()
        return run

    def many(
        self,
        plan: Plan,
        threads: int,
        progress: Steps | None,
        watch: Watch | None,
        begun: list[Runner],
        stopwatch: Stopwatch,
    ) -> Run:
        """Execute the plan of several runs, on threads if the target can, and return the result.

        Parameters
        ----------
        plan:
            The runs.
        threads:
            Most threads that the runs may be spread over.
        progress, watch:
            As `Core.run_many` takes them.
        begun, stopwatch:
            As `over_link` takes them.
        """
        run_apart = self._state.link.run_apart
        if run_apart is None or not self._can_run_apart(plan, threads):
            return self.over_link(
                plan, plan.of_runs(progress), plan.of_parts(watch), begun, stopwatch
            )
        run = self._run_apart(plan, run_apart, threads, progress)
        try:
            self._show(Runs(plan.ticks, run), watch)
        except BaseException as error:
            error.__dict__["run"] = run
            raise
        return run

    def _can_run_apart(self, plan: Plan, threads: int) -> bool:
        """Return whether the runs of a plan are independent, so that threads can share them."""
        return (
            min(threads, plan.runs) > 1
            and plan.starts_anew
            and not plan.tick_period
            and not self._learns(plan)
        )

    def _learns(self, plan: Plan) -> bool:
        """Return whether any run of a plan may change weights, on which the next would depend."""
        state = self._state
        if not state.params.learning:
            return False
        known = state.known_registers
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
        """Execute runs on several threads of the target: all of them, or none on an exception."""
        state = self._state
        state.settle()
        self._check_ticks(plan)
        before = state.count(state.params.saturation_counters)
        reported = 0

        def report(done: int) -> None:
            nonlocal reported
            state.link.check_interrupts()
            if progress is not None and done > reported:
                reported = done
                with state.link.calling_back():
                    progress(done, plan.runs)

        try:
            words = np.frombuffer(run_apart(plan, threads, report), "<u4")
        except BaseException as error:  # none of the runs counts as executed
            error.__dict__["run"] = Run(*decode_nothing(state.params))
            raise
        ticks = plan.runs * plan.ticks
        decoded = decode_network(words, ticks, state.params, plan.digests, state.layout.numbers)
        state.tick += ticks
        state.known_registers |= state.settings.behind(plan)
        for name in plan.registers:
            state.half_written.pop(name, None)
        state.counted = state.count(state.params.saturation_counters)
        saturations = Saturations.between(before, state.counted)
        return state.end(Run(*decoded, saturations=saturations))

    def _show(self, runs: Runs, watch: Watch | None) -> None:
        if watch is not None:
            for number, run in enumerate(runs):
                with self._state.link.calling_back():
                    watch(number, run)

    def _check_ticks(self, plan: Plan) -> None:
        state = self._state
        if state.tick + plan.runs * plan.ticks > _LAST_TICK:
            raise InvalidInput(
                f"the core is at tick {state.tick} and counts to {_LAST_TICK}: program it again, "
                "or run less"
            )

    def _carry_out(self, runner: Runner, reads: bool) -> dict[str, int]:
        """Execute a run over the link, and return the counters after it.

        If it is broken off, the device is brought to rest. The device's own counters are read only
        if `reads`.
        """
        state = self._state
        state.settled, state.runner = False, runner
        written = state.settings.changed(runner.plan, state.known_registers)
        state.half_written |= dict.fromkeys(written, REGISTER_AGAIN)
        for name in (*RUN_REGISTERS, *written):
            state.known_registers.pop(name, None)  # known again when they have been written
        try:
            state.link.run(runner.program())
            counters = state.count(reads)
        except BaseException as error:
            runner.broken_off = True
            if not isinstance(error, LinkError):  # a link that failed is left to the next call
                with suppress(LinkError):
                    state.settle()
            raise
        for name in written:
            state.half_written.pop(name)
        state.known_registers |= state.settings.behind(runner.plan)
        state.tick += runner.ticks
        state.settled = True
        return counters

    def _check_queue(self, event_ticks: IntArray, ticks: int, many: bool) -> None:
        depth = self._state.params.event_queue_depth
        if len(event_ticks) > depth:
            crowded = np.flatnonzero(event_ticks[depth:] == event_ticks[:-depth])
            if crowded.size:
                run, tick = divmod(int(event_ticks[crowded[0]]), ticks)
                which = f"stimuli[{run}]: " if many else ""
                most = int(np.unique(event_ticks, return_counts=True)[1].max())
                raise DoesNotFit(
                    f"{which}tick {tick} has more events than the event queue of this core holds "
                    f"({depth}): where its sizes are open, connect with "
                    f"params=net.core_params(event_queue_depth={1 << (most - 1).bit_length()})"
                )
