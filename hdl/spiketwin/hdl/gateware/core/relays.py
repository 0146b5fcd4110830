"""Relays: sources that repeat others some ticks later.

The ring has a flag for each relay in each of the next `max_delay` ticks. At the beginning of a tick
its flags are taken off, `params.RELAY_WORD` a cycle, into the list of active relays. When a source
becomes active, the flags of its relays are set, one in `schedule.RELAY` cycles::

    1      address of the delay
    3      word of the ring: tick + delay
    4      address of the word
    6      written back with the flag, as the next relay is in its second cycle
"""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from spiketwin.hdl.gateware.core.pipeline import Delay, times
from spiketwin.hdl.gateware.core.sources import ActiveList
from spiketwin.hdl.gateware.core.state_memory import READ_LATENCY
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import RELAY_WORD, CoreParams
from spiketwin.hdl.spec.registers import Space


class Relays(wiring.Component):
    """The unit that takes active relays off the ring and puts later ones on it.

    Members
    -------
    tick, start_stb:
        In, the current tick; the cycle before it begins.
    any_active:
        Out, at least one relay is active in this tick; final when `schedule.lead_cycles` are over.
    valid, relay, take_stb:
        Out, the next active relay; In, it is used up.
    set_stb, first, count:
        In, a source with relays is active: its first relay, and their number, 1 or more.
    is_set_stb, set_relay, set_word:
        Out, the flag of this relay is set in this word of the ring.
    relay_ring, relay_delay:
        Access to the arrays.
    """

    start_stb: Signal
    set_stb: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        ports = vectors(p)
        ring = ports[Space.RELAY_RING]
        super().__init__(
            {
                "tick": In(32),
                "start_stb": In(1),
                "any_active": Out(1),
                "valid": Out(1),
                "relay": Out(range(p.n_relays)),
                "take_stb": In(1),
                "set_stb": In(1),
                "first": In(p.relay_width),
                "count": In(p.relay_delay_width),
                "is_set_stb": Out(1),
                "set_relay": Out(p.relay_width),
                "set_word": Out(bits_for(ring.size - 1)),
                "relay_ring": Out(ring),
                "relay_delay": Out(ports[Space.RELAY_DELAY]),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        self._scan(m)
        self._set(m)
        return m

    def _first_word(self, tick: Value) -> Value:
        """Return the first word of a tick in the ring."""
        return times(tick[: exact_log2(self.params.max_delay)], self.params.relay_words)

    def _scan(self, m: Module) -> None:
        """Take the words of the tick off the ring, one a cycle, and list those with a flag."""
        p, ring = self.params, self.relay_ring
        # A list of one entry would have an address without bits.
        active = ActiveList(RELAY_WORD, max(2, p.relay_words))
        m.submodules.active = active
        base = Signal(len(ring.r_address))
        word = Signal(range(p.relay_words + 1))
        scanning = Signal()
        scans = self.start_stb | scanning
        m.d.sync += base.eq(self._first_word(self.tick))
        with m.If(scans):
            m.d.sync += [word.eq(word + 1), scanning.eq(word != p.relay_words - 1)]
        with m.Else():
            m.d.sync += word.eq(0)
        scanned = Delay(m, "scanned", scans, READ_LATENCY)[READ_LATENCY]
        late = Delay(m, "word", word, READ_LATENCY)[READ_LATENCY]
        found = ring.r_part[0]
        with m.If(scans):
            m.d.comb += ring.r_address.eq(base + word)
        with m.If(scanned):
            m.d.comb += [ring.w_address.eq(base + late), ring.w_en.eq(1)]
        m.d.comb += [
            active.empty_stb.eq(self.start_stb),
            active.rewind_stb.eq(self.start_stb),
            active.push_stb.eq(scanned & (found != 0)),
            active.entry.mask.eq(found),
            active.entry.group.eq(late),
            active.take_stb.eq(self.take_stb),
            self.any_active.eq(active.count != 0),
            self.valid.eq(active.valid),
            self.relay.eq(active.source),
        ]

    def _set(self, m: Module) -> None:
        """Set the flags of the relays of a source, one after the other."""
        p, ring, delay = self.params, self.relay_ring, self.relay_delay
        relay = Signal(p.relay_width)
        left = Signal(p.relay_delay_width)
        cycle = Signal(range(schedule.RELAY))
        with m.If(self.set_stb):
            m.d.sync += [relay.eq(self.first), left.eq(self.count), cycle.eq(0)]
        with m.Elif(left != 0):
            m.d.sync += cycle.eq(cycle + 1)
            with m.If(cycle == schedule.RELAY - 1):
                m.d.sync += [relay.eq(relay + 1), left.eq(left - 1)]
        m.d.comb += delay.r_address.eq(relay)
        word, bit = Signal(len(ring.r_address)), Signal(exact_log2(RELAY_WORD))
        reads = Signal()
        due = self.tick[: exact_log2(p.max_delay)] + delay.r_part[0]
        m.d.sync += reads.eq(0)
        with m.If((left != 0) & (cycle == READ_LATENCY)):
            m.d.sync += [
                reads.eq(1),
                word.eq(self._first_word(due) + (relay >> exact_log2(RELAY_WORD))),
                bit.eq(relay),
                self.set_relay.eq(relay),
            ]
        # The word and the place in it are held until the next relay needs them.
        writes = Delay(m, "reads", reads, READ_LATENCY)[READ_LATENCY]
        with m.If(reads):
            m.d.comb += ring.r_address.eq(word)
        with m.If(writes):
            m.d.comb += [
                ring.w_address.eq(word),
                ring.w_en.eq(1),
                ring.w_data[0].eq(ring.r_part[0] | (Const(1, RELAY_WORD) << bit)[:RELAY_WORD]),
            ]
        m.d.comb += [self.is_set_stb.eq(writes), self.set_word.eq(word)]
