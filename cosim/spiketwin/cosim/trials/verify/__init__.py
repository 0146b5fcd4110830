"""Equivalence in bulk: random networks on model and twin, spread over processes.

A sample is a network with its stimulus. It follows from a seed and its number alone, whichever
process runs it.
"""
