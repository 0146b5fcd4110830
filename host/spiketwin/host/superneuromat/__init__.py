"""Networks of SuperNeuroMAT: its JSON and its `SNN` objects, as networks of a core.

``net, report = load(path_or_snn)`` makes the network, and `Report.run` runs it and returns spikes
and weights as SuperNeuroMAT has them (docs/superneuromat.md).
"""

from spiketwin.host.superneuromat.loading import load
from spiketwin.host.superneuromat.report import Report, Results

__all__ = ["Report", "Results", "load"]
