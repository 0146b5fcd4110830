"""The cache of builds, in which each build is made once, and the tools that make builds."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import filelock
from platformdirs import user_cache_path

from spiketwin.hdl.children import child
from spiketwin.hdl.spec.errors import SpiketwinError

BUILD_SECONDS: Final = 1800.0
"""Longest time, in seconds, that a build may take, or that one process waits for another's build.
The longest build takes far less."""

_LOG_LINES: Final = 20

_UNFINISHED: Final = ".tmp"
"""Mark in the name of a folder, behind the digest, as long as its build is not finished."""

_FAILURES_KEPT: Final = 4
_FAILURE_SECONDS: Final = 24 * 3600.0
"""Number of folders of failed builds that are kept for their logs, of each kind, and the time in
seconds for which they are kept."""


class BuildError(SpiketwinError):
    """A build failed. If a tool failed, the message names its log and ends with the last lines."""


def roots() -> list[Path]:
    """Return the folders in which finished builds are looked for, the preferred one first.

    The folders are ``sim_build/`` of a checkout, and the user's cache folder.
    """
    sim_build = Path(__file__).resolve().parents[3] / "sim_build"
    checkout = [sim_build] if (sim_build / ".gitignore").is_file() else []
    return [*checkout, user_cache_path("spiketwin")]


def build_root() -> Path:
    """Return the folder for new builds: the first of `roots` that may be written to.

    If none of them may be written to, as in many containers, it is `temporary_root`.

    Raises
    ------
    BuildError
        No folder may be written to.
    """
    return next(filter(_may_be_written, roots()), None) or temporary_root()


def temporary_root() -> Path:
    """Return this user's folder among the temporary ones of the system, after making it.

    Raises
    ------
    BuildError
        There is no folder for temporary files, or somebody else may write to ours.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"spiketwin-{os.getuid()}")
        with suppress(FileExistsError):
            folder.mkdir(0o755)
        found = folder.lstat()
    except OSError as error:
        raise BuildError(
            f"no folder may be written to ({error.strerror}): set XDG_CACHE_HOME to one that may"
        ) from error
    others = stat.S_IWGRP | stat.S_IWOTH
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & others:
        raise BuildError(
            f"{folder} is not a folder that you alone may write to: remove it, or set "
            "XDG_CACHE_HOME to a folder that you may write to"
        )
    return folder


def workshop() -> Path:
    """Return a folder for tools to work in: `build_root` if they can use its path.

    Otherwise it is `temporary_root`.

    Raises
    ------
    BuildError
        The tools can use neither of the two paths.
    """
    root = build_root()
    if not usable_by_tools(root):
        root = temporary_root()
        if not usable_by_tools(root):
            raise BuildError(
                f"the tools of a build cannot use the path {str(root)!r}: set TMPDIR to a folder "
                "of letters, digits, '.', '-' and '_'"
            )
    return root


def usable_by_tools(path: Path) -> bool:
    """Return whether make, shells and simulators can use a path: blanks and brackets break them."""
    return re.fullmatch(r"[\w./+@-]+", str(path)) is not None


def _may_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def gateware_sources(package: Path = Path(__file__).parent) -> list[Path]:
    """Return the source files of the specification and the gateware in a package, sorted."""
    return sorted(package.rglob("*.py"))


def fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of the contents of files, in this order; their names and paths do not count."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def built_once(kind: str, digest: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of a build, building it if it is not in the cache yet.

    The folder appears whole or not at all. If several processes ask for the same build, one of them
    builds and the others wait. The folder of a failed build, with the logs that the error names, is
    kept for a while; a build that is interrupted leaves nothing.

    Parameters
    ----------
    kind:
        Folder of all builds like this one, in each of `roots`.
    digest:
        Hash of everything that shapes the build.
    build:
        Function that fills the folder it is given. Any tool can use the path of that folder, which
        is moved to its place in the cache afterwards.

    Raises
    ------
    BuildError
        Another process holds the build for more than `BUILD_SECONDS`, or there is no place for it.
    """
    for root in roots():
        finished = root / kind / digest
        if os.access(finished, os.R_OK | os.X_OK):
            return finished
    root = build_root() / kind
    finished = root / digest
    root.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(root / f"{digest}.lock", timeout=BUILD_SECONDS):
            if finished.is_dir():
                return finished
            # A failed build, whose error named the logs in it, or a killed one left these folders.
            # This process holds the lock, so no other process works in them.
            for left in root.glob(f"{digest}{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            _sweep(root)
            # Not by mkdtemp, whose folders other users can never read.
            name = f"{digest}{_UNFINISHED}{secrets.token_hex(4)}"
            folder = workshop() / kind / name
            folder.mkdir(parents=True)
            try:
                build(folder)
            except (KeyboardInterrupt, SystemExit):
                shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.move(folder, root / name)  # elsewhere only if tools cannot use the root's path
            (root / name).rename(finished)
    except filelock.Timeout as error:
        raise BuildError(
            f"another process holds {error.lock_file} and has not finished its build in "
            f"{BUILD_SECONDS:.0f} s; end it and try again"
        ) from error
    return finished


def _sweep(root: Path) -> None:
    """Remove the folders of failed or killed builds, except the latest ones of the last day."""
    left = []
    for folder in root.glob(f"*{_UNFINISHED}*"):
        with suppress(FileNotFoundError):  # another process may be sweeping, too
            left.append((folder.stat().st_mtime, folder))
    for number, (changed, folder) in enumerate(sorted(left, reverse=True)):
        if number < _FAILURES_KEPT and time.time() - changed < _FAILURE_SECONDS:
            continue
        digest = folder.name.partition(_UNFINISHED)[0]
        # A process that holds the lock is still at work in the folder.
        with suppress(filelock.Timeout), filelock.FileLock(root / f"{digest}.lock", timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


def run_tool(
    what: str,
    command: list[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: IO[bytes] | None = None,
    stdin: str = "",
    seconds: float | None = None,
) -> None:
    """Run one tool of a build to its end; an exception that ends the wait also kills the tool.

    Parameters
    ----------
    what:
        Subject of error messages: what the tool does.
    command:
        The program and its arguments.
    log:
        File to which all output of the tool is appended.
    environment:
        Environment variables in addition to those of this process.
    folder:
        Working directory of the tool; by default that of this process.
    output, stdin:
        File for the standard output, if it does not go to the log, and text for the standard input.
    seconds:
        Longest time that the tool may take; `BUILD_SECONDS` if not given.

    Raises
    ------
    BuildError
        The tool ended with another status than 0, or took longer.
    """
    with tool(
        what, command, log, environment=environment, folder=folder, output=output, seconds=seconds
    ) as finish:
        finish(stdin)


@contextmanager
def tool(
    what: str,
    command: list[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: IO[bytes] | None = None,
    seconds: float | None = None,
) -> Iterator[Callable[[str], None]]:
    """Run one tool beside others; the tool and its children end with the block, finished or not.

    Parameters are those of `run_tool`. The block receives a function for the rest of the work of
    `run_tool`: the function takes the text for the standard input, waits until the tool has ended,
    and raises the same errors.
    """
    limit = BUILD_SECONDS if seconds is None else seconds
    with (
        log.open("ab") as said,
        child(
            command, env=os.environ | dict(environment or {}), cwd=folder, stdin=subprocess.PIPE,
            stdout=output or said, stderr=said,
        ) as process,
    ):  # fmt: skip

        def finish(stdin: str) -> None:
            try:
                process.communicate(stdin.encode(), limit)
            except subprocess.TimeoutExpired as error:
                raise BuildError(_failure(f"{what} took longer than {limit:.0f} s", log)) from error
            if process.returncode != 0:
                raise BuildError(_failure(f"{what} ended with status {process.returncode}", log))

        yield finish


def _failure(what: str, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"{what}; the whole log is {log}", *lines[-_LOG_LINES:]])
