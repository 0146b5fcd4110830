"""``--live``: where a view of the work is drawn while it goes on, and where it cannot be."""

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
"""Most lines of the last picture, which stays on the terminal."""

option = click.option(
    "--live",
    "is_live",
    is_flag=True,
    help="Show raster, rates and link while it runs, on a terminal at standard error.",
)


def terminal() -> Console | None:
    """Give the terminal to draw on, which is where standard error goes, for the sake of pipes.

    Where there is none, or it cannot show the view, say so there and give nothing.
    """
    console = options.console(stderr=True)
    # Environments may say to rich that a file is a terminal, for colours; pictures never go there.
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
    """Draw a view over the whole terminal meanwhile, and leave its last picture behind."""
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
