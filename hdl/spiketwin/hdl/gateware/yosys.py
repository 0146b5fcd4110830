"""The choice of the Yosys with which Amaranth writes Verilog."""

from __future__ import annotations

import os


def use_own_yosys() -> None:
    """Make Amaranth write Verilog with the Yosys of its own package, whatever else is installed.

    By default it prefers a Yosys of the system, whose version is not in the keys of the caches.
    """
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
