"""Which Yosys Amaranth writes Verilog with."""

from __future__ import annotations

import os


def use_own_yosys() -> None:
    """Have Amaranth write Verilog with the Yosys that comes with it, whatever else is installed.

    It prefers one of the system, whose version no cache key names.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
