"""Many inputs for one way in, each handed over within bounds of time and memory.

In the tests Hypothesis makes the bytes that choices are read from. Here they come straight from a
seed: an input takes 0.3 milliseconds, to which Hypothesis adds 0.5.
"""

from __future__ import annotations

import random
import resource
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from spiketwin.cosim.trials.fuzz.choices import Choices
from spiketwin.cosim.trials.fuzz.surfaces import Surface
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.progress import Steps

CHOICE_BYTES: Final = 96
"""Bytes that the choices of one input are read from."""

MOST_SECONDS: Final = 10.0
"""Time that one input may take, on the busiest computer; most take less than a thousandth."""

MOST_MEMORY: Final = 1 << 30
"""Bytes that all inputs together may take beyond what is taken before the first one."""

_MOST_REDUCING: Final = 30.0
"""Seconds in which a failing input is made smaller."""

_INPUTS_PER_REPORT: Final = 256
"""Inputs from one call of `progress` to the next."""

_EXECUTING: Final = (
    "exec", "marshal.loads", "os.exec", "os.posix_spawn", "os.system", "pickle.find_class",
    "socket.connect", "subprocess.Popen",
)  # fmt: skip
"""Events of Python's audit that an input must never cause."""

_LOADERS: Final = ("importlib", "numba")
"""What executes code of our own, whatever the input is."""


class Overrun(BaseException):
    """An input took too long.

    It is no `Exception`, so that nothing on its way to the fuzzer catches it.
    """


class Executed(BaseException):
    """An input had something executed.

    It is no `Exception`, so that nothing on its way to the fuzzer catches it.
    """


@dataclass(frozen=True)
class Finding:
    """An input that ends as none may.

    Attributes
    ----------
    surface:
        Name of the way in.
    data:
        The input.
    error:
        Type and message of what was raised.
    place:
        Where: file, line and function.
    trace:
        All of the places on the way there.
    """

    surface: str
    data: bytes
    error: str
    place: str
    trace: str


@dataclass
class Tally:
    """What became of the inputs for one way in.

    Attributes
    ----------
    inputs, results:
        How many were handed over, and how many of them gave a result.
    errors:
        How many ended in each error of ours, by its name.
    untyped:
        How many ended in anything else.
    slowest_seconds:
        Of any input.
    findings:
        One, shrunk, for each place where anything else was raised.
    """

    inputs: int = 0
    results: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    untyped: int = 0
    slowest_seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)


def hand_over(name: str, surface: Surface, data: bytes) -> tuple[str, Finding | None]:
    """Hand over one input; give the name of the error of ours, if any, or what else was found.

    Within `MOST_SECONDS`, and executing nothing.
    """
    try:
        with _in_time(), _executing_nothing():
            surface.feed(data)
    except SpiketwinError as error:
        return type(error).__name__, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return "", Finding(
            name,
            data,
            f"{type(error).__name__}: {str(error)[:300]}",
            f"{Path(frame.filename).name}, line {frame.lineno}, in {frame.name}",
            "".join(traceback.format_exception(error, limit=-12)),
        )
    return "", None


def search(
    name: str,
    surface: Surface,
    inputs: int,
    seed: int,
    progress: Steps,
) -> Tally:
    """Make so many inputs, hand each over, and tell what became of them.

    Parameters
    ----------
    name, surface:
        The way in.
    inputs:
        How many; those made while a failing one is made smaller come on top, and are not counted.
    seed:
        Of the inputs: the same one gives the same.
    progress:
        Called with how many were handed over, and how many there are.
    """
    tally, known = Tally(), set[str]()
    rng = random.Random(f"{name} {seed}")
    for _ in range(inputs):
        octets = rng.randbytes(CHOICE_BYTES)
        data = surface.make(Choices(octets))
        begin = time.perf_counter()
        error, finding = hand_over(name, surface, data)
        tally.slowest_seconds = max(tally.slowest_seconds, time.perf_counter() - begin)
        tally.inputs += 1
        if error:
            tally.errors[error] += 1
        elif finding is None:
            tally.results += 1
        else:
            tally.untyped += 1
            if finding.place not in known:
                known.add(finding.place)
                tally.findings.append(_reduced(surface, octets, finding))
        if tally.inputs % _INPUTS_PER_REPORT == 0 or tally.inputs == inputs:
            progress(tally.inputs, inputs)
    return tally


def _reduced(surface: Surface, octets: bytes, finding: Finding) -> Finding:
    """Make a failing input smaller by lowering bytes: 0 stands for the simplest choice."""
    end = time.perf_counter() + _MOST_REDUCING
    span = CHOICE_BYTES
    while span:
        for place in range(0, CHOICE_BYTES, span):
            for lowered in _LOWERED:
                while time.perf_counter() < end:
                    part = octets[place : place + span]
                    trial = octets[:place] + bytes(map(lowered, part)) + octets[place + span :]
                    if trial == octets:
                        break
                    _, found = hand_over(finding.surface, surface, surface.make(Choices(trial)))
                    if found is None or found.place != finding.place:
                        break
                    octets, finding = trial, found
        span //= 2
    return finding


_LOWERED: Final[tuple[Callable[[int], int], ...]] = (
    lambda byte: 0,
    lambda byte: byte // 2,
    lambda byte: max(0, byte - 1),
)
"""What becomes of each byte of a part, one after the other as long as it goes on failing."""


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `Overrun` in what takes longer than `MOST_SECONDS`; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise Overrun(f"it was not done with in {MOST_SECONDS:.0f} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


class _Guard:
    """Raises `Executed` where an input has something executed, while it is on."""

    on = False
    installed = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in _EXECUTING and not _of_ours():
            raise Executed(f"{event} {arguments!r:.200}")


def _of_ours() -> bool:
    """Return whether it is a module that is imported, or a kernel that Numba compiled and kept."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _LOADERS:
            return True
        frame = frame.f_back
    return False


_GUARD: Final = _Guard()


@contextmanager
def _executing_nothing() -> Iterator[None]:
    if not _GUARD.installed:
        sys.addaudithook(_GUARD)  # for as long as the process lives
        _GUARD.installed = True
    _GUARD.on = True
    try:
        yield
    finally:
        _GUARD.on = False


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Have whatever takes more than `MOST_MEMORY` end in a `MemoryError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
