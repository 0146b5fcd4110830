"""Options of commands whose work is spread: who does it, and where answers are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from spiketwin.host.cli import options
from spiketwin.host.threads import MOST_THREADS

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

scheduler: Final = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Scheduler of Dask, such as tcp://host:8786, whose workers do the work.",
)
store: Final = click.option(
    "--store",
    "store_file",
    type=options.OutputFile(),
    metavar="FILE",
    help="Keep what was done in this file of SQLite, and do nothing again that is in it.",
)


def workers(default: int | None, says: str) -> Callable[[Decorated], Decorated]:
    """Return the option for the number of processes, with a default and with words for it."""
    return click.option(
        "--workers",
        type=click.IntRange(1, MOST_THREADS),
        default=default,
        show_default=default is not None,
        help=says,
    )
