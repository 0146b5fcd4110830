"""The link's program: what is assembled, and where its cells lie."""

import pytest

from spiketwin.hdl.gateware.link.dispatcher import dispatcher
from spiketwin.hdl.gateware.link.instructions import (
    CELLS,
    FIXED,
    MOST_PROGRAM_WORDS,
    Bytes,
    Condition,
    Scratch,
)
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import tables
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Identity

pytestmark = pytest.mark.rtl


def test_what_does_not_fit_is_not_assembled() -> None:
    program = Program()
    for _ in range(MOST_PROGRAM_WORDS + 1):
        program.jump("here")
    with pytest.raises(ValueError, match="more than 2048"):
        program.assemble()
    with pytest.raises(ValueError, match="does not fit a byte"):
        program.set(Scratch.NUMBER, 256)
    program.label("here")
    with pytest.raises(ValueError, match="two instructions are called here"):
        program.label("here")


def test_a_cell_that_cannot_take_numbers_takes_none() -> None:
    program = Program()
    program.set(Scratch.ZERO, 1)
    with pytest.raises(ValueError, match="ZERO takes numbers, and cell 8 does not"):
        program.assemble()


def overlapping() -> Program:
    """Make a program in which TICK is needed while OFFSET is written."""
    program = Program()
    program.copy(Scratch.TICK, Scratch.BUFFER)
    program.copy(Scratch.OFFSET, Scratch.BUFFER)
    program.add(Scratch.TICK, Scratch.OFFSET)
    program.copy(Scratch.AXON, Scratch.BUFFER)
    program.compare(Scratch.AXON, Scratch.ONE)
    program.copy(Scratch.QUEUED, Scratch.BUFFER)
    program.compare(Scratch.QUEUED, Scratch.ONE)
    return program


def test_cells_that_are_needed_at_the_same_time_cannot_share_a_place() -> None:
    program = overlapping()
    together = FIXED | {Scratch.TICK: 20, Scratch.OFFSET: 20}
    with pytest.raises(
        ValueError, match="(TICK and OFFSET|OFFSET and TICK) cannot share cell 20: instruction 1"
    ):
        program.cells(together)
    one_after_the_other = FIXED | {Scratch.AXON: 20, Scratch.QUEUED: 20}
    assert program.cells(one_after_the_other)[Scratch.AXON] == 20
    places = program.cells()
    assert places[Scratch.TICK] != places[Scratch.OFFSET]
    assert places[Scratch.AXON] == places[Scratch.QUEUED]


def test_a_cell_is_needed_on_every_way_that_reads_it_and_round_a_loop() -> None:
    program = Program()
    program.copy(Scratch.TICK, Scratch.BUFFER)
    program.label("loop")
    program.copy(Scratch.OFFSET, Scratch.BUFFER)
    program.compare(Scratch.OFFSET, Scratch.ONE)
    program.jump_if(Condition.LOOP, "loop")
    program.copy(Scratch.AXON, Scratch.TICK)
    program.jump("loop")
    with pytest.raises(ValueError, match="cannot share"):
        program.cells(FIXED | {Scratch.TICK: 20, Scratch.OFFSET: 20})


def test_bytes_that_nothing_writes_stay_zero() -> None:
    """OFFSET is written one byte wide and read four wide, so nothing may write its upper bytes."""
    program = Program()
    program.copy(Scratch.TICK, Scratch.BUFFER, Bytes.FOUR)
    program.compare(Scratch.TICK, Scratch.ONE, Bytes.FOUR)
    program.copy(Scratch.OFFSET, Scratch.BUFFER)
    program.compare(Scratch.OFFSET, Scratch.ONE, Bytes.FOUR)
    with pytest.raises(ValueError, match="cannot share"):
        program.cells(FIXED | {Scratch.TICK: 20, Scratch.OFFSET: 20})


def test_too_many_cells_are_refused() -> None:
    program = Program()
    cells = [cell for cell in Scratch if cell not in FIXED][: CELLS - len(FIXED) + 1]
    for cell in cells:
        program.copy(cell, Scratch.BUFFER)
    for cell in cells:
        program.compare(cell, Scratch.ONE)
    with pytest.raises(ValueError, match="no cell below 32 is free as long as"):
        program.assemble()


OF_BIASES = {Scratch.AXON_QUEUED, Scratch.AXON_BEFORE, Scratch.NEURON, Scratch.NEURONS}


@pytest.mark.parametrize("size", ["tiny", "up5k", "full", "full,learning=0", "full,bias_events=1"])
def test_the_program_has_room_and_its_words_are_16_bits(size: str) -> None:
    params = preset(size)
    program = dispatcher(params, tables(params, Identity.of(params, 1, "")))
    # A core with bias events has more than 512 instructions, whose words have a bit more.
    assert all(0 <= word < 1 << 16 + params.bias_events for word in program.assemble())
    used = {cell for cell in Scratch if cell not in (Scratch.INPUT, Scratch.BUFFER)}
    if not params.bias_events:
        assert not OF_BIASES & program.cells().keys()
        used -= OF_BIASES
    places = program.cells()
    assert places.keys() >= used, "a cell that no instruction names"
    assert not {FIXED[Scratch.INPUT], FIXED[Scratch.BUFFER]} & {places[cell] for cell in used}
