"""PyNN's connectors, of which those by maps also connect a population of one cell.

PyNN takes the columns of a map as arrays, and gets numbers where a column has one element.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pyNN import connectors


class _Columns(connectors.MapConnector):
    """A connector whose map has arrays as columns, also where they have one element."""

    def _connect_with_map(
        self, projection: Any, connection_map: Any, distance_map: Any = None
    ) -> None:
        def columns(mask: Any = None) -> Iterator[Any]:
            one = projection.pre.size == 1
            for column in connection_map.by_column(mask):
                yield np.atleast_1d(column) if one else column

        self._standard_connect(projection, columns, distance_map)


class AllToAllConnector(_Columns, connectors.AllToAllConnector):
    """PyNN's `AllToAllConnector`."""


class OneToOneConnector(_Columns, connectors.OneToOneConnector):
    """PyNN's `OneToOneConnector`."""


class FixedProbabilityConnector(_Columns, connectors.FixedProbabilityConnector):
    """PyNN's `FixedProbabilityConnector`."""


class DistanceDependentProbabilityConnector(
    _Columns, connectors.DistanceDependentProbabilityConnector
):
    """PyNN's `DistanceDependentProbabilityConnector`."""


class IndexBasedProbabilityConnector(_Columns, connectors.IndexBasedProbabilityConnector):
    """PyNN's `IndexBasedProbabilityConnector`."""


class DisplacementDependentProbabilityConnector(
    _Columns, connectors.DisplacementDependentProbabilityConnector
):
    """PyNN's `DisplacementDependentProbabilityConnector`."""


class ArrayConnector(_Columns, connectors.ArrayConnector):
    """PyNN's `ArrayConnector`."""


class CloneConnector(_Columns, connectors.CloneConnector):
    """PyNN's `CloneConnector`."""
