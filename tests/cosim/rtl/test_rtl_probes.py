"""Probes on the RTL, through the link: what the model reports, in the same cycles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.host import Network, Run, connect

SIZES = {
    "wide": replace(
        preset("tiny"), v_width=24, theta_width=9, i_syn_width=21, spike_queue_depth=128,
        probe_ranges=4, digest_rounds=1,
    ),
    "paired": CoreParams(
        n_axons=14, n_neurons=20, lanes=2, neuron_lanes=1, source_lanes=2, weight_width=7,
        trace_width=8, single_port_weights=True, spike_queue_depth=256, probe_ranges=2,
    ),
    "fixed": CoreParams(
        n_axons=8, n_neurons=16, lanes=4, neuron_lanes=4, source_lanes=1, learning=False,
        spike_queue_depth=128, probe_ranges=3, receptors=2,
    ),
}  # fmt: skip
TICKS = 60


def network(params: CoreParams) -> Network:
    net = Network.random(params.n_axons, params.n_neurons, seed=7)
    net.v_floor = -3000
    net.bias[::3] = -400
    if not params.learning:
        net.plastic[:] = False
    return net


def chosen(params: CoreParams) -> dict[str, Any]:
    every = {
        "v": range(params.n_neurons),
        "trace_pre": range(3, params.n_sources),
        "theta": [params.n_neurons - 1, 2],
        "refrac_count": [1],
        "i_inh": range(2, 9),
    }
    if not params.learning:
        every.pop("trace_pre")
    if params.receptors == 1:
        every.pop("i_inh")
    return dict(list(every.items())[: params.probe_ranges])


def events(params: CoreParams) -> np.ndarray:
    return np.argwhere(np.random.default_rng(3).random((TICKS, params.n_axons)) < 0.3)


def ran(url: str, params: CoreParams, **arguments: Any) -> tuple[Run, dict[str, np.ndarray], bytes]:
    with connect(url, params=params) as core:
        core.program(network(params))
        run = core.run(events(params), TICKS, probe=chosen(params), **arguments)
        state = core.read_state()
        fetched = b"".join(run.accounts[0].fetched)
    return run, state, fetched


@pytest.mark.parametrize(
    ("url", "size"),
    [
        ("rtl:", "wide"),
        pytest.param("rtl:?level=core", "fixed", marks=pytest.mark.bulk),
        pytest.param("rtl:?level=core", "paired", marks=pytest.mark.bulk),
    ],
)
def test_the_rtl_reports_what_the_model_reports(url: str, size: str) -> None:
    params = SIZES[size]
    for arguments in ({}, {"probe_every": 3, "digests": params.digest_rounds > 0}):
        model, state, words = ran("model:", params, **arguments)
        rtl, same, same_words = ran(url, params, **arguments)
        assert same_words == words
        assert list(rtl.probes) == list(chosen(params))
        for name, values in model.probes.items():
            np.testing.assert_array_equal(rtl.probes[name], values, name)
        for name, values in state.items():
            np.testing.assert_array_equal(same[name], values, name)
        assert model.probes["v"].min() < 0 < model.probes["v"].max()
    assert len(model.spikes) > 20


def test_a_word_of_a_report_takes_the_link_few_cycles() -> None:
    params = SIZES["wide"]
    with connect("rtl:", params=params) as core:
        core.program(network(params))
        run = core.run([], TICKS, probe=chosen(params))
    cycles = run.ledger.device_seconds * 100_000_000
    # Its four bytes take a cycle each, and every request and run some hundred more.
    assert cycles < 16 * len(run.accounts[0].words)


def test_at_a_period_that_the_line_cannot_keep_up_with_ticks_are_muted_as_a_whole() -> None:
    params = SIZES["wide"]
    whole, _, _ = ran("model:", params)
    with connect("rtl:", params=params) as core:
        core.program(network(params))
        for _ in range(2):
            run = core.run(events(params), TICKS, probe=chosen(params), tick_period=110, clear=True)
            again = core.run([], 20, probe=chosen(params))  # nothing is left of the room it took
            assert not again.muted.any()
            assert len(again.probe_ticks) == 20
            # Each run counts its period anew, wherever the one before was in its own.
            for every, due in ((7, [0, 7, 14]), (6, [0, 6, 12, 18])):
                again = core.run([], 20, probe=chosen(params), probe_every=every)
                assert again.probe_ticks.tolist() == due
            core.program(network(params))
    assert 0 < run.muted.sum() < TICKS
    assert run.probe_ticks.tolist() == np.flatnonzero(~run.muted).tolist()
    for name, values in run.probes.items():
        np.testing.assert_array_equal(values, whole.probes[name][run.probe_ticks], name)
