"""Nodes of NIR with a state: their equations, as steps of a tick.

The steps are those of https://neuroir.org/docs/primitives.html by Euler's rule, in which a part
``dt / tau`` of the difference is taken in a step, or by the exact solution for an input that is
constant in it, ``1 - exp(-dt / tau)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidInput, InvalidNetwork
from spiketwin.host.nir.maps import reals
from spiketwin.host.quantisation.meant import NEVER, Choice, MeantLayer, Reals

Integration = Literal["euler", "exact"]
Reset = Literal["zero", "subtract"]
Gain = Literal["dt", "one"]

KINDS: Final = ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I", "Threshold")
"""Names of the nodes that are neurons."""

_MEANINGS: Final[dict[str, dict[str, str]]] = {
    "integration": {
        "euler": "a step takes dt/tau of the way, as most frameworks do",
        "exact": "a step takes 1 - exp(-dt/tau) of the way, the solution for a constant input",
    },
    "reset": {
        "zero": "a spike sets v to v_reset of the node, which is 0 unless the graph says another",
        "subtract": "a spike takes v_threshold off v",
    },
    "if_gain": {
        "dt": "a spike adds dt·R·w to v of IF and I, as their equation says",
        "one": "a spike adds R·w to v of IF and I, as frameworks do whose step is 1",
    },
}
"""Options, their values, and what each means."""


@dataclass(frozen=True)
class Options:
    """The choices that a graph of NIR leaves open.

    Attributes
    ----------
    dt:
        Seconds of a tick.
    integration, reset, if_gain:
        See `load`.
    """

    dt: float
    integration: Integration = "euler"
    reset: Reset = "zero"
    if_gain: Gain = "dt"

    def check(self) -> None:
        """Raise `InvalidInput` for an option that is none."""
        for name, means in _MEANINGS.items():
            if getattr(self, name) not in means:
                raise InvalidInput(
                    f"{name} must be one of {', '.join(means)}, not {shown(getattr(self, name))}"
                )
        numeric = isinstance(self.dt, int | float | np.integer | np.floating)
        if not numeric or isinstance(self.dt, bool) or not 0 < self.dt < np.inf:
            raise InvalidInput(f"dt must be seconds above 0, such as 1e-4, not {shown(self.dt)}")

    def choices(self, kinds: set[str]) -> tuple[Choice, ...]:
        """Return the choices that matter for neurons of these kinds."""
        matter = {
            "integration": kinds & {"LIF", "CubaLIF", "LI", "CubaLI"},
            "reset": kinds & {"LIF", "CubaLIF", "IF"},
            "if_gain": kinds & {"IF", "I"},
        }
        return tuple(
            Choice(name, value, tuple(o for o in means if o != value), means[value])
            for name, means in _MEANINGS.items()
            if matter[name]
            for value in [getattr(self, name)]
        )


@dataclass(frozen=True, eq=False)
class Neurons:
    """The constants of a node with a state, flat.

    Attributes
    ----------
    layer:
        Its neurons, without a bias from linear nodes.
    gain:
        Shape (n,): what a spike over a weight of 1 adds to the current.
    """

    layer: MeantLayer
    gain: Reals

    def biased(self, bias: Reals, lag: int) -> MeantLayer:
        """Return the layer with a constant input, shape (n,), and a lag in ticks.

        A current that begins at 0 approaches its level in time: it begins as far below as it is
        late, which decays away.
        """
        added, its = bias * self.gain, self.layer
        i_loss = its.i_loss
        if not np.all((i_loss > 0) | (added == 0)):
            raise InvalidNetwork(
                f"a bias comes to {shown(its.name)}, whose current does not decay: take it away"
            )
        steady = added / np.where(i_loss > 0, i_loss, 1.0)
        leaks = its.v_loss > 0
        rest = its.rest + np.where(leaks, steady / np.where(leaks, its.v_loss, 1.0), 0.0)
        return MeantLayer(
            its.name, its.kind, its.threshold, its.v_reset, its.v_loss, i_loss, rest,
            np.where(leaks, 0.0, steady), -steady * (1 - i_loss), its.reset_subtract, lag,
        )  # fmt: skip


def shape_of(name: str, node: Any) -> tuple[int, ...]:
    """Return the shape of a node with a state; raise `InvalidNetwork` if it has none."""
    own = "threshold" if type(node).__name__ == "Threshold" else "r"
    return reals(f"{own} of {name}", getattr(node, own)).shape or (1,)


def neurons_of(name: str, node: Any, options: Options) -> Neurons:
    """Return the constants of a node with a state.

    Raises
    ------
    InvalidNetwork
        A value is none that its equation has; it is named.
    """
    kind = type(node).__name__
    n = int(np.prod(shape_of(name, node)))

    def own(attribute: str) -> Reals:
        value = reals(f"{attribute} of {name}", getattr(node, attribute)).reshape(-1)
        if value.size not in (1, n):
            raise InvalidNetwork(f"{attribute} of {name} must have {n} values, not {value.size}")
        return np.broadcast_to(value, n).astype(np.float64)

    one, none = np.ones(n), np.zeros(n)
    if kind == "Threshold":
        layer = MeantLayer(name, kind, own("threshold"), none, one, one, none, none, none)
        return Neurons(layer, one)
    fires = kind in ("LIF", "CubaLIF", "IF")
    threshold = own("v_threshold") if fires else np.full(n, NEVER)
    v_reset = own("v_reset") if fires else none
    current, i_loss = own("r"), one
    v_loss, rest = none, none
    if kind in ("IF", "I"):
        current = current * (options.dt if options.if_gain == "dt" else 1.0)
    else:
        cuba = kind.startswith("Cuba")
        tau = "tau_mem" if cuba else "tau"
        v_loss, rest = _loss(f"{tau} of {name}", own(tau), options), own("v_leak")
        current = current * v_loss
        if cuba:
            i_loss = _loss(f"tau_syn of {name}", own("tau_syn"), options)
            current = current * own("w_in") * i_loss
    subtracts = fires and options.reset == "subtract"
    layer = MeantLayer(name, kind, threshold, v_reset, v_loss, i_loss, rest, none, none, subtracts)
    return Neurons(layer, current)


def _loss(name: str, tau: Reals, options: Options) -> Reals:
    """Return the part of a difference that a step takes."""
    if (tau <= 0).any():
        raise InvalidNetwork(f"{name} must be seconds above 0, not {float(tau.min()):g}")
    if options.integration == "exact":
        return -np.expm1(-options.dt / tau)
    part = options.dt / tau
    # A tau that differs from dt only by the rounding of a file loses all.
    part = np.where(np.abs(part - 1) < 1e-6, 1.0, part)
    if (part > 1).any():
        raise InvalidNetwork(
            f"{name} must be dt, {options.dt:g} s, or more for Euler's rule, not "
            f"{float(tau.min()):g}: take a smaller dt, or integration='exact'"
        )
    return part
