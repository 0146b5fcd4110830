"""What the weights of a network's core take of each board, in figures worked out by hand."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.checkout import ROOT

from spiketwin.firmware import fitting
from spiketwin.firmware.board import board
from spiketwin.firmware.family import families
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network
from spiketwin.host.cli import main
from spiketwin.host.files import save

BUILDS: dict[str, Any] = json.loads((ROOT / "docs/boards.json").read_text())


def rooms(net: Network, folder: Path) -> tuple[str, dict[str, dict[str, object]]]:
    save(folder / "net.npz", net)
    arguments = ["inspect", str(folder / "net.npz"), "--json", str(folder / "found.json")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads((folder / "found.json").read_text())["boards"]
    return done.stdout, {each.pop("board"): each for each in found}


def test_what_an_fpga_holds_is_what_the_tools_see_of_it() -> None:
    assert BUILDS
    for build in BUILDS.values():
        holds = resolve(board(build["board"])).device.holds
        for kind in {"memory", "spram"} & set(build):
            assert holds[kind] == build[kind]["available"], build["board"]


def test_the_memories_of_every_fpga_are_known() -> None:
    for family in families().values():
        kinds = {"memory"} | ({"spram"} if family.single_port_ram else set())
        assert all(kinds <= device.holds.keys() for device in family.devices), family.name


def test_the_room_on_each_board_is_said(tmp_path: Path) -> None:
    net = Network(n_axons=256, n_neurons=256)
    net.plastic[:] = True
    text, found = rooms(net, tmp_path)
    assert len(found) == 10
    # 8 banks of 16,384 words of 9 bits: 8 blocks each on an ECP5, and 4 on an Artix-7.
    small = {"memory": "block RAM", "blocks": 64, "available": 56}
    assert found["ulx3s_25f"] == {**small, "weights_fit": False, "free_words": 0}
    # 13 blocks for each bank, of 2,048 words.
    assert found["ulx3s_45f"]["weights_fit"] is True
    assert found["ulx3s_45f"]["free_words"] == 13 * 2048 - 16_384
    assert found["arty_a7_35"]["blocks"] == 32
    assert found["arty_a7_35"]["free_words"] == 6 * 4096 - 16_384
    row = next(line for line in text.splitlines() if "ulx3s_45f" in line)
    cells = ["ulx3s_45f", "block RAM", "64", "108", "yes", "10,240"]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == cells
    assert "(estimated)" in text


def test_weights_go_to_single_port_ram_where_they_can(tmp_path: Path) -> None:
    _, found = rooms(Network(n_axons=16, n_neurons=16), tmp_path)
    # 4 banks, in which two weights share a word.
    assert found["icebreaker"] == {
        "memory": "single-port RAM", "blocks": 4, "available": 4, "weights_fit": True,
        "free_words": 16_384 - 32 * 4 // 2,
    }  # fmt: skip
    net = Network(n_axons=16, n_neurons=16)
    net.plastic[:] = True  # 9 bits
    _, found = rooms(net, tmp_path)
    assert found["icebreaker"]["memory"] == "block RAM"


def test_targets_and_delays_of_synapses_take_room() -> None:
    ecp5 = families()["ecp5"]
    table = "full,n_projections=2,weight_depth=8192"
    # 9 bits: 4 blocks of 2,048 words for each bank. With 5 bits of target or of delay: 8 of 1,024.
    assert fitting.weight_blocks(preset(table), ecp5) == 8 * 4
    assert fitting.weight_blocks(preset(f"{table},sparse_rows=64"), ecp5) == 8 * 8
    assert fitting.weight_blocks(preset(f"{table},synapse_delay_width=5"), ecp5) == 8 * 8
    both = preset(f"{table},sparse_rows=64,synapse_delay_width=5")
    # 19 bits: 4 times 3 blocks of 9 bits side by side.
    assert fitting.weight_blocks(both, ecp5) == 8 * 12


def test_without_the_extra_that_knows_boards_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spiketwin.firmware.board", None)
    text, found = rooms(Network(n_axons=16, n_neurons=16), tmp_path)
    assert found == {}
    assert "on the boards" not in text
