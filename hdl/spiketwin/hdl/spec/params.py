"""Sizes of one core: `CoreParams`, from which every width, dtype and check is derived."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Final, get_type_hints

from spiketwin.hdl.spec.arithmetic import STEP_BITS
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.text import MOST_DIGITS, number, shown

MAX_LINES: Final = 4096
"""Most axons, and most neurons, of a core."""

MAX_NEURON_GROUPS: Final = 2048
"""Most groups of `neuron_lanes` neurons: an output word has 11 bits for the number of a group."""

MAX_SYNAPSES: Final = 1 << 26
"""Most synapses of a core. The model holds so many; what is built of gateware holds fewer."""


ANSWER_WORDS: Final = 62
"""Most output words in one answer."""


N_PROFILES: Final = (1, 2, 4, 8)
"""Numbers of profiles with which a core can be built."""

N_RULES: Final = (1, 2, 4, 8)
"""Numbers of learning rules with which a core can be built."""

WINDOW_BITS: Final = (0, 8, 16)
"""Past ticks of every source over which rules of a core can look; 0 is no window."""

WINDOW_BYTE: Final = 8
"""Ticks of a window that share a part of its table, which has an entry for each of their values."""

MAX_PROJECTIONS: Final = 64
"""Most projections of a core."""

WEIGHT_BLOCK: Final = 64
"""Words of each weight bank that make a row of the space `weight`, in a core with projections."""

MAX_WEIGHT_DEPTH: Final = 1 << 22
"""Most words of a weight bank, in a core with projections."""

MAX_SPARSE_ROWS: Final = 1 << 16
"""Most rows of sparse projections of a core."""

MAX_RELAYS: Final = 4096
RELAY_DELAYS: Final = (0, 2, 4, 8, 16, 32, 64, 128, 256)
"""Most relays of a core, and the longest delays in ticks that it can be built for."""

RELAY_WORD: Final = 32
"""Relays that share a word of the space `relay_ring`, and that are looked at in a cycle."""

MAX_SYNAPSE_DELAY_WIDTH: Final = 5
"""Most bits of the delay of a synapse."""

MAX_RING: Final = 1 << 16
"""Most currents on their way, one of each neuron in each tick of the longest delay of a synapse."""

MAX_PROBE_RANGES: Final = 4
"""Most ranges of state that a tick can report."""

MAX_DIGEST_ROUNDS: Final = 3
"""Most rounds of a digest: more would not be finished before the next tick reports anything."""

DIGEST_WORDS: Final = 2
"""Output words of a digest."""


LEAST_WORDS_PER_TICK: Final = 2
"""Output words that every tick has: *update* and *end*."""


def words_per_tick(neuron_groups: int, digest: bool) -> int:
    """Return the most output words of one tick.

    There is one for each group, then *muted*, *update* and *end*, and those of a digest.
    """
    return neuron_groups + 1 + LEAST_WORDS_PER_TICK + DIGEST_WORDS * digest


def spike_queue_words(neuron_groups: int, digest: bool) -> int:
    """Return the words that the output queue must hold: those of one tick and one full answer."""
    return words_per_tick(neuron_groups, digest) + ANSWER_WORDS


class ParamsError(SpiketwinError, ValueError):
    """A `CoreParams` field is out of range, or fields contradict each other."""

    exit_status = 2


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class CoreParams:
    """Sizes and features of one core.

    Sources are numbered axons first, then neurons. Connectivity is all-to-all, so the core holds
    ``n_sources × n_neurons`` weights, each with a plastic flag; or with `n_projections` above 1 it
    is what a table of projections says.

    Attributes
    ----------
    n_axons, n_neurons:
        External input lines and neurons, each a multiple of `lanes`, from `lanes` to `MAX_LINES`,
        and at most `MAX_SYNAPSES` synapses.
    lanes:
        Weight banks, and synapses handled a cycle by the row and column passes: 2, 4, 8 or 16.
        ``n_neurons / lanes`` is at least 4, the depth of the read-modify-write of `i_syn`.
    neuron_lanes, source_lanes:
        Neurons (up to 8), and source traces, updated a cycle; powers of two that divide `lanes`.
    weight_width:
        Signed weights, 4 to 16 bits.
    v_width, i_syn_width:
        Signed membrane potential and synaptic current, 8 to 24 bits, the current not below
        `weight_width`.
    theta_width:
        Unsigned adaptive part of the threshold, 8 to 24 bits.
    trace_width:
        Unsigned traces, 8 to 16 bits.
    refrac_width:
        Unsigned refractory counter, 2 to 16 bits.
    learning:
        Whether traces, plastic flags and both learning rules are built.
    single_port_weights:
        Whether the weight memory has one port, for reads and writes in turn, instead of two. Two
        weights share a word of 16 bits: with its flag a weight has at most 8, and
        ``n_neurons / lanes`` is even. Columns then stream at ``lanes / 2`` synapses a cycle.
    event_queue_depth, spike_queue_depth:
        Entries of the queues of events, at least 4, and of output words, powers of two up to
        65536. The output queue holds the words of a whole tick, which are ``n_neurons /
        neuron_lanes + 3``, and 2 more with a digest, beside the `ANSWER_WORDS` of a whole frame.
    link_slots:
        Answers the device remembers, 2, 4 or 8; the window of requests under way is one less.
    digest_rounds:
        Rounds of the digest of a tick, 1 to 3: the more, the fewer differences it misses
        (docs/compare.md). With 0 the digest is not built, and takes no logic.
    saturation_counters:
        Whether the core counts saturations (docs/tick.md). The counters take no cycle.
    n_profiles:
        Profiles, of which every neuron and every source names one: 1, 2, 4 or 8. A profile holds
        decays, bumps and modes (docs/tick.md). With 1 all have the same one, and their numbers take
        neither memory nor logic. More take no cycle.
    n_projections:
        Entries of the table of projections, 1 to 64 (docs/projections.md). With 1 there is no
        table: one projection leads from all sources to all neurons.
    weight_depth:
        With projections: words of each weight bank, a multiple of 64. Without: 0, as the depth
        then follows from the other sizes.
    sparse_rows:
        With projections: rows of sparse ones, of which each has one for every source (padded to
        groups), to 65536. With 0 there are no sparse projections, and weights have no target beside
        them; else currents are added 2 cycles later, and rows are prepared 2 cycles longer.
    n_relays, max_delay:
        Relays, at most 4096, a multiple of 32 (and of `lanes`), and their longest delay in ticks, a
        power of two to 256; both 0 if there are none. Relays need projections.
    synapse_delay_width:
        With projections: the delay that every synapse has beside its weight, 0 to 5 bits, in ticks;
        ``n_neurons << synapse_delay_width`` is at most 65536. With 0 synapses have none. Otherwise
        a tick takes up to ``receptors · n_neurons / lanes + 8`` cycles to add what is due.
    decay_shift:
        Whether every decay has a shift beside its code, with which long time constants are as exact
        as short ones, and `i_syn` one of its own (docs/tick.md). Shifts take no cycle.
    receptors:
        Currents of a neuron: 1, or 2, of which inhibition can have the second, `i_inh`, with a
        decay of its own. The second one takes no cycle.
    probe_ranges:
        Ranges of state that a tick can report (docs/tick.md), 0 to 4. With 0 no tick reports any,
        and probes take no logic. Ticks that report take longer, and room in the output queue for
        their words; all others do not.
    n_rules:
        Rules, of which every projection names one: 1, 2, 4 or 8. A rule holds the gains, offsets,
        bounds and rounding of learning (docs/tick.md). With 1 all projections have the same one,
        and their numbers take neither memory nor logic. More need learning and projections.
    window_bits:
        Ticks of every source that a rule over a window looks at (docs/tick.md): 8, 16, or 0 for no
        such rules. They need rules, `n_rules` above 1. They take no cycle.
    bias_events:
        Whether events can rewrite biases at a tick (docs/tick.md). They take room in the queue of
        axon events, whose entries are wider then, and 4 cycles each.
    """

    n_axons: int
    n_neurons: int
    lanes: int = 8
    neuron_lanes: int = 2
    source_lanes: int = 4
    weight_width: int = 8
    v_width: int = 16
    i_syn_width: int = 16
    theta_width: int = 16
    trace_width: int = 16
    refrac_width: int = 8
    learning: bool = True
    single_port_weights: bool = False
    event_queue_depth: int = 512
    spike_queue_depth: int = 512
    link_slots: int = 8
    digest_rounds: int = 0
    saturation_counters: bool = False
    n_profiles: int = 1
    n_projections: int = 1
    weight_depth: int = 0
    sparse_rows: int = 0
    n_relays: int = 0
    max_delay: int = 0
    synapse_delay_width: int = 0
    decay_shift: bool = False
    receptors: int = 1
    probe_ranges: int = 0
    n_rules: int = 1
    window_bits: int = 0
    bias_events: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = field_types()[field.name]
            if type(value) is not wanted:
                raise ParamsError(
                    f"{field.name} must be {wanted.__name__}, not {type(value).__name__} "
                    f"{shown(value)}"
                )
        self._check_lines()
        self._check_widths()
        self._check_queues()
        self._one_of("link_slots", (2, 4, 8))
        self._one_of("n_profiles", N_PROFILES)
        self._check_rules()
        self._one_of("receptors", (1, 2))
        self._within("digest_rounds", 0, MAX_DIGEST_ROUNDS)
        self._within("probe_ranges", 0, MAX_PROBE_RANGES)
        self._within("n_projections", 1, MAX_PROJECTIONS)
        self._within("sparse_rows", 0, MAX_SPARSE_ROWS)
        self._check_weight_depth()
        self._check_relays()
        self._check_synapse_delays()
        self._check_single_port()

    def _check_lines(self) -> None:
        self._one_of("lanes", (2, 4, 8, 16))
        for name in ("n_axons", "n_neurons"):
            self._within(name, self.lanes, MAX_LINES)
            if getattr(self, name) % self.lanes:
                raise ParamsError(
                    f"{name} must be a multiple of lanes ({self.lanes}), not {getattr(self, name)}"
                )
        if self.n_neurons < 4 * self.lanes:
            raise ParamsError(
                f"n_neurons must be at least 4 × lanes = {4 * self.lanes}, not {self.n_neurons}: "
                "take fewer lanes"
            )
        if not self.has_projections and self.n_sources * self.n_neurons > MAX_SYNAPSES:
            raise ParamsError(
                f"n_axons and n_neurons make {self.n_sources * self.n_neurons} synapses, at most "
                f"{MAX_SYNAPSES} can be built: take fewer"
            )
        for name, limit in (("neuron_lanes", min(8, self.lanes)), ("source_lanes", self.lanes)):
            self._within(name, 1, limit)
            if not _is_power_of_two(getattr(self, name)):
                raise ParamsError(f"{name} must be a power of two, not {getattr(self, name)}")
        if self.neuron_groups > MAX_NEURON_GROUPS:
            raise ParamsError(
                f"neuron_lanes must be at least {-(-self.n_neurons // MAX_NEURON_GROUPS)} for "
                f"{self.n_neurons} neurons, not {self.neuron_lanes}"
            )

    def _check_widths(self) -> None:
        self._within("weight_width", 4, 16)
        self._within("v_width", 8, 24)
        self._within("i_syn_width", max(8, self.weight_width), 24)
        self._within("theta_width", 8, 24)
        self._within("trace_width", 8, 16)
        self._within("refrac_width", 2, 16)

    def _check_queues(self) -> None:
        for name, least in (
            ("event_queue_depth", 4),
            ("spike_queue_depth", self.min_spike_queue_depth),
        ):
            self._within(name, least, 65536)
            if not _is_power_of_two(getattr(self, name)):
                raise ParamsError(f"{name} must be a power of two, not {getattr(self, name)}")

    def _check_single_port(self) -> None:
        if not self.single_port_weights:
            return
        if self.has_projections:
            raise ParamsError("n_projections must be 1 with single_port_weights")
        if self.weight_width + self.learning > 8:
            raise ParamsError(
                f"weight_width must be in 4…{8 - self.learning}, not {self.weight_width}, with "
                "single_port_weights, which keep a weight and its flag in 8 bits"
            )
        if self.row_groups % 2:
            raise ParamsError(
                f"n_neurons must be a multiple of 2 × lanes = {2 * self.lanes}, not "
                f"{self.n_neurons}, with single_port_weights, which are read in pairs"
            )

    def _check_weight_depth(self) -> None:
        if not self.has_projections:
            if self.weight_depth:
                raise ParamsError(
                    f"weight_depth must be 0, not {self.weight_depth}, unless n_projections is "
                    "above 1: the depth follows from n_axons and n_neurons"
                )
            if self.sparse_rows:
                raise ParamsError("sparse_rows must be 0 unless n_projections is above 1")
            return
        self._within("weight_depth", WEIGHT_BLOCK, MAX_WEIGHT_DEPTH)
        if self.weight_depth % WEIGHT_BLOCK:
            raise ParamsError(
                f"weight_depth must be a multiple of {WEIGHT_BLOCK}, not {self.weight_depth}"
            )
        if self.weight_depth * self.lanes > MAX_SYNAPSES:
            raise ParamsError(
                f"weight_depth times lanes must be at most {MAX_SYNAPSES}, not "
                f"{self.weight_depth * self.lanes}"
            )

    def _check_rules(self) -> None:
        self._one_of("n_rules", N_RULES)
        if self.has_rules and not (self.learning and self.has_projections):
            raise ParamsError(
                f"n_rules must be 1, not {self.n_rules}, unless there is learning, and "
                "n_projections is above 1: rules are those of projections that learn"
            )
        self._one_of("window_bits", WINDOW_BITS)
        if self.window_bits and not self.has_rules:
            raise ParamsError(
                f"window_bits must be 0, not {self.window_bits}, unless n_rules is above 1: a rule "
                "says whether it is one over a window"
            )

    def _check_relays(self) -> None:
        self._within("n_relays", 0, MAX_RELAYS)
        self._one_of("max_delay", RELAY_DELAYS)
        if self.n_relays % RELAY_WORD:
            raise ParamsError(f"n_relays must be a multiple of {RELAY_WORD}, not {self.n_relays}")
        if bool(self.n_relays) != bool(self.max_delay):
            raise ParamsError(
                f"n_relays and max_delay must both be 0 or both be more, not {self.n_relays} and "
                f"{self.max_delay}"
            )
        if self.n_relays and not self.has_projections:
            raise ParamsError("n_relays must be 0 unless n_projections is above 1")

    def _check_synapse_delays(self) -> None:
        self._within("synapse_delay_width", 0, MAX_SYNAPSE_DELAY_WIDTH)
        if self.synapse_delay_width and not self.has_projections:
            raise ParamsError("synapse_delay_width must be 0 unless n_projections is above 1")
        if self.ring_size > MAX_RING:
            most = (MAX_RING // self.n_neurons).bit_length() - 1
            raise ParamsError(
                f"synapse_delay_width must be at most {most} with {self.n_neurons} neurons, not "
                f"{self.synapse_delay_width}"
            )

    def _within(self, name: str, low: int, high: int) -> None:
        if not low <= getattr(self, name) <= high:
            value = shown(getattr(self, name))
            raise ParamsError(f"{name} must be in {low}…{high}, not {value}")

    def _one_of(self, name: str, choices: tuple[int, ...]) -> None:
        if getattr(self, name) not in choices:
            value = shown(getattr(self, name))
            raise ParamsError(f"{name} must be one of {choices}, not {value}")

    @property
    def n_sources(self) -> int:
        """Axons, neurons and relays together."""
        return self.n_axons + self.n_neurons + self.n_relays

    @property
    def relay_words(self) -> int:
        """Words of the flags of all relays in one tick."""
        return self.n_relays // RELAY_WORD

    @property
    def relay_width(self) -> int:
        """Bits of the number of a relay."""
        return max(1, (self.n_relays - 1).bit_length())

    @property
    def relay_delay_width(self) -> int:
        """Bits of a delay, and of a number of relays of one source, of 0 to `max_delay`."""
        return max(1, self.max_delay.bit_length())

    @property
    def probe_first_width(self) -> int:
        """Bits of the number of the first element that a probe reports."""
        return (self.n_sources - 1).bit_length()

    @property
    def probe_count_width(self) -> int:
        """Bits of a number of elements that a probe reports, of 0 to `n_sources`."""
        return self.n_sources.bit_length()

    @property
    def event_number_width(self) -> int:
        """Bits of the number in an event: that of an axon, or of a neuron whose bias changes."""
        return (max(self.n_axons, self.n_neurons * self.bias_events) - 1).bit_length()

    @property
    def has_projections(self) -> bool:
        """Whether `n_projections` is above 1, so that there is a table of projections."""
        return self.n_projections > 1

    @property
    def has_sparse(self) -> bool:
        """Whether projections can be sparse."""
        return self.sparse_rows > 0

    @property
    def sparse_target_width(self) -> int:
        """Bits of the group of neurons to which a synapse of a sparse projection leads."""
        return max(1, (self.row_groups - 1).bit_length())

    @property
    def projection_base_width(self) -> int:
        """Bits of the first word of a projection, or of its first row if it is sparse."""
        return max(self.weight_address_width, (max(1, self.sparse_rows) - 1).bit_length())

    @property
    def has_synapse_delays(self) -> bool:
        """Whether synapses have delays."""
        return self.synapse_delay_width > 0

    @property
    def words_address_currents(self) -> bool:
        """Whether the words of synapses say where their currents are added."""
        return self.has_sparse or self.has_synapse_delays

    @property
    def has_two_rings(self) -> bool:
        """Whether synapses have delays, and `receptors` is 2."""
        return self.has_synapse_delays and self.has_two_receptors

    @property
    def ring_size(self) -> int:
        """Currents on their way: one of each neuron in each tick of the longest synapse delay."""
        return (self.n_neurons << self.synapse_delay_width) * self.has_synapse_delays

    @property
    def has_profiles(self) -> bool:
        """Whether `n_profiles` is above 1."""
        return self.n_profiles > 1

    @property
    def has_rules(self) -> bool:
        """Whether `n_rules` is above 1."""
        return self.n_rules > 1

    @property
    def history_width(self) -> int:
        """Bits of the past of a source: its window, and one for the tick under way."""
        return self.window_bits + 1

    @property
    def window_entries(self) -> int:
        """Entries of the table of a window: one for each value of each `WINDOW_BYTE` ticks."""
        return self.window_bits // WINDOW_BYTE << WINDOW_BYTE

    @property
    def drift_width(self) -> int:
        """Bits of what the drifts of a rule have come to, of which `STEP_BITS` are fractions."""
        return self.weight_width + STEP_BITS

    @property
    def window_number_width(self) -> int:
        """Bits of the number of a table of a window, of 0 to `n_rules`."""
        return self.rule_width + 1

    @property
    def source_group_width(self) -> int:
        """Bits of a number of groups of `lanes` sources, of 0 to all of them."""
        return self.column_groups.bit_length()

    @property
    def target_group_width(self) -> int:
        """Bits of a number of groups of `lanes` neurons, of 0 to all of them."""
        return self.row_groups.bit_length()

    @property
    def weight_address_width(self) -> int:
        """Bits of the address of a word in a weight bank."""
        return max(1, (self.bank_depth - 1).bit_length())

    @property
    def has_source_profiles(self) -> bool:
        """Whether there is learning, and `n_profiles` is above 1."""
        return self.learning and self.has_profiles

    @property
    def trace_decay_shift(self) -> bool:
        """Whether the decays of traces have a shift."""
        return self.learning and self.decay_shift

    @property
    def has_two_receptors(self) -> bool:
        """Whether `receptors` is 2."""
        return self.receptors > 1

    @property
    def i_inh_decay_shift(self) -> bool:
        """Whether the decay of `i_inh` has a shift."""
        return self.has_two_receptors and self.decay_shift

    @property
    def profile_width(self) -> int:
        """Bits of the number of a profile."""
        return self.n_profiles.bit_length() - 1

    @property
    def rule_width(self) -> int:
        """Bits of the number of a rule."""
        return self.n_rules.bit_length() - 1

    @property
    def neuron_groups(self) -> int:
        """Groups of `neuron_lanes` neurons, one a cycle in *Update*."""
        return self.n_neurons // self.neuron_lanes

    @property
    def row_groups(self) -> int:
        """Cycles in which the row of one source streams."""
        return self.n_neurons // self.lanes

    @property
    def column_groups(self) -> int:
        """Cycles in which the column of one neuron streams."""
        return self.n_sources // self.lanes

    @property
    def weights_per_word(self) -> int:
        """Weights that share a word of a weight bank: those of neighbouring row groups."""
        return 2 if self.single_port_weights else 1

    @property
    def bank_depth(self) -> int:
        """Words in each of the `lanes` weight banks."""
        if self.has_projections:
            return self.weight_depth
        return self.n_sources * self.row_groups // self.weights_per_word

    @property
    def max_words_per_tick(self) -> int:
        """Most output words of one tick."""
        return words_per_tick(self.neuron_groups, self.digest_rounds > 0)

    @property
    def min_spike_queue_depth(self) -> int:
        """Least depth of the output queue: the words of one tick and of one full answer."""
        return spike_queue_words(self.neuron_groups, self.digest_rounds > 0)

    def digests_alike(self, other: CoreParams) -> bool:
        """Return whether both cores have digests, which are equal if they write the same."""
        mine, theirs = (
            {name: value for name, value in asdict(p).items() if name not in _NOT_IN_DIGESTS}
            for p in (self, other)
        )
        return self.digest_rounds > 0 and mine == theirs

    def digest(self) -> int:
        """Return a 32-bit hash of all sizes, which host and device compare when they connect."""
        text = json.dumps(asdict(self), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


_NOT_IN_DIGESTS: Final = (
    "lanes", "neuron_lanes", "source_lanes", "single_port_weights",
    "event_queue_depth", "spike_queue_depth", "link_slots", "saturation_counters",
    "n_projections", "weight_depth", "sparse_rows", "max_delay", "probe_ranges", "n_rules",
    "bias_events",
)  # fmt: skip
"""Fields on which neither the values that a tick writes nor the numbers of their places depend."""


@cache
def field_types() -> dict[str, type]:
    """Return the types of the fields of `CoreParams`, in their order: int or bool."""
    return get_type_hints(CoreParams)


_BYTES_OF_LARGE: Final = {
    "n_axons": 2, "n_neurons": 2, "event_queue_depth": 4, "spike_queue_depth": 4,
    "weight_depth": 4, "sparse_rows": 4, "n_relays": 2, "max_delay": 2,
}  # fmt: skip
"""Bytes of the sizes that can be above 255: 2, or 4 if they can be above 65535."""


def size_bytes(name: str) -> int:
    """Return the bytes in which a field of `CoreParams` travels: 1, 2 or 4."""
    return _BYTES_OF_LARGE.get(name, 1)


PRESETS: Final[dict[str, CoreParams]] = {
    "tiny": CoreParams(
        n_axons=8, n_neurons=8, lanes=2, neuron_lanes=2, source_lanes=2,
        event_queue_depth=64, spike_queue_depth=128,
    ),
    "ncx": CoreParams(n_axons=96, n_neurons=96),
    "digits": CoreParams(n_axons=80, n_neurons=128),
    "up5k": CoreParams(
        n_axons=128, n_neurons=256, lanes=2, neuron_lanes=1, source_lanes=1, weight_width=7,
        trace_width=8, single_port_weights=True, event_queue_depth=256, link_slots=4,
    ),
    "full": CoreParams(n_axons=256, n_neurons=256),
    # Carries 784 → 256 → 10, with a delay.
    "layers": CoreParams(
        n_axons=784, n_neurons=272, n_projections=8, weight_depth=25600, n_relays=256, max_delay=16,
        event_queue_depth=1024,
    ),
    # What networks of PyNN ask for.
    "pynn": CoreParams(
        n_axons=256, n_neurons=256, weight_width=16, v_width=24, i_syn_width=24, theta_width=24,
        refrac_width=12, n_profiles=8, receptors=2, decay_shift=True, n_projections=64,
        weight_depth=16384, n_relays=1024, max_delay=64, probe_ranges=4, event_queue_depth=1024,
        spike_queue_depth=1024,
    ),
}  # fmt: skip
"""The reference sizes, by name."""

DEFAULT_PRESET: Final = "full"
DEFAULT_CLOCK_HZ: Final = 100_000_000
"""Reference size and clock, in Hz, of a simulated device if none are named."""


def preset(text: str) -> CoreParams:
    """Return the sizes that a text names: a reference size, and changes, as in ``full,lanes=4``.

    Raises `ParamsError` if there is no such reference size or field, or no core of such sizes.
    """
    name, *changes = text.split(",")
    if name not in PRESETS:
        raise ParamsError(f"no reference size {shown(name)}: choose one of {', '.join(PRESETS)}")
    types = field_types()
    changed = {}
    for change in changes:
        field, equals, digits = change.partition("=")
        if field not in types:
            raise ParamsError(f"no field {shown(field)}: choose of {', '.join(types)}")
        if not equals:
            raise ParamsError(f"{field} has no value: write {field}=N")
        value = number(digits)
        if value is None or types[field] is bool and value > 1:
            most = "0 or 1" if types[field] is bool else f"of at most {MOST_DIGITS} digits"
            raise ParamsError(f"{field} must be a number, {most}, not {shown(digits)}")
        changed[field] = types[field](value)
    return replace(PRESETS[name], **changed)


def described(params: CoreParams) -> str:
    """Return the text that `preset` reads as these sizes: ``full``, and the changes from it."""
    usual = asdict(PRESETS[DEFAULT_PRESET])
    changes = [f"{k}={int(v)}" for k, v in asdict(params).items() if v != usual[k]]
    return ",".join([DEFAULT_PRESET, *changes])
