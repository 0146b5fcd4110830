"""What a command comes to: whether all is well, in a word and in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console

CHECK_FAILED: Final = 1
"""Exit status of a command whose check has failed."""


@dataclass(frozen=True)
class Outcome:
    """What a check comes to.

    Attributes
    ----------
    passed:
        Whether all is well.
    word:
        The outcome in a word or two, such as ``EQUAL``.
    sentences:
        The outcome at length.
    """

    passed: bool
    word: str
    sentences: tuple[str, ...] = ()

    def say(self, console: Console) -> None:
        """Print the word and the sentences, in a colour by which they stand out."""
        console.print(
            "  ".join(filter(None, (self.word, " ".join(self.sentences)))),
            style="bold green" if self.passed else "bold red",
            markup=False,
            soft_wrap=True,
        )


def end(outcomes: Iterable[Outcome]) -> None:
    """End the command with the status of a failed check, unless all outcomes have passed."""
    if not all(each.passed for each in outcomes):
        raise click.exceptions.Exit(CHECK_FAILED)
