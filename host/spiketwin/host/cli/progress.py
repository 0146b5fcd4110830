"""The progress display of commands that take long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Display:
    """A line at the bottom of a terminal with the current work, its amount and the time left.

    An instance is a `spiketwin.host.progress.Progress`, and its method `stage` is a `Stages`.
    Without a terminal only the stages are printed, as lines.

    Parameters
    ----------
    console:
        Console of the display; other output appears above the line.
    bar:
        Progress bar of rich that draws the line.
    """

    def __init__(self, console: Console, bar: Progress) -> None:
        self.console = console
        self._bar = bar
        self._line = bar.add_task("", total=None, visible=False)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show the name of the work, the amount done, and the total; None if it is not known."""
        self._bar.update(self._line, description=what, completed=done, visible=True)
        self._bar.tasks[0].total = total

    def stage(self, name: str) -> None:
        """Show the name of the work that begins now."""
        self(name, 0, None)
        if not self.console.is_terminal:
            self.console.print(name)


class _Done(MofNCompleteColumn):
    """The column with the amount done and the total, if the total is known."""

    def render(self, task: Task) -> Text:
        """Return the two numbers as text; empty if the total is not known."""
        return Text() if task.total is None else super().render(task)


@contextmanager
def shown(console: Console, unit: str = "") -> Iterator[Display]:
    """Yield the progress display, which disappears at the end of the block.

    Parameters
    ----------
    console:
        Console of the display; nothing is drawn if it is not a terminal.
    unit:
        Name of what is counted.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _Done(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield Display(console, bar)
