"""The same core behind a terminal device and behind a socket, as a program of its own would be."""

import errno
import os
import select
import socket
import threading
import tty
from collections.abc import Iterator

import numpy as np
import pytest

from spiketwin.cosim.model.device import ModelDevice
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, connect
from spiketwin.host.errors import CoreClosed, DoesNotFit, LinkLost, LinkTimeout, TargetError

WAIT = 60.0


class Served:
    """A model behind a file descriptor, until it is stopped or the other side goes away."""

    def __init__(self, descriptor: int) -> None:
        self.device = ModelDevice(preset("tiny"))
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


def test_a_port_without_permission_names_the_group(
    terminal: tuple[str, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("os.open", denied)
    with pytest.raises(TargetError, match="usermod -aG dialout .*spiketwin doctor"):
        connect(terminal[0])


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
    with pytest.raises(LinkTimeout, match="IDENTIFY"):
        connect(os.ttyname(device), retries=2)
    os.close(device)
    os.close(host)


def test_a_core_behind_a_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        served: list[Served] = []
        # The descriptor is the device's own from here on.
        accepting = threading.Thread(
            target=lambda: served.append(Served(server.accept()[0].detach()))
        )
        accepting.start()
        _session(url)
        accepting.join(WAIT)
        served[0].vanish()
    with pytest.raises(TargetError, match=f"^{url} cannot be opened: Connection refused$"):
        connect(url)
