"""The cells: which of PyNN's standard models a core carries, and what would do instead of others.

The parameters of a cell have PyNN's names and units here too, so nothing is translated. A class
that no core carries has the reason, and what would do instead, as `refusal`.
"""

from __future__ import annotations

from typing import Any, Final

from pyNN.standardmodels import build_translations, cells, receptors

from spiketwin.host.pynn.given import check_parameters, takes

RECORDED: Final = {"v": "v", "isyn_exc": "i_syn", "isyn_inh": "i_inh"}
"""What can be recorded beside spikes, and the state of a core that it comes from."""

_CONDUCTANCES: Final = (
    "its synapses are conductances, which multiply with the potential, and those of a core are "
    "currents: IF_curr_exp, with weights in nA at the mean potential, would do instead"
)
_OTHER_MEMBRANE: Final = (
    "its membrane is not that of a leaky integrate-and-fire neuron: IF_curr_exp or IF_curr_delta "
    "would do instead"
)
_PARTS: Final = (
    "cells of parts are not carried: IF_curr_exp is a LIF with CurrExpPostSynapticResponse, and "
    "would do instead"
)
_OTHER_SOURCE: Final = "draw its spike times in the script, and give them to SpikeSourceArray"


class Checked:
    """A model whose parameters are checked when it is made."""

    def __init__(self, **parameters: Any) -> None:
        check_parameters(self, parameters)
        name = type(self).__name__
        takes(super().__init__, f"parameters of {name} by name", name)(**parameters)


def untranslated(model: Any) -> dict[str, Any]:
    """Return translations in which every parameter keeps its name and its unit."""
    names = model.default_parameters
    translations: dict[str, Any] = build_translations(*((each, each) for each in names))
    return translations


class IF_curr_exp(Checked, cells.IF_curr_exp):
    """PyNN's `IF_curr_exp`, which runs on a core."""

    translations = untranslated(cells.IF_curr_exp)
    recordable = ["spikes", *RECORDED]


class IF_curr_alpha(Checked, cells.IF_curr_alpha):
    """PyNN's `IF_curr_alpha`, which runs on a core."""

    translations = untranslated(cells.IF_curr_alpha)
    recordable = ["spikes", "v"]


class IF_curr_delta(Checked, cells.IF_curr_delta):
    """PyNN's `IF_curr_delta`, which runs on a core."""

    translations = untranslated(cells.IF_curr_delta)
    recordable = ["spikes", "v"]


class SpikeSourceArray(Checked, cells.SpikeSourceArray):
    """PyNN's `SpikeSourceArray`, which runs on a core."""

    translations = untranslated(cells.SpikeSourceArray)


class SpikeSourcePoisson(Checked, cells.SpikeSourcePoisson):
    """PyNN's `SpikeSourcePoisson`, which runs on a core."""

    translations = untranslated(cells.SpikeSourcePoisson)


class SpikeSourcePoissonRefractory(Checked, cells.SpikeSourcePoissonRefractory):
    """PyNN's `SpikeSourcePoissonRefractory`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.SpikeSourcePoissonRefractory)
    refusal = _OTHER_SOURCE


class SpikeSourceGamma(Checked, cells.SpikeSourceGamma):
    """PyNN's `SpikeSourceGamma`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.SpikeSourceGamma)
    refusal = _OTHER_SOURCE


class SpikeSourceInhGamma(Checked, cells.SpikeSourceInhGamma):
    """PyNN's `SpikeSourceInhGamma`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.SpikeSourceInhGamma)
    refusal = _OTHER_SOURCE


class IF_cond_exp(Checked, cells.IF_cond_exp):
    """PyNN's `IF_cond_exp`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.IF_cond_exp)
    refusal = _CONDUCTANCES


class IF_cond_alpha(Checked, cells.IF_cond_alpha):
    """PyNN's `IF_cond_alpha`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.IF_cond_alpha)
    refusal = _CONDUCTANCES


class IF_cond_exp_gsfa_grr(Checked, cells.IF_cond_exp_gsfa_grr):
    """PyNN's `IF_cond_exp_gsfa_grr`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.IF_cond_exp_gsfa_grr)
    refusal = _CONDUCTANCES


class IF_facets_hardware1(Checked, cells.IF_facets_hardware1):
    """PyNN's `IF_facets_hardware1`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.IF_facets_hardware1)
    refusal = _CONDUCTANCES


class HH_cond_exp(Checked, cells.HH_cond_exp):
    """PyNN's `HH_cond_exp`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.HH_cond_exp)
    refusal = _OTHER_MEMBRANE


class EIF_cond_alpha_isfa_ista(Checked, cells.EIF_cond_alpha_isfa_ista):
    """PyNN's `EIF_cond_alpha_isfa_ista`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.EIF_cond_alpha_isfa_ista)
    refusal = _OTHER_MEMBRANE


class EIF_cond_exp_isfa_ista(Checked, cells.EIF_cond_exp_isfa_ista):
    """PyNN's `EIF_cond_exp_isfa_ista`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.EIF_cond_exp_isfa_ista)
    refusal = _OTHER_MEMBRANE


class Izhikevich(Checked, cells.Izhikevich):
    """PyNN's `Izhikevich`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.Izhikevich)
    refusal = _OTHER_MEMBRANE


class GIF_cond_exp(Checked, cells.GIF_cond_exp):
    """PyNN's `GIF_cond_exp`, which can be made, and is refused when it is run."""

    translations = untranslated(cells.GIF_cond_exp)
    refusal = _OTHER_MEMBRANE


class LIF(Checked, cells.LIF):
    """PyNN's `LIF`, a part of a `PointNeuron`."""

    translations = untranslated(cells.LIF)
    refusal = _PARTS


class AdExp(Checked, cells.AdExp):
    """PyNN's `AdExp`, a part of a `PointNeuron`."""

    translations = untranslated(cells.AdExp)
    refusal = _PARTS


class CurrExpPostSynapticResponse(Checked, receptors.CurrExpPostSynapticResponse):
    """PyNN's `CurrExpPostSynapticResponse`, a part of a `PointNeuron`."""

    translations = untranslated(receptors.CurrExpPostSynapticResponse)
    recordable = ["isyn"]
    refusal = _PARTS


class CondExpPostSynapticResponse(Checked, receptors.CondExpPostSynapticResponse):
    """PyNN's `CondExpPostSynapticResponse`, a part of a `PointNeuron`."""

    translations = untranslated(receptors.CondExpPostSynapticResponse)
    recordable = ["gsyn"]
    refusal = _PARTS


class CondAlphaPostSynapticResponse(Checked, receptors.CondAlphaPostSynapticResponse):
    """PyNN's `CondAlphaPostSynapticResponse`, a part of a `PointNeuron`."""

    translations = untranslated(receptors.CondAlphaPostSynapticResponse)
    recordable = ["gsyn"]
    refusal = _PARTS


class CondBetaPostSynapticResponse(Checked, receptors.CondBetaPostSynapticResponse):
    """PyNN's `CondBetaPostSynapticResponse`, a part of a `PointNeuron`."""

    translations = untranslated(receptors.CondBetaPostSynapticResponse)
    recordable = ["gsyn"]
    refusal = _PARTS


class PointNeuron(cells.PointNeuron):
    """PyNN's `PointNeuron`, which can be made, and is refused when it is run."""

    refusal = _PARTS
