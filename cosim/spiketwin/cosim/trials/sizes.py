"""The speed of learning networks of several sizes, of the model's kernel and of it as a target.

The networks are all-to-all, of leaky integrate-and-fire neurons with exponential currents, which
learn by traces and fire at about 17 Hz if a tick is 1 ms. Beside them, in the same turns, stands a
bare read-modify-write of the rows of those sources that spiked. Seconds are those of the processor,
so that other work on the machine counts less.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, cast

import numpy as np

from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.serial import MODEL, protocol_model
from spiketwin.cosim.serial.protocol_model import ModelPort
from spiketwin.cosim.trials.bench_figures import SizeFigures
from spiketwin.cosim.trials.rows import touch_rows
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.host import Core, Network, Run
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link
from spiketwin.host.words import Words

SIZES: Final = (64, 256, 1016, 4096)
TURNS: Final = 5
SYNAPSES: Final = 50_000_000
"""Synapses of the rows of a turn, about."""

_RATE: Final = 1 / 59
"""Spikes of a neuron a tick, about: 17 Hz if a tick is 1 ms."""

_AXONS: Final = 8
_ROOM: Final = 1 << 18
"""Output words that a call of the kernel may produce."""


class _Turn(NamedTuple):
    """Ticks a second of the kernel and of the target, bare ticks, and spikes a tick."""

    kernel: float
    connect: float
    rows: float
    spikes: float


def measure() -> dict[str, SizeFigures]:
    """Measure ticks a second at `SIZES`."""
    turns = {str(n): _turns(n) for n in SIZES}
    return {
        "sizes": SizeFigures(
            kernel={n: _median(each, lambda t: t.kernel) for n, each in turns.items()},
            connect={n: _median(each, lambda t: t.connect) for n, each in turns.items()},
            connect_to_kernel={
                n: _median(each, lambda t: t.connect / t.kernel) for n, each in turns.items()
            },
            kernel_to_rows={
                n: _median(each, lambda t: t.kernel / t.rows) for n, each in turns.items()
            },
            spikes_per_tick={n: _median(each, lambda t: t.spikes) for n, each in turns.items()},
        )
    }


def learning_network(n_neurons: int, seed: int = 1) -> Network:
    """Return a network in which bias makes neurons fire, at different times, and all learn."""
    rng = np.random.default_rng(seed)
    shape = _AXONS + n_neurons, n_neurons
    return Network(
        n_axons=_AXONS, n_neurons=n_neurons, weights=rng.integers(-2, 3, shape),
        plastic=np.ones(shape, np.bool_), threshold=np.full(n_neurons, 5_000_000),
        bias=rng.integers(253_000, 258_000, n_neurons), refrac_ticks=np.full(n_neurons, 2),
        v_tau=20.0, i_syn_tau=5.0, v_floor=-(1 << 23), learn_pre=True, learn_post=True, w_min=-10,
        w_max=10, pre_gain=-600, post_gain=600, trace_pre_bump=1 << 15, trace_post_bump=1 << 15,
        trace_pre_tau=20.0, trace_post_tau=20.0,
    )  # fmt: skip


def _turns(n_neurons: int) -> list[_Turn]:
    params = (
        f"full,n_axons={_AXONS},n_neurons={n_neurons},neuron_lanes=8,v_width=24,i_syn_width=24,"
        "spike_queue_depth=16384"
    )
    ticks = max(100, int(SYNAPSES / (n_neurons * n_neurons * _RATE)))
    with _learning(params, n_neurons) as (core, _), _learning(params, n_neurons) as (_, model):
        return [_turn(core, model, ticks) for _ in range(TURNS)]


@contextmanager
def target(params: CoreParams) -> Iterator[tuple[Core, ModelCore]]:
    """Yield the model as a target, and the `ModelCore` inside."""
    port = protocol_model.Serial.of(Target(MODEL, params=params))
    with Core(Link(port)) as core:
        yield core, cast(ModelPort, port.device).model.core


@contextmanager
def _learning(params: str, n_neurons: int) -> Iterator[tuple[Core, ModelCore]]:
    """Yield a `target` that has a learning network."""
    with target(preset(params)) as (core, model):
        core.program(learning_network(n_neurons))
        core.write_state(v=np.random.default_rng(2).integers(0, 5_000_000, n_neurons))
        yield core, model


def _turn(core: Core, model: ModelCore, ticks: int) -> _Turn:
    kernel = _seconds(lambda: deque(calls_of_kernel(model, ticks), maxlen=0))
    runs: list[Run] = []
    connect = _seconds(lambda: runs.append(core.run([], ticks)))
    weight, spikes = np.zeros(model.weight.shape, np.int8), runs[0].spikes
    sources = (_AXONS + spikes[:, 1]).astype(np.int32)
    touch_rows(weight, sources)
    rows = _seconds(lambda: touch_rows(weight, sources))
    return _Turn(ticks / kernel, ticks / connect, ticks / rows, len(spikes) / ticks)


def calls_of_kernel(model: ModelCore, ticks: int) -> Iterator[Words]:
    """Execute ticks by the kernel alone, and yield the words of as many as fit at a time."""
    nothing, end = np.empty(0, np.int64), model.tick + ticks
    while model.tick < end:
        yield model.advance(nothing, nothing.astype(np.int32), end - model.tick, _ROOM).words


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _median(turns: list[_Turn], of: Callable[[_Turn], float]) -> float:
    return statistics.median(of(turn) for turn in turns)
