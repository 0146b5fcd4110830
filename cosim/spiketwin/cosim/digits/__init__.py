"""The handwritten digits: as spikes, and how a network learns them."""
