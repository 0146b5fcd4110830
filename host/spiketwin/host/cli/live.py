"""The option ``--live``: a view of the work, drawn on the terminal while it goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click
from rich.console import Console
from rich.live import Live

from spiketwin.host.cli import options
from spiketwin.host.cli.view import View

_FRAMES_PER_SECOND: Final = 10
_LINES_LEFT_BEHIND: Final = 20
"""Most lines of the last picture, which stays on the terminal at the end."""

option = click.option(
    "--live",
    "is_live",
    is_flag=True,
    help="Show raster, rates and link while it runs, on a terminal at standard error.",
)


def terminal() -> Console | None:
    """Return the terminal at standard error to draw on; None, with a message, if there is none.

    Standard error is used so that standard output can be piped. The message is also printed, and
    None returned, if the terminal cannot show the view.
    """
    console = options.console(stderr=True)
    # Environment variables may make rich treat a file as a terminal, so isatty is checked as well.
    if not (sys.stderr.isatty() and console.is_terminal):
        reason = "standard error is no terminal"
    elif console.is_dumb_terminal:
        reason = "the terminal says that it is dumb (TERM)"
    elif not console.encoding.startswith("utf"):
        reason = f"the terminal writes {console.encoding}: choose a locale with UTF-8 (LANG)"
    else:
        return console
    click.echo(f"spiketwin: no live view, {reason}", err=True)
    return None


@contextmanager
def drawn(view: View, console: Console) -> Iterator[None]:
    """Draw a view on the whole terminal during the block, and leave its last picture at the end."""
    live = Live(
        view,
        console=console,
        screen=True,
        refresh_per_second=_FRAMES_PER_SECOND,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    try:
        live.start(refresh=True)
        yield
    finally:
        live.stop()
        console.print(view, height=min(console.height, _LINES_LEFT_BEHIND))
