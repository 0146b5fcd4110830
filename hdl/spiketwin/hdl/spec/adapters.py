"""The chips between USB and a UART that the two ends have to know by the same numbers."""

from __future__ import annotations

from typing import Final

UsbId = tuple[int, int]
"""Vendor and product of a USB device."""

FT2232: Final[UsbId] = (0x0403, 0x6010)
FT231X: Final[UsbId] = (0x0403, 0x6015)
