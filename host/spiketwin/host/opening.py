"""Opening of serial ports, and of everything else that pyserial opens, as transports."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import serial

from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target
from spiketwin.host.registered import all_targets, register_handlers
from spiketwin.host.sockets import SocketTransport
from spiketwin.host.transport import SerialTransport, Transport

_WRITE_TIMEOUT: Final = 5.0


def open_port(target: Target) -> Transport:
    """Open a serial port, or any other address that pyserial opens, and return its transport.

    If the port that a handler of pyserial returns is itself a `Transport`, it is used as it is.
    Raises `TargetError` if the address cannot be opened.
    """
    port = _opened(target)
    return port if isinstance(port, Transport) else SerialTransport(port)


def open_terminal(target: Target) -> Transport:
    """Open a pseudo-terminal, on which bytes keep to no rate, and return its transport."""
    return SerialTransport(_opened(target), has_line=False)


def open_socket(target: Target) -> Transport:
    """Open a socket and return its transport."""
    if ":" not in urlsplit(target.place).netloc:
        raise TargetError(f"{target.place} lacks its port: write socket://host:port")
    return SocketTransport(_opened(target))


def _opened(target: Target) -> Any:
    url = target.place
    if "://" in url:
        register_handlers()
    try:
        # A second program on the same port would take half of the answers. The exclusive lock is
        # requested before opening, so that opening fails before it changes the rate or the buffers
        # of the first program.
        port = serial.serial_for_url(
            url, do_not_open=True, exclusive=True, baudrate=target.baud or DEFAULT_BAUD,
            timeout=0, write_timeout=_WRITE_TIMEOUT,
        )  # fmt: skip
    except ValueError as error:
        raise TargetError(
            f"{url} is of no scheme that there is. Targets are {all_targets()}"
        ) from error
    except Exception as error:  # handlers of pyserial have errors of their own
        raise TargetError(f"{url} is no address of this scheme: {type(error).__name__}") from error
    try:
        port.open()
        port.reset_input_buffer()
    except (ValueError, OSError) as error:
        port.close()
        raise TargetError(f"{url} cannot be opened: {reason(url, error)}") from error
    except Exception as error:
        port.close()
        raise TargetError(f"{url} cannot be opened: {type(error).__name__} {error}") from error
    return port


def reason(url: str, error: BaseException) -> str:
    """Return why a target could not be opened and what to do, as text."""
    number, words = root_cause(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {words}"  # a file that a simulated target needs
    if number == errno.ENOENT:
        return f"{words}. Targets are {all_targets()}"
    if number in (errno.EAGAIN, errno.EBUSY):
        return "another program has it open. Close that one"
    if number in (errno.EACCES, errno.EPERM):
        return f"{words}. {_permission(url)}".removesuffix(". ")
    return words


def root_cause(error: BaseException) -> tuple[int | None, str]:
    """Return the number and the text of the system's error that pyserial has wrapped."""
    while isinstance(error.__context__, OSError):
        error = error.__context__
    if isinstance(error, OSError):
        return error.errno, error.strerror or str(error)
    return None, str(error)


def _permission(url: str) -> str:
    """Return how to get permission to open a serial device; empty text for anything else."""
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
