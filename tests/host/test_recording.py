"""Sessions on file: recorded from any target, replayed without it, refused where they differ."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.channel import FaultyChannel

from spiketwin.cosim.serial import protocol_model
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.host import Core, Network, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import CoreClosed, LinkTimeout, RecordingError, ReplayMismatch
from spiketwin.host.exchange import Request
from spiketwin.host.files import save
from spiketwin.host.link import Link
from spiketwin.host.recording import Recording, Replay, recording

NET = Network.random(8, 8, seed=4)
EVENTS = np.argwhere(np.random.default_rng(2).random((30, 8)) < 0.3)


def session(core: Core, seed: int = 4) -> dict[str, np.ndarray]:
    """What a program does with a core, and all that it learns."""
    core.program(Network.random(8, 8, seed=seed))
    run = core.run(EVENTS, 30)
    core.set_baud(500_000)
    return {
        "spikes": run.spikes,
        "spike_cycles": run.spike_cycles,
        "cycles": run.cycles,
        "weights": core.read_weights(),
        **core.read_state(),
    }


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.mark.parametrize(
    "url", ["model:", "rtl:", "rtl:?level=pins", "rtl:?level=core", "rtl+pty:"]
)
def test_a_replayed_session_gives_what_the_target_gave(url: str, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with connect(url, params="tiny", record=path) as core:
        recorded = session(core)
        identity = core.identity
    assert len(recorded["spikes"]) > 10
    for _ in range(2):  # a replay changes nothing
        with connect(f"replay:{path}") as core:
            assert core.identity == identity
            assert_equal(session(core), recorded)


def test_a_replay_can_be_recorded_and_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with connect("model:", params="tiny", record=first) as core:
        session(core)
    with connect(f"replay:{first}", record=second) as core:
        session(core)
    bursts = [(b.to_device, b.data) for b in Recording.load(first).bursts]
    assert [(b.to_device, b.data) for b in Recording.load(second).bursts] == bursts
    assert len(bursts) > 50


def test_losses_are_replayed_with_what_was_resent(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    line = FaultyChannel(protocol_model.Serial("model://?params=tiny"), seed=3)
    with recording(line, path) as port, Core(Link(port)) as core:
        line.error_rate = 4e-3
        recorded = session(core)
        seen = core.statistics
    assert seen.resent > 0
    assert seen.timeouts > 0
    with Core(Link(Replay(Recording.load(path)))) as core:
        assert_equal(session(core), recorded)
        again = core.statistics
    assert (again.resent, again.timeouts, again.bad_frames) == (
        seen.resent,
        seen.timeouts,
        seen.bad_frames,
    )


def test_a_device_that_falls_silent_does_so_in_the_replay(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    line = FaultyChannel(protocol_model.Serial("model://?params=tiny"), seed=3)
    with recording(line, path) as port:
        core = Core(Link(port, retries=3))
        line.cut_off_until = np.inf
        with pytest.raises(LinkTimeout, match="READ in 4 tries"):
            core.read_weights()
        core.close()
    with (
        Core(Link(Replay(Recording.load(path)), retries=3)) as core,
        pytest.raises(LinkTimeout, match="READ in 4 tries"),
    ):
        core.read_weights()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "session.jsonl"
    with connect("model:", params="tiny", record=path) as core:
        session(core)
    return path


def test_another_program_is_told_the_first_byte_and_the_request(recorded: Path) -> None:
    with (
        connect(f"replay:{recorded}") as core,
        pytest.raises(
            ReplayMismatch,
            match=r"^replay:.*session\.jsonl: byte \d+ is 0x\w\w, in request \d+ \(WRITE\), where "
            r"the recorded program sent 0x\w\w, in WRITE: replay it with the same program",
        ),
    ):
        session(core, seed=5)


def test_another_request_is_named_on_both_sides(recorded: Path) -> None:
    with (
        connect(f"replay:{recorded}") as core,
        pytest.raises(ReplayMismatch, match=r"\(CLEAR\), where the recorded .* in RESET: "),
    ):
        core.clear("v")


def test_the_place_is_that_of_the_first_differing_byte(recorded: Path) -> None:
    said = b"".join(b.data for b in Recording.load(recorded).bursts if b.to_device)
    for place in (0, 1, 5, len(said) // 2):
        port = Replay(Recording.load(recorded))
        changed = said[:place] + bytes([said[place] ^ 0x40]) + said[place + 1 :]
        with pytest.raises(ReplayMismatch, match=rf"^byte {place} is {changed[place]:#04x}, "):
            for i in range(len(changed)):
                while port.in_waiting:
                    port.read(port.in_waiting)
                port.write(changed[i : i + 1])


def test_a_program_that_asks_for_more_meets_the_end(recorded: Path) -> None:
    with connect(f"replay:{recorded}") as core:
        session(core)
        with pytest.raises(ReplayMismatch, match="SET_BAUD|the recording ends before byte"):
            core.read_weights()


def test_a_program_that_does_not_wait_for_an_answer_is_told(recorded: Path) -> None:
    bursts = Recording.load(recorded).bursts
    assert not bursts[1].to_device
    port = Replay(Recording.load(recorded))
    port.write(bursts[0].data)
    with pytest.raises(ReplayMismatch, match="comes too early, in request 2"):
        port.write(bursts[2].data)


def test_a_program_that_waits_where_the_recorded_one_spoke_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with connect("model:", params="tiny", record=path) as core:
        core.link.run([Request(Opcode.STOP, result_bytes=4), Request(Opcode.RESET)])
    with connect(f"replay:{path}") as core, pytest.raises(ReplayMismatch):
        core.link.request(Request(Opcode.STOP, result_bytes=4))


HEAD = '{"recording": 1, "baud": 115200, "adapter_latency": 0.02, "has_line": true}'
BURST = '{"at": 0.5, "to": "device", "bytes": "00"}'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "line 1, must begin a recording"),
        ([BURST], "line 1, must begin a recording"),
        ([HEAD.replace(": 1,", ": 2,")], "line 1, must begin a recording"),
        ([HEAD.replace("115200", '"fast"')], "line 1: baud must be a positive integer"),
        ([HEAD.replace("115200", "true")], "line 1: baud must be a positive integer"),
        ([HEAD.replace("0.02", "-1")], "line 1: adapter_latency must be seconds"),
        ([HEAD.replace("0.02", "NaN")], "line 1: adapter_latency must be seconds"),
        ([HEAD, BURST, "{"], "line 3, is no JSON .*: the file was cut short .* record the session"),
        ([HEAD, "[" * 100_000], "line 2, is no JSON"),
        ([HEAD, "[1]"], "line 2, must be a JSON object"),
        ([HEAD, BURST, BURST.replace("0.5", "0.4")], r"line 3: at must be .* \(0.5\), not 0.4"),
        ([HEAD, BURST.replace("device", "nobody")], 'line 2: to must be "device" or "host"'),
        ([HEAD, BURST.replace('"00"', '"0"')], "line 2: bytes must be pairs"),
        ([HEAD, BURST.replace('"00"', '""')], "line 2: bytes must be pairs"),
        ([HEAD, BURST.replace('"00"', "0")], "line 2: bytes must be pairs"),
    ],
)
def test_a_damaged_line_is_named(lines: list[str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match=told):
        connect(f"replay:{path}")


def test_files_that_are_no_text_or_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        connect(f"replay:{tmp_path}/none.jsonl")
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordingError, match="is no text"):
        connect(f"replay:{tmp_path}/noise")


def test_a_session_that_fails_is_on_file_too(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    core = connect("model:", params="tiny", record=path)
    assert not path.exists()
    core.close()
    with pytest.raises(CoreClosed):
        core.read_weights()
    assert Recording.load(path).bursts


def test_the_commands_record_and_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("net.npz"), NET, EVENTS, 30)

    def figures(*arguments: str) -> dict[str, object]:
        done = CliRunner().invoke(main, [*arguments, "--json", "figures.json"])
        assert done.exit_code == 0, done.output
        found: dict[str, object] = json.loads(Path("figures.json").read_text())
        return found

    run = ["run", "net.npz", "--on"]
    first = figures(*run, "model:", "--params", "tiny", "--record", "run.jsonl")
    again = figures(*run, "replay:run.jsonl")
    for name in ("build", "ticks", "spikes", "cycles", "rates"):
        assert first[name] == again[name]

    selftest = ["selftest", "--networks", "2", "--transactions", "20", "--on"]
    first = figures(*selftest, "model:", "--params", "tiny", "--record", "selftest.jsonl")
    again = figures(*selftest, "replay:selftest.jsonl")
    for name in ("passed", "memory", "equivalence"):
        assert first[name] == again[name]


def test_a_replay_of_a_damaged_session_in_a_command_ends_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(HEAD + "\nnonsense\n")
    done = CliRunner().invoke(main, ["selftest", "--on", f"replay:{path}"])
    assert done.exit_code == 2
    assert "line 2, is no JSON" in done.output
