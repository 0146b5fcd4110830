"""The doors through which networks of other frameworks come in, by the content of their files.

A door is a module with a function ``load(path, **options)`` that returns a network and its
`DoorReport`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from spiketwin.hdl.spec.text import shown
from spiketwin.host.door_report import DoorReport
from spiketwin.host.errors import InvalidInput, NetworkFileError
from spiketwin.host.inputs import open_regular
from spiketwin.host.network import Network

_HEAD_BYTES: Final = 4096
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_MOST_BYTES: Final = (1 << 63) - 1
"""Any length: what is read of a file is bounded by its door."""


@dataclass(frozen=True)
class Door:
    """A framework whose networks can be imported.

    Attributes
    ----------
    name:
        Name of what the file holds.
    module:
        Module with `load`; it is imported when it is used.
    takes:
        Options of ``spiketwin import`` that its `load` has.
    recognises:
        Function that returns whether a file is of this kind, from its path and first bytes.
    """

    name: str
    module: str
    takes: tuple[str, ...]
    recognises: Callable[[Path, bytes], bool]

    def load(self, path: Path, options: dict[str, Any]) -> tuple[Network, DoorReport]:
        """Return the network of a file and the report of its door; raises as that door does.

        Options that are None are left to the door. Raises `InvalidInput` for one that it lacks.
        """
        given = {name: value for name, value in options.items() if value is not None}
        for name in given:
            if name not in self.takes:
                raise InvalidInput(
                    f"--{name.replace('_', '-')} is of no meaning for {self.name}: leave it out"
                )
        network, report = import_module(self.module).load(path, **given)
        return network, report


def _is_nir(path: Path, head: bytes) -> bool:
    """Return whether a file is HDF5 with a root `node`, as NIR has it, or that cannot be read."""
    if not head.startswith(_HDF5):
        return False
    try:
        import h5py

        with h5py.File(path, "r") as file:
            return "node" in file
    except (ImportError, OSError, RuntimeError, ValueError, KeyError):
        return True  # its door says what is damaged or not installed


def _is_superneuromat(_path: Path, head: bytes) -> bool:
    """Return whether a file is JSON that names networks, as SuperNeuroMAT's is."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"networks"' in head


DOORS: Final = (
    Door("a NIR graph", "spiketwin.host.nir", ("dt", "weight_width"), _is_nir),
    Door(
        "a SuperNeuroMAT network", "spiketwin.host.superneuromat", ("weight_width",),
        _is_superneuromat,
    ),
)  # fmt: skip
"""All doors. A new one is a line here."""


def door_of(path: Path) -> Door:
    """Return the door for a file.

    Raises
    ------
    NetworkFileError
        No door takes it.
    OSError
        As `open` raises it.
    """
    with open_regular(path, _MOST_BYTES, NetworkFileError) as file:
        head = file.read(_HEAD_BYTES)
    for door in DOORS:
        if door.recognises(path, head):
            return door
    kinds = " nor ".join(door.name for door in DOORS)
    raise NetworkFileError(f"{path} is neither {kinds}; it begins with {shown(head[:16])}")
