"""The levels at which a core is driven, and the environment variables of a testbench."""

from __future__ import annotations

from typing import Final

PARAMS_VARIABLE: Final = "SPIKETWIN_BENCH_PARAMS"
"""Environment variable with the sizes, as JSON."""

LEVEL_VARIABLE: Final = "SPIKETWIN_BENCH_LEVEL"
"""Environment variable with the level; not set where the top is the user's own."""

SESSION_VARIABLE: Final = "SPIKETWIN_BENCH_SESSION"
"""Environment variable with the path of the recorded session to play."""

SEED_VARIABLE: Final = "COCOTB_RANDOM_SEED"
