"""The table of variables: every list of them that is written by hand elsewhere says the same."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from spiketwin.cosim.compare import kernels as ideal_kernels
from spiketwin.cosim.compare.accuracy import _PARAMETERS as ROUNDED
from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.model import arranged, kernels
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import ParamsError, field_types, preset, size_bytes
from spiketwin.hdl.spec.registers import (
    REGISTERS,
    RUN_REGISTERS,
    SATURATIONS,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import (
    ARRAYS,
    CHANGED_IN_TICKS,
    LAYOUT,
    PARAMETER_ARRAYS,
    STATE,
    VARIABLES,
    ClearMask,
    Kind,
    Per,
    Space,
    names,
)
from spiketwin.host import Network
from spiketwin.host.network import ARRAYS as NETWORK_ARRAYS
from spiketwin.host.network import SETTINGS
from spiketwin.host.spikes import Saturations

TINY = preset("tiny")
SIZES = {"n_axons", "n_neurons"}


def attributes(kind: type) -> set[str]:
    return {f.name for f in fields(kind) if f.init}


def test_no_name_is_there_twice() -> None:
    assert len(set(names(VARIABLES))) == len(VARIABLES)


def test_every_array_has_a_space_and_every_space_an_array() -> None:
    apart = {Space.REGISTER, Space.COUNTER, Space.PROFILE_TABLE, Space.RULE_TABLE}
    assert {v.space for v in ARRAYS} == set(Space) - apart
    options = "n_profiles=8,receptors=2,n_projections=2,weight_depth=64,n_relays=32,max_delay=2"
    options += ",probe_ranges=1,sparse_rows=8,synapse_delay_width=2,n_rules=2,window_bits=8"
    assert set(space_formats(preset(f"tiny,{options}"))) == set(Space)


def test_a_width_is_a_number_or_a_size_of_a_core() -> None:
    assert all(isinstance(v.bits, int) or hasattr(TINY, v.bits) for v in VARIABLES)
    assert all(not v.built or hasattr(TINY, v.built) for v in VARIABLES)


@pytest.mark.parametrize("name", field_types())
def test_a_size_travels_in_as_many_bytes_as_its_largest_value_needs(name: str) -> None:
    roomy = replace(TINY, spike_queue_depth=65536)
    if name in ("weight_depth", "sparse_rows", "n_relays", "max_delay"):
        # Without projections they are 0.
        roomy = replace(roomy, n_projections=2, weight_depth=64, n_relays=32, max_delay=2)

    def is_possible(value: int) -> bool:
        change: dict[str, Any] = {name: value}
        try:
            replace(roomy, **change)
        except ParamsError:
            return False
        return True

    needed = 4 if is_possible(1 << 16) else 2 if is_possible(1 << 8) else 1
    assert size_bytes(name) == needed


def test_every_bit_of_clear_clears_state_and_no_state_is_left_out() -> None:
    # What rules have drifted by is a part of the weights, which no clear touches.
    assert [v.name for v in STATE if v.clear is None] == ["drift_sum"]
    assert {v.clear for v in STATE if v.clear is not None} == set(ClearMask)
    assert not [v.name for v in ARRAYS if v.clear is not None and v.kind is not Kind.STATE]


def test_an_oracle_holds_all_arrays_in_their_shapes() -> None:
    oracle = Oracle(TINY)
    assert set(names(ARRAYS)) <= {f.name for f in fields(Oracle)}
    for array in ARRAYS:
        held = getattr(oracle, array.name)
        if array.name == "pending":  # a list of those that fired
            assert held == []
        elif array.per is Per.SYNAPSE:
            assert (len(held), len(held[0])) == array.shape_in(TINY)
        else:
            assert (len(held),) == array.shape_in(TINY)


def test_a_network_has_an_attribute_for_each_parameter_with_the_default_of_the_table() -> None:
    parameters = [v for v in VARIABLES if v.kind is Kind.PARAMETER]
    # The host places the tables of windows, and writes the state that a network begins with.
    others = SIZES | {"windows", "start"}
    assert attributes(Network) == others | {v.attribute for v in parameters}
    assert NETWORK_ARRAYS.keys() | SETTINGS.keys() == attributes(Network) - others
    defaults = {f.name: f.default for f in fields(Network)}
    plain = [v for v in parameters if not (v.is_decay or v.is_decay_shift)]
    assert not [v.name for v in plain if defaults[v.attribute] != v.default]


def test_every_decay_has_a_shift() -> None:
    shifts = {v.name for v in REGISTERS if v.is_decay_shift}
    assert shifts == {f"{v.name}_shift" for v in REGISTERS if v.is_decay}
    assert {v.attribute for v in REGISTERS if v.is_decay_shift} < SETTINGS.keys()


@pytest.mark.parametrize("described", [Network, Ideal], ids=lambda kind: kind.__name__)
def test_the_documentation_of_a_network_names_all_its_attributes(described: type) -> None:
    text = (described.__doc__ or "").partition("----------")[2]
    named = {name.strip() for line in text.splitlines() for name in line.rstrip(":").split(",")}
    assert attributes(described) <= named


def test_the_ideal_network_has_what_it_is_made_of() -> None:
    # What a network has in its projections, it has in a matrix, with rows for relays; a tag is for
    # the host.
    assert attributes(Ideal) - {"relays", "rule"} == attributes(Network) - {"tag"}
    losses = {f"{v.name.removesuffix('_decay')}_loss" for v in REGISTERS if v.is_decay}
    used_settings = {
        *ideal_kernels.Rules._fields, *ideal_kernels.Shared._fields, *ideal_kernels.Rule._fields,
    }  # fmt: skip
    assert {n for n in used_settings if n.endswith("_loss")} == losses
    settings = used_settings - losses
    assert settings <= attributes(Ideal)


def test_the_compiled_tick_takes_all_registers_but_those_of_a_run() -> None:
    options = ("has_profiles", "has_rules", "window_bits")
    always = {r.name for r in REGISTERS if r.built not in options}
    assert set(kernels.Settings._fields) == always - set(RUN_REGISTERS)
    assert list(kernels.Profile._fields) == [r.name for r in REGISTERS if r.per is Per.PROFILE]
    assert list(kernels.Rule._fields) == [r.name for r in REGISTERS if r.per is Per.RULE]


@pytest.mark.parametrize("state", [kernels.State, ideal_kernels.State])
def test_a_compiled_tick_takes_all_arrays_that_it_uses(state: type) -> None:
    in_table = {*names(LAYOUT), "relay_ring", "synapse_delay", "i_syn_ring", "i_inh_ring"}
    in_table |= {"drift_sum"}
    of_runs = set(names(v for v in ARRAYS if v.kind is Kind.RUN))
    assert set(names(CHANGED_IN_TICKS)) - in_table <= set(state.__annotations__)
    parameters = set(names(PARAMETER_ARRAYS))
    left_out = set(names(ARRAYS)) - set(state.__annotations__)
    # A parameter that has no effect so far is left out, too.
    assert left_out - parameters == (in_table | of_runs) - parameters - set(state.__annotations__)


def test_model_and_ideal_network_use_the_same_parameters() -> None:
    parameters = set(names(PARAMETER_ARRAYS))
    used = parameters & {*kernels.State.__annotations__, *kernels.Table.__annotations__}
    used |= set(arranged.COPIED)
    assert used == parameters & set(ideal_kernels.State.__annotations__)


def test_a_compiled_walk_takes_the_whole_table() -> None:
    others = {"relay_ring", "i_syn_ring", "i_inh_ring"}
    # Which synapses a row has is copied before; `Rows` has the copies.
    copied = {"sparse_blocks", "sparse_target", "projection_kind"}
    assert {*names(LAYOUT), *others} - copied <= set(kernels.Table.__annotations__)
    taken = Path(arranged.__file__).read_text()
    assert all(f'"{name}"' in taken for name in copied)


def test_the_ideal_network_knows_all_settings_that_its_ticks_use() -> None:
    held = {v.name.replace("_decay", "_loss") for v in SETTINGS.values()}
    # The seed is that of the grid, if steps are rounded at all; a tag is for the host.
    per_rule = {*ideal_kernels.Rule._fields}
    rules = {*ideal_kernels.Rules._fields, *ideal_kernels.Shared._fields, *per_rule}
    assert held - rules == {"seed", "tag"}
    assert per_rule == {name for name, v in SETTINGS.items() if v.per is Per.RULE}
    assert rules <= held
    profiled = {
        v.name.replace("_decay", "_loss") for v in SETTINGS.values() if v.per is Per.PROFILE
    }
    assert set(ideal_kernels.Shared._fields) == profiled


def test_every_real_parameter_belongs_to_one_quantisation() -> None:
    grouped = [name for group in ROUNDED.values() for name in group]
    assert len(set(grouped)) == len(grouped)
    flags = {v.attribute for v in VARIABLES if v.is_flag or not v.unit}
    counted = {v.attribute for v in VARIABLES if v.unit in ("ticks", "cycles") or v.is_decay}
    # State is no parameter: it is what the network begins with, in the units of the core.
    assert set(grouped) == attributes(Network) - SIZES - flags - counted - {"start"}


def test_what_is_not_built_is_not_there() -> None:
    bare = preset("tiny,learning=0")
    assert {v.name for v in registers(TINY)} - {v.name for v in registers(bare)} == {
        v.name for v in REGISTERS if v.built == "learning"
    }
    gone = set(space_formats(TINY)) - set(space_formats(bare))
    assert gone == {v.space for v in ARRAYS if v.built == "learning"}


def test_counts_of_saturations_have_one_order() -> None:
    order = [counter.name.removesuffix("_saturations") for counter in SATURATIONS]
    assert [f.name.removesuffix("s") for f in fields(Saturations)] == order
    places = {"i_syn": kernels.I_SYN, "v": kernels.V, "theta": kernels.THETA}
    assert places | {"weight": kernels.WEIGHT} == {name: order.index(name) for name in order}
