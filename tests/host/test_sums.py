"""What sums can reach: widths that hold them, counters of what does not fit, and warnings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cores import OPTIONS
from support.rungs import bulk_but, examples

from spiketwin.cosim.compare.ideal import Ideal
from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.gateware.core import saturations
from spiketwin.hdl.spec.arithmetic import decay
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import SATURATIONS, Space, registers, space_formats
from spiketwin.hdl.spec.variables import POTENTIAL, VECTOR_PARAMETERS, names
from spiketwin.host import Core, Network, access, connect
from spiketwin.host.cli.group import main
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, SpiketwinWarning
from spiketwin.host.files import save
from spiketwin.host.spikes import Run, Saturations
from spiketwin.host.stimuli import checked_events
from spiketwin.host.sums import decayed, settled

NOTHING = Saturations()
WIDE: Any = {"v_width": 24, "i_syn_width": 24, "theta_width": 24}


def network(**attributes: Any) -> Network:
    """Make a network, of scalars where all elements are alike."""
    return Network(**attributes)


@contextmanager
def programmed(net: Network, params: CoreParams | str | None = None) -> Iterator[Core]:
    with connect("model:", params=params or net.core_params()) as core:
        core.program(net)
        yield core


def run(net: Network, spikes: Any, ticks: int, params: CoreParams | None = None) -> Run:
    with programmed(net, params) as core:
        return core.run(spikes, ticks)


# --- widths --------------------------------------------------------------------------------------


def test_many_axons_of_which_each_fits_add_up() -> None:
    net = network(n_axons=784, n_neurons=16, threshold=50_000)
    net.weights[:784] = 100
    done = run(net, [(0, axon) for axon in range(600)], 2)
    assert done.spikes.tolist() == [[0, j] for j in range(16)]
    assert done.saturations == NOTHING
    params = net.core_params()
    assert (params.i_syn_width, params.v_width) == (18, 17)


def test_excitation_that_passes_the_width_before_inhibition_comes() -> None:
    net = network(n_axons=4, n_neurons=8, threshold=25_000)
    net.weights[:4] = np.array([20_000, 20_000, 20_000, -30_000])[:, None]
    done = run(net, [(0, axon) for axon in range(4)], 1)
    assert len(done.spikes) == 8
    assert done.saturations == NOTHING


def test_a_threshold_that_grows_goes_on_being_reached() -> None:
    net = network(n_axons=1, n_neurons=8, threshold=30_000, theta_bump=5_000, i_syn_tau=0.0)
    net.weights[0] = 20_000
    spikes = [(t, 0) for t in range(60)]
    with pytest.warns(SpiketwinWarning, match=r"v\[0\] can grow without limit.*theta\[0\]") as said:
        params = net.core_params()
    assert len(said) == 1
    done = run(net, spikes, 60, params)
    assert done.saturations == NOTHING
    # After k spikes the threshold is 30,000 + 5,000 k, and 20,000 comes a tick.
    v, fired = 0, 0
    for _ in range(60):
        v += 20_000
        if v >= 30_000 + 5_000 * fired:
            v, fired = 0, fired + 1
    assert len(done.spikes) == 8 * fired > 8


def test_a_decay_of_theta_bounds_it_to_what_v_can_reach() -> None:
    net = Network.random(64, 128, seed=1)
    assert (net.core_params().v_width, net.core_params().theta_width) == (16, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"i_syn_tau": np.inf}, r"i_syn\[0\] can grow without limit.*8,388,607"),
        ({"i_syn_tau": 1000.0}, r"i_syn\[0\] can grow to 3\d,\d{3},\d{3}"),
        ({"reset_subtract": True}, r"v\[0\] can grow without limit"),
    ],
)
def test_what_no_core_holds_is_said(change: dict[str, Any], message: str) -> None:
    net = network(**{"n_axons": 1, "n_neurons": 8, "threshold": 1_000, **change})
    net.weights[0] = 32_767
    with pytest.warns(SpiketwinWarning, match=message):
        params = net.core_params()
    assert 24 in (params.i_syn_width, params.v_width)


def test_what_fits_the_usual_widths_keeps_them() -> None:
    usual = {name: getattr(preset("full"), name) for name in WIDE}
    for net in (
        network(n_axons=8, n_neurons=8),
        network(n_axons=8, n_neurons=8, weights=100, plastic=True, w_max=127, v_tau=20.0),
        network(n_axons=8, n_neurons=8, threshold=32_767, v_floor=-32_768),
    ):
        params = net.core_params()
        assert {name: getattr(params, name) for name in WIDE} == usual


def test_a_plastic_weight_counts_as_the_bound_that_it_can_learn() -> None:
    net = network(n_axons=64, n_neurons=8, weights=1, w_max=1_000, threshold=100)
    assert net.core_params().i_syn_width == 16
    net.plastic[:] = True
    assert net.core_params().i_syn_width == 18


@given(st.integers(0, 1 << 20), st.integers(1, 65535))
@settings(max_examples=examples(50))
def test_what_a_decay_holds_is_where_adding_ends(added: int, code: int) -> None:
    bound = int(settled(np.array([added]), code)[0])
    value = bound - 1 if bound else 0
    for _ in range(3):
        value = decay(value, code) + added
        assert value <= bound
    assert decay(bound, code) + added == bound
    assert decayed(np.array([bound]), code).tolist() == [decay(bound, code)]


def anything(rng: np.random.Generator, scale: int) -> Network:
    """Draw a network whose sums go far beyond 16 bits, and a rule that may learn."""

    def tau() -> float:
        return float(rng.choice([0.0, 1.5, 5.0, 30.0]))

    weights = rng.integers(-scale, 2 * scale, (14, 8))
    net = network(
        n_axons=6, n_neurons=8, weights=weights, plastic=rng.random((14, 8)) < 0.3,
        threshold=rng.integers(1, 30_000, 8), v_reset=rng.integers(-50, 200, 8),
        refrac_ticks=rng.integers(0, 3, 8), bias=rng.integers(-50, 300, 8),
        v_tau=tau(), i_syn_tau=tau(), theta_tau=tau(), v_floor=int(rng.integers(-30_000, 1)),
        reset_subtract=bool(rng.random() < 0.5), theta_bump=int(rng.integers(0, 20_000)),
        learn_pre=True, learn_post=True, w_min=-scale, w_max=2 * scale, post_gain=900,
        pre_gain=-300, trace_pre_tau=10.0, trace_post_tau=10.0, trace_pre_bump=60_000,
        trace_post_bump=60_000, i_inh_en=bool(rng.random() < 0.5), i_inh_tau=tau(),
        i_syn_shift=int(rng.choice([0, 0, 1, 4])),
    )  # fmt: skip
    if rng.random() < 0.5:
        n = int(rng.integers(1, 5))
        held: dict[str, Any] = {
            "profile": rng.integers(0, n, 8), "v_tau": [tau() for _ in range(n)],
            "i_syn_tau": [tau() for _ in range(n)], "theta_tau": [tau() for _ in range(n)],
            "v_floor": rng.integers(-30_000, 1, n), "reset_subtract": rng.random(n) < 0.5,
            "theta_bump": rng.integers(0, 20_000, n), "refrac_integrates": rng.random(n) < 0.4,
            "linear_leak": rng.choice([0, 0, 100, 60_000], n),
        }  # fmt: skip
        for name, value in held.items():
            setattr(net, name, value)
        net.validate()
    return net


@given(st.integers(0, (1 << 32) - 1), st.sampled_from([50, 1_000, 8_000]))
@settings(max_examples=examples(40), deadline=None)
def test_on_the_widths_of_core_params_nothing_saturates(seed: int, scale: int) -> None:
    rng = np.random.default_rng(seed)
    net = anything(rng, scale)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)
        params = net.core_params()
        spikes = np.argwhere(rng.random((60, 6)) < rng.choice([0.2, 1.0]))
        done = run(net, spikes, 60, params)
        wide = run(net, spikes, 60, replace(params, **WIDE))
    counted = done.saturations
    assert counted is not None
    if max(params.v_width, params.i_syn_width, params.theta_width) < 24:
        assert replace(counted, weights=0) == NOTHING
    assert np.array_equal(done.spikes, wide.spikes)


@given(st.integers(0, (1 << 32) - 1), st.sampled_from([1_000, 8_000]), st.integers(12, 18))
@settings(max_examples=examples(40), deadline=None)
def test_while_nothing_is_counted_wider_state_does_the_same(
    seed: int, scale: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    net = anything(rng, scale)
    for name in names(v for v in VECTOR_PARAMETERS if v.unit == POTENTIAL):
        setattr(net, name, getattr(net, name) >> 24 - width)
    net.v_floor, net.theta_bump = -100, net.theta_bump >> 24 - width
    narrow: Any = {"v_width": width, "i_syn_width": max(width, 16), "theta_width": width}
    spikes = np.argwhere(rng.random((40, 6)) < 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpiketwinWarning)
        params = net.core_params(**WIDE)
        with programmed(net, replace(params, **narrow)) as one, programmed(net, params) as other:
            for tick in range(40):
                now = spikes[spikes[:, 0] == tick] - (tick, 0)
                done, wide = one.run(now, 1), other.run(now, 1)
                assert done.saturations is not None
                if replace(done.saturations, weights=0) != NOTHING:
                    return
                assert np.array_equal(done.spikes, wide.spikes)
                held, meant = one.read_state(), other.read_state()
                for name in held:
                    assert np.array_equal(held[name], meant[name]), name


# --- counters ------------------------------------------------------------------------------------

TINY = preset(OPTIONS)


def tiny(**settings: Any) -> Network:
    """Eight axons, of which axon i reaches neuron i alone; no neuron fires of itself."""
    net = network(**{"n_axons": 8, "n_neurons": 8, "threshold": 32_767, **settings})
    return net


@pytest.mark.parametrize("url", ["model:", "rtl:"])
def test_every_kind_is_counted_where_it_happens(url: str) -> None:
    with connect(url, params=TINY) as core:
        # Of three weights of 100 on top of 32,600 the last two do not fit, in eight neurons.
        net = tiny(i_syn_tau=np.inf)
        net.weights[:3] = 100
        core.program(net)
        core.write_state(i_syn=32_600)
        assert core.run([(0, 0), (0, 1), (0, 2)], 1).saturations == Saturations(i_syn=16, v=0)
        # Nothing more comes, but now v passes its width, unless it is held for a tick.
        core.write_state(refrac_count=[1] * 3 + [0] * 5, v=1_000)
        core.write_parameters(threshold=32_767)
        core.write_state(theta=1)
        assert core.run([], 1).saturations == Saturations(v=5)
        assert core.run([], 1).saturations == Saturations(v=8)
        # What fires is set back, and what it got to does not matter; but it is kept by subtraction.
        core.write_state(theta=0)
        assert core.run([], 1).saturations == NOTHING
        core.write_registers(reset_subtract=1)
        core.write_state(v=32_767)
        assert core.run([], 1).saturations == Saturations(v=8)
        # A threshold below 0 that is subtracted is added.
        core.write_parameters(threshold=-1)
        core.write_state(v=32_767, i_syn=0)
        assert core.run([], 1).saturations == Saturations(v=8)
        core.write_state(v=32_766)
        assert core.run([], 1).saturations == NOTHING
        # theta stays at the top from the second bump on.
        core.write_parameters(threshold=-32_768)
        core.write_registers(reset_subtract=0, theta_bump=20_000)
        core.write_state(theta=[30_000, 50_000] + [0] * 6)
        assert core.run([], 1).saturations == Saturations(theta=1)
        assert core.read_counters()["theta_saturations"] == 1
        core.reset()
        assert [core.read_counters()[counter.name] for counter in SATURATIONS] == [0] * 4


@pytest.mark.parametrize("url", bulk_but(["model:"], ["model:", "rtl:"]))
@pytest.mark.parametrize(
    "sizes", [OPTIONS, "tiny,weight_width=7,single_port_weights=1,saturation_counters=1"]
)
def test_a_step_that_a_bound_cuts_short_is_counted_once(url: str, sizes: str) -> None:
    net = tiny(weights=10, plastic=True, w_min=0, w_max=12, learn_pre=True, learn_post=True)
    net.plastic[:, 0] = False
    with connect(url, params=sizes) as core:
        core.program(net)
        core.write_registers(pre_offset=2 << 16)
        assert core.run([(0, 0)], 1).saturations == NOTHING  # up to the bound, and no further
        assert core.run([(0, 0)], 1).saturations == Saturations(weights=7)
        assert core.run([(0, 1), (0, 0)], 1).saturations == Saturations(weights=7)
        core.write_registers(pre_offset=0, post_offset=-(11 << 16))
        core.write_parameters(threshold=[-1, 0] + [32_767] * 6)
        core.write_state(v=0, i_syn=0)
        # Neurons 0 and 1 fire. In the column of 1, only 10 - 11 passes the bound.
        below = int((core.read_weights()[:, 1] < 11).sum())
        assert below == 14
        assert core.run([], 1).saturations == Saturations(weights=below)


def test_counters_take_no_cycle_and_no_other_byte() -> None:
    net = Network.random(8, 8, seed=2)
    spikes = np.argwhere(np.random.default_rng(1).random((50, 8)) < 0.3)
    runs, states = [], []
    for sizes in ("tiny", "tiny,saturation_counters=1"):
        with connect("model:", params=sizes) as core:
            core.program(net)
            runs.append(core.run(spikes, 50))
            states.append(core.read_counters())
    assert np.array_equal(runs[0].cycles, runs[1].cycles)
    assert runs[0].saturations == runs[1].saturations is not None
    assert list(states[1])[: len(states[0])] == list(states[0])
    assert list(states[1])[len(states[0]) :] == [counter.name for counter in SATURATIONS]


@pytest.mark.rtl
def test_the_model_always_counts_and_other_cores_where_it_is_built() -> None:
    """What the model counts by itself is none of what it answers: that is as of any such core."""
    net, counted = Network.random(8, 8, seed=2), {}
    net.trace_pre_bump, net.post_gain = 60_000, 3_000
    spikes = np.argwhere(np.random.default_rng(1).random((50, 8)) < 0.3)
    for url in ("model:", "rtl:"):
        for sizes in ("tiny", OPTIONS):
            with connect(url, params=sizes) as core:
                core.program(net)
                core.run(spikes[spikes[:, 0] < 20], 20)
                counted[url, sizes] = core.run(spikes, 50).saturations
    assert counted["rtl:", "tiny"] is None
    found = counted["model:", "tiny"]
    assert found is not None and found.weights > 0
    assert found == counted["model:", OPTIONS]
    assert found == counted["rtl:", OPTIONS]


def test_a_counter_stays_at_its_largest_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("model:", params=TINY) as core:
        far = {counter.name: 1 << 40 for counter in SATURATIONS}
        monkeypatch.setattr(ModelCore, "saturations", far)
        found = core.read_counters()
    assert [found[counter.name] for counter in SATURATIONS] == [(1 << 32) - 1] * 4


def test_in_the_gateware_lanes_count_together_and_a_counter_stays_at_its_top(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow = tuple(replace(counter, width=4) for counter in SATURATIONS)
    monkeypatch.setattr(saturations, "SATURATIONS", narrow)
    dut: Any = saturations.SaturationCounters(replace(TINY, n_neurons=32, lanes=8, neuron_lanes=4))
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for lanes in (0b10110001, 0, 0b11111111, 0b00000111, 0b1, 0b1):
            ctx.set(dut.i_syn_saturations_lanes, lanes)
            await ctx.tick()
            seen.append(ctx.get(dut.i_syn_saturations))
        ctx.set(dut.i_syn_saturations_lanes, 0)
        ctx.set(dut.clear_stb, 1)
        await ctx.tick().repeat(2)
        seen.append(ctx.get(dut.i_syn_saturations))

    simulator: Any = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [0, 4, 4, 12, 15, 15, 0]


# --- warnings ------------------------------------------------------------------------------------


def learner(**settings: Any) -> Network:
    return network(
        **{"n_axons": 8, "n_neurons": 8, "weights": 60, "plastic": True, "learn_pre": True}
        | settings
    )


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (learner(), r"w_min and w_max are both 0, so every plastic weight becomes 0"),
        (learner(w_max=50), r"128 of 128 plastic weights begin outside w_min…w_max \(0…50\)"),
        (
            network(n_axons=8, n_neurons=8, threshold=32_000, theta_bump=800),
            r"8 neurons cannot fire again.*theta_bump is 32,800, and v_width 16 holds 32,767",
        ),
        (
            network(n_axons=8, n_neurons=8, threshold=32_000, weights=100, reset_subtract=True),
            r"8 neurons can lose what reset_subtract.*33,599",
        ),
    ],
)
def test_what_is_almost_surely_a_mistake_is_said_when_programmed(
    net: Network, message: str
) -> None:
    with (
        connect("model:", params="tiny") as core,
        pytest.warns(SpiketwinWarning, match=message) as said,
    ):
        core.program(net)
    assert [Path(each.filename).name for each in said] == ["test_sums.py"]


def test_a_core_that_is_too_narrow_for_a_tick_is_named() -> None:
    net = network(n_axons=784, n_neurons=16, threshold=20_000)
    net.weights[:784] = 100
    params = net.core_params(i_syn_width=16)
    message = r"i_syn of 16 neurons can saturate within a tick.*0…78,400.*i_syn_width 16"
    with connect("model:", params=params) as core:
        with pytest.warns(SpiketwinWarning, match=message):
            core.program(net)
        done = core.run([(0, axon) for axon in range(784)], 1)
    assert done.saturations == Saturations(i_syn=16 * (784 - 327))


@pytest.mark.parametrize(
    "net",
    [
        learner(learn_pre=False),
        learner(w_max=60),
        Network.random(8, 8, seed=3),
        network(n_axons=8, n_neurons=8, threshold=32_767, theta_bump=9),
    ],
)
def test_nothing_is_said_of_what_is_well(net: Network) -> None:
    with connect("model:", params="tiny") as core:
        core.program(net)  # every warning is an error in these tests


def test_weights_that_rounding_makes_0_are_said() -> None:
    weights = np.full((57, 16), 0.3)
    weights[0, 0] = 100.0
    net = network(n_axons=41, n_neurons=16)
    params = replace(preset("full"), weight_width=8)
    ideal = replace(Ideal.of(net, params), weights=weights)
    with pytest.warns(SpiketwinWarning, match=r"rounding makes 911 of 912 weights \(100%\) 0.*wid"):
        assert np.count_nonzero(ideal.quantised(1.0, params).weights) == 1
    # Those that were 0 are not lost, and a few do not matter.
    weights[:] = 0
    weights[:2], weights[2, 0] = 3.0, 0.2
    assert np.count_nonzero(replace(ideal, weights=weights).quantised(1.0, params).weights) == 32


@pytest.mark.parametrize("rows", [5, 100])
def test_a_raster_that_is_given_as_events_is_said(rows: int) -> None:
    raster: IntArray = np.random.default_rng(0).integers(0, 2, (rows, 2))
    with pytest.warns(SpiketwinWarning, match=rf"0 and 1 in {rows} rows.*np.argwhere"):
        checked_events(raster, 10, 8)


def test_events_that_are_few_or_of_other_ticks_are_no_raster() -> None:
    checked_events([(0, 0), (0, 1), (1, 0), (1, 1)], 10, 8)
    checked_events([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)], 10, 8)


# --- a core that is larger than the network ------------------------------------------------------


def test_neurons_that_the_network_does_not_have_are_never_reported() -> None:
    net = network(n_axons=8, n_neurons=5, threshold=0)
    parts: list[Run] = []
    with connect("model:", params="tiny,neuron_lanes=2") as core:
        core.program(net)
        with pytest.raises(DoesNotFit, match="v_floor must be below 32767"):
            core.write_registers(v_floor=32_767)
        assert core.read_registers()["v_floor"] == 0
        core.write_registers(v_floor=32_766)
        # Somebody else on the line makes the others fire.
        place = [register.name for register in registers(core.params)].index("v_floor")
        fmt = space_formats(core.params)[Space.REGISTER]
        core.link.request(access.write(fmt, place, np.array([32_767])))
        done = core.run([], 3, watch=lambda _first, part: parts.append(part))
    assert done.spikes.tolist() == [[tick, j] for tick in range(3) for j in range(5)]
    assert sum(len(part.spikes) for part in parts) == 15
    assert done.spike_cycles.shape == (15,)
    spikes = done.ledger.spikes
    assert spikes is not None
    assert {part.shape for part in spikes.values()} == {(15,)}


# --- on the command line -------------------------------------------------------------------------


def test_commands_show_saturations_and_warnings(tmp_path: Path) -> None:
    net = network(n_axons=784, n_neurons=16, threshold=20_000)
    net.weights[:784] = 100
    save(tmp_path / "net.npz", net, [(0, axon) for axon in range(784)], ticks=2)
    figures = tmp_path / "figures.json"

    def call(*arguments: str) -> tuple[str, str, Any]:
        result = CliRunner().invoke(main, [*arguments, "--json", str(figures)])
        assert result.exit_code == 0, result.output
        return " ".join(result.stdout.split()), result.stderr, json.loads(figures.read_text())

    file = str(tmp_path / "net.npz")
    told, warned, found = call("run", file, "--on", "model:")
    assert "0 / 0 / 0 / 0" in told
    assert found["saturations"] == {"i_syn": 0, "v": 0, "theta": 0, "weights": 0}
    assert warned == ""
    narrow = "full,n_axons=784,n_neurons=32,event_queue_depth=1024"
    told, warned, found = call("run", file, "--on", "model:", "--params", narrow)
    assert "7,312 / 0 / 0 / 0" in told  # the model counts whatever the core is built with
    assert found["saturations"]["i_syn"] == 7_312
    assert warned.count("spiketwin: warning: i_syn of 16 neurons can saturate") == 1
    counted = f"{narrow},saturation_counters=1"
    on = ("--on", "model:", "--on", "model:")
    told, _, found = call("compare", file, *on, "--params", counted)
    assert "7,312 / 0 / 0 / 0" in told
    assert found["targets"]["model:"]["saturations"]["i_syn"] == 7_312
    _, _, found = call("compare", "--preset", "chain", "--ticks", "20", *on)
    assert found["targets"]["model:"]["saturations"]["v"] == 0
