"""Seeded bugs: a component as it would be if a piece of its source said something else."""

import inspect
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Bug:
    """A bug that a proof has to find.

    Attributes
    ----------
    name:
        Description of the bug.
    right, wrong:
        Text that occurs exactly once in the module of the component, and its replacement.
    """

    name: str
    right: str
    wrong: str

    def seeded(self, unit: Any) -> Any:
        """Return the component of this class with the bug; it is changed nowhere else."""
        module = sys.modules[unit.__module__]
        source = inspect.getsource(module)
        assert source.count(self.right) == 1, f"{self.name}: {self.right!r} is not there once"
        broken = ModuleType(module.__name__)
        exec(compile(source.replace(self.right, self.wrong), self.name, "exec"), vars(broken))
        return getattr(broken, unit.__name__)


def named(case: object) -> str | None:
    """Return how a parameter of a test is called: a bug and a component by their names."""
    if isinstance(case, Bug):
        return case.name
    if isinstance(case, dict):
        return "+".join(case) or "plain"
    return getattr(case, "__name__", repr(case))
