"""Addresses as somebody types them, parsed into a `Target`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from spiketwin.hdl.spec.params import CoreParams, ParamsError, preset
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, TargetError
from spiketwin.host.kinds import (
    PARAMS_OPTION,
    SILENT_SOCKET,
    SILENT_TERMINAL,
    SOCKET_PATIENCE,
    TERMINAL_PATIENCE,
    Target,
    TargetKind,
)
from spiketwin.host.opening import open_port, open_socket, open_terminal
from spiketwin.host.paths import path_of
from spiketwin.host.recording import Recording, Replay
from spiketwin.host.registered import all_targets, registered_kinds
from spiketwin.host.transport import Transport

_MOST_CHARACTERS: Final = 4096
_PSEUDO_TERMINALS: Final = "/dev/pts/"


def _open_replay(target: Target) -> Transport:
    return Replay(Recording.load(path_of(target.place, "a recording")))


PORT: Final = TargetKind("", open_port, options=None, has_line=True)
"""Serial ports, and any other address that pyserial has a handler for but no `TargetKind` names."""

TERMINAL: Final = TargetKind(
    "", open_terminal, options=None, patience=TERMINAL_PATIENCE, advice=SILENT_TERMINAL
)
"""Pseudo-terminals that another program serves."""

SOCKET: Final = TargetKind(
    "socket", open_socket, options=None, patience=SOCKET_PATIENCE, advice=SILENT_SOCKET
)

REPLAY: Final = TargetKind("replay", _open_replay, options=None, has_line=True)
"""Recorded sessions. The file says whether the recorded device had a line."""


def parse(address: str) -> Target:
    """Return the target that an address names.

    Raises
    ------
    InvalidInput
        `address` is no text, or names sizes that no core has.
    TargetError
        The address cannot be one, or has an option that its scheme lacks.
    """
    kind = kind_of(address)
    scheme, _, rest = address.partition(":")
    if scheme in registered_kinds():
        return _registered(kind, address)
    return Target(kind, rest if kind is REPLAY else address, address=address)


def kind_of(address: str) -> TargetKind:
    """Return the kind of the target that an address names; its scheme alone decides.

    The address may carry a suffix that tells it apart from an equal one, such as ``model: (2)``.
    Raises as `parse` for an address that is not valid.
    """
    _check(address)
    scheme = address.partition(":")[0]
    if (kind := registered_kinds().get(scheme)) is not None:
        return kind
    if scheme in (REPLAY.scheme, SOCKET.scheme):
        return REPLAY if scheme == REPLAY.scheme else SOCKET
    return TERMINAL if _is_terminal(address) else PORT


def parse_as(kind: TargetKind, address: str) -> Target:
    """Return the target that an address names, which a handler of pyserial for its kind was given.

    Raises `TargetError` as `parse` does, and also for sizes that no core has.
    """
    try:
        _check(address)
        return _registered(kind, address)
    except InvalidInput as error:
        raise TargetError(str(error)) from error


def sizes_of(text: str) -> CoreParams:
    """Return the sizes that a text names (`preset`); raise `InvalidInput` if no core has them."""
    try:
        return preset(text)
    except ParamsError as error:
        raise InvalidInput(str(error)) from error


def _check(address: object) -> None:
    """Raise `InvalidInput` or `TargetError` for what cannot be an address of any kind."""
    if not isinstance(address, str):
        raise InvalidInput(f"url must be a text such as 'model:', not {shown(address)}")
    if len(address) > _MOST_CHARACTERS:
        raise TargetError(
            f"{shown(address)} is no address: it has more than {_MOST_CHARACTERS} characters"
        )
    if any(character < " " for character in address):
        raise TargetError(f"{shown(address)} is no address: it has control characters")
    try:
        parts = urlsplit(address)
        if parts.scheme in ("socket", "rfc2217"):
            _ = parts.port
    except ValueError as error:
        raise TargetError(
            f"{shown(address)} is no address: {error}. Targets are {all_targets()}"
        ) from error


def _is_terminal(path: str) -> bool:
    try:
        return str(Path(path).resolve()).startswith(_PSEUDO_TERMINALS)
    except (ValueError, OSError):  # not a path; opening it says so
        return False


def _registered(kind: TargetKind, address: str) -> Target:
    """Return the target of a registered kind: ``SCHEME:[//][PLACE][?NAME=VALUE&…]``."""
    _, colon, rest = address.partition(":")
    if kind.options is None:
        return Target(kind, rest, address=address)
    place, _, query = rest.partition("?")
    if not colon or place not in ("", "//") or "#" in rest:
        raise TargetError(
            f"{shown(address)} is no address: write {kind.scheme}: or, with options, "
            f"{kind.scheme}:?params=tiny"
        )
    options = _options(address, query, kind.options)
    params = options.pop(PARAMS_OPTION, None)
    try:
        sizes = None if params is None else sizes_of(params)
    except InvalidInput as error:
        raise TargetError(f"{address} cannot be opened: params={params:.60}: {error}") from error
    return Target(kind, "", sizes, options, address=address)


def _options(address: str, query: str, allowed: Collection[str]) -> dict[str, str]:
    """Return the options in an address, by name.

    Raises `TargetError` for an option that is unknown or given twice.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in allowed:
            raise TargetError(
                f"{address} cannot be opened: there is no option {shown(name)}: choose of "
                f"{', '.join(sorted(allowed))}"
            )
        if name in found:
            raise TargetError(
                f"{address} cannot be opened: it gives {shown(name)} twice: give it once"
            )
        found[name] = value
    return found
