"""The STDP of SuperNeuroMAT as a rule over a window, with drift.

At a spike of its neuron a plastic weight gets ``apos[k]`` for each k for which its source fired
k + 1 ticks before, and in every tick ``aneg[k]`` for each k for which not both were so. That is a
drift of ``Σ aneg[k]`` in every tick, and ``apos[k] - aneg[k]`` at a spike, for the ticks of the
past in which the source fired: as it arrives a tick after it has fired, bit k of its past is that.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.superneuromat.model import Model, Reals
from spiketwin.host.superneuromat.scale import Scale

_FRACTION: Final = 1 << 16
_BYTE: Final = 8
_LONGEST: Final = 16


def steps(model: Model) -> Reals:
    """Return what a post-event adds for each tick of the past, and what every tick does.

    Shape (2,): the largest sums of both, in 1, which bound the scale.
    """
    return np.array([np.abs(model.apos - model.aneg).sum(), np.abs(model.aneg).sum()])


def check_length(model: Model) -> None:
    """Raise `DoesNotFit` if the rule looks further back than a window does."""
    if model.learns and len(model.apos) > _LONGEST:
        raise DoesNotFit(
            f"STDP looks {len(model.apos)} ticks back, and a window {_LONGEST}: shorten apos and "
            "aneg"
        )


def table(model: Model, scale: Scale) -> IntArray:
    """Return the table of the window, shape (256,) or (512,), in 1/65536 weight units."""
    each = _fractions(model.apos - model.aneg, scale)
    count = -(-len(each) // _BYTE)
    padded = np.concatenate([each, np.zeros(count * _BYTE - len(each), np.int64)])
    past = np.arange(1 << _BYTE)
    bits = past[:, None] >> np.arange(_BYTE) & 1
    return np.concatenate([bits @ part for part in padded.reshape(count, _BYTE)])


def drifts(model: Model, scale: Scale) -> IntArray:
    """Return the drift of each of the first ticks, in 1/65536 weight units a tick.

    The last one is that of all later ticks: in tick t there are only t ticks before, so that
    SuperNeuroMAT adds the first t values of `aneg` alone.
    """
    each = _fractions(model.aneg, scale)
    return np.concatenate([[0], np.cumsum(each)])


def _fractions(values: Reals, scale: Scale) -> IntArray:
    return np.rint(values * scale.units * _FRACTION).astype(np.int64)
