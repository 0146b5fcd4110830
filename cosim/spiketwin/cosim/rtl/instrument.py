"""`Instrument`: what is added to the Verilog of a design, to break it or to watch it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Instrument(ABC):
    """An addition to a design, built into a library of its own."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further options of Verilator."""
        return ()

    @property
    def sources(self) -> tuple[Path, ...]:
        """C++ that is compiled together with the harness."""
        return ()

    @property
    def definitions(self) -> tuple[str, ...]:
        """Further options of the compiler."""
        return ()

    @abstractmethod
    def edited(self, verilog: str) -> str:
        """Return the Verilog that is built in the place of the one of the design.

        Attributes ``src`` in the text name the lines of the gateware that its parts come from.
        """

    def key(self) -> list[Any]:
        """Return all that shapes the addition, for the key of a cache."""
        own = Path(str(sys.modules[type(self).__module__].__file__))
        files = [own, *self.sources]
        return [type(self).__name__, asdict(self), [file.read_text("utf-8") for file in files]]
