"""The link to one device: an `Exchange` driven over a serial port, with a deadline on every wait.

Requests are pipelined in a sliding window that moves in lockstep: before the next request is
chosen, exactly the replies up to one window back have been processed, whether or not more have
arrived. So without faults the bytes in both directions depend on the program alone, and never on
timing.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from types import TracebackType
from typing import Final

import serial

from spiketwin.hdl.spec.params import ParamsError
from spiketwin.hdl.spec.protocol import (
    BAUD_TRIAL_CYCLES,
    BITS_PER_BYTE,
    MAX_BODY,
    REPLY_HEADER,
    REQUEST_HEADER,
    Identity,
    Opcode,
    Status,
)
from spiketwin.hdl.spec.registers import Space
from spiketwin.hdl.spec.text import shown
from spiketwin.host.device_time import cycles_per_bit
from spiketwin.host.errors import (
    CoreClosed,
    IncompatibleDevice,
    InvalidInput,
    LinkError,
    LinkLost,
    LinkTimeout,
)
from spiketwin.host.exchange import Exchange, Reply, Request, Statistics, arguments
from spiketwin.host.frames import frame_bytes
from spiketwin.host.kinds import SILENT_PORT
from spiketwin.host.opening import root_cause
from spiketwin.host.signals import DeferredSignals
from spiketwin.host.timeline import Activity, Line, Stopwatch
from spiketwin.host.transport import POLL, Transport

LONGEST_BACKOFF: Final = 0.05
"""Limit, in seconds, of the exponential back-off: a wait that is longer by itself does not grow."""

DEFAULT_RETRIES: Final = 20

_QUESTION: Final = Request(Opcode.READ, arguments(Opcode.READ, Space.COUNTER, 0, 1), result_bytes=4)
"""A request that changes nothing, and that the device can answer at any time."""

_SESSIONS: Final = 256
_GARBLED = (
    "something answers ({} bytes), but with no whole frame: it talks at another baud rate, or is "
    "no spiketwin device"
)


class _Naming:
    """A context in which errors of the link begin with the address of the device.

    Contexts may be nested; the address is added once.

    Parameters
    ----------
    address:
        Address of the device; empty if it has none.
    """

    def __init__(self, address: str) -> None:
        # An address such as ``model:`` ends with a colon already.
        self._named = f"{address.removesuffix(':')}: " if address else ""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, LinkError) and not str(error).startswith(self._named):
            error.args = (f"{self._named}{error}",)


class Link:
    """The link to one device, which executes requests and returns their results.

    Parameters
    ----------
    transport:
        An open transport to the device; the link closes it.
    patience:
        Factor on every deadline, for a device that is simulated slower than its clock says.
    retries:
        Rounds of resending without any answer before `LinkTimeout`.
    close:
        Function that closes the transport and everything opened with it; by default only the
        transport is closed.
    address:
        Address of the device, which errors name.
    advice:
        What to do if the device does not answer, as errors say it.

    Attributes
    ----------
    identity:
        The identity that the device reported.
    statistics:
        Frames, losses and round trips so far.
    clock:
        Function that returns the seconds in which deadlines are measured.
    has_line:
        Whether bytes travel at a rate, which `set_baud` changes.
    saturations:
        Function that returns the counters of saturations of a model, which need no request; empty
        for other devices.
    run_apart:
        Function that executes independent runs on several threads; None if the device has none.
    fetch:
        Function that fetches many output words at once (`Transport.fetch`); None likewise.

    Raises
    ------
    IncompatibleDevice
        Release or tables differ; only requests for the identity were sent.
    LinkTimeout, LinkLost
        The device does not answer, or the port is gone.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        patience: float = 1.0,
        retries: int = DEFAULT_RETRIES,
        close: Callable[[], None] | None = None,
        address: str = "",
        advice: str = SILENT_PORT,
    ) -> None:
        if not isinstance(transport, Transport):
            raise InvalidInput(
                f"transport must be a Transport, not {shown(transport)}: SerialTransport makes one "
                "of a port of pyserial"
            )
        self._transport = transport
        self._advice = advice
        self._naming = _Naming(address)
        self._close = close or transport.close
        self._patience = patience
        self._retries = retries
        self.clock: Callable[[], float] = transport.clock or time.monotonic
        self.saturations: Callable[[], dict[str, int]] = transport.saturations or dict
        self.run_apart = transport.run_apart
        fetch = transport.fetch
        self.fetch = None if fetch is None else partial(self._fetch, fetch)
        self.has_line = transport.has_line
        self._first_baud = transport.baudrate
        self._exchange = Exchange()
        self._signals = DeferredSignals()
        self._lock = threading.RLock()
        self._user: int | None = None
        self._calling_back = False
        self._doubtful_rates: tuple[int, ...] = ()
        self._clock_hz = 0
        self._window = 1
        self._closed_by = self._closing_by = ""
        self._simulation = transport.simulation
        self._stopwatch: Stopwatch | None = None
        self._round_trip = math.inf
        self._known_line: tuple[int, Line] | None = None  # and the rate for which it holds
        with self._naming:
            self.identity = self._open()
        self._clock_hz = self.identity.clock_hz
        self._window = self.identity.params.link_slots - 1

    @property
    def statistics(self) -> Statistics:
        """Frames, losses and round trips so far."""
        return self._exchange.statistics

    @property
    def baud(self) -> int:
        """Bits per second of the port."""
        return self._transport.baudrate

    @property
    def line(self) -> Line:
        """The times that the line and the adapter take, as far as they are known, for ledgers."""
        if self._simulation is not None:
            return Line(self._simulation.byte_seconds(), None, self._clock_hz, simulated=True)
        if self._known_line is None or self._known_line[0] != self.baud:
            byte_seconds = BITS_PER_BYTE / self.baud if self.has_line else 0.0
            hardware = self.has_line and self._transport.clock is None
            round_trip = self._round_trip if hardware else None
            line = Line(byte_seconds, round_trip, self._clock_hz, simulated=False)
            self._known_line = (self.baud, line)
        return self._known_line[1]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Reserve the link for this thread until the end of the block.

        Other threads wait. Handlers of signals are deferred to points between two requests, or to
        the end of the block.

        Raises
        ------
        InvalidInput
            A function that a run has called back tries to use the link.
        """
        with self._lock, self._signals:
            if self._calling_back and self._user == threading.get_ident():
                raise InvalidInput(
                    "the core is in a run, or another call, which is what has called: use the core "
                    "when it is over, or break it off by an exception"
                )
            before, self._user = self._user, threading.get_ident()
            try:
                yield
            finally:
                self._user = before

    @contextmanager
    def calling_back(self) -> Iterator[None]:
        """Mark the block as calling a function of the user, which may take long and may raise."""
        self._calling_back = True
        try:
            with self._signals.passing():
                yield
        finally:
            self._calling_back = False

    def check_interrupts(self) -> None:
        """Run the deferred signal handlers; raise `CoreClosed` if another thread closes the link.

        It is called only between two requests, where a call may end.
        """
        if self._signals.came:
            with self.calling_back():
                pass
        if self._closing_by or self._closed_by:
            raise CoreClosed(
                f"the core was closed by {self._closing_by or self._closed_by} in the middle of "
                "this call: connect again"
            )

    @contextmanager
    def timed(self) -> Iterator[Stopwatch]:
        """Yield a stopwatch that times all requests until the end of the block."""
        self._stopwatch = stopwatch = Stopwatch(self._simulation)
        try:
            yield stopwatch
        finally:
            self._stopwatch = None

    def request(self, request: Request) -> bytes:
        """Execute one request and return its result; raises as `run`."""
        results: list[bytes] = []
        self.run([request._replace(on_result=results.append)])
        return results[0]

    def run(self, program: Iterable[Request | None]) -> None:
        """Execute a program of requests, with as many outstanding as the window holds.

        The program may decide on each request from earlier results (`Request.on_result`). It yields
        None to wait for the oldest outstanding result.

        Ctrl-C, or any other exception of a signal handler, ends the program between two requests.
        The link can still be used: its next use takes the results of the outstanding requests.

        Raises
        ------
        Refused
            The device refused a request; later ones may have been executed.
        LinkTimeout, LinkLost, DeviceRestarted
            The device is silent, is gone, or has lost its session.
        CoreClosed
            The link was closed at this end.
        """
        if self._user == threading.get_ident() and not self._calling_back:
            self._run(program)
        else:
            with self.exclusive():
                self._run(program)

    def _run(self, program: Iterable[Request | None]) -> None:
        with self._naming:
            if self._closed_by:
                raise CoreClosed(f"the core was closed by {self._closed_by}: connect again")
            self._recover()
            outstanding, window = self._exchange.outstanding, self._window
            for request in program:
                if self._signals.came or self._closing_by or self._closed_by:
                    self.check_interrupts()
                if request is not None:
                    self._submit(request)
                if len(outstanding) >= window or (request is None and outstanding):
                    self._finish_oldest()
            while outstanding:
                self._finish_oldest()

    def set_baud(self, baud: int) -> int:
        """Change the rate at both ends and prove that the line carries it.

        Parameters
        ----------
        baud:
            Bits per second; the device takes the nearest whole number of cycles per bit.

        Returns
        -------
        int
            Bits per second that the device makes.

        Raises
        ------
        InvalidInput
            The device cannot make a rate within 2 % of `baud`.
        LinkTimeout
            The line does not carry the rate; both ends are back at an earlier one.
        """
        cycles = cycles_per_bit(self._clock_hz, baud)
        actual = round(self._clock_hz / cycles)
        with self._naming, self.exclusive():
            self._change_rate(cycles, int(baud))
        return actual

    def _change_rate(self, cycles: int, baud: int) -> None:
        self.run(())  # outstanding requests end at the rate at which they were sent
        known = (self.baud, self._first_baud)
        self._doubtful_rates = (baud, *known)
        try:
            self._execute(Request(Opcode.SET_BAUD, arguments(Opcode.SET_BAUD, cycles)))
            self._retune(baud)
            self._execute(_QUESTION)
        except LinkTimeout as error:
            self._find_rate(*known)
            raise LinkTimeout(f"the line does not carry {baud} baud: take a lower rate") from error
        self._doubtful_rates = ()

    def _find_rate(self, *rates: int) -> None:
        """Find the rate of the device after a change that failed or was broken off.

        The rate is the new one, the one before, or the one that the link was opened with. The
        device returns to the last by itself after a trial period, which may begin only now. Until
        that is over, the device is asked at each of `rates` in turn.
        """
        back = self.clock() + 2 * BAUD_TRIAL_CYCLES / self._clock_hz * self._patience
        for rate in cycle(rates):
            with suppress(LinkTimeout):
                self._retune(rate)
                self._take_outstanding()
                self._execute(_QUESTION)
                break
            if self.clock() >= back and rate == rates[-1]:
                break
        self._doubtful_rates = ()

    def _execute(self, request: Request) -> None:
        """Execute one request whose result is not needed."""
        self._submit(request)
        self._finish_oldest()

    def _retune(self, baud: int) -> None:
        """Change the rate at this end; raise `LinkTimeout` if the adapter cannot make it."""
        try:
            self._transport.baudrate = baud
        except (ValueError, OSError) as error:
            raise LinkTimeout(f"the adapter cannot make {baud} baud: {error}") from error

    def close(self, by: str = "`close`") -> None:
        """Take both ends back to the rate they started with, and close the port.

        Later requests raise `CoreClosed`, and so does a call that another thread is in: it ends
        between two requests, for which this method waits.

        Parameters
        ----------
        by:
            What closes the link, as `CoreClosed` says it.
        """
        self._closing_by = by
        with self._lock:
            self._closing_by = ""
            try:
                if not self._closed_by and self._transport.baudrate != self._first_baud:
                    # A device that does not answer is left at its rate.
                    with suppress(LinkError):
                        self.set_baud(self._first_baud)
            finally:
                self._closed_by = self._closed_by or by
                self._close()

    def _open(self) -> Identity:
        """Ask the device for its identity and begin a session; return the identity."""
        self._transport.timeout = POLL
        reply = self._handshake(
            # A device of another release may answer with another length.
            Request(Opcode.IDENTIFY, result_bytes=MAX_BODY - REPLY_HEADER, result_item_bytes=1),
            session=0,
        )
        identity = self._compatible(reply.checked())
        session = reply.session
        # A device starts in session 0. The host never uses it, so that a restart is noticed.
        for _ in range(3):
            session = (session + 1) % _SESSIONS
            opened = self._handshake(Request(Opcode.OPEN), session)
            if opened.status is Status.WRONG_SESSION:
                session = int.from_bytes(opened.result, "little") % _SESSIONS
                continue
            opened.checked()
            if session != 0:
                break
        else:
            raise LinkTimeout("another program keeps opening sessions on this device: close it")
        self._exchange.begin(session)
        return identity

    def _handshake(self, request: Request, session: int) -> Reply:
        self._exchange.begin(session)
        with self.timed() as stopwatch:
            self._submit(request)
            reply = self._await_oldest()
            stopwatch.answered(len(reply.result))
        span = stopwatch.timeline().requests[0]
        wire = float(span["bytes_out"] + span["bytes_in"]) * BITS_PER_BYTE / self.baud
        # Handshakes do not involve the core: time beyond the line is adapter and operating system.
        self._round_trip = min(self._round_trip, max(0.0, span["answered"] - span["queued"] - wire))
        return reply

    @staticmethod
    def _compatible(data: bytes) -> Identity:
        try:
            identity = Identity.unpack(data)
        except ParamsError as error:
            raise IncompatibleDevice(
                f"the device reports sizes no core can have: {error}"
            ) from error
        except ValueError as error:
            raise IncompatibleDevice(str(error)) from error
        expected = Identity.of(identity.params, identity.clock_hz, identity.build)
        for name, what in (("params_digest", "sizes"), ("map_digest", "register map")):
            got, want = getattr(identity, name), getattr(expected, name)
            if got != want:
                raise IncompatibleDevice(
                    f"the {what} of the device (digest {got:08x}, build {identity.build!r}) are "
                    f"not those of this release ({want:08x}): rebuild and flash the device, or "
                    "install the release of spiketwin that it was built with"
                )
        if identity.clock_hz == 0:
            raise IncompatibleDevice("the device reports a clock of 0 Hz: rebuild it")
        return identity

    def _recover(self) -> None:
        """Finish the requests, or the change of the rate, of a call that was broken off."""
        if self._doubtful_rates:
            self._find_rate(*self._doubtful_rates)
        self._take_outstanding()

    def _take_outstanding(self) -> None:
        """Wait for the replies to all outstanding requests; refusals are ignored."""
        if self._exchange.outstanding:
            self._exchange.resend()
        while self._exchange.outstanding:
            on_result = self._exchange.oldest.on_result
            reply = self._await_oldest()
            if on_result is not None and reply.status is Status.OK:
                on_result(reply.result)

    def _submit(self, request: Request) -> None:
        """Submit a request; it is sent, at the latest, when a reply is waited for."""
        stopwatch = self._stopwatch
        if stopwatch is None:
            self._exchange.submit(request, self.clock())
        else:
            stopwatch.begin_request(request.opcode, len(request.payload))
            self._exchange.submit(request, self.clock())
            stopwatch.lap(Activity.ENCODE)

    def _fetch(self, fetch: Callable[[int], bytes], words: int) -> bytes:
        """Fetch output words, timed as one request, although it does not pass the link."""
        if self._stopwatch is None:
            return fetch(words)
        self._stopwatch.begin_request(Opcode.FETCH, 0)
        self._stopwatch.sent(frame_bytes(REQUEST_HEADER))
        result = fetch(words)
        self._stopwatch.lap(Activity.READ, len(result) + frame_bytes(REPLY_HEADER))
        self._stopwatch.answered(len(result))
        return result

    def _finish_oldest(self) -> None:
        exchange = self._exchange
        on_result = exchange.oldest.on_result
        if not exchange.answered:
            self._await_answer()
        result = exchange.take_reply(self.clock()).checked()
        if on_result is not None:
            on_result(result)
        if self._stopwatch is not None:
            self._stopwatch.answered(len(result))

    def _await_oldest(self) -> Reply:
        """Wait for the reply to the oldest request, and take it."""
        if not self._exchange.answered:
            self._await_answer()
        return self._exchange.take_reply(self.clock())

    def _await_answer(self) -> None:
        """Wait until the oldest request is answered, and resend lost frames."""
        self.check_interrupts()
        self._flush()
        # Most replies come with the first bytes read, so the deadline is not computed before.
        if self._exchange.receive(self._read()) and self._exchange.answered:
            return
        rounds = 0
        heard, understood = self.statistics.bytes_received, self.statistics.good_frames
        deadline = self._deadline()
        while not self._exchange.answered:
            self.check_interrupts()
            self._flush()
            if self._exchange.receive(self._read()):
                rounds = 0
                deadline = self._deadline()
            elif self.clock() >= deadline:
                rounds += 1
                self.statistics.timeouts += 1
                if rounds > self._retries:
                    noise = self.statistics.bytes_received - heard
                    garbled = noise > 0 and self.statistics.good_frames == understood
                    raise LinkTimeout(
                        f"no answer to {self._exchange.oldest.opcode.name} in {rounds} tries: "
                        + (_GARBLED.format(noise) if garbled else self._advice)
                    )
                self._exchange.resend()
                deadline = self._deadline(rounds)

    def _deadline(self, rounds: int = 0) -> float:
        """Return the deadline of the next reply: twice the time on the wire, and the device's own.

        It grows with the rounds without an answer (exponential back-off), so that resending does
        not fill the line.
        """
        wire = 2 * self._exchange.unanswered_bytes() * BITS_PER_BYTE / self._transport.baudrate
        device = self._exchange.oldest.cycles / self._clock_hz if self._clock_hz else 0.0
        # Where bytes keep to no rate, the time on the wire is not multiplied by the patience.
        rateless = 0.0 if self.has_line or self._line_is_simulated() else wire
        wait = wire - rateless + device + self._transport.adapter_latency
        wait = max(wait, min(wait * (1 << rounds), LONGEST_BACKOFF))
        return self.clock() + rateless + wait * self._patience

    def _line_is_simulated(self) -> bool:
        return self._simulation is not None and self._simulation.byte_seconds() > 0

    def _read(self) -> bytes:
        try:
            data = self._transport.read(max(1, self._transport.in_waiting))
        except (OSError, serial.SerialException) as error:
            raise LinkLost(self._lost(error)) from error
        if data and self._stopwatch is not None:
            self._stopwatch.lap(Activity.READ, len(data))
        return data

    def _flush(self) -> None:
        output = self._exchange.take_output()
        if not output:
            return
        try:
            self._transport.write(output)
        except (OSError, serial.SerialException) as error:
            raise LinkLost(self._lost(error)) from error
        if self._stopwatch is not None:
            self._stopwatch.sent(len(output))

    @staticmethod
    def _lost(error: Exception) -> str:
        return (
            f"the port is gone ({root_cause(error)[1]}): the device was unplugged or its emulator "
            "has ended. Plug it in or start it, and connect again"
        )
