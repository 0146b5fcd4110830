"""What a build for a board made, simulated: the bitstream turned back into logic."""

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.cores import SMALL

from spiketwin.firmware.board import board
from spiketwin.firmware.build import Build, build
from spiketwin.firmware.families.icestorm.configuration import unpack
from spiketwin.firmware.families.icestorm.database import Database
from spiketwin.firmware.families.icestorm.logic import verilog
from spiketwin.firmware.plan import plan
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, connect
from spiketwin.host.cli import main
from spiketwin.host.errors import TargetError

TICKS = 1000
BEGIN = bytes.fromhex("ff0000ff7eaa997e")


def made(name: str, params: str, *, clock_hz: int, keep_netlist: bool) -> Build:
    return build(
        plan(
            resolve(board(name)), preset(params), clock_hz=clock_hz, keep_netlist=keep_netlist
        )
    )  # fmt: skip


def is_the_model(address: str, cycles_per_bit: int) -> None:
    """Compare a target with the model, through its line, tick by tick and at the end in all."""
    rng = np.random.default_rng(1)
    with connect(address) as core:
        params = core.params
        core.set_baud(core.identity.clock_hz // cycles_per_bit)
        net = Network(
            n_axons=params.n_axons, n_neurons=params.n_neurons,
            weights=rng.integers(-20, 60, (params.n_sources, params.n_neurons)),
            threshold=np.full(params.n_neurons, 100),
            plastic=np.full((params.n_sources, params.n_neurons), params.learning),
        )  # fmt: skip
        events = np.argwhere(rng.random((TICKS, params.n_axons)) < 0.2)
        found: list[tuple[Any, ...]] = []
        with connect("model:", params=params) as model:
            for each in (core, model):
                each.program(net)
                run = each.run(events, TICKS)
                found.append((run.spikes, run.cycles, each.read_weights(), each.read_state()))
    (*arrays, state), (*others, other) = found
    assert len(arrays[0]) > TICKS
    for one, two in zip(arrays, others, strict=True):
        assert np.array_equal(one, two)
    for name, values in state.items():
        assert np.array_equal(values, other[name]), name


@pytest.mark.bulk
@pytest.mark.early
def test_a_packed_bitstream_is_the_model(tmp_path: Path) -> None:
    built = made("ice40_hx8k_b_evn", f"{SMALL},learning=0", clock_hz=48_000_000, keep_netlist=False)
    assert built.bitstream is not None
    is_the_model(f"netlist:?from={built.bitstream}", 4)

    # One bit of a look-up table that is turned over is another logic.
    configuration = unpack(built.bitstream, tmp_path)
    database = Database(configuration.device)
    before = verilog(database, configuration, "top")
    x, y, cell = map(int, re.findall(r"wire t(\d+)_(\d+)_(\d)", before)[0])
    row, column = database.bits("logic")[f"LC_{cell}"][0]
    configuration.tiles[x, y][row, column] ^= True
    assert verilog(database, configuration, "top") != before

    # And one that is turned over in the file is found by the file's own CRC.
    damaged = bytearray(built.bitstream.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shutil.copy(built.folder / "figures.json", tmp_path)
    (tmp_path / "top.bin").write_bytes(damaged)
    with pytest.raises(TargetError, match=r"top\.bin is no whole bitstream of an iCE40: "):
        connect(f"netlist:?from={tmp_path / 'top.bin'}")


@pytest.mark.bulk
@pytest.mark.early
def test_a_routed_netlist_is_the_model() -> None:
    built = made("ulx3s_25f", SMALL, clock_hz=50_000_000, keep_netlist=True)
    is_the_model(f"netlist:?from={built.folder / 'routed.json'}", 4)


def figures(folder: Path, **changes: Any) -> None:
    (folder / "figures.json").write_text(
        json.dumps({"params": asdict(preset("tiny")), "target_mhz": 50.0} | changes)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a routed netlist of an ECP5 or a packed bitstream of an iCE40"),
        (b"hello", "is not a routed netlist of an ECP5 or a packed bitstream of an iCE40"),
        (BEGIN, "is no whole bitstream of an iCE40"),
        (BEGIN + bytes(500), "is no whole bitstream of an iCE40"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    figures(tmp_path)
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(TargetError, match=said):
        connect(f"netlist:?from={tmp_path / 'image'}")


def routed(**module: Any) -> bytes:
    ports: dict[str, Any] = {"uart_0__rx__io": {}, "uart_0__tx__io": {}, "clk": {}}
    whole = {"modules": {"top": {"ports": ports, "cells": {}} | module}}
    creator = '{\n  "creator": "Next Generation Place and Route (a version)",'
    return (creator + json.dumps(whole)[1:]).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (routed()[:-9], "is no whole routed netlist"),
        (routed(ports={"led": {}}), "has the ports led, and a core on a board has"),
        (routed(cells={"a": 1}), "is no whole routed netlist"),
        (
            routed(
                cells={
                    "a": {
                        "type": "MULT18X18D",
                        "parameters": {"A0MUX": "INV"},
                        "connections": {"A0": [1]},
                    }
                }
            ),
            "there is no model of A0 INV of MULT18X18D",
        ),
    ],
)
def test_a_damaged_netlist_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    figures(tmp_path)
    (tmp_path / "routed.json").write_bytes(content)
    with pytest.raises(TargetError, match=said):
        connect(f"netlist:?from={tmp_path / 'routed.json'}")


def test_an_image_has_its_sizes_and_its_clock_from_its_build(tmp_path: Path) -> None:
    image = tmp_path / "top.bin"
    with pytest.raises(TargetError, match=r"there is no file .*top\.bin.*--netlist --out DIR"):
        connect(f"netlist:?from={image}")
    image.write_bytes(BEGIN)
    with pytest.raises(TargetError, match=r"there is no file .*figures\.json"):
        connect(f"netlist:?from={image}")
    for wrong in ({"params": {"n_axons": -1}}, {"target_mhz": "fast"}, {"params": {"of": 1}}):
        figures(tmp_path, **wrong)
        with pytest.raises(TargetError, match=r"figures\.json does not describe a core"):
            connect(f"netlist:?from={image}")
    figures(tmp_path)
    for option in ("family=ecp5", "clock=1000000", "level=pins"):
        with pytest.raises(TargetError, match=f"so leave out {option.partition('=')[0]}"):
            connect(f"netlist:?from={image}&{option}")
    with pytest.raises(TargetError, match="so leave out params"):
        connect(f"netlist:?from={image}", params="tiny")


def test_no_netlist_is_kept_where_no_open_tool_routes() -> None:
    done = CliRunner().invoke(main, ["build", "--board", "cmod_a7_35", "--netlist"])
    assert done.exit_code == 2
    assert "--netlist: no open tool routes a 7-series FPGA" in done.output
