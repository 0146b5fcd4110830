"""The families of FPGAs: one file a family, or several kinds of one; each `Family` is found."""
