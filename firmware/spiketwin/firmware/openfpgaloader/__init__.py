"""openFPGALoader: how it is called for a board, how it is run, and what its words mean."""
