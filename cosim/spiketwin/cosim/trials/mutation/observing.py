"""The values that trials compare in a core; the first one that differs tells a mutant."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.host import Core, Run
from spiketwin.host.errors import SpiketwinError, SpiketwinWarning
from spiketwin.host.link import Link

Trial = Callable[[Design], None]
"""A function that raises `Killed`, or an error of the host, of a design that is wrong."""


class Killed(SpiketwinError):
    """A mutant does not do as the model; the message says where."""


@contextmanager
def unwarned() -> Iterator[None]:
    """Keep warnings of networks away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)  # anything goes in these networks
        yield


@contextmanager
def opened(design: Design) -> Iterator[Core]:
    """Open a design, and close it behind."""
    with Core(Link(DesignSerial(design), retries=1)) as core, unwarned():
        yield core


def of_run(run: Run) -> dict[str, Any]:
    """Return what a run has put out."""
    names = ("spikes", "spike_cycles", "update_cycles", "cycles", "digests", "muted")
    counts = ("missed_deadlines", "late_events")
    probed = {f"probed {name}": rows for name, rows in run.probes.items()}
    return {name: getattr(run, name) for name in (*names, *counts)} | probed


def held(core: Core) -> dict[str, Any]:
    """Return all that can be read of a core."""
    weights: dict[str, Any] = {"weights": core.read_weights()}
    if core.params.learning:
        weights["plastic"] = core.read_plastic()
    registers = {"registers": list(core.read_registers().values())}
    counters = {"counters": list(core.read_counters().values())}
    return core.read_state() | core.read_parameters() | weights | registers | counters


def compare(expected: Sequence[dict[str, Any]], got: Iterator[dict[str, Any]]) -> None:
    """Raise `Killed` at the first step in which something else is seen."""
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        for name, value in one.items():
            if not np.array_equal(value, other[name]):
                raise Killed(f"{name} differs at step {number}")
