"""The core: memories, units, and the controller that runs the phases of a tick.

::

    events ─► AxonEvents ─┐                      ┌──────► WeightMemory
                          ├─► controller ─► Synapses ◄──► i_syn, trace_pre, trace_post
    ┌─► FiredNeurons ─────┘        │              ▲
    │                              │          NoiseKey
    └──── spikes ◄── Neurons ◄─────┼──► SourceTraces
                        │          │
                        └────► words (queue)

The controller's states are the phases of `spec.schedule`; the memories belong to one unit in each
phase, and to the link while the core is idle.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value, ValueLike, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import connect
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core import neurons, traces, weights
from spiketwin.hdl.gateware.core.digest import Digest
from spiketwin.hdl.gateware.core.interface import CoreSignature
from spiketwin.hdl.gateware.core.neurons import Neurons
from spiketwin.hdl.gateware.core.noise import NoiseKey
from spiketwin.hdl.gateware.core.pipeline import Delay, times
from spiketwin.hdl.gateware.core.register_file import RegisterFile
from spiketwin.hdl.gateware.core.saturations import SaturationCounters
from spiketwin.hdl.gateware.core.single_port_weights import SinglePortWeights
from spiketwin.hdl.gateware.core.sources import AxonEvents, FiredNeurons
from spiketwin.hdl.gateware.core.state_memory import StateMemory
from spiketwin.hdl.gateware.core.streams import MemoryQueue, Queue
from spiketwin.hdl.gateware.core.synapses import Synapses
from spiketwin.hdl.gateware.core.traces import SourceTraces
from spiketwin.hdl.gateware.core.weights import WeightMemory
from spiketwin.hdl.spec import protocol, schedule
from spiketwin.hdl.spec.params import DIGEST_WORDS, CoreParams
from spiketwin.hdl.spec.registers import PENDING_MASK_BITS, SATURATIONS, ClearMask, Space

LINK_CYCLES = weights.LINK_LATENCY + 3
"""Cycles in which an element reaches the link: the slowest memory, and two registers."""

CLEARED = {
    Space.V: ClearMask.V,
    Space.I_SYN: ClearMask.I_SYN,
    Space.REFRAC_COUNT: ClearMask.REFRAC_COUNT,
    Space.TRACE_PRE: ClearMask.TRACES,
    Space.TRACE_POST: ClearMask.TRACES,
    Space.THETA: ClearMask.THETA,
}


class Core(wiring.Component):
    """One core of the sizes `params`; the members are those of `interface.CoreSignature`."""

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__(CoreSignature(params))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        self._units(m)
        self._queues(m)
        self._link_access(m)
        self._fetches(m)
        self._controller(m)
        self._connect_neurons(m)
        self._connect_synapses(m)
        if p.learning:
            self._connect_traces(m)
        if p.digest_rounds:
            self._connect_digest(m)
        if p.saturation_counters:
            self._count_saturations(m)
        return m

    # --- what there is -------------------------------------------------------------------------

    def _units(self, m: Module) -> None:
        p = self.params
        m.submodules.registers = self.registers = RegisterFile(p)
        self.weights: wiring.Component = (
            SinglePortWeights(p) if p.single_port_weights else WeightMemory(p)
        )
        m.submodules.weights = self.weights
        m.submodules.neurons = self.neurons = Neurons(p)
        m.submodules.synapses = self.synapses = Synapses(p)
        m.submodules.axons = self.axons = AxonEvents(p)
        m.submodules.fired = self.fired = FiredNeurons(p)
        if p.learning:
            m.submodules.source_traces = self.source_traces = SourceTraces(p)
            m.submodules.noise_key = self.noise_key = NoiseKey()
        if p.digest_rounds:
            m.submodules.digest = self.digest = Digest(p)
        ports = neurons.ports(p)
        if p.learning:
            ports[Space.TRACE_PRE] = traces.port(p)
        self.vectors = {space: StateMemory(port) for space, port in ports.items()}
        for space, vector in self.vectors.items():
            m.submodules[space.name.lower()] = vector
        # The phase under way. These are flip-flops, since much hangs on them.
        self.updating = Signal()
        self.update_stb = Signal()
        self.in_columns = Signal()
        self.row_stb = Signal()
        self.start_stb = Signal()
        self.tick_stb = Signal()
        self.end_stb = Signal()
        self.run_stb = Signal()

    def _queues(self, m: Module) -> None:
        """Axon events in, output words out. A reset empties both, a stop drops the events."""
        p = self.params
        # A cycle late, straight from a flip-flop: everything in the core hangs on it.
        self.restart_stb = Signal()
        m.d.sync += self.restart_stb.eq(self.reset_stb)
        self.drop_events = Signal()
        m.d.sync += self.drop_events.eq(self.reset_stb | (self.stop & self.idle))
        events = MemoryQueue(len(self.events.p.as_value()), p.event_queue_depth)
        words = Queue(32, p.spike_queue_depth)
        m.submodules.event_queue = ResetInserter({"sync": self.drop_events})(events)
        m.submodules.word_queue = ResetInserter({"sync": self.restart_stb})(words)
        m.d.comb += [
            events.write.payload.eq(self.events.payload),
            events.write.valid.eq(self.events.valid),
            self.events.ready.eq(events.write.ready),
            self.axons.events.payload.eq(events.read.payload),
            self.axons.events.valid.eq(events.read.valid),
            events.read.ready.eq(self.axons.events.ready),
            self.words.payload.eq(words.read.payload),
            self.words.valid.eq(words.read.valid),
            words.read.ready.eq(self.words.ready),
            self.word_level.eq(words.level),
        ]
        arrives = self.events.valid & self.events.ready
        m.d.sync += self.event_level.eq(self.event_level + arrives - self.axons.gone_stb)
        with m.If(self.drop_events):
            m.d.sync += self.event_level.eq(0)
        self.push = Signal()
        self.word = Signal(32)
        self.room = Signal()
        m.d.sync += [words.write.payload.eq(self.word), words.write.valid.eq(self.push)]
        # What the queue can take beyond the words of a tick: the decision is its sign.
        most = p.spike_queue_depth - p.max_words_per_tick
        spare = Signal(range(-p.max_words_per_tick, most + 1), init=most)
        self.charge = Signal(range(3 + (DIGEST_WORDS if p.digest_rounds else 0)))
        taken = self.words.valid & self.words.ready
        m.d.sync += spare.eq(spare + taken - self.charge)
        with m.If(self.restart_stb):
            m.d.sync += spare.eq(most)
        m.d.comb += self.room.eq(spare >= 0)

    # --- the link's way in ---------------------------------------------------------------------

    def _link_access(self, m: Module) -> None:
        """One element at a time, while the core is idle; and *Clear*."""
        p, memory = self.params, self.memory
        self.new_grid_stb = Signal()
        self.clearing = Signal()
        sweep = max(p.neuron_groups, p.column_groups, len(self.registers.table))
        self.clear_word = Signal(range(sweep))
        clear_mask = Signal(len(ClearMask))
        resetting = Signal()  # registers too are set to 0
        link = Signal()
        self.free = Signal()  # the core has nothing to do
        self.fetching = Signal()  # a register for the tick
        m.d.sync += [
            self.idle.eq(self.free & ~self.clear_stb),
            link.eq(self.free | self.clear_stb | self.clearing),
        ]

        cycle = Signal(range(LINK_CYCLES + 1))
        last = Signal()
        m.d.comb += last.eq(cycle == LINK_CYCLES)
        m.d.comb += self.memory.done.eq(last)
        # A register that is fetched for the tick keeps the link waiting for its own.
        with m.If(last | ~memory.valid | self.fetching):
            m.d.sync += cycle.eq(0)
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)
        nearly = cycle == LINK_CYCLES - 1
        store = Signal()
        m.d.comb += store.eq(memory.valid & memory.write & nearly)
        # Strobes and addresses reach the memories a cycle late, from flip-flops.

        def addressed(space: Space) -> Value:
            return Value.cast(memory.space == space)

        registers = self.registers
        tick_period = [register.name for register in registers.table].index("tick_period")
        stored: dict[Space, Value] = {Space.REGISTER: registers.stored}
        element = Signal.like(memory.column)
        value = Signal(32)  # to store; else 0
        with m.If(memory.valid & memory.write & ~self.clearing):
            m.d.sync += value.eq(memory.w_data)
        with m.Else():
            m.d.sync += value.eq(0)
        m.d.sync += [
            element.eq(Mux(self.clearing, self.clear_word, memory.column)),
            registers.write_stb.eq((store & addressed(Space.REGISTER)) | resetting),
        ]
        m.d.comb += [
            registers.address.eq(element),
            registers.value.eq(value),
            self.new_grid_stb.eq(registers.write_stb & (element == tick_period)),
        ]
        for space, vector in self.vectors.items():
            m.d.comb += [
                vector.link.eq(link),
                vector.value.eq(value),
            ]
            m.d.sync += [
                vector.shown.eq(~link | addressed(space)),
                vector.write_stb.eq(store & addressed(space)),
                vector.element.eq(
                    Mux(self.clearing, self.clear_word << exact_log2(vector.lanes), memory.column)
                ),
            ]
            if space in CLEARED:
                bit = exact_log2(CLEARED[space])
                m.d.sync += vector.clear_stb.eq(self.clearing & clear_mask[bit])

        # Weight and flag share a word: the one not written is written back as it was.
        m.d.comb += [
            self.weights.link.eq(link),
            self.weights.row.eq(memory.row),
            self.weights.neuron.eq(memory.column),
            self.weights.value.eq(self.weights.stored),
        ]
        stores_synapse = addressed(Space.WEIGHT)
        stored[Space.WEIGHT] = self.weights.stored.weight
        with m.If(addressed(Space.WEIGHT)):
            m.d.comb += self.weights.value.weight.eq(memory.w_data)
        if p.learning:
            stores_synapse |= addressed(Space.PLASTIC)
            stored[Space.PLASTIC] = self.weights.stored.plastic
            with m.If(addressed(Space.PLASTIC)):
                m.d.comb += self.weights.value.plastic.eq(memory.w_data)
            # How many flags are set: where none is, *Learn* has nothing to do. Flags outlive a
            # reset of the clock domain if they are not wiped by it, and so does their number.
            self.plastic_count = Signal(
                range(p.n_sources * p.n_neurons + 1), reset_less=not p.single_port_weights
            )
            is_set, was_set = self.weights.value.plastic, self.weights.stored.plastic
            with m.If(self.weights.store_stb & (is_set != was_set)):
                m.d.sync += self.plastic_count.eq(self.plastic_count + Mux(was_set, -1, 1))
        m.d.sync += self.weights.store_stb.eq(store & stores_synapse)

        fired = self.fired
        m.d.comb += [
            fired.link.eq(link),
            fired.place.eq(memory.column),
            self.pending_groups.eq(fired.count),
        ]
        m.d.sync += fired.store_stb.eq(store & addressed(Space.PENDING))
        entry = fired.stored.mask | (fired.stored.group << PENDING_MASK_BITS)
        stored[Space.PENDING] = Mux(memory.column < fired.count, entry, 0)

        # What is not addressed is 0. Four vectors share a register, so that a bit of theirs takes
        # one logic cell on its way. While a unit has them, the link sees registers alone.
        others = [Mux(addressed(space), value, 0) for space, value in stored.items()]
        parts = [rest := Signal(signed(32), name="rest")]
        m.d.sync += rest.eq(reduce(or_, others))
        vectors = [vector.stored for vector in self.vectors.values()]
        for k in range(0, len(vectors), 4):
            parts.append(part := Signal(signed(32), name=f"part_{k}"))
            with m.If(addressed(Space.REGISTER)):
                m.d.sync += part.eq(0)
            with m.Else():
                m.d.sync += part.eq(reduce(or_, vectors[k : k + 4]))
        # It stays until the next element: a register that is fetched does not show here.
        with m.If(nearly):
            m.d.sync += memory.r_data.eq(reduce(or_, parts))

        with m.If(self.clear_stb):
            m.d.sync += [
                self.clearing.eq(1),
                self.clear_word.eq(0),
                clear_mask.eq(self.clear_mask),
                resetting.eq(self.reset_stb),
            ]
        with m.Elif(self.clearing):
            m.d.sync += self.clear_word.eq(self.clear_word + 1)
            with m.If(self.clear_word == sweep - 1):
                m.d.sync += [self.clearing.eq(0), resetting.eq(0)]
        self.forget_fired = Signal()
        m.d.comb += self.forget_fired.eq(self.clearing & clear_mask[exact_log2(ClearMask.PENDING)])

    def _fetches(self, m: Module) -> None:
        """Registers that are in memory alone: `fetched` tells when each is there."""
        registers, learning = self.registers, self.params.learning
        began = Delay(m, "began", self.tick_stb, 2)
        updating = Delay(m, "updating", self.update_stb, 1)
        # Rows and columns are long after the beginnings of tick and *Update*; a tick that may begin
        # in the next cycle needs the seed.
        moments = {"tick_period": began[2]}
        if learning:
            moments |= {
                "seed": self.end_stb | self.run_stb,
                "pre_gain": began[0],
                "pre_offset": began[1],
                "post_gain": updating[0],
                "post_offset": updating[1],
            }
        self.fetched: dict[str, Signal] = {}
        for name, moment in moments.items():
            self.fetched[name] = Signal(name=f"{name}_fetched")
            m.d.comb += getattr(registers, f"{name}_stb").eq(moment)
            m.d.sync += self.fetched[name].eq(moment)
        m.d.comb += self.fetching.eq(reduce(or_, moments.values()))

    # --- the phases of a tick ------------------------------------------------------------------

    def _controller(self, m: Module) -> None:
        p = self.params
        registers, axons, fired = self.registers, self.axons, self.fired
        lane_bits = exact_log2(p.lanes)

        tick = self.tick
        cycle = Signal(protocol.WORD_COUNT_BITS)
        # Whether the next tick begins is known before: the tick counts a cycle before its end. It
        # never passes where the run ends, and whether both are the same takes no carries.
        running = Signal()
        ran = Signal()  # not in the first cycle of a run, in which its seed is fetched
        m.d.sync += [
            running.eq((tick != self.run_until) & ~self.stop),
            ran.eq(running),
        ]
        m.d.comb += self.run_stb.eq(running & ~ran)
        muted = Signal()
        muted_pending = Signal(protocol.WORD_COUNT_BITS)
        any_muted = Signal()

        # Real time: `slack` is how long the next tick has yet to wait; it is due below 0, and late
        # if it was due before. The first tick after the period was written is when it likes; the
        # others follow it. A single adder does it all: the cycle in which the period is added,
        # early in a tick, is counted with the next one.
        slack = Signal(signed(40), init=-1)
        real_time = self.real_time
        due, late, on_grid = (Signal(name=name) for name in ("due", "late", "on_grid"))
        start_stb = self.start_stb
        most_late = slack[-2:] == 0b10
        # The sum is long, and memory slow to come out: a register is between.
        period_stb, adding = self.fetched["tick_period"], Signal()
        waited = Cat(~adding, Const(-1, len(slack) - 1))
        step = Signal(len(slack), init=-1)
        m.d.comb += due.eq(slack < 0)
        m.d.sync += [
            late.eq(due & on_grid & ~self.new_grid_stb),
            adding.eq(period_stb),
            step.eq(Mux(period_stb, registers.stored, waited)),
        ]
        with m.If(self.new_grid_stb):
            m.d.sync += [real_time.eq(registers.value != 0), on_grid.eq(0), slack.eq(-1)]
        with m.Elif(start_stb | adding | (on_grid & ~most_late)):
            m.d.sync += [on_grid.eq(1), slack.eq(slack + step)]

        # The block of synapses that is issued.
        issuing = Signal()
        group = Signal(bits_for(p.column_groups - 1))
        word = Signal(bits_for(p.bank_depth - 1))
        next_word = word + Mux(self.in_columns, p.lanes, p.n_sources)
        index = Signal(range(p.n_sources))
        synapses = self.synapses
        # One port reads a word in phase 0, which is then used for two cycles.
        word_over: Value = Const(1)
        if p.single_port_weights:
            phase = word_over = self.weights.phase
            # From here to the first row or column is an even number of cycles.
            m.d.sync += phase.eq(~phase & ~fired.rewind_stb)
            m.d.comb += synapses.block.half.eq(Mux(self.in_columns, index[lane_bits], group[0]))

        # No axon is due in a column any more, so one choice serves all states.
        source = fired.neuron + p.n_axons
        base = times((fired.neuron >> lane_bits) // p.weights_per_word, p.n_sources)
        with m.If(axons.take_stb | fired.take_stb):
            m.d.sync += [
                index.eq(Mux(axons.due, axons.axon, Mux(self.in_columns, fired.neuron, source))),
                word.eq(Mux(axons.due, axons.axon, Mux(self.in_columns, base, source))),
                group.eq(0),
            ]
        with m.Elif(issuing):
            with m.If(word_over):
                m.d.sync += word.eq(next_word)
            with m.If(word_over | ~self.in_columns):
                m.d.sync += group.eq(group + 1)
        m.d.comb += [
            synapses.issue.eq(issuing),
            synapses.block.column.eq(self.in_columns),
            synapses.block.index.eq(index[:lane_bits]),
            synapses.block.word.eq(word),
            synapses.group.eq(group),
            synapses.index.eq(index),
            axons.tick.eq(tick),
            fired.empty_stb.eq(self.update_stb | self.forget_fired | self.restart_stb),
        ]

        if p.learning:
            any_plastic = Signal()
            m.d.sync += any_plastic.eq(self.plastic_count != 0)
        count = Signal(range(max(p.neuron_groups, p.n_sources) + 32))
        update_cycles = schedule.update_cycles(p)
        axons_over = Signal()
        m.d.comb += axons.over.eq(axons_over)

        def enter(state: str, cycles: int, *flags: Signal) -> None:
            """Go on to a phase of fixed length, or to the last cycle before the next decision."""
            m.d.sync += [count.eq(cycles - 1), *(flag.eq(1) for flag in flags)]
            m.next = state

        def enter_update() -> None:
            enter("UPDATE", update_cycles, self.updating, self.update_stb)

        def end() -> None:
            """Go on to the last cycle of the tick."""
            m.d.comb += axons.tick_end_stb.eq(1)
            m.d.sync += [tick.eq(tick + 1), axons_over.eq(0)]
            m.next = "END"

        def next_row(*, after_rows: bool) -> None:
            """Take the next active source, if there is one; wait if that is not known yet."""
            with m.If(axons.due):
                m.d.comb += axons.take_stb.eq(1)
                m.next = "ROWS"
            # Free-running, all events of a tick are here before it begins: one that arrives now
            # belongs to a later tick, and must not cost this one a cycle.
            with m.Elif(real_time & ~axons.settled):
                m.next = "ROW_WAIT"
            with m.Elif(fired.valid):
                m.d.comb += fired.take_stb.eq(1)
                m.d.sync += axons_over.eq(1)
                m.next = "ROWS"
            with m.Else():
                m.d.sync += axons_over.eq(1)
                if after_rows:
                    enter("ROW_DRAIN", schedule.ROW_DRAIN)
                else:
                    enter_update()

        def next_column() -> None:
            with m.If(fired.valid):
                m.d.comb += fired.take_stb.eq(1)
                m.next = "COLUMNS"
            with m.Else():
                enter("COLUMN_DRAIN", schedule.COLUMN_DRAIN)

        last = Signal()
        m.d.comb += last.eq(count == 0)
        # Once *Update* has reported its beginning, the count is that of the whole tick.
        m.d.sync += [
            count.eq(count - 1),
            cycle.eq(cycle + Mux(self.update_stb, 1 + schedule.END, 1)),
            self.tick_stb.eq(0),
            self.update_stb.eq(0),
            self.charge.eq(0),
        ]

        # What a word counts: cycles, where nothing else is said.
        counted = Signal(protocol.WORD_COUNT_BITS)
        header = Signal(4)
        m.d.comb += [counted.eq(cycle), self.word.eq(Cat(counted, header))]

        def push(kind: protocol.Word, charge: ValueLike = 1) -> None:
            m.d.sync += self.charge.eq(charge)
            m.d.comb += [self.push.eq(1), header.eq(0b1000 | kind)]

        with m.FSM():
            if p.single_port_weights:
                with m.State("WIPE"), m.If(self.weights.wiped):
                    m.next = "WAIT"
            with m.State("WAIT"):
                may_start = running & ran & Mux(real_time, due, self.room) & ~self.clearing
                untold = any_muted & self.room
                busy = self.digest.pending if p.digest_rounds else Const(0)
                m.d.comb += self.free.eq(~running & ~self.clearing & ~untold & ~busy)
                with m.If(may_start):
                    m.d.comb += [start_stb.eq(1), fired.rewind_stb.eq(1)]
                    m.d.sync += [cycle.eq(0), muted.eq(~self.room)]
                    with m.If(real_time & late):
                        m.d.sync += self.missed_deadlines.eq(_counted(self.missed_deadlines))
                    enter("LEAD", schedule.LEAD, self.tick_stb)
                with m.If(untold & (may_start | ~running)):
                    push(protocol.Word.MUTED)
                    m.d.comb += counted.eq(muted_pending)
                    m.d.sync += [muted_pending.eq(0), any_muted.eq(0)]
            with m.State("LEAD"), m.If(last):
                next_row(after_rows=False)
            with m.State("ROW_WAIT"):
                # Only at a fixed tick period, when an event arrives at this very moment.
                with m.If(word_over):
                    next_row(after_rows=True)
            with m.State("ROWS"):
                m.d.comb += [issuing.eq(1), self.row_stb.eq(group == 0)]
                with m.If(group == p.row_groups - 1):
                    next_row(after_rows=True)
            with m.State("ROW_DRAIN"), m.If(last):
                enter_update()
            with m.State("UPDATE"), m.If(last):
                m.d.comb += fired.rewind_stb.eq(1)
                m.d.sync += self.updating.eq(0)
                learns = registers.learn_post & any_plastic if p.learning else Const(0)
                with m.If(learns & (fired.count != 0)):
                    enter("COLUMN_LEAD", schedule.COLUMN_LEAD, self.in_columns)
                with m.Else():
                    end()
            with m.State("COLUMN_LEAD"), m.If(last):
                next_column()
            with m.State("COLUMNS"):
                m.d.comb += issuing.eq(1)
                with m.If(word_over & (group == p.column_groups - 1)):
                    next_column()
            with m.State("COLUMN_DRAIN"), m.If(last):
                m.d.sync += self.in_columns.eq(0)
                end()
            with m.State("END"):
                m.d.comb += self.end_stb.eq(1)
                m.d.sync += self.cycles.eq(self.cycles + cycle)
                with m.If(muted):
                    m.d.sync += [
                        any_muted.eq(1),
                        muted_pending.eq(_counted(muted_pending)),
                        self.muted_ticks.eq(_counted(self.muted_ticks)),
                    ]
                with m.Else():
                    push(protocol.Word.END, charge=0)
                if p.digest_rounds:
                    told = registers.digest_en & ~muted
                    m.d.comb += [self.digest.end_stb.eq(1), self.digest.told.eq(told)]
                m.next = "WAIT"

        # Within Update: the word that begins it, and then a word for each group that fires.
        spikes = self.neurons.spike_mask != 0
        with m.If(self.update_stb & ~muted):
            # The words that end the tick take their room already: the next one is then decided on.
            digest_words = registers.digest_en * DIGEST_WORDS if p.digest_rounds else 0
            push(protocol.Word.UPDATE, charge=2 + digest_words)
        with m.Elif(spikes & ~muted):
            since_begin = Signal(protocol.SPIKE_CYCLE_BITS)
            m.d.comb += since_begin.eq(self.neurons.spike_group + schedule.SPIKE_LATENCY)
            m.d.sync += self.charge.eq(1)
            m.d.comb += [
                self.push.eq(1),
                self.word.eq(
                    since_begin
                    | (self.neurons.spike_mask << protocol.SPIKE_CYCLE_BITS)
                    | (
                        self.neurons.spike_group
                        << (protocol.SPIKE_CYCLE_BITS + protocol.SPIKE_MASK_BITS)
                    )
                ),
            ]
        if p.digest_rounds:
            # In the first cycles after the tick, in which nothing else is reported.
            digest = self.digest
            halves = (
                (digest.low_stb, protocol.Word.DIGEST_LOW, digest.value[:16]),
                (digest.high_stb, protocol.Word.DIGEST_HIGH, digest.value[16:]),
            )
            for stb, kind, half in halves:
                with m.If(stb):
                    push(kind, charge=0)
                    m.d.comb += counted.eq(half)
        m.d.comb += [
            fired.push_stb.eq(spikes),
            fired.entry.mask.eq(self.neurons.spike_mask),
            fired.entry.group.eq(self.neurons.spike_group),
        ]
        with m.If(fired.link):
            m.d.comb += [
                fired.entry.mask.eq(self.memory.w_data[:PENDING_MASK_BITS]),
                fired.entry.group.eq(self.memory.w_data[PENDING_MASK_BITS:]),
            ]
        with m.If(axons.late_stb):
            m.d.sync += self.late_events.eq(_counted(self.late_events))
        with m.If(self.restart_stb):
            m.d.sync += [
                counter.eq(0)
                for counter in (
                    tick, self.cycles, self.missed_deadlines, self.late_events,
                    self.muted_ticks, muted_pending, any_muted,
                )
            ]  # fmt: skip
        m.d.comb += axons.reset_stb.eq(self.drop_events)

    # --- which unit has which memory -----------------------------------------------------------

    def _feed(self, m: Module, groups: int) -> tuple[Value, Value]:
        """Whether a group enters a unit, and which: all, from the first cycle of *Update* on."""
        group = Signal(range(groups))
        over = Signal()
        with m.If(~self.updating):
            m.d.sync += [group.eq(0), over.eq(0)]
        with m.Elif(~over):
            m.d.sync += [group.eq(group + 1), over.eq(group == groups - 1)]
        return self.updating & ~over, group

    def _connect_neurons(self, m: Module) -> None:
        p, unit, synapses = self.params, self.neurons, self.synapses
        issue, _ = self._feed(m, p.neuron_groups)
        m.d.comb += unit.issue.eq(issue)
        for name in neurons.NeuronSettings(p).members:
            m.d.comb += getattr(unit.settings, name).eq(getattr(self.registers, name))
        for space in neurons.ports(p):
            connect(m, getattr(unit, space.name.lower()), self.vectors[space].unit)
        current = self.vectors[Space.I_SYN].unit
        with m.If(~self.updating):
            m.d.comb += [
                current.r_address.eq(synapses.i_read),
                current.w_address.eq(synapses.i_write),
                current.w_en.eq(synapses.i_w_en.replicate(p.lanes)),
            ]
        # Who does not write gives 0, so no choice is needed.
        either = unit.i_syn.w_data.as_value() | synapses.i_w_data.as_value()
        m.d.comb += current.w_data.eq(either)

    def _connect_synapses(self, m: Module) -> None:
        unit, memory = self.synapses, self.weights
        for name in weights.BlockAddress(self.params).members:
            m.d.comb += getattr(memory.read, name).eq(getattr(unit.read, name))
            if self.params.learning:
                m.d.comb += getattr(memory.write, name).eq(getattr(unit.write, name))
        m.d.comb += [
            unit.words.eq(memory.words),
            unit.i_data.eq(self.vectors[Space.I_SYN].unit.r_data),
        ]

    def _connect_traces(self, m: Module) -> None:
        p, registers, unit = self.params, self.registers, self.source_traces
        pre, post = self.vectors[Space.TRACE_PRE].unit, self.vectors[Space.TRACE_POST].unit
        synapses, key = self.synapses, self.noise_key

        issue, group = self._feed(m, p.n_sources // p.source_lanes)
        connect(m, unit.trace_pre, pre)
        m.d.comb += [
            unit.issue.eq(issue),
            unit.group.eq(group),
            unit.bump_stb.eq(self.row_stb),
            unit.source.eq(synapses.index),
            unit.decay_code.eq(registers.trace_pre_decay),
            unit.bump_by.eq(registers.trace_pre_bump),
            unit.replace.eq(registers.trace_pre_replace),
        ]
        with m.If(~self.updating):
            m.d.comb += post.r_address.eq(synapses.group)
        # Rows learn from trace_post by the pre-event rule, columns from trace_pre by the other.
        with m.If(self.in_columns):
            m.d.comb += [
                pre.r_address.eq(synapses.group),
                synapses.trace.eq(pre.r_data),
                synapses.learn_en.eq(registers.learn_post),
            ]
        with m.Else():
            m.d.comb += [
                synapses.trace.eq(post.r_data),
                synapses.learn_en.eq(registers.learn_pre),
            ]
        m.d.comb += [
            synapses.gain_stb.eq(self.fetched["pre_gain"] | self.fetched["post_gain"]),
            synapses.offset_stb.eq(self.fetched["pre_offset"] | self.fetched["post_offset"]),
            synapses.value.eq(registers.stored),
            key.seed_stb.eq(self.fetched["seed"]),
            key.seed.eq(registers.stored),
        ]
        m.d.comb += [
            synapses.stochastic.eq(registers.stochastic),
            synapses.w_min.eq(registers.w_min),
            synapses.w_max.eq(registers.w_max),
            synapses.key.eq(key.key),
            self.weights.w_en.eq(synapses.w_en),
            self.weights.w_words.eq(synapses.w_words),
            key.tick.eq(self.tick),
            key.start_stb.eq(self.start_stb),
            key.post_stb.eq(self.update_stb),
        ]

    def _connect_digest(self, m: Module) -> None:
        """It listens at the ports by which the units write."""
        p, digest, unit = self.params, self.digest, self.neurons
        m.d.comb += digest.neurons_stb.eq(unit.refrac_count.w_en[0])
        for lane in range(p.neuron_lanes):
            written = digest.neurons[lane]
            m.d.comb += written.v_moves.eq(unit.v.w_en[lane])
            for space in neurons.ports(p):
                name = space.name.lower()
                if space in neurons.WRITE_STAGES:
                    m.d.comb += getattr(written, name).eq(getattr(unit, name).w_data[lane])
        if not p.learning:
            return
        synapses, decayed = self.synapses, self.source_traces.trace_pre
        # While neurons are updated nothing is bumped: what is written has decayed.
        m.d.comb += digest.sources_stb.eq(decayed.w_en.any() & self.updating)
        for lane in range(p.source_lanes):
            m.d.comb += digest.sources[lane].eq(decayed.w_data[lane])
        m.d.comb += [
            digest.column.eq(synapses.block.column),
            digest.index.eq(synapses.index),
            digest.group.eq(synapses.group),
            digest.once.eq(self._once()),
            digest.synapses.eq(synapses.w_words),
            digest.synapses_stb.eq(synapses.w_en),
        ]

    def _once(self) -> Value:
        """Whether the block that is issued is not issued again.

        A memory of one port is read in every other cycle, and a column handled in both.
        """
        phase = self.weights.phase if self.params.single_port_weights else Const(1)
        return phase | ~self.in_columns

    def _count_saturations(self, m: Module) -> None:
        """They listen at the units, as the digest does."""
        m.submodules.saturations = counters = SaturationCounters(self.params)
        m.d.comb += [
            counters.clear_stb.eq(self.restart_stb),
            counters.i_syn_saturations_lanes.eq(self.synapses.i_syn_saturates),
            counters.v_saturations_lanes.eq(self.neurons.v_saturates),
            counters.theta_saturations_lanes.eq(self.neurons.theta_saturates),
            *(getattr(self, c.name).eq(getattr(counters, c.name)) for c in SATURATIONS),
        ]
        if self.params.learning:
            m.d.comb += [
                self.synapses.once.eq(self._once()),
                counters.weight_saturations_lanes.eq(self.synapses.weight_saturates),
            ]


def _counted(counter: Value) -> Value:
    """A counter plus one, held at its largest value: there the sum carries."""
    total = counter + 1
    return Mux(total[-1], counter, total)
