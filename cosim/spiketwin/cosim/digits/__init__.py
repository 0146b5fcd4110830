"""The handwritten digits: their encoding as spikes, and a network that learns them."""
