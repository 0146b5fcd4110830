"""The twins that run on a computer, and the comparison that holds them to each other."""
