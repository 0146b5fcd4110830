"""Cycles of a free-running core do not depend on when the host sends what comes later."""

import numpy as np

from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.protocol import Opcode
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.schedule import tick_cycles
from spiketwin.host import connect
from spiketwin.host.exchange import Request, arguments
from spiketwin.host.spikes import decode

TINY = preset("tiny")
TICKS = 20
TRIALS = 200


def test_an_event_that_arrives_early_costs_the_tick_under_way_nothing() -> None:
    """The event of a later tick reaches the empty queue at many different moments of a run."""
    words: list[bytes] = []
    with connect("rtl:", params=TINY) as core:
        core.reset()
        core.write_parameters(threshold=1)
        for trial in range(TRIALS):
            begin = 2 * TICKS * trial
            event = np.array([0, trial % TINY.n_axons], "<u2").tobytes()
            run = Request(Opcode.RUN, arguments(Opcode.RUN, TICKS))
            # Reading so many counters takes the link a different time in each trial.
            counters = 1 + trial % 12
            pause = arguments(Opcode.READ, Space.COUNTER, 0, counters)
            later = arguments(Opcode.EVENTS, begin + TICKS) + event
            fetch = arguments(Opcode.FETCH, 2 * TICKS, (1 << 32) - 1)
            core.link.run(
                [
                    run,
                    Request(Opcode.READ, pause, result_bytes=4 * counters),
                    Request(Opcode.EVENTS, later),
                    run,
                    *[
                        Request(Opcode.FETCH, fetch, result_bytes=8 * TICKS, cycles=100_000,
                                on_result=words.append)
                    ] * 2,
                ]
            )  # fmt: skip
    cycles = decode(
        np.frombuffer(b"".join(words), "<u4"), 2 * TICKS * TRIALS, TINY, digests=False
    ).cycles
    expected = np.full((TRIALS, 2 * TICKS), tick_cycles(TINY, 0, 0, False))
    expected[:, TICKS] = tick_cycles(TINY, 1, 0, False)
    np.testing.assert_array_equal(cycles.reshape(TRIALS, -1), expected)
