"""What is wrong or not carried in a graph or a file of NIR is refused by name."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir as package
import numpy as np
import pytest
from support.graphs import cuba, graph_of, inputs, lif, outputs, recurrent

from spiketwin.host import nir
from spiketwin.host.errors import (
    DoesNotFit,
    InvalidInput,
    InvalidNetwork,
    NetworkFileError,
    SpiketwinError,
    ToolMissing,
)

DT = 1e-3


def chain(*between: Any, n: int = 2, neurons: Any = None) -> Any:
    """An input, some nodes, neurons, and an output."""
    names = [f"n{k}" for k in range(len(between))]
    return graph_of(
        f"in {' '.join(names)} l out",
        **{"in": inputs(n), **dict(zip(names, between, strict=True))},
        l=lif(2) if neurons is None else neurons,
        out=outputs(2),
    )


def with_li(*behind: str) -> Any:
    li = package.LI(*[np.full(2, v) for v in (5e-3, 1.0, 0.0)])
    nodes = {"w2": package.Linear(np.ones((2, 2))), "l": lif(2)}
    return graph_of(
        f"in w li {' '.join(behind)} out", **{"in": inputs(2)}, w=nodes["w2"], li=li,
        **{name: nodes[name] for name in behind}, out=outputs(2),
    )  # fmt: skip


def circle() -> Any:
    w = package.Linear(np.ones((2, 2)))
    return graph_of("in a l out, a b a", **{"in": inputs(2)}, a=w, b=w, l=lif(2), out=outputs(2))


def no_port() -> Any:
    inner = package.NIRGraph(
        {"x": inputs(2), "y": inputs(2), "l": lif(2), "output": outputs(2)},
        [("x", "l"), ("y", "l"), ("l", "output")],
        type_check=False,
    )
    return graph_of("in g out", **{"in": inputs(2)}, g=inner, out=outputs(2))


def conv(**own: Any) -> package.Conv2d:
    how = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(2)} | own
    return package.Conv2d((4, 4), np.ones((2, 1, 3, 3)), **how)


def seen(node: Any) -> Any:
    return graph_of(
        "in c l out", **{"in": package.Input(np.array([1, 4, 4]))}, c=node, l=lif(2),
        out=outputs(2),
    )  # fmt: skip


class Unknown(package.ir.node.NIRNode):  # type: ignore[misc]
    """A node that a later release may have."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}


W = package.Linear(np.ones((2, 2)))

GRAPHS: dict[str, tuple[Callable[[], Any], str]] = {
    "a later node": (lambda: chain(Unknown()), "'n0' is a node Unknown, which is not carried"),
    "no neurons": (
        lambda: graph_of("in w out", **{"in": inputs(2)}, w=W, out=outputs(2)),
        "has no neurons: a node with a state is wanted, one of LIF",
    ),
    "no input": (lambda: graph_of("l out", l=lif(2), out=outputs(2)), "has no Input"),
    "an edge to nothing": (
        lambda: package.NIRGraph({"in": inputs(2)}, [("in", "x")], type_check=False),
        "an edge names 'x', which is no node",
    ),
    "an edge twice": (lambda: graph_of("in l out, in l", **{"in": inputs(2)}, l=lif(2),
                                       out=outputs(2)), "from 'in' to 'l' is there twice"),
    "an edge into an input": (
        lambda: graph_of("in l out, l in", **{"in": inputs(2)}, l=lif(2), out=outputs(2)),
        "the edge from 'l' leads into the input 'in'",
    ),
    "edges of three": (
        lambda: _replaced(chain(W), "edges", [("in", "n0", "l")]), "edges must be a list of pairs",
    ),
    "no edges": (lambda: _replaced(chain(W), "edges", None), "edges must be a list of pairs"),
    "complex numbers": (
        lambda: chain(package.Linear(np.full((2, 2), 1 + 2j))),
        "weight of n0 must be real numbers",
    ),
    "nothing arrives": (
        lambda: graph_of("in l out, m out", **{"in": inputs(2)}, l=lif(2), m=lif(2),
                         out=outputs(2)), "nothing comes to the node 'm'",
    ),
    "a wrong matrix": (
        lambda: chain(package.Linear(np.ones((2, 3)))),
        r"weight of n0 must have the shape \(n, 2\) .* not \(2, 3\)",
    ),
    "a wrong layer": (
        lambda: chain(package.Linear(np.ones((3, 2)))), r"neurons of 'l' have the shape \(2,\)",
    ),
    "two shapes": (
        lambda: graph_of("in a l out, in b l", **{"in": inputs(2)}, a=W,
                         b=package.Linear(np.ones((3, 2))), l=lif(2), out=outputs(2)),
        r"signals of the shapes \(2,\) and \(3,\) come to the node 'l'",
    ),
    "not a number": (
        lambda: chain(package.Linear(np.array([[1.0, np.nan], [0, 0]]))),
        r"weight of n0 must be finite numbers, and \[0, 1\] is nan",
    ),
    "no real numbers": (
        lambda: chain(package.Linear(np.array([["a", "b"], ["c", "d"]]))),
        "weight of n0 must be real numbers",
    ),
    "a tau of 0": (lambda: chain(W, neurons=lif(2, tau=0.0)), "tau of l must be seconds above 0"),
    "a tau below dt": (
        lambda: chain(W, neurons=lif(2, tau=5e-4)),
        "tau of l must be dt, 0.001 s, or more for Euler's rule, not 0.0005: take a smaller dt, or",
    ),
    "potentials to neurons": (
        lambda: with_li("w2", "l"), "the potential of 'li' goes to 'l', and only spikes",
    ),
    "a matrix before the output": (
        lambda: with_li("w2"), "between 'li' and the output 'out' are nodes that compute",
    ),
    "from input to output": (
        lambda: graph_of("in l out, in out", **{"in": inputs(2)}, l=lif(2), out=outputs(2)),
        "the output 'out' gets what comes in at 'in' without a neuron",
    ),
    "a circle": (circle, "form a circle without neurons"),
    "two ports": (no_port, "the graph 'g' within has 2 nodes Input"),
    "a bias that is delayed": (
        lambda: chain(package.Affine(np.ones((2, 2)), np.ones(2)), package.Delay(np.full(2, DT))),
        "a bias comes to the node 'n1', and a core delays spikes alone",
    ),
    "a long delay": (
        lambda: chain(package.Delay(np.full(2, 1.0))),
        "delay of n0 must be 0…0.256 s, which are 256 ticks of 0.001 s, not 1: take",
    ),
    "a delay before": (lambda: chain(package.Delay(np.full(2, -DT))), "delay of n0 must be"),
    "a kernel too large": (
        lambda: seen(package.SumPool2d(*[np.array([v, v]) for v in (5, 1, 0)])),
        r"the kernel of c, \(5, 5\), is larger than what comes to it, \(4, 4\)",
    ),
    "a stride of 0": (
        lambda: seen(_replaced(conv(), "stride", 0)), "stride of c must be 2 whole numbers, 1 or",
    ),
    "the same size in strides": (
        lambda: seen(conv(padding="same", stride=2)), "or 'same' with a stride of 1",
    ),
    "groups": (lambda: seen(conv(groups=2)), "its groups must divide both"),
    "a wrong bias": (lambda: seen(conv(bias=np.zeros(3))), "bias of c must have the shape"),
    "a picture to a matrix": (lambda: seen(W), "put a Flatten before it"),
    "dimensions": (
        lambda: seen(package.Flatten({"input": np.array([1, 4, 4])}, start_dim=3)),
        "start_dim and end_dim of c must be within the 3 dimensions",
    ),
    "w_in of another size": (
        lambda: chain(W, neurons=_replaced(cuba(2), "w_in", np.ones(3))),
        "w_in of l must have 2 values, not 3",
    ),
    "nodes without end": (
        lambda: chain(*[W] * 101), "more than 100 nodes without neurons follow each other",
    ),
    "a matrix too large": (
        lambda: graph_of("in a b l out", **{"in": inputs(4096)}, l=lif(2), out=outputs(2),
                         a=package.Linear(np.ones((1, 4096))),
                         b=package.Linear(np.ones((70_000, 1)))),
        "b makes 70,000 elements of what 4,096 sources send",
    ),
    "padding without end": (
        lambda: seen(_replaced(conv(), "padding", 1 << 40)), "c makes .* pool before it",
    ),
    "an unnamed node": (
        lambda: package.NIRGraph({"": inputs(2)}, [], type_check=False), "must have names",
    ),
}  # fmt: skip


def _replaced(node: Any, name: str, value: Any) -> Any:
    setattr(node, name, value)
    return node


@pytest.mark.parametrize("case", GRAPHS)
def test_what_cannot_be_carried_is_refused_by_name(case: str) -> None:
    make, says = GRAPHS[case]
    with pytest.raises(InvalidNetwork, match=says):
        nir.load(make(), DT)


def test_a_graph_that_no_core_holds_is_refused_with_what_would_do() -> None:
    big = graph_of("in l out", **{"in": inputs(5000)}, l=lif(5000), out=outputs(5000))
    with pytest.raises(DoesNotFit, match="5,000 axons, and a core has 4,096 at most: pool or crop"):
        nir.load(big, DT)
    far = chain(W, neurons=lif(2, v_threshold=1.0, v_reset=-1e30))
    net, report = nir.load(far, DT)  # fits at a scale with which all weights are lost
    assert report["l"].lost == 4
    assert not net.weight_sums().any()


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"dt": 0}, "dt must be seconds above 0"),
    ({"dt": "1e-3"}, "dt must be seconds above 0"),
    ({"integration": "rk4"}, "integration must be one of euler, exact, not 'rk4'"),
    ({"reset": "soft"}, "reset must be one of zero, subtract, not 'soft'"),
    ({"if_gain": 1}, "if_gain must be one of dt, one, not 1"),
    ({"weight_width": 17}, "weight_width must be 4…16 bits, not 17"),
    ({"v_width": 7}, "v_width must be 8…24 bits, not 7"),
    ({"scales": "synapse"}, "scales must be one of neuron, layer, network"),
]


@pytest.mark.parametrize(("wrong", "says"), ARGUMENTS)
def test_a_wrong_argument_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        nir.load(recurrent(1), **({"dt": DT} | wrong))


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a graph is wanted, not the node LIF alone"):
        nir.load(lif(2), DT)
    with pytest.raises(InvalidInput, match="a graph of NIR must be the path of a file, not 7"):
        nir.load(7, DT)


def small() -> Any:
    """A small graph with a node of nearly every kind."""
    pools = [np.array([v, v]) for v in (2, 1, 0)]
    return graph_of(
        "in c s p f d a l w b w2 t out, l own l",
        **{"in": package.Input(np.array([1, 4, 4]))},
        c=conv(),
        s=package.Scale(np.ones((2, 2, 2))),
        p=package.SumPool2d(*pools),
        f=package.Flatten({"input": np.array([2, 1, 1])}, start_dim=0),
        d=package.Delay(np.full(2, DT)),
        a=package.Affine(np.ones((2, 2)), np.ones(2)),
        l=cuba(2),
        own=package.Linear(np.ones((2, 2))),
        w=package.Linear(np.ones((2, 2))),
        b=package.IF(r=np.ones(2), v_threshold=np.ones(2)),
        w2=package.Linear(np.ones((2, 2))),
        t=package.Threshold(np.ones(2)),
        out=outputs(2),
    )


STRANGE: list[Any] = [
    None, "same", b"x", np.nan, -1, 0, 2**70, [], {}, np.zeros(0), np.zeros((2, 2)), 1 + 2j,
    np.array([None]), np.array([1e300]), True, [1, [2]], 1e-320, np.full(2, 1e30),
]  # fmt: skip


@pytest.mark.parametrize("name", small().nodes)
def test_any_value_of_a_node_is_met_in_words(name: str) -> None:
    nir.load(small(), DT)
    refused = 0
    for attribute in vars(small().nodes[name]):
        for value in STRANGE:
            graph = small()
            setattr(graph.nodes[name], attribute, value)
            try:
                nir.load(graph, DT)
            except SpiketwinError as error:
                refused += bool(str(error))
    assert refused or name == "out"


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = recurrent(1)
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ToolMissing, match=r"nir is not installed in this Python; run: .*nir"):
        nir.load(graph, DT)


def test_the_door_needs_the_package_only_where_it_is_used() -> None:
    code = "import sys, spiketwin.host.nir; print({'nir', 'h5py'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.nir"
    package.write(str(path), recurrent(1))
    nir.load(path, DT)
    return path


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.nir"
    path.write_bytes(b"not HDF5")
    with pytest.raises(NetworkFileError, match="is no file of NIR, which are HDF5"):
        nir.load(path, DT)
    with pytest.raises(NetworkFileError, match="is a folder"):
        nir.load(tmp_path, DT)
    with pytest.raises(FileNotFoundError):
        nir.load(tmp_path / "not.nir", DT)
    with h5py.File(path, "w") as file:
        file["version"] = "1.0"
    with pytest.raises(NetworkFileError, match="cannot be read as a graph of NIR"):
        nir.load(path, DT)


def external(file: Any, other: Path) -> None:
    file["node/nodes"]["more"] = h5py.ExternalLink(str(other), "/node")


def soft(file: Any, _: Path) -> None:
    file["node/nodes"]["more"] = h5py.SoftLink("/node")


def outside(file: Any, other: Path) -> None:
    other.write_bytes(bytes(64))
    file["node"].create_dataset("raw", (8,), "f8", external=[(str(other), 0, 64)])


@pytest.mark.parametrize("spoil", [external, soft, outside])
def test_a_file_that_refers_to_others_is_refused(spoil: Any, good: Path, tmp_path: Path) -> None:
    with h5py.File(good, "a") as file:
        spoil(file, tmp_path / "other")
    with pytest.raises(NetworkFileError, match="write the graph anew by `nir.write`"):
        nir.load(good, DT)


def test_a_file_that_unpacks_to_more_than_a_core_holds_is_refused(good: Path) -> None:
    with h5py.File(good, "a") as file:
        shape = (1 << 18, 1 << 18)
        file["node"].create_dataset("bomb", shape, "f8", chunks=(1024, 1024), compression="gzip")
    with pytest.raises(NetworkFileError, match="holds more than"):
        nir.load(good, DT)


def test_metadata_that_cannot_be_are_refused(good: Path, tmp_path: Path) -> None:
    net, report = nir.load(good, DT)
    path = tmp_path / "saved.nir"
    for name, value, says in (
        ("weight_width", 99, "weight_width in the metadata must be 4…16"),
        ("i_syn_shift", -1, "i_syn_shift in the metadata must be 0…15"),
        ("dt", -1.0, "dt in the metadata must be seconds above 0"),
        ("dt", np.nan, "dt in the metadata must be finite"),
    ):
        nir.save(path, net, DT, report=report)
        with h5py.File(path, "a") as file:
            del file["node/metadata/spiketwin"][name]
            file["node/metadata/spiketwin"][name] = value
        with pytest.raises(InvalidNetwork, match=says):
            nir.load(path)
    nir.save(path, net, DT, report=report)
    with h5py.File(path, "a") as file:
        scale = file["node/nodes/hidden/metadata/spiketwin/scale"]
        scale[...] = -scale[...]
    with pytest.raises(InvalidNetwork, match="scale of hidden in the metadata must be 40 numbers"):
        nir.load(path)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file, in a folder in which it may be spoilt."""
    path = tmp_path_factory.mktemp("damaged") / "good.nir"
    graph = chain(package.Affine(np.ones((2, 2)), np.ones(2)), neurons=cuba(2))
    package.write(str(path), graph)
    return path


def test_a_file_that_was_cut_off_is_refused_wherever_it_was(written: Path) -> None:
    whole = written.read_bytes()
    cut = written.with_name("cut.nir")
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        cut.write_bytes(whole[:length])
        with pytest.raises(NetworkFileError, match="damaged|cannot be read"):
            nir.load(cut, DT)
