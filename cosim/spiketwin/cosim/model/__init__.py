"""The model: a core in Numba, and the device that answers the link with it."""
