"""A whole device without its line: core and link."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from spiketwin.hdl.gateware.core.core import Core
from spiketwin.hdl.gateware.link.link import LineSignature, Link
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Identity


class Device(wiring.Component):
    """A core behind its link.

    Parameters
    ----------
    params:
        Sizes of the core.
    clock_hz:
        Frequency of the clock, for the identity.
    build:
        Name of this build, for the identity: ASCII, up to 16 characters.

    Members
    -------
    line:
        The line (`link.LineSignature`).
    """

    line: wiring.PureInterface

    def __init__(self, params: CoreParams, clock_hz: int, build: str) -> None:
        self.params = params
        self.identity = Identity.of(params, clock_hz, build)
        super().__init__({"line": Out(LineSignature())})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core(self.params)
        m.submodules.link = link = Link(self.params, self.identity)
        connect(m, core, link.core)
        connect(m, link.line, flipped(self.line))
        return m
