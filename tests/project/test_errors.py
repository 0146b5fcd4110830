"""All errors are one family: what is raised on purpose is a `SpiketwinError`, and has a status."""

from __future__ import annotations

import builtins
import functools
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner
from serial import SerialException

from spiketwin.hdl.spec.errors import SpiketwinError, TargetError
from spiketwin.host.cli import main

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("hdl", "cosim", "host", "firmware")

OUTSIDE = {
    "_BrokenOff": "the command line itself, which is where errors become messages",
    "_NothingDone": "the command line itself, which is where errors become messages",
    "SpiketwinWarning": "a warning, which ends nothing",
    "Refusal": "becomes an answer on the link",
    "Mismatch": "an assertion in a simulator",
    "NothingCompared": "an assertion in a simulator",
    "WrongLevel": "an assertion in a simulator",
    "BenchFailed": "an assertion in a test of pytest",
    "_Undecided": "what a search for a proof ends in, and nobody else is told",
    "NoMore": "the end of a pipe between processes of ours",
    "Unsound": "what the fuzzer looks for",
    "Overrun": "what the fuzzer looks for",
    "Executed": "what the fuzzer looks for",
}
"""Exceptions that are not in the family, and why. None but the first two reach a user."""


CLASS = re.compile(r"^ *class (\w+)\(([^)]*)\):", re.MULTILINE)
"""A class with bases."""


class Defined(NamedTuple):
    """A class as its source has it."""

    module: str
    name: str
    bases: tuple[str, ...]


def classes() -> Iterator[Defined]:
    for root in ROOTS:
        for path in sorted((ROOT / root).rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            # Found by its text, as every run of the tests begins with this.
            for name, bases in CLASS.findall(path.read_text()):
                last = tuple(base.split(".")[-1].strip() for base in bases.split(","))
                yield Defined(".".join(parts), name, last)


@functools.cache
def exceptions() -> list[Defined]:
    """Classes that can be raised: those below one of Python's, or of a package that is used."""
    raised = {name for name, each in vars(builtins).items() if _can_be_raised(each)}
    raised |= {click.ClickException.__name__, SerialException.__name__}
    found: dict[str, Defined] = {}
    left = list(classes())
    while below := [each for each in left if raised.union(found).intersection(each.bases)]:
        for each in below:
            assert each.name not in found, f"two exceptions are called {each.name}"
            found[each.name] = each
            left.remove(each)
    return list(found.values())


def _can_be_raised(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, BaseException)


@pytest.mark.parametrize("defined", exceptions(), ids=lambda defined: defined.name)
def test_an_exception_is_of_the_family_or_has_a_reason_not_to_be(defined: Defined) -> None:
    kind = getattr(importlib.import_module(defined.module), defined.name)
    assert issubclass(kind, SpiketwinError) != (defined.name in OUTSIDE), (
        f"{defined.name} must be a SpiketwinError, or be listed with its reason"
    )
    assert len(kind.__doc__.strip()) > 0


def test_what_is_outside_is_there() -> None:
    assert set(OUTSIDE) <= {defined.name for defined in exceptions()}


def test_what_could_not_be_carried_out_is_status_2_and_what_broke_down_is_1() -> None:
    for defined in exceptions():
        kind = getattr(importlib.import_module(defined.module), defined.name)
        if issubclass(kind, SpiketwinError):
            could_not = issubclass(kind, ValueError | TargetError)
            assert kind.exit_status in (1, 2)
            assert kind.exit_status == 2 or not could_not, defined.name


@pytest.mark.parametrize(
    "kind",
    [
        getattr(importlib.import_module(each.module), each.name)
        for each in exceptions()
        if each.name not in OUTSIDE
    ],
    ids=lambda kind: str(kind.__name__),
)
def test_every_error_ends_a_command_in_its_message_and_its_status(
    kind: type[SpiketwinError], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = kind.__new__(kind)
    error.args = ("what is wrong, and what to do",)

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("spiketwin.cosim.commands.devices.serial_ports", failing)
    done = CliRunner().invoke(main, ["devices"])
    assert done.exit_code == kind.exit_status
    assert done.stderr == f"Error: {error}\n"
    assert isinstance(done.exception, SystemExit)
