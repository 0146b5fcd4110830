"""The plan of a call of `Core.run` or `Core.run_many`, and the requests before each of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import ClearMask, Space, registers, space_formats
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import Variable
from spiketwin.host import access
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.probes import Probes
from spiketwin.host.progress import Steps
from spiketwin.host.spikes import Run
from spiketwin.host.stimuli import NO_BIASES

_SET_BY_RUN: Final = {
    "tick_period": "tick_period=…", "digest_en": "digests=True", "probe_period": "probe_every=…",
    "probe_words": "probe=…",
}  # fmt: skip
"""Registers that every run sets, each with the argument of `Core.run` that sets it."""


def check_not_of_run(name: str) -> None:
    """Raise `InvalidInput` for a register that every run sets itself."""
    if name in _SET_BY_RUN:
        raise InvalidInput(
            f"{name} is set by every run: give `core.run` the argument {_SET_BY_RUN[name]}"
        )


Watch = Callable[[int, Run], None]
"""Function that is called with the number of a tick and the output of the ticks from it on."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan of one or more runs of the same length, one after the other.

    Attributes
    ----------
    events:
        Shape (k, 2): (tick, axon), ascending; ticks count on from run to run.
    biases:
        Shape (m, 3): bias events (tick, neuron, bias), ascending, of a single run.
    ticks, runs:
        Ticks of each run, and number of runs.
    tick_period:
        Period of the ticks in cycles; 0 is free-running.
    digests:
        Whether each tick reports its digest.
    clear:
        State that is set to 0 before each run, as bits of `ClearMask`.
    registers:
        Registers that are written before each run: name to values, shape (runs,).
    many:
        Whether `watch` is called with whole runs, one after the other.
    probes:
        What ticks report of their state; None if nothing.
    """

    events: IntArray
    ticks: int
    runs: int
    tick_period: int
    digests: bool
    clear: int
    registers: dict[str, IntArray]
    many: bool = False
    probes: Probes | None = None
    biases: IntArray = field(default_factory=lambda: NO_BIASES)

    @property
    def starts_anew(self) -> bool:
        """Whether all state is cleared before each run."""
        return self.clear == sum(ClearMask)

    def ends(self) -> list[int]:
        """Return the number of events up to the end of each run."""
        if self.runs == 1:
            return [len(self.events) + len(self.biases)]
        bounds = np.arange(1, self.runs + 1) * self.ticks
        ends: list[int] = np.searchsorted(self.events[:, 0], bounds).tolist()
        return ends

    def of_runs(self, progress: Steps | None) -> Steps | None:
        """Return a function of (ticks done, ticks) that calls `progress` with (runs done, runs)."""
        if progress is None:
            return None
        reported = 0

        def tell(done: int, _ticks: int) -> None:
            nonlocal reported
            if done // self.ticks > reported:
                reported = done // self.ticks
                progress(reported, self.runs)

        return tell

    def of_parts(self, watch: Callable[[int, Run], None] | None) -> Watch | None:
        """Return a function of (first tick, part) that calls `watch` with (run, part)."""
        return watch and (lambda first, part: watch(first // self.ticks, part))


class Settings:
    """The registers of a core as plans set them, and the limits of its ticks.

    Parameters
    ----------
    params:
        Sizes of the core.

    Attributes
    ----------
    table:
        Registers of the core: name to index and description.
    most_cycles, most_words:
        Most cycles and most output words of a tick.
    """

    def __init__(self, params: CoreParams) -> None:
        self._params = params
        self._formats = space_formats(params)
        self._format = self._formats[Space.REGISTER]
        self.table: dict[str, tuple[int, Variable]] = {
            register.name: (index, register) for index, register in enumerate(registers(params))
        }
        self.most_cycles = schedule.most_cycles(params)
        self.most_words = params.max_words_per_tick

    def checked(self, name: str, values: ArrayLike, shape: tuple[int, ...] = ()) -> IntArray:
        """Return checked values of a register in the given shape, which a scalar fills.

        Raises `InvalidInput` if there is no such register or a value is out of range.
        """
        if name not in self.table:
            raise InvalidInput(
                f"this core has no register {shown(name)}: it has {', '.join(self.table)}"
            )
        _, register = self.table[name]
        return integers(name, values, shape, register.limits(self._params))

    def period(self, tick_period: int) -> int:
        """Return a checked tick period, in cycles; raise `InvalidInput` if it is out of range."""
        return int(self.checked("tick_period", tick_period))

    def digests(self, digests: bool) -> bool:
        """Return whether digests are wanted; raise `DoesNotFit` if the core has none.

        Raises `InvalidInput` for an argument of a wrong type.
        """
        if not isinstance(digests, bool | np.bool_):
            raise InvalidInput(f"digests must be True or False, not {shown(digests)}")
        if digests and not self._params.digest_rounds:
            raise DoesNotFit("this core has no digests: connect to one built with digest_rounds=3")
        return bool(digests)

    def write(self, name: str, value: int) -> Request:
        """Return the request that writes a checked value to a register."""
        index, _ = self.table[name]
        return access.write(self._format, index, np.array([value % (1 << 32)], np.int64))

    def clear(self, mask: int) -> Request:
        """Return the request that sets the state of a mask (`ClearMask`) to 0."""
        return Request(Opcode.CLEAR, arguments(Opcode.CLEAR, mask), cycles=2 * self.most_cycles)

    def of_runs(self, plan: Plan) -> dict[str, int]:
        """Return the registers that are the same for all runs of a plan: name to value."""
        others = {"digest_en": int(plan.digests)} if self._params.digest_rounds else {}
        if self._params.probe_ranges:
            others |= plan.probes.registers if plan.probes else {"probe_period": 0}
        return {"tick_period": plan.tick_period} | others

    def ranges(self, plan: Plan) -> list[Request]:
        """Return the requests that write what ticks report of their state."""
        return list(plan.probes.requests(self._formats)) if plan.probes else []

    def behind(self, plan: Plan) -> dict[str, int]:
        """Return the registers that are known after the runs of a plan: name to value."""
        return self.of_runs(plan) | {name: int(v[-1]) for name, v in plan.registers.items()}

    def changed(self, plan: Plan, known: Mapping[str, int]) -> list[str]:
        """Return the names of the registers that a plan writes, given the known values."""
        return [n for n, v in plan.registers.items() if _changes(v, known.get(n)).any()]

    def between(self, plan: Plan, known: Mapping[str, int]) -> _RequestsBefore:
        """Return the requests before each run of a plan, given the known values of registers."""
        return _RequestsBefore(self, plan, known)


class _RequestsBefore:
    """The requests before each run of a plan: writes of registers that change, and the clear.

    Parameters
    ----------
    settings, plan:
        Settings of the core, and the plan of the runs.
    known:
        Registers whose values are known before the first run: name to value.
    """

    def __init__(self, settings: Settings, plan: Plan, known: Mapping[str, int]) -> None:
        self._settings = settings
        self._first = {
            name: value for name, value in settings.of_runs(plan).items()
            # A write of a period also starts the time from which deadlines, or reports, count.
            if known.get(name) != value or (name in ("tick_period", "probe_period") and value)
        }  # fmt: skip
        self._ranges = settings.ranges(plan)
        self._each = {"tick_period": plan.tick_period} if plan.tick_period else {}
        self._values = {name: values.tolist() for name, values in plan.registers.items()}
        self._changes = {
            name: _changes(values, known.get(name)) for name, values in plan.registers.items()
        }
        self._clear = [settings.clear(plan.clear)] if plan.clear else []

    def __call__(self, run: int) -> Iterator[Request]:
        """Yield the requests before the run with this number."""
        if run == 0:
            yield from self._ranges
        for name, value in (self._each if run else self._first).items():
            yield self._settings.write(name, value)
        for name, values in self._values.items():
            if self._changes[name][run]:
                yield self._settings.write(name, values[run])
        yield from self._clear


def _changes(values: IntArray, before: int | None) -> NDArray[np.bool_]:
    """Return which values differ from the one before; that before the first may be unknown."""
    return np.concatenate([[before is None or values[0] != before], values[1:] != values[:-1]])


def clear_mask(clear: bool | Iterable[str]) -> int:
    """Return the bits of `ClearMask` for names of state; True means all, False none.

    Raises `InvalidInput` for any other name.
    """
    if isinstance(clear, bool | np.bool_):
        return sum(ClearMask) if clear else 0
    masks = {str(mask.name).lower(): mask for mask in ClearMask}
    if not isinstance(clear, Iterable):
        raise InvalidInput(
            f"clear must be True, False or names of {', '.join(masks)}, not {shown(clear)}"
        )
    mask = ClearMask(0)
    for name in [clear] if isinstance(clear, str) else clear:
        if not isinstance(name, str) or name not in masks:
            raise InvalidInput(f"there is no state {shown(name)}: it is one of {', '.join(masks)}")
        mask |= masks[name]
    return int(mask)
