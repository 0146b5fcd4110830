"""What the first use of a target costs on a machine, where nothing is compiled or built yet."""

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
    """Seconds of importing the host, connecting to a target and running one tick of it.

    It happens in a process of its own, which keeps what it makes in a folder that is empty before.

    Parameters
    ----------
    url, sizes:
        As for `spiketwin.host.connect`.

    Raises
    ------
    TargetError
        It did not work.
    """
    with tempfile.TemporaryDirectory() as folder:
        said, kept = Path(folder) / "seconds", f"{folder}/kept"
        try:
            with said.open("wb") as output:
                builds.run_tool(
                    f"first use of {url}",
                    [sys.executable, "-c", _PROGRAM, url, sizes, kept],
                    Path(folder) / "log",
                    environment={"NUMBA_CACHE_DIR": kept},
                    output=output,
                )
        except builds.BuildError as error:
            raise TargetError(str(error)) from error
        return float(said.read_text(encoding="ascii"))
