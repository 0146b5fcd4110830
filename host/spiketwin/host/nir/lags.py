"""By how many ticks each layer is later than the first, and which edges go back.

A graph of NIR passes a spike on through all layers in one step; a core takes a tick for each. So a
layer is a tick later than the latest one before it, and the whole is the same, shifted.
"""

from __future__ import annotations

from collections.abc import Iterable

Edge = tuple[str, str]


def lags_of(layers: list[str], edges: Iterable[Edge]) -> tuple[dict[str, int], set[Edge]]:
    """Return the lag of each layer in ticks, and the edges that go back in time.

    Parameters
    ----------
    layers:
        Names, those nearest to an input first.
    edges:
        Pairs of a layer and one that it has synapses to; those from inputs are left out.

    Returns
    -------
    dict, set
        Lags by name; and the edges of a layer to itself, or to one that leads to it.
    """
    after: dict[str, list[str]] = {name: [] for name in layers}
    number = {name: k for k, name in enumerate(layers)}
    # In the order of layers, so that the same edges go back whoever lists them.
    for source, target in sorted(set(edges), key=lambda edge: [number[name] for name in edge]):
        after[source].append(target)
    back: set[Edge] = set()
    order: list[str] = []
    state: dict[str, int] = {}
    for root in layers:
        if root in state:
            continue
        # Depth first, by a list instead of calls, as a graph may be deep.
        state[root] = 1
        path = [(root, iter(after[root]))]
        while path:
            name, targets = path[-1]
            target = next(targets, "")
            if not target:
                state[name] = 2
                order.append(name)
                path.pop()
            elif state.get(target) == 1:
                back.add((name, target))
            elif target not in state:
                state[target] = 1
                path.append((target, iter(after[target])))
    lags = dict.fromkeys(layers, 0)
    for name in reversed(order):
        for target in after[name]:
            if (name, target) not in back:
                lags[target] = max(lags[target], lags[name] + 1)
    return lags, back


def natural_delay(lags: dict[str, int], back: set[Edge], source: str, target: str) -> int:
    """Return the ticks that a core must add to a synapse of no delay; below 0 it is too late.

    An empty `source` is an input. A spike that goes back arrives a step later in a graph, too.
    """
    if not source:
        return lags[target]
    behind = lags[target] - lags[source]
    return behind if (source, target) in back else behind - 1
