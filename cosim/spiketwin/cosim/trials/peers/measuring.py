"""Ticks a second of the model and of other simulators on the same networks, measured in turns.

Seconds are those of the processor for all of them, as Brian2 reports no others.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.trials import sizes
from spiketwin.cosim.trials.bench_figures import PeerFigures, PeersResult
from spiketwin.cosim.trials.peers import environment
from spiketwin.cosim.trials.peers.cases import CASES, PeerCase
from spiketwin.host.errors import TargetError
from spiketwin.host.progress import Stages
from spiketwin.host.words import lanes_fired, report_spikes

TICKS: Final = {64: 40_000, 256: 10_000, 1016: 2_000, 4096: 200}
"""Ticks of a turn of the others by the number of neurons, some seconds of the slowest of them."""

OURS: Final = 10
"""How many times as many the model runs, which would be through too soon."""

TURNS: Final = 3

PATIENCE: Final = 900.0
"""Seconds after which another simulator is given up."""

_HERE: Final = Path(__file__).parent

Turn = Callable[[], tuple[float, float]]
"""A turn of a simulator: ticks a second, and spikes a tick."""


def measure(report: Stages, neurons: tuple[int, ...] = tuple(TICKS)) -> PeersResult:
    """Measure all cases at all sizes.

    Parameters
    ----------
    report:
        Called with the name of each stage as it begins.
    neurons:
        Numbers of neurons, each a key of `TICKS`.

    Raises
    ------
    BuildError
        The other simulators cannot be installed.
    TargetError
        One of them failed, or took longer than `PATIENCE`.
    """
    report("installing other simulators")
    python = environment.python()
    found: dict[str, dict[str, PeerFigures]] = {}
    for name, make in CASES.items():
        found[name] = {}
        for n in neurons:
            report(f"{name}, {n:,} neurons")
            found[name][str(n)] = _figures(make(n), TICKS[n], python)
    return PeersResult(peers=found["learning"], static=found["static"], layers=found["layers"])


def _figures(case: PeerCase, ticks: int, python: Path) -> PeerFigures:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        saved = Path(folder) / "case.npz"
        case.save(saved)
        ask = {"nest": [str(saved), str(ticks)]}
        for traces in ("synapses", "neurons") if case.learns else ("neurons",):
            ask[traces] = [str(saved), str(ticks), f"{folder}/{traces}", traces]
        turns: dict[str, Turn] = {
            name: opened.enter_context(_peer(name, words, ticks, python))
            for name, words in ask.items()
        }
        turns |= opened.enter_context(_ours(case, ticks * OURS))
        rates: dict[str, list[float]] = {name: [] for name in turns}
        spikes = {}
        for _ in range(TURNS):
            for name, turn in turns.items():
                rate, spikes[name] = turn()
                rates[name].append(rate)
    median = {name: statistics.median(each) for name, each in rates.items()}
    manual = "synapses" if case.learns else "neurons"
    return PeerFigures(
        brian2_cpp=median[manual],
        brian2_cpp_tuned=median["neurons"] if case.learns else None,
        nest=median["nest"], kernel=median["kernel"], connect=median["connect"],
        spikes_per_tick={
            "brian2_cpp": spikes[manual],
            **{name: spikes[name] for name in ("nest", "kernel", "connect")},
        },
    )  # fmt: skip


@contextmanager
def _peer(name: str, words: list[str], ticks: int, python: Path) -> Iterator[Turn]:
    """Yield the turn of another simulator, in a process that ends with the block."""
    script = "nest_peer.py" if name == "nest" else "brian2_peer.py"
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(
        [str(python), str(_HERE / script), *words], cwd=Path(words[0]).parent, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
    ) as process:  # fmt: skip
        lines, asked = process.stdout, process.stdin
        assert lines is not None
        assert asked is not None

        def answer() -> str:
            late = threading.Timer(PATIENCE, process.kill)
            late.start()
            try:
                for line in lines:
                    # Simulators greet on the same output.
                    if line == "ready\n" or line[0].isdigit():
                        return line
            finally:
                late.cancel()
            said.seek(0)
            last = said.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise TargetError(f"{script} ended without an answer: {last[0]}")

        def turn() -> tuple[float, float]:
            with contextlib.suppress(BrokenPipeError):  # `answer` then says why
                asked.write("\n")
                asked.flush()
            seconds, spikes = answer().split()
            return ticks / float(seconds), int(spikes) / ticks

        try:
            answer()
            yield turn
        finally:
            process.kill()


@contextmanager
def _ours(case: PeerCase, ticks: int) -> Iterator[dict[str, Turn]]:
    """Yield the turns of the model: of its kernel alone, and of a target that it is."""
    params = case.net.core_params()
    with ExitStack() as opened:
        (target, _), (other, kernel) = (
            opened.enter_context(sizes.target(params)) for _ in range(2)
        )
        for core in (target, other):
            core.program(case.net)
            core.run([], ticks=10)  # what is compiled is so now

        def through_the_link() -> tuple[float, float]:
            begin = time.process_time()
            spikes = len(target.run([], ticks).spikes)
            return ticks / (time.process_time() - begin), spikes / ticks

        def alone() -> tuple[float, float]:
            seconds, spikes = _run_kernel(kernel, ticks)
            return ticks / seconds, spikes / ticks

        yield {"kernel": alone, "connect": through_the_link}


def _run_kernel(model: ModelCore, ticks: int) -> tuple[float, int]:
    """Execute ticks by the kernel alone; return seconds, without those of counting, and spikes."""
    seconds, spikes, begin = 0.0, 0, time.process_time()
    for words in sizes.calls_of_kernel(model, ticks):
        seconds += time.process_time() - begin
        spikes += len(lanes_fired(words[report_spikes(words)].astype(np.int64))[0])
        begin = time.process_time()
    return seconds, spikes
