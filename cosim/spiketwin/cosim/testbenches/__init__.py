"""Testbenches that run inside the simulator, and the modules that build and start them."""
