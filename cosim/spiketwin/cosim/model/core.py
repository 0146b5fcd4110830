"""`ModelCore`: the registers, parameters and state of one core, and the ticks it executes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spiketwin.cosim.model import hashing, kernels
from spiketwin.hdl.spec import arithmetic, schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS, ClearMask, limits, registers

_LOG_WORDS: Final = 1 << 18
"""Output words for which one call of the kernel keeps room, beyond one tick."""

_CLEARED: Final = {
    ClearMask.V: ("v",),
    ClearMask.I_SYN: ("i_syn",),
    ClearMask.REFRAC_COUNT: ("refrac_count",),
    ClearMask.PENDING: ("pending",),
    ClearMask.TRACES: ("trace_pre", "trace_post"),
    ClearMask.THETA: ("theta",),
}


@dataclass(frozen=True)
class Run:
    """What a number of ticks put out.

    Attributes
    ----------
    spikes:
        Shape (k, 2): tick and neuron of every spike, ascending.
    spike_cycles:
        Shape (k,): cycle since *Update* began at which each spike leaves.
    update_cycles:
        Shape (ticks,): cycle of each tick at which *Update* begins.
    cycles:
        Shape (ticks,): cycles of each tick.
    digests:
        Shape (ticks,): digest of each tick; None unless `digest_en` is 1.
    """

    spikes: npt.NDArray[np.int64]
    spike_cycles: npt.NDArray[np.int64]
    update_cycles: npt.NDArray[np.int64]
    cycles: npt.NDArray[np.int64]
    digests: npt.NDArray[np.uint32] | None


class ModelCore:
    """One core of the sizes `params`, all zero at first.

    The attributes bear the names of `spiketwin.hdl.spec.oracle.Oracle` and are numpy arrays:
    `threshold`, `v_reset`, `refrac_ticks`, `bias`, `v`, `i_syn`, `refrac_count`, `theta`,
    `trace_post` and `pending` (flags) have shape (n_neurons,), `trace_pre` (n_sources,), `weight`
    and `plastic` (n_sources, n_neurons). They may be written between runs, except `plastic`, which
    is set with `set_plastic`. `register` holds the registers by name; `tick` is the next tick.
    What saturates is always counted (`saturations`).
    """

    def __init__(self, params: CoreParams) -> None:
        p = self.params = params
        self.register = {r.name: 0 for r in registers(p)}
        self.tick = 0

        def vector() -> hashing.Int32:
            return np.zeros(p.n_neurons, np.int32)

        self.threshold, self.v_reset, self.refrac_ticks, self.bias = (vector() for _ in range(4))
        self.v, self.i_syn, self.refrac_count, self.theta = (vector() for _ in range(4))
        self.trace_post = vector()
        self.trace_pre = np.zeros(p.n_sources, np.int32)
        self.pending = np.zeros(p.n_neurons, np.bool_)
        self.weight = _weights(p, (p.n_sources, p.n_neurons))
        self._plastic = np.zeros((p.n_sources, p.n_neurons), np.bool_)
        self._plastic_changed = False
        self._state = kernels.State(
            weight=self.weight,
            plastic=self._plastic,
            plastic_by_neuron=np.zeros((p.n_neurons, p.n_sources), np.bool_),
            row_learns=np.zeros(p.n_sources, np.bool_),
            column_learns=np.zeros(p.n_neurons, np.bool_),
            threshold=self.threshold,
            v_reset=self.v_reset,
            refrac_ticks=self.refrac_ticks,
            bias=self.bias,
            v=self.v,
            i_syn=self.i_syn,
            refrac_count=self.refrac_count,
            theta=self.theta,
            trace_pre=self.trace_pre,
            trace_post=self.trace_post,
            pending=self.pending,
            held=np.zeros(p.n_neurons, np.bool_),
            potential=vector(),
            step_pre=vector(),
            step_post=np.zeros(p.n_sources, np.int32),
            row_noise=np.zeros(p.n_neurons, np.uint16),
            column_noise=np.zeros(p.n_sources, np.uint16),
            column=_weights(p, (p.n_sources,)),
        )
        self._arrays = tuple(self._state)
        self._saturations = np.zeros(len(SATURATIONS), np.int64)
        sizes = kernels.Sizes(
            n_axons=p.n_axons,
            neuron_lanes=p.neuron_lanes,
            max_words_per_tick=p.max_words_per_tick,
            learning=p.learning,
            v_top=limits(p.v_width, signed=True)[1],
            i_syn_top=limits(p.i_syn_width, signed=True)[1],
            theta_top=limits(p.theta_width, signed=False)[1],
            trace_top=limits(p.trace_width, signed=False)[1],
            step_shift=p.trace_width + arithmetic.GAIN_BITS - arithmetic.STEP_BITS,
            weight_mask=(1 << p.weight_width) - 1,
            digest_rounds=p.digest_rounds,
            sources=np.arange(p.n_sources, dtype=np.uint16),
            neurons=np.arange(p.n_neurons, dtype=np.uint16),
        )
        self._sizes = tuple(sizes)
        self._deliver_cycles = np.array(
            [schedule.deliver_cycles(p, n) for n in range(p.n_sources + 1)], np.int64
        )
        self._learn_cycles = np.array(
            [
                [schedule.learn_cycles(p, n, learns) for n in range(p.n_neurons + 1)]
                for learns in (False, True)
            ],
            np.int64,
        )
        self._spike_cycle = np.array(
            [schedule.spike_cycle(p, j) for j in range(p.n_neurons)], np.int64
        )

    @property
    def plastic(self) -> hashing.Flags:
        """Plastic flags, read-only."""
        view = self._plastic.view()
        view.flags.writeable = False
        return view

    @property
    def saturations(self) -> dict[str, int]:
        """What saturated since the last reset, by `registers.SATURATIONS`."""
        counts = self._saturations.tolist()
        return {c.name: n for c, n in zip(SATURATIONS, counts, strict=True)}

    def set_plastic(self, flags: npt.ArrayLike, start: int = 0) -> None:
        """Set plastic flags: `flags`, flattened, from element ``source * n_neurons + neuron`` on.

        The elements must be there.
        """
        values = np.ravel(flags)
        self._plastic.reshape(-1)[start : start + values.size] = values
        self._plastic_changed = True

    def clear(self, mask: ClearMask) -> None:
        """Set the state that `mask` names to 0."""
        for bit, names in _CLEARED.items():
            if mask & bit:
                for name in names:
                    getattr(self, name)[...] = 0

    def reset(self) -> None:
        """Set state, registers, `tick` and `saturations` to 0; all else stays."""
        self.clear(~ClearMask(0))
        self._saturations[:] = 0
        self.register = dict.fromkeys(self.register, 0)
        self.tick = 0

    def run(self, events: npt.ArrayLike, ticks: int) -> Run:
        """Execute `ticks` ticks in which axons spike.

        Parameters
        ----------
        events:
            Integers of shape (k, 2): tick (counted like `tick`) and axon, in any order; an axon
            named twice in a tick counts once.
        ticks:
            0 or more.

        Raises
        ------
        ValueError
            An event outside the ticks of this run, an axon that is not there, or a wrong shape.
        """
        if ticks < 0:
            raise ValueError(f"ticks must be 0 or more, not {ticks}")
        table = np.asarray(events, np.int64)
        if table.size == 0:
            table = table.reshape(0, 2)
        if table.ndim != 2 or table.shape[1] != 2:
            raise ValueError(f"events must have shape (k, 2), not {table.shape}")
        for column, name, low, high in (
            (table[:, 0], "tick", self.tick, self.tick + ticks - 1),
            (table[:, 1], "axon", 0, self.params.n_axons - 1),
        ):
            wrong = column[(column < low) | (column > high)]
            if wrong.size:
                raise ValueError(f"the {name} of an event must be in {low}…{high}, not {wrong[0]}")
        keys = np.unique(table[:, 0] << 16 | table[:, 1])
        event_tick, event_axon = keys >> 16, (keys & 0xFFFF).astype(np.int32)
        parts: list[Run] = []
        taken, end = 0, self.tick + ticks
        while self.tick < end or not parts:
            part, count = self.advance(
                event_tick[taken:], event_axon[taken:], end - self.tick, _LOG_WORDS
            )
            parts.append(part)
            taken += count
        if len(parts) == 1:
            return parts[0]
        digests = [part.digests for part in parts if part.digests is not None]
        return Run(
            spikes=np.concatenate([part.spikes for part in parts]),
            spike_cycles=np.concatenate([part.spike_cycles for part in parts]),
            update_cycles=np.concatenate([part.update_cycles for part in parts]),
            cycles=np.concatenate([part.cycles for part in parts]),
            digests=np.concatenate(digests) if digests else None,
        )

    def advance(
        self, event_tick: kernels.Int64, event_axon: hashing.Int32, ticks: int, room: int
    ) -> tuple[Run, int]:
        """Execute up to `ticks` ticks while `room` output words hold those of one more.

        Parameters
        ----------
        event_tick, event_axon:
            Events of legal axons, ascending strictly by (tick, axon), none before `tick`.
        ticks:
            0 or more.
        room:
            Output words that may be produced.

        Returns
        -------
        The ticks executed, and the number of events they took.
        """
        p = self.params
        if self._plastic_changed:
            self._arrange_plastic()
        # Each tick takes two words at least, each word of spikes reports `neuron_lanes` at most.
        most_ticks = min(ticks, room // 2)
        most_spikes = min(room * p.neuron_lanes, most_ticks * p.n_neurons)
        log = kernels.Log(
            active=np.empty(most_ticks, np.int32),
            fired=np.empty(most_ticks, np.int32),
            spike_tick=np.empty(most_spikes, np.int64),
            spike_neuron=np.empty(most_spikes, np.int32),
            saturations=self._saturations,
        )
        register = self.register.get
        settings = tuple([register(name, 0) for name in kernels.Settings._fields])
        digests = np.empty(most_ticks, np.uint32) if register("digest_en", 0) else None
        done, spikes, events = kernels.run_ticks(
            self._arrays, settings, self._sizes, self.tick, most_ticks, room,
            event_tick, event_axon, tuple(log), digests,
        )  # fmt: skip
        self.tick += done
        neurons = log.spike_neuron[:spikes]
        update_cycles = self._deliver_cycles[log.active[:done]]
        rest = schedule.update_cycles(p) + schedule.END
        learns = int(register("learn_post", 0) and self._state.column_learns.any())
        run = Run(
            spikes=np.stack([log.spike_tick[:spikes], neurons], axis=1, dtype=np.int64),
            spike_cycles=self._spike_cycle[neurons],
            update_cycles=update_cycles,
            cycles=update_cycles + rest + self._learn_cycles[learns][log.fired[:done]],
            digests=digests if digests is None else digests[:done],
        )
        return run, events

    def _arrange_plastic(self) -> None:
        """Derive what the kernel needs of the plastic flags."""
        s = self._state
        s.plastic_by_neuron[...] = s.plastic.T
        s.row_learns[...] = s.plastic.any(axis=1)
        s.column_learns[...] = s.plastic.any(axis=0)
        self._plastic_changed = False


def _weights(params: CoreParams, shape: tuple[int, ...]) -> hashing.Weights:
    return np.zeros(shape, np.int8) if params.weight_width <= 8 else np.zeros(shape, np.int16)
