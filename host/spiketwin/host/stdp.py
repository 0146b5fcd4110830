"""Pair-based STDP as the literature defines it, converted to settings of a core's learning rules.

With Δ = t_post - t_pre in ticks, a pair of spikes changes its weight by
``a_plus · exp(-Δ/tau_plus)`` where Δ ≥ 0, and by ``-a_minus · exp(Δ/tau_minus)`` where Δ < 0 (Song,
Miller and Abbott 2000). A core has a trace and a gain for each half of this window. A change is
``gain · trace``, in 1/256 weight units for a trace of ``2**trace_width``. The trace has decayed
once more than Δ says when a neuron fires, and once less when a source does (docs/tick.md); the
increment of the trace by a spike is chosen so that the window is nevertheless as written above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from spiketwin.hdl.spec.arithmetic import (
    DECAY_BITS,
    GAIN_BITS,
    GAIN_WIDTH,
    STEP_BITS,
    decay,
    decay_code,
    weight_step,
)
from spiketwin.hdl.spec.registers import limits
from spiketwin.hdl.spec.text import shown
from spiketwin.host.errors import InvalidNetwork, warn

Pairing = Literal["all", "nearest"]

TAU_LIMITS: Final = (0.1, 10_000.0)
"""Limits of the time constants of a window in ticks; longer ones would be off by more than 8 %."""

TRACE_WIDTHS: Final = (8, 16)

PRECISION: Final = 30.0
"""Increment of a trace, for each tick of its time constant, with which the trace follows its
exponential to within 1 % of the increment. A trace loses at least one step a tick, so its tail,
from tau / 2 on, is linear."""

LEAST_ROOM: Final = 4.0
"""Number of spikes for which a trace has room at least, at the expense of precision."""

_LARGEST: Final = 1e9  # far beyond any weight; the limit of an amplitude is checked by itself
_GAIN_TOP: Final = limits(GAIN_WIDTH, signed=True)[1]


@dataclass(frozen=True)
class StdpWindow:
    """The window that `Network.stdp` has set, and how exactly a core follows it.

    Attributes
    ----------
    a_plus, a_minus:
        Amplitudes in weight units, both ≥ 0.
    tau_plus, tau_minus:
        Time constants in ticks.
    room_plus, room_minus:
        Number of spikes, of a source and of a neuron, whose pairs add up in full before the trace
        saturates. ``math.inf`` if there is room for a spike in every tick; 1 if only the nearest
        spike counts.
    error_plus, error_minus:
        Weight units by which the change at a spike can differ from the formula, before it is
        rounded to a whole weight unit, and as long as the trace does not saturate.
    trace_width:
        Bits of the traces for which these values hold.
    """

    a_plus: float
    a_minus: float
    tau_plus: float
    tau_minus: float
    room_plus: float
    room_minus: float
    error_plus: float
    error_minus: float
    trace_width: int

    def change(self, delta: float) -> float:
        """Return the change of a weight, in weight units, by a pair with t_post - t_pre = `delta`.

        `delta` is in ticks. t_pre is the tick in which the source's spike is delivered: for an axon
        the tick of its event, for a neuron the tick after it fired.
        """
        if delta >= 0:
            return self.a_plus * math.exp(-delta / self.tau_plus)
        return -self.a_minus * math.exp(delta / self.tau_minus)


@dataclass(frozen=True)
class Half:
    """One half of an STDP window: its registers, and the room and the error that follow.

    Attributes
    ----------
    gain, bump:
        Magnitude of the gain, and increment of the trace by a spike.
    room, error:
        As in `StdpWindow`.
    short:
        Whether the limit of the gain leaves less room than usual.
    """

    gain: int
    bump: int
    room: float
    short: bool
    error: float


def half(
    sign: Literal["plus", "minus"],
    amplitude: float,
    tau: float,
    pairing: Pairing,
    room: float | None,
    trace_width: int,
    gain_shift: int,
    bump: int | None,
) -> Half:
    """Return the gain and the increment for one half of a window.

    Parameters
    ----------
    sign:
        ``"plus"`` for potentiation, at the spikes of the neuron; ``"minus"`` for depression, at
        those of the source.
    amplitude, tau:
        Amplitude in weight units, and time constant in ticks.
    pairing, room, trace_width:
        As `Network.stdp` takes them.
    gain_shift:
        Exponent of the gain.
    bump:
        The increment, if others learn by the same trace; None if it can be chosen.

    Raises
    ------
    InvalidNetwork
        A value is out of range, or gain and increment cannot reach the amplitude with this room.
    """
    _check(sign, amplitude, tau, pairing, room, trace_width)
    if amplitude == 0:
        return Half(0, bump or 0, math.inf if pairing == "all" else 1.0, False, 0.0)
    top = limits(trace_width, signed=False)[1]
    # Number of decays between a spike and its pair at Δ, minus |Δ|.
    later = 1 if sign == "plus" else -1
    # Required product gain · bump for each weight unit of the amplitude.
    worth = math.exp(later / tau) * 2.0 ** (GAIN_BITS + trace_width - gain_shift)
    lost = decay_code(tau) / (1 << DECAY_BITS)
    # With a spike in every tick the trace settles where the decay, rounded by half a step, equals
    # the increment.
    all_there_can_be = top / max(1.0, top * lost - 0.5)
    usual = max(LEAST_ROOM, top * lost / PRECISION) if room is None else room
    wanted = 1.0 if pairing == "nearest" else min(usual, all_there_can_be)
    most_bump = math.floor(top / wanted) if bump is None else bump
    limit = _GAIN_TOP * (top if room is None and bump is None else most_bump) / worth
    if amplitude > limit:
        kept = "" if room is None else f" with room for {wanted:.3g} spikes"
        raise InvalidNetwork(
            f"a_{sign} must be in 0…{_rounded_down(limit):g} weight units where tau_{sign} is "
            f"{tau:g}{kept}, not {amplitude:g}: a gain is at most "
            f"{_GAIN_TOP / (1 << GAIN_BITS) * 2**gain_shift:.0f} weight units for a full trace. "
            f"Take a smaller amplitude{' or less room' if kept else ''}"
        )
    if bump is None:
        gain = min(_GAIN_TOP, math.ceil(amplitude * worth / most_bump))
        bump = min(top, round(amplitude * worth / gain))
    else:
        gain = round(amplitude * worth / bump)
    if not gain or not bump:
        raise InvalidNetwork(
            f"a_{sign} must be 0, or at least {max(1, bump) / worth:.1e} weight units, not "
            f"{amplitude:g}: no bump of a trace, or gain, is so small"
        )
    held = math.inf if bump <= top / all_there_can_be else top / bump
    held = 1.0 if pairing == "nearest" else held
    short = pairing == "all" and room is None and held < min(LEAST_ROOM, all_there_can_be)
    error = _error(amplitude, tau, later, (gain, gain_shift), bump, pairing, trace_width)
    return Half(gain, bump, held, short, error)


def warn_of_amplitude(sign: str, amplitude: float, chosen: Half, stochastic: bool) -> None:
    """Warn if a trace saturates sooner than usual, or if a single pair is rounded to 0."""
    if chosen.short:
        warn(
            f"a_{sign} = {amplitude:g} leaves room for {chosen.room:.1f} spikes in a trace: the "
            "pairs of more do not add up. Take a smaller amplitude, or pairing='nearest'; room=… "
            "says how many are meant",
        )
    if 0 < amplitude < 0.5 and not stochastic:
        warn(
            f"a_{sign} = {amplitude:g} is rounded to 0 at every single pair: set stochastic=True "
            "before, or take finer weight units",
        )


def _error(
    amplitude: float,
    tau: float,
    later: int,
    shifted: tuple[int, int],
    bump: int,
    pairing: Pairing,
    trace_width: int,
) -> float:
    """Return the largest error of a change, in weight units (`StdpWindow`).

    `shifted` are the gain and its exponent.
    """
    code, (gain, gain_shift) = decay_code(tau), shifted
    # For one pair: simulated until the trace is 0.
    trace = decay(bump, code) if later == 1 else bump
    delta, worst = int(later == -1), 0.0
    while True:
        step = weight_step(trace, gain, 0, trace_width, gain_shift) / (1 << STEP_BITS)
        worst = max(worst, abs(step - amplitude * math.exp(-delta / tau)))
        if trace == 0:
            break
        trace, delta = decay(trace, code), delta + 1
    if pairing == "nearest":
        return worst
    # For many pairs: a bound of the sum of the errors of decay code, increment and roundings. A
    # decay takes at most one step too much, and each such step decays as the trace does.
    unit = gain / 2.0 ** (GAIN_BITS + trace_width - gain_shift)
    exact = amplitude * math.exp(later / tau) / unit
    lost, meant = code / (1 << DECAY_BITS), -math.expm1(-1.0 / tau)
    spikes = min(1.0 / min(lost, meant), limits(trace_width, signed=False)[1] / bump)
    steps = (abs(bump - exact) + bump * abs(1.0 - meant / lost)) * spikes + 1.0 / lost
    return max(worst, unit * steps + 1.0 / (1 << STEP_BITS))


def _check(
    sign: str,
    amplitude: float,
    tau: float,
    pairing: str,
    room: float | None,
    trace_width: int,
) -> None:
    low, high = TRACE_WIDTHS
    whole = isinstance(trace_width, int | np.integer) and not isinstance(trace_width, bool)
    if not whole or not low <= trace_width <= high:
        raise InvalidNetwork(
            f"trace_width must be an integer in {low}…{high}, not {shown(trace_width)}"
        )
    if not _is_number(amplitude) or not 0 <= amplitude <= _LARGEST:
        raise InvalidNetwork(
            f"a_{sign} must be a number of weight units, 0 or more, not {shown(amplitude)}: that "
            "of depression is taken off by itself, and rules of other signs are set by their gains"
        )
    shortest, longest = TAU_LIMITS
    if not _is_number(tau) or not shortest <= tau <= longest:
        raise InvalidNetwork(
            f"tau_{sign} must be in {shortest:g}…{longest:g} ticks, not {shown(tau)}"
        )
    if not isinstance(pairing, str) or pairing not in get_args(Pairing):
        raise InvalidNetwork(f"pairing must be 'all' or 'nearest', not {shown(pairing)}")
    if room is not None:
        if pairing == "nearest":
            raise InvalidNetwork("room is for pairing='all': of the nearest spikes nothing adds up")
        if not _is_number(room) or not 1 <= room <= 1 << trace_width:
            raise InvalidNetwork(
                f"room must be in 1…{1 << trace_width} spikes with traces of {trace_width} bits, "
                f"not {shown(room)}"
            )


def _is_number(value: object) -> bool:
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool)


def _rounded_down(value: float) -> float:
    """Return a limit rounded down to three digits."""
    digits = 2 - math.floor(math.log10(value))
    return math.floor(value * 10.0**digits) / 10.0**digits
