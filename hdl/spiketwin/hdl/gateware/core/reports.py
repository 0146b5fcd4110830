"""The reports of a core: its output words, in a queue, and its counters."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value, ValueLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from spiketwin.hdl.gateware.core.streams import Queue
from spiketwin.hdl.spec import protocol, schedule
from spiketwin.hdl.spec.params import DIGEST_WORDS, CoreParams
from spiketwin.hdl.spec.registers import CYCLES_WIDTH, DAMAGE_WIDTH


class Reports(wiring.Component):
    """The unit that writes the output words of a tick, unless it begins without room for them.

    Room is accounted for by credits: a tick is only reported if the queue has room for the most
    words that a tick can have.

    Members
    -------
    words, word_level:
        Out, the words, and how many of them are queued.
    restart_stb:
        In, empty the queue, and set the counters to 0.
    start_stb, missed_stb:
        In, a tick begins; it begins late.
    update_stb, spike_group, spike_mask:
        In, *Update* begins; the number of a group of neurons, and the neurons of it that fire.
    end_stb:
        In, the last cycle of a tick.
    late_event_stb:
        In, an event was dropped because its tick had begun.
    room:
        Out, there is room for the words of a tick.
    muted:
        Out, the tick under way is muted: its words are dropped.
    muted_due, muted_stb:
        Out, ticks were muted, and there is room for the word about them; In, write that word.
    digest_en, digest_value, digest_low_stb, digest_high_stb:
        In, with a digest: whether ticks report it; its value; report the low half, or the high
        half. These come in the first cycles after a tick, in which there is no other report.
    probe_stb, probe_word:
        In, with probes: report this word of them.
    reserved:
        In, with probes: words of them for which the next tick needs room.
    cycles, missed_deadlines, late_events, muted_ticks:
        Out, counters (`spec.registers.COUNTERS`).
    """

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        members = {
            "words": Out(stream.Signature(32)),
            "word_level": Out(range(p.spike_queue_depth + 1)),
            "restart_stb": In(1),
            "start_stb": In(1),
            "missed_stb": In(1),
            "update_stb": In(1),
            "spike_group": In(bits_for(p.neuron_groups - 1)),
            "spike_mask": In(p.neuron_lanes),
            "end_stb": In(1),
            "late_event_stb": In(1),
            "room": Out(1),
            "muted": Out(1),
            "muted_due": Out(1),
            "muted_stb": In(1),
            "cycles": Out(CYCLES_WIDTH),
            "missed_deadlines": Out(DAMAGE_WIDTH),
            "late_events": Out(DAMAGE_WIDTH),
            "muted_ticks": Out(DAMAGE_WIDTH),
        }
        if p.digest_rounds:
            members |= {
                "digest_en": In(1),
                "digest_value": In(32),
                "digest_low_stb": In(1),
                "digest_high_stb": In(1),
            }
        if p.probe_ranges:
            members |= {
                "probe_stb": In(1),
                "probe_word": In(protocol.WORD_COUNT_BITS),
                "reserved": In(16),
            }
        super().__init__(members)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        self._push, self._word = Signal(), Signal(32)
        # Credits that the current word takes, with those of the words that are sure to follow it.
        self._charge = Signal(range(3 + (DIGEST_WORDS if self.params.digest_rounds else 0)))
        self._cycle = Signal(protocol.WORD_COUNT_BITS)
        self._muted_pending = Signal(protocol.WORD_COUNT_BITS)
        self._any_muted = Signal()
        self._queue(m)
        self._count(m)
        self._report(m)
        return m

    def _queue(self, m: Module) -> None:
        p = self.params
        queue = Queue(32, p.spike_queue_depth)
        m.submodules.word_queue = ResetInserter({"sync": self.restart_stb})(queue)
        m.d.comb += [
            self.words.payload.eq(queue.read.payload),
            self.words.valid.eq(queue.read.valid),
            queue.read.ready.eq(self.words.ready),
            self.word_level.eq(queue.level),
        ]
        m.d.sync += [queue.write.payload.eq(self._word), queue.write.valid.eq(self._push)]
        # Room in the queue beyond the words of one tick, so that the decision is a sign bit.
        most = p.spike_queue_depth - p.max_words_per_tick
        spare = Signal(range(-p.max_words_per_tick, most + 1), init=most)
        taken = self.words.valid & self.words.ready
        m.d.sync += spare.eq(spare + taken - self._charge)
        with m.If(self.restart_stb):
            m.d.sync += spare.eq(most)
        m.d.comb += self.room.eq((spare - self.reserved if p.probe_ranges else spare) >= 0)

    def _count(self, m: Module) -> None:
        # When *Update* has reported its beginning, the cycles of *end* are added in advance, so
        # that the count is that of the whole tick when it is reported.
        m.d.sync += self._cycle.eq(self._cycle + Mux(self.update_stb, 1 + schedule.END, 1))
        with m.If(self.start_stb):
            m.d.sync += [self._cycle.eq(0), self.muted.eq(~self.room)]
        with m.If(self.missed_stb):
            m.d.sync += self.missed_deadlines.eq(_counted(self.missed_deadlines))
        with m.If(self.late_event_stb):
            m.d.sync += self.late_events.eq(_counted(self.late_events))
        with m.If(self.end_stb):
            m.d.sync += self.cycles.eq(self.cycles + self._cycle)
            with m.If(self.muted):
                m.d.sync += [
                    self._any_muted.eq(1),
                    self._muted_pending.eq(_counted(self._muted_pending)),
                    self.muted_ticks.eq(_counted(self.muted_ticks)),
                ]
        with m.If(self.muted_stb):
            m.d.sync += [self._muted_pending.eq(0), self._any_muted.eq(0)]
        with m.If(self.restart_stb):
            m.d.sync += [
                counter.eq(0)
                for counter in (
                    self.cycles, self.missed_deadlines, self.late_events, self.muted_ticks,
                    self._muted_pending, self._any_muted,
                )
            ]  # fmt: skip

    def _report(self, m: Module) -> None:
        p = self.params
        # The count in a word: cycles by default.
        counted = Signal(protocol.WORD_COUNT_BITS)
        header = Signal(4)
        m.d.comb += [counted.eq(self._cycle), self._word.eq(Cat(counted, header))]
        m.d.sync += self._charge.eq(0)

        def push(kind: protocol.Word, charge: ValueLike = 1) -> None:
            m.d.sync += self._charge.eq(charge)
            m.d.comb += [self._push.eq(1), header.eq(0b1000 | kind)]

        m.d.comb += self.muted_due.eq(self._any_muted & self.room)
        with m.If(self.muted_stb):
            push(protocol.Word.MUTED)
            m.d.comb += counted.eq(self._muted_pending)
        with m.If(self.end_stb & ~self.muted):
            push(protocol.Word.END, charge=0)
        # Words of *Update*: one as it begins, and then one for each group in which neurons fire.
        with m.If(self.update_stb & ~self.muted):
            # The words that end the tick take their credits now, as the next tick is decided on
            # before they are in the queue.
            digest_words = self.digest_en * DIGEST_WORDS if p.digest_rounds else 0
            push(protocol.Word.UPDATE, charge=2 + digest_words)
        with m.Elif((self.spike_mask != 0) & ~self.muted):
            m.d.sync += self._charge.eq(1)
            m.d.comb += [self._push.eq(1), self._word.eq(self._spikes(m))]
        if p.probe_ranges:
            with m.If(self.probe_stb & ~self.muted):
                push(protocol.Word.PROBE)
                m.d.comb += counted.eq(self.probe_word)
        if p.digest_rounds:
            halves = (
                (self.digest_low_stb, protocol.Word.DIGEST_LOW, self.digest_value[:16]),
                (self.digest_high_stb, protocol.Word.DIGEST_HIGH, self.digest_value[16:]),
            )
            for stb, kind, half in halves:
                with m.If(stb):
                    push(kind, charge=0)
                    m.d.comb += counted.eq(half)

    def _spikes(self, m: Module) -> Value:
        """Return the output word of a group in which neurons fire."""
        since_begin = Signal(protocol.SPIKE_CYCLE_BITS)
        m.d.comb += since_begin.eq(self.spike_group + schedule.SPIKE_LATENCY)
        mask_at = protocol.SPIKE_CYCLE_BITS
        group_at = mask_at + protocol.SPIKE_MASK_BITS
        word: Value = since_begin | (self.spike_mask << mask_at) | (self.spike_group << group_at)
        return word


def _counted(counter: Value) -> Value:
    """Return a counter plus one, saturated at its largest value, from which the sum would carry."""
    total = counter + 1
    return Mux(total[-1], counter, total)
