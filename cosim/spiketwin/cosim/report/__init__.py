"""The presentation of a comparison: in words, as figures, as a page, and as a timeline."""
