"""What a program may hand over by mistake: each ends in an error of ours that names it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from spiketwin.cosim.serial import MODEL, RTL
from spiketwin.cosim.serial.designs import design_of
from spiketwin.cosim.serial.sizes import clock_hz
from spiketwin.hdl.spec.params import ParamsError, preset
from spiketwin.hdl.spec.text import shown
from spiketwin.host import Core, Network, connect, events, superneuromat
from spiketwin.host.addresses import parse
from spiketwin.host.cli import main
from spiketwin.host.cli.stimulus import read_spikes
from spiketwin.host.decoding import decode
from spiketwin.host.errors import (
    CoreClosed,
    DoesNotFit,
    EventFileError,
    InvalidInput,
    LinkError,
    LinkTimeout,
    NetworkFileError,
    RecordingError,
    SpiketwinError,
    TargetError,
)
from spiketwin.host.files import load, save
from spiketwin.host.kinds import Target
from spiketwin.host.link import Link
from spiketwin.host.network import decay_tau
from spiketwin.host.recording import Recording
from spiketwin.host.targets import origin, takes_sizes
from spiketwin.host.transport import Transport

DIGITS = "9" * 5000
"""More than Python makes a number of."""


class Unwilling:
    """Somebody else's class, whose conversion fails in its own way."""

    def __array__(self, *_: object, **__: object) -> None:
        raise RuntimeError("not today")

    def __repr__(self) -> str:
        raise RuntimeError("not today either")


WRONG: list[Any] = [
    None, "8", "", b"8", 8.5, -1.5, float("nan"), 1j, 10**400, -(10**400), 10**5000, 1 << 63,
    -(1 << 63), [1, [2]], [[1, 2], [3]], {1: 2}, object(), [None], np.array(["a"]),
    np.zeros((2, 2, 2)), np.array([10**400]), np.uint64((1 << 64) - 1), np.datetime64("2020"),
    np.zeros(3, [("a", "i4")]), Unwilling(), ...,
]  # fmt: skip
"""No call below takes any of these, but for some that are left out there."""

NET = Network.random(8, 8, seed=1)
WORDS = np.zeros(1, np.uint32)


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    with connect("model:", params="tiny") as core:
        core.program(NET)
        yield core


def _network(name: str) -> Callable[[Any], object]:
    sizes: dict[str, Any] = {"n_axons": 4, "n_neurons": 8}
    return lambda value: Network(**sizes | {name: value})


CALLS: dict[str, Callable[[Any], object]] = {
    **{
        name: _network(name)
        for name in ("n_axons", "n_neurons", "weights", "threshold", "seed", "w_max", "learn_pre")
    },
    "params": lambda value: connect("model:", params=value),
    "retries": lambda value: connect("model:", retries=value),
    "baud": lambda value: connect("model:", baud=value),
    "url": lambda value: connect(value),
    "url ": lambda value: takes_sizes(value),
    "url  ": lambda value: origin(value),
    "net": lambda value: save("none.npz", value),
    "ticks": lambda value: save("none.npz", NET, [], value),
    "spikes": lambda value: save("none.npz", NET, value, 5),
    "n_neurons ": lambda value: NET.core_params(n_neurons=value),
    "lanes": lambda value: NET.core_params(lanes=value),
    "params ": lambda value: NET.register_values(value),
    "code": lambda value: decay_tau(value),
    "shift": lambda value: decay_tau(1, value),
    "words": lambda value: decode(value, 1, preset("tiny"), False),
    "ticks ": lambda value: decode(WORDS, value, preset("tiny"), False),
    "params  ": lambda value: decode(WORDS, 1, value, False),
    "digests": lambda value: decode(WORDS, 1, preset("tiny"), value),
}
CORE_CALLS: dict[str, Callable[[Core, Any], object]] = {
    "net": lambda core, value: core.program(value),
    "spikes": lambda core, value: core.run(value, 3),
    "ticks": lambda core, value: core.run([], value),
    "tick_period": lambda core, value: core.run([], 3, tick_period=value),
    "progress": lambda core, value: core.run([], 3, progress=value),
    "watch": lambda core, value: core.run([], 3, watch=value),
    "digests": lambda core, value: core.run([], 3, digests=value),
    "weight": lambda core, value: core.write_weights(value),
    "plastic": lambda core, value: core.write_plastic(value),
    "v": lambda core, value: core.write_state(v=value),
    "pending": lambda core, value: core.write_state(pending=value),
    "bias": lambda core, value: core.write_parameters(bias=value),
    "v_floor": lambda core, value: core.write_registers(v_floor=value),
    "state": lambda core, value: core.clear(value),
    "baud": lambda core, value: core.set_baud(value),
}
MEANT = {
    "progress": ["None"],
    "watch": ["None"],
    "params": ["None", "'8'", "''"],
    "n_neurons": ["None"],
    "url": ["'8'", "''"],
}
"""Values that are no mistake there, or one of another kind, as they are shown."""

EACH_WRONG = pytest.mark.parametrize(
    "value", [pytest.param(value, id=f"value{i}") for i, value in enumerate(WRONG)]
)


def _ends_in_ours(name: str, value: Any, call: Callable[[], object]) -> None:
    if shown(value) in MEANT.get(name, []):
        return
    with pytest.raises(SpiketwinError) as error:
        call()
    said = str(error.value)
    assert name in said
    assert "np." not in said
    assert len(said) < 700


@EACH_WRONG
@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_named(name: str, value: Any) -> None:
    if name == "baud" and value is None:
        return  # the default of `connect`, though not of `set_baud`
    _ends_in_ours(name.strip(), value, lambda: CALLS[name](value))


@EACH_WRONG
@pytest.mark.parametrize("name", CORE_CALLS)
def test_a_wrong_argument_of_a_core_is_named_and_nothing_is_sent(
    name: str, value: Any, core: Core
) -> None:
    before = core.statistics.requests
    _ends_in_ours(name, value, lambda: CORE_CALLS[name](core, value))
    assert core.statistics.requests == before or shown(value) in MEANT.get(name, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(6552), "6552"),
        (np.bool_(True), "True"),
        (np.float32(1.5), "1.5"),
        ([np.int64(3), 10**5000], "[3, a number of 16610 bits]"),
        (-(10**5000), "a number of 16610 bits"),
        ("x" * 1000, f"'{'x' * 27}...{'x' * 28}'"),
        (np.arange(3), "array([0, 1, 2])"),
    ],
    ids=range(7),
)
def test_numbers_are_shown_plain_and_long_things_short(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("tau", [10**400, -1, "soon", None, True, 1j, float("nan")], ids=range(7))
def test_a_time_constant_that_is_none_is_named(tau: Any) -> None:
    with pytest.raises(SpiketwinError, match=r"v_tau must be 0…inf ticks"):
        Network(n_axons=1, n_neurons=1, v_tau=tau)


@pytest.mark.parametrize("name", ["n_neurons", "seed", "theta_bump"])
def test_a_truth_value_is_no_size_and_no_gain(name: str) -> None:
    with pytest.raises(SpiketwinError, match=f"{name} must be an integer in .*, not True"):
        _network(name)(True)


def test_a_size_of_numpy_is_a_size() -> None:
    assert NET.core_params(n_neurons=np.int64(64)).n_neurons == 64
    with pytest.raises(DoesNotFit, match="n_axons must be int, not str '8'"):
        NET.core_params(n_axons="8")


@pytest.mark.parametrize("retries", [-1, 1001, "3", 3.0, True])
def test_retries_have_a_range(retries: Any) -> None:
    with pytest.raises(InvalidInput, match=r"retries must be an integer in 0…1000"):
        connect("model:", params="tiny", retries=retries)


@pytest.mark.parametrize("path", [5, None, 1.5, "a\0b", b"bytes", "\ud800", ["a"]], ids=range(7))
def test_what_is_no_path_is_refused(path: Any) -> None:
    for call in (lambda: save(path, NET), lambda: load(path), lambda: Recording.load(path)):
        with pytest.raises(InvalidInput, match="path must be the path of a file"):
            call()
    if path is not None:
        with pytest.raises(InvalidInput, match="record must be the path of a file"):
            connect("model:", params="tiny", record=path)


def test_events_for_a_network_without_axons_are_refused_in_words(core: Core) -> None:
    core.program(Network(n_axons=0, n_neurons=8))
    with pytest.raises(InvalidInput, match="this network has no axons"):
        core.run([(0, 0)], 3)
    assert len(core.run([], 3).cycles) == 3


def test_what_a_file_gives_is_to_be_unpacked(tmp_path: Path, core: Core) -> None:
    save(tmp_path / "net.npz", NET, [(0, 0)], 1)
    both: Any = load(tmp_path / "net.npz")
    with pytest.raises(
        InvalidInput, match=r"net must be a Network, not tuple.*net, stimulus = load"
    ):
        core.program(both)
    core.program(both[0])


def test_a_closed_core_says_who_closed_it() -> None:
    with connect("model:", params="tiny") as core:
        pass
    with pytest.raises(CoreClosed, match="closed by the end of its `with` block: connect again"):
        core.read_weights()
    again = connect("model:", params="tiny")
    again.close()
    with pytest.raises(CoreClosed, match="closed by `close`"):
        again.run([], 1)


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "socket://[::1", "socket://host", "socket://host:port", "socket://host:99999", "socket://[::1]:x",
        f"socket://host:{DIGITS}", "rfc2217://[", "hwgrep://[", "hwgrep://(&skip_busy", "loop://?logging=x",
        "alt://?class=io", "model://[", "model://?x=%zz", "rtl:?level=pins&level=pins", "nobody://",
        "/dev/tty\0USB0", "model:\n", "x" * 5000, f"model:?clock={DIGITS[:3000]}",
        f"rtl:?cycles_per_bit={DIGITS[:3000]}", f"model:?params=tiny,lanes={DIGITS[:3000]}",
    ],
    ids=range(21),
)  # fmt: skip
def test_a_broken_address_is_named(url: str) -> None:
    with pytest.raises(TargetError) as error:
        connect(url)
    assert url.partition(":")[0][:8] in str(error.value)


@pytest.mark.parametrize("text", [DIGITS, "tiny" + DIGITS, f"tiny,lanes={DIGITS}", "tiny,lanes=²"])
def test_sizes_of_any_number_of_digits_are_refused(text: str) -> None:
    with pytest.raises(ParamsError) as error:
        preset(text)
    assert len(str(error.value)) < 300
    with pytest.raises(InvalidInput):
        connect("model:", params=text)


def test_options_of_any_number_of_digits_are_refused() -> None:
    with pytest.raises(TargetError, match="must be in 1…4294967295"):
        clock_hz(Target(MODEL, options={"clock": DIGITS}))
    with pytest.raises(TargetError, match="cycles_per_bit must be a number"):
        design_of(Target(RTL, options={"cycles_per_bit": DIGITS}), "bytes")
    with pytest.raises(TargetError, match="no address"):
        parse("model://[?params=tiny")


def test_what_a_target_is_called_is_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save("net.npz", NET, [(0, 0)], 3)
    session = Path("s[", "b].jsonl")
    session.parent.mkdir()
    for url, more in (("model:", ["--record", str(session)]), (f"replay:{session}", [])):
        done = CliRunner().invoke(main, ["run", "net.npz", "--on", url, *more])
        assert done.exit_code == 0, done.output
    assert str(session) in done.output


# --- files ---------------------------------------------------------------------------------------

READERS: dict[str, tuple[Callable[[Path], object], type[SpiketwinError]]] = {
    "net.npz": (load, NetworkFileError),
    "session.jsonl": (Recording.load, RecordingError),
    "spikes.csv": (read_spikes, InvalidInput),
    "spikes.npy": (read_spikes, InvalidInput),
    "network.json": (superneuromat.load, NetworkFileError),
    "events": (events.read, EventFileError),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["zero", "random", "pipe", "folder", "huge"])
def test_nothing_but_a_file_that_ends_is_read(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.symlink_to(f"/dev/{kind}")
    read, error = READERS[name]
    with pytest.raises(error, match="is a device, a pipe|is a folder|are the most there can be"):
        read(path)


def _npy(shape: str, descr: str = "<i8", data: bytes = b"") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_npy("(1000000000000, 2)"), "more than 16777216 events"),
        (_npy("(1000000, 2)"), "cut or padded"),
        (_npy("(1, 2)", data=bytes(17)), "cut or padded"),
        (_npy(f"({DIGITS}, 2)"), "header is damaged"),
        (_npy("(1, 2)", "|O", bytes(8)), "must hold integers"),
        (_npy("(1, 2)", "<f8", bytes(16)), "must hold integers"),
        (_npy("(16,)", "|u1", bytes(16)), "must hold integers of shape"),
        (_npy("(1, 2)", "<u8", b"\xff" * 16), "holds 18446744073709551615"),
        (_npy("(__import__('os').abort(), 2)"), "header is damaged"),
        (b"\x93NUMPY\2\0" + b"\xff" * 8, "cut, or far too long"),
    ],
)
def test_an_array_that_claims_too_much_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "spikes.npy"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_spikes(path)


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "|u1", "<u8", "<i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_array_of_integers_is_read_as_numpy_reads_it(
    dtype: str, order: Any, tmp_path: Path
) -> None:
    events = np.array(np.arange(10).reshape(5, 2), dtype, order=order)
    path = tmp_path / "spikes.npy"
    for version in ((1, 0), (2, 0), (3, 0)):
        with path.open("wb") as file:
            np.lib.format.write_array(file, events, version)
        assert read_spikes(path).tolist() == events.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"0,{DIGITS}\n", "line 1, must be two whole numbers"),
        ("1,2\n" + "x" * 100_000, "line 2, must be"),
    ],
)
def test_a_long_line_of_a_table_is_shown_short(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "spikes.csv"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=message) as error:
        read_spikes(path)
    assert len(str(error.value)) < 400


def test_an_archive_with_an_endless_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    save(path, NET)
    whole = path.read_bytes()
    for damaged, message in (
        (whole[:-10] + (1 << 20).to_bytes(4, "little") + whole[-6:], "directory is longer"),
        (whole[:-22] + b"PK\6\7" + bytes(16) + whole[-22:], "directory is longer"),
        (whole + b"!", "does not end as a zip archive"),
        (b"", "does not end as a zip archive"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(NetworkFileError, match=message):
            load(path)


HEAD = '{"recording": 1, "baud": 115200, "adapter_latency": 0, "has_line": true}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD.replace("115200", DIGITS), "line 1, is no JSON"),
        (
            HEAD.replace("115200", "1" + "0" * 400),
            r"baud must be a positive integer up to 4294967295, not a number of",
        ),
        (HEAD.replace(": 0,", ": 1e308,"), r"adapter_latency must be seconds, 0…3600"),
        (HEAD.replace(": 0,", f": 1{'0' * 400},"), "adapter_latency must be"),
        (HEAD + '{"at": 1e300, "to": "host", "bytes": "00"}', "at must be seconds"),
        (HEAD + f'{{"at": 1{"0" * 400}, "to": "host", "bytes": "00"}}', "at must be seconds"),
        (HEAD + "[" * 100_000, "line 2, is no JSON"),
    ],
)
def test_a_recording_with_numbers_beyond_all_bounds_is_refused(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(content)
    with pytest.raises(RecordingError, match=message):
        Recording.load(path)


def test_a_replay_ends_however_long_a_wait_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with connect("model:?clock=1", params="tiny", record=path):
        pass
    lines = path.read_text().splitlines()
    # The host waits for seconds that are cycles of 1 Hz, and what it says then is recorded later.
    cut = [line for line in lines[1:] if '"to": "host"' not in line]
    path.write_text("\n".join([lines[0], lines[1], lines[2], *cut[1:]]))
    with pytest.raises(LinkError):
        connect(f"replay:{path}")


# --- what answers --------------------------------------------------------------------------------


class Babbler(Transport):
    """A port at which something answers, but nothing of ours. Time passes as it is read."""

    has_line = False
    adapter_latency = 0.0

    def __init__(self, says: bytes) -> None:
        self.timeout: float | None = 0.0
        self.baudrate = 115200
        self._says = says
        self._now = 0.0

    def clock(self) -> float:
        return self._now

    @property
    def in_waiting(self) -> int:
        return len(self._says)

    def read(self, size: int = 1, /) -> bytes:
        self._now += 0.001
        return self._says[:size]

    def write(self, data: bytes, /) -> int:
        return len(data)

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("says", [b"login: ", b"\0\1\0\2\0", bytes(range(256))])
def test_a_device_that_answers_garbage_is_not_called_silent(says: bytes) -> None:
    with pytest.raises(LinkTimeout, match="something answers .* another baud rate, or is no spike"):
        Link(Babbler(says), retries=2)


def test_a_silent_device_is_called_silent() -> None:
    with pytest.raises(LinkTimeout, match="check the cable"):
        Link(Babbler(b""), retries=2)


@pytest.mark.parametrize(
    ("words", "digests", "message"),
    [
        ([0x80000000, 0x90000001], False, None),
        ([0x80000000], False, "reported 0 ticks"),
        ([0xFFFFFFFF], False, "reported 0 ticks"),
        ([0xA0000002], False, "reported 2 ticks"),
        ([0x80000000, 0x7FFFF000, 0x90000001], False, "a neuron that it has not"),
        ([0x80000000, 0x000FF000, 0x90000001], False, "a neuron that it has not"),
        ([0xB0000000, 0xC0000000, 0x90000001], True, "ticks"),
        ([0x90000001, 0x90000001, 0xC0000000], True, "ticks"),
        ([0xC0000000], True, "ticks"),
        ([0xB0000000, 0x90000001, 0xC0000000], True, "wrong order"),
        ([0x90000001, 0x00001000, 0xB0000000, 0xC0000000], True, "wrong order"),
    ],
)
def test_words_that_no_core_says_are_refused(
    words: list[int], digests: bool, message: str | None
) -> None:
    def decoded() -> None:
        decode(np.array(words, np.uint32), 1, preset("tiny"), digests)

    if message is None:
        decoded()
    else:
        with pytest.raises(LinkError, match=message):
            decoded()


def test_python_still_refuses_such_digits() -> None:
    """The limit that the tests above are about is on."""
    assert 0 < sys.get_int_max_str_digits() < len(DIGITS)
