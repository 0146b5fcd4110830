"""The same core behind a terminal device and behind a socket, as a program of its own would be."""

import errno
import grp
import os
import select
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial
from serial.urlhandler import protocol_socket

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, connect
from spiketwin.host.errors import CoreClosed, DoesNotFit, LinkLost, LinkTimeout, TargetError
from spiketwin.host.sockets import SocketTransport

WAIT = 60.0
LATE = 1.2
"""Seconds for an answer, which are more than a board has for one in all."""


class Served:
    """A model behind a file descriptor, until it is stopped or the other side goes away."""

    def __init__(self, descriptor: int, late: float = 0.0) -> None:
        self.device = ModelDevice(preset("tiny"))
        self.late = late
        """Seconds that every answer takes."""
        self._descriptor = descriptor
        self._wake, self._stop = os.pipe()
        self._open = [descriptor, self._wake, self._stop]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def vanish(self) -> None:
        """End the device and close its end of the line; once is enough."""
        if self._thread.is_alive():
            os.write(self._stop, b"x")
            self._thread.join(WAIT)
            assert not self._thread.is_alive()
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._descriptor, self._wake], [], [], WAIT)
            if self._descriptor not in ready:
                return
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:
                return
            if not data:
                return
            self.device.receive(data)
            select.select([self._wake], [], [], self.late)
            while answer := self.device.drain(4096):
                os.write(self._descriptor, answer)


@pytest.fixture
def terminal() -> Iterator[tuple[str, Served]]:
    host, device = os.openpty()
    tty.setraw(device)
    served = Served(host)
    yield os.ttyname(device), served
    served.vanish()
    os.close(device)


def _session(url: str) -> None:
    net = Network.random(8, 8, seed=1)
    with connect(url, params="tiny") as core:
        core.program(net)
        assert np.array_equal(core.read_weights(), net.weights)
        assert core.run([(0, 1), (2, 3)], 20).cycles.shape == (20,)


def test_a_core_behind_a_terminal_is_connected_to_again_and_again(
    terminal: tuple[str, Served],
) -> None:
    path, _ = terminal
    _session(path)
    _session(path)


def test_a_terminal_belongs_to_one_program_at_a_time(terminal: tuple[str, Served]) -> None:
    path, _ = terminal
    with connect(path), pytest.raises(TargetError, match="another program has it open"):
        connect(path)


def test_a_second_program_leaves_the_line_of_the_first_as_it_is() -> None:
    host, device = os.openpty()
    tty.setraw(device)
    with serial.Serial(os.ttyname(device), 9600, exclusive=True, timeout=WAIT) as first:
        os.write(host, b"under way")
        before = termios.tcgetattr(first.fileno())
        for url in (os.ttyname(device), f"alt://{os.ttyname(device)}?class=PosixPollSerial"):
            with pytest.raises(TargetError, match="another program has it open"):
                connect(url)
        assert termios.tcgetattr(first.fileno()) == before
        assert first.read(9) == b"under way"
    os.close(device)
    os.close(host)


def denied(*_: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("mode", "told"),
    [(0o660, "Run: sudo usermod -aG {group} "), (0o600, "It is for the user {owner} alone$")],
)
def test_a_port_without_permission_tells_who_may_open_it(
    terminal: tuple[str, Served], monkeypatch: pytest.MonkeyPatch, mode: int, told: str
) -> None:
    path = Path(terminal[0])
    if os.getuid() == 0:
        os.chown(path, -1, grp.getgrnam("nogroup").gr_gid)
    path.chmod(mode)
    monkeypatch.setattr("os.open", denied)
    told = told.format(group=path.group(), owner=path.owner())
    with pytest.raises(TargetError, match=f"Permission denied. {told}"):
        connect(str(path))


def test_no_group_is_advised_where_no_device_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "port"
    file.touch(0o660)
    monkeypatch.setattr("os.open", denied)
    with pytest.raises(TargetError, match="Permission denied$"):
        connect(str(file))

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/builds/of/another")

    monkeypatch.setattr("spiketwin.cosim.serial.protocol_model.ModelDevice", refused)
    with pytest.raises(TargetError, match="^model:.* /builds/of/another: Permission denied$"):
        connect("model:")


def test_a_terminal_whose_program_has_little_time_is_waited_for(
    terminal: tuple[str, Served],
) -> None:
    path, served = terminal
    served.late = LATE
    with connect(path) as core:
        assert core.params == preset("tiny")


def test_a_socket_whose_program_has_little_time_is_waited_for() -> None:
    with _listening(late=LATE) as url, connect(url) as core:
        assert core.params == preset("tiny")


def test_a_core_that_was_closed_says_so(terminal: tuple[str, Served]) -> None:
    core = connect(terminal[0])
    core.close()
    core.close()
    with pytest.raises(CoreClosed, match="the core was closed"):
        core.read_weights()


def test_a_device_of_other_sizes_than_asked_for_is_refused(
    terminal: tuple[str, Served],
) -> None:
    path, _ = terminal
    told = f"^{path}: the device differs from the params asked for in n_axons, n_neurons"
    with pytest.raises(DoesNotFit, match=told):
        connect(path, params="full")
    _session(path)


def test_a_terminal_whose_other_end_closes_is_lost(terminal: tuple[str, Served]) -> None:
    path, served = terminal
    with connect(path) as core:
        served.vanish()
        with pytest.raises(LinkLost, match="Input/output error.*emulator has ended"):
            core.read_weights()


def test_a_terminal_behind_which_nobody_answers_times_out() -> None:
    host, device = os.openpty()
    tty.setraw(device)
    with pytest.raises(LinkTimeout, match="IDENTIFY in 1 tries: .*`spiketwin emulate`.*--retries"):
        connect(os.ttyname(device), retries=0)
    os.close(device)
    os.close(host)


@contextmanager
def _listening(late: float = 0.0) -> Iterator[str]:
    """The address of a model behind a socket, for one client."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        served: list[Served] = []
        # The descriptor is the device's own from here on.
        accepting = threading.Thread(
            target=lambda: served.append(Served(server.accept()[0].detach(), late))
        )
        accepting.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
        accepting.join(WAIT)
        served[0].vanish()


def test_a_core_behind_a_socket() -> None:
    with _listening() as url:
        _session(url)
    with pytest.raises(TargetError, match=f"^{url} cannot be opened: Connection refused$"):
        connect(url)


def test_a_socket_is_read_by_as_much_as_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = protocol_socket.Serial.read

    def counted(port: protocol_socket.Serial, size: int = 1) -> bytes:
        data = read(port, size)
        if data:
            reads.append(len(data))
        return data

    monkeypatch.setattr(protocol_socket.Serial, "read", counted)
    with _listening() as url, connect(url) as core:
        for _ in range(20):
            core.read_weights()
        assert sum(reads) == core.statistics.bytes_received
        # A byte that was waited for, and then the rest of a reply.
        assert max(reads) > 100
        assert len(reads) < 4 * core.statistics.requests


def test_small_requests_to_a_socket_leave_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        serial.serial_for_url(f"socket://127.0.0.1:{server.getsockname()[1]}") as port,
    ):
        SocketTransport(port)
        with socket.socket(fileno=os.dup(port.fileno())) as same:
            assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
