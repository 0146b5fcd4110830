"""The house in figures: no circles between packages, short functions, nothing for tests alone."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from support.checkout import ROOT

from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS, Per, names

ROOTS = ("hdl", "cosim", "host", "firmware")
LONG_LINES, LONGEST_LINES, LONG_SHARE = 60, 120, 0.003

CALLED_BY_OTHERS = {
    # By click, by Numba, by io and by pyserial, which ask for these names.
    "list_commands", "get_command", "format_commands", "notify", "seekable", "reset_output_buffer",
    # By PyNN, whose classes a back end fills in.
    "inject_into", "set_native_parameters", "get_native_parameters", "_get_data", "_create_cells",
    "as_tuple", "_convergent_connect", "_set_attributes", "_get_attributes_as_list",
    "_get_attributes_as_arrays", "_get_all_signals", "_local_count", "_clear_simulator",
    "_get_minimum_delay", "_connect_with_map",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def package_of(dotted: str) -> str | None:
    """The package in which a dotted name of ours lies."""
    parts = dotted.split(".")
    if parts[0] != "spiketwin" or len(parts) < 3:
        return None
    while len(parts) > 1:
        path = ROOT / parts[1] / Path(*parts)
        if (path / "__init__.py").is_file():
            return ".".join(parts)
        parts.pop()
    return None


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_package_imports_one_that_imports_it() -> None:
    packages: dict[str, set[str]] = {}
    for path in modules():
        root, *_ = path.relative_to(ROOT).parts
        own = ".".join(path.parent.relative_to(ROOT / root).parts)
        others = {package_of(name) for name in imported(path)} - {own, None}
        packages.setdefault(own, set()).update(map(str, others))
    assert len(packages) > 20
    try:
        TopologicalSorter(packages).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(circle.args[1]))


def lists(path: Path) -> Iterator[set[str]]:
    """The strings in each list, tuple and set that is written out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            yield {str(e.value) for e in node.elts if isinstance(e, ast.Constant)}


def test_nobody_lists_the_parameters_of_neurons_but_the_table() -> None:
    """Or every new one would touch that list, too."""
    parameters = set(names(v for v in VECTOR_PARAMETERS if v.per is Per.NEURON))
    every = [
        *modules(),
        *(p for f in ("tests", "docs", "examples") for p in (ROOT / f).rglob("*.py")),
    ]
    # Most files name too few of them to hold a list, and are not parsed.
    naming = (p for p in every if len(parameters & set(re.findall(r"\w+", p.read_text()))) > 2)
    found = {
        str(path.relative_to(ROOT))
        for path in naming
        if any(len(parameters & listed) > 2 for listed in lists(path))
    }
    # What files of former versions hold.
    assert found == {"tests/host/test_network_file.py"}


def functions(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield lines, f"{path.relative_to(ROOT)}: {node.name}, {lines} lines"


def test_functions_are_short() -> None:
    every = [function for path in modules() for function in functions(path)]
    long = sorted((name for lines, name in every if lines > LONG_LINES))
    assert len(long) <= LONG_SHARE * len(every), "\n".join(long)
    assert not [name for lines, name in every if lines > LONGEST_LINES]


def defined(path: Path) -> Iterator[str]:
    """Names of what a module defines at its top, and of the methods of its classes."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.ClassDef):
            yield from (each.name for each in node.body if isinstance(each, ast.FunctionDef))


def test_nothing_in_the_product_is_used_by_tests_alone() -> None:
    """Boards, families and testbenches are found by their kind, so nobody names them."""
    users = [*modules(), *(p for f in ("docs", "examples") for p in (ROOT / f).rglob("*.*"))]
    users += [ROOT / "README.md", ROOT / "run", *(ROOT / "host").rglob("*.toml")]
    words = Counter[str]()
    for path in users:
        if path.suffix in (".py", ".md", ".toml", ".v", ""):
            words.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    found = ("boards", "families", "testbenches")
    unused = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        if path.parent.name not in found
        for name in defined(path)
        if words[name] == 1 and not name.startswith("__") and name not in CALLED_BY_OTHERS
    ]
    assert not unused
