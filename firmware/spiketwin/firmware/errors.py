"""Errors in the descriptions of boards, and in clocks that are asked of them."""

from __future__ import annotations

from spiketwin.hdl.spec.errors import SpiketwinError


class BoardError(SpiketwinError, ValueError):
    """There is no such board, or no core can be built for it as it is described."""

    exit_status = 2


class ClockError(SpiketwinError, ValueError):
    """The PLL of a board cannot make a frequency, or its UART no rate from that frequency."""

    exit_status = 2
