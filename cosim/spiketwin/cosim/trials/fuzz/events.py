"""Files of other projects as inputs: events of sensors, and networks of SuperNeuroMAT."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final

from spiketwin.cosim.trials.fuzz.choices import Choices, mutated, mutated_text
from spiketwin.cosim.trials.fuzz.files import mutated_value
from spiketwin.host.cli.doors import door_of
from spiketwin.host.events import Events, read, to_ticks, write

_DT: Final = 1e-3
_ROWS: Final = ((0, 1, 2, 1), (900, 3, 0, 0), (1000, 3, 0, 0), (4000, 2, 2, 1))
"""Events: time in microseconds, x, y and polarity."""

_TEXTS: Final = (
    "t,x,y,p\n0,1,2,1\n900,3,0,0\n",
    "# time_ms unit\n0.5 1\n1.5 0\n",
    "4 4\n0.0005 1 2 1\n0.001 0 0 -1\n",
    "0.5,1\n1e0,2.0\n",
)


class EventFiles:
    """Files of events: text, .npz, N-MNIST and .dat, which need no extra.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events"
        t, x, y, polarity = zip(*_ROWS, strict=True)
        archive = folder / "events.npz"
        write(archive, Events(t=t, x=x, y=y, polarity=polarity, size=(4, 4)))
        nmnist = b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in _ROWS)
        dat = b"".join(struct.pack("<II", t, x | y << 14 | p << 28) for t, x, y, p in _ROWS)
        header = b"% Version 2\n% Width 4\n% Height 4\n\x00\x08"
        self._wholes = (archive.read_bytes(), nmnist, header + dat)

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        if choices.once_in(2):
            text = choices.of(_TEXTS)
            return mutated_text(text, ",\n #.-e", choices).encode("utf-8", "replace")
        return mutated(choices.of(self._wholes), choices)

    def feed(self, data: bytes) -> None:
        """Read the file, and make ticks of its events."""
        self._path.write_bytes(data)
        to_ticks(read(self._path), _DT)


class ImportedNetworks:
    """JSON of SuperNeuroMAT.

    Parameters
    ----------
    folder:
        Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "network.json"
        data: dict[str, Any] = {
            "neuron_thresholds": [0.0, 0.5], "neuron_leaks": [1.0, float("inf")],
            "neuron_reset_states": [0.0, 0.0], "neuron_states": [0.0, 0.25],
            "neuron_refractory_periods": [0, 1], "neuron_refractory_periods_state": [0, 0],
            "pre_synaptic_neuron_ids": [0, 1], "post_synaptic_neuron_ids": [1, 0],
            "synaptic_weights": {"base64": "AAAAAAAA8D8AAAAAAADgPw==", "dtype": "<d"},
            "synaptic_delays": [1, 1], "enable_stdp": [0, 1], "spike_train": [],
            "input_spikes": {"0": {"nids": [0], "values": [1.0]}}, "apos": [0.5], "aneg": [0.0],
            "stdp": True, "stdp_positive_update": True, "stdp_negative_update": True,
        }  # fmt: skip
        meta = {"format": "snm", "format_version": "0.1", "type": "SNN"}
        self._whole = {"networks": [{"meta": meta, "data": data}]}

    def make(self, choices: Choices) -> bytes:
        """Make a file."""
        text = json.dumps(mutated_value(self._whole, choices)).encode("utf-8", "surrogatepass")
        return mutated(text, choices) if choices.once_in(3) else text

    def feed(self, data: bytes) -> None:
        """Find the door for the file, and import the network."""
        self._path.write_bytes(data)
        door_of(self._path).load(self._path, {})
