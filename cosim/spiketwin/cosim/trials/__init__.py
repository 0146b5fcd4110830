"""Trials: checks that a target works, measurements of its speed, and tests with seeded faults."""
