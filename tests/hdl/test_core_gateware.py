"""The core's gateware against the table of variables: what has a memory, and a register."""

import re
from typing import Any

import pytest
from amaranth.back.rtlil import convert
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.sim import Simulator
from support.gateware import simulate
from support.rungs import bulk_but

from spiketwin.hdl.gateware import emit
from spiketwin.hdl.gateware.core import access, core, neurons
from spiketwin.hdl.gateware.core.records import RecordMemory
from spiketwin.hdl.gateware.core.register_file import RegisterFile
from spiketwin.hdl.gateware.core.state_memory import StatePort
from spiketwin.hdl.gateware.core.vectors import vectors
from spiketwin.hdl.gateware.core.weights import synapse_layout
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import ClearMask, Space, registers, space_formats
from spiketwin.hdl.spec.variables import ARRAYS, Per

pytestmark = pytest.mark.rtl

SIZES = ["tiny", "tiny,learning=0", "up5k"]
MANY = "tiny,digest_rounds=1,saturation_counters=1,n_profiles=2,decay_shift=1,receptors=2"


@pytest.mark.parametrize("size", SIZES)
def test_every_array_of_the_table_has_a_memory(size: str) -> None:
    params = preset(size)
    built = {array.space: array for array in ARRAYS if array.is_built(params)}
    ports = vectors(params)
    in_words = {Space[name.upper()] for name in synapse_layout(params).members}
    assert set(ports) | in_words | {Space.PENDING} == set(built)
    assert not set(ports) & in_words
    for space, port in ports.items():
        array = built[space]
        assert (port.element.width, port.element.signed) == (array.width(params), array.signed)
        assert port.size == (params.n_neurons if array.per is Per.NEURON else params.n_sources)
        assert port.written is bool(array.writer)


@pytest.mark.parametrize(
    "size",
    bulk_but({"tiny", MANY}, [*SIZES, MANY]),
)
def test_every_unit_of_a_core_keeps_its_name(size: str) -> None:
    """A unit called as a signal beside it would get a number, and not be found in waves."""
    modules = re.findall(r"^module \\?(\S+?) *\(", emit.verilog("CoreTop", preset(size)), re.M)
    assert "CoreTop.core.neurons" in modules
    assert not [name for name in modules if "$" in name]


@pytest.mark.parametrize(
    "size", bulk_but({"tiny"}, ["tiny", "tiny,n_projections=2,weight_depth=64,digest_rounds=1"])
)
def test_nothing_of_bias_events_is_built_unless_it_is_asked_for(size: str) -> None:
    names = {"is_bias", "bias_due", "biases_over", "take_bias_stb", "at_bias", "bias_stb"}
    without, built = (
        names & set(re.findall(r"\w+", emit.verilog("BytesTop", params)))
        for params in (preset(size), preset(f"{size},bias_events=1"))
    )
    assert not without
    assert built == names


def test_the_table_of_profiles_is_kept_and_told_to_those_that_use_it() -> None:
    params = preset("tiny,n_profiles=4,learning=0")
    form = space_formats(params)[Space.PROFILE_TABLE]
    rows, columns = form.rows, form.columns
    unit: Any = access.Access(params)
    table: Any = RecordMemory(form)
    m = Module()
    m.submodules.access, m.submodules.table = unit, table
    wiring.connect(m, unit.records.profile_table, table.link)
    places = [(row, column) for row in range(rows) for column in range(columns)]
    heard = {}

    async def access_element(ctx: Any, place: tuple[int, int], value: int | None) -> int:
        memory = unit.memory
        ctx.set(memory.row, place[0])
        ctx.set(memory.column, place[1])
        ctx.set(memory.write, value is not None)
        ctx.set(memory.w_data, value or 0)
        ctx.set(memory.valid, 1)
        while not ctx.get(memory.done):
            await ctx.tick()
        read: int = ctx.get(memory.r_data)
        await ctx.tick()
        ctx.set(memory.valid, 0)
        return read

    async def listen(ctx: Any) -> None:
        link = table.link
        async for _, _, stb, row, column, value in ctx.tick().sample(
            link.write_stb, link.row, link.column, link.value
        ):
            if stb:
                heard[row, column] = value

    async def script(ctx: Any) -> None:
        ctx.set(unit.free, 1)
        ctx.set(unit.memory.space, Space.PROFILE_TABLE)
        for place in places:
            await access_element(ctx, place, 0xFFFFFF00 | place[0] << 4 | place[1])
        for place in places:
            wanted = 0xFFFFFF00 | place[0] << 4 | place[1]
            assert await access_element(ctx, place, None) == wanted
            assert heard[place] == wanted

    simulate(m, script, listen)


def test_update_writes_what_the_table_says_that_it_writes() -> None:
    written = {
        array.space
        for array in ARRAYS
        if array.per is Per.NEURON and array.writer and array.space is not Space.PENDING
    }
    assert set(neurons.WRITE_STAGES) == written


@pytest.mark.parametrize("size", SIZES)
def test_every_register_of_the_table_is_held_or_fetched(size: str) -> None:
    file = RegisterFile(preset(size))
    assert convert(file, emit_src=False)
    members = file.signature.members
    for register in registers(preset(size)):
        assert (register.name in members) != (f"{register.name}_stb" in members)


def test_a_vector_that_no_unit_uses_is_written_read_and_cleared_by_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without learning nothing uses the space `trace_post`: here it is built all the same."""
    params = preset("tiny,learning=0")
    unused = StatePort(Shape(5), params.neuron_lanes, params.n_neurons, params.neuron_lanes,
                       written=False)  # fmt: skip

    def with_another(sizes: CoreParams) -> dict[Space, StatePort]:
        return vectors(sizes) | {Space.TRACE_POST: unused}

    monkeypatch.setattr(access, "vectors", with_another)
    monkeypatch.setattr(core, "vectors", with_another)
    design: Any = core.Core(params)
    wanted = [3 * neuron % 32 for neuron in range(params.n_neurons)]

    async def element(ctx: Any, space: Space, column: int, value: int | None = None) -> int:
        memory = design.memory
        ctx.set(memory.space, space)
        ctx.set(memory.column, column)
        ctx.set(memory.write, value is not None)
        ctx.set(memory.w_data, value or 0)
        ctx.set(memory.valid, 1)
        *_, stored = await ctx.tick().sample(memory.r_data).until(memory.done)
        ctx.set(memory.valid, 0)
        await ctx.tick()
        return int(stored)

    async def script(ctx: Any) -> None:
        await ctx.tick().repeat(4)
        for column, value in enumerate(wanted):
            await element(ctx, Space.TRACE_POST, column, value)
            await element(ctx, Space.BIAS, column, -column)
        found = [await element(ctx, Space.TRACE_POST, k) for k in range(params.n_neurons)]
        assert found == wanted
        ctx.set(design.clear_mask, ClearMask.TRACES)
        ctx.set(design.clear_stb, 1)
        await ctx.tick()
        ctx.set(design.clear_stb, 0)
        await ctx.tick().until(design.idle)
        found = [await element(ctx, Space.TRACE_POST, k) for k in range(params.n_neurons)]
        assert found == [0] * params.n_neurons
        biases = [await element(ctx, Space.BIAS, k) for k in range(params.n_neurons)]
        assert biases == [-k % (1 << 32) for k in range(params.n_neurons)]

    simulator: Any = Simulator(design)
    simulator.add_clock(1e-8)
    simulator.add_testbench(script)
    simulator.run()
