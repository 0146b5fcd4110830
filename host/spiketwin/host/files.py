"""Networks on disk: one zip of numpy arrays and a JSON header (docs/network-file.md).

The reader does not trust the file: it takes the sizes from the header, checks that every array has
exactly the type and shape that follow from them before it reads the data, and never executes
anything in a file.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spiketwin.hdl.spec.params import MAX_LINES
from spiketwin.hdl.spec.text import shown
from spiketwin.hdl.spec.variables import Per
from spiketwin.host import file_parts
from spiketwin.host.archives import DAMAGED, check_directory
from spiketwin.host.errors import InvalidInput, InvalidNetwork, NetworkFileError
from spiketwin.host.file_parts import Parts
from spiketwin.host.inputs import open_regular
from spiketwin.host.network import (
    ARRAYS,
    PROFILED,
    RULED,
    SETTINGS,
    WIDEST,
    Network,
    array_types,
    checked_network,
)
from spiketwin.host.npy import ArrayError, read_elements, read_header
from spiketwin.host.paths import path_of
from spiketwin.host.replacing import replacing
from spiketwin.host.rounded_for import RoundedFor
from spiketwin.host.starts import BEGUN
from spiketwin.host.stimuli import MOST_EVENTS, NO_BIASES, checked_biases, checked_events

Read = TypeVar("Read")

FORMAT: Final = "spiketwin network"
VERSION: Final = max(v.since for v in (*ARRAYS.values(), *SETTINGS.values()))
"""Version that is written. Earlier ones are read; variables that came later take their defaults."""

_OF_POPULATIONS: Final = 3
"""First version that holds networks of populations."""

_OF_BIASES: Final = 3
"""First version that holds bias events."""

_OF_WINDOWS: Final = 3
"""First version that holds tables of windows."""

_OF_STARTS: Final = 3
"""First version that holds the state to begin with."""

_OF_IMPORTS: Final = 3
"""First version that says what a network was rounded for."""

_MOST_HEADER_BYTES: Final = 1 << 20
_MOST_FILE_BYTES: Final = 1 << 29
"""Most bytes of a file; the largest network with the longest stimulus takes less than half."""

_NPY_VERSION: Final = (1, 0)
_HEADER: Final = "header"
_SPIKES: Final = "spikes"
_BIASES: Final = "biases"
_WINDOWS: Final = "windows"
_START: Final = "start"
_ROUNDED_FOR: Final = "rounded_for"
_BIAS_LIMITS: Final = ARRAYS["bias"].limits(WIDEST)


@dataclass(frozen=True)
class Stimulus:
    """A stimulus: the events to run a network with.

    Attributes
    ----------
    spikes:
        Shape (k, 2), int64: (tick, axon).
    ticks:
        Length of the run in ticks.
    biases:
        Shape (m, 3), int64: bias events (tick, neuron, bias).
    """

    spikes: NDArray[np.int64]
    ticks: int
    biases: NDArray[np.int64] = field(default_factory=lambda: NO_BIASES)


def save(
    path: str | os.PathLike[str],
    net: Network,
    spikes: ArrayLike | None = None,
    ticks: int | None = None,
    biases: ArrayLike | None = None,
    rounded_for: RoundedFor | None = None,
) -> None:
    """Write a network, and a stimulus for it if `spikes` and `ticks`, maybe `biases`, are given.

    An existing file is replaced atomically, once the new one is complete. `rounded_for` is kept
    for `rounded_for_of`.

    Raises
    ------
    InvalidNetwork, InvalidInput
        An argument, the network or the stimulus is wrong; nothing was written.
    OSError
        The file cannot be written; an existing one is unchanged.
    """
    whole = path_of(path, "path")
    checked_network(net)
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "n_axons": net.n_axons,
        "n_neurons": net.n_neurons,
        # JSON has no infinity, so numbers that may be infinite are written as text.
        "settings": {n: _to_json(getattr(net, n)) for n in SETTINGS},
    }
    if len(net.windows):
        header[_WINDOWS] = net.windows.tolist()
    if net.all_to_all:
        arrays = {name: getattr(net, name) for name in array_types()}
    else:
        header |= file_parts.described(net)
        arrays = file_parts.joined(net)
        arrays |= {name: getattr(net, name) for name in array_types() if name not in arrays}
    if net.start:
        header[_START] = [*net.start]
        arrays[_START] = np.array([*net.start.values()], np.int32)
    if rounded_for is not None:
        header[_ROUNDED_FOR] = rounded_for.header()
    _add_stimulus(header, arrays, net, spikes, ticks, biases)
    text = np.frombuffer(json.dumps(header, indent=1).encode(), np.uint8)
    if len(text) > _MOST_HEADER_BYTES:
        raise InvalidNetwork(
            f"the header has {len(text)} bytes, and a file at most {_MOST_HEADER_BYTES}: take "
            "shorter names of populations and projections"
        )
    with replacing(whole) as file:
        np.savez_compressed(file, allow_pickle=False, **{_HEADER: text}, **arrays)


def _add_stimulus(
    header: dict[str, Any],
    arrays: dict[str, Any],
    net: Network,
    spikes: ArrayLike | None,
    ticks: int | None,
    biases: ArrayLike | None,
) -> None:
    """Add a stimulus to the header and the arrays of a file, if there is one (`save`)."""
    if (spikes is None) != (ticks is None):
        raise InvalidInput("a stimulus has both, spikes and ticks: give both or neither")
    if spikes is not None and ticks is not None:
        arrays[_SPIKES] = checked_events(spikes, ticks, net.n_axons)
        header["ticks"] = int(ticks)
        header["events"] = len(arrays[_SPIKES])
    if biases is not None:
        if ticks is None:
            raise InvalidInput("biases belong to a stimulus: give spikes (maybe none) and ticks")
        arrays[_BIASES] = checked_biases(biases, ticks, net.n_neurons, _BIAS_LIMITS)
        header["biases"] = len(arrays[_BIASES])
    for name in arrays.keys() & {_SPIKES, _BIASES}:
        if len(arrays[name]) > MOST_EVENTS:
            raise InvalidInput(
                f"{name} has {len(arrays[name])} events, a file holds {MOST_EVENTS}: save parts"
            )


def load(path: str | os.PathLike[str]) -> tuple[Network, Stimulus | None]:
    """Return the network in a file, and its stimulus; None if the file has none.

    Raises
    ------
    NetworkFileError
        The file is not a network file, is truncated or damaged, has another version, or has a value
        out of range.
    InvalidInput
        `path` is not a path.
    FileNotFoundError, PermissionError
        As `open` raises them.
    """
    return _opened(path, _read)


def rounded_for_of(path: str | os.PathLike[str]) -> RoundedFor | None:
    """Return what the network in a file was rounded for; None if the file does not say.

    Raises as `load`.
    """
    return _opened(path, lambda archive: _rounded_for(_read_header(archive)))


def _opened(path: str | os.PathLike[str], read: Callable[[zipfile.ZipFile], Read]) -> Read:
    """Return what a function reads of a file; raises as `load`."""
    whole = path_of(path, "path")
    with open_regular(whole, _MOST_FILE_BYTES, NetworkFileError) as file:
        try:
            check_directory(file, NetworkFileError)
            with zipfile.ZipFile(file) as archive:
                return read(archive)
        except (NetworkFileError, InvalidNetwork, InvalidInput, ArrayError) as error:
            raise NetworkFileError(f"{whole}: {error}") from error
        except DAMAGED as error:
            raise NetworkFileError(
                f"{whole} is no network file, or a damaged one ({error}): save it again"
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
    version = header["version"]
    wanted = [name for name, register in SETTINGS.items() if register.since <= version]
    if not isinstance(settings, dict) or set(settings) != set(wanted):
        raise NetworkFileError(f"settings must be exactly {', '.join(wanted)}")
    types = {name: t for name, t in array_types().items() if ARRAYS[name].since <= version}
    expected = {_HEADER, *types}
    stimulus = "ticks" in header
    if stimulus:
        expected.add(_SPIKES)
    if "biases" in header and version >= _OF_BIASES:
        expected.add(_BIASES)
    _rounded_for(header)
    begun = _begun(header) if _START in header and version >= _OF_STARTS else []
    if begun:
        expected.add(_START)
    found = archive.namelist()
    if sorted(found) != sorted(f"{name}.npy" for name in expected):
        raise NetworkFileError(
            f"the file must hold exactly the arrays {', '.join(sorted(expected))}, "
            f"not {', '.join(sorted(found))}"
        )
    parts = None
    if "populations" in header and version >= _OF_POPULATIONS:
        parts = Parts.of_header(header, sizes["n_axons"], sizes["n_neurons"])
    # Sizes and types are checked before memory is allocated for an array.
    arrays: dict[str, Any] = {}
    for name, dtype in types.items():
        shape = ARRAYS[name].shape(sizes["n_axons"], sizes["n_neurons"])
        if parts is not None and ARRAYS[name].per is Per.SYNAPSE:
            shape = (parts.synapses,)
        arrays[name] = _read_array(archive, name, dtype, shape)
    attributes: dict[str, Any] = {n: _from_json(n, v) for n, v in settings.items()}
    if _WINDOWS in header and version >= _OF_WINDOWS:
        attributes[_WINDOWS] = header[_WINDOWS]
    if parts is None:
        net = Network(**sizes, **arrays, **attributes)
    else:
        net = Network(n_axons=sizes["n_axons"], **attributes)
        parts.add(net, arrays)
    if begun:
        shape = len(begun), sizes["n_neurons"]
        rows = _read_array(archive, _START, np.dtype(np.int32), shape)
        net.start = dict(zip(begun, rows, strict=True))
    net.validate()
    if not stimulus:
        return net, None
    return net, _read_stimulus(archive, header, net)


def _read_stimulus(archive: zipfile.ZipFile, header: dict[str, Any], net: Network) -> Stimulus:
    """Return the stimulus of a file that has one."""
    ticks = _whole(header, "ticks", (1 << 32) - 1)
    events = _whole(header, "events", MOST_EVENTS)
    spikes = _read_array(archive, _SPIKES, np.dtype(np.int64), (events, 2))
    biases = NO_BIASES
    if f"{_BIASES}.npy" in archive.namelist():
        count = _whole(header, "biases", MOST_EVENTS)
        biases = _read_array(archive, _BIASES, np.dtype(np.int64), (count, 3))
        biases = checked_biases(biases, ticks, net.n_neurons, _BIAS_LIMITS)
    return Stimulus(checked_events(spikes, ticks, net.n_axons), ticks, biases)


def _read_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    name = f"{_HEADER}.npy"
    if name not in archive.namelist():
        raise NetworkFileError("it has no header: it was not written by `Network` and `save`")
    if archive.getinfo(name).file_size > _MOST_HEADER_BYTES:
        raise NetworkFileError("its header is far too long")
    with archive.open(name) as member:
        found = read_header(member)
        if found.dtype != np.uint8 or len(found.shape) != 1:
            raise NetworkFileError(f"header must be a vector of uint8, not {found}")
        text = member.read()
    header = json.loads(text.decode("utf-8"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise NetworkFileError(f"its header does not say format = {FORMAT!r}")
    version = header.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise NetworkFileError(
            f"it has version {shown(version)}, this release reads 1…{VERSION}: "
            "take the release that wrote it"
        )
    return header


def _rounded_for(header: dict[str, Any]) -> RoundedFor | None:
    """Return what a header says of an import, checked."""
    if _ROUNDED_FOR not in header or header["version"] < _OF_IMPORTS:
        return None
    return RoundedFor.of_header(header[_ROUNDED_FOR])


def _begun(header: dict[str, Any]) -> list[str]:
    """Return the names of the state that the network begins with."""
    names = header[_START]
    if not isinstance(names, list) or not names or [n for n in BEGUN if n in names] != names:
        raise NetworkFileError(
            f"start must name some of {', '.join(BEGUN)}, in this order, not {shown(names)}"
        )
    return names


def _read_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        try:
            found = read_header(member)
            if found.version != _NPY_VERSION:
                raise ArrayError("it is of another version of numpy's array format")
            if found.dtype != dtype or found.shape != shape:
                raise NetworkFileError(f"{name} must be {dtype} of shape {shape}, not {found}")
            if found.fortran_order and len(shape) > 1:
                raise NetworkFileError(f"{name} must be in row order")
            array = read_elements(member, found, dtype).copy()
        except ArrayError as error:
            raise NetworkFileError(f"{name}: {error}") from error
    if dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
        raise NetworkFileError(f"{name} must hold only 0 and 1")
    return array


def _whole(header: dict[str, Any], name: str, most: int) -> int:
    value = header.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise NetworkFileError(f"{name} must be an integer in 0…{most}, not {shown(value)}")
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_to_json(each) for each in value.tolist()]
    return str(value) if isinstance(value, float) else value


def _from_json(name: str, value: object) -> Any:
    if isinstance(value, list) and name in (*PROFILED, *RULED):
        return [_number_from_json(name, each) for each in value]
    return _number_from_json(name, value)


def _number_from_json(name: str, value: object) -> bool | int | float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise NetworkFileError(f"{name} must be a number, not {shown(value)}") from error
    if not isinstance(value, bool | int):
        raise NetworkFileError(f"{name} must be an integer or a number as text, not {shown(value)}")
    return value
