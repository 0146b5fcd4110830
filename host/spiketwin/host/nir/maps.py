"""Linear nodes of NIR, applied to many signals at once: the first axis of arrays counts signals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.quantisation.meant import Reals, check_finite

_SMALLEST, _LARGEST = 1e-30, 1e30
"""Magnitudes of numbers that can make a difference beside others."""

_MOST: Final = 1 << 28
"""Most elements of what all sources make at a node: 2 GB."""

_AT_A_TIME: Final = 256
"""Signals that are convolved at a time: all windows of these are in memory."""


def reals(name: str, value: Any) -> Reals:
    """Return an attribute of a node as real numbers; raise `InvalidNetwork` if it is none.

    Magnitudes are at most 1e30; those below 1e-30, which training may leave, are 0.
    """
    try:
        if np.iscomplexobj(value):
            raise TypeError("numpy would leave out the imaginary parts")
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidNetwork(f"{name} must be real numbers, not {shown(value)}") from error
    check_finite(name, array)
    if (np.abs(array) > _LARGEST).any():
        raise InvalidNetwork(f"{name} must be at most {_LARGEST:g} in magnitude, for any core")
    return np.where(np.abs(array) < _SMALLEST, 0.0, array)


def apply(name: str, node: Any, x: Reals) -> Reals:
    """Return what a linear node makes of signals, without its bias.

    Parameters
    ----------
    name, node:
        The node.
    x:
        Shape (k, …): k signals.

    Raises
    ------
    InvalidNetwork
        The signals do not have the shape that the node takes, or it is a map that is not known.
    """
    kind = type(node).__name__
    if kind not in _MAPS:
        raise InvalidNetwork(
            f"{shown(name)} is a node {kind}, which is not carried: there are "
            f"{', '.join(_MAPS)} between neurons; compute it outside, or leave it out"
        )
    return _MAPS[kind](name, node, x)


def bias_of(name: str, node: Any, shape: tuple[int, ...]) -> Reals:
    """Return the bias that a linear node adds to a signal of this shape; 0 where it has none."""
    if not hasattr(node, "bias"):
        return np.zeros(shape)
    bias = reals(f"bias of {name}", node.bias)
    if type(node).__name__.startswith("Conv"):
        bias = bias.reshape(-1, *[1] * (len(shape) - 1))
    try:
        return np.broadcast_to(bias, shape)
    except ValueError as error:
        raise InvalidNetwork(
            f"bias of {name} must have the shape {shape}, not {bias.shape}"
        ) from error


def _matrix(name: str, node: Any, x: Reals) -> Reals:
    weight = reals(f"weight of {name}", node.weight)
    if weight.ndim != 2 or x.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise InvalidNetwork(
            f"weight of {name} must have the shape (n, {_size(x)}) for what comes to it, of shape "
            f"{x.shape[1:]}, not {weight.shape}: put a Flatten before it"
        )
    _check_size(name, len(x), weight.shape[:1])
    return x @ weight.T


def _scale(name: str, node: Any, x: Reals) -> Reals:
    scale = reals(f"scale of {name}", node.scale)
    if scale.shape != x.shape[1:] and scale.size != 1:
        raise InvalidNetwork(
            f"scale of {name} must have the shape {x.shape[1:]} of what comes to it, not "
            f"{scale.shape}"
        )
    return x * scale.reshape(scale.shape if scale.shape == x.shape[1:] else ())


def _flatten(name: str, node: Any, x: Reals) -> Reals:
    shape, dims = x.shape[1:], x.ndim - 1
    ((first,), (last,)) = (
        _numbers(name, node, each, 1, -dims) for each in ("start_dim", "end_dim")
    )
    last += dims if last < 0 else 0
    if not 0 <= first <= last < dims:
        raise InvalidNetwork(
            f"start_dim and end_dim of {name} must be within the {dims} dimensions of what comes "
            f"to it, not {node.start_dim} and {node.end_dim}"
        )
    return x.reshape(len(x), *shape[:first], -1, *shape[last + 1 :])


def _convolve(name: str, node: Any, x: Reals) -> Reals:
    dims = 1 if type(node).__name__ == "Conv1d" else 2
    weight = reals(f"weight of {name}", node.weight)
    (groups,) = _numbers(name, node, "groups", 1, 1)
    if weight.ndim != dims + 2 or x.ndim != dims + 2:
        raise InvalidNetwork(
            f"{name} convolves signals of {dims + 1} dimensions by a weight of {dims + 2}, not "
            f"{x.shape[1:]} by {weight.shape}"
        )
    if len(weight) % groups or x.shape[1] != groups * weight.shape[1]:
        raise InvalidNetwork(
            f"{name} takes {groups} × {weight.shape[1]} channels and makes {len(weight)}, and "
            f"{x.shape[1]} come to it: its groups must divide both"
        )
    kernel = weight.shape[2:]
    stride, dilation = (_numbers(name, node, each, dims, 1) for each in ("stride", "dilation"))
    padding = _padding(name, node, kernel, dilation, stride)
    axes = list(range(2, 2 + dims))
    _check_size(name, len(x), (len(weight), *x.shape[2:]))  # at most so many places, if not padded
    parts = []
    for begin in range(0, len(x), _AT_A_TIME):
        seen = _windows(name, x[begin : begin + _AT_A_TIME], kernel, stride, padding, dilation)
        made = [
            np.tensordot(one, own, ([1, *(a + dims for a in axes)], [1, *axes]))
            for one, own in zip(
                np.split(seen, groups, axis=1), np.split(weight, groups), strict=True
            )
        ]
        parts.append(np.moveaxis(np.concatenate(made, axis=-1), -1, 1))
    return np.concatenate(parts)


def _pool(name: str, node: Any, x: Reals) -> Reals:
    if x.ndim != 4:
        raise InvalidNetwork(f"{name} pools signals of 3 dimensions, not {x.shape[1:]}")
    kernel = _numbers(name, node, "kernel_size", 2, 1)
    stride = _numbers(name, node, "stride", 2, 1)
    padding = [(each, each) for each in _numbers(name, node, "padding", 2, 0)]
    sums: Reals = _windows(name, x, kernel, stride, padding, (1, 1)).sum(axis=(-2, -1))
    return sums / np.prod(kernel) if type(node).__name__ == "AvgPool2d" else sums


def _windows(
    name: str,
    x: Reals,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> NDArray[np.float64]:
    """Return what lies under a kernel at each of its places: shape (k, channels, …, *kernel)."""
    around = [size + 2 * max(ends) for size, ends in zip(x.shape[2:], padding, strict=True)]
    _check_size(name, x.shape[0], (x.shape[1], *around))
    padded = np.pad(x, [(0, 0), (0, 0), *padding])
    extent = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    if any(e > size for e, size in zip(extent, padded.shape[2:], strict=True)):
        raise InvalidNetwork(
            f"the kernel of {name}, {tuple(kernel)}, is larger than what comes to it, "
            f"{x.shape[2:]} with its padding"
        )
    seen = sliding_window_view(padded, extent, axis=tuple(range(2, x.ndim)))
    places = [slice(None, None, step) for step in (*stride, *dilation)]
    return seen[(slice(None), slice(None), *places)]


def _padding(
    name: str, node: Any, kernel: Sequence[int], dilation: Sequence[int], stride: Sequence[int]
) -> list[tuple[int, int]]:
    given = node.padding
    given = given.decode() if isinstance(given, bytes) else given
    if isinstance(given, str):
        if given not in ("same", "valid") or given == "same" and max(stride) > 1:
            raise InvalidNetwork(
                f"padding of {name} must be numbers, 'valid', or 'same' with a stride of 1, not "
                f"{shown(given)}"
            )
        whole = [(size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
        return [(e // 2, e - e // 2) if given == "same" else (0, 0) for e in whole]
    return [(each, each) for each in _numbers(name, node, "padding", len(kernel), 0)]


def _numbers(name: str, node: Any, what: str, dims: int, least: int) -> tuple[int, ...]:
    try:
        given = np.asarray(getattr(node, what))
    except ValueError:  # a ragged list
        given = np.zeros(0)
    if given.dtype.kind not in "iu" or given.size not in (1, dims) or (given < least).any():
        raise InvalidNetwork(
            f"{what} of {name} must be {dims} whole numbers, {least} or more, not "
            f"{shown(getattr(node, what))}"
        )
    return tuple(np.broadcast_to(given.reshape(-1), dims).tolist())


def _check_size(name: str, signals: int, shape: Sequence[int]) -> None:
    """Raise `InvalidNetwork` if what comes of a node is too much to be composed."""
    if signals * math.prod(shape) > _MOST:
        raise InvalidNetwork(
            f"{name} makes {math.prod(shape):,} elements of what {signals:,} sources send, which "
            "is too much to be composed to weights: pool before it, or make it smaller"
        )


def _size(x: Reals) -> int:
    return int(np.prod(x.shape[1:]))


_MAPS: Final[dict[str, Callable[[str, Any, Reals], Reals]]] = {
    "Affine": _matrix,
    "Linear": _matrix,
    "Scale": _scale,
    "Conv1d": _convolve,
    "Conv2d": _convolve,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
}
"""Linear nodes, by the names of their classes."""
