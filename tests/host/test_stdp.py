"""STDP: the window that is measured on a core is the one that was asked for."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spiketwin.host import Network, connect
from spiketwin.host.errors import DoesNotFit, InvalidNetwork, SpiketwinWarning
from spiketwin.host.stdp import Pairing, StdpWindow

SONG: dict[str, Any] = {
    "a_plus": 2.0, "a_minus": 1.0, "tau_plus": 20.0, "tau_minus": 20.0, "w_min": 0, "w_max": 127
}  # fmt: skip
DELTAS = np.arange(-40, 41)
MIDDLE = 50
"""Tick in which the neurons fire, where they fire once."""


def network(n_axons: int, **settings: Any) -> Network:
    return Network(n_axons=n_axons, n_neurons=8, **settings)


def driven(n_axons: int, drive: int, threshold: int, weight: int) -> Network:
    """Neurons that fire whenever the last axon does; the others do not move them."""
    net = network(n_axons + 1, threshold=threshold, v_tau=0.0)
    net.weights[:n_axons, 0] = weight
    net.weights[n_axons] = drive
    return net


def learned(
    net: Network, pre: list[tuple[int, int]], post: list[int], url: str = "model:", **sizes: Any
) -> NDArray[np.float64]:
    """Changes of the weights to neuron 0 by events of axons, with its spikes in given ticks."""
    drive = net.n_axons - 1
    events = sorted([*pre, *((tick, drive) for tick in post)])
    params = None if "params" in url else net.core_params(**sizes)
    with connect(url, params=params) as core:
        core.program(net)
        run = core.run(np.array(events), ticks=events[-1][0] + 1)
        after = core.read_weights()
    assert run.spikes[run.spikes[:, 1] == 0, 0].tolist() == post
    return (after - net.weights)[:drive, 0].astype(np.float64)


def measured(**rule: Any) -> tuple[StdpWindow, NDArray[np.float64]]:
    """A window, and what a core makes of one pair for each Δ."""
    net = driven(DELTAS.size, drive=32000, threshold=20000, weight=1000)
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[: DELTAS.size, 0] = True
    window = net.stdp(w_min=-32768, w_max=32767, synapses=learning, **rule)
    pre = [(MIDDLE - int(delta), axon) for axon, delta in enumerate(DELTAS)]
    return window, learned(net, pre, [MIDDLE])


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize(
    ("tau_plus", "tau_minus"),
    [(2, 2), (3.3, 5), (5, 3.3), (10, 20), (20, 10), (33, 50), (50, 33), (100, 100)],
)
@pytest.mark.parametrize("amplitude", [1.0, 5.0, 30.0, "most"])
@pytest.mark.filterwarnings("ignore:a_:spiketwin.host.errors.SpiketwinWarning")
def test_the_window_is_within_one_weight_unit_of_the_formula(
    pairing: str, tau_plus: float, tau_minus: float, amplitude: float | str
) -> None:
    a_plus, a_minus = (
        127.9 * math.exp(sign / tau) if isinstance(amplitude, str) else amplitude
        for sign, tau in ((-1, tau_plus), (0, tau_minus))
    )
    window, found = measured(
        a_plus=a_plus, a_minus=a_minus, tau_plus=tau_plus, tau_minus=tau_minus, pairing=pairing
    )
    meant = [
        a_plus * math.exp(-delta / tau_plus)
        if delta >= 0
        else -a_minus * math.exp(delta / tau_minus)
        for delta in DELTAS
    ]
    assert np.abs(found - meant).max() <= 1
    assert np.abs(found - meant).max() <= 0.5 + max(window.error_plus, window.error_minus)
    assert [window.change(int(delta)) for delta in DELTAS] == pytest.approx(meant)
    # Without the correction for the tick that a trace is late, tau = 2 is off by 40 %.
    assert found[MIDDLE - 10] == pytest.approx(a_plus, abs=0.52)
    assert found[MIDDLE - 11] == pytest.approx(-a_minus * math.exp(-1 / tau_minus), abs=0.52)


@pytest.mark.rtl
def test_the_rtl_gives_the_window_too() -> None:
    net = driven(7, drive=127, threshold=100, weight=50)
    deltas = [-6, -3, -1, 0, 1, 3, 6]
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[:7, 0] = True
    window = net.stdp(
        **SONG | {"a_plus": 20.0, "tau_plus": 2.0, "a_minus": 30.0, "tau_minus": 4.0},
        pairing="nearest", synapses=learning,
    )  # fmt: skip
    pre = [(10 - delta, axon) for axon, delta in enumerate(deltas)]
    found = learned(net, pre, [10], "rtl:?params=tiny")
    assert found.tolist() == [round(window.change(delta)) for delta in deltas]
    assert found.tolist() == [-7, -14, -23, 20, 12, 4, 1]


def summed(window: StdpWindow, pre: list[int], post: list[int], pairing: str) -> float:
    """Change of a weight by all pairs, or by those of the nearest spikes, of two trains."""
    total = 0.0
    for at in post:
        before = [tick for tick in pre if tick <= at]
        total += sum(
            window.change(at - tick) for tick in before[-1 if pairing == "nearest" else 0 :]
        )
    for at in pre:
        before = [tick for tick in post if tick < at]
        total += sum(
            window.change(tick - at) for tick in before[-1 if pairing == "nearest" else 0 :]
        )
    return total


@pytest.mark.parametrize("pairing", ["all", "nearest"])
@pytest.mark.parametrize("tau", [2.0, 5.0, 20.0, 100.0])
@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0])
def test_many_pairs_add_up_as_the_formula_says(pairing: Pairing, tau: float, rate: float) -> None:
    rng = np.random.default_rng(int(tau * 100 * rate))
    net = driven(4, drive=32000, threshold=20000, weight=500)
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[:4, 0] = True
    room = None if tau < 100 else 80.0
    window = net.stdp(
        a_plus=1.2, a_minus=0.9, tau_plus=tau, tau_minus=tau * 0.9, w_min=-32768, w_max=32767,
        pairing=pairing, synapses=learning, room=room if pairing == "all" else None,
    )  # fmt: skip
    trains = [np.flatnonzero(rng.random(60) < rate).tolist() for _ in range(5)]
    pre, post = trains[:4], trains[4]
    events = [(tick, axon) for axon, train in enumerate(pre) for tick in train]
    found = learned(net, events, post)
    for axon, train in enumerate(pre):
        meant = summed(window, train, post, pairing)
        bound = len(post) * (0.5 + window.error_plus) + len(train) * (0.5 + window.error_minus)
        assert abs(found[axon] - meant) <= bound
        if rate == 0.05:
            assert abs(found[axon] - meant) <= 4  # a handful of roundings


def test_many_pairs_before_one_spike_are_one_rounding_off() -> None:
    """Five spikes of a source, then one of the neuron: all pairs count, as far as there is room."""
    pre, post = [0, 1, 2, 3, 4], 5
    for a_plus, room in ((1.0, math.inf), (6.0, 20.29), (24.0, 5.07)):
        net = driven(1, drive=32000, threshold=20000, weight=100)
        window = net.stdp(
            **SONG | {"a_plus": a_plus, "a_minus": 0.0, "w_max": 32767, "w_min": -1},
            synapses=np.arange(net.weights.size).reshape(net.weights.shape) == 0,
        )
        assert window.room_plus == pytest.approx(room, rel=0.01)
        (found,) = learned(net, [(tick, 0) for tick in pre], [post])
        assert abs(found - summed(window, pre, [post], "all")) <= 0.5 + window.error_plus


def test_stochastic_rounding_gives_amplitudes_below_one_unit_on_average() -> None:
    net = driven(60, drive=32000, threshold=20000, weight=100)
    net.stochastic = True
    learning = np.zeros(net.weights.shape, np.bool_)
    learning[:60, 0] = True
    net.stdp(**SONG | {"a_plus": 0.25, "a_minus": 0.0, "w_max": 1000}, synapses=learning)
    # One pair in each 400 ticks, with Δ = 0: what is left of the one before is nothing.
    ticks = list(range(0, 400 * 50, 400))
    found = learned(net, [(t, axon) for t in ticks for axon in range(60)], ticks)
    spread = math.sqrt(0.25 * 0.75 / 3000)
    assert found.sum() / 3000 == pytest.approx(0.25, abs=4 * spread)


def test_narrow_traces_trade_room_for_precision() -> None:
    net = network(8, weights=20)
    eight = net.stdp(**SONG, trace_width=8)
    assert net.trace_pre_bump < 256
    net.core_params(trace_width=8)
    most = net.stdp(**SONG, trace_width=8, room=21)
    exact = net.stdp(**SONG, trace_width=8, pairing="nearest")
    assert eight.room_plus == pytest.approx(4, rel=0.05)
    assert exact.room_plus == 1
    assert most.room_plus >= 20
    assert exact.error_plus < eight.error_plus < most.error_plus
    assert net.stdp(**SONG).error_plus < 0.03
    with pytest.raises(DoesNotFit, match=r"trace_\w+_bump must be in 0…255"):
        net.core_params(trace_width=8)


# --- which synapses -----------------------------------------------------------------------------


def test_synapses_are_where_there_is_a_weight_or_where_they_are_named() -> None:
    net = network(3)
    net.weights[1, 2], net.weights[5, 4] = 20, 30
    net.stdp(**SONG)
    assert np.argwhere(net.plastic).tolist() == [[1, 2], [5, 4]]
    named = np.zeros((11, 8), np.bool_)
    named[0, 7] = True
    net.stdp(**SONG, synapses=named)
    assert np.array_equal(net.plastic, named)


def test_plastic_as_one_word_means_the_synapses_there_are() -> None:
    weights = np.zeros((11, 8), int)
    weights[1, 2] = -4
    net = network(3, weights=weights, plastic=True)
    assert np.argwhere(net.plastic).tolist() == [[1, 2]]
    net.plastic = np.ones((11, 8), np.bool_)  # an array is what it says
    net.validate()
    assert net.plastic.all()
    with pytest.raises(InvalidNetwork, match="no weight is other than 0"):
        network(3, plastic=True)


def test_what_is_not_connected_does_not_learn() -> None:
    """Neurons that fire together, and are not connected, stay so."""
    weights = np.zeros((16, 8), int)
    weights[:8] = 40
    net = network(8, weights=weights, threshold=100)
    net.stdp(**SONG)
    rng = np.random.default_rng(3)
    with connect("model:", params=net.core_params()) as core:
        core.program(net)
        run = core.run(np.argwhere(rng.random((400, 8)) < 0.2), ticks=400)
        after = core.read_weights()
    assert len(run.spikes) > 400
    assert (after[:8] != 40).any()
    assert not after[8:].any()


# --- what is refused or warned of ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a_plus": -1.0}, "a_plus must be a number of weight units, 0 or more, not -1.0"),
        ({"a_minus": -0.5}, "a_minus must be a number of weight units, 0 or more"),
        ({"a_plus": math.nan}, "a_plus must be a number"),
        ({"a_plus": 10**400}, "a_plus must be a number"),
        ({"a_plus": "2"}, "a_plus must be a number"),
        ({"a_plus": True}, "a_plus must be a number"),
        ({"a_plus": 130.0}, r"a_plus must be in 0…121 weight units where tau_plus is 20, not 130"),
        ({"tau_minus": 2.0, "a_minus": 1e6}, r"a_minus must be in 0…211 weight units"),
        ({"a_plus": 20.0, "room": 10}, r"a_plus must be in 0…12\.1 .* with room for 10 spikes"),
        ({"a_plus": 1e-12}, r"a_plus must be 0, or at least 5.7e-08 weight units"),
        ({"tau_plus": 0}, "tau_plus must be in 0.1…10000 ticks, not 0"),
        ({"tau_plus": 10**5000}, "tau_plus must be in .* not a number of 16610 bits"),
        ({"pairing": np.array(["all", "nearest"])}, "pairing must be 'all' or 'nearest', not"),
        ({"tau_plus": math.inf}, "tau_plus must be in 0.1…10000 ticks, not inf"),
        ({"tau_minus": "20"}, "tau_minus must be in 0.1…10000 ticks"),
        ({"pairing": "some"}, "pairing must be 'all' or 'nearest', not 'some'"),
        ({"pairing": ["all"]}, "pairing must be 'all' or 'nearest'"),
        ({"pairing": "nearest", "room": 2}, "room is for pairing='all'"),
        ({"room": 0.5}, "room must be in 1…65536 spikes"),
        ({"room": math.inf}, "room must be in 1…65536 spikes"),
        ({"trace_width": 17}, "trace_width must be an integer in 8…16, not 17"),
        ({"trace_width": 8.0}, "trace_width must be an integer in 8…16, not 8.0"),
        ({"w_min": 127}, r"w_min \(127\) must be below w_max \(127\)"),
        ({"w_max": 1 << 15}, "w_max must be an integer in -32768…32767"),
        ({"w_max": 19}, r"weights\[0, 0\] is to learn and must be in w_min…w_max = 0…19, not 20"),
        ({"synapses": False}, "there is no synapse to learn"),
        ({"synapses": [True]}, r"synapses must have the shape \(16, 8\)"),
        ({"synapses": 2}, r"synapses must be in 0…1, not 2"),
    ],
)
def test_what_is_out_of_range_is_refused_and_nothing_is_changed(
    change: dict[str, Any], message: str
) -> None:
    net = network(8, weights=20, pre_gain=3, trace_pre_bump=7, w_max=9)
    with pytest.raises(InvalidNetwork, match=message):
        net.stdp(**SONG | change)
    assert (net.pre_gain, net.trace_pre_bump, net.w_max, net.learn_post) == (3, 7, 9, False)
    assert not net.plastic.any()


def test_what_the_arithmetic_bends_is_said() -> None:
    net = network(8, weights=20)
    with pytest.warns(SpiketwinWarning, match=r"a_plus = 100 leaves room for 1\.2 spikes"):
        window = net.stdp(**SONG | {"a_plus": 100.0})
    assert window.room_plus == pytest.approx(1.217, abs=0.001)
    net.stdp(**SONG | {"a_plus": 100.0}, pairing="nearest")
    net.stdp(**SONG | {"a_plus": 100.0}, room=1)  # meant so
    with pytest.warns(SpiketwinWarning, match=r"a_minus = 0\.4 is rounded to 0"):
        net.stdp(**SONG | {"a_minus": 0.4})
    net.stochastic = True
    net.stdp(**SONG | {"a_minus": 0.4})


def test_an_amplitude_of_0_takes_its_half_away() -> None:
    net = network(8, weights=20)
    window = net.stdp(**SONG | {"a_minus": 0})
    assert (net.learn_pre, net.learn_post, net.pre_gain, net.trace_post_bump) == (False, True, 0, 0)
    assert (window.change(-3), window.error_minus) == (0, 0)
