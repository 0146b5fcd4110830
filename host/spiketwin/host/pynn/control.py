"""Set-up, runs, resets and queries, as PyNN names them."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN import common, recording
from pyNN.common.control import DEFAULT_MAX_DELAY, DEFAULT_MIN_DELAY, DEFAULT_TIMESTEP

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput
from spiketwin.host.kinds import Target
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.connectors import FixedProbabilityConnector
from spiketwin.host.pynn.given import takes
from spiketwin.host.pynn.populations import Population
from spiketwin.host.pynn.projections import Projection
from spiketwin.host.pynn.report import Report
from spiketwin.host.pynn.simulator import Options, checked_targets, state
from spiketwin.host.pynn.synapses import StaticSynapse

_run, _run_until = common.build_run(simulator)
reset = takes(common.build_reset(simulator), "annotations, a dictionary", "reset")
initialize = takes(common.initialize, "cells, and variables by name", "initialize")
set = takes(common.set, "cells, and parameters by name", "set")
get_io = takes(recording.get_io, "a file name with an extension that Neo knows", "get_io")

(
    get_current_time, get_time_step, get_min_delay, get_max_delay, num_processes, rank,
) = common.build_state_queries(simulator)  # fmt: skip

create = takes(
    common.build_create(Population),
    "a cell type, its parameters, and n, a number of cells",
    "create",
)
connect = takes(
    common.build_connect(Projection, FixedProbabilityConnector, StaticSynapse),
    "sources and targets (cells, populations, views), weight, delay, receptor_type, p in 0…1, rng",
    "connect",
)
_record = takes(
    common.build_record(simulator), "variables, cells, and a file name or None", "record"
)


def run(simtime: float, callbacks: Any = None) -> float:
    """Run for so many ms, and return the time.

    Parameters
    ----------
    simtime:
        Time to run, 0 or more ms.
    callbacks:
        Functions that get the time in ms and return when they want to be called next.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    """
    _check_run("simtime", simtime, callbacks)
    return float(_run(simtime, callbacks))


run_for = run


def run_until(time_point: float, callbacks: Any = None) -> float:
    """Run until a time in ms, which is not over, and return it; `callbacks` as for `run`.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    """
    _check_run("time_point", time_point, callbacks)
    return float(_run_until(time_point, callbacks))


def _check_run(name: str, time: object, callbacks: object) -> None:
    begins = state.t if name == "time_point" else 0.0
    # One that is no number, or endless, is refused in the words of the core.
    if (
        isinstance(time, bool | np.complexfloating)
        or not isinstance(time, int | float | np.number)
        or float(time) < begins - state.dt / 2
    ):
        raise InvalidInput(
            f"{name} must be a number of ms from {begins:g} on, as before that is past, not "
            f"{shown(time)}"
        )
    if callbacks is not None and not (
        isinstance(callbacks, list | tuple) and all(callable(each) for each in callbacks)
    ):
        raise InvalidInput(f"callbacks must be a list of functions, not {shown(callbacks)}")


def record(
    variables: Any,
    source: Any,
    filename: Any,
    sampling_interval: Any = None,
    annotations: Any = None,
) -> None:
    """Record variables of cells, and write them to a file, if one is named, at the end.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    """
    if not (filename is None or isinstance(filename, str) or hasattr(filename, "write")):
        raise InvalidInput(f"filename must be a path, or None, not {shown(filename)}")
    _record(variables, source, filename, sampling_interval, annotations)


def record_v(source: Any, filename: Any) -> None:
    """Record potentials; deprecated by PyNN, as `record("v")` of a population does it."""
    record(["v"], source, filename)


def record_gsyn(source: Any, filename: Any) -> None:
    """Record conductances, which no cell that runs on a core has."""
    record(["gsyn_exc", "gsyn_inh"], source, filename)


def setup(
    timestep: float = DEFAULT_TIMESTEP,
    min_delay: float | str = DEFAULT_MIN_DELAY,
    *,
    max_delay: float | str = DEFAULT_MAX_DELAY,
    target: str | Target | list[str | Target] | tuple[str | Target, ...] = "model:",
    v_width: int = 24,
    weight_width: int = 16,
    params: str | CoreParams | None = None,
    rng_seed: int = 1,
    spike_precision: str = "on_grid",
    **others: Any,
) -> int:
    """Begin a simulation, and forget the one of before.

    Parameters
    ----------
    timestep, min_delay, max_delay:
        Length of a tick, and the least and the longest delay, in ms.
    target:
        Address of what runs the network: that of a core, as `spiketwin.host.connect` takes it, or
        ``"float:"`` for the ideal network in double precision; or a list of some, which run it side
        by side. Data are those of the first one.
    v_width, weight_width:
        Bits of potentials, 8…24, and of weights, 4…16, of a core whose sizes are open.
    params:
        Sizes of such a core, as `connect` takes them; by default those of the smallest one that
        holds the network.
    rng_seed:
        Seed of Poisson sources and of noisy currents, 0 or more.
    spike_precision:
        ``"on_grid"``, the only one that a core has.
    **others:
        There are no others: a misspelt name is refused.

    Returns
    -------
    int
        The rank of this process, 0.

    Raises
    ------
    InvalidInput
        An argument is wrong.
    """
    if others:
        raise InvalidInput(
            f"setup has no argument {shown(next(iter(others)))}: it has timestep, min_delay, "
            "max_delay, target, v_width, weight_width, params, rng_seed and spike_precision"
        )
    if not isinstance(spike_precision, str) or spike_precision != "on_grid":
        raise InvalidInput(
            f"spike_precision must be 'on_grid', not {shown(spike_precision)}: a core fires at the "
            "ends of ticks"
        )
    _check_times(timestep, min_delay, max_delay)
    options = Options(
        checked_targets(target), _whole("v_width", v_width, 8, 24),
        _whole("weight_width", weight_width, 4, 16), params,
        _whole("rng_seed", rng_seed, 0, (1 << 32) - 1),
    )  # fmt: skip
    state.begin(float(timestep), min_delay, max_delay, options)
    return 0


def _check_times(timestep: object, min_delay: object, max_delay: object) -> None:
    for name, value in (("timestep", timestep), ("min_delay", min_delay), ("max_delay", max_delay)):
        if isinstance(value, str) and value == "auto" and name != "timestep":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
            raise InvalidInput(f"{name} must be a number of ms above 0, not {shown(value)}")
    numbers = [each for each in (timestep, min_delay, max_delay) if isinstance(each, int | float)]
    if numbers != sorted(numbers):
        raise InvalidInput(
            f"timestep ({timestep}), min_delay ({min_delay}) and max_delay ({max_delay}) must "
            "ascend"
        )


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(f"{name} must be an integer in {low}…{high}, not {shown(value)}")
    return value


def end(compatible_output: bool = True) -> None:
    """Write the files that were asked for, and close the targets; data stay."""
    for population, variables, name in state.write_on_end:
        population.write_data(get_io(name), variables)
    state.write_on_end = []
    state.close()
    state.ended = True


def report() -> Report:
    """Return the report of the last run.

    Raises
    ------
    InvalidInput
        Nothing has run yet.
    """
    return state.report()


def list_standard_models() -> list[str]:
    """Return the names of the cells that a core carries."""
    return [
        "IF_curr_exp",
        "IF_curr_alpha",
        "IF_curr_delta",
        "SpikeSourceArray",
        "SpikeSourcePoisson",
    ]
