"""What a user installs: the wheel holds everything, and works away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from support.checkout import ROOT

# Run without the site module (-S), so that no editable install puts the checkout on the path.
PROBE = """
import json, sys
installed, dependencies = sys.argv[1:]
sys.path[:0] = [installed, dependencies]

from importlib.metadata import distribution
import spiketwin.host
from spiketwin.host import Network, connect
host_alone = sorted({"amaranth", "numba"} & sys.modules.keys())

from spiketwin.hdl.builds import build_root
entry_points = distribution("spiketwin").entry_points
for entry_point in entry_points:
    entry_point.load()
print(json.dumps({
    "file": spiketwin.host.__file__,
    "heavy modules of the host": host_alone,
    "scripts": [e.name for e in entry_points if e.group == "console_scripts"],
    "build root": str(build_root()),
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a newly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", folder], cwd=ROOT, check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def files(folder: Path, above: Path) -> set[Path]:
    """All files of a folder, but what Python has compiled, relative to one above it."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(above) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_file_of_the_checkout(installed: Path) -> None:
    for folder in ("hdl", "cosim", "host", "firmware"):
        built = files(installed / "spiketwin" / folder, installed)
        assert built == files(ROOT / folder, ROOT / folder)
        assert (installed / "spiketwin" / folder / "py.typed").is_file()
    assert not (installed / "spiketwin" / "__init__.py").exists()


def test_the_wheel_works_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", installed, sysconfig.get_path("purelib")],
        input=PROBE,
        cwd=tmp_path,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    report = json.loads(done.stdout)
    assert Path(report["file"]).is_relative_to(installed)
    assert report["heavy modules of the host"] == []
    assert report["scripts"] == ["spiketwin"]
    assert Path(report["build root"]).is_relative_to(tmp_path)
