"""The netlist as a target: what its address means, what it is built of, and the demo on it."""

import importlib.util
from typing import Any

import pytest

from spiketwin.cosim.demo.compare import compare
from spiketwin.cosim.demo.run import run
from spiketwin.cosim.digits.encoding import load
from spiketwin.cosim.netlist import mapping
from spiketwin.cosim.rtl.build import Design
from spiketwin.hdl.spec.params import preset
from spiketwin.host import connect
from spiketwin.host.errors import TargetError

TINY = preset("tiny")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("netlist:?family=xc7", "family must be ecp5 or ice40, not 'xc7'"),
        ("netlist:?level=wires", "level must be bytes or pins for a netlist, not 'wires'"),
        ("netlist:?level=core", "level must be bytes or pins for a netlist, not 'core'"),
        (
            "netlist:?speed=1",
            "choose of clock, cycles_per_bit, family, from, level, params, power_up",
        ),
        ("rtl:?family=ecp5", "there is no option 'family'"),
    ],
)
def test_a_wrong_address_says_what_is_allowed(url: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        connect(url, params="tiny")


def test_without_yosys_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def find_all_but_yosys(name: str, package: str | None = None) -> Any:
        return None if name == "pyosys" else find(name, package)

    monkeypatch.setattr("importlib.util.find_spec", find_all_but_yosys)
    with pytest.raises(TargetError, match=r"needs Yosys.* pip install .*\[boards\]"):
        connect("netlist:", params="tiny")


def test_each_family_and_the_rtl_are_different_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    families = (None, *mapping.families())
    digests = [Design(params=TINY, family=family).digest() for family in families]
    assert len(set(digests)) == len(families)
    monkeypatch.setattr(mapping, "sources", lambda family: [])
    changed = [Design(params=TINY, family=family).digest() for family in families]
    assert [one == other for one, other in zip(digests, changed, strict=True)] == [
        family is None for family in families
    ]


@pytest.mark.bulk
@pytest.mark.early
def test_fifty_digits_on_the_netlist_are_those_of_the_rtl() -> None:
    digits = load().first(25)
    assert len(digits.train) + len(digits.test) == 50
    rtl, netlist = (run(url, digits) for url in ("rtl:", "netlist:"))
    found = compare(rtl, netlist, ("rtl:", "netlist:"))
    assert not found.differences
    assert found.spikes > 0
