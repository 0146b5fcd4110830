"""The report of a PyNN script, several targets side by side, and synapses that learn."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spiketwin.host.pynn as sim
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork, TargetError
from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.on_core import OnCore


def network(seed: int = 1, size: int = 24) -> Any:
    """Poisson sources to cells, and cells among themselves, with delays."""
    rng = sim.NumpyRNG(seed=seed)
    sources = sim.Population(30, sim.SpikeSourcePoisson(rate=40.0), label="noise")
    p = sim.Population(size, sim.IF_curr_exp(tau_refrac=2.0, cm=0.5, tau_syn_I=8.0), label="cells")
    half = sim.FixedProbabilityConnector(0.5, rng=rng)
    weights = sim.RandomDistribution("uniform", (0.05, 0.6), rng=rng)
    sim.Projection(sources, p, half, sim.StaticSynapse(weight=weights, delay=2.0), label="in")
    few = sim.FixedProbabilityConnector(0.2, rng=rng)
    inhibits = sim.StaticSynapse(weight=-0.1, delay=3.0)
    sim.Projection(p, p, few, inhibits, receptor_type="inhibitory", label="among")
    p.record("spikes")
    return p


def trains(population: Any) -> list[list[float]]:
    return [t.magnitude.tolist() for t in population.get_data("spikes").segments[-1].spiketrains]


def ran(time: float = 500.0, **options: Any) -> tuple[list[list[float]], sim.Report]:
    sim.setup(timestep=1.0, **options)
    p = network()
    sim.run(time)
    found, report = trains(p), sim.report()
    sim.end()
    return found, report


# --- the report ---------------------------------------------------------------------------------


def test_before_a_run_there_is_no_report() -> None:
    sim.setup(timestep=1.0)
    with pytest.raises(InvalidInput, match="call run"):
        sim.report()


def test_a_report_says_what_was_rounded_and_by_how_much() -> None:
    _, report = ran()
    assert isinstance(report, sim.Report)
    assert (report.time, report.timestep) == (500.0, 1.0)
    (scale,) = report.scales
    assert scale.population == "cells"
    rounded = {(each.what, each.where): each for each in report.roundings}
    weights = rounded["weight", "in"]
    # Rounding to nearest is off by half a unit at most, and here hardly by less.
    assert weights.numbers == weights.rounded
    assert 0.4 / scale.weight_units[0] < weights.worst <= 0.5 / scale.weight_units[0]
    assert weights.unit == "nA"
    assert rounded["v_thresh", "cells"].worst == 0.0
    assert 0.0 < rounded["tau_m", "cells"].worst < 20.0 / 2**16
    assert rounded["delay", "in"].rounded == 0
    (target,) = report.targets
    assert target.core is not None
    assert "weight_width=16" in target.core
    assert target.saturated is not None
    assert (target.saturated.v, target.saturated.i_syn) == (0, 0)
    assert target.ledger is not None
    assert target.ledger.wall_seconds > 0


def test_a_report_is_text_and_values() -> None:
    found, report = ran()
    text, values = str(report), json.loads(json.dumps(report.as_json()))
    assert f"{sum(map(len, found))} spikes" in text
    assert "weight of in" in text
    assert "saturated: nothing" in text
    assert values["targets"][0]["target"] == "model:"
    assert values["roundings"][0].keys() >= {"what", "where", "unit", "worst", "rms", "lost"}


def test_narrow_cores_round_more_and_say_so() -> None:
    _, wide = ran()
    _, narrow = ran(weight_width=6, v_width=12)
    worst = [
        next(each for each in report.roundings if (each.what, each.where) == ("weight", "in")).worst
        for report in (wide, narrow)
    ]
    assert worst[1] > 500 * worst[0]


def test_times_and_delays_off_the_grid_are_in_the_report() -> None:
    sim.setup(timestep=1.0)
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[1.0, 2.25, 7.5]), label="given")
    p = sim.Population(1, sim.IF_curr_exp(tau_refrac=0.1), label="cells")
    sim.Projection(source, p, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.1, delay=2.4))
    sim.run(20.0)
    rounded = {each.what: each for each in sim.report().roundings}
    sim.end()
    assert (rounded["spike_times"].rounded, rounded["spike_times"].worst) == (2, 0.75)
    assert rounded["delay"].worst == pytest.approx(0.4)
    assert (rounded["tau_refrac"].worst, rounded["tau_refrac"].lost) == (0.1, 1)


def test_currents_that_change_between_ticks_are_noted() -> None:
    sim.setup(timestep=1.0)
    cells = sim.Population(1, sim.IF_curr_exp())
    cells.record("v")
    for source in (
        sim.DCSource(amplitude=9.0, start=3.0, stop=7.0),
        sim.DCSource(amplitude=9.0, start=10.3, stop=10.7),
        sim.StepCurrentSource(times=[2.0, 20.5], amplitudes=[0.0, 0.1]),
    ):
        cells.inject(source)
    sim.run(15.0)
    assert cells.get_data().segments[0].analogsignals[0].magnitude.max() > -65.0
    notes = sim.report().notes
    assert [
        note for note in notes if "DCSource changes between two ticks, such as at 10.3 ms" in note
    ]
    assert [
        note
        for note in notes
        if "StepCurrentSource changes between two ticks, such as at 20.5" in note
    ]
    assert len(notes) == 2


def test_what_saturates_is_counted() -> None:
    sim.setup(timestep=1.0)
    p = sim.Population(1, sim.IF_curr_exp(tau_syn_E=200.0))
    sources = sim.Population(100, sim.SpikeSourceArray(spike_times=np.arange(100.0)))
    sim.Projection(sources, p, sim.AllToAllConnector(), sim.StaticSynapse(weight=1.0))
    sim.run(100.0)
    (target,) = sim.report().targets
    sim.end()
    assert target.saturated is not None
    assert target.saturated.i_syn > 50
    assert "saturated: i_syn" in str(sim.report())


# --- several targets ----------------------------------------------------------------------------


def test_several_targets_are_compared() -> None:
    found, report = ran(target=["model:", "float:", "model:"])
    alone, _ = ran(target="model:")
    assert found == alone
    ideal, again = report.differences
    assert (ideal.target, ideal.reference, again.target) == ("float:", "model:", "model:")
    assert ideal.same_tick_share > 0.98
    assert again.first_difference is None
    assert (again.same_tick_share, again.isi_distortion_most, again.disordered) == (1.0, 0.0, 0)
    assert report.targets[1].core is None
    assert report.targets[1].saturated is None


def test_the_first_difference_is_named_with_time_cell_and_target() -> None:
    found, report = ran(target=("float:", "model:"), weight_width=6, v_width=12)
    narrow, _ = ran(target="model:", weight_width=6, v_width=12)
    (difference,) = report.differences
    first = difference.first_difference
    assert first is not None
    events = [{(t, k) for k, train in enumerate(each) for t in train} for each in (found, narrow)]
    earliest = min(events[0] ^ events[1])
    assert (first.time, first.index, first.population) == (*earliest, "cells")
    assert first.fired_on == ("float:" if earliest in events[0] else "model:")
    assert difference.isi_distortion_mean is not None
    assert difference.isi_distortion_mean > 0
    assert difference.disordered > 0
    assert f"first difference at {first.time:g} ms" in str(report)


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_rtl_is_the_model_spike_for_spike() -> None:
    sim.setup(timestep=1.0, target=["model:", "rtl:?level=core"])
    p = network(size=8)
    p.record("v")
    sim.DCSource(amplitude=0.3, start=20.0, stop=60.0).inject_into(p[:4])
    sim.run(100.0)
    p.set(tau_m=15.0)
    sim.run(100.0)
    (difference,) = sim.report().differences
    assert difference.first_difference is None
    assert difference.spikes == difference.reference_spikes > 20
    sim.end()


def test_a_device_that_is_too_small_says_what_it_lacks() -> None:
    sim.setup(timestep=1.0, target="model:", params="tiny")
    network()
    with pytest.raises(DoesNotFit):
        sim.run(10.0)
    sim.setup(timestep=1.0, target="nothing:")
    network()
    with pytest.raises(TargetError):
        sim.run(10.0)


def test_the_reference_size_pynn_carries_a_network() -> None:
    found, report = ran(params="pynn")
    assert report.targets[0].core is not None
    assert "n_projections=64" in report.targets[0].core
    assert sum(map(len, found)) > 50


def test_a_run_of_a_tick_takes_little_more_than_that_of_the_core() -> None:
    sim.setup(timestep=1.0)
    p = sim.Population(83, sim.IF_curr_exp(i_offset=0.5))
    p.record("v")
    sim.run(1.0)
    session = simulator.state.session
    assert session is not None
    engine = session.engines[0]
    assert isinstance(engine, OnCore)
    seconds = np.empty((100, 3))
    for row in seconds:
        row[0] = time.perf_counter()
        sim.run(1.0)
        row[1] = time.perf_counter()
        engine.core.run([], 1)
        row[2] = time.perf_counter()
    sim.end()
    whole, core = np.median(np.diff(seconds), axis=0)
    ratio = whole / core
    print(f"sim.run(1) takes {ratio:.1f} times as long as core.run of one tick")
    assert ratio < 10


@pytest.mark.parametrize(
    ("params", "share"),
    [("pynn", 0.995), ("pynn,decay_shift=0", 0.9), ("pynn,weight_width=8,v_width=16", 0.7)],
)
def test_a_core_of_fixed_sizes_decides_for_all(params: str, share: float) -> None:
    """It comes first, whatever its place in the list, and the others get its sizes."""
    _, report = ran(target=["float:", "model:", f"model:?params={params}"], time=300.0)
    ideal, fixed = report.differences
    assert (ideal.reference, ideal.target) == ("float:", "model:")
    assert report.targets[1].core == report.targets[2].core
    assert ideal.same_tick_share == fixed.same_tick_share >= share
    taus = next(each for each in report.roundings if each.what == "tau_m")
    assert (taus.worst > 1e-3) == ("decay_shift=0" in params)


# --- synapses that learn ------------------------------------------------------------------------


def learning(
    weight: Any = 0.5, delay: float = 1.0, w_max: float = 1.0, **window: float
) -> sim.STDPMechanism:
    return sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(**window),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=w_max),
        dendritic_delay_fraction=0.0,
        weight=weight,
        delay=delay,
    )


@pytest.mark.parametrize("target", ["model:", "float:"])
@pytest.mark.parametrize("delay", [1.0, 5.0])
@pytest.mark.parametrize("apart", [-30, -8, -1, 1, 7, 30])
def test_a_pair_changes_a_weight_as_the_window_says(apart: int, delay: float, target: str) -> None:
    """The source's spike arrives `apart` ms before the neuron fires."""
    sim.setup(timestep=1.0, target=target)
    fires = 61.0  # by a spike of 59 ms that drives it, arriving at 60
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[fires - apart - delay]))
    driver = sim.Population(1, sim.SpikeSourceArray(spike_times=[59.0]))
    p = sim.Population(1, sim.IF_curr_exp(tau_refrac=500.0, v_thresh=-64.0))
    window = {"A_plus": 0.02, "A_minus": 0.03, "tau_plus": 20.0, "tau_minus": 30.0}
    link = sim.Projection(source, p, sim.AllToAllConnector(), learning(0.1, delay, **window))
    sim.Projection(driver, p, sim.AllToAllConnector(), sim.StaticSynapse(weight=1.3, delay=1.0))
    p.record("spikes")
    sim.run(150.0)
    changed = link.get("weight", "list", with_address=False)[0] - 0.1
    assert trains(p) == [[fires]]
    sim.end()
    if apart > 0:
        assert changed == pytest.approx(0.02 * np.exp(-apart / 20.0), rel=0.02)
    else:
        assert changed == pytest.approx(-0.03 * np.exp(apart / 30.0), rel=0.02)


def random_learning(target: Any) -> Any:
    sim.setup(timestep=1.0, target=target)
    sources = sim.Population(20, sim.SpikeSourcePoisson(rate=20.0))
    p = sim.Population(8, sim.IF_curr_exp(tau_refrac=2.0, cm=0.5))
    window = {"A_plus": 0.01, "A_minus": 0.012}
    weights = sim.RandomDistribution("uniform", (0.2, 0.6), rng=sim.NumpyRNG(seed=3))
    links = [
        sim.Projection(sources, p, sim.AllToAllConnector(), learning(weights, 2.0, **window)),
        sim.Projection(
            p, p, sim.AllToAllConnector(allow_self_connections=False),
            learning(0.1, 4.0, w_max=0.2, **window),
        ),
    ]  # fmt: skip
    p.record("spikes")
    return p, links


def test_learned_weights_are_those_of_the_ideal_network() -> None:
    """Teachers make the cells fire, so that all see the same spikes in the long run."""
    sim.setup(timestep=1.0, target=["model:", "float:"])
    sources = sim.Population(20, sim.SpikeSourcePoisson(rate=20.0))
    teachers = sim.Population(8, sim.SpikeSourcePoisson(rate=10.0))
    p = sim.Population(8, sim.IF_curr_exp(tau_refrac=20.0, v_thresh=-64.0))
    synapse = sim.StaticSynapse(weight=1.3)
    sim.Projection(teachers, p, sim.OneToOneConnector(), synapse)
    window = {"A_plus": 0.02, "A_minus": 0.022}
    into = learning(0.005, 3.0, w_max=0.02, **window)
    among = learning(0.005, 4.0, w_max=0.02, **window)
    links = [
        sim.Projection(sources, p, sim.AllToAllConnector(), into),
        sim.Projection(p, p, sim.AllToAllConnector(allow_self_connections=False), among),
    ]
    sim.run(1000.0)
    (difference,) = sim.report().differences
    assert (difference.same_tick_share, difference.spikes > 50) == (1.0, True)
    session = simulator.state.session
    assert session is not None
    model, ideal = (engine.learned() for engine in session.engines)
    sim.end()
    for (_, _, found), (_, _, meant) in zip(model, ideal, strict=True):
        assert np.ptp(meant) > 1e-3
        # A weight unit is 1.3 / 32767 nA, and every step is rounded to whole ones.
        np.testing.assert_allclose(found, meant, atol=5 * 1.3 / 32767)
    held = np.array(links[0].get("weight", "list", with_address=False))
    np.testing.assert_array_equal(held[model[0][1]], model[0][2])


@pytest.mark.parametrize("begins", [0.55, 0.597])
def test_a_learned_weight_is_never_above_its_bound(begins: float) -> None:
    """The bound is 75.8 of the 127 units that the 1 nA of the teacher is."""
    sim.setup(timestep=1.0, weight_width=8)
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=np.arange(5.0, 300.0, 20.0)))
    teacher = sim.Population(1, sim.SpikeSourceArray(spike_times=np.arange(8.0, 300.0, 20.0)))
    p = sim.Population(1, sim.IF_curr_exp(tau_refrac=2.0, v_thresh=-64.9))
    window = {"A_plus": 0.05, "A_minus": 0.01}
    synapse = learning(begins, 1.0, w_max=0.597, **window)
    link = sim.Projection(source, p, sim.AllToAllConnector(), synapse)
    sim.Projection(teacher, p, sim.AllToAllConnector(), sim.StaticSynapse(weight=1.0))
    sim.run(300.0)
    (weight,) = link.get("weight", "list", with_address=False)
    assert 0.597 - 1 / 127 < weight <= 0.597


def test_learned_weights_stay_after_the_end() -> None:
    p, links = random_learning("model:")
    sim.run(40.0)
    before = links[0].get("weight", "array")
    sim.end()
    np.testing.assert_array_equal(links[0].get("weight", "array"), before)
    assert np.abs(before - 0.4).max() > 0.01


def test_learning_goes_on_over_runs_and_begins_anew_after_a_reset() -> None:
    whole, parts = list[Any](), list[Any]()
    for cuts, found in (([240.0], whole), ([60.0, 60.0, 120.0], parts)):
        p, links = random_learning("model:")
        for k, cut in enumerate(cuts):
            if k == 1:
                p.set(v_rest=-65.0)  # changes nothing, but the network is programmed anew
            sim.run(cut)
        found += [trains(p), links[0].get("weight", "list"), links[1].get("weight", "list")]
    assert whole == parts
    sim.reset()
    assert {w for _, _, w in links[1].get("weight", "list")} == {0.1}
    sim.end()


def test_weights_that_learn_can_be_set_between_runs() -> None:
    _, (first, second) = random_learning("model:")
    sim.run(100.0)
    kept = second.get("weight", "array")
    first.set(weight=0.3)
    np.testing.assert_array_equal(second.get("weight", "array"), kept)
    assert np.unique(first.get("weight", "array")).tolist() == [0.3]
    sim.run(1.0)
    np.testing.assert_allclose(first.get("weight", "array"), 0.3, atol=0.05)
    sim.end()


def test_the_parameters_of_learning_can_be_asked_for() -> None:
    sim.setup(timestep=1.0)
    p = sim.Population(2, sim.IF_curr_exp())
    link = sim.Projection(p, p, sim.OneToOneConnector(), learning(0.1, tau_minus=33.0))
    assert link.get("tau_minus", "array").diagonal().tolist() == [33.0, 33.0]
    assert link.get(["w_max", "A_plus"], "list") == [(0, 0, 1.0, 0.01), (1, 1, 1.0, 0.01)]


def test_what_learning_shares_has_to_be_alike() -> None:
    sim.setup(timestep=1.0)
    p = sim.Population(2, sim.IF_curr_exp(tau_m=[10.0, 20.0]))
    sim.Projection(p, p, sim.AllToAllConnector(), learning(0.1))
    with pytest.raises(InvalidNetwork, match="differ in tau_m"):
        sim.run(5.0)
    sim.setup(timestep=1.0)
    p = sim.Population(2, sim.IF_curr_exp())
    rows = [(0, 1, 0.1, 1.0), (0, 1, 0.2, 1.0)]
    sim.Projection(p, p, sim.FromListConnector(rows), learning())
    with pytest.raises(InvalidNetwork, match="several synapses"):
        sim.run(5.0)


# --- without the extra --------------------------------------------------------------------------


def test_without_pynn_the_message_names_the_extra(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys\nsys.modules['pyNN'] = None\n"
        "from spiketwin.hdl.spec.errors import ToolMissing\n"
        "try:\n    import spiketwin.host.pynn\nexcept ToolMissing as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pynn" in ended.stdout
    assert "Run:" in ended.stdout
