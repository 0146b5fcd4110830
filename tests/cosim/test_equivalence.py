"""Model, RTL and netlists behind the same link: the same spikes, cycles, state, bytes, in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spiketwin.cosim.rtl.build import Design, library
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import (
    RUN_REGISTERS,
    Space,
    limits,
    profile_columns,
    registers,
    space_formats,
)
from spiketwin.hdl.spec.variables import STATE, VECTOR_PARAMETERS, names
from spiketwin.host import Core, Network, access, connect
from spiketwin.host.addresses import parse
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.link import Link

SIZES = {
    "tiny": preset("tiny"),
    "digits": preset("digits"),
    "odd": CoreParams(
        n_axons=12, n_neurons=20, lanes=4, neuron_lanes=1, source_lanes=4, weight_width=5,
        v_width=10, i_syn_width=9, theta_width=24, trace_width=8, refrac_width=2,
        event_queue_depth=16, spike_queue_depth=128, link_slots=2, digest_rounds=1,
        saturation_counters=True, n_profiles=8, decay_shift=True, receptors=2, bias_events=True,
    ),
    "wide": CoreParams(
        n_axons=16, n_neurons=64, lanes=16, neuron_lanes=8, source_lanes=16, weight_width=16,
        v_width=24, i_syn_width=24, theta_width=8, trace_width=13, refrac_width=16,
        event_queue_depth=16, spike_queue_depth=128, digest_rounds=2, decay_shift=True,
    ),
    "paired": CoreParams(
        n_axons=14, n_neurons=20, lanes=2, neuron_lanes=1, source_lanes=2, weight_width=4,
        trace_width=9, single_port_weights=True, event_queue_depth=16, spike_queue_depth=128,
        digest_rounds=3, saturation_counters=True, n_profiles=2, bias_events=True,
    ),
    "fixed": CoreParams(
        n_axons=4, n_neurons=16, lanes=4, neuron_lanes=4, source_lanes=1, learning=False,
        event_queue_depth=4, spike_queue_depth=128, saturation_counters=True, receptors=2,
    ),
}  # fmt: skip

SPRAM = replace(SIZES["paired"], n_axons=160, n_neurons=128, weight_width=7, spike_queue_depth=256)
"""So many weights a lane that Yosys takes SPRAM for them and not block RAM."""

NEURON_UPDATES = 3_000_000
LINKED_UPDATES = 1_000_000
"""What a run of the tests compares at least: of the core, beside more than ten million of random
networks (tests/cosim/trials/test_verify.py), and through the gateware's link too."""

CORE = "rtl:?level=core"
MOST_BIASES = 3
"""Most biases that are rewritten in a tick."""


class Twins:
    """A model and a simulation that are told the same, and must say the same."""

    def __init__(self, model: Core, rtl: Core, rng: np.random.Generator) -> None:
        self.cores = model, rtl
        self.params = model.params
        self.rng = rng
        self.updates = self.spikes = 0

    def both(self, method: str, *arguments: Any, **named: Any) -> list[Any]:
        return [getattr(core, method)(*arguments, **named) for core in self.cores]

    def run(self, ticks: int, activity: float) -> None:
        """Run with that part of the axons active, and compare what came out and what is left.

        Half of the axons spike again in their tick, as often as the event queue has room. In a core
        with bias events some biases are rewritten in half of the ticks.
        """
        biases = self.biases(ticks)
        spikes = np.argwhere(self.rng.random((ticks, self.params.n_axons)) < activity)
        spikes = np.repeat(spikes, 1 + self.rng.geometric(0.5, len(spikes)) // 2, axis=0)
        in_tick = np.arange(len(spikes)) - np.searchsorted(spikes[:, 0], spikes[:, 0])
        spikes = spikes[in_tick < self.params.event_queue_depth - MOST_BIASES * (len(biases) > 0)]
        digests = self.params.digest_rounds > 0
        model, rtl = self.both("run", spikes, ticks, digests=digests, biases=biases)
        for name in ("spikes", "spike_cycles", "cycles", "update_cycles", "digests"):
            np.testing.assert_array_equal(getattr(rtl, name), getattr(model, name), name)
        self.updates += ticks * self.params.n_neurons
        self.spikes += len(model.spikes)
        self.compare()

    def biases(self, ticks: int) -> np.ndarray[Any, Any]:
        low, high = limits(self.params.v_width, signed=True)
        count = self.params.bias_events * ticks * MOST_BIASES // 2
        tick = np.repeat(self.rng.permutation(ticks), MOST_BIASES)[:count]
        neuron = self.rng.integers(0, self.params.n_neurons, count)
        small = self.rng.integers(low // 16, high // 16, count)
        bias = np.where(self.rng.random(count) < 0.05, self.rng.choice([low, high], count), small)
        return np.stack([tick, neuron, bias], axis=1)

    def compare(self) -> None:
        model, rtl = self.both("read_state")
        assert rtl.keys() == model.keys()
        for name in model:
            np.testing.assert_array_equal(rtl[name], model[name], name)
        learned = ["read_plastic"] if self.params.learning else []
        methods = "read_weights", "read_registers", "read_parameters", "read_counters"
        for method in (*methods, *learned):
            one, other = self.both(method)
            np.testing.assert_equal(other, one, method)

    def wild(self) -> None:
        """Set everything to anything."""
        formats = space_formats(self.params)

        def anything(space: Space) -> np.ndarray[Any, Any]:
            fmt = formats[space]
            low, high = fmt.limits()
            shape = (fmt.rows, fmt.columns) if fmt.rows > 1 else (fmt.columns,)
            values = self.rng.integers(low, high + 1, shape)
            return np.where(self.rng.random(shape) < 0.1, self.rng.choice([low, high]), values)

        self.both("write_weights", anything(Space.WEIGHT))
        if self.params.learning:
            self.both("write_plastic", anything(Space.PLASTIC))
        self.both(
            "write_parameters",
            **{p.name: anything(p.space) for p in VECTOR_PARAMETERS if p.space in formats},
        )
        state = {n: anything(Space[n.upper()]) for n in names(STATE) if Space[n.upper()] in formats}
        state["pending"] = self.rng.integers(0, 2, self.params.n_neurons)
        self.both("write_state", **state)
        values = {}
        for register in registers(self.params):
            if register.name in RUN_REGISTERS:
                continue
            low, high = register.limits(self.params)
            edges = [low, high, int(self.rng.integers(low, high + 1))]
            values[register.name] = int(self.rng.choice(edges))
        self.both("write_registers", **values)
        if self.params.has_profiles:
            self.wild_profiles()

    def wild_profiles(self) -> None:
        """Set what profiles hold to anything, but often not to a linear leak."""
        held = {}
        for column in profile_columns(self.params):
            low, high = column.limits(self.params)
            values = self.rng.integers(low, high + 1, self.params.n_profiles)
            edges = self.rng.choice([low, high], values.size)
            held[column.name] = np.where(self.rng.random(values.size) < 0.5, edges, values)
        held["linear_leak"] *= self.rng.random(self.params.n_profiles) < 0.5
        self.both("write_profiles", **held)


@contextmanager
def twins(params: CoreParams, seed: int, other: str = "rtl:") -> Iterator[Twins]:
    with ExitStack() as opened:
        model, twin = (
            opened.enter_context(connect(url, params=params)) for url in ("model:", other)
        )
        yield Twins(model, twin, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "url",
    [
        CORE,
        "rtl:",
        "rtl:?level=pins",
        "rtl+pty:",
        pytest.param("netlist:?family=ecp5", marks=pytest.mark.early),
        # Its mapping takes as long as a minute; the models of its cells have tests of their own.
        pytest.param("netlist:?family=ice40", marks=[pytest.mark.bulk, pytest.mark.early]),
    ],
)
def test_every_twin_is_equal_in_small(url: str) -> None:
    """Of a network that fires and learns, and of anything that all can be set to."""
    with twins(SIZES["tiny"], seed=1, other=url) as pair:
        pair.both("program", Network.random(8, 8, seed=5))
        pair.run(80, 0.3)
        for _ in range(2):
            pair.wild()
            pair.run(40, 0.2)
        assert pair.spikes > 150


@pytest.mark.rtl
def test_so_are_all_options_of_a_core_together() -> None:
    with twins(SIZES["odd"], seed=1, other=CORE) as pair:
        for _ in range(6):
            pair.wild()
            pair.run(60, 0.2)
        assert pair.spikes > 150


@contextmanager
def netlist_twins(family: str, params: CoreParams, memory: str) -> Iterator[Twins]:
    """Twins of a netlist in which a kind of memory holds the weights."""
    netlist = library(Design(params=params, family=family)).with_name("netlist.v")
    assert f"\n  {memory} " in netlist.read_text()
    with twins(params, seed=0, other=f"netlist:?family={family}") as pair:
        yield pair


@pytest.mark.netlist
@pytest.mark.bulk
@pytest.mark.early
def test_the_netlist_of_large_memories_is_equal_too() -> None:
    with netlist_twins("ice40", SPRAM, "SB_SPRAM256KA") as pair:
        pair.both("program", Network.random(SPRAM.n_axons, SPRAM.n_neurons, seed=0))
        pair.run(300, 0.03)
        assert pair.spikes > 500
        pair.wild()
        pair.run(60, 0.03)


@pytest.mark.netlist
@pytest.mark.bulk
def test_the_netlist_of_the_demo_is_equal_with_anything_in_it() -> None:
    """It learns its digits in tests/cosim/netlist/test_netlist.py."""
    with netlist_twins("ecp5", SIZES["digits"], "DP16KD") as pair:
        pair.wild()
        pair.run(360, 0.03)
        assert pair.spikes > 500


@pytest.mark.rtl
@pytest.mark.bulk
def test_millions_of_neuron_updates_are_equal() -> None:
    updates = spikes = 0

    @given(
        size=st.sampled_from(sorted(SIZES)),
        seed=st.integers(0, (1 << 32) - 1),
        activity=st.sampled_from([0.0, 0.02, 0.1, 0.5]),
    )
    @settings(
        max_examples=20, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def anything(size: str, seed: int, activity: float) -> None:
        nonlocal updates, spikes
        with twins(SIZES[size], seed, CORE) as pair:
            for _ in range(3):
                pair.wild()
                pair.run(60, activity)
            updates += pair.updates
            spikes += pair.spikes

    @given(
        seed=st.integers(0, (1 << 32) - 1),
        activity=st.sampled_from([0.02, 0.05, 0.1]),
        reset_subtract=st.booleans(),
        stochastic=st.booleans(),
        pre_gain=st.integers(-2000, 2000),
        post_gain=st.integers(-2000, 2000),
    )
    @settings(
        max_examples=4, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def networks(seed: int, activity: float, **values: int) -> None:
        nonlocal updates, spikes
        with twins(SIZES["digits"], seed, CORE) as pair:
            pair.both("program", Network.random(pair.params.n_axons, pair.params.n_neurons, seed))
            pair.run(2_000, activity)
            pair.both("write_registers", **{n: int(v) for n, v in values.items()})
            for _ in range(2):
                pair.run(2_000, activity)
            updates += pair.updates
            spikes += pair.spikes

    anything()
    networks()
    assert updates >= NEURON_UPDATES
    assert spikes > updates / 1000


@pytest.mark.rtl
@pytest.mark.bulk
def test_a_million_of_them_are_equal_through_the_link_of_the_gateware() -> None:
    updates = spikes = 0
    for seed, size in enumerate(sorted(SIZES)):
        with twins(SIZES[size], seed) as pair:
            pair.wild()
            pair.run(60, 0.1)
            updates += pair.updates
    with twins(SIZES["digits"], 0) as pair:
        pair.both("program", Network.random(pair.params.n_axons, pair.params.n_neurons, 0))
        for activity in (0.02, 0.1):
            pair.run(4_000, activity)
        updates += pair.updates
        spikes += pair.spikes
    assert updates >= LINKED_UPDATES
    assert spikes > updates / 1000


def transcript(url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[bytes]]:
    """Bytes to the device, and frames from it, of one program."""
    port = parse(url).open()
    sent, received = bytearray(), bytearray()
    write, read = port.write, port.read

    def recorded_write(data: bytes) -> int | None:
        sent.extend(data)
        return write(data)

    def recorded_read(size: int) -> bytes:
        data = read(size)
        received.extend(data)
        return data

    monkeypatch.setattr(port, "write", recorded_write)
    monkeypatch.setattr(port, "read", recorded_read)
    net = Network.random(6, 7, seed=5)
    spikes = np.argwhere(np.random.default_rng(5).random((300, 6)) < 0.3)
    with Core(Link(port)) as core:
        core.program(net)
        for _ in range(2):
            assert len(core.run(spikes, 300).spikes) > 0
        core.read_weights()
        core.read_state()
        core.clear("v", "traces")
        core.read_counters()
    return bytes(sent), bytes(received).split(b"\0")


@pytest.mark.parametrize("other", ["rtl:", CORE])
@pytest.mark.parametrize("tick_period", [600, 2000, 5000])
def test_at_a_fixed_tick_period_both_keep_up_alike(tick_period: int, other: str) -> None:
    # Many more events than the queue holds, so that it is filled again while ticks pass.
    net = Network.random(6, 7, seed=5)
    spikes = np.argwhere(np.random.default_rng(5).random((300, 6)) < 0.3)
    assert len(spikes) > 8 * SIZES["tiny"].event_queue_depth
    with twins(SIZES["tiny"], 0, other) as pair:
        pair.both("program", net)
        model, rtl = pair.both("run", spikes, 300, tick_period)
        for name in ("spikes", "spike_cycles", "cycles", "update_cycles"):
            np.testing.assert_array_equal(getattr(rtl, name), getattr(model, name), name)
        assert (rtl.missed_deadlines, rtl.late_events, rtl.muted.sum()) == (0, 0, 0)
        assert (model.missed_deadlines, model.late_events, model.muted.sum()) == (0, 0, 0)
        pair.compare()


@pytest.mark.rtl
@pytest.mark.parametrize("tick_period", [20, 45, 60, 70])
def test_at_a_tick_period_that_is_too_short_the_core_is_late_as_the_model_is(
    tick_period: int,
) -> None:
    """For ticks that take longer than it, and for those after them until they have caught up."""
    spikes = np.argwhere(np.random.default_rng(5).random((300, 8)) < 0.2)
    with twins(SIZES["tiny"], 0, CORE) as pair:
        pair.both("program", Network.random(8, 8, seed=5))
        model, rtl = pair.both("run", spikes, 300, tick_period)
        assert 0 < model.missed_deadlines <= 299
        np.testing.assert_array_equal(rtl.cycles, model.cycles)
        for name in ("missed_deadlines", "late_events"):
            assert getattr(rtl, name) == getattr(model, name), name
        pair.compare()


@pytest.mark.usefixtures("simulated_targets")
@pytest.mark.parametrize("url", ["rtl://?params=tiny", "rtl://?params=tiny&level=core"])
def test_the_bytes_of_a_program_are_the_same_on_both(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, received = transcript("model://?params=tiny", monkeypatch)
    rtl_sent, rtl_received = transcript(url, monkeypatch)
    assert rtl_sent == sent
    # The first answer is the identity, which tells the two apart.
    assert rtl_received[0] != received[0]
    assert rtl_received[1:] == received[1:]
    assert len(received) > 100


@pytest.mark.parametrize("url", ["model:", "rtl:", CORE])
def test_a_second_run_of_one_tick_period_is_late(url: str) -> None:
    """Time goes on between two runs, so the ticks of the second have been due for long."""
    params = preset("tiny")
    registers_of_core = space_formats(params)[Space.REGISTER]
    place = [register.name for register in registers(params)].index("tick_period")
    missed = []
    with connect(url, params=params) as core:
        for new_period in (True, False, False, True):
            if new_period:
                core.link.request(access.write(registers_of_core, place, np.array([400])))
            core.link.request(Request(Opcode.RUN, arguments(Opcode.RUN, 4)))
            fetch = arguments(Opcode.FETCH, 62, 1 << 20)  # it waits until the run is over
            core.link.request(Request(Opcode.FETCH, fetch, 4 * 62, 4, cycles=1 << 20))
            missed.append(core.read_counters()["missed_deadlines"])
    assert missed == [0, 4, 8, 8]


@pytest.mark.parametrize("url", ["model:", "rtl:", CORE])
def test_a_core_goes_on_from_the_state_and_the_tick_of_another(url: str) -> None:
    """Exactly as that one does: with its noise, and with what fired in its last tick."""
    params, rng = preset("tiny"), np.random.default_rng(3)
    net = Network.random(8, 8, seed=5)
    spikes = np.argwhere(rng.random((100, 8)) < 0.3)
    with connect("model:", params=params) as first, connect(url, params=params) as second:
        first.program(net)
        first.write_registers(stochastic=1)
        before = first.run(spikes[spikes[:, 0] < 50], 50)
        second.program(net)
        second.write_registers(stochastic=1)
        second.run([(0, 1)], 7)
        second.write_weights(first.read_weights())
        second.write_state(**first.read_state())
        second.write_tick(first.tick)
        assert first.tick == second.tick == 50
        rest = spikes[spikes[:, 0] >= 50] - (50, 0)
        expected, got = first.run(rest, 50), second.run(rest, 50)
        for name in ("spikes", "spike_cycles", "cycles"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), name)
        np.testing.assert_array_equal(second.read_weights(), first.read_weights())
        np.testing.assert_equal(second.read_state(), first.read_state())
        assert min(len(before.spikes), len(got.spikes)) > 50
        assert second.tick == 100
