"""The host's knowledge of a connected core, and how it brings the core to rest.

Each call begins with `DeviceState.settle`, and so finds the device between two ticks, however the
last call ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import numpy as np

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.protocol import MAX_FETCH_WORDS, MAX_SET_TICK, WORD_BYTES, Opcode
from spiketwin.hdl.spec.registers import Space, counters, space_formats
from spiketwin.host import access
from spiketwin.host.account import Account
from spiketwin.host.elements import IntArray, blocks, integers
from spiketwin.host.errors import LinkError
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.layout import Layout, bare
from spiketwin.host.link import Link
from spiketwin.host.plan import Settings
from spiketwin.host.runner import ANY_WAIT, Runner
from spiketwin.host.spikes import Run, Saturations

REGISTER_AGAIN: Final = "write it again (`write_registers`)"
"""What to do about a register that was half written, as errors say it."""


class DeviceState:
    """The state of a connected core as far as the host knows it.

    Parameters
    ----------
    link:
        An open link.

    Attributes
    ----------
    params, settings, formats:
        Sizes, registers and memory spaces of the core.
    layout:
        Where the network lies in the core.
    tick:
        The tick that is executed next.
    known_registers:
        Registers whose values are known: name to value.
    half_written:
        Names of memory that is half written, each with what to do about it.
    runner:
        The run whose words have not all come in; None if there is none.
    last_begun:
        The run that was begun last.
    counted:
        The counters as last read; None if they may have changed since.
    settled:
        Whether the device is known to be between two ticks.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.params = link.identity.params
        self.settings = Settings(self.params)
        self.formats = space_formats(self.params)
        self.layout: Layout = bare(self.params)
        self.tick = 0
        self.known_registers: dict[str, int] = {}
        self.half_written: dict[str, str] = {}
        self.runner: Runner | None = None
        self.last_begun: Runner | None = None
        self.counted: dict[str, int] | None = None
        self.settled = False
        self._last_run: Run | None = None

    def begin(self, runner: Runner) -> None:
        """Record that a run begins; it has no result yet."""
        self.last_begun, self._last_run = runner, None

    def end(self, run: Run) -> Run:
        """Record the result of the last run, and return it."""
        self._last_run = run
        return run

    def last_run(self) -> Run | None:
        """Return the result of the last run (`Core.last_run`)."""
        if self._last_run is None and self.last_begun is not None:
            # The run was broken off before anything of it was sent.
            self.last_begun.broken_off = True
            self._last_run = self.last_begun.result()
        return self._last_run

    def settle(self) -> None:
        """Bring the device to rest: it may be in a run, begun by this host or by another.

        The core stays as the last whole tick left it; events of later ticks are dropped. All steps
        are idempotent: if this call is broken off, the next one repeats them. The output of a run
        that this host began is kept.
        """
        if self.settled:
            return
        self.link.request(Request(Opcode.STOP, result_bytes=4, cycles=self.stop_cycles()))
        runner, full, answers = self.runner, WORD_BYTES * MAX_FETCH_WORDS, list[int]()

        def take(answer: bytes) -> None:
            answers.append(len(answer))
            if runner is not None:
                runner.take(answer)

        fetch = Request(
            Opcode.FETCH,
            arguments(Opcode.FETCH, MAX_FETCH_WORDS, ANY_WAIT),
            result_bytes=full,
            result_item_bytes=WORD_BYTES,
            cycles=self.stop_cycles(),
            on_result=take,
        )
        # An answer that is not full tells that the run is over and the output queue is empty.
        most_words = self.params.spike_queue_depth + self.params.max_words_per_tick
        for _ in range(most_words // MAX_FETCH_WORDS + 1):
            self.link.run([fetch])
            if answers[-1] < full:
                break
        else:
            raise LinkError(
                f"the device has more than the {most_words} output words that it can hold: switch "
                "it off and on, and connect again"
            )
        counters = self.count(reads=True)
        self.tick = counters["tick"]
        if runner is not None:
            self.keep(runner, counters)
        self.counted = counters
        self.settled = True

    def reset(self) -> None:
        """Reset the device (`Core.reset`)."""
        self.settled, self.known_registers, self.counted = False, {}, None
        self.link.request(Request(Opcode.RESET, cycles=self.stop_cycles()))
        if self.runner is not None:
            with suppress(LinkError):  # the words of the run may be malformed
                self.keep(self.runner, {})  # the reset has dropped the rest of its words
            self.counted = None
        self.tick = 0
        self.known_registers = dict.fromkeys(self.settings.table, 0)
        self.settled = True

    def write_tick(self, tick: int) -> None:
        """Check a tick, and let it be the next one (`Core.write_tick`)."""
        checked = int(integers("tick", tick, (), (0, MAX_SET_TICK)))
        self.settle()
        request = arguments(Opcode.SET_TICK, checked)
        self.link.run([Request(Opcode.SET_TICK, request, cycles=self.stop_cycles())])
        self.tick = checked
        if self.counted is not None:
            self.counted |= {"tick": checked, "run_until": checked}

    def count(self, reads: bool) -> dict[str, int]:
        """Return counters: those read from the device if `reads`, and those kept by a model."""
        return (self.read_counters() if reads else {}) | self.link.saturations()

    def keep(
        self, runner: Runner, counters: dict[str, int], accounts: tuple[Account, ...] = ()
    ) -> Run:
        """Record and return the result of a run, given the known counters after it."""
        before = self.counted or {}
        if "tick" in counters and "tick" in before:
            runner.missed_deadlines = counters["missed_deadlines"] - before["missed_deadlines"]
            runner.late_events = counters["late_events"] - before["late_events"]
        runner.saturations = Saturations.between(before, counters)
        self.counted = counters  # nothing is counted between two runs
        self.runner = None
        return self.end(runner.result(accounts))

    def stop_cycles(self) -> int:
        """Return the most cycles that the device takes to stop."""
        # The tick under way, and a clear, which takes less than a tick.
        return 2 * schedule.most_cycles(self.params, repeats=self.params.event_queue_depth)

    @contextmanager
    def writing(self, things: dict[str, str]) -> Iterator[None]:
        """Mark memory as half written until the block ends without an exception.

        Parameters
        ----------
        things:
            Names of the memory, each with what to do if it stays half written.
        """
        self.half_written |= things
        yield
        for thing in things:
            self.half_written.pop(thing, None)

    def read_counters(self) -> dict[str, int]:
        """Return the counters of the device: name to value."""
        built = counters(self.params)
        values = self.read_elements(Space.COUNTER, len(built))
        return {counter.name: int(v) for counter, v in zip(built, values, strict=True)}

    def read_elements(self, space: Space, count: int, first: int = 0) -> IntArray:
        """Return `count` elements of a space from the linear index `first` on, shape (count,)."""
        fmt = self.formats[space]
        values: list[IntArray] = []
        self.link.run(access.read(fmt, i, n, values.append) for i, n in blocks(fmt, first, count))
        return np.concatenate(values)
