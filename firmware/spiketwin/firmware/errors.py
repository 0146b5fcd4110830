"""What a user of boards is told: errors of descriptions and of clocks."""

from __future__ import annotations

from spiketwin.hdl.spec.errors import SpiketwinError


class BoardError(SpiketwinError, ValueError):
    """No such board, or a description of one that no core can be built for."""

    exit_status = 2


class ClockError(SpiketwinError, ValueError):
    """A frequency that the PLL of a board cannot make, or of which its UART makes no rate."""

    exit_status = 2
