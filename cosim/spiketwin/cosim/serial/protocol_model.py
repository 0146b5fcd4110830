"""``model:``: a target in this process whose core is the model.

``model://?params=full&clock=100000000``: `params` is a reference size, with changes if need be
(``full,lanes=4``), `clock` the frequency that the device reports, in hertz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from spiketwin.cosim.device.port import DevicePort
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.serial import MODEL
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.cosim.serial.sizes import clock_hz, core_params
from spiketwin.host.kinds import Target
from spiketwin.host.plan import Plan
from spiketwin.host.transport import Transport


class ModelPort(DevicePort):
    """A `ModelDevice` as bytes that go in and come out."""

    def __init__(self, device: ModelDevice) -> None:
        super().__init__(device)
        self.model = device


class Serial(InProcessSerial):
    """Port of the model, opened with ``serial.serial_for_url("model://…")``."""

    kind = MODEL

    def make_device(self, target: Target) -> ModelPort:
        """Make the device that a target means; raise `TargetError` if there is no such device."""
        return ModelPort(ModelDevice(core_params(target), clock_hz(target)))

    def run_apart(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Carry out runs on several threads (`spiketwin.host.transport.RunApart`)."""
        return cast(ModelPort, self.device).model.run_apart(plan, threads, report)

    def fetch(self, words: int) -> bytes:
        """Fetch output words without requests (`spiketwin.host.transport.Transport.fetch`)."""
        return cast(ModelPort, self.device).model.fetch(words)

    def saturations(self) -> dict[str, int]:
        """Return the saturation counts, which the model keeps whether or not its core has them.

        No answer on the link shows them: the answers are those of any core of these sizes.
        """
        return cast(ModelPort, self.device).model.core.saturations


def open_target(target: Target) -> Transport:
    """Open the model."""
    return Serial.of(target)
