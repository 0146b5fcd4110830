"""The demo: digits as spikes, learning on the core, and a verdict that notices differences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.rungs import bulk_but

from spiketwin.cosim.commands import demo as demo_command
from spiketwin.cosim.demo.compare import COMPARED, compare
from spiketwin.cosim.demo.plots import save_all
from spiketwin.cosim.demo.run import SIZES, Record, accuracy_over_seeds, learn, run
from spiketwin.cosim.digits.encoding import N_PIXELS, DigitReadout, Digits, encode, load, teach
from spiketwin.cosim.digits.recipe import LABELLING, RECIPE, TESTING, Phase, parted
from spiketwin.host import Core, connect
from spiketwin.host.cli import main
from spiketwin.host.cli import options as cli_options
from spiketwin.host.targets import origin


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load()


@pytest.fixture(scope="module")
def record(digits: Digits) -> Record:
    return run("model:", digits.first(30))


# --- encoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticks", [16, 20, 32])
@pytest.mark.parametrize("most_spikes", [1, 4, 8, 16])
def test_a_pixel_spikes_in_proportion_to_its_brightness(ticks: int, most_spikes: int) -> None:
    images = np.repeat(np.arange(17)[:, None], N_PIXELS, axis=1)
    for brightness, spikes in enumerate(encode(images, ticks, most_spikes)):
        counts = np.bincount(spikes[:, 1], minlength=N_PIXELS)
        exact = brightness * most_spikes / 16
        assert set(counts) <= {int(np.floor(exact)), int(np.ceil(exact))}
        # Fractions are rounded up for as many of the pixels as they are worth.
        assert counts.sum() == round(exact * N_PIXELS)
        assert (spikes[:, 0] >= 0).all()
        assert (spikes[:, 0] < ticks).all()


def test_the_spikes_of_a_pixel_are_evenly_spaced() -> None:
    (spikes,) = encode(np.full((1, N_PIXELS), 16), 32, 8)
    for pixel in range(N_PIXELS):
        assert set(np.diff(spikes[spikes[:, 1] == pixel, 0])) == {4}


def test_spikes_ascend_by_tick_and_axon(digits: Digits) -> None:
    (free,) = encode(digits.train.pixels[:1], 16, 4)
    for spikes in (free, teach(free, 9, 16, 2)):
        assert (np.diff(spikes[:, 0] * 100 + spikes[:, 1]) > 0).all()


def test_the_teacher_says_the_label_and_changes_nothing_else(digits: Digits) -> None:
    (free,) = encode(digits.train.pixels[:1], 16, 4)
    taught = teach(free, 7, 16, 4)
    lesson = taught[:, 1] >= N_PIXELS
    np.testing.assert_array_equal(taught[~lesson], free)
    np.testing.assert_array_equal(taught[lesson], [(t, N_PIXELS + 7) for t in (0, 4, 8, 12)])


# --- the two halves ------------------------------------------------------------------------------


def test_the_halves_are_the_first_898_images_and_the_last_899(digits: Digits) -> None:
    from sklearn.datasets import load_digits  # only here, as it takes long to import

    pixels, labels = load_digits(return_X_y=True)
    assert (len(digits.train), len(digits.test)) == (898, 899)
    np.testing.assert_array_equal(digits.train.pixels, pixels[:898])
    np.testing.assert_array_equal(digits.train.labels, labels[:898])
    np.testing.assert_array_equal(digits.test.pixels, pixels[898:])
    np.testing.assert_array_equal(digits.test.labels, labels[898:])


def test_test_images_are_shown_in_the_last_phase_alone_and_without_learning(
    digits: Digits,
) -> None:
    *learning, labelling, testing = RECIPE.phases(digits, seed=3)
    test_spikes = encode(digits.test.pixels, RECIPE.ticks, RECIPE.most_spikes)
    assert testing.name == TESTING
    (showing,) = testing.showings
    assert showing.registers["learn_post"] == 0
    for shown, expected in zip(showing.spikes, test_spikes, strict=True):
        np.testing.assert_array_equal(shown, expected)
    for phase in (*learning, labelling):
        assert phase.images is digits.train
        assert sorted(phase.order) == list(range(898))
    assert labelling.name == LABELLING


def test_what_is_learned_does_not_depend_on_test_images_or_labels(digits: Digits) -> None:
    few = digits.first(10)
    other = Digits(few.train, digits.test[20:30])
    a, b = (run("model:", each) for each in (few, other))
    np.testing.assert_array_equal(a.weights[-1], b.weights[-1])
    np.testing.assert_array_equal(a.readout().share, b.readout().share)


# --- readout -------------------------------------------------------------------------------------


def test_neurons_speak_by_the_square_of_their_share() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    counts = np.array([[4, 0, 1], [4, 0, 1], [0, 0, 2], [0, 0, 2], [0, 0, 1], [0, 0, 1]])
    readout = DigitReadout.fit(counts, labels)
    np.testing.assert_array_equal(readout.share[:, 0], [1] + [0] * 9)
    np.testing.assert_array_equal(readout.share[:3, 2], [0.25, 0.5, 0.25])
    np.testing.assert_array_equal(readout.classes(), [0, -1, 1])
    # 0: 1 · 1² + n · 0.25², 1: n · 0.5²; the silent neuron has no say.
    np.testing.assert_array_equal(readout.classify(np.array([[1, 9, 5], [1, 9, 6]])), [0, 1])


def test_classes_count_by_their_mean_not_by_how_often_they_are_shown() -> None:
    readout = DigitReadout.fit(np.array([[2], [2], [2], [2]]), np.array([3, 3, 3, 5]))
    np.testing.assert_array_equal(np.flatnonzero(readout.share[:, 0]), [3, 5])
    assert readout.share[3, 0] == readout.share[5, 0] == 0.5


# --- learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", bulk_but([1], [1, 5]))
def test_the_core_learns_the_digits_whatever_the_seed(seeds: int) -> None:
    assert min(accuracy_over_seeds(range(seeds))) >= 0.83


def test_the_host_never_writes_a_weight_once_learning_begins(
    digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(Core, "write_weights", lambda *_: written.append("weights"))
    recorded = run("model:", digits.first(5))
    assert not written
    assert (recorded.weights[0] != RECIPE.network(0).weights).any()
    # Nothing is learned after the last lesson.
    np.testing.assert_array_equal(recorded.weights[-1], recorded.weights[-3])


def test_spikes_are_counted_for_the_image_that_caused_them(record: Record) -> None:
    per_phase = [record.counts(phase.name).sum() for phase in record.phases]
    assert sum(per_phase) == len(record.spikes)
    tick, neuron = record.spikes[-1]
    image = (tick - record.first_tick(TESTING)) // record.ticks_per_image
    assert record.counts(TESTING)[image, neuron] > 0
    assert record.where(int(tick)).startswith(f"{TESTING}, image {image}, tick ")


def learned(url: str, phases: tuple[Phase, ...]) -> Record:
    with connect(url, params=SIZES) as core:
        return learn(core, RECIPE.network(0), phases, RECIPE.ticks)


def test_a_phase_is_shown_by_one_call_and_read_once(
    digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def told(name: str) -> None:
        method = getattr(Core, name)

        def tell(self: Core, *args: Any, **named: Any) -> Any:
            calls.append(name)
            return method(self, *args, **named)

        monkeypatch.setattr(Core, name, tell)

    for name in ("run", "run_many", "read_weights", "read_state"):
        told(name)
    learned("model:", RECIPE.phases(digits.first(3), 0))
    assert calls == 4 * ["run_many", "read_weights", "read_state"]


def test_progress_counts_the_presentations_of_all_phases(digits: Digits) -> None:
    told: list[tuple[str, int, int]] = []
    phases = RECIPE.phases(digits.first(3), 0)
    with connect("model:", params=SIZES) as core:
        learn(
            core, RECIPE.network(0), phases, RECIPE.ticks,
            progress=lambda phase, done, total: told.append((phase, done, total)),
        )  # fmt: skip
    done = [done for _, done, _ in told]
    assert done == sorted(set(done))
    assert {total for *_, total in told} == {done[-1]} == {18}
    last = {name: done for name, done, _ in told}
    assert last == {
        "learning, pass 1": 6,
        "learning, pass 2": 12,
        LABELLING: 15,
        TESTING: 18,
    }


def test_a_part_of_the_first_pass_is_a_phase_of_its_own_and_changes_nothing(
    digits: Digits,
) -> None:
    whole = RECIPE.phases(digits.first(12), 0)
    phases = parted(whole, 5)
    assert [phase.presentations for phase in phases] == [10, 14, 24, 12, 12]
    assert len({phase.name for phase in phases}) == 5
    a, b = learned("model:", whole), learned("model:", phases)
    np.testing.assert_array_equal(a.spikes, b.spikes)
    np.testing.assert_array_equal(a.cycles, b.cycles)
    np.testing.assert_array_equal(a.weights, b.weights[1:])
    assert (b.weights[0] != b.weights[1]).any()
    assert a.accuracy() == b.accuracy()


@pytest.mark.parametrize("images", [12, 13])
def test_a_part_that_is_the_whole_pass_is_no_further_phase(digits: Digits, images: int) -> None:
    phases = RECIPE.phases(digits.first(12), 0)
    assert parted(phases, images) == phases


# --- comparison ----------------------------------------------------------------------------------


def altered(record: Record, **changes: Any) -> Record:
    return Record(**{**vars(record), **changes})


def test_equal_records_are_equal(record: Record, digits: Digits) -> None:
    again = run("model:", digits.first(30))
    comparison = compare(record, again, ("a", "b"))
    assert comparison.differences == {}
    assert comparison.ticks == record.ticks == len(record.cycles) > 0
    assert comparison.spikes == len(record.spikes) > 0
    assert comparison.weights == len(record.phases) * record.weights[0].size


def test_a_single_difference_is_found_and_named(record: Record) -> None:
    moved = record.spikes.copy()
    moved[-1, 0] -= 1
    weights = [w.copy() for w in record.weights]
    weights[1][5, 6] += 1
    state = [dict(s) for s in record.state]
    state[0]["theta"] = state[0]["theta"] + (np.arange(len(state[0]["theta"])) == 9)
    cycles = record.cycles.copy()
    cycles[record.ticks_per_image + 2] += 1
    leaving = record.spike_cycles.copy()
    leaving[0] += 1
    for what, change, named in (
        ("spikes", {"spikes": record.spikes[:-1]}, TESTING),
        ("spikes", {"spikes": moved}, TESTING),
        ("weights", {"weights": tuple(weights)}, "source 5 to neuron 6"),
        ("state", {"state": tuple(state)}, "theta[9]"),
        ("cycles", {"cycles": cycles}, "tick 2"),
        ("cycles", {"spike_cycles": leaving}, f"neuron {record.spikes[0, 1]}"),
    ):
        for pair in ((record, altered(record, **change)), (altered(record, **change), record)):
            differences = compare(*pair, ("a", "b")).differences
            assert list(differences) == [what]
            assert named in differences[what]


def test_one_that_stops_earlier_is_compared_as_far_as_it_goes(digits: Digits) -> None:
    phases = parted(RECIPE.phases(digits.first(12), 0), 5)
    whole, part = learned("model:", phases), learned("model:", phases[:1])
    assert not part.is_whole
    assert part.presentations == 10
    for pair in ((whole, part), (part, whole)):
        comparison = compare(*pair, ("a", "b"))
        assert comparison.differences == {}
        assert comparison.ticks == 10 * RECIPE.ticks == part.ticks < whole.ticks
        assert comparison.spikes == len(part.spikes) > 0
        assert comparison.weights == part.weights[0].size
    weights = part.weights[0].copy()
    weights[5, 6] += 1
    cycles = part.cycles.copy()
    cycles[-1] += 1
    for what, change, named in (
        ("weights", {"weights": (weights,)}, "source 5 to neuron 6 after learning, pass 1 (beg"),
        ("cycles", {"cycles": cycles}, f"tick {RECIPE.ticks - 1}"),
    ):
        differences = compare(whole, altered(part, **change), ("a", "b")).differences
        assert list(differences) == [what]
        assert named in differences[what]


# --- the command ---------------------------------------------------------------------------------


def invoke(tmp_path: Path, *arguments: str) -> Any:
    options = ("--images", "12", "--output", str(tmp_path / "pictures"))
    return CliRunner().invoke(main, ["demo", *options, *arguments])


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the pictures, which take most of the time, where a test is not about them."""
    monkeypatch.setattr(demo_command, "save_all", lambda _records, _folder: [])


def test_the_command_reports_equal_targets(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke(tmp_path, "--on", "model:", "--on", "model:", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "EQUAL" in result.output
    figures = json.loads(file.read_text())
    assert figures["dataset"] == {"train": 12, "test": 12}
    assert list(figures["targets"]) == ["model:", "model: (2)"]
    for target in figures["targets"].values():
        assert set(target) == {"accuracy", "ticks", "seconds"}
        assert target["ticks"] == figures["compared"]["ticks"]
    assert set(figures["compared"]) == {"ticks", "spikes", "weights"}
    assert figures["equal"] == dict.fromkeys(COMPARED, True)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {"rasters.png", "weights.png", "confusion.png", "latency.png", "demo.png"}
    for path in (tmp_path / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("undrawn")
def test_the_command_fails_when_a_target_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alter = iter((False, True))

    def connect_altered(url: str, **options: Any) -> Core:
        core = connect(url, **options)
        if next(alter):
            program = core.program

            def wrong_program(net: Any) -> None:
                program(net)
                weights = core.read_weights()
                weights[0, 3] += (
                    1  # the first pixel is dark in every image, so nothing else differs
                )
                core.write_weights(weights)

            monkeypatch.setattr(core, "program", wrong_program)
        return core

    monkeypatch.setattr(demo_command, "connect", connect_altered)
    file = tmp_path / "figures.json"
    result = invoke(tmp_path, "--on", "model:", "--on", "model:", "--json", str(file))
    assert result.exit_code == 1, result.output
    assert "DIFFERENT" in result.output
    assert "source 0 to neuron 3" in result.output
    expected = {"spikes": True, "weights": False, "state": True, "cycles": True}
    assert json.loads(file.read_text())["equal"] == expected


@pytest.mark.usefixtures("undrawn")
def test_one_target_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke(tmp_path, "--on", "model:", "--json", str(file))
    assert result.exit_code == 0, result.output
    assert "EQUAL" not in result.output
    assert set(json.loads(file.read_text())) == {"dataset", "targets"}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.rtl
@pytest.mark.bulk
def test_a_target_may_learn_a_part(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke(
        tmp_path, "--on", "model:", "--part-on", "rtl:", "--part", "2", "--json", str(file)
    )
    assert result.exit_code == 0, result.output
    ran = "rtl:, which ran the first 4 of 72 presentations, through the gateware of the link"
    assert ran in result.output
    figures = json.loads(file.read_text())
    assert list(figures["targets"]) == ["model:"]
    assert "compared" not in figures
    assert figures["equal"] == dict.fromkeys(COMPARED, True)
    assert list(figures["parts"]) == ["rtl:"]
    part = figures["parts"]["rtl:"]
    assert (part["presentations"], part["of"], part["ticks"]) == (4, 72, 4 * RECIPE.ticks)
    assert part["cycles_per_second"] == part["cycles"] / part["seconds"]
    assert part["compared"]["ticks"] == part["ticks"]
    assert part["compared"]["spikes"] > 0
    assert part["equal"] == figures["equal"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.rtl
@pytest.mark.bulk
def test_by_default_the_core_learns_it_all_and_a_part_goes_through_the_link(
    tmp_path: Path,
) -> None:
    file = tmp_path / "figures.json"
    result = invoke(tmp_path, "--part", "1", "--images", "2", "--json", str(file))
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    assert list(figures["targets"]) == ["model:", "rtl:?level=core"]
    assert list(figures["parts"]) == ["rtl:"]
    assert figures["compared"]["ticks"] == figures["targets"]["model:"]["ticks"]
    assert figures["equal"] == dict.fromkeys(COMPARED, True)
    whole, part = (line for line in result.output.splitlines() if line.startswith("EQUAL"))
    assert whole.endswith("on model: and rtl:?level=core")
    assert part.endswith("presentations, through the gateware of the link")


@pytest.mark.usefixtures("undrawn")
def test_a_part_that_differs_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare_other(first: Record, second: Record, names: tuple[str, str]) -> Any:
        cycles = second.cycles + (0 if second.is_whole else 1)
        return compare(first, altered(second, cycles=cycles), names)

    monkeypatch.setattr(demo_command, "compare", compare_other)
    file = tmp_path / "figures.json"
    options = ("--part-on", "model:", "--part", "2", "--json", str(file))
    result = invoke(tmp_path, "--on", "model:", "--on", "model:", *options)
    assert result.exit_code == 1, result.output
    assert "DIFFERENT  cycles of learning, pass 1 (beginning)" in result.output
    figures = json.loads(file.read_text())
    assert figures["equal"]["cycles"] is False
    assert figures["parts"]["model: (3)"]["equal"]["cycles"] is False


@pytest.mark.usefixtures("undrawn")
def test_no_part_is_learned_where_none_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    for options in (("--on", "model:"), ("--on", "model:", "--part-on", "")):
        result = invoke(tmp_path, *options, "--json", str(file))
        assert result.exit_code == 0, result.output
        assert set(json.loads(file.read_text())) == {"dataset", "targets"}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.bulk
@pytest.mark.rtl
def test_cycles_are_told_of_what_has_a_clock(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = invoke(tmp_path, "--on", "rtl:", "--json", str(file))
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())["targets"]["rtl:"]
    assert set(figures) == {"accuracy", "ticks", "seconds", "cycles", "cycles_per_second"}
    assert figures["cycles"] > figures["ticks"] > 0


@pytest.mark.usefixtures("undrawn")
def test_a_figure_is_marked_with_its_origin(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--on", "model:")
    assert "computed" in result.output
    assert "seconds (measured)" in result.output
    assert [
        origin(url) for url in ("model:?params=digits", "rtl:", "rtl+pty:", "/dev/ttyUSB1")
    ] == [
        "computed",
        "simulated",
        "simulated",
        "reported",
    ]


def test_the_table_fits_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "48")
    result = invoke(tmp_path, "--on", "model:", "--on", "model:")
    table = result.output[result.output.index("Handwritten") : result.output.index("picture")]
    assert max(map(len, table.splitlines())) <= 48
    assert "…" not in table


@pytest.mark.usefixtures("undrawn")
def test_ports_are_opened_at_the_rate_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []

    def connect_seen(url: str, *, baud: int | None, **options: Any) -> Core:
        rates.append(baud)
        return connect(url, **options)

    monkeypatch.setattr(demo_command, "connect", connect_seen)
    # For what a port is: the demo is too long for one that is simulated.
    monkeypatch.setattr(cli_options, "takes_baud", lambda url: url.startswith("model:?"))
    arguments = ("--on", "model:", "--on", "model:?clock=50000000", "--baud", "921600")
    result = invoke(tmp_path, *arguments)
    assert result.exit_code == 0, result.output
    assert rates == [None, 921600]


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("--on", "modle:"), 2, "modle:"),
        (("--images", "0"), 2, "--images"),
        (("--seed", "-1"), 2, "--seed"),
        (("--baud", "0"), 2, "--baud"),
        (("--json", "/nowhere/figures.json"), 2, "/nowhere"),
        (("--output", "/dev/null/pictures"), 2, "/dev/null"),
    ],
)
def test_errors_name_the_thing(
    tmp_path: Path, arguments: tuple[str, ...], status: int, named: str
) -> None:
    options = ("--images", "1", "--output", str(tmp_path / "pictures"))
    result = CliRunner().invoke(main, ["demo", *options, *arguments])
    assert result.exit_code == status, result.output
    assert named in result.output


@pytest.mark.bulk
def test_pictures_show_any_number_of_targets(record: Record, tmp_path: Path) -> None:
    assert len(save_all({"a": record, "b": record, "c": record}, tmp_path)) == 5
    assert len(save_all({"a": record}, tmp_path)) == 5


def test_a_part_that_nobody_is_to_learn_is_refused(tmp_path: Path) -> None:
    options = ["--on", "model:", "--part", "3", "--output", str(tmp_path)]
    result = CliRunner().invoke(main, ["demo", *options])
    assert result.exit_code == 2
    assert "--part 3 would have no effect" in result.output
    assert "--part-on" in result.output
