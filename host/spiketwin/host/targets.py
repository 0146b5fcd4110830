"""From an address to a connected core."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType
from typing import Final, cast
from urllib.parse import urlencode

import serial

from spiketwin.hdl.spec.params import CoreParams, ParamsError, preset
from spiketwin.host.core import Core
from spiketwin.host.errors import DoesNotFit, InvalidInput, TargetError
from spiketwin.host.installation import install_command
from spiketwin.host.link import DEFAULT_RETRIES, Link, Port

DEFAULT_BAUD: Final = 115200
DEFAULT_PARAMS: Final = "full"
WRITE_TIMEOUT: Final = 5.0

TARGETS: Final = "spiketwin.targets"
"""Entry points that name packages of pyserial URL handlers for targets inside this computer."""

PTY_SUFFIX: Final = "+pty"
SIMULATED: Final = {
    "model": "",
    "rtl": "rtl",
    "rtl+pty": "rtl",
    "netlist": "rtl",
}
"""Schemes of simulated targets, and the extra that each needs."""

PTY_PATIENCE: Final = 100.0
"""An emulator on a pseudo-terminal is that much slower, at worst, than the clock it reports."""


def connect(
    url: str,
    *,
    params: str | CoreParams | None = None,
    baud: int = DEFAULT_BAUD,
    retries: int = DEFAULT_RETRIES,
) -> Core:
    """Open a target and return its core, a context manager.

    Parameters
    ----------
    url:
        ``model:``, ``rtl:``, ``rtl+pty:``, ``netlist:``; a serial port (``/dev/ttyUSB1``,
        ``COM3``); ``socket://host:port``, or any other address that pyserial opens. Simulated
        targets take options: ``rtl:?level=pins``.
    params:
        Sizes of a simulated target: a reference size (``full``), one and what differs from it
        (``full,lanes=4``), or `CoreParams` (`Network.core_params`); ``full`` if the address names
        none. For anything else, sizes that the device must have.
    baud:
        Rate at which a serial port is opened, which is the rate the device starts with
        (`Core.set_baud` changes it).
    retries:
        Rounds of resending without any answer before `LinkTimeout`.

    Raises
    ------
    InvalidInput
        `params` names no reference size, or `baud` is no rate.
    TargetError
        The address means nothing, a package is missing, or the port cannot be opened.
    DoesNotFit
        The device has not the sizes asked for.
    IncompatibleDevice, LinkTimeout, LinkLost
        What answers is of another release, nothing answers, or the port went away.
    """
    if isinstance(baud, bool) or not isinstance(baud, int) or baud < 1:
        raise InvalidInput(f"baud must be a positive integer, not {baud!r}")
    sizes = _sizes(params)
    scheme = url.partition(":")[0]
    simulated = scheme in SIMULATED
    if simulated:
        url = _address(url, sizes, params)
    opened = ExitStack()
    try:
        port, patience = _open(url, scheme, baud, opened)
        link = Link(port, patience=patience, retries=retries, close=opened.close)
        if sizes is not None and link.identity.params != sizes:
            have = asdict(link.identity.params)
            wrong = [name for name, value in asdict(sizes).items() if have[name] != value]
            raise DoesNotFit(
                f"the device differs from the params asked for in {', '.join(wrong)}: connect "
                "without params, or to a device of these sizes"
            )
        return Core(link)
    except BaseException:
        opened.close()
        raise


def _sizes(params: str | CoreParams | None) -> CoreParams | None:
    if not isinstance(params, str):
        return params
    try:
        return preset(params)
    except ParamsError as error:
        raise InvalidInput(str(error)) from error


def _address(url: str, sizes: CoreParams | None, params: str | CoreParams | None) -> str:
    """Address of a simulated target with its sizes: ``?params=NAME,field=value,…``."""
    scheme, _, rest = url.partition(":")
    _, _, query = rest.partition("?")
    named = "params=" in query
    if named and params is not None:
        raise InvalidInput("sizes are given twice: in the address and as params")
    if not named:
        text = params if isinstance(params, str) else DEFAULT_PARAMS
        if isinstance(params, CoreParams) and sizes is not None:
            text += "".join(f",{name}={int(value)}" for name, value in asdict(sizes).items())
        query = "&".join(filter(None, (query, urlencode({"params": text}, safe=",="))))
    return f"{scheme}://?{query}"


def _open(url: str, scheme: str, baud: int, opened: ExitStack) -> tuple[Port, float]:
    """Open a port, put into `opened` what closes it, and return the factor on its deadlines too."""
    patience = 1.0
    if scheme in SIMULATED and scheme.endswith(PTY_SUFFIX):
        url, close = _pty(url, scheme)
        opened.callback(close)
        patience = PTY_PATIENCE
    elif scheme in SIMULATED:
        _handlers(scheme)
    port = _serial(url, scheme, baud)
    opened.callback(port.close)
    return port, patience


def _serial(url: str, scheme: str, baud: int) -> Port:
    try:
        port = serial.serial_for_url(url, baudrate=baud, timeout=0, write_timeout=WRITE_TIMEOUT)
        if "://" not in url:
            # A second program on the same wire would take half of the answers.
            port.exclusive = True
        port.reset_input_buffer()
    except (ValueError, OSError, serial.SerialException) as error:
        schemes = ", ".join(f"{name}:" for name in SIMULATED)
        raise TargetError(
            f"{url} cannot be opened: {error}. Targets are {schemes}, "
            "a serial port (`python -m serial.tools.list_ports` lists them) or socket://host:port"
        ) from error
    return cast(Port, port)


def _handlers(scheme: str) -> None:
    """Make pyserial know the URL handlers of simulated targets."""
    _imported(scheme, f"protocol_{scheme}")
    known = serial.protocol_handler_packages
    known += [entry.value for entry in _targets() if entry.value not in known]


def _pty(url: str, scheme: str) -> tuple[str, Callable[[], None]]:
    """Have a simulated target served on a pseudo-terminal: its path, and what ends it."""
    open_pty = _imported(scheme, "terminal").open_pty
    try:
        return cast(tuple[str, Callable[[], None]], open_pty(url))
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
