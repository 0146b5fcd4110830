"""The documentation suffices: a core written from docs/tick.md alone equals the specification.

`Core` is written from the page, in its order and its words, and takes nothing from the project but
the names of sizes and registers (docs/sizes.md, docs/protocol.md).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from support.rungs import bulk_but

from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import profile_columns, registers

STATE = (
    "weight",
    "v",
    "i_syn",
    "i_inh",
    "refrac_count",
    "theta",
    "trace_pre",
    "trace_post",
    "pending",
    "bias",
)
PARAMETERS = (
    "weight", "plastic", "threshold", "v_reset", "refrac_ticks", "bias", "profile",
    "source_profile",
)  # fmt: skip


def signed(value: int, width: int) -> int:
    return min(max(value, -1 << width - 1), (1 << width - 1) - 1)


def lost(x: int, code: int, s: int) -> int:
    if code == 0 or x == 0:
        return x
    if code == 65535:
        return 0
    left = abs(x) - max(1, (abs(x) * code + (1 << 15 + s)) >> 16 + s)
    return left if x > 0 else -left


def mix(x: int, y: int) -> tuple[int, int]:
    x = ((x >> 7 | x << 9) + y) % 65536
    y = (y << 2 | y >> 14) % 65536
    return x, x ^ y


def spread(index: int, factor: int) -> int:
    product = 0
    for bit in range(16):
        product ^= (index << bit) * (factor >> bit & 1)
    return (product ^ product >> 16) % 65536


def place(row: int, column: int) -> tuple[int, int]:
    x = spread(row, 0x0011) ^ spread(column, 0x1400)
    return x, spread(row, 0x0410) ^ spread(column, 0x8200)


class Core:
    """A core as docs/tick.md describes it."""

    def __init__(
        self, sizes: CoreParams, registers: dict[str, int], table: dict[str, list[int]],
        **parameters: Any,
    ) -> None:  # fmt: skip
        self.p, self.r, self.table = sizes, registers, table
        self.profile, self.source_profile = parameters["profile"], parameters["source_profile"]
        self.weight, self.plastic = parameters["weight"], parameters["plastic"]
        self.threshold, self.v_reset = parameters["threshold"], parameters["v_reset"]
        self.refrac_ticks, self.bias = parameters["refrac_ticks"], parameters["bias"]
        self.neurons = range(sizes.n_neurons)
        self.sources = range(sizes.n_axons + sizes.n_neurons)
        self.v, self.i_syn, self.i_inh, self.refrac_count, self.theta, self.trace_post = (
            [0 for _ in self.neurons] for _ in range(6)
        )
        self.trace_pre = [0 for _ in self.sources]
        self.pending: list[int] = []
        self.tick = 0

    def step(
        self, axons: list[int], biases: list[tuple[int, int]]
    ) -> tuple[list[int], list[int], int, int, int | None]:
        """Give spikes, their cycles, the cycle of *Update*, those of the tick, and the digest."""
        p, r = self.p, self.r
        self.digest = 0
        for j, bias in biases:
            self.bias[j] = bias
            self.fold(3 * 4096 + 2, j, [bias % 2**p.v_width])
        active = sorted(axons) + [p.n_axons + j for j in self.pending]
        for source in active:
            self.deliver(source)
        fired = [j for j in self.neurons if self.update(j)]
        if p.learning:
            for i in self.sources:
                k = self.source_profile[i]
                self.trace_pre[i] = self.decayed("trace_pre", self.trace_pre[i], k)
                self.fold(3 * 4096, i, [self.trace_pre[i]])
            if r["learn_post"]:
                for j in fired:
                    self.learn(j)
        again = len(axons) - len(set(axons)) if p.learning else 0
        update = 4 + 4 * len(biases)
        update += (len(active) * p.n_neurons // p.lanes + again * 6 + 5) if active else 0
        cycles = p.n_neurons // p.neuron_lanes + 14
        if p.learning:
            cycles = max(cycles, len(self.sources) // p.source_lanes + 6)
        if fired and p.learning and r["learn_post"] and any(map(any, self.plastic)):
            column = len(self.sources) // p.lanes * (2 if p.single_port_weights else 1)
            cycles += 4 + len(fired) * column + 8
        self.pending, self.tick = fired, self.tick + 1
        left = [update + j // p.neuron_lanes + 10 for j in fired]
        digest = self.digest if p.digest_rounds and r["digest_en"] else None
        return fired, left, update, update + cycles + 2, digest

    def deliver(self, source: int) -> None:
        p, r = self.p, self.r
        learns = p.learning and r["learn_pre"]
        for j in self.neurons:
            w = self.weight[source][j]
            i = self.i_inh if p.receptors == 2 and r["i_inh_en"] and w < 0 else self.i_syn
            i[j] = signed(i[j] + w, p.i_syn_width)
            if learns and self.plastic[source][j]:
                self.change(source, j, "pre", self.trace_post[j])
        if learns:
            self.fold_pairs(source, self.weight[source], self.plastic[source])
        if p.learning:
            self.trace_pre[source] = self.bumped(
                "trace_pre", self.trace_pre[source], self.source_profile[source]
            )

    def own(self, name: str, k: int) -> int:
        return self.table[name][k] if name in self.table else self.r.get(name, 0)

    def update(self, j: int) -> bool:
        p, r, k = self.p, self.r, self.profile[j]
        i_syn, i_inh, g = self.i_syn[j], self.i_inh[j], r.get("i_syn_shift", 0)
        if g:
            i_syn, i_inh = ((i + 2 ** (g - 1)) // 2**g for i in (i_syn, i_inh))
        v, leak = self.v[j], self.own("linear_leak", k)
        if leak:
            v = max(0, v - leak) if v > 0 else min(0, v + leak)
        else:
            v = self.decayed("v", v, k)
        v = signed(max(v + i_syn + i_inh + self.bias[j], self.own("v_floor", k)), p.v_width)
        self.i_syn[j] = self.decayed("i_syn", self.i_syn[j], k)
        if p.receptors == 2:
            self.i_inh[j] = self.decayed("i_inh", self.i_inh[j], k)
        limit = self.threshold[j] + self.theta[j]
        refractory = self.refrac_count[j] > 0
        held = refractory and not self.own("refrac_integrates", k)
        fires = not refractory and v >= limit
        if refractory:
            self.refrac_count[j] -= 1
        if fires:
            subtracts = self.own("reset_subtract", k)
            self.v[j] = signed(v - limit if subtracts else self.v_reset[j], p.v_width)
            self.refrac_count[j] = self.refrac_ticks[j]
            self.theta[j] = min(self.theta[j] + self.own("theta_bump", k), 2**p.theta_width - 1)
        elif not held:
            self.v[j] = v
        self.theta[j] = self.decayed("theta", self.theta[j], k)
        if p.learning:
            self.trace_post[j] = self.decayed("trace_post", self.trace_post[j], k)
            if fires:
                self.trace_post[j] = self.bumped("trace_post", self.trace_post[j], k)
        i_syn, i_inh = (i % 2**p.i_syn_width for i in (self.i_syn[j], self.i_inh[j]))
        v = 0 if held else self.v[j] % 2**p.v_width
        counts = self.refrac_count[j] * 65536 + self.trace_post[j]
        second = [i_inh] if p.receptors == 2 else []
        self.fold(2 * 4096, j, [i_syn, *second, v, counts, self.theta[j]])
        return fires

    def learn(self, j: int) -> None:
        for i in self.sources:
            if self.plastic[i][j]:
                self.change(i, j, "post", self.trace_pre[i])
        columns = ([row[j] for row in rows] for rows in (self.weight, self.plastic))
        self.fold_pairs(4096 + j, *columns)

    def decayed(self, name: str, x: int, k: int) -> int:
        return lost(x, self.own(f"{name}_decay", k), self.own(f"{name}_decay_shift", k))

    def bumped(self, name: str, trace: int, k: int) -> int:
        bump = self.own(f"{name}_bump", k)
        if self.own(f"{name}_replace", k):
            return bump
        return min(trace + bump, (1 << self.p.trace_width) - 1)

    def change(self, i: int, j: int, kind: str, trace: int) -> None:
        r = self.r
        step = r[f"{kind}_gain"] * trace // 2 ** (self.p.trace_width - 8) + r[f"{kind}_offset"]
        rounding = 32768
        if r["stochastic"]:
            rounding = self.noise(kind, i, j) if kind == "pre" else self.noise(kind, j, i)
        weight = self.weight[i][j] + (step + rounding) // 65536
        self.weight[i][j] = min(r["w_max"], max(r["w_min"], weight))

    def noise(self, kind: str, spiked: int, other: int) -> int:
        x, y = self.r["seed"] % 65536, self.r["seed"] // 65536
        for half in (self.tick % 65536, self.tick // 65536):
            x, y = mix(x, y)
            y ^= half
        for _ in range(6 if kind == "pre" else 12):
            x, y = mix(x, y)
        at = place(spiked, other // 2)
        x, y = x ^ at[0], y ^ at[1]
        for _ in range(3):
            x, y = mix(x, y)
        return (x, y)[other % 2]

    def fold(self, row: int, column: int, words: list[int]) -> None:
        x, y = place(row, column)
        for number, word in enumerate(words):
            x, y = mix(x, y) if number else (x, y)
            x, y = x ^ word >> 16, y ^ word % 65536
        for _ in range(self.p.digest_rounds):
            x, y = mix(x, y)
        self.digest ^= y << 16 | x

    def fold_pairs(self, row: int, weights: list[int], plastic: list[bool]) -> None:
        words = [
            w % 2**self.p.weight_width * learns for w, learns in zip(weights, plastic, strict=True)
        ]
        for k in range(len(words) // 2):
            if any(plastic[2 * k : 2 * k + 2]):
                self.fold(row, k, [words[2 * k] | words[2 * k + 1] << 16])


# --- held against the specification -------------------------------------------------------------


def sizes(rng: random.Random) -> CoreParams:
    """A core of the size of `tiny`, of any widths and options."""
    single_port, learning = rng.random() < 0.3, rng.random() < 0.8
    weight_width = rng.randint(4, 8 - learning if single_port else 16)
    return replace(
        preset("tiny"), lanes=2, neuron_lanes=rng.choice([1, 2]), source_lanes=rng.choice([1, 2]),
        weight_width=weight_width, v_width=rng.randint(8, 24), theta_width=rng.randint(8, 24),
        i_syn_width=rng.randint(max(8, weight_width), 24), trace_width=rng.randint(8, 16),
        refrac_width=rng.randint(2, 16), learning=learning, single_port_weights=single_port,
        digest_rounds=rng.randint(0, 3), decay_shift=rng.random() < 0.5,
        receptors=rng.randint(1, 2), n_profiles=rng.choice([1, 2, 4]),
        bias_events=rng.random() < 0.5,
    )  # fmt: skip


def within(rng: random.Random, low: int, high: int) -> int:
    """A number of a range: often an end of it, or a small one."""
    small = [n for n in (0, 1, 2, rng.randint(0, 100)) if low <= n <= high]
    return rng.choice([low, high, *small, *(rng.randint(low, high) for _ in range(4))])


def drawn(rng: random.Random, p: CoreParams) -> tuple[dict[str, int], dict[str, Any]]:
    """Registers, in the whole of their ranges, and parameters of a network that fires."""
    settings = {r.name: within(rng, *r.limits(p)) for r in registers(p)}
    for name, code in (("v_decay", 6000), ("i_syn_decay", 20000), ("trace_pre_decay", 3000)):
        if name in settings and rng.random() < 0.7:
            settings[name] = code
    if p.decay_shift:
        settings["i_syn_shift"] = rng.choice([0, 0, 1, 2])
    if p.receptors == 2:
        settings["i_inh_en"] = int(rng.random() < 0.7)
    if p.learning:
        settings |= {n: int(rng.random() < 0.8) for n in ("learn_pre", "learn_post", "stochastic")}
        if rng.random() < 0.8:
            bounds = sorted(settings[n] for n in ("w_min", "w_max"))
            settings |= dict(zip(("w_min", "w_max"), bounds, strict=True))
            settings |= {f"{n}_gain": rng.randint(-2000, 2000) for n in ("pre", "post")}
    if "v_floor" in settings:
        settings["v_floor"] = min(settings["v_floor"], 0)
    if p.digest_rounds:
        settings["digest_en"] = int(rng.random() < 0.9)
    top, weight = 2 ** (p.v_width - 1) - 1, 2 ** (p.weight_width - 1) - 1
    rows = range(p.n_axons + p.n_neurons)
    share = rng.choice([0.0, 0.1, 0.9])
    return settings, {
        "weight": [
            [rng.randint(-weight - 1, weight) for _ in range(p.n_neurons)] for _ in rows
        ],
        "plastic": [[rng.random() < share for _ in range(p.n_neurons)] for _ in rows],
        "threshold": [within(rng, 1, min(top, 4 * weight)) for _ in range(p.n_neurons)],
        "v_reset": [within(rng, -top - 1, top // 4) for _ in range(p.n_neurons)],
        "refrac_ticks": [rng.choice([0, 0, 1, 3]) for _ in range(p.n_neurons)],
        "bias": [rng.choice([0, 0, 1, weight]) for _ in range(p.n_neurons)],
        "profile": [rng.randrange(p.n_profiles) for _ in range(p.n_neurons)],
        "source_profile": [rng.randrange(p.n_profiles) for _ in rows],
    }  # fmt: skip


@pytest.mark.parametrize("seed", bulk_but(range(12), range(60)))
def test_a_core_written_from_the_documentation_is_that_of_the_specification(seed: int) -> None:
    rng = random.Random(seed)
    p = sizes(rng)
    settings, parameters = drawn(rng, p)
    spec = Oracle(p)
    spec.register.update(settings)
    for name in PARAMETERS:
        setattr(spec, name, [row[:] if isinstance(row, list) else row for row in parameters[name]])
    if not p.learning:
        parameters["plastic"] = spec.plastic = [
            [False] * p.n_neurons for _ in parameters["plastic"]
        ]
    table = {}
    for column in profile_columns(p):
        table[column.name] = [within(rng, *column.limits(p)) for _ in range(p.n_profiles)]
    if table:
        table["v_floor"] = [min(floor, 0) for floor in table["v_floor"]]
        table["linear_leak"] = [rng.choice([0, 0, 1, leak]) for leak in table["linear_leak"]]
        table["v_decay"][0], table["linear_leak"][0] = 6000, 0
    spec.profile_table.update(table)
    core = Core(p, settings, table, **parameters)
    core.tick = spec.tick = rng.choice([0, 65500, 2**32 - 60])
    rate, spikes = rng.choice([0.05, 0.3]), 0
    for tick in range(50):
        axons = [
            i for i in range(p.n_axons) for _ in range(rng.choice([1, 1, 3])) if rng.random() < rate
        ]
        top, count = 2 ** (p.v_width - 1) - 1, p.bias_events * rng.choice([0, 0, 1, 4])
        biases = [
            (rng.randrange(p.n_neurons), within(rng, -top - 1, top // 8)) for _ in range(count)
        ]
        expected = spec.step(axons, biases)
        fired, left, update, cycles, digest = core.step(axons, biases)
        assert fired == expected.spikes, tick
        assert left == expected.spike_cycles, tick
        assert (update, cycles) == (expected.update_cycle, expected.cycles), tick
        assert digest == expected.digest, tick
        for name in STATE:
            assert getattr(core, name) == getattr(spec, name), (tick, name)
        spikes += len(fired)
    assert spikes
