"""Runs on the model's device, request by request: words, room, events, a fixed tick period."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.device_line import MAX_U32, TINY, Line, block, events, place, quiet, run, word

from spiketwin.cosim.model.core import ModelCore
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.protocol import (
    MAX_FETCH_WORDS,
    Opcode,
    Status,
    Word,
)
from spiketwin.hdl.spec.registers import (
    Space,
    registers,
)

# --- runs ----------------------------------------------------------------------------------------


def restless(line: Line) -> None:
    """Thresholds differ, so that groups fire in patterns; weights and learning are in use."""
    line.write(Space.THRESHOLD, 0, [3, 5, 7, 9, 4, 11, 2, 6])
    line.write(Space.BIAS, 0, [1, 2, 1, 3, 1, 2, 1, 1])
    line.write(Space.WEIGHT, 0, [(7 * k) % 11 - 5 for k in range(128)])
    line.write(Space.PLASTIC, 0, [1] * 128)
    settings = {"v_floor": -50, "i_syn_decay": 30000, "learn_pre": 1, "learn_post": 1,
                "stochastic": 1, "seed": 9, "w_min": -9, "w_max": 9, "post_gain": 700,
                "pre_offset": -20000, "trace_pre_bump": 20000}  # fmt: skip
    for name, value in settings.items():
        line.set(name, value)


def twin(line: Line) -> ModelCore:
    """A core with the content of the line's device, that was not asked through it."""
    core = ModelCore(TINY)
    for index, register in enumerate(registers(TINY)):
        raw = line.read(Space.REGISTER, index, 1)[0]
        core.register[register.name] = raw - (1 << 32) if register.signed and raw >> 31 else raw
    for space in (Space.THRESHOLD, Space.BIAS):
        getattr(core, space.name.lower())[:] = line.read(space, 0, 8)
    core.weight[...] = np.array(line.read(Space.WEIGHT, 0, 128)).reshape(16, 8)
    core.set_plastic(np.ones(128))
    return core


def expected_words(core: ModelCore, stimulus: list[tuple[int, int]], ticks: int) -> list[int]:
    words = []
    for tick in range(ticks):
        result = core.run([e for e in stimulus if e[0] == tick], 1)
        words.append(word(Word.UPDATE, int(result.update_cycles[0])))
        masks: dict[int, int] = {}
        for _, neuron in result.spikes.tolist():
            group, bit = divmod(neuron, TINY.neuron_lanes)
            masks[group] = masks.get(group, 0) | 1 << bit
        for group, mask in masks.items():
            cycle = schedule.spike_cycle(TINY, group * TINY.neuron_lanes)
            words.append(group << 20 | mask << 12 | cycle)
        words.append(word(Word.END, int(result.cycles[0])))
    return words


def test_no_run_waits_for_the_compiler() -> None:
    # In a process of its own, as here other tests have compiled already.
    program = """
import numpy as np
from spiketwin.cosim.model.kernels import run_ticks
from spiketwin.host import Network, connect
net = Network.random(8, 8, seed=5)
with connect("model://?params=tiny") as core:
    ready = len(run_ticks.signatures)
    core.program(net)
    core.run(np.argwhere(np.random.default_rng(5).random((9, 8)) < 0.5), 9)
    print(ready, len(run_ticks.signatures))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1"], done.stderr


def test_of_several_processes_that_need_a_function_one_compiles_it(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("""
import multiprocessing, time
from numba.core import event
from spiketwin.cosim.compilation import entry

@entry
def doubled(x):
    return 2 * x

class Slow(event.Listener):
    def on_start(self, _event):
        print("compiles", flush=True)
        time.sleep(2)

    def on_end(self, _event):
        pass

def work(x):
    with event.install_listener("numba:compile", Slow()):
        return doubled(x)

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(pool.map(work, [1, 2, 3], chunksize=1))
""")
    done = subprocess.run(
        [sys.executable, tmp_path / "one.py"], capture_output=True, text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["compiles", "[2, 4, 6]"], done.stderr


def test_a_run_puts_out_the_words_of_every_tick() -> None:
    line = Line()
    restless(line)
    core = twin(line)
    stimulus = [(tick, axon) for tick in range(0, 500, 3) for axon in (tick % 5, 5 + tick % 3)]
    for start in range(0, len(stimulus), 50):
        pairs = [(tick, axon) for tick, axon in stimulus[start : start + 50]]
        free = TINY.event_queue_depth - line.counters()["events_queued"]
        assert free >= len(pairs)
        line.ok(Opcode.EVENTS, events(0, *pairs))
        until = pairs[-1][0] + 1
        line.ok(Opcode.RUN, run(until - line.counters()["run_until"]))
        if start == 0:
            words = line.fetch_all()
        else:
            words += line.fetch_all()
    assert words == expected_words(core, stimulus, line.counters()["tick"])
    assert sum(w >> 31 == 0 for w in words) > 100
    assert line.read(Space.WEIGHT, 0, 128) == core.weight.reshape(-1).tolist()
    ends = [w & ((1 << 28) - 1) for w in words if w >> 28 == 8 | Word.END]
    assert line.counters()["cycles_low"] == sum(ends)


@given(sizes=st.lists(st.integers(1, MAX_FETCH_WORDS), min_size=1, max_size=8))
def test_how_words_are_fetched_changes_none_of_them(sizes: list[int]) -> None:
    line = Line()
    restless(line)
    core = twin(line)
    line.ok(Opcode.RUN, run(200))
    words: list[int] = []
    wanted = expected_words(core, [], 200)
    for turn in range(len(wanted)):
        words += (more := line.fetch(sizes[turn % len(sizes)]))
        if not more:
            break
    assert words == wanted


def test_a_full_queue_stalls_the_run_and_loses_nothing() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(1000))
    most, depth = TINY.max_words_per_tick, TINY.spike_queue_depth
    counters = line.counters()
    assert depth - most < counters["words_queued"] <= depth
    ticks = counters["words_queued"] // 2
    assert counters["tick"] == ticks < counters["run_until"] == 1000
    line.fetch(10)
    assert line.counters()["tick"] == ticks + 5
    assert len(line.fetch_all()) == 2000 - 10
    assert line.counters()["tick"] == 1000


def test_while_a_run_is_under_way_only_registers_and_counters_are_read() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(1000))
    tick = line.counters()["tick"]
    line.ok(Opcode.READ, block(Space.REGISTER, 0, 1))
    for space in (Space.V, Space.WEIGHT, Space.PENDING):
        assert line.refused(Opcode.READ, block(space, 0, 0)) == (Status.BUSY, tick)
        assert line.refused(Opcode.WRITE, place(space, 0)) == (Status.BUSY, tick)
    assert line.refused(Opcode.WRITE, place(Space.REGISTER, 0)) == (Status.BUSY, tick)
    assert line.refused(Opcode.WRITE, place(Space.COUNTER, 0))[0] is Status.READ_ONLY
    assert line.refused(Opcode.CLEAR, b"\xff") == (Status.BUSY, tick)
    line.fetch_all()
    line.ok(Opcode.READ, block(Space.V, 0, 1))


def test_stop_ends_a_run_and_keeps_its_words() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(1000))
    tick = line.counters()["tick"]
    assert int.from_bytes(line.ok(Opcode.STOP), "little") == tick
    assert line.counters()["run_until"] == tick
    assert len(line.fetch_all()) == 2 * tick
    line.ok(Opcode.RUN, run(1))
    assert line.counters()["tick"] == tick + 1


def test_reset_ends_a_run() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(1000))
    line.ok(Opcode.RESET)
    assert line.fetch() == []
    line.ok(Opcode.READ, block(Space.V, 0, 1))


def test_runs_follow_each_other() -> None:
    line = Line()
    quiet(line)
    for _ in range(3):
        line.ok(Opcode.RUN, run(7))
    assert line.counters()["run_until"] == 21
    assert len(line.fetch_all()) == 42


def test_run_until_stays_below_2_to_the_32() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(MAX_U32 - 1))
    assert line.refused(Opcode.RUN, run(2)) == (Status.BAD_VALUE, 0)
    line.ok(Opcode.RUN, run(1))
    assert line.counters()["run_until"] == MAX_U32


# --- events --------------------------------------------------------------------------------------


def test_events_are_taken_in_their_tick() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.EVENTS, events(2, (0, 1), (0, 7), (3, 0)))
    assert line.counters()["events_queued"] == 3
    line.ok(Opcode.RUN, run(3))
    assert line.counters()["events_queued"] == 1
    line.ok(Opcode.RUN, run(3))
    assert line.counters()["events_queued"] == 0
    begins = [w & 0xFFFF for w in line.fetch_all()[::2]]
    assert begins == [
        schedule.deliver_cycles(TINY, n * TINY.row_groups) for n in (0, 0, 2, 0, 0, 1)
    ]


def test_events_ascend_from_one_request_to_the_next() -> None:
    line = Line()
    line.ok(Opcode.EVENTS, events(5, (0, 3)))
    for early in (events(5, (0, 2)), events(4, (0, 7))):
        assert line.refused(Opcode.EVENTS, early) == (Status.BAD_ORDER, 0)
    line.ok(Opcode.EVENTS, events(5))  # none at all
    line.ok(Opcode.EVENTS, events(5, (0, 3), (0, 3), (0, 4)))
    assert line.counters()["events_queued"] == 4
    line.ok(Opcode.RESET)
    line.ok(Opcode.EVENTS, events(0, (0, 0)))


def test_an_event_of_a_tick_that_a_run_covers_is_late() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(1000))
    assert line.refused(Opcode.EVENTS, events(999, (0, 0), (1, 0))) == (Status.LATE, 0)
    line.ok(Opcode.EVENTS, events(1000, (0, 0)))


def test_a_full_event_queue_refuses_the_whole_request() -> None:
    line = Line()
    depth = TINY.event_queue_depth
    line.ok(Opcode.EVENTS, events(0, *((k, 0) for k in range(depth // 2))))
    line.ok(Opcode.EVENTS, events(0, *((k, 0) for k in range(depth // 2, depth - 2))))
    three = [(depth, 0), (depth, 1), (depth, 99)]
    assert line.refused(Opcode.EVENTS, events(0, *three)) == (Status.QUEUE_FULL, 2)
    line.ok(Opcode.EVENTS, events(0, *three[:2]))
    assert line.refused(Opcode.EVENTS, events(0, (depth, 2))) == (Status.QUEUE_FULL, 0)


# --- a fixed tick period -------------------------------------------------------------------------


def test_ticks_longer_than_the_period_miss_deadlines() -> None:
    line = Line()
    quiet(line)
    idle = schedule.tick_cycles(TINY, 0, 0, False)
    busy = schedule.tick_cycles(TINY, 8, 0, False)
    line.set("tick_period", idle + 10)
    # Three busy ticks: the one after the first is late, and then all until the lag is made up for.
    line.ok(Opcode.EVENTS, events(0, *((t, axon) for t in range(3) for axon in range(8))))
    line.ok(Opcode.RUN, run(40))
    line.fetch_all()
    lag, missed = 0, 0
    for tick in range(40):
        missed += lag > 0
        lag = max(0, lag + (busy if tick < 3 else idle) - (idle + 10))
    assert 3 < missed < 39
    assert line.counters()["missed_deadlines"] == missed


def test_a_period_that_is_just_enough_misses_nothing() -> None:
    line = Line()
    quiet(line)
    line.set("tick_period", schedule.tick_cycles(TINY, 0, 0, False))
    line.ok(Opcode.RUN, run(20))
    assert line.counters()["missed_deadlines"] == 0
    line.set("tick_period", schedule.tick_cycles(TINY, 0, 0, False) - 1)
    line.ok(Opcode.RUN, run(20))
    assert line.counters()["missed_deadlines"] == 19


def test_missed_deadlines_do_not_depend_on_how_a_run_is_cut() -> None:
    missed = []
    for cuts in ([40], [1] * 40, [7, 33]):
        line = Line()
        quiet(line)
        line.set("tick_period", schedule.tick_cycles(TINY, 0, 0, False) + 10)
        line.ok(Opcode.EVENTS, events(0, *((t, axon) for t in range(3) for axon in range(8))))
        for ticks in cuts:
            line.ok(Opcode.RUN, run(ticks))
            line.fetch_all()
        missed.append(line.counters()["missed_deadlines"])
    assert missed[0] > 3
    assert missed == missed[:1] * 3


def test_late_events_are_dropped_and_counted() -> None:
    line = Line()
    quiet(line)
    line.set("tick_period", 1000)
    line.ok(Opcode.RUN, run(10))
    line.ok(Opcode.EVENTS, events(7, (0, 0), (2, 1), (3, 2)))
    counters = line.counters()
    assert (counters["late_events"], counters["events_queued"]) == (2, 1)
    assert line.refused(Opcode.EVENTS, events(7, (0, 0))) == (Status.BAD_ORDER, 0)


def test_ticks_without_room_are_muted_and_reported_before_the_next_words() -> None:
    line = Line()
    quiet(line)
    line.set("tick_period", 1000)
    line.ok(Opcode.RUN, run(500))
    heard = line.counters()["tick"]
    line.device.pass_ticks(100)
    counters = line.counters()
    assert (counters["tick"], counters["muted_ticks"]) == (heard + 100, 100)
    words = line.fetch_all()
    assert len(words) == 2 * 400 + 1
    assert words[2 * heard] == word(Word.MUTED, 100)
    assert words.count(word(Word.MUTED, 100)) == 1
    assert line.counters()["tick"] == 500


@pytest.mark.parametrize("taken", range(30, 50))
def test_a_tick_begins_only_if_there_is_room_for_its_most_words(taken: int) -> None:
    line = Line()
    quiet(line)
    line.write(Space.THRESHOLD, 0, [0])  # one group fires: three words a tick
    line.set("tick_period", 1000)
    line.ok(Opcode.RUN, run(10_000))
    line.device.pass_ticks(100)
    queued = line.counters()["words_queued"] - taken
    line.fetch(taken)
    queued += 1  # the word for muted ticks, among those of the next tick
    first = True
    while queued - first + TINY.max_words_per_tick <= TINY.spike_queue_depth:
        queued += 3
        first = False
    assert line.counters()["words_queued"] == queued


def test_muted_ticks_at_the_end_of_a_run_are_reported_once_there_is_room() -> None:
    line = Line()
    quiet(line)
    line.set("tick_period", 1000)
    line.ok(Opcode.RUN, run(500))
    line.device.pass_ticks(1000)
    heard = 500 - line.counters()["muted_ticks"]
    assert line.counters()["tick"] == 500
    words = line.fetch_all()
    assert len(words) == 2 * heard + 1
    assert words[-1] == word(Word.MUTED, 500 - heard)
    assert line.fetch() == []


def test_time_does_not_pass_for_a_free_running_core() -> None:
    line = Line()
    quiet(line)
    line.ok(Opcode.RUN, run(500))
    line.device.pass_ticks(1000)
    assert line.counters()["muted_ticks"] == 0
    assert len(line.fetch_all()) == 1000
