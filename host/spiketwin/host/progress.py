"""Types of the functions that long work calls to report its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Function that is called with the name of a part of the work, the amount done, and the total."""

Steps = Callable[[int, int], None]
"""Function that is called with the amount done and the total, by work in a single part."""

Stages = Callable[[str], None]
"""Function that is called with the name of each stage as it begins, by work of unknown length."""
