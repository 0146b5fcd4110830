"""Serve one design on a pseudo-terminal, as a program of its own.

The program takes the fields of a `Design` as JSON and the descriptor of the file of a `Meter`,
prints the terminal's path, and ends when its standard input is closed, which also happens when the
parent process dies.
"""

import json
import sys

from spiketwin.cosim.rtl.emulator import serve
from spiketwin.cosim.rtl.engine import Engine
from spiketwin.cosim.rtl.meter import Meter
from spiketwin.hdl.spec.params import CoreParams

if __name__ == "__main__":
    fields = json.loads(sys.argv[1])
    with Engine(CoreParams(**fields.pop("params")), fields.pop("level"), **fields) as engine:
        serve(
            engine,
            lambda path: print(path, flush=True),
            until_eof=sys.stdin.fileno(),
            meter=Meter(int(sys.argv[2])),
        )
