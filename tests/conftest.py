"""What all tests share: how Hypothesis searches, and the seed of the testbenches."""

import os
import secrets

import pytest
from hypothesis import settings

# No deadline: the speed of the machine decides nothing. In CI the same examples on every run, so
# that a failure there can be repeated; elsewhere new ones, which is how Hypothesis finds things.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def seed() -> int:
    """Seed of all that the testbenches choose, chosen as Hypothesis does.

    A failure tells it; SPIKETWIN_SEED=… in the environment repeats it.
    """
    chosen = 0 if os.environ.get("CI") else secrets.randbits(31)
    return int(os.environ.get("SPIKETWIN_SEED", chosen))
