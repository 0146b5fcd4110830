"""What several commands share: the target they work on, and the figures they write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from spiketwin.host.targets import DEFAULT_BAUD

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class OutputFile(click.Path):
    """A file to be written at the end, whose folder is looked at before anything begins."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path; fails where no file can be made."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not os.access(path.parent, os.W_OK):
            self.fail(f"there is no folder {str(path.parent)!r} to write in: make it first")
        return path


def on_target(command: _Decorated) -> _Decorated:
    """Add ``--on``, ``--params`` and ``--baud``, the arguments of `spiketwin.host.connect`."""
    for option in (
        click.option(
            "--baud",
            type=click.IntRange(min=1),
            default=DEFAULT_BAUD,
            show_default=True,
            help="Rate at which a serial port is opened.",
        ),
        click.option(
            "--params",
            metavar="SIZES",
            help="Sizes of a simulated target: a reference size (tiny, ncx, digits, up5k, full), "
            "and fields that differ from it: full,lanes=4. A device must have these sizes.",
        ),
        click.option(
            "--on",
            "url",
            required=True,
            metavar="URL",
            help="Target: model:, rtl:, rtl+pty:, a serial port, socket://host:port.",
        ),
    ):
        command = option(command)
    return command


json_file = click.option(
    "--json", "json_file", type=OutputFile(), metavar="FILE", help="Write the figures here."
)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write figures as JSON."""
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
