"""Who may import whom, and what a checkout may hold."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.checkout import ROOT

FOLDERS = ("hdl", "cosim", "host", "firmware")
GENERATED = (".asc", ".bin", ".bit", ".fst", ".nbc", ".nbi", ".o", ".pyc", ".so", ".vcd")


class Rule(NamedTuple):
    """The only imports allowed in a part of the tree, beside the standard library and itself."""

    package: str
    ours: tuple[str, ...]
    others: tuple[str, ...]


RULES = (
    Rule("spiketwin.hdl.spec", ours=(), others=("numpy",)),
    Rule("spiketwin.hdl", ours=(), others=("amaranth", "filelock", "numpy", "platformdirs")),
    Rule(
        "spiketwin.host",
        ours=("spiketwin.hdl.spec",),
        others=(
            "aedat",
            "click",
            "cobs",
            "filelock",
            "h5py",
            "matplotlib",
            "neo",
            "nixio",
            "nir",
            "numpy",
            "platformdirs",
            "pyNN",
            "rich",
            "serial",
            "sklearn",
        ),
    ),
    Rule(
        "spiketwin.firmware",
        ours=("spiketwin.hdl",),
        others=("amaranth", "amaranth_boards", "click", "numpy", "pyosys", "rich"),
    ),
)
# Extras: a core installation lacks them, so only the function that needs one may import it.
LAZY_IN_HOST = {"aedat", "h5py", "matplotlib", "neo", "nir", "nixio", "pyNN", "sklearn"}
# Packages that are nothing without their extra: they may import it, and nobody imports them.
DOORS = {"spiketwin.host.pynn"}


def sources(package: str) -> list[Path]:
    """The Python files of ``spiketwin.X`` or of a package in it."""
    _, folder, *rest = package.split(".")
    return sorted((ROOT / folder / "spiketwin" / folder).joinpath(*rest).rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a package's ``__init__.py`` or of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, path: Path) -> Iterator[str]:
    """The absolute dotted names of all that a syntax tree imports."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from spiketwin import hdl` imports spiketwin.hdl, not all of spiketwin.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_with_the_module(path: Path) -> Iterator[str]:
    """What is imported as soon as the module is: imports in functions are left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [ast.Pass()]
    yield from imports(tree, path)


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the packages, or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def allowed(name: str, rule: Rule) -> bool:
    """Whether the rule allows to import this name."""
    if name.split(".")[0] == "spiketwin":
        return within(name, (rule.package, *rule.ours))
    return within(name, (*rule.others, *sys.stdlib_module_names))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.package)
def test_imports_follow_the_layout(rule: Rule) -> None:
    files = sources(rule.package)
    assert files
    forbidden = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in imports(ast.parse(path.read_text()), path)
        if not allowed(name, rule)
    ]
    assert not forbidden


def test_no_module_of_the_host_needs_an_extra() -> None:
    extras = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("spiketwin.host")
        if not within(module_name(path), tuple(DOORS))
        for name in imports_with_the_module(path)
        if name.split(".")[0] in LAZY_IN_HOST or within(name, tuple(DOORS))
    ]
    assert not extras


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import numba", "numba"),
        ("import spiketwin.cosim.model", "spiketwin.cosim.model"),
        ("from spiketwin import cosim", "spiketwin.cosim"),
        ("from spiketwin.hdl import core", "spiketwin.hdl.core"),
        ("from ..cosim import model", "spiketwin.cosim.model"),
        ("def f():\n    import amaranth.hdl", "amaranth.hdl"),
    ],
)
def test_a_forbidden_import_is_seen_in_every_spelling(line: str, name: str) -> None:
    host = next(rule for rule in RULES if rule.package == "spiketwin.host")
    path = ROOT / "host/spiketwin/host/example.py"
    assert list(imports(ast.parse(line), path)) == [name]
    assert not allowed(name, host)


def test_spiketwin_stays_a_namespace_package() -> None:
    assert not [path for folder in FOLDERS for path in (ROOT / folder).glob("spiketwin/*.py")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_only_package_of_a_folder_has_its_name_and_types(folder: str) -> None:
    root = ROOT / folder / "spiketwin"
    assert {path.parent for path in root.glob("*/__init__.py")} == {root / folder}
    assert (root / folder / "py.typed").is_file()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_with_modules_is_a_package(folder: str) -> None:
    files = sources(f"spiketwin.{folder}")
    assert not [path.parent for path in files if not path.with_name("__init__.py").exists()]


def test_nothing_generated_is_tracked() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    tracked = listing.stdout.rstrip("\0").split("\0")
    assert "pyproject.toml" in tracked
    assert [name for name in tracked if name.startswith("sim_build/")] == ["sim_build/.gitignore"]
    assert not [name for name in tracked if name.endswith(GENERATED)]
