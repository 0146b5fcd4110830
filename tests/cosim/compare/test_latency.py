"""What latency does to a network: definitions, a core in real time, and sweeps of the period."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from support.checkout import ROOT

from spiketwin.cosim.commands import sweep as command
from spiketwin.cosim.compare import realtime
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import NotReproducible
from spiketwin.cosim.compare.latency import missed_deadlines, tick_begins
from spiketwin.cosim.compare.subject import Subject
from spiketwin.cosim.compare.sweep import Sweep, sweep
from spiketwin.cosim.demo import tasks
from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, names
from spiketwin.host import Core, Network, connect
from spiketwin.host.cli import main
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import save
from spiketwin.host.lateness import interval_distortions, latencies, out_of_order

TINY = preset("tiny")
TICKS = 300
PERIODS = (30, 45, 72, 80, 129, 1000)
"""From hopeless to idle: ticks of `CASE` take 24 to 129 cycles, 68 in the mean."""


def array(*values: Any) -> IntArray:
    return np.array(values, np.int64)


def busy_case() -> Case:
    """A network that fires, with many more events than the queue holds."""
    spikes = np.argwhere(np.random.default_rng(3).random((TICKS, 8)) < 0.3)
    assert len(spikes) > 8 * TINY.event_queue_depth
    return Case.of(Network.random(8, 8, seed=5), TINY, spikes, TICKS)


CASE = busy_case()


def swept(url: str = "model:", periods: tuple[int, ...] = PERIODS, **options: Any) -> Sweep:
    with connect(url, params=TINY) as core:
        return sweep(Subject(url, url, core), CASE, periods, lambda *_: None, **options)


# --- definitions -------------------------------------------------------------------------------


def test_a_tick_begins_when_it_is_due_or_the_one_before_is_over() -> None:
    begins = tick_begins(array(5, 20, 5, 5, 5), period=10)
    assert begins.tolist() == [0, 10, 30, 35, 40]
    assert missed_deadlines(begins, period=10) == 2  # due at 20 and 30


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 60))
def test_lag_is_carried_from_tick_to_tick(cycles: list[int], period: int) -> None:
    expected, late, lag = [], 0, 0
    for tick, length in enumerate(cycles):
        expected.append(tick * period + lag)
        late += lag > 0
        lag = max(0, lag + length - period)
    begins = tick_begins(np.array(cycles), period)
    assert begins.tolist() == expected
    assert missed_deadlines(begins, period) == late


def test_latency_counts_from_when_a_spike_was_due() -> None:
    spikes = array((0, 3), (2, 1))
    assert latencies(spikes, array(4, 35), period=10).tolist() == [4, 15]


def test_an_interval_is_distorted_by_what_latencies_differ() -> None:
    # Neuron 0: meant after 20 and 10 cycles, in fact after 23 and 5. Neuron 1 fires once.
    spikes = array((0, 0), (1, 1), (2, 0), (3, 0))
    left = array(4, 19, 27, 32)
    assert interval_distortions(spikes, left, period=10).tolist() == [3, 5]
    assert interval_distortions(spikes[:2], left[:2], period=10).tolist() == []


def test_out_of_order_is_what_comes_after_something_of_a_later_tick() -> None:
    assert out_of_order(array(0, 1, 2), array(3, 12, 21)).tolist() == []
    # Tick 0 comes after tick 1, tick 2 after tick 3; the same cycle, or the same tick, is in order.
    ticks, times = array(0, 1, 1, 2, 3, 3), array(15, 14, 16, 40, 39, 40)
    assert out_of_order(ticks, times).tolist() == [0, 3]
    assert out_of_order(array(0, 1), array(7, 7)).tolist() == []
    assert out_of_order(array(), array()).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), min_size=1, max_size=20))
def test_every_pair_counts_for_the_order(things: list[tuple[int, int]]) -> None:
    expected = [
        number
        for number, (tick, time) in enumerate(things)
        if any(other > tick and earlier < time for other, earlier in things)
    ]
    ticks, times = np.array(things).T
    assert out_of_order(ticks, times).tolist() == expected


# --- a core in real time -----------------------------------------------------------------------


def programmed() -> ModelCore:
    """The model without a link, holding the network of `CASE`, which is as large as the core."""
    core, net = ModelCore(TINY), CASE.network
    core.weight[...] = net.weights
    core.set_plastic(net.plastic)
    for name in names(VECTOR_PARAMETERS):
        getattr(core, name)[...] = getattr(net, name)
    core.register |= net.register_values(TINY)
    return core


@pytest.mark.parametrize("period", PERIODS)
def test_events_that_find_the_queue_full_are_lost(period: int) -> None:
    """All of it anew: a list of the events that wait, and the model without a link."""
    core = programmed()
    waiting: list[list[int]] = []
    taken: list[list[int]] = []
    spikes: list[list[int]] = []
    begins: list[int] = []
    end = 0
    for tick in range(TICKS):
        due = tick * period
        waiting = [each for each in waiting if begins[each[0]] > due]
        for event in CASE.spikes[CASE.spikes[:, 0] == tick].tolist():
            if len(waiting) < TINY.event_queue_depth:
                waiting.append(event)
                taken.append(event)
        run = core.run([each for each in taken if each[0] == tick], 1)
        begins.append(max(due, end))
        end = begins[-1] + int(run.cycles[0])
        spikes += run.spikes.tolist()
    with connect("model:", params=TINY) as device:
        found = realtime.live(device, CASE, period, realtime.free_run(device, CASE))
    assert found.events.tolist() == taken
    assert found.run.spikes.tolist() == spikes
    assert found.begins.tolist() == begins
    assert (len(taken) < len(CASE.spikes)) == (period < 72)
    assert (found.waits, found.muted) == (0, 0)


@pytest.mark.parametrize("more", [0, 1])
def test_the_queue_holds_as_many_events_as_it_is_deep(more: int) -> None:
    sizes = replace(TINY, event_queue_depth=16)
    # While tick 0 lasts, an event of each tick behind it comes, one a cycle.
    events = np.stack([np.arange(1, 17 + more), np.zeros(16 + more, np.int64)], axis=1)
    case = Case.of(Network(n_axons=8, n_neurons=8), sizes, events, 20)
    with connect("model:", params=sizes) as core:
        free = realtime.free_run(core, case)
        assert free.cycles[0] > 17
        assert realtime.live(core, case, 1, free).events.tolist() == events[:16].tolist()


def test_the_free_run_tells_what_a_run_tick_by_tick_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    periods = (72, 80, 129)  # nothing is lost
    foretold = swept(periods=periods, distances=False)
    assert not foretold.values("dropped_events").any()
    assert foretold.values("missed_deadlines").any()
    monkeypatch.setattr(realtime, "_loses", lambda *_: True)
    assert swept(periods=periods, distances=False) == foretold


def test_a_core_that_is_otherwise_in_real_time_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Core.run

    def forgetful(core: Core, spikes: IntArray, ticks: int, tick_period: int, **_: Any) -> Any:
        return run(core, spikes[:-50], ticks, tick_period)

    with connect("model:", params=TINY) as core:
        free = realtime.free_run(core, CASE)
        monkeypatch.setattr(Core, "run", forgetful)
        with pytest.raises(NotReproducible, match="at a tick period of 129 cycles"):
            realtime.live(core, CASE, 129, free)


@pytest.mark.parametrize(("longer", "believed"), [(3, True), (-1, False)])
def test_a_tick_may_be_held_up_by_an_event_that_comes_in(
    longer: int, believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Core.run

    def held_up(core: Core, spikes: IntArray, ticks: int, tick_period: int, **_: Any) -> Any:
        found = run(core, spikes, ticks, tick_period)
        found.cycles[7] += longer
        found.update_cycles[7] += longer
        found.spike_cycles[found.spikes[:, 0] == 7] += longer
        return found

    with connect("model:", params=TINY) as core:
        free = realtime.free_run(core, CASE)
        monkeypatch.setattr(Core, "run", held_up)
        if believed:
            assert realtime.live(core, CASE, 129, free).held_cycles == 3
        else:
            with pytest.raises(NotReproducible):
                realtime.live(core, CASE, 129, free)


def test_a_case_that_is_cleared_on_the_way_is_refused() -> None:
    with connect("model:", params=TINY) as core:
        case = replace(CASE, clear_every=6)
        with pytest.raises(InvalidInput, match="cannot be cleared in real time"):
            realtime.free_run(core, case)


# --- sweeps ------------------------------------------------------------------------------------


@pytest.mark.rtl
def test_model_and_rtl_are_equal_at_every_period() -> None:
    assert swept() == swept("rtl:")


@pytest.mark.parametrize("url", ["model:", "rtl:"])
def test_the_target_counts_the_deadlines_that_are_foretold(url: str) -> None:
    # All events fit into the queue, so that no tick waits for the host.
    case = replace(CASE, spikes=CASE.spikes[: TINY.event_queue_depth], ticks=40)
    missed = []
    with connect(url, params=TINY) as core:
        free = realtime.free_run(core, case)
        for period in (24, 45, 80, 129):
            found = realtime.live(core, case, period, free)
            assert found.waits == 0
            missed.append(missed_deadlines(found.begins, period))
    assert missed[0] > missed[1] > missed[2] > missed[3] == 0


def test_from_keeping_up_to_falling_behind() -> None:
    found = swept()
    with connect("model:", params=TINY) as core:
        cycles = realtime.free_run(core, CASE).cycles
    assert found.keeps_up_from == cycles.max() == 129
    assert found.falls_behind_below == cycles.mean()
    late = found.values("missed_deadlines")
    assert late[0] == TICKS - 1
    assert (np.diff(late) <= 0).all()
    assert late[-2:].tolist() == [0, 0]
    assert (np.diff(found.values("latency_mean")) <= 0).all()
    assert found.points[0].utilisation > 1 > found.points[2].utilisation
    assert [p.ticks_per_second for p in found.points[-2:]] == [1e8 / 129, 1e8 / 1000]


@pytest.mark.parametrize("period", [129, 1000])
def test_where_a_core_keeps_up_nothing_is_lost_late_or_out_of_order(period: int) -> None:
    (point,) = swept(periods=(period,)).points
    assert point.distances is not None
    for name in (
        "missed_deadlines", "dropped_events", "late_spikes", "disordered_spikes",
        "missing_spikes", "extra_spikes", "waits", "muted_ticks", "held_cycles",
    ):  # fmt: skip
        assert getattr(point, name) == 0, name
    assert set(vars(point.distances).values()) == {0.0}
    assert 0 < point.latency_max < 129
    assert point.elapsed_cycles == period * TICKS


def test_a_tick_earlier_than_it_takes_is_late_and_the_next_after_it() -> None:
    longest = swept(periods=(129,)).keeps_up_from
    (point,) = swept(periods=(longest - 1,), distances=False).points
    assert point.missed_deadlines > 0


def test_spikes_alone_are_never_out_of_order() -> None:
    case = Case.of(Network.random(8, 8, seed=5), TINY, np.empty((0, 2), np.int64), TICKS)
    case.network.bias[:] = case.network.threshold // 3 + 1
    with connect("model:", params=TINY) as core:
        found = sweep(Subject("model:", "model:", core), case, (10,), lambda *_: None)
    (point,) = found.points
    assert point.late_spikes == point.spikes > 0
    assert point.disordered_spikes == 0


def test_figures_can_be_written_as_json() -> None:
    found = swept(periods=(45, 129))
    figures = json.loads(json.dumps(found.as_json()))
    assert [point["tick_period"] for point in figures["points"]] == [45, 129]
    assert figures["points"][0]["distances"]["van_rossum"] > 0
    assert figures["points"][1]["ticks_per_second"] == 1e8 / 129
    assert figures["accuracy"] is None


# --- a task ------------------------------------------------------------------------------------


def test_digits_in_real_time() -> None:
    """Silenced by the teachers instead of cleared, the network answers exactly as in the demo."""
    from spiketwin.cosim.demo.run import run
    from spiketwin.cosim.digits.encoding import load

    record = run("model:", load().first(40))
    task = tasks.digits(40)
    with connect("model:", params=task.case.params) as core:
        free = realtime.free_run(core, task.case)
        found = sweep(
            Subject("model:", "model:", core), task.case, (300, 800), lambda *_: None,
            judge=task.accuracy, distances=False,
        )  # fmt: skip
    image = free.spikes[:, 0] // 9
    counts = np.zeros((40, task.case.network.n_neurons), np.int64)
    np.add.at(counts, (image, free.spikes[:, 1]), 1)
    np.testing.assert_array_equal(counts, record.counts("testing"))
    assert found.accuracy == record.accuracy() > 0.5
    hurried, at_ease = found.points
    assert at_ease.accuracy == found.accuracy
    assert hurried.accuracy is not None
    assert hurried.accuracy < 0.5 * found.accuracy


@pytest.mark.bulk
def test_the_figures_of_the_digits_are_those_documented() -> None:
    task = tasks.digits()
    with connect("model:", params=task.case.params) as core:
        found = sweep(
            Subject("model:", "model:", core), task.case, (380, 385, 390, 450, 800),
            lambda *_: None, judge=task.accuracy, distances=False,
        )  # fmt: skip
    page = (ROOT / "docs/compare.md").read_text()
    for point in found.points:
        assert point.accuracy is not None
        row = (
            f"| {point.tick_period} cycles | {100 * point.utilisation:.1f} % "
            f"| {point.missed_deadlines:,} | {found.microseconds(point.latency_mean):.2f} µs "
            f"| {found.microseconds(point.interval_distortion_mean):.2f} µs "
            f"| {point.late_spikes:,} | {point.dropped_events:,} | {100 * point.accuracy:.2f} % |"
        )
        assert row in page
    assert f"from {found.keeps_up_from}\ncycles on" in page
    assert f"Below {found.falls_behind_below:.1f} cycles" in page


def test_a_task_ends_with_an_image() -> None:
    task = tasks.digits(10).first(30)
    assert (task.case.ticks, task.labels.size) == (27, 3)
    assert task.case.spikes[:, 0].max() == 26
    for ticks in (8, 28):
        with pytest.raises(InvalidInput, match=f"ticks must be in 9…27, not {ticks}: "):
            task.first(ticks)


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save(path, CASE.network, CASE.spikes, TICKS)
    return path


def spiketwin(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, ["sweep", *map(str, arguments)])


def test_one_target_is_held_against_itself(net: Path, tmp_path: Path) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "curve.png"
    done = spiketwin(
        net, "--on", "model:", "--params", "tiny", "--tick-period", "45,64:80:16,129",
        "--clock", "50000000", "--json", figures, "--plot", plot,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "…" not in done.output
    assert "Keeps up from 129 cycles on (2.58 µs)" in done.output
    told = json.loads(figures.read_text())
    expected = swept(periods=(45, 64, 80, 129), clock_hz=50_000_000)
    assert told["targets"]["model:"] == json.loads(json.dumps(expected.as_json()))
    assert (told["ideal"], told["equal"]) == ("free-running", True)
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.rtl
def test_twins_are_equal_in_real_time(net: Path) -> None:
    done = spiketwin(net, "--on", "model:", "--on", "rtl:", "--params", "tiny",
                     "--tick-period", "30:130:50")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "EQUAL  model: and rtl:: all of this, at 3 tick periods" in done.output


def test_targets_that_take_other_times_are_not(net: Path) -> None:
    slower = "model:?params=tiny,neuron_lanes=1"
    done = spiketwin(net, "--on", "model:?params=tiny", "--on", slower, "--tick-period", "64,129")
    assert done.exit_code == 1, done.output
    assert f"DIFFERENT  model:?params=tiny and {slower} at tick periods of 64, 129" in done.output


@pytest.mark.rtl
def test_a_link_that_cannot_follow_is_told(net: Path) -> None:
    # In process, the RTL takes and gives a byte a cycle at most: too few for ticks as short as 80.
    done = spiketwin(net, "--on", "rtl:?params=tiny", "--tick-period", "80")
    assert done.exit_code == 0, done.output
    assert "at 80 cycles the target waited for the host" in done.output


def test_without_the_extra_there_are_no_distances(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "pyspike" else name)
    done = spiketwin(net, "--on", "model:", "--tick-period", "129")
    assert done.exit_code == 0, done.output
    assert "No distances of spike trains: pyspike are not installed" in done.output
    assert "[sweep]" in done.output
    assert "van Rossum" not in done.output


def test_the_preset_that_is_a_task_says_how_right_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tasks.TASKS, "digits", lambda: tasks.digits(20))
    done = spiketwin(
        "--preset", "digits", "--on", "model:", "--tick-period", "800", "--ticks", "90"
    )
    assert done.exit_code == 0, done.output
    assert "90 ticks" in done.output
    assert "right answers" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tick-period", "0"], "must ascend within 1…4294967295"),
        (["--tick-period", "9:3:1"], "must ascend within"),
        (["--tick-period", "1:9:0"], "by 1 or more"),
        (["--tick-period", "1:9"], "must be a number of cycles, or FIRST:LAST:STEP"),
        (["--tick-period", "1:100000:1"], "more than 1000 periods"),
        (["--tick-period", "9", "--on", "float:"], "takes no time"),
        (["--tick-period", "9", "--shrink"], "No such option"),
        (["--plot", "curve.png"], "Missing option '--tick-period'"),
        (["--clock", "1000"], "Missing option '--tick-period'"),
    ],
)
def test_a_wrong_call_ends_with_status_2_and_a_way_out(
    arguments: list[str], said: str, net: Path
) -> None:
    done = spiketwin(net, "--on", "model:", *arguments)
    assert done.exit_code == 2
    assert said in done.output
