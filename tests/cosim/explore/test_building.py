"""Builds of the front: beside the estimates, kept, and what becomes of those that fail."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.cores import SMALL

from spiketwin.cosim.explore import building
from spiketwin.firmware.build import Build, TimingMissed, TooBig
from spiketwin.firmware.plan import Plan
from spiketwin.hdl.builds import BuildError
from spiketwin.host import Network
from spiketwin.host.cli import main
from spiketwin.host.files import save


@pytest.fixture
def network(tmp_path: Path) -> Path:
    weights = np.random.default_rng(2).integers(4, 48, (16, 8))
    net = Network(n_axons=8, n_neurons=8, weights=weights, threshold=np.full(8, 100))
    spikes = np.argwhere(np.random.default_rng(1).random((20, 8)) < 0.3)
    save(tmp_path / "net.npz", net, spikes, ticks=20)
    return tmp_path / "net.npz"


class Tools:
    """A stand-in for Yosys and nextpnr, which takes no time."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = False

    def __call__(self, plan: Plan) -> Build:
        name = plan.target.board.name
        self.ran.append(f"{name} {plan.params.lanes} at {plan.clock_hz}")
        used = {kind: {"used": 10 * plan.params.lanes, "available": 99} for kind in KINDS}
        figures = {**used, "fmax_mhz": 40.0, "target_mhz": 50.0, "origin": "said by a stand-in"}
        if self.broken:
            raise BuildError("the tool ended with status 9\nand much more")
        if plan.clock_hz == 60_000_000:
            raise TooBig("it does not fit: 300 of 200 logic\nand much more")
        made = Build(folder=Path(), figures=figures, bitstream=None)
        if plan.clock_hz == 50_000_000:
            raise TimingMissed("good for 40.0 MHz only", made)
        return made


KINDS = ("logic", "memory", "dsp")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    found = Tools()
    monkeypatch.setattr(building, "build", found)
    return found


def explored(network: Path, *more: str) -> tuple[int, str, dict[str, Any]]:
    file = network.with_name("found.json")
    words = ("--minimise", "bit_budget", "--json", str(file))
    done = CliRunner().invoke(main, ["explore", str(network), *words, "--build", *more])
    said = " ".join(done.output.split())
    return done.exit_code, said, json.loads(file.read_text()) if file.exists() else {}


def test_what_is_built_stands_beside_what_is_estimated(network: Path, tools: Tools) -> None:
    page = network.with_name("page.html")
    varied = ("--vary", "board=ulx3s_85f", "--vary", "lanes=2", "--vary", "clock=25M")
    status, said, found = explored(network, *varied, "--report", str(page))
    assert status == 0, said
    assert tools.ran == ["ulx3s_85f 2 at 25000000"]
    (trial,) = found["trials"]
    built = trial["built"]
    assert {name: built[name]["built"] for name in ("logic", "memory", "multipliers")} == {
        "logic": 20, "memory": 20, "multipliers": 20,
    }  # fmt: skip
    assert built["max_clock"]["built"] == 40e6
    assert 1000 < built["logic"]["estimated"] < 10_000
    assert built["multipliers"]["estimated"] > 1
    assert built["origin"] == "said by a stand-in"
    assert "failed" not in built
    assert "Built: estimated, and reported" in said
    assert "said by a stand-in" in said
    assert "Builds of the front" in page.read_text()


@pytest.mark.bulk
def test_cores_that_fail_are_named_and_what_is_known_is_not_built_again(
    network: Path, tools: Tools
) -> None:
    varied = ("--vary", "board=ulx3s_85f", "--vary", "lanes=2", "--vary", "clock=25M,50M,60M")
    more = (*varied, "--store", str(network.with_name("store.sqlite")))
    tools.broken = True
    status, said, found = explored(network, *more)
    assert status == 1
    assert "NOT BUILT" in said
    built = [found["trials"][place]["built"] for place in found["front"]]
    assert {each["failed"] for each in built} == {"the tool ended with status 9"}
    assert {each["origin"] for each in built} == {None}

    tools.broken = False
    tools.ran.clear()
    status, said, found = explored(network, *more)
    assert status == 1
    good, slow, large = (trial["built"] for trial in found["trials"])
    assert found["front"] == [0, 1, 2]
    assert len(tools.ran) == 3
    assert "failed" not in good
    assert (slow["failed"], slow["logic"]["built"]) == ("good for 40.0 MHz only", 20)
    assert large["failed"] == "it does not fit: 300 of 200 logic"
    assert large["logic"]["built"] is None
    assert "2 of 3 trials, the first one" in said

    assert explored(network, *more) == (status, said, found)
    assert len(tools.ran) == 3


def test_what_cannot_be_built_is_refused_before_the_search(network: Path, tools: Tools) -> None:
    status, said, _ = explored(network, "--vary", "lanes=2")
    assert status == 2
    assert "--build needs a board: add --vary board=NAME" in said
    script = network.with_name("mine.py")
    script.write_text("def trial(a):\n    return {'tick_cycles': (a, 'computed')}\n")
    status, said, _ = explored(script, "--vary", "a=1", "--minimise", "tick_cycles")
    assert status == 2
    assert "returns figures, and no core to build" in said
    assert tools.ran == []


@pytest.mark.board
@pytest.mark.bulk
def test_a_small_core_is_built(network: Path) -> None:
    # It is the core of tests/firmware/test_images.py, and built once.
    sizes = f"{SMALL.removeprefix('tiny,')},lanes=2,spike_queue_depth=128,learning=0"
    varied = [
        f"--vary={size}" for size in (*sizes.split(","), "board=ice40_hx8k_b_evn", "clock=48M")
    ]
    status, said, found = explored(network, *varied)
    assert status == 0, said
    (trial,) = found["trials"]
    built = trial["built"]
    assert abs(built["logic"]["estimated"] / built["logic"]["built"] - 1) < 0.1
    assert built["memory"]["estimated"] == built["memory"]["built"]
    assert built["origin"].startswith("estimated by nextpnr's static timing analysis after routing")
