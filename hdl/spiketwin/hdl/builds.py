"""Builds that are made once for everybody who asks for the same, and the tools that make them."""

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
"""Far above the longest build; whoever waits for another's build waits no longer either."""

_LOG_LINES: Final = 20

_UNFINISHED: Final = ".tmp"
"""What the name of a folder has behind its digest as long as it is not whole."""

_FAILURES_KEPT: Final = 4
_FAILURE_SECONDS: Final = 24 * 3600.0
"""How many folders of builds that failed are kept for their logs, of each kind, and how long."""


class BuildError(SpiketwinError):
    """A build failed; where a tool did, the message ends with its log's last lines and names it."""


def roots() -> list[Path]:
    """Give the folders in which builds are looked for, the first being the first choice for new.

    They are ``sim_build/`` of a checkout, and the user's cache folder.
    """
    sim_build = Path(__file__).resolve().parents[3] / "sim_build"
    checkout = [sim_build] if (sim_build / ".gitignore").is_file() else []
    return [*checkout, user_cache_path("spiketwin")]


def build_root() -> Path:
    """Give the folder of new builds: the first of `roots` that may be written to.

    Where none may, as in many a container, it is `temporary_root`.

    Raises
    ------
    BuildError
        There is none at all.
    """
    return next(filter(_may_be_written, roots()), None) or temporary_root()


def temporary_root() -> Path:
    """Give this user's folder among the temporary ones of the system, making it.

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
    """Give a folder for tools to work in: `build_root`, if they can use its path.

    Raises
    ------
    BuildError
        Nor can they use the path of the system's folder for temporary files.
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
    """Whether make, shells and simulators take a path as it is: blanks and brackets they do not."""
    return re.fullmatch(r"[\w./+@-]+", str(path)) is not None


def _may_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def gateware_sources(package: Path = Path(__file__).parent) -> list[Path]:
    """Give the files of the specification and the gateware, or of a copy of them, sorted."""
    return sorted(package.rglob("*.py"))


def fingerprint(files: Iterable[Path]) -> str:
    """Name what is in some files, in this order, wherever they lie and whatever they are called."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def built_once(kind: str, digest: str, build: Callable[[Path], None]) -> Path:
    """Give the folder of a build, building it if nobody has yet.

    The folder appears whole or not at all; of several processes that ask for the same one, one
    builds and the others wait. What a build that failed leaves, with the logs that its error names,
    is kept for a while; a build that is broken off leaves nothing.

    Parameters
    ----------
    kind:
        Folder of all builds like this one, in each of `roots`.
    digest:
        Name of everything that shapes the build.
    build:
        Fills the folder it is given, whose path any tool can use, and which is moved once it is
        full.

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
            # Left by a build that failed, whose error named the logs in it, or that was killed: the
            # lock is ours, so nobody is at work in them.
            for left in root.glob(f"{digest}{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            _sweep(root)
            # Not by mkdtemp, which keeps it from other users for good.
            name = f"{digest}{_UNFINISHED}{secrets.token_hex(4)}"
            folder = workshop() / kind / name
            folder.mkdir(parents=True)
            try:
                build(folder)
            except (KeyboardInterrupt, SystemExit):
                shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.move(folder, root / name)  # a path with blanks alone is another one
            (root / name).rename(finished)
    except filelock.Timeout as error:
        raise BuildError(
            f"another process holds {error.lock_file} and has not finished its build in "
            f"{BUILD_SECONDS:.0f} s; end it and try again"
        ) from error
    return finished


def _sweep(root: Path) -> None:
    """Remove what failed or killed builds left, except the latest folders of the last day."""
    left = []
    for folder in root.glob(f"*{_UNFINISHED}*"):
        with suppress(FileNotFoundError):  # another process sweeps, too
            left.append((folder.stat().st_mtime, folder))
    for number, (changed, folder) in enumerate(sorted(left, reverse=True)):
        if number < _FAILURES_KEPT and time.time() - changed < _FAILURE_SECONDS:
            continue
        digest = folder.name.partition(_UNFINISHED)[0]
        # Whoever has the lock is at work in it.
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
    """Run one tool of a build; whatever ends the wait for it also ends it and its children.

    Parameters
    ----------
    what:
        What it does, to begin the message of an error with.
    command:
        The program and its arguments.
    log:
        File to which all that it says is appended.
    environment:
        Variables beside those of this process.
    folder:
        Where it runs; by default where this process does.
    output, stdin:
        Where its standard output goes instead, and what it reads.
    seconds:
        How long it may take; `BUILD_SECONDS` if not given.

    Raises
    ------
    BuildError
        It ended with another status than 0, or took longer.
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
    """Run one tool beside others; it and its children end with the block, finished or not.

    Parameters are those of `run_tool`. The block is given what does the rest of `run_tool`: it
    takes what the tool reads, waits until it has ended, and raises.
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
