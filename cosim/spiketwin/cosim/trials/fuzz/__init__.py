"""Inputs of all kinds that nobody would make: each must end in a result or in an error of ours.

`surfaces` has the ways into the project, and for each how to make an input and how to hand it over;
`campaign` makes many, and keeps what ends otherwise. ``spiketwin fuzz`` runs it.
"""
