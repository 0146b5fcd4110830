"""How near a run comes to the ideal network: spikes, drift, and which quantisation limits it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.compare.matching import Match, match, parting_tick
from spiketwin.cosim.compare.quantisation import Quantisation
from spiketwin.cosim.compare.recording import Recording, Values
from spiketwin.host.elements import IntArray


@dataclass(frozen=True, eq=False)
class Drift:
    """Differences of a run from the ideal network, in the unit of the latter.

    Attributes
    ----------
    after:
        Shape (k,): ticks executed.
    v_rms, v_largest:
        Shape (k,): over all neurons, of the potential. A neuron that fires a tick too late differs
        by a whole reset meanwhile.
    weights_rms, weights_largest:
        Over all synapses, of the weights; one value, at the end, where nothing learns.
    """

    after: IntArray
    v_rms: Values
    v_largest: Values
    weights_rms: Values
    weights_largest: Values


def drift(case: Case, run: Recording) -> Drift:
    """Compare the potential and the weights of a run of a case with the ideal ones.

    Parameters
    ----------
    case:
        The case.
    run:
        Its network, recorded on any target at even intervals.
    """
    ideal = case.meant(every=int(run.after[0]))
    v_rms, v_largest = _differences(run.v / case.scale - ideal.v)
    weights_rms, weights_largest = _differences(run.weights / case.scale - ideal.weights)
    return Drift(ideal.after, v_rms, v_largest, weights_rms, weights_largest)


def _differences(values: Values) -> tuple[Values, Values]:
    flat = np.abs(values.reshape(len(values), -1))
    return np.sqrt((flat**2).mean(axis=1)), flat.max(axis=1)


# --- what limits it ----------------------------------------------------------------------------

_PARAMETERS: Final = {
    "weights": ("weights", "w_min", "w_max"),
    "neuron parameters": ("threshold", "v_reset", "bias", "v_floor", "theta_bump"),
    "learning rule": (
        "pre_gain", "pre_offset", "post_gain", "post_offset", "trace_pre_bump", "trace_post_bump",
    ),
}  # fmt: skip
"""What is rounded before a run: lifted, these have their real values."""


@dataclass(frozen=True)
class Limits:
    """The accuracy that is reached if one quantisation of the core is lifted.

    Attributes
    ----------
    all_kept:
        With none lifted: exactly what a core does.
    lifted:
        With one lifted, by its name: the real values of ``weights``, ``neuron parameters`` or
        ``learning rule`` instead of rounded ones, or one of the fields of `Quantisation`.
    """

    all_kept: Match
    lifted: dict[str, Match]

    @property
    def worst(self) -> str | None:
        """The quantisation whose lifting gains most; None if none gains anything.

        By spikes within one tick and, where these are equal, by spikes at the same tick.
        """
        name = max(self.lifted, key=lambda each: _gain(self.lifted[each]))
        return name if _gain(self.lifted[name]) > _gain(self.all_kept) else None


def _gain(found: Match) -> tuple[int, int]:
    return found.within_one_tick, found.same_tick


def limits(case: Case) -> Limits:
    """Lift one quantisation of a core after the other, and match the spikes.

    Taken of the case as it is: give `Case.open_loop` lest differences spread.
    """
    meant = case.meant().spikes
    held, real = Ideal.of(case.network, case.params), case.ideal.in_units(case.scale)
    kept = Quantisation(case.params)

    def found(ideal: Ideal, keeping: Quantisation) -> Match:
        return match(meant, replace(case, ideal=ideal).meant(keeping=keeping).spikes)

    lifted = {
        name: found(replace(held, **{each: getattr(real, each) for each in names}), kept)
        for name, names in _PARAMETERS.items()
    }
    for field in fields(kept):
        if field.name != "params":
            lifting: dict[str, Any] = {field.name: False}
            lifted[field.name.replace("_", " ")] = found(held, replace(kept, **lifting))
    return Limits(all_kept=found(held, kept), lifted=lifted)


# --- all of it ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Accuracy:
    """How near a target comes to the ideal network of a case.

    Attributes
    ----------
    open_loop:
        Spikes matched while every neuron received the ideal network's own (`Case.open_loop`).
    drift:
        Of potential and weights meanwhile.
    closed_loop:
        Spikes matched while the neurons received each other's.
    parting_tick:
        First tick in which other neurons fired than in the ideal network then; None if none did.
        A recurrent network is chaotic: from then on it goes ways of its own.
    """

    open_loop: Match
    drift: Drift
    closed_loop: Match
    parting_tick: int | None


def accuracy(case: Case, opened: Recording, closed: IntArray) -> Accuracy:
    """Judge the runs of a target.

    Parameters
    ----------
    case:
        The case.
    opened:
        The target's recording of ``case.open_loop()``.
    closed:
        Its spikes in `case` itself, shape (m, 2), (tick, neuron), ascending.
    """
    meant = case.meant().spikes
    return Accuracy(
        open_loop=match(meant, opened.spikes),
        drift=drift(case.open_loop(), opened),
        closed_loop=match(meant, closed),
        parting_tick=parting_tick(meant, closed),
    )
