"""Mutants: small changes all over the gateware, made by rule, and the trials that tell them.

All mutants of a design are in one build, each behind a choice at run time. A mutant is killed by
the first, cheapest trial in which it does not do as the model.
"""
