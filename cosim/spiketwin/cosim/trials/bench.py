"""The project's own performance figures, each taken on a real run.

Cycles come from the device and are exact. Seconds are *measured* on this machine and mean little
alone. Two things that are compared, such as an engine and a bare loop, or the model and the RTL,
are measured in turns within one call, and the ratio is the median over the turns.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from spiketwin.cosim.compare.equality import first_tick, unequal_runs
from spiketwin.cosim.demo.run import accuracy_over_seeds, run
from spiketwin.cosim.digits.encoding import load
from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.rtl.core_engine import CoreEngine
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.serial import protocol_netlist, protocol_rtl
from spiketwin.cosim.serial.core_port import CorePort
from spiketwin.cosim.testbenches import runner, speed_bench
from spiketwin.cosim.trials import sizes
from spiketwin.cosim.trials.bench_figures import (
    BatchFigures,
    BenchResult,
    BulkFigures,
    CocotbFigures,
    CoreFigures,
    DemoFigures,
    DigestFigures,
    FirstUseFigures,
    HostFigures,
    LedgerFigures,
    LinkFigures,
    ModelFigures,
    NetlistFigures,
    RtlCoreFigures,
    RtlFigures,
)
from spiketwin.cosim.trials.first_use import seconds_to_first_tick
from spiketwin.cosim.trials.probing import probing
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE, MIN_CYCLES_PER_BIT, WORD_BYTES, Opcode
from spiketwin.hdl.spec.results import Result
from spiketwin.host import Core, Network, Runs, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import SpiketwinError
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.link import Link
from spiketwin.host.progress import Stages

Figures = dict[str, Result]
"""Groups of a `BenchResult`, by name."""


BURST: Final = 8
"""Sources or neurons that spike in one tick when the rate of a pass is measured."""

ACTIVE_SHARE: Final = 0.02
"""Share of the sources that are active in a tick when time is measured."""

TURNS: Final = 5
MODEL_TICKS: Final = 50_000
RTL_TICKS: Final = 1_000
BARE_CYCLES: Final = 500_000
NETLIST_TICKS: Final = 500
_RATES: Final = ("full", "ncx", "target", "rtl_ticks", "rtl_cycles", "bare")

DIGEST_TICKS: Final = 1_000_000
DIGEST_SIZES: Final = "tiny,digest_rounds=3"

CALLS: Final = 500
"""Number of calls of the host library over which the time of one is averaged."""

BULK_PERIOD: Final = 59
"""Ticks between spikes of every neuron in bulk: 17 Hz if a tick is 1 ms."""

BULK_TICKS: Final = 100_000
BATCH_RUNS: Final = 64
BATCH_TICKS: Final = 2_000

DEMO_IMAGES: Final = 200
DEMO_TURNS: Final = 3

_SILENT: Final = 30_000
"""A threshold that is never reached."""


def measure(report: Stages) -> BenchResult:
    """Measure all figures.

    Parameters
    ----------
    report:
        Called with one line before each part.
    """
    figures: dict[str, Any] = {}
    for number, (title, part) in enumerate(_PARTS, 1):
        report(f"part {number} of {len(_PARTS)}: {title}")
        figures |= part()
    return BenchResult(**figures)


# --- cycles ------------------------------------------------------------------------------------


def _core() -> Figures:
    params = preset("full")
    return {
        "core": CoreFigures(
            lanes=params.lanes,
            row_synapses_per_cycle=BURST * params.n_neurons / _burst_cycles("row"),
            column_synapses_per_cycle=BURST * params.n_sources / _burst_cycles("column"),
            ncx_cycles_per_tick=ncx_cycles_per_tick(),
        )
    }


def _burst_cycles(which_pass: str) -> int:
    """Return the cycles that a burst of `BURST` adds to a tick, with filling and draining."""
    params = preset("full")
    net = Network(
        n_axons=params.n_axons, n_neurons=params.n_neurons, threshold=_filled(params, _SILENT),
        plastic=_plastic(params), learn_post=True, w_max=127, post_gain=256,
        trace_pre_bump=1 << 15, trace_pre_tau=20.0,
    )  # fmt: skip
    axons = range(BURST) if which_pass == "row" else ()
    if which_pass == "column":
        net.threshold[:BURST] = 0
    with connect("rtl:", params=params) as core:
        core.program(net)
        run = core.run(np.array([(0, axon) for axon in axons]).reshape(-1, 2), ticks=1)
        if which_pass == "row":
            return int(run.update_cycles[0])
        core.program(net)
        core.write_registers(learn_post=0)
        return int(run.cycles[0] - core.run([], ticks=1).cycles[0])


def steady_activity(params: CoreParams) -> tuple[int, int]:
    """Return the axons and neurons active per tick in the steady network (`ACTIVE_SHARE`)."""
    active = math.ceil(params.n_sources * ACTIVE_SHARE)
    return active // 2, active - active // 2


def program_steady(core: Core) -> None:
    """Program a learning network of exactly known activity.

    In every tick the same number of neurons fires, by bias alone, and their spikes are the sources
    of the next tick, together with those of as many axons (`steady_activity`).
    """
    params = core.params
    _, firing = steady_activity(params)
    period = -(-params.n_neurons // firing)
    core.program(_learning(params, period))
    # Spread potentials over the period, so that equally many neurons fire in each tick.
    core.write_state(v=100 * (np.arange(params.n_neurons) // firing))


def _learning(params: CoreParams, period: int) -> Network:
    """Return a network in which all synapses learn, and bias makes neurons fire every `period`."""
    return Network(
        n_axons=params.n_axons, n_neurons=params.n_neurons,
        threshold=_filled(params, 100 * period), bias=_filled(params, 100),
        plastic=_plastic(params), learn_pre=True, learn_post=True, stochastic=True, seed=1,
        w_min=-1, w_max=1, pre_gain=-300, post_gain=300, trace_pre_bump=1 << 14,
        trace_post_bump=1 << 14, trace_pre_tau=20.0, trace_post_tau=20.0,
    )  # fmt: skip


def _axon_events(params: CoreParams, ticks: int) -> IntArray:
    """Return the events of the steady network's axons, which take turns."""
    axons, _ = steady_activity(params)
    tick = np.repeat(np.arange(ticks), axons)
    return np.stack([tick, np.arange(axons * ticks) % params.n_axons], axis=1)


def ncx_cycles_per_tick() -> float:
    """Return the mean cycles of a tick at `ncx`, with learning, at `ACTIVE_SHARE`."""
    with _engine("ncx", "bytes") as (core, _, _):
        run = core.run(_axon_events(core.params, RTL_TICKS), RTL_TICKS)
    return float(run.cycles.mean())


# --- digests -----------------------------------------------------------------------------------


class DigestsDiffer(SpiketwinError):
    """A tick had a different digest, or different cycles, than it should have."""


def digests(ticks: int = DIGEST_TICKS) -> Figures:
    """Compare the digests of so many ticks of a learning network on the model and the RTL, `tiny`.

    The RTL is that of the core alone. A hundredth of the ticks also runs through the gateware's
    link, and once more without digests, which must not change the cycles.

    Raises
    ------
    DigestsDiffer
        The digests are not equal, or they changed the cycles.
    """
    params = preset(DIGEST_SIZES)
    net = Network.random(params.n_axons, params.n_neurons, seed=1)
    events = np.argwhere(np.random.default_rng(1).random((ticks, params.n_axons)) < 0.1)
    part = -(-ticks // 100)
    first = events[events[:, 0] < part]
    with (
        connect("model:", params=params) as model,
        connect("rtl:?level=core", params=params) as rtl,
        connect("rtl:", params=params) as linked,
    ):
        for core in (model, rtl, linked):
            core.program(net)
        expected, found = (core.run(events, ticks, digests=True) for core in (model, rtl))
        without = linked.run(first, part)
        linked.program(net)
        sent = linked.run(first, part, digests=True)
    differences = [
        first_tick(unequal_runs(*runs))
        for runs in ((expected, found), (Runs(part, expected)[0], sent), (without, sent))
    ]
    parted = [tick for tick in differences if tick is not None]
    if parted:
        raise DigestsDiffer(
            f"tick {min(parted)} of a run at {DIGEST_SIZES} has another digest on rtl: than on "
            "model:, or digests cost it cycles: look for the cause with spiketwin compare --digests"
        )
    return {
        "digest": DigestFigures(
            ticks=ticks,
            equal_ticks=int(np.sum(np.asarray(found.digests) == np.asarray(expected.digests))),
            added_cycles_per_tick=float((sent.cycles - without.cycles).mean()),
        )
    }


# --- time --------------------------------------------------------------------------------------


def _speed() -> Figures:
    """Measure the model at two sizes, and the RTL at `full` against a bare loop and the model.

    All run the same steady network: the RTL as a target of the host library, whose time is
    included, and the bare loop on an engine that is in a run without end, whose output is dropped.
    The model is measured by itself, and at `full` also as a target.
    """
    rates: dict[str, list[float]] = {name: [] for name in _RATES}
    with (
        _model("full") as (_, full),
        _model("ncx") as (_, ncx),
        _model("full") as (target, _),
        _engine("full", "bytes") as (rtl, _, engine),
        _at_work() as bare,
    ):
        for _ in range(TURNS):
            for name, model in (("full", full), ("ncx", ncx)):
                events = _axon_events(model.params, MODEL_TICKS)
                events[:, 0] += model.tick
                seconds = _seconds(partial(model.run, events, MODEL_TICKS))
                rates[name].append(MODEL_TICKS / seconds)
            events = _axon_events(target.params, MODEL_TICKS)
            seconds = _seconds(partial(target.run, events, MODEL_TICKS))
            rates["target"].append(MODEL_TICKS / seconds)
            before = engine.cycles
            events = _axon_events(rtl.params, RTL_TICKS)
            seconds = _seconds(partial(rtl.run, events, RTL_TICKS))
            rates["rtl_ticks"].append(RTL_TICKS / seconds)
            rates["rtl_cycles"].append((engine.cycles - before) / seconds)
            rates["bare"].append(BARE_CYCLES / bare.bare_loop(BARE_CYCLES))
    median = _medians(rates)
    return {
        "rtl": RtlFigures(
            cycles_per_second=median["rtl_cycles"],
            ratio_to_bare_verilator=_ratio(rates["rtl_cycles"], rates["bare"]),
            ticks_per_second=median["rtl_ticks"],
        ),
        "model": ModelFigures(
            ticks_per_second={"ncx": median["ncx"], "full": median["full"]},
            ticks_per_second_as_target={"full": median["target"]},
            ratio_to_rtl=_ratio(rates["full"], rates["rtl_ticks"]),
        ),
    }


def _core_alone() -> Figures:
    """Measure the RTL of the core alone, behind a link in software, against a bare loop."""
    rates: dict[str, list[float]] = {"ticks": [], "cycles": [], "bare": []}
    with _core_engine("full") as (core, engine), _core_engine("full") as (at_work, bare):
        _run_without_end(at_work)
        for _ in range(TURNS):
            events, before = _axon_events(core.params, RTL_TICKS), engine.cycles
            seconds = _seconds(partial(core.run, events, RTL_TICKS))
            rates["ticks"].append(RTL_TICKS / seconds)
            rates["cycles"].append((engine.cycles - before) / seconds)
            rates["bare"].append(BARE_CYCLES / bare.bare_loop(BARE_CYCLES))
    return {
        "rtl_core": RtlCoreFigures(
            cycles_per_second=statistics.median(rates["cycles"]),
            ratio_to_bare_verilator=_ratio(rates["cycles"], rates["bare"]),
            ticks_per_second=statistics.median(rates["ticks"]),
        )
    }


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@contextmanager
def _model(name: str) -> Iterator[tuple[Core, ModelCore]]:
    """Yield the model as a target that runs a steady network, and the `ModelCore` inside."""
    with sizes.target(preset(name)) as (core, model):
        program_steady(core)
        yield core, model


@contextmanager
def _at_work() -> Iterator[Engine]:
    """Yield an engine whose core is in a run without end, with its output dropped."""
    with _engine("full", "bytes") as (core, _, engine):
        _run_without_end(core)
        yield engine


def _run_without_end(core: Core) -> None:
    """Begin a run at a tick period that is never kept, so that it never waits for words."""
    core.run([], ticks=1, tick_period=1)
    core.link.request(Request(Opcode.RUN, arguments(Opcode.RUN, 1 << 31)))


@contextmanager
def _core_engine(name: str) -> Iterator[tuple[Core, CoreEngine]]:
    """Yield the RTL of the core alone that runs a steady network, and its engine."""
    port = protocol_rtl.Serial(f"rtl://?params={name}&level=core", timeout=0)
    with Core(Link(port)) as core:
        program_steady(core)
        yield core, cast(CorePort, port.device).engine


@contextmanager
def _engine(name: str, level: str) -> Iterator[tuple[Core, Link, Engine]]:
    """Yield the RTL as a target that runs a steady network, its link and its engine."""
    port = protocol_rtl.Serial(f"rtl://?params={name}&level={level}", timeout=0)
    with _steady(port) as inside:
        yield inside


@contextmanager
def _steady(port: protocol_rtl.Serial) -> Iterator[tuple[Core, Link, Engine]]:
    """Run a steady network on the device at a port."""
    link = Link(port)
    with Core(link) as core:
        program_steady(core)
        yield core, link, cast(Engine, port.device)


def _host() -> Figures:
    """Measure a run of one tick on the model, with and without events, up to reading counters."""
    events = {"without_events": np.empty((0, 2), np.int64), "with_events": np.array([(0, 0)])}
    ratios: dict[str, list[float]] = {name: [] for name in events}
    with connect("model:", params="full") as core:
        core.program(_silent(core.params))
        for _ in range(TURNS):
            counters = _seconds(partial(_call, core.read_counters))
            for name, given in events.items():
                ratios[name].append(_seconds(partial(_call, core.run, given, 1)) / counters)
    return {
        "host": HostFigures(
            run_to_read_counters=_medians(ratios),
        )
    }


def _call(method: Callable[..., object], *arguments: object) -> None:
    for _ in range(CALLS):
        method(*arguments)


def _bulk() -> Figures:
    """Measure ticks per second of the model as a target in bulk, relative to its kernel."""
    rates: dict[str, list[float]] = {"target": [], "kernel": []}
    with sizes.target(preset("full")) as (target, _), sizes.target(preset("full")) as both:
        core, model = both
        for each in (target, core):
            _program_bulk(each)
        for _ in range(TURNS):
            seconds = _seconds(partial(target.run, [], BULK_TICKS))
            rates["target"].append(BULK_TICKS / seconds)
            rates["kernel"].append(
                BULK_TICKS / _seconds(partial(deque, sizes.calls_of_kernel(model, BULK_TICKS), 0))
            )
    return {
        "bulk": BulkFigures(
            ticks_per_second=statistics.median(rates["target"]),
            ratio_to_kernel=_ratio(rates["target"], rates["kernel"]),
        )
    }


def _program_bulk(core: Core) -> None:
    """Program a learning network in which equally many neurons fire in every tick."""
    params = core.params
    core.program(_learning(params, BULK_PERIOD))
    core.write_state(v=100 * (np.arange(params.n_neurons) % BULK_PERIOD))


def _batch() -> Figures:
    """Measure independent runs per second, on all processors and on one."""
    rates: dict[str, list[float]] = {"all": [], "one": []}
    with connect("model:", params="full") as core:
        core.program(_silent(core.params))
        rng, shape = np.random.default_rng(1), (BATCH_TICKS, core.params.n_axons)
        stimuli = [np.argwhere(rng.random(shape) < ACTIVE_SHARE) for _ in range(BATCH_RUNS)]
        batch = partial(core.run_many, stimuli, BATCH_TICKS, clear=True)
        for _ in range(TURNS):
            rates["one"].append(BATCH_RUNS / _seconds(partial(batch, threads=1)))
            rates["all"].append(BATCH_RUNS / _seconds(batch))
    return {
        "batch": BatchFigures(
            runs_per_second=statistics.median(rates["all"]),
            ratio_to_one_thread=_ratio(rates["all"], rates["one"]),
        )
    }


def _first_use() -> Figures:
    """Measure the seconds from a program's start to a target's first tick, with empty caches."""
    return {
        "first_use": FirstUseFigures(
            seconds_to_first_tick={
                "model": seconds_to_first_tick("model:", "full"),
                "rtl": seconds_to_first_tick("rtl:", "full"),
            },
        )
    }


def _netlist() -> Figures:
    """Measure cycles per second of the ECP5 netlist as a target with a steady network, `digits`."""
    rates = []
    port = protocol_netlist.Serial("netlist://?params=digits", timeout=0)
    with _steady(port) as (core, _, engine):
        for _ in range(TURNS):
            events = _axon_events(core.params, NETLIST_TICKS)
            before = engine.cycles
            seconds = _seconds(partial(core.run, events, NETLIST_TICKS))
            rates.append((engine.cycles - before) / seconds)
    return {
        "netlist": NetlistFigures(
            cycles_per_second=statistics.median(rates),
        )
    }


def _cocotb() -> Figures:
    """Measure cycles per second of the core, at `ncx`, in a testbench that wakes once a tick."""
    params = preset("ncx")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "cycles_per_second"
        runner.run(
            runner.simulator("CoreTop", params), "CoreTop", params,
            f"{speed_bench.__name__}.{speed_bench.bench.names[0]}", seed=0,
            results=Path(folder), environment={speed_bench.RESULT_VARIABLE: str(result)},
        )  # fmt: skip
        return {
            "cocotb": CocotbFigures(
                cycles_per_second=float(result.read_text(encoding="utf-8")),
            )
        }


# --- the link ----------------------------------------------------------------------------------


def _link() -> Figures:
    """Measure the shares of the line rate that are payload, at the pins with `MIN_CYCLES_PER_BIT`.

    Payload is the weights of an upload and the output words of a stream; frames, their headers and
    gaps make up the rest.
    """
    params = preset("full")
    with _engine("full", "pins") as (core, _, engine):
        weights = np.zeros((params.n_sources, params.n_neurons), np.int64)
        begin = engine.cycles
        core.write_weights(weights)
        upload = weights.size * BITS_PER_BYTE * MIN_CYCLES_PER_BIT / (engine.cycles - begin)

        # All neurons fire in every tick, so words are always waiting to be sent.
        core.program(
            Network(
                n_axons=params.n_axons, n_neurons=params.n_neurons, threshold=_filled(params, 0)
            )
        )
        ticks = 200
        begin = engine.cycles
        core.run([], ticks=ticks)
        payload = WORD_BYTES * ticks * (params.max_words_per_tick - 1)
        stream = payload * BITS_PER_BYTE * MIN_CYCLES_PER_BIT / (engine.cycles - begin)
    return {
        "link": LinkFigures(
            upload_fraction_of_line_rate=upload,
            stream_fraction_of_line_rate=stream,
        )
    }


def _ledger() -> Figures:
    """Measure the share of wall time that the ledger explains, with the RTL behind a terminal.

    It is also measured without the target's own part, the time of a simulation that is neither
    host's, nor line's, nor core's.
    """
    with connect("rtl+pty:", params="full") as core:
        program_steady(core)
        ledger = core.run(_axon_events(core.params, RTL_TICKS), RTL_TICKS).ledger
    known = ledger.total - ledger.seconds("target")
    return {
        "ledger": LedgerFigures(
            share_of_wall_over_a_pseudo_terminal=ledger.total / ledger.wall_seconds,
            share_of_host_line_and_core=known / ledger.wall_seconds,
        )
    }


# --- the demo ----------------------------------------------------------------------------------


def _demo() -> Figures:
    """Measure the demo's accuracy with the worst of five seeds, and its speed."""
    digits = load().first(DEMO_IMAGES)
    rates: dict[str, list[float]] = {"model": [], "rtl": []}
    for _ in range(DEMO_TURNS):
        for name, url in (("model", "model:"), ("rtl", "rtl:?level=core")):
            record = run(url, digits)
            rates[name].append(record.ticks / record.seconds)
    return {
        "demo": DemoFigures(
            worst_accuracy_of_five_seeds=min(accuracy_over_seeds(range(5))),
            ticks_per_second=_medians(rates),
        )
    }


# --- small parts -------------------------------------------------------------------------------


def _filled(params: CoreParams, value: int) -> NDArray[np.int32]:
    return np.full(params.n_neurons, value, np.int32)


def _silent(params: CoreParams) -> Network:
    """Make a network in which nothing fires and nothing learns."""
    return Network(
        n_axons=params.n_axons, n_neurons=params.n_neurons, threshold=_filled(params, _SILENT)
    )


def _medians(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in values.items()}


def _plastic(params: CoreParams) -> NDArray[np.bool_]:
    return np.ones((params.n_sources, params.n_neurons), np.bool_)


def _ratio(rates: list[float], yardstick: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(rates, yardstick, strict=True))


_PARTS: Final[tuple[tuple[str, Callable[[], Mapping[str, Result]]], ...]] = (
    ("cycles of the passes and of a tick", _core),
    ("the model, the RTL and a bare loop, in turns", _speed),
    ("the RTL of the core alone and a bare loop, in turns", _core_alone),
    ("a run with probes and one without, in turns", probing),
    ("calls of the host library", _host),
    ("the model in bulk, and its kernel", _bulk),
    ("learning networks of several sizes, and bare rows, in turns", sizes.measure),
    ("a batch of runs on all processors", _batch),
    ("first use, with nothing compiled or built", _first_use),
    ("the digests of a million ticks", digests),
    ("the netlist", _netlist),
    ("the core under cocotb", _cocotb),
    ("the link at the pins", _link),
    ("the ledger of a run over a pseudo-terminal", _ledger),
    ("the demo with five seeds", _demo),
)
"""The measurements in order: the description of each, and the function that takes it."""
