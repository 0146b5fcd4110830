"""Work that is spread over processes: who does it, who dies of it, and what becomes of a task."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count

import pytest

from spiketwin.cosim.workers import child
from spiketwin.cosim.workers.crew import GivenUp, WorkersLost, WorkFailed
from spiketwin.cosim.workers.processes import Processes
from spiketwin.cosim.workers.workforce import Workforce


class Square:
    """A work that is pickled as this class of this module, which a process cannot import."""

    def __reduce__(self) -> tuple[object, ...]:
        return (eval, (SQUARE,))

    def __call__(self, task: int) -> object:
        raise AssertionError("it is not done here")


SQUARE = """(lambda os, time: lambda n: (
    print("heard of", n), n == 3 and os._exit(7), n == 4 and os.kill(os.getpid(), 9),
    n == 5 and time.sleep(99), n == 6 and 1 / 0, b"x" * 300_000 if n == 8 else n * n,
)[-1])(__import__("os"), __import__("time"))"""


@pytest.fixture(scope="module")
def crew() -> Iterator[Processes[int, object]]:
    with Processes[int, object](Square(), 2) as found:
        yield found


def test_every_task_has_its_answer_and_those_that_end_their_process_are_given_up(
    crew: Processes[int, object],
) -> None:
    assert dict(crew.run([0, 1, 2, 3, 4, 7, 8, 9])) == {
        0: 0, 1: 1, 2: 4, 5: 49, 6: b"x" * 300_000, 7: 81,
        3: GivenUp(3, "ended with status 7"), 4: GivenUp(3, "was killed by signal 9"),
    }  # fmt: skip
    assert str(GivenUp(3, "ended with status 7")) == (
        "ended its process, 3 times; the last one ended with status 7"
    )
    assert str(GivenUp(1, "was killed")) == "ended its process; the last one was killed"


def test_tasks_are_taken_as_they_are_needed(crew: Processes[int, object]) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in count(10):
            taken.append(number)
            yield number

    done = crew.run(tasks())
    places = [next(done)[0] for _ in range(6)]
    assert len(set(places)) == 6
    assert len(taken) <= 6 + 2
    done.close()
    assert list(crew.run([])) == []


def test_an_exception_of_the_work_is_said_with_its_task(crew: Processes[int, object]) -> None:
    with pytest.raises(WorkFailed, match=r"6: ZeroDivisionError: division by zero \(<string>, li"):
        list(crew.run([6]))
    assert list(crew.run([2])) == [(0, 4)]


def test_a_task_that_takes_too_long_is_ended(crew: Processes[int, object]) -> None:
    begin = time.monotonic()
    with Processes[int, object](Square(), 1, deaths=1, seconds=0.5) as brief:
        (first, second) = brief.run([5, 2])
    assert first == (0, GivenUp(1, "was ended, as it took longer than 0.5 s"))
    assert second == (1, 4)
    assert time.monotonic() - begin < 60


def test_who_cannot_begin_is_lost() -> None:
    class Nothing:
        def __reduce__(self) -> tuple[object, ...]:
            return (eval, ("1 / 0",))

        def __call__(self, task: int) -> int:
            return task

    with (
        pytest.raises(WorkersLost, match="the last one ended with status 1"),
        Processes(Nothing(), 1) as lost,
    ):
        list(lost.run([1]))


def test_one_process_may_be_that_of_the_call() -> None:
    with Workforce(1).at_work(os.getpgid, may_be_here=True) as here:
        assert list(here.run([0])) == [(0, os.getpgid(0))]
    with Workforce(1).at_work(os.getpgid) as apart:
        ((_, group),) = apart.run([0])
        assert group != os.getpgid(0)


def test_the_processes_end_with_the_one_that_began_them() -> None:
    program = (
        "import os, sys, time\n"
        "from spiketwin.cosim.workers.processes import Processes\n"
        "with Processes(os.getpgid, 1) as crew:\n"
        "    print(next(crew.run([0]))[1], flush=True)\n"
        "    time.sleep(99)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_how_a_process_ended_is_said() -> None:
    assert child.how_ended(-11) == "was killed by signal 11"
    assert child.how_ended(3) == "ended with status 3"
