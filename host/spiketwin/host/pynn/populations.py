"""Populations, views of them and assemblies, with PyNN's interface."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from pyNN import common, errors
from pyNN.parameters import ArrayParameter, LazyArray, ParameterSpace, simplify

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.given import check_values, takes, taking
from spiketwin.host.pynn.recording import Recorder
from spiketwin.host.pynn.wrong import InvalidKind

_MOST_CELLS = 1 << 20

_TRAINS = ("spike_times",)
"""Parameters whose value is a list of numbers for each cell."""


_CALLS = {
    "__getitem__": "an index, a slice, or a list or an array of indices",
    "__add__": "a population, a view or an assembly",
    "get": "a name of a parameter, or a list of names",
    "set": "parameters by name: numbers, arrays with one for each cell, random distributions",
    "initialize": "variables by name: numbers, arrays with one for each cell, random distributions",
    "record": "variables, such as 'spikes' or ['spikes', 'v'], and sampling_interval in ms",
    "get_data": "variables, such as 'spikes' or ['spikes', 'v'], and gather and clear",
    "write_data": "a file name with an extension that Neo knows, or what get_io returns",
    "sample": "how many cells to take, 1 or more, and a random number generator",
    "nearest": "a position: three numbers",
    "inject": "a current source",
    "id_to_index": "cells of its own",
}
"""What calls take that populations, views and assemblies have alike."""


def _but(*names: str) -> dict[str, str]:
    """Return what calls take, without some of them."""
    return {name: what for name, what in _CALLS.items() if name not in names}


@taking(__init__="populations and views, and a label", **_but("nearest"))
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


@taking(__init__="a population, and a slice, a list of indices or a mask of its cells", **_CALLS)
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

    def set(self, **parameters: Any) -> None:
        """Set parameters of the cells of this view."""
        _check_given(self, parameters)
        super().set(**parameters)

    def initialize(self, **initial_values: Any) -> None:
        """Set the initial values of the cells of this view."""
        _check_initial(self, initial_values)
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


@taking(
    __init__="size (a number or a tuple of them), a cell type, a structure, initial_values by name "
    "of the variable, and a label",
    **_CALLS,
)
class Population(common.Population):
    """PyNN's `Population`."""

    _simulator = simulator
    _recorder_class = Recorder
    positions = property(
        common.Population._get_positions,
        takes(common.Population._set_positions, "an array of shape (3, cells)", "positions"),
    )
    _assembly_class = Assembly

    def __init__(self, size: Any, cellclass: Any, *others: Any, **options: Any) -> None:
        structure = others[1] if len(others) > 1 else options.get("structure")
        if structure is not None and not hasattr(structure, "generate_positions"):
            raise InvalidKind(
                f"structure of a Population must be one of sim.space, such as Grid2D(), not "
                f"{shown(structure)}"
            )
        try:
            super().__init__(size, cellclass, *others, **options)
        except BaseException:
            if self in simulator.state.populations:
                simulator.state.populations.remove(self)
            raise

    def set(self, **parameters: Any) -> None:
        """Set parameters of all cells."""
        _check_given(self, parameters)
        super().set(**parameters)

    def initialize(self, **initial_values: Any) -> None:
        """Set the initial values of all cells."""
        _check_initial(self, initial_values)
        super().initialize(**initial_values)

    def _create_cells(self) -> None:
        """Number the cells, and evaluate their parameters, which random ones are once."""
        if not 1 <= self.size <= _MOST_CELLS:
            raise InvalidInput(
                f"{self.label} must have a cell at least, and {_MOST_CELLS} at most, not "
                f"{shown(self.size)}"
            )
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
        _check_lengths(self, dict(self.celltype.parameter_space.items()))
        space = deepcopy(self.celltype.parameter_space)  # others may have the same cell type
        space.shape = (self.size,)
        space.evaluate(simplify=False)
        space.flatten()  # those of the parts of a cell, by the name of the part and their own
        self._parameters = {
            name: _of_each(value, self.size)
            for name, value in space.as_dict().items()
            if not isinstance(value, dict)
        }
        check_values(self.label, self._parameters)
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

    def nearest(self, position: Any) -> Any:
        """Return the cell that is nearest to a position."""
        where = np.asarray(position, np.float64)
        if where.shape != (3,) or not np.isfinite(where).all():
            raise InvalidKind(f"position must be three numbers, not {shown(position)}")
        return super().nearest(where)

    def sample(self, n: int, rng: Any = None) -> PopulationView:
        """Return a view of so many cells, which are drawn."""
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= self.size:
            raise InvalidKind(f"n must be a number of cells, 1…{self.size}, not {shown(n)}")
        view: PopulationView = super().sample(n, rng)
        return view

    def _get_view(self, selector: Any, label: str | None = None) -> PopulationView:
        return PopulationView(self, selector, label)


def _check_given(cells: Any, parameters: dict[str, Any]) -> None:
    """Raise `InvalidInput` for parameters that cells cannot be given."""
    known = list(cells.celltype.get_parameter_names())
    for name in parameters:
        if name not in known:
            raise errors.NonExistentParameterError(name, type(cells.celltype).__name__, known)
    check_values(cells.label, parameters)
    _check_lengths(cells, parameters)


def _check_initial(cells: Any, values: dict[str, Any]) -> None:
    """Raise `InvalidInput` for initial values that cells cannot be given."""
    known = cells.celltype.default_initial_values
    for name in values:
        if name not in known:
            raise InvalidInput(
                f"{cells.label} has no variable {shown(name)} to initialize: there are "
                f"{', '.join(known) or 'none'}"
            )
    check_values(cells.label, values)
    _check_lengths(cells, values)


def _check_lengths(cells: Any, values: dict[str, Any]) -> None:
    """Raise `InvalidKind` for an array that has not a value for each cell."""
    for name, value in values.items():
        array = getattr(value, "base_value", value)
        plain = isinstance(array, list | tuple | np.ndarray) and name not in _TRAINS
        if plain and np.shape(array) not in ((), (cells.size,)):
            raise InvalidKind(
                f"{name} of {cells.label} must be one number, or {cells.size}, one for each cell, "
                f"and not an array of shape {np.shape(array)}"
            )


def _of_each(value: Any, size: int) -> Any:
    """Return a parameter as an array with a value for each cell; a value may be a sequence."""
    if isinstance(value, np.ndarray) and value.shape == (size,):
        return value.copy()
    filled = np.empty(size, object if isinstance(value, ArrayParameter) else type(value))
    filled[:] = [value] * size
    return filled
