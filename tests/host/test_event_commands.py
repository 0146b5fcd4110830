"""Commands that take events: convert, run and compare, and what run draws and writes of times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pytest
from click.testing import CliRunner, Result
from support import event_files

from spiketwin.host import Network
from spiketwin.host.cli import main
from spiketwin.host.events import Events, read, to_ticks
from spiketwin.host.files import save


def spiketwin(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def events() -> Events:
    rng = np.random.default_rng(6)
    t, (x, y) = np.sort(rng.integers(0, 20_000, 300)), rng.integers(0, 4, (2, 300))
    return Events(t=t, x=x, y=y, polarity=rng.integers(0, 2, 300), size=(4, 4))


@pytest.fixture(autouse=True)
def _files(events: Events, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording whose name says nothing, and a network with an axon for each of its pixels."""
    monkeypatch.chdir(tmp_path)
    Path("recording").write_bytes(event_files.dat(events, "% width 4\n% height 4\n"))
    net = Network.random(32, 16, seed=5)
    save("net.npz", net)


def test_convert_writes_what_it_read(events: Events) -> None:
    for name in ("made.csv", "made.npz"):
        done = spiketwin("convert", "recording", name, "--json", "figures.json")
        assert done.exit_code == 0, done.output
        found = read(name, size=(4, 4))
        for key, array in events.arrays().items():
            np.testing.assert_array_equal(found.arrays()[key], array)
    figures = json.loads(Path("figures.json").read_text())
    assert figures == {
        "format": "Prophesee .dat", "events": 300, "microseconds": int(events.t[-1]),
        "size": [4, 4], "units": None, "label": None, "remarks": [], "binned": None,
    }  # fmt: skip


def test_convert_writes_ticks_that_run_takes(events: Events) -> None:
    wanted = to_ticks(events, 0.001, pool=2, crop=(0, 0, 4, 3))
    for name in ("made.npy", "made.csv"):
        done = spiketwin(
            "convert", "recording", name, "--dt", "0.001", "--pool", "2", "--crop", "0,0,4,3",
            "--json", "figures.json",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        assert spiketwin("run", "net.npz", "--on", "model:", "--spikes", name).exit_code == 0
    np.testing.assert_array_equal(np.load("made.npy"), wanted.rows)
    binned = json.loads(Path("figures.json").read_text())["binned"]
    assert binned == {
        "dt": 0.001, "ticks": wanted.ticks, "n_axons": 8, "events": len(wanted.rows),
        "shared": wanted.shared, "left_out": wanted.left_out,
    }  # fmt: skip


def test_run_takes_events_as_the_host_does(events: Events) -> None:
    done = spiketwin(
        "run", "net.npz", "--on", "model:", "--events", "recording", "--dt", "1e-3",
        "--output", "one.npz",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    ticks = to_ticks(events, 1e-3)
    assert f"recording: 300 events of 300 (Prophesee .dat); {ticks.shared} share" in done.stderr
    np.save("rows.npy", ticks.rows)
    arguments = ["--spikes", "rows.npy", "--output", "other.npz"]
    assert spiketwin("run", "net.npz", "--on", "model:", *arguments).exit_code == 0
    with np.load("one.npz") as one, np.load("other.npz") as other:
        assert len(one["spikes"]) > 10
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_shorter_run_leaves_later_events_out() -> None:
    arguments = ["--events", "recording", "--dt", "0.001", "--ticks", "5", "--json", "figures.json"]
    done = spiketwin("run", "net.npz", "--on", "model:", *arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(Path("figures.json").read_text())["ticks"] == 5


def test_compare_takes_events() -> None:
    arguments = ["--events", "recording", "--dt", "0.001", "--json", "figures.json"]
    done = spiketwin("compare", "net.npz", "--on", "model:", "--on", "model:", *arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(Path("figures.json").read_text())["ticks"] == 20


def test_spikes_are_written_in_microseconds() -> None:
    for name in ("spikes.csv", "spikes.npz", "spikes.nix"):
        done = spiketwin(
            "run", "net.npz", "--on", "model:", "--ticks", "40", "--dt", "0.0005",
            "--spikes-to", name, "--output", "run.npz",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        with np.load("run.npz") as run:
            np.testing.assert_array_equal(to_ticks(read(name), 0.0005).rows, run["spikes"])


@pytest.mark.parametrize("dt", [None, 0.0005])
def test_spikes_and_potentials_are_drawn_over_ticks_or_milliseconds(
    dt: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Any] = []
    save_figure = matplotlib.figure.Figure.savefig

    def kept(figure: Any, *arguments: Any, **others: Any) -> None:
        figures.append(figure)
        save_figure(figure, *arguments, **others)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", kept)
    done = spiketwin(
        "run", "net.npz", "--on", "model:", "--ticks", "40", "--plot", "run.png",
        "--plot-v", "3,1", "--output", "run.npz", *([] if dt is None else ["--dt", str(dt)]),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert Path("run.png").stat().st_size > 1000
    (figure,) = figures
    above, below = figure.get_axes()
    scale = 1 if dt is None else 0.5
    with np.load("run.npz") as run:
        (spikes,) = below.get_lines()
        np.testing.assert_allclose(spikes.get_xdata(), run["spikes"][:, 0] * scale)
    assert [line.get_label() for line in above.get_lines()] == ["neuron 3", "neuron 1"]
    np.testing.assert_allclose(above.get_lines()[0].get_xdata(), np.arange(40) * scale)
    assert below.get_xlabel() == ("tick" if dt is None else "time in ms")


RUN = ["run", "net.npz", "--on", "model:"]
EVENTS = ["--events", "recording"]
COMPARE = ["compare", "--on", "model:", "--on", "rtl:"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ([*RUN, *EVENTS], "--events needs --dt"),
        ([*RUN, *EVENTS, "--dt", "0"], "--dt"),
        ([*RUN, "--ticks", "3", "--dt", "nan", "--plot", "a.png"], "dt must be above 0"),
        ([*RUN, "--ticks", "3", "--dt", "inf", "--plot", "a.png"], "dt must be above 0"),
        ([*RUN, *EVENTS, "--dt", "0.001", "--size", "5x5"], "its size is (4, 4)"),
        ([*RUN, *EVENTS, "--dt", "0.001", "--pool", "two"], "COLUMNSxROWS"),
        ([*RUN, "--pool", "2", "--ticks", "3"], "--pool goes with --events"),
        ([*RUN, *EVENTS, "--dt", "0.001", "--spikes", "rows.npy"], "not both"),
        ([*RUN, "--ticks", "3", "--spikes-to", "a.csv"], "needs --dt"),
        ([*RUN, "--ticks", "3", "--dt", "0.1", "--spikes-to", "a.txt"], "must end with .csv"),
        ([*RUN, "--ticks", "3", "--plot-v", "1"], "--plot-v goes with --plot"),
        ([*RUN, "--ticks", "3", "--plot", "a.png", "--plot-v", "99"], "0…15"),
        ([*RUN, *EVENTS, "--dt", "0.001", "--plot", "recording"], "must end with .png"),
        (["convert", "recording", "made.txt"], "must end with .csv, .npz, .nix"),
        (["convert", "recording", "made.npz", "--dt", "1"], "must end with .csv or .npy"),
        (["convert", "recording", "made.npz", "--pool", "2"], "--pool is for ticks of axons"),
        (["convert", "recording", "made.nix"], "no spike trains"),
        (["convert", "recording", "recording"], "same file"),
        (["convert", "net.npz", "made.csv"], "spiketwin run"),
        ([*COMPARE, "--preset", "balanced", *EVENTS, "--dt", "1"],
         "goes with NET"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_named_and_nothing_is_written(call: list[str], message: str) -> None:
    np.save("rows.npy", [(0, 0)])
    before = sorted(Path().iterdir())
    done = spiketwin(*call)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.split())
    assert sorted(Path().iterdir()) == before


def test_events_for_more_axons_than_there_are_name_the_way_out() -> None:
    save("small.npz", Network(n_axons=31, n_neurons=8))
    done = spiketwin("run", "small.npz", "--on", "model:", *EVENTS, "--dt", "0.001")
    assert done.exit_code == 2
    assert "events for 32 axons, and the network has 31: pool" in " ".join(done.stderr.split())
