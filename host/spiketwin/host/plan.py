"""What a call of `Core.run` or `Core.run_many` asks for, and what it sends between its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
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
from spiketwin.host.progress import Steps
from spiketwin.host.spikes import Run

_SET_BY_RUN: Final = {"tick_period": "tick_period=…", "digest_en": "digests=True"}
"""Registers that every run sets, and the argument of `Core.run` that they are set by."""


def check_not_of_run(name: str) -> None:
    """Raise `InvalidInput` for a register that every run sets itself."""
    if name in _SET_BY_RUN:
        raise InvalidInput(
            f"{name} is set by every run: give `core.run` the argument {_SET_BY_RUN[name]}"
        )


Watch = Callable[[int, Run], None]
"""Called with a tick of the run, and what the ticks from that one on put out."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Runs of one length that follow each other.

    Attributes
    ----------
    events:
        Shape (k, 2): (tick, axon), strictly ascending, ticks counting on from run to run.
    ticks, runs:
        Of each run, and how many there are.
    tick_period:
        In cycles; 0 is free-running.
    digests:
        Whether each tick reports its digest.
    clear:
        State that is set to 0 before each run, as bits of `ClearMask`.
    registers:
        Name to values, shape (runs,): what is written before each run.
    many:
        Whether what watches is to see whole runs, one after the other.
    """

    events: IntArray
    ticks: int
    runs: int
    tick_period: int
    digests: bool
    clear: int
    registers: dict[str, IntArray]
    many: bool = False

    @property
    def starts_anew(self) -> bool:
        """Whether no run has anything of the state that the one before has left."""
        return self.clear == sum(ClearMask)

    def ends(self) -> list[int]:
        """Events up to the end of each run."""
        if self.runs == 1:
            return [len(self.events)]
        bounds = np.arange(1, self.runs + 1) * self.ticks
        ends: list[int] = np.searchsorted(self.events[:, 0], bounds).tolist()
        return ends

    def of_runs(self, progress: Steps | None) -> Steps | None:
        """Give what counts ticks for what is called with (runs done, runs)."""
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
        """Give what counts ticks for what is called with the number of a run, and the run."""
        return watch and (lambda first, part: watch(first // self.ticks, part))


class Settings:
    """Registers of a core as a plan sets them, and the limits of its ticks.

    Parameters
    ----------
    params:
        Sizes of the core.

    Attributes
    ----------
    table:
        Name to index and register.
    most_cycles, most_words:
        Cycles and output words that a tick can have.
    """

    def __init__(self, params: CoreParams) -> None:
        self._params = params
        self._format = space_formats(params)[Space.REGISTER]
        self.table: dict[str, tuple[int, Variable]] = {
            register.name: (index, register) for index, register in enumerate(registers(params))
        }
        self.most_cycles = schedule.most_cycles(params)
        self.most_words = params.max_words_per_tick

    def checked(self, name: str, values: ArrayLike, shape: tuple[int, ...] = ()) -> IntArray:
        """Check values of a register; a scalar fills the shape.

        Raises `InvalidInput` if there is no such register, or a value is out of range.
        """
        if name not in self.table:
            raise InvalidInput(
                f"this core has no register {shown(name)}: it has {', '.join(self.table)}"
            )
        _, register = self.table[name]
        return integers(name, values, shape, register.limits(self._params))

    def period(self, tick_period: int) -> int:
        """Check a tick period; raises `InvalidInput` if there is none such."""
        return int(self.checked("tick_period", tick_period))

    def digests(self, digests: bool) -> bool:
        """Check whether there can be digests; raises `InvalidInput` or `DoesNotFit` if not."""
        if not isinstance(digests, bool | np.bool_):
            raise InvalidInput(f"digests must be True or False, not {shown(digests)}")
        if digests and not self._params.digest_rounds:
            raise DoesNotFit("this core has no digests: connect to one built with digest_rounds=3")
        return bool(digests)

    def write(self, name: str, value: int) -> Request:
        """Make the request that writes a value, which was checked."""
        index, _ = self.table[name]
        return access.write(self._format, index, np.array([value % (1 << 32)], np.int64))

    def clear(self, mask: int) -> Request:
        """Make the request that sets state to 0."""
        return Request(Opcode.CLEAR, arguments(Opcode.CLEAR, mask), cycles=2 * self.most_cycles)

    def of_runs(self, plan: Plan) -> dict[str, int]:
        """Registers that every run of a plan has the same: name to value."""
        digests = {"digest_en": int(plan.digests)} if self._params.digest_rounds else {}
        return {"tick_period": plan.tick_period} | digests

    def behind(self, plan: Plan) -> dict[str, int]:
        """Registers that are known when the runs of a plan are over: name to value."""
        return self.of_runs(plan) | {name: int(v[-1]) for name, v in plan.registers.items()}

    def changed(self, plan: Plan, known: Mapping[str, int]) -> list[str]:
        """Registers that a plan writes, some being known."""
        return [n for n, v in plan.registers.items() if _changes(v, known.get(n)).any()]

    def between(self, plan: Plan, known: Mapping[str, int]) -> _Between:
        """Give what is to be asked for before each run, some registers being known."""
        return _Between(self, plan, known)


class _Between:
    """Requests before each run: registers that change, and the clear.

    Parameters
    ----------
    settings, plan:
        Of the core, and what is to be carried out on it.
    known:
        Registers whose values are known before the first run.
    """

    def __init__(self, settings: Settings, plan: Plan, known: Mapping[str, int]) -> None:
        self._settings = settings
        self._first = {
            name: value for name, value in settings.of_runs(plan).items()
            # At a fixed period the write also begins the time that deadlines are counted from.
            if known.get(name) != value or (name == "tick_period" and value)
        }  # fmt: skip
        self._each = {"tick_period": plan.tick_period} if plan.tick_period else {}
        self._values = {name: values.tolist() for name, values in plan.registers.items()}
        self._changes = {
            name: _changes(values, known.get(name)) for name, values in plan.registers.items()
        }
        self._clear = [settings.clear(plan.clear)] if plan.clear else []

    def __call__(self, run: int) -> Iterator[Request]:
        """Requests before the run of a number."""
        for name, value in (self._each if run else self._first).items():
            yield self._settings.write(name, value)
        for name, values in self._values.items():
            if self._changes[name][run]:
                yield self._settings.write(name, values[run])
        yield from self._clear


def _changes(values: IntArray, before: int | None) -> NDArray[np.bool_]:
    """Mark the values that are not those before them; what is before the first may be unknown."""
    return np.concatenate([[before is None or values[0] != before], values[1:] != values[:-1]])


def clear_mask(clear: bool | Iterable[str]) -> int:
    """Give the bits of `ClearMask` for names of state; True is all, False none.

    Raises `InvalidInput` for another name.
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
