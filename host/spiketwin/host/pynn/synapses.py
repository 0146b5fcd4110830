"""The synapses: which of PyNN's models a core carries, and what would do instead of others.

As those of cells, parameters keep PyNN's names and units.
"""

from __future__ import annotations

from typing import Any, Final

from pyNN.standardmodels import build_translations, synapses

from spiketwin.host.pynn import simulator
from spiketwin.host.pynn.cells import Checked, untranslated
from spiketwin.host.pynn.given import check_parameters, check_values, taking

_MODELS: Final = {"stdp"}
"""Timing and weight dependences have to name a model that they share."""

_CHANGING: Final = (
    "its weight changes from spike to spike, and that of a core only where it learns: "
    "StaticSynapse, with the mean weight, would do instead"
)
_WEIGHT_DEPENDENT: Final = (
    "the steps of a core do not depend on the weight: AdditiveWeightDependence would do instead"
)


class _Delayed:
    """A synapse whose delay is the least one unless it is given."""

    def __init__(self, **parameters: Any) -> None:
        check_parameters(self, parameters, links=True)
        super().__init__(**parameters)

    def _get_minimum_delay(self) -> float:
        return simulator.state.min_delay


class StaticSynapse(_Delayed, synapses.StaticSynapse):
    """PyNN's `StaticSynapse`, which runs on a core."""

    translations = untranslated(synapses.StaticSynapse)


@taking(
    __init__="timing_dependence such as SpikePairRule(), weight_dependence such as "
    "AdditiveWeightDependence(), dendritic_delay_fraction in 0…1, and weight and delay"
)
class STDPMechanism(_Delayed, synapses.STDPMechanism):
    """PyNN's `STDPMechanism`, which runs on a core."""

    def __init__(self, *args: Any, **options: Any) -> None:
        given = {name: each for name, each in options.items() if name in ("weight", "delay")}
        check_values("STDPMechanism", given, links=True)
        synapses.STDPMechanism.__init__(self, *args, **options)
        for name in ("timing_dependence", "weight_dependence"):
            if getattr(self, name) is None:
                raise TypeError(f"{name} is missing")

    base_translations = build_translations(
        ("weight", "weight"),
        ("delay", "delay"),
        ("dendritic_delay_fraction", "dendritic_delay_fraction"),
    )


class SpikePairRule(Checked, synapses.SpikePairRule):
    """PyNN's `SpikePairRule`, which runs on a core."""

    translations = untranslated(synapses.SpikePairRule)
    possible_models = _MODELS


class AdditiveWeightDependence(Checked, synapses.AdditiveWeightDependence):
    """PyNN's `AdditiveWeightDependence`, which runs on a core."""

    translations = untranslated(synapses.AdditiveWeightDependence)
    possible_models = _MODELS


class Vogels2011Rule(Checked, synapses.Vogels2011Rule):
    """PyNN's `Vogels2011Rule`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.Vogels2011Rule)
    possible_models = _MODELS
    refusal = "a core learns by pairs in their order: SpikePairRule would do instead"


class MultiplicativeWeightDependence(Checked, synapses.MultiplicativeWeightDependence):
    """PyNN's `MultiplicativeWeightDependence`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.MultiplicativeWeightDependence)
    possible_models = _MODELS
    refusal = _WEIGHT_DEPENDENT


class AdditivePotentiationMultiplicativeDepression(
    Checked, synapses.AdditivePotentiationMultiplicativeDepression
):
    """PyNN's class of this name, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.AdditivePotentiationMultiplicativeDepression)
    possible_models = _MODELS
    refusal = _WEIGHT_DEPENDENT


class GutigWeightDependence(Checked, synapses.GutigWeightDependence):
    """PyNN's `GutigWeightDependence`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.GutigWeightDependence)
    possible_models = _MODELS
    refusal = _WEIGHT_DEPENDENT


class TsodyksMarkramSynapse(_Delayed, synapses.TsodyksMarkramSynapse):
    """PyNN's `TsodyksMarkramSynapse`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.TsodyksMarkramSynapse)
    refusal = _CHANGING


class SimpleStochasticSynapse(_Delayed, synapses.SimpleStochasticSynapse):
    """PyNN's `SimpleStochasticSynapse`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.SimpleStochasticSynapse)
    refusal = _CHANGING


class StochasticTsodyksMarkramSynapse(_Delayed, synapses.StochasticTsodyksMarkramSynapse):
    """PyNN's class of this name, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.StochasticTsodyksMarkramSynapse)
    refusal = _CHANGING


class MultiQuantalSynapse(_Delayed, synapses.MultiQuantalSynapse):
    """PyNN's `MultiQuantalSynapse`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.MultiQuantalSynapse)
    refusal = _CHANGING


class ElectricalSynapse(synapses.ElectricalSynapse):
    """PyNN's `ElectricalSynapse`, which can be made, and is refused when it is run."""

    translations = untranslated(synapses.ElectricalSynapse)
    refusal = "a core has no gap junctions: StaticSynapse is what it has"
