"""The table of variables: every register, parameter and state of a core, declared once.

Registers, memory spaces, *Clear*, the arrays of a network, the members of its file, what is read
and compared, and the tables of the documentation follow from `VARIABLES`. Only the tick is written
by hand, in the oracle, the gateware, the model and the ideal network.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Final

from spiketwin.hdl.spec.arithmetic import (
    DECAY_BITS,
    DECAY_SHIFT_BITS,
    GAIN_BITS,
    GAIN_SHIFT_BITS,
    GAIN_WIDTH,
    LEAK_WIDTH,
    OFFSET_WIDTH,
    STEP_BITS,
)
from spiketwin.hdl.spec.params import RELAY_WORD, WEIGHT_BLOCK, CoreParams


class Space(enum.IntEnum):
    """A memory space, which `READ` and `WRITE` address. The value is the number on the link.

    Each array has a space, which has the name of the variable.
    """

    REGISTER = 0
    COUNTER = 1
    WEIGHT = 2
    PLASTIC = 3
    THRESHOLD = 4
    V_RESET = 5
    REFRAC_TICKS = 6
    BIAS = 7
    V = 8
    I_SYN = 9
    REFRAC_COUNT = 10
    THETA = 11
    TRACE_POST = 12
    TRACE_PRE = 13
    PENDING = 14
    PROFILE = 15
    PROFILE_TABLE = 16
    I_INH = 17
    SOURCE_PROFILE = 18
    PROJECTION_RULE = 19
    RULE_TABLE = 20
    HISTORY = 21
    WINDOW_TABLE = 22
    PROJECTION_KIND = 24
    PROJECTION_SOURCE = 25
    PROJECTION_SOURCES = 26
    PROJECTION_TARGET = 27
    PROJECTION_TARGETS = 28
    PROJECTION_BASE = 29
    ROW_PROJECTIONS = 30
    COLUMN_PROJECTIONS = 31
    COLUMN_ORDER = 32
    PROJECTION_WEIGHT = 33
    PROJECTION_ITSELF = 34
    RELAY_FIRST = 35
    RELAY_COUNT = 36
    RELAY_DELAY = 37
    RELAY_RING = 38
    PROBE_SPACE = 39
    PROBE_FIRST = 40
    PROBE_COUNT = 41
    SPARSE_FIRST = 48
    SPARSE_BLOCKS = 49
    SPARSE_TARGET = 50
    SYNAPSE_DELAY = 51
    I_SYN_RING = 52
    I_INH_RING = 53
    DRIFT_SUM = 54


class ClearMask(enum.IntFlag):
    """The groups of state that `CLEAR` sets to 0, each on its own."""

    V = 1
    I_SYN = 2
    REFRAC_COUNT = 4
    PENDING = 8
    TRACES = 16
    THETA = 32


class Per(enum.Enum):
    """The parts of a core that have one value of a variable each."""

    CORE = "core"
    PROFILE = "profile"
    """The core, if it has a single profile; else each profile."""
    RULE = "rule"
    """The core, if it has a single rule; else each rule."""
    RULE_STATE = "rule of a core with several"
    SOURCE = "source"
    NEURON = "neuron"
    SYNAPSE = "synapse"
    PROJECTION = "projection"
    WINDOW_ENTRY = "entry of a window"
    """Entries of the tables of windows, of which there are as many as rules."""
    SOURCE_GROUP = "group of sources"
    """`lanes` sources."""
    NEURON_GROUP = "group of neurons"
    """`lanes` neurons."""
    NEURON_TICK = "neuron in each of the next ticks"
    """Neurons in each tick of the next ``2 ** synapse_delay_width``."""
    SPARSE_ROW = "row of a sparse projection"
    RELAY = "relay"
    RELAY_WORD = "word of relays"
    """`params.RELAY_WORD` relays in each tick of the next `max_delay`."""
    PROBE = "probe"
    """A range of state that ticks report."""


class Kind(enum.Enum):
    """Where the values of a variable come from."""

    RUN = "run"
    """Each run sets the variable anew."""
    PARAMETER = "parameter"
    """The network sets the variable."""
    LAYOUT = "layout"
    """The host sets the variable, from the places that it gives to the parts of a network."""
    STATE = "state"
    """Ticks compute the variable; a reset sets it to 0."""


POTENTIAL: Final = "potential"
WEIGHT: Final = "weight"
TRACE: Final = "trace"
TICKS: Final = "ticks"
CYCLES: Final = "cycles"
DECAY_CODE: Final = "decay code"
DECAY_SHIFT: Final = "decay shift"
"""Units of variables. Weights are added to potentials, so one unit of each is worth the same. A
network states a decay, and its shift with it, as a time constant in ticks
(`arithmetic.shifted_decay_code`)."""


@dataclass(frozen=True)
class Variable:
    """One variable of a core.

    Attributes
    ----------
    name:
        Name in the specification, of the signal, of the model's array and of the argument.
    bits:
        Width of a value: a number, or the field of `CoreParams` that holds it.
    doc:
        Meaning of the variable.
    known_as:
        What the literature and other tools call a parameter of neurons, sources or synapses; empty
        if they use the same word or have none. Those of all other variables are in the glossary.
    per:
        The parts of a core that have one value each. A variable with one value per core is a
        register, and one with a value per profile or rule a register or a column of the space
        `PROFILE_TABLE` or `RULE_TABLE`; all others are arrays.
    kind:
        Where the values come from: a run, the network or the ticks.
    signed:
        Whether values are signed.
    unit, fraction_bits:
        Unit of a value, in parts of ``2 ** -fraction_bits``; empty for flags and pure numbers.
    default:
        Value of a parameter in a network that does not set it.
    since:
        First version of the network file that holds the parameter; in earlier files it has its
        default.
    clear:
        The group of `CLEAR` that sets the variable to 0; None if no group does.
    built:
        The member of `CoreParams` without which the variable is not built; empty if it always is.
    writer:
        The unit of the core that changes the variable in a tick; empty if no tick changes it.
    """

    name: str
    bits: str | int
    doc: str
    _: KW_ONLY
    per: Per
    kind: Kind
    known_as: str = ""
    signed: bool = False
    unit: str = ""
    fraction_bits: int = 0
    default: int = 0
    since: int = 1
    clear: ClearMask | None = None
    built: str = ""
    writer: str = ""

    def width(self, params: CoreParams) -> int:
        """Return the width of a value in bits."""
        return self.bits if isinstance(self.bits, int) else int(getattr(params, self.bits))

    def limits(self, params: CoreParams) -> tuple[int, int]:
        """Return the smallest and the largest value."""
        return limits(self.width(params), self.signed)

    def shape(self, n_axons: int, n_neurons: int) -> tuple[int, ...]:
        """Return the shape of the array that holds all values, without regard to projections."""
        n_sources = n_axons + n_neurons
        return {
            Per.CORE: (),
            Per.PROFILE: (),
            Per.RULE: (),
            Per.SOURCE: (n_sources,),
            Per.NEURON: (n_neurons,),
            Per.SYNAPSE: (n_sources, n_neurons),
        }[self.per]

    def shape_in(self, params: CoreParams) -> tuple[int, ...]:
        """Return the shape of the array that holds all values in a core of these sizes.

        With projections, synapses are words of the weight banks: word w of bank b is element
        ``w · lanes + b`` of the array, in row-major order.
        """
        p = params
        if self.per is Per.SYNAPSE and p.has_projections:
            return (p.weight_depth // WEIGHT_BLOCK, WEIGHT_BLOCK * p.lanes)
        sizes = {
            Per.SOURCE: (p.n_sources,),
            Per.PROJECTION: (p.n_projections,),
            Per.RULE_STATE: (p.n_rules,),
            Per.WINDOW_ENTRY: (p.n_rules * p.window_entries,),
            Per.SOURCE_GROUP: (p.column_groups,),
            Per.NEURON_GROUP: (p.row_groups,),
            Per.NEURON_TICK: (p.ring_size,),
            Per.SPARSE_ROW: (p.sparse_rows,),
            Per.RELAY: (p.n_relays,),
            Per.RELAY_WORD: (p.max_delay * p.relay_words,),
            Per.PROBE: (p.probe_ranges,),
        }
        return sizes.get(self.per) or self.shape(p.n_axons, p.n_neurons)

    def is_built(self, params: CoreParams) -> bool:
        """Return whether a core of these sizes has the variable."""
        return not self.built or bool(getattr(params, self.built))

    @property
    def option(self) -> str:
        """The sizes of a core that let it have the variable; empty if every core has it."""
        return _OPTIONS.get(self.built, self.built)

    @property
    def is_flag(self) -> bool:
        """Whether the values are 0 and 1."""
        return self.bits == 1

    @property
    def is_decay(self) -> bool:
        """Whether the variable is a decay, which networks state as a time constant."""
        return self.unit == DECAY_CODE

    @property
    def is_decay_shift(self) -> bool:
        """Whether the variable is the shift of a decay, which follows from its time constant."""
        return self.unit == DECAY_SHIFT

    @property
    def space(self) -> Space:
        """The memory space of an array."""
        return Space[self.name.upper()]

    @property
    def attribute(self) -> str:
        """Name of the attribute of a network that holds the variable."""
        if self.is_decay or self.is_decay_shift:
            return self.name.removesuffix("_shift").removesuffix("_decay") + "_tau"
        return "weights" if self.name == "weight" else self.name


WALK_FIRST_BITS: Final = 6
WALK_WIDTH: Final = 2 * WALK_FIRST_BITS + 1
"""Bits of the number of a projection, and of a word that names the first of some projections and,
above it, how many they are."""

_OPTIONS: Final = {
    "digest_rounds": "digest_rounds=3",
    "has_profiles": "n_profiles=2",
    "has_projections": "n_projections=2",
    "has_rules": "n_rules=2",
    "has_sparse": "sparse_rows=64",
    "has_source_profiles": "learning and n_profiles=2",
    "has_synapse_delays": "synapse_delay_width=4",
    "has_two_receptors": "receptors=2",
    "has_two_rings": "receptors=2 and synapse_delay_width=4",
    "i_inh_decay_shift": "receptors=2 and decay_shift",
    "n_relays": "n_relays=32",
    "trace_decay_shift": "learning and decay_shift",
    "window_bits": "window_bits=8",
}
"""What to build a core with, where the member that says so is no size, or a number."""


def limits(width: int, signed: bool) -> tuple[int, int]:
    """Return the smallest and the largest integer of `width` bits."""
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


_run = partial(Variable, per=Per.CORE, kind=Kind.RUN)
_setting = partial(Variable, per=Per.CORE, kind=Kind.PARAMETER)
_learning = partial(_setting, built="learning")
_shared = partial(Variable, per=Per.PROFILE, kind=Kind.PARAMETER)
_shared_learning = partial(_shared, built="learning")
_rule = partial(Variable, per=Per.RULE, kind=Kind.PARAMETER, built="learning")
_shift = partial(_shared, unit=DECAY_SHIFT, since=3)
_parameter = partial(Variable, kind=Kind.PARAMETER)
_state = partial(Variable, kind=Kind.STATE)
_layout = partial(Variable, kind=Kind.LAYOUT, built="has_projections")
_projection = partial(_layout, per=Per.PROJECTION)
_sparse = partial(_layout, built="has_sparse")
_relay = partial(_layout, built="n_relays")
_ring = partial(
    Variable, per=Per.NEURON_TICK, kind=Kind.STATE, writer="synapses", clear=ClearMask.I_SYN,
    signed=True, unit=WEIGHT,
)  # fmt: skip
_of_probes = partial(_run, built="probe_ranges")
_probe = partial(_of_probes, per=Per.PROBE)

VARIABLES: Final = (
    # Registers, in the order of their addresses.
    _run(
        "tick_period", 32,
        "Cycles from tick to tick; 0 is free-running. Ticks are due a period apart, counted from "
        "the first tick after this register is written.", unit=CYCLES,
    ),
    _shared("v_decay", DECAY_BITS, "Decay code of the membrane potential.", unit=DECAY_CODE),
    _shared(
        "v_floor", "v_width", "Lowest membrane potential that integration reaches.", signed=True,
        unit=POTENTIAL,
    ),
    _shared("i_syn_decay", DECAY_BITS, "Decay code of the synaptic current.", unit=DECAY_CODE),
    _shared("reset_subtract", 1, "1: reset subtracts threshold + theta; 0: to v_reset."),
    _shared("theta_decay", DECAY_BITS, "Decay code of theta.", unit=DECAY_CODE),
    _shared("theta_bump", "theta_width", "What a spike adds to theta.", unit=POTENTIAL),
    _learning("learn_pre", 1, "1: the pre-event rule is applied."),
    _learning("learn_post", 1, "1: the post-event rule is applied."),
    _rule("stochastic", 1, "1: steps rounded by noise; 0: nearest."),
    _learning("seed", 32, "Seed of the noise."),
    _rule("w_min", "weight_width", "Lower bound of a plastic weight.", signed=True, unit=WEIGHT),
    _rule("w_max", "weight_width", "Upper bound of a plastic weight.", signed=True, unit=WEIGHT),
    _rule(
        "pre_gain", GAIN_WIDTH,
        "Weight units, in 1/256, that a full-scale trace_post is worth at a pre-event.",
        signed=True, unit=WEIGHT, fraction_bits=GAIN_BITS,
    ),
    _rule(
        "pre_offset", OFFSET_WIDTH, "Step of the weight, in 1/65536, at every pre-event.",
        signed=True, unit=WEIGHT, fraction_bits=STEP_BITS,
    ),
    _rule(
        "post_gain", GAIN_WIDTH,
        "Weight units, in 1/256, that a full-scale trace_pre is worth at a post-event.",
        signed=True, unit=WEIGHT, fraction_bits=GAIN_BITS,
    ),
    _rule(
        "post_offset", OFFSET_WIDTH, "Step of the weight, in 1/65536, at every post-event.",
        signed=True, unit=WEIGHT, fraction_bits=STEP_BITS,
    ),
    _shared_learning("trace_pre_decay", DECAY_BITS, "Decay code of trace_pre.", unit=DECAY_CODE),
    _shared_learning("trace_pre_bump", "trace_width", "What a spike brings to trace_pre.",
        unit=TRACE,
    ),
    _shared_learning(
        "trace_pre_replace", 1, "1: a spike sets trace_pre to the bump; 0: it adds the bump."
    ),
    _shared_learning("trace_post_decay", DECAY_BITS, "Decay code of trace_post.", unit=DECAY_CODE),
    _shared_learning("trace_post_bump", "trace_width", "What a spike brings to trace_post.",
        unit=TRACE,
    ),
    _shared_learning(
        "trace_post_replace", 1, "1: a spike sets trace_post to the bump; 0: it adds the bump."
    ),
    _run("digest_en", 1, "1: every tick reports its digest.", built="digest_rounds"),
    _setting(
        "tag", 32,
        "A number that the network chooses, by which a host that connects later recognises it.",
        since=2,
    ),
    _shift("v_decay_shift", DECAY_SHIFT_BITS, "Shift of v_decay.", built="decay_shift"),
    _shift("i_syn_decay_shift", DECAY_SHIFT_BITS, "Shift of i_syn_decay.", built="decay_shift"),
    _shift("theta_decay_shift", DECAY_SHIFT_BITS, "Shift of theta_decay.", built="decay_shift"),
    _shift(
        "trace_pre_decay_shift", DECAY_SHIFT_BITS, "Shift of trace_pre_decay.",
        built="trace_decay_shift",
    ),
    _shift(
        "trace_post_decay_shift", DECAY_SHIFT_BITS, "Shift of trace_post_decay.",
        built="trace_decay_shift",
    ),
    _setting(
        "i_syn_shift", DECAY_SHIFT_BITS,
        "The current adds to the potential divided by 2 as often, rounded to nearest.",
        built="decay_shift", since=3,
    ),
    _setting(
        "i_inh_en", 1, "1: weights below 0 add to i_inh; 0: all add to i_syn.",
        built="has_two_receptors", since=3,
    ),
    _shared(
        "i_inh_decay", DECAY_BITS, "Decay code of the inhibitory current.", unit=DECAY_CODE,
        built="has_two_receptors", since=3,
    ),
    _shift(
        "i_inh_decay_shift", DECAY_SHIFT_BITS, "Shift of i_inh_decay.", built="i_inh_decay_shift"
    ),
    _shared(
        "refrac_integrates", 1,
        "1: v is not held in the refractory time, in which the neuron goes on integrating.",
        built="has_profiles", since=3,
    ),
    _shared(
        "linear_leak", LEAK_WIDTH,
        "What v loses a tick towards 0, instead of its decay; 0: v decays.", unit=POTENTIAL,
        built="has_profiles", since=3,
    ),
    _of_probes(
        "probe_period", 16,
        "Ticks from one that reports its probes to the next; 0: none does. The first tick after "
        "this register is written reports.", unit=TICKS,
    ),
    _of_probes(
        "probe_words", 16,
        "Most words of probes of a tick; a tick that reports begins with room for so many more.",
    ),
    _rule(
        "gain_shift", GAIN_SHIFT_BITS, "Both gains are multiplied by 2 as often.",
        built="has_rules", since=3,
    ),
    _rule(
        "current_after", 1,
        "1: a current is made by the weight from after its pre-event; 0: from before.",
        built="has_rules", since=3,
    ),
    _rule(
        "window", "window_number_width",
        "Number of the window, from 1 on, whose table says the step of a post-event instead of "
        "post_gain; 0: none does.",
        built="window_bits", since=3,
    ),
    _rule(
        "drift", OFFSET_WIDTH,
        "What every plastic weight changes by, in 1/65536, in every tick with learn_post.",
        signed=True, unit=WEIGHT, fraction_bits=STEP_BITS, built="window_bits", since=3,
    ),
    # Arrays, in the order of cause and effect within a tick.
    _state(
        "trace_pre", "trace_width", "Trace of each source.", per=Per.SOURCE, writer="source_traces",
        clear=ClearMask.TRACES, unit=TRACE, built="learning",
    ),
    _state(
        "history", "history_width",
        "Past of each source: bit k is 1 if it spiked k ticks ago; the highest bit is 0 between "
        "ticks.", per=Per.SOURCE, writer="source_traces", clear=ClearMask.TRACES,
        built="window_bits",
    ),
    _state(
        "drift_sum", "drift_width",
        "Sum of the drifts of a rule, in 1/65536: what its plastic weights act by more than they "
        "are stored as.", per=Per.RULE_STATE, writer="drifts", signed=True, unit=WEIGHT,
        fraction_bits=STEP_BITS, built="window_bits",
    ),
    _parameter(
        "weight", "weight_width", "What a spike of the source adds to the neuron's current.",
        known_as="synaptic strength, w", per=Per.SYNAPSE, signed=True, unit=WEIGHT,
        writer="synapses",
    ),
    _parameter(
        "plastic", 1, "Whether learning may change the weight.", known_as="learnable",
        per=Per.SYNAPSE, built="learning",
    ),
    _parameter(
        "threshold", "v_width", "Fixed part of what the potential `v` has to reach for a spike.",
        known_as="firing threshold, V_th", per=Per.NEURON, signed=True, unit=POTENTIAL,
        default=1000,
    ),
    _parameter(
        "v_reset", "v_width", "Value of `v` after a spike.", known_as="reset potential",
        per=Per.NEURON, signed=True, unit=POTENTIAL,
    ),
    _parameter(
        "refrac_ticks", "refrac_width", "Ticks for which `v` is held after a spike.",
        known_as="absolute refractory period", per=Per.NEURON, unit=TICKS,
    ),
    _parameter(
        "bias", "v_width", "What is added to `v` every tick.",
        known_as="constant input current, I_ext", per=Per.NEURON, signed=True, unit=POTENTIAL,
    ),
    _parameter(
        "profile", "profile_width", "Number of the neuron's profile.", per=Per.NEURON,
        built="has_profiles", since=2,
    ),
    _parameter(
        "source_profile", "profile_width",
        "Number of the source's profile, which its `trace_pre` has.", per=Per.SOURCE,
        built="has_source_profiles", since=3,
    ),
    _parameter(
        "synapse_delay", "synapse_delay_width", "Ticks by which the current of a synapse is late.",
        per=Per.SYNAPSE, unit=TICKS, built="has_synapse_delays", since=3,
    ),
    _ring(
        "i_syn_ring", "i_syn_width",
        "Current on its way, due in tick t: with r = 2 ** synapse_delay_width, that of neuron j is "
        "element (j // lanes · r + t mod r) · lanes + j mod lanes.",
        built="has_synapse_delays",
    ),
    _ring(
        "i_inh_ring", "i_syn_width", "Likewise, the inhibitory current.", built="has_two_rings"
    ),
    _state(
        "i_syn", "i_syn_width", "Synaptic current.", per=Per.NEURON, writer="synapses",
        clear=ClearMask.I_SYN, signed=True, unit=WEIGHT,
    ),
    _state(
        "i_inh", "i_syn_width", "Inhibitory current.", per=Per.NEURON, writer="synapses",
        clear=ClearMask.I_SYN, signed=True, unit=WEIGHT, built="has_two_receptors",
    ),
    _state(
        "v", "v_width", "Membrane potential.", per=Per.NEURON, writer="neurons",
        clear=ClearMask.V, signed=True, unit=POTENTIAL,
    ),
    _state(
        "refrac_count", "refrac_width", "Held ticks left.", per=Per.NEURON, writer="neurons",
        clear=ClearMask.REFRAC_COUNT, unit=TICKS,
    ),
    _state(
        "theta", "theta_width", "Adaptive part of threshold.", per=Per.NEURON, writer="neurons",
        clear=ClearMask.THETA, unit=POTENTIAL,
    ),
    _state(
        "trace_post", "trace_width", "Trace of each neuron.", per=Per.NEURON, writer="neurons",
        clear=ClearMask.TRACES, unit=TRACE, built="learning",
    ),
    _state(
        "pending", 1, "1 for the neurons that fired in the last tick.", per=Per.NEURON,
        writer="fired", clear=ClearMask.PENDING,
    ),
    Variable(
        "relay_ring", RELAY_WORD,
        "Relays to be active: word w of tick t is element t mod max_delay · n_relays / 32 + w.",
        per=Per.RELAY_WORD, kind=Kind.STATE, clear=ClearMask.PENDING, built="n_relays",
        writer="relays",
    ),
    # The table of projections, and the ways through it.
    _projection("projection_kind", 2, "0: no synapses; 1: dense; 2: constant; 3: sparse."),
    _projection("projection_source", "source_group_width", "First group of sources."),
    _projection("projection_sources", "source_group_width", "Number of groups of sources."),
    _projection("projection_target", "target_group_width", "First group of neurons."),
    _projection("projection_targets", "target_group_width", "Number of groups of neurons."),
    _projection(
        "projection_base", "projection_base_width",
        "First word of the weights in a bank; of a sparse projection its first row.",
    ),
    _projection(
        "projection_weight", "weight_width", "Weight of a constant projection.", signed=True,
        unit=WEIGHT,
    ),
    _projection(
        "projection_itself", 1,
        "0: a neuron has no synapse to itself in a constant projection; 1: it has one.",
    ),
    _projection("projection_rule", "rule_width", "Rule of a projection.", built="has_rules"),
    _layout(
        "window_table", OFFSET_WIDTH,
        "Step of a weight, in 1/65536, for each past of a source: the tables of all windows, one "
        "behind the other.",
        per=Per.WINDOW_ENTRY, signed=True, unit=WEIGHT, fraction_bits=STEP_BITS,
        built="window_bits",
    ),
    _layout(
        "row_projections", WALK_WIDTH,
        "Projections of a group of sources: the first one, and 64 times their number.",
        per=Per.SOURCE_GROUP,
    ),
    _layout(
        "column_projections", WALK_WIDTH,
        "Projections that learn of a group of neurons: their first place in `column_order`, and 64 "
        "times their number.",
        per=Per.NEURON_GROUP,
    ),
    _sparse(
        "sparse_first", "weight_address_width", "First word of a row of a sparse projection.",
        per=Per.SPARSE_ROW,
    ),
    _sparse(
        "sparse_blocks", "target_group_width", "Number of words of a row in each bank.",
        per=Per.SPARSE_ROW,
    ),
    _sparse(
        "sparse_target", "sparse_target_width",
        "Group of the neuron to which a synapse of a sparse projection leads.", per=Per.SYNAPSE,
    ),
    _relay("relay_first", "relay_width", "First relay of a source.", per=Per.SOURCE),
    _relay("relay_count", "relay_delay_width", "Number of relays of a source.", per=Per.SOURCE),
    _relay(
        "relay_delay", "relay_delay_width", "Ticks by which a relay is later than its source.",
        per=Per.RELAY, unit=TICKS,
    ),
    _layout(
        "column_order", WALK_FIRST_BITS, "Projections in the order of their targets.",
        per=Per.PROJECTION,
    ),
    # What probes report.
    _probe(
        "probe_space", 8,
        "Space of the state that a probe reports (`spec.probes.PROBED`); of others it reports "
        "nothing.",
    ),
    _probe("probe_first", "probe_first_width", "First element that a probe reports."),
    _probe("probe_count", "probe_count_width", "Number of elements that a probe reports."),
)  # fmt: skip
"""All variables of a core: its registers in the order of their addresses, then its arrays."""


def names(variables: Iterable[Variable]) -> tuple[str, ...]:
    """Return the names of variables, in their order."""
    return tuple(variable.name for variable in variables)


CONSTANTS: Final = tuple(v for v in VARIABLES if v.per in (Per.CORE, Per.PROFILE, Per.RULE))
"""The variables that are registers, or columns of a table that parts of a core share."""

ARRAYS: Final = tuple(v for v in VARIABLES if v not in CONSTANTS)
"""The variables with an array of values in a core, in a space of their own."""

BY_SPACE: Final = {v.space: v for v in ARRAYS}
"""The array of each memory space that holds one."""

PARAMETER_ARRAYS: Final = tuple(v for v in ARRAYS if v.kind is Kind.PARAMETER)
"""The arrays that a network sets."""

VECTOR_PARAMETERS: Final = tuple(v for v in PARAMETER_ARRAYS if v.per is not Per.SYNAPSE)
"""The parameters of a neuron or of a source."""

LAYOUT: Final = tuple(v for v in ARRAYS if v.kind is Kind.LAYOUT)
"""The arrays that the host sets from the places of a network."""

STATE: Final = tuple(v for v in ARRAYS if v.kind is Kind.STATE)
"""The arrays of state that one tick leaves to the next, without the weights."""

CHANGED_IN_TICKS: Final = tuple(v for v in ARRAYS if v.writer)
"""The arrays that a tick changes: state and weights."""
