"""The subject of a search: a network with its stimulus, put on cores of different sizes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.presets import preset
from spiketwin.cosim.compare.task import Task
from spiketwin.cosim.demo.run import SIZES, learn
from spiketwin.cosim.demo.tasks import task
from spiketwin.cosim.digits.encoding import Digits, load
from spiketwin.cosim.digits.recipe import RECIPE
from spiketwin.cosim.explore.axes import Point, Value
from spiketwin.hdl.spec.params import field_types
from spiketwin.hdl.spec.params import preset as preset_sizes
from spiketwin.hdl.spec.text import shown
from spiketwin.host import Network, connect, files
from spiketwin.host.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Prepared:
    """The run that is made for one point.

    Attributes
    ----------
    case:
        The network on a core of the sizes of the point, and its stimulus.
    task:
        The questions that it answers; None if it is no task.
    margin:
        Margin by which an answer is sure; None if every image is shown to its end.
    """

    case: Case
    task: Task | None = None
    margin: float | None = None


class SearchSubject(Protocol):
    """The subject of a search. An instance can be hashed, and sent to another process."""

    @property
    def own(self) -> Mapping[str, tuple[int, int] | None]:
        """Axes of its own, each with its range; None where any value will do."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """Words by which the command line names it."""
        ...

    @property
    def identity(self) -> str:
        """Text that differs where anything else is run."""
        ...

    def __hash__(self) -> int:
        """Return a hash, by which what was run is found again."""
        ...

    def prepared(self, own: Point, sizes: Point) -> Prepared:
        """Return what is run with these values of its own axes, and of sizes of the core.

        Raises
        ------
        SpiketwinError
            There is no such core, or it does not hold the network.
        """
        ...


def own_values(subject: SearchSubject, values: Point) -> dict[str, int]:
    """Return whole numbers for axes of a subject; raise `InvalidInput` if one is out of range."""
    found = {}
    for name, value in values.items():
        least, most = subject.own[name] or (-(1 << 63), (1 << 63) - 1)
        if not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(
                f"{name} must be a whole number in {least}…{most}, not {shown(value)}"
            )
        found[name] = value
    return found


def core_sizes(sizes: Point) -> dict[str, Any]:
    """Return fields of `CoreParams` of the types that they have there."""
    types = field_types()
    return {name: types[name](value) for name, value in sizes.items()}


def on_core(case: Case, sizes: Point) -> Case:
    """Return a case on the smallest core that holds it and has some sizes.

    If the core has fewer bits a weight than the network needs, the network is rounded anew: its
    largest weight becomes the largest of the core, and all that is in units of the potential
    shrinks with it.

    Raises
    ------
    SpiketwinError
        There is no such core, or it does not hold the network.
    """
    fields = {"saturation_counters": False} | core_sizes(sizes)
    width, network = fields.get("weight_width"), case.network
    factor = 1.0 if width is None else _factor(network, (1 << width - 1) - 1)
    if factor == 1.0:
        return replace(case, params=network.core_params(**fields))
    others = {name: value for name, value in fields.items() if name != "weight_width"}
    wide, scale = network.core_params(**others), case.scale * factor
    if network.all_to_all:
        network = case.ideal.quantised(scale, wide)
    else:
        network = case.ideal.quantised_as(network, scale, factor, wide)
    biases = np.rint(case.biases * (1.0, 1.0, factor)).astype(np.int64)
    params = network.core_params(**fields)
    return replace(case, network=network, params=params, scale=scale, biases=biases)


def _factor(network: Network, most: int) -> float:
    """Return by what weights are multiplied so that the largest is `most`; 1 if they fit anyway."""
    weights = network.values("weights")
    if network.learns:
        weights += [np.asarray(network.w_min), np.asarray(network.w_max)]
    low = min((int(each.min(initial=0)) for each in weights), default=0)
    high = max((int(each.max(initial=0)) for each in weights), default=0)
    return 1.0 if -most - 1 <= low and high <= most else most / max(high, -low)


# --- a file, a preset ----------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkFile:
    """The network of a file, with the stimulus that was saved with it.

    Attributes
    ----------
    path:
        The file.
    digest:
        Hash of its contents.
    """

    path: str
    digest: str

    @classmethod
    def at(cls, path: Path) -> NetworkFile:
        """Return the network of a file.

        Raises
        ------
        OSError, NetworkFileError
            The file cannot be read, or holds no network.
        InvalidInput
            It holds no stimulus.
        """
        found = cls(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
        _case_of_file(found)
        return found

    @property
    def own(self) -> Mapping[str, tuple[int, int] | None]:
        """Return no axes."""
        return {}

    @property
    def words(self) -> tuple[str, ...]:
        """Return the file."""
        return (self.path,)

    @property
    def identity(self) -> str:
        """Return the hash of the file."""
        return f"network {self.digest}"

    def prepared(self, own: Point, sizes: Point) -> Prepared:
        """Return the network on a core of these sizes."""
        return Prepared(on_core(_case_of_file(self), sizes))


@lru_cache(maxsize=4)
def _case_of_file(file: NetworkFile) -> Case:
    network, saved = files.load(file.path)
    if saved is None:
        raise InvalidInput(f"{file.path} has no stimulus: save it with spikes and ticks")
    sizes = network.core_params(bias_events=len(saved.biases) > 0)
    return Case.of(network, sizes, saved.spikes, saved.ticks, saved.biases)


@dataclass(frozen=True)
class Preset:
    """A preset of `spiketwin.cosim.compare.presets` that is no task.

    Attributes
    ----------
    name:
        Its name.
    """

    name: str

    @property
    def own(self) -> Mapping[str, tuple[int, int] | None]:
        """Return no axes."""
        return {}

    @property
    def words(self) -> tuple[str, ...]:
        """Return the option that names the preset."""
        return ("--preset", self.name)

    @property
    def identity(self) -> str:
        """Return the name of the preset."""
        return f"preset {self.name}"

    def prepared(self, own: Point, sizes: Point) -> Prepared:
        """Return the preset on a core of these sizes."""
        return Prepared(on_core(_case_of_preset(self.name), sizes))


_case_of_preset = lru_cache(maxsize=4)(preset)


# --- the digits ----------------------------------------------------------------------------------

MARGIN: Final = "margin"
"""Axis of the score by which the best class is ahead of the second one if an answer is sure."""

_TRACE_WIDTH: Final = preset_sizes(SIZES).trace_width
"""Bits of a trace for which the recipe is written."""

STATE_BITS: Final = 8
"""Bits that potentials of the digits have more than weights, as many weights come in a tick."""


@dataclass(frozen=True)
class LearnedDigits:
    """The digits: the network learns them, and then is asked about others."""

    @property
    def own(self) -> Mapping[str, tuple[int, int] | None]:
        """Return the ticks of an image, juries, passes, images of each half, seed and margin."""
        return {
            "ticks": (1, 64), "juries": (1, 40), "passes": (1, 20), "images": (10, 899),
            "seed": (0, (1 << 32) - 1), MARGIN: None,
        }  # fmt: skip

    @property
    def words(self) -> tuple[str, ...]:
        """Return the option that names the preset."""
        return ("--preset", "digits")

    @property
    def identity(self) -> str:
        """Return the name of the preset."""
        return "preset digits"

    def prepared(self, own: Point, sizes: Point) -> Prepared:
        """Return the network after it has learned, and the test images."""
        values = own_values(self, {n: value for n, value in own.items() if n != MARGIN})
        margin = _margin(own[MARGIN]) if MARGIN in own else None
        fields = core_sizes(sizes)
        width: int = fields.setdefault("weight_width", RECIPE.weight_width)
        replace(preset_sizes(SIZES), weight_width=width, i_syn_width=24)  # a width that there is
        for name in ("v_width", "i_syn_width"):
            fields.setdefault(name, max(16, width + STATE_BITS))
        ticks = values.get("ticks", RECIPE.ticks)
        recipe = replace(
            RECIPE.in_bits(width),
            ticks=ticks,
            most_spikes=ticks,
            juries=values.get("juries", RECIPE.juries),
            passes=values.get("passes", RECIPE.passes),
            trace_bump=_bump(fields.setdefault("trace_width", _TRACE_WIDTH)),
        )
        seed = values.get("seed", 0)
        halves = _digits().first(values.get("images", 899))
        network = recipe.network(seed)
        params = network.core_params(**{"saturation_counters": False} | fields)
        with connect("model:", params=params) as core:
            record = learn(core, network, recipe.phases(halves, seed), ticks, threads=1)
        asked = task(record, recipe, seed, params)
        return Prepared(asked.case, asked, margin)


def _margin(value: Value) -> float:
    if isinstance(value, str) or not 0 <= value < math.inf:
        raise InvalidInput(f"{MARGIN} must be a number from 0 on, not {shown(value)}")
    return float(value)


def _bump(trace_width: int) -> int:
    """Return the bump of a trace of other widths, the same part of its full scale."""
    return max(1, round(RECIPE.trace_bump * 2.0 ** (trace_width - _TRACE_WIDTH)))


@lru_cache(maxsize=1)
def _digits() -> Digits:
    return load()


def named(name: str) -> SearchSubject:
    """Return the preset of a name; raise `InvalidInput` if there is none."""
    if name == "digits":
        return LearnedDigits()
    _case_of_preset(name)
    return Preset(name)
