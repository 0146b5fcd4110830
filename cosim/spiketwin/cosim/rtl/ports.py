"""What the harness of the core alone is told when it is compiled: what is shown, and its insides.

No port of the core tells when a tick begins, whether the next one has room for its words, and how
long it has to wait; the harness looks at the members of the core's units that do, where Verilator
keeps them.
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
"""What the harness reads, and what it writes too, each with the unit that has it: members of
`controller.Controller`, `reports.Reports` and `tick_timer.TickTimer`, and the register `slack` of
the last one, of the gateware's core."""

_HEADER: Final = "ports.h"
_SETTINGS: Final = "ports.vlt"


def status_of(params: CoreParams) -> tuple[str, ...]:
    """Ports of a core that are shown after every call, in order."""
    return (*_STATUS, *(c.name for c in SATURATIONS if params.saturation_counters))


def write_settings(params: CoreParams, folder: Path) -> list[Path]:
    """Write what compiling the harness of a core takes; returns the sources for Verilator."""
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
