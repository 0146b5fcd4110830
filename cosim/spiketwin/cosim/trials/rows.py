"""A bare read-modify-write of rows of weights, beside which the speed of the model is measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.compilation import compiled, entry
from spiketwin.cosim.model.hashing import Int32

Int8 = npt.NDArray[np.int8]


@compiled
def _touch(row: Int8) -> None:
    for j in range(row.size):
        row[j] ^= 1


@entry
def touch_rows(weight: Int8, sources: Int32) -> None:
    """Read and write every weight of the rows of some sources, in their order."""
    for k in range(sources.size):
        _touch(weight[sources[k]])
