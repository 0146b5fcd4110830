"""The core alone, with flat ports: what its testbench drives."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member

from spiketwin.hdl.gateware.core import Core
from spiketwin.hdl.gateware.interface import CoreSignature
from spiketwin.hdl.spec.params import CoreParams


class CoreTop(wiring.Component):
    """A core whose ports have the path of each member of `CoreSignature` for a name.

    Single underscores join the parts: Verilator spells a double one out as ``___05F``. Payloads are
    plain numbers, the first field of a layout lowest.

    Parameters
    ----------
    params:
        Sizes of the core.

    Members
    -------
    memory_valid, words_payload, run_until, …:
        Every member of the core.
    """

    def __init__(self, params: CoreParams) -> None:
        self.core = Core(params)
        self._members = {
            "_".join(map(str, path)): (member.flow, Value.cast(value))
            for path, member, value in CoreSignature(params).flatten(self.core)
        }
        super().__init__(
            {name: Member(flow, len(value)) for name, (flow, value) in self._members.items()}
        )

    def elaborate(self, _platform: object) -> Module:
        """Connect every port to its member."""
        m = Module()
        m.submodules.core = self.core
        for name, (flow, inner) in self._members.items():
            port = getattr(self, name)
            m.d.comb += inner.eq(port) if flow is In else port.eq(inner)
        return m
