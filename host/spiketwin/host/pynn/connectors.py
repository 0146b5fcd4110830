"""PyNN's connectors; those by maps also connect a population of one cell.

PyNN takes the columns of a map as arrays, and gets numbers where a column has one element.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pyNN import connectors

from spiketwin.host.pynn.given import taking


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


@taking(__init__="allow_self_connections, true, false or 'NoMutual', and safe")
class AllToAllConnector(_Columns, connectors.AllToAllConnector):
    """PyNN's `AllToAllConnector`."""


@taking(__init__="safe")
class OneToOneConnector(_Columns, connectors.OneToOneConnector):
    """PyNN's `OneToOneConnector`."""


@taking(__init__="p_connect in 0…1, allow_self_connections, and rng")
class FixedProbabilityConnector(_Columns, connectors.FixedProbabilityConnector):
    """PyNN's `FixedProbabilityConnector`."""

    def __init__(self, p_connect: float, *others: Any, **options: Any) -> None:
        super().__init__(p_connect, *others, **options)
        if not 0.0 <= self.p_connect <= 1.0:
            raise ValueError(f"p_connect is {p_connect}")


@taking(
    __init__="d_expression, an expression of d such as 'd < 3', allow_self_connections, and rng"
)
class DistanceDependentProbabilityConnector(
    _Columns, connectors.DistanceDependentProbabilityConnector
):
    """PyNN's `DistanceDependentProbabilityConnector`."""


@taking(__init__="index_expression, an IndexBasedExpression, allow_self_connections, and rng")
class IndexBasedProbabilityConnector(_Columns, connectors.IndexBasedProbabilityConnector):
    """PyNN's `IndexBasedProbabilityConnector`."""


@taking(__init__="disp_function, a function of displacements, allow_self_connections, and rng")
class DisplacementDependentProbabilityConnector(
    _Columns, connectors.DisplacementDependentProbabilityConnector
):
    """PyNN's `DisplacementDependentProbabilityConnector`."""


@taking(__init__="array, booleans of shape (sources, targets)")
class ArrayConnector(_Columns, connectors.ArrayConnector):
    """PyNN's `ArrayConnector`."""


@taking(__init__="reference_projection, a projection")
class CloneConnector(_Columns, connectors.CloneConnector):
    """PyNN's `CloneConnector`."""


@taking(__init__="n, a whole number or a random distribution of such, and rng")
class FixedNumberPreConnector(connectors.FixedNumberPreConnector):
    """PyNN's `FixedNumberPreConnector`."""


@taking(__init__="n, a whole number or a random distribution of such, and rng")
class FixedNumberPostConnector(connectors.FixedNumberPostConnector):
    """PyNN's `FixedNumberPostConnector`."""


@taking(__init__="n, a whole number or a random distribution of such, and rng")
class FixedTotalNumberConnector(connectors.FixedTotalNumberConnector):
    """PyNN's `FixedTotalNumberConnector`."""


@taking(__init__="conn_list, rows of (source, target, …), and column_names for what follows")
class FromListConnector(connectors.FromListConnector):
    """PyNN's `FromListConnector`."""


@taking(__init__="degree, a number of neighbours, rewiring in 0…1, and rng")
class SmallWorldConnector(connectors.SmallWorldConnector):
    """PyNN's `SmallWorldConnector`, which PyNN itself lacks."""


@taking(__init__="cset, a connection set of the package csa")
class CSAConnector(connectors.CSAConnector):
    """PyNN's `CSAConnector`."""
