"""The result of ``spiketwin inspect``: a saved network, and the cores that hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from rich.markup import escape
from rich.table import Table

from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import PRESETS, CoreParams, described
from spiketwin.hdl.spec.results import Result
from spiketwin.host import files
from spiketwin.host.errors import DoesNotFit
from spiketwin.host.layout import layout
from spiketwin.host.network import Network


@dataclass(frozen=True)
class Placed(Result):
    """The room that a projection takes in the smallest core.

    Attributes
    ----------
    name, source, target:
        Names of the projection and of its populations.
    kind, delay:
        Its kind, ``dense``, ``sparse`` or ``constant``, and its delay in ticks.
    synapses, plastic:
        Number of its synapses with a weight other than 0, and of those that learn.
    entries, words, rows:
        Entries of the table, words of each weight bank, and sparse rows that it takes.
    share:
        The part of the memory of weights that it takes.
    """

    name: str
    source: str
    target: str
    kind: str
    delay: int
    synapses: int
    plastic: int
    entries: int
    words: int
    rows: int
    share: float


@dataclass(frozen=True)
class Placing(Result):
    """The layout of a network of populations in the smallest core.

    Attributes
    ----------
    projections:
        What each projection takes.
    free_entries, free_words, free_rows:
        Entries of the table, words of each weight bank, and sparse rows that are left over.
    relays, unused_relays:
        Relays that the delays take, one for each source and delay, and those that are left over.
    unused_axons, unused_neurons:
        Axons and neurons of the core that the network does not have, as populations are filled up
        to whole groups of `lanes`.
    """

    projections: list[Placed]
    free_entries: int
    free_words: int
    free_rows: int
    relays: int
    unused_relays: int
    unused_axons: int
    unused_neurons: int

    @classmethod
    def of(cls, net: Network, params: CoreParams) -> Self:
        """Return where a network of populations lies in a core with a table."""
        place = layout(net, params)
        placed = []
        for number, each in enumerate(net.projections):
            taken = place.ranges(number)
            words = sum(count for _, count in taken) // params.lanes
            placed.append(
                Placed(
                    each.name, each.source.name, each.target.name, each.kind.name.lower(),
                    each.delay, int(np.count_nonzero(each.weights)),
                    int(np.count_nonzero(each.plastic)),
                    place.entries(number), words, place.sparse_rows(number),
                    words / params.weight_depth,
                )
            )  # fmt: skip
        return cls(
            placed,
            params.n_projections - len(place.blocks),
            params.weight_depth - sum(each.words for each in placed),
            params.sparse_rows - sum(each.rows for each in placed),
            len(place.relay_numbers),
            params.n_relays - len(place.relay_numbers),
            params.n_axons - net.n_axons,
            params.n_neurons - net.n_neurons,
        )


@dataclass(frozen=True)
class BoardRoom(Result):
    """The memory that the weights of the smallest core take of the FPGA of a board, estimated.

    It is computed from the sizes of the core and the memories of the FPGA; nothing is built.

    Attributes
    ----------
    board:
        Name of the board.
    memory:
        Memory in which the weights would be: ``block RAM`` or ``single-port RAM``.
    blocks, available:
        Blocks of it that the weights alone take, and that the FPGA has.
    weights_fit:
        Whether it has as many. State and queues take further blocks.
    free_words:
        Words that each weight bank could have more; 0 if the weights do not fit.
    """

    board: str
    memory: str
    blocks: int
    available: int
    weights_fit: bool
    free_words: int


@dataclass(frozen=True)
class Inspection(Result):
    """The contents of a network file, and the sizes and cycles of cores for it.

    Attributes
    ----------
    n_axons, n_neurons:
        Sizes of the network.
    synapses, plastic:
        Number of synapses with a weight other than 0, and of synapses that learn.
    least_weight, most_weight:
        Least and greatest weight.
    tag:
        Number that the network carries.
    ticks, events, bias_events:
        Length of the stimulus and numbers of its axon and bias events; null if the file has no
        stimulus.
    start:
        Names of the state that the network begins with, where it is not 0.
    params:
        The smallest core that holds the network and its sums, and plays its stimulus, as
        ``--params`` takes it.
    fits:
        Reference sizes that hold the network.
    silent_cycles, most_cycles:
        Cycles of a tick on the smallest core, if no source is active, and at most; with
        populations the latter is a bound that no tick may reach.
    layout:
        Where the network lies in that core; null of an all-to-all network.
    boards:
        What the weights of that core take of each board, estimated; empty without the extra that
        knows boards.
    """

    n_axons: int
    n_neurons: int
    synapses: int
    plastic: int
    least_weight: int
    most_weight: int
    tag: int
    ticks: int | None
    events: int | None
    bias_events: int | None
    start: list[str]
    params: str
    fits: list[str]
    silent_cycles: int
    most_cycles: int
    layout: Placing | None
    boards: list[BoardRoom]

    @classmethod
    def of(
        cls, net: Network, stimulus: files.Stimulus | None,
        rooms: Callable[[CoreParams], list[BoardRoom]],
    ) -> Self:  # fmt: skip
        """Return the inspection of a network and its stimulus, with the room for a core."""
        biases = 0 if stimulus is None else len(stimulus.biases)
        params, weights = net.core_params(bias_events=biases > 0), net.values("weights")
        return cls(
            n_axons=net.n_axons,
            n_neurons=net.n_neurons,
            synapses=net.n_weights,
            plastic=net.n_plastic,
            least_weight=min((int(each.min()) for each in weights), default=0),
            most_weight=max((int(each.max()) for each in weights), default=0),
            tag=net.tag,
            ticks=None if stimulus is None else stimulus.ticks,
            events=None if stimulus is None else len(stimulus.spikes),
            bias_events=None if stimulus is None else biases,
            start=[*net.start],
            params=described(params),
            fits=[name for name, sizes in PRESETS.items() if _fits(net, sizes)],
            silent_cycles=schedule.tick_cycles(params, 0, 0, learns=False),
            most_cycles=schedule.most_cycles(params),
            layout=None if net.all_to_all else Placing.of(net, params),
            boards=rooms(params),
        )


def tables(found: Inspection, title: str) -> Iterator[Table]:
    """Return what was found as tables; the first has this title."""
    table = Table("", "", title=title, show_header=False)
    for name, text in _rows(found):
        table.add_row(name, text)
    yield table
    if found.layout is not None:
        yield _placing(found.layout)
    if found.boards:
        yield _rooms(found.boards)


def _fits(net: Network, params: CoreParams) -> bool:
    try:
        net.check_fits(params)
    except DoesNotFit:
        return False
    return True


def _placing(found: Placing) -> Table:
    """Return what the projections take of the smallest core as a table."""
    # Few networks have sparse rows, and a terminal is narrow.
    rows = ("rows",) if any(each.rows for each in found.projections) else ()
    columns = ("projection", "kind", "delay", "synapses", "plastic", "entries", "words", *rows)
    table = Table(*columns, "share", title="in the smallest core")
    for each in found.projections:
        counts = [each.synapses, each.plastic, each.entries, each.words, *[each.rows][: len(rows)]]
        name, share = escape(each.name), f"{each.share:.0%}"
        table.add_row(name, each.kind, str(each.delay), *(f"{n:,}" for n in counts), share)
    free = [found.free_entries, found.free_words, *[found.free_rows][: len(rows)]]
    table.add_row("free", "", "", "", "", *(f"{n:,}" for n in free), "")
    table.caption = (
        f"{found.unused_axons:,} axons and {found.unused_neurons:,} neurons fill groups up"
    )
    if found.relays:
        table.caption += f"; {found.relays:,} relays delay, {found.unused_relays:,} are free"
    return table


def _rooms(found: list[BoardRoom]) -> Table:
    """Return what the weights take of the memories of each board as a table."""
    columns = ("board", "memory", "blocks", "of", "weights fit", "free words")
    table = Table(*columns, title="weights of that core on the boards (estimated)")
    for each in found:
        fits = "yes" if each.weights_fit else "no"
        counts = (f"{each.blocks:,}", f"{each.available:,}", fits, f"{each.free_words:,}")
        table.add_row(each.board, each.memory, *counts)
    table.caption = "state and queues take further blocks, and a core also needs logic"
    return table


def _rows(found: Inspection) -> Iterator[tuple[str, str]]:
    yield "network", f"{found.n_axons:,} axons, {found.n_neurons:,} neurons"
    yield "synapses", f"{found.synapses:,}, weights {found.least_weight}…{found.most_weight}"
    yield "plastic", f"{found.plastic:,}" if found.plastic else "none"
    yield "tag", str(found.tag)
    played = found.ticks is not None
    biases = f" and {found.bias_events:,} bias events" if found.bias_events else ""
    yield (
        "stimulus",
        f"{found.events:,} axon events{biases} in {found.ticks:,} ticks" if played else "none",
    )
    if found.start:
        yield "begins with", f"{', '.join(found.start)} other than 0"
    yield "smallest core", f"--params {found.params}"
    yield "reference sizes", ", ".join(found.fits) or "none holds it"
    yield "cycles of a tick", f"{found.silent_cycles:,} in silence, {found.most_cycles:,} at most"
