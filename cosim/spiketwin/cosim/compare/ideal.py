"""The ideal network: the intended one in double precision, before it is rounded for a core."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.cosim.compare import kernels
from spiketwin.cosim.compare.quantisation import Quantisation, coded_loss, exact_loss, no_grid
from spiketwin.cosim.compare.trajectory import Rows, Trajectory, Values, record
from spiketwin.cosim.compilation import announced
from spiketwin.hdl.spec.arithmetic import STEP_BITS
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import limits
from spiketwin.hdl.spec.variables import (
    POTENTIAL,
    STATE,
    TICKS,
    TRACE,
    VARIABLES,
    WEIGHT,
    Kind,
    Per,
    names,
)
from spiketwin.host.cautions import warn_of_rounding
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidNetwork
from spiketwin.host.network import ARRAYS, SETTINGS, Network
from spiketwin.host.starts import BEGUN
from spiketwin.host.stimuli import NO_BIASES
from spiketwin.host.windows import check_numbers, no_windows

_IN_UNITS: Final = {
    variable.attribute: 1 << variable.fraction_bits
    for variable in VARIABLES
    if variable.kind is Kind.PARAMETER and variable.unit in (POTENTIAL, WEIGHT)
} | {"windows": 1 << STEP_BITS}
"""Attributes in units of the potential, each with the parts of a unit that a core resolves."""

_IN_FULL_SCALES: Final = tuple(
    v.attribute for v in VARIABLES if v.kind is Kind.PARAMETER and v.unit == TRACE
)
"""Attributes that are fractions of a trace's full scale."""


def _vector(value: float) -> Any:
    """Declare an array attribute with a scalar as default, which is broadcast."""
    return field(default=value)


def _no_relays() -> IntArray:
    return np.empty((0, 2), np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ideal:
    """A network in real numbers, whose attributes have the names and meanings of `Network`'s.

    It keeps the order of a tick and all its rules (docs/tick.md), but rounds nothing. `v_floor`,
    `w_min`, `w_max` and the refractory ticks belong to the ideal network too. The widths of a core
    do not: potential, current, `theta` and traces have no largest value, so an adding trace exceeds
    the full scale at which a core's saturates. A decay takes exactly ``1 - exp(-1 / tau)`` of a
    value, and a learning step is applied in full.

    Attributes
    ----------
    n_axons, n_neurons:
        Sizes.
    rule:
        Shape (n_sources, n_neurons), int: the rule of each synapse that learns.
    relays:
        Shape (k, 2): source and delay in ticks of the relays, which are more sources behind axons
        and neurons, with rows of their own in `weights` and `plastic`; by default none.
    weights, threshold, v_reset, bias, v_floor, theta_bump, linear_leak, w_min, w_max:
        In one unit of the caller's choice, such as mV above rest; a scalar fills an array.
        `v_floor` may be ``-inf``.
    plastic, synapse_delay, refrac_ticks, reset_subtract, learn_pre, learn_post:
        As in `Network`.
    trace_pre_replace, trace_post_replace:
        Likewise.
    v_tau, i_syn_tau, theta_tau, trace_pre_tau, trace_post_tau:
        Time constants in ticks, as in `Network`.
    i_inh_en, i_inh_tau:
        Likewise: whether inhibition has a current of its own, and its time constant.
    i_syn_shift:
        As in `Network`: a current adds ``i_syn / 2**i_syn_shift`` to the potential.
    profile, source_profile, refrac_integrates:
        As in `Network`, and so may be all that a profile or a rule holds: a number, or one for each
        profile or rule.
    gain_shift, current_after, window:
        As in `Network`.
    drift:
        In the unit of weights: what every plastic weight changes by in every tick that learns.
    windows:
        Shape (tables, 256) or (tables, 512): the tables of windows, in the same unit as weights.
    stochastic, seed:
        As in `Network`; without effect unless steps are rounded.
    start:
        As in `Network`: the state that the network begins with, in the same unit.
    pre_gain, pre_offset, post_gain, post_offset:
        In the same unit: the weight change for a trace at full scale, and that for every event.
    trace_pre_bump, trace_post_bump:
        Increments of traces, as fractions of full scale.

    Raises
    ------
    InvalidNetwork
        An array has the wrong shape, or a value is not a number.
    """

    n_axons: int
    n_neurons: int
    weights: Values = _vector(0.0)
    plastic: NDArray[np.bool_] = _vector(False)
    synapse_delay: IntArray = _vector(0)
    threshold: Values = _vector(1.0)
    v_reset: Values = _vector(0.0)
    refrac_ticks: IntArray = _vector(0)
    bias: Values = _vector(0.0)
    profile: IntArray = _vector(0)
    source_profile: IntArray = _vector(0)
    v_tau: float | Values = math.inf
    i_syn_tau: float | Values = 0.0
    theta_tau: float | Values = math.inf
    trace_pre_tau: float | Values = math.inf
    trace_post_tau: float | Values = math.inf
    v_floor: float | Values = 0.0
    reset_subtract: bool | NDArray[np.bool_] = False
    theta_bump: float | Values = 0.0
    learn_pre: bool = False
    learn_post: bool = False
    stochastic: bool | NDArray[np.bool_] = False
    seed: int = 0
    w_min: float | Values = 0.0
    w_max: float | Values = 0.0
    pre_gain: float | Values = 0.0
    pre_offset: float | Values = 0.0
    post_gain: float | Values = 0.0
    post_offset: float | Values = 0.0
    trace_pre_bump: float | Values = 0.0
    trace_pre_replace: bool | NDArray[np.bool_] = False
    trace_post_bump: float | Values = 0.0
    trace_post_replace: bool | NDArray[np.bool_] = False
    i_syn_shift: int = 0
    i_inh_en: bool = False
    i_inh_tau: float | Values = 0.0
    refrac_integrates: bool | NDArray[np.bool_] = False
    linear_leak: float | Values = 0.0
    gain_shift: int | IntArray = 0
    current_after: bool | NDArray[np.bool_] = False
    window: int | IntArray = 0
    windows: NDArray[Any] = field(default_factory=no_windows)
    drift: float | Values = 0.0
    start: dict[str, NDArray[Any]] = field(default_factory=dict)
    rule: IntArray = _vector(0)
    relays: IntArray = field(default_factory=_no_relays)

    def __post_init__(self) -> None:
        own = {f.name for f in fields(self)}
        for name, variable in ((n, v) for n, v in ARRAYS.items() if n in own):
            exact = np.bool_ if variable.is_flag else np.int64
            dtype = np.float64 if name in _IN_UNITS else exact
            shape = variable.shape(self.n_axons, self.n_neurons)
            if variable.per is Per.SYNAPSE:
                shape = (self.n_sources, self.n_neurons)
            array = np.asarray(getattr(self, name))
            if array.ndim and array.shape != shape:
                raise InvalidNetwork(f"{name} must have the shape {shape}, not {array.shape}")
            filled: NDArray[Any] = np.broadcast_to(array.astype(dtype), shape).copy()
            object.__setattr__(self, name, filled)  # frozen for users; only broadcasts the value
        object.__setattr__(self, "rule", np.broadcast_to(self.rule, self.weights.shape).copy())
        check_numbers(self.window, len(self.windows))
        if any(name not in BEGUN for name in self.start):
            raise InvalidNetwork(f"start must have arrays of {', '.join(BEGUN)} alone")
        decays = [name for name, register in SETTINGS.items() if register.is_decay]
        for name in (*_IN_UNITS, *_IN_FULL_SCALES, *decays):
            if np.isnan(getattr(self, name)).any():
                raise InvalidNetwork(f"{name} must hold numbers, not nan")

    @property
    def n_sources(self) -> int:
        """Axons, neurons and relays together."""
        return self.n_axons + self.n_neurons + len(self.relays)

    @classmethod
    def of(cls, network: Network, params: CoreParams) -> Self:
        """Take the integers of a network, for a core of these sizes, as exact real numbers.

        The sizes determine the full scale of the traces. Synapses of one pair, and of one delay,
        become one of their sum. Raises `InvalidNetwork` if such synapses learn, as each has bounds
        of its own.
        """
        network.validate()
        values = _matrices(network)
        values |= {f.name: getattr(network, f.name) for f in fields(cls) if f.name not in values}
        for name, steps in _steps(1.0, params).items():
            values[name] = values[name] / steps
        return cls(**values)

    def in_units(self, scale: float) -> Self:
        """Return the network in a smaller unit: `scale` of them make one of this network's."""
        values = {name: getattr(self, name) * scale for name in _IN_UNITS}
        return replace(self, start=_begun_in(self.start, scale), **values)

    def quantised(self, scale: float, params: CoreParams) -> Network:
        """Round to a network that a core of these sizes holds: to nearest, halves to even.

        Parameters
        ----------
        scale:
            Units of the core for one of ours. Potential and weights share it, as a weight adds to
            the potential. A larger one is finer, until something no longer fits.
        params:
            Sizes of the core.

        Raises
        ------
        InvalidNetwork, DoesNotFit
            A value does not fit; the message names it and the range.

        Warns
        -----
        SpiketwinWarning
            Many weights become 0.
        """
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        if len(values.pop("relays")):
            raise InvalidNetwork(
                "an all-to-all network has no delays: round the weights of a network of populations"
            )
        if values.pop("rule").any():
            raise InvalidNetwork(
                "an all-to-all network has one rule: round the weights of a network of populations"
            )
        values |= self._in_steps(scale, params)
        network = Network(**values)
        network.check_fits(params)
        warn_of_rounding(self.weights * scale, network.weights)
        return network

    def quantised_as(
        self, network: Network, scale: float, factor: float, params: CoreParams
    ) -> Network:
        """Round to a network of populations whose synapses are those of another one.

        Parameters
        ----------
        network:
            The network whose ideal one this is. Its own weights times `factor` are rounded,
            as two synapses of a pair are one here.
        scale, params:
            As for `quantised`, which names what is raised and warned of.
        """
        rounded = network.copy()
        for name, value in self._in_steps(scale, params).items():
            if name != "weights":
                setattr(rounded, name, value)
        for each in rounded.projections:
            if each.constant is not None:
                each.constant = round(each.constant * factor)
            else:
                meant = each.weights * factor
                each.weights = np.rint(meant).astype(np.int32)
                warn_of_rounding(meant, each.weights)
        rounded.check_fits(params)
        return rounded

    def _in_steps(self, scale: float, params: CoreParams) -> dict[str, Any]:
        """Return the attributes that have units, in the steps of a core: to nearest."""
        values: dict[str, Any] = {}
        for name, steps in _steps(scale, params).items():
            value = getattr(self, name) * steps
            if name == "v_floor":
                value = np.where(value == -math.inf, limits(params.v_width, signed=True)[0], value)
            whole = np.rint(value)
            if not np.isfinite(whole).all():
                raise InvalidNetwork(f"{name} must be finite to be held by a core")
            values[name] = whole.astype(np.int64) if np.ndim(whole) else int(whole)
        begun = _begun_in(self.start, scale)
        return values | {"start": {n: np.rint(v).astype(np.int64) for n, v in begun.items()}}

    def run(
        self,
        spikes: ArrayLike,
        ticks: int,
        *,
        every: int | None = None,
        clear_every: int | None = None,
        keeping: Quantisation | None = None,
        biases: Rows = NO_BIASES,
    ) -> Trajectory:
        """Run the network from its start.

        Parameters
        ----------
        spikes, ticks, every, clear_every, biases:
            Stimulus and records: as for `spiketwin.cosim.compare.trajectory.record`.
        keeping:
            Roundings of a core that are kept, in which case our unit is the core's; None for none.

        Raises
        ------
        InvalidInput
            As `record` does.
        DoesNotFit
            The core whose roundings are kept is smaller than the network.
        """
        runner = _Runner(self, keeping)
        return record(runner, spikes, ticks, every, clear_every, biases=biases)


class _Runner:
    """A running ideal network (`spiketwin.cosim.compare.trajectory.RunningNetwork`)."""

    def __init__(self, ideal: Ideal, keeping: Quantisation | None) -> None:
        self.n_axons = ideal.n_axons
        self.learns = bool(ideal.plastic.any())
        self._tick = 0
        self._rules = _rules(ideal)
        noise_seed = ideal.seed if np.any(ideal.stochastic) else None
        self._grid = (
            keeping.grid(ideal.n_axons, ideal.n_neurons, noise_seed, len(ideal.relays))
            if keeping
            else no_grid()
        )
        n = ideal.n_neurons
        sources, delays = np.ascontiguousarray(ideal.relays.T)
        self._relays = sources
        self._state = kernels.State(
            weight=ideal.weights.copy(),
            plastic=ideal.plastic,
            synapse_delay=ideal.synapse_delay,
            threshold=ideal.threshold,
            v_reset=ideal.v_reset,
            refrac_ticks=ideal.refrac_ticks,
            bias=ideal.bias.copy(),
            profile=ideal.profile,
            source_profile=np.append(ideal.source_profile, ideal.source_profile[sources]),
            rule=ideal.rule,
            rules=_table(_rule_columns(ideal), int(ideal.rule.max(initial=0)) + 1),
            window_table=np.ascontiguousarray(ideal.windows, np.float64),
            drift_sum=np.zeros(int(ideal.rule.max(initial=0)) + 1),
            shared=_shared(ideal, _loss(keeping)),
            v=np.zeros(n),
            i_syn=np.zeros(n),
            i_inh=np.zeros(n),
            refrac_count=np.zeros(n, np.int64),
            theta=np.zeros(n),
            trace_pre=np.zeros(ideal.n_sources),
            history=np.zeros(ideal.n_sources, np.int64),
            trace_post=np.zeros(n),
            pending=np.zeros(n, np.bool_),
            relay_source=sources,
            relay_delay=delays,
            relay_ring=np.zeros((int(delays.max(initial=0)) + 1, len(delays)), np.bool_),
            i_syn_ring=np.zeros((int(ideal.synapse_delay.max(initial=0)) + 1, n)),
            i_inh_ring=np.zeros((int(ideal.synapse_delay.max(initial=0)) + 1, n)),
            active=np.zeros(ideal.n_sources, np.bool_),
            row_noise=np.zeros(n, np.uint16),
            column_noise=np.zeros(ideal.n_sources, np.uint16),
        )
        for name, values in ideal.start.items():
            getattr(self._state, name)[...] = values

    def run(self, events: IntArray, ticks: int, biases: Rows) -> IntArray:
        fired = np.empty((ticks * self._state.v.size, 2), np.int64)
        # The core's noise depends on the tick counted from the beginning, whatever the parts.
        tick, axon = np.ascontiguousarray((events + (self._tick, 0)).T)
        with announced("the ideal network"):
            count = kernels.run_ticks(
                self._state, self._rules, self._grid, self._tick, ticks, tick, axon, fired,
                biases[:, 0].astype(np.int64) + self._tick, biases[:, 1].astype(np.int64),
                biases[:, 2].astype(np.float64),
            )  # fmt: skip
        spikes: IntArray = fired[:count] - (self._tick, 0)
        self._tick += ticks
        return spikes

    def clear(self) -> None:
        for name in names(v for v in STATE if v.clear is not None):
            if name in self._state._fields:
                getattr(self._state, name)[...] = 0

    def v(self) -> Values:
        return self._state.v.copy()

    def weights(self) -> Values:
        first = len(self._state.weight) - len(self._relays)
        acting = self._state.weight.copy()
        kernels.let_act(self._state, self._grid, acting)
        sums = acting[:first].copy()
        np.add.at(sums, self._relays, acting[first:])
        return sums


def _matrices(network: Network) -> dict[str, Any]:
    """Return the arrays of all pairs of a source and a neuron, and the relays."""
    relays = sorted({(s, b.delay) for b in network.blocks if b.delay for s in b.pairs.sources})
    row_of = {relay: network.n_sources + k for k, relay in enumerate(relays)}
    row_of |= {(source, 0): source for source in range(network.n_sources)}
    weights = np.zeros((len(row_of), network.n_neurons), np.int64)
    synapses, plastic = np.zeros_like(weights), np.zeros(weights.shape, np.bool_)
    delays, differ = np.full(weights.shape, -1), np.zeros(weights.shape, np.bool_)
    rule = np.zeros_like(weights)
    for block in network.blocks:
        rows = [row_of[source, block.delay] for source in block.pairs.sources]
        place = np.ix_(rows, block.pairs.neurons)
        exists = block.plastic | (block.weights != 0)
        others = delays[place]
        differ[place] |= exists & (others >= 0) & (others != block.synapse_delay)
        delays[place] = np.where(exists, block.synapse_delay, others)
        weights[place] += block.weights
        synapses[place] += 1
        plastic[place] |= block.plastic
        if block.learns:
            rule[place] = block.rule
    for wrong, how in (
        (plastic & (synapses > 1), "of which one learns"),
        (differ, "of two delays"),
    ):
        for source, neuron in np.argwhere(wrong)[:1]:
            if source >= network.n_sources:
                source = relays[source - network.n_sources][0]
            raise InvalidNetwork(
                f"source {source} and neuron {neuron} have several synapses {how}: an ideal "
                "network has one synapse for each pair. Put them into one projection"
            )
    made = np.array(relays, np.int64).reshape(-1, 2)
    matrices = {"weights": weights, "plastic": plastic, "rule": rule}
    return matrices | {"synapse_delay": np.maximum(delays, 0), "relays": made}


def _loss(keeping: Quantisation | None) -> Callable[[float], float]:
    if keeping is None or not keeping.decay_codes:
        return exact_loss
    return partial(coded_loss, params=keeping.params)


def _rules(ideal: Ideal) -> kernels.Rules:
    # Convert each value to one type, so that the kernel is compiled only once.
    values: dict[str, Any] = {
        name: (bool if kind == "bool" else float)(getattr(ideal, name))
        for name, kind in kernels.Rules.__annotations__.items()
    }
    return kernels.Rules(**values)


def _shared(ideal: Ideal, loss: Callable[[float], float]) -> Values:
    """Return what each profile holds, in the order of the kernel's columns."""
    columns: list[Values] = []
    for name in kernels.Shared._fields:
        if name.endswith("_loss"):
            taus = getattr(ideal, name.replace("_loss", "_tau"))
            columns.append(np.vectorize(loss, otypes=[np.float64])(taus))
        else:
            columns.append(np.asarray(getattr(ideal, name), np.float64))
    last = max(int(ideal.profile.max()), int(ideal.source_profile.max()))
    return _table(columns, last + 1)


def _rule_columns(ideal: Ideal) -> list[Values]:
    """Return what each rule holds, in the order of the kernel's columns."""
    return [np.asarray(getattr(ideal, name), np.float64) for name in kernels.Rule._fields]


def _table(columns: list[Values], least: int) -> Values:
    """Return columns, of one value or of one for each row, as a table of at least so many rows."""
    table = np.empty((max(least, *(column.size for column in columns)), len(columns)))
    for place, column in enumerate(columns):
        table[:, place] = column
    return table


def _begun_in(start: dict[str, NDArray[Any]], scale: float) -> dict[str, NDArray[Any]]:
    """Return the state to begin with in a smaller unit; ticks stay ticks."""
    return {n: each * (1 if BEGUN[n].unit == TICKS else scale) for n, each in start.items()}


def _steps(scale: float, params: CoreParams) -> dict[str, float]:
    """Return the steps of a core that make one of our units, or full scale, by attribute."""
    full = 1 << params.trace_width
    in_units = {name: scale * parts for name, parts in _IN_UNITS.items()}
    return in_units | dict.fromkeys(_IN_FULL_SCALES, full)
