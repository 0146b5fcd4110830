"""The levels at which a core is connected, and the top of the design for each."""

from __future__ import annotations

from typing import Final, Literal, get_args

Top = Literal["CoreTop", "BytesTop", "PinsTop"]

TOPS: Final[tuple[Top, ...]] = get_args(Top)
"""The tops of the design, the smallest first."""

TOP_OF: Final[dict[str, Top]] = {"core": "CoreTop", "bytes": "BytesTop", "pins": "PinsTop"}
"""The top of each level: the core alone, a device at the bytes of its link, and at its wires."""
