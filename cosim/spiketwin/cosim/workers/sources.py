"""The sources on which answers depend, as a hash that differs where they might."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

from spiketwin import cosim, firmware, hdl, host
from spiketwin.hdl import builds

ALL: Final = ((hdl, ""), (host, ""), (cosim, ""), (firmware, ""))
"""All packages of this one, each with a folder in it."""


def fingerprint(places: Iterable[tuple[ModuleType, str]]) -> str:
    """Return a hash of the sources in packages and folders in them, stored figures among them."""
    found = []
    for package, folder in places:
        place = Path(package.__path__[0], folder)
        found += [each for end in ("py", "json") for each in sorted(place.rglob(f"*.{end}"))]
    return builds.fingerprint(found)
