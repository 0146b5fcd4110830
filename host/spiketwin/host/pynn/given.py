"""Checks of the values that a script gives to PyNN's calls, where it gives them.

PyNN itself raises whatever Python does when it comes to a wrong value, often at the run. Here
values of parameters are checked by name, and what PyNN's own calls raise becomes an error that
names the call and what it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import numpy as np
from pyNN import errors
from pyNN.parameters import ArrayParameter, LazyArray
from pyNN.random import RandomDistribution

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.pynn.wrong import InvalidKind, InvalidParameter

_TYPED: Final[tuple[type[Exception], ...]] = (
    SpiketwinError,
    *(e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)),
)
"""Errors that say what is wrong already: those of this package, and of PyNN."""

_RAW: Final = (
    TypeError, ValueError, AttributeError, LookupError, ArithmeticError, AssertionError, NameError,
    SyntaxError,
)  # fmt: skip
"""What Python raises where a value is not of the kind that was expected; PyNN itself also raises a
bare `Exception`."""

_ABOVE: Final = {"tau_m", "tau_syn_E", "tau_syn_I", "cm", "tau_plus", "tau_minus", "dt"}
_FROM: Final = {"tau_refrac", "rate", "spike_times", "times"}
_ENDLESS: Final = {"tau_syn_E", "tau_syn_I", "cm", "start", "stop", "duration"}
"""Parameters that have to be above 0, or 0 or more, and those that may be infinite."""

_LISTS: Final = {"times", "amplitudes"}
_SERIES: Final = {"spike_times", *_LISTS}
"""Parameters that are lists: those of no cell, which no function of an index makes, and all."""

_LEFT_OPEN: Final = {"weight", "delay"}
"""Parameters of connections that may be None: then they are 0, and the least delay."""


_MOST_DIMENSIONS: Final = 2


def check_parameters(model: Any, given: Mapping[str, Any], links: bool = False) -> None:
    """Raise an error for parameters that a model does not have, or cannot have as they are given.

    Parameters
    ----------
    model:
        A model of cells, synapses or current sources.
    given:
        Parameters by name.
    links:
        As for `check_values`.

    Raises
    ------
    NonExistentParameterError
        There is none of this name.
    InvalidParameter
        A value is none that it can have.
    """
    name, known = type(model).__name__, list(model.default_parameters)
    for each in given:
        if each not in known:
            raise errors.NonExistentParameterError(each, name, known)
    check_values(name, given, links)


def check_values(owner: str, values: Mapping[str, Any], links: bool = False) -> None:
    """Raise `InvalidParameter` for a value that no parameter of this name can have.

    Parameters
    ----------
    owner:
        Whose parameters they are, for the message.
    values:
        Values by name: numbers, arrays, lists or sequences of them, random distributions, or
        functions of the index.
    links:
        Whether they are of connections, which also take expressions of the distance, and None.
    """
    for name, value in values.items():
        if links and (isinstance(value, str) or (value is None and name in _LEFT_OPEN)):
            continue
        if isinstance(value, RandomDistribution | LazyArray):
            continue
        if callable(value) and not isinstance(value, type) and name not in _LISTS:
            continue
        _check_numbers(owner, name, value)


def _check_numbers(owner: str, name: str, value: Any) -> None:
    try:
        numbers = _flat(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidParameter(
            f"{name} of {owner} must be {_allowed(name)}, or an array or a random distribution of "
            f"such, not {shown(value)}"
        ) from error
    plain = value.value if isinstance(value, ArrayParameter) else value
    if name in _SERIES and not (
        isinstance(plain, list | tuple) or getattr(plain, "ndim", 0) in (1, 2)
    ):
        raise InvalidParameter(f"{name} of {owner} must be a list of numbers, not {shown(value)}")
    wrong = np.isnan(numbers)
    if name not in _ENDLESS:
        wrong |= np.isinf(numbers)
    if name in _ABOVE:
        wrong |= numbers <= 0
    if name in _FROM:
        wrong |= numbers < 0
    if wrong.any():
        raise InvalidParameter(
            f"{name} of {owner} must be {_allowed(name)}, not {numbers[wrong][0]:g}"
        )


def _allowed(name: str) -> str:
    least = " above 0" if name in _ABOVE else ", 0 or more" if name in _FROM else ""
    return f"a {'' if name in _ENDLESS else 'finite '}number{least}"


def _flat(value: Any) -> Any:
    """Return all numbers in a value as one array; raise `TypeError` if something else is there."""
    if isinstance(value, ArrayParameter):
        value = value.value
    if isinstance(value, np.ndarray) and value.ndim > _MOST_DIMENSIONS:
        raise TypeError("no array of cells, or of sources and targets")
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return value.reshape(-1).astype(np.float64)
    if isinstance(value, list | tuple | np.ndarray):
        parts = [_flat(each) for each in value]
        return np.concatenate([np.empty(0), *parts])
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise TypeError("no number")
    return np.array([float(value) if not isinstance(value, np.complexfloating) else math.nan])


def takes(call: Callable[..., Any], what: str, name: str = "") -> Callable[..., Any]:
    """Return a call of PyNN's whose raw errors say what it takes.

    Parameters
    ----------
    call:
        A function or a method.
    what:
        What it takes, argument by argument.
    name:
        What a script calls it; by default it is a method, and has the name of its class, too.

    Raises
    ------
    InvalidKind
        By the call that is returned: it was given something else.
    """

    @wraps(call)
    def checked(*args: Any, **options: Any) -> Any:
        try:
            return call(*args, **options)
        except _TYPED:
            raise
        except Exception as error:
            if type(error) is not Exception and not isinstance(error, _RAW):
                raise
            said = str(error) or type(error).__name__
            own = name or f"{type(args[0]).__name__}.{call.__name__}".removesuffix(".__init__")
            raise InvalidKind(f"{own} takes {what}: {said}") from error

    return checked


def taking(**calls: str) -> Callable[[type], type]:
    """Return a decorator of a class some of whose calls, own and inherited, are to be `takes`."""

    def decorated(made: type) -> type:
        for name, what in calls.items():
            setattr(made, name, takes(getattr(made, name), what))
        return made

    return decorated
