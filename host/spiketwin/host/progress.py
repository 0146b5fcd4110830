"""The forms in which long work says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is of it."""

Steps = Callable[[int, int], None]
"""Called with how much is done and how much there is, by work that is a single part."""

Stages = Callable[[str], None]
"""Called with the name of each stage as it begins, by work whose length nobody knows."""
