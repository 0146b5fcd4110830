"""The boards: one file a board, or a board in several sizes; each `Board` in them is found."""
