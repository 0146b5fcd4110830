"""`ModelDevice`: a software device on the link whose core is the model."""

from __future__ import annotations

from collections.abc import Callable

from spiketwin.cosim.compilation import announced
from spiketwin.cosim.device.device import SoftwareDevice
from spiketwin.cosim.model.core import ModelCore
from spiketwin.cosim.model.queued import QueuedModel
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.host.plan import Plan


class ModelDevice(SoftwareDevice):
    """A device whose core is the model.

    Parameters
    ----------
    params:
        Sizes of its core.
    clock_hz:
        Clock frequency that it reports.
    """

    def __init__(self, params: CoreParams, clock_hz: int = DEFAULT_CLOCK_HZ) -> None:
        self._model = QueuedModel(params)
        super().__init__(self._model, clock_hz, "model")
        with announced("the model"):
            self._model.compile()

    @property
    def core(self) -> ModelCore:
        """The model behind the link; a power cycle replaces it."""
        return self._model.core

    def run_apart(self, plan: Plan, threads: int, report: Callable[[int], None]) -> bytes:
        """Call `QueuedModel.run_apart`; no run is under way, and no event is queued."""
        return self._model.run_apart(plan, threads, report)

    def fetch(self, words: int) -> bytes:
        """Call `QueuedModel.take_at_once`."""
        return self._model.take_at_once(words)

    def pass_ticks(self, ticks: int) -> None:
        """Call `QueuedModel.pass_ticks`, which shows what happens when the host does not read."""
        self._model.pass_ticks(ticks)
