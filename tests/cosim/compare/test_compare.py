"""`spiketwin compare`: what is equal, where two targets part, and the smallest case of it."""

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import serial
from click.testing import CliRunner, Result
from support.cores import OPTIONS
from support.rungs import bulk_but

from spiketwin.cosim.compare.accuracy import in_open_loop, limits
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.model.core import ModelCore, Ran
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.serial import MODEL
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.cosim.serial.protocol_model import ModelPort
from spiketwin.cosim.serial.sizes import core_params
from spiketwin.hdl.spec.params import described, preset
from spiketwin.hdl.spec.protocol import Word
from spiketwin.hdl.spec.registers import Space
from spiketwin.host import Core, Network, connect
from spiketwin.host.cli import main
from spiketwin.host.files import load, save
from spiketwin.host.kinds import Target
from spiketwin.host.layout import layout
from spiketwin.host.words import Words, of_kind, report_spikes

TICKS = 50
FAULTY = "faulty://?params=tiny"
SWEEP = ["sweep", "--tick-period", "500"]

Fault = Callable[[ModelCore, Words], Words | None]
Break = Callable[[int | None, Fault], None]


def spiketwin(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A learning network in which neurons fire, with a stimulus."""
    path = tmp_path / "net.npz"
    spikes = np.argwhere(np.random.default_rng(3).random((TICKS, 8)) < 0.3)
    network = Network.random(8, 8, seed=5)
    network.trace_pre_bump = network.trace_post_bump = 40_000  # every spike alters weights
    save(path, network, spikes, TICKS)
    return path


def compared(net: Path, *urls: str, **options: Any) -> dict[str, Any]:
    """Compare, and give the figures; the status says whether all is equal."""
    file = net.with_name("figures.json")
    arguments = [f"--on={url}" for url in urls]
    arguments += [f"--{name}={value}" for name, value in options.items()]
    done = spiketwin(net, *arguments, "--json", file)
    figures: dict[str, Any] = json.loads(file.read_text())
    assert done.exit_code == (figures["first_difference"] is not None), done.output
    return figures


# --- a target that is broken -------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Have `FAULTY` be a model in which something happens as a tick, or each, ends."""

    def arrange(tick: int | None, fault: Fault) -> None:
        class Serial(InProcessSerial):
            kind = MODEL

            def make_device(self, target: Target) -> ModelPort:
                device = ModelDevice(core_params(target))
                core, advance = device.core, device.core.advance

                def disturbed(ticks: Any, axons: Any, count: int, room: int, biases: Any) -> Ran:
                    ran = advance(ticks, axons, min(count, 1), room, biases)
                    if tick in (None, core.tick - 1) and ran.words.size:
                        other = fault(core, ran.words)
                        ran = ran if other is None else ran._replace(words=other)
                    return ran

                monkeypatch.setattr(core, "advance", disturbed)
                return ModelPort(device)

        handlers, handler = ModuleType("handlers"), ModuleType("handlers.protocol_faulty")
        handler.Serial = Serial  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "handlers", handlers)
        monkeypatch.setitem(sys.modules, "handlers.protocol_faulty", handler)
        monkeypatch.setattr(
            serial, "protocol_handler_packages", [*serial.protocol_handler_packages, "handlers"]
        )

    return arrange


def more(name: str, *place: int) -> Fault:
    """One element of the state, or one weight, is larger by 1."""

    def fault(core: ModelCore, _words: Words) -> None:
        getattr(core, name)[place] += 1

    return fault


# --- equality ----------------------------------------------------------------------------------


@pytest.mark.rtl
def test_two_targets_that_are_equal_are_found_so(net: Path) -> None:
    figures = compared(net, "model:", "rtl:?params=tiny")
    assert figures["first_difference"] is None
    assert figures["targets"]["model:"]["equal_to"] == {"rtl:?params=tiny": True}
    assert figures["targets"]["rtl:?params=tiny"]["equal_to"] == {"model:": True}
    network, stimulus = load(net)
    assert stimulus is not None
    with connect("model:", params="tiny") as core:
        core.program(network)
        run = core.run(stimulus.spikes, TICKS)
    for target in figures["targets"].values():
        assert target["spikes"] == len(run.spikes) > 0
        assert target["cycles"] == run.cycles.sum()
        assert target["wall_seconds"] > 0
        assert target["within_one_tick_of_float"] is None


def test_of_three_targets_each_is_compared_with_each(net: Path, broken: Break) -> None:
    broken(7, more("v", 3))
    figures = compared(net, "model:", FAULTY, "model:")
    equal = {name: target["equal_to"] for name, target in figures["targets"].items()}
    assert equal == {
        "model:": {FAULTY: False, "model: (2)": True},
        FAULTY: {"model:": False, "model: (2)": False},
        "model: (2)": {"model:": True, FAULTY: False},
    }


# --- the first difference ----------------------------------------------------------------------


@pytest.mark.parametrize("tick", bulk_but([7], [0, 7, TICKS - 1]))
@pytest.mark.parametrize(
    ("name", "place", "source", "neuron"),
    [
        ("v", (3,), None, 3),
        ("i_syn", (0,), None, 0),
        ("refrac_count", (7,), None, 7),
        ("theta", (1,), None, 1),
        ("trace_post", (2,), None, 2),
        ("trace_pre", (11,), 11, None),
        ("weight", (9, 4), 9, 4),
    ],
)
def test_what_is_disturbed_is_named(
    name: str, place: tuple[int, ...], source: int | None, neuron: int | None, tick: int,
    net: Path, broken: Break,
) -> None:  # fmt: skip
    broken(tick, more(name, *place))
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert (found["tick"], found["field"]) == (tick, name)
    assert (found["source"], found["neuron"]) == (source, neuron)
    assert found["values"][FAULTY] == found["values"]["model:"] + 1
    assert found["elements"] == {name: 1}


def test_a_spike_that_is_lost_on_its_way_is_named(net: Path, broken: Break) -> None:
    network, stimulus = load(net)
    assert stimulus is not None
    with connect("model:", params="tiny") as core:
        core.program(network)
        run = core.run(stimulus.spikes, TICKS)
    tick, neuron = run.spikes[20].tolist()
    cycle = run.cycles[:tick].sum() + run.spike_cycles[20]

    def lose(core: ModelCore, words: Words) -> Words:
        group, lane = divmod(neuron, core.params.neuron_lanes)
        is_of_group = report_spikes(words) & (words >> 20 == group)
        words[is_of_group] &= ~np.uint32(1 << (12 + lane))
        left: Words = words[~is_of_group | (words >> 12 & 0xFF != 0)]
        return left

    broken(tick, lose)
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert {name: found[name] for name in ("tick", "cycle", "field", "neuron", "values")} == {
        "tick": tick,
        "cycle": cycle,
        "field": "spike",
        "neuron": neuron,
        "values": {"model:": 1, FAULTY: 0},
    }
    assert neuron in found["around"]["spikes"]["model:"][3]
    assert neuron not in found["around"]["spikes"][FAULTY][3]


def test_a_tick_that_takes_longer_is_named(net: Path, broken: Break) -> None:
    def delay(_core: ModelCore, words: Words) -> None:
        words[of_kind(words, Word.END)] += 1

    broken(30, delay)
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert (found["tick"], found["field"], found["elements"]) == (30, "cycles", {"cycles": 1})
    assert found["values"][FAULTY] == found["values"]["model:"] + 1


def test_the_cause_is_named_and_not_what_follows_in_the_same_tick(net: Path, broken: Break) -> None:
    """A threshold falls: the neuron fires, which alters its state, its weights and the cycles."""

    def fall(core: ModelCore, _words: Words) -> None:
        core.threshold[5] = 0

    broken(11, fall)
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert found["field"] == "spike"
    assert found["neuron"] == 5
    assert found["values"] == {"model:": 0, FAULTY: 1}
    assert {"v", "theta", "trace_post", "weight", "cycles"} <= found["elements"].keys()


def test_a_current_is_named_before_the_spike_that_it_makes(net: Path, broken: Break) -> None:
    def push(core: ModelCore, _words: Words) -> None:
        core.weight[:, 2] = 127

    broken(9, push)
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert (found["tick"], found["field"], found["neuron"]) == (9, "weight", 2)

    def gain(core: ModelCore, _words: Words) -> None:
        core.bias[2] = 30_000

    broken(9, gain)
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert (found["field"], found["neuron"]) == ("spike", 2)


def test_a_memory_that_does_not_keep_what_is_written_differs_before_the_first_tick(
    net: Path, broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = ModelPort.write

    def stuck(port: ModelPort, data: bytes) -> None:
        receive(port, data)
        if port.model.core.params == preset("tiny") and "disturbed" in repr(
            port.model.core.advance
        ):
            port.model.core.weight[2, 3] = 5

    monkeypatch.setattr(ModelPort, "write", stuck)
    broken(TICKS, more("v", 0))
    found = compared(net, "model:", FAULTY)["first_difference"]
    assert (found["tick"], found["cycle"], found["around"]) == (None, None, None)
    assert (found["field"], found["source"], found["neuron"]) == ("weight", 2, 3)
    assert found["values"][FAULTY] == 5


def test_the_ticks_around_a_difference_are_shown(net: Path, broken: Break) -> None:
    broken(20, more("theta", 3))
    around = compared(net, "model:", FAULTY)["first_difference"]["around"]
    assert around["ticks"] == [17, 18, 19, 20, 21, 22, 23]
    mine, theirs = around["values"]["model:"], around["values"][FAULTY]
    assert mine[:3] == theirs[:3]
    assert theirs[3] == mine[3] + 1
    network, stimulus = load(net)
    assert stimulus is not None
    with connect("model:", params="tiny") as core:
        core.program(network)
        core.run(stimulus.spikes[stimulus.spikes[:, 0] < 20], 20)
        assert core.read_state()["theta"][3] == mine[2]
        spikes = core.run(stimulus.spikes[stimulus.spikes[:, 0] == 20] - (20, 0), 1).spikes
    assert around["spikes"]["model:"][3] == spikes[:, 1].tolist()


def test_the_terminal_names_it_as_well(net: Path, broken: Break) -> None:
    broken(7, more("weight", 9, 4))
    done = spiketwin(net, "--on", "model:", "--on", FAULTY)
    assert done.exit_code == 1
    assert "DIFFERENT  tick 7 (cycle " in done.output
    assert "weight of synapse (9, 4) is " in done.output


def test_a_target_that_is_not_deterministic_is_called_so(net: Path, broken: Break) -> None:
    times: list[int] = []

    def once(core: ModelCore, _words: Words) -> None:
        times.append(core.tick)
        core.theta[3] += len(times) == 1

    broken(7, once)
    done = spiketwin(net, "--on", "model:", "--on", FAULTY)
    assert done.exit_code == 1
    assert "is not deterministic" in done.output


# --- digests -----------------------------------------------------------------------------------

DIGESTING = "faulty://?params=tiny,digest_rounds=3"


@pytest.mark.parametrize("name", ["theta", "weight"])
@pytest.mark.parametrize("tick", bulk_but([7], [7, TICKS - 1]))
def test_by_digests_the_same_is_named(name: str, tick: int, net: Path, broken: Break) -> None:
    place = (1, 4) if name == "weight" else (3,)
    broken(tick, more(name, *place))
    figures = compared(net, "model:", DIGESTING)
    found = figures["first_difference"]
    assert figures["digests"]
    assert (found["tick"], found["field"], found["elements"]) == (tick, name, {name: 1})
    assert found["values"][DIGESTING] == found["values"]["model:"] + 1


def test_by_digests_no_state_is_read_on_the_way(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read_state = Core.read_state

    def counted(core: Core) -> dict[str, Any]:
        reads.append(core)
        return read_state(core)

    monkeypatch.setattr(Core, "read_state", counted)
    done = spiketwin(net, "--on=model:", "--on=model:", "--digests")
    assert done.exit_code == 0, done.output
    assert "the digest of all that each tick wrote" in done.output
    assert len(reads) == 2  # in the end, of each


def test_only_digests_see_a_weight_that_heals(net: Path, broken: Break) -> None:
    """It is wrong for one tick, in which its neuron fires and its axon does not."""
    network, stimulus = load(net)
    assert stimulus is not None
    with connect("model:", params="tiny") as core:
        core.program(network)
        spikes = core.run(stimulus.spikes, TICKS).spikes
    heard = set(map(tuple, stimulus.spikes.tolist()))
    tick, axon, neuron = next(
        (tick, axon, neuron)
        for tick, neuron in spikes[spikes[:, 0] > 10].tolist()
        for axon in range(8)
        if (tick, axon) not in heard and network.plastic[axon, neuron]
    )

    def wrong_for_a_tick(core: ModelCore, _words: Words) -> None:
        core.weight[axon, neuron] += {tick - 1: 1, tick: -1}.get(core.tick - 1, 0)

    broken(None, wrong_for_a_tick)
    assert compared(net, "model:", FAULTY)["first_difference"] is None
    found = compared(net, "model:", DIGESTING)["first_difference"]
    assert (found["tick"], found["field"]) == (tick - 1, "weight")
    assert (found["source"], found["neuron"]) == (axon, neuron)


def test_a_digest_that_alone_differs_is_named(net: Path, broken: Break) -> None:
    def garble(_core: ModelCore, words: Words) -> None:
        words[of_kind(words, Word.DIGEST_HIGH)] ^= 1 << 4

    broken(5, garble)
    found = compared(net, "model:", DIGESTING)["first_difference"]
    assert (found["tick"], found["field"], found["elements"]) == (5, "digest", {"digest": 1})
    assert found["values"][DIGESTING] == found["values"]["model:"] ^ 1 << 20


def test_digests_of_cores_with_other_lanes_are_compared_and_of_other_widths_not(net: Path) -> None:
    one = "model:?params=tiny,digest_rounds=3"
    assert compared(net, one, f"{one},neuron_lanes=1,source_lanes=1")["digests"]
    assert not compared(net, one, f"{one},theta_width=17")["digests"]
    assert not compared(net, one, one.replace("=3", "=2"))["digests"]


def test_digests_that_a_target_lacks_are_asked_for_in_vain(net: Path) -> None:
    done = spiketwin(net, "--on=model:", "--on=model:?params=tiny", "--digests")
    assert done.exit_code == 2
    assert "was built without" in done.output


# --- shrinking ---------------------------------------------------------------------------------


def test_a_case_is_shrunk_to_a_file_that_differs_again(net: Path, broken: Break) -> None:
    def saturate(core: ModelCore, _words: Words) -> None:
        core.v[core.v > 120] = 120

    broken(None, saturate)
    small = net.with_name("small.npz")
    done = spiketwin(net, "--on", "model:", "--on", FAULTY, "--shrink", small)
    assert done.exit_code == 1, done.output
    assert f"spiketwin compare {small} --on model: --on '{FAULTY}'" in done.output
    whole, stimulus = load(net)
    network, left = load(small)
    assert stimulus is not None
    assert left is not None
    assert left.ticks < stimulus.ticks
    assert len(left.spikes) < len(stimulus.spikes)
    assert (network.weights != 0).sum() < (whole.weights != 0).sum()
    assert compared(small, "model:", FAULTY)["first_difference"]["field"] == "v"
    again = net.with_name("again.npz")
    spiketwin(net, "--on", "model:", "--on", FAULTY, "--shrink", again)
    assert again.read_bytes() == small.read_bytes()


def test_the_call_for_the_shrunk_case_finds_the_difference_in_a_shell(
    net: Path, broken: Break
) -> None:
    broken(11, more("trace_post", 2))
    small = net.with_name("small & short.npz")
    how = ("--retries", "30", "--every", "2")
    done = spiketwin(net, "--on", "model:", "--on", FAULTY, "--shrink", small, *how)
    (again,) = re.findall(r"^Again: (.*)$", done.output, re.MULTILINE)
    program, command, *arguments = shlex.split(again)
    assert (program, command) == ("spiketwin", "compare")
    assert arguments[0] == str(small)
    assert arguments[-4:] == list(how)
    assert "DIFFERENT" in spiketwin(*arguments).output
    # No character of it means anything to a shell.
    assert not set("&?") & set(re.sub(r"'[^']*'", "", again))


# --- networks of populations --------------------------------------------------------------------


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """A network of populations that learns, with a projection that does nothing."""
    rng = np.random.default_rng(5)
    net = Network(n_axons=6, v_tau=20.0, i_syn_tau=4.0, w_max=100, learn_post=True,
                  post_gain=25_000, trace_pre_bump=40_000, trace_pre_tau=10.0)  # fmt: skip
    hidden = net.population(7, threshold=150, name="hidden")
    output, idle = net.population(3, threshold=100, name="output"), net.population(5)
    net.project(net.axons, hidden, weights=rng.integers(20, 60, (6, 7)), plastic=True)
    net.project(hidden[2:5], output, weights=rng.integers(10, 60, (3, 3)))
    net.project(hidden, idle, weights=1)
    path = tmp_path / "layers.npz"
    save(path, net, np.argwhere(rng.random((TICKS, 6)) < 0.3), TICKS)
    return path


def faulty_for(path: Path) -> tuple[str, Network]:
    net, _ = load(path)
    return f"faulty://?params={described(net.core_params())}", net


def test_a_network_of_populations_is_compared_with_the_ideal_one(layers: Path) -> None:
    figures = compared(layers, "model:", "model:", "float:")
    assert figures["first_difference"] is None
    ideal, model = figures["targets"]["float:"], figures["targets"]["model:"]
    assert ideal["spikes"] > 50
    assert model["within_one_tick_of_float"] > 0.8


def test_digests_are_compared_only_where_neurons_have_the_same_numbers(layers: Path) -> None:
    _, net = faulty_for(layers)
    room = {"n_axons": 16, "n_neurons": 40, "weight_depth": 1600, "n_projections": 8}
    two, four = (
        described(net.core_params(lanes=lanes, digest_rounds=3, **room)) for lanes in (2, 4)
    )
    for urls, digests in (((two, two), True), ((two, four), False)):
        figures = compared(layers, *(f"model://?params={sizes}" for sizes in urls))
        assert figures["first_difference"] is None
        assert figures["digests"] is digests


def word_of(net: Network, number: int, place: tuple[int, int]) -> tuple[int, int]:
    """The place of a synapse of a projection in the weights of the core."""
    alone = net.copy()
    for each in alone.projections:
        each.weights[...] = 0
    alone.projections[number].weights[place] = 1
    words = layout(alone, net.core_params()).place(alone)[Space.WEIGHT]
    row, column = np.argwhere(words)[0].tolist()
    return row, column


def test_the_projection_of_a_synapse_that_differs_is_named(layers: Path, broken: Break) -> None:
    url, net = faulty_for(layers)
    broken(9, more("weight", *word_of(net, 1, (2, 1))))
    found = compared(layers, "model:", url)["first_difference"]
    assert (found["field"], found["source"], found["neuron"]) == ("weight", 6 + 4, 7 + 1)
    assert found["part"] == "hidden[2:5] to output"
    done = spiketwin(layers, "--on", "model:", "--on", url)
    assert "weight of synapse (10, 8) of hidden[2:5] to output" in done.output


def test_the_population_of_a_neuron_that_differs_is_named(layers: Path, broken: Break) -> None:
    url, net = faulty_for(layers)
    neuron = int(layout(net, net.core_params()).neurons[8])
    broken(9, more("theta", neuron))
    found = compared(layers, "model:", url)["first_difference"]
    assert (found["field"], found["neuron"], found["part"]) == ("theta", 8, "output")


def test_projections_and_populations_are_shrunk_away(layers: Path, broken: Break) -> None:
    url, net = faulty_for(layers)
    neuron = int(layout(net, net.core_params()).neurons[0])

    def when_it_fires(core: ModelCore, _words: Words) -> None:
        core.theta[neuron] += int(core.pending[neuron])

    broken(None, when_it_fires)
    small = layers.with_name("small.npz")
    compared(layers, "model:", url, shrink=small)
    shrunk, stimulus = load(small)
    assert stimulus is not None
    assert [each.name for each in shrunk.populations] == ["hidden"]
    assert len(shrunk.projections) <= 1
    again = compared(small, "model:", url, params=described(net.core_params()))
    assert again["first_difference"]["field"] == "theta"


def test_what_is_shrunk_keeps_what_it_has_to_begin_with(layers: Path, broken: Break) -> None:
    net, stimulus = load(layers)
    assert stimulus is not None
    net.start = {"v": np.arange(15), "theta": np.where(np.arange(15) > 1, 60, 0)}
    save(layers, net, stimulus.spikes, stimulus.ticks)
    url, _ = faulty_for(layers)
    neuron = int(layout(net, net.core_params()).neurons[2])

    def when_it_is_adapted(core: ModelCore, _words: Words) -> None:
        core.v[neuron] += int(core.theta[neuron] == 60)

    broken(None, when_it_is_adapted)
    small = layers.with_name("small.npz")
    compared(layers, "model:", url, shrink=small)
    shrunk, _ = load(small)
    assert [each.name for each in shrunk.populations] == ["hidden"]
    its = {name: each.tolist() for name, each in shrunk.start.items()}
    assert its == {"theta": [0, 0, 60, 0, 0, 0, 0]}


def test_a_projection_that_is_shrunk_keeps_its_rule(layers: Path, broken: Break) -> None:
    net, stimulus = load(layers)
    assert stimulus is not None
    net.w_max, net.post_gain = np.array([60, 90]), np.array([0, 25_000])
    net.projections[0].rule = 1
    save(layers, net, stimulus.spikes, stimulus.ticks)
    url, _ = faulty_for(layers)

    def when_a_weight_is_at_its_bound(core: ModelCore, _words: Words) -> None:
        core.theta[0] += int(core.weight.max() == 90)

    broken(None, when_a_weight_is_at_its_bound)
    small = layers.with_name("small.npz")
    compared(layers, "model:", url, shrink=small)
    shrunk, _ = load(small)
    assert [each.rule for each in shrunk.projections] == [1]
    assert shrunk.held("w_max").tolist() == [60, 90]
    again = compared(small, "model:", url, params=described(net.core_params()))
    assert again["first_difference"]["field"] == "theta"
    assert compared(layers, "model:", "float:")["targets"]["float:"]["spikes"] > 50


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    """A network with a constant projection, and one with a delay."""
    rng = np.random.default_rng(5)
    net = Network(n_axons=6, v_tau=20.0, i_syn_tau=4.0)
    hidden = net.population(7, threshold=150, name="hidden")
    net.project(net.axons, hidden, weights=rng.integers(20, 60, (6, 7)), name="early")
    net.project(net.axons, hidden, weights=rng.integers(20, 60, (6, 7)), delay=5, name="late")
    net.project(hidden, hidden, constant=-60, itself=False, name="inhibition")
    path = tmp_path / "kinds.npz"
    save(path, net, np.argwhere(rng.random((TICKS, 6)) < 0.3), TICKS)
    return path


def test_constants_and_delays_are_compared_with_the_ideal_network(kinds: Path) -> None:
    _, net = faulty_for(kinds)
    room = {"n_axons": 16, "n_neurons": 16, "weight_depth": 128}
    one, other = net.core_params(**room), net.core_params(n_relays=64, max_delay=32, **room)
    urls = [f"model://?params={described(params)}" for params in (one, other)]
    figures = compared(kinds, *urls, "float:")
    assert figures["first_difference"] is None
    assert figures["targets"]["float:"]["spikes"] > 50
    assert figures["targets"][urls[0]]["within_one_tick_of_float"] > 0.8


def test_digests_of_constants_are_compared_only_with_the_same_lanes(kinds: Path) -> None:
    _, net = faulty_for(kinds)
    room = {"n_axons": 8, "n_neurons": 16, "n_relays": 32, "weight_depth": 256}
    two, four = (
        described(net.core_params(lanes=lanes, digest_rounds=3, **room)) for lanes in (2, 4)
    )
    for urls, digests in (((two, two), True), ((two, four), False)):
        figures = compared(kinds, *(f"model://?params={sizes}" for sizes in urls))
        assert figures["first_difference"] is None
        assert figures["digests"] is digests


def test_a_relay_that_differs_is_named_and_its_delay_kept(kinds: Path, broken: Break) -> None:
    url, net = faulty_for(kinds)

    def lost(core: ModelCore, _words: Words) -> None:
        core.relay_ring[...] &= ~np.uint32(4)

    broken(None, lost)
    small = kinds.with_name("small.npz")
    found = compared(kinds, "model:", url, shrink=small)["first_difference"]
    assert (found["field"], found["source"], found["part"]) == ("relay_ring", 15, "the relays")
    shrunk, _ = load(small)
    assert [(each.name, each.delay) for each in shrunk.projections] == [("late", 5)]


def test_what_is_shrunk_loses_its_delays_and_keeps_its_constants(
    kinds: Path, broken: Break
) -> None:
    url, net = faulty_for(kinds)
    neuron = int(layout(net, net.core_params()).neurons[0])

    def when_inhibited(core: ModelCore, _words: Words) -> None:
        core.theta[neuron] += int(core.i_syn[neuron] < 0)

    broken(None, when_inhibited)
    small = kinds.with_name("small.npz")
    compared(kinds, "model:", url, shrink=small)
    shrunk, _ = load(small)
    its = {each.name: (each.constant, each.itself, each.delay) for each in shrunk.projections}
    assert its["inhibition"] == (-60, False, 0)
    assert all(delay == 0 for _, _, delay in its.values())


# --- bias events ----------------------------------------------------------------------------------

BIASED = "faulty://?params=tiny,bias_events=1"


@pytest.fixture
def driven(net: Path) -> Path:
    network, stimulus = load(net)
    assert stimulus is not None
    rows = [(tick, tick % 8, 10 * tick - 200) for tick in range(0, TICKS, 2)]
    save(net, network, stimulus.spikes, TICKS, rows)
    return net


def test_a_stimulus_with_bias_events_is_compared_with_the_ideal_network(driven: Path) -> None:
    figures = compared(driven, "model:", "model://?params=tiny,bias_events=1", "float:")
    assert figures["first_difference"] is None
    ideal, model = figures["targets"]["float:"], figures["targets"]["model:"]
    assert ideal["spikes"] > 50
    assert model["within_one_tick_of_float"] > 0.9


def test_a_target_that_misses_a_bias_is_named_and_shrunk_to_that_bias(
    driven: Path, broken: Break
) -> None:
    def misses(core: ModelCore, _words: Words) -> None:
        core.bias[core.bias == 100] = 99  # that of tick 30, for neuron 6

    broken(None, misses)
    small = driven.with_name("small.npz")
    arguments = ["--on", "model:", "--params", "tiny,bias_events=1", "--on", BIASED]
    done = spiketwin(driven, *arguments, "--shrink", small)
    assert done.exit_code == 1, done.output
    network, left = load(small)
    assert left is not None
    assert "1 bias events" in done.output
    assert left.biases[:, 2].tolist() == [100]
    assert len(left.spikes) == 0
    figures = compared(small, "model:", BIASED, params="tiny,bias_events=1")
    assert figures["first_difference"]["field"] == "v"


def test_a_bias_keeps_its_neuron_when_populations_are_shrunk_away(
    tmp_path: Path, broken: Break
) -> None:
    net = Network(n_axons=4)
    first, second = net.population(6, threshold=90), net.population(3, threshold=9000)
    net.project(net.axons, first, weights=np.full((4, 6), 30))
    sizes = described(net.core_params(bias_events=True))
    path, small = tmp_path / "net.npz", tmp_path / "small.npz"
    save(path, net, [(3, 1), (5, 2)], 20, [(4, 2, 11), (6, 8, 70), (9, 7, 12)])

    def misses(core: ModelCore, _words: Words) -> None:
        core.bias[core.bias == 70] = 69

    broken(None, misses)
    url = f"faulty://?params={sizes}"
    arguments = ["--on", "model:", "--params", sizes, "--on", url, "--shrink", str(small)]
    done = spiketwin(path, *arguments)
    assert done.exit_code == 1, done.output
    network, left = load(small)
    assert left is not None
    assert [each.size for each in network.populations] == [len(second)]
    assert left.biases[:, 1:].tolist() == [[2, 70]]


def test_nothing_is_shrunk_where_nothing_differs(net: Path) -> None:
    small = net.with_name("small.npz")
    done = spiketwin(net, "--on", "model:", "--on", "model:", "--shrink", small)
    assert done.exit_code == 0
    assert not small.exists()
    assert f"--shrink: no two targets but float: differ, so {small} is not written" in done.output


def test_one_target_is_held_against_the_ideal_network_alone(net: Path) -> None:
    done = spiketwin(net, "--on", "model:", "--on", "float:")
    assert done.exit_code == 0
    assert "ONE TARGET  Held against float:" in done.output


# --- waves ---------------------------------------------------------------------------------------


def values_of(vcd: Path, name: str) -> set[int]:
    """All values that a signal of the core has in a VCD file."""
    text = vcd.read_text()
    inside = text[text.index("$scope module core $end") :]
    found = re.search(rf"\$var \w+ +\d+ (\S+) {name} \[", inside)
    assert found is not None
    changes = re.findall(rf"^b([01]+) {re.escape(found[1])}$", text, re.MULTILINE)
    return {int(bits, 2) for bits in changes}


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_signals_around_a_difference_are_written(net: Path, broken: Break) -> None:
    broken(20, more("v", 3))
    vcd = net.with_name("waves.vcd")
    done = spiketwin(net, "--on", FAULTY, "--on", "rtl:", "--waves", vcd)
    assert done.exit_code == 1, done.output
    assert values_of(vcd, "tick") == {19, 20, 21, 22}  # the last one has not begun
    shown = vcd.with_suffix(".gtkw").read_text()
    assert '[dumpfile] "waves.vcd"' in shown
    names = [line.rpartition(".")[2] for line in shown.splitlines() if ".core.neurons." in line]
    assert {"spike_mask[1:0]", "v_next_0[15:0]"} <= set(names)
    header, _, _ = vcd.read_text().partition("$enddefinitions")
    declared = {"".join(name) for name in re.findall(r"(\S+) *(\[\d+:\d+\])? \$end", header)}
    assert set(names) <= declared
    # GTKWave opens no file that has such a name.
    assert not [name for name in declared if ":" in name.partition("[")[0]]
    times = [int(time) for time in re.findall(r"^#(\d+)$", vcd.read_text(), re.MULTILINE)]
    (begin,) = re.findall(r"\[timestart\] (\d+)", shown)
    (mark,) = re.findall(r"^\*-\d+\.\d+ (\d+)$", shown, re.MULTILINE)
    assert times[0] < int(begin) < int(mark) < times[-1]


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_unit_of_digests_is_shown_at_work(net: Path, broken: Break) -> None:
    def garble(_core: ModelCore, words: Words) -> None:
        words[of_kind(words, Word.DIGEST_LOW)] ^= 1

    broken(20, garble)
    vcd = net.with_name("waves.vcd")
    faulty = f"faulty://?params={OPTIONS}"
    done = spiketwin(net, "--on", faulty, "--on", "rtl:", "--params", OPTIONS, "--waves", vcd)
    assert done.exit_code == 1, done.output
    assert ": digest is " in done.output
    shown = vcd.with_suffix(".gtkw").read_text()
    assert "-digest\n" in shown
    assert ".core.digest." in shown and ".core.neurons." not in shown
    written = vcd.read_text()
    reported = re.search(r"\$var wire +1 (\S+) reported_1 \$end", written)
    assert reported is not None
    assert f"\n1{reported[1]}\n" in written  # it is at work: a digest is told


# --- the ideal network -------------------------------------------------------------------------


def test_the_ideal_network_is_never_expected_to_be_equal(net: Path) -> None:
    figures = compared(net, "model:", "float:", params="tiny")
    target = figures["targets"]["model:"]
    assert target["equal_to"] == {}
    assert 0.5 < target["same_tick_as_float"] <= target["within_one_tick_of_float"] <= 1
    assert target["parts_from_float_at_tick"] > 0
    assert figures["targets"]["float:"]["equal_to"] == {}
    assert figures["targets"]["float:"]["spikes"] > 0


def test_how_far_a_target_is_off_and_what_limits_it_is_told(net: Path, broken: Break) -> None:
    network, stimulus = load(net)
    assert stimulus is not None
    opened = Case.of(network, preset("tiny"), stimulus.spikes, TICKS).open_loop()
    with connect("model:", params=opened.params) as core:
        near = in_open_loop(opened, opened.run_on(core, every=3))
    limited = limits(opened)
    broken(7, more("v", 3))
    figures = compared(net, "model:", "float:", FAULTY)
    target = figures["targets"]["model:"]
    assert (target["missing"], target["extra"]) == (near.match.missing, near.match.extra)
    assert target["drift"] == {"unit": "units"} | {
        name: values.tolist() for name, values in vars(near.drift).items()
    }
    assert target["drift"]["after"] == [*range(3, TICKS, 3), TICKS]
    assert target["limited_by"] == limited.worst == "decay rounding"
    # Too small for the open loop, and no simulated one of ours: nothing is said of it.
    faulty = figures["targets"][FAULTY]
    assert [faulty[name] for name in ("missing", "extra", "drift", "limited_by")] == [None] * 4
    # Whole numbers are what is meant, so of what is rounded before a run there is nothing to lift.
    assert figures["limits"]["exact"] == ["weights", "neuron parameters", "learning rule"]
    lifted = {each["rounding"]: each for each in figures["limits"]["lifted"]}
    assert list(lifted) == ["decay codes", "decay rounding", "widths", "weight steps"]
    assert {name: each["same_tick"] for name, each in lifted.items()} == {
        name: each.same_tick_share for name, each in limited.lifted.items()
    }
    assert figures["limits"]["all_kept"] == {
        "within_one_tick": target["within_one_tick_of_float"],
        "same_tick": target["same_tick_as_float"],
        "missing": target["missing"],
        "extra": target["extra"],
    }


def test_roundings_do_not_explain_a_target_that_is_wrong(net: Path, broken: Break) -> None:
    def fall(core: ModelCore, _words: Words) -> None:
        core.threshold[5] = 0

    broken(None, fall)
    figures = compared(net, f"{FAULTY},n_axons=16", "float:")
    assert figures["targets"][f"{FAULTY},n_axons=16"]["extra"] > 0
    assert figures["targets"][f"{FAULTY},n_axons=16"]["limited_by"] is None
    assert figures["limits"]["lifted"]


def test_the_terminal_tells_what_limits_a_preset() -> None:
    done = spiketwin("--preset", "chain", "--ticks", "300", "--on", "model:", "--on", "float:")
    assert done.exit_code == 0, done.output
    assert re.search(r"^ limited by +weights +– *$", done.output, re.MULTILINE), done.output
    assert re.search(r"^ missing, extra \(open loop\) +0, 0 ", done.output, re.MULTILINE)
    assert re.search(r"^ v off at the end \(mV, open loop\) +0\.\d+ ", done.output, re.MULTILINE)


@pytest.mark.parametrize(
    ("urls", "digests"),
    [
        (("model:", "model:"), True),
        (("model:", "float:"), False),  # nothing to compare with
    ],
)
def test_digests_are_told_where_targets_were_compared_by_them(
    urls: tuple[str, ...], digests: bool, net: Path
) -> None:
    assert compared(net, *urls, params="tiny,digest_rounds=1")["digests"] is digests
    assert compared(net, *urls, params="tiny")["digests"] is False


def test_a_preset_brings_its_own_stimulus(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = spiketwin(
        "--preset", "fi-curve", "--on", "model:", "--on", "float:", "--ticks", "200", "--json", file
    )
    assert done.exit_code == 0, done.output
    figures = json.loads(file.read_text())
    assert figures["ticks"] == 200
    assert figures["targets"]["model:"]["within_one_tick_of_float"] > 0.99


# --- wrong calls -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--on", "model:"], "give --on twice"),
        (["--on", "float:"], "nothing to compare float: with"),
        (["--on", "float:", "--on", "float:", "--on", "model:"], "given twice"),
        (["--on", "model:", "--on", "model:", "--preset", "chain"], "not both"),
        (["--on", "model:", "--on", "nonsense"], "cannot be opened"),
        (["--on", "model:", "--on", "model:", "--shrink", "small.txt"], "must end with .npz"),
        (["--on", "model:", "--on", "model:", "--params", "huge"], "no reference size"),
        (["--on", "model:", "--on", "model:", "--waves", "w.vcd"], "needs a simulated RTL"),
    ],
)
def test_a_wrong_call_ends_with_status_2_and_a_way_out(
    arguments: list[str], said: str, net: Path
) -> None:
    done = spiketwin(net, *arguments)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("command", bulk_but([SWEEP], [["compare"], SWEEP]))
def test_a_preset_is_not_played_past_its_stimulus(command: list[str]) -> None:
    call = [*command, "--preset", "fi-curve", "--on", "model:", "--on", "model:", "--ticks"]
    done = CliRunner().invoke(main, [*call, "5000"])
    assert done.exit_code == 2
    assert "ticks must be in 1…1,000 for the preset fi-curve, not 5,000" in done.output
    assert CliRunner().invoke(main, [*call, "1000"]).exit_code == 0


def test_a_preset_takes_no_spikes(net: Path) -> None:
    done = spiketwin("--preset", "chain", "--on", "model:", "--on", "model:", "--spikes", net)
    assert done.exit_code == 2
    assert "a stimulus of its own" in done.output


def test_a_core_too_small_for_a_preset_is_refused_with_sizes_that_do() -> None:
    done = spiketwin("--preset", "chain", "--on", "model:", "--on", "model:", "--params", "tiny")
    assert done.exit_code == 2
    sizes = re.search(r"holds it with --params (\S+)", done.output.replace("\n", " "))
    assert sizes is not None
    done = spiketwin(
        "--preset",
        "chain",
        "--on",
        "model:",
        "--on",
        "model:",
        "--params",
        sizes[1],
        "--ticks",
        "5",
    )
    assert done.exit_code == 0, done.output


def test_the_network_is_not_written_over(net: Path) -> None:
    done = spiketwin(net, "--on", "model:", "--on", "model:", "--shrink", net)
    assert done.exit_code == 2
    assert "are the same file" in done.output
