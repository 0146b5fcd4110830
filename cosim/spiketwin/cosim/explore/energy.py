"""The energy account of a run: exact counts, each with an energy that was published.

Nothing here is measured. The counts are exact (`counting`). The energies are those of Horowitz
(*Computing's energy problem (and what we can do about it)*, ISSCC 2014, for 45 nm at 0.9 V): 0.1 pJ
for an addition of 32 bits, 3.1 pJ for a product of 32 bits, and 10 pJ for 64 bits of a memory of
8 KB. Additions and memories go with the bits, products with their square, by which a product of 8
bits has the 0.2 pJ that are published for it. They are of circuits that are made for the purpose;
an FPGA of the same process takes up to 14 times the dynamic power of those (Kuon and Rose,
*Measuring the gap between FPGAs and ASICs*, IEEE TCAD 26(2), 2007). So each sum is a
range, from the first to 14 times that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.explore.counting import Counts, counts
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.variables import STATE, VECTOR_PARAMETERS, Per, Variable
from spiketwin.host import Run

ADD_32: Final = 0.1e-12
MULTIPLY_32: Final = 3.1e-12
ACCESS_64: Final = 10e-12
"""Joules of an addition and of a product of 32 bits, and of 64 bits that are read or written."""

FPGA_FACTOR: Final = 14.0
"""Most that an FPGA takes of the dynamic power of a circuit that is made for the purpose."""

STATIC_WATTS: Final = {"iCE40UP5K": 1.219 * (85.6e-6 + 4.1e-6)}
"""Watts of an FPGA whose clock stands still, by its name, as far as they are published: supplies of
core and PLL of an iCE40UP5K with an empty design (github.com/tinyvision-ai-inc/ice40_power)."""

_DECAYS: Final = 3
"""Products of an update of a neuron: the decays of `v`, `i_syn` and `theta`."""

_ADDITIONS: Final = 4
"""Additions to potentials in one: of the decay, the current and the bias, and a comparison."""


@dataclass(frozen=True)
class EnergyAccount(Result):
    """The energy of a run, estimated; its static power, the line and the clock are not in it.

    Attributes
    ----------
    counts:
        What the core did.
    joules_each:
        Joules of a synaptic event, of a weight that is read or written, of an update of a neuron
        and of a trace, in a circuit that is made for the purpose.
    least, most:
        Joules of the run, in such a circuit, and in an FPGA.
    origin:
        ``estimated``.
    """

    counts: Counts
    joules_each: dict[str, float]
    least: float
    most: float
    origin: str = "estimated"


def account(case: Case, run: Run) -> EnergyAccount:
    """Return the energy account of a run of a case."""
    found, each = counts(case, run), _joules_each(case.params)
    least = (
        found.synaptic_events * each["synaptic_event"]
        + found.weights_read * each["weight_read"]
        + found.weights_written * each["weight_written"]
        + found.neuron_updates * each["neuron_update"]
        + found.trace_updates * each["trace_update"]
    )
    return EnergyAccount(found, each, least, FPGA_FACTOR * least)


def _joules_each(p: CoreParams) -> dict[str, float]:
    state = _bits(p, STATE)
    read = _bits(p, VECTOR_PARAMETERS)
    weight = _access(p.weight_width + p.learning)
    return {
        "synaptic_event": 2 * _access(p.i_syn_width) + _add(p.i_syn_width),
        "weight_read": weight,
        "weight_written": weight + _multiply(p.trace_width) + _add(p.weight_width),
        "neuron_update": _access(2 * state + read)
        + _DECAYS * _multiply(p.v_width)
        + _ADDITIONS * _add(p.v_width),
        "trace_update": _access(2 * p.trace_width) + _multiply(p.trace_width),
    }


def _bits(p: CoreParams, variables: Iterable[Variable]) -> int:
    """Return the bits of a neuron in some variables, without its trace, which is counted apart."""
    return sum(
        each.width(p)
        for each in variables
        if each.per is Per.NEURON and each.is_built(p) and each.name != "trace_post"
    )


def _add(bits: int) -> float:
    return ADD_32 * bits / 32


def _multiply(bits: int) -> float:
    return MULTIPLY_32 * (bits / 32) ** 2


def _access(bits: int) -> float:
    return ACCESS_64 * bits / 64
