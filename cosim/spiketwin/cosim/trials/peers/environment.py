"""The environment in which other simulators are installed, beside that of the project."""

from __future__ import annotations

import hashlib
import sys
import venv
from pathlib import Path
from typing import Final

from spiketwin.hdl import builds

REQUIREMENTS: Final = ("brian2==2.9.0", "nest-simulator==3.10.0", "numpy==2.2.6", "setuptools<81")
"""What is installed, with the versions that figures are of; Brian2 compiles by setuptools."""


def python() -> Path:
    """Return the Python of an environment with all simulators, and make it if there is none.

    Raises `BuildError` if they cannot be installed.
    """
    shapes = "\n".join((*REQUIREMENTS, sys.version, sys.prefix))
    digest = hashlib.sha256(shapes.encode()).hexdigest()[:16]
    return builds.built_once("peers", digest, _installed) / "bin" / "python"


def _installed(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    command = [
        str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet",
        "--disable-pip-version-check", *REQUIREMENTS,
    ]  # fmt: skip
    builds.run_tool("installation of other simulators", command, folder / "log")
