"""Early stop: what is computed of a whole run is what a run does that ends when it is sure."""

import numpy as np
import pytest

from spiketwin.cosim.compare.task import Task
from spiketwin.cosim.demo.tasks import digits
from spiketwin.cosim.explore.axes import Point
from spiketwin.cosim.explore.early import accuracy_by_tick, answers, ask
from spiketwin.cosim.explore.evaluation import evaluate
from spiketwin.cosim.explore.subjects import named
from spiketwin.host import connect
from spiketwin.host.elements import IntArray

IMAGES = 60


@pytest.fixture(scope="module")
def played() -> tuple[Task, IntArray]:
    task = digits(IMAGES)
    with connect("model:", params=task.case.params) as core:
        core.program(task.case.network)
        return task, core.run(task.case.spikes, task.case.ticks).spikes


def test_without_a_margin_the_first_tick_is_the_answer(played: tuple[Task, IntArray]) -> None:
    task, spikes = played
    found = answers(task, spikes, 0.0)
    assert found.ticks.tolist() == [1] * IMAGES
    assert found.accuracy(task.labels) == accuracy_by_tick(task, spikes)[0]


def test_a_margin_that_is_never_reached_shows_all(played: tuple[Task, IntArray]) -> None:
    task, spikes = played
    found = answers(task, spikes, 1e9)
    assert found.ticks.tolist() == [task.ticks_per_image] * IMAGES
    whole = accuracy_by_tick(task, spikes)
    assert whole.shape == (task.ticks_per_image,)
    assert found.accuracy(task.labels) == task.accuracy(spikes) == whole[-1]


def test_a_larger_margin_takes_longer(played: tuple[Task, IntArray]) -> None:
    task, spikes = played
    ticks = [answers(task, spikes, margin).ticks for margin in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert all((late >= soon).all() for soon, late in zip(ticks, ticks[1:], strict=False))
    assert 1 < ticks[2].mean() < task.ticks_per_image


@pytest.mark.parametrize("margin", [0.3, 1.5])
def test_a_run_stops_when_it_is_sure(played: tuple[Task, IntArray], margin: float) -> None:
    task, spikes = played
    expected = answers(task, spikes, margin)
    with connect("model:", params=task.case.params) as core:
        core.program(task.case.network)
        for image in range(8):
            found = ask(core, task, image, margin)
            assert found.found[0] == expected.found[image]
            assert found.ticks[0] == expected.ticks[image]


def test_a_search_varies_the_margin(played: tuple[Task, IntArray]) -> None:
    task, spikes = played
    wanted = ["accuracy", "answer_ticks", "bit_budget"]
    outcome = evaluate(named("digits"), {"images": IMAGES, "margin": 1.5}, wanted)
    values = {name: figure.value for name, figure in outcome.figures.items()}
    expected = answers(task, spikes, 1.5)
    assert values["accuracy"] == expected.accuracy(task.labels)
    assert values["answer_ticks"] == np.mean(expected.ticks)
    assert values["bit_budget"] == 8 * values["answer_ticks"]
    refused = evaluate(named("digits"), {"images": IMAGES, "margin": -1}, wanted).refused
    assert refused == "margin must be a number from 0 on, not -1"
    both: Point = {"images": IMAGES, "margin": 1, "tick_period": 500}
    assert "cannot both be varied" in str(evaluate(named("digits"), both, wanted).refused)
    assert "no task" in str(evaluate(named("chain"), {}, ["answer_ticks"]).refused)
