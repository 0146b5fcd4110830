"""openFPGALoader: the calls for a board, the process of a call, and the meaning of its output."""
