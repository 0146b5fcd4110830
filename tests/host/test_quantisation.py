"""What a core holds of a network that is meant: scales, errors, costs, and widths."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.graphs import cuba, events, graph_of, inputs, lif, outputs, recurrent

from spiketwin.host import connect, nir
from spiketwin.host.errors import DoesNotFit, InvalidInput, InvalidNetwork
from spiketwin.host.quantisation import begin, measure, quantise, run_floating, search
from spiketwin.host.quantisation.meant import NEVER, Meant, MeantLayer, MeantProjection
from spiketwin.host.quantisation.profiles import held_loss

DT = 1e-3


def layer(name: str = "layer", n: int = 1, **own: Any) -> MeantLayer:
    values = {
        "threshold": 1.0, "v_reset": 0.0, "v_loss": 0.1, "i_loss": 1.0, "rest": 0.0, "drift": 0.0,
        "i_start": 0.0,
    }  # fmt: skip
    given = values | own
    arrays: Any = {each: np.broadcast_to(np.asarray(given[each], float), n) for each in values}
    return MeantLayer(name, "LIF", **arrays)


def one(weights: Any, **own: Any) -> Meant:
    weights = np.atleast_2d(np.asarray(weights, float))
    only = layer(n=weights.shape[1], **own)
    return Meant(len(weights), (only,), (MeantProjection("", "layer", weights),))


def test_the_scale_is_the_finest_with_which_weights_and_potentials_fit() -> None:
    """16 bits hold 32767: a weight of a quarter of a threshold of 1 is limited by 4 thresholds."""
    net, report = quantise(one([[0.25]]), weight_width=16, v_width=16)
    scale = report.scales[0]
    assert scale == pytest.approx(32767 / 4)
    assert net.threshold[0] == int(scale) + 1
    # The weight, an eighth of full scale, is as fine as its width allows: by 8 more.
    assert report.i_syn_shift == 3 + 1
    assert net.projections[0].weights[0, 0] == round(0.25 * scale * 16)


def test_each_neuron_has_its_scale_unless_it_shares_one() -> None:
    meant = one([[4.0, 0.5, 0.0], [1.0, -0.25, 0.0]])
    own = quantise(meant, weight_width=8)[1].scales
    assert own[0] == pytest.approx(127 / 4.0)
    assert own[1] == pytest.approx(127 / 0.5)
    assert len(set(quantise(meant, weight_width=8, scales="layer")[1].scales)) == 1
    assert quantise(meant, weight_width=8, scales="network")[1].scales[2] == pytest.approx(127 / 4)


def test_the_report_says_what_is_held() -> None:
    net, report = quantise(one([[1.0, 1.0], [0.3, 0.001]]), weight_width=8)
    held = net.projections[0].weights / report.scales / 2**report.i_syn_shift
    only = report["layer"]
    off = np.abs(held - [[1.0, 1.0], [0.3, 0.001]])
    assert only.synapses == 4
    assert only.lost == 1
    assert only.weight_worst == pytest.approx(off.max())
    assert only.weight_rms == pytest.approx(np.sqrt((off**2).mean()))
    assert only.meant_weights.tolist() == [1.0, 1.0, 0.3, 0.001]
    assert only.held_weights == pytest.approx(held.reshape(-1))
    (code,) = (each for each in only.decays if each.variable == "v")
    assert code.meant == 0.1
    assert code.held == code.code / 2 ** (16 + code.shift) == held_loss(net.of_neurons("v_tau")[0])
    assert code.error < 2e-5
    assert only.threshold_worst == pytest.approx(
        max(abs((net.threshold - 0.5) / report.scales - 1.0))
    )


def test_the_rest_is_held_by_the_decay_that_is_held() -> None:
    """A potential comes to its rest but for what half a unit of bias and of decay make of it."""
    net, report = quantise(one([[0.5]], rest=0.9, v_loss=0.0123))
    with connect("model:", params=net.core_params(**report.sizes)) as core:
        core.program(net)
        core.run([], 3000)
        v = core.read_state()["v"][0]
    assert abs(v - 0.9 * report.scales[0]) < 1 / 0.0123
    assert abs(net.bias[0] - 0.9 * 0.0123 * report.scales[0]) <= 0.5


def test_forced_scales_clip_what_they_do_not_hold() -> None:
    from spiketwin.host.quantisation.scales import Chosen

    net, report = quantise(one([[1.0], [3.0]]), weight_width=8, held=Chosen(np.array([100.0]), 0))
    assert net.projections[0].weights.ravel().tolist() == [100, 127]
    assert report["layer"].clipped == 1
    assert "1 weights to layer are clipped to their width." in report.notes


def test_the_report_is_text_and_json() -> None:
    _, report = nir.load(recurrent(1, cuba, 20.0, b=0.3), DT)
    text = str(report)
    for says in (
        "rounded for weight_width 16, v_width 24", "hidden: 40 neurons (CubaLIF)",
        "out_layer: 7 neurons (CubaLIF), 1 ticks late", "integration=euler (or exact)",
    ):  # fmt: skip
        assert says in text
    written = json.loads(json.dumps(report.as_json()))
    assert [each["name"] for each in written["layers"]] == ["hidden", "out_layer"]
    assert written["sizes"]["decay_shift"] is True
    assert len(written["start"]["i_syn"]) == 47
    assert {choice["name"] for choice in written["choices"]} == {"integration", "reset"}
    with pytest.raises(KeyError, match="no layer is called 'x': hidden, out_layer"):
        report["x"]


def test_double_precision_checks_what_it_is_given() -> None:
    meant = one([[1.0]])
    assert run_floating(meant, [(0, 0), (0, 0)], 1).spikes.tolist() == [[0, 0]]
    assert run_floating(meant, [(0, 0)], 1).spikes.tolist() == []  # not above 1
    for wrong, ticks in (([(1, 0)], 1), ([(0, 1)], 1), ([(0, 0)], -1)):
        with pytest.raises(InvalidInput):
            run_floating(meant, wrong, ticks)
    with pytest.raises(
        InvalidNetwork, match=r"weights to layer must be finite numbers, and \[0, 0"
    ):
        one([[np.nan]])


def test_what_is_measured_is_what_the_core_does() -> None:
    graph = recurrent(1)
    net, report = nir.load(graph, DT, weight_width=6)
    stimuli = [events(12, 120, 0.05, seed) for seed in range(2)]
    found = measure(net, report, stimuli, 120)
    held, meant = [], []
    with connect("model:", params=net.core_params(**report.sizes)) as core:
        core.program(net)
        for each in stimuli:
            begin(core, report)
            held.append({tuple(spike) for spike in core.run(each, 120).spikes.tolist()})
            run = run_floating(report.meant, each, 120)
            meant.append({tuple(spike) for spike in run.spikes.tolist()})
    same = sum(len(a & b) for a, b in zip(held, meant, strict=True))
    counts = [sum(map(len, each)) for each in (meant, held)]
    assert found.closed == same / max(counts)
    assert [sum(each.meant for each in found.layers), sum(e.held for e in found.layers)] == counts
    assert found.open is not None
    assert found.closed < found.open < 1
    assert found.saturated == {"i_syn": 0, "v": 0}
    assert found.accuracy is None
    assert [(gain.size, gain.bits) for gain in found.gains] == [("weight_width", 7)]
    assert found.gains[0].open is not None
    assert found.gains[0].open > found.open
    assert json.loads(json.dumps(found.as_json()))["closed"] == found.closed


def test_open_loop_gives_each_layer_what_it_is_meant_to_hear() -> None:
    """The first layer is spoilt and never fires; in open loop the second hears it all the same."""
    graph = recurrent(1)
    net, report = nir.load(graph, DT)
    net.threshold[:40] = 1 << 22
    found = measure(net, report, [events(12, 100, 0.05, 1)], 100, gains=False)
    first, second = found.layers
    assert (first.held, first.open) == (0, 0.0)
    assert second.held < second.meant
    assert second.open == 1.0


def quadrants() -> tuple[Any, list[Any], Any]:
    """Which of two axons spikes more often: counted by two neurons that never fire."""
    graph = graph_of(
        "in w l out", **{"in": inputs(2)}, w=_linear([[1.0, 0.2], [0.2, 1.0]]),
        l=_li(2), out=outputs(2),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 20)
    stimuli = [
        [(k, label) for k in range(4)] + [(k, 1 - label) for k in range(3)] for label in labels
    ]
    return graph, stimuli, labels


def _linear(weights: Any) -> Any:
    import nir as package

    return package.Linear(np.array(weights))


def _li(n: int) -> Any:
    import nir as package

    return package.LI(*[np.full(n, v) for v in (2e-2, 1.0, 0.0)])


def test_a_task_is_answered_by_potentials_or_by_spikes() -> None:
    graph, stimuli, labels = quadrants()
    net, report = nir.load(graph, DT, weight_width=8, v_width=16)
    found = measure(net, report, stimuli, 6, labels=labels, readout="l", gains=False)
    assert found.accuracy is not None
    assert (found.accuracy.samples, found.accuracy.meant, found.accuracy.held) == (20, 1.0, 1.0)
    (only,) = found.layers
    assert (only.closed, only.open, only.held) == (None, None, 0)
    assert only.v_error is not None
    assert 0 < only.v_error < 0.05
    wrong = measure(net, report, stimuli, 6, labels=1 - labels, readout="l", gains=False)
    assert wrong.accuracy is not None
    assert wrong.accuracy.held == 0.0
    graph.nodes["l"] = lif(2, tau=2e-2, v_threshold=0.03)
    net, report = nir.load(graph, DT, weight_width=8, v_width=16)
    counted = measure(net, report, stimuli, 6, labels=labels, readout="l", gains=False)
    assert counted.accuracy is not None
    assert counted.accuracy.held == counted.accuracy.meant == 1.0


def test_the_search_takes_the_narrowest_weights_within_the_loss() -> None:
    meant = nir.load(recurrent(1), DT)[1].meant
    stimuli = [events(12, 100, 0.05, seed) for seed in range(2)]
    found = search(meant, stimuli, 100, loss=0.05, loop="open")
    sizes = found.report.sizes
    assert found.loss <= 0.05
    assert 4 < sizes["weight_width"] < 16
    narrower = [each for each in found.tried if each.weight_width < sizes["weight_width"]]
    assert narrower
    assert all(each.loss > 0.05 for each in narrower)
    last = found.tried[-1]
    assert last.v_width == sizes["v_width"] - 1 and last.loss > 0.05 or sizes["v_width"] == 8
    assert found.net.core_params(**sizes).weight_width == sizes["weight_width"]
    assert found.measured.open == 1 - found.loss
    stricter = search(meant, stimuli, 100, loss=0.01, loop="open")
    assert stricter.report.sizes["weight_width"] > sizes["weight_width"]


def test_a_loss_that_no_core_has_is_refused_with_the_least() -> None:
    meant = nir.load(recurrent(2), DT)[1].meant
    spoilt = Meant(
        12, meant.layers[:1], (MeantProjection("", "hidden", np.full((12, 40), 1e-9)),)
    )  # fmt: skip
    assert search(spoilt, [[]], 5, loss=0.0).loss == 0.0
    with pytest.raises(DoesNotFit, match="no widths lose 0 or less: the least is 0.0"):
        search(meant, [events(12, 200, 0.05, 11)], 200, loss=0.0)


def test_wrong_arguments_are_refused() -> None:
    net, report = nir.load(recurrent(1), DT)
    other, _ = quantise(one([[1.0]]))
    stimuli = [events(12, 10, 0.05, 1)]
    half: Any = "half"
    cases: list[tuple[Any, str]] = [
        (lambda: measure(other, report, stimuli, 10), "report must be the one that came with"),
        (lambda: measure(net, report, [], 10), "stimuli must have one or more"),
        (lambda: measure(net, report, stimuli, 10, labels=[1, 2], readout="hidden"),
         r"labels must have the shape \(1,\)"),
        (lambda: measure(net, report, stimuli, 10, labels=[1], readout="x"),
         "readout must name the layer that answers, one of hidden, out_layer, not 'x'"),
        (lambda: search(report.meant, stimuli, 10, loss=2), "loss must be a share in 0…1, not 2"),
        (lambda: search(report.meant, stimuli, 10, loop=half), "loop must be closed or open"),
    ]  # fmt: skip
    for call, says in cases:
        with pytest.raises(InvalidInput, match=says):
            call()


def test_a_layer_that_never_fires_does_not_on_any_stimulus() -> None:
    """All sources in every tick are the most there can be, and no warning says that it may fire."""
    meant = one([[1.0, -1.0], [0.5, 0.1]], threshold=NEVER, v_loss=0.05, i_loss=0.2)
    for v_width in (12, 16, 24):
        net, report = quantise(meant, weight_width=8, v_width=v_width)
        with connect("model:", params=net.core_params(**report.sizes)) as core:
            core.program(net)
            run = core.run([(tick, axon) for tick in range(300) for axon in range(2)], 300)
        assert not len(run.spikes)
        assert run.saturations is not None
        assert run.saturations.v == 0


def test_a_report_of_a_front_end_without_a_description_cannot_be_measured() -> None:
    net, report = nir.load(recurrent(1), DT)
    bare = replace(report, description=None)
    assert bare.as_json() == report.as_json()
    with pytest.raises(InvalidInput, match="compare targets instead"):
        measure(net, bare, [[]], 10)
