"""The cost of a quantisation: spikes and answers of a core beside those of double precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import Per
from spiketwin.host.cautions import warn_of_repeats
from spiketwin.host.core import Core
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.network import ARRAYS, SETTINGS, Network
from spiketwin.host.populations import Population
from spiketwin.host.quantisation.floating import FloatRun, run_floating
from spiketwin.host.quantisation.meant import Meant
from spiketwin.host.quantisation.report import QuantisationReport
from spiketwin.host.quantisation.rounding import V_WIDTHS, WEIGHT_WIDTHS, quantise
from spiketwin.host.targets import connect

_BITS: Final = {"weight_width": WEIGHT_WIDTHS, "v_width": V_WIDTHS}
"""Sizes that another bit may be given to, and their ranges."""


@dataclass(frozen=True)
class LayerMeasured(Result):
    """The spikes of a layer beside those that are meant.

    Attributes
    ----------
    name:
        Name of the layer.
    meant, held:
        Spikes in double precision, and on the core.
    closed:
        Share of equal spikes, of the same neuron in the same tick, in all spikes of the one that
        has more; None for neurons that never fire.
    open:
        The same in open loop: each layer hears the spikes that double precision gives to it, and
        not those of the core. None also where a core has too few axons for it.
    v_error:
        Root mean square error of the last potentials of neurons that never fire, as a share of
        their root mean square; None of others.
    """

    name: str
    meant: int
    held: int
    closed: float | None
    open: float | None
    v_error: float | None


@dataclass(frozen=True)
class Accuracy(Result):
    """Right answers to a task.

    Attributes
    ----------
    samples:
        Questions.
    meant, held:
        Share of right answers in double precision, and on the core.
    """

    samples: int
    meant: float
    held: float


@dataclass(frozen=True)
class Gain(Result):
    """The gain of another bit.

    Attributes
    ----------
    size:
        The size of the core that gets the bit.
    bits:
        Its bits with it.
    closed, open:
        Share of equal spikes of all layers with it.
    accuracy:
        Share of right answers with it; None without a task.
    """

    size: str
    bits: int
    closed: float
    open: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Measured(Result):
    """The cost of a quantisation.

    Attributes
    ----------
    target:
        The target on which it was measured.
    samples, ticks:
        Stimuli, and the ticks of each.
    closed, open:
        Share of equal spikes of all layers, as for `LayerMeasured`.
    layers:
        Each layer.
    saturated:
        How often a current and a potential saturated; None if the core does not count it.
    accuracy:
        Right answers; None without a task.
    gains:
        What another bit would bring, the greatest gain first; empty if that was not asked for.
    """

    target: str
    samples: int
    ticks: int
    closed: float
    open: float | None
    layers: list[LayerMeasured]
    saturated: dict[str, int] | None
    accuracy: Accuracy | None
    gains: list[Gain]


@dataclass(frozen=True, eq=False)
class Task:
    """Stimuli, and what is asked about each.

    Attributes
    ----------
    stimuli:
        Arrays of shape (k, 2): (tick, axon).
    ticks:
        Ticks of each.
    labels:
        Shape (stimuli,): the right answers; None if nothing is asked.
    readout:
        Name of the layer that answers: the neuron with the most spikes, or where they never fire
        with the highest potential in the end.
    """

    stimuli: Sequence[ArrayLike]
    ticks: int
    labels: NDArray[Any] | None = None
    readout: str = ""

    def check(self, meant: Meant) -> None:
        """Raise `InvalidInput` if it cannot be asked of this network."""
        if not len(self.stimuli):
            raise InvalidInput("stimuli must have one or more stimuli")
        if self.labels is None:
            return
        if np.shape(self.labels) != (len(self.stimuli),):
            raise InvalidInput(
                f"labels must have the shape ({len(self.stimuli)},), one for each stimulus, not "
                f"{np.shape(self.labels)}"
            )
        if self.readout not in meant.places:
            raise InvalidInput(
                f"readout must name the layer that answers, one of {', '.join(meant.places)}, not "
                f"{shown(self.readout)}"
            )


class _Played:
    """The response of a network to each stimulus: its spikes, and its potentials in the end."""

    def __init__(self, spikes: list[IntArray], v: list[NDArray[Any]]) -> None:
        self.spikes, self.v = spikes, v

    def answers(self, meant: Meant, readout: str) -> IntArray:
        """Return the answer to each stimulus."""
        place = meant.places[readout]
        if not next(e for e in meant.layers if e.name == readout).fires:
            return np.array([v[place.start : place.stop].argmax() for v in self.v])
        found = []
        for each in self.spikes:
            counts = np.bincount(each[:, 1], minlength=meant.n_neurons)
            found.append(counts[place.start : place.stop].argmax())
        return np.array(found)


def measure(
    net: Network,
    report: QuantisationReport,
    stimuli: Sequence[ArrayLike],
    ticks: int,
    *,
    labels: ArrayLike | None = None,
    readout: str = "",
    target: str = "model:",
    gains: bool = True,
) -> Measured:
    """Run a network beside what was meant by it, in open and in closed loop.

    Parameters
    ----------
    net, report:
        A network and the report that came with it.
    stimuli:
        Arrays of shape (k, 2): (tick, axon). Each begins anew.
    ticks:
        Ticks of each.
    labels, readout:
        Shape (stimuli,): the right answers of a task; and the name of the layer that answers, by
        the neuron with the most spikes, or where they never fire with the highest potential in the
        end.
    target:
        Address of the target.
    gains:
        Whether to find out which bit would gain most, which takes three times as long.

    Raises
    ------
    InvalidInput
        An argument is wrong, or the report is of another network.
    SpiketwinError
        As `connect` and `Core.run` raise it.

    Warns
    -----
    SpiketwinWarning
        An axon is named several times in a tick, and counts once, as it reaches a layer with a
        delay.
    """
    if net.n_neurons != report.meant.n_neurons or net.n_axons != report.meant.n_axons:
        raise InvalidInput("report must be the one that came with the network")
    task = Task(stimuli, ticks, None if labels is None else np.asarray(labels), readout)
    task.check(report.meant)
    ideal = floating(report.meant, task)
    for each in stimuli:
        warn_of_repeats(np.asarray(each, np.int64).reshape(-1, 2), net)
    found = beside(net, report, task, ideal, target)
    if not gains:
        return found
    return replace(found, gains=_gains(report, task, ideal, found, target))


def floating(meant: Meant, task: Task) -> list[FloatRun]:
    """Return what double precision does with each stimulus."""
    return [run_floating(meant, each, task.ticks) for each in task.stimuli]


def beside(
    net: Network, report: QuantisationReport, task: Task, ideal: list[FloatRun], target: str
) -> Measured:
    """Return what a network costs beside what double precision did, without gains."""
    meant = report.meant
    wanted = _Played([each.spikes for each in ideal], [each.v for each in ideal])
    held, saturated = _play(net, report, task.stimuli, task.ticks, target)
    opened = None
    if net.n_sources <= MAX_LINES:
        heard = [
            _heard(each, run, meant, task.ticks)
            for each, run in zip(task.stimuli, ideal, strict=True)
        ]
        opened, _ = _play(_opened(net), report, heard, task.ticks, target)
    accuracy = None
    if task.labels is not None:
        shares = [
            float((each.answers(meant, task.readout) == task.labels).mean())
            for each in (wanted, held)
        ]
        accuracy = Accuracy(len(task.stimuli), *shares)
    everything = range(meant.n_neurons)
    return Measured(
        target, len(task.stimuli), task.ticks, _alike(wanted, held, everything),
        None if opened is None else _alike(wanted, opened, everything),
        [_layer(meant, name, wanted, held, opened) for name in meant.places], saturated, accuracy,
        [],
    )  # fmt: skip


def _layer(
    meant: Meant, name: str, wanted: _Played, held: _Played, opened: _Played | None
) -> LayerMeasured:
    place = meant.places[name]
    mine, its = (
        sum(int(_within(each, place).sum()) for each in played.spikes) for played in (wanted, held)
    )
    if next(e for e in meant.layers if e.name == name).fires:
        open_share = None if opened is None else _alike(wanted, opened, place)
        return LayerMeasured(name, mine, its, _alike(wanted, held, place), open_share, None)
    part = slice(place.start, place.stop)
    values, off = (np.array(p.v)[:, part] for p in (wanted, held))
    size = float(np.sqrt((values**2).mean()))
    error = float(np.sqrt(((off - values) ** 2).mean()))
    return LayerMeasured(name, mine, its, None, None, error / size if size else error)


def _within(spikes: IntArray, place: range) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = (spikes[:, 1] >= place.start) & (spikes[:, 1] < place.stop)
    return within


def _alike(wanted: _Played, held: _Played, place: range) -> float:
    """Return the share of equal spikes of some neurons; 1 where there are none on either side."""
    same, one, other = 0, 0, 0
    for mine, its in zip(wanted.spikes, held.spikes, strict=True):
        first, second = (
            {(int(t), int(j)) for t, j in each[_within(each, place)]} for each in (mine, its)
        )
        same += len(first & second)
        one += len(first)
        other += len(second)
    return same / max(one, other) if max(one, other) else 1.0


def _play(
    net: Network,
    report: QuantisationReport,
    stimuli: Sequence[ArrayLike],
    ticks: int,
    target: str,
) -> tuple[_Played, dict[str, int] | None]:
    """Run each stimulus from the start on a target; return also what saturated."""
    played = _Played([], [])
    saturated: dict[str, int] | None = {"i_syn": 0, "v": 0}
    with connect(target, params=net.core_params(**report.sizes)) as core:
        core.program(net)
        for each in stimuli:
            begin(core, report)
            run = core.run(each, ticks)
            played.spikes.append(run.spikes)
            played.v.append(core.read_state()["v"][: net.n_neurons] / report.scales)
            if run.saturations is None:
                saturated = None
            elif saturated is not None:
                saturated["i_syn"] += run.saturations.i_syn
                saturated["v"] += run.saturations.v
    return played, saturated


def begin(core: Core, report: QuantisationReport) -> None:
    """Bring a programmed core to the start of a network, whatever it did before.

    A run with ``clear=True`` clears the core alone, and loses the start.

    Raises `SpiketwinError` as `Core.clear` and `Core.write_state` do.
    """
    core.clear()
    if report.start:
        core.write_state(**report.start)


def _opened(net: Network) -> Network:
    """Return the network with its loop open: an axon stands for each of its neurons as a source."""
    settings = {name: getattr(net, name) for name in SETTINGS}
    own = [name for name, variable in ARRAYS.items() if variable.per is Per.NEURON]
    made = Network(n_axons=net.n_sources, **settings)
    for each in net.populations:
        part = slice(each.first, each.first + each.size)
        made.population(each.size, name=each.name, **{n: getattr(net, n)[part] for n in own})
    for projection in net.projections:
        sources = projection.source.sources
        target = Population(
            made, projection.target.name, False, projection.target.first, projection.target.size
        )
        made.project(
            made.axons[sources.start : sources.stop], target, weights=projection.weights,
            delay=projection.delay, sparse=projection.sparse,
        )  # fmt: skip
    return made


def _heard(stimulus: ArrayLike, run: FloatRun, meant: Meant, ticks: int) -> IntArray:
    """Return a stimulus with the spikes that double precision delivers, as events of axons."""
    spikes = run.spikes + (1, meant.n_axons)  # a spike is delivered in the tick after it
    events = np.asarray(stimulus, np.int64).reshape(-1, 2)
    return np.concatenate([events, spikes[spikes[:, 0] < ticks]])


def _gains(
    report: QuantisationReport, task: Task, ideal: list[FloatRun], now: Measured, target: str
) -> list[Gain]:
    """Return what another bit of each size would bring, the greatest gain first."""
    gains = []
    for size, (_, most) in _BITS.items():
        bits = report.sizes[size] + 1
        if bits > most:
            continue
        widths = {name: report.sizes[name] for name in _BITS} | {size: bits}
        net, other = quantise(report.meant, **widths)
        found = beside(net, other, task, ideal, target)
        right = None if found.accuracy is None else found.accuracy.held
        gains.append(Gain(size, bits, found.closed, found.open, right))
    return sorted(gains, key=lambda gain: -(gain.closed if gain.open is None else gain.open))
