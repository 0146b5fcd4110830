"""Targets: `Target`, a value that names one, and `TargetKind`, the properties of a whole scheme.

A target is text only where somebody types it (`spiketwin.host.addresses.parse`). From there on its
sizes, its options and its rate are passed on as typed values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host.transport import Transport

Origin = Literal["computed", "simulated", "reported"]
"""Where the spikes and cycles of a target come from: the model computes them, RTL and netlists are
simulated, and a device at a port, be it a board or an emulator, reports its own."""

PARAMS_OPTION: Final = "params"
"""The option of an address that names the sizes of a core."""

TERMINAL_PATIENCE: Final = 100.0
"""Factor on deadlines: an emulator on a pseudo-terminal may be that much slower than its clock."""

SOCKET_PATIENCE: Final = 25.0
"""Factor on deadlines: bytes on a socket pass through busy programs, and perhaps a network."""

_MORE_PATIENCE: Final = (
    "On a computer that is very busy, give it more time by retries=… (--retries on the command "
    "line)"
)
SILENT_PORT: Final = (
    "check the cable, the power of the board, the baud rate, and that it is this port"
)
SILENT_TERMINAL: Final = (
    "this is a pseudo-terminal, so a program must serve it: see that the emulator (`spiketwin "
    f"emulate`) runs and is not stopped, and that this is the path it printed. {_MORE_PATIENCE}"
)
SILENT_SOCKET: Final = (
    "see that what listens there has a device of ours behind it, at the rate the device listens "
    f"at. {_MORE_PATIENCE}"
)
"""Advice for the case that a device does not answer."""

RATE_OF_ANOTHER: Final = (
    "its bytes keep to no rate of this end: leave it out, or set it where the line is"
)
"""Why a rate has no effect if another program holds the line, and what to do."""


@dataclass(frozen=True)
class TargetKind:
    """The properties that all targets of one scheme share, known before any is opened.

    Attributes
    ----------
    scheme:
        Beginning of an address, before the colon: ``model`` of ``model:``.
    open_target:
        Function that opens a target of this kind and returns its transport. May raise `TargetError`
        or `OSError`, and `ImportError` if the package of `extra` is missing.
    origin:
        Where the spikes and cycles of such targets come from.
    options:
        Names of the options that an address may have after ``?``. If ``params`` is among them, the
        sizes of the core can be chosen, and are in `Target.params`. None if an address has no
        options: all that follows the scheme is then `Target.place`.
    has_line:
        Whether bytes travel at a rate that can be chosen, or a function that tells it of a target.
    patience:
        Factor on every deadline, for a device that is slower than its clock says.
    extra:
        Extra of this package that has to be installed; empty if none has.
    advice:
        What to do if the device does not answer.
    why_no_line:
        Why a rate has no effect on a target without a line, and what to do.
    """

    scheme: str
    open_target: Callable[[Target], Transport]
    origin: Origin = "reported"
    options: tuple[str, ...] | None = ()
    has_line: bool | Callable[[Target], bool] = False
    patience: float = 1.0
    extra: str = ""
    advice: str = SILENT_PORT
    why_no_line: str = RATE_OF_ANOTHER

    @property
    def has_sizes(self) -> bool:
        """Whether the sizes of the core can be chosen."""
        return self.options is not None and PARAMS_OPTION in self.options


@dataclass(frozen=True)
class Target:
    """A target that `connect` can open.

    Attributes
    ----------
    kind:
        Properties of all targets of its scheme.
    place:
        Where the target is: the path of a port, the address of a socket; empty for a target in this
        process.
    params:
        Sizes of its core, if its kind lets them be chosen; None if they are left open.
    options:
        Other options of its address: name to text.
    baud:
        Bits per second of its line; None for the rate with which the device starts.
    address:
        The address as it was typed; empty if the target was made by a program.
    """

    kind: TargetKind
    place: str = ""
    params: CoreParams | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    baud: int | None = None
    address: str = ""

    def __str__(self) -> str:
        return self.address or f"{self.kind.scheme}:"

    @property
    def name(self) -> str:
        """The name of the target in error messages."""
        return str(self).removesuffix(":")

    def open(self) -> Transport:
        """Open the target and return its transport; raises as `TargetKind.open_target`."""
        return self.kind.open_target(self)

    @property
    def has_line(self) -> bool:
        """Whether bytes travel at a rate that can be chosen."""
        line = self.kind.has_line
        return line(self) if callable(line) else line

    @property
    def leaves_sizes_open(self) -> bool:
        """Whether the sizes of the core can be chosen and have not been."""
        return self.kind.has_sizes and self.params is None
