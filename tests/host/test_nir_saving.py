"""Networks as graphs of NIR: they come back exactly, and what a graph cannot say is refused."""

from pathlib import Path
from typing import Any

import nir as package
import numpy as np
import pytest
from support.graphs import cuba, events, graph_of, inputs, lif, outputs, recurrent, simulate

from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Per
from spiketwin.host import Network, connect, nir
from spiketwin.host.errors import InvalidInput, InvalidNetwork
from spiketwin.host.quantisation.report import QuantisationReport

DT = 1e-3
OF_NEURONS = [
    each.attribute
    for each in VECTOR_PARAMETERS
    if each.per is Per.NEURON and each.attribute != "profile"  # profiles may be in another order
]


def assert_same(one: Network, other: Network, params: Any) -> None:
    """The same for a core of these sizes: neurons, profiles, weights and delays of all pairs."""
    for name in OF_NEURONS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    tables = [each.profile_values(params) for each in (one, other)]
    for variable in tables[0]:
        mine, its = (
            np.array(table[variable])[net.profile]
            for table, net in zip(tables, (one, other), strict=True)
        )
        assert np.array_equal(mine, its), variable
    assert one.i_syn_shift == other.i_syn_shift
    sums = [by_delay(each) for each in (one, other)]
    assert sums[0].keys() == sums[1].keys()
    assert all(np.array_equal(sums[0][delay], sums[1][delay]) for delay in sums[0])


def by_delay(net: Network) -> dict[int, Any]:
    """The sum of the weights of each pair, by the delay."""
    sums: dict[int, Any] = {}
    for each in net.projections:
        whole = sums.setdefault(each.delay, np.zeros((net.n_sources, net.n_neurons), int))
        whole[each.pairs.place] += each.weights
    return sums


def spikes(net: Network, report: QuantisationReport | None, stimulus: Any, sizes: Any) -> Any:
    with connect("model:", params=net.core_params(**sizes)) as core:
        core.program(net)
        if report is not None:
            core.write_state(**report.start)
        return core.run(stimulus, 150).spikes.tolist()


def deep() -> Any:
    """Layers of all kinds, a delay, a connection past a layer, one back, and biases."""
    rng = np.random.default_rng(3)
    return graph_of(
        "in w0 a w1 b w2 c out, a own a, in wait past b, b back a",
        **{
            "in": inputs(8),
            "w0": package.Affine(9 * rng.normal(0.4, 0.6, (9, 8)), np.full(9, 0.2)),
        },
        own=package.Linear(rng.normal(0, 1, (9, 9))),
        back=package.Linear(rng.normal(0, 1, (9, 5))),
        a=cuba(9, v_leak=0.1, w_in=4.0),
        w1=package.Affine(rng.normal(0.5, 0.5, (5, 9)), np.full(5, 0.1)),
        b=package.IF(r=np.full(5, 500.0), v_threshold=np.ones(5), v_reset=np.full(5, -0.1)),
        wait=package.Delay(np.full(8, 4 * DT)),
        past=package.Linear(rng.normal(0, 1, (5, 8))),
        w2=package.Linear(rng.normal(0, 1, (3, 5))),
        c=package.CubaLI(*[np.full(3, v) for v in (4e-3, 1e-2, 1.0, 0.2)]),
        out=outputs(3),
    )


@pytest.mark.parametrize("widths", [{}, {"weight_width": 8, "v_width": 16}])
def test_an_imported_network_comes_back_as_it_was(widths: Any, tmp_path: Path) -> None:
    for graph in (deep(), recurrent(1), recurrent(2, cuba, 20.0, b=0.3)):
        net, report = nir.load(graph, DT, **widths)
        nir.save(tmp_path / "net.nir", net, DT, report=report)
        back, again = nir.load(tmp_path / "net.nir")
        params = net.core_params(**report.sizes)
        assert again.sizes == report.sizes
        assert net.profile_values(params) == back.profile_values(params)
        assert_same(net, back, params)
        assert report.start.keys() == again.start.keys()
        for name, state in report.start.items():
            assert np.array_equal(state, again.start[name]), name
        assert np.allclose(again.scales, report.scales)
        stimulus = events(net.n_axons, 150, 0.1, 4)
        expected = spikes(net, report, stimulus, report.sizes)
        assert expected
        assert spikes(back, again, stimulus, again.sizes) == expected


def test_what_is_saved_means_the_same_to_other_programs(tmp_path: Path) -> None:
    graph = recurrent(3)
    net, report = nir.load(graph, DT)
    nir.save(tmp_path / "net.nir", net, DT, report=report)
    saved = package.read(tmp_path / "net.nir")
    assert saved.nodes["hidden"].v_threshold == pytest.approx(np.ones(40), rel=1e-3)
    stimulus = events(12, 100, 0.05, 3)
    first = simulate(graph, stimulus, 100, DT)["hidden"]
    edges = [edge for edge in saved.edges if edge[1].startswith("synapses")]
    own, into = (
        next(name for source, name in edges if source == wanted and (name, "hidden") in saved.edges)
        for wanted in ("hidden", "input")
    )
    small = graph_of(
        "input into hidden out, hidden own hidden", input=saved.nodes["input"],
        into=saved.nodes[into], own=saved.nodes[own], hidden=saved.nodes["hidden"], out=outputs(40),
    )  # fmt: skip
    assert np.mean(simulate(small, stimulus, 100, DT)["hidden"] != first) < 1e-3


def by_hand() -> Network:
    rng = np.random.default_rng(1)
    net = Network(n_axons=6, v_tau=20.0, v_floor=-(1 << 15))
    hidden = net.population(8, threshold=rng.integers(200, 400, 8), v_reset=-7, name="hid/den")
    soft = net.population(5, threshold=150, v_tau=9.0, i_syn_tau=4.0, reset_subtract=True, bias=3)
    never = net.population(3, v_tau=50.0, fires=False)
    net.project(net.axons, hidden, weights=rng.integers(20, 120, (6, 8)))
    net.project(hidden[2:6], hidden[:3], weights=-25)
    net.project(hidden, hidden, constant=-4, itself=False)
    net.project(hidden, soft, weights=rng.integers(-10, 60, (8, 5)), sparse=True)
    net.project(net.axons[2:], soft, weights=9, delay=3)
    net.project(soft, never, weights=rng.integers(-9, 9, (5, 3)), delay=2)
    net.project(soft, hidden, weights=3)
    return net


def test_a_network_made_by_hand_comes_back_as_it_was(tmp_path: Path) -> None:
    net = by_hand()
    nir.save(tmp_path / "net.nir", net, DT)
    back, report = nir.load(tmp_path / "net.nir")
    params = net.core_params()
    assert_same(net, back, params)
    stimulus = events(6, 150, 0.2, 4)
    expected = spikes(net, None, stimulus, {})
    assert len({neuron for _, neuron in expected}) > 10
    sizes = {name: report.sizes[name] for name in ("v_width", "weight_width")}
    assert spikes(back, None, stimulus, sizes | {"decay_shift": params.decay_shift}) == expected
    assert report["hid_den"].size == 8


def test_neurons_keep_their_numbers_and_circles_their_delays(tmp_path: Path) -> None:
    """Names are not in the order of neurons, and a file has them by the alphabet."""
    rng = np.random.default_rng(4)
    for order in ("zab", "baz", "abz"):
        net = Network(n_axons=3, v_tau=20.0)
        made = [net.population(4, threshold=int(rng.integers(60, 99)), name=n) for n in order]
        net.project(net.axons, made[1], weights=50)
        net.project(net.axons, made[2], weights=40, delay=2)
        for source, target in ((1, 2), (2, 1), (1, 0), (2, 0), (0, 1)):
            weights = rng.integers(1, 30, (4, 4))
            net.project(made[source], made[target], weights=weights, delay=2)
        nir.save(tmp_path / "net.nir", net, DT)
        back, _ = nir.load(tmp_path / "net.nir")
        assert [p.name for p in back.populations] == list(order)
        assert_same(net, back, net.core_params())


def test_an_all_to_all_network_comes_back_with_a_population(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    net = Network(n_axons=3, n_neurons=9, weights=rng.integers(0, 50, (12, 9)))
    net.threshold[:] = 99
    nir.save(tmp_path / "net.nir", net, DT)
    back, _ = nir.load(tmp_path / "net.nir")
    assert np.array_equal(back.weight_sums(), net.weight_sums())
    assert np.array_equal(back.threshold, net.threshold)


def test_other_widths_than_those_that_were_saved_are_rounded_anew(tmp_path: Path) -> None:
    net, report = nir.load(recurrent(1), DT)
    nir.save(tmp_path / "net.nir", net, DT, report=report)
    narrow, other = nir.load(tmp_path / "net.nir", weight_width=6)
    assert np.abs(narrow.projections[0].weights).max() <= 32
    assert other.sizes["weight_width"] == 6
    later, again = nir.load(tmp_path / "net.nir", dt=2 * DT)
    assert not np.array_equal(later.threshold, net.threshold)


def changed(**attributes: Any) -> Network:
    net = by_hand()
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def learning() -> Network:
    net = Network(n_axons=2, w_max=9)
    net.project(net.axons, net.population(4), weights=5, plastic=True)
    return net


def early() -> Network:
    net = Network(n_axons=2)
    first, second = net.population(2), net.population(2)
    net.project(net.axons, first, weights=5)
    net.project(first, second, weights=5)
    net.project(net.axons, second, weights=5)
    return net


def apart() -> Network:
    net = Network(n_axons=2)
    net.project(net.axons, net.population(2), weights=5, synapse_delay=[[1, 2], [3, 4]])
    return net


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (learning(), "no plastic: set plastic to False"),
        (changed(refrac_ticks=2), "no refrac_ticks: set them to 0"),
        (changed(theta_bump=3), "no theta_bump: set it to 0"),
        (changed(linear_leak=3), "no linear_leak"),
        (changed(i_inh_en=True), "no i_inh_en"),
        (changed(v_floor=-1000), "no v_floor, and -1000"),
        (apart(), "no synapse_delay: put the synapses of each delay into a projection"),
        (early(), "axons reach population 2 1 ticks before others .* a delay of 1 ticks"),
        (changed(i_syn_tau=np.inf), "has no current that never decays"),
        (Network(n_axons=0, n_neurons=4), "has an Input: give the network an axon"),
    ],
)  # fmt: skip
def test_what_a_graph_cannot_say_is_refused_by_name(
    net: Network, says: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidNetwork, match=says):
        nir.save(tmp_path / "net.nir", net, DT)
    assert not list(tmp_path.iterdir())


def test_a_start_that_no_graph_has_is_refused(tmp_path: Path) -> None:
    net, report = nir.load(deep(), DT)
    nir.save(tmp_path / "net.nir", net, DT, report=report)
    for other in (None, report):
        net.start = {} if other is report else {"v": np.ones(net.n_neurons, int)}
        with pytest.raises(InvalidNetwork, match="begins at rest, or as its import did"):
            nir.save(tmp_path / "net.nir", net, DT, report=other)


def test_a_network_that_begins_at_rest_comes_back_so(tmp_path: Path) -> None:
    net, report = nir.load(deep(), DT)
    assert report.start
    net.start = {}
    nir.save(tmp_path / "net.nir", net, DT)
    back, again = nir.load(tmp_path / "net.nir")
    assert back.start == again.start == {}


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    net, report = nir.load(recurrent(1), DT)
    with pytest.raises(InvalidInput, match="report is of 47 neurons, and the network has 16"):
        nir.save(tmp_path / "net.nir", by_hand(), DT, report=report)
    with pytest.raises(InvalidInput, match="report must be that of `nir.load`"):
        nir.save(tmp_path / "net.nir", net, DT, report="it")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="dt must be seconds above 0"):
        nir.save(tmp_path / "net.nir", net, 0.0)
    with pytest.raises(InvalidInput, match="net must be a Network"):
        nir.save(tmp_path / "net.nir", (net, 1), DT)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No such file"):
        nir.save(tmp_path / "none" / "net.nir", net, DT)


def test_a_layer_of_one_more_kind_keeps_its_threshold_above_it(tmp_path: Path) -> None:
    """A threshold of v units fires at v: half a unit below lies that of the graph."""
    net = Network(n_axons=1, v_tau=30.0)
    net.project(net.axons, net.population(4, threshold=50), weights=[[49, 50, 51, 100]])
    nir.save(tmp_path / "net.nir", net, DT)
    saved = package.read(tmp_path / "net.nir")
    assert saved.nodes["population 1"].v_threshold.tolist() == [49.5] * 4
    assert isinstance(saved.nodes["population 1"], package.LIF)
    back, report = nir.load(tmp_path / "net.nir")
    assert spikes(back, report, [(0, 0)], report.sizes) == [[0, 1], [0, 2], [0, 3]]
    assert lif(1).v_threshold.tolist() == [1.0]


def test_neurons_that_hear_nothing_come_back_whatever_they_are_called(tmp_path: Path) -> None:
    net = Network(n_axons=1, v_tau=20.0)
    net.population(2, bias=60, threshold=300, name="input")
    net.population(3, bias=2, threshold=9, v_tau=np.inf, name="input_output")
    quiet = net.population(1, threshold=20, name="synapses_0")
    net.project(net.axons, quiet, weights=30, delay=1)
    nir.save(tmp_path / "net.nir", net, DT)
    back, report = nir.load(tmp_path / "net.nir")
    for name in OF_NEURONS:
        assert np.array_equal(getattr(net, name), getattr(back, name)), name
    assert not report.start
    expected = spikes(net, None, [(4, 0)], {})
    assert {neuron for _, neuron in expected} == set(range(6))
    assert spikes(back, report, [(4, 0)], report.sizes) == expected
