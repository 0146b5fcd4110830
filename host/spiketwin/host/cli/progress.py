"""How far a command is: one display for all that takes long."""

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
    """A line at the foot of a terminal: what is being done, how much of it, and the time left.

    It is a `spiketwin.host.progress.Progress`, and its method `stage` are `Stages`. Without a
    terminal stages are lines of output, and nothing else is written.

    Parameters
    ----------
    console:
        Where it is shown; output goes there too, above the line.
    bar:
        The line, and how it is drawn.
    """

    def __init__(self, console: Console, bar: Progress) -> None:
        self.console = console
        self._bar = bar
        self._line = bar.add_task("", total=None, visible=False)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show what is being done, and how much of it; a total of None is not known."""
        self._bar.update(self._line, description=what, completed=done, visible=True)
        self._bar.tasks[0].total = total

    def stage(self, name: str) -> None:
        """Show what is being done from now on."""
        self(name, 0, None)
        if not self.console.is_terminal:
            self.console.print(name)


class _Done(MofNCompleteColumn):
    """How many are done of how many, where that is known."""

    def render(self, task: Task) -> Text:
        """Draw the two numbers, or nothing."""
        return Text() if task.total is None else super().render(task)


@contextmanager
def shown(console: Console, unit: str = "") -> Iterator[Display]:
    """Give the display of long work, which is gone when the work is.

    Parameters
    ----------
    console:
        Where it is shown, if that is a terminal.
    unit:
        What is counted.
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
