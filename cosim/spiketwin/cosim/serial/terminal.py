"""The RTL on a pseudo-terminal, served by a child process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from serial import SerialException

from spiketwin.cosim.serial.rtl_address import design

_READY_SECONDS: Final = 60.0
_END_SECONDS: Final = 10.0

_PROGRAM: Final = "from spiketwin.cosim.commands.emulate import emulate; emulate()"


def open_pty(url: str) -> tuple[str, Callable[[], None]]:
    """Serve an RTL on a pseudo-terminal until told to stop, or until this process ends.

    Parameters
    ----------
    url:
        ``rtl+pty:?params=full&level=pins&cycles_per_bit=4&clock=100e6``, each option optional.

    Returns
    -------
    tuple
        The terminal's path, which any serial program can open, and what ends it.

    Raises
    ------
    SerialException
        The address is wrong, the RTL cannot be built, or the emulator does not start.
    """
    wanted = design(url, level="pins")
    sizes = ",".join(f"{name}={int(value)}" for name, value in asdict(wanted.params).items())
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as output:
        child = subprocess.Popen(
            [
                sys.executable, "-c", _PROGRAM, "--until-eof", "--params", f"full,{sizes}",
                "--level", wanted.level, "--cycles-per-bit", str(wanted.cycles_per_bit),
                "--clock", str(wanted.clock_hz),
            ],
            # The child ends with this pipe, and so with this process however it ends; Ctrl-C,
            # which this process may handle, is none of its business.
            stdin=subprocess.PIPE, stdout=writer, process_group=0,
        )  # fmt: skip
        os.close(writer)
        ready, _, _ = select.select([output], [], [], _READY_SECONDS)
        path = output.readline().strip() if ready else ""

    def close() -> None:
        try:
            child.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()

    if not path:
        close()
        raise SerialException(
            f"the emulator of {url} did not start; its own message, if any, is above"
        )
    return path, close
