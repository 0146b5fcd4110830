"""Graphs of NIR from files and from programs: read without executing anything, and made flat."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spiketwin.hdl.spec.installation import install_command
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, InvalidNetwork, NetworkFileError, ToolMissing
from spiketwin.host.inputs import open_regular
from spiketwin.host.paths import path_of

MOST_BYTES: Final = 1 << 30
"""Most bytes of a file, and of what it holds once it is unpacked."""

_MOST_PARTS: Final = 100_000
"""Most groups and arrays of a file."""

_DEEPEST: Final = 32
"""Deepest nesting of graphs."""


@dataclass
class FlatGraph:
    """A graph without graphs in it.

    Attributes
    ----------
    nodes:
        Nodes by name; those of a graph within have its name and a dot before theirs.
    edges:
        Pairs of names.
    inputs, outputs:
        Names of the inputs and outputs of the whole graph.
    metadata:
        Of the whole graph.
    """

    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def before(self, name: str) -> list[str]:
        """Return the names of the nodes with an edge to this one."""
        return [source for source, target in self.edges if target == name]


def library() -> Any:
    """Return the package ``nir``; raise `ToolMissing` if it is not installed."""
    try:
        import nir
    except ImportError as error:
        raise ToolMissing(
            f"the package nir is not installed in this Python; run: {install_command('nir')}"
        ) from error
    return nir


def read(source: object) -> Any:
    """Return the graph of a file, or the one given.

    Raises
    ------
    InvalidInput
        `source` is neither a graph nor a path.
    NetworkFileError
        The file is not one of NIR, or damaged, or refers to other files.
    ToolMissing
        The package ``nir`` is not installed.
    OSError
        The file cannot be read.
    """
    package = library()
    if isinstance(source, package.NIRGraph):
        return source
    if isinstance(source, package.NIRNode):
        raise InvalidInput(
            f"a graph is wanted, not the node {type(source).__name__} alone: "
            "`nir.NIRGraph.from_list(…)` makes a graph of nodes"
        )
    path = path_of(source, "a graph of NIR")
    _check_file(path)
    try:
        graph = package.read(str(path), type_check=False)
    except Exception as error:
        # The package raises whatever its classes do on values of a file: mostly assertions.
        raise NetworkFileError(
            f"{path} cannot be read as a graph of NIR: {str(error)[:200]}. Write it by `nir.write`"
        ) from error
    if not isinstance(graph, package.NIRGraph):
        raise NetworkFileError(f"{path} has the node {type(graph).__name__} alone, and no graph")
    return graph


def _check_file(path: Path) -> None:
    """Raise `NetworkFileError` unless all that a file names is in it, and of bounded size."""
    import h5py

    try:
        with open_regular(path, MOST_BYTES, NetworkFileError) as file, h5py.File(file, "r") as held:
            groups, size, parts = [held["/"]], 0, 0
            while groups:
                group = groups.pop()
                for name in group:
                    link = group.get(name, getlink=True)
                    if not isinstance(link, h5py.HardLink):
                        raise NetworkFileError(
                            f"{path} has a link, {shown(name)}, to something else: write the graph "
                            "anew by `nir.write`"
                        )
                    each = group[name]
                    parts += 1
                    if isinstance(each, h5py.Group):
                        groups.append(each)
                    else:
                        _check_own(path, name, each)
                        size += each.nbytes
                    if size > MOST_BYTES or parts > _MOST_PARTS:
                        raise NetworkFileError(
                            f"{path} holds more than {MOST_BYTES:,} bytes or {_MOST_PARTS:,} parts "
                            "once it is unpacked: no core holds as much"
                        )
    except NetworkFileError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NetworkFileError(
            f"{path} is no file of NIR, which are HDF5, or is damaged: {str(error)[:200]}"
        ) from error


def _check_own(path: Path, name: str, dataset: Any) -> None:
    if dataset.external or dataset.is_virtual:
        raise NetworkFileError(
            f"{path} has the values of {shown(name)} in other files: write the graph anew by "
            "`nir.write`"
        )


def flattened(graph: Any) -> FlatGraph:
    """Return a graph with the nodes of all graphs within in their places.

    Raises
    ------
    InvalidNetwork
        An edge names no node, or a graph within has not one input and one output.
    """
    package, flat = library(), FlatGraph()
    _add(graph, "", flat, 0)
    for name, node in graph.nodes.items():
        if isinstance(node, package.Input):
            flat.inputs.append(name)
        if isinstance(node, package.Output):
            flat.outputs.append(name)
    flat.metadata = dict(graph.metadata) if isinstance(graph.metadata, dict) else {}
    for name in flat.inputs:
        if flat.before(name):
            raise InvalidNetwork(
                f"the edge from {shown(flat.before(name)[0])} leads into the input {shown(name)}, "
                "which takes what comes from outside: lead it to the nodes behind it"
            )
    if not flat.inputs:
        raise InvalidNetwork("the graph has no Input: add one, with the shape of what comes in")
    return flat


def _add(graph: Any, prefix: str, flat: FlatGraph, depth: int) -> None:
    package = library()
    if depth > _DEEPEST:
        raise InvalidNetwork(f"graphs are nested deeper than {_DEEPEST}: flatten them")
    entries: dict[str, str] = {}
    exits: dict[str, str] = {}
    for name, node in graph.nodes.items():
        own = f"{prefix}{name}"
        if not isinstance(name, str) or not name or own in flat.nodes:
            raise InvalidNetwork(
                f"nodes must have names of their own, and {shown(name)} is none: rename it"
            )
        if isinstance(node, package.NIRGraph):
            _add(node, f"{own}.", flat, depth + 1)
            entries[name] = _only(node, package.Input, own, "Input")
            exits[name] = _only(node, package.Output, own, "Output")
        else:
            flat.nodes[own] = node
            entries[name] = exits[name] = own
    for source, target in _pairs(graph.edges):
        for end in (source, target):
            if end not in entries:
                raise InvalidNetwork(
                    f"an edge names {shown(end)}, which is no node: there are "
                    f"{', '.join(map(str, list(entries)[:10]))}"
                )
        edge = (exits[source], entries[target])
        if edge in flat.edges:
            raise InvalidNetwork(f"the edge from {shown(source)} to {shown(target)} is there twice")
        flat.edges.append(edge)


def _pairs(edges: Any) -> list[tuple[Any, Any]]:
    try:
        return [(source, target) for source, target in edges]
    except (TypeError, ValueError) as error:
        raise InvalidNetwork(
            f"edges must be a list of pairs of names, not {shown(edges)}"
        ) from error


def _only(graph: Any, kind: type, name: str, what: str) -> str:
    found = [f"{name}.{key}" for key, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise InvalidNetwork(
            f"the graph {shown(name)} within has {len(found)} nodes {what}, and edges do not say "
            "which they mean: give it one"
        )
    return found[0]
