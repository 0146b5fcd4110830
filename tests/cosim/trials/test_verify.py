"""Equivalence in bulk: samples have all options, differences are found, and all processes end."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.rungs import bulk_but

from spiketwin.cosim.trials.verify.networks import options_of
from spiketwin.cosim.trials.verify.samples import CORES, Sample, core_of
from spiketwin.host.cli import main
from spiketwin.host.files import load

BROKEN = '''
"""Targets that are wrong: one neuron has another threshold; the process ends in a run."""

import os

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.model.queued import QueuedModel
from spiketwin.cosim.serial.protocol_model import ModelPort, Serial
from spiketwin.hdl.spec.registers import Space
from spiketwin.host.kinds import TargetKind


class Wrong(QueuedModel):
    def write(self, space, start, values):
        super().write(space, start, values + (space == Space.THRESHOLD))


class Dying(QueuedModel):
    def run_to(self, tick):
        os._exit(7)


def kind(scheme, model):
    def device(params, clock_hz=1):
        import spiketwin.cosim.model.device as module

        module.QueuedModel, kept = model, module.QueuedModel
        try:
            return ModelDevice(params)
        finally:
            module.QueuedModel = kept

    class Port(Serial):
        def make_device(self, target):
            return ModelPort(device(target.params))

    return TargetKind(scheme, Port.of, origin="computed", options=("params",))


TARGETS = (kind("wrong", Wrong), kind("dying", Dying))
'''


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments])


def figures(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def call(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of ours in a folder."""
    program = "import sys; from spiketwin.host.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", program, *shlex.split(line)[1:]]
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, env=os.environ | environment
    )


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment in which two targets are registered that are wrong."""
    packages = tmp_path / "packages"
    entries = packages / "broken-1.dist-info"
    entries.mkdir(parents=True)
    (packages / "broken.py").write_text(BROKEN)
    (entries / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (entries / "entry_points.txt").write_text("[spiketwin.targets]\nbroken = broken\n")
    return {"PYTHONPATH": str(packages)}


# --- samples -------------------------------------------------------------------------------------


@pytest.mark.bulk
def test_samples_have_every_option_of_their_cores() -> None:
    for place, (name, params) in enumerate(CORES.items()):
        used: set[str] = set()
        for k in range(200):
            number = place + k * len(CORES)
            assert core_of(number) == name
            used |= Sample.drawn(1, number).options
            if k >= 39 and used == set(options_of(params)):
                break  # a large core that is filled has overlaps now and then
        assert used == set(options_of(params)), name


@pytest.mark.parametrize("name", ["wide", "static"])
def test_most_networks_fill_a_large_core(name: str) -> None:
    size, place = CORES[name].n_neurons, list(CORES).index(name)
    drawn = [Sample.drawn(1, place + k * len(CORES)).net.n_neurons for k in range(20)]
    assert 10 < drawn.count(size) < 20
    assert max(drawn) == size


def test_a_sample_is_a_function_of_its_seed_and_number() -> None:
    def drawn(seed: int, number: int) -> list[Any]:
        sample = Sample.drawn(seed, number)
        weights = [each.weights.tolist() for each in sample.net.projections]
        return [sample.ticks, sample.spikes.tolist(), weights, sample.net.threshold.tolist()]

    assert drawn(3, 7) == drawn(3, 7)
    assert drawn(3, 7) != drawn(3, 12)
    assert drawn(3, 7) != drawn(4, 7)


def test_the_updates_that_count_are_those_of_the_network() -> None:
    sample = Sample.drawn(0, 1)
    assert sample.params.n_neurons == 512
    assert sample.neuron_updates == sample.ticks * len(sample.net.threshold)


# --- the command ---------------------------------------------------------------------------------


UPDATES = {
    "roomy": 50_000,
    "wide": 5_000_000,
    "static": 4_000_000,
    "matrix": 500_000,
    "paired": 1_000_000,
}
"""Neuron updates that a run of all tests compares at least, more than ten million together."""


@pytest.mark.rtl
@pytest.mark.parametrize("core", bulk_but(["roomy"], CORES))
def test_model_and_rtl_are_equal(core: str, tmp_path: Path) -> None:
    updates = UPDATES[core]
    file = tmp_path / "evidence.json"
    done = verify("--only", core, "--updates", str(updates), "--workers", "2", "--json", str(file))
    assert done.exit_code == 0, done.output
    assert "EQUAL" in done.output
    found = figures(file)
    assert found["equal"]
    assert found["difference"] is None
    assert found["neuron_updates"] >= updates
    assert found["spikes"] > found["neuron_updates"] / 1000
    (only,) = found["cores"]
    assert (only["name"], only["samples"]) == (core, found["samples"])


def test_what_is_counted_goes_on_where_it_ended_with_any_number_of_processes(
    tmp_path: Path,
) -> None:
    def found(first: int, updates: int, workers: int) -> dict[str, Any]:
        file = tmp_path / "evidence.json"
        done = verify(
            "--on", "model:", "--only", "roomy", "--only", "matrix", "--seed", "5", "--first",
            str(first), "--updates", str(updates), "--workers", str(workers), "--json", str(file),
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        return figures(file)

    begun = found(0, 1, 3)
    most = 5 * begun["neuron_updates"]
    whole = found(0, most, 1)
    rest = found(begun["next"], most - begun["neuron_updates"], 2)
    assert begun["samples"] == 1 < whole["samples"]
    assert rest["next"] == whole["next"]
    for name in ("neuron_updates", "ticks", "spikes", "samples"):
        assert begun[name] + rest[name] == whole[name]
    for parts in zip(begun["options"], rest["options"], whole["options"], strict=True):
        assert len({each["name"] for each in parts}) == 1
        one, other, both = (each["samples"] for each in parts)
        assert one + other == both


def test_a_twin_that_is_wrong_is_found_and_the_difference_repeats(
    tmp_path: Path, broken: dict[str, str]
) -> None:
    line = "spiketwin verify --on wrong: --only roomy --updates 1e6 --workers 2 --json e.json"
    done = call(line, tmp_path, **broken)
    assert done.returncode == 1, done.stderr
    found = figures(tmp_path / "e.json")
    assert not found["equal"]
    difference = found["difference"]
    assert difference["core"] == "roomy"
    assert difference["number"] == found["next"] - 1
    assert f"DIFFERENT  sample {difference['number']} on roomy: {difference['what']}" in done.stdout
    (whole, stimulus), (small, shorter) = (
        load(tmp_path / difference[name]) for name in ("network", "small")
    )
    assert stimulus is not None
    assert shorter is not None
    assert shorter.ticks < stimulus.ticks
    assert small.n_neurons <= whole.n_neurons
    assert difference["repeat"][0] in done.stdout
    _, command = difference["repeat"]
    assert_differs(command, tmp_path, broken)


@pytest.mark.bulk
def test_the_sample_with_the_difference_can_be_run_again(
    tmp_path: Path, broken: dict[str, str]
) -> None:
    line = "spiketwin verify --on wrong: --only matrix --updates 1e5 --workers 1 --json e.json"
    done = call(line, tmp_path, **broken)
    command, _ = figures(tmp_path / "e.json")["difference"]["repeat"]
    assert command in done.stdout
    assert_differs(command, tmp_path, broken)


def assert_differs(command: str, folder: Path, broken: dict[str, str]) -> None:
    """Assert that a call finds a difference of the twin that is wrong, and of none else."""
    again = call(command, folder, **broken)
    assert again.returncode == 1, again.stdout + again.stderr
    right = call(command.replace("wrong:", "model:"), folder)
    assert right.returncode == 0, right.stdout + right.stderr


@pytest.mark.bulk
def test_a_process_that_ends_by_itself_ends_the_search(
    tmp_path: Path, broken: dict[str, str]
) -> None:
    line = "spiketwin verify --on dying: --only paired --first 4 --workers 1 --json e.json"
    done = call(line, tmp_path, **broken)
    assert done.returncode == 1
    says = "sample 4 of seed 0 ended its process, 3 times; the last one ended with status 7: run"
    assert says in done.stderr
    assert figures(tmp_path / "e.json")["samples"] == 0


def test_what_is_kept_is_not_run_again(tmp_path: Path) -> None:
    def found(*more: str) -> dict[str, Any]:
        file = tmp_path / "evidence.json"
        words = ("--on", "model:", "--only", "paired", "--json", str(file))
        resumes = (tmp_path / "store.sqlite").exists()
        done = verify(*words, "--store", str(tmp_path / "store.sqlite"), *more)
        assert done.exit_code == 0, done.output
        # A speed is that of the samples that are counted, or is not told.
        assert ("neuron updates a second" in done.output) != resumes
        assert ("beside what the store held" in done.output) == resumes
        return figures(file) | {"seconds": 0, "workers": 0, "updates": 0}

    begun = found("--updates", "1e5", "--workers", "1")
    more = found("--updates", "3e5", "--workers", "2")
    with sqlite3.connect(tmp_path / "store.sqlite") as kept:
        rows = kept.execute("SELECT task, answer FROM answers").fetchall()
        numbers = sorted(int(task) for task, _ in rows)
        assert {4, 9, begun["next"] - 1, more["next"] - 1} <= set(numbers)
        # What is kept is taken as it is: nothing of it is run again.
        kept.execute("UPDATE answers SET answer = json_set(answer, '$.spikes', 7)")
    again = found("--updates", "3e5", "--workers", "2")
    assert (again["next"], again["samples"]) == (more["next"], more["samples"])
    assert again["spikes"] == 7 * again["samples"]


def running(pid: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(each) for each in children}.union(*(running(int(each)) for each in children))


def is_alive(pid: int) -> bool:
    """Whether a process is there that has not ended, though perhaps nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", bulk_but([signal.SIGINT], [signal.SIGINT, signal.SIGTERM]))
def test_a_search_that_is_broken_off_leaves_its_figures_and_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    program = "import sys; from spiketwin.host.cli import main; main(sys.argv[1:])"
    arguments = "verify --on model: --only paired --updates 1e12 --workers 2 --json e.json"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments.split()], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        started = set[int]()
        deadline = time.monotonic() + 300
        try:
            while len(started) < 4:  # two of ours, each with a guard
                assert process.poll() is None
                assert time.monotonic() < deadline
                started = running(process.pid)
            process.send_signal(number)
            said, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # which would go on for ever, if it has not ended
    assert process.returncode == 128 + number, errors
    assert not [pid for pid in started if is_alive(pid)]
    found = figures(tmp_path / "e.json")
    assert (found["updates"], found["difference"]) == (10**12, None)
    assert f"Further samples: --seed 0 --first {found['next']}" in said
    assert "EQUAL" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--updates", "0"], "Invalid value for '--updates'"),
        (["--updates", "nan"], "nan is not a number of updates: give one such as 1e8"),
        (["--updates", "many"], "'many' is not a valid float range"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--only", "huge"], "'huge' is not one of 'roomy'"),
        (["--first", "-1"], "Invalid value for '--first'"),
        (["--on", "rtl:?params=tiny"], "has sizes of its own: name a simulated twin"),
        (["--on", "/dev/ttyUSB1"], "prove this target good with `spiketwin selftest`"),
        (["--on", "nothing:"], "nothing:"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_is_refused(arguments: list[str], says: str) -> None:
    done = verify(*arguments)
    assert done.exit_code == 2
    assert says in done.output
