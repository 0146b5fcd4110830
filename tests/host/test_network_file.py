"""Network files: what is saved is loaded; what is wrong is refused and never executed."""

import errno
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rungs import examples

from spiketwin.host import Network
from spiketwin.host.errors import InvalidInput, NetworkFileError
from spiketwin.host.files import VERSION, load, save
from spiketwin.host.network import ARRAYS, SETTINGS, WIDEST, array_types

Members = dict[str, bytes]

FIRST_ARRAYS = {"weights", "plastic", "threshold", "v_reset", "refrac_ticks", "bias"}
FIRST_SETTINGS = {
    "v_tau", "v_floor", "i_syn_tau", "reset_subtract", "theta_tau", "theta_bump",
    "learn_pre", "learn_post", "stochastic", "seed", "w_min", "w_max",
    "pre_gain", "pre_offset", "post_gain", "post_offset",
    "trace_pre_tau", "trace_pre_bump", "trace_pre_replace",
    "trace_post_tau", "trace_post_bump", "trace_post_replace",
}  # fmt: skip
HELD = {
    1: (FIRST_ARRAYS, FIRST_SETTINGS),
    2: (FIRST_ARRAYS | {"profile"}, FIRST_SETTINGS | {"tag"}),
}
"""What files of former versions hold, which does not change any more."""


def everything(seed: int) -> Network:
    """A network in which every array has values of its whole range, and every setting another one
    than it has by default."""
    rng, net = np.random.default_rng(seed), Network.random(11, 5, seed)
    for name, dtype in array_types().items():
        low, high = ARRAYS[name].limits(WIDEST)
        values = rng.integers(low, high, getattr(net, name).shape, endpoint=True)
        setattr(net, name, values.astype(dtype))
    plain: Any = Network(n_axons=11, n_neurons=5)
    net.windows = rng.integers(-1 << 23, 1 << 23, (3, 512))
    for name in SETTINGS:
        if getattr(net, name) == (usual := getattr(plain, name)):
            setattr(net, name, not usual if isinstance(usual, bool) else type(usual)(3))
    return net


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save(path, Network.random(8, 8, seed=3), [(4, 1), (0, 7), (4, 1)], 5)
    return path


def _members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _with_header(members: Members, change: Callable[[dict[str, Any]], object]) -> Members:
    header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
    change(header)
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return {**members, "header.npy": _npy(text)}


def test_a_saved_network_is_loaded_with_everything(tmp_path: Path) -> None:
    net = everything(seed=9)
    net.theta_tau = float("inf")
    save(tmp_path / "net.npz", net)
    loaded, stimulus = load(tmp_path / "net.npz")
    assert stimulus is None
    for field in fields(Network):
        was, now = getattr(net, field.name), getattr(loaded, field.name)
        assert np.array_equal(was, now), field.name
        assert type(was) is type(now)
        if isinstance(was, np.ndarray):
            assert was.dtype == now.dtype


def test_a_stimulus_comes_back_sorted_with_each_of_its_events(saved: Path) -> None:
    _, stimulus = load(saved)
    assert stimulus is not None
    assert stimulus.ticks == 5
    assert stimulus.spikes.tolist() == [[0, 7], [4, 1], [4, 1]]


def test_a_stimulus_without_spikes_is_one(tmp_path: Path) -> None:
    save(tmp_path / "net.npz", Network.random(8, 8, seed=3), [], 7)
    _, stimulus = load(tmp_path / "net.npz")
    assert stimulus is not None
    assert (stimulus.spikes.shape, stimulus.ticks) == ((0, 2), 7)


def test_a_wrong_stimulus_leaves_the_old_file(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(InvalidInput, match=r"spikes\[0\]: axon must be in 0…7, not 8"):
        save(saved, Network.random(8, 8, seed=4), [(0, 8)], 5)
    with pytest.raises(InvalidInput, match="both"):
        save(saved, Network.random(8, 8, seed=4), [(0, 7)])
    assert saved.read_bytes() == before


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left") as error:
        save(saved, Network.random(8, 8, seed=4))
    assert error.value.filename == str(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_symbolic_link_to_a_network_stays_one(saved: Path) -> None:
    link = saved.with_name("link.npz")
    link.symlink_to(saved)
    save(link, Network.random(9, 9, seed=4))
    assert link.is_symlink()
    assert load(saved)[0].n_axons == 9


def test_a_missing_file_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["header.npy", "weights.npy", "bias.npy", "spikes.npy"])
def test_a_missing_array_is_named(saved: Path, name: str) -> None:
    members = _members(saved)
    del members[name]
    with pytest.raises(NetworkFileError, match=name.removesuffix(".npy")):
        load(_write(saved, members))


def test_an_array_too_many_is_refused(saved: Path) -> None:
    with pytest.raises(NetworkFileError, match="exactly the arrays"):
        load(_write(saved, {**_members(saved), "more.npy": _npy(np.zeros(3))}))


@pytest.mark.parametrize("version", HELD)
def test_a_file_of_a_former_version_is_read_and_lacks_what_has_come_since(
    tmp_path: Path, version: int
) -> None:
    net, path = everything(seed=3), tmp_path / "net.npz"
    arrays, settings = HELD[version]

    def of_version(header: dict[str, Any]) -> None:
        header["version"] = version
        header["settings"] = {name: header["settings"][name] for name in settings}

    save(path, net)
    members = {n: m for n, m in _members(path).items() if n.removesuffix(".npy") in arrays}
    members["header.npy"] = _members(path)["header.npy"]
    found, _ = load(_write(path, _with_header(members, of_version)))
    lacking = Network(n_axons=11, n_neurons=5)
    for name in (*ARRAYS, *SETTINGS):
        wanted = getattr(net if name in arrays | settings else lacking, name)
        assert np.array_equal(getattr(found, name), wanted), name


def test_a_file_holds_what_profiles_hold(saved: Path) -> None:
    held: dict[str, Any] = {"v_tau": [20.0, np.inf], "reset_subtract": [True, False]}
    save(saved, Network(n_axons=2, n_neurons=8, theta_bump=np.array([3, 4]), **held))
    found: Any = load(saved)[0]
    assert found.v_tau.tolist() == [20.0, np.inf]
    assert found.reset_subtract.tolist() == [True, False]
    assert found.theta_bump.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("weights", np.zeros((16, 8), np.int64), r"int32 of shape \(16, 8\), not int64"),
        ("weights", np.zeros((8, 16), np.int32), r"not int32 of shape \(8, 16\)"),
        ("weights", np.zeros((16, 8), np.int32).T.copy().T, "row order"),
        ("weights", np.full((16, 8), 1 << 20, np.int32), r"weights\[0, 0\] must be in"),
        ("threshold", np.zeros(8, np.float32), "threshold must be int32"),
        ("plastic", np.full((16, 8), 7, np.uint8).view(np.bool_), "only 0 and 1"),
        ("spikes", np.array([[0, 9], [1, 1], [1, 1]]), "axon must be in 0…7"),
        ("header", np.zeros((2, 2), np.uint8), "vector of uint8"),
    ],
)
def test_a_wrong_array_is_named(saved: Path, name: str, array: Any, message: str) -> None:
    with pytest.raises(NetworkFileError, match=message):
        load(_write(saved, {**_members(saved), f"{name}.npy": _npy(array)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(version=VERSION + 1), f"version {VERSION + 1}, this release reads 1"),
        (lambda h: h.update(version=0), "version 0, this release reads 1"),
        (lambda h: h.update(version=True), "version True, this release reads 1"),
        (lambda h: h.update(format="other"), "format"),
        (lambda h: h.update(n_axons=-1), "n_axons must be an integer in 0…4096"),
        (lambda h: h.update(n_axons=True), "n_axons must be an integer"),
        (lambda h: h.update(n_neurons=10**9), "n_neurons must be an integer in 0…4096"),
        (lambda h: h.update(ticks=0), "ticks must be an integer in 1…"),
        (lambda h: h.update(events=10**12), "events must be an integer"),
        (lambda h: h.pop("settings"), "settings must be exactly"),
        (lambda h: h["settings"].pop("seed"), "settings must be exactly"),
        (lambda h: h["settings"].update(wings=2), "settings must be exactly"),
        (lambda h: h["settings"].update(seed=-1), "seed must be an integer in"),
        (lambda h: h["settings"].update(seed=1.5), "seed must be an integer"),
        (lambda h: h["settings"].update(v_tau="soon"), "v_tau must be a number"),
        (lambda h: h["settings"].update(v_tau="nan"), "v_tau must be 0…inf"),
        (lambda h: h.update(rounded_for=3), "rounded_for must have sizes"),
        (lambda h: h.update(rounded_for={"sizes": {}, "at": 1}), "rounded_for must have sizes"),
        (lambda h: h.update(rounded_for={"sizes": [8]}), "sizes of rounded_for must be by name"),
        (lambda h: h.update(rounded_for={"sizes": {"v_width": 80}}), "within their ranges"),
        (lambda h: h.update(rounded_for={"sizes": {"n_axons": 8}}), "must be some of weight_width"),
        (lambda h: h.update(rounded_for={"sizes": {}, "dt": "nan"}), "dt of rounded_for must be"),
        (lambda h: h.update(rounded_for={"sizes": {}, "dt": 0.1}), "dt of rounded_for must be"),
    ],
)
def test_a_wrong_header_is_refused(
    saved: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(NetworkFileError, match=message):
        load(_write(saved, _with_header(_members(saved), change)))


def test_a_member_packed_otherwise_is_refused(saved: Path) -> None:
    members = _members(saved)
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(NetworkFileError, match="packed in a way"):
        load(saved)


@pytest.mark.parametrize("text", [b"{'descr': '<i4', 'shape': (", b"{[]: 1}"])
def test_a_damaged_array_header_is_refused(saved: Path, text: bytes) -> None:
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with pytest.raises(NetworkFileError, match="weights: its header is damaged"):
        load(_write(saved, {**_members(saved), "weights.npy": head}))


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def test_nothing_in_a_file_is_executed(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trap = np.array([_Trap()], object)
    with pytest.raises(NetworkFileError, match="object"):
        load(_write(saved, {**_members(saved), "bias.npy": _npy(trap)}))
    saved.write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(NetworkFileError):
        load(saved)
    assert not (tmp_path / "executed").exists()


def test_a_header_that_claims_too_much_takes_no_memory(saved: Path) -> None:
    huge = _npy(np.zeros(8, np.int32)).replace(b"(8,), }         ", b"(9999999999,), }")
    assert b"9999999999" in huge
    told = r"bias must be int32 of shape \(8,\), not int32 of shape \(9999999999,\)"
    with pytest.raises(NetworkFileError, match=told):
        load(_write(saved, {**_members(saved), "bias.npy": huge}))
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(1 << 24))
    with pytest.raises(NetworkFileError, match="far too long"):
        load(saved)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(300))
@given(data=st.data())
def test_a_damaged_file_is_refused_or_harmless(saved: Path, data: st.DataObject) -> None:
    whole = saved.with_name("whole.npz")
    if not whole.exists():
        whole.write_bytes(saved.read_bytes())
    octets = bytearray(whole.read_bytes())
    if data.draw(st.booleans(), "cut"):
        del octets[data.draw(st.integers(0, len(octets) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    saved.write_bytes(octets)
    try:
        net, _ = load(saved)
    except NetworkFileError:
        return
    net.validate()
