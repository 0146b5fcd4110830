"""The fuzzer, in short; that it finds what is wrong; and the device's answers beside the RTL's."""

import json
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rungs import examples

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.trials.fuzz import campaign, parts
from spiketwin.cosim.trials.fuzz.campaign import CHOICE_BYTES, bounded_memory, hand_over, search
from spiketwin.cosim.trials.fuzz.choices import Choices
from spiketwin.cosim.trials.fuzz.frames import RequestStreams
from spiketwin.cosim.trials.fuzz.surfaces import SURFACES
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import Space, registers
from spiketwin.host.cli import main
from spiketwin.host.errors import InvalidInput
from spiketwin.host.frames import FrameDecoder

INPUTS = 300


@pytest.mark.parametrize("name", SURFACES)
def test_no_input_ends_in_anything_but_a_result_or_an_error_of_ours(
    name: str, tmp_path: Path
) -> None:
    surface = SURFACES[name](tmp_path)

    @settings(max_examples=examples(INPUTS))
    @given(octets=st.binary(min_size=CHOICE_BYTES, max_size=CHOICE_BYTES))
    def hand_one_over(octets: bytes) -> None:
        _, finding = hand_over(name, surface, surface.make(Choices(octets)))
        assert finding is None, finding.trace

    hand_one_over()


@pytest.mark.parametrize("name", SURFACES)
def test_inputs_give_both_results_and_errors(name: str, tmp_path: Path) -> None:
    tally = search(name, SURFACES[name](tmp_path), INPUTS, 1)
    assert tally.findings == []
    assert tally.untyped == 0
    assert tally.inputs == tally.results + tally.errors.total() == INPUTS
    assert tally.results > 0
    assert (tally.errors.total() > 0) == (name != "to-device")


def test_progress_is_told_of_each_part_up_to_all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_INPUTS", 100)
    told: list[tuple[str, int, int]] = []
    todo = list(parts.parts(["to-device"], 250, 1))
    tallies, lost = parts.run(
        todo, Workforce(1), None, lambda name, done, total: told.append((name, done, total))
    )
    assert (tallies["to-device"].inputs, lost) == (250, [])
    assert told == [("to-device", done, 250) for done in (100, 200, 250)]


class Broken:
    """A way in behind which something is wrong."""

    def __init__(self, feed: Callable[[bytes], object]) -> None:
        self._feed = feed

    def make(self, choices: Choices) -> bytes:
        return choices.octets(4)

    def feed(self, data: bytes) -> None:
        self._feed(data)


def _divide(data: bytes) -> None:
    if data[0] == 1:
        raise InvalidInput("not this one")
    if data[1] >= 7:
        _ = 1 // 0


def test_what_ends_in_another_error_is_counted_and_made_small() -> None:
    tally = search("broken", Broken(_divide), INPUTS, 1)
    assert tally.untyped > INPUTS // 2
    (finding,) = tally.findings
    assert finding.data == bytes((0, 7, 0, 0))
    assert finding.error == "ZeroDivisionError: integer division or modulo by zero"
    assert finding.place.startswith("test_fuzz.py, line ")


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.getpid, ())


def _hang(_: bytes) -> None:
    while True:
        pass


@pytest.mark.parametrize(
    ("feed", "error"),
    [
        (_hang, "Overrun"),
        (lambda _: pickle.loads(pickle.dumps(_Trap())), "Executed: pickle.find_class"),
        (lambda _: exec("1"), "Executed: exec"),
        (lambda _: os.system("true"), "Executed: os.system"),
        (lambda _: bytearray(16 * campaign.MOST_MEMORY), "MemoryError"),
        (lambda _: pytest.exit("leaving"), "Exit"),
    ],
)
def test_no_input_may_hang_execute_or_take_the_memory(
    feed: Callable[[bytes], object], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "MOST_SECONDS", 1.0)
    with bounded_memory():
        _, finding = hand_over("broken", Broken(feed), b"")
    assert finding is not None
    assert finding.error.startswith(error)


def test_the_same_seed_makes_the_same_inputs() -> None:
    def made(seed: int, first: int = 0) -> list[bytes]:
        inputs: list[bytes] = []
        search("broken", Broken(inputs.append), 50 - first, seed, first)
        return inputs

    assert made(3) == made(3) != made(4)
    assert made(3, 20) == made(3)[20:]


# --- the command ---------------------------------------------------------------------------------


def fuzz(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fuzz", *arguments])


def test_the_command_says_how_many_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = fuzz("--inputs", "101", "--only", "params", "--only", "spikes.csv", "--json", "f.json")
    assert done.exit_code == 0, done.output
    figures = json.loads(Path("f.json").read_text())
    assert (figures["inputs"], figures["untyped"], figures["findings"]) == (101, 0, [])
    assert [each["inputs"] for each in figures["surfaces"]] == [51, 50]
    assert list(tmp_path.iterdir()) == [tmp_path / "f.json"]


@pytest.mark.bulk
def test_the_inputs_are_the_same_for_any_number_of_processes_and_are_kept(tmp_path: Path) -> None:
    def found(*more: str) -> dict[str, Any]:
        file = tmp_path / "f.json"
        done = fuzz("--inputs", "4100", "--only", "params", "--json", str(file), *more)
        assert done.exit_code == 0, done.output
        result: dict[str, Any] = json.loads(file.read_text())
        return result

    def counts(result: dict[str, Any]) -> list[Any]:
        return [[each["name"], each["results"], each["errors"]] for each in result["surfaces"]]

    alone = found()
    store = ("--store", str(tmp_path / "store.sqlite"))
    assert counts(found("--workers", "2", *store)) == counts(alone)
    again = found("--workers", "2", *store)
    assert counts(again) == counts(alone)
    assert again["seconds"] < alone["seconds"]


def test_what_ends_the_process_it_is_fed_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, sys; from spiketwin.cosim.trials.fuzz import surfaces\n"
        "surfaces.SURFACES['params'] = lambda _: os._exit(7)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    file = tmp_path / "f.json"
    only = ("--only", "params", "--only", "url")
    done = fuzz("--inputs", "100", *only, "--workers", "2", "--json", str(file))
    assert done.exit_code == 1, done.output
    found = json.loads(file.read_text())
    (lost,) = found["lost"]
    assert lost.startswith("params, 50 inputs from 0 on, of seed 0: it ended its process, 3 times")
    assert [each["inputs"] for each in found["surfaces"]] == [0, 50]


def test_a_finding_is_kept_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def use(feed: Callable[[bytes], object]) -> None:
        monkeypatch.setitem(SURFACES, "params", lambda _: Broken(feed))

    use(_divide)
    done = fuzz("--inputs", "100", "--only", "params", "--json", "f.json")
    assert done.exit_code == 1, done.output
    (name,) = json.loads(Path("f.json").read_text())["findings"]
    assert f"spiketwin fuzz --replay {name}" in done.output
    again = fuzz("--replay", name)
    assert again.exit_code == 1
    assert "ZeroDivisionError" in again.output
    use(lambda *_: None)
    mended = fuzz("--replay", name)
    assert mended.exit_code == 0
    assert "It ends in a result." in mended.output


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"surface": "x", "data": ""}', "[" * 99999])
def test_what_is_no_finding_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "finding.json"
    path.write_text(content)
    done = fuzz("--replay", str(path))
    assert done.exit_code == 2
    assert str(path) in done.stderr


# --- the device and the RTL ----------------------------------------------------------------------


TINY = preset("tiny")
IDLE = 10_000
"""Cycles in which the core fills its output queue, however long the run it was told."""


def _depends_on_time(body: bytes) -> bool:
    """Whether what is answered from then on depends on how fast the core and the line are."""
    if len(body) > 9 and body[2] == Opcode.WRITE and body[3] == Space.REGISTER:
        first, count = int.from_bytes(body[4:8], "little"), (len(body) - 8) // 4
        names = [register.name for register in registers(TINY)]
        return "tick_period" in names[first : first + count]
    return len(body) > 2 and body[2] == Opcode.SET_BAUD


def _asked(device: ModelDevice, engine: Engine, frame: bytes) -> tuple[list[bytes], list[bytes]]:
    """What both answer, without what each calls itself."""
    device.receive(frame)
    engine.write(frame)
    engine.run(IDLE)
    said = device.drain(device.waiting), b"".join(iter(lambda: engine.read(4096, 0.0), b""))
    one, other = (
        [body[:4] if body[2] == Opcode.IDENTIFY else body for body in FrameDecoder().feed(data)]
        for data in said
    )
    return one, other


@pytest.mark.rtl
def test_the_rtl_answers_what_the_model_answers(seed: int) -> None:
    rng, requests, answers = random.Random(seed), RequestStreams(TINY), 0
    device = ModelDevice(TINY)
    with Engine(TINY, "bytes") as engine:
        for _ in range(40):
            device.power_cycle()
            engine.reset()
            stream = requests.make(Choices(rng.randbytes(CHOICE_BYTES)))
            for part in stream.split(b"\0")[:-1]:
                if any(_depends_on_time(body) for body in FrameDecoder().feed(part + b"\0")):
                    continue
                ours, theirs = _asked(device, engine, part + b"\0")
                assert ours == theirs, stream.hex(" ")
                answers += len(ours)
    assert answers > 100
