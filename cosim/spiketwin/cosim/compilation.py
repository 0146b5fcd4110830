"""Compilation by Numba: its options, its on-disk cache, and the notice while it takes place.

The cache lies in a folder named by a fingerprint of all that goes into the code, constants of the
specification included, so that nothing stale is ever run; Numba itself checks one file at a time.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import filelock
import numba
from numba.core import event

from spiketwin.hdl import builds

_P = ParamSpec("_P")
_R = TypeVar("_R")

_PACKAGE: Final = "spiketwin"
_ROOT: Final = Path(__file__).parent
_SOURCES: Final = (_ROOT / "compilation.py", _ROOT / "model", _ROOT / "compare" / "kernels.py")
_SPECIFICATION: Final = Path(builds.__file__).parent / "spec"
_COMPILING: Final = "numba:compile"
_SECONDS: Final = 300.0
"""Time to wait for another process that compiles the same function."""
_CALLED_BY_COMPILED: Final = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

# Numba's own types lack the options that are set here.
_njit: Any = numba.njit
_config: Any = numba.config


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function for compiled callers only; Python itself cannot call it."""
    return _jit(function, **_CALLED_BY_COMPILED)


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function for compiled callers only, as a part of each of them.

    A call then passes nothing, however much its arguments hold. It is LLVM that puts the code in
    its place: where Numba does, compilation takes half as long again, and the result is slower.
    """
    return _jit(function, forceinline=True, **_CALLED_BY_COMPILED)


def entry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function that Python calls, at its first call, and cache the result on disk.

    Of several processes that call it at the same time, one compiles. Its arguments are best a few
    arrays and plain tuples: named tuples take several times as long to pass.
    """
    folder = _folder()
    users = _config.CACHE_DIR
    # Numba reads the setting only now; code of the user keeps its own folder.
    _config.CACHE_DIR = folder or users
    try:
        dispatcher: Any = _jit(function, cache=folder is not None, no_cfunc_wrapper=True)
    finally:
        _config.CACHE_DIR = users
    if folder is not None and not _config.DISABLE_JIT:
        dispatcher.compile = _one_at_a_time(dispatcher.compile, Path(folder, function.__name__))
    return cast("Callable[_P, _R]", dispatcher)


@contextmanager
def announced(what: str, report: Callable[[str], None] | None = None) -> Iterator[None]:
    """Report in one line if anything of this package is compiled within the block.

    Parameters
    ----------
    what:
        What is compiled, for the line.
    report:
        Called with the line; by default it goes to standard error.
    """
    listener = _Listener(what, report or _on_stderr)
    with event.install_listener(_COMPILING, listener):
        yield


def _jit(function: Callable[_P, _R], **options: bool | str) -> Callable[_P, _R]:
    """Compile without counts of references, so that nothing compiled can make an array.

    Arguments outlive the call anyway. Counting them takes an atomic step for each array that a
    function is given or takes out of a tuple, which was most of the time of a small tick.
    """
    return cast("Callable[_P, _R]", _njit(nogil=True, _nrt=False, **options)(function))


def _one_at_a_time(compile_or_load: Callable[[Any], Any], place: Path) -> Callable[[Any], Any]:
    """Return Numba's method that compiles for a signature, or loads what is in the cache.

    One process does so at a time, by a lock whose path begins with `place`; other signatures do
    not wait. Where there is no lock to be had, each process compiles, which only takes longer.
    """

    def locked(signature: Any) -> Any:
        which = hashlib.sha256(str(signature).encode()).hexdigest()[:16]
        with ExitStack() as held:
            with suppress(filelock.Timeout, OSError, NotImplementedError):
                # A new one for each call, as processes fork.
                held.enter_context(filelock.FileLock(f"{place}-{which}.lock", _SECONDS))
            return compile_or_load(signature)

    return locked


@functools.cache
def _folder() -> str | None:
    """Return the folder for compiled code, below the user's own cache; None if there is none."""
    try:
        root = Path(_config.CACHE_DIR) if _config.CACHE_DIR else builds.build_root() / "numba"
        folder = root / _fingerprint()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, builds.BuildError):
        return None
    return str(folder)


def _fingerprint() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    files = [file for source in _SOURCES for file in (sorted(source.glob("*.py")) or [source])]
    for file in (*builds.gateware_sources(_SPECIFICATION), *files):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


class _Listener:
    """Reports the first function of this package that is compiled."""

    def __init__(self, what: str, report: Callable[[str], None]) -> None:
        self._line: str | None = (
            f"compiling {what} (once, takes a few seconds)"
            if _folder()
            else f"compiling {what}, which takes a few seconds each time, as no folder may be "
            "written to: set XDG_CACHE_HOME to one that may"
        )
        self._report = report

    def notify(self, happened: Any) -> None:
        """Handle an event of Numba: the beginning or the end of a compilation."""
        module = happened.data["dispatcher"].py_func.__module__
        if self._line is not None and module.partition(".")[0] == _PACKAGE:
            self._report(self._line)
            self._line = None


event.Listener.register(_Listener)  # which checks by it, and has no types to inherit from


def _on_stderr(line: str) -> None:
    print(f"spiketwin: {line}", file=sys.stderr, flush=True)
