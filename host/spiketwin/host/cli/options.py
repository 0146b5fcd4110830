"""What commands share: the target they work on, how far they are, and the figures they write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spiketwin.hdl.spec.params import PRESETS, CoreParams, described
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.link import DEFAULT_RETRIES
from spiketwin.host.replacing import replacing
from spiketwin.host.targets import DEFAULT_BAUD, SIMULATED

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


TARGETS: Final = (
    f"{', '.join(f'{name}:' for name in SIMULATED)}, a serial port, socket://host:port, or "
    "replay:FILE, a recorded session"
)
"""What ``--on`` takes."""


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
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = str(path.parent)
        if not path.name.lower().endswith(self.suffix):
            self.fail(f"{str(path)!r} must end with {self.suffix}, the only format there is")
        if not path.parent.is_dir():
            self.fail(f"there is no folder {folder!r}: make it first")
        if not os.access(path.parent, os.W_OK):
            self.fail(f"the folder {folder!r} may not be written to: choose another one")
        return path


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
            type=click.IntRange(min=1),
            default=DEFAULT_BAUD,
            show_default=True,
            help="Rate at which a serial port is opened.",
        ),
    ):
        command = option(command)
    return command


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


def check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Refuse a call that would write over a file that it reads, or writes as well."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        if path is not None:
            other = seen.setdefault(path.resolve(), name)
            if other != name:
                raise click.UsageError(f"{other} and {name} are the same file, {path}: give two")


def told_apart(urls: Sequence[str]) -> list[str]:
    """Names of targets: their addresses, told apart where the same one is given again."""
    return [
        url if url not in urls[:index] else f"{url} ({urls[:index].count(url) + 1})"
        for index, url in enumerate(urls)
    ]


json_file = click.option(
    "--json", "json_file", type=OutputFile(), metavar="FILE", help="Write the figures here."
)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write figures as JSON; `OSError` if that cannot be done."""
    with replacing(path) as file:
        file.write((json.dumps(figures, indent=2) + "\n").encode())


def progress_bar(console: Console, unit: str = "") -> Progress:
    """Make the bar of long work: what is done, how many of `unit`, and the time that is left.

    It is gone when the work is, and nothing is written where the console is no terminal.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def stages(console: Console) -> Iterator[Callable[[str], None]]:
    """Say what is being done: give what is called with the name of each stage as it begins.

    A terminal shows the one of now; elsewhere each becomes a line.
    """
    if console.is_terminal:
        with console.status("", spinner="dots") as status:
            yield status.update
    else:
        yield console.print
