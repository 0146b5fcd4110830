"""The controller: the phases of a tick, as `spec.schedule` has them, and when a tick begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams


class Controller(wiring.Component):
    """The state machine of the core: the phases of a tick, tick after tick while a run lasts.

    Members
    -------
    run_until, stop, tick:
        As in `interface.CoreSignature`.
    restart_stb:
        In, the tick becomes 0.
    set_tick_stb, set_tick:
        As in `interface.CoreSignature`.
    real_time, due:
        In, ticks have a period, and the next one is due.
    room, muted_due:
        In, there is room for the words of a tick; a word about muted ticks is due and has room.
    clearing:
        In, state is being cleared.
    digest_pending:
        In, with a digest: a digest is not reported yet.
    wiped:
        In, with `single_port_weights`: the contents of the weight memory are defined.
    learns:
        In, with learning: neurons that fire cause columns.
    probes_due, probes_over:
        In, with probes: the tick reports them; the last cycle of that.
    axon_repeats, row_repeats:
        In, with learning: the axon that is due, or with projections the row that waits, is that of
        the row before.
    axon_due, axons_settled:
        In, an axon is active in this tick; `axon_due` is final, as no event is on its way.
    bias_due:
        In, with bias events: one of this tick is due, and final as `axon_due` is.
    neuron_valid, any_fired:
        In, a neuron that fired is at the output of the list; at least one neuron fired.
    is_first, last_of_row, last_of_column, word_over:
        In, without projections: the place of the block that is issued (`blocks.Blocks`).
    row_valid, rows_over, row_last:
        In, with projections: a row or column waits; there is no further one (`walker.Walker`); the
        last cycle of a row or column (`walked_blocks.WalkedBlocks`).
    free:
        Out, the controller is idle, and has nothing to report.
    run_stb:
        Out, the first cycle of a run.
    start_stb, end_stb:
        Out, the cycle before a tick, in which it is decided on, and the last cycle of a tick.
    muted_stb:
        Out, report the number of muted ticks.
    tick_stb, update_stb:
        Out, the first cycle of a tick, and of *Update*; from flip-flops, as the fan-out is large.
    updating, in_columns:
        Out, *Update*, or *Learn*, is under way; likewise from flip-flops.
    take_axon_stb, take_neuron_stb:
        Out, without projections: the row of this axon, or the row or column of this neuron, begins.
    issue, row_stb:
        Out, likewise: a block of synapses enters the lane pipeline, and is the first one of a row.
    walk_stb, skip_stb:
        Out, with projections: prepare rows or columns; no source is active in this tick.
    sweep_stb:
        Out, with projections: prepare the rows of constant projections.
    due_stb:
        Out, with synapse delays: add the currents that are due.
    take_row_stb, streaming:
        Out, with projections: the next row or column begins; one is under way.
    take_bias_stb, biases_over:
        Out, with bias events: the one that is due is applied; all of this tick were handled.
    rewind_stb:
        Out, the list of the neurons that fired goes back to its first one.
    axons_over:
        Out, without projections: all axons of this tick were handled.
    tick_end_stb:
        Out, `tick` becomes the next one.
    probe_stb:
        Out, with probes: report them from the next cycle on.
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        inputs = [
            "stop", "restart_stb", "set_tick_stb", "real_time", "due", "room", "muted_due",
            "clearing", "axon_due", "axons_settled", "neuron_valid", "any_fired",
        ]  # fmt: skip
        inputs += ["digest_pending"] * (p.digest_rounds > 0)
        inputs += ["wiped"] * p.single_port_weights + ["learns"] * p.learning
        outputs = [
            "free", "run_stb", "start_stb", "end_stb", "muted_stb", "tick_stb", "update_stb",
            "updating", "in_columns", "rewind_stb", "tick_end_stb",
        ]  # fmt: skip
        if p.probe_ranges:
            inputs += ["probes_due", "probes_over"]
            outputs += ["probe_stb"]
        if p.bias_events:
            inputs += ["bias_due"]
            outputs += ["take_bias_stb", "biases_over"]
        if p.has_projections:
            inputs += ["row_valid", "rows_over", "row_last", "counted"]
            inputs += ["relays_active"] * (p.n_relays > 0) + ["row_repeats"] * p.learning
            outputs += ["walk_stb", "skip_stb", "sweep_stb", "take_row_stb", "streaming"]
            outputs += ["due_stb"] * p.has_synapse_delays
        else:
            inputs += ["is_first", "last_of_row", "last_of_column", "word_over"]
            inputs += ["axon_repeats"] * p.learning
            outputs += ["take_axon_stb", "take_neuron_stb", "issue", "row_stb", "axons_over"]
        super().__init__(
            {
                "run_until": In(32),
                "set_tick": In(32),
                "tick": Out(32),
                **{name: In(1) for name in inputs},
                **{name: Out(1) for name in outputs},
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        # `tick` becomes the next one a cycle before the last cycle of a tick, so this comparison
        # can be registered. As `tick` never passes `run_until`, a test for equality is enough,
        # which needs no carry chain.
        self._running = Signal()
        self._ran = Signal()  # not in the first cycle of a run, in which its seed is fetched
        self._count = Signal(range(max(p.neuron_groups, p.n_sources) + 32))
        self._last = Signal()
        m.d.comb += [
            self.run_stb.eq(self._running & ~self._ran),
            self._last.eq(self._count == 0),
        ]
        m.d.sync += [
            self._running.eq((self.tick != self.run_until) & ~self.stop),
            self._ran.eq(self._running),
            self._count.eq(self._count - 1),
            self.tick_stb.eq(0),
            self.update_stb.eq(0),
        ]
        with m.FSM():
            if p.single_port_weights:
                with m.State("WIPE"), m.If(self.wiped):
                    m.next = "WAIT"
            with m.State("WAIT"):
                self._wait(m)
            if p.has_projections:
                self._walked_rows(m)
            else:
                self._rows(m)
            with m.State("UPDATE"), m.If(self._last):
                self._leave_update(m)
            if p.has_projections:
                self._walked_columns(m)
            else:
                self._columns(m)
            if p.probe_ranges:
                with m.State("PROBES"), m.If(self.probes_over):
                    self._end(m)
            with m.State("END"):
                m.d.comb += self.end_stb.eq(1)
                m.next = "WAIT"
        with m.If(self.restart_stb):
            m.d.sync += self.tick.eq(0)
        with m.If(self.set_tick_stb):
            m.d.sync += self.tick.eq(self.set_tick)
        return m

    def _enter(self, m: Module, state: str, cycles: int, *flags: Signal) -> None:
        """Go on to a phase of a fixed number of cycles, and set flags from its first one on."""
        m.d.sync += [self._count.eq(cycles - 1), *(flag.eq(1) for flag in flags)]
        m.next = state

    def _wait(self, m: Module) -> None:
        """Begin a tick as soon as one may begin; report muted ticks before it, or after a run."""
        idle = ~self._running & ~self.clearing
        may_start = (
            self._running & self._ran & Mux(self.real_time, self.due, self.room) & ~self.clearing
        )
        digest_pending = self.digest_pending if self.params.digest_rounds else Const(0)
        m.d.comb += self.free.eq(idle & ~self.muted_due & ~digest_pending)
        with m.If(may_start):
            m.d.comb += [self.start_stb.eq(1), self.rewind_stb.eq(1)]
            self._enter(m, "LEAD", schedule.lead_cycles(self.params), self.tick_stb)
        with m.If(self.muted_due & (may_start | ~self._running)):
            m.d.comb += self.muted_stb.eq(1)

    @contextmanager
    def _biases_over(self, m: Module) -> Iterator[None]:
        """Go through the phase *lead* again for each bias event; do the rest when there is none."""
        if not self.params.bias_events:
            yield
            return
        with m.If(self.bias_due):
            m.d.comb += self.take_bias_stb.eq(1)
            self._enter(m, "LEAD", schedule.BIAS)
        with m.Else():
            m.d.sync += self.biases_over.eq(1)
            yield

    # --- rows ----------------------------------------------------------------------------------

    def _rows(self, m: Module) -> None:
        with m.State("LEAD"), m.If(self._last), self._biases_over(m):
            self._next_row(m, after_rows=False)
        with m.State("ROW_WAIT"):
            # This state is only reached at a fixed tick period, if an event has just arrived.
            with m.If(self.word_over):
                self._next_row(m, after_rows=True)
        with m.State("ROWS"):
            m.d.comb += [self.issue.eq(1), self.row_stb.eq(self.is_first)]
            with m.If(self.last_of_row):
                self._next_row(m, after_rows=True)
        if self.params.learning:
            with m.State("ROW_REPEAT"), m.If(self._last):
                self._take_axon(m)
        with m.State("ROW_DRAIN"), m.If(self._last):
            self._enter_update(m)

    def _next_row(self, m: Module, *, after_rows: bool) -> None:
        """Take the next active source, if there is one; wait if that is not known yet."""
        with m.If(self.axon_due):
            self._take_axon(m)
            if self.params.learning and after_rows:
                with m.If(self.axon_repeats):
                    self._await_weights(m)
        # In a free-running core all events of a tick have arrived before it begins. An event that
        # arrives now belongs to a later tick, and must not cost this one a cycle.
        with m.Elif(self.real_time & ~self.axons_settled):
            m.next = "ROW_WAIT"
        with m.Elif(self.neuron_valid):
            m.d.comb += self.take_neuron_stb.eq(1)
            m.d.sync += self.axons_over.eq(1)
            m.next = "ROWS"
        with m.Else():
            m.d.sync += self.axons_over.eq(1)
            if after_rows:
                self._enter(m, "ROW_DRAIN", schedule.row_drain(self.params))
            else:
                self._enter_update(m)

    def _take_axon(self, m: Module) -> None:
        m.d.comb += self.take_axon_stb.eq(1)
        m.next = "ROWS"

    def _await_weights(self, m: Module) -> None:
        """Take no axon yet: weights of its row are still on their way to memory."""
        m.d.comb += self.take_axon_stb.eq(0)
        self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT)

    # --- rows and columns of projections -------------------------------------------------------

    def _walked_rows(self, m: Module) -> None:
        p, walks = self.params, Signal()
        with m.State("LEAD"), m.If(self._last), self._biases_over(m):
            relays = self.relays_active if p.n_relays else Const(0)
            awaited = self.real_time & ~self.axons_settled
            any_row = self.axon_due | self.neuron_valid | relays | awaited
            m.d.comb += [self.walk_stb.eq(any_row), self.skip_stb.eq(~any_row)]
            if p.has_synapse_delays:
                # Meanwhile the first row is prepared.
                m.d.comb += self.due_stb.eq(1)
                m.d.sync += walks.eq(any_row)
                self._enter(m, "DUE", schedule.due_cycles(p, any_row=False))
                with m.If(any_row):
                    self._enter(m, "DUE", schedule.due_cycles(p, any_row=True))
            else:
                m.next = "ROW_WAIT"
                with m.If(~any_row):
                    self._enter_update(m)
        if p.has_synapse_delays:
            with m.State("DUE"), m.If(self._last):
                self._take_or_await_row(m, "ROW", schedule.row_drain(p))
                with m.If(~walks):
                    self._enter_update(m)
        self._walk(m, "ROW", schedule.row_drain(p))
        if p.learning:
            with m.State("ROW_REPEAT"), m.If(self._last):
                m.d.comb += self.take_row_stb.eq(1)
                m.next = "ROWS"
        with m.State("ROW_DRAIN"), m.If(self._last):
            self._enter_update(m)

    def _walked_columns(self, m: Module) -> None:
        with m.State("COLUMN_LEAD"), m.If(self._last):
            m.d.comb += self.walk_stb.eq(1)
            m.next = "COLUMN_WAIT"
        self._walk(m, "COLUMN", schedule.COLUMN_DRAIN)
        with m.State("COLUMN_DRAIN"), m.If(self._last):
            m.d.sync += self.in_columns.eq(0)
            self._report(m)

    def _walk(self, m: Module, name: str, drain: int) -> None:
        """Let one row or column after the other stream, until there is none."""
        with m.State(f"{name}_WAIT"):
            self._take_or_await_row(m, name, drain)
        with m.State(f"{name}S"):
            m.d.comb += self.streaming.eq(1)
            with m.If(self.row_last):
                self._take_or_await_row(m, name, drain)

    def _take_or_await_row(self, m: Module, name: str, drain: int) -> None:
        """Take the next row, or wait for it, or go on if there is none."""
        with m.If(self.row_valid):
            self._take_row(m, name)
        with m.Elif(self.rows_over):
            self._after_rows(m, name, drain)
        with m.Else():
            m.next = f"{name}_WAIT"

    def _take_row(self, m: Module, name: str) -> None:
        """Let the next row or column stream, once the weights of the row before are in memory."""
        m.d.comb += self.take_row_stb.eq(1)
        m.next = f"{name}S"
        if self.params.learning and name == "ROW":
            with m.If(self.row_repeats):
                m.d.comb += self.take_row_stb.eq(0)
                self._enter(m, "ROW_REPEAT", schedule.ROW_REPEAT)

    def _after_rows(self, m: Module, name: str, drain: int) -> None:
        """Go on to constant projections, if any have active sources, and then to the next phase."""
        with m.If(self.counted):
            m.d.comb += self.sweep_stb.eq(1)
            m.next = f"{name}_WAIT"
        with m.Else():
            self._enter(m, f"{name}_DRAIN", drain)

    # --- update and columns --------------------------------------------------------------------

    def _enter_update(self, m: Module) -> None:
        cycles = schedule.update_cycles(self.params)
        self._enter(m, "UPDATE", cycles, self.updating, self.update_stb)

    def _leave_update(self, m: Module) -> None:
        m.d.comb += self.rewind_stb.eq(1)
        m.d.sync += self.updating.eq(0)
        learns = self.learns if self.params.learning else Const(0)
        with m.If(learns & self.any_fired):
            self._enter(m, "COLUMN_LEAD", schedule.COLUMN_LEAD, self.in_columns)
        with m.Else():
            self._report(m)

    def _columns(self, m: Module) -> None:
        with m.State("COLUMN_LEAD"), m.If(self._last):
            self._next_column(m)
        with m.State("COLUMNS"):
            m.d.comb += self.issue.eq(1)
            with m.If(self.last_of_column):
                self._next_column(m)
        with m.State("COLUMN_DRAIN"), m.If(self._last):
            m.d.sync += self.in_columns.eq(0)
            self._report(m)

    def _report(self, m: Module) -> None:
        """Go on to the probes, if the tick reports any, or to its last cycle."""
        if not self.params.probe_ranges:
            self._end(m)
            return
        with m.If(self.probes_due):
            m.d.comb += self.probe_stb.eq(1)
            m.next = "PROBES"
        with m.Else():
            self._end(m)

    def _next_column(self, m: Module) -> None:
        with m.If(self.neuron_valid):
            m.d.comb += self.take_neuron_stb.eq(1)
            m.next = "COLUMNS"
        with m.Else():
            self._enter(m, "COLUMN_DRAIN", schedule.COLUMN_DRAIN)

    def _end(self, m: Module) -> None:
        """Go on to the last cycle of the tick."""
        m.d.comb += self.tick_end_stb.eq(1)
        m.d.sync += self.tick.eq(self.tick + 1)
        if not self.params.has_projections:
            m.d.sync += self.axons_over.eq(0)
        if self.params.bias_events:
            m.d.sync += self.biases_over.eq(0)
        m.next = "END"
