"""The examples: each is short, does what its page says, and draws the picture of the page."""

import contextlib
import io
import math
import os
import pickle
import re
import runpy
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from matplotlib.axes import Axes
from matplotlib.collections import EventCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image
from support.checkout import ROOT
from support.rungs import bulk_but

from spiketwin.firmware.board import board
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.arithmetic import decay, decay_code
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network

EXAMPLES = ROOT / "examples"
PAGE = (EXAMPLES / "README.md").read_text()
SECTION = re.compile(
    r"^```sh\n\.venv/bin/python examples/(?P<name>\w+)\.py\n```\n\n"
    r"!\[[^\]]+\]\(images/(?P<picture>\w+)\.png\)\n"
    r".*?^```text\n(?P<prints>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
SHOWN = {section["name"]: section for section in SECTION.finditer(PAGE)}
NAMES = [
    "fi_curve",
    "stdp",
    "my_board",
    "my_target",
    "real_time",
    "synfire",
    "winner",
    "motion",
    "digits",
    "events",
    "superneuromat_stdp",
    "nir_digits",
    "pynn_balanced",
    "explore_digits",
    "explore_pynn",
]
SHORT = [name for name in NAMES if name not in ("nir_digits", "explore_digits")]


@dataclass(frozen=True)
class Done:
    """What an example printed and drew."""

    prints: str
    figure: Figure
    folder: Path

    def axes(self, number: int) -> Axes:
        return self.figure.axes[number]

    def line(self, axes: int, label: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """The data of a line by its label in the legend."""
        (line,) = [each for each in self.axes(axes).get_lines() if each.get_label() == label]
        return points(line)


def points(line: Line2D) -> tuple[NDArray[Any], NDArray[Any]]:
    """The data of a line."""
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def run_example(name: str, folder: Path, *targets: str, scripts: Path = EXAMPLES) -> Done:
    """Run an example in a folder, as its page says, and keep the figure that it saves."""
    figures: list[Figure] = []
    save = Figure.savefig

    def kept(figure: Figure, *args: Any, **kwargs: Any) -> None:
        figures.append(figure)
        save(figure, *args, **kwargs)

    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(printed),
    ):
        patch.setattr(Figure, "savefig", kept)
        patch.setattr(sys, "argv", [f"{name}.py", *targets])
        runpy.run_path(str(scripts / f"{name}.py"), run_name="__main__")
    (figure,) = figures
    return Done(printed.getvalue(), figure, folder)


class Examples:
    """The examples, each run when it is first asked for, in a folder of its own.

    All processes of a run of the tests share what an example has done: it is run by one of them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Done:
        folder = self._folder / name
        kept = self._folder / f"{name}.pickle"
        with FileLock(self._folder / f"{name}.lock"):
            if not kept.exists():
                folder.mkdir()
                kept.write_bytes(pickle.dumps(run_example(name, folder)))
        done: Done = pickle.loads(kept.read_bytes())
        return done


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes
    shared = folder / "examples"
    shared.mkdir(exist_ok=True)
    return Examples(shared)


# --- the page -----------------------------------------------------------------------------------


def test_every_script_is_on_the_page_and_short() -> None:
    assert list(SHOWN) == NAMES
    for file in EXAMPLES.glob("*.*"):
        assert f"({file.name})" in PAGE or file.stem in SHOWN or file.name == "README.md"
    for file in EXAMPLES.glob("*.py"):
        assert len(file.read_text().splitlines()) < 60, file


def test_every_picture_is_drawn_by_a_script() -> None:
    assert {file.stem for file in (EXAMPLES / "images").iterdir()} == set(NAMES)
    assert [section["picture"] for section in SHOWN.values()] == NAMES


@pytest.mark.parametrize("name", bulk_but(SHORT, NAMES))
def test_an_example_prints_what_its_page_says(name: str, done: Examples) -> None:
    assert done[name].prints == SHOWN[name]["prints"]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_names_the_command_that_runs_it(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert f"``python {shlex.quote(f'examples/{name}.py')}``" in text


def pixels(path: Path) -> NDArray[np.float64]:
    """A picture in grey, an eighth as large: as it looks from some way off."""
    image = Image.open(path).convert("L")
    return np.asarray(image.resize((image.width // 8, image.height // 8)), np.float64)


@pytest.mark.parametrize("name", bulk_but(SHORT, NAMES))
def test_an_example_draws_the_picture_of_the_page(name: str, done: Examples) -> None:
    drawn, shown = (
        pixels(folder / f"{name}.png") for folder in (done[name].folder, EXAMPLES / "images")
    )
    assert drawn.shape == shown.shape
    # Another release of matplotlib sets letters otherwise, and nothing else.
    assert np.abs(drawn - shown).mean() < 1.0, "copy the new picture to examples/images"


def test_another_picture_is_seen() -> None:
    one, other = (pixels(EXAMPLES / f"images/{name}.png") for name in ("fi_curve", "stdp"))
    assert np.abs(one - other).mean() > 4.0


# --- what each of them found --------------------------------------------------------------------


@pytest.mark.parametrize("number", bulk_but([20], [4, 20, 100]))
def test_the_curve_of_a_neuron_is_that_of_the_oracle(number: int, done: Examples) -> None:
    drawn = done["fi_curve"]
    biases, rates = drawn.line(1, "10,000 ticks of the core")
    net = Network(n_axons=0, n_neurons=8, v_tau=20.0)
    oracle = Oracle(preset("tiny,v_width=24"))
    oracle.register.update(net.register_values(oracle.params))
    rheobase = 1_000_000 * 3196 / 65536
    oracle.threshold, oracle.bias = [1_000_000] * 8, [round(biases[number] * rheobase)] * 8
    oracle.refrac_ticks = [2] * 8
    spikes = [0 in oracle.step([]).spikes for _ in range(10_000)]
    assert rates[number] == sum(spikes) / 10_000
    assert not rates[biases <= 1].any()
    assert rates[biases > 1].all()


def test_the_potential_is_below_the_threshold_and_reset_for_the_refractory_ticks(
    done: Examples,
) -> None:
    _, potential = done["fi_curve"].line(0, "v")
    assert potential.max() < 1
    assert potential[:3] == pytest.approx([0.0927, 0.1808, 0.2647], abs=2e-4)
    resets = np.flatnonzero(potential == 0)
    # The tick of the spike, and two refractory ones, every 17 ticks.
    assert resets.tolist() == [14 + 17 * n + k for n in range(4) for k in range(3)]


def test_the_window_is_the_one_that_was_asked_for(done: Examples) -> None:
    deltas, found = done["stdp"].line(0, "measured")
    wanted = [20 * math.exp(-d / 15) if d >= 0 else -12 * math.exp(d / 30) for d in deltas.tolist()]
    assert deltas.tolist() == list(range(-60, 61))
    assert np.abs(found - wanted).max() <= 0.6
    assert found[60] == 20
    assert found[59] == -12


def test_many_pairs_add_up_until_the_trace_is_full(done: Examples) -> None:
    for a_plus, room, full_after in ((8, "15.0", 12), (20, "6.0", 7)):
        numbers, found = done["stdp"].line(1, f"a_plus {a_plus}: room for {room}")
        wanted = np.cumsum([a_plus * math.exp(-d / 15) for d in range(1, 13)])
        within = numbers <= full_after
        assert np.abs(found - wanted)[within].max() <= 1
        assert len(set(found[~within].tolist())) <= 1


def test_the_board_is_drawn_with_the_pins_of_its_package(done: Examples) -> None:
    drawn = done["my_board"]
    names = runpy.run_path(str(EXAMPLES / "my_board.py"))
    housing = resolve(names["MINE"]).package
    assert housing is not None
    columns, rows = points(drawn.axes(0).get_lines()[0])
    assert {f"{r}{c}" for c, r in zip(columns, rows, strict=True)} == housing.pins
    for label, pin in (("clock, P6", "P6"), ("rx, A9", "A9"), ("tx, B9", "B9")):
        (column,), (row,) = drawn.line(0, label)
        assert f"{row}{column}" == pin
    bars = [bar for bar in drawn.axes(1).patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == [2, 16, 16, 48, 64, 104, 128]


def test_the_board_is_one_that_can_be_built_for() -> None:
    planned = plan(resolve(board(str(EXAMPLES / "my_board.py"))))
    assert planned.max_baud == 3_000_000
    assert planned.clock_hz == 75_000_000
    assert planned.implementation is not None


def test_the_delay_is_waited_for_as_often_as_it_has_to_be(done: Examples) -> None:
    lines = [points(line) for line in done["my_target"].axes(0).get_lines()]
    rates = {int(length[0]): float(rate[0]) for length, rate in lines}
    # A run of a tick is one round trip of 10 ms, in which its requests and answers are.
    assert rates[1] == pytest.approx(100)
    assert rates[2] == pytest.approx(200)
    # A window of seven requests, each with several ticks: many ticks for each round trip.
    assert rates[100] == pytest.approx(100 / (5 * 0.01))
    assert sorted(rates) == [1, 2, 5, 10, 20, 50, 100]


def test_the_sweep_is_drawn_with_what_is_late(done: Examples) -> None:
    drawn = done["real_time"]
    periods, late = drawn.line(0, "ticks that begin late")
    assert periods.tolist() == list(range(100, 1001, 25))
    assert not late[periods >= 801].any()
    assert late[periods < 801].all()
    assert late[0] == 399 / 400
    assert (np.diff(late) <= 0).all()
    _, mean = drawn.line(1, "mean")
    _, longest = drawn.line(1, "longest")
    assert (mean < longest).all()
    assert longest[-1] < 8.01
    assert longest[0] > 300


def test_a_volley_goes_round_the_chain_in_the_time_that_its_delays_take(
    done: Examples,
) -> None:
    (spikes, *_) = done["synfire"].axes(0).get_lines()
    ticks, neurons = points(spikes)
    layers, firsts = neurons // 20, []
    for layer in range(8):
        first = int(ticks[layers == layer].min())
        assert np.count_nonzero((layers == layer) & (ticks < first + 40)) >= 18
        firsts.append(first)
    # A spike arrives 1 + 8 ticks after it, and it takes some until enough have.
    assert all(9 <= gap <= 12 for gap in np.diff(firsts))
    (weak, *_) = done["synfire"].axes(1).get_lines()
    assert points(weak)[0].max() < 30


def test_the_strongest_input_is_alone_with_inhibition(done: Examples) -> None:
    for axes, fewest, most in ((0, 6, 12), (1, 0, 2)):
        ticks, neurons = done["winner"].line(axes, "others")
        for begin in range(100, 1000, 250):
            within = (ticks >= begin) & (ticks < begin + 150)
            assert fewest <= len(set(neurons[within])) <= most
    ticks, neurons = done["winner"].line(1, "strongest input")
    for phase, neuron in enumerate((3, 8, 0, 10)):
        assert set(neurons[ticks // 250 == phase]) == {neuron}


def passes(pace: int) -> list[int]:
    """The ticks in which a point passes eight axons, the first one in tick 0."""
    return [pace * axon if pace >= 0 else -pace * (7 - axon) for axon in range(8)]


def test_a_detector_of_motion_adds_up_what_arrives(done: Examples) -> None:
    drawn, kept = done["motion"], decay_code(2.0)
    for detected in (2, -2, 5, -5):
        paces, highest = drawn.line(1, f"{detected} ticks")
        for pace, peak in zip(paces.tolist(), highest.tolist(), strict=True):
            arrivals = [
                at + later for at, later in zip(passes(pace), passes(-detected), strict=True)
            ]
            assert len(set(arrivals)) == (1 if pace == detected else 8)
            v, reached = 0, 0
            for tick in range(100):
                v = decay(v, kept) + 100 * arrivals.count(tick)
                reached = max(v, reached)
            assert peak == reached


def test_a_detector_of_motion_fires_when_all_spikes_are_there(done: Examples) -> None:
    spikes = [points(line) for line in done["motion"].axes(2).get_lines()[1:8:2]]
    found = [(ticks.tolist(), v.tolist()) for ticks, v in spikes]
    assert found == [([100 * k + 7 * pace], [800]) for k, pace in enumerate((2, 2, 5, 5))]


def test_the_answer_to_a_digit_is_the_highest_potential_drawn(done: Examples) -> None:
    drawn = done["digits"]
    for column, (label, answer) in enumerate(((1, 1), (2, 2), (9, 9), (7, 5))):
        assert drawn.axes(column).get_title() == f"A {label}, answered {answer}"
        last = [drawn.line(8 + column, str(digit))[1][-1] for digit in range(10)]
        assert np.argmax(last) == answer
        ticks, neurons = points(drawn.axes(4 + column).get_lines()[0])
        assert 100 < len(ticks) < 500
        # No output neuron fires.
        assert neurons.max() < 96


def accuracies(prints: str) -> list[float]:
    """The accuracies on test digits that an example prints."""
    return [float(each) for each in re.findall(r"test digits right, (\S+)%", prints)]


def test_the_balanced_network_fires_irregularly_and_as_the_ideal_one(
    done: Examples,
) -> None:
    rate, variation, share = re.findall(r"[\d.]+", done["pynn_balanced"].prints)
    assert 10 < float(rate) < 40
    assert float(variation) > 0.4
    assert float(share) > 99.5
    drawn = done["pynn_balanced"].axes(0).collections
    rows = [each.get_positions() for each in drawn if isinstance(each, EventCollection)]
    assert len(rows) == 200
    assert abs(sum(map(len, rows)) / 200 / 0.6 - float(rate)) < 0.05


@pytest.mark.bulk
def test_the_front_of_the_digits_is_drawn(done: Examples) -> None:
    first, *rows = done["explore_digits"].prints.splitlines()
    trials, best = (int(each) for each in re.findall(r"\d+", first))
    assert (trials, best) == (12, len(rows))
    for axes, columns in ((0, 1), (1, 2)):
        lines = done["explore_digits"].axes(axes).get_lines()
        drawn = sum(len(points(line)[0]) for line in lines if "front" in str(line.get_label()))
        assert drawn == best
        values = [re.findall(r"([\d,.]+)%? (?:right|ticks|nJ)", row) for row in rows]
        shown = sorted(float(each[columns].replace(",", "")) for each in values)
        scale = 1e3 if axes == 0 else 1.0
        found = [scale * x for line in lines if "front" in str(line.get_label())
                 for x in points(line)[0]]  # fmt: skip
        assert np.allclose(sorted(found), shown, atol=0.51)


def test_the_line_decides_how_fast_a_pynn_script_is(done: Examples) -> None:
    slow, fast = (done["explore_pynn"].line(0, name) for name in ("12 MHz", "48 MHz"))
    assert fast[0].tolist() == [500e3, 1e6, 3e6, 6e6, 12e6]
    assert slow[0].tolist() == [500e3, 1e6, 3e6]
    assert all(1 <= ratio < 1.02 for ratio in fast[1][:3] / slow[1])
    assert fast[1][0] < 1000 < fast[1][1]


def test_enough_digits_are_right() -> None:
    assert all(accuracy >= 93 for accuracy in accuracies(PAGE))
    assert len(accuracies(PAGE)) == 2


def right(prints: str) -> list[float]:
    """The accuracies that the example with NIR prints: meant, and held."""
    return [float(each) for each in re.findall(r"(\S+)% of \d+(?: test digits)? right", prints)]


@pytest.mark.bulk
def test_eight_bits_cost_less_than_half_a_point_through_nir(done: Examples) -> None:
    meant, held = right(done["nir_digits"].prints)
    assert meant >= 93
    assert abs(meant - held) <= 0.5


@pytest.mark.bulk
def test_the_spikes_that_are_drawn_are_nearly_those_that_are_meant(done: Examples) -> None:
    raster = done["nir_digits"].axes(1).get_lines()
    meant, held = (set(zip(*points(line), strict=True)) for line in raster)
    assert 100 < len(meant) < 500
    assert len(meant & held) > 0.95 * max(len(meant), len(held))


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_rtl_answers_to_a_graph_of_nir_as_the_model_does(tmp_path: Path) -> None:
    prints = run_example("nir_digits", tmp_path, "rtl:?level=core").prints
    assert right(prints)[1] >= 95
    assert "as double precision answers: 100.0%" in prints


@pytest.mark.rtl
@pytest.mark.bulk
def test_the_rtl_answers_to_each_digit_as_the_model_does(tmp_path: Path) -> None:
    url = "rtl:?level=core"
    prints = run_example("digits", tmp_path, "model:", url).prints
    shown = SHOWN["digits"]["prints"]
    assert prints == shown + shown.replace("model:", url)


@pytest.mark.bulk
def test_weights_that_are_trained_anew_are_as_good(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "digits.py", tmp_path)
    printed = io.StringIO()
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(printed):
        runpy.run_path(str(EXAMPLES / "digits_training.py"), run_name="__main__")
    found = run_example("digits", tmp_path, scripts=tmp_path).prints
    assert min(accuracies(printed.getvalue() + found)) >= 93


def test_the_neurons_of_the_bar_fire_while_it_is_in_their_columns(done: Examples) -> None:
    (spikes,) = done["events"].axes(1).get_lines()
    times, neurons = points(spikes)
    assert neurons.tolist() == [*range(8), *reversed(range(8))]
    for time, neuron in zip(times.tolist(), neurons.tolist(), strict=True):
        steps = np.arange(64)
        columns = np.where(steps < 32, steps, 63 - steps) // 4
        inside = np.flatnonzero(columns == neuron) * 3
        assert (inside <= time).any() and (time - inside[inside <= time] < 6).any()


def test_the_core_learns_what_the_simulator_of_superneuromat_does(done: Examples) -> None:
    drawn = done["superneuromat_stdp"]
    spikes, ours = (points(line) for line in drawn.axes(0).get_lines())
    np.testing.assert_array_equal(spikes, ours)
    weights, learned = drawn.line(1, "simulator"), drawn.line(1, "core")
    np.testing.assert_array_equal(weights, learned)
    assert (weights[1] < weights[0]).any()
    assert (weights[1] > weights[0]).any()
