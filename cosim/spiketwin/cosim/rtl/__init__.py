"""The simulated RTL: the core and its link, translated by Verilator and run natively."""
