"""From a target, or its address, to a connected core."""

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
"""Rates of serial ports. At lower ones it takes minutes to tell that a device is silent; no adapter
makes higher ones."""

_MOST_RETRIES: Final = 1000


def connect(
    url: str | Target,
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
        ``rtl:?level=pins``, ``rtl:?level=core``. Or a `Target`, of a kind of one's own.
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
    """Open a target, all of whose arguments were checked; nothing stays open where that fails."""
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
            # Only a line that is simulated, or recorded as one, begins at a rate of its own.
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
    """Open a target; `TargetError` says why it cannot be opened, and the way out."""
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
    """See that a device has the sizes that were asked for, if any were."""
    if wanted is None or link.identity.params == wanted:
        return
    have = asdict(link.identity.params)
    wrong = [name for name, value in asdict(wanted).items() if have[name] != value]
    raise DoesNotFit(
        f"{target.name}: the device differs from the params asked for in {', '.join(wrong)}: "
        "connect without params, or to a device of these sizes"
    )


def file_of(target: str | Target) -> Path | None:
    """Return the recording or the port that a target is; None if it is no file."""
    target = _parsed(target)
    if target.kind is REPLAY:
        return Path(target.place)
    # What is no address of any scheme is the path of a port.
    is_path = target.kind.scheme == PORT.scheme and "://" not in target.place
    return Path(target.place) if is_path else None


def takes_sizes(target: str | Target) -> bool:
    """Whether a target is simulated and leaves the sizes of the core open.

    Raises `InvalidInput` or `TargetError` for what is no address.
    """
    return _parsed(target).leaves_sizes_open


def takes_baud(target: str | Target) -> bool:
    """Whether a target has a line, whose rate can be chosen.

    Bytes keep to no rate on the model, at the levels of bytes and core, on a socket, and on a
    pseudo-terminal that another program serves. Raises `InvalidInput` or `TargetError` for what is
    no address.
    """
    return _parsed(target).has_line


def origin(target: str | Target) -> Origin:
    """Say how a target comes by its spikes and cycles (`Origin`): its scheme tells.

    Raises `InvalidInput` or `TargetError` for what is no address.
    """
    kind = target.kind if isinstance(target, Target) else kind_of(target)
    return kind.origin


def no_line(target: str | Target, baud: int) -> str:
    """Say of a target without a line that it has no rate, and what to do."""
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
