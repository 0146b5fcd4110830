"""The errors in the descriptions of boards and in their clocks."""

from __future__ import annotations

from spiketwin.hdl.spec.errors import SpiketwinError


class BoardError(SpiketwinError, ValueError):
    """No such board, or a description of one that no core can be built for."""

    exit_status = 2


class ClockError(SpiketwinError, ValueError):
    """A frequency that the PLL of a board cannot make, or from which its UART makes no rate."""

    exit_status = 2
