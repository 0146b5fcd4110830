"""Is a target good? Three checks, each a module: its link, its memories, and what it computes.

They use the host's API and the requests of the protocol alone, so that they work alike on a model,
on the simulated RTL or netlist and on a board. What the core held is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spiketwin.cosim.selftest import equivalence, line, memory
from spiketwin.host.core import Core

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
            "link": self.line.figures(),
            "memory": self.memory.figures(),
            "equivalence": self.equivalence.figures(),
            "latency": self.line.latency(),
        }


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
    SpiketwinError
        The target refused a request, or could not be talked to any more.
    """

    def part(name: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(name, done, total)

    return Report(
        line.check(core, transactions, seed, part("link"), part("rates")),
        memory.check(core, seed, part("memory")),
        equivalence.check(core, networks, ticks, seed, part("equivalence")),
    )
