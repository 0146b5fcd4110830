"""The RTL on a pseudo-terminal, served by a child process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, NamedTuple

from spiketwin.cosim.rtl.build import LINK_LEVELS, library
from spiketwin.cosim.rtl.meter import Meter
from spiketwin.cosim.serial.designs import design_of
from spiketwin.hdl.spec.protocol import BITS_PER_BYTE
from spiketwin.host.addresses import TERMINAL
from spiketwin.host.errors import TargetError
from spiketwin.host.kinds import Target
from spiketwin.host.opening import open_terminal
from spiketwin.host.timeline import Simulation
from spiketwin.host.transport import Transport, WrappedTransport

_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 10.0


class Terminal(NamedTuple):
    """An RTL on a pseudo-terminal.

    Attributes
    ----------
    path:
        Path of the terminal, which any serial program can open.
    simulation:
        Returns how far the simulation is.
    close:
        Ends the RTL, as does dropping the last reference to this.
    """

    path: str
    simulation: Simulation
    close: Callable[[], None]


class TerminalTransport(WrappedTransport):
    """The host's end of a pseudo-terminal on which this process has an RTL served.

    The terminal itself has no rate, whatever line is simulated behind it.

    Parameters
    ----------
    served:
        The RTL that is served; `close` ends it.
    """

    def __init__(self, served: Terminal) -> None:
        byte_seconds = served.simulation.byte_seconds()
        baud = round(BITS_PER_BYTE / byte_seconds) if byte_seconds else None
        super().__init__(open_terminal(Target(TERMINAL, served.path, baud=baud)))
        self.simulation = served.simulation
        self._served = served

    def close(self) -> None:
        """Close this end, and end the RTL."""
        super().close()
        self._served.close()


def open_target(target: Target) -> Transport:
    """Serve an RTL on a pseudo-terminal and open it."""
    served = open_pty(target)
    try:
        return TerminalTransport(served)
    except BaseException:
        served.close()
        raise


def open_pty(target: Target) -> Terminal:
    """Serve an RTL on a pseudo-terminal until it is closed or dropped, or this process ends.

    Parameters
    ----------
    target:
        ``rtl+pty:?params=full&level=pins&cycles_per_bit=4&clock=100000000``; options as of
        ``rtl://``, but the level is ``pins`` by default.

    Raises
    ------
    TargetError
        The options are wrong, the RTL cannot be built, or the emulator does not start.
    """
    wanted = design_of(target, default_level="pins")
    if wanted.level not in LINK_LEVELS:
        raise TargetError(
            f"{target} cannot be served: level must be {' or '.join(LINK_LEVELS)} on a "
            f"pseudo-terminal, which the link of the gateware serves, not {wanted.level!r}: take "
            f"rtl:?level={wanted.level}"
        )
    # Build here, so that the child has nothing to do that takes long or fails.
    library(wanted)
    reader, writer = os.pipe()
    service = [sys.executable, "-m", "spiketwin.cosim.rtl.service", json.dumps(asdict(wanted))]
    with os.fdopen(reader, encoding="utf-8") as output, tempfile.TemporaryFile() as shared:
        meter = Meter.in_file(shared)
        child = subprocess.Popen(
            [*service, str(shared.fileno())],
            pass_fds=[shared.fileno()],
            # The child ends when this pipe closes, and so with this process, however it ends.
            # Ctrl-C does not reach the child: this process may handle it and go on.
            stdin=subprocess.PIPE,
            stdout=writer,
            process_group=0,
        )
        os.close(writer)
        ready, _, _ = select.select([output], [], [], _READY_SECONDS)
        path = output.readline().strip() if ready else ""

    if not path:
        _end(child)
        raise TargetError(
            f"{target} cannot be served: the emulator did not start; its own message, if any, is "
            "above"
        )
    return Terminal(path, meter.simulation(), _Service(child).close)


class _Service:
    """A child process that ends when this is closed or no longer referenced.

    A `Popen` alone would not do: while its process lives, the module `subprocess` keeps a dropped
    one, and with it the pipe for whose end the child waits.
    """

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._ended = weakref.finalize(self, _end, child)

    def close(self) -> None:
        """End the child; further calls do nothing."""
        self._ended()


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.communicate(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
