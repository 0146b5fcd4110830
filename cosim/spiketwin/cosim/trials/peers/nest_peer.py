"""Runs a case on NEST, one thread: ``python nest_peer.py CASE.npz TICKS``.

Answers every line on standard input with seconds of the run and its spikes. Only NEST and NumPy are
needed here. A run goes on from the one before, as NEST has no other way to repeat one.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import nest
import numpy as np


def build(case: Any) -> Any:
    """Make the neurons of a case, with their synapses."""
    nest.ResetKernel()
    nest.set(resolution=1.0, local_num_threads=1, print_time=False)
    v_tau, current_tau = float(case["v_tau"]), float(case["current_tau"])
    # Potentials are those of the case; so is a current, as the capacitance makes it one in v a ms.
    neurons = nest.Create(
        "iaf_psc_exp", len(case["bias"]),
        {
            "E_L": 0.0, "V_reset": 0.0, "V_th": float(case["threshold"]), "tau_m": v_tau,
            "C_m": 1.0, "t_ref": 1.0, "tau_syn_ex": current_tau, "tau_syn_in": current_tau,
            "tau_minus": float(case["trace_tau"]),
        },
    )  # fmt: skip
    neurons.I_e = (case["bias"] / (v_tau * -np.expm1(-1 / v_tau))).tolist()
    neurons.V_m = case["start"].astype(float).tolist()
    model: dict[str, Any] = {"synapse_model": "static_synapse"}
    if case["learns"]:
        w_max, a_plus = float(case["w_max"]), float(case["a_plus"])
        model = {
            "synapse_model": "stdp_synapse", "tau_plus": float(case["trace_tau"]),
            "lambda": a_plus / w_max, "alpha": float(case["a_minus"]) / a_plus,
            "mu_plus": 0.0, "mu_minus": 0.0, "Wmax": w_max,
        }  # fmt: skip
    spec = {**model, "weight": float(case["weight"]), "delay": 1.0}
    if "pairs" in case:
        pairs = case["pairs"] + neurons[0].global_id
        each = {name: np.full(len(pairs), spec.pop(name)) for name in ("weight", "delay")}
        nest.Connect(pairs[:, 0], pairs[:, 1], "one_to_one", {**spec, **each})
    else:
        nest.Connect(neurons, neurons, "all_to_all", spec)
    return neurons


def main() -> None:
    """Build, and simulate as often as is asked for."""
    path, ticks = sys.argv[1:]
    nest.verbosity = nest.VerbosityLevel.ERROR
    neurons = build(np.load(path))
    recorder = nest.Create("spike_recorder", params={"record_to": "memory"})
    nest.Connect(neurons, recorder)
    nest.Simulate(1.0)
    print("ready", flush=True)
    for _ in sys.stdin:
        recorder.n_events = 0
        begin = time.process_time()
        nest.Simulate(float(ticks))
        print(time.process_time() - begin, int(recorder.n_events), flush=True)


if __name__ == "__main__":
    main()
