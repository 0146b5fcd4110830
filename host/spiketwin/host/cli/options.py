"""Options that commands share, and the files and consoles they write to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click
from rich.console import Console

from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described, preset
from spiketwin.hdl.spec.protocol import DEFAULT_BAUD
from spiketwin.hdl.spec.results import Result
from spiketwin.host.errors import DoesNotFit, InvalidInput
from spiketwin.host.link import DEFAULT_RETRIES
from spiketwin.host.paths import is_behind, path_of, readable, same_file, stream_number
from spiketwin.host.registered import registered_kinds
from spiketwin.host.replacing import replacing
from spiketwin.host.targets import (
    MAX_BAUD,
    MIN_BAUD,
    file_of,
    no_line,
    takes_baud,
)

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_Made = TypeVar("_Made")


TARGETS: Final = (
    f"{', '.join(f'{scheme}:' for scheme in registered_kinds())}, a serial port, "
    "socket://host:port, or replay:FILE, a recorded session"
)
"""List of the targets that ``--on`` takes, as text for the help."""

_STREAMS: Final = ("input", "output", "error")
"""Names of the standard streams, by their descriptors."""


def read_by(read: Callable[[str], _Made]) -> Callable[[str], _Made]:
    """Return the type of an option whose text is parsed by `read`; its errors name the option.

    Parameters
    ----------
    read:
        Function that returns the value that a text means, or raises a `SpiketwinError`.
    """

    @wraps(read)
    def convert(text: str) -> _Made:
        try:
            return read(text)
        except SpiketwinError as error:
            raise click.BadParameter(str(error)) from error

    return convert


SIZES: Final = read_by(preset)
"""Option type for the sizes of a core: a reference size, and fields that differ from it."""


@contextmanager
def blamed_on(faults: Mapping[type[SpiketwinError], str]) -> Iterator[None]:
    """Turn errors of the block into errors that name the option at fault.

    It serves for faults that are found only when the work begins.

    Parameters
    ----------
    faults:
        Names of options, by the class of the error that each causes.
    """
    try:
        yield
    except tuple(faults) as error:
        option = next(faults[kind] for kind in faults if isinstance(error, kind))
        raise click.BadParameter(str(error), param_hint=f"'{option}'") from error


class Place(click.Path):
    """Option type of a path, which need not exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail if the system cannot have such a path."""
        return _converted(self, super().convert, value, param, ctx)


class InputFile(click.Path):
    """Option type of a file to be read, which must exist."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail if no such file can be read."""
        return _converted(self, super().convert, value, param, ctx)


class OutputFile(click.Path):
    """Option type of a file to be written at the end; its name and folder are checked at the start.

    Parameters
    ----------
    suffix:
        End that the name must have, in upper or lower case; empty if any will do.
    """

    def __init__(self, suffix: str = "") -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self.suffix = suffix

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail if no such file can be made."""
        if value == "-":
            self.fail("'-' is no file: give it a name, or write /dev/stdout")
        path = _converted(self, super().convert, value, param, ctx)
        if not path.name.lower().endswith(self.suffix):
            self.fail(f"{str(path)!r} must end with {self.suffix}, the only format there is")
        if not _is_stream(self, path):
            # The file is written where a symbolic link leads.
            _check_folder(self, Path(os.path.realpath(path)).parent)
        return path


class OutputFolder(click.Path):
    """Option type of a folder for files written at the end, which is made if it does not exist."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path; fail if there is no such folder and none can be made."""
        path = _converted(self, super().convert, value, param, ctx)
        there = Path(os.path.realpath(path))
        while not os.path.lexists(there):
            there = there.parent
        _check_folder(self, there)
        return path


def _converted(
    kind: click.Path,
    convert: Callable[[Any, click.Parameter | None, click.Context | None], Any],
    value: Any,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Path:
    """Return a value converted to a path; fail if the system cannot look it up."""
    try:
        path = path_of(os.fsdecode(value), "the path")
    except InvalidInput as error:
        kind.fail(str(error))
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        kind.fail(f"{readable(path)!r}: {error.strerror}")
    return Path(os.fsdecode(convert(value, param, ctx)))


def _is_stream(kind: click.Path, path: Path) -> bool:
    """Return whether a path names a stream or another file that is not regular.

    Fails if the path names a descriptor that is not open.
    """
    number = stream_number(path)
    if number is not None:
        try:
            os.fstat(number)
        except OSError:
            kind.fail(f"{str(path)!r}: this program was given no such stream")
        return True
    return path.exists() and not path.is_file()


def _check_folder(kind: click.Path, folder: Path) -> None:
    """Fail if no file can be made in a folder."""
    if not folder.is_dir():
        kind.fail(f"there is no folder {readable(folder)!r}: make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        kind.fail(f"the folder {readable(folder)!r} may not be written to: choose another one")


class Outputs:
    """The files that a command writes; each is written even if another one fails.

    They are written before anything is printed, because printing may fail as well.
    """

    def __init__(self) -> None:
        self._failures: list[OSError] = []

    def write(self, path: Path | None, write: Callable[[IO[bytes]], object]) -> None:
        """Write a file by the function `write`, unless `path` is None."""
        if path is not None:
            self.attempt(lambda: _write(path, write))

    def attempt(self, make: Callable[[], _Made]) -> _Made | None:
        """Return the result of `make`, which writes a file; None if it raises `OSError`."""
        try:
            return make()
        except OSError as error:
            self._failures.append(error)
            return None

    def json(self, path: Path | None, result: Result) -> None:
        """Write a result as JSON, unless `path` is None."""
        self.write(path, lambda file: file.write(as_json(result)))

    def check(self) -> None:
        """Raise the first `OSError` of all writes, after printing the others."""
        for failure in self._failures[1:]:
            click.echo(f"Error: {failure.filename}: {failure.strerror}", err=True)
        if self._failures:
            raise self._failures[0]


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    with replacing(path) as file:
        write(file)


def line(command: _Decorated) -> _Decorated:
    """Add the options ``--baud`` and ``--retries`` of the link to a command."""
    for option in (
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            default=DEFAULT_RETRIES,
            show_default=True,
            help="Times that a device is asked again before it counts as silent; more for an "
            "emulator on a computer that is very busy.",
        ),
        click.option(
            "--baud",
            type=click.IntRange(MIN_BAUD, MAX_BAUD),
            help="Rate of the line: a port is opened at it, and a simulated line is taken to it. "
            f"Default: {DEFAULT_BAUD} at a port, 4 cycles a bit in a simulation.",
        ),
    ):
        command = option(command)
    return command


def rates(urls: Sequence[str], baud: int | None) -> list[int | None]:
    """Return the rate of each target: `baud` if the target has a line, else None.

    Raises `InvalidInput` if a rate is given and no target has a line.
    """
    found = [baud if takes_baud(url) else None for url in urls]
    if baud is not None and not any(found):
        raise InvalidInput(no_line(urls[0], baud))
    return found


def sizes(default_sizes: str) -> Callable[[_Decorated], _Decorated]:
    """Return a decorator that adds ``--params``; the parameter is as in `on_target`."""
    return click.option(
        "--params",
        metavar="SIZES",
        help=f"Sizes of a simulated target: a reference size ({', '.join(PRESETS)}), and "
        f"fields that differ from it: full,lanes=4. {default_sizes} A device must have "
        "these sizes.",
    )


@contextmanager
def needing(params: CoreParams) -> Iterator[None]:
    """Add to a `DoesNotFit` of the block which sizes to give on the command line."""
    try:
        yield
    except DoesNotFit as error:
        raise DoesNotFit(
            f"{error}. A simulated core holds it with --params {described(params)}"
        ) from error


def on_target(default_sizes: str) -> Callable[[_Decorated], _Decorated]:
    """Return a decorator that adds the options of `connect`.

    They are ``--on``, ``--params``, ``--baud``, ``--retries`` and ``--record``.

    Parameters
    ----------
    default_sizes:
        Sentence for the help that names the sizes of a simulated target without ``--params``.
    """

    def add(command: _Decorated) -> _Decorated:
        for option in (
            click.option(
                "--record",
                type=OutputFile(),
                metavar="FILE",
                help="Write down what passes between host and device; --on replay:FILE repeats it.",
            ),
            line,
            sizes(default_sizes),
            click.option(
                "--on",
                "url",
                required=True,
                metavar="URL",
                help=f"Target: {TARGETS}.",
            ),
        ):
            command = option(command)
        return command

    return add


def check_distinct(
    writes: Mapping[str, Path | None],
    reads: Mapping[str, Path | None] | None = None,
    urls: Sequence[str] = (),
) -> None:
    """Raise `click.UsageError` if a call would overwrite a file that it also reads or writes.

    Parameters
    ----------
    writes, reads:
        Files by the names of their options.
    urls:
        Addresses of targets; recordings and ports among them count as files that are read.
    """
    seen = [(name, path) for name, path in (reads or {}).items() if path is not None]
    for url in urls:
        path = file_of(url)
        if path is not None:
            seen.append((f"--on {url}", path))
    for name, path in writes.items():
        if path is None:
            continue
        for other, there in seen:
            if same_file(path, there) and str(path) != os.devnull:
                raise click.UsageError(
                    f"{other} and {name} are the same file, {readable(path)}: give two"
                )
        for number, stream in enumerate(_STREAMS):
            if stream_number(path) is None and is_behind(path, number):
                raise click.UsageError(
                    f"{name} is the file of standard {stream}, {readable(path)}: give another one"
                )
        seen.append((name, path))


def told_apart(urls: Sequence[str]) -> list[str]:
    """Return distinct names of targets: their addresses, with a number if one is repeated."""
    return [
        url if url not in urls[:index] else f"{url} ({urls[:index].count(url) + 1})"
        for index, url in enumerate(urls)
    ]


json_file = click.option(
    "--json", "json_file", type=OutputFile(), metavar="FILE", help="Write the figures here."
)


def as_json(result: Result) -> bytes:
    """Return a result as the text of a JSON file; names that are not UTF-8 are escaped."""
    return (json.dumps(_readable(result.as_json()), indent=2) + "\n").encode()


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {readable(name): _readable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    return value


def console(*, stderr: bool = False) -> Console:
    """Return the console of a command; it takes no text for markup or emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)
