"""The self-test of a target in three checks, each a module: link, memories, computation.

They use only the host's API and the requests of the protocol, so that they work alike on a model,
on the simulated RTL or netlist and on a board. The contents of the core are lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spiketwin.cosim.trials.selftest import equivalence, line, memory
from spiketwin.hdl.spec.results import Result
from spiketwin.host.core import Core
from spiketwin.host.errors import LinkError
from spiketwin.host.progress import Progress, Steps

_KEYS: Final = ("passed", "ended", "link", "memory", "equivalence", "latency")


@dataclass(frozen=True)
class Report(Result):
    """The results of all checks.

    Attributes
    ----------
    link:
        Result of the check of the link.
    memory:
        Result of the check of memories.
    equivalence:
        Result of the comparison with the model.
    """

    json_keys = _KEYS

    link: line.LineReport
    memory: memory.MemoryReport
    equivalence: equivalence.EquivalenceReport

    @property
    def ended(self) -> None:
        """Reason for an early end of the self-test, in which case further checks are null."""
        return

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return self.link.passed and self.memory.passed and self.equivalence.passed

    @property
    def latency(self) -> line.RoundTrips:
        """How long a round trip over the link takes."""
        return self.link.round_trips


@dataclass(frozen=True)
class Unfinished(Result):
    """The results of the checks until the connection to the target was lost.

    Attributes
    ----------
    link, memory:
        Results of the completed checks; null for the others. The last check is never completed.
    ended:
        Name of the check that ended early, its progress, and the reason.
    """

    json_keys = _KEYS

    link: line.LineReport | None
    memory: memory.MemoryReport | None
    ended: str

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong: never so, as not everything was checked."""
        return False

    @property
    def equivalence(self) -> None:
        """Result of the comparison with the model: always null here."""
        return

    @property
    def latency(self) -> line.RoundTrips | None:
        """How long a round trip over the link takes; null if that was not measured."""
        return None if self.link is None else self.link.round_trips


class CutShort(LinkError):
    """The connection to the target was lost; `found` holds the results up to then."""

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
        Seed of everything random: equal seeds repeat a check exactly.
    progress:
        Called with the name of a check, the steps done and the steps in all; with the name "rates"
        only if there is a line.

    Raises
    ------
    CutShort
        The target refused a request, or the connection to it was lost.
    """
    reached = "link"
    of_link, of_memory = None, None

    def part(name: str) -> Steps:
        def report(done: int, total: int) -> None:
            nonlocal reached
            reached = f"{name}, {done:,} of {total:,} done"
            progress(name, done, total)

        return report

    try:
        of_link = line.check(core, transactions, seed, part("link"), part("rates"))
        of_memory = memory.check(core, seed, part("memory"))
        of_all = equivalence.check(core, networks, ticks, seed, part("equivalence"))
    except LinkError as error:
        raise CutShort(Unfinished(of_link, of_memory, f"{reached}: {error}")) from error
    return Report(of_link, of_memory, of_all)
