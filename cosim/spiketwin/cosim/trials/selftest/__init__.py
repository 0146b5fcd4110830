"""Is a target good? Three checks, each a module: its link, its memories, and what it computes.

They use the host's API and the requests of the protocol alone, so that they work alike on a model,
on the simulated RTL or netlist and on a board. What the core held is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from spiketwin.cosim.trials.selftest import equivalence, line, memory
from spiketwin.host.core import Core
from spiketwin.host.errors import LinkError

Progress = Callable[[str, int, int], None]
"""Called with the name of a check, what is done of it, and how much there is."""


@dataclass(frozen=True)
class Report:
    """What the checks found."""

    line: line.LineReport
    memory: memory.MemoryReport
    equivalence: equivalence.EquivalenceReport

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return self.line.passed and self.memory.passed and self.equivalence.passed

    def figures(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "passed": self.passed,
            "ended": None,
            "link": self.line.figures(),
            "memory": self.memory.figures(),
            "equivalence": self.equivalence.figures(),
            "latency": self.line.latency(),
        }


@dataclass(frozen=True)
class Unfinished:
    """What the checks had found when the target could not be talked to any more.

    Attributes
    ----------
    line, memory:
        Of the checks that were over; None otherwise. The last check never was.
    ended:
        Which check ended, how far it was, and the trouble.
    """

    line: line.LineReport | None
    memory: memory.MemoryReport | None
    ended: str
    passed: Final = False

    def figures(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "passed": self.passed,
            "ended": self.ended,
            "link": self.line and self.line.figures(),
            "memory": self.memory and self.memory.figures(),
            "equivalence": None,
            "latency": self.line and self.line.latency(),
        }


class CutShort(LinkError):
    """The target could not be talked to any more; `found` is what had been found by then."""

    def __init__(self, found: Unfinished) -> None:
        super().__init__(found.ended)
        self.found = found


def check(
    core: Core,
    *,
    transactions: int,
    networks: int,
    ticks: int,
    seed: int,
    progress: Progress,
) -> Report:
    """Check a core that has just been connected.

    Parameters
    ----------
    core:
        The core; it is left empty.
    transactions:
        Blocks written and read back over the link.
    networks, ticks:
        Random networks compared with the model, and the length of the run of each.
    seed:
        Of everything random: equal seeds repeat a check exactly.
    progress:
        Called as the checks go on; with "rates" only where there is a line.

    Raises
    ------
    CutShort
        The target refused a request, or could not be talked to any more.
    """
    reached = "link"
    of_line, of_memory = None, None

    def part(name: str) -> Callable[[int, int], None]:
        def told(done: int, total: int) -> None:
            nonlocal reached
            reached = f"{name}, {done:,} of {total:,} done"
            progress(name, done, total)

        return told

    try:
        of_line = line.check(core, transactions, seed, part("link"), part("rates"))
        of_memory = memory.check(core, seed, part("memory"))
        of_all = equivalence.check(core, networks, ticks, seed, part("equivalence"))
    except LinkError as error:
        raise CutShort(Unfinished(of_line, of_memory, f"{reached}: {error}")) from error
    return Report(of_line, of_memory, of_all)
