"""What commands share: the target they work on, how far they are, and the figures they write."""

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
"""What ``--on`` takes."""

_STREAMS: Final = ("input", "output", "error")
"""Standard streams, by their number."""


def read_by(read: Callable[[str], _Made]) -> Callable[[str], _Made]:
    """Make the type of an option whose text `read` reads: what that raises is the option's fault.

    Parameters
    ----------
    read:
        Gives the value that a text means, or raises a `SpiketwinError`.
    """

    @wraps(read)
    def convert(text: str) -> _Made:
        try:
            return read(text)
        except SpiketwinError as error:
            raise click.BadParameter(str(error)) from error

    return convert


SIZES: Final = read_by(preset)
"""Sizes of a core: a reference size, and fields that differ from it."""


@contextmanager
def blamed_on(faults: Mapping[type[SpiketwinError], str]) -> Iterator[None]:
    """Say of an error which option is at fault, where that is found out only as the work begins.

    Parameters
    ----------
    faults:
        Names of options, by the error that each of them causes.
    """
    try:
        yield
    except tuple(faults) as error:
        option = next(faults[kind] for kind in faults if isinstance(error, kind))
        raise click.BadParameter(str(error), param_hint=f"'{option}'") from error


class Place(click.Path):
    """A path, whatever is there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path; fails where the system can have none such."""
        return _converted(self, super().convert, value, param, ctx)


class InputFile(click.Path):
    """A file to be read, which must be there."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path; fails where no such file can be read."""
        return _converted(self, super().convert, value, param, ctx)


class OutputFile(click.Path):
    """A file to be written at the end, whose name and folder are looked at before anything begins.

    Parameters
    ----------
    suffix:
        What its name must end with, in upper or lower case; anything if not given.
    """

    def __init__(self, suffix: str = "") -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self.suffix = suffix

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path; fails where no such file can be made."""
        if value == "-":
            self.fail("'-' is no file: give it a name, or write /dev/stdout")
        path = _converted(self, super().convert, value, param, ctx)
        if not path.name.lower().endswith(self.suffix):
            self.fail(f"{str(path)!r} must end with {self.suffix}, the only format there is")
        if not _is_stream(self, path):
            # Where a symbolic link leads is where it is written.
            _check_folder(self, Path(os.path.realpath(path)).parent)
        return path


class OutputFolder(click.Path):
    """A folder that files are put into at the end, which is made if it is not there."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path; fails where no such folder is or can be made."""
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
    """Convert a value to a path, which must be one that the system can look for."""
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
    """Whether a path is of no regular file, so that its folder does not matter; fails if closed."""
    number = stream_number(path)
    if number is not None:
        try:
            os.fstat(number)
        except OSError:
            kind.fail(f"{str(path)!r}: this program was given no such stream")
        return True
    return path.exists() and not path.is_file()


def _check_folder(kind: click.Path, folder: Path) -> None:
    """Fail where no file can be made in a folder."""
    if not folder.is_dir():
        kind.fail(f"there is no folder {readable(folder)!r}: make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        kind.fail(f"the folder {readable(folder)!r} may not be written to: choose another one")


class Outputs:
    """The files that a command writes, each of them whatever becomes of the others.

    They come before anything is printed: that, too, may fail.
    """

    def __init__(self) -> None:
        self._failures: list[OSError] = []

    def write(self, path: Path | None, write: Callable[[IO[bytes]], object]) -> None:
        """Have a file written, if it is wanted."""
        if path is not None:
            self.attempt(lambda: _write(path, write))

    def attempt(self, make: Callable[[], _Made]) -> _Made | None:
        """Call what writes a file, and give its result; None where it cannot be written."""
        try:
            return make()
        except OSError as error:
            self._failures.append(error)
            return None

    def json(self, path: Path | None, result: Result) -> None:
        """Write a result as JSON, if that is wanted."""
        self.write(path, lambda file: file.write(as_json(result)))

    def check(self) -> None:
        """Raise the first `OSError` of all, when what there was to say has been said."""
        for failure in self._failures[1:]:
            click.echo(f"Error: {failure.filename}: {failure.strerror}", err=True)
        if self._failures:
            raise self._failures[0]


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    with replacing(path) as file:
        write(file)


def line(command: _Decorated) -> _Decorated:
    """Add ``--baud`` and ``--retries``, how a target that is not in this process is talked to."""
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
    """Give the rate of each target's line: `baud` where it has one.

    Raises `InvalidInput` where a rate is given and none of them has a line.
    """
    found = [baud if takes_baud(url) else None for url in urls]
    if baud is not None and not any(found):
        raise InvalidInput(no_line(urls[0], baud))
    return found


def sizes(default_sizes: str) -> Callable[[_Decorated], _Decorated]:
    """Add ``--params``; the parameter is that of `on_target`."""
    return click.option(
        "--params",
        metavar="SIZES",
        help=f"Sizes of a simulated target: a reference size ({', '.join(PRESETS)}), and "
        f"fields that differ from it: full,lanes=4. {default_sizes} A device must have "
        "these sizes.",
    )


@contextmanager
def needing(params: CoreParams) -> Iterator[None]:
    """Say, where a core turns out too small, which sizes to ask for on the command line."""
    try:
        yield
    except DoesNotFit as error:
        raise DoesNotFit(
            f"{error}. A simulated core holds it with --params {described(params)}"
        ) from error


def on_target(default_sizes: str) -> Callable[[_Decorated], _Decorated]:
    """Add ``--on``, ``--params``, ``--baud``, ``--retries`` and ``--record``, as of `connect`.

    Parameters
    ----------
    default_sizes:
        Sentence of the help on the sizes that a simulated target has without ``--params``.
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
    """Refuse a call that would write over a file that it reads, or writes as well.

    Parameters
    ----------
    writes, reads:
        Files by the names of their options.
    urls:
        Addresses of targets. Those of recordings and of ports are files as well.
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
    """Return names of targets: their addresses, with a number where one is given again."""
    return [
        url if url not in urls[:index] else f"{url} ({urls[:index].count(url) + 1})"
        for index, url in enumerate(urls)
    ]


json_file = click.option(
    "--json", "json_file", type=OutputFile(), metavar="FILE", help="Write the figures here."
)


def as_json(result: Result) -> bytes:
    """Return a result as the text of a JSON file, in which names that are no UTF-8 are readable."""
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
    """Give what a command prints with: names of files and targets are no markup, and no emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)
