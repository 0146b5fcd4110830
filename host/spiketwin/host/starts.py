"""The state that a network begins with, where that is not 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import POTENTIAL, STATE, TICKS, WEIGHT, Per
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import InvalidNetwork

BEGUN: Final = {
    v.name: v for v in STATE if v.per is Per.NEURON and v.unit in (POTENTIAL, WEIGHT, TICKS)
}
"""The state of neurons that a network can begin with, by its names."""


def checked_start(given: object, n_neurons: int, params: CoreParams) -> dict[str, IntArray]:
    """Return the state that a network begins with, by its names, without arrays of zeros.

    Parameters
    ----------
    given:
        Arrays of shape (n_neurons,) by the names in `BEGUN`; a scalar fills one.
    n_neurons:
        Neurons of the network.
    params:
        The core whose widths are the ranges.

    Raises
    ------
    InvalidNetwork
        It is no such thing, or a value is out of range; the message names it.
    """
    if not isinstance(given, Mapping) or not all(name in BEGUN for name in given):
        raise InvalidNetwork(
            f"start must be a dict with arrays of {', '.join(BEGUN)}, not {shown(given)}"
        )
    values: dict[str, Any] = dict(given)
    arrays = {
        name: integers(
            f"start[{name!r}]", values[name], (n_neurons,), variable.limits(params), InvalidNetwork
        )
        for name, variable in BEGUN.items()
        if name in values
    }
    return {name: array for name, array in arrays.items() if array.any()}
