"""Populations, views of them and assemblies, with PyNN's interface."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from pyNN import common, errors
from pyNN.parameters import ArrayParameter, LazyArray, ParameterSpace, simplify

from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.recording import Recorder


class Assembly(common.Assembly):
    """PyNN's `Assembly`."""

    _simulator = simulator

    @property
    def receptor_types(self) -> list[str]:
        """The receptors that all cells have, in the order of the first ones.

        PyNN takes the first one for excitation and the second one for inhibition, and hands out
        those of an assembly in the order of a set, which differs from process to process.
        """
        first, *others = (set(each.celltype.receptor_types) for each in self.populations)
        common_ones = first.intersection(*others)
        return [each for each in self.populations[0].receptor_types if each in common_ones]


class PopulationView(common.PopulationView):
    """PyNN's `PopulationView`."""

    _assembly_class = Assembly
    _simulator = simulator

    @property
    def initial_values(self) -> dict[str, Any]:
        """The initial values of the cells of this view."""
        whole = self.grandparent.initial_values
        chosen = self.index_in_grandparent(np.arange(self.size))
        return {name: self.grandparent.initial(name)[chosen] for name in whole}

    def initialize(self, **initial_values: Any) -> None:
        """Set the initial values of the cells of this view."""
        parent, chosen = self.grandparent, self.index_in_grandparent(np.arange(self.size))
        for variable, value in initial_values.items():
            own = LazyArray(value, shape=(self.size,), dtype=float)
            whole = parent.initial(variable).copy()
            whole[chosen] = own.evaluate()
            parent.initialize(**{variable: whole})

    def _get_parameters(self, *names: str) -> ParameterSpace:
        held = {name: simplify(self.grandparent.parameter(name)[self._places]) for name in names}
        return ParameterSpace(held, shape=(self.size,))

    _get_native_parameters = _get_parameters

    @property
    def _places(self) -> Any:
        return self.index_in_grandparent(np.arange(self.size))

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        parameter_space.evaluate(simplify=False)
        self.grandparent.note_change()
        for name, value in parameter_space.as_dict().items():
            self.grandparent.parameter(name)[self._places] = _of_each(value, self.size)

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)


class Population(common.Population):
    """PyNN's `Population`."""

    _simulator = simulator
    _recorder_class = Recorder
    _assembly_class = Assembly

    def _create_cells(self) -> None:
        """Number the cells, and evaluate their parameters, which random ones are once."""
        if self.size < 1:
            raise InvalidInput(f"{self.label} must have a cell at least, not {self.size}")
        state = simulator.state
        first = state.id_counter
        self.all_cells = np.array(
            [simulator.ID(number) for number in range(first, first + self.size)],
            dtype=simulator.ID,
        )
        for cell in self.all_cells:
            cell.parent = self
        state.id_counter += self.size
        self._mask_local = np.ones(self.size, bool)
        space = deepcopy(self.celltype.parameter_space)  # others may have the same cell type
        space.shape = (self.size,)
        space.evaluate(simplify=False)
        space.flatten()  # those of the parts of a cell, by the name of the part and their own
        self._parameters = {
            name: _of_each(value, self.size)
            for name, value in space.as_dict().items()
            if not isinstance(value, dict)
        }
        state.populations.append(self)
        state.grown()

    @property
    def is_source(self) -> bool:
        """Whether its cells are sources of spikes and no neurons."""
        return not self.celltype.injectable

    def parameter(self, name: str) -> Any:
        """Return the array of a parameter, with a value for each cell; it may be changed."""
        try:
            return self._parameters[name]
        except KeyError:
            raise errors.NonExistentParameterError(
                name, self.celltype.__class__.__name__, self.celltype.get_parameter_names()
            ) from None

    def _get_parameters(self, *names: str) -> ParameterSpace:
        held = {name: simplify(self.parameter(name)) for name in names}
        return ParameterSpace(held, shape=(self.size,))

    _get_native_parameters = _get_parameters

    def _set_parameters(self, parameter_space: ParameterSpace) -> None:
        parameter_space.evaluate(simplify=False)
        self.note_change()
        for name, value in parameter_space.as_dict().items():
            self.parameter(name)[:] = _of_each(value, self.size)

    def note_change(self) -> None:
        """Take note that parameters will change; spikes of sources are made anew for every run."""
        if not self.is_source:
            simulator.state.changed()
        elif simulator.state.session is not None:
            simulator.state.session.will_change(self)

    def _set_initial_value_array(self, variable: str, initial_values: Any) -> None:
        """Take note of an initial value, which random ones are drawn for once."""
        initial_values.base_value = np.array(
            np.broadcast_to(initial_values.evaluate(), (self.size,)), float
        )
        initial_values.operations = []
        simulator.state.initialized(self, variable)

    def _set_cell_initial_value(self, id: Any, variable: str, value: Any) -> None:
        common.Population._set_cell_initial_value(self, id, variable, value)
        simulator.state.initialized(self, variable)

    def initial(self, variable: str) -> Any:
        """Return the initial values of a variable, with one for each cell."""
        values = np.asarray(self.initial_values[variable].evaluate(), float)
        return np.broadcast_to(values, (self.size,))

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)


def _of_each(value: Any, size: int) -> Any:
    """Return a parameter as an array with a value for each cell; a value may be a sequence."""
    if isinstance(value, np.ndarray) and value.shape == (size,):
        return value.copy()
    filled = np.empty(size, object if isinstance(value, ArrayParameter) else type(value))
    filled[:] = [value] * size
    return filled
