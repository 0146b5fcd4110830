"""Runs a case on Brian2, C++ standalone, one process.

``python brian2_peer.py CASE.npz TICKS FOLDER synapses|neurons`` answers every line on standard
input with the seconds of a run and its spikes. Only Brian2 and NumPy are needed here. Traces of
learning are variables of synapses, as in the manual of Brian2, or of neurons, which is the same
with less to compute.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import brian2 as b
import numpy as np

NEURON = """
dv/dt = (drive - v) / v_tau + current / tick : 1
dcurrent/dt = -current / current_tau : 1
drive : 1 (constant)
fired : integer
"""

TRACES = """
dpre/dt = -pre / trace_tau : 1
dpost/dt = -post / trace_tau : 1
"""

SILENT = {"neuron": "", "reset": "", "synapse": "w : 1", "on_pre": "current_post += w"}
"""What there is without learning."""

LEARNING = {
    "synapses": {
        "neuron": "",
        "reset": "",
        "synapse": "w : 1" + TRACES.replace(" : 1", " : 1 (event-driven)"),
        "on_pre": "current_post += w; pre += 1; w = clip(w - a_minus * post, 0, w_max)",
        "on_post": "post += 1; w = clip(w + a_plus * pre, 0, w_max)",
    },
    "neurons": {
        "neuron": TRACES,
        "reset": "; pre += 1; post += 1",
        "synapse": "w : 1",
        "on_pre": "current_post += w; w = clip(w - a_minus * post_post, 0, w_max)",
        "on_post": "w = clip(w + a_plus * pre_pre, 0, w_max)",
    },
}
"""What learning adds, by where the traces are."""


def build(case: Any, ticks: int, folder: str, traces: str) -> None:
    """Write and compile the program of a case."""
    b.set_device("cpp_standalone", build_on_run=False)
    b.defaultclock.dt = tick = 1 * b.ms
    parts = LEARNING[traces] if case["learns"] else SILENT
    names = {
        "tick": tick,
        **{name: float(case[name]) for name in ("threshold", "w_max", "a_plus", "a_minus")},
        **{name: float(case[name]) * b.ms for name in ("v_tau", "current_tau", "trace_tau")},
    }
    neurons = b.NeuronGroup(
        len(case["bias"]), NEURON + parts["neuron"], threshold="v >= threshold",
        reset="v = 0; fired += 1" + parts["reset"], method="exact", namespace=names,
    )  # fmt: skip
    neurons.drive = case["bias"] / -np.expm1(-1 / float(case["v_tau"]))
    neurons.v = case["start"]
    plastic = {"on_post": parts["on_post"]} if case["learns"] else {}
    synapses = b.Synapses(
        neurons, neurons, parts["synapse"], on_pre=parts["on_pre"], **plastic, namespace=names
    )
    if "pairs" in case:
        synapses.connect(i=case["pairs"][:, 0], j=case["pairs"][:, 1])
    else:
        synapses.connect()
    synapses.w = float(case["weight"])
    network = b.Network(neurons, synapses)
    network.run(ticks * tick)
    b.device.build(directory=folder, run=False, compile=True, with_output=False)


def main() -> None:
    """Build, and run the program as often as is asked for."""
    path, ticks, folder, traces = sys.argv[1:]
    build(np.load(path), int(ticks), folder, traces)
    results = Path(folder) / "results"
    print("ready", flush=True)
    for _ in sys.stdin:
        subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        seconds = float((results / "last_run_info.txt").read_text().split()[0])
        (counts,) = results.glob("_array_neurongroup_fired_*")
        print(seconds, int(np.fromfile(counts, np.int32).sum()), flush=True)


if __name__ == "__main__":
    main()
