"""The time of a target's first use on a machine with nothing compiled or built yet."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from spiketwin.hdl import builds
from spiketwin.host.errors import TargetError

_PROGRAM: Final = """\
import sys, time
from pathlib import Path
from spiketwin.hdl import builds
builds.roots = lambda: [Path(sys.argv[3])]
begin = time.perf_counter()
from spiketwin.host import connect
with connect(sys.argv[1], params=sys.argv[2]) as core:
    core.run([], ticks=1)
print(time.perf_counter() - begin)
"""


def seconds_to_first_tick(url: str, sizes: str) -> float:
    """Return the seconds of importing the host, connecting and running one tick.

    This takes place in a process of its own, whose caches are in a new, empty folder.

    Parameters
    ----------
    url, sizes:
        Target and sizes, as for `spiketwin.host.connect`.

    Raises
    ------
    TargetError
        The process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed, kept = Path(folder) / "seconds", f"{folder}/kept"
        try:
            with printed.open("wb") as output:
                builds.run_tool(
                    f"first use of {url}",
                    [sys.executable, "-c", _PROGRAM, url, sizes, kept],
                    Path(folder) / "log",
                    environment={"NUMBA_CACHE_DIR": kept},
                    output=output,
                )
        except builds.BuildError as error:
            raise TargetError(str(error)) from error
        return float(printed.read_text(encoding="ascii"))
