"""Samples: random networks with their stimuli, and what model and twin make of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from spiketwin.cosim.compare.equality import Behaviour, unequal
from spiketwin.cosim.trials.selftest.equivalence import described
from spiketwin.cosim.trials.verify.networks import Drawing, options_of
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host import Core, Network
from spiketwin.host.elements import IntArray
from spiketwin.host.errors import DoesNotFit, SpiketwinWarning

CORES: Final = {
    "roomy": CoreParams(
        n_axons=32, n_neurons=64, lanes=2, source_lanes=2, n_projections=64, weight_depth=2048,
        sparse_rows=256, synapse_delay_width=3, n_relays=192, max_delay=16, digest_rounds=2,
        saturation_counters=True, v_width=18, spike_queue_depth=512, n_profiles=8,
        decay_shift=True, receptors=2, probe_ranges=4, n_rules=4, bias_events=True,
        window_bits=16,
    ),
    "wide": CoreParams(
        n_axons=32, n_neurons=512, neuron_lanes=8, source_lanes=8, n_projections=32,
        weight_depth=512, sparse_rows=256, n_relays=192, max_delay=8, digest_rounds=1,
        v_width=12, i_syn_width=10, theta_width=10, trace_width=16, saturation_counters=True,
        n_profiles=4, probe_ranges=2, n_rules=2,
    ),
    "static": CoreParams(
        n_axons=64, n_neurons=256, lanes=16, neuron_lanes=4, source_lanes=16, learning=False,
        n_projections=32, weight_depth=256, n_relays=192, max_delay=16, saturation_counters=True,
        weight_width=10, v_width=24, i_syn_width=14, receptors=2, decay_shift=True,
        bias_events=True,
    ),
    "matrix": CoreParams(
        n_axons=32, n_neurons=64, lanes=4, neuron_lanes=1, digest_rounds=3, n_profiles=4,
        receptors=2, decay_shift=True, probe_ranges=1, saturation_counters=True,
    ),
    "paired": CoreParams(
        n_axons=32, n_neurons=64, lanes=8, learning=False, single_port_weights=True,
        n_profiles=4, digest_rounds=1, saturation_counters=True,
    ),
}  # fmt: skip
"""Sizes of the cores that samples are drawn for, by name. Together they have every option, alone
and beside others; few weights, as writing them takes longer than ticks."""

_FILLED: Final = {"wide": 0.75, "static": 0.75}
"""Shares of the networks that have every neuron of their core, whose ticks take as long with few;
of cores with so many neurons that their updates are the most that is compared."""

_LEAST_TICKS: Final = 16
_MOST_TICKS_PER_NEURON: Final = 128
"""Ticks of a sample: more of cores with many neurons, whose updates take least time."""

_ACTIVITY: Final = (0.01, 0.05, 0.4)
"""Shares of the axons that spike in a tick."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A network with its stimulus, drawn for one of `CORES`.

    Attributes
    ----------
    params:
        Sizes of the core.
    net:
        The network, which fits it.
    spikes, ticks:
        The stimulus: shape (k, 2), (tick, axon), and its length.
    run:
        Further arguments of `Core.run`.
    options:
        Names of the options that it has.
    """

    params: CoreParams
    net: Network
    spikes: IntArray
    ticks: int
    run: dict[str, Any]
    options: frozenset[str]

    @classmethod
    def drawn(cls, seed: int, number: int) -> Self:
        """Draw the sample of this number, 0 or more, of a seed, 0 or more."""
        name = core_of(number)
        params = CORES[name]
        rng = np.random.default_rng((seed, number))
        is_filled = name in _FILLED and rng.random() < _FILLED[name]
        fills = params.n_neurons if is_filled else 0
        while True:
            drawing = Drawing(rng, options_of(params))
            net = drawing.network(params.n_neurons // 3, fills)
            try:
                net.check_fits(params)
            except DoesNotFit:
                continue  # another one does
            most = _MOST_TICKS_PER_NEURON * params.n_neurons
            ticks = int(np.exp(rng.uniform(*np.log((_LEAST_TICKS, most)))))
            run = drawing.run(net, params, ticks)
            active = rng.random((ticks, net.n_axons)) < rng.choice(_ACTIVITY)
            spikes = np.argwhere(active)
            again = spikes[rng.random(len(spikes)) < rng.choice([0.0, 0.1])]
            spikes = np.concatenate([spikes, again])
            return cls(params, net, spikes, ticks, run, frozenset(drawing.used))

    @property
    def neuron_updates(self) -> int:
        """Updates of the neurons of the network, without those that fill up its core."""
        return self.ticks * self.net.n_neurons

    def behaviour(self, core: Core) -> Behaviour:
        """Run it on a core of its sizes; raise as the methods of the core.

        What it holds includes the probes of the run, and the counts of its saturations.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SpiketwinWarning)  # anything goes in these networks
            core.program(self.net)
        run = core.run(self.spikes, self.ticks, **self.run)
        held = core.read_state() | {"weight": core.read_weights()}
        held |= {f"probed {name}": rows for name, rows in run.probes.items()}
        if run.saturations is not None:
            held["saturations"] = np.array(list(run.saturations.as_json().values()))
        return Behaviour(run, held)


def core_of(number: int) -> str:
    """Return the name of the core that a sample is drawn for."""
    return list(CORES)[number % len(CORES)]


def apart(one: Behaviour, other: Behaviour) -> str | None:
    """Return where two behaviours first differ, in words; None if they are equal."""
    found = next(iter(unequal(one, other).values()), None)
    return None if found is None else described(found)
