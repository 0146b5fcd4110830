"""The link: the program that executes requests, and the sequencer that runs it."""
