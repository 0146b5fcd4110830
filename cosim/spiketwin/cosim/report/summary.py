"""A comparison in words, which terminal and page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.accuracy import OpenLoop
from spiketwin.cosim.compare.comparison import FLOAT, Comparison, Findings
from spiketwin.cosim.compare.difference import Difference
from spiketwin.host.cli.outcome import Outcome
from spiketwin.host.spikes import saturations_row
from spiketwin.host.targets import origin

NOTHING = "–"
"""Text in place of a figure that a target does not have."""


def outcome(found: Comparison, every: int) -> Outcome:
    """Return the verdict of a comparison; `every` is ticks between two comparisons of state."""
    shares = {
        name: np.array(one.nearness.open_loop.match.within_one_tick_share)
        for name, one in found.devices.items()
        if one.nearness is not None and one.nearness.open_loop is not None
    }
    near = [
        f"{_percent(float(share))} of the spikes of {FLOAT} are fired within one tick on {names}, "
        "in open loop."
        for names, share in grouped(shares).items()
    ]
    if found.differences:
        sentences = [sentence(each) for each in found.differences]
        differences = [f"{each[0].upper()}{each[1:]}." for each in sentences]
        return Outcome(False, "DIFFERENT", (*differences, *near))
    if len(found.devices) > 1:
        return Outcome(True, "EQUAL", (f"{equality(found, every)}.", *near))
    return Outcome(True, "ONE TARGET", (f"Held against {FLOAT}, the ideal network.", *near))


_Array = TypeVar("_Array", bound=NDArray[Any])


def grouped(values: Mapping[str, _Array]) -> dict[str, _Array]:
    """Merge equal values, named by all targets that have them."""
    groups: list[tuple[list[str], _Array]] = []
    for name, value in values.items():
        names = next((names for names, other in groups if np.array_equal(other, value)), None)
        if names is None:
            groups.append(([name], value))
        else:
            names.append(name)
    return {", ".join(names): value for names, value in groups}


def origins(names: Iterable[str]) -> str:
    """Return the origins of spikes and cycles: ``computed (model:), simulated (rtl:)``."""
    having: dict[str, list[str]] = {}
    for name in names:
        having.setdefault("computed" if name == FLOAT else origin(name), []).append(name)
    return ", ".join(f"{how} ({', '.join(some)})" for how, some in having.items())


def columns(found: Comparison) -> dict[str, dict[str, str]]:
    """Return the figures of each target as text, by title, the same titles for each."""
    texts = {name: _cells(found, one) for name, one in found.devices.items()}
    if found.ideal is not None:
        titles = next(iter(texts.values()))
        texts[FLOAT] = dict.fromkeys(titles, NOTHING) | {
            "spikes": f"{len(found.ideal.spikes):,}",
            "seconds (measured)": f"{found.ideal.seconds:.2f}",
        }
    return texts


def _cells(found: Comparison, one: Findings) -> dict[str, str]:
    run = one.behaviour.run
    saturating, saturated = saturations_row(run.saturations)
    cells = {
        "build": one.identity.build,
        **({"equal to": _equal_to(one)} if one.equal_to else {}),
        "ticks": f"{run.cycles.size:,}",
        "spikes": f"{len(run.spikes):,}",
        "cycles": f"{run.cycles.sum():,}",
        saturating: saturated,
        "seconds (measured)": f"{run.ledger.wall_seconds:.2f}",
    }
    if one.nearness is not None:
        parting = one.nearness.parting_tick
        cells |= _cells_in_open_loop(found, one.nearness.open_loop) | {
            "parts from float: at tick (closed loop)": "never"
            if parting is None
            else f"{parting:,}",
        }
    return cells


def _cells_in_open_loop(found: Comparison, near: OpenLoop | None) -> dict[str, str]:
    unit = found.case.unit
    titles = (
        "within one tick of float: (open loop)",
        "at the same tick (open loop)",
        "missing, extra (open loop)",
        f"v off at the end ({unit}, open loop)",
        f"weights off at the end ({unit}, open loop)",
        "limited by",
    )
    if near is None:
        return dict.fromkeys(titles, "too few axons")
    match, drift = near.match, near.drift
    cells = (
        _percent(match.within_one_tick_share),
        _percent(match.same_tick_share),
        f"{match.missing:,}, {match.extra:,}",
        f"{drift.v_rms[-1]:.3g}",
        f"{drift.weights_rms[-1]:.3g}",
        limited_by(found, near) or NOTHING,
    )
    return dict(zip(titles, cells, strict=True))


def limited_by(found: Comparison, near: OpenLoop) -> str | None:
    """Return the rounding whose lifting brings a target nearest to the ideal network.

    The result is None if no lifting gains anything, or if the target does not fire the spikes of a
    core of the case's sizes, so that roundings do not explain it.
    """
    limits = found.limits
    return limits.worst if limits is not None and limits.all_kept == near.match else None


def _equal_to(one: Findings) -> str:
    equal = [name for name, is_so in one.equal_to.items() if is_so]
    if len(equal) == len(one.equal_to):
        return "all others"
    return ", ".join(equal) or NOTHING


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def equality(found: Comparison, every: int) -> str:
    """Return one sentence about what is equal, for devices that are all equal.

    Parameters
    ----------
    found:
        The comparison.
    every:
        Ticks between two comparisons of all state, where there are no digests.
    """
    behaviour = next(iter(found.devices.values())).behaviour
    ticks = "each tick" if every == 1 else f"every {every:,} ticks"
    written = "the digest of all that each tick wrote" if found.digests else f"state after {ticks}"
    run = behaviour.run
    return (
        f"{len(run.spikes):,} spikes, the cycles of {run.cycles.size:,} ticks and "
        f"of each spike, {written}, and in the end {behaviour.held['weight'].size:,} weights"
    )


def what_differs(difference: Difference) -> str:
    """Return the name of the element and the variable that differ."""
    if not difference.element:
        return difference.field
    return f"{difference.field} of {difference.element}"


def sentence(difference: Difference) -> str:
    """Return one sentence about what differs, and when."""
    when = "as programmed, before the first tick"
    if difference.tick is not None:
        when = f"tick {difference.tick:,} (cycle {difference.cycle:,} of the run)"
    values = ", ".join(f"{value} on {name}" for name, value in difference.values.items())
    return f"{when}: {what_differs(difference)} is {values}"


def consequences(difference: Difference) -> str:
    """Return a sentence on how many elements of each field differ after the tick."""
    counts = ", ".join(f"{field} ({number:,})" for field, number in difference.elements.items())
    return f"Elements that differ after it: {counts}"
