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

    def seeded(self, unit: Any, **replaced: Any) -> Any:
        """Return the component of this class with the bug, and names of its module replaced."""
        if self.part is None:
            return _changed(unit, self, replaced)
        part = _changed(self.part, self, {})
        return _changed(unit, None, {**replaced, self.part.__name__: part})


def replaced(unit: Any, **names: Any) -> Any:
    """Return the component of this class with names of its module replaced."""
    return _changed(unit, None, names)


def _changed(unit: Any, bug: Bug | None, names: dict[str, Any]) -> Any:
    """Return the class as it is in a copy of its module, in which something is changed."""
    module = sys.modules[unit.__module__]
    source = inspect.getsource(module)
    if bug is not None:
        assert source.count(bug.right) == 1, f"{bug.right!r} is not there once"
        source = source.replace(bug.right, bug.wrong)
    copy = ModuleType(module.__name__)
    exec(compile(source, module.__name__, "exec"), vars(copy))
    vars(copy).update(names)
    return vars(copy)[unit.__name__]


def named(case: object) -> str | None:
    """Return how a parameter of a test is called: a bug and a component by their names."""
    if isinstance(case, Bug):
        return case.name
    if isinstance(case, dict):
        return "+".join(case) or "plain"
    return getattr(case, "__name__", repr(case))
