"""What profiles and rules hold, in small memories beside the units that use it."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space, space_formats


class TableWrites(wiring.Signature):
    """What the link writes to a space of records.

    Members
    -------
    row, column, value, write_stb:
        An element is written.
    """

    def __init__(self, params: CoreParams, space: Space) -> None:
        form = space_formats(params)[space]
        super().__init__(
            {
                "row": Out(range(form.rows)),
                "column": Out(range(form.columns)),
                "value": Out(32),
                "write_stb": Out(1),
            }
        )


class Table:
    """The records of a space, of which each column that is used has a memory of its own.

    Parameters
    ----------
    m, params, space:
        The module that uses the records, the sizes of the core, and the space.
    writes:
        What is written to the space (`TableWrites`).
    """

    def __init__(
        self, m: Module, params: CoreParams, space: Space, writes: wiring.PureInterface
    ) -> None:
        self._m, self._writes, self._rows = m, writes, space_formats(params)[space].rows
        self._columns = list(space_formats(params)[space].record)
        self.names = [column.name for column in self._columns]

    def held(self, name: str, number: Value, memory_name: str) -> Value:
        """Return, a cycle later, what the record of a number holds in a column.

        `memory_name` is the name of the memory, which no other of the module has.
        """
        place, writes = self.names.index(name), self._writes
        shape = Shape(self._columns[place].width, self._columns[place].signed)
        memory: Memory = Memory(shape=shape, depth=self._rows, init=[])
        self._m.submodules[memory_name] = memory
        write, read = memory.write_port(), memory.read_port()
        self._m.d.comb += [
            write.addr.eq(writes.row),
            write.data.eq(writes.value),
            write.en.eq(writes.write_stb & (writes.column == place)),
            read.addr.eq(number),
        ]
        held: Value = read.data
        return held


class Constants:
    """The constants of a neuron or a source: registers, or in a core with profiles its own.

    Parameters
    ----------
    m, params:
        The module that uses the constants, and the sizes of the core.
    settings:
        The registers that the unit has, as members.
    writes:
        What is written to the table of profiles (`TableWrites`); None in a core without one.
    name:
        Name for the memories of this neuron or source, which no others of the module have.
    number:
        Gives the number of the profile in a stage.
    """

    def __init__(
        self,
        m: Module,
        params: CoreParams,
        settings: wiring.PureInterface,
        writes: wiring.PureInterface | None,
        name: str,
        number: Callable[[int], Value],
    ) -> None:
        self._settings, self._name, self._number = settings, name, number
        self._table = None
        if writes is not None:
            self._table = Table(m, params, Space.PROFILE_TABLE, writes)

    def at(self, stage: int, name: str) -> Value:
        """Return a constant in a stage; the number of the profile is used in the one before."""
        if self._table is None or name not in self._table.names:
            value: Value = getattr(self._settings, name)
            return value
        return self._table.held(name, self._number(stage - 1), f"{name}_of_{self._name}")
