"""The specification's arithmetic and its oracle of one tick, case by case."""

import math

import pytest

from spiketwin.hdl.spec import arithmetic as a
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import preset
from spiketwin.hdl.spec.projections import walk
from spiketwin.hdl.spec.registers import ClearMask, Space

TINY = preset("tiny")
AXONS = TINY.n_axons
V_TOP, TRACE_TOP, THETA_TOP = 32767, 65535, 65535


def make(**registers: int) -> Oracle:
    """A tiny core that never fires on its own: thresholds out of reach, nothing decays."""
    core = Oracle(TINY)
    core.threshold = [V_TOP] * TINY.n_neurons
    assert registers.keys() <= core.register.keys()
    core.register |= {"v_floor": -V_TOP - 1, "w_min": -128, "w_max": 127} | registers
    return core


# --- decay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("full_scale", [V_TOP, -V_TOP - 1, TRACE_TOP])
def test_every_time_constant_to_1000_holds_within_1_percent(full_scale: int) -> None:
    for tau in range(1, 1001):
        code = a.decay_code(tau)
        before, value, ticks = full_scale, full_scale, 0
        while abs(value) * math.e > abs(full_scale):
            before, value, ticks = value, a.decay(value, code), ticks + 1
        # Between the last two ticks the exponential crosses 1/e of full scale at:
        crossing = ticks - math.log(abs(full_scale) / math.e / abs(value)) / math.log(
            before / value
        )
        assert abs(crossing / tau - 1) < 0.01, tau


@pytest.mark.parametrize("code", [1, 2, 65, 6554, 32768, 65534])
@pytest.mark.parametrize("start", [1, -1, 2, V_TOP, -V_TOP - 1, TRACE_TOP, (1 << 24) - 1])
def test_decay_never_grows_nor_crosses_rest_and_always_reaches_it(code: int, start: int) -> None:
    value = start
    while value:
        after = a.decay(value, code)
        assert abs(after) < abs(value)
        assert after == 0 or (after > 0) == (value > 0)
        # Far from rest the loss is proportional: jump there rather than step.
        value = after if abs(after) < 1000 else after // 2


@pytest.mark.parametrize("value", [0, 1, -1, V_TOP, -V_TOP - 1, (1 << 24) - 1])
def test_the_codes_for_none_and_at_once_are_exact(value: int) -> None:
    assert a.decay(value, a.DECAY_NONE) == value
    assert a.decay(value, a.DECAY_AT_ONCE) == 0
    assert a.decay_code(math.inf) == a.DECAY_NONE
    assert a.decay_code(0) == a.DECAY_AT_ONCE


def test_decay_rounds_halves_up_and_treats_signs_alike() -> None:
    half = 1 << 15
    assert [a.decay(v, half) for v in (1, 2, 3, 5, 1001)] == [0, 1, 1, 2, 500]
    for value in range(1, 2000):
        assert a.decay(-value, 1234) == -a.decay(value, 1234)


def test_a_finite_time_constant_is_never_none() -> None:
    assert a.decay_code(1e12) == 1
    assert a.decay_code(1e-12) == a.DECAY_AT_ONCE


@pytest.mark.parametrize("tau", [-1.0, math.nan, -math.inf])
def test_a_time_constant_below_zero_is_refused(tau: float) -> None:
    with pytest.raises(ValueError, match="0…inf"):
        a.decay_code(tau)


@pytest.mark.parametrize(
    ("tau", "code"),
    [
        (math.inf, (a.DECAY_NONE, 0)),
        (0, (a.DECAY_AT_ONCE, 0)),
        (0.05, (a.DECAY_AT_ONCE, 0)),
        (1.0, (41_427, 0)),
        (20, (51_140, 4)),
        (2_000, (33_546, 10)),  # 65536 · 1024 · (1 - exp(-1 / 2000)) = 33546.05
        (40_000, (53_686, 15)),
        (1e12, (1, 15)),
    ],
)
def test_a_code_with_a_shift_has_all_its_bits(tau: float, code: tuple[int, int]) -> None:
    assert a.shifted_decay_code(tau) == code


def test_a_shift_divides_what_is_lost() -> None:
    # 2**24 · 32768 / 2**(16 + s), and halves up: 3 · 2**15 / 2**17 = 0.75 is 1, 5 of it 1.25.
    assert [a.decay(1 << 24, 32_768, s) for s in (0, 1, 15)] == [1 << 23, 3 << 22, 16_776_960]
    assert [a.decay(v, 32_768, 1) for v in (1, 2, 3, 5, 6, 7, -6)] == [0, 1, 2, 4, 4, 5, -4]
    for code in (a.DECAY_NONE, a.DECAY_AT_ONCE):
        assert a.decay(1000, code, 15) == a.decay(1000, code)


@pytest.mark.parametrize("tau", [20, 2_000, 40_000])
def test_with_a_shift_a_long_time_constant_is_as_exact_as_a_short_one(tau: int) -> None:
    code, shift = a.shifted_decay_code(tau)
    assert abs(-1 / math.log1p(-code / 2 ** (16 + shift)) / tau - 1) < 1 / 32_768


# --- learning arithmetic -------------------------------------------------------------------------


def test_a_gain_is_worth_its_weight_units_at_full_scale() -> None:
    one = 1 << a.STEP_BITS
    for width in (8, 12, 16):
        full = 1 << width
        assert a.weight_step(full, 3 << a.GAIN_BITS, 0, width) == 3 * one
        assert a.weight_step(full // 2, -(3 << a.GAIN_BITS), one, width) == -one // 2


def test_products_of_weight_steps_are_cut_off_towards_minus_infinity() -> None:
    assert a.weight_step(1, 1, 0, 16) == 0
    assert a.weight_step(1, -1, 0, 16) == -1


def test_nearest_rounding_rounds_halves_up() -> None:
    steps = [-98304, -32769, -32768, -1, 32767, 32768, 98304]
    found = [a.stepped_weight(0, step, a.HALF_STEP, -128, 127) for step in steps]
    assert found == [-1, -1, 0, 0, 0, 1, 2]


def test_weights_hold_to_their_bounds_and_w_max_wins() -> None:
    one = 1 << a.STEP_BITS
    assert a.stepped_weight(120, 100 * one, a.HALF_STEP, -128, 127) == 127
    assert a.stepped_weight(-120, -100 * one, a.HALF_STEP, -100, 127) == -100
    assert a.stepped_weight(0, 0, a.HALF_STEP, 50, -50) == -50


def test_noise_is_pinned() -> None:
    # Any change of these breaks every recorded run.
    key = a.noise_key(0x12345678, 0x9ABCDEF0, a.PASS_POST)
    pair = a.noise(key, 511, 254), a.noise(key, 511, 255)
    assert (key, pair) == ((41458, 54051), (60347, 48736))


def test_noise_is_even_over_synapses_ticks_and_passes() -> None:
    for which_pass in (a.PASS_PRE, a.PASS_POST):
        values = [
            a.noise(a.noise_key(1, tick, which_pass), source, neuron)
            for tick in range(16)
            for source in range(64)
            for neuron in range(64)
        ]
        count = len(values)
        sigma = 65536 / math.sqrt(12 * count)
        assert abs(sum(values) / count - 32767.5) < 5 * sigma
        for bit in range(16):
            ones = sum(value >> bit & 1 for value in values)
            assert abs(ones - count / 2) < 5 * math.sqrt(count) / 2
        # Neighbours are independent: the product of their deviations averages to nothing.
        pairs = sum((x - 32767.5) * (y - 32767.5) for x, y in zip(values, values[1:], strict=False))
        assert abs(pairs / count) < 5 * 65536**2 / 12 / math.sqrt(count)


# --- deliver -------------------------------------------------------------------------------------


def test_a_current_acts_in_its_tick_and_decays_afterwards() -> None:
    core = make(i_syn_decay=1 << 15)
    core.weight[3][5] = 100
    core.step([3])
    assert (core.v[5], core.i_syn[5]) == (100, 50)
    core.step([])
    assert (core.v[5], core.i_syn[5]) == (150, 25)


def test_an_axon_named_twice_spikes_twice_by_the_weights_that_the_first_spike_left() -> None:
    core = make(learn_pre=1, pre_offset=5 << 16, trace_pre_bump=7)
    core.weight[3][5], core.plastic[3][5] = 100, 1
    thrice = core.step([3, 2, 3, 3])
    assert core.i_syn[5] == 100 + 105 + 110
    assert (core.weight[3][5], core.trace_pre[3], core.trace_pre[2]) == (115, 21, 7)
    # Rows of four blocks each, and six cycles before each of those that repeat the axon.
    assert thrice.cycles - make().step([2, 3]).cycles == 2 * 4 + 2 * 6
    assert make().step([3, 3]).cycles - make().step([2, 3]).cycles == 6


def test_without_learning_an_axon_that_spikes_again_waits_for_nothing() -> None:
    again, others = Oracle(preset("tiny,learning=0")), Oracle(preset("tiny,learning=0"))
    assert again.step([3, 3, 3]).cycles == others.step([1, 2, 3]).cycles


@pytest.mark.parametrize(("start", "weight", "end"), [(32700, 127, 32767), (-32700, -128, -32768)])
def test_currents_saturate(start: int, weight: int, end: int) -> None:
    core = make()
    core.i_syn[0], core.weight[0][0] = start, weight
    core.step([0])
    assert core.i_syn[0] == end


def test_currents_saturate_after_every_source_in_ascending_order() -> None:
    core = make()
    core.i_syn[0] = V_TOP
    core.weight[1][0], core.weight[2][0] = 100, -100
    core.step([2, 1])
    assert core.i_syn[0] == V_TOP - 100


def test_a_neuron_that_fired_is_a_source_in_the_next_tick_only() -> None:
    core = make()
    core.threshold[2], core.v[2], core.v_reset[2] = 1000, 1000, -5
    core.weight[AXONS + 2][7] = 40
    assert core.step([]).spikes == [2]
    assert core.i_syn[7] == 0
    core.step([])
    assert core.i_syn[7] == 40
    core.step([])
    assert core.i_syn[7] == 40


# --- update --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "current", "added"),
    [(0, 5, 5), (1, 5, 3), (1, -5, -2), (2, -6, -1), (2, 6, 2), (15, 16_384, 1), (15, 16_383, 0)],
)
def test_a_current_adds_its_part_and_stays_whole(shift: int, current: int, added: int) -> None:
    core = Oracle(preset("tiny,decay_shift=1"))
    core.threshold = [V_TOP] * TINY.n_neurons
    core.register |= {"v_floor": -100, "i_syn_shift": shift}
    core.i_syn[3] = current
    core.step([])
    assert (core.v[3], core.i_syn[3]) == (added, current)


def test_inhibition_has_a_current_of_its_own_where_it_is_wanted() -> None:
    for enabled, i_syn, i_inh in ((0, 50 - 15, 0), (1, 50, -30 + 10)):
        core = Oracle(preset("tiny,receptors=2"))
        core.threshold = [V_TOP] * TINY.n_neurons
        core.register |= {"v_floor": -100, "i_inh_en": enabled, "i_inh_decay": 21_845}  # a third
        core.register["i_syn_decay"] = 32_768
        core.weight[0][3], core.weight[1][3] = 100, -30
        core.step([0, 1])
        assert (core.v[3], core.i_syn[3], core.i_inh[3]) == (70, i_syn, i_inh)
        core.clear(ClearMask.I_SYN)
        assert (core.i_syn[3], core.i_inh[3]) == (0, 0)


def test_each_current_is_divided_and_saturates_by_itself() -> None:
    core = Oracle(preset("tiny,receptors=2,decay_shift=1"))
    core.threshold = [V_TOP] * TINY.n_neurons
    core.register |= {"v_floor": -100, "i_inh_en": 1, "i_syn_shift": 1}
    core.i_syn[3], core.i_inh[3] = 5, -5
    core.i_syn[4], core.i_inh[4] = V_TOP, -V_TOP - 1
    core.weight[0] = [0, 0, 0, 0, 10, 0, 0, 0]
    core.weight[1] = [0, 0, 0, 0, -10, 0, 0, 0]
    core.step([0, 1])
    assert core.v[3] == 3 - 2
    assert (core.i_syn[4], core.i_inh[4]) == (V_TOP, -V_TOP - 1)
    assert core.saturations["i_syn_saturations"] == 2


def profiled(**held: list[int]) -> Oracle:
    """A core with two profiles that never fires on its own; odd numbers have the second."""
    core = Oracle(preset("tiny,n_profiles=2"))
    core.threshold = [V_TOP] * TINY.n_neurons
    core.profile, core.source_profile = [0, 1] * 4, [0, 1] * 8
    assert held.keys() <= core.profile_table.keys()
    core.profile_table |= {"v_floor": [-100, -100]} | held
    return core


def test_every_neuron_and_every_source_has_what_its_profile_holds() -> None:
    core = profiled(v_decay=[32_768, 16_384], v_floor=[-9, 0], trace_pre_bump=[5, 7])
    core.v = [100, 100, -100, -100, 0, 0, 0, 0]
    core.step([2, 3])
    assert core.v == [50, 75, -9, 0, 0, 0, 0, 0]
    assert core.trace_pre[2:4] == [5, 7]
    core = profiled(reset_subtract=[0, 1], theta_bump=[3, 4], trace_post_bump=[5, 6])
    core.threshold[:2], core.v[:2] = [10, 10], [15, 15]
    assert core.step([]).spikes == [0, 1]
    assert (core.v[:2], core.theta[:2], core.trace_post[:2]) == ([0, 5], [3, 4], [5, 6])


def test_a_linear_leak_takes_units_and_stops_at_0() -> None:
    core = profiled(linear_leak=[0, 30], v_decay=[32_768, 65_535])
    core.v = [100, 100, 20, 20, -100, -100, -20, -20]
    core.step([])
    assert core.v == [50, 70, 10, 0, -50, -70, -10, 0]


def test_a_neuron_may_integrate_in_its_refractory_time_but_not_fire() -> None:
    core = profiled(refrac_integrates=[0, 1])
    core.threshold[:2], core.bias[:2], core.refrac_ticks[:2] = [10, 10], [10, 10], [2, 2]
    fired, potentials = [], []
    for _ in range(4):
        fired.append(core.step([]).spikes)
        potentials.append(core.v[:2])
    assert fired == [[0, 1], [], [], [0, 1]]
    assert potentials == [[0, 0], [0, 10], [0, 20], [0, 0]]


def test_every_decay_has_a_shift_of_its_own() -> None:
    for name in ("v", "i_syn", "i_inh", "theta", "trace_pre", "trace_post"):
        core = Oracle(preset("tiny,decay_shift=1,receptors=2"))
        core.threshold = [V_TOP] * TINY.n_neurons
        core.register |= {f"{name}_decay": 1 << 15, f"{name}_decay_shift": 3}
        getattr(core, name)[2] = 1000
        core.step([])
        assert getattr(core, name)[2] == 1000 - 63  # 62.5 is lost, and a half is rounded up


@pytest.mark.parametrize(("v", "fires"), [(999, False), (1000, True), (1001, True)])
def test_a_neuron_fires_at_threshold_plus_theta(v: int, fires: bool) -> None:
    core = make()
    core.threshold[4], core.theta[4], core.v[4] = 700, 300, v
    assert core.step([]).spikes == ([4] if fires else [])


@pytest.mark.parametrize(("subtract", "after"), [(0, -7), (1, 23)])
def test_reset_is_to_a_value_or_by_subtraction(subtract: int, after: int) -> None:
    core = make(reset_subtract=subtract)
    core.threshold[4], core.theta[4], core.v[4], core.v_reset[4] = 700, 300, 1023, -7
    core.step([])
    assert core.v[4] == after


def test_reset_by_subtraction_saturates() -> None:
    core = make(reset_subtract=1)
    core.threshold[4], core.v[4] = -V_TOP - 1, V_TOP
    core.step([])
    assert core.v[4] == V_TOP


def test_a_refractory_neuron_is_held_for_exactly_its_ticks() -> None:
    core = make()
    core.threshold[1], core.bias[1], core.refrac_ticks[1] = 10, 10, 2
    fired = [core.step([]).spikes == [1] for _ in range(7)]
    assert fired == [True, False, False, True, False, False, True]


def test_v_is_held_while_refractory_but_the_current_decays() -> None:
    core = make(v_decay=1 << 15, i_syn_decay=1 << 15)
    core.refrac_count[1], core.v[1], core.i_syn[1], core.bias[1] = 1, 500, 100, 3
    core.step([])
    assert (core.v[1], core.i_syn[1], core.refrac_count[1]) == (500, 50, 0)
    core.step([])
    assert core.v[1] == 250 + 50 + 3


def test_no_refractory_ticks_let_a_neuron_fire_every_tick() -> None:
    core = make()
    core.threshold[1], core.bias[1] = 10, 10
    assert [core.step([]).spikes for _ in range(3)] == [[1], [1], [1]]


def test_v_holds_to_floor_and_top() -> None:
    core = make(v_floor=-100)
    core.bias[0], core.bias[1] = -30000, 30000
    core.v[1] = core.i_syn[1] = 30000
    core.refrac_ticks[1] = 5
    core.threshold[1], core.theta[1] = V_TOP, 1
    core.step([])
    assert (core.v[0], core.v[1]) == (-100, V_TOP)


def test_theta_is_bumped_saturated_and_then_decays() -> None:
    core = make(theta_bump=10, theta_decay=1 << 15)
    core.threshold[0] = core.threshold[1] = -V_TOP - 1
    core.v[0] = core.v[1] = V_TOP
    core.theta[1] = THETA_TOP - 3
    core.step([])
    assert core.theta[0] == 5
    assert core.theta[1] == THETA_TOP // 2


def test_trace_post_decays_and_is_then_bumped_or_replaced() -> None:
    for replace, after in ((0, 700), (1, 200)):
        core = make(trace_post_decay=1 << 15, trace_post_bump=200, trace_post_replace=replace)
        core.threshold[0], core.trace_post[0] = 0, 1000
        core.step([])
        assert core.trace_post[0] == after


def test_traces_saturate() -> None:
    core = make(trace_post_bump=200, trace_pre_bump=200)
    core.threshold[0] = 0
    core.trace_post[0], core.trace_pre[3] = TRACE_TOP - 100, TRACE_TOP - 100
    core.step([3])
    assert core.trace_post[0] == core.trace_pre[3] == TRACE_TOP


def test_trace_pre_of_silent_sources_decays_too() -> None:
    core = make(trace_pre_decay=1 << 15)
    core.trace_pre = [1000] * TINY.n_sources
    core.step([])
    assert core.trace_pre == [500] * TINY.n_sources


# --- who sees what -------------------------------------------------------------------------------

UNIT = 1 << a.STEP_BITS
FULL_GAIN = 16 << a.GAIN_BITS


def test_the_pre_rule_acts_after_the_current_of_its_own_event() -> None:
    core = make(learn_pre=1, pre_offset=5 * UNIT)
    core.weight[0][0], core.plastic[0][0] = 10, True
    core.step([0])
    assert (core.i_syn[0], core.weight[0][0]) == (10, 15)


def test_the_pre_rule_sees_trace_post_of_the_tick_before() -> None:
    core = make(learn_pre=1, pre_gain=FULL_GAIN, trace_post_bump=1 << 15, trace_post_decay=65535)
    core.plastic[0][0] = True
    core.threshold[0] = 0
    core.step([0])  # fires, but after the pre-event
    assert core.weight[0][0] == 0
    core.threshold[0] = V_TOP
    core.step([0])  # trace_post has not decayed again yet
    assert core.weight[0][0] == 8
    core.step([0])
    assert core.weight[0][0] == 8


def test_the_post_rule_sees_trace_pre_of_its_own_tick_once_decayed() -> None:
    core = make(learn_post=1, post_gain=FULL_GAIN, trace_pre_bump=1 << 15, trace_pre_decay=1 << 15)
    core.plastic[0][0] = True
    core.threshold[0] = 0
    core.step([0])
    assert core.weight[0][0] == 4


def test_both_rules_act_in_one_tick_pre_before_post() -> None:
    core = make(learn_pre=1, learn_post=1, pre_offset=100 * UNIT, post_offset=-3 * UNIT)
    core.weight[0][0], core.plastic[0][0], core.threshold[0] = 100, True, 0
    core.step([0])
    assert core.weight[0][0] == 127 - 3  # saturated in between


def test_each_rule_has_its_own_switch() -> None:
    for pre, post, weight in ((0, 0, 0), (1, 0, 2), (0, 1, 3), (1, 1, 5)):
        core = make(learn_pre=pre, learn_post=post, pre_offset=2 * UNIT, post_offset=3 * UNIT)
        core.plastic[0][0], core.threshold[0] = True, 0
        core.step([0])
        assert core.weight[0][0] == weight


def test_only_plastic_synapses_learn() -> None:
    core = make(learn_pre=1, learn_post=1, pre_offset=UNIT, post_offset=UNIT)
    core.threshold = [0] * TINY.n_neurons
    core.plastic[1][2] = True
    core.step([0, 1])
    changed = [(i, j) for i, row in enumerate(core.weight) for j, w in enumerate(row) if w]
    assert changed == [(1, 2)]


def test_neurons_learn_as_sources_too() -> None:
    core = make(learn_pre=1, learn_post=1, pre_offset=UNIT, post_gain=FULL_GAIN)
    core.register["trace_pre_bump"] = 1 << 15
    core.threshold[3], core.v_reset[3] = 0, -100
    core.plastic[AXONS + 3][3] = True
    core.step([])  # fires: the post-event rule sees no trace_pre yet
    assert core.weight[AXONS + 3][3] == 0
    core.step([])  # its spike is delivered
    assert core.weight[AXONS + 3][3] == 1


def ruled(*options: str, **held: list[int]) -> Oracle:
    """A core in which axon 0 has plastic synapses to neuron 0 by rule 0, to neuron 2 by rule 1."""
    core = Oracle(preset(",".join(["tiny,n_projections=2,weight_depth=64,n_rules=2", *options])))
    core.threshold = [V_TOP] * TINY.n_neurons
    core.register |= {"learn_pre": 1, "learn_post": 1}
    core.projection_kind, core.projection_rule = [1, 1], [0, 1]
    core.projection_sources, core.projection_targets = [1, 1], [1, 1]
    core.projection_target, core.projection_base = [0, 1], [0, 2]
    core.row_projections[0], core.column_order = walk(0, 2), [0, 1]
    core.column_projections[:2] = [walk(0, 1), walk(1, 1)]
    core.plastic[0][0] = core.plastic[0][4] = True
    assert held.keys() <= core.rule_table.keys()
    core.rule_table |= {"w_min": [-128, -128], "w_max": [127, 127]} | held
    return core


def ruled_weights(core: Oracle) -> tuple[int, int]:
    return core.weight[0][0], core.weight[0][4]


def test_every_projection_learns_by_what_its_rule_holds() -> None:
    core = ruled(pre_offset=[2 * UNIT, 5 * UNIT], w_max=[127, 4])
    core.step([0])
    assert ruled_weights(core) == (2, 4)
    core = ruled(pre_gain=[3 << a.GAIN_BITS, -3 << a.GAIN_BITS], w_min=[-128, -2])
    core.trace_post = [1 << 15] * TINY.n_neurons
    core.step([0, 0, 0])
    assert ruled_weights(core) == (6, -2)  # 1.5 is rounded up each time, -1.5 to -1
    core = ruled(post_gain=[3 << a.GAIN_BITS, 1 << a.GAIN_BITS], post_offset=[0, -2 * UNIT])
    core.threshold[0] = core.threshold[2] = 0
    core.trace_pre[0] = 1 << 15
    core.step([])
    assert ruled_weights(core) == (2, -1)
    core = ruled(pre_offset=[UNIT // 4, UNIT // 4], stochastic=[0, 1])
    for _ in range(100):
        core.step([0])
    left, right = ruled_weights(core)
    assert left == 0 < right


def test_gains_have_an_exponent_with_which_a_trace_moves_a_weight_across_its_range() -> None:
    for shift, gain, trace, begin, end in (
        (0, 127 << 8, TRACE_TOP, 0, 127),
        (9, 127 << 8, TRACE_TOP, -32768, -32768 + 65023),  # 127 · 512 · 65535 / 65536
        (9, -32768, TRACE_TOP, 32767, -32768),  # -128 · 512 · 65535 / 65536 is -65535
        (15, 1, 1, 100, 100),  # 2^15 / 256 / 65536 is 1/512
        (15, 256, 1, 100, 101),  # 1/2 is rounded up
        (15, -257, 1, 100, 99),
        (15, -32768, TRACE_TOP, 32767, -32768),
    ):
        step = a.weight_step(trace, gain, 0, 16, shift)
        assert a.stepped_weight(begin, step, a.HALF_STEP, -32768, 32767) == end, (shift, gain)
    core = ruled(pre_gain=[256, 256], post_gain=[-256, -256], gain_shift=[0, 3])
    core.trace_post = [1 << 15] * TINY.n_neurons
    core.step([0, 0])
    assert ruled_weights(core) == (2, 8)
    core.threshold, core.trace_pre[0] = [0] * TINY.n_neurons, 1 << 15
    core.step([])
    assert ruled_weights(core) == (2, 4)


def test_a_current_is_made_by_the_weight_from_before_the_change_or_from_after_it() -> None:
    for learn_pre, currents in ((1, [10, 0, 15, 0]), (0, [10, 0, 10, 0])):
        core = ruled(pre_offset=[5 * UNIT, 5 * UNIT], current_after=[0, 1])
        core.weight[0][0] = core.weight[0][4] = 10
        core.register["learn_pre"] = learn_pre
        result = core.step([0])
        assert core.i_syn[:4] == currents
        assert result.update_cycle == 4 + 12 + 2 * 8 + 5 + 3
        core.plastic[0] = [False] * len(core.plastic[0])
        weights = ruled_weights(core)
        core.step([0])
        assert (core.i_syn[0] - currents[0], core.i_syn[2] - currents[2]) == weights
    core = ruled("receptors=2", pre_offset=[-5 * UNIT, -5 * UNIT], current_after=[0, 1])
    core.register["i_inh_en"] = 1
    core.weight[0][0] = core.weight[0][4] = 2
    core.step([0])
    assert (core.i_syn[:4], core.i_inh[:4]) == ([2, 0, 0, 0], [0, 0, -3, 0])


def window_of(a_plus: list[int]) -> list[int]:
    """The table with which a source that spiked k ticks ago adds a_plus[k], and several the sum."""
    return [
        sum(each * UNIT for k, each in enumerate(a_plus) if past >> k & 1) for past in range(256)
    ]


def test_a_rule_over_a_window_steps_by_the_ticks_in_which_its_source_spiked() -> None:
    # SuperNeuroMAT's STDP without depression: apos[k] for a source that fired k + 1 ticks before.
    core = ruled("window_bits=8", window=[0, 1], post_gain=[256, 256])
    core.window_table[:256] = window_of([8, 4, 2, 1, 0, 0, 0, 16])
    for axons in ([0], [], [0, 0]):
        core.step(axons)
    assert ruled_weights(core) == (0, 0)  # no neuron has fired
    core.threshold[2] = 0
    core.step([0])
    assert core.history[0] == 0b1011  # now, a tick ago, and three ticks ago
    assert ruled_weights(core) == (0, 8 + 4 + 1)
    core.threshold[2] = V_TOP
    for _ in range(6):
        core.step([])
    core.threshold[2] = 0
    core.step([])
    assert core.history[0] == 1 << 7  # the others are out of the window
    assert ruled_weights(core) == (0, 13 + 16)
    core.step([])
    assert (core.history[0], ruled_weights(core)) == (0, (0, 29))
    # A spike of a neuron is delivered in the next tick, and is in the past of a source from then.
    assert [core.history[AXONS + 2] & 3 for _ in (1, 2) if core.step([])] == [3, 3]
    core.clear(ClearMask.TRACES)
    assert core.history == [0] * TINY.n_sources


def test_a_window_of_16_ticks_is_the_sum_of_two_tables() -> None:
    core = ruled(
        "window_bits=16", window=[2, 3], gain_shift=[1, 0], post_offset=[-UNIT, 0], w_min=[-128, -9]
    )
    core.window_table[:512] = [-30 * UNIT] * 256 + [0] * 256  # of number 1, and of 3 as well
    core.window_table[512:768] = window_of([5, 0, 0, 0, 0, 0, 0, 0])
    core.window_table[768:] = window_of([0, 0, 0, 0, 0, 0, 0, 9])
    for axons in ([0], *[[]] * 14):
        core.step(axons)
    core.threshold[0] = core.threshold[2] = 0
    core.step([0])
    assert core.history[0] == 1 << 15 | 1
    assert ruled_weights(core) == (2 * (5 + 9) - 1, -9)


def test_stochastic_rounding_is_right_on_average() -> None:
    core = make(learn_pre=1, stochastic=1, pre_offset=UNIT // 4, seed=7)
    core.plastic = [[True] * TINY.n_neurons for _ in range(TINY.n_sources)]
    ticks = 200
    for _ in range(ticks):
        core.step(range(AXONS))
    total = sum(sum(row) for row in core.weight[:AXONS])
    steps = ticks * AXONS * TINY.n_neurons
    assert abs(total - steps / 4) < 5 * math.sqrt(steps * 3 / 16)


# --- clear, cycles -------------------------------------------------------------------------------


def test_each_bit_of_clear_clears_its_own() -> None:
    names = {
        ClearMask.V: {"v"},
        ClearMask.I_SYN: {"i_syn", "i_inh"},
        ClearMask.REFRAC_COUNT: {"refrac_count"},
        ClearMask.PENDING: {"pending"},
        ClearMask.TRACES: {"trace_pre", "trace_post"},
        ClearMask.THETA: {"theta"},
    }
    for bit in ClearMask:
        core = make()
        state = set[str]().union(*names.values())
        for name in state:
            setattr(core, name, [1] * max(1, len(getattr(core, name))))
        core.clear(bit)
        assert {name for name in state if not any(getattr(core, name))} == names[bit]


def test_a_tick_takes_the_cycles_of_the_schedule() -> None:
    params = preset("ncx")
    core = Oracle(params)
    core.threshold = [V_TOP] * params.n_neurons
    core.register["learn_post"] = 1
    assert core.step([]).cycles == schedule.tick_cycles(params, 0, 0, True)
    core.v[10] = core.v[90] = V_TOP
    result = core.step([1, 2, 3, 4])
    assert result.spikes == [10, 90]
    assert result.update_cycle == schedule.deliver_cycles(params, 4 * params.row_groups)
    assert result.spike_cycles == [
        result.update_cycle + schedule.spike_cycle(params, j) for j in (10, 90)
    ]
    # Nothing is plastic, so Learn costs nothing; one plastic synapse anywhere brings it back.
    assert result.cycles == schedule.tick_cycles(params, 4, 2, False)
    core.plastic[0][0] = True
    core.v[10] = core.v[90] = V_TOP
    assert core.step([1, 2]).cycles == schedule.tick_cycles(params, 4, 2, True)
    assert result.cycles <= 200  # 2 % of all sources: the bar of the specification
    assert core.step([]).cycles == schedule.tick_cycles(params, 2, 0, True)


def test_a_bias_event_rewrites_a_bias_before_its_tick_and_for_all_later_ones() -> None:
    oracle = Oracle(preset("tiny,bias_events=1"))
    oracle.register["v_floor"] = -V_TOP - 1
    oracle.threshold, oracle.bias[2] = [V_TOP] * 8, 7
    oracle.step([])
    oracle.step([], [(2, 30), (5, -4), (2, 20)])  # of two for a neuron the last one counts
    oracle.step([])
    assert (oracle.v[2], oracle.v[5]) == (7 + 20 + 20, -4 - 4)
    assert oracle.bias == [0, 0, 20, 0, 0, -4, 0, 0]
    oracle.clear(~ClearMask(0))
    assert oracle.bias[2] == 20  # it is a parameter


def test_each_bias_event_takes_four_cycles_before_the_rows() -> None:
    oracle = Oracle(preset("tiny,bias_events=1"))
    oracle.threshold = [V_TOP] * 8
    oracle.threshold[6] = 100
    quiet = oracle.step([])
    assert (quiet.update_cycle, quiet.cycles) == (4, 4 + 4 + 14 + 2)
    result = oracle.step([1, 3], [(6, 100), (6, 100), (0, 1)])
    assert result.update_cycle == 4 + 3 * 4 + 2 * 4 + 5
    assert result.cycles == result.update_cycle + 4 + 14 + 2
    assert result.spike_cycles == [result.update_cycle + 6 // 2 + 10]


def test_a_tick_reports_its_probes_after_everything_else() -> None:
    oracle = Oracle(preset("tiny,probe_ranges=3,v_width=18,refrac_width=5"))
    oracle.register |= {"probe_period": 3, "probe_words": 6, "v_floor": -9}
    oracle.threshold, oracle.refrac_ticks = [1000] * 8, [3] * 8
    oracle.v[3:6], oracle.bias[4] = [-3, 999, 5], 1
    oracle.probe_space = [Space.V, Space.WEIGHT, Space.REFRAC_COUNT]
    oracle.probe_first, oracle.probe_count = [3, 0, 4], [3, 2, 1]
    results = [oracle.step([]) for _ in range(4)]
    # -3, then 0 after a spike, and 5, of five nibbles each; then 3, of two nibbles.
    assert results[0].probes == [0x00FFFFD, 0x0005000, 0x003 << 4]
    assert [len(result.probes) for result in results] == [3, 0, 0, 3]
    assert results[0].cycles == 4 + 4 + 14 + (3 * 4 + 6 + 6) + 2
    assert results[2].cycles == 4 + 4 + 14 + 2


def test_words_of_probes_beyond_those_there_is_room_for_are_left_out() -> None:
    oracle = Oracle(preset("tiny,probe_ranges=1"))
    oracle.probe_space, oracle.probe_count, oracle.threshold = [Space.V], [8], [1] * 8
    for words in (0, 4, 5, 6):
        oracle.register |= {"probe_period": 1, "probe_words": words}
        result = oracle.step([])
        assert result.probes == [0] * min(words, 5)
        assert result.cycles == 4 + 4 + 14 + (4 + 8 + 6) + 2
