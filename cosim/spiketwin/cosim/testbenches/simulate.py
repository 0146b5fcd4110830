"""Have cocotb's runner do one thing, as a program of its own, which may end as it likes.

What it says, and what the simulator does, goes where standard output and error go. Takes ``build``
or ``test``, and reads the arguments of that method as JSON, beside ``paths``: folders whose modules
can be imported, too.
"""

import json
import sys

from cocotb_tools.runner import get_runner

if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    # The runner hands this path on to the simulator. Last, so that a module in these folders that
    # is called as one of the standard library does not take its place.
    sys.path.extend(arguments.pop("paths"))
    try:
        getattr(get_runner("verilator"), sys.argv[1])(**arguments)
    except RuntimeError as error:
        # A program that it called has failed, and has said why.
        sys.exit(str(error))
