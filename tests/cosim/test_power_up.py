"""After its first programming a core does not depend on what its memories held at power-up."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.rtl
@pytest.mark.bulk
@pytest.mark.parametrize("name", ["roomy", "paired"])
def test_so_does_a_core_with_every_option(name: str) -> None:
    """Probes, projections, delays, relays, biases and rules among them."""
    number = list(CORES).index(name)
    for seed in (1, 2, 3):
        sample = Sample.drawn(seed, number)
        with (
            connect("model:", params=sample.params) as model,
            connect(f"{CORE}&power_up={seed}", params=sample.params) as core,
        ):
            assert apart(sample.behaviour(model), sample.behaviour(core)) is None


@pytest.mark.rtl
def test_a_seed_gives_the_same_contents_each_time() -> None:
    found = []
    for url in (f"{CORE}&power_up=1", f"{CORE}&power_up=1", f"{CORE}&power_up=4"):
        with connect(url, params=TINY) as core:
            found.append(core.read_weights())
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


def test_all_seeds_share_one_build_and_without_a_seed_there_is_another() -> None:
    digests = [Design(params=TINY, power_up=seed).digest() for seed in (None, 1, 2)]
    assert digests[0] != digests[1] == digests[2]


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
