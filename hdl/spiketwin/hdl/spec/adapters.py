"""USB ids of the chips between USB and UART, for the host and for the boards alike."""

from __future__ import annotations

from typing import Final

UsbId = tuple[int, int]
"""Vendor id and product id of a USB device."""

FT2232: Final[UsbId] = (0x0403, 0x6010)
FT231X: Final[UsbId] = (0x0403, 0x6015)
