"""What the address of a simulated target says: ``rtl:?params=full,lanes=4&level=pins``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from spiketwin.hdl.spec.params import CoreParams, preset

DEFAULT_PARAMS: Final = "digits"


class AddressError(ValueError):
    """An address or an option names something that does not exist, or a value that is none."""


def options(url: str, names: tuple[str, ...]) -> dict[str, str]:
    """Read the options of an address, ``?name=value&…``.

    Parameters
    ----------
    url:
        The whole address.
    names:
        The options that the target has.

    Raises
    ------
    AddressError
        The address gives another option, or one twice, or is no address.
    """
    query = urlsplit(url).query
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise AddressError(f"{url}: {error}; write options as ?name=value&…") from error
    result = dict(pairs)
    if len(result) < len(pairs):
        raise AddressError(f"{url}: an option is given twice")
    for name in result.keys() - set(names):
        raise AddressError(f"{url}: no option {name!r}; there are {', '.join(names)}")
    return result


def integer(name: str, text: str) -> int:
    """Read an integer; ``100e6`` is one.

    Raises
    ------
    AddressError
        It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value.is_integer():
        raise AddressError(f"{name} must be an integer, not {text!r}")
    return int(value)


def core_params(text: str) -> CoreParams:
    """Read sizes: the name of a reference size, then fields that differ: ``full,lanes=4``.

    Raises
    ------
    AddressError
        There is no such field, or its value is no integer.
    ParamsError
        There is no such reference size, or no core has these sizes.
    """
    name, *changes = text.split(",")
    params = preset(name)
    types = {field.name: type(getattr(params, field.name)) for field in fields(params)}
    changed = {}
    for change in changes:
        field, _, value = change.partition("=")
        if field not in types:
            raise AddressError(f"no size {field!r}; there are {', '.join(types)}")
        changed[field] = types[field](integer(field, value))
    return replace(params, **changed)
