"""The checkout under test, and copies of parts of it."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_CATALOGUE = "host/spiketwin/host/cli/commands.toml"


def copy_script(folder: Path) -> Path:
    """Copy the script `run` and the catalogue that it reads to a folder; return its path."""
    for name in ("run", _CATALOGUE):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path)
    return folder / "run"
