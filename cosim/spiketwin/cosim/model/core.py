"""`ModelCore`: the registers, parameters and state of one core, and the ticks it executes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.model import hashing, kernels, owed
from spiketwin.cosim.model.arranged import COPIED, Arranged, Rows
from spiketwin.hdl.spec import arithmetic, schedule
from spiketwin.hdl.spec.params import MAX_PROBE_RANGES, CoreParams
from spiketwin.hdl.spec.probes import element_nibbles, probed
from spiketwin.hdl.spec.projections import ProjectionKind, walked
from spiketwin.hdl.spec.registers import SATURATIONS, ClearMask, Space, limits, registers
from spiketwin.hdl.spec.variables import ARRAYS, Per, Variable
from spiketwin.host.decoding import Decoded, decode
from spiketwin.host.errors import InvalidInput
from spiketwin.host.words import Words

NO_BIASES: Final = np.empty((0, 3), np.int64)
"""No bias events."""

_NOTHING: Final = np.empty(0, np.int32)
_NO_EVENTS: Final = np.empty(0, np.int64), _NOTHING
_NO_PROBES: Final = tuple(
    kernels.Probes(
        _NOTHING, _NOTHING, _NOTHING, _NOTHING, np.zeros(MAX_PROBE_RANGES, np.int64),
        period=0, words=0, left=-1, cycles=0,
    )
)  # fmt: skip
"""What a core reports if no probes are due."""

_SETTLED: Final = frozenset(("weight", "plastic", "trace_pre", "source_profile"))
"""Arrays that what rows are owed is applied to, or depends on."""

_ON_TABLE: Final = frozenset(kernels.Table._fields) | frozenset(
    ("projection_kind", "synapse_delay", "sparse_blocks", "sparse_target")
)
"""Arrays that are empty where they are not built."""

_LOG_WORDS: Final = 1 << 18
"""Output words that one call of the kernel has room for, beyond those of one tick."""


class Registers(dict[str, int]):
    """Registers by name; one that is not built reads as 0."""

    def __missing__(self, name: str) -> int:
        return 0


_settings: Final = itemgetter(*kernels.Settings._fields)
_rule: Final = itemgetter(*kernels.Rule._fields)


class Ran(NamedTuple):
    """The result of executing ticks: output words, numbers of axon and bias events taken, cycles.

    The array of words is overwritten when the core executes ticks again.
    """

    words: Words
    events: int
    biases: int
    cycles: int


class ModelCore:
    """One core of the sizes `params`, all zero at first.

    `arrays` holds the arrays of `spiketwin.hdl.spec.variables` by their names, in their shapes;
    `core.v` is ``core.arrays["v"]``. They may be written between runs, except `plastic`, which is
    set with `set_plastic`. Get them anew after each run: weights are brought up to date as they are
    asked for (`owed`). `register` holds the registers by name; `tick` is the next tick.
    `probe_left` is the number of ticks before the next one that reports probes; whoever writes
    the register `probe_period` sets it to 0.
    `profiles` holds what profiles have, shape (n_profiles, fields of `kernels.Profile`), and
    `rules` what rules have, shape (n_rules, fields of `kernels.Rule`).
    Saturations are always counted (`saturations`).
    """

    def __init__(self, params: CoreParams) -> None:
        p = self.params = params
        self.register = Registers((r.name, 0) for r in registers(p))
        self.tick = 0
        self.probe_left = 0

        self._all = {array.name: _zeros(p, array) for array in ARRAYS}
        self._plastic_changed = False
        self._column_learns = False
        # The kernel receives only the arrays it uses: each further one makes every call slower.
        used = {name: array for name, array in self._all.items() if name in kernels.State._fields}
        scratch = _scratch(p)
        self._profiles = np.zeros((p.n_profiles, len(kernels.Profile._fields)), np.int32)
        self._state = kernels.State(**used, **scratch, profiles=self._profiles)
        self._arrays = tuple(self._state)
        self.rules = np.zeros((p.n_rules, len(kernels.Rule._fields)), np.int32)
        self._held = [*self._all.values(), *scratch.values(), self._profiles, self.rules]
        self._saturations = np.zeros(len(SATURATIONS), np.int64)
        self._sizes = tuple(_sizes(p))
        self._arranged = Arranged(p, self._all) if p.has_projections else None
        self._copied = self._learned = False  # whether the copies are those of the arrays
        self._table = (
            None
            if self._arranged is None
            else _table(p, self._all, self.rules, self._arranged.rows)
        )
        self._owed = (
            None
            if p.has_projections
            else owed.none_owed(p.n_sources, p.n_neurons, p.weight_width <= 8)
        )
        self._owes = None if self._owed is None else tuple(self._owed)
        self._owed_by: tuple[int, ...] | None = None  # the settings of the steps that are owed
        if self._owed is not None:
            self._held.append(self._owed.whole)
        self._schedules = _schedules(p, self._all)
        self._layout_changed = False
        self._words = np.empty(p.spike_queue_depth, np.uint32)
        self._digest = np.empty(1, np.uint32)
        # What `run_ticks` takes without digests. Few kinds of it are ever compiled: where it learns
        # by rows, with digests, and with a table.
        self._no_digest = self._digest[:0] if p.has_projections else None
        self._no_biases = _biases(NO_BIASES)
        self._cleared = [(int(v.clear), self._all[v.name]) for v in ARRAYS if v.clear is not None]

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        """Return an array by its name."""
        try:
            array = self.__dict__["_all"][name]
        except KeyError:
            raise AttributeError(f"a core has no {name!r}") from None
        if name in _SETTLED or name in COPIED:
            self._settle()
        self._copied &= name not in COPIED
        return cast("npt.NDArray[Any]", array)

    def look(self, name: str) -> npt.NDArray[Any]:
        """Return an array by its name, only to read it now."""
        if name in _SETTLED:
            self._settle()
        return self._all[name]

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays of the core by their names."""
        self._settle()
        self._copied = False
        return self._all

    @property
    def profiles(self) -> npt.NDArray[np.int32]:
        """What profiles have."""
        self._settle()
        return self._profiles

    @property
    def plastic(self) -> hashing.Flags:
        """Plastic flags, read-only."""
        view: hashing.Flags = self._all["plastic"].view()
        view.flags.writeable = False
        return view

    @property
    def next_words(self) -> int:
        """Most output words of the next tick."""
        reports = self.register["probe_period"] and self.probe_left == 0
        return self.params.max_words_per_tick + (self.register["probe_words"] if reports else 0)

    @property
    def saturations(self) -> dict[str, int]:
        """Saturation counts since the last reset, by `registers.SATURATIONS`."""
        self._apply_owed()  # rows are owed further steps by the same settings from here on
        counts = self._saturations.tolist()
        return {c.name: n for c, n in zip(SATURATIONS, counts, strict=True)}

    def set_plastic(self, flags: npt.ArrayLike, start: int = 0) -> None:
        """Set plastic flags: `flags`, flattened, from element ``source * n_neurons + neuron`` on.

        All these elements must exist.
        """
        values = np.ravel(flags)
        self._settle()
        self._all["plastic"].reshape(-1)[start : start + values.size] = values
        self._plastic_changed, self._copied = True, False

    def set_layout(self, name: str, values: npt.ArrayLike, start: int = 0) -> None:
        """Set elements of an array of `variables.LAYOUT`, from element `start` on."""
        flat = np.ravel(values)
        self._settle()
        self._copied = False
        self._all[name].reshape(-1)[start : start + flat.size] = flat
        self._layout_changed = True

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        self._settle()
        wanted = int(mask)
        for bit, array in self._cleared:
            if wanted & bit:
                array.fill(0)

    def reset(self) -> None:
        """Set state, registers, `tick` and `saturations` to 0; weights and parameters stay."""
        self.clear(~ClearMask(0))
        self.forget_counts()
        self.register = Registers((name, 0) for name in self.register)
        self.tick = self.probe_left = 0

    def take_over(self, other: ModelCore) -> None:
        """Copy everything from another core of the same sizes."""
        self._settle()
        other._settle()
        for mine, its in zip(self._held, other._held, strict=True):
            mine[...] = its
        self._plastic_changed, self._column_learns = other._plastic_changed, other._column_learns
        self._layout_changed, self._copied = self.params.has_projections, False
        self._saturations[:] = other._saturations
        self.register, self.tick = Registers(other.register), other.tick
        self.probe_left = other.probe_left

    def forget_counts(self) -> None:
        """Set `saturations` to 0."""
        self._settle()
        self._saturations[:] = 0

    def add_counts(self, saturations: dict[str, int]) -> None:
        """Add the counts of another core to `saturations`."""
        self._saturations += [saturations[counter.name] for counter in SATURATIONS]

    def run(self, events: npt.ArrayLike, ticks: int, biases: npt.ArrayLike = ()) -> Decoded:
        """Execute `ticks` ticks with these events, and return the decoded output words.

        Parameters
        ----------
        events:
            Integers of shape (k, 2), tick and axon, in any order; an axon named twice in a tick
            spikes twice. Ticks, here and in the result, are counted like `tick`.
        ticks:
            0 or more.
        biases:
            Bias events, integers of shape (k, 3): tick, neuron and bias, in any order; of several
            biases of a neuron in a tick the last one counts.

        Raises
        ------
        InvalidInput
            An event lies outside the ticks of this run, its axon or neuron does not exist, its bias
            does not fit, the shape is wrong, or the core has no bias events.
        """
        if ticks < 0:
            raise InvalidInput(f"ticks must be 0 or more, not {ticks}")
        p = self.params
        tick = "tick", self.tick, self.tick + ticks - 1
        table = _checked("events", events, (tick, ("axon", 0, p.n_axons - 1)))
        rewritten = _checked(
            "biases", biases,
            (tick, ("neuron", 0, p.n_neurons - 1), ("bias", *limits(p.v_width, signed=True))),
        )  # fmt: skip
        if len(rewritten) and not p.bias_events:
            raise InvalidInput("this core has no bias events: build it with bias_events=True")
        rewritten = rewritten[np.argsort(rewritten[:, 0], kind="stable")]
        keys = np.sort(table[:, 0] << 16 | table[:, 1])
        event_tick, event_axon = keys >> 16, (keys & 0xFFFF).astype(np.int32)
        parts: list[Words] = []
        taken, first, end = 0, self.tick, self.tick + ticks
        while self.tick < end or not parts:
            ran = self.advance(
                event_tick[taken:], event_axon[taken:], end - self.tick, _LOG_WORDS, rewritten
            )
            parts.append(ran.words.copy())
            taken += ran.events
            rewritten = rewritten[ran.biases :]
        digests = bool(self.register["digest_en"])
        decoded = decode(np.concatenate(parts), ticks, self.params, digests)
        return decoded._replace(spikes=decoded.spikes + (first, 0))

    def advance(
        self, event_tick: kernels.Int64, event_axon: hashing.Int32, ticks: int, room: int,
        biases: kernels.Int64 = NO_BIASES,
    ) -> Ran:  # fmt: skip
        """Execute up to `ticks` ticks, each only if `room` still holds the words of a whole tick.

        Parameters
        ----------
        event_tick, event_axon:
            Events of legal axons, ascending by (tick, axon), none before `tick`.
        ticks:
            0 or more.
        room:
            Output words that may be produced.
        biases:
            Shape (k, 3): bias events of legal neurons and biases, ascending by tick, none before
            `tick`; none in a core that has none.
        """
        if self._plastic_changed:
            self._arrange_plastic()
        if self._layout_changed:
            self._schedules, self._layout_changed = _schedules(self.params, self._all), False
        if self._arranged is not None and not self._copied:
            self._arranged.take()
            self._copied = True
        if room > self._words.size:
            self._words = np.empty(room, np.uint32)
        register = self.register
        if not self.params.has_rules:
            self.rules[0] = _rule(register)
        settings = _settings(register)
        learns = register["learn_post"] and self._column_learns
        self._owe(settings if learns and not register["digest_en"] else None)
        done, put, events, rewritten, cycles = kernels.run_ticks(
            self._arrays, settings, self._sizes, self._schedules[bool(learns)], self._table,
            None if register["digest_en"] else self._owes, self.tick, ticks,
            event_tick, event_axon, self._words[:room], self._saturations,
            self._digest if register["digest_en"] else self._no_digest,
            self._probes() if register["probe_period"] else _NO_PROBES,
            _biases(biases) if self.params.bias_events else self._no_biases,
        )  # fmt: skip
        self.tick += done
        self._learned |= self._copied and bool(register["learn_pre"] or register["learn_post"])
        if register["probe_period"]:
            self.probe_left = (self.probe_left - done) % register["probe_period"]
        return Ran(self._words[:put], events, rewritten, cycles)

    def _owe(self, settings: tuple[int, ...] | None) -> None:
        """Let steps by these settings be owed from now on, or with None none at all."""
        if settings != self._owed_by:
            self._settle()
            if settings is not None and self._owed is not None:
                owed.begin_to_owe(self._owed, self._all["trace_pre"])
                self._owed_by = settings

    def _settle(self) -> None:
        """Bring all rows up to date; what steps depend on may be written after it."""
        if self._learned:
            cast("Arranged", self._arranged).give_back()
            self._learned = False
        self._apply_owed()
        self._owed_by = None

    def _apply_owed(self) -> None:
        """Apply what rows are owed."""
        if self._owed_by is None:
            return
        kernels.run_ticks(
            self._arrays, self._owed_by, self._sizes, self._schedules[0], None, self._owes,
            self.tick, 0, *_NO_EVENTS, self._words, self._saturations, self._no_digest,
            self._probes() if self.register["probe_period"] else _NO_PROBES,
            self._no_biases,
        )  # fmt: skip

    def _probes(self) -> tuple[Any, ...]:
        """Return `kernels.Probes` of the next ticks."""
        p, register = self.params, self.register
        reported = probed(p)
        ranges, nibbles = [_NOTHING] * MAX_PROBE_RANGES, np.zeros(MAX_PROBE_RANGES, np.int64)
        chosen = (self._all[f"probe_{name}"].tolist() for name in ("space", "first", "count"))
        for k, (space, begin, count) in enumerate(zip(*chosen, strict=True)):
            for array in (v for v in reported.values() if v.space == space):
                ranges[k] = self._all[array.name][begin : begin + count]
                nibbles[k] = element_nibbles(array, p)
        first, second, third, fourth = ranges
        return tuple(
            kernels.Probes(
                first,
                second,
                third,
                fourth,
                nibbles,
                period=register["probe_period"],
                words=register["probe_words"],
                left=self.probe_left,
                cycles=schedule.probe_cycles(p, int(self._all["probe_count"].sum())),
            )
        )

    def _arrange_plastic(self) -> None:
        """Derive the arrays that the kernel needs from the plastic flags."""
        s = self._state
        self._plastic_changed = False
        if self.params.has_projections:
            self._column_learns = bool(s.plastic.any())
            return
        s.plastic_by_neuron[...] = s.plastic.T
        s.row_learns[...] = s.plastic.any(axis=1)
        s.column_learns[...] = s.plastic.any(axis=0)
        if self._owed is not None:
            self._owed.whole[...] = s.plastic.all(axis=1)
        self._column_learns = bool(s.column_learns.any())


def _sizes(p: CoreParams) -> kernels.Sizes:
    """Return the sizes of a core that the kernel needs."""
    rows = arithmetic.digest_rows(p.n_sources)
    return kernels.Sizes(
        n_axons=p.n_axons,
        neuron_lanes=p.neuron_lanes,
        max_words_per_tick=p.max_words_per_tick,
        learning=p.learning,
        has_two_receptors=p.has_two_receptors,
        has_profiles=p.has_profiles,
        v_top=limits(p.v_width, signed=True)[1],
        i_syn_top=limits(p.i_syn_width, signed=True)[1],
        theta_top=limits(p.theta_width, signed=False)[1],
        trace_top=limits(p.trace_width, signed=False)[1],
        history_mark=1 << p.window_bits if p.window_bits else 0,
        step_shift=p.trace_width + arithmetic.GAIN_BITS - arithmetic.STEP_BITS,
        weight_mask=(1 << p.weight_width) - 1,
        digest_rounds=p.digest_rounds,
        digest_post=rows.post,
        digest_neurons=rows.neurons,
        digest_sources=rows.sources,
        digest_relays=rows.relays,
        digest_biases=rows.biases,
        digest_drifts=rows.drifts,
        weight_top=limits(p.weight_width, signed=True)[1],
        drift_top=limits(p.drift_width, signed=True)[1],
        sources=np.arange(p.n_sources, dtype=np.uint16),
        neurons=np.arange(p.n_neurons, dtype=np.uint16),
    )


def _checked(
    name: str, rows: npt.ArrayLike, columns: Sequence[tuple[str, int, int]]
) -> kernels.Int64:
    """Return a table of events whose columns have these names, least and largest values."""
    table = np.asarray(rows, np.int64)
    if table.size == 0:
        table = table.reshape(0, len(columns))
    if table.ndim != 2 or table.shape[1] != len(columns):
        raise InvalidInput(f"{name} must have shape (k, {len(columns)}), not {table.shape}")
    for values, (what, low, high) in zip(table.T, columns, strict=True):
        wrong = values[(values < low) | (values > high)]
        if wrong.size:
            raise InvalidInput(f"the {what} of an event must be in {low}…{high}, not {wrong[0]}")
    return table


def _biases(events: kernels.Int64) -> tuple[Any, ...]:
    """Return `kernels.Biases` of bias events."""
    tick, neuron, bias = np.ascontiguousarray(events.T)
    return tuple(
        kernels.Biases(tick, neuron.astype(np.int32), bias.astype(np.int32), schedule.BIAS)
    )


def _zeros(params: CoreParams, array: Variable) -> npt.NDArray[Any]:
    if array.per is Per.RELAY_WORD:
        return np.zeros(array.shape_in(params) if params.n_relays else 0, np.uint32)
    of_table = array.name in _ON_TABLE and array.name not in kernels.State._fields
    shape: tuple[int, ...] = array.shape_in(params)
    if of_table and not array.is_built(params):
        shape = (0,)
    if array.space is Space.SYNAPSE_DELAY:
        return np.zeros(shape, np.int8)
    if array.space is Space.WEIGHT:
        return _weights(params, shape)
    return np.zeros(shape, np.bool_ if array.is_flag else np.int32)


def _scratch(params: CoreParams) -> dict[str, npt.NDArray[Any]]:
    """Return the scratch arrays that a tick works with beside the arrays of the core."""
    p = params
    return {
        "plastic_by_neuron": np.zeros(
            (0, 0) if p.has_projections else (p.n_neurons, p.n_sources), np.bool_
        ),
        "row_learns": np.zeros(p.n_sources, np.bool_),
        "column_learns": np.zeros(p.n_neurons, np.bool_),
        "held": np.zeros(p.n_neurons, np.bool_),
        "fired": np.zeros(p.n_neurons, np.int32),
        "potential": np.zeros(p.n_neurons, np.int32),
        "step_pre": np.zeros(p.n_neurons, np.int32),
        "step_post": np.zeros(p.n_sources, np.int32),
        "row_noise": np.zeros(p.n_neurons, np.uint16),
        "column_noise": np.zeros(p.n_sources, np.uint16),
        "column": _weights(p, (p.n_sources,)),
    }


def _weights(params: CoreParams, shape: tuple[int, ...]) -> hashing.Weights:
    return np.zeros(shape, np.int8) if params.weight_width <= 8 else np.zeros(shape, np.int16)


def _table(
    params: CoreParams, arrays: dict[str, npt.NDArray[Any]], rules: npt.NDArray[np.int32],
    rows: Rows,
) -> tuple[Any, ...]:  # fmt: skip
    """Return `kernels.Table` of a core with projections."""
    fields = {name: array for name, array in arrays.items() if name in kernels.Table._fields}
    longest = max(params.n_sources, params.n_neurons)
    return tuple(
        kernels.Table(
            **fields,
            **rows._asdict(),
            line_weight=_weights(params, (longest,)),
            line_plastic=np.zeros(longest, np.bool_),
            line_change=np.zeros(longest, np.int32),
            arrived=owed.wide(params.n_neurons, params.weight_width <= 8),
            rules=rules,
            active=np.zeros(params.n_projections, np.int32),
            relays_due=np.zeros(params.relay_words, np.uint32),
            relays_listed=np.zeros(params.n_relays, np.int32),
            lanes=params.lanes,
            ring_ticks=1 << params.synapse_delay_width,
        )
    )


def _schedules(
    params: CoreParams, arrays: dict[str, npt.NDArray[Any]]
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return `kernels.Schedule` of a core whose columns do not learn, and of one whose do."""
    p = params
    spike = [schedule.spike_cycle(p, j) for j in range(p.n_neurons)]
    if p.has_projections:
        rows, columns, constant = _walked_cycles(p, arrays)
    else:
        rows = np.full(p.n_sources, p.row_groups, np.int64)
        columns = np.full(p.n_neurons, schedule.column_cycles(p), np.int64)
        constant = np.zeros(0, np.int64)
    whole = kernels.Schedule(
        row=rows,
        column=columns,
        constant=constant,
        lead=schedule.lead_cycles(p),
        with_rows=schedule.deliver_cycles(p, 1) - schedule.lead_cycles(p) - 1,
        without_rows=schedule.due_cycles(p, any_row=False),
        with_constant=schedule.sweep_cycles(p),
        repeat=schedule.repeat_cycles(p),
        with_columns=schedule.learn_cycles(p, 1) - 1,
        update_and_end=schedule.update_cycles(p) + schedule.END,
        spike=np.array(spike, np.int64),
    )
    return tuple(whole._replace(column=np.zeros_like(columns))), tuple(whole)


def _walked_cycles(
    params: CoreParams, arrays: dict[str, npt.NDArray[Any]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the cycles of the rows of each source, the columns of each neuron, and the constant.

    The last are those of each projection, if it is constant.
    """
    top, lanes = params.n_projections, params.lanes
    targets, order = arrays["projection_targets"].tolist(), arrays["column_order"].tolist()
    in_rows = _row_blocks(params, arrays)
    in_columns = arrays["projection_sources"].tolist()
    # A table that the host has written in part may name projections that there are not.
    walks = [[k for k in walked(w) if k < top] for w in arrays["row_projections"].tolist()]
    rows = [[int(in_rows[k][i]) for k in walks[i // lanes]] for i in range(params.n_sources)]
    relays = arrays["relay_count"].tolist() if params.n_relays else [0] * params.n_sources
    columns = [
        schedule.walked_cycles(
            [in_columns[order[k]] for k in walked(walk) if k < top and order[k] < top]
        )
        for walk in arrays["column_projections"].tolist()
    ]
    constant = [schedule.walked_cycles([each]) for each in targets]
    return (
        np.array(
            [schedule.walked_cycles(rows[i], relays[i]) for i in range(params.n_sources)], np.int64
        ),
        np.repeat(np.array(columns, np.int64), lanes),
        np.array(constant, np.int64),
    )


def _row_blocks(
    params: CoreParams, arrays: dict[str, npt.NDArray[Any]]
) -> list[npt.NDArray[np.int64]]:
    """Return for each projection the blocks of the row of every source, shape (n_sources,)."""
    kind, targets = arrays["projection_kind"], arrays["projection_targets"]
    blocks = [
        np.full(params.n_sources, targets[k] * (kind[k] == ProjectionKind.DENSE), np.int64)
        for k in range(params.n_projections)
    ]
    for k in np.flatnonzero(kind == ProjectionKind.SPARSE):
        first = arrays["projection_base"][k] - arrays["projection_source"][k] * params.lanes
        rows = first + np.arange(params.n_sources)
        exists = (rows >= 0) & (rows < params.sparse_rows)
        blocks[k][exists] = arrays["sparse_blocks"][rows[exists]]
    return blocks
