"""Estimates: near the builds that are held out, exact where they count, and refused in words."""

from dataclasses import replace

import numpy as np
import pytest

from spiketwin.firmware.board import board
from spiketwin.firmware.errors import BoardError
from spiketwin.firmware.estimates.design import Design
from spiketwin.firmware.estimates.model import (
    StoredBuild,
    counted,
    estimate,
    fitted,
    predicted,
    stored,
)
from spiketwin.firmware.target import resolve
from spiketwin.hdl.spec.params import described, preset

FITTED = [each for each in stored() if not each.held_out]
HELD_OUT = [each for each in stored() if each.held_out]
LOGIC, CLOCK = 0.05, 0.15
"""Largest relative errors."""


def named(build: StoredBuild) -> str:
    return f"{build.board} {described(build.params)}"


@pytest.mark.parametrize("build", HELD_OUT, ids=named)
def test_what_is_held_out_is_estimated(build: StoredBuild) -> None:
    logic, clock = predicted(FITTED, build)
    assert abs(logic / build.used["logic"] - 1) <= LOGIC
    assert abs(clock / build.fmax_mhz - 1) <= CLOCK


@pytest.mark.parametrize("build", stored(), ids=named)
def test_memories_and_multipliers_are_counted(build: StoredBuild) -> None:
    found = counted(build.design, build.params, resolve(board(build.board)).family)
    assert abs(found["memory"] - build.used["memory"]) <= 0.01 * build.used["memory"]
    assert found["dsp"] == build.used.get("dsp", 0)
    assert found["spram"] == build.used.get("spram", 0)


def test_nothing_that_is_held_out_is_fitted_to() -> None:
    built = [(each.board, each.params) for each in stored()]
    assert len(set(built)) == len(built)
    assert len(HELD_OUT) >= 6
    assert {each.family for each in HELD_OUT} == {"ecp5", "ice40", "ice40_hx"}


def test_more_of_everything_takes_more() -> None:
    logic, _ = fitted(FITTED, "ecp5")
    small = FITTED[0].design
    for kind in ("gates", "sums"):
        more = replace(small, bits=small.bits | {kind: 2 * small.bits[kind]})
        assert logic(more) >= logic(small)
    assert np.isclose(logic(small), FITTED[0].used["logic"], rtol=0.05)


def test_a_design_is_read() -> None:
    rtlil = r"""
module \top
  wire width 8 input 0 \a
  wire width 12 \b
  memory width 9 size 1024 \bank_0
  cell $add $1
    parameter \A_WIDTH 8
    parameter \B_WIDTH 8
    parameter \Y_WIDTH 9
    connect \A \a [7:0]
  end
  cell $mul $2
    parameter \A_WIDTH 8
    parameter \B_WIDTH 6
    parameter \Y_WIDTH 14
  end
  cell \other $3
  end
  process $4
    assign \b [11:0] 12'0
    switch \a [0]
      case 1'1
        assign \b [5:2] \a [3:0]
      case
        assign \b \a
    end
  end
end
"""
    found = Design.read(rtlil)
    assert found.bits["sums"] == 9
    assert found.bits["products"] == 48
    assert found.bits["cases"] == 4 + 12
    assert found.memories == ((1024, 9),)
    assert Design.of_json(found.as_json()) == found


@pytest.mark.bulk
def test_a_core_is_estimated_for_a_board() -> None:
    params = preset("tiny,neuron_lanes=1,source_lanes=1,learning=0")
    here = estimate(params, "ulx3s_25f")
    assert here.room < 1
    assert here.dsp == 3
    assert here.memory < here.logic
    assert here.logic < estimate(preset("tiny"), "ulx3s_25f").logic
    assert estimate(params, "ice40_hx8k_b_evn").dsp == 0
    assert estimate(replace(params, lanes=2, n_axons=512), "icebreaker").room > 0.5


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(BoardError, match="nothing of it can be estimated"):
        estimate(preset("tiny"), "arty_a7_35")
    with pytest.raises(BoardError, match="there is no board"):
        estimate(preset("tiny"), "nothing")
