"""Seeded bugs: the gateware is broken at one place at a time, and the comparison names it.

Each bug is built at the size `tiny` and compared with the model on the same few networks, which
together exercise every place that is broken here.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin import hdl
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.comparison import compare
from spiketwin.cosim.compare.difference import Difference
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.rtl.build import Design, library
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Core, Network, connect
from spiketwin.host.errors import SpiketwinError, SpiketwinWarning
from spiketwin.host.link import Link
from spiketwin.host.progress import Stages

SIZES: Final = preset("tiny")
TICKS: Final = 60

_PACKAGE: Final = Path(next(iter(hdl.__path__)))


class MutantError(SpiketwinError):
    """A seeded bug does not fit the gateware: its place was changed, or is not unique."""


@dataclass(frozen=True)
class Mutant:
    """One seeded bug.

    Attributes
    ----------
    name:
        Description of the bug.
    file:
        File of ``spiketwin.hdl.gateware`` that has it.
    right, wrong:
        Text that occurs exactly once in the file, and its replacement.
    field:
        Field at which the bug must first show (`Difference.field`), which also says whether that
        is at a synapse (``weight``), a source (``trace_pre``) or a neuron.
    """

    name: str
    file: str
    right: str
    wrong: str
    field: str


@dataclass(frozen=True)
class Named(Result):
    """The verdict of the comparison on a seeded bug.

    Attributes
    ----------
    mutant:
        The bug.
    difference:
        The first difference from the model; None if none was found.
    build_seconds, seconds:
        Wall time of the build, and from then until the difference was named.
    """

    json_keys = (
        "name", "file", "named", "tick", "field", "source", "neuron", "seconds", "build_seconds",
    )  # fmt: skip

    mutant: Mutant
    difference: Difference | None
    build_seconds: float
    seconds: float

    @property
    def named(self) -> bool:
        """Whether a tick, an element and the field are named, and it is the field of the bug."""
        found = self.difference
        return (
            found is not None
            and found.tick is not None
            and bool(found.element)
            and found.field == self.mutant.field
        )

    @property
    def name(self) -> str:
        """Description of the bug."""
        return self.mutant.name

    @property
    def file(self) -> str:
        """File of the gateware that has the bug."""
        return self.mutant.file

    @property
    def tick(self) -> int | None:
        """Tick of the first difference; null without one."""
        return None if self.difference is None else self.difference.tick

    @property
    def field(self) -> str | None:
        """Field of the first difference; null without one."""
        return None if self.difference is None else self.difference.field

    @property
    def source(self) -> int | None:
        """Source of the first difference; null without one."""
        return None if self.difference is None else self.difference.source

    @property
    def neuron(self) -> int | None:
        """Neuron of the first difference; null without one."""
        return None if self.difference is None else self.difference.neuron


MUTANTS: Final = (
    Mutant(
        "fires above the threshold, not at it", "core/neurons.py",
        "fires.eq(~refractory & ~difference[-1])",
        "fires.eq(~refractory & ~difference[-1] & (difference != 0))",
        "spike",
    ),
    Mutant(
        "a spike does not begin the refractory ticks", "core/neurons.py",
        "Mux(fires, self._read(Space.REFRAC_TICKS), refrac_count - refractory)",
        "refrac_count - refractory",
        "refrac_count",
    ),
    Mutant(
        "the floor of v is not held", "core/neurons.py",
        "v.eq(~Mux(headroom < 0, capped(~total, p.v_width), floor))",
        "v.eq(~capped(~total, p.v_width))",
        "v",
    ),
    Mutant(
        "v wraps instead of saturating", "core/neurons.py",
        "Mux(headroom < 0, capped(~total, p.v_width), floor)",
        "Mux(headroom < 0, (~total)[: p.v_width].as_signed(), floor)",
        "spike",
    ),
    Mutant(
        "theta of the group behind", "core/neurons.py",
        'Delay(m, f"theta_{lane}", self._read(Space.THETA), 2)[2]',
        'Delay(m, f"theta_{lane}", self._read(Space.THETA), 3)[3]',
        "theta",
    ),
    Mutant(
        "reset to v_reset whatever the setting", "core/neurons.py",
        "Mux(subtracts, capped(difference, p.v_width), self._read(Space.V_RESET))",
        "self._read(Space.V_RESET)",
        "v",
    ),
    Mutant(
        "trace_post seen before its decay", "core/neurons.py",
        "m, trace, self.constants",
        'm, Delay(m, f"early_{lane}", old, decay.DECAY_LATENCY)[-1], self.constants',
        "trace_post",
    ),
    Mutant(
        "a bump wraps instead of saturating", "core/pipeline.py",
        "with m.If(spiked & total[-1]):",
        "with m.If(spiked & ~spiked):",
        "trace_pre",
    ),
    Mutant(
        "a decay does not take one step at least", "core/decay.py",
        "one_more = half | ((whole == 0) & (rest != 0))",
        "one_more = half",
        "theta",
    ),
    Mutant(
        "a decay is cut off instead of rounded", "core/decay.py",
        "one_more = half | ((whole == 0) & (rest != 0))",
        "one_more = (whole == 0) & (product[:DECAY_BITS] != 0)",
        "trace_pre",
    ),
    Mutant(
        "a current wraps instead of saturating", "core/currents.py",
        "saturated(total, p.i_syn_width)",
        "total[: p.i_syn_width]",
        "i_syn",
    ),
    Mutant(
        "steps of weights are cut off instead of rounded", "core/noise.py",
        "m.d.sync += [x.eq(a.HALF_STEP), y.eq(a.HALF_STEP)]",
        "m.d.sync += [x.eq(0), y.eq(0)]",
        "weight",
    ),
    Mutant(
        "the upper bound of weights is one too high", "core/synapses.py",
        "with m.Elif((w_max + moved) < 0):",
        "with m.Elif((w_max + moved) < -2):",
        "weight",
    ),
    Mutant(
        "weights that are not plastic learn", "core/synapses.py",
        "with m.If(~kept.plastic):",
        "with m.If(kept.plastic != kept.plastic):",
        "weight",
    ),
    Mutant(
        "the noise does not change from tick to tick", "core/noise.py",
        "y = y ^ Mux(absorbing, part, 0)",
        "y = y ^ 0",
        "weight",
    ),
    Mutant(
        "trace_pre is replaced where it should add up", "core/traces.py",
        'replace=of_bump.at(READ_LATENCY + 1, "trace_pre_replace")',
        'replace=~of_bump.at(READ_LATENCY + 1, "trace_pre_replace")',
        "trace_pre",
    ),
    Mutant(
        "columns are off by one source", "core/weights.py",
        "low = (bank - block.index)[:lane_bits]",
        "low = (bank - block.index + 1)[:lane_bits]",
        "weight",
    ),
    Mutant(
        "an axon reads the row behind its own", "core/blocks.py",
        "word.eq(Mux(self.is_axon, self.axon,",
        "word.eq(Mux(self.is_axon, self.axon + 1,",
        "i_syn",
    ),
    Mutant(
        "columns learn by the rule of rows", "core/core.py",
        "lanes.gain_stb.eq(fetches.pre_gain_fetched | fetches.post_gain_fetched)",
        "lanes.gain_stb.eq(fetches.pre_gain_fetched)",
        "weight",
    ),
    Mutant(
        "of several spikes of a group the last goes first", "core/sources.py",
        "for k in reversed(range(len(mask))):",
        "for k in range(len(mask)):",
        "weight",
    ),
)  # fmt: skip
"""The seeded bugs, of all parts of a tick."""


def mutated(mutant: Mutant, folder: Path) -> None:
    """Make a copy of the package ``spiketwin.hdl`` in a folder, with a bug in it.

    Raise `MutantError` if the text at the place of the bug does not occur exactly once.
    """
    copy = folder / "spiketwin" / "hdl"
    shutil.copytree(_PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "gateware" / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.right) != 1:
        raise MutantError(
            f"the bug {mutant.name!r} cannot be put into {mutant.file}: {mutant.right!r} is there "
            f"{text.count(mutant.right)} times, not once. Bring it up to date"
        )
    file.write_text(text.replace(mutant.right, mutant.wrong), encoding="utf-8")


def name(mutant: Mutant) -> Named:
    """Build the gateware with a bug, and look for the first difference from the model.

    Raises
    ------
    MutantError
        The place of the bug is not there exactly once.
    SpiketwinError
        The build failed, or the target broke down.
    """
    with tempfile.TemporaryDirectory() as folder:
        mutated(mutant, Path(folder))
        design = Design(params=SIZES, gateware=folder)
        begin = time.perf_counter()
        library(design, report=lambda _: None)
        built = time.perf_counter()
        differences = (difference(design, case) for case in cases())
        first = next((each for each in differences if each is not None), None)
    return Named(mutant, first, built - begin, time.perf_counter() - built)


def difference(design: Design, case: Case) -> Difference | None:
    """Return the first difference of a design from the model in a case; None if there is none."""
    port = DesignSerial(design)
    with (
        warnings.catch_warnings(),
        connect("model:", params=design.params) as model,
        Core(Link(port)) as core,
    ):
        # The networks are at their limits on purpose.
        warnings.simplefilter("ignore", SpiketwinWarning)
        subjects = [Subject("model:", "model:", model), Subject("rtl:", "rtl:", core)]
        found = compare(case, subjects, with_ideal=False, every=1, progress=lambda *_: None)
    return next(iter(found.differences), None)


# --- what provokes them ------------------------------------------------------------------------


def cases() -> tuple[Case, ...]:
    """Return the networks that provoke the bugs, the same at every call."""
    return tuple(
        Case.of(network, SIZES, spikes, TICKS)
        for network, spikes in ((_learning(), _events(0.3)), (_extreme(), _events(0.9)))
    )


def _events(share: float) -> Any:
    return np.argwhere(np.random.default_rng(3).random((TICKS, SIZES.n_axons)) < share)


def _learning() -> Network:
    """Return a lively network that learns by noise, from traces that add up and saturate."""
    network = Network.random(SIZES.n_axons, SIZES.n_neurons, seed=5)
    network.trace_pre_bump = network.trace_post_bump = 30_000
    network.trace_pre_replace = network.trace_post_replace = False
    return network


def _extreme() -> Network:
    """Return a network of integers at their limits: only traces decay, and steps round to nearest.

    Currents and some potentials grow until they saturate, others fall to their floor. The first
    neurons reach their thresholds exactly, and subtract them.
    """
    rng = np.random.default_rng(7)
    n_axons, n_neurons = SIZES.n_axons, SIZES.n_neurons
    weights = np.zeros((n_axons + n_neurons, n_neurons), np.int64)
    weights[:n_axons] = 127 * rng.choice([1, 1, 1, -1], (1, n_neurons))
    weights[n_axons:] = rng.integers(-20, 20, (n_neurons, n_neurons))
    plastic = rng.random(weights.shape) < 0.5
    return Network(
        n_axons=n_axons, n_neurons=n_neurons, weights=weights, plastic=plastic,
        threshold=np.array([100, 100, 32_767, 32_767, 200, 300, 400, 500]),
        bias=np.array([10, 20, 700, 900, 50, 60, 70, 80]),
        v_reset=np.full(n_neurons, 3), refrac_ticks=np.arange(n_neurons) % 3,
        reset_subtract=True, v_floor=-5_000,
        i_syn_tau=math.inf, theta_bump=40, theta_tau=30.0, learn_pre=True, learn_post=True,
        w_min=-100, w_max=100, pre_gain=-700, pre_offset=30_000, post_gain=900, post_offset=20_000,
        trace_pre_tau=10.0, trace_pre_bump=20_000, trace_pre_replace=True,
        trace_post_tau=7.0, trace_post_bump=25_000,
    )  # fmt: skip


@dataclass(frozen=True)
class MutantsFound(Result):
    """The seeded bugs, and those that the comparison named.

    Attributes
    ----------
    list:
        Verdict on each bug.
    """

    json_keys = ("seeded", "named", "slowest_seconds", "list")

    list: Sequence[Named]

    @property
    def seeded(self) -> int:
        """Number of the seeded bugs."""
        return len(self.list)

    @property
    def named(self) -> int:
        """How many of them were named by tick, element and field."""
        return sum(each.named for each in self.list)

    @property
    def slowest_seconds(self) -> float:
        """The longest time that it took to name one."""
        return max(each.seconds for each in self.list)


@dataclass(frozen=True)
class MutantsResult(Result):
    """The result of ``spiketwin bench --mutants``.

    Attributes
    ----------
    mutants:
        The seeded bugs.
    """

    mutants: MutantsFound


# --- all of them -------------------------------------------------------------------------------


def measure(report: Stages) -> MutantsResult:
    """Look for the first difference that each seeded bug makes.

    Parameters
    ----------
    report:
        Called with one line before each bug.

    Raises
    ------
    SpiketwinError
        As `name`.
    """
    found = []
    for number, mutant in enumerate(MUTANTS, 1):
        report(f"bug {number} of {len(MUTANTS)}: {mutant.name}")
        found.append(name(mutant))
    return MutantsResult(MutantsFound(found))
