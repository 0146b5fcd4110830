"""Quantisations of a core that a run in double precision can keep: grid and decays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spiketwin.cosim.compare import kernels
from spiketwin.hdl.spec import arithmetic
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.registers import limits
from spiketwin.host.layout import in_matrix


@dataclass(frozen=True)
class Quantisation:
    """Quantisations of a core of the sizes `params`, each in effect unless it is lifted.

    Attributes
    ----------
    params:
        Sizes of the core.
    decay_codes:
        Decays lose the part that their 16-bit code, with its shift where the core has one, stands
        for, not ``1 - exp(-1 / tau)``.
    decay_rounding:
        The loss of a decay is a whole number of units (of the trace's width, for a trace), and at
        least one; so is the part of a current that `i_syn_shift` leaves, from none on. Beside
        these only steps of weights make fractions.
    widths:
        State saturates at the widths.
    weight_steps:
        Steps of weights are rounded, by the core's own noise if the network says so.
    """

    params: CoreParams
    decay_codes: bool = True
    decay_rounding: bool = True
    widths: bool = True
    weight_steps: bool = True

    def grid(
        self, n_axons: int, n_neurons: int, noise_seed: int | None, n_relays: int = 0
    ) -> kernels.Grid:
        """Return the kernel's grid for a network of these sizes; with a seed, noise rounds steps.

        Raise `DoesNotFit` if the core is smaller than the network.
        """
        p = self.params
        trace_unit = 2.0**-p.trace_width

        def top(width: int, signed: bool) -> float:
            return float(limits(width, signed)[1]) if self.widths else math.inf

        return kernels.Grid(
            unit=1.0 if self.decay_rounding else 0.0,
            trace_unit=trace_unit if self.decay_rounding else 0.0,
            v_top=top(p.v_width, True),
            i_syn_top=top(p.i_syn_width, True),
            theta_top=top(p.theta_width, False),
            trace_top=top(p.trace_width, False) * trace_unit,
            weight_top=top(p.weight_width, True),
            drift_top=top(p.drift_width, True) / (1 << arithmetic.STEP_BITS),
            whole_steps=self.weight_steps,
            stochastic=self.weight_steps and noise_seed is not None,
            seed=noise_seed or 0,
            sources=np.append(
                in_matrix(n_axons, n_neurons, p).sources,
                p.n_axons + p.n_neurons + np.arange(n_relays),
            ).astype(np.uint16),
            neurons=np.arange(n_neurons, dtype=np.uint16),
        )


def no_grid() -> kernels.Grid:
    """Return the grid of an ideal network, which rounds nothing."""
    unused = np.zeros(0, np.uint16)
    return kernels.Grid(
        unit=0.0, trace_unit=0.0, v_top=math.inf, i_syn_top=math.inf, theta_top=math.inf,
        trace_top=math.inf, weight_top=math.inf, drift_top=math.inf, whole_steps=False,
        stochastic=False, seed=0, sources=unused, neurons=unused,
    )  # fmt: skip


def exact_loss(tau: float) -> float:
    """Return the part of a value lost per tick of decay: ``1 - exp(-1 / tau)``, 1 for `tau` 0."""
    return -math.expm1(-1.0 / tau) if tau else 1.0


def coded_loss(tau: float, params: CoreParams) -> float:
    """Return the part of a value that is lost per tick by a core's decay code for `tau`."""
    code, shift = arithmetic.shifted_decay_code(tau, params.decay_shift)
    if code == arithmetic.DECAY_AT_ONCE:
        return 1.0
    return code / (1 << arithmetic.DECAY_BITS + shift)
