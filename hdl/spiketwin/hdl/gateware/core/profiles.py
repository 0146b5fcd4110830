"""What profiles hold, in small memories beside the units that use it."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import Space, profile_columns, space_formats


class ProfileWrites(wiring.Signature):
    """What the link writes to the space `PROFILE_TABLE`.

    Members
    -------
    row, column, value, write_stb:
        An element is written.
    """

    def __init__(self, params: CoreParams) -> None:
        form = space_formats(params)[Space.PROFILE_TABLE]
        super().__init__(
            {
                "row": Out(range(form.rows)),
                "column": Out(range(form.columns)),
                "value": Out(32),
                "write_stb": Out(1),
            }
        )


class Constants:
    """The constants of a neuron or a source: registers, or in a core with profiles its own.

    Parameters
    ----------
    m, params:
        The module that uses the constants, and the sizes of the core.
    settings:
        The registers that the unit has, as members.
    writes:
        What is written to the table of profiles (`ProfileWrites`); None in a core without one.
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
        self._m, self._params, self._settings = m, params, settings
        self._writes, self._name, self._number = writes, name, number
        self._columns = {v.name: k for k, v in enumerate(profile_columns(params))}
        self._variables = {v.name: v for v in profile_columns(params)}

    def at(self, stage: int, name: str) -> Value:
        """Return a constant in a stage; the number of the profile is used in the one before."""
        if self._writes is None or name not in self._columns:
            value: Value = getattr(self._settings, name)
            return value
        variable, writes = self._variables[name], self._writes
        width = variable.width(self._params)
        memory: Memory = Memory(
            shape=Shape(width, variable.signed), depth=self._params.n_profiles, init=[]
        )
        self._m.submodules[f"{name}_of_{self._name}"] = memory
        write, read = memory.write_port(), memory.read_port()
        self._m.d.comb += [
            write.addr.eq(writes.row),
            write.data.eq(writes.value),
            write.en.eq(writes.write_stb & (writes.column == self._columns[name])),
            read.addr.eq(self._number(stage - 1)),
        ]
        held: Value = read.data
        return held
