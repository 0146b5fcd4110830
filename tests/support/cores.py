"""Sizes of a core that several files of tests share, so that its simulation is built once."""

from typing import Final

OPTIONS: Final = "tiny,digest_rounds=3,saturation_counters=1,bias_events=1"
"""A small core with options, for tests of one of them that work beside the others as well."""
