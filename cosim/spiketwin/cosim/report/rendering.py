"""Pages as self-contained HTML files: they need no network, no script and no mouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from spiketwin.cosim.report import summary
from spiketwin.cosim.report.figure import TableCell
from spiketwin.host.paths import readable
from spiketwin.host.replacing import replacing

MODULES: Final = ("jinja2", "PIL")
"""Packages of the extra ``demo`` that a page needs."""


@dataclass(frozen=True)
class Head:
    """The head of a page.

    Attributes
    ----------
    title:
        Name of what it is about.
    command:
        The call that makes the page again.
    """

    title: str
    command: str


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page.

    Parameters
    ----------
    path:
        The file, which appears whole or not at all.
    template:
        Name of the template.
    **values:
        What it is filled with.

    Raises
    ------
    ImportError
        Without the packages of the extra ``demo``.
    OSError
        The file cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("spiketwin.cosim.report"),
        autoescape=True,  # names of files and targets may contain anything
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["shown"] = shown
    text = pages.get_template(template).render(
        **values, made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", version=version("spiketwin")
    )
    with replacing(path) as file:
        file.write(readable(text).encode())


def shown(value: TableCell) -> str:
    """Return a number as text for readers."""
    if value is None:
        return summary.NOTHING
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value
