"""Event files: what is read equals what was written, and what is wrong is named with its place."""

from __future__ import annotations

import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support import event_files
from support.rungs import bulk_but

from spiketwin.host import Network, files
from spiketwin.host.errors import EventFileError, InvalidInput
from spiketwin.host.events import Events, read, write


def pixels(count: int = 60, edge: int = 34, begin: int = 0, seed: int = 1) -> Events:
    """Random events of a square sensor."""
    rng = np.random.default_rng(seed)
    t = begin + np.sort(rng.integers(0, 90_000, count))
    x, y = rng.integers(0, edge, (2, count))
    return Events(t=t, x=x, y=y, polarity=rng.integers(0, 2, count), size=(edge, edge))


def units(count: int = 60, number: int = 5, seed: int = 2) -> Events:
    """Random events of units."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 90_000, count))
    return Events(t=t, unit=rng.integers(0, number, count), units=number)


def check_equal(found: Events, wanted: Events) -> None:
    """Hold the arrays of events against others."""
    assert list(found.arrays()) == list(wanted.arrays())
    for name, array in wanted.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array, name)


def text_of(events: Events) -> bytes:
    """Lines of time in seconds, x, y and polarity, as for the event cameras of the field."""
    rows = zip(*(each.tolist() for each in events.arrays().values()), strict=True)
    return "".join(f"{t / 1e6:.6f} {x} {y} {p}\n" for t, x, y, p in rows).encode()


def npz_of(events: Events) -> bytes:
    """An archive, as `write` makes it."""
    path = Path("made.npz")
    write(path, events)
    return path.read_bytes()


MADE: dict[str, Callable[[Events], bytes]] = {
    "AEDAT 4": event_files.aedat4,
    "N-MNIST .bin": event_files.nmnist,
    "Prophesee .dat": event_files.dat,
    "text": text_of,
    ".npz": npz_of,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def given(data: bytes, name: str = "events") -> Path:
    """A file with this content, and a name that says nothing."""
    path = Path(name)
    path.write_bytes(data)
    return path


# --- what is right -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_a_file_is_known_by_its_content_and_read_exactly(name: str) -> None:
    events = pixels()
    found = read(given(MADE[name](events), "something.h5"))
    assert found.format == name
    check_equal(found, events)


@pytest.mark.parametrize("name", MADE)
def test_a_file_without_events_is_read_or_refused_in_words(name: str) -> None:
    data = MADE[name](Events(t=[], x=[], y=[], polarity=[], size=(34, 34)))
    if name in ("text", "N-MNIST .bin"):
        with pytest.raises(EventFileError, match="is empty"):
            read(given(data))
    else:
        assert len(read(given(data))) == 0


def test_the_size_is_what_the_file_says_or_is_assumed_in_a_remark() -> None:
    events = pixels(edge=20)
    assert read(given(event_files.aedat4(events))).size == (20, 20)
    assert read(given(event_files.dat(events))).size == (304, 240)
    assumed = read(given(event_files.nmnist(events)))
    assert assumed.size == (34, 34)
    assert "34 × 34" in assumed.remarks[0]
    large = read(given(event_files.nmnist(pixels(edge=200))))
    assert large.size == (256, 240)
    told = read(given(event_files.nmnist(events)), size=(40, 30))
    assert (told.size, told.remarks) == ((40, 30), ())
    unknown = read(given(event_files.dat(events, "% Version 2\n")))
    assert unknown.size == (events.x.max() + 1, events.y.max() + 1)
    assert len(unknown.remarks) == 1


def test_a_clock_of_aedat_is_no_part_of_the_recording() -> None:
    events = pixels(begin=1_600_000_000_000_000)
    found = read(given(event_files.aedat4(events)))
    check_equal(found, events)
    assert found.begin == events.t[0]
    assert found.duration == events.t[-1] - events.t[0]


def test_a_counter_of_n_mnist_that_wraps_is_continued() -> None:
    rows = [(1, 2, 0, 8000), (0, 240, 0, 0), (3, 4, 1, 5), (0, 240, 0, 0), (5, 6, 0, 1)]
    data = b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for x, y, p, t in rows)
    found = read(given(data))
    assert found.t.tolist() == [8000, 8197, 16385]
    assert found.x.tolist() == [1, 3, 5]
    assert any("wrapped 2 times" in remark for remark in found.remarks)


def test_an_old_dat_has_fewer_bits_for_each_coordinate() -> None:
    word = 300 | 200 << 9 | 1 << 17
    data = b"% Version 1\n" + bytes([0, 8]) + struct.pack("<II", 7, word)
    found = read(given(data))
    assert (found.x[0], found.y[0], found.polarity[0], found.t[0]) == (300, 200, 1, 7)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("t,x,y,p\n10,1,2,1\n20,3,4,0\n", ([10, 20], [1, 3], [2, 4], [1, 0])),
        ("# x y p t_us\n1 2 1 10\n3 4 -1 20\n", ([10, 20], [1, 3], [2, 4], [1, 0])),
        ("time_ms;x;y;polarity\n0.01;1;2;true\n.02;3;4;False", ([10, 20], [1, 3], [2, 4], [1, 0])),
        ("34 34\n0.00001 1 2 1\n0.00002 3 4 0\n", ([10, 20], [1, 3], [2, 4], [1, 0])),
        ("1e-5 1.0 2.0 1.0\n2.0E-5 3 4 0.0\n", ([10, 20], [1, 3], [2, 4], [1, 0])),
        ("0 1 2 1\n1 3 4 0\n1.5 5 6 1\n2 7 8 0\n",
         ([0, 1_000_000, 1_500_000, 2_000_000], [1, 3, 5, 7], [2, 4, 6, 8], [1, 0, 1, 0])),
        ("\ufeff10\t1\t2\t1\r\n\r\n% late\r\n20\t3\t4\t0", ([10, 20], [1, 3], [2, 4], [1, 0])),
    ],
)  # fmt: skip
def test_lines_of_text_are_events(text: str, wanted: tuple[list[int], ...]) -> None:
    found = read(given(text.encode()))
    assert tuple(each.tolist() for each in found.arrays().values()) == wanted


def test_a_first_line_may_say_the_size() -> None:
    assert read(given(b"346 260\n0.5 1 2 1\n")).size == (346, 260)


def test_two_columns_are_times_and_units() -> None:
    found = read(given(b"0.5,7\n1.25,2\n"), units=9)
    assert found.t.tolist() == [500_000, 1_250_000]
    assert found.unit.tolist() == [7, 2]
    assert (found.units, found.remarks) == (9, ())


def test_times_that_are_rounded_are_counted() -> None:
    found = read(given(b"0.0000015 1\n0.0000025 1\n0.000003 1\n"))
    assert found.t.tolist() == [2, 2, 3]
    assert "2 times were rounded" in found.remarks[0]


def test_a_sample_of_shd_has_its_units_and_its_label() -> None:
    samples = [([0.0, 0.25, 0.5], [3, 699, 4]), ([0.125], [2]), ([0.5, 0.25], [1, 0])]
    event_files.shd(Path("shd"), samples, [7, 8, 9])
    found = read("shd", sample=0)
    assert (found.t.tolist(), found.unit.tolist()) == ([0, 250_000, 500_000], [3, 699, 4])
    assert (found.label, found.units, found.format) == (7, 700, "SHD")
    turned = read("shd", sample=2, units=800)
    assert (turned.t.tolist(), turned.unit.tolist()) == ([250_000, 500_000], [0, 1])
    assert turned.remarks == ("times were not ascending, and events are sorted",)
    for sample in (None, 3, -1):
        with pytest.raises(InvalidInput, match=r"0…2"):
            read("shd", sample=sample)


@pytest.mark.parametrize("suffix", ["csv", "npz", "nix"])
def test_events_that_are_written_are_read_again(suffix: str) -> None:
    for events in (units(), *([pixels()] if suffix != "nix" else [])):
        write(f"made.{suffix}", events)
        check_equal(read(f"made.{suffix}"), events)
    silent = Events(t=[0, 5], unit=[0, 0], units=4)
    write("silent.nix", silent)
    assert read("silent.nix").units == 4


def test_pixels_are_no_spike_trains() -> None:
    with pytest.raises(InvalidInput, match=r"\.csv or \.npz"):
        write("made.nix", pixels())
    assert not Path("made.nix").exists()
    with pytest.raises(InvalidInput, match=r"\.nix"):
        write("made.txt", units())


# --- what is wrong -------------------------------------------------------------------------------


def changed(data: bytes, at: int, value: int) -> bytes:
    """Bytes of which one is another."""
    return data[:at] + bytes([value]) + data[at + 1 :]


WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "bin cut": (lambda: event_files.nmnist(pixels())[:-2], "ends within event 59: 3 of its 5"),
    "bin zeros": (lambda: bytes(50), "nothing but zeros"),
    "bin back": (lambda: bytes([1, 1, 0, 9, 9, 1, 1, 0, 1, 1]), "event 1, at byte 5, goes back"),
    "bin y": (lambda: bytes([1, 250, 0, 0, 1]), r"y of event 0, at byte 0, must be in 0…239"),
    "dat cut": (lambda: event_files.dat(pixels())[:-1], "ends within event 59: 7 of its 8"),
    "dat header": (lambda: b"% Version 2\n\x00", "behind its header"),
    "dat kind": (lambda: b"% Version 2\n\x05\x08", "byte 12 must be one of"),
    "dat x": (
        lambda: event_files.dat(pixels(), "% width 20\n% height 40\n"), r"x\[\d+\] must be in 0…19"
    ),
    "dat back": (
        lambda: b"% a\n\x00\x08" + struct.pack("<4I", 9, 0, 8, 0), "event 1, at byte 14, goes back"
    ),
    "aedat cut": (lambda: event_files.aedat4(pixels())[:-3], "are left: the file is cut"),
    "aedat header": (lambda: event_files.aedat4(pixels())[:16], "length of its header"),
    "aedat lies": (
        lambda: b"#!AER-DAT4.0\r\n\xff\xff\xff\x7f", "a header of 2147483647 bytes in a file of 18"
    ),
    "aedat field": (
        lambda: changed(event_files.aedat4(pixels()), 31, 255), "a field is beyond the header"
    ),
    "aedat text": (
        lambda: changed(event_files.aedat4(pixels()), 18 + 50, 255), "longer than the header"
    ),
    "aedat end": (lambda: event_files.aedat4(pixels(), end=9999), "end at byte 9999"),
    "aedat way": (lambda: event_files.aedat4(pixels(), compression=9), "9, that is unknown"),
    "aedat lz4": (lambda: event_files.aedat4(pixels(), compression=1), "no packet, or a damaged"),
    "aedat kind": (lambda: event_files.aedat4(pixels(), kind="TRIG"), "of events, not 0"),
    "aedat 2": (lambda: b"#!AER-DAT2.0\r\n# more\r\n", "another version than 4"),
    "text back": (lambda: b"t,unit\n5,1\n4,1\n", "line 3: the time goes back, from 5 to 4"),
    "text columns": (lambda: b"1 2 3\n", "line 1: 3 columns need a first line"),
    "text other": (lambda: b"t,x,y,p,label\n1,2,3,1,9\n", "line 1: the column 'label' is not"),
    "text seconds": (
        lambda: b"9007199254740 1\n9007199254740.5 2\n", "line 2: times before this one are beyond"
    ),
    "text ragged": (lambda: b"1 2\n3 4 5\n", "line 2: there must be 2 columns"),
    "text number": (lambda: b"1 2\n3 inf\n", "line 2: unit must be a number"),
    "text huge": (lambda: b"1e999999999 2\n", "line 1: t must be"),
    "text negative": (lambda: b"-0.5 2\n", "line 1: t must be"),
    "text names": (lambda: b"x,t\n1,2\n", "line 1: its columns are x, t"),
    "text polarity": (lambda: b"1 2 3 2\n", r"polarity\[0\] must be in 0…1"),
    "text later": (lambda: b"1 2\n" * 2000 + b"\xff\xfe", "UTF-8"),
    "comments": (lambda: b"# nothing\n", "no line with an event"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_what_and_where(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(EventFileError, match=message) as raised:
        read(given(make()))
    assert "events" in str(raised.value).split(",")[0]


def test_coordinates_outside_of_the_size_that_is_given_are_named() -> None:
    events = Events(t=[0, 1], x=[1, 9], y=[0, 0], polarity=[0, 0])
    with pytest.raises(EventFileError, match=r"x\[1\] must be in 0…7, not 9"):
        read(given(event_files.nmnist(events)), size=(8, 8))
    with pytest.raises(EventFileError, match="its size is"):
        read(given(event_files.aedat4(pixels())), size=(8, 8))
    with pytest.raises(EventFileError, match="no units"):
        read(given(event_files.nmnist(events)), units=8)
    with pytest.raises(InvalidInput, match="units"):
        read(given(event_files.nmnist(events)), units=0)


H5: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no units": (lambda f: f.__delitem__("spikes/units"), "lacks the table spikes/units"),
    "no times": (lambda f: f.__delitem__("spikes/times"), "lacks the table spikes/times"),
    "lengths": (
        lambda f: (f.__delitem__("spikes/units"), f.create_dataset("spikes/units", data=[1, 2])),
        "of one length",
    ),
    "fewer units": (lambda f: f["spikes/units"].__setitem__(0, [1]), "must be 2 integers"),
    "negative": (lambda f: f["spikes/times"].__setitem__(0, [-1.0, 2.0]), r"\[0\] must be a time"),
    "no number": (lambda f: f["spikes/times"].__setitem__(0, [1.0, np.nan]), r"\[1\] must be a"),
    "labels": (
        lambda f: (f.__delitem__("labels"), f.create_dataset("labels", data=[1, 2])),
        "labels must be 1 integers",
    ),
}


@pytest.mark.parametrize("name", H5)
def test_a_wrong_table_of_shd_is_named(name: str) -> None:
    event_files.shd(Path("shd"), [([0.0, 0.25], [3, 4])], [7])
    change, message = H5[name]
    with h5py.File("shd", "r+") as file:
        change(file)
    with pytest.raises(EventFileError, match=message):
        read("shd")


def test_another_hdf5_file_is_said_to_be_one() -> None:
    with h5py.File("other", "w") as file:
        file["x"] = [1]
    with pytest.raises(EventFileError, match="spiketwin import"):
        read("other")


def test_a_table_that_claims_more_than_there_can_be_is_not_read() -> None:
    with h5py.File("large", "w") as file:
        for name in ("times", "units"):
            file.create_dataset(f"spikes/{name}", (1, 1 << 40), "f4", chunks=(1, 1024))
    with pytest.raises(EventFileError, match="lists of one length"):
        read("large")


def test_a_network_is_not_taken_for_events() -> None:
    files.save("net.npz", Network(n_axons=4, n_neurons=8))
    with pytest.raises(EventFileError, match="spiketwin run"):
        read("net.npz")


def test_an_archive_that_grows_beyond_all_bounds_is_not_unpacked() -> None:
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999,), }"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile("bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("t", "unit"):
            archive.writestr(f"{name}.npy", member + bytes(1 << 20))
    with pytest.raises(EventFileError, match="at most 16777216 events"):
        read("bomb")


ZSTD = b"\x28\xb5\x2f\xfd\x00\x58"
LZ4 = b"\x04\x22\x4d\x18\x60\x70\x73"


def packed(compression: int, payload: bytes) -> bytes:
    """An AEDAT 4 file of one packet with this content."""
    empty = event_files.aedat4(pixels(0), compression=compression)
    begin = 14 + 4 + struct.unpack("<I", empty[14:18])[0]
    return empty[:begin] + struct.pack("<II", 0, len(payload)) + payload


@pytest.mark.parametrize("compression", [1, 2, 3, 4])
def test_packets_that_are_compressed_are_read(compression: int) -> None:
    events = pixels(40)
    payload = event_files.packet(events, np.arange(40))[8:]
    if compression < 3:
        block = struct.pack("<I", len(payload) | 1 << 31) + payload
        stored = LZ4 + block + bytes(4)
    else:
        stored = ZSTD + (len(payload) << 3 | 1).to_bytes(3, "little") + payload
    found = read(given(packed(compression, stored)))
    check_equal(found, events)


@pytest.mark.parametrize("compression", [1, 3])
def test_a_packet_that_grows_beyond_all_bounds_is_not_unpacked(compression: int) -> None:
    blocks = 4000
    repeated = ((1 << 17) << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    block = struct.pack("<I", 1 << 17) + bytes(1 << 17)
    payload = LZ4 + block * 80 + bytes(4) if compression == 1 else ZSTD + repeated * blocks
    with pytest.raises(EventFileError, match="can grow to more than 268435456 bytes"):
        read(given(packed(compression, payload)))


def test_a_second_frame_in_a_packet_is_not_followed() -> None:
    last = (5 << 3 | 1).to_bytes(3, "little") + b"abcde"
    with pytest.raises(EventFileError, match="no packet"):
        read(given(packed(3, ZSTD + last + ZSTD + last)))


@pytest.mark.parametrize("name", MADE)
def test_damage_anywhere_ends_in_words_and_takes_no_memory(name: str) -> None:
    data = MADE[name](pixels(12))
    rng = np.random.default_rng(4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cut = [data[:length] for length in range(0, len(data), 7)]
    hit = [changed(data, int(rng.integers(len(data))), int(rng.integers(256))) for _ in range(150)]
    for each in cut + hit:
        try:
            read(given(each))
        except EventFileError as error:
            assert len(str(error)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.parametrize("name", bulk_but({"shd"}, ["shd", "nix"]))
def test_damage_in_hdf5_ends_in_words(name: str) -> None:
    if name == "shd":
        event_files.shd(Path(name), [([0.0, 0.25], [3, 4])], [7])
    else:
        write("made.nix", units(8))
        Path("made.nix").rename(name)
    data = Path(name).read_bytes()
    rng = np.random.default_rng(5)
    cut = [data[: int(at)] for at in rng.integers(9, len(data), 12)]
    hit = [changed(data, int(rng.integers(len(data))), int(rng.integers(256))) for _ in range(30)]
    for each in cut + hit:
        try:
            read(given(each))
        except EventFileError as error:
            assert len(str(error)) < 600
