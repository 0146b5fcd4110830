"""Estimates of what a core takes of an FPGA, by a model that is fitted to builds."""
