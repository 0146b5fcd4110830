"""The call of a command, as it was given, in the words that make it again."""

from __future__ import annotations

import click
from click.core import ParameterSource


def given(context: click.Context, parameter: click.Parameter) -> list[str]:
    """Return the words by which a parameter was set in the call; none if it was not set."""
    name = str(parameter.name)
    if context.get_parameter_source(name) != ParameterSource.COMMANDLINE:
        return []
    option = [parameter.opts[0]] if isinstance(parameter, click.Option) else []
    value = context.params[name]
    if isinstance(value, bool):
        return option
    several = value if parameter.multiple else [value]
    return [word for one in several for word in (*option, _text(one))]


def _text(value: object) -> str:
    """Return a value as it is typed: several numbers have commas between them."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
