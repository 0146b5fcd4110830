"""Connecting: from a target, or its address, to a core."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np

from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.text import shown
from spiketwin.host.addresses import PORT, REPLAY, kind_of, parse, sizes_of
from spiketwin.host.core import Core
from spiketwin.host.errors import DoesNotFit, InvalidInput, SpiketwinError, TargetError
from spiketwin.host.kinds import Origin, Target
from spiketwin.host.link import DEFAULT_RETRIES, Link
from spiketwin.host.opening import reason
from spiketwin.host.paths import path_of, same_file
from spiketwin.host.recording import recording
from spiketwin.host.transport import Transport

MIN_BAUD: Final = 9600
MAX_BAUD: Final = 50_000_000
"""Limits of the rates of serial ports in bits per second. At lower rates it would take minutes to
tell that a device is silent; no adapter makes higher ones."""

_MOST_RETRIES: Final = 1000


def connect(
    url: str | Target,
    *,
    params: str | CoreParams | None = None,
    baud: int | None = None,
    retries: int = DEFAULT_RETRIES,
    record: str | Path | None = None,
) -> Core:
    """Open a target and return its core, which is also a context manager.

    Parameters
    ----------
    url:
        ``model:``, ``rtl:``, ``rtl+pty:``, ``netlist:``; a serial port (``/dev/ttyUSB1``,
        ``COM3``); ``socket://host:port``, or any other address that pyserial opens;
        ``replay:FILE``, a session recorded with `record`. Simulated targets take options:
        ``rtl:?level=pins``, ``rtl:?level=core``. A `Target`, also of a kind of your own, can be
        given as well.
    params:
        Sizes of a simulated target: a reference size (``full``), a reference size and the fields
        that differ (``full,lanes=4``), or `CoreParams` (`Network.core_params`). The default is the
        size in the address, or else ``full``. For other targets, sizes that the device must have.
    baud:
        Bits per second of the line. A serial port is opened at this rate, so it must be the rate
        with which the device starts, 115200 by default; `Core.set_baud` changes it later. A
        simulated line (``rtl+pty:``, or ``level=pins``) starts at its `cycles_per_bit` and is
        changed to this rate, if given, once it is open. For ``replay:``, give the rate that the
        recorded session was given.
    retries:
        Rounds of resending without any answer before `LinkTimeout`, 0…1000. A round lasts up to
        0.05 s, at a socket 1.25 s, and at a pseudo-terminal 5 s, unless a request takes longer.
    record:
        File to which all bytes are recorded (`spiketwin.host.recording`). It appears when the core
        is closed.

    Raises
    ------
    InvalidInput
        An argument has a wrong type or is out of range, `params` names no reference size, `record`
        is the path of the target itself, or `baud` is not in 9600…50000000, is given for a target
        without a line, or cannot be made of the clock of a simulated device.
    TargetError
        The address is not valid, a package is missing, or the port cannot be opened.
    DoesNotFit
        The device does not have the sizes asked for.
    RecordingError
        The file of ``replay:`` is not a recording.
    OSError
        The file of `record` cannot be written.
    IncompatibleDevice, LinkTimeout, LinkLost
        The device is of another release, it does not answer, or the port is gone.
    """
    target = _target(url, params, baud)
    if target.baud is not None and not target.has_line:
        raise InvalidInput(no_line(target, target.baud))
    retries = _checked_integer("retries", retries, 0, _MOST_RETRIES)
    recorded = None if record is None else path_of(record, "record")
    read = file_of(target)
    if recorded is not None and read is not None and same_file(recorded, read):
        raise InvalidInput(f"{target} and record are the same file: record to another one")
    return _connected(target, _sizes(params), retries, recorded)


def _connected(
    target: Target, wanted: CoreParams | None, retries: int, recorded: Path | None
) -> Core:
    """Open a target and return its core; the arguments were checked.

    If an exception is raised, everything that was opened is closed again.
    """
    opened = ExitStack()
    try:
        transport = _open(target)
        opened.callback(transport.close)
        if recorded is not None:
            transport = opened.enter_context(recording(transport, recorded))
        link = Link(
            transport,
            patience=target.kind.patience,
            retries=retries,
            close=opened.close,
            address=str(target),
            advice=target.kind.advice,
        )
        _check_sizes(target, link, wanted)
        core = Core(link)
        if target.baud is not None and target.baud != link.baud:
            # Only a simulated line, or the recording of one, starts at a rate of its own.
            if link.line.baud is None:
                raise InvalidInput(no_line(target, target.baud))
            core.set_baud(target.baud)
        return core
    except BaseException:
        opened.close()
        raise


def _target(url: str | Target, params: str | CoreParams | None, baud: int | None) -> Target:
    """Return the target with the sizes and the rate that were given as arguments."""
    target = url if isinstance(url, Target) else parse(url)
    if baud is not None:
        target = replace(target, baud=_checked_integer("baud", baud, MIN_BAUD, MAX_BAUD))
    sizes = _sizes(params)
    if sizes is None or not target.kind.has_sizes:
        return target
    if target.params is not None:
        raise InvalidInput("sizes are given twice: in the address and as params")
    return replace(target, params=sizes)


def _open(target: Target) -> Transport:
    """Open a target and return its transport; raise `TargetError` if it cannot be opened."""
    try:
        return target.open()
    except ImportError as error:
        raise TargetError(
            f"{target.kind.scheme}: needs a package that is missing ({error}). "
            f"Run: {install_command(target.kind.extra)}"
        ) from error
    except (ValueError, OSError) as error:
        if isinstance(error, SpiketwinError):
            raise
        raise TargetError(f"{target} cannot be opened: {reason(target.place, error)}") from error


def _check_sizes(target: Target, link: Link, wanted: CoreParams | None) -> None:
    """Raise `DoesNotFit` if sizes were asked for and the device has others."""
    if wanted is None or link.identity.params == wanted:
        return
    have = asdict(link.identity.params)
    wrong = [name for name, value in asdict(wanted).items() if have[name] != value]
    raise DoesNotFit(
        f"{target.name}: the device differs from the params asked for in {', '.join(wrong)}: "
        "connect without params, or to a device of these sizes"
    )


def file_of(target: str | Target) -> Path | None:
    """Return the path of a target that is a recording or a port; None for other targets."""
    target = _parsed(target)
    if target.kind is REPLAY:
        return Path(target.place)
    # An address without a known scheme is the path of a port.
    is_path = target.kind.scheme == PORT.scheme and "://" not in target.place
    return Path(target.place) if is_path else None


def takes_sizes(target: str | Target) -> bool:
    """Return whether a target is simulated and its address leaves the sizes of the core open.

    Raises `InvalidInput` or `TargetError` for an address that is not valid.
    """
    return _parsed(target).leaves_sizes_open


def takes_baud(target: str | Target) -> bool:
    """Return whether a target has a line, whose rate can be chosen.

    The model, the levels of bytes and core, sockets, and pseudo-terminals that another program
    serves have no line. Raises `InvalidInput` or `TargetError` for an address that is not valid.
    """
    return _parsed(target).has_line


def origin(target: str | Target) -> Origin:
    """Return where the spikes and cycles of a target come from; its scheme alone decides.

    Raises `InvalidInput` or `TargetError` for an address that is not valid.
    """
    kind = target.kind if isinstance(target, Target) else kind_of(target)
    return kind.origin


def no_line(target: str | Target, baud: int) -> str:
    """Return the message that a target without a line has no rate, and what to do."""
    target = _parsed(target)
    return (
        f"{target.name}: baud={baud} would have no effect, as {target.kind.why_no_line}. "
        "`spiketwin latency` computes what any rate would do"
    )


def _parsed(target: str | Target) -> Target:
    return target if isinstance(target, Target) else parse(target)


def _sizes(params: str | CoreParams | None) -> CoreParams | None:
    if isinstance(params, str):
        return sizes_of(params)
    if params is not None and not isinstance(params, CoreParams):
        raise InvalidInput(
            f"params must be a text such as 'full', or CoreParams, not {shown(params)}"
        )
    return params


def _checked_integer(name: str, value: object, low: int, high: int) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or not low <= value <= high
    ):
        raise InvalidInput(f"{name} must be an integer in {low}…{high}, not {shown(value)}")
    return int(value)
