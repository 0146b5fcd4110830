"""Files as inputs: networks, recorded sessions, and tables of spikes."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from spiketwin.cosim.testbenches.requests import framed
from spiketwin.cosim.trials.fuzz.choices import Choices, mutated, mutated_text
from spiketwin.hdl.spec.protocol import MAX_BODY
from spiketwin.host.cli.stimulus import read_spikes
from spiketwin.host.core import Core
from spiketwin.host.files import load, save
from spiketwin.host.frames import FrameDecoder
from spiketwin.host.network import Network
from spiketwin.host.stimuli import checked_events
from spiketwin.host.targets import connect

_AXONS: Final = 3
_TICKS: Final = 5
_TINY: Final = "tiny"


class NetworkFiles:
    """Network files with damaged bytes, damaged members, or other values in the header.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "net.npz"
        save(self._path, Network.random(_AXONS, 4, seed=1), [(0, 1), (4, 2)], _TICKS)
        self._whole = self._path.read_bytes()
        with zipfile.ZipFile(self._path) as archive:
            self._members = {name: archive.read(name) for name in archive.namelist()}
        head = self._members["header.npy"]
        self._header = json.loads(head[head.index(b"{\n") :])

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        if choices.once_in(3):
            return mutated(self._whole, choices)
        members = dict(self._members)
        match choices.below(8):
            case 0:
                del members[choices.of(list(members))]
            case 1 | 2 | 3:
                name = choices.of(list(members))
                members[name] = mutated(members[name], choices)
            case 4:
                name = choices.of(list(members))
                members[choices.token() + choices.of(("", ".npy"))] = members.pop(name)
            case 5:
                name = choices.of(list(members))
                members[name] = mutated_text(
                    members[name].decode("latin-1"), "(){}',: \n", choices
                ).encode("utf-8", "replace")
            case 6:
                name = choices.of([name for name in members if name != "header.npy"])
                members[name] = _other_element(members[name], choices)
            case _:
                changed = mutated_value(self._header, choices)
                text = json.dumps(changed).encode("utf-8", "surrogatepass")
                if choices.once_in(3):
                    text = mutated(text, choices)
                members["header.npy"] = _npy(np.frombuffer(text, np.uint8))
        return _zipped(members, choices)

    def feed(self, data: bytes) -> None:
        """Load the file, and map the network to a core."""
        self._path.write_bytes(data)
        net, stimulus = load(self._path)
        net.core_params()
        if stimulus is not None:
            checked_events(stimulus.spikes, stimulus.ticks, net.n_axons)


def _zipped(members: dict[str, bytes], choices: Choices) -> bytes:
    file = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if choices.once_in(4) else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name.replace("\ud800", "?") or "?"), data, packing)
    return file.getvalue()


def _other_element(member: bytes, choices: Choices) -> bytes:
    """Put another number into an array without changing its header."""
    begin = member.index(b"\n") + 1
    size = choices.of((4, 1, 8))
    place = begin + size * choices.below(max(1, (len(member) - begin) // size))
    number = (choices.edge() % (1 << 8 * size)).to_bytes(size, "little")
    return member[:place] + number + member[place + size :]


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def mutated_value(value: Any, choices: Choices) -> Any:
    """Change something in a value of JSON, at any depth."""
    if isinstance(value, dict) and value and not choices.once_in(8):
        changed = dict(value)
        name = choices.of(list(changed))
        match choices.below(5):
            case 0:
                del changed[name]
            case 1:
                changed[choices.token()] = changed[name]
            case _:
                changed[name] = mutated_value(changed[name], choices)
        return changed
    match choices.below(7):
        case 0:
            return choices.edge()
        case 1:
            return -choices.edge()
        case 2:
            return choices.token()
        case 3:
            return choices.of((None, True, False, [], {}, "", 1.5, float("inf"), float("nan")))
        case 4:
            return 10 ** (choices.below(16) * 32)
        case 5:
            return [value] * choices.below(4)
        case _:
            return str(value)


class SpikeTables:
    """Tables of spikes as text.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "spikes.csv"

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        rows = [f"{choices.below(_TICKS)},{choices.below(_AXONS)}" for _ in range(choices.below(6))]
        text = choices.of(("", "tick,axon\n", "\ufeff", "\ufefftick,axon\r\n"))
        text += choices.of(("\n", "\r\n", "\r", "\n\n")).join(rows)
        if choices.once_in(3):
            return mutated(text.encode(), choices)
        return mutated_text(text, ",\n\r", choices).encode("utf-8", "replace")

    def feed(self, data: bytes) -> None:
        """Read the table, and check the events."""
        self._path.write_bytes(data)
        checked_events(read_spikes(self._path), _TICKS, _AXONS)


class SpikeArrays:
    """Tables of spikes as arrays.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "spikes.npy"

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        rows = [[choices.below(_TICKS), choices.below(_AXONS)] for _ in range(choices.below(6))]
        kinds = (
            "<i8",
            "<i4",
            ">i4",
            "|u1",
            "<u8",
            "<f8",
            "|O",
            "|S4",
            "<U2",
            "<M8[s]",
            "|V8",
            "a5",
        )
        kind = choices.of(kinds)
        shape = f"({len(rows)}, 2)" if choices.below(3) else f"({choices.edge()}, {choices.edge()})"
        text = f"{{'descr': '{kind}', 'fortran_order': {not choices.below(4)}, 'shape': {shape}, }}"
        if choices.once_in(2):
            text = mutated_text(text, "(){}',: ", choices)
        head = text.encode("utf-8", "replace")
        version, size = choices.of(((1, 2), (2, 4), (3, 4), (9, 2)))
        data = b"\x93NUMPY" + bytes((version, 0)) + len(head).to_bytes(4, "little")[:size] + head
        data += np.array(rows, "<i8").tobytes()
        return mutated(data, choices) if choices.once_in(4) else data

    def feed(self, data: bytes) -> None:
        """Read the array, and check the events."""
        self._path.write_bytes(data)
        checked_events(read_spikes(self._path), _TICKS, _AXONS)


class Recordings:
    """Recorded sessions, which are replayed.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "session.jsonl"
        with connect("model:", params=_TINY, record=self._path) as core:
            self._session(core)
        self._lines = self._path.read_text(encoding="utf-8").splitlines()

    @staticmethod
    def _session(core: Core) -> None:
        core.write_parameters(threshold=1000)
        core.run([(0, 1), (1, 2)], 3)
        core.read_state()

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        lines = list(self._lines)
        if choices.once_in(4):
            return mutated("\n".join(lines).encode(), choices)
        for _ in range(1 + choices.below(3)):
            place = choices.below(len(lines)) if lines else 0
            match choices.below(12):
                case 0:
                    del lines[place : place + 1]
                case 1:
                    lines.insert(place, choices.of(self._lines))
                case 2:
                    lines[place:] = []
                case 3:
                    lines[place : place + 1] = [_altered(choices.of(self._lines), choices)]
                case _:
                    lines[place : place + 1] = [
                        _answered_otherwise(lines[place] if lines else "{}", choices)
                    ]
        return "\n".join(lines).encode("utf-8", "replace")

    def feed(self, data: bytes) -> None:
        """Replay the session with the program that was recorded."""
        self._path.write_bytes(data)
        with connect(f"replay:{self._path}", retries=2) as core:
            self._session(core)


def _altered(line: str, choices: Choices) -> str:
    return json.dumps(mutated_value(json.loads(line), choices))


def _octets(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        return b""


def _answered_otherwise(line: str, choices: Choices) -> str:
    """Change the contents of a line's frames, with correct checksums."""
    try:
        values = dict(json.loads(line))
    except (ValueError, TypeError):
        return line  # changed already
    frames = _octets(values.get("bytes")).split(b"\0")
    place = choices.below(len(frames))
    if bodies := FrameDecoder().feed(frames[place] + b"\0"):
        frames[place] = framed(mutated(bodies[0], choices)[:MAX_BODY])[:-1]
    return json.dumps(values | {"bytes": b"\0".join(frames).hex()})
