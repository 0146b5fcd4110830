"""The outcome of a check: whether it passed, in a word and in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console

CHECK_FAILED: Final = 1
"""Exit status of a command whose check has failed."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check.

    Attributes
    ----------
    passed:
        Whether the check passed.
    word:
        The outcome in a word or two, such as ``EQUAL``.
    sentences:
        The outcome at length.
    """

    passed: bool
    word: str
    sentences: tuple[str, ...] = ()

    def say(self, console: Console) -> None:
        """Print the word and the sentences, in green if the check passed and in red if not."""
        console.print(
            "  ".join(filter(None, (self.word, " ".join(self.sentences)))),
            style="bold green" if self.passed else "bold red",
            markup=False,
            soft_wrap=True,
        )


def end(passed: bool) -> None:
    """End the command with the status of a failed check, unless its check has passed."""
    if not passed:
        raise click.exceptions.Exit(CHECK_FAILED)
