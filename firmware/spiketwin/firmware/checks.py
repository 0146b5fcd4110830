"""What can be wrong with the description of a board, said before any tool runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from amaranth.build import Platform, Resource
from amaranth.lib import io

from spiketwin.firmware.board import Adapter, Board, BoardError, Programmer, in_words
from spiketwin.firmware.clocks import ClockError
from spiketwin.firmware.devices import device
from spiketwin.firmware.packages import Package, package, pins
from spiketwin.firmware.synthesis import Family
from spiketwin.firmware.top import pll
from spiketwin.hdl.spec.params import ParamsError

_CLOCK_EXAMPLE: Final = (
    "`Resource('clk25', 0, Pins('G2', dir='i'), Clock(25e6))` among its resources and "
    "`default_clk = 'clk25'`"
)
_UART_EXAMPLE: Final = (
    "`resources=(UARTResource(0, rx='PIN', tx='PIN', attrs=…),)`, rx being the pin that the FPGA "
    "reads (docs/boards.md has an example)"
)

_OSCILLATORS: Final = ("OSCG", "SB_HFOSC", "SB_LFOSC")
"""Those inside of an FPGA, by what Amaranth calls them."""

_ECP5_ATTRIBUTES: Final = {
    "IO_TYPE": (
        "LVCMOS33", "LVTTL33", "LVCMOS25", "LVCMOS18", "LVCMOS15", "LVCMOS12", "HSUL12",
        "SSTL18_I", "SSTL18_II", "SSTL15_I", "SSTL15_II", "SSTL135_I", "SSTL135_II",
    ),
    "PULLMODE": ("UP", "DOWN", "NONE"),
    "DRIVE": ("4", "8", "12", "16"),
    "SLEWRATE": ("FAST", "SLOW"),
}  # fmt: skip
"""What a single pin of an ECP5 can be (Lattice FPGA-TN-02032)."""


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _usb(value: object) -> bool:
    return value is None or (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(part, int) and 0 <= part <= 0xFFFF for part in value)
    )


def _all(right: Callable[[object], bool], value: object) -> bool:
    return isinstance(value, tuple) and all(right(one) for one in value)


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "name": ("a text such as 'my_board'", _text),
    "title": ("a text such as 'My board 1.0'", _text),
    "platform": (
        "a class derived of Amaranth's `Platform`, the class itself and no object of it",
        lambda value: isinstance(value, type) and issubclass(value, Platform),
    ),
    "resources": (
        "a tuple of Amaranth's `Resource`s; of one it is `(UARTResource(…),)`",
        lambda value: _all(lambda one: isinstance(one, Resource), value),
    ),
    "params": ("the words of a core, such as 'digits' or 'full,lanes=4'", _text),
    "clock_hz": ("a whole number of hertz, such as 50_000_000", _whole),
    "adapter": ("an `Adapter`", lambda value: isinstance(value, Adapter)),
    "programmer": ("a `Programmer`", lambda value: isinstance(value, Programmer)),
    "packing": (
        "a tuple of texts; of one it is `('--compress',)`",
        lambda value: _all(lambda one: isinstance(one, str), value),
    ),
    "sources": (
        "a tuple of addresses; of one it is `('https://…',)`",
        lambda value: _all(_text, value),
    ),
    "notes": ("a text", lambda value: isinstance(value, str)),
}
_ADAPTER_FIELDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "name": ("a text such as 'FT2232H'", _text),
    "rates": (
        "a tuple of whole numbers of baud, fastest first, such as `(3_000_000, 1_000_000)`",
        lambda value: _all(_whole, value) and list(value) == sorted(value, reverse=True) != [],
    ),
    "usb": ("None, or vendor and product such as `(0x0403, 0x6015)`", _usb),
}
_PROGRAMMER_FIELDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "board": ("what openFPGALoader calls it, such as 'ulx3s'", _text),
    "volatile": ("True or False", lambda value: isinstance(value, bool)),
}


def check(board: Board) -> None:
    """See that a board has all that a core needs.

    Raises
    ------
    BoardError
        A field has a value of a wrong kind; there is no core of its sizes; its platform cannot be
        made; nothing is known of its FPGA or the package of that; it has no clock or no UART that
        a core can use; a pin is used twice, or there is none of its name; an iCE40 has no place
        left for its PLL; or that cannot make its clock, or its clock no rate of its adapter.
    """
    _fields("", board, _FIELDS)
    _fields("adapter.", board.adapter, _ADAPTER_FIELDS)
    _fields("programmer.", board.programmer, _PROGRAMMER_FIELDS)
    try:
        _ = board.core
    except ParamsError as error:
        raise BoardError(f"the params of {board.name} describe no core: {error}") from error
    platform = made(board)
    with told(f"the FPGA of {board.name} cannot be told", "See `device` and `package` of it"):
        device(platform)
        housing = package(platform)
    clock = _clock(board, platform)
    rx, tx = _uart(board, platform)
    if housing is not None:
        for name, port in (("its clock", clock), ("rx of its UART", rx), ("tx of its UART", tx)):
            _on_package(board, platform, housing, name, port)
            if device(platform).family is Family.ECP5:
                _attributes(board, name, port)
        _room_for_pll(board, housing, clock, rx)
    try:
        board.max_baud(round(pll(platform, board.clock_hz).hz))
    except ClockError as error:
        raise BoardError(f"the clock_hz of {board.name} cannot be had: {error}") from error


@contextmanager
def told(what: str, fix: str) -> Iterator[None]:
    """Give whatever Amaranth or a user's own platform raises in the block as a `BoardError`."""
    try:
        yield
    except (BoardError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `SystemExit` too, which would end this program in silence
        raise BoardError(f"{what}: {in_words(error)}. {fix}") from error


def made(board: Board) -> Any:
    """Make the platform of a board, as `Board.made`.

    Raises
    ------
    BoardError
        It cannot be made.
    """
    with told(
        f"the platform of {board.name} cannot be made",
        "It has to give `device`, `package`, `default_clk`, `resources` and `connectors`, and of "
        "an ECP5 or an Artix-7 `speed`, as the platforms of amaranth-boards do",
    ):
        present = board.platform().resources
    added: tuple[Any, ...] = board.resources  # whose name and number no type tells
    for resource in added:
        if (resource.name, resource.number) in present:
            raise BoardError(
                f"the `resources` of {board.name} have a `{resource.name}` {resource.number}, and "
                "so has its platform: take it out, or have a class derived of the platform whose "
                "`resources` are without it"
            )
    with told(
        f"the `resources` of {board.name} cannot be added to its platform",
        "Each has to have a name and number of its own",
    ):
        return board.made()


def _fields(
    prefix: str, described: object, fields: dict[str, tuple[str, Callable[[Any], bool]]]
) -> None:
    for name, (kind, right) in fields.items():
        value = getattr(described, name)
        if not right(value):
            raise BoardError(
                f"`{prefix}{name}` of a board must be {kind}, not {type(value).__name__} {value!r}"
            )


def _clock(board: Board, platform: Any) -> Any:
    """Request the clock of a board, and see that it has a frequency."""
    where = f"the platform of {board.name}"
    with told(f"{where} has no clock that can be used", f"It takes {_CLOCK_EXAMPLE}"):
        name = platform.default_clk
        if name is None:
            raise BoardError(f"{where} has no `default_clk`: it takes {_CLOCK_EXAMPLE}")
        if name in _OSCILLATORS:
            raise BoardError(
                f"the `default_clk` of {where} is the oscillator inside of the FPGA, {name}, which "
                "is too inexact for a serial line. Take a clock that comes in at a pin: "
                f"{_CLOCK_EXAMPLE}"
            )
        if platform.lookup(name).clock is None:
            raise BoardError(
                f"the frequency of {name}, the clock of {where}, is not known: add `Clock(hz)` to "
                f"its resource, as {_CLOCK_EXAMPLE}"
            )
        _ = round(platform.default_clk_frequency)
        clock = platform.request(name, dir="-")
        _see(f"{name}, the clock of {where},", clock, io.Direction.Input)
        return clock


def _uart(board: Board, platform: Any) -> tuple[Any, Any]:
    """Request the UART of a board: its pins to the FPGA and from it."""
    with told(
        f"the `uart` 0 of {board.name} cannot be used",
        f"It is to be such as {_UART_EXAMPLE}",
    ):
        if ("uart", 0) not in platform.resources:
            raise BoardError(
                f"{board.name} has no UART: neither its platform nor the `resources` of the board "
                f"have a `uart` 0. Add one: {_UART_EXAMPLE}"
            )
        uart = platform.request("uart", 0, dir="-")
        for name, direction in (("rx", io.Direction.Input), ("tx", io.Direction.Output)):
            if not hasattr(uart, name):
                raise BoardError(
                    f"the `uart` 0 of {board.name} has no `{name}`. It is to be such as "
                    f"{_UART_EXAMPLE}"
                )
            port = getattr(uart, name)
            _see(f"`{name}` of the `uart` 0 of {board.name}", port, direction)
            if isinstance(port, io.DifferentialPort):
                raise BoardError(
                    f"`{name}` of the `uart` 0 of {board.name} is a pair of pins, and a core takes "
                    "one: use `Pins`, not `DiffPairs`"
                )
        return uart.rx, uart.tx


def _see(what: str, port: Any, direction: io.Direction) -> None:
    """See that a port is one pin, and goes the way that it is used."""
    if not isinstance(port, io.SingleEndedPort | io.DifferentialPort):
        raise BoardError(f"{what} has parts where it is to be one pin: make it of one `Pins`")
    if len(port) != 1:
        raise BoardError(f"{what} has {len(port)} pins where it is to have one")
    if port.direction not in (direction, io.Direction.Bidir):
        ways = {io.Direction.Input: "dir='i'", io.Direction.Output: "dir='o'"}
        raise BoardError(
            f"{what} goes the wrong way, {ways[port.direction]}: seen from the FPGA it is to be "
            f"{ways[direction]}"
        )


def _on_package(board: Board, platform: Any, housing: Package, name: str, port: Any) -> None:
    for pin in pins(port):
        if pin not in housing.pins:
            near = housing.near(pin)
            raise BoardError(
                f"{board.name} has {name} on pin {pin!r}, and no pin of an {platform.device} in "
                f"{platform.package} that a design may use is called so"
                + (f"; most like it are {near}" if near else "")
            )


def _attributes(board: Board, name: str, port: Any) -> None:
    """See that an ECP5 has what a pin is to be: nextpnr takes any, and packing ends at it."""
    if isinstance(port, io.DifferentialPort):
        return
    for bit in port.io.metadata:
        for attribute, choices in _ECP5_ATTRIBUTES.items():
            value = bit.attrs.get(attribute)
            if value is not None and value not in choices:
                raise BoardError(
                    f"{board.name} has {name} with {attribute}={value}, which an ECP5 has not: "
                    f"choose of {', '.join(choices)}"
                )


def _room_for_pll(board: Board, housing: Package, clock: Any, rx: Any) -> None:
    """See that the PLL of an iCE40 has a place, which its output shares with an input pin."""
    if not housing.pll_pads:
        return
    if isinstance(clock, io.DifferentialPort):
        raise BoardError(
            f"the clock of {board.name} comes in at a pair of pins, from which the PLL of an iCE40 "
            "is not fed: use one of `Pins`, not `DiffPairs`"
        )
    if housing.at_pll(clock) or not housing.pll_pads.issubset(pins(rx)):
        return
    raise BoardError(
        f"{board.name} has rx of its UART on pin {pins(rx)[0]}, which takes the place of the only "
        "PLL, as its clock comes in elsewhere: put rx, or the clock, on another pin"
    )
