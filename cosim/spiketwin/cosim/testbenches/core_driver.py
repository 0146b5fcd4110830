"""Driver of the core's ports, with the oracle beside it, and the comparison after every tick."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, ClassVar, Final, TypeAlias

from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge, Timer, with_timeout

from spiketwin.cosim.testbenches.scoreboard import Scoreboard
from spiketwin.cosim.testbenches.signals import DeviceMemory, Element, number
from spiketwin.hdl.spec import arithmetic, schedule, variables
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.oracle import Oracle, TickResult
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import SPIKE_CYCLE_BITS, SPIKE_MASK_BITS, WORD_COUNT_BITS, Word
from spiketwin.hdl.spec.registers import (
    PENDING_MASK_BITS,
    ClearMask,
    Space,
    SpaceFormat,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import Per

CYCLE: Final = 2
"""Simulation steps per clock cycle."""

VECTORS: Final = tuple(
    v for v in variables.ARRAYS if v.per is not Per.SYNAPSE and v.space is not Space.PENDING
)
"""Variables with one element per neuron or source, causes before their effects."""
MATRICES: Final = variables.names(v for v in variables.ARRAYS if v.per is Per.SYNAPSE)

_ACCESS_CYCLES: Final = 32
_Access: TypeAlias = tuple[Space, int, int, int | None]
"""What is accessed: space, row, column, and the value to write; None to read."""

_WORD_CYCLES: Final = 4
"""Most cycles that it takes to take a word from the queue."""


def count_word(kind: Word, count: int) -> int:
    """Return the output word of a kind with a count."""
    return 1 << 31 | kind << WORD_COUNT_BITS | count


def words_of(params: CoreParams, result: TickResult) -> list[int]:
    """Return the output words of one tick."""
    masks: dict[int, int] = {}
    for neuron in result.spikes:
        group, lane = divmod(neuron, params.neuron_lanes)
        masks[group] = masks.get(group, 0) | 1 << lane
    spikes = [
        (group << SPIKE_MASK_BITS | mask) << SPIKE_CYCLE_BITS
        | schedule.spike_cycle(params, group * params.neuron_lanes)
        for group, mask in masks.items()
    ]
    digest = []
    if result.digest is not None:
        halves = result.digest & 0xFFFF, result.digest >> 16
        digest = [*map(count_word, (Word.DIGEST_LOW, Word.DIGEST_HIGH), halves)]
    begin = count_word(Word.UPDATE, result.update_cycle)
    probes = [count_word(Word.PROBE, count) for count in result.probes]
    return [begin, *spikes, *probes, count_word(Word.END, result.cycles), *digest]


class DriverError(SpiketwinError, ValueError):
    """A test requests something that the core lacks; the message says what there is."""

    exit_status = 2


class CoreDriver:
    """The core under test and the oracle that it must equal.

    All inputs change, and all outputs are read, at falling edges of the clock.

    Attributes
    ----------
    drives:
        Level of the top.
    dut:
        The top, a `CoreTop`.
    params, oracle, scoreboard:
        The sizes of the core, the oracle that it must equal, and the scoreboard that compares.
    rng:
        Source of all random choices.
    """

    drives: ClassVar[str] = "core"

    def __init__(self, dut: Any, params: CoreParams, seed: int) -> None:
        self.dut = dut
        self.params = params
        self.formats = space_formats(params)
        self._registers = registers(params)
        self._written = {
            v.name: self.formats[v.space]
            for v in variables.ARRAYS
            if v.space in self.formats and v.name != "pending"
        }
        self.oracle = Oracle(params)
        self.scoreboard = Scoreboard(seed)
        self.rng = random.Random(seed)
        self.total_cycles = 0
        self._weights = [[0] * params.n_neurons for _ in range(params.n_sources)]
        self._flags = [[0] * params.n_neurons for _ in range(params.n_sources)]
        self._vectors, self._banks = self._find_memories()

    async def start(self) -> None:
        """Start the clock, with random contents in single-port memories, and wait until idle."""
        if self.params.single_port_weights:
            bits = self.params.weights_per_word * (self.params.weight_width + self.params.learning)
            for bank in self._banks:
                for word in bank.words:
                    word.value = self.rng.getrandbits(bits)
        for name in (
            "rst", "memory_valid", "events_valid", "words_ready", "run_until", "set_tick_stb",
            "clear_stb", "reset_stb",
        ):  # fmt: skip
            getattr(self.dut, name).value = 0
        Clock(self.dut.clk, CYCLE, "step", impl="gpi").start()
        await self.cycles(2)
        if not number(self.dut.idle):
            await self._idle(4 * self.params.bank_depth)

    async def cycles(self, count: int) -> None:
        """Let so many cycles pass, and return at a falling edge, as every method here does."""
        if count > 3:
            # The last of them begins while the clock is high, wherever this was called.
            await FallingEdge(self.dut.clk)
            await Timer((count - 2) * CYCLE + CYCLE // 2, "step")
            count = 1
        for _ in range(count):
            await FallingEdge(self.dut.clk)

    # --- the memory port -----------------------------------------------------------------------

    async def access(self, space: Space, row: int, column: int, value: int | None = None) -> int:
        """Write one element if a value is given, else read it; return the element."""
        (element,) = await self._accesses([(space, row, column, value)])
        return element

    async def _accesses(self, accesses: Sequence[_Access]) -> list[int]:
        """Write or read elements, as `access` does, one after the other; return them.

        The time that they may take is measured as a whole: to watch over each of them takes longer
        than the access does.
        """
        most_cycles = max(1, len(accesses)) * _ACCESS_CYCLES
        return await with_timeout(self._access_all(accesses), most_cycles * CYCLE, "step")

    async def _access_all(self, accesses: Sequence[_Access]) -> list[int]:
        dut, elements = self.dut, []
        into, valid, read = dut.memory_w_data, dut.memory_valid, dut.memory_r_data
        done, end = RisingEdge(dut.memory_done), FallingEdge(dut.clk)
        before = None
        for space, row, column, value in accesses:
            if before != (before := (space, row, value is None)):  # seldom, within a vector or row
                dut.memory_space.value = int(space)
                dut.memory_row.value = row
                dut.memory_write.value = value is not None
            dut.memory_column.value = column
            into.value = (value or 0) & 0xFFFFFFFF
            valid.value = 1
            await done
            await end
            raw = number(read)
            # Otherwise the next request would begin in the cycle that ends this one.
            valid.value = 0
            await end
            signed = space in self.formats and self.formats[space].signed
            elements.append(raw - (1 << 32) if signed and raw >> 31 else raw)
        return elements

    async def write(self, name: str, values: Sequence[Any]) -> None:
        """Write a vector or matrix to core and oracle; raise `DriverError` if it does not fit."""
        fmt = self._format(name)
        rows = values if name in MATRICES else [values]
        if len(rows) != fmt.rows or any(len(columns) != fmt.columns for columns in rows):
            raise DriverError(f"{name} is {fmt.rows} × {fmt.columns} elements here: give them all")
        for columns in rows:
            for value in columns:
                self._check(name, 0, 0, int(value))
        await self._accesses(
            [
                (fmt.space, row, column, int(value))
                for row, columns in enumerate(rows)
                for column, value in enumerate(columns)
            ]
        )
        setattr(self.oracle, name, [list(v) if name in MATRICES else v for v in values])

    async def write_element(self, name: str, place: int, value: int) -> None:
        """Write one element of a vector."""
        self._check(name, 0, place, value)
        await self.access(Space[name.upper()], 0, place, value)
        getattr(self.oracle, name)[place] = value

    async def fill(self, name: str, value: int) -> None:
        """Write the same value to a whole vector or matrix."""
        fmt = self._format(name)
        row = [value] * fmt.columns
        await self.write(name, [row] * fmt.rows if name in MATRICES else row)

    async def write_synapse(
        self, source: int, neuron: int, weight: int, plastic: bool = False
    ) -> None:
        """Write one weight and, where learning is built, its flag."""
        self._check("weight", source, neuron, weight)
        await self.access(Space.WEIGHT, source, neuron, weight)
        self.oracle.weight[source][neuron] = weight
        if self.params.learning:
            await self.access(Space.PLASTIC, source, neuron, plastic)
            self.oracle.plastic[source][neuron] = plastic

    async def write_registers(self, **values: int) -> None:
        """Write registers; those that the core lacks are skipped.

        What profiles hold is written to all of them.
        """
        written = [
            (address, register.name)
            for address, register in enumerate(self._registers)
            if register.name in values
        ]
        await self._accesses([(Space.REGISTER, 0, place, values[name]) for place, name in written])
        for _, name in written:
            self.oracle.register[name] = values[name]
            if name == "probe_period":
                self.oracle.probe_left = 0
        for name, value in values.items():
            if name in self.oracle.profile_table:
                await self.write_profiles(name, [value] * self.params.n_profiles)

    async def write_profiles(self, name: str, values: Sequence[int]) -> None:
        """Write what each profile holds of this name."""
        place = list(self.oracle.profile_table).index(name)
        await self._accesses(
            [(Space.PROFILE_TABLE, profile, place, value) for profile, value in enumerate(values)]
        )
        self.oracle.profile_table[name] = list(values)

    async def write_pending(self, neurons: Iterable[int]) -> None:
        """Mark at least one neuron as having fired in the last tick."""
        fired = sorted(neurons)
        masks: dict[int, int] = {}
        for neuron in fired:
            group, lane = divmod(neuron, self.params.neuron_lanes)
            masks[group] = masks.get(group, 0) | 1 << lane
        await self._accesses(
            [
                (Space.PENDING, 0, place, group << PENDING_MASK_BITS | mask)
                for place, (group, mask) in enumerate(masks.items())
            ]
        )
        self.oracle.pending = fired

    async def clear(self, mask: ClearMask) -> None:
        """Set the state that the mask names to 0."""
        self.dut.clear_mask.value = int(mask)
        self.dut.clear_stb.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.clear_stb.value = 0
        if number(self.dut.reset_stb):
            self.dut.reset_stb.value = 0
            # Together with the tick, or the core would run on to the old value.
            self.dut.run_until.value = 0
        if not number(self.dut.idle):
            await self._idle(max(self.params.n_sources, len(self._registers)) + 8)
        self.oracle.clear(mask)

    async def reset(self) -> None:
        """Reset the core and clear all state with it, as the link does."""
        self.dut.reset_stb.value = 1
        await self.clear(~ClearMask(0))
        self.oracle.register = dict.fromkeys(self.oracle.register, 0)
        self.oracle.tick = self.total_cycles = 0
        self.oracle.saturations = dict.fromkeys(self.oracle.saturations, 0)

    # --- events, words, ticks ------------------------------------------------------------------

    async def queue(self, events: Iterable[tuple[int, int]]) -> None:
        """Queue (tick, axon) events in ascending order, until all are queued."""
        await self._queue(tick | axon << 32 for tick, axon in events)

    async def queue_biases(self, events: Iterable[tuple[int, int, int]]) -> None:
        """Queue (tick, neuron, bias) events, ascending by tick, until all are queued."""
        p = self.params
        await self._queue(
            tick
            | (neuron | 1 << p.event_number_width) << 32
            | arithmetic.unsigned(bias, p.v_width) << 33 + p.event_number_width
            for tick, neuron, bias in events
        )

    async def _queue(self, payloads: Iterable[int]) -> None:
        dut = self.dut
        for payload in payloads:
            dut.events_payload.value = payload
            dut.events_valid.value = 1
            for _ in range(_ACCESS_CYCLES):
                ready = number(dut.events_ready)
                await FallingEdge(dut.clk)
                if ready:
                    break
            dut.events_valid.value = 0

    async def take_words(self, count: int | None = None) -> list[int]:
        """Take and return so many output words, or all that are queued."""
        words: list[int] = []
        dut = self.dut
        await self.cycles(_WORD_CYCLES)
        while (count is None or len(words) < count) and number(dut.words_valid):
            words.append(number(dut.words_payload))
            dut.words_ready.value = 1
            await FallingEdge(dut.clk)
        dut.words_ready.value = 0
        return words

    async def run(self, ticks: int, most_cycles: int | None = None) -> None:
        """Run so many ticks and wait for their end, without taking words or comparing."""
        self.dut.run_until.value = self.oracle.tick + ticks
        await self._idle(most_cycles or ticks * schedule.most_cycles(self.params) + 16)

    async def tick(
        self, axons: Iterable[int] = (), biases: Iterable[tuple[int, int]] = ()
    ) -> TickResult:
        """Run one tick of core and oracle in which these axons spike, and compare everything.

        An axon that is named twice spikes twice. `biases` are (neuron, bias), in a core that has
        bias events.
        """
        spikes, rewritten = sorted(axons), list(biases)
        for axon in spikes:
            if not 0 <= axon < self.params.n_axons:
                raise DriverError(f"axon must be in 0…{self.params.n_axons - 1}, not {axon}")
        for neuron, bias in rewritten:
            if not self.params.bias_events:
                raise DriverError("this core has no bias events: build it with bias_events=True")
            self._check("bias", 0, neuron, bias)
        await self.queue_biases((self.oracle.tick, *each) for each in rewritten)
        await self.queue((self.oracle.tick, axon) for axon in spikes)
        self.dut.run_until.value = self.oracle.tick + 1
        # At a fixed period, a short tick before this one prolongs the wait for it.
        again = len(spikes) + len(rewritten)
        most_cycles = 2 * schedule.most_cycles(self.params, repeats=again) + 16
        await with_timeout(RisingEdge(self.dut.idle), most_cycles * CYCLE, "step")
        # The results of the tick are in memory from the very edge on at which it ends.
        result = self.step(spikes, rewritten)
        self.compare()
        await FallingEdge(self.dut.clk)
        self.check_words(await self.take_words(), words_of(self.params, result))
        return result

    def step(self, axons: Iterable[int], biases: Iterable[tuple[int, int]] = ()) -> TickResult:
        """Advance the oracle alone, and return its result."""
        self.scoreboard.tick = self.oracle.tick
        result = self.oracle.step(axons, biases)
        self.total_cycles += result.cycles
        return result

    def _format(self, name: str) -> SpaceFormat:
        if name not in self._written:
            raise DriverError(
                f"there is no {name!r} to write in this core: choose of {', '.join(self._written)}"
            )
        return self._written[name]

    def _check(self, name: str, row: int, column: int, value: int) -> None:
        """Raise `DriverError` unless the core has such an element, and the value fits it."""
        fmt = self._format(name)
        rows = "source" if name in MATRICES else "row"
        columns = "source" if variables.BY_SPACE[fmt.space].per is Per.SOURCE else "neuron"
        least, most = fmt.limits()
        for what, got, low, high in (
            (f"{rows} of {name}", row, 0, fmt.rows - 1),
            (f"{columns} of {name}", column, 0, fmt.columns - 1),
            (name, value, least, most),
        ):
            if not low <= got <= high:
                raise DriverError(f"{what} must be in {low}…{high}, not {got}")

    async def _idle(self, most_cycles: int) -> None:
        await with_timeout(RisingEdge(self.dut.idle), most_cycles * CYCLE, "step")
        await FallingEdge(self.dut.clk)

    # --- comparison ----------------------------------------------------------------------------

    def check_words(self, got: Sequence[int], expected: Sequence[int]) -> None:
        """Compare output words: spikes, the cycle of each, and the cycles of *Update* and tick."""
        for place, (one, other) in enumerate(zip(got, expected, strict=False)):
            self.scoreboard.check("output", _Named(one), _Named(other), f"word {place}")
        self.scoreboard.check("number of output words", len(got), len(expected))

    def compare(self) -> None:
        """Compare all state, all weights, flags and parameters, and the counters of a tick."""
        check = self.scoreboard
        for vector in VECTORS:
            if vector.space in self.formats:
                name, item = vector.name, vector.per.value
                check.check_vector(name, self.peek(name), getattr(self.oracle, name), item)
        weight, plastic = self.peek_synapses()
        check.check_matrix("weight", weight, self.oracle.weight)
        if self.params.learning:
            check.check_matrix("plastic", plastic, self.oracle.plastic)
        groups = {neuron // self.params.neuron_lanes for neuron in self.oracle.pending}
        for name, expected in (
            ("tick", self.oracle.tick),
            ("cycles", self.total_cycles),
            ("pending_groups", len(groups)),
        ):
            check.check(name, number(getattr(self.dut, name)), expected)
        if self.params.saturation_counters:
            for name, expected in self.oracle.saturations.items():
                check.check(name, number(getattr(self.dut, name)), expected)

    async def compare_through_port(self) -> None:
        """Compare every element of every space, as the link reads it."""
        for space, fmt in self.formats.items():
            name = space.name.lower()
            if space is Space.REGISTER:
                expected = [list(self.oracle.register.values())]
            elif space in (Space.COUNTER, Space.PENDING):
                continue
            elif space is Space.PROFILE_TABLE:
                expected = [*map(list, zip(*self.oracle.profile_table.values(), strict=True))]
            else:
                values = getattr(self.oracle, name)
                expected = values if name in MATRICES else [values]
            places = [*product(range(fmt.rows), range(fmt.columns))]
            read = await self._accesses([(space, *place, None) for place in places])
            for place, got in zip(places, read, strict=True):
                want = expected[place[0]][place[1]] & 0xFFFFFFFF
                self.scoreboard.check(f"{name} read", got & 0xFFFFFFFF, want, str(place))

    def peek(self, name: str) -> list[int]:
        """Read a vector of state or parameters straight from its memory."""
        memory, values = self._vectors[name]
        memory.read()
        return values[: self.formats[Space[name.upper()]].columns]

    def peek_synapses(self) -> tuple[list[list[int]], list[list[bool]]]:
        """Read all weights and flags straight from the banks."""
        for bank in self._banks:
            bank.read()
        return [row.copy() for row in self._weights], [[*map(bool, row)] for row in self._flags]

    def _find_memories(
        self,
    ) -> tuple[dict[str, tuple[DeviceMemory, list[int]]], list[DeviceMemory]]:
        """Find the memories of vectors, each with the elements that it reads, and the banks.

        They are found by their names, which Amaranth makes unique in the Verilog.
        """
        scopes = {
            scope._name.strip("\\ ").split("$")[0]: scope
            for scope in self.dut.core
            if isinstance(scope, HierarchyObject)
        }
        vectors = {
            v.name: _vector(scopes[v.name].memory, self.formats[v.space])
            for v in VECTORS
            if v.space in self.formats
        }
        arrays = [getattr(scopes["weights"], f"bank_{bank}") for bank in range(self.params.lanes)]
        return vectors, [*map(DeviceMemory, arrays, self._synapses())]

    def _synapses(self) -> list[list[list[Element]]]:
        """Return the weights and flags that are in each word of each bank."""
        p = self.params
        words = p.n_sources * -(-p.n_neurons // (p.lanes * p.weights_per_word))
        banks: list[list[list[Element]]] = [[[] for _ in range(words)] for _ in range(p.lanes)]
        for i, j in product(range(p.n_sources), range(p.n_neurons)):
            word, part = divmod(j // p.lanes, p.weights_per_word)
            shift = part * (p.weight_width + p.learning)
            held = banks[(i + j) % p.lanes][word * p.n_sources + i]
            held.append(Element(self._weights[i], j, shift, p.weight_width, True))
            if p.learning:
                held.append(Element(self._flags[i], j, shift + p.weight_width, 1, False))
        return banks


def _vector(array: Any, fmt: SpaceFormat) -> tuple[DeviceMemory, list[int]]:
    """Return the memory of a vector, and the elements that it reads."""
    lanes = max(1, fmt.columns // len(array))  # no memory has a single word
    values = [0] * (lanes * len(array))
    elements = [
        [
            Element(values, word * lanes + lane, lane * fmt.width, fmt.width, fmt.signed)
            for lane in range(lanes)
        ]
        for word in range(len(array))
    ]
    return DeviceMemory(array, elements), values


class _Named(int):
    """An output word that prints with its meaning."""

    def __repr__(self) -> str:
        if self >> 31:
            kind = Word(self >> WORD_COUNT_BITS & 7)
            return f"{kind.name} {self & (1 << WORD_COUNT_BITS) - 1}"
        cycle = self & (1 << SPIKE_CYCLE_BITS) - 1
        mask = self >> SPIKE_CYCLE_BITS & (1 << SPIKE_MASK_BITS) - 1
        group = self >> SPIKE_CYCLE_BITS + SPIKE_MASK_BITS
        return f"SPIKES of group {group}, mask {mask:#b}, at cycle {cycle}"

    __str__ = __repr__
