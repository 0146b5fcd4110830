"""Write the Verilog of one design, as a program of its own.

Amaranth and its Yosys take hundreds of megabytes, which a process that goes on to simulate for
hours need not keep: reads the arguments of `emit.verilog` as JSON, writes the Verilog.
"""

import json
import sys

from spiketwin.hdl.gateware.emit import verilog
from spiketwin.hdl.spec.params import CoreParams

if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    arguments["params"] = CoreParams(**arguments["params"])
    sys.stdout.write(verilog(**arguments))
