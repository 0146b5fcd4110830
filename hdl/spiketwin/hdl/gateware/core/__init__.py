"""The core: memories, the units that work on them, and the controller that runs a tick."""
