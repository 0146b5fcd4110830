"""A table of variables in which profiles hold what are registers so far."""

from dataclasses import replace

import pytest

from spiketwin.hdl.spec import registers
from spiketwin.hdl.spec.variables import Per

HELD = ("v_decay", "v_floor", "reset_subtract", "theta_bump")
"""Registers that a profile holds here: of all kinds of ranges."""


def let_profiles_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make columns of the table of profiles of some registers, in cores with profiles."""
    changed = (replace(r, per=Per.PROFILE) if r.name in HELD else r for r in registers.REGISTERS)
    monkeypatch.setattr(registers, "REGISTERS", tuple(changed))
