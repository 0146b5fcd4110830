"""The search for a core: sizes, boards, clocks and lines, held against what a network does."""
