"""What calls of PyNN's interface say to values of a wrong kind: an error of both families or one,
at the call, that names what is wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from pyNN import errors

import spiketwin.host.pynn as sim
from spiketwin.host.errors import SpiketwinError

OF_PYNN = tuple(
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)
)
WRONG: dict[str, Any] = {
    "text": "abc", "texts": ["a", "b"], "bytes": b"x", "none": None, "nan": np.nan, "true": True,
    "dictionary": {"a": 1}, "object": object(), "complex": 1j, "cube": np.zeros((2, 2, 2)),
    "type": int,
}  # fmt: skip
Call = Callable[[Any], Any]
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def begun() -> Any:
    sim.setup(timestep=1.0)
    yield
    sim.end()


def cells(**parameters: Any) -> Any:
    return sim.Population(3, sim.IF_curr_exp(**parameters), label="cells")


def link(connector: Any = None, synapse: Any = None, **others: Any) -> Any:
    connector = sim.AllToAllConnector() if connector is None else connector
    synapse = sim.StaticSynapse(weight=0.1, delay=1.0) if synapse is None else synapse
    return sim.Projection(cells(), cells(), connector, synapse, label="link", **others)


def stdp(name: str, value: Any) -> Any:
    timing = {name: value} if name in ("tau_plus", "tau_minus", "A_plus", "A_minus") else {}
    bounds = {name: value} if name in ("w_min", "w_max") else {}
    own = {} if timing or bounds else {name: value}
    return sim.STDPMechanism(
        **{
            "timing_dependence": sim.SpikePairRule(**timing),
            "weight_dependence": sim.AdditiveWeightDependence(**bounds),
            "dendritic_delay_fraction": 0.0,
        }
        | own
    )


def learning(name: str, value: Any) -> Any:
    return link(synapse=stdp(name, value))


def given(call: Callable[..., Any], name: str) -> Call:
    return lambda value: call(**{name: value})


def put(target: Callable[[], Any], name: str) -> Call:
    return lambda value: setattr(target(), name, value)


CALLS: dict[str, Call] = {
    "simtime": sim.run, "time_point": sim.run_until,
    "callbacks": lambda value: sim.run(1.0, [value]),
    "size": lambda value: sim.Population(value, sim.IF_curr_exp()),
    "Population takes": lambda value: sim.Population(3, value),
    "initial_values": lambda value: sim.Population(3, sim.IF_curr_exp(), initial_values=[value]),
    "get takes": lambda value: cells().get(value), "record": lambda value: cells().record([value]),
    "get_data": lambda value: cells().get_data([value]),
    "write_data": lambda value: cells().write_data(value),
    "n must": lambda value: cells().sample(value), "inject": lambda value: cells().inject(value),
    "position must": lambda value: cells().nearest(value),
    "positions takes": lambda value: setattr(cells(), "positions", value),
    "id_to_index": lambda value: cells().id_to_index(value),
    "__add__": lambda value: cells() + value,
    "PopulationView": lambda value: sim.PopulationView(cells(), value),
    "Assembly takes": sim.Assembly, "sampling_interval": lambda value: cells().record(
        "v", sampling_interval=value if value is not None else np.nan
    ),
    "Projection takes": lambda value: sim.Projection(cells(), cells(), value),
    "synapse type": lambda value: link(synapse=value if value is not None else 3),
    "get takes names": lambda value: link().get(value, "list"),
    "format of 'list'": lambda value: link().get("weight", value),
    "save takes": lambda value: link().save("weight", 1 if isinstance(value, str) else value),
    "p_connect": sim.FixedProbabilityConnector, "FixedTotalNumberConnector": lambda value: link(
        sim.FixedTotalNumberConnector(value if value is not True else -1)
    ),
    "ArrayConnector": lambda value: link(sim.ArrayConnector([value, 1.0])),
    "CloneConnector": lambda value: link(sim.CloneConnector(value)),
    "DistanceDependent": lambda value: link(sim.DistanceDependentProbabilityConnector(value)),
    "FromListConnector": sim.FromListConnector, "rng": lambda value: link(
        sim.FixedProbabilityConnector(0.5, rng=value if value is not None else 3)
    ),
    "RandomDistribution": lambda value: sim.RandomDistribution(value, (1, 2)),
    "Network takes": sim.Network,
    "Space takes": lambda value: sim.Space(3 if value is None else value),
    "create takes": sim.create, "inject_into": lambda value: sim.DCSource().inject_into([value]),
    "set takes": lambda value: sim.set(value, tau_m=3.0),
    "timing_dependence": given(
        lambda timing_dependence: sim.STDPMechanism(
            timing_dependence=timing_dependence, weight_dependence=sim.AdditiveWeightDependence()
        ), "timing_dependence",
    ),
}  # fmt: skip
CELL = ("v_rest", "cm", "tau_m", "tau_refrac", "tau_syn_E", "i_offset", "v_reset", "v_thresh")
CALLS |= {f"{name} of IF_curr_exp": given(sim.IF_curr_exp, name) for name in CELL}
CALLS |= {f"{name} of cells": given(lambda **own: cells().set(**own), name) for name in CELL}
CALLS |= {
    "v of cells": given(lambda **own: cells().initialize(**own), "v"),
    "isyn_exc of": given(lambda **own: cells()[:2].initialize(**own), "isyn_exc"),
    "cm of view": given(lambda **own: cells()[:2].set(**own), "cm"),
    "tau_m of": put(lambda: cells()[0], "tau_m"),
    "v_rest of": given(lambda **own: (cells() + cells()).set(**own), "v_rest"),
    "spike_times": given(sim.SpikeSourceArray, "spike_times"),
    "amplitude of DC": given(lambda **own: sim.DCSource().set_parameters(**own), "amplitude"),
}
CALLS |= {f"{n} of Sp": given(sim.SpikeSourcePoisson, n) for n in ("rate", "start", "duration")}
CALLS |= {f"{n} of DCS": given(sim.DCSource, n) for n in ("amplitude", "start", "stop")}
CALLS |= {f"{n} of AC": given(sim.ACSource, n) for n in ("amplitude", "offset", "frequency")}
CALLS |= {f"{n} of Step": given(sim.StepCurrentSource, n) for n in ("times", "amplitudes")}
CALLS |= {f"{n} of Noisy": given(sim.NoisyCurrentSource, n) for n in ("mean", "stdev", "dt")}
CALLS |= {
    name: partial(learning, name)
    for name in ("tau_plus", "tau_minus", "A_plus", "A_minus", "w_min", "w_max")
}
for name in ("weight", "delay"):
    # Other connections may be None, or an expression of the distance.
    CALLS[f"{name} of a connection"] = put(lambda: link()[0], name)

TAKEN = {
    ("callbacks", "type"),  # a type can be called
    ("synapse type", "type"), ("position must", "true"), ("id_to_index", "true"),
    ("FromListConnector", "cube"), ("p_connect", "true"), ("rng", "type"),
    ("RandomDistribution", "type"),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_a_value_of_a_wrong_kind_is_refused_where_it_is_given(call: str) -> None:
    named = call.split()[0].strip("'")
    for kind, value in WRONG.items():
        if (call, kind) in TAKEN:
            continue
        with pytest.raises((SpiketwinError, *OF_PYNN)) as raised:
            CALLS[call](value)
            pytest.fail(f"{kind} was taken")
        said = str(raised.value)
        # A parameter is named; what a call is given otherwise, by what it takes.
        assert " of " not in call or named in said, (kind, said)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: sim.IF_curr_exp(tau=3.0), "tau"), (lambda: cells().set(tau=3.0), "tau"),
        (lambda: cells().initialize(u=3.0), "no variable 'u'"),
        (lambda: setattr(cells()[0], "tau", 3.0), "tau"), (lambda: sim.StaticSynapse(w=1.0), "w"),
        (lambda: link().set(w=1.0), "w"), (lambda: setattr(link()[0], "w", 1.0), "w"),
        (lambda: sim.DCSource(strength=1.0), "strength"),
        (lambda: cells().get_data("u"), "no variable 'u'"),
        (lambda: cells(tau_m=[1.0, 2.0]), "tau_m of cells must be one number, or 3"),
        (lambda: cells().initialize(v=[1.0, 2.0]), "v of cells must be one number, or 3"),
        (lambda: link(sim.FromListConnector([(-1, 0, 0.1, 1.0)])), "leads from cell -1"),
        (lambda: sim.Population(10**30, sim.IF_curr_exp()), "at most"),
        (lambda: cells(tau_m=0.0), "tau_m of .* above 0"),
        (lambda: sim.SpikeSourcePoisson(rate=-1.0), "rate of .* 0 or more"),
        (lambda: link(source="soma"), "source 'soma'"), (lambda: cells().sample(4), "1…3"),
        (lambda: link(receptor_type="none"), "(?i)receptor"), (lambda: cells()[9], "index"),
        (lambda: sim.Population(3, sim.IF_curr_exp(), structure="line"), "structure"),
    ],
)  # fmt: skip
def test_names_and_lengths_that_are_wrong_are_refused(make: Callable[[], Any], named: str) -> None:
    with pytest.raises((SpiketwinError, *OF_PYNN), match=named):
        make()
    sim.run(3.0)  # nothing half made is left


def test_a_bug_of_the_program_is_not_taken_for_a_wrong_value() -> None:
    def broken(index: int) -> float:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        cells(tau_m=broken)
