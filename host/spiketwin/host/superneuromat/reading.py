"""Networks of SuperNeuroMAT from their JSON, or from an `SNN` object."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidNetwork, NetworkFileError
from spiketwin.host.inputs import open_regular
from spiketwin.host.paths import path_of
from spiketwin.host.superneuromat.model import KEYS, MOST, Model, model_of

_MOST_BYTES: Final = 1 << 28
_FORMAT: Final = {"format": "snm", "type": "SNN"}
_VERSION: Final = "0.1"
_ENCODINGS: Final[dict[str, Callable[[str], bytes]]] = {
    "base64": base64.b64decode,
    "base85": base64.b85decode,
}
_KINDS: Final = ("<d", "<f", "<l", "<q", "<i", "|?", "|b")
"""Types of numbers in an encoded array, as SuperNeuroMAT names them."""


def read_model(source: Any, name: str | None = None) -> Model:
    """Return the network of a JSON file, or of an `SNN` object.

    Parameters
    ----------
    source:
        Path of the file, or an object with the attributes of `superneuromat.SNN`.
    name:
        Name of the network in a file of several.

    Raises
    ------
    NetworkFileError
        The file is no JSON of SuperNeuroMAT, is damaged, or a value in it is wrong.
    InvalidNetwork
        An attribute of the object is wrong.
    OSError
        As `open` raises it.
    """
    if isinstance(source, str | bytes | os.PathLike):
        path = path_of(source, "path_or_snn")
        with open_regular(path, _MOST_BYTES, NetworkFileError) as file:
            data = file.read(_MOST_BYTES)
        try:
            return model_of(_decoded(_network(data, name)))
        except (InvalidNetwork, NetworkFileError) as error:
            raise NetworkFileError(f"{path}: {error}") from error
    missing = [key for key in KEYS if not hasattr(source, key)]
    if missing:
        raise InvalidNetwork(
            f"path_or_snn must be a path or an SNN of SuperNeuroMAT, not {shown(source)}, which "
            f"has no {missing[0]}"
        )
    return model_of({key: getattr(source, key) for key in KEYS})


def _network(data: bytes, name: str | None) -> dict[str, Any]:
    """Return the data of a network in the text of a file."""
    try:
        whole = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NetworkFileError(f"it is no JSON, or a cut one ({str(error)[:200]})") from error
    networks = whole.get("networks") if isinstance(whole, dict) else None
    if not isinstance(networks, list) or not all(isinstance(each, dict) for each in networks):
        raise NetworkFileError("it has no list `networks`: save it by `snn.saveas_json(…)`")
    if not networks:
        raise NetworkFileError("its list `networks` is empty: save a network by `saveas_json`")
    names = [each.get("name") for each in networks]
    chosen = [each for each in networks if name in (None, each.get("name"))]
    if len(chosen) != 1:
        raise NetworkFileError(
            f"it has the networks {shown(names)}, of which one must be named: `network=…`"
        )
    meta, found = chosen[0].get("meta"), chosen[0].get("data")
    if not isinstance(meta, dict) or any(meta.get(key) != value for key, value in _FORMAT.items()):
        raise NetworkFileError(f"its meta must say {_FORMAT}, not {shown(meta)}")
    if meta.get("format_version", _VERSION) != _VERSION:
        raise NetworkFileError(
            f"its format_version must be {_VERSION}, not {shown(meta.get('format_version'))}"
        )
    if not isinstance(found, dict):
        raise NetworkFileError("its network has no data")
    return found


def _decoded(found: dict[str, Any]) -> dict[str, Any]:
    """Return the data with the arrays that are encoded as lists; others stay."""
    return {key: _list(key, value) for key, value in found.items() if key in KEYS}


def _list(key: str, value: Any) -> Any:
    encoding = next(
        (each for each in _ENCODINGS if isinstance(value, dict) and each in value), None
    )
    if encoding is None:
        return value
    kind, text = value.get("dtype"), value[encoding]
    if kind not in _KINDS or not isinstance(text, str):
        raise NetworkFileError(f"{key} must hold numbers of {', '.join(_KINDS)}, not {shown(kind)}")
    try:
        data = _ENCODINGS[encoding](text)
        array = np.frombuffer(data, np.dtype(kind.replace("l", "i8")))
    except (ValueError, binascii.Error) as error:
        raise NetworkFileError(f"{key} is no array in {encoding} ({error})") from error
    if len(array) > MOST:
        raise NetworkFileError(f"{key} has {len(array)} values, where {MOST} are the most")
    return array
