"""Settings of the core's harness: the ports that it reports, and the signals inside the core.

No port of the core shows when a tick begins, whether there is room for the words of the next one,
and how long that has to wait. The harness therefore reads signals of the core's units, at the
places where Verilator keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import SATURATIONS

_STATUS: Final = (
    "tick", "run_until", "real_time", "event_level", "word_level", "pending_groups", "cycles",
    "missed_deadlines", "late_events", "muted_ticks",
)  # fmt: skip

_READ: Final = {
    "start_stb": "controller", "end_stb": "controller", "room": "reports", "on_grid": "timer",
}  # fmt: skip
_WRITTEN: Final = {"slack": "timer", "late": "timer"}
"""Signals that the harness reads, and those that it writes too, each with the unit that has it:
members of `controller.Controller`, `reports.Reports` and `tick_timer.TickTimer` in the gateware's
core, and the register `slack` of the last one."""

_HEADER: Final = "ports.h"
_SETTINGS: Final = "ports.vlt"


def status_of(params: CoreParams) -> tuple[str, ...]:
    """Return the ports of a core that the harness reports after every call, in order."""
    return (*_STATUS, *(c.name for c in SATURATIONS if params.saturation_counters))


def write_settings(params: CoreParams, folder: Path) -> list[Path]:
    """Write the files that compiling a core's harness takes; return the sources for Verilator."""
    shown = " ".join(f"X({name})" for name in status_of(params))
    defined = [f"SPIKETWIN_STATUS(X) {shown}"]
    for name, unit in (_READ | _WRITTEN).items():
        place = f"CoreTop__DOT__core__DOT__{unit}__DOT__{name}"
        defined.append(f"SPIKETWIN_{name.upper()} (top_->rootp->{place})")
    (folder / _HEADER).write_text("".join(f"#define {line}\n" for line in defined))
    settings = folder / _SETTINGS
    lines = [
        f'{access} -module "CoreTop.core.{unit}" -var "{name}"'
        for access, members in (("public_flat_rd", _READ), ("public_flat_rw", _WRITTEN))
        for name, unit in members.items()
    ]
    settings.write_text("\n".join(["`verilator_config", *lines, ""]))
    return [settings]
