"""Write one design as Verilog or as RTLIL, as a program of its own.

Amaranth and its Yosys take hundreds of megabytes, which a process that goes on to simulate for
hours need not keep. The program's argument is ``verilog`` or ``rtlil``; it reads the arguments of
that function of `emit` as JSON from standard input, and writes the text to standard output.
"""

import gc
import json
import sys

from spiketwin.hdl.gateware import emit
from spiketwin.hdl.spec.params import CoreParams

if __name__ == "__main__":
    # A design consists of very many objects, all needed until the end: collecting is wasted time.
    gc.disable()
    write = {"verilog": emit.verilog, "rtlil": emit.rtlil}[sys.argv[1]]
    arguments = json.load(sys.stdin)
    arguments["params"] = CoreParams(**arguments["params"])
    sys.stdout.write(write(**arguments))
