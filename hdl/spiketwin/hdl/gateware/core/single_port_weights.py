"""The weight matrix in memories of one port: read in phase 0, written in phase 1.

The banks are those of `weights`, but two weights share a word: those of the row groups 2k and
2k + 1 of one source, the even one in the low half. A word is read every other cycle: a row uses its
two halves in turn, while a column uses one half, and handles its block in both cycles with the same
result. A write buffer gathers two halves until the memory is free in phase 1. The contents are
undefined after power-up, so all words are then wiped to 0, once.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from spiketwin.hdl.gateware.core.pipeline import Delay, times
from spiketwin.hdl.gateware.core.weights import (
    READ_LATENCY,
    BlockAddress,
    WeightSignature,
    rotate,
    synapse_layout,
)
from spiketwin.hdl.spec.params import CoreParams


class SinglePortWeights(wiring.Component):
    """All weights and plastic flags, in memories of one port.

    Words that are written are in memory two or three cycles later. The members are those of
    `weights.WeightSignature`, and the following.

    Members
    -------
    phase:
        In, 0 in the cycle in which a word is addressed, and 1 in the next cycle. It alternates, but
        may rest at 0 while nothing is written.
    wiped:
        Out, the contents are defined; no access is allowed before.
    """

    phase: Signal
    w_en: Signal

    def __init__(self, params: CoreParams) -> None:
        self.params = params
        self.layout = synapse_layout(params)
        members = WeightSignature(params).members
        super().__init__({**members, "phase": In(1), "wiped": Out(1)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        p, link = self.params, self.link
        lanes, lane_bits = p.lanes, exact_log2(p.lanes)

        reading, arriving = self._addresses(m)
        lane_0 = Mux(link.owned, link.value, self.w_words[0])
        to_banks = rotate(
            [Value.cast(lane_0), *(w.as_value() for w in list(self.w_words)[1:])],
            (-arriving.index)[:lane_bits],
        )

        # The write buffer. It begins with the words of the wipe, which starts when the reset after
        # power-up is over, as memories may not accept a word earlier.
        written = Signal(self._address)
        filled = Signal(2, init=0b11)
        in_bank = Signal(lanes, init=-1)
        writing = Signal()
        m.d.comb += writing.eq(filled.any() & (self.phase | ~self.wiped))
        with m.If(~self.wiped):
            m.d.sync += Cat(written.word, self.wiped).eq(written.word + 1)
        with m.Elif(writing):
            m.d.sync += filled.eq(0)
        with m.If(self.w_en | link.store_stb):
            m.d.sync += written.eq(arriving)
            m.d.sync += filled.bit_select(arriving.half, 1).eq(1)
            m.d.sync += [
                in_bank[bank].eq(self.w_en | (arriving.index == bank)) for bank in range(lanes)
            ]

        half = Delay(m, "half", reading.half, READ_LATENCY - 2)[READ_LATENCY - 2]
        outputs: list[Value] = []
        for bank in range(lanes):
            address = Mux(writing, _in_bank(written, bank), _in_bank(reading, bank))
            enables = Mux(writing & in_bank[bank], filled, 0)
            to_write = Signal(data.ArrayLayout(self.layout, 2), name=f"w_word_{bank}")
            for part in range(2):
                with m.If((self.w_en | link.store_stb) & (arriving.half == part)):
                    m.d.sync += to_write[part].eq(to_banks[bank])
            word = self._bank(m, bank, address, ~writing, to_write, enables)
            # This register holds both halves for two cycles; for the link it follows the memory.
            first = Signal(data.ArrayLayout(self.layout, 2), name=f"r_word_{bank}_0")
            second = Signal(self.layout, name=f"r_word_{bank}_1")
            with m.If(self.phase | link.owned):
                m.d.sync += first.eq(word)
            m.d.sync += second.eq(Mux(half, first[1], first[0]))
            outputs.append(second.as_value())

        index = Delay(m, "index", reading.index, READ_LATENCY - 1)[READ_LATENCY - 1]
        in_lanes = rotate(outputs, index)
        m.d.sync += [self.words[k].eq(word) for k, word in enumerate(in_lanes)]
        m.d.comb += link.stored.eq(self.words[0])
        return m

    def _addresses(self, m: Module) -> tuple[Signal, Signal]:
        """Return the blocks to read and to write; the link's synapse is lane 0 of its block."""
        p, link = self.params, self.link
        lane_bits = exact_log2(p.lanes)
        wanted, reading, arriving = (
            Signal(self._address, name=name) for name in ("wanted", "reading", "arriving")
        )
        m.d.sync += [
            wanted.word.eq(times(link.column >> (lane_bits + 1), p.n_sources) + link.row),
            wanted.index.eq(link.row + link.column),
            wanted.half.eq(link.column[lane_bits]),
        ]
        for name in self._address.members:
            for block, unit in ((reading, self.read), (arriving, self.write)):
                chosen = Mux(link.owned, getattr(wanted, name), getattr(unit, name))
                m.d.comb += getattr(block, name).eq(chosen)
        return reading, arriving

    def _bank(
        self, m: Module, bank: int, address: Value, reads: Value, to_write: Value, enables: Value
    ) -> Value:
        """Add the memory of one bank, and return the word that is read from it."""
        memory: Memory = Memory(
            shape=data.ArrayLayout(self.layout, 2), depth=self.params.bank_depth, init=[]
        )
        m.submodules[f"bank_{bank}"] = memory
        read, write = memory.read_port(), memory.write_port(granularity=1)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(reads),
            write.addr.eq(address),
            write.data.eq(to_write),
            write.en.eq(enables),
        ]
        word: Value = read.data
        return word

    @property
    def _address(self) -> data.StructLayout:
        """The layout of a `BlockAddress`."""
        members = BlockAddress(self.params).members
        return data.StructLayout({name: member.shape for name, member in members.items()})


def _in_bank(block: Signal, bank: int) -> Value:
    """Return the address of a block in one bank; in a column the low bits depend on the bank."""
    low = (bank - block.index)[: len(block.index)]
    return Mux(block.column, block.word | low, block.word)
