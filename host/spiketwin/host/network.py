"""Networks: weights, parameters and learning rules to program into a core, in their own size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.arithmetic import (
    DECAY_AT_ONCE,
    DECAY_BITS,
    DECAY_NONE,
    MAX_DECAY_SHIFT,
    decay_code,
    shifted_decay_code,
)
from spiketwin.hdl.spec.params import (
    MAX_LINES,
    MAX_PROBE_RANGES,
    N_PROFILES,
    N_RULES,
    CoreParams,
    ParamsError,
    field_types,
    spike_queue_words,
)
from spiketwin.hdl.spec.probes import MOST_NIBBLES, words_of
from spiketwin.hdl.spec.registers import REGISTERS, profile_columns, registers, rule_columns
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import PARAMETER_ARRAYS, Kind, Per, Variable
from spiketwin.host import sums
from spiketwin.host.cautions import warn_of_widths
from spiketwin.host.elements import IntArray, integers
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.layout import SIZES_OF_TABLE, check_entries, cut, layout, not_built
from spiketwin.host.learned_traces import LearnedTrace
from spiketwin.host.populations import (
    AXONS,
    Pairs,
    Population,
    Projection,
    checked_kind,
    checked_name,
    checked_plastic,
    checked_population,
    checked_target,
    checked_weights,
    no_plastic,
)
from spiketwin.host.starts import BEGUN, checked_start
from spiketwin.host.stdp import Pairing, StdpWindow, half, warn_of_amplitude
from spiketwin.host.windows import (
    bits_of,
    check_numbers,
    checked_windows,
    in_core,
    no_windows,
    with_window,
)

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

WIDEST: Final = CoreParams(
    n_axons=64, n_neurons=64, weight_width=16, v_width=24, i_syn_width=24, theta_width=24,
    refrac_width=16, n_profiles=8, decay_shift=True, receptors=2, n_projections=2, weight_depth=64,
    synapse_delay_width=5, n_rules=8, window_bits=16,
)  # fmt: skip
"""A core with the widest values there can be: a value that does not fit it fits no core."""

ARRAYS: Final = {array.attribute: array for array in PARAMETER_ARRAYS}
"""The arrays of a network, by their attributes."""

_OF_SYNAPSES: Final = tuple(name for name, v in ARRAYS.items() if v.per is Per.SYNAPSE)
_OF_NEURONS: Final = {name: v for name, v in ARRAYS.items() if v.per is Per.NEURON}
SOURCE_ARRAYS: Final = {name: v for name, v in ARRAYS.items() if v.per is Per.SOURCE}
"""The arrays with one element a source, by their attributes."""

SETTINGS: Final = {
    r.attribute: r for r in REGISTERS if r.kind is Kind.PARAMETER and not r.is_decay_shift
}
"""The registers that a network sets, by its attributes. The shift of a decay follows from the same
time constant as its code."""

PROFILED: Final = tuple(name for name, r in SETTINGS.items() if r.per is Per.PROFILE)
"""The attributes that a profile holds."""

RULED: Final = tuple(name for name, r in SETTINGS.items() if r.per is Per.RULE)
"""The attributes that a rule holds."""

_MOST: Final = {Per.PROFILE: ("profiles", N_PROFILES[-1]), Per.RULE: ("rules", N_RULES[-1])}
"""What has a value of a setting each, if it is given as an array, and how many there can be."""

_OF_TRACE_PRE: Final = tuple(name for name in PROFILED if name.startswith("trace_pre"))
"""Those that act on sources."""

_OF_OPTIONS: Final = tuple(
    name for name, r in SETTINGS.items() if r.built not in ("", "learning") and not r.is_decay
)
"""Settings that only cores with an option have, other than time constants."""

_INEXACT: Final = 0.005
"""Relative error of a decay code from which on `core_params` takes shifts."""


def decay_tau(code: int, shift: int = 0) -> float:
    """Return the time constant, in ticks, of a decay code: the inverse of `shifted_decay_code`.

    Raises `InvalidNetwork` for a value that is not a decay code, or not a shift.
    """
    code = _integer("code", code, (0, DECAY_AT_ONCE))
    shift = _integer("shift", shift, (0, MAX_DECAY_SHIFT))
    if code == DECAY_NONE:
        return math.inf
    if code == DECAY_AT_ONCE:
        return 0.0
    return -1.0 / math.log1p(-code / (1 << DECAY_BITS + shift))


def _filled_with(value: int) -> Any:
    """Return the default of an array attribute: a scalar with which `Network.validate` fills it."""
    return field(default=value)


def _of_populations() -> Any:
    """Return the default of `n_neurons`, with which neurons come by `Network.population`."""
    return field(default=None)


class _NotThere(InvalidNetwork, AttributeError):
    """A network of populations has no weights of its own."""


@dataclass(eq=False, kw_only=True, slots=True, repr=False)
class Network:
    """A network of `n_axons` input lines and `n_neurons` neurons.

    It has one of two forms. With `n_neurons` all sources are connected to all neurons, by
    `weights`. Without, it is made of populations and projections: `population` adds neurons, and
    `project` adds synapses from one population to another. Such a network has no `weights` and no
    `plastic` of its own; each projection has.

    Sources are numbered axons first, then neurons. Arrays that are left out are zeros, except
    `threshold`, which is 1000. A scalar given for an array fills it. All values except the time
    constants are integers in the units of the core. There are no further attributes: a misspelt
    name raises `AttributeError`.

    Neurons and sources can have profiles. What a profile holds (`PROFILED`) is a number that all
    have, or an array with one for each profile, and all such arrays are of one length. So can
    projections have rules, and what a rule holds (`RULED`) is a number or such an array.

    Attributes
    ----------
    n_axons, n_neurons:
        Sizes, 0…4096 and 1…4096; in a network of populations `n_neurons` is left out, and counts
        the neurons so far.
    weights:
        Shape (n_axons + n_neurons, n_neurons), int32: weight of each synapse (source, neuron).
    plastic:
        The same shape, bool: whether learning may change the weight. An array is taken as it is, so
        weights of 0 may grow too; the scalar True stands for every synapse whose weight is not 0 at
        that moment.
    synapse_delay:
        The same shape, int32: ticks, 0…31, by which the current of a synapse is late. Learning sees
        the spike of the source, and not the current.
    threshold, v_reset, refrac_ticks, bias:
        Shape (n_neurons,), int32: threshold, potential after a spike, length of the refractory
        period in ticks, and amount added to `v` in every tick, of each neuron. The threshold
        8388607 is that of a neuron that never fires, on any core.
    profile, source_profile:
        Shapes (n_neurons,) and (n_axons + n_neurons,), int32, 0…7: the profile of each neuron, and
        that of each source, which its `trace_pre` has.
    v_tau, i_syn_tau, theta_tau, trace_pre_tau, trace_post_tau:
        Time constants of the decays in ticks; ``math.inf`` is no decay, 0 a decay to 0 in one tick.
    i_syn_shift:
        0…15: a current adds ``i_syn / 2**i_syn_shift`` to `v`, rounded to nearest, so that weights
        and currents can be finer than the potential.
    i_inh_en, i_inh_tau:
        With `i_inh_en` weights below 0 add to a second current, `i_inh`, which decays with the time
        constant `i_inh_tau` and is added to `v` as `i_syn` is.
    v_floor, reset_subtract, theta_bump, learn_pre, learn_post, stochastic, seed, w_min, w_max:
        The registers of these names (`spiketwin.hdl.spec.registers`).
    pre_gain, pre_offset, post_gain, post_offset:
        Constants of the learning rules: gains in 1/256, offsets in 1/65536 weight units.
    gain_shift:
        0…15: both gains are multiplied by ``2**gain_shift``.
    current_after:
        Whether a spike's current is made by the weight from after the change at its pre-event, and
        not by that from before.
    window, windows:
        With `window` above 0 the post-event rule is one over a window, and this the number of its
        table, from 1 on. The tables are `windows`, shape (tables, 256) or (tables, 512), int32
        (`add_window`).
    drift:
        What every plastic weight changes by, in 1/65536 weight units, in every tick with
        `learn_post`.
    trace_pre_bump, trace_pre_replace, trace_post_bump, trace_post_replace:
        Registers that say how spikes change the traces.
    refrac_integrates:
        Whether a neuron goes on integrating in its refractory time, in which it does not fire.
    linear_leak:
        Units that `v` loses in every tick, and not beyond 0, instead of its decay; 0: it decays.
    tag:
        A number of 32 bits of your own choice, which the core keeps until it is reset. A program
        that connects later can tell by it which network the core holds (`Core.read_registers`).
    start:
        State that the network begins with, where it is not 0: arrays of shape (n_neurons,) by the
        names `v`, `i_syn`, `i_inh`, `refrac_count` and `theta`. Set it once all neurons are there.
        `Core.program` writes it, and `Core.clear` and a run with `clear` set it to 0.
    populations, projections:
        Tuples of what `population` and `project` have added; empty in an all-to-all network.
    all_to_all:
        Whether all sources are connected to all neurons, by `weights`.

    Raises
    ------
    InvalidNetwork
        An attribute has the wrong shape or type or is out of range.
    """

    n_axons: int
    n_neurons: int = _of_populations()
    weights: NDArray[np.integer[Any]] = _filled_with(0)
    plastic: NDArray[np.bool_] = _filled_with(False)
    synapse_delay: NDArray[np.integer[Any]] = _filled_with(0)
    threshold: NDArray[np.integer[Any]] = _filled_with(1000)
    v_reset: NDArray[np.integer[Any]] = _filled_with(0)
    refrac_ticks: NDArray[np.integer[Any]] = _filled_with(0)
    bias: NDArray[np.integer[Any]] = _filled_with(0)
    profile: NDArray[np.integer[Any]] = _filled_with(0)
    source_profile: NDArray[np.integer[Any]] = _filled_with(0)
    v_tau: float | Reals = math.inf
    i_syn_tau: float | Reals = 0.0
    theta_tau: float | Reals = math.inf
    trace_pre_tau: float | Reals = math.inf
    trace_post_tau: float | Reals = math.inf
    v_floor: int | Integers = 0
    reset_subtract: bool | Flags = False
    theta_bump: int | Integers = 0
    learn_pre: bool = False
    learn_post: bool = False
    stochastic: bool | Flags = False
    seed: int = 0
    w_min: int | Integers = 0
    w_max: int | Integers = 0
    pre_gain: int | Integers = 0
    pre_offset: int | Integers = 0
    post_gain: int | Integers = 0
    post_offset: int | Integers = 0
    trace_pre_bump: int | Integers = 0
    trace_pre_replace: bool | Flags = False
    trace_post_bump: int | Integers = 0
    trace_post_replace: bool | Flags = False
    tag: int = 0
    i_syn_shift: int = 0
    i_inh_en: bool = False
    i_inh_tau: float | Reals = 0.0
    refrac_integrates: bool | Flags = False
    linear_leak: int | Integers = 0
    gain_shift: int | Integers = 0
    current_after: bool | Flags = False
    window: int | Integers = 0
    windows: NDArray[np.integer[Any]] = field(default_factory=no_windows)
    drift: int | Integers = 0
    start: dict[str, IntArray] = field(default_factory=dict)
    populations: tuple[Population, ...] = field(default=(), init=False)
    projections: tuple[Projection, ...] = field(default=(), init=False)
    all_to_all: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.n_neurons is None:
            self._begin_populations()
        self._check()

    def _begin_populations(self) -> None:
        """Make an all-to-all network one of populations, so far without neurons."""
        for name, variable in ARRAYS.items():
            if np.ndim(getattr(self, name)) or getattr(self, name) != variable.default:
                belongs = "project" if variable.per is Per.SYNAPSE else "population"
                raise InvalidNetwork(
                    f"{name} is given without n_neurons: give n_neurons for an all-to-all network, "
                    f"or {name} to `net.{belongs}(…)` for one of populations"
                )
        if self.start:
            raise InvalidNetwork(
                "start is given without n_neurons: set it once all neurons are there, "
                "`net.start = {…}`"
            )
        self.n_neurons, self.all_to_all = 0, False
        for name in _OF_SYNAPSES:
            delattr(self, name)

    def __getattr__(self, name: str) -> Any:
        if name in _OF_SYNAPSES:
            raise _NotThere(
                f"a network of populations has no {name} of its own: take {name} of one of its "
                "projections, which `net.project` returned and `net.projections` lists"
            )
        raise AttributeError(f"a Network has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"Network({self.n_axons} axons, {self.n_neurons} neurons)"

    @property
    def axons(self) -> Population:
        """The population of all axons; raise `InvalidNetwork` if there are none."""
        if not self.n_axons:
            raise InvalidNetwork("the network has no axons: give it some, `Network(n_axons=…)`")
        return Population(self, AXONS, True, 0, self.n_axons)

    def population(
        self,
        size: int,
        *,
        name: str | None = None,
        fires: bool = True,
        **parameters: ArrayLike,
    ) -> Population:
        """Add neurons, and return them as a population.

        Parameters
        ----------
        size:
            Number of neurons; the network has at most 4096.
        name:
            Name in messages and reports; by default ``"population 1"`` and so on.
        fires:
            False for neurons that never fire, instead of a `threshold`: theirs is the highest of
            any core, 8388607, which stands for that of the core that is programmed.
        **parameters:
            `threshold`, `v_reset`, `refrac_ticks`, `bias` and `profile` of its neurons: arrays of
            shape (size,), or scalars, which fill them. Instead of `profile` what a profile holds,
            such as `v_tau`: numbers, which its neurons then have; with one of `trace_pre` they have
            them as sources, too. What is left out is that of profile 0. Populations with the same
            numbers share a profile.

        Raises
        ------
        InvalidNetwork
            An argument is wrong, or the network is all-to-all. Nothing is changed.
        """
        self._check_of_populations("population")
        size = _integer("size", size, (1, MAX_LINES - self.n_neurons))
        number = len(self.populations) + 1
        name = checked_name(f"population {number}" if name is None else name)
        parameters |= _never_firing(fires)
        constants = _own_constants("population", tuple(_OF_NEURONS), PROFILED, parameters)
        arrays = {
            each: integers(
                each, parameters.get(each, variable.default), (size,), variable.limits(WIDEST),
                InvalidNetwork,
            )
            for each, variable in _OF_NEURONS.items()
        }  # fmt: skip
        profile = self._number_with(PROFILED, constants, "populations")
        as_source = profile if any(each in constants for each in _OF_TRACE_PRE) else 0
        if constants:
            arrays["profile"][:] = profile
        made = Population(self, name, False, self.n_neurons, size)
        for each, array in arrays.items():
            whole = np.concatenate([getattr(self, each), array])
            setattr(self, each, whole.astype(_dtype(_OF_NEURONS[each])))
        for each, variable in SOURCE_ARRAYS.items():
            more = np.full(size, as_source, _dtype(variable))
            setattr(self, each, np.concatenate([getattr(self, each), more]))
        self.n_neurons += size
        self.populations += (made,)
        return made

    def _number_with(
        self, names: tuple[str, ...], constants: dict[str, Any], owners: str, like: int = 0
    ) -> int:
        """Return the profile or rule that holds these constants, and else what another one does.

        It is added if there is none; raises `InvalidNetwork` if there can be no more. `names` are
        all that it holds, `owners` is what has such constants, and `like` the number of the other.
        """
        held = {name: self.held(name) for name in names}
        wanted = {name: constants.get(name, values[like]) for name, values in held.items()}
        count, (_, most) = len(held[names[0]]), _MOST[SETTINGS[names[0]].per]
        for number in range(count):
            if all(held[name][number] == value for name, value in wanted.items()):
                return number
        if count == most:
            raise InvalidNetwork(
                f"{owners} have more than {most} sets of constants such as "
                f"{', '.join(constants)}: let some have the same"
            )
        for name, value in wanted.items():
            if np.ndim(getattr(self, name)) or value != held[name][0]:
                setattr(self, name, np.append(held[name], value))
        return count

    def project(
        self,
        source: Population,
        target: Population,
        *,
        weights: ArrayLike | None = None,
        plastic: ArrayLike = False,
        constant: int | None = None,
        itself: bool = True,
        delay: int = 0,
        sparse: bool | None = None,
        synapse_delay: ArrayLike = 0,
        name: str | None = None,
        **learning: int,
    ) -> Projection:
        """Add synapses from each member of a population to each neuron of another.

        Two projections may have the same source and neuron in common, which then have two synapses.

        Parameters
        ----------
        source, target:
            Populations of this network or slices of them; the target is one of neurons.
        weights:
            Shape (len(source), len(target)), integers; a scalar fills it. A sparse array or matrix
            of scipy makes a sparse projection.
        plastic:
            The same shape, bool: whether learning may change the weight. True alone stands for
            every synapse whose weight is not 0.
        constant:
            Instead of `weights`: the weight of all synapses, which takes no memory.
        itself:
            With `constant`: whether a neuron that is source and target has a synapse to itself.
        delay:
            Ticks, 0…256, by which spikes arrive later than without it.
        sparse:
            Whether only weights other than 0 are synapses, so that the others take no memory and
            no cycles; such a projection does not learn.
        synapse_delay:
            Shape (len(source), len(target)), integers 0…31, or a scalar: ticks by which the current
            of each synapse is later yet. Learning does not see it.
        name:
            Name in messages and reports; by default the names of both populations.
        **learning:
            `rule`: the number of the rule by which its weights learn, 0…7; 0 by default. Instead of
            it what a rule holds, such as `w_max`: numbers. What is left out is that of rule 0.
            Projections with the same numbers share a rule.

        Raises
        ------
        InvalidNetwork
            An argument is wrong, or the network is all-to-all. Nothing is changed.
        """
        self._check_of_populations("project")
        source = checked_population("source", source, self)
        target = checked_target("target", target, self)
        name = checked_name(f"{source.name} to {target.name}" if name is None else name)
        limits, pairs = ARRAYS["weights"].limits(WIDEST), Pairs(source.sources, target.neurons)
        if (of_scipy := getattr(weights, "toarray", None)) is not None:
            weights, sparse = of_scipy(), True if sparse is None else sparse
        own, flags = _own_weights(weights, plastic, constant, pairs, limits)
        constants = _own_constants("projection", ("rule",), RULED, learning)
        rule = 1 if constants else learning.get("rule", 0)  # any but 0 until it is found below
        # These two are checked below.
        late: Any = synapse_delay
        few: Any = False if sparse is None else sparse
        made = Projection(
            source, target, own, flags, name, constant, itself, delay, few, late, rule
        )
        checked_kind("", made, limits)
        if constants:
            made.rule = self._number_with(RULED, constants, "projections")
        self.projections += (made,)
        return made

    def add_window(self, table: ArrayLike) -> int:
        """Add the table of a rule over a window, and return its number: the `window` of the rule.

        A table that the network has already keeps its number.

        Parameters
        ----------
        table:
            Shape (256,), integers of 24 bits: what a post-event adds to a weight, in 1/65536, for
            each past of the source. Bit k of the index is 1 if it spiked k ticks ago. With the
            shape (512,) the past is one of 16 ticks: the first 256 entries are for the last 8, the
            others for the 8 before, and both are added.

        Raises
        ------
        InvalidNetwork
            It is no table, has another length than others, or there are 8 already. Nothing is
            changed.
        """
        windows, number = with_window(checked_windows(self.windows), table)
        self.windows = windows.astype(np.int32)
        return number

    def _check_of_populations(self, method: str) -> None:
        if self.all_to_all:
            raise InvalidNetwork(
                f"`{method}` is of a network of populations, and this one is all-to-all: make it "
                "without n_neurons"
            )

    @property
    def blocks(self) -> tuple[Projection, ...]:
        """The projections; those of an all-to-all network are from all axons and all neurons."""
        if not self.all_to_all:
            return self.projections
        neurons = Population(self, "neurons", False, 0, self.n_neurons)
        sources = [self.axons, neurons] if self.n_axons else [neurons]
        return tuple(
            Projection(
                source,
                neurons,
                self.weights[rows],
                self.plastic[rows],
                f"{source.name} to neurons",
                synapse_delay=self.synapse_delay[rows],
            )  # fmt: skip
            for source in sources
            for rows in [slice(source.sources.start, source.sources.stop)]
        )

    @property
    def n_weights(self) -> int:
        """Synapses whose weight is not 0."""
        return sum(int(np.count_nonzero(block.weights)) for block in self.blocks)

    @property
    def n_plastic(self) -> int:
        """Synapses that learn."""
        return sum(int(np.count_nonzero(block.plastic)) for block in self.blocks)

    def copy(self) -> Network:
        """Return a network of its own with the same values, populations and projections."""
        if self.all_to_all:
            return replace(self)
        settings = {name: getattr(self, name) for name in SETTINGS}
        made = Network(n_axons=self.n_axons, windows=self.windows, **settings)
        for each in self.populations:
            part = slice(each.first, each.first + each.size)
            its = {name: getattr(self, name)[part] for name in _OF_NEURONS}
            made.population(each.size, name=each.name, **its)
        for name in SOURCE_ARRAYS:
            setattr(made, name, getattr(self, name).copy())
        for projection in self.projections:
            made.project(
                replace(projection.source, network=made), replace(projection.target, network=made),
                **projection.keywords(),
            )  # fmt: skip
        made.start = {name: array.copy() for name, array in self.start.items()}
        return made

    @property
    def learns(self) -> bool:
        """Whether any synapse is plastic."""
        return any(block.learns for block in self.blocks)

    def weight_sums(self) -> IntArray:
        """Return the sum of the weights of each pair, shape (n_axons + n_neurons, n_neurons)."""
        sums = np.zeros((self.n_sources, self.n_neurons), np.int64)
        for block in self.blocks:
            sums[block.pairs.place] += block.weights
        return sums

    @property
    def n_sources(self) -> int:
        """Axons and neurons together."""
        return self.n_axons + self.n_neurons

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of the array attribute `name`."""
        return ARRAYS[name].shape(self.n_axons, self.n_neurons)

    def validate(self) -> None:
        """Check everything, and bring the arrays to their shapes and types.

        Raises
        ------
        InvalidNetwork
            An attribute is wrong; the message names it, the first wrong index, the range and the
            value.
        """
        self._check()
        if not self.n_neurons:
            raise InvalidNetwork("the network has no neurons: add some by `net.population(…)`")

    def _check(self) -> None:
        for name, least in (("n_axons", 0), ("n_neurons", int(self.all_to_all))):
            setattr(self, name, _integer(name, getattr(self, name), (least, MAX_LINES)))
        self._check_parts()
        self._check_synapses()
        for name, variable in (_OF_NEURONS | SOURCE_ARRAYS).items():
            given, limits = getattr(self, name), variable.limits(WIDEST)
            array = integers(name, given, self.shape(name), limits, InvalidNetwork)
            setattr(self, name, array.astype(_dtype(variable)))
        for name, register in SETTINGS.items():
            given = getattr(self, name)
            if register.per in _MOST and isinstance(given, list | tuple | np.ndarray):
                setattr(self, name, _of_each(name, register, given))
            else:
                setattr(self, name, _setting(name, register, given))
        self.windows = checked_windows(self.windows)
        check_numbers(self.window, len(self.windows))
        self.start = checked_start(self.start, self.n_neurons, WIDEST)
        self._check_lengths(PROFILED, self.n_profiles, "profile", "profile and source_profile")
        self._check_lengths(RULED, self.n_rules, "rule", "rule of projections")
        if self.all_to_all and self.n_rules > 1:
            raise InvalidNetwork(
                f"an all-to-all network has one rule, not {self.n_rules}: give numbers and no "
                "arrays, or make the network of populations, whose projections have rules"
            )
        for rule in sorted({block.rule for block in self.blocks if block.learns}):
            w_min, w_max = (int(self.held(name)[rule]) for name in ("w_min", "w_max"))
            if w_min > w_max:
                raise InvalidNetwork(
                    f"w_min ({w_min}) must not be above w_max ({w_max}) where weights learn"
                )

    def _check_lengths(self, names: tuple[str, ...], count: int, each: str, others: str) -> None:
        """Check that all arrays of what each of `count` holds have as many values."""
        lengths = {n: len(getattr(self, n)) for n in names if np.ndim(getattr(self, n))}
        for name, length in lengths.items():
            if length != count:
                raise InvalidNetwork(
                    f"{name} must have the shape ({count},), one for each {each} that other "
                    f"arrays, {others} say, not ({length},)"
                )

    @property
    def n_profiles(self) -> int:
        """Number of profiles: those that arrays are given for, or that neurons and sources name."""
        lengths = [np.size(getattr(self, name)) for name in PROFILED]
        named = [int(each.max(initial=0)) + 1 for each in (self.profile, self.source_profile)]
        return max(*lengths, *named)

    @property
    def n_rules(self) -> int:
        """Number of rules: those that arrays are given for, or that projections name."""
        lengths = [np.size(getattr(self, name)) for name in RULED]
        return max(*lengths, *(each.rule + 1 for each in self.projections))

    def held(self, name: str) -> NDArray[Any]:
        """Return what every profile holds of an attribute, shape (n_profiles,), or every rule."""
        count = self.n_rules if name in RULED else self.n_profiles
        return np.broadcast_to(np.asarray(getattr(self, name)), (count,))

    def of_neurons(self, name: str) -> NDArray[Any]:
        """Return what the profile of every neuron holds of an attribute, shape (n_neurons,)."""
        values: NDArray[Any] = self.held(name)[self.profile]
        return values

    def _check_parts(self) -> None:
        for name, method, kind in (
            ("populations", "population", Population), ("projections", "project", Projection),
        ):  # fmt: skip
            held = getattr(self, name)
            if not isinstance(held, tuple) or not all(isinstance(each, kind) for each in held):
                raise InvalidNetwork(f"{name} must be a tuple of what `net.{method}` has returned")
        counted = sum(each.size for each in self.populations)
        if not self.all_to_all and counted != self.n_neurons:
            raise InvalidNetwork(
                f"n_neurons is {self.n_neurons}, and the populations have {counted} neurons: leave "
                "it as it is, and add neurons by `net.population(…)`"
            )

    def _check_synapses(self) -> None:
        limits = ARRAYS["weights"].limits(WIDEST)
        if self.all_to_all:
            self.weights = checked_weights("weights", self.weights, self.shape("weights"), limits)
            self.plastic = checked_plastic("plastic", self.plastic, self.weights)
            delays = integers(
                "synapse_delay", self.synapse_delay, self.shape("synapse_delay"),
                ARRAYS["synapse_delay"].limits(WIDEST), InvalidNetwork,
            )  # fmt: skip
            self.synapse_delay = delays.astype(np.int32)
            return
        for name in _OF_SYNAPSES:
            if hasattr(self, name):
                raise InvalidNetwork(
                    f"{name} is set in a network of populations: set it in one of its projections "
                    f"(`net.projections`), and delete it here (`del net.{name}`)"
                )
        for number, each in enumerate(self.projections):
            where = f"projections[{number}]"
            checked_population(f"{where}.source", each.source, self)
            checked_target(f"{where}.target", each.target, self)
            if each.own_weights is not None:
                each.own_weights = checked_weights(
                    f"{where}.weights", each.own_weights, each.pairs.shape, limits
                )
                each.plastic = checked_plastic(f"{where}.plastic", each.plastic, each.own_weights)
            checked_kind(f"{where}.", each, limits)

    def stdp(
        self,
        *,
        a_plus: float,
        a_minus: float,
        tau_plus: float,
        tau_minus: float,
        w_min: int,
        w_max: int,
        pairing: Pairing = "all",
        synapses: ArrayLike | None = None,
        room: float | None = None,
        trace_width: int = 16,
        projection: Projection | Sequence[Projection] | None = None,
    ) -> StdpWindow:
        """Set the learning rules to additive pair-based STDP.

        A pair of spikes with Δ = t_post - t_pre ticks changes its weight by
        ``a_plus · exp(-Δ/tau_plus)`` where Δ ≥ 0, and by ``-a_minus · exp(Δ/tau_minus)`` where
        Δ < 0; t_pre is the tick in which the source's spike is delivered. The method sets
        `plastic`, except of projections, both rules, the bounds and the traces. It leaves
        `stochastic`, `gain_shift` and `current_after` as they are; without stochastic rounding
        every change is rounded to whole weight units.

        With `projection` it sets the rule of these projections alone, which others with the same
        numbers share. Traces are no part of a rule: it sets those of the profiles of their sources
        and of their neurons. Where other projections learn by the same traces, these stay, and the
        gains fit them.

        Parameters
        ----------
        a_plus, a_minus:
            Amplitudes of potentiation and of depression in weight units, 0 or more. The limit of a
            gain limits them to about 128, times ``2**gain_shift``.
        tau_plus, tau_minus:
            Time constants in ticks, 0.1…10,000.
        w_min, w_max:
            Bounds of the weights that learn, signed integers of 16 bits.
        pairing:
            ``"all"``: every pair counts. ``"nearest"``: a spike is paired only with the last one
            before it at the other end (the symmetric interpretation in Morrison, Diesmann and
            Gerstner 2008).
        synapses:
            Shape (n_axons + n_neurons, n_neurons), bool: which synapses learn. By default all whose
            weight is not 0. In a network of populations those learn that their projections say,
            and this argument is left out.
        room:
            With ``"all"``: number of spikes that a trace is to add up before it is full, 1 or more.
            More room means a smaller increment of the trace, and less precision. The default is
            room for a spike in every tick, as far as gains allow and single pairs keep within 1 %
            of the amplitude, and at least 4.
        trace_width:
            Bits of the traces, 8…16, of the core that is to run the network. The same gain has less
            effect with wider traces. `core_params` takes 16 unless ``trace_width=…`` is given.
        projection:
            The projections that learn by this window, one or several; by default all do.

        Returns
        -------
        StdpWindow
            The window, the number of spikes it has room for, and how exact it is.

        Raises
        ------
        InvalidNetwork
            An argument is out of range, no synapse is to learn, a weight that is to learn is out of
            bounds, an amplitude is more than gain and trace can hold, or others learn by a trace
            with another time constant. Nothing is changed.

        Warns
        -----
        SpiketwinWarning
            There is room for fewer spikes than usual, or the change by a single pair is always
            rounded to 0.
        """
        self.validate()
        low, high = ARRAYS["weights"].limits(WIDEST)
        w_min = _integer("w_min", w_min, (low, high))
        w_max = _integer("w_max", w_max, (low, high))
        if w_min >= w_max:
            raise InvalidNetwork(
                f"w_min ({w_min}) must be below w_max ({w_max}), or none can learn"
            )
        chosen = self._to_learn(projection)
        learning = self._synapses_to_learn(synapses, w_min, w_max) if self.all_to_all else None
        if learning is None:
            self._check_learning_projections(chosen, synapses, w_min, w_max)
        shift, replace = self._common_gain_shift(chosen), pairing == "nearest"
        pre, post = LearnedTrace(self, chosen, "pre"), LearnedTrace(self, chosen, "post")
        in_use = pre.bump_in_use(tau_plus, replace), post.bump_in_use(tau_minus, replace)
        plus = half("plus", a_plus, tau_plus, pairing, room, trace_width, shift, in_use[0])
        minus = half("minus", a_minus, tau_minus, pairing, room, trace_width, shift, in_use[1])
        stochastic = all(self.held("stochastic")[each.rule] for each in chosen)
        warn_of_amplitude("plus", a_plus, plus, stochastic)
        warn_of_amplitude("minus", a_minus, minus, stochastic)
        constants = {
            "w_min": w_min, "w_max": w_max, "post_gain": plus.gain, "pre_gain": -minus.gain,
            "pre_offset": 0, "post_offset": 0, "window": 0, "drift": 0,
        }  # fmt: skip
        if projection is None:
            for name, value in constants.items():
                setattr(self, name, value)
            self.learn_post, self.learn_pre = a_plus > 0, a_minus > 0
        else:
            for each in chosen:
                each.rule = self._number_with(RULED, constants, "projections", each.rule)
            self.learn_post, self.learn_pre = (
                self.learn_post or a_plus > 0, self.learn_pre or a_minus > 0,
            )  # fmt: skip
        if learning is not None:
            self.plastic = learning
        pre.set(float(tau_plus), plus.bump, replace)
        post.set(float(tau_minus), minus.bump, replace)
        return StdpWindow(
            float(a_plus), float(a_minus), float(tau_plus), float(tau_minus),
            plus.room, minus.room, plus.error, minus.error, int(trace_width),
        )  # fmt: skip

    def _synapses_to_learn(
        self, synapses: ArrayLike | None, w_min: int, w_max: int
    ) -> NDArray[np.bool_]:
        """Return flags of the synapses that are to learn; their weights are within the bounds."""
        learning: NDArray[np.bool_] = self.weights != 0
        if synapses is not None:
            learning = integers(
                "synapses", synapses, self.shape("plastic"), (0, 1), InvalidNetwork
            ).astype(np.bool_)
        if not learning.any():
            raise InvalidNetwork(
                "there is no synapse to learn: set weights first, or name synapses by an array"
            )
        _check_bounds("weights", self.weights, learning, w_min, w_max)
        return learning

    def _to_learn(self, named: object) -> list[Projection]:
        """Return the projections that `stdp` is to set; raise `InvalidNetwork` for others."""
        if named is None:
            return list(self.blocks)
        chosen = [named] if isinstance(named, Projection) else named
        if not isinstance(chosen, Sequence) or not chosen:
            raise InvalidNetwork(
                f"projection must be a projection or a list of some, not {shown(named)}"
            )
        for each in chosen:
            if not any(each is one for one in self.projections):
                raise InvalidNetwork(
                    f"projection must be one of this network, not {shown(each)}: take what "
                    "`net.project` returned"
                )
        return list(chosen)

    def _common_gain_shift(self, chosen: list[Projection]) -> int:
        shifts = {int(self.held("gain_shift")[each.rule]) for each in chosen}
        if len(shifts) > 1:
            raise InvalidNetwork(
                f"gain_shift is {' and '.join(map(str, sorted(shifts)))} in the rules of these "
                "projections: name those of one in a call (`projection=…`)"
            )
        return shifts.pop() if shifts else 0

    def _check_learning_projections(
        self, chosen: list[Projection], synapses: ArrayLike | None, w_min: int, w_max: int
    ) -> None:
        if synapses is not None:
            raise InvalidNetwork(
                "synapses is for an all-to-all network: in one of populations those learn that "
                "`net.project(…, plastic=…)` says"
            )
        if not any(each.learns for each in chosen):
            raise InvalidNetwork(
                "there is no synapse to learn: add a projection with `plastic=True` first"
            )
        for each in chosen:
            name = f"projections[{self.projections.index(each)}].weights"
            _check_bounds(name, each.weights, each.plastic, w_min, w_max)

    def register_values(self, params: CoreParams) -> dict[str, int]:
        """Return the values of a core's registers, without those that a run sets: name to value.

        Raises `DoesNotFit` if the core lacks an option, or a value is out of its range.
        """
        params = checked_params(params)
        self._check_options(params)
        return {
            register.name: self._value(register, getattr(self, register.attribute), params)
            for register in registers(params)
            if register.kind is Kind.PARAMETER
        }

    def _check_options(self, params: CoreParams) -> None:
        """Raise `DoesNotFit` if a core lacks an option that the network needs."""
        for name in _OF_OPTIONS:
            register = SETTINGS[name]
            used = params.learning or register.per is not Per.RULE
            if used and np.any(getattr(self, name)) and not register.is_built(params):
                raise DoesNotFit(not_built(name, register.option))
        if self.n_profiles > params.n_profiles:
            raise DoesNotFit(
                f"the network has {self.n_profiles} profiles, the core {params.n_profiles}: take "
                "a core with more (`Network.core_params`)"
            )
        if params.window_bits:
            in_core(self.windows, params)
        if params.learning and self.n_rules > params.n_rules:
            raise DoesNotFit(
                f"the network has {self.n_rules} rules, the core {params.n_rules}: take a core "
                "with more (`Network.core_params`)"
            )

    def profile_values(self, params: CoreParams) -> dict[str, list[int]]:
        """Return what the profiles of a core hold, one value for each profile: name to values.

        Profiles that the network does not have are 0. There are none in a core with one profile.
        Raises `DoesNotFit` if a value is out of the core's range.
        """
        more = [0] * (checked_params(params).n_profiles - self.n_profiles)
        return self._values_of_each(profile_columns(params), more, params)

    def rule_values(self, params: CoreParams) -> dict[str, list[int]]:
        """Return what the rules of a core hold, as `profile_values` does for profiles."""
        more = [0] * (checked_params(params).n_rules - self.n_rules)
        return self._values_of_each(rule_columns(params), more, params)

    def _values_of_each(
        self, columns: tuple[Variable, ...], more: list[int], params: CoreParams
    ) -> dict[str, list[int]]:
        return {
            column.name: [self._value(column, v, params) for v in self.held(column.attribute)]
            + more
            for column in columns
        }

    def _value(self, register: Variable, given: Any, params: CoreParams) -> int:
        """Return a register, or what a profile holds, as a core has it."""
        if np.ndim(given):
            (given,) = given
        if register.is_decay:
            value = shifted_decay_code(given, params.decay_shift)[0]
        elif register.is_decay_shift:
            value = shifted_decay_code(given)[1]
        else:
            value = int(given)
        low, high = register.limits(params)
        if not low <= value <= high:
            raise DoesNotFit(
                f"{register.name} must be in {low}…{high} on this core, not {value}: change it or "
                "take a core with wider state (`Network.core_params`)"
            )
        return value

    def core_params(self, **overrides: Any) -> CoreParams:
        """Return the sizes of the smallest core that holds this network and all of its sums.

        It has the most lanes, up to 8, that need no neurons beyond rounding to a multiple. Widths
        and queues are the defaults, or larger if a value, a sum or a whole tick needs it. Sums are
        bounded by `spiketwin.host.sums`: no stimulus makes them saturate, unless a
        `SpiketwinWarning` names those that need more bits than a core can have; that is of a
        network that begins with 0, and what `start` has fits, too. Learning is built
        if any weight is plastic. A network of populations gets a table of projections with as many
        entries, and as much memory for weights, as it takes. Counters of saturations are always
        built; ``saturation_counters=False`` saves their logic. Shifts of decays are built if
        `i_syn_shift` is set, or if a time constant would else be off by more than 0.5 %. Probes are
        built for a network of populations, or with ``probe_ranges=…``; the queue of output words
        then has room for reports of all neurons. ``probe_ranges=0`` saves their logic. With
        ``bias_events=True`` the queue of events has room for one of each neuron, too.

        Parameters
        ----------
        **overrides:
            Fields of `CoreParams` to use instead.

        Raises
        ------
        DoesNotFit
            No core with these overrides is legal, or the network does not fit it.
        """
        self.validate()
        overrides = _checked_overrides(overrides)
        lanes = min(max(1, overrides.get("lanes", 0)), MAX_LINES)  # checked with all sizes below
        if "lanes" not in overrides:
            lanes = next((n for n in (8, 4) if self.n_neurons >= 4 * n), 2)
        usual: dict[str, Any] = {f.name: f.default for f in fields(CoreParams)}
        parts = cut(self, lanes)
        sizes: dict[str, Any] = {
            "lanes": lanes,
            "n_axons": max(lanes, parts.n_axons),
            "n_neurons": max(4 * lanes, parts.n_neurons),
            "neuron_lanes": min(usual["neuron_lanes"], lanes),
            "source_lanes": min(usual["source_lanes"], lanes),
            "learning": self.learns,
            "saturation_counters": True,
            "n_profiles": next(n for n in N_PROFILES if n >= self._profiles_needed()),
            "n_rules": next(n for n in N_RULES if n >= self._rules_needed(overrides)),
            "window_bits": self._window_bits(overrides),
            "decay_shift": self._needs_decay_shift(),
            "receptors": 1 + self.i_inh_en,
            "probe_ranges": 0 if self.all_to_all else MAX_PROBE_RANGES,
        }
        table = not self.all_to_all or sizes["n_rules"] > 1 or np.any(self.synapse_delay)
        if overrides.get("n_projections", 1 + bool(table)) != 1:
            check_entries(parts)
            sizes |= {name: getattr(parts, name) for name in SIZES_OF_TABLE}
        reach = sums.reach(self, overrides.get("decay_shift", sizes["decay_shift"]))
        sizes |= self._widths(reach, bool(sizes["learning"]))
        warn_of_widths(reach, overrides)
        sizes.update(overrides)
        groups = sizes["n_neurons"] // max(1, sizes["neuron_lanes"])
        # Each probe may report all neurons, whatever their width.
        probes = sizes.get("probe_ranges", 0) * words_of(MOST_NIBBLES * sizes["n_neurons"])
        bias_events = bool(sizes.get("bias_events"))
        words = spike_queue_words(groups, sizes.get("digest_rounds", 0) > 0) + probes
        for name, least in (
            ("event_queue_depth", sizes["n_axons"] + sizes["n_neurons"] * bias_events),
            ("spike_queue_depth", words),
        ):
            sizes.setdefault(name, max(usual[name], 1 << (least - 1).bit_length()))
        try:
            params = CoreParams(**sizes)
        except (ParamsError, TypeError) as error:
            raise DoesNotFit(f"no core has the sizes asked for: {error}") from error
        self.check_fits(params)
        return params

    def check_fits(self, params: CoreParams) -> None:
        """Raise `DoesNotFit`, which names the reason, if a core of these sizes cannot hold it."""
        self.register_values(params)
        self.profile_values(params)
        self.rule_values(params)
        if self.i_syn_shift and not params.decay_shift:
            raise DoesNotFit(not_built("i_syn_shift", "decay_shift"))
        layout(self, params).place(self)

    def values(self, attribute: str) -> list[NDArray[Any]]:
        """Return the values of an attribute; of one of synapses those of each projection."""
        if attribute in _OF_SYNAPSES:
            return [np.asarray(getattr(block, attribute)) for block in self.blocks]
        return [np.asarray(getattr(self, attribute))]

    def _profiles_needed(self) -> int:
        """Return the profiles that a core must have; one alone cannot leak or integrate."""
        special = np.any(self.linear_leak) or np.any(self.refrac_integrates)
        return max(self.n_profiles, 1 + bool(special))

    def _rules_needed(self, overrides: dict[str, Any]) -> int:
        """Return the rules that a core must have; one alone has nothing of an option."""
        of_rules = set(_OF_OPTIONS) & set(RULED)
        special = any(np.any(getattr(self, name)) for name in of_rules)
        windows = len(self.windows) if np.any(self.window) else 0
        learns = overrides.get("learning", self.learns)
        return max(self.n_rules, 1 + special, windows) if learns else 1

    def _window_bits(self, overrides: dict[str, Any]) -> int:
        learns = overrides.get("learning", self.learns)
        used = np.any(self.window) or np.any(self.drift)
        return bits_of(self.windows) if learns and used else 0

    def _needs_decay_shift(self) -> bool:
        used = ["v_tau", "i_syn_tau"]
        used += ["i_inh_tau"] * self.i_inh_en
        used += ["theta_tau"] * bool(np.any(self.theta_bump))
        used += ["trace_pre_tau", "trace_post_tau"] * self.learns
        taus = {float(tau) for name in used for tau in self.held(name)}
        return self.i_syn_shift > 0 or any(_coarse(tau) for tau in taus)

    def _widths(self, reach: sums.Reach, learning: bool) -> dict[str, int]:
        """Return the default widths, or larger ones where values or sums need them."""
        usual: dict[str, Any] = {f.name: f.default for f in fields(CoreParams)}
        needed: dict[str, int] = {
            "v_width": _width(reach.v, signed=True),
            "i_syn_width": _width(reach.i_syn, signed=True),
            "theta_width": _width(reach.theta, signed=False),
        }
        for attribute, variable in (ARRAYS | SETTINGS).items():
            bits = variable.bits
            if bits in usual and (learning or variable.built != "learning"):
                found = [
                    _width(values[values != sums.NEVER_FIRES], variable.signed)
                    for values in self.values(attribute)
                ]
                needed[bits] = max([needed.get(bits, 0), *found])
        for name, values in self.start.items():
            bits = str(BEGUN[name].bits)
            needed[bits] = max(needed.get(bits, 0), _width(values, BEGUN[name].signed))
        widths = {n: min(max(int(usual[n]), bits), sums.WIDEST) for n, bits in needed.items()}
        widths["i_syn_width"] = max(widths["i_syn_width"], widths["weight_width"])
        if any((block.constant or 0) > 0 for block in self.blocks):
            # The bias of unused neurons then holds them down, whatever the constants add.
            widths["v_width"] = max(widths["v_width"], widths["i_syn_width"])
        return widths

    @classmethod
    def random(cls, n_axons: int, n_neurons: int, seed: int) -> Network:
        """Return a random network that fires, inhibits itself, and learns from its axons.

        If about a tenth of the axons is active in each tick, it fires sparsely. Weights fit 7 bits,
        traces 8 bits, and all other values the default widths of a core.

        Parameters
        ----------
        n_axons, n_neurons:
            Sizes.
        seed:
            Seed of the weights, of the spread of the neurons, and of the stochastic rounding.
        """
        n_axons = _integer("n_axons", n_axons, (0, MAX_LINES))
        n_neurons = _integer("n_neurons", n_neurons, (1, MAX_LINES))
        seed = _integer("seed", seed, (0, (1 << 32) - 1))
        rng = np.random.default_rng(seed)
        weights = np.zeros((n_axons + n_neurons, n_neurons), np.int32)
        weights[:n_axons] = rng.integers(4, 48, (n_axons, n_neurons))
        weights[n_axons:] = rng.integers(-12, 8, (n_neurons, n_neurons))
        plastic = np.zeros(weights.shape, np.bool_)
        plastic[:n_axons] = rng.random((n_axons, n_neurons)) < 0.9
        drive = min(16000, 20 * max(4, n_axons))
        return cls(
            n_axons=n_axons,
            n_neurons=n_neurons,
            weights=weights,
            plastic=plastic,
            threshold=rng.integers(drive, 2 * drive, n_neurons, np.int32),
            refrac_ticks=rng.integers(0, 4, n_neurons, np.int32),
            bias=rng.integers(1, 4, n_neurons, np.int32) + np.int32(drive // 40),
            v_tau=20.0,
            v_floor=-drive,
            i_syn_tau=3.0,
            theta_tau=200.0,
            theta_bump=drive // 8,
            learn_pre=True,
            learn_post=True,
            stochastic=True,
            seed=seed,
            w_min=0,
            w_max=63,
            pre_gain=-256,
            post_gain=512,
            post_offset=-8192,
            trace_pre_tau=15.0,
            trace_pre_bump=200,
            trace_pre_replace=True,
            trace_post_tau=15.0,
            trace_post_bump=200,
            trace_post_replace=True,
        )


def _check_bounds(
    name: str,
    weights: NDArray[np.integer[Any]],
    plastic: NDArray[np.bool_],
    w_min: int,
    w_max: int,
) -> None:
    """Raise `InvalidNetwork` for the first plastic weight that is out of bounds."""
    outside = np.argwhere(plastic & ((weights < w_min) | (weights > w_max)))
    if outside.size:
        source, neuron = outside[0]
        raise InvalidNetwork(
            f"{name}[{source}, {neuron}] is to learn and must be in w_min…w_max = "
            f"{w_min}…{w_max}, not {weights[source, neuron]}"
        )


def _own_weights(
    weights: ArrayLike | None,
    plastic: ArrayLike,
    constant: object,
    pairs: Pairs,
    limits: tuple[int, int],
) -> tuple[NDArray[np.int32] | None, NDArray[np.bool_]]:
    """Return weights and plastic flags of a new projection, checked; no weights of a constant."""
    if (weights is None) == (constant is None):
        raise InvalidNetwork(
            "a projection has either weights or a constant: give one of both to `project`"
        )
    if weights is not None:
        own = checked_weights("weights", weights, pairs.shape, limits)
        return own, checked_plastic("plastic", plastic, own)
    if np.any(plastic):
        raise InvalidNetwork(
            "plastic must be False, as a constant weight does not learn: give weights"
        )
    return None, no_plastic(pairs)


def array_types() -> dict[str, np.dtype[Any]]:
    """Return the dtype of every array of a network, by its attribute."""
    return {name: _dtype(variable) for name, variable in ARRAYS.items()}


def _dtype(variable: Variable) -> np.dtype[Any]:
    return np.dtype(np.bool_ if variable.is_flag else np.int32)


def _integer(name: str, value: object, allowed: tuple[int, int]) -> int:
    low, high = allowed
    # Python counts a bool as an integer, but it makes no sense as a size, a seed or a gain.
    kinds = (int, np.integer, np.bool_) if allowed == (0, 1) else (int, np.integer)
    if (
        not isinstance(value, kinds)
        or isinstance(value, bool)
        and allowed != (0, 1)
        or not low <= int(value) <= high
    ):
        raise InvalidNetwork(f"{name} must be an integer in {low}…{high}, not {shown(value)}")
    return int(value)


def _never_firing(fires: object) -> dict[str, Any]:
    """Return the threshold of neurons that are not to fire, in place of any other."""
    return {} if _integer("fires", fires, (0, 1)) else {"threshold": sums.NEVER_FIRES}


def _own_constants(
    owner: str, own: tuple[str, ...], shared: tuple[str, ...], given: dict[str, Any]
) -> dict[str, Any]:
    """Return what a profile or rule holds among the arguments of a part of a network, checked.

    `own` are the arguments that the part has for itself, and `shared` those of its profile or rule.
    Raises `InvalidNetwork` for arguments that it does not have.
    """
    for name in given:
        if name not in (*own, *shared):
            raise InvalidNetwork(
                f"a {owner} has no {shown(name)} of its own: it has "
                f"{', '.join((*own, *shared))}; others are attributes of the network"
            )
    constants = {
        name: _setting(name, SETTINGS[name], value)
        for name, value in given.items()
        if name in shared
    }
    number = "profile" if shared is PROFILED else "rule"
    if constants and number in given:
        raise InvalidNetwork(
            f"{number} is given, and so is {', '.join(constants)}, which makes a {number}: give "
            "one of both"
        )
    return constants


def _setting(name: str, register: Variable, given: object) -> bool | int | float:
    """Return a setting as it is kept; raise `InvalidNetwork` if it cannot be one."""
    if register.is_decay:
        return _time_constant(name, given)
    value = _integer(name, given, register.limits(WIDEST))
    return bool(value) if register.is_flag else value


def _of_each(name: str, register: Variable, given: Any) -> NDArray[Any]:
    """Return an array of what profiles or rules hold as it is kept.

    Raises `InvalidNetwork` for others.
    """
    what, most = _MOST[register.per]
    if isinstance(given, np.ndarray) and given.ndim != 1 or not 1 <= len(given) <= most:
        raise InvalidNetwork(
            f"{name} must be a number, or an array with one for each of up to {most} {what}, not "
            f"{shown(given)}"
        )
    plain = given.tolist() if isinstance(given, np.ndarray) else given
    values = [_setting(f"{name}[{k}]", register, value) for k, value in enumerate(plain)]
    kind = np.float64 if register.is_decay else np.bool_ if register.is_flag else np.int64
    return np.array(values, kind)


def _time_constant(name: str, value: Any) -> float:
    numeric = isinstance(value, int | float | np.integer | np.floating)
    try:
        ticks = float(value) if numeric and not isinstance(value, bool) else math.nan
    except OverflowError:  # an integer that is too large for a float
        ticks = math.nan
    if math.isnan(ticks) or ticks < 0:
        raise InvalidNetwork(
            f"{name} must be 0…inf ticks (0: at once, inf: no decay), not {shown(value)}"
        )
    return ticks


def checked_network(net: object) -> Network:
    """Return an argument that must be a network, after validating it.

    Raises
    ------
    InvalidInput
        The argument is not a network.
    InvalidNetwork
        The network contradicts itself.
    """
    if not isinstance(net, Network):
        wanted = f"net must be a Network, not {type(net).__name__}"
        if isinstance(net, tuple):
            wanted += ": a file gives two things, `net, stimulus = load(path)`"
        raise InvalidInput(wanted)
    net.validate()
    return net


def checked_params(params: object) -> CoreParams:
    """Return an argument that must be sizes of a core; raise `InvalidInput` if it is not."""
    if not isinstance(params, CoreParams):
        raise InvalidInput(
            f"params must be CoreParams, not {shown(params)}: `net.core_params()` gives some, and "
            "`spiketwin.hdl.spec.params.preset` those of a name"
        )
    return params


def _checked_overrides(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return overrides with the types of `CoreParams`; raise `DoesNotFit` for others."""
    types, checked = field_types(), {}
    for name, value in overrides.items():
        if name not in types:
            raise DoesNotFit(f"no core has {shown(name)}: its sizes are {', '.join(types)}")
        checked[name] = int(value) if isinstance(value, np.integer) else value
        if type(checked[name]) is not types[name]:
            raise DoesNotFit(
                f"{name} must be {types[name].__name__}, not {type(value).__name__} {shown(value)}"
            )
    return checked


def _coarse(tau: float) -> bool:
    """Return whether the code of a time constant is too inexact without a shift."""
    code, shift = shifted_decay_code(tau)
    exact = code / (1 << shift)
    return abs(decay_code(tau) - exact) > _INEXACT * exact


def _width(array: NDArray[Any], signed: bool) -> int:
    """Return the number of bits that hold every value of an array."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return max(max(high, 0).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + signed
