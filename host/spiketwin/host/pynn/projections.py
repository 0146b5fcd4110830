"""Projections, with PyNN's interface: connections kept as arrays, in the order of their making."""

from __future__ import annotations

from collections.abc import Callable
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyNN import common, errors
from pyNN.space import Space

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, InvalidNetwork
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.given import check_values, taking
from spiketwin.host.pynn.synapses import StaticSynapse
from spiketwin.host.pynn.wrong import InvalidConnection

_ADDRESS = {"presynaptic_index": "pre", "postsynaptic_index": "post"}


class Connection(common.Connection):
    """One connection of a projection, whose attributes can be read and set."""

    def __init__(self, projection: Projection, number: int) -> None:
        object.__setattr__(self, "_projection", projection)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        held = self._projection.held(_ADDRESS.get(name, name))
        return held[self._number].item()

    def __setattr__(self, name: str, value: float) -> None:
        if name not in self._projection.synapse_type.get_parameter_names():
            raise errors.NonExistentParameterError(
                name, type(self._projection.synapse_type).__name__,
                self._projection.synapse_type.get_parameter_names(),
            )  # fmt: skip
        check_values(self._projection.label, {name: value})
        if not isinstance(value, int | float | np.number):
            raise InvalidConnection(f"{name} of a connection must be a number, not {shown(value)}")
        self._projection.put(name, np.array([self._number]), value)

    def as_tuple(self, *names: str) -> tuple[Any, ...]:
        """Return attributes as a tuple."""
        return tuple(getattr(self, name) for name in names)


@taking(
    __init__="two populations, views or assemblies, a connector, a synapse type, a receptor_type, "
    "a Space and a label",
    __getitem__="the number of a connection, or a slice",
    get="names of attributes, a format of 'list' or 'array', and multiple_synapses of 'sum', "
    "'last', 'first', 'min' or 'max'",
    save="names of attributes, and a file name or one of PyNN's files",
    initialize="variables by name, of which synapses of a core have none",
    set="attributes by name: numbers, arrays of shape (sources, targets), random distributions",
)
class Projection(common.Projection):
    """PyNN's `Projection`."""

    _simulator = simulator
    _static_synapse_class = StaticSynapse

    def __init__(
        self,
        presynaptic_neurons: Any,
        postsynaptic_neurons: Any,
        connector: Any,
        synapse_type: Any = None,
        source: Any = None,
        receptor_type: str | None = None,
        space: Any = None,
        label: str | None = None,
    ) -> None:
        for end in (presynaptic_neurons, postsynaptic_neurons):
            _check_present(end)
        if source is not None:
            raise InvalidNetwork(
                f"source {shown(source)} is for cells of several compartments, and those of a core "
                "have one: leave it out"
            )
        if not postsynaptic_neurons.receptor_types:
            raise InvalidNetwork(
                f"{postsynaptic_neurons.label} has no cells with synapses in common: a projection "
                "must end at neurons, and not at sources of spikes"
            )
        super().__init__(
            presynaptic_neurons, postsynaptic_neurons, connector, synapse_type, source,
            receptor_type, Space() if space is None else space, label,
        )  # fmt: skip
        self._parts: list[dict[str, Any]] = []
        self._arrays: dict[str, NDArray[Any]] = {}
        connector.connect(self)
        self._join()
        for name, values in self._arrays.items():
            self._check(name, values)
        self._first_weights = self._arrays["weight"].copy()
        simulator.state.projections.append(self)
        simulator.state.grown()

    def _convergent_connect(
        self,
        presynaptic_indices: Any,
        postsynaptic_index: int,
        location_selector: Any = None,
        **parameters: Any,
    ) -> None:
        if location_selector is not None:
            raise InvalidNetwork(
                f"{self.label}: location_selector is for cells of several compartments, and those "
                "of a core have one: leave it out"
            )
        pre = np.atleast_1d(np.asarray(presynaptic_indices, np.int64))
        part = {name: np.broadcast_to(_plain(each), pre.shape) for name, each in parameters.items()}
        post = np.full(pre.shape, int(postsynaptic_index), np.int64)
        for what, numbers, cells in (("from", pre, self.pre), ("to", post, self.post)):
            wrong = numbers[(numbers < 0) | (numbers >= cells.size)]
            if wrong.size:
                raise InvalidConnection(
                    f"a connection of {self.label} leads {what} cell {wrong[0]}, and "
                    f"{cells.label} has cells 0…{cells.size - 1}"
                )
        self._parts.append({"pre": pre, "post": post, **part})

    def _join(self) -> None:
        names = ["pre", "post", *self.synapse_type.get_parameter_names()]
        for name in names:
            kind = np.int64 if name in ("pre", "post") else np.float64
            parts = [np.asarray(part[name], kind) for part in self._parts]
            self._arrays[name] = np.concatenate([*parts, np.empty(0, kind)])
        self._parts.clear()

    def __len__(self) -> int:
        return len(self._arrays["pre"])

    def __getitem__(self, number: Any) -> Any:
        """Return a connection, or a list of those of a slice."""
        chosen = range(len(self))[number]
        if isinstance(chosen, range):
            return list(starmap(Connection, ((self, each) for each in chosen)))
        return Connection(self, chosen)

    @property
    def connections(self) -> list[Connection]:
        """All connections."""
        connections: list[Connection] = self[:]
        return connections

    def held(self, name: str) -> NDArray[Any]:
        """Return an attribute of all connections; weights are those that were learned so far."""
        if name == "weight" and self.learns and simulator.state.session is not None:
            simulator.state.session.fetch_learned()
        try:
            return self._arrays[name]
        except KeyError:
            raise AttributeError(f"connections of {self.label} have no {name!r}") from None

    def _check(self, name: str, values: NDArray[Any]) -> None:
        """Raise `InvalidConnection` for weights and delays that no connection has."""
        if name == "weight":
            wrong, allowed = values[~np.isfinite(values)], "a number"
        elif name == "delay":
            state = simulator.state
            near, (least, most) = simulator.NEAR * state.dt, state.delay_bounds
            good = np.isfinite(values) & (values >= least - near) & (values <= most + near)
            wrong, allowed = values[~good], f"{least:g} ms or more"
            if state.bounds_delays:
                allowed = f"in {least:g}…{most:g} ms, the min_delay and max_delay of setup"
        else:
            return
        if wrong.size:
            raise InvalidConnection(
                f"{name} of {self.label} must be {allowed}, not {wrong.flat[0]:g}: give another one"
            )

    @property
    def learns(self) -> bool:
        """Whether its synapses are plastic."""
        return hasattr(self.synapse_type, "timing_dependence")

    def put(self, name: str, chosen: NDArray[Any], values: Any) -> None:
        """Set an attribute of some connections."""
        self._check(name, np.asarray(values, np.float64))
        if name == "delay" and simulator.state.session is not None:
            simulator.state.session.will_delay(self)
        self.held(name)[chosen] = values
        if name == "weight":
            if not simulator.state.running:
                self._first_weights = self._arrays["weight"].copy()
            if simulator.state.session is not None:
                simulator.state.session.rewritten.add(self)
        simulator.state.changed()

    def learned(self, chosen: NDArray[Any], weights: NDArray[Any]) -> None:
        """Take over weights that were learned."""
        self._arrays["weight"][chosen] = weights

    def restore_weights(self) -> None:
        """Set all weights to those from before the first run, as `reset` does."""
        if self.learns:
            self._arrays["weight"] = self._first_weights.copy()

    def set(self, **attributes: Any) -> None:
        """Set attributes of all connections."""
        known = self.synapse_type.get_parameter_names()
        given = {name: each for name, each in attributes.items() if name in known}
        check_values(self.label, given, links=True)
        for name, value in given.items():
            if value is None:
                raise InvalidConnection(f"{name} of {self.label} must be a number, not None")
        super().set(**attributes)

    def _set_attributes(self, parameter_space: Any) -> None:
        parameter_space.evaluate(simplify=False)
        everything = np.arange(len(self))
        for name, values in parameter_space.items():
            chosen = values[self._arrays["pre"], self._arrays["post"]]
            self.put(name, everything, chosen)

    def _set_initial_value_array(self, variable: str, initial_values: Any) -> None:
        raise InvalidNetwork(
            f"{self.label}: synapses of a core have no variable {variable!r} to initialize; those "
            "that learn begin with traces of 0"
        )

    def _get_attributes_as_list(self, names: list[str]) -> list[Any]:
        columns = [self.held(_ADDRESS.get(name, name)).tolist() for name in names]
        return list(zip(*columns, strict=True))

    def _get_attributes_as_arrays(
        self, names: Any, multiple_synapses: str = "sum"
    ) -> list[NDArray[Any]]:
        join: Callable[[float, float], float] = self.MULTI_SYNAPSE_OPERATIONS[multiple_synapses]
        pre, post = self._arrays["pre"], self._arrays["post"]
        # The first connection of each pair can be set at once; only others have to be joined.
        _, first = np.unique(pre * self.shape[1] + post, return_index=True)
        more = np.setdiff1d(np.arange(len(pre)), first).tolist()
        arrays = []
        for name in names:
            values, made = self.held(name), np.full(self.shape, np.nan)
            made[pre[first], post[first]] = values[first]
            for k in more:
                made[pre[k], post[k]] = join(made[pre[k], post[k]], values[k])
            arrays.append(made)
        return arrays


def _check_present(cells: Any) -> None:
    """Raise `InvalidInput` for cells of a simulation of before."""
    for each in getattr(cells, "populations", [cells]):
        if getattr(each, "grandparent", each) not in simulator.state.populations:
            raise InvalidInput(
                f"{each.label} is of a simulation of before, as setup() began another one: make "
                "populations after setup()"
            )


def _plain(value: Any) -> Any:
    """Return a parameter of connections as an array or a number."""
    return value.evaluate(simplify=True) if hasattr(value, "evaluate") else value
