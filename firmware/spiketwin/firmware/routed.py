"""From the routed netlist that nextpnr writes to Verilog of its cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from spiketwin.firmware import yosys
from spiketwin.hdl.builds import BuildError
from spiketwin.hdl.spec.errors import TargetError

BEGINS: Final = b'{\n  "creator": "Next Generation Place and Route'
"""Bytes with which such a netlist begins."""

_BOARD: Final = "board"
_RX, _TX = "uart_0__rx__io", "uart_0__tx__io"
"""Ports of the line, as Amaranth names them; the third port is the clock of the board."""


_BLOCKS: Final = ("DP16KD", "MULT18X18D")
_LOOK_UP_TABLE, _FLIP_FLOP = "TRELLIS_COMB", "TRELLIS_FF"
_PLL, _CLOCK_BUFFER, _PIN = "EHXPLLL", "DCCA", "TRELLIS_IO"


def write_routed(netlist: Path, top: str, verilog: Path) -> None:
    """Write the cells of a routed netlist, and a module around them, as Verilog.

    Parameters
    ----------
    netlist:
        The file that nextpnr wrote.
    top:
        Name of the module around them. Its ports are ``clk``, ``rx`` and ``tx``.
    verilog:
        Path of the file to write; its folder also receives the log of Yosys.

    Raises
    ------
    TargetError
        The file is damaged, or the netlist is not that of a core on a board.
    """
    copy = verilog.with_name("routed.json")
    commands = (
        f"read_json {copy.name}", f"rename -top {_BOARD}", "splitnets",
        f"write_verilog -noattr {verilog.name}",
    )  # fmt: skip
    try:
        design = json.loads(netlist.read_bytes())
        ((_, module),) = design["modules"].items()
        clocks = sorted({*module["ports"]} - {_RX, _TX})
        if len(clocks) != 1 or len(module["ports"]) != 3:
            raise TargetError(
                f"{netlist} has the ports {', '.join(module['ports'])}, and a core on a board has "
                f"{_RX}, {_TX} and a clock"
            )
        # Beside a memory made of look-up tables stand two that compute nothing.
        module["cells"] = {
            name: _connected(cell)
            for name, cell in module["cells"].items()
            if cell["parameters"].get("MODE") != "RAMW_BLOCK"
        }
        copy.write_text(json.dumps(design), encoding="utf-8")
        yosys.call("reading the routed netlist", commands, "netlist.log").run(verilog.parent)
    except (BuildError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TargetError(f"{netlist} is no whole routed netlist: {error}") from error
    ports = f".{clocks[0]}(clk), .{_RX}(rx), .{_TX}(tx)"
    with verilog.open("a", encoding="utf-8") as file:
        file.write(
            f"module {top}(input clk, input rx, output tx);\n"
            f"  {_BOARD} board({ports});\nendmodule\n"
        )


def _connected(cell: dict[str, Any]) -> dict[str, Any]:
    """Give a cell's pins the values that they have without a wire, as its models know none of it.

    Such a pin reads as 1, unless a setting of its own (``CEAMUX`` for ``CEA``) makes it a constant
    or inverts it.
    """
    parameters, wires = cell["parameters"], cell["connections"]
    if cell["type"] in _BLOCKS:
        for pin in [pin for pin in wires if f"{pin}MUX" in parameters]:
            setting = parameters.pop(f"{pin}MUX").strip()
            if not wires[pin]:
                wires[pin] = ["0" if setting in ("0", "INV") else "1"]
            elif setting != pin:
                raise ValueError(f"there is no model of {pin} {setting} of {cell['type']}")
    elif cell["type"] == _LOOK_UP_TABLE:
        for pin in "ABCD":
            wires[pin] = wires.get(pin) or ["1"]
        if wires.get("FXA"):
            parameters["IS_Z1"] = "1"  # it chooses between two others, not between two tables
        if parameters.pop("WCKMUX", "WCK") != "WCK":
            raise ValueError("there is no model of memories at the falling edge of the clock")
    elif cell["type"] == _FLIP_FLOP and parameters.pop("SD").strip() == "0":
        wires["DI"] = wires.pop("M")  # its input is not the look-up table beside it
    elif cell["type"] == _PLL:
        parameters.clear()  # whatever it makes of the clock, its model passes the clock on
    elif cell["type"] == _CLOCK_BUFFER:
        wires["CE"] = wires.get("CE") or ["1"]
    elif cell["type"] == _PIN:
        cell["type"] = f"{_PIN}_{parameters.pop('DIR')}"
    cell["connections"] = {pin: wire for pin, wire in wires.items() if wire}
    return cell
