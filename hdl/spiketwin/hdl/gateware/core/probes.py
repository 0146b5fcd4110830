"""Probes: ranges of state that ticks report, read one element a cycle and packed into words.

The unit has the memories of state after all others are done with them. An element goes through::

    0      number of the element, from the unit
    1      address of its word
    3      word, of which a lane is selected
    4      sign-extended, at the unit
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Final

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spiketwin.hdl.gateware.core.pipeline import Delay
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.probes import (
    MOST_NIBBLES,
    NIBBLE_BITS,
    WORD_NIBBLES,
    element_nibbles,
    probed,
)
from spiketwin.hdl.spec.protocol import WORD_COUNT_BITS
from spiketwin.hdl.spec.registers import Space

LATENCY: Final = 4
"""Cycles from the number of an element to its value."""


class Probes(wiring.Component):
    """The unit that reports ranges of state.

    Members
    -------
    probe_period, probe_words:
        In, the registers.
    period_stb, tick_end_stb:
        In, `probe_period` is written; the next tick is decided on from now on.
    due:
        Out, the tick under way reports, or if there is none the next one does.
    reserved:
        Out, output words for which there has to be room beside the others of the next tick.
    start_stb, over:
        In, report from the next cycle on; Out, the last cycle of it.
    probe_space, probe_first, probe_count:
        Access to the ranges.
    reading, space, element:
        Out, the unit has the memories of state; the element that it reads.
    value:
        In, `LATENCY` cycles later, the element, extended to whole nibbles; 0 above them.
    word_stb, word:
        Out, the count of a word to report.
    """

    start_stb: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = p = params
        ports = vectors(p)
        super().__init__(
            {
                "probe_period": In(16),
                "probe_words": In(16),
                "period_stb": In(1),
                "tick_end_stb": In(1),
                "due": Out(1),
                "reserved": Out(16),
                "start_stb": In(1),
                "over": Out(1),
                "probe_space": Out(ports[Space.PROBE_SPACE]),
                "probe_first": Out(ports[Space.PROBE_FIRST]),
                "probe_count": Out(ports[Space.PROBE_COUNT]),
                "reading": Out(1),
                "space": Out(8),
                "element": Out(p.probe_first_width),
                "value": In(MOST_NIBBLES * NIBBLE_BITS),
                "word_stb": Out(1),
                "word": Out(WORD_COUNT_BITS),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        self._flush = Signal()
        self._decide(m)
        self._pack(m, self._read(m))
        return m

    def _decide(self, m: Module) -> None:
        """Count the ticks to the next one that reports."""
        left = Signal(16)
        m.d.comb += [
            self.due.eq((left == 0) & (self.probe_period != 0)),
            self.reserved.eq(Mux(self.due, self.probe_words, 0)),
        ]
        with m.If(self.period_stb):
            m.d.sync += left.eq(0)
        with m.Elif(self.tick_end_stb):
            m.d.sync += left.eq(Mux(left == 0, self.probe_period, left) - 1)

    def _read(self, m: Module) -> Value:
        """Read the elements of all ranges, one a cycle; return the nibbles of each, or 0."""
        number = Signal(range(max(2, self.params.probe_ranges)))  # Verilog has no width of 0
        cycle = Signal(range(max(schedule.PROBE_RANGE, schedule.PROBE)))
        elements_left = Signal(self.params.probe_count_width)
        nibbles = Signal(range(MOST_NIBBLES + 1))
        for port in (self.probe_space, self.probe_first, self.probe_count):
            m.d.comb += port.r_address.eq(number)

        def go_on() -> None:
            m.d.sync += cycle.eq(0)
            with m.If(number == self.params.probe_ranges - 1):
                m.next = "DRAIN"
            with m.Else():
                m.d.sync += number.eq(number + 1)
                m.next = "RANGE"

        m.d.sync += cycle.eq(cycle + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [number.eq(0), cycle.eq(0)]
                with m.If(self.start_stb):
                    m.next = "RANGE"
            with m.State("RANGE"), m.If(cycle == schedule.PROBE_RANGE - 1):
                m.d.sync += [
                    self.reading.eq(1),
                    self.space.eq(self.probe_space.r_part[0]),
                    self.element.eq(self.probe_first.r_part[0]),
                    elements_left.eq(self.probe_count.r_part[0]),
                ]
                with m.If(self.probe_count.r_part[0] == 0):
                    go_on()
                with m.Else():
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += nibbles.eq(self._nibbles())
                m.d.sync += [
                    self.element.eq(self.element + 1),
                    elements_left.eq(elements_left - 1),
                ]
                with m.If(elements_left == 1):
                    go_on()
            with m.State("DRAIN"):
                m.d.comb += [
                    self._flush.eq(cycle == LATENCY),
                    self.over.eq(cycle == schedule.PROBE - 1),
                ]
                with m.If(self.over):
                    m.d.sync += self.reading.eq(0)
                    m.next = "IDLE"
        return Delay(m, "nibbles", nibbles, LATENCY)[LATENCY]

    def _nibbles(self) -> Value:
        """Return the nibbles of an element of the space; 0 if it is not reported."""
        return reduce(
            or_,
            (
                Mux(self.space == space, element_nibbles(array, self.params), 0)
                for space, array in probed(self.params).items()
            ),
        )

    def _pack(self, m: Module, nibbles: Value) -> None:
        """Put the nibbles of elements behind those that are held, and report each whole word."""
        held = Signal(WORD_COUNT_BITS)
        fill = Signal(range(WORD_NIBBLES))
        both = Signal(WORD_COUNT_BITS + len(self.value))
        total = Signal(range(WORD_NIBBLES + MOST_NIBBLES))
        words_left = Signal(16)  # that may still be reported
        value = Mux(nibbles != 0, self.value, 0)
        is_whole = total >= WORD_NIBBLES
        m.d.comb += [
            both.eq(held | (value << (fill * NIBBLE_BITS))),
            total.eq(fill + nibbles),
            self.word.eq(both),
            self.word_stb.eq((is_whole | (self._flush & (fill != 0))) & (words_left != 0)),
        ]
        with m.If(self.start_stb):
            m.d.sync += [held.eq(0), fill.eq(0), words_left.eq(self.probe_words)]
        with m.Else():
            m.d.sync += [
                held.eq(Mux(is_whole, both >> WORD_COUNT_BITS, both)),
                fill.eq(Mux(is_whole, total - WORD_NIBBLES, total)),
                words_left.eq(words_left - self.word_stb),
            ]
