"""The data that this package writes beside a graph, so that a network comes back exactly.

The metadata of the graph have a table ``spiketwin`` with the widths, the shift of currents and the
seconds of a tick; those of a node have one with the scale of its neurons, its reset and its place.
Other programs leave them alone, and the graph is complete without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.arithmetic import MAX_DECAY_SHIFT
from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.nir.maps import reals
from spiketwin.host.nir.reading import FlatGraph
from spiketwin.host.quantisation.meant import Reals
from spiketwin.host.quantisation.rounding import V_WIDTHS, WEIGHT_WIDTHS

KEY: Final = "spiketwin"
"""Name of the tables."""

FORMAT: Final = 1
"""Number of this form of the tables."""


@dataclass(frozen=True)
class Held:
    """The statements of the metadata of a graph.

    Attributes
    ----------
    dt:
        Seconds of a tick.
    weight_width, v_width, i_syn_shift:
        As in `quantise`, and the shift of currents.
    at_rest:
        Whether all state of the network is 0 in the beginning, whatever the graph would begin with.
    """

    dt: float
    weight_width: int
    v_width: int
    i_syn_shift: int
    at_rest: bool

    def table(self) -> dict[str, Any]:
        """Return the table that is written."""
        return {
            "format": FORMAT, "dt": self.dt, "weight_width": self.weight_width,
            "v_width": self.v_width, "i_syn_shift": self.i_syn_shift,
            "at_rest": int(self.at_rest),
        }  # fmt: skip

    @classmethod
    def of(cls, graph: FlatGraph) -> Held | None:
        """Return what the metadata of a graph say; None if they say nothing, or of a later form.

        Raises `InvalidNetwork` if they say what cannot be.
        """
        table = _table(graph.metadata)
        if table is None or _number(table, "format", (1, 1 << 30)) != FORMAT:
            return None
        dt = float(reals("dt in the metadata", table.get("dt", 0)).reshape(-1)[0])
        if dt <= 0:
            raise InvalidNetwork(f"dt in the metadata must be seconds above 0, not {dt:g}")
        return cls(
            dt,
            _number(table, "weight_width", WEIGHT_WIDTHS),
            _number(table, "v_width", V_WIDTHS),
            _number(table, "i_syn_shift", (0, MAX_DECAY_SHIFT)),
            bool("at_rest" in table and _number(table, "at_rest", (0, 1))),
        )


def scale_of(name: str, node: Any, size: int) -> Reals | None:
    """Return the scale of each neuron that the metadata of a node say, shape (size,), or None."""
    table = _table(node.metadata)
    if table is None or "scale" not in table:
        return None
    scale = reals(f"scale of {name} in the metadata", table["scale"]).reshape(-1)
    if scale.size not in (1, size) or (scale <= 0).any():
        raise InvalidNetwork(
            f"scale of {name} in the metadata must be {size} numbers above 0: leave it out"
        )
    return np.broadcast_to(scale, size).astype(np.float64)


def first_of(node: Any) -> int | None:
    """Return the number of the first neuron that the metadata of a node say, or None."""
    table = _table(node.metadata)
    if table is None or "first" not in table:
        return None
    return _number(table, "first", (0, MAX_LINES))


def subtracts(node: Any) -> bool:
    """Return whether the metadata of a node say that a spike subtracts the threshold."""
    table = _table(node.metadata) or {}
    return bool(np.asarray(table.get("reset_subtract", 0)).any())


def _table(metadata: object) -> dict[str, Any] | None:
    table = metadata.get(KEY) if isinstance(metadata, dict) else None
    return table if isinstance(table, dict) else None


def _number(table: dict[str, Any], name: str, allowed: tuple[int, int]) -> int:
    given = np.asarray(table.get(name))
    least, most = allowed
    if given.dtype.kind not in "iu" or given.size != 1 or not least <= int(given) <= most:
        raise InvalidNetwork(f"{name} in the metadata must be {least}…{most}, not {given}")
    return int(given)
