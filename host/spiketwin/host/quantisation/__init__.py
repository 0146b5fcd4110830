"""Networks that are meant in real numbers, what a core holds of them, and what that costs.

A front end describes what is meant (`meant`); `quantise` rounds it to a network of integers and
reports what was rounded, `measure` runs it beside double precision, and `search` finds the smallest
core within a stated loss. Nothing here knows where a network came from.
"""

from __future__ import annotations

from spiketwin.host.quantisation.floating import run_floating
from spiketwin.host.quantisation.measure import begin, measure
from spiketwin.host.quantisation.rounding import quantise
from spiketwin.host.quantisation.search import search

__all__ = ["begin", "measure", "quantise", "run_floating", "search"]
