"""A device in software: the protocol, answered with whatever core is behind it."""
