"""After its first programming a core does not depend on what its memories held at power-up."""

from __future__ import annotations

import numpy as np
import pytest

from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.trials.verify.samples import CORES, Sample, apart
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Core, Network, connect
from spiketwin.host.errors import TargetError

TINY = preset("tiny")
CORE = "rtl:?level=core"
NETLISTS = ("netlist:?family=ecp5", "netlist:?family=ice40")


def behaviour(core: Core) -> dict[str, object]:
    """What a core does from its first programming on, and what it holds then."""
    core.program(Network.random(8, 8, seed=5))
    spikes = np.argwhere(np.random.default_rng(3).random((60, 8)) < 0.3)
    run = core.run(spikes, 60)
    assert len(run.spikes) > 100
    return {
        "spikes": run.spikes, "cycles": run.cycles, "weights": core.read_weights(),
        "plastic": core.read_plastic(), "registers": core.read_registers(),
        "parameters": core.read_parameters(), **core.read_state(),
    }  # fmt: skip


@pytest.mark.parametrize(
    "url", [CORE, "rtl:?", *(pytest.param(url, marks=pytest.mark.bulk) for url in NETLISTS)]
)
def test_it_does_as_the_model_whatever_it_held(url: str) -> None:
    with connect("model:", params=TINY) as model:
        expected = behaviour(model)
    held = []
    for seed in (1, 2, 3):
        with connect(f"{url}&power_up={seed}", params=TINY) as core:
            held.append(core.read_weights())
            np.testing.assert_equal(behaviour(core), expected)
    # So small a core has its weights in distributed RAM of an ECP5, which the bitstream sets.
    if "ecp5" not in url:
        assert np.count_nonzero(held[0])
        assert (held[0] != held[1]).any()
        assert (held[1] != held[2]).any()


def sampled(name: str, seed: int) -> list[Behaviour]:
    """What the model and the RTL of a core make of a network with any options."""
    sample = Sample.drawn(seed, list(CORES).index(name))
    found = []
    for url in ("model:", f"{CORE}&power_up={seed}"):
        with connect(url, params=sample.params) as core:
            found.append(sample.behaviour(core))
    return found


@pytest.mark.rtl
@pytest.mark.bulk
def test_so_does_a_core_that_wipes_its_weights() -> None:
    for seed in (1, 2, 3):
        assert apart(*sampled("paired", seed)) is None


@pytest.mark.rtl
@pytest.mark.bulk
def test_so_does_one_with_every_option_but_for_the_length_of_ticks() -> None:
    """Probes, projections, delays, relays, biases and rules among them."""
    for seed in (1, 2, 3):
        model, rtl = sampled("roomy", seed)
        np.testing.assert_array_equal(rtl.run.spikes, model.run.spikes)
        np.testing.assert_equal(rtl.held, model.held)


@pytest.mark.rtl
def test_plastic_synapses_are_counted_from_what_a_bitstream_sets() -> None:
    """A core that does not wipe its weights takes all flags to be 0 at power-up.

    If they are not, it does the same in longer ticks where nothing is plastic.
    """
    net = Network.random(8, 8, seed=5)
    net.plastic[:] = False
    spikes = np.argwhere(np.random.default_rng(3).random((60, 8)) < 0.3)
    runs = []
    for url in ("model:", CORE, f"{CORE}&power_up=1"):
        with connect(url, params=TINY) as core:
            core.program(net)
            runs.append(core.run(spikes, 60))
    model, cleared, anything = runs
    np.testing.assert_array_equal(cleared.cycles, model.cycles)
    np.testing.assert_array_equal(anything.spikes, model.spikes)
    assert (anything.cycles >= model.cycles).all()
    assert (anything.cycles > model.cycles).any()


@pytest.mark.rtl
def test_a_seed_gives_the_same_contents_each_time() -> None:
    found = []
    for url in (f"{CORE}&power_up=1", f"{CORE}&power_up=1", f"{CORE}&power_up=4"):
        with connect(url, params=TINY) as core:
            found.append(core.read_weights())
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_one_build_serves_all_seeds_and_none() -> None:
    digests = [Design(params=TINY, power_up=seed).digest() for seed in (None, 1, 2)]
    assert digests[0] == digests[1] == digests[2]


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("x", "power_up must be a number, not 'x'"),
        ("0", "power_up must be in 1…2147483647, not 0"),
        ("2147483648", "power_up must be in 1…2147483647, not 2147483648"),
    ],
)
def test_a_wrong_seed_is_refused(seed: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        connect(f"rtl:?power_up={seed}", params=TINY)
