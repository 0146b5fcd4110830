"""Trials: what shows that a target is good, how fast it is, and that faults would be seen."""
