"""The memories of a core, read and written as arrays in the sizes of the network."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from spiketwin.hdl.spec.params import RELAY_WORD
from spiketwin.hdl.spec.registers import PENDING_MASK_BITS, RUN_REGISTERS, ClearMask, Space
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import BY_SPACE
from spiketwin.host import access
from spiketwin.host.device_state import REGISTER_AGAIN, DeviceState
from spiketwin.host.drifts import Drifts
from spiketwin.host.elements import IntArray, blocks, integers
from spiketwin.host.errors import DoesNotFit, InvalidInput, LinkError
from spiketwin.host.layout import Layout
from spiketwin.host.populations import Projection

_TABLES: Final = {
    Space.PROFILE_TABLE: ("profile", "write_profiles", "n_profiles=2"),
    Space.RULE_TABLE: ("rule", "write_rules", "n_rules=2"),
}
"""What a row of a table belongs to, what writes it, and what to build a core with to have it."""


class Memories:
    """Reads and writes whole memory spaces, and registers.

    Parameters
    ----------
    state:
        The known state of the device.
    """

    def __init__(self, state: DeviceState) -> None:
        self._state = state

    def has(self, space: Space) -> bool:
        """Return whether the core is built with a space."""
        return space in self._state.formats

    def built(self, space: Space) -> Space:
        """Return `space`; raise `DoesNotFit` if the core is built without it."""
        if space not in self._state.formats:
            option = _TABLES[space][2] if space in _TABLES else BY_SPACE[space].option
            raise DoesNotFit(
                f"this core has no {space.name.lower()}: connect to one built with {option}"
            )
        return space

    def read_array(self, space: Space) -> IntArray:
        """Return a whole space of sources or neurons, in the shape that it has in the network."""
        state = self._state
        values = self.read(space, state.formats[self.built(space)].size)
        return state.layout.extract(space, values)

    def read_synapses(self, space: Space, projection: Projection | None) -> IntArray:
        """Return a value of each synapse of a projection, in the shape of its weights.

        Without a projection, return the sum for each pair, shape (n_sources, n_neurons).
        """
        layout = self._layout()
        number = None if projection is None else layout.number_of(projection)
        words = self._read_words(space, number)
        if space is Space.WEIGHT and (drifts := self._drifts()):
            plastic = self._read_words(Space.PLASTIC, number) > 0
            words = drifts.acting(words, plastic, layout.rules())
        arrays = layout.extract_synapses(words)
        if space is Space.WEIGHT:
            layout.add_constants(arrays)
        return layout.summed(arrays) if number is None else arrays[number]

    def write_synapses(
        self, space: Space, values: ArrayLike, projection: Projection | None, method: str
    ) -> None:
        """Check and write a value of each synapse, as `read_synapses` returns them.

        Without a projection the network has to be all-to-all. `method` is as for `write_arrays`.
        """
        state, layout, name = self._state, self._layout(), space.name.lower()
        allowed = state.formats[self.built(space)].limits()
        number = None if projection is None else layout.number_of(projection)
        if number is not None and layout.is_constant(number):
            raise InvalidInput(
                f"{layout.projections[number].name} is constant and has no weights of its own: set "
                "its `constant` and program the network again"
            )
        if number is None:
            if not layout.all_to_all:
                raise InvalidInput(
                    f"a network of populations has synapses by projections: name one, "
                    f"`core.{method}(…, projection)`"
                )
            matrix = integers(name, values, layout.shape(space), allowed)
            arrays = dict(enumerate(layout.split(matrix)))
        else:
            arrays = {number: integers(name, values, layout.pairs[number].shape, allowed)}
            if space is Space.PLASTIC and arrays[number].any() and not layout.may_learn(number):
                raise DoesNotFit(
                    f"{layout.projections[number].name} was programmed as a projection that does "
                    "not learn: make one of its synapses plastic (not of a sparse one) and program "
                    "the network"
                )
            layout.check_synapses(number, arrays[number])
        words = np.zeros(state.formats[space].size, np.int64)
        if number is not None and not state.params.has_projections:
            words = self.read(space, words.size)  # others share the rows of the matrix
        layout.embed_synapses(arrays, words)
        if space is Space.WEIGHT and (drifts := self._drifts()):
            plastic = self._read_words(Space.PLASTIC, number) > 0
            words = drifts.stored(words, plastic, layout.rules())
        with state.writing({name: f"write it again (`{method}`)"}):
            for first, count in self._ranges(space, number):
                self.write(space, words[first : first + count], first)

    def write_plastic(self, flags: ArrayLike, projection: Projection | None) -> None:
        """Check and write plastic flags; weights act as before, whatever rules have drifted by."""
        drifts = self._drifts()
        weights = self.read_synapses(Space.WEIGHT, projection) if drifts else None
        self.write_synapses(Space.PLASTIC, flags, projection, "write_plastic")
        if weights is not None:
            self.write_synapses(Space.WEIGHT, weights, projection, "write_weights")

    def _read_words(self, space: Space, number: int | None) -> IntArray:
        """Return the elements of a projection, or of all without a number; others are 0."""
        words = np.zeros(self._state.formats[self.built(space)].size, np.int64)
        for first, count in self._ranges(space, number):
            words[first : first + count] = self.read(space, count, first)
        return words

    def _drifts(self) -> Drifts | None:
        """Return by what plastic weights have drifted; None if they have not."""
        if not self.has(Space.DRIFT_SUM):
            return None
        rules = self.read_table(Space.RULE_TABLE)
        sums = self.read_array(Space.DRIFT_SUM)
        return Drifts.of(sums, rules["w_min"], rules["w_max"], self._state.params.weight_width)

    def _layout(self) -> Layout:
        """Return where the synapses lie; raise `InvalidInput` if the host does not know."""
        layout = self._state.layout
        if not layout.known:
            raise InvalidInput(
                "the host does not know the projections of this core: program a network that has "
                "some, `core.program(net)`"
            )
        return layout

    def _ranges(self, space: Space, number: int | None) -> list[tuple[int, int]]:
        """Return the elements, first and count, of a projection, or of all without a number."""
        if not self._state.params.has_projections:
            return [(0, self._state.formats[space].size)]
        return self._state.layout.ranges(number)

    def write_arrays(self, arrays: dict[Space, ArrayLike], method: str) -> None:
        """Check all arrays, then write each of them to its whole space.

        Parameters
        ----------
        arrays:
            Arrays in the shapes of the network, by their spaces.
        method:
            Method of `Core` to call again if a space stays half written, as errors say it.
        """
        state = self._state
        placed = {}
        for space, values in arrays.items():
            limits = state.formats[self.built(space)].limits()
            checked = integers(space.name.lower(), values, state.layout.shape(space), limits)
            placed[space] = state.layout.embed(space, checked)
        again = f"write it again (`{method}`)"
        with state.writing({space.name.lower(): again for space in placed}):
            for space, whole in placed.items():
                self.write(space, whole)

    def read_pending(self) -> IntArray:
        """Return which neurons fired in the last tick: shape (n_neurons,), 1 for those that did."""
        state = self._state
        state.settle()
        count, groups = (
            state.read_counters()["pending_groups"],
            state.params.neuron_groups,
        )
        if count > groups:
            raise LinkError(
                f"the device reports {count} of {groups} groups as pending: program it again"
            )
        entries = self.read(Space.PENDING, count) if count else np.empty(0, np.int64)
        if count and entries.max() >> PENDING_MASK_BITS >= groups:
            raise LinkError(
                f"the device reports group {entries.max() >> PENDING_MASK_BITS} of {groups} as "
                "pending: program it again"
            )
        flags = np.zeros((state.params.neuron_groups, state.params.neuron_lanes), np.int64)
        mask = entries[:, None] >> np.arange(state.params.neuron_lanes) & 1
        flags[entries >> PENDING_MASK_BITS] = mask
        return state.layout.extract(Space.PENDING, flags.reshape(-1))

    def write_pending(self, flags: IntArray) -> None:
        """Write which neurons fired in the last tick: shape (n_neurons,), 1 for those that did."""
        state = self._state
        whole = state.layout.embed(Space.V, flags)  # laid out as every other vector of neurons
        lanes = whole.reshape(state.params.neuron_groups, state.params.neuron_lanes)
        masks = (lanes << np.arange(state.params.neuron_lanes)).sum(axis=1)
        groups = np.flatnonzero(masks)
        if groups.size:
            self.write(Space.PENDING, groups << PENDING_MASK_BITS | masks[groups])
        else:
            state.settle()
            state.link.run([state.settings.clear(ClearMask.PENDING)])

    def read_relay_ring(self) -> IntArray:
        """Return which relays will be active: shape (relays, ticks), 1 for those that will."""
        state = self._state
        state.settle()
        shape = state.layout.shape(Space.RELAY_RING)
        words = self.read(Space.RELAY_RING, state.formats[Space.RELAY_RING].size)
        bits = words[:, None] >> np.arange(RELAY_WORD) & 1
        flags = bits.reshape(state.params.max_delay, state.params.n_relays)
        return flags[self._ring_ticks(shape[1])][:, state.layout.relay_numbers].T

    def write_relay_ring(self, flags: IntArray) -> None:
        """Write which relays will be active, as `read_relay_ring` returns it."""
        state = self._state
        state.settle()
        ring = np.zeros((state.params.max_delay, state.params.n_relays), np.int64)
        ring[self._ring_ticks(flags.shape[1])[:, None], state.layout.relay_numbers] = flags.T
        words = ring.reshape(-1, RELAY_WORD) << np.arange(RELAY_WORD)
        self.write(Space.RELAY_RING, words.sum(axis=1))

    def read_currents(self, space: Space) -> IntArray:
        """Return the currents that are on their way: shape (n_neurons, ticks)."""
        state = self._state
        state.settle()
        values = self.read(space, state.formats[space].size)
        return self._by_neuron(values)[state.layout.neurons][:, self._slots()]

    def write_currents(self, space: Space, currents: IntArray) -> None:
        """Write the currents that are on their way, as `read_currents` returns them."""
        state, p = self._state, self._state.params
        state.settle()
        values = np.zeros(state.formats[space].size, np.int64)
        whole = np.zeros((p.n_neurons, currents.shape[1]), np.int64)
        whole[state.layout.neurons[:, None], self._slots()] = currents
        by_group = whole.reshape(-1, p.lanes, currents.shape[1])
        values[:] = by_group.transpose(0, 2, 1).reshape(-1)
        self.write(space, values)

    def _by_neuron(self, values: IntArray) -> IntArray:
        """Return elements of a ring of currents with a row for each neuron of the core."""
        p = self._state.params
        by_group = values.reshape(-1, 1 << p.synapse_delay_width, p.lanes)
        rows: IntArray = by_group.transpose(0, 2, 1).reshape(p.n_neurons, -1)
        return rows

    def _slots(self) -> IntArray:
        """Return the places in a ring of currents of the next ticks."""
        ticks = 1 << self._state.params.synapse_delay_width
        return (self._state.tick + np.arange(ticks)) % ticks

    def _ring_ticks(self, count: int) -> IntArray:
        """Return the places in the ring of relays of the next ticks."""
        return (self._state.tick + np.arange(count)) % self._state.params.max_delay

    def read(self, space: Space, count: int, first: int = 0) -> IntArray:
        """Return `count` elements of a space from a linear index on, shape (count,)."""
        state = self._state
        state.settle()
        return state.read_elements(space, count, first)

    def write(self, space: Space, values: IntArray, first: int = 0) -> None:
        """Write the elements of a space from a linear index on."""
        state = self._state
        state.settle()
        fmt = state.formats[space]
        flat = values.reshape(-1)
        state.link.run(
            access.write(fmt, index, flat[index - first : index - first + n])
            for index, n in blocks(fmt, first, flat.size)
        )

    def read_table(self, space: Space) -> dict[str, IntArray]:
        """Return what profiles or rules hold, by name: shape (n_profiles,), or (n_rules,)."""
        form = self._state.formats[self.built(space)]
        table = self.read(space, form.size).reshape(form.rows, form.columns)
        return {
            column.name: (values.astype(np.int32) if column.signed else values).astype(np.int64)
            for column, values in zip(form.record, table.T, strict=True)
        }

    def write_table(self, space: Space, values: dict[str, ArrayLike]) -> None:
        """Check what profiles or rules are to hold and write it; raises as `Core.write_rules`."""
        state = self._state
        form = state.formats[self.built(space)]
        each, method, _ = _TABLES[space]
        places = {column.name: place for place, column in enumerate(form.record)}
        checked = {}
        for name, given in values.items():
            if name not in places:
                raise InvalidInput(f"no {each} holds {shown(name)}: it has {', '.join(places)}")
            allowed = form.record[places[name]].limits()
            checked[name] = integers(name, given, (form.rows,), allowed)
        if "v_floor" in checked:
            state.layout.check_floor(int(checked["v_floor"][0]))
        state.settle()
        again = f"write it again (`{method}`)"
        with state.writing(dict.fromkeys(checked, again)):
            state.link.run(
                access.write(
                    form, row * form.columns + places[name], held[row : row + 1] % (1 << 32)
                )
                for name, held in checked.items()
                for row in range(form.rows)
            )

    def write_registers(self, values: dict[str, int]) -> None:
        """Check values of registers and write them; raises as `Core.write_registers`."""
        state = self._state
        checked = {name: int(state.settings.checked(name, v)) for name, v in values.items()}
        if "v_floor" in checked:
            state.layout.check_floor(checked["v_floor"])
        self.write_checked_registers(checked)

    def write_checked_registers(self, checked: dict[str, int]) -> None:
        """Write registers whose values were checked."""
        state = self._state
        state.settle()
        for name in checked:
            state.known_registers.pop(name, None)  # known again when it has been written
        with state.writing(dict.fromkeys(checked.keys() - RUN_REGISTERS, REGISTER_AGAIN)):
            state.link.run(state.settings.write(name, value) for name, value in checked.items())
        state.known_registers |= checked


def spaces_of(arrays: dict[str, ArrayLike], names: tuple[str, ...]) -> dict[Space, ArrayLike]:
    """Return arrays by their spaces; raise `InvalidInput` for a name that is not in `names`."""
    for name in arrays:
        if name not in names:
            allowed = ", ".join(names)
            raise InvalidInput(f"there is no {shown(name)} to write: it is one of {allowed}")
    return {Space[name.upper()]: values for name, values in arrays.items()}
