"""What a target is: `Target`, a value, and `TargetKind`, what is known of all targets of a scheme.

A target is text only where somebody types it (`spiketwin.host.registry.parse`). From there on its
sizes, its options and its rate travel as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host.transport import Transport

Origin = Literal["computed", "simulated", "reported"]
"""How a target comes by its spikes and cycles: the model computes them, RTL is simulated, and what
answers at a port reports its own, whether it is a board or an emulator."""

PARAMS_OPTION: Final = "params"
"""The option of an address that names the sizes of a core."""

TERMINAL_PATIENCE: Final = 100.0
"""An emulator on a pseudo-terminal is that much slower, at worst, than the clock it reports."""

SOCKET_PATIENCE: Final = 25.0
"""Bytes on a socket pass through programs, and perhaps a network, that have other work as well."""

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
"""What to do about a device that does not answer."""

RATE_OF_ANOTHER: Final = (
    "its bytes keep to no rate of this end: leave it out, or set it where the line is"
)
"""Why a rate has no effect where another program has the line, and what to do."""


@dataclass(frozen=True)
class TargetKind:
    """What is known of all targets of one scheme, before any of them is opened.

    Attributes
    ----------
    scheme:
        What an address begins with, before the colon: ``model`` of ``model:``.
    open_target:
        Opens a target of this kind and returns its transport. May raise `TargetError` or `OSError`,
        and `ImportError` where the package of `extra` is missing.
    origin:
        How targets of this kind come by their spikes and cycles.
    options:
        Names of the options that an address may have after ``?``. With ``params`` among them the
        sizes of the core can be chosen, and are in `Target.params`. None if an address is whatever
        follows the scheme, which `Target.place` then is.
    has_line:
        Whether bytes travel at a rate that can be chosen, or a function that says so of a target.
    patience:
        Factor on every deadline, for a device that is slower than its clock says.
    extra:
        The extra of this package that has to be installed; empty if none has.
    advice:
        What to do where nobody answers.
    why_no_line:
        Why a rate has no effect where there is no line, and what to do about that.
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
    """One target: what `connect` opens.

    Attributes
    ----------
    kind:
        What is known of all targets of its scheme.
    place:
        Where it is: the path of a port, ``host:port`` of a socket; empty for a target in this
        process.
    params:
        Sizes of its core, for a kind of which they can be chosen; None if they are left open.
    options:
        Other options of its address: name to text.
    baud:
        Rate of its line; None for that with which the device starts.
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
        """What errors call the target."""
        return str(self).removesuffix(":")

    def open(self) -> Transport:
        """Open the target; raises as `TargetKind.open_target`."""
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
