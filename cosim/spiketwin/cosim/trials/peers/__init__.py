"""Other simulators of spiking networks, measured in turns with the model on the same networks."""
