"""Many inputs for one surface, each fed within bounds of time and memory.

Choices are read from bytes. In the tests Hypothesis generates these; here they come from a random
number generator, as an input takes 0.3 milliseconds, to which Hypothesis would add 0.5.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, Self

from spiketwin.cosim.trials.fuzz.choices import Choices
from spiketwin.cosim.trials.fuzz.surfaces import Surface
from spiketwin.host.errors import SpiketwinError

CHOICE_BYTES: Final = 96
"""Bytes that the choices of one input are read from."""

MOST_SECONDS: Final = 10.0
"""Seconds that one input may take, even on a busy computer; most take less than a thousandth."""

MOST_MEMORY: Final = 1 << 30
"""Bytes of memory that all inputs together may take, beyond the use before the first one."""

_MOST_REDUCING: Final = 30.0
"""Seconds for minimising a failing input."""

_EXECUTING: Final = (
    "exec", "marshal.loads", "os.exec", "os.posix_spawn", "os.system", "pickle.find_class",
    "socket.connect", "subprocess.Popen",
)  # fmt: skip
"""Audit events of Python that an input must never cause."""

_LOADERS: Final = ("importlib", "numba")
"""Callers that execute code of our own, whatever the input is."""


class Overrun(BaseException):
    """An input took too long.

    It is no `Exception`, so that nothing on its way to the fuzzer catches it.
    """


class Executed(BaseException):
    """An input caused code to be executed.

    It is no `Exception`, so that nothing on its way to the fuzzer catches it.
    """


@dataclass(frozen=True)
class FuzzFinding:
    """An input that ended as none may.

    Attributes
    ----------
    surface:
        Name of the surface.
    data:
        The input.
    error:
        Type and message of the exception.
    place:
        Its place: file, line and function.
    trace:
        The whole traceback.
    """

    surface: str
    data: bytes
    error: str
    place: str
    trace: str


@dataclass
class FuzzTally:
    """The outcomes of the inputs for one surface.

    Attributes
    ----------
    inputs, results:
        Number of inputs, and number of those that gave a result.
    errors:
        Number of inputs that ended in each error of this package, by its name.
    untyped:
        Number of inputs that ended in any other way.
    slowest_seconds:
        The longest time that an input took.
    findings:
        One minimised input for each place where another exception was raised.
    """

    inputs: int = 0
    results: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    untyped: int = 0
    slowest_seconds: float = 0.0
    findings: list[FuzzFinding] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Iterable[Self]) -> Self:
        """Return the outcomes of several parts of the inputs together."""
        all_of_them = cls()
        for part in parts:
            all_of_them.inputs += part.inputs
            all_of_them.results += part.results
            all_of_them.errors += part.errors
            all_of_them.untyped += part.untyped
            slowest = max(all_of_them.slowest_seconds, part.slowest_seconds)
            all_of_them.slowest_seconds = slowest
            known = {finding.place for finding in all_of_them.findings}
            all_of_them.findings += [each for each in part.findings if each.place not in known]
        return all_of_them


def hand_over(name: str, surface: Surface, data: bytes) -> tuple[str, FuzzFinding | None]:
    """Feed one input; return the name of our error, if any, or the finding.

    The input may take at most `MOST_SECONDS`, and must not cause code to be executed.
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
        return "", FuzzFinding(
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
    first: int = 0,
) -> FuzzTally:
    """Make so many inputs, feed each, and count the outcomes.

    Parameters
    ----------
    name, surface:
        The surface.
    inputs:
        Number of inputs, without those that are tried while a failing one is minimised.
    seed:
        Seed of the inputs: equal seeds make equal inputs.
    first:
        Number of the first of them; those before it are left out.
    """
    tally, known = FuzzTally(), set[str]()
    rng = random.Random(f"{name} {seed}")
    for _ in range(first):
        rng.randbytes(CHOICE_BYTES)
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
    return tally


def _reduced(surface: Surface, octets: bytes, finding: FuzzFinding) -> FuzzFinding:
    """Minimise a failing input by lowering bytes, as 0 stands for the simplest choice."""
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
"""Changes to each byte of a part, which are kept as long as the input still fails."""


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise `Overrun` in code that takes longer than `MOST_SECONDS`; only in the main thread."""
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
    """Raises `Executed` when an input causes code to be executed, while it is on."""

    on = False
    installed = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in _EXECUTING and not _of_ours():
            raise Executed(f"{event} {arguments!r:.200}")


def _of_ours() -> bool:
    """Return whether the code comes from a module being imported, or from Numba's cache."""
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
    """Limit memory, so that code which takes more than `MOST_MEMORY` gets a `MemoryError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
