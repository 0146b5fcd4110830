"""Tests of the core inside the simulator: constrained-random ones, and edge cases one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from cocotb.triggers import FallingEdge, ValueChange, with_timeout
from cocotb.utils import get_sim_time

from spiketwin.cosim.testbenches.core_driver import (
    CYCLE,
    MATRICES,
    CoreDriver,
    count_word,
    words_of,
)
from spiketwin.cosim.testbenches.declare import Benches
from spiketwin.hdl.spec import arithmetic, schedule
from spiketwin.hdl.spec.oracle import TickResult
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.protocol import Word
from spiketwin.hdl.spec.registers import DAMAGE_WIDTH, ClearMask, Space, profile_columns, registers
from spiketwin.hdl.spec.variables import PARAMETER_ARRAYS, STATE, Variable

bench = Benches(CoreDriver)

_NEEDED: Final = {
    "weights_saturate": "learning",
    "spikes_before_and_behind_a_synapse_at_once": "learning",
    "nothing_plastic_costs_nothing": "learning",
    "biases_come_at_the_last_moment": "bias_events",
}
"""Tests that are for cores with a feature: name to the member of `CoreParams` that builds it."""


def is_for(test: str, params: CoreParams) -> bool:
    """Return whether a test is for a core of these sizes."""
    return test not in _NEEDED or bool(getattr(params, _NEEDED[test]))


DECAYS: Final = (arithmetic.DECAY_NONE, 1, 65, 3000, 32768, 65534, arithmetic.DECAY_AT_ONCE)
STATE_SPACES: Final = tuple(v.space for v in STATE if v.space is not Space.PENDING)


def bounds(core: CoreDriver, space: Space) -> tuple[int, int]:
    """Return the smallest and the largest element of a space."""
    return core.formats[space].limits()


async def program_random(core: CoreDriver, *, wild: bool) -> None:
    """Fill all spaces at random: from the whole range if `wild`, else with plausible values."""
    rng = core.rng
    for space, fmt in core.formats.items():
        if fmt.record or space in (Space.COUNTER, Space.PENDING):
            continue
        low, high = fmt.limits()
        if not wild and space in (Space.V, Space.I_SYN, Space.V_RESET, Space.BIAS):
            low, high = low // 32, high // 32
        elif not wild and space is Space.THRESHOLD:
            low, high = 0, high // 8
        elif not wild and space is Space.THETA:
            # A small theta: it may be wider than thresholds are, and then nothing would fire.
            high = min(high, bounds(core, Space.V)[1] // 32)
        elif not wild and space in (Space.REFRAC_TICKS, Space.REFRAC_COUNT):
            high = 3
        edges = 0.2 if wild else 0.0
        values = [
            [
                rng.choice((low, high)) if rng.random() < edges else rng.randint(low, high)
                for _ in range(fmt.columns)
            ]
            for _ in range(fmt.rows)
        ]
        if space is Space.PLASTIC:
            # Leave whole rows and columns without a flag as well.
            for row in values:
                if rng.random() < 0.3:
                    row[:] = [0] * fmt.columns
            for column in range(fmt.columns):
                if rng.random() < 0.3:
                    for row in values:
                        row[column] = 0
        name = space.name.lower()
        await core.write(name, values if name in MATRICES else values[0])
    await core.write_pending(rng.sample(range(core.params.n_neurons), 3))


async def random_registers(core: CoreDriver) -> None:
    """Set every register at random, many of them to an end of their range."""
    values = {r.name: _random_value(core, r) for r in registers(core.params)}
    # Ranges are drawn without regard to the ends of what they report, so none is reported.
    values |= dict.fromkeys(values.keys() & {"tick_period", "probe_period"}, 0)
    await core.write_registers(**values)
    for column in profile_columns(core.params):
        several = [_random_value(core, column) for _ in range(core.params.n_profiles)]
        await core.write_profiles(column.name, several)


def _random_value(core: CoreDriver, variable: Variable) -> int:
    low, high = variable.limits(core.params)
    choices = [core.rng.randint(low, high), low, high]
    if variable.is_decay:
        choices += DECAYS
    if variable.name == "linear_leak":
        choices += [0] * 3
    return core.rng.choice(choices)


def random_axons(core: CoreDriver) -> list[int]:
    """Return the axons that spike in one tick, from none to all, and some of them again."""
    n = core.params.n_axons
    axons = core.rng.sample(range(n), core.rng.choice((0, 1, 1, 2, 3, n // 2, n)))
    return axons + core.rng.choices(axons, k=core.rng.choice((0, 0, 1, 3))) if axons else axons


def random_biases(core: CoreDriver, most: int) -> list[tuple[int, int]]:
    """Return up to `most` bias events of one tick, (neuron, bias), if the core has any."""
    if not core.params.bias_events:
        return []
    rng, n = core.rng, core.params.n_neurons
    low, high = bounds(core, Space.BIAS)
    return [
        (rng.randrange(n), rng.choice((low, high, 0, *(rng.randint(low // 32, high // 32),) * 9)))
        for _ in range(min(most, rng.choice((0, 0, 1, 2, n))))
    ]


async def random_ticks(core: CoreDriver, networks: int, ticks: int, *, wild: bool) -> None:
    """Run networks drawn at random, and rewrite registers and clear state in between."""
    spikes = 0
    for _ in range(networks):
        await program_random(core, wild=wild)
        await random_registers(core)
        for _ in range(ticks):
            axons = random_axons(core)
            biases = random_biases(core, core.params.event_queue_depth - len(axons))
            result = await core.tick(axons, biases)
            spikes += len(result.spikes)
            if core.rng.random() < 0.1:
                await random_registers(core)
            if core.rng.random() < 0.03:
                await core.clear(ClearMask(core.rng.randrange(1 << len(ClearMask))))
    if not wild:
        enough = networks * ticks // 4
        core.scoreboard.check(f"{enough} spikes at least", int(spikes >= enough), 1)
    await core.compare_through_port()


@bench
async def begins_with_nothing(core: CoreDriver) -> None:
    """After power-up everything is 0, whatever the memories held, and nothing is plastic."""
    core.compare()
    await core.fill("threshold", -1)
    await core.write_registers(learn_pre=1, learn_post=1, pre_offset=1 << 20, post_offset=1 << 20)
    for _ in range(2):
        await core.tick(range(core.params.n_axons))
    await core.compare_through_port()


@bench
async def random_networks(core: CoreDriver) -> None:
    """Random networks with plausible values run like the oracle."""
    await random_ticks(core, networks=4, ticks=60, wild=False)


@bench
async def random_extremes(core: CoreDriver) -> None:
    """Random networks with values from the whole range of each space run like the oracle."""
    await random_ticks(core, networks=5, ticks=25, wild=True)


@bench
async def late_ticks(core: CoreDriver) -> None:
    """Noise depends on all 32 bits of the tick."""
    await program_random(core, wild=True)
    await random_registers(core)
    await core.write_registers(stochastic=1, learn_pre=1, learn_post=1)
    for start in (0xFFFE, 0x7FFF_FFF0, 0xFFFF_FFF0):
        core.dut.run_until.value = start
        core.dut.core.controller.tick.value = start
        await core.cycles(2)
        core.oracle.tick = start
        for _ in range(8):
            await core.tick(random_axons(core))


# --- saturation --------------------------------------------------------------------------------


async def hold_neurons(core: CoreDriver) -> None:
    """Make neurons that never fire: nothing decays, and the threshold is out of reach."""
    await core.reset()
    await core.write_registers(v_floor=bounds(core, Space.V)[0])
    for parameter in PARAMETER_ARRAYS:
        if parameter.space in core.formats:
            await core.fill(parameter.name, 0)
    await core.fill("threshold", bounds(core, Space.THRESHOLD)[1])
    await core.fill("theta", 1)


def near(edge: int, inward: int, count: int) -> list[int]:
    """Return values at an end of a range and close to it."""
    return [edge + inward * place for place in range(count)]


@bench
async def currents_saturate(core: CoreDriver) -> None:
    """`i_syn` stays at an end of its range however many rows are added."""
    n = core.params.n_neurons
    for w_edge, i_edge, inward in zip(
        bounds(core, Space.WEIGHT), bounds(core, Space.I_SYN), (1, -1), strict=True
    ):
        await hold_neurons(core)
        await core.fill("weight", w_edge)
        await core.write("i_syn", near(i_edge, inward, n))
        await core.tick([0])
        await core.tick(range(core.params.n_axons))
        core.scoreboard.check("i_syn", core.peek("i_syn")[0], i_edge, "neuron 0")
        # Add one row of the opposite sign: a value that had wrapped would show.
        await core.fill("weight", inward)
        await core.tick([1])
        core.scoreboard.check("i_syn", core.peek("i_syn")[0], i_edge + inward, "neuron 0")


@bench
async def potentials_saturate(core: CoreDriver) -> None:
    """The sum of potential, current and bias saturates once, as a whole."""
    n = core.params.n_neurons
    for place in (0, 1):
        edge = bounds(core, Space.V)[place]
        inward = -1 if place else 1
        await hold_neurons(core)
        await core.write("v", near(edge, inward, n))
        await core.fill("i_syn", bounds(core, Space.I_SYN)[place])
        await core.fill("bias", bounds(core, Space.BIAS)[place])
        await core.tick()
        core.scoreboard.check_vector("v", core.peek("v"), [edge] * n)
        # The terms cancel out before the sum saturates.
        await core.fill("i_syn", 0)
        await core.fill("v", edge)
        await core.fill("bias", inward * 3)
        await core.tick()
        core.scoreboard.check_vector("v", core.peek("v"), [edge + inward * 3] * n)


@bench
async def potentials_have_a_floor(core: CoreDriver) -> None:
    """Integration stops at `v_floor`; a potential below it rises to it, a reset goes below it."""
    n = core.params.n_neurons
    low, high = bounds(core, Space.V)
    for floor in (0, -7, 5, low, high):
        await hold_neurons(core)
        await core.write_registers(v_floor=floor)
        values = [min(high, max(low, floor + place - n // 2)) for place in range(n)]
        await core.write("v", values)
        await core.tick()
        core.scoreboard.check_vector("v", core.peek("v"), [max(floor, v) for v in values])
        await core.fill("bias", -1)
        await core.tick()
        await core.fill("threshold", low)
        await core.fill("v_reset", low)
        await core.tick()


@bench
async def theta_and_traces_saturate(core: CoreDriver) -> None:
    """`theta` and both traces saturate at the top of their range."""
    p = core.params
    for bump_from_top in (0, 1, 3):
        await hold_neurons(core)
        for name in ("theta", "trace_pre", "trace_post"):
            space = Space[name.upper()]
            if space in core.formats:
                top = bounds(core, space)[1]
                await core.write(name, near(top, -1, core.formats[space].columns))
                await core.write_registers(**{f"{name}_bump": top - bump_from_top})
        # Every neuron fires: its potential is far above threshold and theta, or reset to be so.
        await core.fill("theta", 1)
        await core.fill("threshold", bounds(core, Space.THRESHOLD)[0])
        fired = await core.tick(range(p.n_axons))
        core.scoreboard.check("neurons that fired", len(fired.spikes), p.n_neurons)
        await core.tick(range(p.n_axons))
        if p.learning:
            top = bounds(core, Space.TRACE_PRE)[1]
            core.scoreboard.check_vector(
                "trace_pre", core.peek("trace_pre"), [top] * p.n_sources, "source"
            )
        top = bounds(core, Space.THETA)[1]
        await core.fill("theta", top)
        await core.write_registers(theta_bump=top)
        await core.tick()


@bench
async def resets_by_subtraction_saturate(core: CoreDriver) -> None:
    """The rest after subtracting a threshold far below 0 saturates and does not wrap."""
    low, high = bounds(core, Space.V)
    n = core.params.n_neurons
    await hold_neurons(core)
    await core.write_registers(reset_subtract=1, theta_bump=3)
    await core.fill("v", high)
    await core.write("threshold", near(low, 1, n))
    await core.tick()
    core.scoreboard.check("v", core.peek("v")[0], high, "neuron 0")
    await core.write("threshold", [place - 3 for place in range(n)])
    await core.write("v", [20] * n)
    for _ in range(3):
        await core.tick()


STRONG_RULES: Final = (
    (32767, (1 << 23) - 1), (-32768, -(1 << 23)), (32767, -(1 << 23)), (0, (1 << 23) - 1),
    (-32768, 0), (0, 0),
)  # fmt: skip
"""Gains and offsets whose steps are 0, or as large as possible in either direction."""


@bench
async def weights_saturate(core: CoreDriver) -> None:
    """Both rules keep weights within their bounds; if the bounds cross, `w_max` wins."""
    low, high = bounds(core, Space.WEIGHT)
    p = core.params
    await hold_neurons(core)
    await core.fill("plastic", 1)
    # Every neuron fires in every tick, so every weight learns.
    await core.fill("threshold", bounds(core, Space.THRESHOLD)[0])
    await core.write_registers(
        learn_pre=1, learn_post=1, trace_pre_bump=bounds(core, Space.TRACE_PRE)[1] // 2,
        trace_post_bump=bounds(core, Space.TRACE_POST)[1],
    )  # fmt: skip
    for w_min, w_max in ((low, high), (-3, 4), (0, 0), (4, -3), (high, low)):
        for gain, offset in STRONG_RULES:
            edges = (low, high, w_min, w_max, 0, 1)
            await core.write(
                "weight",
                [[core.rng.choice(edges) for _ in range(p.n_neurons)] for _ in range(p.n_sources)],
            )
            await core.write_registers(
                w_min=w_min, w_max=w_max, pre_gain=gain, pre_offset=offset,
                post_gain=-1 - gain, post_offset=-1 - offset,
            )  # fmt: skip
            await core.tick([0, 1])
            inside = {w_max} if w_min > w_max else set(range(w_min, w_max + 1))
            weights, _ = core.peek_synapses()
            outside = {w for row in weights for w in row} - inside
            core.scoreboard.check("weights out of bounds", len(outside), 0)
            await core.tick([1, 2])


# --- firing ------------------------------------------------------------------------------------


@bench
async def threshold_is_reached_exactly(core: CoreDriver) -> None:
    """A neuron fires when v is threshold + theta, not when it is one less."""
    n = core.params.n_neurons
    low, high = bounds(core, Space.V)
    for theta in (0, 5, -low):
        for limit in (40, high - 1, high + 1, -3):
            await hold_neurons(core)
            await core.fill("theta", theta)
            await core.fill("threshold", max(low, min(high, limit - theta)))
            exact = core.oracle.threshold[0] + theta
            await core.write("v", [min(high, exact + place % 3 - 1) for place in range(n)])
            result = await core.tick()
            fires = [j for j in range(n) if j % 3 and min(high, exact + j % 3 - 1) >= exact]
            core.scoreboard.check_vector("spikes", result.spikes, fires)


@bench
async def refractory_periods(core: CoreDriver) -> None:
    """Neurons wait for 0, 1, 2… ticks up to the counter's maximum, and hold their potential."""
    p = core.params
    longest = bounds(core, Space.REFRAC_TICKS)[1]
    await hold_neurons(core)
    await core.fill("threshold", 10)
    await core.fill("theta", 0)
    await core.fill("bias", 11)
    periods = [(0, 1, 2, 3, longest - 1, longest)[j % 6] for j in range(p.n_neurons)]
    await core.write("refrac_ticks", periods)
    fired: list[list[int]] = [[] for _ in range(p.n_neurons)]
    for tick in range(min(longest, 300) + 3):
        # Input that arrives during the refractory period does not change the potential.
        result = await core.tick([tick % p.n_axons])
        for neuron in result.spikes:
            fired[neuron].append(tick)
    for neuron, period in enumerate(periods):
        core.scoreboard.check("first spike", fired[neuron][0], 0, f"neuron {neuron}")
        core.scoreboard.check("second spike", fired[neuron][1], period + 1, f"neuron {neuron}")


@bench
async def decay_codes(core: CoreDriver) -> None:
    """Values of every kind decay exactly, with every decay and every kind of code."""
    p = core.params
    await hold_neurons(core)
    table = registers(p) + profile_columns(p)
    for code, shift in product(DECAYS, (0, 1, arithmetic.MAX_DECAY_SHIFT)[: 1 + 2 * p.decay_shift]):
        codes = {r.name: code for r in table if r.is_decay}
        shifts = {r.name: shift for r in table if r.is_decay_shift}
        await core.write_registers(**codes, **shifts)
        for space in STATE_SPACES:
            if space is not Space.REFRAC_COUNT and space in core.formats:
                low, high = bounds(core, space)
                edges = (low, high, low + 1, high - 1, low // 2, high // 2, 1, max(low, -1), 0, 8)
                count = core.formats[space].columns
                await core.write(
                    space.name.lower(), [edges[place % len(edges)] for place in range(count)]
                )
        await core.fill("theta", bounds(core, Space.THETA)[1])
        for _ in range(4):
            await core.tick()
    core.scoreboard.check_vector("theta", core.peek("theta"), [0] * p.n_neurons)


# --- learning ----------------------------------------------------------------------------------


@bench
async def spikes_before_and_behind_a_synapse_at_once(core: CoreDriver) -> None:
    """Pre- and postsynaptic spikes of a synapse may fall in one tick, for all pairs at once."""
    p = core.params
    await hold_neurons(core)
    await core.fill("threshold", bounds(core, Space.THRESHOLD)[0])
    await core.fill("plastic", 1)
    low, high = bounds(core, Space.WEIGHT)
    await core.write_registers(
        learn_pre=1, learn_post=1, w_min=low, w_max=high, pre_gain=-700, pre_offset=30_000,
        post_gain=900, post_offset=-50_000, trace_pre_decay=20_000, trace_post_decay=9_000,
        trace_pre_bump=bounds(core, Space.TRACE_PRE)[1] // 3,
        trace_post_bump=bounds(core, Space.TRACE_POST)[1] // 2,
    )  # fmt: skip
    for stochastic in (0, 1):
        await core.write_registers(stochastic=stochastic, seed=core.rng.getrandbits(32))
        for _ in range(6):
            result = await core.tick(range(p.n_axons))
            core.scoreboard.check("neurons that fired", len(result.spikes), p.n_neurons)
        # A single pair of spikes: the trace must be read only after it is incremented.
        await core.clear(ClearMask.TRACES | ClearMask.PENDING)
        await core.tick([p.n_axons - 1])


@bench
async def every_synapse_by_itself(core: CoreDriver) -> None:
    """A spike of the source and one of the neuron reach exactly the one plastic synapse."""
    p = core.params
    low, high = bounds(core, Space.WEIGHT)
    top = bounds(core, Space.V)[1]
    await hold_neurons(core)
    await core.write_registers(
        learn_pre=1, learn_post=1, w_min=low, w_max=high, pre_offset=2 << 16,
        post_offset=-(6 << 16), i_syn_decay=arithmetic.DECAY_AT_ONCE,
    )  # fmt: skip
    # The potential is one more than the weight below the threshold.
    await core.fill("theta", 0)
    await core.fill("v_reset", top - 4)
    await core.fill("v", top - 4)
    for source in range(p.n_sources):
        for neuron in range(p.n_neurons):
            place = f"synapse (source {source}, neuron {neuron})"
            await core.write_synapse(source, neuron, 3, plastic=True)
            await core.write_element("v", neuron, top - 3)
            await core.clear(ClearMask.PENDING)
            if source >= p.n_axons:
                await core.write_pending([source - p.n_axons])
            result = await core.tick([source] if source < p.n_axons else [])
            core.scoreboard.check_vector("spikes", result.spikes, [neuron])
            weights, _ = core.peek_synapses()
            changed = sum(w != 0 for row in weights for w in row)
            core.scoreboard.check("weights other than 0", changed, 1, place)
            core.scoreboard.check("weight", weights[source][neuron], -1 if p.learning else 3, place)
            await core.write_synapse(source, neuron, 0)


# --- queues ------------------------------------------------------------------------------------


async def lively(core: CoreDriver) -> None:
    """Program a network in which about half of the neurons fire per tick, even without events."""
    await core.reset()
    await core.take_words()
    await program_random(core, wild=False)
    n, high = core.params.n_neurons, bounds(core, Space.V)[1]
    thresholds = [core.rng.randint(high // 16, high // 8) for _ in range(n)]
    # The bias reaches a threshold within one to three ticks.
    await core.write("threshold", thresholds)
    await core.write("bias", [core.rng.randint(each // 2, 2 * each) for each in thresholds])
    await core.write("refrac_ticks", [core.rng.randrange(2) for _ in range(n)])
    await core.write_registers(
        i_syn_decay=20_000, v_decay=3_000, theta_decay=16_000, theta_bump=high // 128,
        v_floor=bounds(core, Space.V)[0], learn_pre=1, learn_post=1, w_min=-7, w_max=7,
        pre_gain=-500, post_gain=600, trace_pre_bump=100, trace_post_bump=90, stochastic=1,
        digest_en=1,
    )  # fmt: skip


def check_lively(core: CoreDriver, results: Sequence[TickResult]) -> None:
    """Check that at least one in eight neurons fired per tick, and not all of them always."""
    spikes, most = sum(len(r.spikes) for r in results), len(results) * core.params.n_neurons
    core.scoreboard.check(f"lively: {spikes} of {most}", int(most <= 8 * spikes < 8 * most), 1)


@bench
async def output_queue_fills_up(core: CoreDriver) -> None:
    """A free run waits between ticks for room in the output queue, and no tick takes longer."""
    p = core.params
    ticks = 3 * p.spike_queue_depth
    await lively(core)
    results = [core.step([]) for _ in range(ticks)]
    expected = [word for result in results for word in words_of(p, result)]
    core.dut.run_until.value = ticks
    got: list[int] = []
    most = p.spike_queue_depth - p.max_words_per_tick
    stalls = 0
    while len(got) < len(expected):
        # Wait long enough for the queue to fill up.
        await core.cycles(core.rng.choice((1, 20, most * schedule.most_cycles(p) // 2)))
        tick = int(core.dut.tick.value)
        await core.cycles(2 * schedule.most_cycles(p))
        stalls += int(core.dut.tick.value) == tick and tick < ticks
        level = int(core.dut.word_level.value)
        core.scoreboard.check("output queue overfull", int(level > p.spike_queue_depth), 0)
        got += await core.take_words(core.rng.choice((1, 5, most, None)))
    core.scoreboard.check("queue was full at least once", int(stalls > 0), 1)
    core.check_words(got, expected)
    await core.cycles(4)
    core.check_words(await core.take_words(), [])
    core.compare()
    check_lively(core, results)


@bench
async def event_queue_fills_up(core: CoreDriver) -> None:
    """The event queue takes as many events as it holds, over several ticks, and no more."""
    p = core.params
    await lively(core)
    # Two events wait outside the memory: one in its output, one being compared with the tick.
    room = p.event_queue_depth + 2
    events = [
        (tick, axon)
        for tick in range(2, room)
        for axon in sorted(core.rng.sample(range(p.n_axons), min(3, p.n_axons)))
    ]
    biases = {1: random_biases(core, room - 1)}
    events = events[: room - len(biases[1])]
    await core.queue_biases((1, *each) for each in biases[1])
    await core.queue(events[:-1])
    await core.cycles(4)
    await core.queue(events[-1:])
    core.scoreboard.check("events queued", int(core.dut.event_level.value), room)
    core.scoreboard.check("event queue ready", int(core.dut.events_ready.value), 0)
    results = []
    for tick in range(events[-1][0] + 2):
        axons = [axon for when, axon in events if when == tick]
        expected = core.step(axons, biases.get(tick, []))
        core.dut.run_until.value = tick + 1
        await core.cycles(2)
        for _ in range(2 * schedule.most_cycles(p)):
            if int(core.dut.idle.value):
                break
            await FallingEdge(core.dut.clk)
        core.compare()
        core.check_words(await core.take_words(), words_of(p, expected))
        left = sum(when > tick for when, _ in events) + (len(biases[1]) if tick < 1 else 0)
        core.scoreboard.check("events queued", int(core.dut.event_level.value), left)
        results.append(expected)
    # So few ticks that their share of spikes tells nothing.
    core.scoreboard.check("some neuron fired", int(any(r.spikes for r in results)), 1)


# --- real time ---------------------------------------------------------------------------------


async def tick_ends(core: CoreDriver, ticks: int) -> list[int]:
    """Return the cycle at which each of the next ticks ends."""
    ends = []
    for _ in range(ticks):
        await with_timeout(ValueChange(core.dut.tick), 1_000_000 * CYCLE, "step")
        ends.append(round(get_sim_time("step")) // CYCLE)
    return ends


async def run_at_period(
    core: CoreDriver, period: int, ticks: int
) -> tuple[list[int], list[TickResult]]:
    """Run at a tick period; return the cycle at which each tick began, and its expected result."""
    await core.write_registers(tick_period=period)
    results = [core.step([]) for _ in range(ticks)]
    core.dut.run_until.value = core.oracle.tick
    ends = await tick_ends(core, ticks)
    await core.cycles(4)
    return [end - result.cycles for end, result in zip(ends, results, strict=True)], results


@bench
async def tick_period_is_kept(core: CoreDriver) -> None:
    """Ticks begin a period apart; a late one begins at once, is counted, and is made up for."""
    p = core.params
    await lively(core)
    longest = schedule.most_cycles(p)
    ticks = min(12, p.spike_queue_depth // p.max_words_per_tick)  # none is muted
    missed, every = 0, []
    typical = schedule.tick_cycles(p, p.n_neurons // 2, p.n_neurons // 2, learns=True)
    for period in (longest, longest + 77, typical, 20, 1):
        begun, results = await run_at_period(core, period, ticks)
        core.check_words(
            await core.take_words(), [word for r in results for word in words_of(p, r)]
        )
        due, free = begun[0], begun[0]
        for tick, (begin, result) in enumerate(zip(begun, results, strict=True)):
            core.scoreboard.check("begin of a tick", begin, max(due, free), f"tick {tick}")
            missed += free > due
            free = begin + result.cycles
            due += period
        core.scoreboard.check(
            "missed_deadlines", int(core.dut.missed_deadlines.value), missed, f"period {period}"
        )
        core.compare()
        every += results
    core.scoreboard.check("deadlines were missed", int(missed > 0), 1)
    check_lively(core, every)


@bench
async def deadlines_outlast_a_run(core: CoreDriver) -> None:
    """Deadlines continue from run to run; only writing the tick period restarts them."""
    p = core.params
    await lively(core)
    period = schedule.most_cycles(p)
    for turn in range(2):
        before = int(core.dut.missed_deadlines.value)
        await run_at_period(core, period, 3)
        await core.cycles(2 * period)
        if turn:
            await core.write_registers(v_decay=3_000, theta_bump=5)
        for late in (1, 2):
            await core.run(1)
            core.step([])
            missed = int(core.dut.missed_deadlines.value) - before
            core.scoreboard.check("missed_deadlines", missed, late)
        await core.take_words()
    core.compare()


@bench
async def deadlines_long_past_are_made_up_for(core: CoreDriver) -> None:
    """However late the core is, ticks follow each other at once, and all are counted."""
    await lively(core)
    await run_at_period(core, schedule.most_cycles(core.params), 2)
    await core.take_words()
    missed = int(core.dut.missed_deadlines.value)
    # Just before the counter of lateness would wrap, which is hours late.
    core.dut.core.timer.slack.value = -(1 << 39) + 20
    await core.cycles(100)
    for _ in range(3):
        await core.tick([1])
    core.scoreboard.check("missed_deadlines", int(core.dut.missed_deadlines.value), missed + 3)


@bench
async def counters_of_damage_stay_at_their_largest_value(core: CoreDriver) -> None:
    """The counters of missed deadlines, late events and muted ticks saturate."""
    names = "missed_deadlines", "late_events", "muted_ticks"
    largest = (1 << DAMAGE_WIDTH) - 1
    await lively(core)
    for name in names:
        getattr(core.dut.core.reports, name).value = largest - 1
    await run_at_period(core, 1, core.params.spike_queue_depth // 2)
    await core.queue((0, axon) for axon in range(4))
    await core.cycles(32)
    for name in names:
        core.scoreboard.check(name, int(getattr(core.dut, name).value), largest)


@bench
async def nothing_plastic_costs_nothing(core: CoreDriver) -> None:
    """*Learn* takes cycles only while any synapse is plastic, also after a reset."""
    p = core.params
    await core.fill("threshold", -1)
    places = [(0, 0), (p.n_sources - 1, p.n_neurons - 1)]
    for flags in ([], places[:1], places, places[1:], []):
        for source, neuron in places:
            await core.write_synapse(source, neuron, 1, (source, neuron) in flags)
        await core.reset()
        await core.write_registers(learn_post=1)
        for _ in range(2):
            await core.tick()


async def mute_ticks(core: CoreDriver) -> list[TickResult]:
    """Run in real time until the output queue is full and ticks are muted; take no words."""
    ticks = core.params.spike_queue_depth // 2
    _, results = await run_at_period(core, schedule.most_cycles(core.params), ticks)
    core.scoreboard.check("ticks were muted", int(int(core.dut.muted_ticks.value) > 0), 1)
    return results


async def take_muted(core: CoreDriver, results: Sequence[TickResult]) -> None:
    """Take the words that `mute_ticks` left, and compare them: whole ticks, then the others."""
    p = core.params
    got = await core.take_words()
    await core.cycles(4)
    got += await core.take_words()
    expected: list[int] = []
    muted = 0
    for result in results:
        if len(expected) > p.spike_queue_depth - p.max_words_per_tick:
            muted += 1
        else:
            expected += words_of(p, result)
    expected.append(count_word(Word.MUTED, muted))
    core.check_words(got, expected)
    core.scoreboard.check("muted_ticks", int(core.dut.muted_ticks.value), muted)


@bench
async def ticks_are_muted(core: CoreDriver) -> None:
    """In real time a full output queue mutes whole ticks, which are counted and reported."""
    p = core.params
    await lively(core)
    period, ticks = schedule.most_cycles(p), p.spike_queue_depth
    results = await mute_ticks(core)
    await take_muted(core, results)
    core.compare()
    check_lively(core, results)
    # With words taken on the way: ticks reported and ticks muted add up to all ticks.
    results = [core.step([]) for _ in range(ticks)]
    core.dut.run_until.value = core.oracle.tick
    await core.cycles(2)
    got = []
    while not int(core.dut.idle.value) or int(core.dut.words_valid.value):
        await core.cycles(20 * period)
        got += await core.take_words(30)
    await core.cycles(4)
    got += await core.take_words()
    place = 0
    while got:
        if got[0] >> 28 == count_word(Word.MUTED, 0) >> 28:
            place += got.pop(0) & 0xFFFFFFF
            continue
        expected = words_of(p, results[place])
        core.check_words(got[: len(expected)], expected)
        del got[: len(expected)]
        place += 1
    core.scoreboard.check("ticks told of", place, ticks)


@bench
async def events_come_at_the_last_moment(core: CoreDriver) -> None:
    """In real time an event that arrives while its tick looks for events either counts or is late.

    In the last round an event of the tick before arrives just ahead of it, which is always late.
    """
    p = core.params
    await lively(core)
    waits, results = 0, []
    delays = range(schedule.LEAD + 2 * p.row_groups + 8)
    for behind, delay in product((False, False, True), delays):
        # Writing the period makes the next tick begin at once.
        await core.write_registers(tick_period=2 * schedule.most_cycles(p))
        now, late_before = core.oracle.tick, int(core.dut.late_events.value)
        axons = sorted(core.rng.sample(range(p.n_axons), 2))
        first, last = (now - behind, axons[0]), (now, axons[1])
        await core.queue([] if behind else [first])
        core.dut.run_until.value = now + 1
        await core.cycles(delay)
        await core.queue([first, last] if behind else [last])
        await core.cycles(2)
        if not int(core.dut.idle.value):
            await core.run(1)
        await core.cycles(16)
        late = int(core.dut.late_events.value) - late_before
        core.scoreboard.check("the event behind was dropped", int(late >= behind), 1)
        result = core.step(axons[late:] if behind else axons[: 2 - late])
        expected, got = words_of(p, result), await core.take_words()
        wait = got[0] - expected[0]
        for word in (0, expected.index(count_word(Word.END, result.cycles))):
            expected[word] += wait
        core.check_words(got, expected)
        core.total_cycles += wait
        waits += wait > 0
        core.compare()
        results.append(result)
    check_lively(core, results)
    core.scoreboard.check("ticks were held up", int(waits > 0), 1)


@bench
async def biases_come_at_the_last_moment(core: CoreDriver) -> None:
    """In real time a bias event of a tick that has begun counts while that leads in, or is late.

    One that is late does not make the axon event late that comes behind it.
    """
    p = core.params
    await lively(core)
    lates, results = set[int](), []
    for delay in range(schedule.lead_cycles(p, biases=2) + 2 * p.row_groups):
        await core.write_registers(tick_period=2 * schedule.most_cycles(p))
        now, late_before = core.oracle.tick, int(core.dut.late_events.value)
        first, last = ((neuron, delay - 9) for neuron in core.rng.sample(range(p.n_neurons), 2))
        await core.queue_biases([(now, *first)])
        core.dut.run_until.value = now + 1
        await core.cycles(delay)
        await core.queue_biases([(now, *last)])
        axon = core.rng.randrange(p.n_axons)
        await core.queue([(now, axon)])
        await core.cycles(2)
        if not int(core.dut.idle.value):
            await core.run(1)
        await core.cycles(16)
        late = int(core.dut.late_events.value) - late_before
        result = core.step([axon] if late < 2 else [], [first] if late else [first, last])
        expected, got = words_of(p, result), await core.take_words()
        wait = got[0] - expected[0]
        for word in (0, expected.index(count_word(Word.END, result.cycles))):
            expected[word] += wait
        core.check_words(got, expected)
        core.total_cycles += wait
        core.compare()
        lates.add(late)
        results.append(result)
    core.scoreboard.check("none, one and both were late", int(lates == {0, 1, 2}), 1)


@bench
async def events_come_late(core: CoreDriver) -> None:
    """In real time an event of a tick that is over is dropped and counted."""
    p = core.params
    await lively(core)
    await core.write_registers(tick_period=schedule.most_cycles(p))
    late, results = 0, []
    for _ in range(20):
        for _ in range(3):
            results.append(await core.tick())
        now = core.oracle.tick
        count = core.rng.randint(1, 3)
        biases = random_biases(core, 3)
        await core.queue_biases((now - count, *each) for each in biases)
        await core.queue((now - count + k, core.rng.randrange(p.n_axons)) for k in range(count))
        late += count + len(biases)
        # Wait, as an event still in the pipeline would delay the tick.
        await core.cycles(16)
        await core.tick([core.rng.randrange(p.n_axons)])
        core.scoreboard.check("late_events", int(core.dut.late_events.value), late)
    core.scoreboard.check("event_level", int(core.dut.event_level.value), 0)
    check_lively(core, results)


# --- clear, reset, memory ----------------------------------------------------------------------


@bench
async def clears_each_state_by_itself(core: CoreDriver) -> None:
    """Every mask clears the state that it names and nothing else."""
    await program_random(core, wild=True)
    for mask in [*(ClearMask(1 << bit) for bit in range(len(ClearMask))), ~ClearMask(0)]:
        for space in STATE_SPACES:
            if space in core.formats:
                low, high = bounds(core, space)
                count = core.formats[space].columns
                values = [core.rng.choice((low or 1, high)) for _ in range(count)]
                await core.write(space.name.lower(), values)
        await core.write_pending(core.rng.sample(range(core.params.n_neurons), 4))
        await core.clear(mask)
        core.compare()
        await core.tick()


@bench
async def reset_sets_back(core: CoreDriver) -> None:
    """A reset clears registers, tick, counters, state and queues; weights and parameters stay.

    It takes place when the output queue is full, muted ticks are not yet reported, and events
    wait. Nothing of that remains: no word comes out, and the next muted ticks count from 0.
    """
    for _ in range(2):
        await lively(core)
        results = await mute_ticks(core)
        check_lively(core, results)
        await core.queue([(0, 0), (1000, 1), (1000, 2)])
        await core.cycles(6)
        await core.reset()
        core.compare()
        for name in (
            "missed_deadlines", "late_events", "muted_ticks", "event_level", "word_level",
            "words_valid",
        ):  # fmt: skip
            core.scoreboard.check(name, int(getattr(core.dut, name).value), 0)
        await core.compare_through_port()
        core.check_words(await core.take_words(), [])
        await core.tick([3])
    await lively(core)
    await take_muted(core, await mute_ticks(core))


@bench
async def memory_port_reaches_every_element(core: CoreDriver) -> None:
    """Write and read all elements at the edges of their range; neighbours stay as they are."""
    rng = core.rng
    for space, fmt in core.formats.items():
        if fmt.record or space in (Space.COUNTER, Space.PENDING):
            continue
        name = space.name.lower()
        matrix = [[rng.choice(fmt.limits()) for _ in range(fmt.columns)] for _ in range(fmt.rows)]
        await core.write(name, matrix if name in MATRICES else matrix[0])
    for which in (0, 1):
        constants = registers(core.params) + profile_columns(core.params)
        await core.write_registers(**{c.name: c.limits(core.params)[which] for c in constants})
        await core.compare_through_port()
    core.compare()
