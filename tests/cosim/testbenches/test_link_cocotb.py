"""The whole device in the simulator against the model, byte for byte: at its pins, and behind."""

from pathlib import Path

import pytest

from spiketwin.cosim.testbenches import link_bench, pins_bench, runner
from spiketwin.hdl.spec.params import preset

PARAMS = preset("tiny")

# In small, tests/cosim/rtl/test_transcripts.py shows the same by the engine.
pytestmark = pytest.mark.bulk


@pytest.mark.parametrize("name", link_bench.bench.names)
def test_bytes_are_answered_as_the_model_does(name: str, seed: int, tmp_path: Path) -> None:
    folder = runner.simulator("BytesTop", PARAMS, whole=False)
    test = f"{link_bench.__name__}.{name}"
    runner.run(folder, "BytesTop", PARAMS, test, seed=seed, results=tmp_path)


@pytest.mark.parametrize("name", pins_bench.bench.names)
def test_the_wires_are_answered_as_the_model_does(name: str, seed: int, tmp_path: Path) -> None:
    folder = runner.simulator("PinsTop", PARAMS, whole=False)
    test = f"{pins_bench.__name__}.{name}"
    runner.run(folder, "PinsTop", PARAMS, test, seed=seed, results=tmp_path)
