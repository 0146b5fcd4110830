"""A script of a user's own that is explored: its function says what it varies, and runs it."""

from __future__ import annotations

import hashlib
import inspect
import math
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.objectives import ORIGINS, TrialFigure
from spiketwin.cosim.explore.subjects import Prepared, on_core
from spiketwin.hdl.spec.text import shown
from spiketwin.host import Network
from spiketwin.host.errors import InvalidInput

FUNCTIONS: Final = ("trial", "network")
"""Functions of a script, which has one of them: the first returns figures, the other a network."""


@dataclass(frozen=True)
class Script:
    """A Python file with one of `FUNCTIONS`, whose arguments are axes.

    Attributes
    ----------
    path:
        The file, which is run: take no file that you do not trust.
    digest:
        Hash of its contents.
    """

    path: str
    digest: str

    @classmethod
    def at(cls, path: Path) -> Script:
        """Return the script of a file, which is run.

        Raises
        ------
        InvalidInput
            The file cannot be run, or has none of the functions.
        """
        script = cls(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
        _function(script)
        return script

    @property
    def own(self) -> Mapping[str, tuple[int, int] | None]:
        """Return the arguments of the function."""
        return dict.fromkeys(inspect.signature(_function(self)[1]).parameters)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the file."""
        return (self.path,)

    @property
    def identity(self) -> str:
        """Return the hash of the file."""
        return f"script {self.digest}"

    @property
    def measures(self) -> bool:
        """Whether the script returns figures of its own, and no network."""
        return _function(self)[0] == "trial"

    def prepared(self, own: Point, sizes: Point) -> Prepared:
        """Return the network of the script on a core of these sizes."""
        made = _called(self, own)
        if not (isinstance(made, tuple) and len(made) == 3 and isinstance(made[0], Network)):
            raise InvalidInput(
                f"network() of {self.path} must return a Network, its spikes and a number of ticks"
            )
        network, spikes, ticks = made
        return Prepared(on_core(Case.of(network, network.core_params(), spikes, ticks), sizes))

    def figures(self, own: Point) -> dict[str, TrialFigure]:
        """Return the figures that the script finds; raise `InvalidInput` if they are none."""
        found = _called(self, own)
        if not isinstance(found, Mapping):
            raise InvalidInput(f"trial() of {self.path} must return a dictionary of figures")
        return {str(name): _figure(self, name, each) for name, each in found.items()}


def _figure(script: Script, name: object, found: object) -> TrialFigure:
    if isinstance(found, tuple) and len(found) == 2 and found[1] in ORIGINS:
        value = found[0]
        if isinstance(value, int | float) and math.isfinite(value):
            return TrialFigure(float(value), str(found[1]))
    raise InvalidInput(
        f"trial() of {script.path} must give {name} as (number, origin), the origin one of "
        f"{', '.join(ORIGINS)}, not {shown(found)}"
    )


@lru_cache(maxsize=4)
def _function(script: Script) -> tuple[str, Callable[..., Any]]:
    try:
        found = runpy.run_path(script.path, run_name="spiketwin_explore")
    except Exception as error:  # whatever the user's own file raises
        raise InvalidInput(f"{script.path} cannot be run: {_text(error)}") from error
    names = [name for name in FUNCTIONS if callable(found.get(name))]
    if len(names) != 1:
        raise InvalidInput(
            f"{script.path} must have one function of {' and '.join(FUNCTIONS)}, not {len(names)}"
        )
    return names[0], found[names[0]]


def _called(script: Script, own: Point) -> Any:
    name, function = _function(script)
    try:
        return function(**own)
    except Exception as error:  # likewise
        raise InvalidInput(f"{name}() of {script.path} failed: {_text(error)}") from error


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
