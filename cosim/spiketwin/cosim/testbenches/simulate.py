"""Run cocotb's runner as a program of its own, whose failure is contained.

Its output and that of the simulator go to standard output and error. The arguments of the runner's
``test`` are read as JSON from standard input, together with ``paths``: further folders from which
modules can be imported.
"""

import json
import sys

from cocotb_tools.runner import get_runner

if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    # The runner passes this path on to the simulator. The folders come last, so that no module in
    # them shadows one of the standard library.
    sys.path.extend(arguments.pop("paths"))
    try:
        get_runner("verilator").test(**arguments)
    except RuntimeError as error:
        # A program that the runner called has failed, and has printed why.
        sys.exit(str(error))
