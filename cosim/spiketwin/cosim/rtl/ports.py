"""What the harness of the core alone is told when it is compiled: what is shown, and its insides.

No port tells when a tick begins, whether the next one has room for its words, and how long it has
to wait; the harness looks at the registers and wires that do. Verilator keeps them as they are
called in the gateware (`spiketwin.hdl.gateware.core.core`).
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

_READ: Final = ("start_stb", "end_stb", "room", "on_grid")
_WRITTEN: Final = ("slack", "late")

_MODULE: Final = "CoreTop.core"
_HEADER: Final = "ports.h"
_SETTINGS: Final = "ports.vlt"


def status_of(params: CoreParams) -> tuple[str, ...]:
    """Ports of a core that are shown after every call, in order."""
    return (*_STATUS, *(c.name for c in SATURATIONS if params.saturation_counters))


def write_settings(params: CoreParams, folder: Path) -> list[Path]:
    """Write what compiling the harness of a core takes; returns the sources for Verilator."""
    shown = " ".join(f"X({name})" for name in status_of(params))
    inside = "CoreTop__DOT__core__DOT__##name"
    (folder / _HEADER).write_text(
        f"#define SPIKETWIN_STATUS(X) {shown}\n"
        f"#define SPIKETWIN_INSIDE(name) (top_->rootp->{inside})\n"
    )
    settings = folder / _SETTINGS
    lines = [
        f'{access} -module "{_MODULE}" -var "{name}"'
        for access, names in (("public_flat_rd", _READ), ("public_flat_rw", _WRITTEN))
        for name in names
    ]
    settings.write_text("\n".join(["`verilator_config", *lines, ""]))
    return [settings]
