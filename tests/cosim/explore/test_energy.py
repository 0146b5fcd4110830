"""The energy account: counts are those of the specification, energies are those published."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.populations import random_network

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.presets import preset as case_preset
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.explore.counting import counts
from spiketwin.cosim.explore.energy import FPGA_FACTOR, STATIC_WATTS, account
from spiketwin.cosim.explore.evaluation import evaluate
from spiketwin.cosim.explore.subjects import named
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import ClearMask
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Per, names
from spiketwin.host import Network, Run, connect
from spiketwin.host.layout import layout

TICKS = 40


class Row(list[int]):
    """A row of weights that counts what is written to it."""

    written = 0

    def __setitem__(self, place: Any, value: Any) -> None:
        Row.written += 1
        super().__setitem__(place, value)


class Counting(Oracle):
    """The specification, counting what it does."""

    events = updates = columns = read = 0

    def _add(self, *arguments: Any, **others: Any) -> None:
        self.events += 1
        super()._add(*arguments, **others)

    def _synapse(self, *arguments: Any) -> tuple[int, int]:
        self.read += 1
        return super()._synapse(*arguments)

    def _deliver_sparse(self, *arguments: Any) -> None:
        before = self.events
        super()._deliver_sparse(*arguments)
        self.read += self.events - before

    def _learn(self, neuron: int) -> None:
        before = self.read
        super()._learn(neuron)
        if not np.any(self.plastic):
            self.read = before  # a core without any plastic synapse leaves its columns alone

    def _update(self, j: int) -> bool:
        self.updates += 1
        return super()._update(j)

    def _post_step(self, source: int, rule: int) -> int:
        self.columns += 1
        return super()._post_step(source, rule)


def played(params: CoreParams, seed: int, **settings: Any) -> tuple[Case, Run, Counting]:
    net = Network.random(params.n_axons, params.n_neurons, seed)
    for name, value in settings.items():
        setattr(net, name, value)
    rng = np.random.default_rng(seed)
    spikes = np.argwhere(rng.random((TICKS, params.n_axons)) < 0.3)
    spikes = np.concatenate([spikes, spikes[::7]])  # some come twice
    spikes = spikes[np.argsort(spikes[:, 0], kind="stable")]
    case = Case.of(net, params, spikes, TICKS)
    with connect("model:", params=params) as core:
        core.program(net)
        run = core.run(spikes, TICKS)
    oracle = Counting(params)
    oracle.register.update(net.register_values(params))
    for name in names(v for v in VECTOR_PARAMETERS if v.per is Per.NEURON):
        setattr(oracle, name, getattr(net, name).tolist())
    Row.written = 0
    oracle.weight = [Row(each) for each in net.weights.tolist()]
    if params.learning:
        oracle.plastic = net.plastic.tolist()
    fired = [oracle.step(spikes[spikes[:, 0] == t, 1].tolist()).spikes for t in range(TICKS)]
    assert run.spikes.tolist() == [[t, j] for t, neurons in enumerate(fired) for j in neurons]
    return case, run, oracle


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pre", [False, True])
@pytest.mark.parametrize("post", [False, True])
def test_counts_are_those_of_the_specification(seed: int, pre: bool, post: bool) -> None:
    case, run, oracle = played(preset("tiny"), seed, learn_pre=pre, learn_post=post)
    found = counts(case, run)
    assert len(run.spikes) > 20
    assert found.synaptic_events == oracle.events > 0
    assert found.weights_written == Row.written
    assert (found.weights_written > 0) == (pre or post)
    assert found.neuron_updates == oracle.updates == TICKS * 8
    assert found.trace_updates == TICKS * (16 + 8)
    columns = len(run.spikes) * 16 if post else 0  # a whole column is read for each spike
    assert found.weights_read == oracle.events + columns
    assert found.weights_read == oracle.read
    assert oracle.columns <= columns
    assert (found.ticks, found.cycles) == (TICKS, int(run.cycles.sum()))


def test_without_learning_there_are_no_traces_and_no_writes() -> None:
    case, run, oracle = played(preset("tiny,learning=0"), 1, plastic=np.zeros((16, 8), bool))
    found = counts(case, run)
    assert found.weights_written == found.trace_updates == Row.written == 0
    assert found.weights_read == found.synaptic_events == oracle.events


def test_a_core_in_which_nothing_learns_reads_no_columns() -> None:
    case, run, oracle = played(
        preset("tiny"), 1, learn_pre=True, learn_post=True, plastic=np.zeros((16, 8), bool)
    )
    found = counts(case, run)
    assert len(run.spikes) > 20
    assert found.weights_written == Row.written == 0
    assert found.weights_read == found.synaptic_events == oracle.events


def near(joules: float) -> Any:
    return pytest.approx(joules, rel=1e-9, abs=0)


def test_energies_are_those_published() -> None:
    params = preset("full,weight_width=8,i_syn_width=16,v_width=16,trace_width=8")
    net = Network.random(256, 256, 0)
    case = Case.of(net, params, np.array([[0, 0]]), 2)
    with connect("model:", params=params) as core:
        core.program(net)
        found = account(case, core.run(case.spikes, 2))
    each = found.joules_each
    memory, add, product = 10e-12 / 64, 0.1e-12 / 32, 3.1e-12 / 32**2
    assert each["synaptic_event"] == near(32 * memory + 16 * add)
    assert each["weight_read"] == near(9 * memory)  # with the flag
    assert each["weight_written"] == near(9 * memory + 64 * product + 8 * add)
    assert each["trace_update"] == near(16 * memory + 64 * product)
    # State: v, i_syn, theta, the counter, and whether it fired; and its four parameters.
    bits = 2 * (16 + 16 + 16 + 8 + 1) + (16 + 16 + 8 + 16)
    neuron = bits * memory + 3 * 256 * product + 4 * 16 * add
    assert each["neuron_update"] == near(neuron)
    n = found.counts
    events = n.synaptic_events * each["synaptic_event"] + n.weights_read * each["weight_read"]
    events += n.weights_written * each["weight_written"]
    updates = n.neuron_updates * neuron + n.trace_updates * each["trace_update"]
    assert found.least == near(events + updates)
    assert found.most == FPGA_FACTOR * found.least
    assert found.origin == "estimated"
    assert STATIC_WATTS["iCE40UP5K"] == near(1.219 * 89.7e-6)


def test_a_search_takes_the_upper_end_a_tick() -> None:
    case = case_preset("balanced")
    outcome = evaluate(named("balanced"), {}, ["energy", "synaptic_events"])
    narrow = evaluate(named("balanced"), {"weight_width": 4}, ["energy"])
    energy = outcome.figures["energy"]
    assert energy.origin == "estimated"
    assert 0 < narrow.figures["energy"].value < energy.value
    assert outcome.figures["synaptic_events"].value % 1 >= 0
    assert outcome.figures["synaptic_events"].value > len(case.spikes) / case.ticks * 256


def test_static_power_lasts_as_long_as_a_tick() -> None:
    found = evaluate(named("balanced"), {"board": "icebreaker"}, ["static_energy"])
    speed = evaluate(named("balanced"), {"board": "icebreaker"}, ["ticks_per_second"])
    watts = found.figures["static_energy"].value * speed.figures["ticks_per_second"].value
    assert watts == near(STATIC_WATTS["iCE40UP5K"])
    refused = evaluate(named("balanced"), {"board": "ulx3s_25f"}, ["static_energy"]).refused
    assert refused == "the static power of LFE5U-25F is not known, only that of iCE40UP5K"


@pytest.mark.parametrize("seed", range(30))
def test_counts_of_populations_are_those_of_the_specification(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, overlaps=False, kinds=True, rules=True)
    params = net.core_params(lanes=2)
    ticks, every = 12, [None, 5][seed % 2]
    spikes = np.argwhere(rng.random((ticks, net.n_axons)) < 0.4)
    spikes = np.concatenate([spikes, spikes[::5]])  # some come twice
    spikes = spikes[np.lexsort((spikes[:, 1], spikes[:, 0]))]
    case = replace(Case.of(net, params, spikes, ticks), clear_every=every)
    with connect("model:", params=params) as core:
        run = Subject("model:", "model:", core).begin(case).to(ticks)
    place, oracle = layout(net, params), Counting(params)
    for space, array in place.place(net).items():
        setattr(oracle, space.name.lower(), array.tolist())
    oracle.register |= net.register_values(params)
    oracle.rule_table |= net.rule_values(params)
    Row.written = 0
    oracle.weight = [Row(each) for each in oracle.weight]
    fired = []
    for tick in range(ticks):
        if every and tick and tick % every == 0:
            oracle.clear(~ClearMask(0))
        axons = place.axons[spikes[spikes[:, 0] == tick, 1]].tolist()
        fired += [[tick, j] for j in place.numbers[oracle.step(axons).spikes].tolist()]
    assert run.spikes.tolist() == sorted(fired)
    found = counts(case, run)
    assert found.synaptic_events == oracle.events
    assert found.weights_written == Row.written
    assert found.neuron_updates == oracle.updates
    assert found.weights_read == oracle.read


def test_layers_are_counted() -> None:
    layers = Network(n_axons=8)
    there = layers.population(16, threshold=50)
    layers.project(layers.axons, there, weights=30)
    spikes = np.array([[0, 0], [0, 3], [1, 1]])
    case = Case.of(layers, layers.core_params(), spikes, 2)
    with connect("model:", params=case.params) as core:
        core.program(layers)
        found = counts(case, core.run(spikes, 2))
    assert found.synaptic_events == found.weights_read == 3 * 16
    assert found.neuron_updates == 2 * 16
