"""Errors of both families, of this package and of PyNN, as scripts may expect either."""

from __future__ import annotations

from pyNN import errors

from spiketwin.host.errors import InvalidInput


class InvalidConnection(InvalidInput, errors.ConnectionError):
    """A connection cannot have this weight, delay or end."""


class InvalidParameter(InvalidInput, errors.InvalidParameterValueError):
    """A parameter cannot have this value."""


class InvalidKind(InvalidInput, TypeError, IndexError):
    """A call was given what it does not take, by kind, length or number."""
