"""The distance of a run from the ideal network: spikes, drift, and the limiting quantisation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.compare.quantisation import Quantisation
from spiketwin.cosim.compare.trajectory import Trajectory, Values
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.variables import POTENTIAL, TRACE, VARIABLES, WEIGHT, Kind
from spiketwin.host.elements import IntArray
from spiketwin.host.matching import Match, match
from spiketwin.host.progress import Steps


@dataclass(frozen=True, eq=False)
class Drift(Result):
    """Differences of a run from the ideal network, in the unit of the latter.

    Attributes
    ----------
    after:
        Shape (k,): numbers of ticks after which potential and weights were compared.
    v_rms, v_largest:
        Shape (k,): root mean square and largest difference of the potential, over all neurons. A
        neuron that fires a tick too late differs by a whole reset meanwhile.
    weights_rms, weights_largest:
        Shape (k,): root mean square and largest difference of the weights, over all synapses.
    """

    after: IntArray
    v_rms: Values
    v_largest: Values
    weights_rms: Values
    weights_largest: Values


@dataclass(frozen=True, eq=False)
class OpenLoop:
    """The run of a target in open loop: every neuron receives the ideal network's own spikes.

    Attributes
    ----------
    match:
        Its spikes, matched with the ideal ones.
    drift:
        Drift of potential and weights in the same run.
    """

    match: Match
    drift: Drift


def in_open_loop(opened: Case, run: Trajectory) -> OpenLoop:
    """Compare the run of a target with that of the ideal network.

    Parameters
    ----------
    opened:
        A case as `Case.open_loop` gives it.
    run:
        Its network, recorded on the target at even intervals.
    """
    ideal = opened.run_ideal(every=int(run.after[0]))
    v_rms, v_largest = _differences(run.v / opened.scale - ideal.v)
    # Without learning, weights were recorded only once, as they never change.
    weights = (
        np.broadcast_to(each, v_rms.shape)
        for each in _differences(run.weights / opened.scale - ideal.weights)
    )
    drift = Drift(ideal.after, v_rms, v_largest, *weights)
    return OpenLoop(match(ideal.spikes, run.spikes), drift)


def _differences(values: Values) -> tuple[Values, Values]:
    flat = np.abs(values.reshape(len(values), -1))
    return np.sqrt((flat**2).mean(axis=1)), flat.max(axis=1)


# --- what limits it ----------------------------------------------------------------------------

_ROUNDED: Final = [
    v for v in VARIABLES if v.kind is Kind.PARAMETER and v.unit in (WEIGHT, POTENTIAL, TRACE)
]

_PARAMETERS: Final = {
    "weights": tuple(v.attribute for v in _ROUNDED if v.unit == WEIGHT and not v.fraction_bits),
    "neuron parameters": tuple(v.attribute for v in _ROUNDED if v.unit == POTENTIAL),
    "learning rule": (
        *(v.attribute for v in _ROUNDED if v.fraction_bits or v.unit == TRACE),
        "windows",
    ),
}
"""Groups of values that are rounded before a run; lifting one restores the real values."""


@dataclass(frozen=True)
class Limits:
    """The accuracy if one quantisation of the core is lifted (an ablation).

    Attributes
    ----------
    all_kept:
        Match with none lifted, which is exactly that of a core.
    lifted:
        Match with one lifted, by its name: ``weights``, ``neuron parameters`` or ``learning rule``
        with their real values instead of rounded ones, or a field of `Quantisation`.
    exact:
        Names of those of the first three that are missing in `lifted`, as their values are whole.
    """

    all_kept: Match
    lifted: dict[str, Match]
    exact: tuple[str, ...]

    @property
    def worst(self) -> str | None:
        """The quantisation whose lifting gains most; None if no lifting gains anything.

        The criterion is spikes within one tick and, on a tie, spikes at the same tick.
        """
        name = max(self.lifted, key=lambda each: _gain(self.lifted[each]))
        return name if _gain(self.lifted[name]) > _gain(self.all_kept) else None


def _gain(found: Match) -> tuple[int, int]:
    return found.within_one_tick, found.same_tick


def limits(case: Case, progress: Steps | None = None) -> Limits:
    """Lift one quantisation of a core after the other, and match the spikes (an ablation).

    The case is run as it is: pass that of `Case.open_loop` to keep differences from spreading
    from neuron to neuron. Each match takes a run in double precision.

    Parameters
    ----------
    case:
        The case.
    progress:
        Called with (runs done, runs).
    """
    ideal_spikes = case.run_ideal().spikes
    held, real = Ideal.of(case.network, case.params), case.ideal.in_units(case.scale)
    kept = Quantisation(case.params)
    rounded = {
        name: replace(held, **{each: getattr(real, each) for each in names})
        for name, names in _PARAMETERS.items()
        if any(not np.array_equal(getattr(real, each), getattr(held, each)) for each in names)
    }
    runs = {name: (ideal, kept) for name, ideal in rounded.items()}
    for field in fields(kept):
        if field.name != "params":
            lifting: dict[str, Any] = {field.name: False}
            runs[field.name.replace("_", " ")] = held, replace(kept, **lifting)

    def found(ideal: Ideal, keeping: Quantisation, done: int) -> Match:
        if progress is not None:
            progress(done, len(runs) + 1)
        return match(ideal_spikes, replace(case, ideal=ideal).run_ideal(keeping=keeping).spikes)

    return Limits(
        all_kept=found(held, kept, 0),
        lifted={name: found(*run, done) for done, (name, run) in enumerate(runs.items(), start=1)},
        exact=tuple(name for name in _PARAMETERS if name not in rounded),
    )
