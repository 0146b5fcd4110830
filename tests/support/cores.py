"""Sizes of a core that several files of tests share, so that its simulation is built once."""

from typing import Final

OPTIONS: Final = "tiny,digest_rounds=3,saturation_counters=1,bias_events=1"
"""A small core with options, for tests of one of them that work beside the others as well."""

SMALL: Final = (
    "tiny,neuron_lanes=1,source_lanes=1,v_width=10,i_syn_width=10,theta_width=8,refrac_width=2,"
    "event_queue_depth=32,link_slots=2"
)
"""Sizes of narrow vectors, which are placed and routed sooner than those of `tiny`."""
