"""What all tests share: the ladder they stand on, and the seed of the testbenches.

`./run test` runs what is quick; `./run test --all` runs also what is marked `bulk`. A test that is
named with `::`, or asked for with `-m bulk`, is run in any case.
"""

import gc
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial
from support.costs import Costs
from support.rungs import BULK, in_order, may_build, rung_of, set_examples

from spiketwin.hdl import builds
from spiketwin.host.threads import processors

_ALLOCATIONS = 50_000
"""Number of objects that are made before garbage is looked for among them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("spiketwin")
    group.addoption("--all", action="store_true", help="run the tests marked bulk, too")
    group.addoption("--costs", type=Path, help="write what the rungs cost into this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    whole = config.getoption("--all") or BULK in config.getoption("-m")
    set_examples(whole=whole, in_ci=bool(os.environ.get("CI")))
    kind = "all" if config.getoption("--all") else "short"
    file = None if hasattr(config, "workerinput") else config.getoption("--costs")
    config.pluginmanager.register(Costs(kind, file), "costs")
    config.pluginmanager.register(Builds(), "builds")


def pytest_xdist_auto_num_workers() -> int:
    """Spread tests to one process more than there are processors: some wait, as for a line."""
    return processors() + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its rung, put the cheap ones first, and leave out what is bulk."""
    for item in items:
        item.add_marker(rung_of(item))
    items[:] = in_order(items, spread=hasattr(config, "workerinput"))
    named = any("::" in argument for argument in config.args)
    if config.getoption("--all") or named or BULK in config.getoption("-m"):
        return
    left_out = [item for item in items if item.get_closest_marker(BULK)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(BULK)]


def pytest_collection_finish() -> None:
    """Look for garbage more seldom, and never again among what the tests themselves are made of.

    The default suits small programs: it takes a fifth of the time in which a core is elaborated.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)


class Builds:
    """A plug-in that sees to it that tests of a low rung need no tool of a higher one."""

    def __init__(self) -> None:
        self._rung: str | None = None
        self._built_once = builds.built_once
        builds.built_once = self._checked

    def _checked(self, kind: str, digest: str, build: Callable[[Path], None]) -> Path:
        if self._rung is not None and not may_build(self._rung, kind):
            pytest.fail(f"builds {kind}, which is above its rung: mark it, or do without")
        return self._built_once(kind, digest, build)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._rung = rung_of(item)


@pytest.fixture
def simulated_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pyserial open the addresses of simulated targets, as `connect` does."""
    packages = [*serial.protocol_handler_packages, "spiketwin.cosim.serial"]
    monkeypatch.setattr(serial, "protocol_handler_packages", packages)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own way with Ctrl-C, which whoever started the tests may have turned off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def seed() -> int:
    """Seed of all that the testbenches choose, chosen as Hypothesis does.

    A failure tells it; SPIKETWIN_SEED=… in the environment repeats it.
    """
    chosen = 0 if os.environ.get("CI") else secrets.randbits(31)
    return int(os.environ.get("SPIKETWIN_SEED", chosen))
