"""Boards and families of FPGAs, the build of a bitstream for a board, and the way onto it."""
