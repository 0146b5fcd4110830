"""The families of FPGAs: one file a family, or a family in several kinds; each is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spiketwin.firmware import discovery

if TYPE_CHECKING:
    from spiketwin.firmware.family import Family


def families() -> dict[str, Family]:
    """Find the families of this package, by name.

    Only a call of this imports Amaranth, which takes a while and may not be installed.
    """
    from spiketwin.firmware.family import Family

    kind: type[Any] = Family  # an abstract class, which mypy takes for no `type[Family]`
    found: Iterable[Family] = discovery.in_package(__name__, kind)
    return dict(sorted((family.name, family) for family in found))
