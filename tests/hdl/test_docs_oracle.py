"""The documentation suffices: a core written from its pages alone equals the specification.

`Core` is written from docs/tick.md, and docs/projections.md where it has a table, in their order
and their words. It takes nothing from the project but the names of sizes and registers
(docs/sizes.md, docs/protocol.md).
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.rungs import bulk_but
from support.tables import random_table

from spiketwin.hdl.spec.oracle import Oracle
from spiketwin.hdl.spec.params import CoreParams, preset
from spiketwin.hdl.spec.registers import profile_columns, registers, rule_columns
from spiketwin.hdl.spec.variables import VECTOR_PARAMETERS

STATE = (
    "weight",
    "v",
    "i_syn",
    "i_inh",
    "refrac_count",
    "theta",
    "trace_pre",
    "trace_post",
    "history",
    "drift_sum",
    "pending",
    "bias",
    "i_syn_ring",
    "i_inh_ring",
)


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
    """A core as docs/tick.md and docs/projections.md describe it.

    `table` is what profiles and rules hold, and `walks` the arrays of the table of projections.
    """

    def __init__(
        self, sizes: CoreParams, registers: dict[str, int], table: dict[str, list[int]],
        walks: dict[str, list[int]], **parameters: Any,
    ) -> None:  # fmt: skip
        self.p, self.r, self.table, self.t = sizes, registers, table, walks
        self.profile, self.source_profile = parameters["profile"], parameters["source_profile"]
        self.weight, self.plastic = parameters["weight"], parameters["plastic"]
        self.threshold, self.v_reset = parameters["threshold"], parameters["v_reset"]
        self.refrac_ticks, self.bias = parameters["refrac_ticks"], parameters["bias"]
        self.neurons = range(sizes.n_neurons)
        self.sources = range(sizes.n_axons + sizes.n_neurons)
        self.v, self.i_syn, self.i_inh, self.refrac_count, self.theta, self.trace_post = (
            [0 for _ in self.neurons] for _ in range(6)
        )
        self.late, self.groups = parameters["synapse_delay"], parameters["sparse_target"]
        self.ring = 1 << sizes.synapse_delay_width
        on_their_way = sizes.n_neurons * self.ring * (sizes.synapse_delay_width > 0)
        self.i_syn_ring, self.i_inh_ring = [0] * on_their_way, [0] * on_their_way
        self.trace_pre = [0 for _ in self.sources]
        self.history = [0 for _ in self.sources]
        self.drift_sum = [0] * sizes.n_rules
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
        self.deliver_due()
        for source in active:
            self.deliver(source)
        swept = [k for k in range(p.n_projections) if self.sweep(k, active)]
        fired = [j for j in self.neurons if self.update(j)]
        if p.learning:
            for i in self.sources:
                k = self.source_profile[i]
                self.trace_pre[i] = self.decayed("trace_pre", self.trace_pre[i], k)
                marked, past = divmod(self.history[i], 2**p.window_bits)
                self.history[i] = (2 * past + marked) % 2**p.window_bits
                self.fold(3 * 4096, i, [self.history[i] * 65536 + self.trace_pre[i]])
            if r["learn_post"]:
                for k in range(p.n_rules if p.window_bits else 0):
                    total = signed(self.drift_sum[k] + self.table["drift"][k], p.weight_width + 16)
                    self.drift_sum[k] = total
                    self.fold(3 * 4096 + 3, k, [total % 2**32])
                for j in fired:
                    self.learn(j)
        again = len(axons) - len(set(axons)) if p.learning else 0
        update = 4 + 4 * len(biases)
        few, late = 2 * (p.sparse_rows > 0), p.synapse_delay_width > 0
        drain = 5 + max(3 * (p.n_rules > 1), 2 * (few > 0 or late))
        due = p.receptors * p.n_neurons // p.lanes * late
        if active:
            walk = (12 + few) * (p.n_projections > 1)
            update += (
                max(walk, due + 3 * late) + sum(map(self.row_cycles, active)) + again * 6 + drain
            )
            update += sum(max(8, self.t["projection_targets"][k]) for k in swept)
            update += 10 + few if swept else 0
        else:
            update += due + drain * late
        cycles = p.n_neurons // p.neuron_lanes + 14
        if p.learning:
            cycles = max(cycles, len(self.sources) // p.source_lanes + 6)
        if fired and p.learning and r["learn_post"] and any(map(any, self.plastic)):
            cycles += 4 + sum(map(self.column_cycles, fired)) + 8
            cycles += 12 + few if p.n_projections > 1 else 0
        self.pending, self.tick = fired, self.tick + 1
        left = [update + j // p.neuron_lanes + 10 for j in fired]
        digest = self.digest if p.digest_rounds and r["digest_en"] else None
        return fired, left, update, update + cycles + 2, digest

    def entries(self, source: int) -> range:
        walk = self.t["row_projections"][source // self.p.lanes]
        return range(walk % 64, walk % 64 + walk // 64)

    def entries_to(self, neuron: int) -> list[int]:
        walk = self.t["column_projections"][neuron // self.p.lanes]
        return self.t["column_order"][walk % 64 : walk % 64 + walk // 64]

    def row_cycles(self, source: int) -> int:
        p = self.p
        if p.n_projections == 1:
            return p.n_neurons // p.lanes
        return sum(max(8, self.blocks(k, source)) for k in self.entries(source)) or 8

    def blocks(self, k: int, source: int) -> int:
        if self.t["projection_kind"][k] == 3:
            return self.t["sparse_blocks"][self.sparse_row(k, source)]
        return self.t["projection_targets"][k] if self.t["projection_kind"][k] == 1 else 0

    def sparse_row(self, k: int, source: int) -> int:
        first = self.t["projection_base"][k] - self.t["projection_source"][k] * self.p.lanes
        return first + source

    def column_cycles(self, neuron: int) -> int:
        p = self.p
        if p.n_projections == 1:
            return len(self.sources) // p.lanes * (2 if p.single_port_weights else 1)
        taken = [max(8, self.t["projection_sources"][k]) for k in self.entries_to(neuron)]
        return sum(taken) or 8

    def members(self, k: int, end: str) -> range:
        first, count = self.t[f"projection_{end}"][k], self.t[f"projection_{end}s"][k]
        return range(first * self.p.lanes, (first + count) * self.p.lanes)

    def at(self, k: int, i: int, j: int) -> tuple[int, int]:
        """Where a synapse of entry k is in the space of weights; without a table, of all."""
        lanes = self.p.lanes
        if self.p.n_projections == 1:
            return i, j
        base, target, source, sources = (
            self.t[f"projection_{name}"][k] for name in ("base", "target", "source", "sources")
        )
        word = base + (j // lanes - target) * sources * lanes + i - source * lanes
        return word // 64, word % 64 * lanes + (i + j) % lanes

    def rows(self, source: int) -> list[tuple[int, range | None]]:
        """The dense entries of a source, and their neurons; and its sparse ones."""
        if self.p.n_projections == 1:
            return [(0, self.neurons)]
        kinds = self.t["projection_kind"]
        return [
            (k, self.members(k, "target") if kinds[k] == 1 else None)
            for k in self.entries(source)
            if kinds[k] in (1, 3)
        ]

    def rule(self, name: str, k: int) -> int:
        """What the rule of entry k holds; without rules it is a register."""
        if name in self.table:
            return self.table[name][self.t["projection_rule"][k]]
        return self.r.get(name, 0)

    def add(self, j: int, w: int, total: int, late: int = 0) -> None:
        p = self.p
        inhibits = p.receptors == 2 and self.r["i_inh_en"] and w < 0
        i = self.i_inh if inhibits else self.i_syn
        if late:
            i = self.i_inh_ring if inhibits else self.i_syn_ring
            j = self.due(j, late)
        i[j] = signed(i[j] + total, p.i_syn_width)

    def due(self, j: int, late: int) -> int:
        """Where the current of a neuron is on its way that is due so many ticks later."""
        lanes, r = self.p.lanes, self.ring
        return (j // lanes * r + (self.tick + late) % r) * lanes + j % lanes

    def deliver_due(self) -> None:
        rings = ((self.i_syn, self.i_syn_ring), (self.i_inh, self.i_inh_ring))
        for current, ring in rings[: self.p.receptors]:
            for j in self.neurons if ring else ():
                current[j] = signed(current[j] + ring[self.due(j, 0)], self.p.i_syn_width)
                ring[self.due(j, 0)] = 0

    def deliver_sparse(self, k: int, source: int) -> None:
        row, lanes = self.sparse_row(k, source), self.p.lanes
        first = self.t["sparse_first"][row]
        for word in range(first, first + self.t["sparse_blocks"][row]):
            for lane in range(lanes):
                at, column = word // 64, word % 64 * lanes + (source + lane) % lanes
                w = self.weight[at][column]
                j = self.groups[at][column] * lanes + lane
                self.add(j, w, w, self.late[at][column])

    def deliver(self, source: int) -> None:
        p = self.p
        learns = p.learning and self.r["learn_pre"]
        for k, neurons in self.rows(source):
            if neurons is None:
                self.deliver_sparse(k, source)
                continue
            for j in neurons:
                row, column = self.at(k, source, j)
                before = self.held(k, row, column)
                if learns and self.plastic[row][column]:
                    self.change(k, source, j, "pre", self.trace_post[j])
                w = self.held(k, row, column) if self.rule("current_after", k) else before
                w += self.drifted(k) * self.plastic[row][column]
                self.add(j, w, w, self.late[row][column])
            if learns:
                self.fold_pairs(source, neurons[0], [self.at(k, source, j) for j in neurons])
        if p.learning:
            self.trace_pre[source] = self.bumped(
                "trace_pre", self.trace_pre[source], self.source_profile[source]
            )
        if p.window_bits:
            self.history[source] |= 2**p.window_bits

    def sweep(self, k: int, active: list[int]) -> bool:
        """Deliver the constant entry k; give whether it has an active source."""
        p = self.p
        if p.n_projections == 1 or self.t["projection_kind"][k] != 2:
            return False
        spiked = [i for i in active if i in self.members(k, "source")]
        weight = self.t["projection_weight"][k]
        for j in self.members(k, "target") if spiked else ():
            itself = 0 if self.t["projection_itself"][k] else spiked.count(p.n_axons + j)
            self.add(j, weight, weight * (len(spiked) - itself))
        return bool(spiked)

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
        entries = [(0, self.sources)]
        if self.p.n_projections > 1:
            entries = [(k, self.members(k, "source")) for k in self.entries_to(j)]
        for k, sources in entries:
            for i in sources:
                row, column = self.at(k, i, j)
                if self.plastic[row][column]:
                    self.change(k, i, j, "post", self.trace_pre[i])
            self.fold_pairs(4096 + j, sources[0], [self.at(k, i, j) for i in sources])

    def decayed(self, name: str, x: int, k: int) -> int:
        return lost(x, self.own(f"{name}_decay", k), self.own(f"{name}_decay_shift", k))

    def bumped(self, name: str, trace: int, k: int) -> int:
        bump = self.own(f"{name}_bump", k)
        if self.own(f"{name}_replace", k):
            return bump
        return min(trace + bump, (1 << self.p.trace_width) - 1)

    def change(self, k: int, i: int, j: int, kind: str, trace: int) -> None:
        gain = self.rule(f"{kind}_gain", k) * 2 ** self.rule("gain_shift", k)
        step = gain * trace // 2 ** (self.p.trace_width - 8)
        if kind == "post" and self.rule("window", k):
            step = self.entry(self.rule("window", k), i) * 2 ** self.rule("gain_shift", k)
        step += self.rule(f"{kind}_offset", k)
        rounding = 32768
        if self.rule("stochastic", k):
            rounding = self.noise(kind, i, j) if kind == "pre" else self.noise(kind, j, i)
        row, column = self.at(k, i, j)
        low, high = self.bounds(k)
        weight = self.held(k, row, column) + (step + rounding) // 65536
        self.weight[row][column] = min(high, max(low, weight))

    def drifted(self, k: int) -> int:
        """By how much the plastic weights of entry k act more than they are stored as."""
        number = self.t["projection_rule"][k] if self.p.n_rules > 1 else 0
        return self.drift_sum[number] // 65536

    def bounds(self, k: int) -> tuple[int, int]:
        """The bounds of what is stored."""
        low, high = self.rule("w_min", k), self.rule("w_max", k)
        d, width = self.drifted(k), self.p.weight_width
        return signed(min(low, high) - d, width), signed(high - d, width)

    def held(self, k: int, row: int, column: int) -> int:
        """A stored weight, within its bounds if they have drifted."""
        low, high = self.bounds(k)
        weight: int = self.weight[row][column]
        if self.plastic[row][column] and self.drifted(k):
            return min(high, max(low, weight))
        return weight

    def entry(self, number: int, i: int) -> int:
        """What the table of a window has for the past of source i."""
        p, entries, past = self.p, self.t["window_table"], self.history[i]
        first = (number - 1) % p.n_rules * 32 * p.window_bits
        older = entries[first + 256 + past // 256] if p.window_bits == 16 else 0
        return entries[first + past % 256] + older

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

    def fold_pairs(self, row: int, first: int, places: list[tuple[int, int]]) -> None:
        plastic = [self.plastic[i][j] for i, j in places]
        words = [self.weight[i][j] % 2**self.p.weight_width * self.plastic[i][j] for i, j in places]
        for k in range(len(words) // 2):
            if any(plastic[2 * k : 2 * k + 2]):
                self.fold(row, first // 2 + k, [words[2 * k] | words[2 * k + 1] << 16])


# --- held against the specification -------------------------------------------------------------


def sizes(rng: random.Random) -> CoreParams:
    """A core of the size of `tiny`, of any widths and options."""
    single_port, learning = rng.random() < 0.2, rng.random() < 0.8
    weight_width = rng.randint(4, 8 - learning if single_port else 16)
    n_projections = 1 if single_port else rng.choice([1, 4, 12, 12])
    n_rules = rng.choice([1, 2, 4, 4]) if learning and n_projections > 1 else 1
    return replace(
        preset("tiny"), lanes=2, neuron_lanes=rng.choice([1, 2]), source_lanes=rng.choice([1, 2]),
        weight_width=weight_width, v_width=rng.randint(8, 24), theta_width=rng.randint(8, 24),
        i_syn_width=rng.randint(max(8, weight_width), 24), trace_width=rng.randint(8, 16),
        refrac_width=rng.randint(2, 16), learning=learning, single_port_weights=single_port,
        digest_rounds=rng.randint(0, 3), decay_shift=rng.random() < 0.5,
        receptors=rng.randint(1, 2), n_profiles=rng.choice([1, 2, 4]), n_projections=n_projections,
        weight_depth=64 if n_projections > 1 else 0, bias_events=rng.random() < 0.5,
        n_rules=n_rules, window_bits=rng.choice([0, 8, 16]) if n_rules > 1 else 0,
        sparse_rows=rng.choice([0, 20]) if n_projections > 1 else 0,
        synapse_delay_width=rng.choice([0, 1, 3]) if n_projections > 1 else 0,
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
        switches = [n for n in ("learn_pre", "learn_post", "stochastic") if n in settings]
        settings |= {n: int(rng.random() < 0.8) for n in switches}
        if rng.random() < 0.8 and p.n_rules == 1:
            bounds = sorted(settings[n] for n in ("w_min", "w_max"))
            settings |= dict(zip(("w_min", "w_max"), bounds, strict=True))
            settings |= {f"{n}_gain": rng.randint(-2000, 2000) for n in ("pre", "post")}
    if "v_floor" in settings:
        settings["v_floor"] = min(settings["v_floor"], 0)
    if p.digest_rounds:
        settings["digest_en"] = int(rng.random() < 0.9)
    top, weight = 2 ** (p.v_width - 1) - 1, 2 ** (p.weight_width - 1) - 1
    rows = range(p.n_axons + p.n_neurons)
    n_rows, columns = (1, 128) if p.n_projections > 1 else (len(rows), p.n_neurons)
    share = rng.choice([0.0, 0.1, 0.9])
    parameters = {
        "weight": [
            [rng.randint(-weight - 1, weight) for _ in range(columns)] for _ in range(n_rows)
        ],
        "plastic": [[rng.random() < share for _ in range(columns)] for _ in range(n_rows)],
        "synapse_delay": [
            [rng.randrange(2**p.synapse_delay_width) for _ in range(columns)] for _ in range(n_rows)
        ],
        "threshold": [within(rng, 1, min(top, 4 * weight)) for _ in range(p.n_neurons)],
        "v_reset": [within(rng, -top - 1, top // 4) for _ in range(p.n_neurons)],
        "refrac_ticks": [rng.choice([0, 0, 1, 3]) for _ in range(p.n_neurons)],
        "bias": [rng.choice([0, 0, 1, weight]) for _ in range(p.n_neurons)],
        "profile": [rng.randrange(p.n_profiles) for _ in range(p.n_neurons)],
        "source_profile": [rng.randrange(p.n_profiles) for _ in rows],
    }  # fmt: skip
    for parameter in VECTOR_PARAMETERS:
        if parameter.name not in parameters:
            most, (length,) = min(3, parameter.limits(p)[1]), parameter.shape_in(p)
            parameters[parameter.name] = [rng.randint(0, most) for _ in range(length)]
    return settings, parameters


def drawn_rules(rng: random.Random, p: CoreParams) -> dict[str, list[int]]:
    """What rules hold; some of them leave weights between their bounds."""
    rules = {c.name: [within(rng, *c.limits(p)) for _ in range(p.n_rules)] for c in rule_columns(p)}
    top = 2 ** (p.weight_width - 1) - 1
    for k in range(1, p.n_rules):
        usual = {"w_min": -top, "w_max": top, "gain_shift": rng.choice([0, 1, 4])}
        usual |= {f"{n}_gain": rng.randint(-2000, 2000) for n in ("pre", "post")}
        usual |= {f"{n}_offset": rng.randint(-99999, 99999) for n in ("pre", "post")}
        for name, value in usual.items():
            rules[name][k] = value
    return rules


@pytest.mark.parametrize("seed", bulk_but(range(12), range(60)))
def test_a_core_written_from_the_documentation_is_that_of_the_specification(seed: int) -> None:
    rng = random.Random(seed)
    p = sizes(rng)
    settings, parameters = drawn(rng, p)
    spec = Oracle(p)
    spec.register.update(settings)
    for name, rows in parameters.items():
        setattr(spec, name, [row[:] if isinstance(row, list) else row for row in rows])
    if not p.learning:
        parameters["plastic"] = spec.plastic = [[False] * len(row) for row in parameters["plastic"]]
    table = {}
    for column in profile_columns(p):
        table[column.name] = [within(rng, *column.limits(p)) for _ in range(p.n_profiles)]
    if table:
        table["v_floor"] = [min(floor, 0) for floor in table["v_floor"]]
        table["linear_leak"] = [rng.choice([0, 0, 1, leak]) for leak in table["linear_leak"]]
        table["v_decay"][0], table["linear_leak"][0] = 6000, 0
    spec.profile_table.update(table)
    rules = drawn_rules(rng, p) if p.n_rules > 1 else {}
    spec.rule_table.update(rules)
    walks: dict[str, list[int]] = {}
    if p.n_projections > 1:
        arrays = random_table(p, np.random.default_rng(seed))
        walks = {name: array.tolist() for name, array in arrays.items()}
        for name, array in walks.items():
            setattr(spec, name, array)
    parameters["sparse_target"] = walks.pop("sparse_target", [])
    core = Core(p, settings, table | rules, walks, **parameters)
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
