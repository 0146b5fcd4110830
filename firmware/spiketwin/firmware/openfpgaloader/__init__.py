"""openFPGALoader: its calls for a board, the process that it runs in, and what its output means."""
