"""The checks of a board's description, all before any tool runs: fields, platform, clock, pins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from amaranth.build import Platform, Resource
from amaranth.lib import io

from spiketwin.firmware.board import Adapter, Board, Programmer, error_text
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.family import Family
from spiketwin.firmware.fpga import Package, pins
from spiketwin.hdl.spec.params import ParamsError

_CLOCK_EXAMPLE: Final = (
    "`Resource('clk25', 0, Pins('G2', dir='i'), Clock(25e6))` among its resources and "
    "`default_clk = 'clk25'`"
)
_UART_EXAMPLE: Final = (
    "`resources=(UARTResource(0, rx='PIN', tx='PIN', attrs=…),)`, rx being the pin that the FPGA "
    "reads (docs/boards.md has an example)"
)


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
    "dfu": ("None, or vendor and product such as `(0x1209, 0x5AF0)`", _usb),
}


def check_fields(board: Board) -> None:
    """Check that all fields of a board have values of the right kinds, and that its core exists.

    Raises
    ------
    BoardError
        A value is of another kind, or there is no core of those sizes.
    """
    _check_kinds("", board, _FIELDS)
    _check_kinds("adapter.", board.adapter, _ADAPTER_FIELDS)
    _check_kinds("programmer.", board.programmer, _PROGRAMMER_FIELDS)
    try:
        _ = board.core
    except ParamsError as error:
        raise BoardError(f"the params of {board.name} describe no core: {error}") from error


def check_ports(board: Board, platform: Any, family: Family, package: Package | None) -> int:
    """Check that clock and UART of a board can be used, and return the clock's frequency in Hz.

    Parameters
    ----------
    board:
        The board.
    platform:
        A new instance of its platform, which is used up by this call.
    family, package:
        Family and package of its FPGA.

    Raises
    ------
    BoardError
        Clock or UART cannot be used; the message says why.
    """
    clock, input_hz = _clock(board, platform, family)
    rx, tx = _uart(board, platform)
    if package is not None:
        for name, port in (("its clock", clock), ("rx of its UART", rx), ("tx of its UART", tx)):
            _check_on_package(board, platform, package, name, port)
            _check_attributes(board, family, name, port)
        _check_pll_place(board, family, package, clock, rx)
    return input_hz


@contextmanager
def foreign_errors(what: str, fix: str) -> Iterator[None]:
    """Raise a `BoardError` for any error of Amaranth or of a user's own platform in the block."""
    try:
        yield
    except (BoardError, KeyboardInterrupt):
        raise
    except BaseException as error:  # `SystemExit` too, which would end this program in silence
        raise BoardError(f"{what}: {error_text(error)}. {fix}") from error


def new_platform(board: Board) -> Any:
    """Return a new instance of the platform of a board, as `Board.new_platform`.

    Raises
    ------
    BoardError
        The platform cannot be made.
    """
    with foreign_errors(
        f"the platform of {board.name} cannot be made",
        "It has to give `device`, `package`, `default_clk`, `resources` and `connectors`, and "
        "`speed` where its FPGA comes in several, as the platforms of amaranth-boards do",
    ):
        present = board.platform().resources
    added: tuple[Any, ...] = board.resources  # their types lack name and number
    for resource in added:
        if (resource.name, resource.number) in present:
            raise BoardError(
                f"the `resources` of {board.name} have a `{resource.name}` {resource.number}, and "
                "so has its platform: take it out, or have a class derived of the platform whose "
                "`resources` are without it"
            )
    with foreign_errors(
        f"the `resources` of {board.name} cannot be added to its platform",
        "Each has to have a name and number of its own",
    ):
        return board.new_platform()


def _check_kinds(
    prefix: str, described: object, fields: dict[str, tuple[str, Callable[[Any], bool]]]
) -> None:
    for name, (kind, right) in fields.items():
        value = getattr(described, name)
        if not right(value):
            raise BoardError(
                f"`{prefix}{name}` of a board must be {kind}, not {type(value).__name__} {value!r}"
            )


def _clock(board: Board, platform: Any, family: Family) -> tuple[Any, int]:
    """Request the clock of a board, check that it can be used, and return port and frequency."""
    where = f"the platform of {board.name}"
    with foreign_errors(f"{where} has no clock that can be used", f"It takes {_CLOCK_EXAMPLE}"):
        name = platform.default_clk
        if name is None:
            raise BoardError(f"{where} has no `default_clk`: it takes {_CLOCK_EXAMPLE}")
        if name in family.oscillators:
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
        input_hz = round(platform.default_clk_frequency)
        clock = platform.request(name, dir="-")
        _check_pin(f"{name}, the clock of {where},", clock, io.Direction.Input)
        return clock, input_hz


def _uart(board: Board, platform: Any) -> tuple[Any, Any]:
    """Request the UART of a board, and return the ports to the FPGA and from the FPGA."""
    with foreign_errors(
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
            _check_pin(f"`{name}` of the `uart` 0 of {board.name}", port, direction)
            if isinstance(port, io.DifferentialPort):
                raise BoardError(
                    f"`{name}` of the `uart` 0 of {board.name} is a pair of pins, and a core takes "
                    "one: use `Pins`, not `DiffPairs`"
                )
        return uart.rx, uart.tx


def _check_pin(what: str, port: Any, direction: io.Direction) -> None:
    """Check that a port has one pin, and the direction in which it is used."""
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


def _check_on_package(board: Board, platform: Any, package: Package, name: str, port: Any) -> None:
    for pin in pins(port):
        if pin not in package.pins:
            near = package.near(pin)
            raise BoardError(
                f"{board.name} has {name} on pin {pin!r}, and no pin of an {platform.device} in "
                f"{platform.package} that a design may use is called so"
                + (f"; most like it are {near}" if near else "")
            )


def _check_attributes(board: Board, family: Family, name: str, port: Any) -> None:
    """Check that an FPGA supports the attributes of a pin."""
    if isinstance(port, io.DifferentialPort):
        return
    for bit in port.io.metadata:
        for attribute, choices in family.attributes.items():
            value = bit.attrs.get(attribute)
            if value is not None and value not in choices:
                raise BoardError(
                    f"{board.name} has {name} with {attribute}={value}, which an {family.title} "
                    f"has not: choose of {', '.join(choices)}"
                )


def _check_pll_place(board: Board, family: Family, package: Package, clock: Any, rx: Any) -> None:
    """Check that a place for the PLL is left, if PLLs share their places with input pins."""
    if not package.pll_pads:
        return
    if isinstance(clock, io.DifferentialPort):
        raise BoardError(
            f"the clock of {board.name} comes in at a pair of pins, from which the PLL of an "
            f"{family.title} is not fed: use one of `Pins`, not `DiffPairs`"
        )
    if package.at_pll(clock) or not package.pll_pads.issubset(pins(rx)):
        return
    raise BoardError(
        f"{board.name} has rx of its UART on pin {pins(rx)[0]}, which takes the place of the only "
        "PLL, as its clock comes in elsewhere: put rx, or the clock, on another pin"
    )
