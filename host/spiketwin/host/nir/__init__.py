"""Graphs of NIR, the Neuromorphic Intermediate Representation, in and out.

::

    from spiketwin.host import connect, nir

    net, report = nir.load("trained.nir", dt=1e-4)
    print(report)
    with connect("model:", params=net.core_params(**report.sizes)) as core:
        core.program(net)

NIR is described at https://neuroir.org; docs/nir.md says how its nodes lie in a core.
"""

from __future__ import annotations

from spiketwin.host.nir.loading import load
from spiketwin.host.nir.saving import save

__all__ = ["load", "save"]
