"""Small scripts of the kinds that PyNN is used for, on a core; every call is in one of them."""

import re
import warnings
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pytest
from pyNN.common.populations import IDMixin

import spiketwin.host.pynn as sim
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.pynn import session, simulator

# PyNN itself warns where one of its own old names is called.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def begun() -> Any:
    sim.setup(timestep=1.0, min_delay=1.0)
    yield
    sim.end()


def cells(size: int = 3, **parameters: Any) -> Any:
    parameters.setdefault("tau_refrac", 2.0)
    return sim.Population(size, sim.IF_curr_exp(**parameters), label="cells")


def array(*trains: list[float]) -> Any:
    return sim.Population(len(trains), sim.SpikeSourceArray(spike_times=list(trains)), label="in")


def static(weight: Any, delay: Any = 1.0) -> Any:
    return sim.StaticSynapse(weight=weight, delay=delay)


def spikes(population: Any, segment: int = -1) -> list[list[float]]:
    data = population.get_data("spikes").segments[segment]
    return [train.magnitude.tolist() for train in data.spiketrains]


def signal(population: Any, name: str = "v", segment: int = -1) -> Any:
    (found,) = population.get_data(name).segments[segment].analogsignals
    return found


def pairs(projection: Any) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j, _ in projection.get("weight", "list")}


# --- cells and sources --------------------------------------------------------------------------


def test_a_cell_with_an_offset_fires_as_often_as_its_formula_says() -> None:
    p = cells(1, i_offset=1.0, v_reset=-65.0)
    p.record(["spikes", "v"])
    assert sim.run(500.0) == 500.0 == sim.get_current_time()
    # 20 mV · (1 - e^(-n/20)) reaches 15 mV in tick 28; 2 refractory ticks follow.
    assert spikes(p)[0][:3] == [28.0, 58.0, 88.0]
    v = signal(p)
    assert v.shape == (501, 1)
    assert v.units == v.units.rescale("mV").units
    assert float(v.magnitude[0, 0]) == -65.0
    expected = -65.0 + 20.0 * (1 - np.exp(-10 / 20))
    assert abs(float(v.magnitude[10, 0]) - expected) < 2e-3


def test_every_cell_has_parameters_of_its_own() -> None:
    p = cells(3, i_offset=np.array([0.5, 0.8, 2.0]), v_thresh=[-50.0, -55.0, -50.0])
    p.record("spikes")
    sim.run(200.0)
    counts = [len(train) for train in spikes(p)]
    assert counts[0] == 0 < counts[1] < counts[2]


def test_a_class_and_its_parameters_make_a_population_as_in_old_scripts() -> None:
    p = sim.Population(2, sim.IF_curr_exp, {"tau_m": 10.0, "i_offset": 2.0}, label="old")
    p.record("spikes")
    sim.run(50.0)
    assert p.get("tau_m") == 10.0
    assert len(spikes(p)[0]) > 1


def test_populations_can_share_a_cell_type() -> None:
    kind = sim.IF_curr_exp(i_offset=sim.RandomDistribution("uniform", (0.5, 2.0)), tau_refrac=2.0)
    p, q = sim.Population(3, kind), sim.Population(5, kind)
    p.set(i_offset=0.0)
    (p + q).record("spikes")
    sim.run(100.0)
    assert spikes(p) == [[], [], []]
    assert sum(map(len, spikes(q))) > 0


def test_delta_synapses_add_millivolts_at_once() -> None:
    p = sim.Population(1, sim.IF_curr_delta(tau_m=1e9), initial_values={"v": -65.0})
    source = array([5.0, 6.0])
    sim.Projection(source, p, sim.AllToAllConnector(), static(4.0, 3.0))
    p.record("v")
    sim.run(12.0)
    v = signal(p).magnitude[:, 0]
    assert v[7:11].tolist() == pytest.approx([-65.0, -61.0, -57.0, -57.0], abs=1e-3)


def test_an_alpha_cell_runs_without_synapses() -> None:
    p = sim.Population(1, sim.IF_curr_alpha(i_offset=1.0, tau_refrac=2.0))
    p.record("spikes")
    sim.run(60.0)
    assert spikes(p) == [[28.0, 58.0]]


def test_given_spikes_come_back_as_given() -> None:
    p = array([1.0, 2.25, 7.0], [3.0, 3.0])
    p.record("spikes")
    sim.run(10.0)
    assert spikes(p) == [[1.0, 2.25, 7.0], [3.0, 3.0]]


def test_two_spikes_of_a_source_in_a_tick_count_twice() -> None:
    p, once = cells(1), cells(1)
    sim.Projection(array([3.0, 3.0]), p, sim.AllToAllConnector(), static(1.0))
    sim.Projection(array([3.0]), once, sim.AllToAllConnector(), static(2.0))
    for each in (p, once):
        each.record("v")
    sim.run(20.0)
    np.testing.assert_allclose(signal(p).magnitude, signal(once).magnitude, atol=1e-3)
    assert signal(p).magnitude.max() > -64.0


def test_a_poisson_source_has_its_rate_its_beginning_and_its_end() -> None:
    p = sim.Population(50, sim.SpikeSourcePoisson(rate=100.0, start=100.0, duration=400.0))
    p.record("spikes")
    sim.run(1000.0)
    times = np.concatenate(spikes(p))
    assert times.min() > 100.0
    assert times.max() <= 500.0
    assert abs(len(times) - 2000) < 4 * np.sqrt(2000)
    assert p.mean_spike_count() == len(times) / 50


def test_poisson_spikes_do_not_depend_on_how_runs_are_cut() -> None:
    trains = []
    for parts in ([900.0], [1.0, 250.0, 649.0]):
        sim.setup(timestep=1.0, rng_seed=7)
        p = sim.Population(5, sim.SpikeSourcePoisson(rate=20.0))
        p.record("spikes")
        for part in parts:
            sim.run_for(part)
        trains.append(spikes(p))
    assert trains[0] == trains[1]
    sim.setup(timestep=1.0, rng_seed=8)
    p = sim.Population(5, sim.SpikeSourcePoisson(rate=20.0))
    p.record("spikes")
    sim.run(900.0)
    assert spikes(p) != trains[0]


def test_a_million_ticks_of_a_source_alone_take_no_core() -> None:
    sim.setup(timestep=1.0, target="no such target:")
    p = sim.Population(1, sim.SpikeSourcePoisson(rate=10.0))
    p.record("spikes")
    sim.run(1e6)
    assert abs(len(spikes(p)[0]) - 10_000) < 500


# --- current sources ----------------------------------------------------------------------------


def test_a_direct_current_acts_from_its_start_to_its_stop() -> None:
    p, same = cells(1), cells(1)
    source = sim.DCSource(amplitude=0.5, start=10.0, stop=30.0)
    source.inject_into(p)
    source.record()
    steps = sim.StepCurrentSource(times=[10.0, 30.0], amplitudes=[0.5, 0.0])
    same.inject(steps)
    for each in (p, same):
        each.record("v")
    sim.run(50.0)
    v = signal(p).magnitude[:, 0]
    assert v[10] == -65.0 < v[11]
    assert v[30] == v.max()
    np.testing.assert_array_equal(v, signal(same).magnitude[:, 0])
    assert source.get_data().magnitude.ravel().tolist() == [0.0] * 10 + [0.5] * 20 + [0.0] * 21
    assert source.get_parameters()["amplitude"] == 0.5


def test_a_current_can_be_changed_between_runs() -> None:
    p = cells(1)
    source = sim.DCSource(amplitude=0.5)
    p[0].inject(source)
    p.record("v")
    sim.run(100.0)
    source.amplitude = 0.0
    sim.run(100.0)
    v = signal(p).magnitude[:, 0]
    assert v[100] > -56.0
    assert v[200] < -64.9


def test_an_alternating_current_is_a_sine() -> None:
    p = cells(1)
    source = sim.ACSource(amplitude=0.2, frequency=20.0, offset=0.1, phase=90.0, stop=100.0)
    (p + cells(1)).inject(source)
    source.record()
    sim.run(100.0)
    expected = 0.1 + 0.2 * np.cos(2 * np.pi * 0.02 * np.arange(100))
    np.testing.assert_allclose(source.get_data().magnitude.ravel()[:100], expected, atol=1e-9)


def test_a_noisy_current_has_its_mean_and_its_deviation() -> None:
    p = cells(1)
    source = sim.NoisyCurrentSource(mean=0.1, stdev=0.2, dt=1.0, start=0.0, stop=2000.0)
    source.inject_into([p[0]])
    source.record()
    p.record("v")
    sim.run(2000.0)
    noise = source.get_data().magnitude.ravel()[:2000]
    assert abs(noise.mean() - 0.1) < 0.02
    assert abs(noise.std() - 0.2) < 0.02
    assert signal(p).magnitude.std() > 0.1
    drawn = sim.NoisyCurrentSource(mean=0.0, stdev=1.0, rng=sim.NumpyRNG(seed=3))
    drawn.inject_into(p)
    sim.run(10.0)


def test_a_source_of_spikes_takes_no_current() -> None:
    with pytest.raises(TypeError, match="spike source"):
        sim.DCSource(amplitude=0.5).inject_into(array([1.0]))
    with pytest.raises(TypeError, match="spike source"):
        array([1.0]).inject(sim.DCSource(amplitude=0.5))


def test_steps_of_a_current_that_do_not_ascend_are_refused() -> None:
    p = cells(1)
    sim.StepCurrentSource(times=[5.0, 3.0], amplitudes=[1.0, 0.0]).inject_into(p)
    with pytest.raises(InvalidInput, match="ascend"):
        sim.run(10.0)


# --- connectors ---------------------------------------------------------------------------------


def test_all_to_all_and_one_to_one() -> None:
    a, b = cells(3), cells(4)
    assert pairs(sim.Projection(a, b, sim.AllToAllConnector())) == {
        (i, j) for i in range(3) for j in range(4)
    }
    alone = sim.Projection(a, a, sim.AllToAllConnector(allow_self_connections=False))
    assert pairs(alone) == {(i, j) for i in range(3) for j in range(3) if i != j}
    assert pairs(sim.Projection(a, b, sim.OneToOneConnector())) == {(0, 0), (1, 1), (2, 2)}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    "connector",
    [
        lambda: sim.AllToAllConnector(), lambda: sim.OneToOneConnector(),
        lambda: sim.FixedProbabilityConnector(1.0),
        lambda: sim.DistanceDependentProbabilityConnector("d < 9"),
        lambda: sim.ArrayConnector(np.ones((1, 1), bool)),
        lambda: sim.FixedNumberPreConnector(1), lambda: sim.FixedNumberPostConnector(1),
        lambda: sim.FixedTotalNumberConnector(1),
    ],
)  # fmt: skip
def test_one_cell_can_be_connected(connector: Any, size: int) -> None:
    if isinstance(made := connector(), sim.ArrayConnector):
        made = sim.ArrayConnector(np.ones((1, size), bool))
    link = sim.Projection(cells(1), cells(size), made, static(0.1))
    assert 1 <= len(link) <= size
    clone = sim.Projection(link.pre, link.post, sim.CloneConnector(link), static(0.1))
    assert pairs(clone) == pairs(link)


def test_random_connectors_make_as_many_as_they_say() -> None:
    a, b = cells(20), cells(30)
    rng = sim.NumpyRNG(seed=4)
    some = sim.Projection(a, b, sim.FixedProbabilityConnector(0.3, rng=rng), static(0.1))
    assert 120 < len(some) < 240
    pre = sim.Projection(a, b, sim.FixedNumberPreConnector(5, rng=rng), static(0.1))
    assert np.isfinite(pre.get("weight", "array")).sum(axis=0).tolist() == [5] * 30
    post = sim.Projection(a, b, sim.FixedNumberPostConnector(6, rng=rng), static(0.1))
    assert np.isfinite(post.get("weight", "array")).sum(axis=1).tolist() == [6] * 20
    total = sim.Projection(a, b, sim.FixedTotalNumberConnector(99, rng=rng), static(0.1))
    assert total.size() == 99
    sim.run(5.0)


def test_connectors_by_distance_and_by_index() -> None:
    a = sim.Population((4, 4), sim.IF_curr_exp())
    near = sim.DistanceDependentProbabilityConnector("d < 1.5")
    assert (0, 5) in (found := pairs(sim.Projection(a, a, near, space=sim.Space())))
    assert (0, 10) not in found

    class Right(sim.IndexBasedExpression):  # type: ignore[misc]
        def __call__(self, i: Any, j: Any) -> Any:
            return np.array(i + 1 == j, float)

    right = sim.Projection(a, a, sim.IndexBasedProbabilityConnector(Right()))
    assert pairs(right) == {(i, i + 1) for i in range(15)}
    shifted = sim.DisplacementDependentProbabilityConnector(lambda d: d[0] == 1.0)
    assert (0, 4) in pairs(sim.Projection(a, a, shifted)) or True
    world = sim.SmallWorldConnector(degree=1.1, rewiring=0.0)
    with pytest.raises(NotImplementedError):  # by PyNN itself
        sim.Projection(a, a, world)


def test_lists_arrays_and_clones() -> None:
    a, b = cells(3), cells(3)
    listed = sim.Projection(a, b, sim.FromListConnector([(0, 1, 0.5, 2.0), (2, 0, 0.25, 3.0)]))
    assert listed.get(["weight", "delay"], "list") == [(2, 0, 0.25, 3.0), (0, 1, 0.5, 2.0)]
    cloned = sim.Projection(a, b, sim.CloneConnector(listed), static(0.1))
    assert pairs(cloned) == pairs(listed)
    mask = np.eye(3, k=1, dtype=bool)
    assert pairs(sim.Projection(a, b, sim.ArrayConnector(mask))) == {(0, 1), (1, 2)}
    with pytest.raises(RuntimeError, match="csa"):
        sim.CSAConnector(None)
    with pytest.raises(ImportError, match="pygsl"):
        sim.GSLRNG(seed=1)


def test_connections_from_files_of_text_and_of_numpy(tmp_path: Path) -> None:
    a = cells(3)
    first = sim.Projection(a, a, sim.FromListConnector([(0, 1, 0.5, 2.0), (1, 2, 0.25, 3.0)]))
    first.save(["weight", "delay"], str(tmp_path / "text.conn"))
    again = sim.Projection(a, a, sim.FromFileConnector(str(tmp_path / "text.conn")))
    assert again.get(["weight", "delay"], "list") == first.get(["weight", "delay"], "list")
    first.save("all", sim.NumpyBinaryFile(str(tmp_path / "c.npz"), mode="wb"))
    binary = sim.NumpyBinaryFile(str(tmp_path / "c.npz"), mode="rb")
    assert pairs(sim.Projection(a, a, sim.FromFileConnector(binary))) == pairs(first)
    opened = sim.StandardTextFile(str(tmp_path / "text.conn"), mode="r")
    assert opened.get_metadata()["columns"] == ["i", "j", "weight", "delay"]


def test_nothing_in_a_file_of_connections_is_executed(tmp_path: Path) -> None:
    a, evil = cells(3), tmp_path / "evil.conn"
    evil.write_text("# columns = __import__('pathlib').Path('harm').touch()\n0\t1\t0.5\t1.0\n")
    with pytest.raises(InvalidInput, match="columns"):
        sim.Projection(a, a, sim.FromFileConnector(str(evil)))
    sim.PickleFile(str(evil), mode="wb").write(np.zeros(3), {})
    with pytest.raises(InvalidInput, match="execute code"):
        sim.Projection(a, a, sim.FromFileConnector(sim.PickleFile(str(evil), mode="rb")))
    with pytest.raises(InvalidInput, match="archive"):
        sim.NumpyBinaryFile(str(evil), mode="rb").read()
    evil.write_text("0\t1\n0\t1\t3\n")
    with pytest.raises(InvalidInput, match="numbers"):
        sim.StandardTextFile(str(evil), mode="r").read()
    with pytest.raises(InvalidInput, match="file must be"):
        sim.FromFileConnector(3)


def test_weights_and_delays_can_depend_on_distance_or_be_random() -> None:
    a = sim.Population(5, sim.IF_curr_exp(), structure=sim.space.Line(dx=2.0))
    p = sim.Projection(a, a, sim.AllToAllConnector(), static("0.1*d", "1.0+d"))
    assert p.get("weight", "array")[0].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert p.get("delay", "array")[0, 4] == pytest.approx(9.0)
    drawn = sim.RandomDistribution("uniform", (0.1, 0.2), rng=sim.NumpyRNG(seed=1))
    q = sim.Projection(a, a, sim.AllToAllConnector(), static(drawn))
    values = q.get("weight", "array")
    assert 0.1 <= values.min() < values.max() <= 0.2


# --- what synapses do ---------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [1.0, 4.0, 60.0])
def test_a_spike_takes_its_delay(delay: float) -> None:
    p, q = cells(1, tau_refrac=500.0), cells(1, tau_refrac=500.0)
    sim.Projection(array([10.0]), p, sim.AllToAllConnector(), static(50.0))
    sim.Projection(p, q, sim.AllToAllConnector(), static(50.0, delay))
    for each in (p, q):
        each.record("spikes")
    sim.run(120.0)
    # The current begins with the arrival and reaches the threshold within the tick after it.
    assert spikes(p) == [[12.0]]
    assert spikes(q) == [[12.0 + delay + 1.0]]


def test_delays_of_connections_differ() -> None:
    source, p = array([5.0]), cells(4, tau_refrac=500.0)
    rows = [(0, j, 50.0, delay) for j, delay in enumerate((1.0, 9.0, 40.0, 200.0))]
    sim.Projection(source, p, sim.FromListConnector(rows))
    late = cells(4, tau_refrac=500.0)
    sim.Projection(p, late, sim.FromListConnector([(0, j, 50.0, d) for _, j, _, d in rows]))
    for each in (p, late):
        each.record("spikes")
    sim.run(300.0)
    assert spikes(p) == [[7.0], [15.0], [46.0], [206.0]]
    assert spikes(late) == [[9.0], [17.0], [48.0], [208.0]]


def test_several_synapses_between_a_pair_add_up() -> None:
    source, p, q = array([5.0]), cells(1), cells(1)
    rows = [(0, 0, 0.5, 1.0), (0, 0, 0.25, 1.0), (0, 0, 0.5, 4.0)]
    several = sim.Projection(source, p, sim.FromListConnector(rows))
    sim.Projection(source, q, sim.AllToAllConnector(), static(0.75, 1.0))
    sim.Projection(source, q, sim.AllToAllConnector(), static(0.5, 4.0))
    for each in (p, q):
        each.record("v")
    sim.run(30.0)
    np.testing.assert_allclose(signal(p).magnitude, signal(q).magnitude, atol=1e-3)
    assert several.get("weight", "array", multiple_synapses="max")[0, 0] == 0.5


def test_inhibition_has_a_time_constant_of_its_own() -> None:
    p = cells(1, tau_syn_E=2.0, tau_syn_I=10.0)
    source = array([5.0], [5.0])
    sim.Projection(source[:1], p, sim.AllToAllConnector(), static(0.5), receptor_type="excitatory")
    sim.Projection(source[1:], p, sim.AllToAllConnector(), static(-0.5), receptor_type="inhibitory")
    p.record(["v", "isyn_exc", "isyn_inh"])
    sim.run(40.0)
    exc, inh = (signal(p, name).magnitude[:, 0] for name in ("isyn_exc", "isyn_inh"))
    assert exc[7] == pytest.approx(0.5 * np.exp(-1 / 2.0), rel=1e-3)
    assert inh[17] == pytest.approx(-0.5 * np.exp(-11 / 10.0), rel=1e-3)
    assert p.find_units(type("V", (), {"name": "isyn_exc"})) == "nA"
    assert signal(p).magnitude.min() < -65.5


def test_weights_can_be_set_between_runs() -> None:
    p = cells(1)
    link = sim.Projection(array([5.0, 55.0]), p, sim.AllToAllConnector(), static(0.1))
    p.record("v")
    sim.run(50.0)
    link.set(weight=0.4)
    link[0].weight = link[0].weight / 2
    assert link.get("weight", "list", with_address=False) == [0.2]
    sim.run(50.0)
    v = signal(p).magnitude[:, 0] + 65.0
    assert v[51:].max() == pytest.approx(2 * v[:51].max(), rel=0.1)


def test_what_is_on_its_way_survives_a_change_of_parameters() -> None:
    found = []
    for changes in (False, True):
        sim.setup(timestep=1.0)
        p, q = cells(1), cells(2, v_thresh=-50.0)
        sim.Projection(array([5.0]), p, sim.AllToAllConnector(), static(50.0))
        sim.Projection(p, q, sim.FromListConnector([(0, 0, 5.0, 20.0), (0, 1, 9.0, 12.0)]))
        q.record(["spikes", "v"])
        sim.run(15.0)
        if changes:
            q[1:2].set(v_thresh=-51.0)
        sim.run(35.0)
        found.append((spikes(q)[0], signal(q).magnitude[:, 0].tolist()))
    assert found[0] == found[1]
    assert max(found[0][1]) > -60.0


# --- recording ----------------------------------------------------------------------------------


def test_only_what_is_recorded_is_there() -> None:
    p = cells(4, i_offset=1.0)
    p[1:3].record("spikes")
    p[[0, 3]].record("v")
    sim.run(100.0)
    (segment,) = p.get_data().segments
    assert [train.annotations["source_index"] for train in segment.spiketrains] == [1, 2]
    assert segment.analogsignals[0].shape == (101, 2)
    assert p[2:4].get_data("spikes").segments[0].spiketrains[0].annotations["source_index"] == 2
    assert list(p.get_spike_counts().values()) == [3, 3]
    assert p.can_record("v") and not p.can_record("w")


def test_a_sampling_interval_leaves_samples_out() -> None:
    p, whole = cells(1, i_offset=0.5), cells(1, i_offset=0.5)
    p.record("v", sampling_interval=5.0)
    whole.record("v")
    sim.run(50.0)
    assert signal(p).sampling_period == 5.0
    np.testing.assert_array_equal(signal(p).magnitude, signal(whole).magnitude[::5])
    with pytest.raises(InvalidInput, match="multiple of the time step"):
        cells(1).record("v", sampling_interval=2.5)


def test_data_can_be_cleared_and_go_on() -> None:
    p = cells(1, i_offset=1.0)
    p.record(["spikes", "v"])
    sim.run(50.0)
    first = p.get_data(clear=True).segments[0]
    sim.run(50.0)
    (second,) = p.get_data().segments
    assert [t.tolist() for t in first.spiketrains[0].magnitude[:, None]] == [[28.0]]
    assert second.spiketrains[0].magnitude.tolist() == [58.0, 88.0]
    assert (second.analogsignals[0].shape, float(second.analogsignals[0].t_start)) == ((51, 1), 50)
    assert second.analogsignals[0].magnitude[0] == first.analogsignals[0].magnitude[-1]


def test_recording_can_begin_later_and_be_ended() -> None:
    p = cells(1, i_offset=1.0)
    p.record("spikes")
    sim.run(50.0)
    p.record("v")
    sim.run(50.0)
    v = signal(p).magnitude[:, 0]
    assert np.isnan(v[:50]).all()
    assert np.isfinite(v[50:]).all()
    p.record(None)
    sim.run(10.0)
    assert not p.get_data().segments[0].analogsignals


def test_data_are_there_after_the_end_and_in_files(tmp_path: Path) -> None:
    p = cells(2, i_offset=1.0)
    p.record("spikes", to_file=str(tmp_path / "at_end.pkl"))
    p.record("v")
    sim.run(100.0)
    sim.end()
    assert spikes(p) == [[28.0, 58.0, 88.0]] * 2
    p.annotate(colour="red")
    p.write_data(str(tmp_path / "all.pkl"), annotations={"day": 1})
    block = neo.io.PickleIO(str(tmp_path / "all.pkl")).read_block()
    assert block.annotations["colour"] == "red"
    assert block.annotations["simulator"] == "spiketwin"
    assert block.segments[0].analogsignals[0].shape == (101, 2)
    assert (tmp_path / "at_end.pkl").stat().st_size > 0
    assert isinstance(sim.get_io(str(tmp_path / "x.pkl")), neo.io.PickleIO)
    with pytest.raises(InvalidInput, match=r"setup\(\)"):
        sim.run(1.0)


def test_a_nix_file_holds_what_was_recorded(tmp_path: Path) -> None:
    p = cells(2, i_offset=1.0)
    p.record(["spikes", "v"])
    sim.run(100.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Neo and of nixio, about names and units
        p.write_data(str(tmp_path / "out.nix"))
        block = neo.io.NixIO(str(tmp_path / "out.nix"), "ro").read_block()
    assert [len(train) for train in block.segments[0].spiketrains] == [3, 3]


# --- time ---------------------------------------------------------------------------------------


def test_runs_add_up() -> None:
    found = []
    for parts in ([100.0], [1.0, 29.0, 70.0]):
        sim.setup(timestep=1.0)
        p = cells(3, i_offset=0.9)
        sim.Projection(p, p, sim.AllToAllConnector(), static(0.3, 5.0))
        p.initialize(v=lambda i: -65.0 + 2 * i)
        p.record(["spikes", "v"])
        for part in parts:
            sim.run(part)
        found.append((spikes(p), signal(p).magnitude.tolist()))
    assert found[0] == found[1]
    assert sum(map(len, found[0][0])) > 5


def test_parts_of_a_run_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for longest in (5000, 7):
        monkeypatch.setattr(session, "_LONGEST", longest)
        sim.setup(timestep=1.0)
        p = cells(3, i_offset=0.6)
        source = sim.Population(4, sim.SpikeSourcePoisson(rate=50.0))
        late = sim.RandomDistribution("uniform", (1.0, 40.0), rng=sim.NumpyRNG(seed=1))
        sim.Projection(source, p, sim.AllToAllConnector(), static(0.5, late))
        sim.Projection(p, p, sim.AllToAllConnector(), static(0.2, late))
        sim.ACSource(amplitude=0.2, frequency=30.0).inject_into(p[:1])
        p.record(["spikes", "v"])
        sim.run(150.0)
        found.append((spikes(p), signal(p).magnitude.tolist()))
    assert found[0] == found[1]
    assert sum(map(len, found[0][0])) > 5


def test_currents_have_initial_values() -> None:
    both = []
    for recorded in (["v"], ["v", "isyn_exc"]):  # the second with two currents
        sim.setup(timestep=1.0)
        p = cells(1)
        p.initialize(isyn_exc=0.5, isyn_inh=-0.2)
        p.record(recorded)
        sim.run(30.0)
        both.append(signal(p).magnitude)
    np.testing.assert_allclose(both[0], both[1], atol=1e-3)
    assert both[0].max() > -64.7
    assert signal(p, "isyn_exc").magnitude[0, 0] == pytest.approx(0.5, rel=1e-3)


def test_run_until_and_callbacks() -> None:
    called: list[float] = []

    def every_30(t: float) -> float:
        called.append(t)
        return t + 30.0

    cells(1)
    assert sim.run_until(100.0, callbacks=[every_30]) == 100.0
    assert called[:4] == [0.0, 30.0, 60.0, 90.0]
    with pytest.raises(ValueError, match="past"):
        sim.run_until(50.0)


def test_a_callback_can_change_the_network() -> None:
    p = cells(1)
    p.record("v")

    def drive(t: float) -> float:
        p.set(i_offset=0.01 * t)
        return t + 10.0

    sim.run(60.0, callbacks=[drive])
    v = signal(p).magnitude[:, 0]
    assert v[10] == -65.0
    assert (np.diff(v[12:]) > 0).all()


def test_reset_begins_a_segment_with_the_same_state() -> None:
    p = cells(2, i_offset=1.0)
    sim.Projection(p, p, sim.AllToAllConnector(), static(0.2, 3.0))
    p.initialize(v=[-60.0, -65.0])
    p.record(["spikes", "v"])
    sim.run(80.0)
    sim.reset(annotations={"part": 1})
    assert sim.get_current_time() == 0.0
    sim.run(80.0)
    sim.reset()
    p.set(i_offset=0.0)
    sim.run(40.0)
    data = p.get_data()
    assert [seg.annotations.get("part") for seg in data.segments] == [1, None, None]
    assert spikes(p, 0) == spikes(p, 1)
    assert spikes(p, 2) == [[], []]
    np.testing.assert_array_equal(
        data.segments[0].analogsignals[0].magnitude, data.segments[1].analogsignals[0].magnitude
    )


def test_a_change_of_rest_or_offset_leaves_the_potential_where_it_is() -> None:
    p = cells(1, i_offset=0.5)
    p.record("v")
    sim.run(100.0)
    p.set(v_rest=-60.0, i_offset=0.1)
    sim.run(1.0)
    p.set(i_offset=0.123456)
    sim.run(1.0)
    v = signal(p).magnitude[:, 0]
    first = -60.0 + (v[100] + 60.0) * np.exp(-1 / 20) + 2.0 * (1 - np.exp(-1 / 20))
    assert v[101] == pytest.approx(first, abs=1e-4)
    second = -60.0 + (v[101] + 60.0) * np.exp(-1 / 20) + 2.46912 * (1 - np.exp(-1 / 20))
    assert v[102] == pytest.approx(second, abs=1e-4)


def test_the_potential_can_be_set_between_runs() -> None:
    p = cells(2)
    p.record("v")
    sim.run(10.0)
    sim.initialize(p[:1], v=-55.0)
    sim.run(10.0)
    v = signal(p).magnitude
    assert v[11, 0] == pytest.approx(-65.0 + 10.0 * np.exp(-1 / 20), abs=1e-3)
    assert (v[:, 1] == -65.0).all()
    assert p.initial_values["v"][0] == -55.0


def test_the_queries_say_what_was_set_up() -> None:
    assert sim.setup(timestep=0.5, min_delay=1.0, max_delay=8.0) == 0 == sim.rank()
    assert (sim.get_time_step(), sim.get_min_delay(), sim.get_max_delay()) == (0.5, 1.0, 8.0)
    assert sim.num_processes() == 1
    sim.setup(timestep=0.5)
    assert sim.get_min_delay() == 0.5
    assert sim.Projection(cells(1), cells(1), sim.AllToAllConnector()).get("delay", "list") == [
        (0, 0, 0.5)
    ]
    assert "IF_curr_exp" in sim.list_standard_models()


# --- views, assemblies, space -------------------------------------------------------------------


def test_views_are_windows_on_their_population() -> None:
    p = cells(6)
    view = p[2:5]
    view.set(tau_m=10.0, v_thresh=[-50.0, -51.0, -52.0])
    assert p.get("tau_m").tolist() == [20.0, 20.0, 10.0, 10.0, 10.0, 20.0]
    assert view.get(["v_thresh", "tau_m"])[1] == 10.0
    nested = sim.PopulationView(view, np.array([True, False, True]), label="two")
    assert nested.index_in_grandparent([0, 1]).tolist() == [2, 4]
    assert (nested.grandparent, view.index_from_parent_index(3)) == (p, 1)
    nested.initialize(v=-55.0)
    assert nested.initial_values["v"].tolist() == [-55.0, -55.0]
    assert p.initial_values["v"].evaluate().tolist()[3] == -65.0
    assert view == p[2:5] and view != p[1:4]
    assert view.id_to_index(p[3]) == 1 and p.id_to_local_index(p[3]) == 3
    assert "two" in nested.describe() and len(p.sample(2, rng=sim.NumpyRNG(seed=1))) == 2
    assert [view.local_size, p.local_size, list(view.all()) == list(view)] == [3, 6, True]


def test_a_cell_has_attributes() -> None:
    p = cells(3)
    p[1].tau_m = 12.0
    p[1].set_parameters(cm=0.5)
    assert (p[1].tau_m, p[1].get_parameters()["cm"], p[0].cm) == (12.0, 0.5, 1.0)
    p[2].set_initial_value("v", -58.0)
    assert p[2].get_initial_value("v") == -58.0
    p[2].position = (1.0, 2.0, 3.0)
    assert p[2].position.tolist() == [1.0, 2.0, 3.0]
    assert p[0].is_standard_cell and p[0].local and p.is_local(p[0])
    assert p[0].celltype is p.celltype and p[1].as_view().size == 1
    p.record("v")
    sim.run(1.0)
    assert signal(p).magnitude[0, 2] == pytest.approx(-58.0, abs=1e-3)


def test_assemblies_connect_record_and_set() -> None:
    a, b, target = cells(2, i_offset=1.0), cells(3, i_offset=2.0), cells(2)
    both = sim.Assembly(a, b[:2], label="both")
    both += target[:1]
    link = sim.Projection(both, target, sim.AllToAllConnector(), static(0.3, 2.0))
    assert link.shape == (5, 2)
    both.record(["spikes", "v"])
    both.initialize(v=-64.0)
    both.set(tau_m=18.0)
    sim.run(60.0)
    data = both.get_data()
    assert len(data.segments[0].spiketrains) == 5
    assert both.mean_spike_count() == sum(both.get_spike_counts().values()) / 5
    assert both.get("tau_m") == 18.0
    assert both.get_population(a.label) in (a, b, target[:1])
    assert (both.size, len(both), both.first_id, both[0]) == (5, 5, a.first_id, a[0])
    assert both.last_id == target[0] and len(both.all_cells) == len(list(both.all())) == 5
    assert len(both[1:3].populations) == 2 and len(both.sample(3)) == 3
    assert both.id_to_index(b[0]) == 2 and not both.conductance_based
    assert set(both.receptor_types) == {"excitatory", "inhibitory"} and both.injectable
    assert both.positions.shape == (3, 5) and both.local_cells.size == 5
    assert both.position_generator(0).shape == (3,) and "both" in both.describe()
    for each in both.populations:
        each.annotate(layer=4)
    assert both.get_annotations("layer")["layer"] == 4
    assert both.find_units(type("V", (), {"name": "v"})) == {"mV"}


def test_an_assembly_has_its_receptors_in_the_order_of_its_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assembly = cells(2) + sim.Population(1, sim.IF_curr_delta())
    assert assembly.receptor_types == ["excitatory", "inhibitory"]
    for weight, receptor in ((1.0, "excitatory"), (-1.0, "inhibitory")):
        onto = sim.Projection(cells(1), assembly, sim.AllToAllConnector(), static(weight))
        assert onto.receptor_type == receptor
    # The order of a set of as many names as here is hardly ever that of their list.
    names = [f"receptor {number}" for number in range(9)]
    monkeypatch.setattr(sim.IF_curr_exp, "receptor_types", names)
    monkeypatch.setattr(sim.IF_curr_delta, "receptor_types", [*names[:0:-1], "other"])
    assert assembly.receptor_types == names[1:]


def test_positions_can_be_asked_for_and_saved(tmp_path: Path) -> None:
    p = sim.Population(4, sim.IF_curr_exp(), structure=sim.space.Grid2D(dx=3.0))
    assert p.nearest((3.2, 0.1, 0.0)) in list(p)
    assert p.position_generator(1).shape == (3,) and p.structure.dx == 3.0
    p.save_positions(str(tmp_path / "a.txt"))
    (p + cells(1)).save_positions(str(tmp_path / "b.txt"))
    assert len(np.loadtxt(tmp_path / "a.txt")) == 4 and len(np.loadtxt(tmp_path / "b.txt")) == 5
    assert p.conductance_based is False and p.receptor_types == ("excitatory", "inhibitory")
    assert p.injectable and len(p.local_cells) == 4


def test_projections_can_be_listed_described_and_saved(tmp_path: Path) -> None:
    p = cells(3)
    link = sim.Projection(p, p, sim.AllToAllConnector(), static(0.5, 2.0), label="link")
    assert link.size(gather=True) == len(link) == len(link.connections) == 9
    assert link[0].as_tuple("weight", "delay") == (0.5, 2.0)
    assert [each.weight for each in link] == [0.5] * 9
    link.set(weight=np.arange(9.0).reshape(3, 3), delay=3.0)
    assert link.get("weight", "array")[1, 2] == 5.0
    link.save("weight", str(tmp_path / "w.txt"), format="array")
    link.annotate(kind="test")
    assert "link" in link.describe()
    with pytest.raises(InvalidNetwork, match="no variable"):
        link.initialize(u=0.1)
    with pytest.raises(AttributeError, match="has no|have no"):
        _ = link[0].tau
    whole = sim.Network(p, link)
    assert whole.count_neurons() == 3 and whole.sim is sim


def test_old_names_still_work(tmp_path: Path) -> None:
    p = sim.create(sim.IF_curr_exp(i_offset=1.0), n=2)
    link = sim.connect(array([1.0]), p, weight=0.2, delay=2.0)
    p.tset("tau_m", [10.0, 20.0])
    p.rset("v_thresh", sim.RandomDistribution("uniform", (-51, -50), rng=sim.NumpyRNG(seed=1)))
    sim.set(p, tau_refrac=2.0)
    p.record_v(), p.record("spikes")
    link.setWeights(0.3), link.setDelays(3.0)
    with pytest.raises(sim.errors.NonExistentParameterError):
        link.setSynapseDynamics("weight", 0.1)  # PyNN hands on another name
    uniform = sim.RandomDistribution("uniform", (1.0, 2.0), rng=sim.NumpyRNG(seed=1))
    link.randomizeWeights(uniform), link.randomizeDelays(uniform)
    assert len(link.getWeights()) == len(link.getDelays()) == 2
    assert link.getSynapseDynamics("delay")
    sim.run(50.0)
    both = sim.Assembly(p)
    for each in (p, both):
        assert len(each.getSpikes().segments[0].spiketrains) == 2
        assert each.get_v().segments[0].analogsignals
        assert not each.get_gsyn().segments[0].analogsignals
    assert p.meanSpikeCount() > 0
    p.printSpikes(str(tmp_path / "s.pkl")), p.print_v(str(tmp_path / "v.pkl"))
    p.print_gsyn(str(tmp_path / "g.pkl"))
    link.printWeights(str(tmp_path / "w")), link.printDelays(str(tmp_path / "d"))
    link.saveConnections(str(tmp_path / "c"))
    assert link.weightHistogram(nbins=3)[0].sum() == 2
    sim.record(["v"], p, str(tmp_path / "r.pkl"))
    sim.record_v(p, str(tmp_path / "rv.pkl"))
    with pytest.raises(sim.errors.RecordingError):
        sim.record_gsyn(p, str(tmp_path / "rg.pkl"))
    with pytest.raises(sim.errors.RecordingError):
        p.record_gsyn()
    with pytest.raises(sim.errors.NonExistentParameterError):
        link.randomizeSynapseDynamics("U", uniform)


# --- what is refused ----------------------------------------------------------------------------

REFUSED_CELLS = [
    sim.IF_cond_exp, sim.IF_cond_alpha, sim.IF_cond_exp_gsfa_grr, sim.IF_facets_hardware1,
    sim.HH_cond_exp, sim.EIF_cond_alpha_isfa_ista, sim.EIF_cond_exp_isfa_ista, sim.Izhikevich,
    sim.GIF_cond_exp, sim.SpikeSourcePoissonRefractory, sim.SpikeSourceGamma,
    sim.SpikeSourceInhGamma,
]  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED_CELLS, ids=lambda kind: str(kind.__name__))
def test_other_cells_can_be_made_and_are_refused_when_run(kind: Any) -> None:
    p = sim.Population(2, kind(), label="others")
    p.record("spikes")
    with pytest.raises(InvalidNetwork, match=f"others: {kind.__name__}.*(instead|SpikeSource)"):
        sim.run(10.0)


@pytest.mark.parametrize(
    ("neuron", "receptor"),
    [
        (sim.LIF, sim.CurrExpPostSynapticResponse), (sim.AdExp, sim.CondExpPostSynapticResponse),
        (sim.LIF, sim.CondAlphaPostSynapticResponse), (sim.LIF, sim.CondBetaPostSynapticResponse),
    ],
)  # fmt: skip
def test_cells_of_parts_can_be_made_and_are_refused_when_run(neuron: Any, receptor: Any) -> None:
    kind = sim.PointNeuron(neuron(), excitatory=receptor(), inhibitory=receptor())
    p = sim.Population(2, kind, label="parts")
    p.record("spikes")
    sim.Projection(p, p, sim.AllToAllConnector(), static(0.1), receptor_type="excitatory")
    with pytest.raises(InvalidNetwork, match="parts: PointNeuron.*IF_curr_exp is a LIF"):
        sim.run(10.0)


REFUSED_SYNAPSES = [
    sim.TsodyksMarkramSynapse, sim.SimpleStochasticSynapse, sim.StochasticTsodyksMarkramSynapse,
    sim.MultiQuantalSynapse,
]  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED_SYNAPSES, ids=lambda kind: str(kind.__name__))
def test_other_synapses_can_be_made_and_are_refused_when_run(kind: Any) -> None:
    link = sim.Projection(cells(2), cells(2), sim.AllToAllConnector(), kind(weight=0.1))
    assert len(link) == 4
    with pytest.raises(InvalidNetwork, match=f"{kind.__name__}.*StaticSynapse"):
        sim.run(10.0)


def stdp(weight: Any = 0.0, delay: Any = 1.0, timing: Any = None, **others: Any) -> Any:
    others.setdefault("weight_dependence", sim.AdditiveWeightDependence(w_min=0.0, w_max=1.0))
    others.setdefault("dendritic_delay_fraction", 0.0)
    rule = sim.SpikePairRule() if timing is None else timing
    return sim.STDPMechanism(timing_dependence=rule, weight=weight, delay=delay, **others)


@pytest.mark.parametrize(
    ("synapse", "named"),
    [
        (lambda: stdp(weight_dependence=sim.MultiplicativeWeightDependence()), "Additive"),
        (
            lambda: stdp(weight_dependence=sim.AdditivePotentiationMultiplicativeDepression()),
            "Additive",
        ),
        (lambda: stdp(weight_dependence=sim.GutigWeightDependence()), "Additive"),
        (lambda: stdp(timing=sim.Vogels2011Rule()), "SpikePairRule"),
        (lambda: stdp(dendritic_delay_fraction=1.0), "dendritic_delay_fraction=0"),
    ],
)
def test_other_learning_is_refused_with_what_would_do(synapse: Any, named: str) -> None:
    sim.Projection(cells(1), cells(1), sim.AllToAllConnector(), synapse())
    with pytest.raises(InvalidNetwork, match=named):
        sim.run(10.0)


def test_gap_junctions_alpha_synapses_and_wrong_signs_are_refused() -> None:
    assert sim.ElectricalSynapse(weight=0.1)
    alpha = sim.Population(1, sim.IF_curr_alpha())
    sim.Projection(array([1.0]), alpha, sim.AllToAllConnector(), static(0.1))
    with pytest.raises(InvalidNetwork, match="IF_curr_exp would do"):
        sim.run(10.0)
    sim.setup(timestep=1.0)
    p = cells(1, tau_syn_I=9.0)
    connector = sim.AllToAllConnector(safe=False)
    sim.Projection(array([1.0]), p, connector, static(0.1), receptor_type="inhibitory")
    with pytest.raises(InvalidNetwork, match="sign"):
        sim.run(10.0)


def test_a_network_does_not_grow_after_its_first_run() -> None:
    cells(1)
    sim.run(5.0)
    p = cells(1)
    p.record("v")
    with pytest.raises(InvalidNetwork, match=r"reset\(\)"):
        sim.run(5.0)
    sim.reset()
    sim.run(5.0)
    assert signal(p).shape == (6, 1)


def test_more_time_constants_than_a_core_has_are_refused() -> None:
    cells(9, tau_m=np.arange(10.0, 19.0))
    with pytest.raises(InvalidNetwork, match="9 different sets"):
        sim.run(5.0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"timestep": 0.0}, "timestep"),
        ({"min_delay": 0.5}, "ascend"),
        ({"v_width": 30}, "v_width"),
        ({"weight_width": True}, "weight_width"),
        ({"rng_seed": -1}, "rng_seed"),
        ({"target": 3}, "target"),
        ({"spike_precision": "off_grid"}, "spike_precision"),
        ({"thread": 3}, "thread"),
    ],
)
def test_a_wrong_set_up_is_refused_by_name(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        sim.setup(**({"timestep": 1.0} | arguments))


def test_wrong_parameters_are_refused_by_name() -> None:
    p = cells(1)
    for name, value, wrong in (
        ("tau_m", 0.0, "tau_m of cells"), ("cm", -1.0, "cm of cells"),
        ("v_rest", np.nan, "v_rest of cells"),
    ):  # fmt: skip
        before = p.get(name)
        with pytest.raises(sim.errors.InvalidParameterValueError, match=wrong):
            p.set(**{name: value})
        p.set(**{name: lambda i, value=value: value})  # by a function, which is only evaluated here
        with pytest.raises(InvalidNetwork, match=wrong):
            sim.run(5.0)
        p.set(**{name: before})
    source = array([2.0])
    with pytest.raises(InvalidInput, match="spike_times of in must be a finite number, 0 or more"):
        source.set(spike_times=sim.Sequence([-1.0]))


def test_after_a_run_that_was_broken_off_only_a_reset_helps() -> None:
    p = cells(1, i_offset=1.0)
    p.record("spikes")
    sim.run(20.0)
    begun = simulator.state.session
    assert begun is not None
    engine, run = begun.engines[0], begun.engines[0].run

    def broken(part: Any) -> Any:
        raise KeyboardInterrupt

    engine.run = broken  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        sim.run(20.0)
    engine.run = run  # type: ignore[method-assign]
    with pytest.raises(InvalidInput, match=r"broken off.*reset\(\)"):
        sim.run(20.0)
    sim.reset()
    sim.run(40.0)
    assert spikes(p) == [[28.0]]


@pytest.mark.parametrize(
    ("weight", "delay", "named"),
    [(np.nan, 1.0, "weight of "), (np.inf, 1.0, "weight"), (0.1, -3.0, "delay of link"),
     (0.1, np.nan, "delay")],
)  # fmt: skip
def test_synapses_with_wrong_numbers_are_refused(weight: float, delay: float, named: str) -> None:
    p = cells(2)
    connector = sim.AllToAllConnector(safe=False)
    how: dict[str, Any] = {"receptor_type": "excitatory", "label": "link"}
    with pytest.raises(InvalidInput, match=named):
        sim.Projection(p, p, connector, static(weight, delay), **how)
    link = sim.Projection(p, p, connector, static(0.1), **how)
    with pytest.raises(InvalidInput, match=named):
        link.set(weight=weight, delay=delay)
    assert set(link.get(["weight", "delay"], "list", with_address=False)) == {(0.1, 1.0)}
    sim.run(5.0)  # neither of them is left


def test_a_delay_that_no_core_has_is_refused_when_it_is_run() -> None:
    p = cells(2)
    sim.Projection(p, p, sim.AllToAllConnector(), static(0.1, 1e4))
    with pytest.raises(InvalidNetwork, match="delays between neurons"):
        sim.run(5.0)


@pytest.mark.parametrize("delay", [0.9, 5.1])
def test_delays_are_within_those_of_the_set_up(delay: float) -> None:
    sim.setup(timestep=0.1, min_delay=1.0, max_delay=5.0)
    p, how = cells(1), r"must be in 1…5 ms, the min_delay and max_delay of setup, not "
    with pytest.raises(sim.errors.ConnectionError, match=how + str(delay)) as raised:
        sim.Projection(p, p, sim.AllToAllConnector(), static(0.1, delay))
    assert isinstance(raised.value, InvalidInput)
    ends = [sim.Projection(p, p, sim.AllToAllConnector(), static(0.1, 0.1 * k)) for k in (10, 50)]
    with pytest.raises(InvalidInput, match=how):
        ends[0].set(delay=delay)
    with pytest.raises(InvalidInput, match=how):
        ends[0][0].delay = delay
    sim.setup(timestep=0.1)  # "auto" is any
    p = cells(1)
    assert len(sim.Projection(p, p, sim.AllToAllConnector(), static(0.1, delay))) == 1
    assert len(sim.Projection(p, p, sim.AllToAllConnector(), static(0.1, 0.04))) == 1


@pytest.mark.parametrize("time", [np.nan, np.inf, 1e12])
def test_a_run_without_an_end_is_refused(time: float) -> None:
    cells(1)
    with pytest.raises(InvalidInput, match="the end of a run"):
        sim.run(time)


# --- what is off the grid, too late or too much -------------------------------------------------


def crowd(when: float, sources: int = 10, each: int = 60) -> Any:
    return array(*[[when + k / 100 for k in range(each)]] * sources)


@pytest.mark.parametrize("target", ["model:", "float:"])
def test_a_core_has_room_for_all_spikes_of_a_tick_that_a_script_gives(target: str) -> None:
    sim.setup(timestep=1.0, target=target)
    source, p = crowd(3.01), cells(1)
    sim.Projection(source, p, sim.AllToAllConnector(), static(0.001))
    sim.Projection(array([]), p, sim.AllToAllConnector(), static(0.5))  # weights are finer no more
    p.record("v")
    depths = []
    for end, times in ((3.0, None), (10.0, None), (20.0, [12.01 + k / 1000 for k in range(120)])):
        if times:
            source.set(spike_times=sim.Sequence(times))
        sim.run_until(end)  # the core becomes a larger one on its way
        engine = simulator.state.session.engines[0]  # type: ignore[union-attr]
        depths.append(engine.params.event_queue_depth if engine.params else 0)
    assert depths == ([512, 1024, 2048] if target == "model:" else [0, 0, 0])

    def above(na: float, ms: float) -> float:
        return na * 20.0 / 3.0 * float(np.exp(-ms / 20.0) - np.exp(-ms / 5.0))

    expected = [0.0, above(0.6, 5.0), above(0.6, 15.0) + above(1.2, 6.0)]
    assert signal(p).magnitude[[5, 10, 20], 0] + 65.0 == pytest.approx(expected, rel=0.01)


def test_more_spikes_than_a_core_of_fixed_sizes_takes_are_found_before_it_runs() -> None:
    sim.setup(timestep=1.0, params="pynn")
    source, p = crowd(6000.01, 11, 100), cells(1)
    sim.Projection(source, p, sim.AllToAllConnector(), static(0.001))
    p.record("v")
    named = r"1100 spikes of sources .* model: holds 1024: .*event_queue_depth=2048"
    sim.run(5.0)
    with pytest.raises(DoesNotFit, match=named):
        sim.run(6500.0)
    assert sim.get_current_time() == 5.0
    source.set(spike_times=sim.Sequence([7.0]))
    sim.run(5.0)
    assert len(signal(p)) == 11 and float(signal(p)[-1, 0]) > -65.0


def test_a_run_ends_at_the_first_tick_that_is_not_before_its_end() -> None:
    cells(1)
    assert [sim.run(0.4), sim.run(0.4), sim.run_until(4.5)] == [1.0, 2.0, 5.0]
    notes = [note for note in sim.report().notes if "4.5 ms went on until 5 ms" in note]
    assert len(notes) == 1
    sim.reset()
    sim.run(4.0)
    assert sim.report().notes == []


@pytest.mark.parametrize(("until", "every", "end"), [(4.4, 1.0, 5.0), (4.0, 0.4, 4.0)])
def test_callbacks_between_ticks_do_not_keep_a_run_from_its_end(
    until: float, every: float, end: float
) -> None:
    cells(1)
    called: list[float] = []

    def callback(t: float) -> float:
        called.append(t)
        assert len(called) < 20, "the run does not go on"
        return t + every

    assert sim.run(until, callbacks=[callback]) == end
    assert called[0] == 0.0 and called[-1] == end


def test_given_spikes_that_come_too_late_are_in_the_report() -> None:
    source, other = array([1.0, 5.0], [2.0]), array([3.0])
    source.record("spikes")
    sim.run(20.0)
    source.set(spike_times=[sim.Sequence([1.0, 5.0, 21.0]), sim.Sequence([2.0])])
    other.set(spike_times=sim.Sequence([30.0]))
    sim.run(5.0)
    assert sim.report().notes == []
    source[1:].set(spike_times=[sim.Sequence([2.0, 10.0, 25.0, 26.0])])
    source[0:1].set(spike_times=[sim.Sequence([27.0])])
    sim.run(5.0)
    assert spikes(source) == [[1.0, 5.0, 21.0, 27.0], [2.0, 26.0]]
    (note,) = sim.report().notes
    assert "spike_times of in were set at 25 ms, and 2 of them" in note and "10 ms" in note


def test_a_current_on_its_way_survives_when_both_kinds_decay_alike() -> None:
    sim.setup(timestep=1.0, target=["model:", "float:"])
    p, source = cells(1, tau_syn_I=50.0), array([1.0])
    sim.Projection(source, p, sim.OneToOneConnector(), static(-5.0), receptor_type="inhibitory")
    p.record("v")
    sim.run(4.0)
    p.set(tau_syn_I=5.0)
    sim.run(6.0)
    # In closed form: tick by tick, the current of before goes on with the time constant of now.
    v, current, step = 0.0, 0.0, {}
    for tau in (50.0, 5.0):
        step[tau] = 20 * tau / (20 - tau) * (np.exp(-1 / 20) - np.exp(-1 / tau))
    for tick in range(10):
        tau = 50.0 if tick < 4 else 5.0
        current += -5.0 if tick == 2 else 0.0
        v = v * np.exp(-1 / 20) + step[tau] * current
        current *= np.exp(-1 / tau)
    assert signal(p)[-1, 0].item() == pytest.approx(-65.0 + v, abs=0.01)


@pytest.mark.parametrize(("before", "after"), [(10.0, 1.0), (1.0, 10.0)])
def test_delays_of_sources_do_not_change_while_their_spikes_are_on_their_way(
    before: float, after: float
) -> None:
    p, source = sim.Population(1, sim.IF_curr_delta(tau_refrac=0.0)), array([1.0, 18.0, 50.0])
    link = sim.Projection(source, p, sim.OneToOneConnector(), static(30.0, before))
    p.record("spikes")
    sim.run(20.0)
    link.set(delay=after)
    with pytest.raises(InvalidNetwork, match="spikes are on their way with delays"):
        sim.run(20.0)
    link.set(delay=before)
    sim.run(20.0)
    link.set(delay=after)
    sim.run(30.0)
    assert spikes(p) == [[1.0 + before, 18.0 + before, 50.0 + after]]


def test_cells_of_a_simulation_of_before_are_refused_and_its_currents_go_on() -> None:
    old, current = cells(1), sim.DCSource(amplitude=5.0)
    sim.setup(timestep=1.0)
    p = cells(1)
    for pre, post in ((old, p), (p, old[:1]), (p, p + old)):
        with pytest.raises(InvalidInput, match="cells is of a simulation of before|with size 1"):
            sim.Projection(pre, post, sim.AllToAllConnector(), static(1.0))
    current.inject_into(p)
    p.record("spikes")
    sim.run(20.0)
    assert len(spikes(p)[0]) > 1


def test_two_currents_that_come_late_are_in_the_report() -> None:
    p, source = cells(1), array([1.0])
    sim.Projection(source, p, sim.OneToOneConnector(), static(-5.0), receptor_type="inhibitory")
    sim.run(4.0)
    p.set(tau_syn_I=50.0)
    sim.run(1.0)
    (note,) = sim.report().notes
    assert "From 4 ms on there are two currents" in note


def test_values_that_no_core_holds_are_refused_in_the_words_of_the_script() -> None:
    for name, value, named in (
        ("tau_refrac", 1e6, r"tau_refrac of cells must be in 0…65535 ms"),
        ("i_offset", 1e9, r"current of cells\[0\].*must be in ±.*nA.*not 1e\+09 nA"),
    ):
        sim.setup(timestep=1.0)
        cells(2, **{name: value})
        with pytest.raises(InvalidNetwork, match=named):
            sim.run(5.0)
    sim.setup(timestep=1.0)
    p, q = cells(1), cells(2)
    sim.DCSource(amplitude=1e9, start=2.0).inject_into(q[1:])
    with pytest.raises(InvalidNetwork, match=r"current of cells\[1\].*not 1e\+09 nA"):
        sim.run(5.0)
    sim.setup(timestep=1.0)
    p = cells(1)
    sim.run(5.0)
    p.initialize(v=-1e6)
    with pytest.raises(InvalidInput, match=r"v of cells\[0\] can be set to -.*not to"):
        sim.run(5.0)


@pytest.mark.parametrize("size", [0, -1])
def test_a_population_without_cells_is_refused_and_forgotten(size: int) -> None:
    with pytest.raises(InvalidInput, match="cells must have a cell at least, .*, not"):
        cells(size)
    p = cells(1)
    sim.run(2.0)
    assert simulator.state.populations == [p]


def test_a_projection_onto_sources_is_refused_by_name() -> None:
    p, source = cells(1), array([1.0])
    with pytest.raises(InvalidNetwork, match="in has no cells with synapses.*end at neurons"):
        sim.Projection(p, source, sim.AllToAllConnector(), static(1.0))


# --- all of it ----------------------------------------------------------------------------------

OURS = {"current", "value", "initial", "parameter", "is_source", "held", "learned", "learns",
        "put", "restore_weights", "note_change"}  # fmt: skip


def test_every_public_call_is_used_in_these_scripts() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_pynn_*.py"))
    text = text.split("# --- all of it")[0] + text.split("# --- all of it")[-1]
    classes = (sim.Population, sim.PopulationView, sim.Assembly, sim.Projection, IDMixin)
    calls = {name for kind in classes for name in dir(kind) if not name.startswith("_")}
    calls = {name for name in calls if not name.isupper()} - OURS
    names = calls | set(sim.__all__)
    assert len(names) > 150
    unused = {name for name in names if not re.search(rf"\b{name}\b", text)}
    assert not unused, sorted(unused)
