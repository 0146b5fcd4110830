"""The search for a core: axes, fronts, stores that outlive it, workers that die, its figures."""

import contextlib
import json
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import distributed
import numpy as np
import pandas
import psutil
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from support.populations import random_network

from spiketwin.cosim.compare.accuracy import in_open_loop
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.presets import preset
from spiketwin.cosim.demo.tasks import digits
from spiketwin.cosim.digits.recipe import RECIPE
from spiketwin.cosim.explore.axes import axis
from spiketwin.cosim.explore.evaluation import evaluate
from spiketwin.cosim.explore.front import front
from spiketwin.cosim.explore.objectives import Direction
from spiketwin.cosim.explore.subjects import named, on_core
from spiketwin.firmware.board import board
from spiketwin.hdl.spec.params import described
from spiketwin.hdl.spec.params import preset as preset_sizes
from spiketwin.hdl.spec.variables import POTENTIAL, VECTOR_PARAMETERS
from spiketwin.host import Network, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import save

SCRIPT = """
import os
import time

def trial(a, b):
    with open({log!r}, "a") as file:
        file.write(f"{{a}} {{b}}\\n")
    if not os.path.exists({sign!r}) and a == {deadly}:
        open({sign!r}, "w").close()
        os._exit(7)
    time.sleep({seconds})
    if a == b == 3:
        raise ValueError("three")
    return {{"up": (a * b, "computed"), "down": ((a - 4) ** 2 + b, "measured")}}
"""

PROGRAM = "import sys; from spiketwin.host.cli import main; main(sys.argv[1:])"
AXES = ("--vary", "a=0..7", "--vary", "b=0..5", "--maximise", "up", "--minimise", "down")


class Scripted:
    """A script in a folder, and the log of its trials."""

    def __init__(self, folder: Path, seconds: float = 0.0, deadly: int = -1) -> None:
        self.folder = folder
        self.file = folder / "mine.py"
        self.log = folder / "log"
        sign = folder / "sign"
        self.file.write_text(
            SCRIPT.format(log=str(self.log), sign=str(sign), deadly=deadly, seconds=seconds)
        )

    @property
    def ran(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def words(self, *more: str) -> list[str]:
        return ["explore", str(self.file), *AXES, *more]

    def found(self, *more: str) -> dict[str, Any]:
        file = self.folder / "found.json"
        done = called(*self.words(*more, "--json", str(file)))
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(file.read_text())
        return found


def called(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    net = Network.random(8, 16, seed=2)
    spikes = np.argwhere(np.random.default_rng(1).random((60, 8)) < 0.3)
    save(tmp_path / "net.npz", net, spikes, ticks=60)
    return tmp_path / "net.npz"


# --- axes ----------------------------------------------------------------------------------------


def test_axes_are_read() -> None:
    assert axis("lanes=2,4,8").values == (2, 4, 8)
    assert axis("weight_width=4..8").values == (4, 5, 6, 7, 8)
    assert axis("tick_period=200..600..200,700").values == (200, 400, 600, 700)
    assert axis("clock=12M,0.5k,12000000").values == (12_000_000, 500)
    assert axis("gain=0.25,-1").values == (0.25, -1)
    assert axis("board=icebreaker,ulx3s_25f").values == ("icebreaker", "ulx3s_25f")
    assert not axis("board=icebreaker,2").is_ordered


@pytest.mark.parametrize(
    "text", ["", "lanes", "=4", "lanes=", "lanes=8..4", "a=1..9..0", "a=$(x)", "a=0..5000", "9=1"]
)
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        axis(text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--vary", "lane=2"], "there is no axis 'lane': choose of ticks, juries"),
        (["--vary", "board=iceboard"], "choose of arty_a7_35"),
        (["--vary", "baud=5"], "baud must be a whole number in 9600…50000000, not 5"),
        (["--vary", "clock=fast"], "clock must be a whole number"),
        (["--vary", "lanes=2", "--vary", "lanes=4"], "lanes is varied twice"),
        (["--objective", "speed"], "no direction is known of 'speed': choose of accuracy"),
        (["--minimise", "speed"], "there is no figure 'speed': choose of accuracy"),
        (["--minimise", "accuracy", "--maximise", "accuracy"], "both"),
        (["--at-least", "accuracy"], "write NAME=NUMBER"),
        (["--at-least", "accuracy=nan"], "write NAME=NUMBER"),
        (["--vary", "seed=0..999", "--vary", "clock=1..999"], "more than 100,000"),
    ],
)
def test_a_wrong_call_names_what_is_allowed(words: list[str], says: str) -> None:
    ends = [] if any("mise" in word or "objective" in word for word in words) else ["accuracy"]
    more = ["--objective", *ends] if ends else []
    done = called("explore", "--preset", "digits", *words, *more)
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())


def test_no_objective_and_no_network_are_refused(network: Path) -> None:
    assert "there is no objective" in called("explore", str(network)).output
    assert called("explore", "--objective", "accuracy").exit_code == 2
    assert called("explore", str(network), "--preset", "chain").exit_code == 2
    alone = network.with_name("alone.npz")
    save(alone, Network.random(8, 16, seed=2))
    done = called("explore", str(alone), "--objective", "tick_cycles")
    assert done.exit_code == 2
    assert "has no stimulus: save it with spikes and ticks" in " ".join(done.output.split())
    alone.write_bytes(b"nothing")
    assert called("explore", str(alone), "--objective", "tick_cycles").exit_code == 2


# --- the front -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=30))
def test_the_front_is_what_nothing_beats(rows: list[tuple[int, ...]]) -> None:
    def beats(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        ahead = (one[0] - other[0], other[1] - one[1], one[2] - other[2])
        return min(ahead) >= 0 and max(ahead) > 0

    up, down = Direction.MAXIMISE, Direction.MINIMISE
    expected = [n for n, row in enumerate(rows) if not any(beats(each, row) for each in rows)]
    assert front(np.array(rows, np.float64).reshape(-1, 3), [up, down, up]) == expected


def test_a_grid_has_every_point_and_its_front(tmp_path: Path) -> None:
    script = Scripted(tmp_path)
    found = script.found("--at-most", "down=12")
    assert len(found["trials"]) == 48 == len(script.ran)
    (refused,) = [each for each in found["trials"] if "refused" in each]
    assert refused["params"] == {"a": 3, "b": 3}
    assert "ValueError: three" in refused["refused"]
    trial = found["trials"][48 - 1]
    assert trial["params"] == {"a": 7, "b": 5}
    assert trial["objectives"] == {"up": 35, "down": 14}
    assert trial["origin"] == {"up": "computed", "down": "measured"}
    points = {n: each["objectives"] for n, each in enumerate(found["trials"]) if each["objectives"]}
    within = {n: (each["up"], each["down"]) for n, each in points.items() if each["down"] <= 12}
    front = [
        n
        for n, (up, down) in within.items()
        if not any(u >= up and d <= down and (u, d) != (up, down) for u, d in within.values())
    ]
    assert found["front"] == front
    assert 47 not in front


def test_a_command_makes_its_trial_again(tmp_path: Path) -> None:
    found = Scripted(tmp_path).found()
    again = tmp_path / "again.json"
    trial = found["trials"][found["front"][0]]
    _, *words = shlex.split(trial["command"])
    assert called(*words, "--json", str(again)).exit_code == 0
    assert json.loads(again.read_text())["trials"] == [trial]


def test_the_page_and_the_picture_show_the_front(tmp_path: Path) -> None:
    script = Scripted(tmp_path)
    files = {name: tmp_path / f"found.{name}" for name in ("png", "html")}
    found = script.found("--plot", str(files["png"]), "--report", str(files["html"]))
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    page = files["html"].read_text()
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    shown = unescape(page)
    for place in found["front"]:  # in the drawing, and in the list
        assert shown.count(found["trials"][place]["command"]) == 2
    beaten = [n for n in range(48) if n not in found["front"]]
    assert not any(found["trials"][n]["command"] in shown for n in beaten)
    alone = ("--vary", "a=1", "--vary", "b=1", "--maximise", "up", "--plot", str(files["png"]))
    done = called("explore", str(script.file), *alone)
    assert done.exit_code == 2
    assert "two objectives or more" in done.output


def test_nothing_within_the_bounds_is_a_failed_check(tmp_path: Path) -> None:
    done = called(*Scripted(tmp_path).words("--at-least", "up=36"))
    assert done.exit_code == 1
    assert "NOTHING" in done.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "must have one function of trial and network, not 0"),
        ("def trial(): return {'up': 1}", "must give up as (number, origin)"),
        ("def trial(): return {'up': (float('nan'), 'computed')}", "must give up"),
        ("def trial(): return 3", "must return a dictionary"),
        ("def network(): return 3", "must return a Network, its spikes and a number of ticks"),
        ("raise SystemError('mine')", "cannot be run: SystemError: mine"),
    ],
)
def test_a_script_that_is_wrong_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    name = "tick_cycles" if "network" in text else "up"
    done = called("explore", str(tmp_path / "mine.py"), "--minimise", name)
    assert done.exit_code in (1, 2)
    assert says in " ".join(done.output.split())


# --- searches, stores, workers -------------------------------------------------------------------


def test_a_search_finds_the_same_with_one_process_and_with_two(tmp_path: Path) -> None:
    script = Scripted(tmp_path)
    searched = ("--trials", "30", "--seed", "5", "--at-least", "up=2")
    alone = script.found(*searched)
    assert len(alone["trials"]) == 30 == len(set(script.ran))
    shared = script.found(*searched, "--workers", "2")
    assert shared == alone
    other = script.found("--trials", "30", "--seed", "6", "--at-least", "up=2")
    assert other["trials"] != alone["trials"]


@pytest.mark.bulk
def test_a_search_ends_where_there_are_no_more_points(tmp_path: Path) -> None:
    found = Scripted(tmp_path).found("--trials", "500")
    assert len(found["trials"]) == 48


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    script, store = Scripted(tmp_path), str(tmp_path / "store.sqlite")
    whole = script.found()
    script.log.unlink()
    script.found("--trials", "10", "--store", store)
    assert len(script.ran) == 10
    assert script.found("--store", store) == whole
    assert len(script.ran) == 48 == len(set(script.ran))
    script.file.write_text(script.file.read_text() + "# another one\n")
    script.found("--store", store)
    assert len(script.ran) == 2 * 48


@pytest.mark.bulk
def test_a_search_that_is_killed_goes_on(tmp_path: Path) -> None:
    script, store = Scripted(tmp_path, seconds=0.02), tmp_path / "store.sqlite"
    words = script.words("--trials", "40", "--seed", "1", "--store", str(store))
    for least in (3, 20):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words])
        while len(script.ran) < least:
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = script.found("--trials", "40", "--seed", "1", "--store", str(store))
    again = script.ran
    assert len(set(again)) == 40 <= len(again) <= 40 + 2  # one was under way at each kill
    script.log.unlink()
    assert script.found("--trials", "40", "--seed", "1") == found
    with sqlite3.connect(store) as kept:
        assert kept.execute("SELECT count(*) FROM trials").fetchone() == (40,)


def test_a_worker_that_dies_loses_only_its_trial(tmp_path: Path) -> None:
    script, store = Scripted(tmp_path, deadly=5), tmp_path / "store.sqlite"
    found = script.found("--workers", "2", "--store", str(store))
    assert (tmp_path / "sign").exists()
    assert len(found["trials"]) == 48 == len(set(script.ran)) < len(script.ran)
    with sqlite3.connect(store) as kept:
        assert kept.execute("SELECT count(*) FROM trials").fetchone() == (48,)


@pytest.mark.bulk
def test_workers_and_the_process_that_is_called_are_killed_at_random(tmp_path: Path) -> None:
    """Also while they begin, and all of them at once."""
    script, store, rng = Scripted(tmp_path, seconds=0.1), tmp_path / "store.sqlite", Random(1)
    axes = ("--vary", "a=0..19", "--vary", "b=0..9", *AXES[4:])
    file = tmp_path / "killed.json"
    words = ("explore", str(script.file), *axes, "--store", str(store), "--json", str(file))
    command = [sys.executable, "-c", PROGRAM, *words, "--workers", "3"]
    killed = 0
    for call_too in (True, False):
        process = psutil.Popen(command)
        while process.poll() is None:
            time.sleep(rng.uniform(0.05, 0.7))
            with contextlib.suppress(psutil.Error):
                every = process.children(recursive=True)
                workers = [each for each in every if "workers.child" in " ".join(each.cmdline())]
                for worker in workers if killed == 3 else workers[:1]:
                    if killed < 12:
                        worker.kill()
                        killed += 1
            if call_too and len(script.ran) > 80:
                process.kill()
        process.wait()
    assert killed >= 5
    assert process.returncode == 0
    found = json.loads(file.read_text())
    assert found["given_up"] == []
    assert len(found["trials"]) == 200 == len(set(script.ran)) < len(script.ran)
    with sqlite3.connect(store) as kept:
        assert kept.execute("SELECT count(*) FROM trials").fetchone() == (200,)
    ran = len(script.ran)
    assert called(*words).exit_code == 0
    assert json.loads(file.read_text()) == found
    assert len(script.ran) == ran


DEADLY = """
import os

def trial(a, b):
    if {}:
        os._exit(7)
    return {{"up": (a * b, "computed"), "down": (a, "computed")}}
"""


@pytest.mark.bulk
def test_a_trial_that_ends_every_worker_is_given_up_by_name(tmp_path: Path) -> None:
    script, store = Scripted(tmp_path), tmp_path / "store.sqlite"
    script.file.write_text(DEADLY.format("a == b == 2"))
    file = tmp_path / "found.json"
    more = ("--workers", "2", "--store", str(store), "--json", str(file))
    done = called(*script.words(*more))
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert (
        "GIVEN UP 1 trials, the first one {'a': 2, 'b': 2}: the trial ended its process, 3" in said
    )
    assert "ended with status 7. To see why, spiketwin explore" in said
    found = json.loads(file.read_text())
    (lost,) = found["given_up"]
    assert found["trials"][lost]["params"] == {"a": 2, "b": 2}
    assert found["front"]
    with sqlite3.connect(store) as kept:
        assert kept.execute("SELECT count(*) FROM trials").fetchone() == (47,)
    script.file.write_text(DEADLY.format("False"))
    assert called(*script.words(*more[2:])).exit_code == 0


@pytest.mark.bulk
def test_trials_that_all_end_their_workers_are_all_given_up(tmp_path: Path) -> None:
    script = Scripted(tmp_path)
    script.file.write_text(DEADLY.format("True"))
    file = tmp_path / "found.json"
    done = called(*script.words("--workers", "2", "--json", str(file)))
    assert done.exit_code == 1
    assert "GIVEN UP" in done.output
    found = json.loads(file.read_text())
    assert found["given_up"] == list(range(48))
    assert found["front"] == []


@pytest.mark.bulk
def test_a_cluster_runs_the_trials_and_its_end_is_said(tmp_path: Path) -> None:
    store, file = tmp_path / "store.sqlite", tmp_path / "found.json"
    alone = Scripted(tmp_path).found()
    (tmp_path / "log").unlink()
    script = Scripted(tmp_path, seconds=0.2, deadly=5)
    assert (
        "there is no scheduler at tcp://127.0.0.1:1"
        in called(*script.words("--scheduler", "tcp://127.0.0.1:1")).output
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        address = cluster.scheduler_address
        words = script.words("--scheduler", address, "--store", str(store), "--json", str(file))
        call = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=subprocess.PIPE)
        while len(script.ran) < 10:
            time.sleep(0.05)
            assert call.poll() is None
        pid = next(iter(cluster.workers.values())).pid
        psutil.Process(pid).kill()
        while len(script.ran) < 25:
            time.sleep(0.05)
            assert call.poll() is None
    _, said = call.communicate()
    assert call.returncode == 1
    assert "the scheduler of the workers is gone; with --store, the same call goes on" in str(said)
    ran = len(script.ran)
    found = script.found("--store", str(store), "--workers", "2")
    assert found == alone
    assert ran < len(script.ran) < ran + 48 - 15


def test_what_was_refused_for_one_figure_is_tried_for_another(tmp_path: Path) -> None:
    words = ("explore", "--preset", "fi-curve", "--store", str(tmp_path / "store.sqlite"))
    assert called(*words, "--objective", "disorder").exit_code == 1  # there is no tick period
    first = called(*words, "--objective", "tick_cycles")
    assert first.exit_code == 0, first.output
    assert called(*words, "--objective", "tick_cycles", "--objective", "disorder").exit_code == 1
    assert called(*words, "--objective", "tick_cycles").output == first.output


def test_pandas_reads_a_store(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    Scripted(tmp_path).found("--store", str(store))
    with sqlite3.connect(store) as kept:
        wide = [
            pandas.read_sql(f"SELECT trial, name, value FROM {table}", kept).pivot(
                index="trial", columns="name", values="value"
            )
            for table in ("settings", "figures")
        ]
    table = pandas.concat(wide, axis=1)
    assert len(table) == 48
    assert (table.a * table.b).sum() - 9 == table.up.sum()  # the trial of 3 and 3 was refused


@pytest.mark.parametrize("text", [b"no database", b""])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "other.sqlite"
    file.write_bytes(text)
    if not text:
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE theirs (x)")
    done = called(*Scripted(tmp_path).words("--store", str(file)))
    assert done.exit_code == 2
    assert "no store of trials" in done.output


# --- figures -------------------------------------------------------------------------------------


def value(name: str, point: dict[str, Any], preset_name: str = "balanced") -> float:
    outcome = evaluate(named(preset_name), point, [name])
    assert outcome.refused is None, outcome.refused
    return outcome.figures[name].value


def test_figures_are_those_of_the_other_commands(tmp_path: Path, network: Path) -> None:
    file = tmp_path / "latency.json"
    hardware = ("--clock", "50M", "--baud", "1M")
    params = "full,n_axons=8,n_neurons=16,lanes=4,neuron_lanes=1"
    done = called("latency", str(network), *hardware, "--params", params, "--json", str(file))
    assert done.exit_code == 0, done.output
    (expected,) = json.loads(file.read_text())["points"]
    mine = tmp_path / "mine.json"
    names = ("ticks_per_second", "spike_latency", "line_bytes", "tick_cycles")
    wanted = [word for name in names for word in ("--objective", name)]
    given = ("lanes=4", "neuron_lanes=1", "clock=50M", "baud=1M")
    varied = [word for text in given for word in ("--vary", text)]
    done = called("explore", str(network), *varied, *wanted, "--json", str(mine))
    assert done.exit_code == 0, done.output
    (trial,) = json.loads(mine.read_text())["trials"]
    assert trial["core"] == described(preset_sizes(params))
    found = trial["objectives"]
    assert found["ticks_per_second"] == expected["ticks_per_second"]
    assert found["line_bytes"] == (expected["bytes_out"] + expected["bytes_in"]) / 60
    assert found["spike_latency"] == expected["spike_latency"]["mean_cycles"] / 50e6
    assert found["tick_cycles"] == expected["busy_cycles"]["core"] / 60


def test_spikes_within_a_tick_are_those_of_compare() -> None:
    case = on_core(preset("balanced"), {"lanes": 4})
    opened = case.open_loop()
    with connect("model:", params=opened.params) as core:
        expected = in_open_loop(opened, opened.run_on(core, every=500)).match
    assert value("within_a_tick", {"lanes": 4}) == expected.within_one_tick_share
    assert value("within_a_tick", {"lanes": 4, "weight_width": 4}) < 0.9


def test_digits_are_those_of_the_task() -> None:
    task = digits(60)
    with connect("model:", params=task.case.params) as core:
        core.program(task.case.network)
        expected = task.accuracy(core.run(task.case.spikes, task.case.ticks).spikes)
    assert value("accuracy", {"images": 60}, "digits") == expected
    assert value("bit_budget", {"images": 60, "ticks": 4}, "digits") == 8 * (4 + 3)
    late = {"images": 60, "tick_period": 100}
    assert value("accuracy", late, "digits") < expected
    assert value("disorder", late, "digits") > 0.5
    assert value("lost_events", late, "digits") > 0


def test_a_recipe_in_its_own_bits_is_itself() -> None:
    assert RECIPE.in_bits(8) == RECIPE
    narrow = RECIPE.in_bits(4)
    assert (narrow.rival_weight, narrow.silence, narrow.encouragement) == (-8, -8, 7)
    assert (narrow.threshold, narrow.gain, narrow.first_weight) == (12, 128, 1)


def test_fewer_bits_use_the_whole_range_of_a_weight() -> None:
    case = preset("chain")
    largest = {
        width: int(np.abs(on_core(case, {"weight_width": width}).network.weights).max())
        for width in (4, 6, 8, 12)
    }
    assert largest == {4: 7, 6: 31, 8: 127, 12: 127}
    assert on_core(case, {"weight_width": 12}).network == case.network


@pytest.mark.filterwarnings("ignore:rounding makes")
@pytest.mark.parametrize("seed", range(12))
def test_fewer_bits_of_populations_shrink_all_that_goes_with_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(rng, overlaps=False, kinds=True, rules=True)
    biases = np.array([[0, 0, 9]])
    case = Case.of(net, net.core_params(bias_events=True), np.array([[0, 0]]), 2, biases)
    narrow = on_core(case, {"weight_width": 4, "bias_events": True})
    factor = narrow.scale
    assert narrow.params.weight_width == 4
    for old, new in zip(net.projections, narrow.network.projections, strict=True):
        assert np.array_equal(new.weights, np.rint(old.weights * factor))
        assert (old.kind, old.delay, old.rule) == (new.kind, new.delay, new.rule)
    of_neurons = [v.attribute for v in VECTOR_PARAMETERS if v.unit == POTENTIAL]
    for name in (*of_neurons, "w_min", "w_max"):
        assert np.array_equal(getattr(narrow.network, name), np.rint(getattr(net, name) * factor))
    assert np.array_equal(narrow.biases, np.rint(biases * (1, 1, factor)))
    weights = (np.abs(each.weights) for each in narrow.network.projections)
    largest = max((each.max(initial=0) for each in weights), default=0)
    assert largest <= 7 or narrow.network.learns
    assert on_core(case, {"weight_width": 16, "bias_events": True}).network == net


def test_bounds_that_fill_a_width_fit_it() -> None:
    weights = np.full((4, 2), 3)
    net = Network(n_axons=2, n_neurons=2, weights=weights, plastic=weights > 0)
    net.stdp(a_plus=0.5, a_minus=0.5, tau_plus=8, tau_minus=8, w_min=-8, w_max=7)
    case = Case.of(net, net.core_params(), np.array([[0, 0]]), 2)
    assert on_core(case, {"weight_width": 4}).network == net


def test_a_board_brings_its_clock_and_its_line() -> None:
    there = board("icebreaker")
    baud = there.max_baud(there.clock_hz)
    given = {"clock": there.clock_hz, "baud": baud}
    speed = value("ticks_per_second", {"board": "icebreaker"})
    assert speed == value("ticks_per_second", given)
    assert speed < value("ticks_per_second", given | {"clock": 2 * there.clock_hz})


@pytest.mark.bulk
def test_what_does_not_fit_a_board_is_not_on_the_front(network: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    words = (
        "--vary",
        "learning=1",
        "--vary",
        "lanes=2,4",
        "--objective",
        "logic",
        "--json",
        str(file),
    )
    done = called("explore", str(network), *words, "--fits", "ulx3s_25f")
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    (small, large) = found["trials"]
    assert small["objectives"]["logic"] < large["objectives"]["logic"]
    assert max(small["objectives"]["room"], small["objectives"]["clock_room"]) <= 1
    assert set(small["origin"].values()) == {"estimated"}
    assert found["front"] == [0]
    done = called("explore", str(network), *words, "--fits", "ice40_hx8k_b_evn")
    assert done.exit_code == 1
    both = ("--vary", "board=icebreaker", "--fits", "ulx3s_25f", "--objective", "logic")
    assert "write --fits board" in called("explore", str(network), *both).output
    assert "there is no board" in str(evaluate(named("balanced"), {}, ["room"]).refused)


@pytest.mark.parametrize(
    ("point", "name", "says"),
    [
        ({"lanes": 3}, "tick_cycles", "lanes must be one of"),
        ({"weight_width": 17}, "tick_cycles", "weight_width must be in 4…16"),
        ({"clock": 1000}, "ticks_per_second", "baud must be in"),
        ({}, "accuracy", "this network is no task"),
        ({}, "disorder", "give --vary tick_period=CYCLES"),
    ],
)
def test_what_cannot_be_is_refused_in_words(point: dict[str, Any], name: str, says: str) -> None:
    outcome = evaluate(named("balanced"), point, [name])
    assert outcome.refused is not None
    assert says in outcome.refused
    assert not outcome.figures
