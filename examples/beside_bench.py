"""Tests of a design with a core in it, at the pins of the design: beside.v, or that of beside.py.

::

    spiketwin testbench examples/beside_bench.py --top beside \
        --source examples/beside.v --source small.v --source large.v
"""

from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.cosim.testbenches.link_driver import PinsDriver
from spiketwin.cosim.testbenches.requests import framed
from spiketwin.hdl.spec.protocol import Opcode

HOLD = 20_000

bench = Benches(PinsDriver)


@bench
async def the_core_answers_and_the_light_is_on(link: PinsDriver) -> None:
    """The light goes on with the first byte, and off when there was none for a while."""
    light = link.dut.light
    link.scoreboard.check("light before", int(light.value), 0)
    await link.ask(framed(link.requests.body(Opcode.IDENTIFY)))  # compared with the model
    link.scoreboard.check("light after", int(light.value), 1)
    await link.cycles(HOLD + 10 * link.byte_cycles)
    link.scoreboard.check("light in the end", int(light.value), 0)
