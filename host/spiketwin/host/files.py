"""Networks on disk: one zip of numpy arrays and a JSON header (docs/network-file.md).

Reading trusts nothing: sizes are taken from the header, every array must have exactly the type and
shape that follows from them before its data is read, and nothing in a file is ever executed.
"""

from __future__ import annotations

import io
import json
import os
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.host.errors import InvalidInput, InvalidNetwork, NetworkFileError
from spiketwin.host.network import Network, array_types, scalar_names
from spiketwin.host.replacing import replacing
from spiketwin.host.spikes import checked_events

FORMAT: Final = "spiketwin network"
VERSION: Final = 1
_MOST_HEADER_BYTES: Final = 1 << 16
_NPY_VERSION: Final = (1, 0)
_HEADER: Final = "header"
_SPIKES: Final = "spikes"
_MOST_EVENTS: Final = 1 << 24


@dataclass(frozen=True)
class Stimulus:
    """Spikes to run a network with.

    Attributes
    ----------
    spikes:
        Shape (k, 2), int64: (tick, axon).
    ticks:
        Length of the run.
    """

    spikes: NDArray[np.int64]
    ticks: int


def save(
    path: str | os.PathLike[str],
    net: Network,
    spikes: ArrayLike | None = None,
    ticks: int | None = None,
) -> None:
    """Write a network, and a stimulus for it if `spikes` and `ticks` are given.

    An existing file is replaced only once the new one is whole.

    Raises
    ------
    InvalidNetwork, InvalidInput
        The network or the stimulus is wrong; nothing was written.
    OSError
        The file cannot be written; it is as it was.
    """
    net.validate()
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "n_axons": net.n_axons,
        "n_neurons": net.n_neurons,
        # JSON has no infinity; a text has, and reads the same to a person.
        "settings": {n: _to_json(getattr(net, n)) for n in scalar_names()},
    }
    arrays: dict[str, NDArray[Any]] = {name: getattr(net, name) for name in array_types()}
    if (spikes is None) != (ticks is None):
        raise InvalidInput("a stimulus has both, spikes and ticks: give both or neither")
    if spikes is not None and ticks is not None:
        arrays[_SPIKES] = checked_events(spikes, ticks, net.n_axons)
        header["ticks"] = ticks
        header["events"] = len(arrays[_SPIKES])
    text = np.frombuffer(json.dumps(header, indent=1).encode(), np.uint8)
    with replacing(Path(path)) as file:
        np.savez_compressed(file, allow_pickle=False, **{_HEADER: text}, **arrays)


def load(path: str | os.PathLike[str]) -> tuple[Network, Stimulus | None]:
    """Read a network, and its stimulus if it has one.

    Raises
    ------
    NetworkFileError
        The file is no network of ours, is cut or damaged, of another version, or out of range.
    FileNotFoundError, PermissionError
        As `open`.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read(archive)
        except (NetworkFileError, InvalidNetwork, InvalidInput) as error:
            raise NetworkFileError(f"{path}: {error}") from error
        except (
            zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
            ValueError, OverflowError, OSError,
        ) as error:  # fmt: skip
            # What zipfile and numpy raise for damaged, encrypted or exotically packed members.
            raise NetworkFileError(
                f"{path} is no network file, or a damaged one ({error}): save it again"
            ) from error


def _read(archive: zipfile.ZipFile) -> tuple[Network, Stimulus | None]:
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NetworkFileError(f"{member.filename} is packed in a way that `save` never does")
    header = _read_header(archive)
    sizes: dict[str, Any] = {
        name: _whole(header, name, MAX_LINES) for name in ("n_axons", "n_neurons")
    }
    settings = header.get("settings")
    if not isinstance(settings, dict) or set(settings) != set(scalar_names()):
        raise NetworkFileError(f"settings must be exactly {', '.join(scalar_names())}")
    expected = {_HEADER, *array_types()}
    stimulus = "ticks" in header
    if stimulus:
        expected.add(_SPIKES)
    found = archive.namelist()
    if sorted(found) != sorted(f"{name}.npy" for name in expected):
        raise NetworkFileError(
            f"the file must hold exactly the arrays {', '.join(sorted(expected))}, "
            f"not {', '.join(sorted(found))}"
        )
    # The largest thing asked for is known before memory is taken for it.
    matrix = (sizes["n_axons"] + sizes["n_neurons"], sizes["n_neurons"])
    arrays: dict[str, Any] = {}
    for name, dtype in array_types().items():
        shape = matrix if name in ("weights", "plastic") else matrix[1:]
        arrays[name] = _read_array(archive, name, dtype, shape)
    attributes: dict[str, Any] = {n: _from_json(n, v) for n, v in settings.items()}
    net = Network(**sizes, **arrays, **attributes)
    if not stimulus:
        return net, None
    ticks = _whole(header, "ticks", (1 << 32) - 1)
    events = _whole(header, "events", _MOST_EVENTS)
    spikes = _read_array(archive, _SPIKES, np.dtype(np.int64), (events, 2))
    return net, Stimulus(checked_events(spikes, ticks, net.n_axons), ticks)


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    name = f"{_HEADER}.npy"
    if name not in archive.namelist():
        raise NetworkFileError("it has no header: it was not written by `Network` and `save`")
    if archive.getinfo(name).file_size > _MOST_HEADER_BYTES:
        raise NetworkFileError("its header is far too long")
    with archive.open(name) as member:
        shape, dtype = _array_header(member, _HEADER)
        if dtype != np.uint8 or len(shape) != 1:
            raise NetworkFileError(f"header must be a vector of uint8, not {dtype} {shape}")
        text = member.read()
    header = json.loads(text.decode("utf-8"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise NetworkFileError(f"its header does not say format = {FORMAT!r}")
    if header.get("version") != VERSION:
        raise NetworkFileError(
            f"it has version {header.get('version')!r}, this release reads {VERSION}: "
            "take the release that wrote it"
        )
    return header


def _read_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        got_shape, got_dtype = _array_header(member, name)
        if got_dtype != dtype or got_shape != shape:
            raise NetworkFileError(
                f"{name} must be {dtype} of shape {shape}, not {got_dtype} of {got_shape}"
            )
        size = int(np.prod(shape)) * dtype.itemsize
        data = member.read(size + 1)
    if len(data) != size:
        raise NetworkFileError(f"{name} must have {size} bytes of data: the file is cut or padded")
    if dtype == np.bool_ and max(data, default=0) > 1:
        raise NetworkFileError(f"{name} must hold only 0 and 1")
    return np.frombuffer(data, dtype).reshape(shape).copy()


def _array_header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    head = io.BytesIO(member.read(10))
    if npy.read_magic(head) != _NPY_VERSION:
        raise NetworkFileError(f"{name} is of another version of numpy's array format")
    length = head.read(2)
    rest = io.BytesIO(length + member.read(int.from_bytes(length, "little")))
    try:
        shape, fortran, dtype = npy.read_array_header_1_0(rest)
    except (tokenize.TokenError, TypeError) as error:
        raise NetworkFileError(f"{name} has a damaged header ({error})") from error
    if fortran and len(shape) > 1:
        raise NetworkFileError(f"{name} must be in row order")
    return shape, dtype


def _whole(header: dict[str, Any], name: str, most: int) -> int:
    value = header.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise NetworkFileError(f"{name} must be an integer in 0…{most}, not {value!r}")
    return value


def _to_json(value: bool | int | float) -> bool | int | float | str:
    return str(value) if isinstance(value, float) else value


def _from_json(name: str, value: object) -> bool | int | float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise NetworkFileError(f"{name} must be a number, not {value!r}") from error
    if not isinstance(value, bool | int):
        raise NetworkFileError(f"{name} must be an integer or a number as text, not {value!r}")
    return value
