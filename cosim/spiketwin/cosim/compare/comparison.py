"""One case on several targets: which are equal, where they part, how near the ideal they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from spiketwin.cosim.compare.accuracy import Limits, OpenLoop, in_open_loop, limits
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import (
    Difference,
    differ_after,
    first_difference,
    have_digests,
)
from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.cosim.compare.subject import Subject
from spiketwin.hdl.spec.params import CoreParams, ParamsError
from spiketwin.hdl.spec.protocol import Identity
from spiketwin.host import connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.link import DEFAULT_RETRIES
from spiketwin.host.matching import parting_tick
from spiketwin.host.progress import Progress
from spiketwin.host.targets import takes_baud, takes_sizes

FLOAT: Final = "float:"
"""Address of the ideal network: double precision, nothing rounded, no cycles."""

_RECORDS: Final = 20
"""Most times in a run at which potential and weights are compared with the ideal ones."""


@dataclass(frozen=True, eq=False)
class Nearness:
    """The nearness of a target to the ideal network.

    Attributes
    ----------
    open_loop:
        Its match with the ideal network in open loop (`Case.open_loop`); None if this device and
        all equal ones have too few axons for that.
    parting_tick:
        First tick in which, in closed loop, other neurons fired; None if none did.
    """

    open_loop: OpenLoop | None
    parting_tick: int | None


@dataclass(frozen=True, eq=False)
class Findings:
    """The results of one target.

    Attributes
    ----------
    identity:
        Identity that the device reports.
    behaviour:
        Its run, and its contents at the end.
    equal_to:
        Whether it equals each of the other devices, by name.
    nearness:
        Nearness to the ideal network; None if that was not run.
    """

    identity: Identity
    behaviour: Behaviour
    equal_to: dict[str, bool] = field(default_factory=dict)
    nearness: Nearness | None = None


@dataclass(frozen=True, eq=False)
class IdealRun:
    """The run of the ideal network.

    Attributes
    ----------
    spikes:
        Shape (m, 2): (tick, neuron), ascending.
    seconds:
        Wall time of the run.
    """

    spikes: IntArray
    seconds: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """One case on several targets.

    Attributes
    ----------
    case:
        The case that was played.
    devices:
        Findings of each target, by name, in the order of the call.
    ideal:
        Run of the ideal network; None if that was not requested.
    limits:
        Limits of a core of the case's sizes in open loop; None if the ideal network was not
        requested, or no core has enough axons.
    differences:
        Differences between the first device and one of each group of equal devices that differ
        from it, the earliest first.
    digests:
        Whether there are several devices, and all were compared by their digests.
    """

    case: Case
    devices: dict[str, Findings]
    ideal: IdealRun | None
    limits: Limits | None
    differences: list[Difference]
    digests: bool


@contextmanager
def subjects(
    urls: dict[str, str],
    sizes: CoreParams | str | None,
    fallback: CoreParams,
    baud: int | None,
    retries: int = DEFAULT_RETRIES,
) -> Iterator[list[Subject]]:
    """Connect to devices, and close them at the end.

    Devices with fixed sizes are opened first, and simulated targets then get the same sizes.

    Parameters
    ----------
    urls:
        Addresses by name.
    sizes:
        Sizes that all must have; None for any.
    fallback:
        Sizes of simulated targets if neither `sizes` nor a device sets them.
    baud:
        Rate of all lines in bits per second (`connect`); None for the default of each.
    retries:
        Rounds of resending without any answer.

    Raises
    ------
    SpiketwinError
        As `connect`.
    """
    with ExitStack() as stack:
        opened: dict[str, Subject] = {}
        given = sizes
        for name, url in sorted(urls.items(), key=lambda item: takes_sizes(item[1])):
            wanted = given or fallback if takes_sizes(url) else sizes
            rate = baud if takes_baud(url) else None
            core = stack.enter_context(connect(url, params=wanted, baud=rate, retries=retries))
            given = given or core.params
            opened[name] = Subject(name, url, core)
        yield [opened[name] for name in urls]


def compare(
    case: Case, devices: list[Subject], with_ideal: bool, every: int, progress: Progress
) -> Comparison:
    """Play a case on devices; report which are equal, and where those that differ part.

    Parameters
    ----------
    case:
        The case to play.
    devices:
        The targets.
    with_ideal:
        Whether the ideal network is run as well, and each device matched with it.
    every:
        Ticks between two comparisons of all state, 1 or more, for devices without digests.
    progress:
        Called as the work goes on.

    Raises
    ------
    SpiketwinError
        As the methods of the cores; `NotReproducible` for a target that is not deterministic.
    """
    found = {each.name: _findings(case, each, progress) for each in devices}
    kinds: list[list[str]] = []
    differences = []
    for device in devices:
        parted = []
        for kind in kinds:
            other = next(each for each in devices if each.name == kind[0])
            behaviours = found[other.name].behaviour, found[device.name].behaviour
            differ_by = differ_after(other, device, case, behaviours, every, progress)
            if differ_by is None:
                kind.append(device.name)
                break
            parted.append((other, differ_by))
        else:
            kinds.append([device.name])
            # The first device is the reference for the others.
            differences += [
                first_difference(other, device, case, differ_by, progress)
                for other, differ_by in parted[:1]
            ]
    differences.sort(key=lambda each: -1 if each.tick is None else each.tick)
    for kind in kinds:
        for name in kind:
            equal_to = {other: other in kind for other in found if other != name}
            found[name] = replace(found[name], equal_to=equal_to)
    ideal, limited = None, None
    if with_ideal:
        begin = time.perf_counter()
        ideal = IdealRun(case.run_ideal().spikes, time.perf_counter() - begin)
        opened = _opened(case)
        found = _near(opened, devices, found, ideal, progress)
        if opened is not None:
            limited = limits(opened, partial(progress, "roundings lifted"))
    first, *others = devices
    digests = bool(others) and all(have_digests(first, other, case) for other in others)
    return Comparison(case, found, ideal, limited, differences, digests)


def _findings(case: Case, subject: Subject, progress: Progress) -> Findings:
    behaviour = subject.after(case, case.ticks, partial(progress, f"{subject.name} running"))
    return Findings(subject.core.identity, behaviour)


def _opened(case: Case) -> Case | None:
    """Return the case in open loop; None if no core has so many axons."""
    try:
        return case.open_loop()
    except ParamsError:
        return None


def _near(
    opened: Case | None,
    devices: list[Subject],
    found: dict[str, Findings],
    ideal: IdealRun,
    progress: Progress,
) -> dict[str, Findings]:
    """Match each device with the ideal network, and one of several equal devices only once."""
    known: dict[str, OpenLoop | None] = {}
    for device in devices:
        twin = next((n for n in known if found[device.name].equal_to[n] and known[n]), None)
        if twin is not None:
            known[device.name] = known[twin]
        elif opened is not None:
            known[device.name] = _in_open_loop(opened, device, progress)
        else:
            known[device.name] = None
    return {
        name: replace(
            one,
            nearness=Nearness(known[name], parting_tick(ideal.spikes, one.behaviour.run.spikes)),
        )
        for name, one in found.items()
    }


def _holds(params: CoreParams, opened: Case) -> bool:
    """Return whether a core of these sizes holds the network of a case."""
    try:
        opened.network.check_fits(params)
    except DoesNotFit:
        return False
    return True


def _in_open_loop(opened: Case, device: Subject, progress: Progress) -> OpenLoop | None:
    """Evaluate a device in open loop, or a simulated one of sufficient size in its place."""
    report = partial(progress, f"{device.name} in open loop")
    every = -(-opened.ticks // _RECORDS)
    if _holds(device.core.params, opened):
        run = opened.run_on(device.core, every, report)
    elif takes_sizes(device.url):
        with connect(device.url, params=opened.params) as core:
            run = opened.run_on(core, every, report)
    else:
        return None
    return in_open_loop(opened, run)
