"""PyNN on a core: ``import spiketwin.host.pynn as sim``, and the rest of a script stays.

docs/pynn.md says what maps to what. It needs the extra ``pynn``; without it, importing this package
raises `ToolMissing`.
"""

from spiketwin.hdl.spec.errors import ToolMissing
from spiketwin.hdl.spec.installation import install_command

try:
    from pyNN import errors, random, space
except ImportError as error:
    raise ToolMissing(
        f"spiketwin.host.pynn needs a package that is missing ({error}). Run: "
        f"{install_command('pynn')}"
    ) from error

from pyNN.connectors import (
    CSAConnector,
    FixedNumberPostConnector,
    FixedNumberPreConnector,
    FixedTotalNumberConnector,
    FromListConnector,
    SmallWorldConnector,
)
from pyNN.core import IndexBasedExpression
from pyNN.network import Network
from pyNN.parameters import Sequence
from pyNN.random import GSLRNG, NumpyRNG, RandomDistribution
from pyNN.recording import get_io
from pyNN.space import Space

from spiketwin.host.pynn.cells import (
    LIF,
    AdExp,
    CondAlphaPostSynapticResponse,
    CondBetaPostSynapticResponse,
    CondExpPostSynapticResponse,
    CurrExpPostSynapticResponse,
    EIF_cond_alpha_isfa_ista,
    EIF_cond_exp_isfa_ista,
    GIF_cond_exp,
    HH_cond_exp,
    IF_cond_alpha,
    IF_cond_exp,
    IF_cond_exp_gsfa_grr,
    IF_curr_alpha,
    IF_curr_delta,
    IF_curr_exp,
    IF_facets_hardware1,
    Izhikevich,
    PointNeuron,
    SpikeSourceArray,
    SpikeSourceGamma,
    SpikeSourceInhGamma,
    SpikeSourcePoisson,
    SpikeSourcePoissonRefractory,
)
from spiketwin.host.pynn.connectors import (
    AllToAllConnector,
    ArrayConnector,
    CloneConnector,
    DisplacementDependentProbabilityConnector,
    DistanceDependentProbabilityConnector,
    FixedProbabilityConnector,
    IndexBasedProbabilityConnector,
    OneToOneConnector,
)
from spiketwin.host.pynn.control import (
    connect,
    create,
    end,
    get_current_time,
    get_max_delay,
    get_min_delay,
    get_time_step,
    initialize,
    list_standard_models,
    num_processes,
    rank,
    record,
    record_gsyn,
    record_v,
    report,
    reset,
    run,
    run_for,
    run_until,
    set,
    setup,
)
from spiketwin.host.pynn.electrodes import (
    ACSource,
    DCSource,
    NoisyCurrentSource,
    StepCurrentSource,
)
from spiketwin.host.pynn.files import (
    FromFileConnector,
    NumpyBinaryFile,
    PickleFile,
    StandardTextFile,
)
from spiketwin.host.pynn.populations import Assembly, Population, PopulationView
from spiketwin.host.pynn.projections import Projection
from spiketwin.host.pynn.report import Report
from spiketwin.host.pynn.synapses import (
    AdditivePotentiationMultiplicativeDepression,
    AdditiveWeightDependence,
    ElectricalSynapse,
    GutigWeightDependence,
    MultiplicativeWeightDependence,
    MultiQuantalSynapse,
    SimpleStochasticSynapse,
    SpikePairRule,
    StaticSynapse,
    STDPMechanism,
    StochasticTsodyksMarkramSynapse,
    TsodyksMarkramSynapse,
    Vogels2011Rule,
)

__all__ = [
    "GSLRNG",
    "LIF",
    "ACSource",
    "AdExp",
    "AdditivePotentiationMultiplicativeDepression",
    "AdditiveWeightDependence",
    "AllToAllConnector",
    "ArrayConnector",
    "Assembly",
    "CSAConnector",
    "CloneConnector",
    "CondAlphaPostSynapticResponse",
    "CondBetaPostSynapticResponse",
    "CondExpPostSynapticResponse",
    "CurrExpPostSynapticResponse",
    "DCSource",
    "DisplacementDependentProbabilityConnector",
    "DistanceDependentProbabilityConnector",
    "EIF_cond_alpha_isfa_ista",
    "EIF_cond_exp_isfa_ista",
    "ElectricalSynapse",
    "FixedNumberPostConnector",
    "FixedNumberPreConnector",
    "FixedProbabilityConnector",
    "FixedTotalNumberConnector",
    "FromFileConnector",
    "FromListConnector",
    "GIF_cond_exp",
    "GutigWeightDependence",
    "HH_cond_exp",
    "IF_cond_alpha",
    "IF_cond_exp",
    "IF_cond_exp_gsfa_grr",
    "IF_curr_alpha",
    "IF_curr_delta",
    "IF_curr_exp",
    "IF_facets_hardware1",
    "IndexBasedExpression",
    "IndexBasedProbabilityConnector",
    "Izhikevich",
    "MultiQuantalSynapse",
    "MultiplicativeWeightDependence",
    "Network",
    "NoisyCurrentSource",
    "NumpyBinaryFile",
    "NumpyRNG",
    "OneToOneConnector",
    "PickleFile",
    "PointNeuron",
    "Population",
    "PopulationView",
    "Projection",
    "RandomDistribution",
    "Report",
    "STDPMechanism",
    "Sequence",
    "SimpleStochasticSynapse",
    "SmallWorldConnector",
    "Space",
    "SpikePairRule",
    "SpikeSourceArray",
    "SpikeSourceGamma",
    "SpikeSourceInhGamma",
    "SpikeSourcePoisson",
    "SpikeSourcePoissonRefractory",
    "StandardTextFile",
    "StaticSynapse",
    "StepCurrentSource",
    "StochasticTsodyksMarkramSynapse",
    "TsodyksMarkramSynapse",
    "Vogels2011Rule",
    "connect",
    "create",
    "end",
    "errors",
    "get_current_time",
    "get_io",
    "get_max_delay",
    "get_min_delay",
    "get_time_step",
    "initialize",
    "list_standard_models",
    "num_processes",
    "random",
    "rank",
    "record",
    "record_gsyn",
    "record_v",
    "report",
    "reset",
    "run",
    "run_for",
    "run_until",
    "set",
    "setup",
    "space",
]
