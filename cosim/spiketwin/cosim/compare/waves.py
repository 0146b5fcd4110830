"""The signals of the simulated RTL around a difference, and a file that opens them in GTKWave."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.difference import Difference
from spiketwin.cosim.compare.subject import Playback, Subject
from spiketwin.cosim.rtl.build import Design
from spiketwin.cosim.serial.protocol_rtl import DesignSerial
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.variables import CHANGED_IN_TICKS
from spiketwin.host import Core
from spiketwin.host.addresses import parse
from spiketwin.host.link import Link
from spiketwin.host.paths import readable
from spiketwin.host.replacing import replacing

VIEW_SUFFIX: Final = ".gtkw"
"""Suffix of the save file, which is beside the file with the signals."""

_SCHEMES: Final = ("rtl", "rtl+pty")
"""Schemes of targets that have signals."""

_AROUND: Final = 1
"""Ticks written before the difference, and after it."""

_UNITS: Final = {v.name: v.writer for v in CHANGED_IN_TICKS} | {
    "update_cycle": "axons",
    "cycles": "axons",
    "digest": "digest",
}
"""The unit of the core that produces each field; `neurons` produces all others."""

_OF_THE_TICK: Final = {
    "controller": ("tick", "updating", "in_columns"),
    "blocks": ("group", "index", "block__word"),
}
"""Members of the core's units that show the phase of the tick."""


def can_have(url: str) -> bool:
    """Return whether a target has signals, which only the simulated RTL does."""
    return parse(url).kind.scheme in _SCHEMES


def save(path: Path, subject: Subject, case: Case, difference: Difference) -> None:
    """Write all signals of the ticks around a difference as VCD, and beside it a save file.

    The case is played once more on a core of the same sizes that is built with waves. A unit of
    time is half a cycle. The save file has the same name, with ``.gtkw`` for ``.vcd``, and shows
    the signals of the unit that produces the field, and the phase of the tick, around the end of
    the tick, which is marked.

    Parameters
    ----------
    path:
        The file, ``.vcd``.
    subject:
        A target for which `can_have` is true.
    case, difference:
        The case, and what differs in it.

    Raises
    ------
    SpiketwinError
        The core cannot be built, or as the methods of the core.
    OSError
        A file cannot be written.
    """
    tick = difference.tick or 0
    with TemporaryDirectory() as folder:
        written = Path(folder, "core.vcd")
        _play(written, subject, case, difference)
        unit = _UNITS.get(difference.field, "neurons")
        shown = 8 * schedule.update_cycles(subject.core.params)
        view = _save_file(written, path.name, unit, tick, shown)
        with written.open("rb") as signals, replacing(path) as file:
            shutil.copyfileobj(signals, file)
    with replacing(path.with_suffix(VIEW_SUFFIX)) as file:
        file.write(view.encode())


def _play(path: Path, subject: Subject, case: Case, difference: Difference) -> None:
    """Play a case on a core built for it, which writes the signals of the ticks to a file."""
    tick = difference.tick or 0
    port = DesignSerial(Design(params=subject.core.params, waves=True))
    with Core(Link(port)) as core:
        # Digests take no cycles, and if there are any, the difference may be in them alone.
        playback = Playback(core, case, digests=bool(core.params.digest_rounds))
        playback.to(max(0, tick - _AROUND))
        port.engine.open_waves(path)
        playback.to(min(case.ticks, tick + _AROUND + 1))
        port.engine.close_waves()


def _save_file(path: Path, name: str, unit: str, tick: int, shown_units: int) -> str:
    """Return a save file that makes GTKWave show the controller, and then the unit."""
    signals = list(_signals(path))
    of_core = [
        s
        for s in signals
        if s.scopes[-2:-1] == ["core"] and s.name in _OF_THE_TICK.get(s.scopes[-1], ())
    ]
    # Signals without a name in the gateware are called $1, $2 …
    of_unit = [s for s in signals if s.scopes[-2:] == ["core", unit] and s.name[0] != "$"]
    counter = next(s for s in of_core if s.name == "tick")
    end = _when(path, counter.code, tick + 1)
    lines = [
        f'[dumpfile] "{readable(name)}"',
        "[size] 1300 800",
        f"[timestart] {max(0, end - shown_units * 3 // 4)}",
        f"*{_ZOOM - math.log2(shown_units):.2f} {end}",
        "[sst_expanded] 1",
    ]
    for title, shown in (("core", of_core), (unit, of_unit)):
        lines += ["@200", f"-{title}", "@24"]
        lines += [".".join([*s.scopes, s.name]) + s.bits for s in shown]
    return "\n".join(lines) + "\n"


_ZOOM: Final = 1.8
"""GTKWave's zoom at which a single unit of time fills the window; found out by trial."""

_DECLARED: Final = re.compile(r"\$var\s+\S+\s+\d+\s+(\S+)\s+(\S+)\s*(\[\S+\])?\s+\$end")


class _Declared(NamedTuple):
    """A signal in a VCD file: its code, scopes around it, name, and range of bits, if any."""

    code: str
    scopes: list[str]
    name: str
    bits: str


def _signals(path: Path) -> Iterator[_Declared]:
    """Yield the signals that a VCD file declares."""
    scopes: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["$scope"]:
                scopes.append(words[2])
            elif words[:1] == ["$upscope"]:
                scopes.pop()
            elif found := _DECLARED.search(line):
                yield _Declared(found[1], list(scopes), found[2], found[3] or "")
            elif words[:1] == ["$enddefinitions"]:
                return


def _when(path: Path, code: str, number: int) -> int:
    """Return the time at which a signal takes a value; 0 if it never does."""
    now = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line[0] == "#":
                now = int(line[1:])
            elif line[0] == "b":
                value, changed = line[1:].split()
                if changed == code and int(value, 2) == number:
                    return now
    return 0
