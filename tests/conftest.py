"""What all tests share: how Hypothesis searches."""

import os

from hypothesis import settings

# No deadline: the speed of the machine decides nothing. In CI the same examples on every run, so
# that a failure there can be repeated; elsewhere new ones, which is how Hypothesis finds things.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
