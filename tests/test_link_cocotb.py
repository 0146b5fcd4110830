"""The whole device in the simulator against the model, byte for byte: at its pins, and behind."""

import os
import secrets
from pathlib import Path

import pytest

from spiketwin.cosim.testbenches import link_bench, pins_bench, runner
from spiketwin.hdl.spec.params import preset

PARAMS = preset("tiny")
SEED = int(os.environ.get("SPIKETWIN_SEED", 0 if os.environ.get("CI") else secrets.randbits(31)))


@pytest.mark.parametrize("name", link_bench.bench.names)
def test_bytes_are_answered_as_the_model_does(name: str, tmp_path: Path) -> None:
    folder = runner.simulator("BytesTop", PARAMS)
    test = f"{link_bench.__name__}.{name}"
    runner.run(folder, "BytesTop", PARAMS, test, seed=SEED, results=tmp_path)


@pytest.mark.parametrize("name", pins_bench.bench.names)
def test_the_wires_are_answered_as_the_model_does(name: str, tmp_path: Path) -> None:
    folder = runner.simulator("PinsTop", PARAMS)
    test = f"{pins_bench.__name__}.{name}"
    runner.run(folder, "PinsTop", PARAMS, test, seed=SEED, results=tmp_path)
