"""The report of a door: what became of a network of another framework that came in through it."""

from __future__ import annotations

from typing import Any

from spiketwin.hdl.spec.results import Result
from spiketwin.host.files import Stimulus


class DoorReport(Result):
    """The base of the reports of doors, whose text is printed and put on a page."""

    @property
    def stimulus(self) -> Stimulus | None:
        """The input spikes that the file has, which are saved with the network; None without."""
        return None

    @property
    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows of the tables of a page by their titles; the first row of each is its head."""
        return {}
