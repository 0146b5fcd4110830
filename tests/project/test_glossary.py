"""The glossary: every name that is registered has its words there, and every place exists.

What a network sets for each neuron, source and synapse is explained on a page of its own instead.
A name needs no line of its own where it is made of words that have one: `theta_bump` is the bump of
`theta`. So a new register, space, counter or size with a word that nobody has explained fails.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib.util import find_spec

import pytest
from support.checkout import ROOT

from spiketwin import host
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import counters, registers, space_formats
from spiketwin.hdl.spec.variables import PARAMETER_ARRAYS, names
from spiketwin.host import Core, Network

PAGE = (ROOT / "docs/glossary.md").read_text()
EVERYTHING = preset("tiny,digest_rounds=1,saturation_counters=1")
"""A core in which everything is built, so that nothing registered is missing."""


def rows() -> list[list[str]]:
    """The cells of the tables."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in ("word", "class", "---")]


def headwords() -> list[str]:
    """The words of the first column, several to a row where they belong together."""
    heads = [re.sub(r"\([^)]*\)", "", row[0]) for row in rows()]
    return [word.strip(" `*…") for head in heads for word in head.split(", ") if word.strip(" …")]


@cache
def has_words(name: str) -> bool:
    """Whether a name is in the first column, or is made of parts that are."""
    if name in WORDS:
        return True
    parts = name.split("_")
    return any(
        "_".join(parts[:k]) in WORDS and has_words("_".join(parts[k:]))
        for k in range(1, len(parts))
    )


WORDS = {word.lower() for word in headwords()} | set(names(PARAMETER_ARRAYS))


def registered() -> Iterator[str]:
    """The names of all spaces, registers, counters and sizes."""
    yield from (space.name.lower() for space in space_formats(EVERYTHING))
    yield from (register.name for register in registers(EVERYTHING))
    yield from (counter.name for counter in counters(EVERYTHING))
    yield from (size.name for size in fields(CoreParams))


def imported_on_pages() -> set[str]:
    """The classes, other than errors, that the documentation has its readers import."""
    found = set()
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]:
        lines = [
            line.removeprefix(">>> ")
            for line in page.read_text().splitlines()
            if line.removeprefix(">>> ").startswith("from spiketwin")
        ]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                values = {a.name: getattr(module, a.name, None) for a in node.names}
                classes = {n: value for n, value in values.items() if isinstance(value, type)}
                # Errors have a table of their own, with what to do, in docs/python.md.
                found |= {n for n, value in classes.items() if not issubclass(value, Exception)}
    return found


@pytest.mark.parametrize("name", sorted(set(registered())))
def test_a_registered_name_has_its_words(name: str) -> None:
    assert has_words(name), f"docs/glossary.md lacks {name}, or a word that it is made of"


def test_what_is_explained_elsewhere_is_not_explained_twice() -> None:
    # A profile is a thing of its own, of which neurons have the number.
    assert set(names(PARAMETER_ARRAYS)) & set(headwords()) == {"profile"}


def test_a_name_without_words_is_seen() -> None:
    assert has_words("theta_bump")
    assert not has_words("theta_gizmo")
    assert not has_words("gizmo")


def test_no_word_has_two_meanings() -> None:
    words = headwords()
    assert [word for word in words if words.count(word) > 1] == ["window", "window"]


def test_a_class_that_a_user_meets_is_explained() -> None:
    public = {name for name in host.__all__ if isinstance(getattr(host, name), type)}
    public |= imported_on_pages()
    assert {"Core", "Network", "Board", "Oracle"} <= public
    assert not public - set(headwords())


def test_every_row_says_what_a_word_is_and_where() -> None:
    found = rows()
    assert len(found) > 100
    assert {len(row) for row in found} == {3, 4}
    assert not [row for row in found if not all(row)]


@pytest.mark.parametrize("module", sorted(set(re.findall(r"`(spiketwin\.[\w.]+)`", PAGE))))
def test_a_module_that_is_named_exists(module: str) -> None:
    assert find_spec(module) is not None


def test_what_is_named_of_the_host_exists() -> None:
    owners = {"Network": Network, "Core": Core, "CoreParams": CoreParams}
    named = re.findall(r"`(Network|Core|CoreParams)\.(\w+)", PAGE)
    assert len(named) > 10
    sizes = {field.name for field in fields(Network)} | {field.name for field in fields(CoreParams)}
    assert not [
        f"{owner}.{name}"
        for owner, name in named
        if not hasattr(owners[owner], name) and name not in sizes
    ]
