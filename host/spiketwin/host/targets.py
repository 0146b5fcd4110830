"""From an address to a connected core."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import serial

from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.params import CoreParams, ParamsError, described, preset
from spiketwin.hdl.spec.text import shown
from spiketwin.host.core import Core
from spiketwin.host.errors import DoesNotFit, InvalidInput, TargetError
from spiketwin.host.link import (
    DEFAULT_RETRIES,
    FRUITLESS,
    Link,
    Port,
    root_cause,
)
from spiketwin.host.paths import path_of, same_file
from spiketwin.host.recording import Recording, Replay, recording
from spiketwin.host.sockets import SocketPort
from spiketwin.host.timeline import BITS_PER_BYTE, Simulation

DEFAULT_BAUD: Final = 115200
MIN_BAUD: Final = 9600
MAX_BAUD: Final = 50_000_000
"""Rates of serial ports. At lower ones it takes minutes to tell that a device is silent; no adapter
makes higher ones."""

WRITE_TIMEOUT: Final = 5.0

TARGETS: Final = "spiketwin.targets"
"""Entry points that name packages of pyserial URL handlers for targets inside this computer."""

PTY_SUFFIX: Final = "+pty"
SIMULATED: Final = {
    "model": "",
    "rtl": "rtl",
    "rtl+pty": "rtl",
    "netlist": "boards",
}
"""Schemes of simulated targets, and the extra that each needs."""

_TARGETS: Final = (
    f"Targets are {', '.join(f'{name}:' for name in SIMULATED)}, a serial port "
    "(`spiketwin devices` lists them), socket://host:port or replay:FILE"
)

REPLAY: Final = "replay"
"""Scheme of recorded sessions: ``replay:FILE``."""

_MOST_RETRIES: Final = 1000
_MOST_CHARACTERS: Final = 4096

_PSEUDO_TERMINALS: Final = "/dev/pts/"

PTY_PATIENCE: Final = 100.0
"""An emulator on a pseudo-terminal is that much slower, at worst, than the clock it reports."""

SOCKET_PATIENCE: Final = 25.0
"""Bytes on a socket pass through programs, and perhaps a network, that have other work as well."""

_MORE_PATIENCE: Final = (
    "On a computer that is very busy, give it more time by retries=… (--retries on the command "
    "line)"
)
_SILENT_TERMINAL: Final = (
    "this is a pseudo-terminal, so a program must serve it: see that the emulator (`spiketwin "
    f"emulate`) runs and is not stopped, and that this is the path it printed. {_MORE_PATIENCE}"
)
_SILENT_SOCKET: Final = (
    "see that what listens there has a device of ours behind it, at the rate the device listens "
    f"at. {_MORE_PATIENCE}"
)


def connect(
    url: str,
    *,
    params: str | CoreParams | None = None,
    baud: int | None = None,
    retries: int = DEFAULT_RETRIES,
    record: str | Path | None = None,
) -> Core:
    """Open a target and return its core, a context manager.

    Parameters
    ----------
    url:
        ``model:``, ``rtl:``, ``rtl+pty:``, ``netlist:``; a serial port (``/dev/ttyUSB1``,
        ``COM3``); ``socket://host:port``, or any other address that pyserial opens;
        ``replay:FILE``, a session recorded with `record`. Simulated targets take options:
        ``rtl:?level=pins``, ``rtl:?level=core``.
    params:
        Sizes of a simulated target: a reference size (``full``), one and what differs from it
        (``full,lanes=4``), or `CoreParams` (`Network.core_params`); ``full`` if the address names
        none. For anything else, sizes that the device must have.
    baud:
        Rate of the line. A serial port is opened at it, so it has to be the rate that the device
        starts with (`Core.set_baud` changes it): 115200 if not given. A simulated line
        (``rtl+pty:``, or ``level=pins``) is taken to it once it is open; it begins, and stays if
        not given, at its `cycles_per_bit`. Of ``replay:``, what the recorded session was given.
    retries:
        Rounds of resending without any answer before `LinkTimeout`, 0…1000; each lasts up to 0.05
        s, at a socket 1.25 s, and at a pseudo-terminal 5 s, where nothing asked takes longer.
    record:
        File to which all that passes is written (`spiketwin.host.recording`); it is there once
        the core is closed.

    Raises
    ------
    InvalidInput
        `url` is no text, `params` names no reference size, `retries` is no number of rounds,
        `record` is no path or that of what is connected to, or `baud` is not in 9600…50000000, or
        given where there is no line, or not to be made of the clock of a simulated device.
    TargetError
        The address means nothing, a package is missing, or the port cannot be opened.
    DoesNotFit
        The device has not the sizes asked for.
    RecordingError
        The file of ``replay:`` is no recording.
    OSError
        The file of `record` cannot be written.
    IncompatibleDevice, LinkTimeout, LinkLost
        What answers is of another release, nothing answers, or the port went away.
    """
    _check_url(url)
    if baud is not None:
        baud = _checked_integer("baud", baud, MIN_BAUD, MAX_BAUD)
        if not takes_baud(url):
            raise InvalidInput(no_line(url, baud))
    retries = _checked_integer("retries", retries, 0, _MOST_RETRIES)
    recorded = None if record is None else path_of(record, "record")
    read = file_of(url)
    if recorded is not None and read is not None and same_file(recorded, read):
        raise InvalidInput(f"{url} and record are the same file: record to another one")
    sizes = _sizes(params)
    scheme = url.partition(":")[0]
    simulated = scheme in SIMULATED
    given = url
    if simulated:
        url = _address(url, sizes)
    opened = ExitStack()
    try:
        port, patience, has_line, simulation, advice = _open(url, scheme, baud, opened)
        if recorded is not None:
            port = opened.enter_context(recording(port, recorded, has_line))
        link = Link(
            port,
            patience=patience,
            retries=retries,
            close=opened.close,
            has_line=has_line,
            simulation=simulation,
            address=given,
            advice=advice,
        )
        if sizes is not None and link.identity.params != sizes:
            have = asdict(link.identity.params)
            wrong = [name for name, value in asdict(sizes).items() if have[name] != value]
            raise DoesNotFit(
                f"{given.removesuffix(':')}: the device differs from the params asked for in "
                f"{', '.join(wrong)}: connect without params, or to a device of these sizes"
            )
        core = Core(link)
        if baud is not None and baud != link.baud:
            # Only a line that is simulated, or recorded as one, begins at a rate of its own.
            if scheme == REPLAY and not has_line:
                raise InvalidInput(no_line(given, baud))
            core.set_baud(baud)
        return core
    except BaseException:
        opened.close()
        raise


def file_of(url: str) -> Path | None:
    """Give the recording or the port that an address names; None if it is of no file."""
    scheme, _, rest = url.partition(":")
    if scheme == REPLAY:
        return Path(rest)
    # What is no address of any scheme is the path of a port.
    return None if "://" in url or scheme in SIMULATED else Path(url)


def _check_url(url: object) -> None:
    """See that an address can be one, before anything is made of it.

    Raises `InvalidInput` for what is no text, and `TargetError` for one that is no address.
    """
    if not isinstance(url, str):
        raise InvalidInput(f"url must be a text such as 'model:', not {shown(url)}")
    if len(url) > _MOST_CHARACTERS:
        raise TargetError(
            f"{shown(url)} is no address: it has more than {_MOST_CHARACTERS} characters"
        )
    if any(character < " " for character in url):
        raise TargetError(f"{shown(url)} is no address: it has control characters")
    try:
        parts = urlsplit(url)
        if parts.scheme in ("socket", "rfc2217"):
            _ = parts.port
    except ValueError as error:
        raise TargetError(f"{shown(url)} is no address: {error}. {_TARGETS}") from error


def _checked_integer(name: str, value: object, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or not low <= value <= high
    ):
        raise InvalidInput(f"{name} must be an integer in {low}…{high}, not {shown(value)}")
    return int(value)


def takes_sizes(url: str) -> bool:
    """Whether an address is of a simulated target and leaves the sizes of the core open.

    Raises `InvalidInput` or `TargetError` for what is no address.
    """
    _check_url(url)
    scheme, _, rest = url.partition(":")
    options = parse_qs(rest.partition("?")[2], keep_blank_values=True)
    return scheme in SIMULATED and "params" not in options


def takes_baud(url: str) -> bool:
    """Whether an address is of a target with a line, whose rate can be chosen.

    Bytes keep to no rate on the model, at the levels of bytes and core, on a socket, and on a
    pseudo-terminal that another program serves. Raises `InvalidInput` or `TargetError` for what is
    no address.
    """
    _check_url(url)
    scheme, _, rest = url.partition(":")
    if scheme in SIMULATED:
        on_wires = "pins" if scheme.endswith(PTY_SUFFIX) else "bytes"
        levels = parse_qs(rest.partition("?")[2]).get("level", [on_wires])
        return scheme != "model" and levels == ["pins"]
    return scheme != "socket" and not _is_terminal(url)


def _is_terminal(url: str) -> bool:
    return str(Path(url).resolve()).startswith(_PSEUDO_TERMINALS)


def no_line(url: str, baud: int) -> str:
    """Say of a target without a line that it has no rate, and what to do."""
    scheme = url.partition(":")[0]
    if scheme in SIMULATED:
        way_out = "take rtl+pty: or rtl:?level=pins, which simulate the line"
        if scheme == "netlist":
            way_out = "take netlist:?level=pins, which simulates the line"
        why = "its bytes take no time"
    else:
        why, way_out = "its bytes keep to no rate of this end", "set it where the line is"
    return (
        f"{url.removesuffix(':')}: baud={baud} would have no effect, as {why}: leave it out, or "
        f"{way_out}. `spiketwin latency` computes what any rate would do"
    )


def origin(target: str) -> str:
    """Say how a target, named by its address, comes by its spikes and cycles.

    The model computes them and RTL is simulated. What answers at a port reports its own, whether
    it is a board or an emulator. Raises `InvalidInput` or `TargetError` for what is no address.
    """
    _check_url(target)
    scheme = target.partition(":")[0]
    if scheme == "model":
        return "computed"
    return "simulated" if scheme in SIMULATED else "reported"


def _sizes(params: str | CoreParams | None) -> CoreParams | None:
    if isinstance(params, str):
        try:
            return preset(params)
        except ParamsError as error:
            raise InvalidInput(str(error)) from error
    if params is not None and not isinstance(params, CoreParams):
        raise InvalidInput(
            f"params must be a text such as 'full', or CoreParams, not {shown(params)}"
        )
    return params


def _address(url: str, sizes: CoreParams | None) -> str:
    """Address of a simulated target with its sizes: ``?params=NAME,field=value,…``."""
    scheme, colon, rest = url.partition(":")
    place, _, query = rest.partition("?")
    if not colon or place not in ("", "//"):
        raise TargetError(
            f"{shown(url)} is no address: write {scheme}: or, with options, {scheme}:?params=tiny"
        )
    if sizes is not None:
        if not takes_sizes(url):
            raise InvalidInput("sizes are given twice: in the address and as params")
        query = "&".join(filter(None, (query, urlencode({"params": described(sizes)}, safe=",="))))
    return f"{scheme}://?{query}"


class _Opened(NamedTuple):
    """A port, the factor on its deadlines, whether bytes travel at its rate, and its own time.

    And what to do where nobody answers.
    """

    port: Port
    patience: float
    has_line: bool
    simulation: Simulation | None = None
    advice: str = FRUITLESS


def _open(url: str, scheme: str, baud: int | None, opened: ExitStack) -> _Opened:
    """Open a port, and put into `opened` what closes it."""
    if scheme == REPLAY:
        replay = Replay(Recording.load(path_of(url.partition(":")[2], "a recording")))
        return _Opened(replay, 1.0, replay.has_line)
    simulation = None
    if scheme in SIMULATED and scheme.endswith(PTY_SUFFIX):
        url, simulation, close = _pty(url, scheme)
        opened.callback(close)
        byte_seconds = simulation.byte_seconds()
        baud = round(BITS_PER_BYTE / byte_seconds) if byte_seconds else None
    elif scheme in SIMULATED:
        _handlers(scheme)
    port = _serial(url, scheme, baud or DEFAULT_BAUD)
    opened.callback(port.close)
    # What has a rate but does not keep to it: the bytes travel as fast as they can, and as late as
    # the program at the other end gets to them.
    patience, rateless, advice = 1.0, True, FRUITLESS
    if scheme == "socket":
        patience, advice = SOCKET_PATIENCE, _SILENT_SOCKET
    elif _is_terminal(url):
        patience, advice = PTY_PATIENCE, _SILENT_TERMINAL
    else:
        rateless = False
    has_line = not rateless and getattr(port, "has_line", True)
    clock = getattr(port, "clock", None)
    if clock is not None:
        simulation = Simulation(
            clock=clock,
            byte_seconds=lambda: BITS_PER_BYTE / port.baudrate if has_line else 0.0,
            worked=None,
        )
    return _Opened(port, patience, has_line, simulation, advice)


def _serial(url: str, scheme: str, baud: int) -> Port:
    if scheme == "socket" and ":" not in urlsplit(url).netloc:
        raise TargetError(f"{url} lacks its port: write socket://host:port")
    try:
        # A second program on the same wire would take half of the answers. Asked for before it is
        # opened, the lock comes before the rate and the buffers, which are the first program's.
        port = serial.serial_for_url(
            url, do_not_open=True, exclusive=True, baudrate=baud, timeout=0,
            write_timeout=WRITE_TIMEOUT,
        )  # fmt: skip
    except ValueError as error:
        raise TargetError(f"{url} is of no scheme that there is. {_TARGETS}") from error
    except Exception as error:  # handlers of pyserial have errors of their own
        raise TargetError(f"{url} is no address of this scheme: {type(error).__name__}") from error
    try:
        port.open()
        port.reset_input_buffer()
    except (ValueError, OSError) as error:
        port.close()
        raise TargetError(f"{url} cannot be opened: {_reason(url, error)}") from error
    except Exception as error:
        port.close()
        raise TargetError(f"{url} cannot be opened: {type(error).__name__} {error}") from error
    return SocketPort(port) if scheme == "socket" else cast(Port, port)


def _reason(url: str, error: ValueError | OSError) -> str:
    """Say why a port could not be opened, and the way out."""
    number, reason = root_cause(error)
    if (file := getattr(error, "filename", None)) is not None:
        return f"{file}: {reason}"  # no port, but something that a simulated target needs
    if number == errno.ENOENT:
        return f"{reason}. {_TARGETS}"
    if number in (errno.EAGAIN, errno.EBUSY):
        return "another program has it open. Close that one"
    if number in (errno.EACCES, errno.EPERM):
        return f"{reason}. {_permission(url)}".removesuffix(". ")
    return reason


def _permission(url: str) -> str:
    """Say how one comes by the permission to open a serial device; nothing of anything else."""
    path = Path(url)
    try:
        found = path.stat()
        owner, group = path.owner(), path.group()
    except (OSError, ValueError, KeyError):
        return ""
    both = stat.S_IRGRP | stat.S_IWGRP
    if not stat.S_ISCHR(found.st_mode):
        return ""
    if found.st_mode & both != both or found.st_gid == 0:
        return f"It is for the user {owner} alone"
    return f"Run: sudo usermod -aG {group} $USER, and log in anew"


def _handlers(scheme: str) -> None:
    """Make pyserial know the URL handlers of simulated targets."""
    _imported(scheme, f"protocol_{scheme}")
    known = serial.protocol_handler_packages
    known += [entry.value for entry in _targets() if entry.value not in known]


def _pty(url: str, scheme: str) -> tuple[str, Simulation, Callable[[], None]]:
    """Have a simulated target served on a pseudo-terminal: path, time of its own, and its end."""
    open_pty = _imported(scheme, "terminal").open_pty
    try:
        return cast(tuple[str, Simulation, Callable[[], None]], open_pty(url))
    except (ValueError, OSError) as error:
        raise TargetError(f"{url} cannot be served: {error}") from error


def _imported(scheme: str, name: str) -> ModuleType:
    """Import the module `name` of the package of simulated targets that has it.

    pyserial would say of a handler whose import fails only that the protocol is not known.
    """
    missing = "no package of simulated targets is installed"
    for entry in _targets():
        try:
            return import_module(f"{entry.value}.{name}")
        except ImportError as error:
            missing = str(error)
    raise TargetError(
        f"{scheme}: needs a package that is missing ({missing}). "
        f"Run: {install_command(SIMULATED[scheme])}"
    )


def _targets() -> EntryPoints:
    return entry_points(group=TARGETS)
