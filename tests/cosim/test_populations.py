"""Networks of populations on cores with and without a table: all in the numbers of the network."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.populations import random_network
from support.rungs import examples

from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import WEIGHT_BLOCK, CoreParams
from spiketwin.hdl.spec.variables import ARRAYS, Kind, Per
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.layout import cut, layout
from spiketwin.host.network import SETTINGS

TICKS = 12


def stimulus(net: Network, seed: int) -> IntArray:
    active = np.random.default_rng(seed).random((TICKS, net.n_axons)) < 0.4
    events: IntArray = np.argwhere(active)
    return events


def played(core: Core, net: Network, seed: int) -> tuple[Run, dict[str, Any]]:
    core.program(net)
    run = core.run(stimulus(net, seed), TICKS)
    return run, core.read_state() | {"weight": core.read_weights()}


def one_matrix(net: Network) -> Network:
    """The same network, all-to-all."""
    names = {v.attribute for v in ARRAYS if v.kind is Kind.PARAMETER and v.per is Per.NEURON}
    others = {name: getattr(net, name) for name in names | set(SETTINGS)}
    plastic = np.zeros((net.n_sources, net.n_neurons), np.bool_)
    for each in net.projections:
        plastic[each.pairs.place] |= each.plastic
    return Network(
        n_axons=net.n_axons, n_neurons=net.n_neurons, weights=net.weight_sums(), plastic=plastic,
        **others,
    )  # fmt: skip


def sizes(net: Network, **changes: Any) -> CoreParams:
    params = replace(net.core_params(lanes=2), learning=True, digest_rounds=2)
    return replace(params, **changes)


@given(st.integers(0, 1 << 30))
@settings(max_examples=examples(60))
def test_a_network_of_populations_behaves_as_the_oracle_with_its_tables(seed: int) -> None:
    net = random_network(np.random.default_rng(seed))
    assume(cut(net, 2).n_projections <= 64)
    params = sizes(net)
    place = layout(net, params)
    oracle = Oracle(params)
    for space, array in place.place(net).items():
        setattr(oracle, space.name.lower(), array.tolist())
    oracle.register |= net.register_values(params)
    events = stimulus(net, seed)
    with connect("model:", params=params) as core:
        run, held = played(core, net, seed)
    spikes, spike_cycles = [], []
    for tick in range(TICKS):
        axons = place.axons[events[events[:, 0] == tick, 1]].tolist()
        result = oracle.step(axons)
        spikes += [(tick, int(place.numbers[j])) for j in result.spikes]
        spike_cycles += result.spike_cycles
        assert run.cycles[tick] == result.cycles
    assert run.spikes.tolist() == [list(each) for each in spikes]
    assert run.spike_cycles.tolist() == spike_cycles
    for name in ("v", "i_syn", "theta", "trace_post"):
        assert held[name].tolist() == np.array(getattr(oracle, name))[place.neurons].tolist()
    assert held["trace_pre"].tolist() == np.array(oracle.trace_pre)[place.sources].tolist()
    arrays = place.extract_synapses(np.array(oracle.weight).reshape(-1))
    assert np.array_equal(held["weight"], place.summed(arrays))


@given(st.integers(0, 1 << 30))
@settings(max_examples=examples(60))
def test_it_does_so_on_a_core_without_a_table_and_as_an_all_to_all_network(seed: int) -> None:
    net = random_network(np.random.default_rng(seed), overlaps=False)
    assume(cut(net, 2).n_projections <= 64)
    simple, table = one_matrix(net), sizes(net)
    matrix = replace(simple.core_params(lanes=2, trace_width=table.trace_width), learning=True)
    both = replace(
        table, n_axons=matrix.n_axons, n_neurons=matrix.n_neurons, n_projections=2,
        weight_depth=-(-matrix.bank_depth // WEIGHT_BLOCK) * WEIGHT_BLOCK,
    )  # fmt: skip
    found = []
    for each, params in ((net, table), (net, matrix), (simple, matrix), (simple, both)):
        with connect("model:", params=params) as core:
            found.append(played(core, each, seed))
    (first, state), *others = found
    for run, held in others:
        assert np.array_equal(run.spikes, first.spikes)
        for name, array in state.items():
            assert np.array_equal(held[name], array), name


def layers() -> tuple[Network, CoreParams]:
    """A network of three populations, one of which has slices on both sides."""
    rng = np.random.default_rng(5)
    net = Network(n_axons=5, v_tau=20.0, w_max=100, learn_post=True, post_gain=25_000,
                  trace_pre_bump=40_000, trace_pre_tau=10.0)  # fmt: skip
    hidden, output = net.population(7, threshold=100, name="hidden"), net.population(3)
    net.project(net.axons, hidden, weights=rng.integers(20, 60, (5, 7)), plastic=True)
    net.project(hidden, output, weights=rng.integers(1, 9, (7, 3)))
    net.project(hidden[2:5], hidden[:3], weights=rng.integers(1, 9, (3, 3)))
    net.project(hidden[2:5], hidden[:3], weights=rng.integers(1, 9, (3, 3)), name="twice")
    return net, net.core_params(lanes=2)


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core", "rtl:"])
def test_everything_is_read_and_written_in_the_numbers_of_the_network(url: str) -> None:
    net, params = layers()
    with connect(url, params=params) as core:
        core.program(net)
        for each in net.projections:
            assert np.array_equal(core.read_weights(each), each.weights)
            assert np.array_equal(core.read_plastic(each), each.plastic)
        assert np.array_equal(core.read_weights(), net.weight_sums())
        first, second, third, fourth = net.projections
        for each in net.projections:
            core.write_weights(each.weights[::-1], each)
        for each in net.projections:
            assert np.array_equal(core.read_weights(each), each.weights[::-1])
        flags = np.eye(5, 7, dtype=bool)
        core.write_plastic(flags, first)
        assert np.array_equal(core.read_plastic(first), flags)
        assert not core.read_plastic(second).any()
        assert np.array_equal(core.read_plastic()[:5, :7], flags)
        assert core.read_parameters()["threshold"].tolist() == [100] * 7 + [1000] * 3
        state = {"v": np.arange(10), "trace_pre": np.arange(15), "pending": np.arange(10) % 2}
        core.write_state(**state)
        held = core.read_state()
        for name, array in state.items():
            assert held[name].tolist() == array.tolist()
        core.write_state(v=0, pending=0)
        core.write_parameters(threshold=[5000] * 6 + [30] + [5000] * 3)
        run = core.run([(0, axon) for axon in range(5)], ticks=2)
        assert run.spikes.tolist() == [[0, 6]]
        assert core.read_state()["trace_pre"][:5].min() > 0
        with pytest.raises(InvalidInput, match=r"name one, `core.write_weights\(…, projection\)`"):
            core.write_weights(np.zeros((15, 10), int))
        with pytest.raises(DoesNotFit, match="twice was programmed as a projection that does not"):
            core.write_plastic(True, fourth)
        core.write_plastic(False, fourth)
        added = net.project(net.axons, net.populations[1], weights=1)
        with pytest.raises(InvalidInput, match="one of the network that was programmed last"):
            core.read_weights(added)
        assert third in net.projections


@pytest.mark.parametrize("url", ["rtl:?level=core", "rtl:"])
def test_model_and_gateware_run_a_network_of_populations_alike(url: str) -> None:
    net, params = layers()
    found = []
    for each in ("model:", url):
        with connect(each, params=params) as core:
            found.append(played(core, net, seed=3))
    (model, state), (rtl, held) = found
    assert len(model.spikes) > 20
    for name in ("spikes", "spike_cycles", "cycles", "update_cycles"):
        assert np.array_equal(getattr(model, name), getattr(rtl, name)), name
    for name, array in state.items():
        assert np.array_equal(held[name], array), name
    assert not np.array_equal(state["weight"], net.weight_sums())


def test_a_core_with_a_table_that_nobody_has_programmed_has_no_weights_to_show() -> None:
    _, params = layers()
    with connect("model:", params=params) as core:
        assert core.read_state()["v"].shape == (params.n_neurons,)
        for method in ("read_weights", "read_plastic"):
            with pytest.raises(InvalidInput, match="does not know the projections of this core"):
                getattr(core, method)()


def test_a_projection_is_written_alone_on_a_core_without_a_table() -> None:
    net, _ = layers()
    net.projections = net.projections[:3]
    with connect("model:", params=CoreParams(n_axons=8, n_neurons=16, lanes=4)) as core:
        core.program(net)
        core.write_weights(-7, net.projections[2])
        core.write_plastic(True, net.projections[1])
        assert (core.read_weights(net.projections[2]) == -7).all()
        for each in net.projections[:2]:
            assert np.array_equal(core.read_weights(each), each.weights)
        assert core.read_plastic(net.projections[1]).all()
        assert not core.read_plastic(net.projections[2]).any()


def test_runs_in_many_threads_and_ledgers_have_the_numbers_of_the_network() -> None:
    net, params = layers()
    net.learn_post = False
    stimuli = [stimulus(net, seed) for seed in range(4)]
    with connect("model:", params=params) as core:
        core.program(net)
        alone = [core.run(each, TICKS, clear=True) for each in stimuli]
        for threads in (1, 2):
            runs = core.run_many(stimuli, TICKS, clear=True, threads=threads)
            for run, one in zip(runs, alone, strict=True):
                assert np.array_equal(run.spikes, one.spikes)
        parts: list[IntArray] = []
        run = core.run(
            stimuli[0], TICKS, clear=True, watch=lambda _, part: parts.append(part.spikes)
        )
        assert np.array_equal(np.concatenate(parts)[:, 1], run.spikes[:, 1])
        assert len(run.ledger.spikes["core"]) == len(run.spikes) > 0
