"""The whole device in the simulator against the model, byte for byte: at its pins, and behind."""

from pathlib import Path

import pytest
from support.rungs import bulk_but

from spiketwin.cosim.testbenches import link_bench, pins_bench, runner
from spiketwin.hdl.spec.params import preset

PARAMS = preset("tiny")


@pytest.mark.parametrize("name", bulk_but(["random_requests"], link_bench.bench.names))
def test_bytes_are_answered_as_the_model_does(name: str, seed: int, tmp_path: Path) -> None:
    folder = runner.simulator("BytesTop", PARAMS)
    test = f"{link_bench.__name__}.{name}"
    runner.run(folder, "BytesTop", PARAMS, test, seed=seed, results=tmp_path)


@pytest.mark.parametrize("name", bulk_but(["rates_and_clocks"], pins_bench.bench.names))
def test_the_wires_are_answered_as_the_model_does(name: str, seed: int, tmp_path: Path) -> None:
    folder = runner.simulator("PinsTop", PARAMS)
    test = f"{pins_bench.__name__}.{name}"
    runner.run(folder, "PinsTop", PARAMS, test, seed=seed, results=tmp_path)
