"""Fuzzing: inputs of all kinds must end in a result or in an error of this package.

`surfaces` lists the ways by which input enters the project, each with a generator of inputs and a
function that feeds them; `campaign` makes many inputs, and keeps those that end in any other way.
``spiketwin fuzz`` runs it.
"""
