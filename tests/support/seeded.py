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
    part:
        Class that the component uses, which has the bug in its place; None if it has it itself.
    """

    name: str
    right: str
    wrong: str
    part: Any = None

    def seeded(self, unit: Any) -> Any:
        """Return the component of this class with the bug; it is changed nowhere else."""
        if self.part is None:
            return _changed(unit, self.right, self.wrong)[unit.__name__]
        part = _changed(self.part, self.right, self.wrong)[self.part.__name__]
        names = _changed(unit, "", "")
        names[self.part.__name__] = part
        return names[unit.__name__]


def _changed(unit: Any, right: str, wrong: str) -> dict[str, Any]:
    """Return the names of a copy of the module of a class, in which a text is replaced."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    assert not right or source.count(right) == 1, f"{right!r} is not there once"
    copy = ModuleType(module.__name__)
    exec(
        compile(source.replace(right, wrong) if right else source, unit.__name__, "exec"),
        vars(copy),
    )
    return vars(copy)


def named(case: object) -> str | None:
    """Return how a parameter of a test is called: a bug and a component by their names."""
    if isinstance(case, Bug):
        return case.name
    if isinstance(case, dict):
        return "+".join(case) or "plain"
    return getattr(case, "__name__", repr(case))
