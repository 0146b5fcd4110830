"""The host side: the link protocol, its transports, networks and the command line.

::

    from spiketwin.host import Network, connect

    net = Network.random(n_axons=64, n_neurons=128, seed=1)
    with connect("model:") as core:
        core.program(net)
        run = core.run(spikes, ticks=100)
"""

from __future__ import annotations

# Set here rather than imported from `typing`, which takes long to import: until `start` is called,
# Ctrl-C would end the program with a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spiketwin.host import errors
    from spiketwin.host.core import Core
    from spiketwin.host.network import Network
    from spiketwin.host.runs import Runs
    from spiketwin.host.spikes import Run
    from spiketwin.host.targets import connect

__all__ = ["Core", "Network", "Run", "Runs", "connect", "errors"]

_HOME = {
    "Core": "core",
    "Network": "network",
    "Run": "spikes",
    "Runs": "runs",
    "connect": "targets",
}


def __getattr__(name: str) -> Any:
    # Lazy import: `spiketwin --help` has no need of numpy.
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name == "errors":
        return import_module(f"{__name__}.errors")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
