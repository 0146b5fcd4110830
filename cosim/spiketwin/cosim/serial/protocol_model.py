"""``model://``: the model answers, in this process.

``model://?params=full&clock=100000000``: `params` is a reference size, or one and what differs
from it (``full,lanes=4``), `clock` the frequency that the device reports, in hertz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from spiketwin.cosim.device.port import DevicePort
from spiketwin.cosim.model.device import ModelDevice
from spiketwin.cosim.serial import target_url
from spiketwin.cosim.serial.inprocess import InProcessSerial
from spiketwin.host.plan import Plan


class ModelPort(DevicePort):
    """A `ModelDevice` as what a port needs."""

    def __init__(self, device: ModelDevice) -> None:
        super().__init__(device)
        self.model = device


class Serial(InProcessSerial):
    """Port of the model, opened with ``serial.serial_for_url("model://…")``."""

    def make_device(self, url: str) -> ModelPort:
        """Make the device that `url` describes; `TargetUrlError` if it describes none."""
        given = target_url.options(url, {"params", "clock"})
        params = target_url.core_params(given.get("params", target_url.DEFAULT_PARAMS))
        clock_hz = target_url.clock_hz(given.get("clock", target_url.DEFAULT_CLOCK))
        return ModelPort(ModelDevice(params, clock_hz))

    def run_apart(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Carry out runs on several threads (`spiketwin.host.link.RunApart`)."""
        return cast(ModelPort, self.device).model.run_apart(plan, threads, report)

    def saturations(self) -> dict[str, int]:
        """Counters of what saturated, which the model has whether or not its core is to have them.

        They are no part of what it answers, which is that of any core of these sizes.
        """
        return cast(ModelPort, self.device).model.core.saturations
