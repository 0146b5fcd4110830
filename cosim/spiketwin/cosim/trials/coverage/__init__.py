"""Coverage: which lines, branches and bits of the gateware the trials of mutants run through."""
