"""`Engine`: the RTL or a netlist as a device in this process, with its cycles counted."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spiketwin.cosim.rtl.build import (
    LINK_LEVELS,
    Design,
    DesignError,
    library,
    report_on_stderr,
)
from spiketwin.cosim.rtl.instrument import Instrument
from spiketwin.hdl.spec.errors import SpiketwinError
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import MIN_CYCLES_PER_BIT

SLICE_CYCLES: Final = 1 << 17
"""Most cycles of one native call: a fraction of a second, so that Ctrl-C is handled."""

_READ_BYTES: Final = 1 << 16


class EngineClosed(SpiketwinError, RuntimeError):
    """The engine was closed; make a new one."""

    exit_status = 2


class Engine:
    """One simulated core with its link, powered up.

    Simulation takes place only within `read`, `run` and `bare_loop`. Several engines can exist
    side by side; one engine may be used by several threads.

    Parameters
    ----------
    params, level, cycles_per_bit, clock_hz, family, image, gateware, waves, power_up, instrument:
        The design to simulate, see `build.Design`; built on first use.
    report:
        Called with one line before a build begins.

    Attributes
    ----------
    cycles_per_bit:
        Rate of the host's end of the wires, in clock cycles per bit.

    Raises
    ------
    DesignError, TargetError
        The library cannot be built.
    """

    def __init__(
        self,
        params: CoreParams,
        level: str = "bytes",
        *,
        cycles_per_bit: int = Design.cycles_per_bit,
        clock_hz: int = Design.clock_hz,
        family: str | None = Design.family,
        image: str | None = Design.image,
        gateware: str | None = Design.gateware,
        waves: bool = Design.waves,
        power_up: int | None = Design.power_up,
        instrument: Instrument | None = Design.instrument,
        report: Callable[[str], None] = report_on_stderr,
    ) -> None:
        design = Design(
            params=params, level=level, cycles_per_bit=cycles_per_bit, clock_hz=clock_hz,
            family=family, image=image, gateware=gateware, waves=waves, power_up=power_up,
            instrument=instrument,
        )  # fmt: skip
        if level not in LINK_LEVELS:
            raise DesignError(f"level must be {' or '.join(LINK_LEVELS)}, not {level!r}")
        self.design = design
        self.cycles_per_bit = cycles_per_bit
        self._native = _load(library(design, report), waves)
        self._buffer = ctypes.create_string_buffer(_READ_BYTES)
        self._lock = threading.Lock()
        self._device: int | None = self._new()

    @property
    def cycles(self) -> int:
        """Clock cycles since power-up."""
        with self._lock:
            return int(self._native.spiketwin_cycles(self._powered()))

    @property
    def unsent(self) -> int:
        """Number of bytes written that the device has not begun to receive."""
        with self._lock:
            return int(self._native.spiketwin_unsent(self._powered()))

    def write(self, data: bytes) -> None:
        """Queue bytes for the device; it takes them as it is simulated.

        Raises
        ------
        EngineClosed
            After `close`.
        """
        with self._lock:
            self._native.spiketwin_write(self._powered(), bytes(data), len(data))

    def read(self, max_bytes: int, seconds: float) -> bytes:
        """Simulate until the device has sent something, and return it.

        Parameters
        ----------
        max_bytes:
            Most bytes to return. Fewer are returned if no more follow immediately.
        seconds:
            Time of the device, not wall-clock time: at most ``seconds × clock_hz`` cycles are
            simulated. With 0, the bytes already received are returned.

        Raises
        ------
        EngineClosed
            After `close`.
        """
        cycles = round(seconds * self.design.clock_hz)
        max_bytes = min(max_bytes, _READ_BYTES)
        while True:
            with self._lock:
                count = self._native.spiketwin_read(
                    self._powered(), min(cycles, SLICE_CYCLES), self._buffer, max_bytes
                )
                if count:
                    return ctypes.string_at(self._buffer, count)
            cycles -= SLICE_CYCLES
            if cycles <= 0:
                return b""

    def run(self, cycles: int) -> None:
        """Simulate so many cycles; bytes from the device are kept for `read`.

        Raises
        ------
        EngineClosed
            After `close`.
        """
        for part in slices(cycles):
            with self._lock:
                self._native.spiketwin_run(self._powered(), part)

    def bare_loop(self, cycles: int) -> float:
        """Return the wall-clock seconds of so many cycles in which only the clock toggles.

        This is the baseline for the speed of `run`. The link is not served, so bytes that the
        device sends meanwhile are lost.

        Raises
        ------
        EngineClosed
            After `close`.
        """
        seconds = 0.0
        for part in slices(cycles):
            with self._lock:
                seconds += self._native.spiketwin_run_bare(self._powered(), part)
        return seconds

    def set_cycles_per_bit(self, cycles_per_bit: int) -> None:
        """Set the rate of the host's end of the wires, from the next byte in each direction on.

        Raises
        ------
        EngineClosed
            After `close`.
        DesignError
            The UART cannot run with so few cycles per bit.
        """
        if cycles_per_bit < MIN_CYCLES_PER_BIT:
            raise DesignError(
                f"cycles_per_bit must be {MIN_CYCLES_PER_BIT} or more, not {cycles_per_bit}"
            )
        with self._lock:
            self._native.spiketwin_set_cycles_per_bit(self._powered(), cycles_per_bit)
        self.cycles_per_bit = cycles_per_bit

    def open_waves(self, path: Path) -> None:
        """Write all signals to a VCD file from now on, with two units of time per cycle.

        Raises
        ------
        EngineClosed
            After `close`.
        DesignError
            The design was not built with `waves`.
        """
        if not self.design.waves:
            raise DesignError("the design was built without waves: take Design(waves=True)")
        with self._lock:
            self._native.spiketwin_open_waves(self._powered(), bytes(path))

    def close_waves(self) -> None:
        """End the file that `open_waves` began; the same errors are raised."""
        if not self.design.waves:
            raise DesignError("the design was built without waves: take Design(waves=True)")
        with self._lock:
            self._native.spiketwin_close_waves(self._powered())

    def reset(self) -> None:
        """Turn the power off and on: all memory, queued bytes and the count of cycles are gone.

        Raises
        ------
        EngineClosed
            After `close`.
        """
        with self._lock:
            self._native.spiketwin_delete(self._powered())
            self._device = self._new()
        self.cycles_per_bit = self.design.cycles_per_bit

    def close(self) -> None:
        """Free the simulation; everything but `close` is an error from now on."""
        with self._lock:
            if self._device is not None:
                self._native.spiketwin_delete(self._device)
                self._device = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # An engine whose library could not be built has nothing to free.
        if hasattr(self, "_device"):
            self.close()

    def _new(self) -> int:
        seed = self.design.power_up or 0
        return int(self._native.spiketwin_new(self.design.cycles_per_bit, seed))

    def _powered(self) -> int:
        if self._device is None:
            raise EngineClosed("the engine was closed; make another one")
        return self._device


def slices(cycles: int) -> list[int]:
    """Divide a number of cycles into native calls short enough for Ctrl-C to be handled."""
    whole, rest = divmod(cycles, SLICE_CYCLES)
    return [SLICE_CYCLES] * whole + [rest]


@functools.cache
def _load(path: Path, waves: bool) -> ctypes.CDLL:
    native = ctypes.CDLL(str(path))
    device, size, cycles = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    for_waves = (("open_waves", None, (device, ctypes.c_char_p)), ("close_waves", None, (device,)))
    for name, result, arguments in (
        ("new", device, (ctypes.c_uint, ctypes.c_int)),
        ("delete", None, (device,)),
        ("write", None, (device, ctypes.c_char_p, size)),
        ("read", size, (device, cycles, ctypes.c_char_p, size)),
        ("run", None, (device, cycles)),
        ("run_bare", ctypes.c_double, (device, cycles)),
        ("cycles", cycles, (device,)),
        ("unsent", size, (device,)),
        ("set_cycles_per_bit", None, (device, ctypes.c_uint)),
        *(for_waves if waves else ()),
    ):
        function = getattr(native, f"spiketwin_{name}")
        function.restype = result
        function.argtypes = arguments
    return native
