"""A memory of which one word is followed, as any of its words: all others may hold anything."""

from typing import Any

from amaranth.hdl import Elaboratable, Module, Mux, Value
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.utils import bits_for


class OneWord(Elaboratable):
    """Stands in for a `Memory` with a write port and a synchronous read port.

    A read gives the word that is followed if it is at its address; it gives anything at any other
    address, and if the same word, or a part of it, is written in that cycle. What is proved with it
    holds for every memory, whatever it does when a read and a write collide.

    Parameters
    ----------
    shape, depth:
        As of a `Memory`.
    here, address:
        Whether the word that is followed is in this memory, and its address.
    word:
        Signal that becomes that word.
    other:
        What is read of any other word; free in the bench.
    """

    def __init__(
        self, shape: Any, depth: int, *, here: Value, address: Value, word: Any, other: Any
    ) -> None:
        self._here, self._address = here, address
        self._word, self._other = Value.cast(word), Value.cast(other)
        self._shape = shape
        width = bits_for(depth - 1)
        self._read: Any = ReadPort.Signature(addr_width=width, shape=shape).create()
        self._write: Any = WritePort.Signature(addr_width=width, shape=shape).create()

    def read_port(self) -> Any:
        return self._read

    def write_port(self, *, granularity: int | None = None) -> Any:
        if granularity is not None:
            self._write = WritePort.Signature(
                addr_width=len(self._read.addr), shape=self._shape, granularity=granularity
            ).create()
        return self._write

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        read, write = self._read, self._write
        collides = write.en.any() & (write.addr == read.addr)
        hit = self._here & (read.addr == self._address) & ~collides
        with m.If(read.en):
            m.d.sync += Value.cast(read.data).eq(Mux(hit, self._word, self._other))
        data = Value.cast(write.data)
        part = len(data) // len(write.en)
        for k, enabled in enumerate(write.en):
            with m.If(self._here & enabled & (write.addr == self._address)):
                written = self._word.word_select(k, part)
                m.d.sync += written.eq(data.word_select(k, part))
        return m
