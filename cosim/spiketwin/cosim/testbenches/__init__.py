"""Testbenches that run inside the simulator, and what builds and starts them."""
