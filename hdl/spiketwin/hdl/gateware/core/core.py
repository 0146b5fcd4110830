"""The core: its memories, its units and its controller, and the connections between them.

::

    events ─► AxonEvents ─┐               ┌───────► WeightMemory
                          ├─► Blocks ─► Synapses ◄──► i_syn, trace_pre, trace_post
    ┌─► ActiveList ───────┘      ▲        ▲
    │                            │     NoiseKey ◄─ RegisterFetches ◄─► RegisterFile
    │      TickTimer ─► Controller
    │                            │
    └──── spikes ◄── Neurons ◄───┼──► SourceTraces
                        │        │
                        └──────► Reports ─► words, counters

    Access ◄─► the link: registers, weights, vectors, neurons that fired

The controller's states are the phases of `spec.schedule`. Each memory belongs to one unit in each
phase, and to the link while the core is idle.
"""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from amaranth.utils import exact_log2

from spiketwin.hdl.gateware.core import neurons, synapses, traces
from spiketwin.hdl.gateware.core.access import Access
from spiketwin.hdl.gateware.core.active_neurons import ActiveNeurons
from spiketwin.hdl.gateware.core.blocks import Blocks
from spiketwin.hdl.gateware.core.controller import Controller
from spiketwin.hdl.gateware.core.digest import Digest
from spiketwin.hdl.gateware.core.drifts import Drifts
from spiketwin.hdl.gateware.core.due_blocks import DueBlocks
from spiketwin.hdl.gateware.core.fetches import RegisterFetches
from spiketwin.hdl.gateware.core.interface import CoreSignature
from spiketwin.hdl.gateware.core.noise import NoiseKey
from spiketwin.hdl.gateware.core.probes import Probes
from spiketwin.hdl.gateware.core.records import RecordMemory, record_spaces
from spiketwin.hdl.gateware.core.register_file import RegisterFile
from spiketwin.hdl.gateware.core.relays import Relays
from spiketwin.hdl.gateware.core.reports import Reports
from spiketwin.hdl.gateware.core.saturations import SaturationCounters
from spiketwin.hdl.gateware.core.single_port_weights import SinglePortWeights
from spiketwin.hdl.gateware.core.sources import ActiveList, AxonEvents
from spiketwin.hdl.gateware.core.state_memory import StateMemory
from spiketwin.hdl.gateware.core.tick_timer import TickTimer
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.gateware.core.walked_blocks import WalkedBlocks
from spiketwin.hdl.gateware.core.walker import Walker
from spiketwin.hdl.gateware.core.weights import BlockAddress, WeightMemory
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS, Space
from spiketwin.hdl.spec.variables import LAYOUT


class Core(wiring.Component):
    """One core of the sizes `params`; the members are those of `interface.CoreSignature`."""

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        super().__init__(CoreSignature(params))

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p = self.params
        self._create(m)
        self._connect_access(m)
        self._connect_timer(m)
        self._connect_controller(m)
        self._connect_sources(m)
        if p.has_projections:
            self._connect_walker(m)
            if p.n_relays:
                self._connect_relays(m)
            if p.has_synapse_delays:
                self._connect_rings(m)
        else:
            self._connect_blocks(m)
        self._connect_reports(m)
        self._connect_neurons(m)
        self._connect_synapses(m)
        if p.learning:
            self._connect_traces(m)
            self._connect_rules(m)
        if p.bias_events:
            self._connect_biases(m)
        if p.digest_rounds:
            self._connect_digest(m)
        if p.probe_ranges:
            self._connect_probes(m)
        if p.saturation_counters:
            self._count_saturations(m)
        return m

    def _create(self, m: Module) -> None:
        """Make all units and memories."""
        p = self.params
        m.submodules.registers = self.registers = RegisterFile(p)
        m.submodules.fetches = self.fetches = RegisterFetches(p)
        self.weights: wiring.Component = (
            SinglePortWeights(p) if p.single_port_weights else WeightMemory(p)
        )
        m.submodules.weights = self.weights
        m.submodules.access = self.access = Access(p)
        m.submodules.timer = self.timer = TickTimer()
        m.submodules.controller = self.controller = Controller(p)
        if p.has_projections:
            m.submodules.walker = self.walker = Walker(p)
            m.submodules.active_neurons = self.active_neurons = ActiveNeurons(p)
            if p.n_relays:
                m.submodules.relays = self.relays = Relays(p)
            if p.has_synapse_delays:
                m.submodules.due_blocks = self.due_blocks = DueBlocks(p)
            self.blocks: wiring.Component = WalkedBlocks(p)
        else:
            self.blocks = Blocks(p)
        m.submodules.blocks = self.blocks
        m.submodules.reports = self.reports = Reports(p)
        m.submodules.neurons = self.neurons = neurons.Neurons(p)
        m.submodules.synapses = self.synapses = synapses.Synapses(p)
        m.submodules.axons = self.axons = AxonEvents(p)
        m.submodules.fired = self.fired = ActiveList(p.neuron_lanes, p.neuron_groups)
        if p.learning:
            m.submodules.source_traces = self.source_traces = traces.SourceTraces(p)
            m.submodules.noise_key = self.noise_key = NoiseKey()
        if p.window_bits:
            m.submodules.drifts = self.drifts = Drifts(p)
        if p.digest_rounds:
            m.submodules.digest = self.digest = Digest(p)
        if p.probe_ranges:
            m.submodules.probes = self.probes = Probes(p)
        self.vectors = {space: StateMemory(port) for space, port in vectors(p).items()}
        for space, vector in self.vectors.items():
            m.submodules[space.name.lower()] = vector
        self.records = {space: RecordMemory(form) for space, form in record_spaces(p).items()}
        for space, records in self.records.items():
            m.submodules[space.name.lower()] = records

    # --- the link, and the phases of a tick ----------------------------------------------------

    def _connect_access(self, m: Module) -> None:
        access, controller = self.access, self.controller
        connect(m, flipped(self.memory), access.memory)
        connect(m, access.registers, self.registers.link)
        connect(m, access.weights, self.weights.link)
        connect(m, access.pending, self.fired.link)
        for space, vector in self.vectors.items():
            connect(m, getattr(access.vectors, space.name.lower()), vector.link)
        for space, records in self.records.items():
            connect(m, getattr(access.records, space.name.lower()), records.link)
        m.d.comb += [
            access.stop.eq(self.stop),
            access.clear_stb.eq(self.clear_stb),
            access.clear_mask.eq(self.clear_mask),
            access.reset_stb.eq(self.reset_stb),
            self.idle.eq(access.idle),
            access.free.eq(controller.free),
            access.fetching.eq(self.fetches.fetching),
            access.pending_groups.eq(self.fired.count),
            self.pending_groups.eq(self.fired.count),
        ]
        for name in self.fetches.names:
            strobe = f"{name}_stb"
            m.d.comb += getattr(self.registers, strobe).eq(getattr(self.fetches, strobe))

    def _connect_timer(self, m: Module) -> None:
        timer, access = self.timer, self.access
        m.d.comb += [
            timer.period_stb.eq(access.period_stb),
            timer.has_period.eq(access.registers.value != 0),
            timer.start_stb.eq(self.controller.start_stb),
            timer.fetched_stb.eq(self.fetches.tick_period_fetched),
            timer.period.eq(self.registers.fetched),
            self.real_time.eq(timer.real_time),
        ]

    def _connect_controller(self, m: Module) -> None:
        p, controller = self.params, self.controller
        m.d.comb += [
            controller.run_until.eq(self.run_until),
            controller.stop.eq(self.stop),
            self.tick.eq(controller.tick),
            controller.set_tick_stb.eq(self.set_tick_stb),
            controller.set_tick.eq(self.set_tick),
            controller.restart_stb.eq(self.access.restart_stb),
            controller.clearing.eq(self.access.clearing),
            controller.real_time.eq(self.timer.real_time),
            controller.due.eq(self.timer.due),
            controller.room.eq(self.reports.room),
            controller.muted_due.eq(self.reports.muted_due),
            controller.axon_due.eq(self.axons.due),
            controller.axons_settled.eq(self.axons.settled),
            controller.neuron_valid.eq(self.fired.valid),
            controller.any_fired.eq(self.fired.count != 0),
        ]
        for name in ("run_stb", "tick_stb", "update_stb", "end_stb"):
            m.d.comb += getattr(self.fetches, name).eq(getattr(controller, name))
        if p.learning:
            learns = self.registers.learn_post & self.access.any_plastic
            m.d.comb += controller.learns.eq(learns)
        if p.digest_rounds:
            m.d.comb += controller.digest_pending.eq(self.digest.pending)
        if p.single_port_weights:
            m.d.comb += [
                controller.wiped.eq(self.weights.wiped),
                self.blocks.rewind_stb.eq(controller.rewind_stb),
                self.weights.phase.eq(self.blocks.phase),
            ]

    # --- active sources, and reports -----------------------------------------------------------

    def _connect_sources(self, m: Module) -> None:
        controller, axons, fired = self.controller, self.axons, self.fired
        access, unit = self.access, self.neurons
        connect(m, flipped(self.events), axons.events)
        # What takes the active sources, one after the other.
        taker: wiring.Component = controller
        if self.params.has_projections:
            taker = self.walker
        m.d.comb += [
            self.event_level.eq(axons.level),
            axons.tick.eq(controller.tick),
            axons.tick_end_stb.eq(controller.tick_end_stb),
            axons.take_stb.eq(taker.take_axon_stb),
            axons.over.eq(taker.axons_over),
            axons.reset_stb.eq(access.drop_events_stb),
            fired.empty_stb.eq(controller.update_stb | access.clear_pending | access.restart_stb),
            fired.push_stb.eq(unit.spike_mask != 0),
            fired.entry.mask.eq(unit.spike_mask),
            fired.entry.group.eq(unit.spike_group),
            fired.rewind_stb.eq(controller.rewind_stb),
            fired.take_stb.eq(taker.take_neuron_stb),
        ]

    def _connect_biases(self, m: Module) -> None:
        """Let bias events write the memory of biases, which *Update* only reads."""
        axons, bias = self.axons, self.vectors[Space.BIAS].unit
        lane_bits = exact_log2(self.params.neuron_lanes)
        lane = axons.neuron[:lane_bits]
        m.d.comb += [
            self.controller.bias_due.eq(axons.bias_due),
            axons.take_bias_stb.eq(self.controller.take_bias_stb),
            axons.biases_over.eq(self.controller.biases_over),
            bias.w_address.eq(axons.neuron[lane_bits:]),
        ]
        with m.If(self.controller.take_bias_stb):
            m.d.comb += bias.w_en.eq(1 << lane)
            for k in range(self.params.neuron_lanes):
                m.d.comb += bias.w_data[k].eq(axons.bias)

    def _connect_blocks(self, m: Module) -> None:
        """Connect the addresses of the rows of all neurons, and of the columns of all sources."""
        controller, axons, blocks = self.controller, self.axons, self.blocks
        for name in ("is_first", "last_of_row", "last_of_column", "word_over"):
            m.d.comb += getattr(controller, name).eq(getattr(blocks, name))
        m.d.comb += [
            blocks.take_stb.eq(controller.take_axon_stb | controller.take_neuron_stb),
            blocks.is_axon.eq(axons.due),
            blocks.axon.eq(axons.axon),
            blocks.neuron.eq(self.fired.source),
            blocks.in_columns.eq(controller.in_columns),
            blocks.issue.eq(controller.issue),
        ]
        if self.params.learning:
            m.d.comb += controller.axon_repeats.eq(axons.repeats)
        self._issue, self._row_stb = controller.issue, controller.row_stb
        self._group: Value = blocks.group

    def _connect_walker(self, m: Module) -> None:
        """Connect the addresses of the rows and columns of projections."""
        controller, axons, fired, walker, blocks = (
            self.controller, self.axons, self.fired, self.walker, self.blocks
        )  # fmt: skip
        for array in LAYOUT:
            if array.name in walker.signature.members:
                connect(m, getattr(walker, array.name), self.vectors[array.space].unit)
        m.d.comb += [
            walker.walk_stb.eq(controller.walk_stb),
            walker.skip_stb.eq(controller.skip_stb),
            walker.in_columns.eq(controller.in_columns),
            walker.real_time.eq(self.timer.real_time),
            walker.axon_due.eq(axons.due),
            walker.axons_settled.eq(axons.settled),
            walker.axon.eq(axons.axon),
            walker.neuron_valid.eq(fired.valid),
            walker.neuron.eq(fired.source),
            walker.tick_end_stb.eq(controller.tick_end_stb),
            walker.take_stb.eq(controller.take_row_stb),
            walker.sweep_stb.eq(controller.sweep_stb),
            controller.counted.eq(walker.counted),
            controller.row_valid.eq(walker.valid),
            controller.rows_over.eq(walker.over),
            controller.row_last.eq(blocks.last),
            blocks.row.eq(walker.row),
            blocks.take_stb.eq(controller.take_row_stb),
            blocks.in_columns.eq(controller.in_columns),
            blocks.streaming.eq(controller.streaming),
        ]
        if self.params.learning:
            m.d.comb += [
                walker.axon_repeats.eq(axons.repeats),
                controller.row_repeats.eq(walker.row.repeats),
            ]
        active, lanes = self.active_neurons, self.synapses
        m.d.comb += [
            active.set_stb.eq(walker.take_neuron_stb & ~controller.in_columns),
            active.neuron.eq(fired.source),
            active.updating.eq(controller.updating),
            active.group.eq(blocks.group),
            lanes.taken_stb.eq(controller.take_row_stb),
            lanes.constant.eq(blocks.constant),
            lanes.added.eq(blocks.added),
            lanes.added_less.eq(blocks.added_less),
            lanes.active.eq(active.flags),
        ]
        if self.params.has_sparse:
            m.d.comb += lanes.sparse.eq(blocks.sparse)
        self._issue, self._row_stb = blocks.issue, blocks.bumps
        self._group = blocks.group

    def _connect_relays(self, m: Module) -> None:
        relays, controller, walker = self.relays, self.controller, self.walker
        for name in ("relay_ring", "relay_delay"):
            connect(m, getattr(relays, name), self.vectors[Space[name.upper()]].unit)
        m.d.comb += [
            relays.tick.eq(controller.tick),
            relays.start_stb.eq(controller.start_stb),
            relays.take_stb.eq(walker.take_relay_stb),
            relays.set_stb.eq(controller.take_row_stb & (walker.row.relay_count != 0)),
            relays.first.eq(walker.row.relay_first),
            relays.count.eq(walker.row.relay_count),
            walker.relay_valid.eq(relays.valid),
            walker.relay.eq(relays.relay),
            controller.relays_active.eq(relays.any_active),
        ]

    def _connect_rings(self, m: Module) -> None:
        """Connect the currents that are on their way, and the blocks of those that are due."""
        p, due, lanes = self.params, self.due_blocks, self.synapses
        m.d.comb += [
            due.start_stb.eq(self.controller.due_stb),
            lanes.due.eq(due.issue),
            lanes.tick.eq(self.controller.tick),
        ]
        rings = [(Space.I_SYN_RING, lanes.i_ring_data, lanes.ring_w_en)]
        if p.has_two_receptors:
            rings += [(Space.I_INH_RING, lanes.i_inh_ring_data, lanes.inh_ring_w_en)]
            m.d.comb += lanes.due_inhibitory.eq(due.inhibitory)
        for space, values, w_en in rings:
            memory = self.vectors[space]
            m.d.comb += [
                memory.scatter.en.eq(1),
                memory.scatter.r_address.eq(lanes.ring_read),
                memory.scatter.w_address.eq(lanes.ring_write),
                values.eq(memory.unit.r_data),
                memory.unit.w_data.eq(lanes.ring_w_data),
                memory.unit.w_en.eq(w_en),
            ]
        # No row streams while there are due blocks.
        self._issue |= due.issue
        self._group = Mux(due.issue, due.group, self._group)

    def _connect_reports(self, m: Module) -> None:
        reports, controller, timer = self.reports, self.controller, self.timer
        connect(m, reports.words, flipped(self.words))
        m.d.comb += [
            self.word_level.eq(reports.word_level),
            reports.restart_stb.eq(self.access.restart_stb),
            reports.start_stb.eq(controller.start_stb),
            reports.missed_stb.eq(controller.start_stb & timer.real_time & timer.late),
            reports.update_stb.eq(controller.update_stb),
            reports.spike_group.eq(self.neurons.spike_group),
            reports.spike_mask.eq(self.neurons.spike_mask),
            reports.end_stb.eq(controller.end_stb),
            reports.late_event_stb.eq(self.axons.late_stb),
            reports.muted_stb.eq(controller.muted_stb),
        ]
        for name in ("cycles", "missed_deadlines", "late_events", "muted_ticks"):
            m.d.comb += getattr(self, name).eq(getattr(reports, name))

    # --- units and their memories --------------------------------------------------------------

    def _feed(self, m: Module, groups: int) -> tuple[Value, Value]:
        """Return whether a group enters a unit of *Update*, and the number of that group.

        All groups enter, one a cycle, from the first cycle of *Update* on.
        """
        updating = self.controller.updating
        group = Signal(range(groups))
        over = Signal()
        with m.If(~updating):
            m.d.sync += [group.eq(0), over.eq(0)]
        with m.Elif(~over):
            m.d.sync += [group.eq(group + 1), over.eq(group == groups - 1)]
        return updating & ~over, group

    def _connect_neurons(self, m: Module) -> None:
        p, unit, lanes = self.params, self.neurons, self.synapses
        issue, _ = self._feed(m, p.neuron_groups)
        m.d.comb += unit.issue.eq(issue)
        self._set(m, unit.settings)
        self._tell_profiles(m, unit)
        for space in neurons.ports(p):
            connect(m, getattr(unit, space.name.lower()), self.vectors[space].unit)
        enables = {Space.I_SYN: lanes.i_w_en.replicate(p.lanes // len(lanes.i_w_en))}
        if p.has_two_receptors:
            enables[Space.I_INH] = lanes.i_inh_w_en
        for space, w_en in enables.items():
            memory = self.vectors[space]
            current = memory.unit
            addresses = memory.scatter if p.has_sparse else current
            with m.If(~self.controller.updating):
                m.d.comb += [
                    addresses.r_address.eq(lanes.i_read),
                    addresses.w_address.eq(lanes.i_write),
                    current.w_en.eq(w_en),
                ]
            if p.has_sparse:
                m.d.comb += addresses.en.eq(~self.controller.updating)
            # The data of a unit are 0 while it does not write, so an OR replaces a multiplexer.
            written = getattr(unit, space.name.lower()).w_data
            m.d.comb += current.w_data.eq(written.as_value() | lanes.i_w_data.as_value())

    def _set(self, m: Module, settings: wiring.PureInterface) -> None:
        """Connect a unit with the registers that it uses."""
        for name in settings.signature.members:
            m.d.comb += getattr(settings, name).eq(getattr(self.registers, name))

    def _tell_profiles(self, m: Module, unit: wiring.Component) -> None:
        """Let a unit listen to what is written to the table of profiles, if there is one."""
        if self.params.has_profiles:
            self._tell(m, unit.profiles, Space.PROFILE_TABLE)

    def _tell(self, m: Module, writes: wiring.PureInterface, space: Space) -> None:
        """Let a unit listen to what is written to a space of records."""
        for name in writes.signature.members:
            m.d.comb += getattr(writes, name).eq(getattr(self.records[space].link, name))

    def _connect_synapses(self, m: Module) -> None:
        unit, blocks, memory = self.synapses, self.blocks, self.weights
        for name in BlockAddress(self.params).members:
            m.d.comb += [
                getattr(unit.block, name).eq(getattr(blocks.block, name)),
                getattr(memory.read, name).eq(getattr(unit.read, name)),
            ]
            if self.params.learning:
                m.d.comb += getattr(memory.write, name).eq(getattr(unit.write, name))
        m.d.comb += [
            unit.issue.eq(self._issue),
            unit.group.eq(self._group),
            unit.index.eq(blocks.index),
            unit.words.eq(memory.words),
            unit.i_data.eq(self.vectors[Space.I_SYN].unit.r_data),
        ]
        if self.params.has_two_receptors:
            m.d.comb += [
                unit.i_inh_en.eq(self.registers.i_inh_en),
                unit.i_inh_data.eq(self.vectors[Space.I_INH].unit.r_data),
            ]

    def _connect_traces(self, m: Module) -> None:
        p, registers, unit, lanes = self.params, self.registers, self.source_traces, self.synapses
        pre, post = self.vectors[Space.TRACE_PRE].unit, self.vectors[Space.TRACE_POST].unit
        controller = self.controller
        issue, group = self._feed(m, p.n_sources // p.source_lanes)
        connect(m, unit.trace_pre, pre)
        self._set(m, unit.settings)
        self._tell_profiles(m, unit)
        if p.window_bits:
            connect(m, unit.history, self.vectors[Space.HISTORY].unit)
        if p.has_profiles:
            connect(m, unit.source_profile, self.vectors[Space.SOURCE_PROFILE].unit)
        m.d.comb += [
            unit.issue.eq(issue),
            unit.group.eq(group),
            unit.bump_stb.eq(self._row_stb),
            unit.source.eq(self.blocks.index),
        ]
        with m.If(~controller.updating):
            m.d.comb += post.r_address.eq(self.blocks.group)
        # In rows the pre-event rule uses trace_post, in columns the post-event rule trace_pre.
        with m.If(controller.in_columns):
            m.d.comb += [
                pre.r_address.eq(self.blocks.group),
                lanes.trace.eq(pre.r_data),
                lanes.learn_en.eq(registers.learn_post),
            ]
            if p.window_bits:
                m.d.comb += self.vectors[Space.HISTORY].unit.r_address.eq(self.blocks.group)
        with m.Else():
            m.d.comb += [lanes.trace.eq(post.r_data), lanes.learn_en.eq(registers.learn_pre)]
            if p.has_projections:
                # Constant projections and sparse ones do not learn.
                still = self.blocks.constant
                if p.has_sparse:
                    still |= self.blocks.sparse
                if p.has_synapse_delays:
                    still |= self.due_blocks.issue
                with m.If(still):
                    m.d.comb += lanes.learn_en.eq(0)

    def _connect_rules(self, m: Module) -> None:
        """Connect the lane pipeline with the learning rules and the weight memory."""
        lanes, key, fetches, fetched = (
            self.synapses, self.noise_key, self.fetches, self.registers.fetched
        )  # fmt: skip
        if self.params.has_rules:
            self._tell(m, lanes.rules, Space.RULE_TABLE)
            m.d.comb += lanes.rule.eq(self.blocks.rule)
            if self.params.window_bits:
                self._connect_windows(m)
        else:
            self._set(m, lanes.settings)
            m.d.comb += [
                lanes.gain_stb.eq(fetches.pre_gain_fetched | fetches.post_gain_fetched),
                lanes.offset_stb.eq(fetches.pre_offset_fetched | fetches.post_offset_fetched),
                lanes.value.eq(fetched),
            ]
        m.d.comb += [
            lanes.key.eq(key.key),
            key.seed_stb.eq(fetches.seed_fetched),
            key.seed.eq(fetched),
            key.tick.eq(self.controller.tick),
            key.start_stb.eq(self.controller.start_stb),
            key.post_stb.eq(self.controller.update_stb),
            self.weights.w_en.eq(lanes.w_en),
            self.weights.w_words.eq(lanes.w_words),
        ]

    def _connect_windows(self, m: Module) -> None:
        lanes, drifts, controller = self.synapses, self.drifts, self.controller
        writes = self.vectors[Space.WINDOW_TABLE].link
        for name in lanes.windows.signature.members:
            m.d.comb += getattr(lanes.windows, name).eq(getattr(writes, name))
        connect(m, drifts.drift_sum, self.vectors[Space.DRIFT_SUM].unit)
        self._tell(m, drifts.rules, Space.RULE_TABLE)
        m.d.comb += [
            lanes.history.eq(self.vectors[Space.HISTORY].unit.r_data),
            lanes.drift.eq(drifts.drift),
            drifts.rule.eq(self.blocks.rule),
            drifts.start_stb.eq(controller.update_stb & self.registers.learn_post),
        ]

    def _connect_probes(self, m: Module) -> None:
        probes, access, controller = self.probes, self.access, self.controller
        for name in ("probe_space", "probe_first", "probe_count"):
            connect(m, getattr(probes, name), self.vectors[Space[name.upper()]].unit)
        m.d.comb += [
            probes.probe_period.eq(self.registers.probe_period),
            probes.probe_words.eq(self.registers.probe_words),
            probes.period_stb.eq(access.probe_period_stb),
            probes.tick_end_stb.eq(controller.tick_end_stb),
            probes.start_stb.eq(controller.probe_stb),
            probes.value.eq(access.probe_value),
            controller.probes_due.eq(probes.due),
            controller.probes_over.eq(probes.over),
            access.probe_reading.eq(probes.reading),
            access.probe_space.eq(probes.space),
            access.probe_element.eq(probes.element),
            self.reports.reserved.eq(probes.reserved),
            self.reports.probe_stb.eq(probes.word_stb),
            self.reports.probe_word.eq(probes.word),
        ]

    # --- units that only observe ---------------------------------------------------------------

    def _connect_digest(self, m: Module) -> None:
        """Let the digest observe the ports through which the units write."""
        p, digest, unit, reports = self.params, self.digest, self.neurons, self.reports
        digest_en = self.registers.digest_en
        # A word of currents has more elements than a group of neurons, so any of them may be first.
        first = getattr(unit, digest.first_written.name.lower()).w_en
        neurons_stb = first.any() if p.has_two_receptors else first[0]
        m.d.comb += [
            digest.neurons_stb.eq(neurons_stb),
            digest.end_stb.eq(self.controller.end_stb),
            digest.reported.eq(digest_en & ~reports.muted),
            reports.digest_en.eq(digest_en),
            reports.digest_value.eq(digest.value),
            reports.digest_low_stb.eq(digest.low_stb),
            reports.digest_high_stb.eq(digest.high_stb),
        ]
        for lane in range(p.neuron_lanes):
            written = digest.neurons_written[lane]
            m.d.comb += written.v_moves.eq(unit.v.w_en[lane])
            for space in neurons.ports(p):
                name = space.name.lower()
                if space in neurons.WRITE_STAGES:
                    m.d.comb += getattr(written, name).eq(getattr(unit, name).w_data[lane])
        if p.n_relays:
            m.d.comb += [
                digest.relay_stb.eq(self.relays.is_set_stb),
                digest.relay.eq(self.relays.set_relay),
                digest.relay_word.eq(self.relays.set_word),
            ]
        if p.bias_events:
            m.d.comb += [
                digest.bias_stb.eq(self.controller.take_bias_stb),
                digest.bias_neuron.eq(self.axons.neuron),
                digest.bias.eq(self.axons.bias),
            ]
        if p.window_bits:
            m.d.comb += [
                digest.drift_stb.eq(self.drifts.summed_stb),
                digest.drift_rule.eq(self.drifts.summed_rule),
                digest.drift_total.eq(self.drifts.total),
            ]
        if not p.learning:
            return
        lanes, decayed, blocks = self.synapses, self.source_traces.trace_pre, self.blocks
        # No trace is bumped in *Update*, so all traces that are written then have decayed.
        m.d.comb += digest.sources_stb.eq(decayed.w_en.any() & self.controller.updating)
        for lane in range(p.source_lanes):
            written = digest.sources_written[lane]
            m.d.comb += written.trace_pre.eq(decayed.w_data[lane])
            if p.window_bits:
                m.d.comb += written.history.eq(self.source_traces.history.w_data[lane])
        m.d.comb += [
            digest.column.eq(blocks.block.column),
            digest.index.eq(blocks.index),
            digest.group.eq(blocks.group),
            digest.once.eq(blocks.once),
            digest.synapses_written.eq(lanes.w_words),
            digest.synapses_stb.eq(lanes.w_en),
        ]

    def _count_saturations(self, m: Module) -> None:
        """Let the counters of saturations observe the units, as the digest does."""
        m.submodules.saturations = counters = SaturationCounters(self.params)
        m.d.comb += [
            counters.clear_stb.eq(self.access.restart_stb),
            counters.i_syn_saturations_lanes.eq(self.synapses.i_syn_saturates),
            counters.v_saturations_lanes.eq(self.neurons.v_saturates),
            counters.theta_saturations_lanes.eq(self.neurons.theta_saturates),
            *(getattr(self, c.name).eq(getattr(counters, c.name)) for c in SATURATIONS),
        ]
        if self.params.learning:
            cut = self.synapses.weight_saturates
            if self.params.window_bits:
                cut |= self.drifts.saturates  # no weight changes meanwhile
            m.d.comb += [
                self.synapses.once.eq(self.blocks.once),
                counters.weight_saturations_lanes.eq(cut),
            ]
