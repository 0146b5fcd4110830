"""Networks of populations on cores with and without a table: all in the numbers of the network."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.populations import random_network
from support.rungs import bulk_but, examples

from spiketwin.cosim.trials.verify.networks import Drawing, options_of
from spiketwin.cosim.trials.verify.samples import CORES
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import WEIGHT_BLOCK, CoreParams
from spiketwin.hdl.spec.variables import ARRAYS, Kind, Per
from spiketwin.host import Core, Network, Run, connect
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, InvalidInput, SpiketwinWarning
from spiketwin.host.layout import Layout, cut, layout
from spiketwin.host.network import SETTINGS
from spiketwin.host.populations import Projection

TICKS = 12
CORE = "rtl:?level=core"
WIDTHS = ("v_width", "i_syn_width", "theta_width", "trace_width", "weight_width", "decay_shift")


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
    params = net.core_params(lanes=2, learning=True, digest_rounds=2)
    return replace(params, **changes)


@given(st.integers(0, 1 << 30))
@settings(max_examples=examples(60))
def test_a_network_of_populations_behaves_as_the_oracle_with_its_tables(seed: int) -> None:
    net = random_network(np.random.default_rng(seed), kinds=True, rules=True)
    assume(cut(net, 2).n_projections <= 64)
    params = sizes(net)
    place = layout(net, params)
    oracle = Oracle(params)
    for space, array in place.place(net).items():
        setattr(oracle, space.name.lower(), array.tolist())
    oracle.register |= net.register_values(params)
    oracle.rule_table |= net.rule_values(params)
    events = stimulus(net, seed)
    with connect("model:", params=params) as core:
        run, held = played(core, net, seed)
    spikes = []
    for tick in range(TICKS):
        axons = place.axons[events[events[:, 0] == tick, 1]].tolist()
        result = oracle.step(axons)
        neurons = place.numbers[result.spikes].tolist()
        spikes += [[tick, *each] for each in zip(neurons, result.spike_cycles, strict=True)]
        assert run.cycles[tick] == result.cycles
    # The core's neurons need not lie in the order of the network's, in which spikes are returned.
    spikes.sort()
    assert run.spikes.tolist() == [[tick, neuron] for tick, neuron, _ in spikes]
    assert run.spike_cycles.tolist() == [cycle for *_, cycle in spikes]
    for name in ("v", "i_syn", "theta", "trace_post"):
        assert held[name].tolist() == np.array(getattr(oracle, name))[place.neurons].tolist()
    assert held["trace_pre"].tolist() == np.array(oracle.trace_pre)[place.sources].tolist()
    if params.window_bits:
        assert held["history"].tolist() == np.array(oracle.history)[place.sources].tolist()
    arrays = place.extract_synapses(acting(oracle, place))
    place.add_constants(arrays)
    assert np.array_equal(held["weight"], place.summed(arrays))


def acting(oracle: Oracle, place: Layout) -> NDArray[np.int64]:
    """Return what each word of the weights acts by: as it is stored, or as its rule drifts."""
    stored = np.array(oracle.weight).reshape(-1)
    if not oracle.params.window_bits:
        return stored
    table, rules = oracle.rule_table, place.rules()
    drift = (np.array(oracle.drift_sum) >> 16)[rules]
    high = np.array(table["w_max"])[rules]
    low = np.minimum(np.array(table["w_min"])[rules], high)
    moved = (np.array(oracle.plastic).reshape(-1) > 0) & (drift != 0)
    return np.where(moved, np.clip(stored + drift, low, high), stored)


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


def of_arrivals(net: Network, params: CoreParams) -> Oracle:
    """Return an all-to-all core whose axons are the arrivals of every projection of a network.

    Neither populations nor constants nor delays are left in it: the axons of a projection are its
    sources, once for each delay of synapses, and spike when these arrive. Its neurons are no
    sources.
    """
    parts = late_parts(net)
    rows = [each.pairs.shape[0] for each, _ in parts]
    whole = Network(n_axons=sum(rows) or 1, n_neurons=net.n_neurons)
    for name in {"threshold", "refrac_ticks", *SETTINGS}:
        setattr(whole, name, getattr(net, name))
    for begin, (each, late) in zip(np.cumsum([0, *rows]), parts, strict=False):
        place = slice(begin, begin + len(each.source)), slice(*net_range(each))
        whole.weights[place] = np.where(each.synapse_delay == late, each.weights, 0)
        whole.plastic[place] = each.plastic
    sizes = {name: getattr(params, name) for name in WIDTHS} | {"learning": True}
    oracle = Oracle(whole.core_params(lanes=2, **sizes))
    place_of = layout(whole, oracle.params)
    for space, array in place_of.place(whole).items():
        setattr(oracle, space.name.lower(), array.tolist())
    oracle.register |= whole.register_values(oracle.params)
    return oracle


def late_parts(net: Network) -> list[tuple[Projection, int]]:
    """Each projection of a network with each of the delays that its synapses have."""
    return [(each, int(late)) for each in net.projections for late in np.unique(each.synapse_delay)]


def net_range(projection: Projection) -> tuple[int, int]:
    neurons = projection.target.neurons
    return neurons.start, neurons.stop


def arrived(net: Network, active: list[list[int]], tick: int) -> list[int]:
    """Return the axons of `of_arrivals` that spike in a tick, from the sources active so far."""
    axons, first = list[int](), 0
    for each, late in late_parts(net):
        since = tick - each.delay - late
        found = [s for s in active[since] if s in each.pairs.sources] if since >= 0 else []
        # A relay is active or not, however often its source was.
        found = sorted(set(found)) if each.delay else found
        axons += [first + source - each.pairs.sources.start for source in found]
        first += len(each.source)
    return axons


@given(st.integers(0, 1 << 30), st.sampled_from([2, 4, 8]))
@settings(max_examples=examples(120))
def test_all_kinds_of_projections_do_what_their_arrivals_say(seed: int, lanes: int) -> None:
    net = random_network(np.random.default_rng(seed), kinds=True)
    assume(cut(net, lanes).n_projections <= 64)
    for each in net.projections:
        if each.learns:  # at the spike of the source, whose current arrives later
            each.synapse_delay = np.zeros(each.pairs.shape, np.int32)
    params = replace(net.core_params(lanes=lanes), learning=True)
    oracle, events, rng = of_arrivals(net, params), stimulus(net, seed), np.random.default_rng(seed)
    events = np.concatenate([events, events[rng.random(len(events)) < 0.1]])
    with connect("model:", params=params) as core:
        core.program(net)
        run = core.run(events, TICKS)
        held, weights = core.read_state(), [core.read_weights(each) for each in net.projections]
    active, spikes, fired = list[list[int]](), list[list[int]](), list[int]()
    for tick in range(TICKS):
        axons = sorted(events[events[:, 0] == tick, 1].tolist())
        active.append(axons + [net.n_axons + j for j in fired])
        fired = oracle.step(arrived(net, active, tick)).spikes
        spikes += [[tick, j] for j in fired]
    assert run.spikes.tolist() == spikes
    for name in ("v", "i_syn", "theta", "trace_post"):
        assert held[name].tolist() == getattr(oracle, name)[: net.n_neurons], name
    learned = {id(each): np.zeros(each.pairs.shape, np.int64) for each in net.projections}
    first = 0
    for each, _ in late_parts(net):
        place = slice(first, first + len(each.source)), slice(*net_range(each))
        learned[id(each)] += np.array(oracle.weight)[place]
        first += len(each.source)
    for each, array in zip(net.projections, weights, strict=True):
        assert np.array_equal(array, learned[id(each)])


def layers() -> tuple[Network, CoreParams]:
    """A network of populations, one with slices on both sides, for the core of `all_kinds`."""
    rng = np.random.default_rng(5)
    net = Network(n_axons=5, v_tau=20.0, w_max=100, learn_post=True, post_gain=25_000,
                  trace_pre_bump=40_000, trace_pre_tau=10.0)  # fmt: skip
    hidden, output = net.population(7, threshold=100, name="hidden"), net.population(3)
    net.project(net.axons, hidden, weights=rng.integers(20, 60, (5, 7)), plastic=True)
    net.project(hidden, output, weights=rng.integers(1, 9, (7, 3)))
    net.project(hidden[2:5], hidden[:3], weights=rng.integers(1, 9, (3, 3)))
    net.project(hidden[2:5], hidden[:3], weights=rng.integers(1, 9, (3, 3)), name="twice")
    return net, all_kinds()[1]


@pytest.mark.parametrize("url", bulk_but(("model:", CORE), ("model:", CORE, "rtl:")))
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


def played_alike(net: Network, params: CoreParams, url: str) -> dict[str, np.ndarray]:
    """The state after `played` on the model, once `url` gave the same run and the same state."""
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
    return state


@pytest.mark.parametrize("url", ["rtl:?level=core", "rtl:"])
def test_model_and_gateware_run_a_network_of_populations_alike(url: str) -> None:
    net, params = layers()
    state = played_alike(net, params, url)
    assert not np.array_equal(state["weight"], net.weight_sums())


def all_kinds() -> tuple[Network, CoreParams]:
    """A network with constants, one of them without loops, and with two delays of one source."""
    rng = np.random.default_rng(6)
    net = Network(n_axons=5, v_tau=20.0, w_max=100, learn_post=True, learn_pre=True,
                  post_gain=25_000, pre_gain=-3000, trace_pre_bump=40_000, trace_pre_tau=10.0,
                  trace_post_bump=9000, trace_post_tau=10.0)  # fmt: skip
    hidden, output = net.population(7, threshold=100, name="hidden"), net.population(3)
    net.project(
        net.axons, hidden, weights=rng.integers(20, 60, (5, 7)), plastic=True,
        synapse_delay=np.eye(5, 7, dtype=int),
    )  # fmt: skip
    window = net.add_window(rng.integers(-1 << 9, 1 << 10, 256))
    net.project(net.axons, hidden, weights=20, delay=3, plastic=True, name="late", w_max=60,
                pre_gain=-70, gain_shift=7, current_after=True, stochastic=True,
                window=window)  # fmt: skip
    net.project(hidden, hidden[:5], constant=-9, itself=False, name="inhibition")
    net.project(hidden, output, weights=rng.integers(1, 99, (7, 3)), delay=1)
    net.project(hidden[2:5], output, constant=7, delay=4, name="later")
    few = rng.integers(-40, 90, (5, 10)) * (rng.random((5, 10)) < 0.4)
    late = rng.integers(0, 4, (5, 7))
    net.project(net.axons, hidden, weights=few[:, :7], sparse=True, synapse_delay=late, name="few")
    net.project(net.axons, output, weights=few[:, 7:], sparse=True, delay=3, name="few late")
    return net, net.core_params(lanes=2, digest_rounds=1)


@pytest.mark.parametrize(
    "url",
    [
        "rtl:",
        pytest.param("rtl:?level=core", marks=pytest.mark.bulk),
        pytest.param("netlist:?family=ecp5", marks=[pytest.mark.bulk, pytest.mark.early]),
        pytest.param("netlist:?family=ice40", marks=[pytest.mark.bulk, pytest.mark.early]),
    ],
)
def test_model_and_gateware_run_all_kinds_alike(url: str) -> None:
    net, params = all_kinds()
    state = played_alike(net, params, url)
    assert state["relay_ring"].any()
    assert state["i_syn_ring"].any()
    assert state["history"].any()


ROOMY = CORES["roomy"]


# In the short run the networks with which mutants are told do the same (trials/test_mutation.py).
@pytest.mark.bulk
@pytest.mark.filterwarnings("ignore::spiketwin.host.errors.SpiketwinWarning")
@pytest.mark.parametrize("url", ["rtl:?level=core"])
def test_the_gateware_runs_any_network_of_all_kinds_as_the_model_does(url: str) -> None:
    spikes = 0
    with connect("model:", params=ROOMY) as model, connect(url, params=ROOMY) as rtl:
        for seed in range(max(20, examples(60))):
            net = Drawing(np.random.default_rng(seed), options_of(ROOMY)).network()
            try:
                net.check_fits(ROOMY)
            except DoesNotFit:
                continue
            (one, state), (other, held) = (played(core, net, seed) for core in (model, rtl))
            for name in ("spikes", "spike_cycles", "cycles", "update_cycles", "saturations"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name
            for name, array in state.items():
                assert np.array_equal(held[name], array), name
            spikes += len(one.spikes)
    assert spikes > 50


@pytest.mark.parametrize("url", ["rtl:?level=core"])
def test_rules_change_from_row_to_row_without_a_gap(url: str) -> None:
    net = Network(n_axons=24, v_tau=20.0, learn_pre=True, learn_post=True, trace_pre_tau=10.0,
                  trace_pre_bump=9000, trace_post_tau=10.0, trace_post_bump=9000)  # fmt: skip
    # Rows and columns of 12 blocks, longer than what the least cycles of one would hide.
    cells = net.population(24, threshold=600)
    rules: list[dict[str, Any]] = [
        {"w_max": 60, "pre_gain": -3000, "pre_offset": 2 << 16, "post_gain": 4000, "gain_shift": 1},
        {"w_min": -40, "w_max": 120, "pre_gain": 900, "pre_offset": -3 << 16, "post_gain": 500,
         "post_offset": 5 << 15, "stochastic": True, "current_after": True},
        {"w_min": 5, "w_max": 30, "post_offset": -1 << 16, "pre_gain": 2000, "gain_shift": 2,
         "window": net.add_window(np.random.default_rng(1).integers(-1 << 15, 1 << 16, 512))},
    ]  # fmt: skip
    for own in rules:
        net.project(net.axons, cells, weights=20, plastic=True, **own)
    assert net.n_rules == 4
    with connect("model:", params=ROOMY) as model, connect(url, params=ROOMY) as rtl:
        (one, _), (other, _) = (played(core, net, 3) for core in (model, rtl))
        assert len(one.spikes) > 100
        for name in ("spikes", "cycles", "saturations"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        for each in net.projections:
            learned = model.read_weights(each)
            assert len(np.unique(learned)) > 5
            assert np.array_equal(rtl.read_weights(each), learned)


@pytest.mark.parametrize("url", ["rtl:?level=core"])
@pytest.mark.parametrize("kind", ["weights", "constant"])
@pytest.mark.parametrize("sparse_rows", bulk_but([ROOMY.sparse_rows], [0, ROOMY.sparse_rows]))
def test_a_row_that_begins_where_the_one_before_ends_sees_what_that_added(
    url: str, kind: str, sparse_rows: int
) -> None:
    net = Network(n_axons=2)
    cells = net.population(20, threshold=9999)
    for target, weight in ((cells, 10), (cells[18:], 7)):
        its: dict[str, Any] = {kind: weight}
        net.project(net.axons, target, **its)
    with connect(url, params=replace(ROOMY, sparse_rows=sparse_rows)) as core:
        core.program(net)
        core.run([(0, 0), (0, 1)], ticks=1)
        assert core.read_state()["v"].tolist() == [20] * 18 + [34] * 2


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_rows_that_lead_to_the_same_neurons_add_up_whatever_lies_between(url: str) -> None:
    net = Network(n_axons=20)
    cells = net.population(64, threshold=9999)
    # At two lanes a row of eight blocks ends with the same neurons with which the next one begins,
    # that is with the same block, or two or three behind it.
    for number, begin in enumerate((62, 60, 58)):
        for first, weight in ((48, 3), (begin, 50 + number)):
            weights = np.zeros((20, 64), int)
            weights[:, first:] = weight
            net.project(net.axons, cells, weights=weights, sparse=True)
    net.project(net.axons, cells[60:], weights=7)
    events = [(0, axon) for axon in range(20) for _ in range(1 + axon % 2)]
    with connect(url, params=ROOMY) as core:
        core.program(net)
        core.run(events, ticks=1)
        named = np.bincount([axon for _, axon in events])
        assert core.read_state()["v"].tolist() == (named @ net.weight_sums()[:20]).tolist()


@pytest.mark.parametrize("seed", range(2))
def test_a_sparse_projection_takes_as_little_as_its_synapses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 60, (1024, 1024)) * (rng.random((1024, 1024)) < 0.05)
    runs = []
    for sparse in (False, True):
        net = Network(n_axons=1024, v_tau=20.0)
        cells = net.population(1024, threshold=900)
        net.project(net.axons, cells, weights=weights, sparse=sparse)
        params = net.core_params()
        with connect("model:", params=params) as core:
            core.program(net)
            run = core.run([(0, axon) for axon in range(1024)], ticks=2)
            assert np.array_equal(core.read_weights(net.projections[0]), weights)
        runs.append((run.spikes, params.weight_depth * params.lanes, run.cycles[0]))
    (spikes, words, cycles), (same, few, less) = runs
    assert params.lanes == 8
    assert np.array_equal(spikes, same)
    assert len(spikes) > 100
    assert few / words <= 0.075
    # That is of a whole tick, in which all else takes as long as in the dense network.
    assert less / cycles <= 0.08


def test_spikes_are_in_the_order_of_the_network_where_rows_are_sparse() -> None:
    net = Network(n_axons=12)
    cells = net.population(21, threshold=1)
    # All synapses of a row would lie in one lane.
    weights = np.zeros((12, 21), int)
    weights[:8, ::8] = weights[8:, 3::8] = 5
    net.project(net.axons, cells, weights=weights, sparse=True)
    params = net.core_params(lanes=8)
    place = layout(net, params)
    neurons = place.neurons
    assert place.words == [16]  # one for each row, and the rest of a group
    assert (np.diff(neurons) < 0).any()
    with connect("model:", params=params) as core:
        core.program(net)
        run = core.run([(0, 0), (1, 0), (1, 8), (2, 11)], ticks=3)
        account = run.accounts[0]
    fires = [*range(0, 21, 8)], sorted([*range(0, 21, 8), *range(3, 21, 8)]), [*range(3, 21, 8)]
    expected = [(tick, neuron) for tick, fired in enumerate(fires) for neuron in fired]
    assert run.spikes.tolist() == [list(each) for each in expected]
    cycles = [
        run.update_cycles[tick] + schedule.spike_cycle(params, int(neurons[neuron]))
        for tick, neuron in expected
    ]
    assert run.spike_cycles.tolist() == cycles
    assert account.spike_cycles.tolist() == cycles
    groups = account.words[account.word_of_spike] >> 20
    assert groups.tolist() == [neurons[neuron] // params.neuron_lanes for _, neuron in expected]


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_a_sparse_projection_is_written_where_it_has_synapses(url: str) -> None:
    net, params = all_kinds()
    few = net.projections[5]
    with connect(url, params=params) as core:
        core.program(net)
        assert np.array_equal(core.read_weights(few), few.weights)
        core.write_weights(-few.weights, few)
        assert np.array_equal(core.read_weights(few), -few.weights)
        core.write_weights(np.zeros((5, 7), int), few)
        assert not core.read_weights(few).any()
        core.write_weights(few.weights, few)
        assert np.array_equal(core.read_weights(), net.weight_sums())
        assert not core.read_plastic(few).any()
        source, neuron = np.argwhere(few.weights == 0)[0]
        with pytest.raises(
            InvalidInput, match=rf"few is sparse, and had no .*\[{source}, {neuron}\]"
        ):
            core.write_weights(1, few)
        with pytest.raises(DoesNotFit, match="few was programmed as a projection that does not l"):
            core.write_plastic(True, few)
        assert np.array_equal(core.read_weights(few), few.weights)


def test_a_core_without_sparse_rows_says_what_it_lacks() -> None:
    net, params = all_kinds()
    with pytest.raises(DoesNotFit, match=r"takes .*sparse_rows = 12, and the core has .*rows = 0"):
        net.check_fits(replace(params, sparse_rows=0))
    with pytest.raises(
        DoesNotFit, match="synapse_delay is set, but .* without synapse_delay_width"
    ):
        net.check_fits(replace(params, synapse_delay_width=0))
    net.projections = net.projections[5:6]
    net.projections[0].synapse_delay[...] = 0
    with connect("model:", params=net.core_params(n_projections=1)) as core:
        core.program(net)
        assert np.array_equal(core.read_weights(), net.weight_sums())


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core", "rtl:"])
def test_a_copied_state_goes_on_exactly_with_spikes_on_their_way(url: str) -> None:
    net, params = all_kinds()
    with connect(url, params=params) as core, connect("model:", params=params) as other:
        run, _ = played(core, net, seed=4)
        assert len(run.spikes) > 20
        state = core.read_state()
        assert state["relay_ring"].any()
        assert state["relay_ring"].shape == (5 + 7 + 3, 3)
        assert state["trace_pre"].shape == (net.n_sources + 5 + 7 + 3,)
        other.program(net)
        other.write_tick(core.tick)
        other.write_state(**state)
        for each in net.projections[:2]:
            other.write_weights(core.read_weights(each), each)
        found = [each.run(stimulus(net, 5), TICKS, digests=True) for each in (core, other)]
        for name in ("spikes", "cycles", "digests"):
            assert np.array_equal(getattr(found[0], name), getattr(found[1], name)), name
        assert len(found[0].spikes) > 20
        lost = {"relay_ring": np.zeros_like(state["relay_ring"])}
        other.program(net)
        other.write_tick(TICKS)
        other.write_state(**state | lost)
        assert len(other.run(stimulus(net, 5), TICKS).spikes) != len(found[0].spikes)


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_the_weights_of_a_constant_projection_are_read_and_not_written(url: str) -> None:
    net, params = all_kinds()
    inhibition = net.projections[2]
    with connect(url, params=params) as core:
        core.program(net)
        assert core.read_weights(inhibition).tolist() == [
            [0 if i == j else -9 for j in range(5)] for i in range(7)
        ]
        assert np.array_equal(core.read_weights(), net.weight_sums())
        assert not core.read_plastic(inhibition).any()
        for method in ("write_weights", "write_plastic"):
            with pytest.raises(InvalidInput, match="inhibition is constant and has no weights of"):
                getattr(core, method)(0, inhibition)
        inhibition.constant = -1
        assert core.read_weights(inhibition).min() == -9
        core.program(net)
        assert core.read_weights(inhibition).min() == -1
        core.write_weights(3, net.projections[1])
        assert (core.read_weights(net.projections[1]) == 3).all()


def test_spikes_on_their_way_are_shown_by_the_ticks_until_they_arrive() -> None:
    net = Network(n_axons=2)
    hidden = net.population(8)
    for delay in (5, 2):
        net.project(net.axons, hidden, constant=1, delay=delay)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        core.run([(0, 0), (1, 1), (3, 1)], ticks=4)
        # Relays of axon 0 and 1 for delay 2, then those for 5, which repeat them 3 ticks later.
        shown = [[0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
        assert core.read_state()["relay_ring"].tolist() == shown
        core.write_tick(1000)
        core.write_state(relay_ring=shown)
        assert core.read_state()["relay_ring"].tolist() == shown
        core.run([], ticks=1)
        assert core.read_state()["relay_ring"].tolist() == [row[1:] + [0] for row in shown]
        core.clear("pending")
        assert not core.read_state()["relay_ring"].any()
        core.write_state(relay_ring=shown, pending=0)  # in whatever order they are given
        assert core.read_state()["relay_ring"].tolist() == shown
        with pytest.raises(InvalidInput, match=r"relay_ring must have the shape \(4, 3\)"):
            core.write_state(relay_ring=[1])


@pytest.mark.parametrize("url", ["model:", "rtl:?level=core"])
def test_currents_on_their_way_are_state_that_can_be_copied(url: str) -> None:
    net = Network(n_axons=2, i_syn_tau=math.inf)
    cells = net.population(64, threshold=9999)  # all of the core, whose last ones are due last
    late = np.tile([[0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0]], 8)
    projection = net.project(net.axons, cells, weights=[[3] * 64, [5] * 64], synapse_delay=late)
    with connect(url, params=ROOMY) as core, connect("model:", params=ROOMY) as other:
        core.program(net)
        core.run([(0, 0), (1, 1), (1, 1)], ticks=3)
        state = core.read_state()
        # What was due in ticks 0 to 2 has arrived; the tick after is the first column.
        expected = np.zeros((64, 8), int)
        for weight, delay in zip((3, 10), late + [[0], [1]], strict=True):
            for neuron in range(64):
                if delay[neuron] >= 3:
                    expected[neuron, delay[neuron] - 3] += weight
        assert state["i_syn_ring"].tolist() == expected.tolist()
        assert np.array_equal(core.read_synapse_delay(projection), late)
        other.program(net)
        other.write_tick(3)
        other.write_state(**state)
        for each in (core, other):
            each.run([], ticks=6)
            assert each.read_state()["i_syn"].tolist() == [13] * 64
            assert not each.read_state()["i_syn_ring"].any()
        core.write_synapse_delay(0, projection)
        core.run([(0, 0)], ticks=1)
        assert core.read_state()["i_syn"].tolist() == [16] * 64
        core.write_synapse_delay(7, projection)
        core.run([(0, 0)], ticks=1)
        core.clear("i_syn")
        assert not core.read_state()["i_syn_ring"].any()


def test_an_all_to_all_network_can_have_delays_of_synapses() -> None:
    rng = np.random.default_rng(3)
    weights, delays = rng.integers(0, 60, (12, 8)), rng.integers(0, 32, (12, 8))
    net = Network(
        n_axons=4, n_neurons=8, weights=weights, synapse_delay=delays,
        threshold=np.full(8, 300), v_tau=math.inf,
    )  # fmt: skip
    params = net.core_params(probe_ranges=1)
    assert (params.n_projections, params.synapse_delay_width) == (2, 5)
    with connect("model:", params=params) as core:
        core.program(net)
        assert np.array_equal(core.read_synapse_delay(), delays)
        run = core.run([(0, 0)], ticks=40)
        assert not len(run.spikes)
        assert core.read_state()["v"].tolist() == weights[0].tolist()
        changes = core.run([(0, 0)], ticks=40, probe={"v": range(8)}, clear=True).probes["v"]
    first = (np.diff(changes, axis=0, prepend=0) != 0).argmax(axis=0)
    assert first[weights[0] > 0].tolist() == delays[0][weights[0] > 0].tolist()


@pytest.mark.parametrize("delay", [1, 2, 255, 256])
def test_a_delay_is_as_long_as_it_says(delay: int) -> None:
    net = Network(n_axons=2)
    first, second = net.population(1, threshold=10), net.population(1, threshold=10)
    net.project(net.axons[:1], first, weights=10)
    net.project(first, second, weights=5, delay=delay)
    net.project(first, second, constant=5, delay=delay)
    net.project(net.axons[1:], second, weights=6, delay=delay)
    params = net.core_params()
    with connect("model:", params=params) as core:
        core.program(net)
        assert core.run([(3, 0)], ticks=270).spikes.tolist() == [[3, 0], [4 + delay, 1]]
        # However often an axon is named in a tick, it arrives once; and once of a tick before.
        assert not len(core.run([(3, 1), (3, 1)], ticks=270).spikes)
        assert len(core.run([(3, 1), (4, 1)], ticks=270, clear=True).spikes) == 1


def test_unused_neurons_that_get_a_constant_stay_silent() -> None:
    net = Network(n_axons=3)
    few = [net.population(1, threshold=1 << 20) for _ in range(5)]
    for each in few:
        net.project(net.axons, each, constant=2000)
    params = net.core_params(lanes=2, v_width=22)
    with connect("model:", params=params) as core:
        core.program(net)
        run = core.run([(tick, axon) for tick in range(900) for axon in range(3)], ticks=900)
        assert run.spikes[:, 1].tolist() == [0, 1, 2, 3, 4] * 5
        # One that fired would have a row in the tick after.
        after = np.isin(np.arange(900), run.spikes[:, 0] + 1)
        assert len(np.unique(run.cycles[after])) == len(np.unique(run.cycles[~after])) == 1
        assert run.saturations is not None
        assert (run.saturations.v, run.saturations.i_syn) == (0, 0)


@pytest.mark.parametrize("v_width", [16, 17, 24])
def test_neurons_that_never_fire_have_the_highest_threshold_of_the_core(v_width: int) -> None:
    net = Network(n_axons=3, v_tau=20.0)
    hidden, silent = net.population(4, threshold=90), net.population(5, fires=False)
    net.project(net.axons, hidden, weights=40)
    net.project(net.axons, silent, weights=90)
    params = net.core_params(v_width=v_width, weight_width=14)
    top = (1 << v_width - 1) - 1
    events = [(tick, axon) for tick in range(200) for axon in range(3)]
    with connect("model:", params=params) as core:
        core.program(net)
        assert core.read_parameters()["threshold"].tolist() == [90] * 4 + [top] * 5
        assert set(core.run(events, ticks=200).spikes[:, 1]) == {0, 1, 2, 3}
        assert core.read_state()["v"][silent.neurons].min() > 5000
        net.projections[1].weights *= 80
        if v_width < 24:
            with pytest.warns(SpiketwinWarning, match=r"5 neurons that never fire can do so: v\[4"):
                core.program(net)
            assert set(core.run(events, ticks=200).spikes[:, 1]) == set(range(9))


def test_a_core_without_a_table_has_neither_constants_nor_delays() -> None:
    net = Network(n_axons=3)
    hidden = net.population(8)
    kinds: list[tuple[Any, str]] = [
        ({"constant": 3}, "is constant"), ({"weights": 3, "delay": 1}, "has a"),
    ]  # fmt: skip
    for keywords, what in kinds:
        net.projections = ()
        net.project(net.axons, hidden, **keywords)
        with pytest.raises(DoesNotFit, match=f"axons to population 1 {what}.* no table"):
            net.core_params(n_projections=1)
    with pytest.raises(DoesNotFit, match="n_relays = 32, max_delay = 2, and the core has n_rel"):
        net.check_fits(replace(net.core_params(), n_relays=0, max_delay=0))


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
    net, params = all_kinds()
    net.learn_post = net.learn_pre = False
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
