"""Handwritten digits learned on the core: data, recipe, runs on targets, and pictures."""
