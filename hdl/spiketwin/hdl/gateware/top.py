"""Tops of the design, with flat ports, which a simulator or a board instantiates."""

from __future__ import annotations

from operator import attrgetter

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out, connect

from spiketwin.hdl.gateware.core.core import Core
from spiketwin.hdl.gateware.core.interface import CoreSignature
from spiketwin.hdl.gateware.device import Device
from spiketwin.hdl.gateware.line.uart import BaudRate, UartReceiver, UartTransmitter
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import BAUD_TRIAL_CYCLES


class CoreTop(wiring.Component):
    """The core alone, for its testbench.

    The name of a port is the path of its member in `CoreSignature`, joined by single underscores,
    as Verilator escapes double ones. Payloads are plain numbers, the first field lowest.

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
        self._inner = {}
        ports = {}
        for path, member in CoreSignature(params).members.flatten():
            if member.is_port:
                name = "_".join(map(str, path))
                self._inner[name] = Value.cast(attrgetter(".".join(map(str, path)))(self.core))
                ports[name] = Member(member.flow, len(self._inner[name]))
        super().__init__(ports)

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.core = self.core
        for name, inner in self._inner.items():
            port = getattr(self, name)
            flow = self.signature.members[name].flow
            m.d.comb += inner.eq(port) if flow is In else port.eq(inner)
        return m


class BytesTop(wiring.Component):
    """A device with a line of bytes with back-pressure, on which `SET_BAUD` changes nothing.

    Parameters
    ----------
    params, clock_hz, build:
        As in `Device`.

    Members
    -------
    rx_data, rx_valid, rx_ready:
        Bytes to the device.
    tx_data, tx_valid, tx_ready:
        Bytes from the device.
    """

    rx_data: Signal
    rx_valid: Signal
    rx_ready: Signal
    tx_data: Signal
    tx_valid: Signal
    tx_ready: Signal

    def __init__(self, params: CoreParams, clock_hz: int, build: str) -> None:
        self.device = Device(params, clock_hz, build)
        super().__init__(
            {
                "rx_data": In(8),
                "rx_valid": In(1),
                "rx_ready": Out(1),
                "tx_data": Out(8),
                "tx_valid": Out(1),
                "tx_ready": In(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.device = self.device
        line = self.device.line
        m.d.comb += [
            line.rx.payload.eq(self.rx_data),
            line.rx.valid.eq(self.rx_valid),
            self.rx_ready.eq(line.rx.ready),
            self.tx_data.eq(line.tx.payload),
            self.tx_valid.eq(line.tx.valid),
            line.tx.ready.eq(self.tx_ready),
            line.sent.eq(1),
        ]
        return m


class PinsTop(wiring.Component):
    """A device on the two wires of a UART.

    Parameters
    ----------
    params, clock_hz, build:
        As in `Device`.
    cycles_per_bit:
        Rate of the UART after power-up.

    Members
    -------
    rx, tx:
        The wires to and from the device.
    """

    rx: Signal
    tx: Signal

    def __init__(self, params: CoreParams, clock_hz: int, build: str, cycles_per_bit: int) -> None:
        self.device = Device(params, clock_hz, build)
        self.cycles_per_bit = cycles_per_bit
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.device = self.device
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        m.submodules.rate = rate = BaudRate(self.cycles_per_bit, BAUD_TRIAL_CYCLES)
        line = self.device.line
        connect(m, receiver.data, line.rx)
        connect(m, line.tx, transmitter.data)
        m.d.comb += [
            receiver.pin.eq(self.rx),
            self.tx.eq(transmitter.pin),
            line.lost_stb.eq(receiver.overflow_stb),
            line.sent.eq(transmitter.idle),
            rate.change_stb.eq(line.rate_stb),
            rate.wanted.eq(line.rate),
            rate.good_frame_stb.eq(line.good_frame_stb),
            receiver.cycles_per_bit.eq(rate.cycles_per_bit),
            transmitter.cycles_per_bit.eq(rate.cycles_per_bit),
        ]
        return m
