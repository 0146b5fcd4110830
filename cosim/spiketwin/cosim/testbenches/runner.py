"""Build a top with Verilator for cocotb, once, and run one cocotb test on it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal
from unittest.mock import patch
from xml.etree import ElementTree

import cocotb_tools
from amaranth.back import verilog as backend
from cocotb_tools.runner import get_runner

from spiketwin.cosim.rtl import toolchain
from spiketwin.cosim.rtl.build import built
from spiketwin.cosim.testbenches.declare import PARAMS_VARIABLE
from spiketwin.hdl import builds
from spiketwin.hdl.gateware import emit
from spiketwin.hdl.gateware.top import CoreTop
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, CoreParams
from spiketwin.hdl.spec.protocol import MIN_CYCLES_PER_BIT

Top = Literal["CoreTop", "BytesTop", "PinsTop"]

BUILD: Final = "testbench"
"""What the devices under test report."""

_FLAGS: Final = (
    "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
)  # fmt: skip
_MAKE_FLAGS: Final = "OPT_FAST=-O1"
"""The quickest to build: these simulations are short."""

_LOG_LINES: Final = 40
_UNDONE: Final = ("failure", "error", "skipped")
"""Marks of a test that did not pass in the report."""


class BenchFailed(AssertionError):
    """A cocotb test failed or was not run; the message ends with what the simulator said."""


def simulator(top: Top, params: CoreParams) -> Path:
    """Give the folder of the simulator of a top, building it if nobody has yet.

    Parameters
    ----------
    top:
        What to simulate.
    params:
        Sizes of its core.

    Raises
    ------
    TargetError
        A tool is not installed or failed, or another process does not finish the same build.
    """
    digest = hashlib.sha256()
    key = [top, asdict(params), _FLAGS, _MAKE_FLAGS, toolchain.versions()]
    digest.update(json.dumps(key).encode())
    for source in builds.gateware_sources():
        digest.update(hashlib.sha256(source.read_bytes()).digest())

    def build(folder: Path) -> None:
        here = Path(cocotb_tools.__file__).parent
        if not builds.usable_by_tools(here):
            raise builds.BuildError(
                f"cocotb links simulators by its own path, {str(here)!r}, which tools cannot use: "
                "make an environment in a folder of letters, digits, '.', '-' and '_'"
            )
        environment = toolchain.environment()
        environment["MAKEFLAGS"] += f" {_MAKE_FLAGS}"
        with patch.dict(os.environ, environment):
            source = folder / "top.v"
            source.write_text(_verilog(top, params))
            log = folder / "build.log"
            try:
                get_runner("verilator").build(
                    sources=[source], hdl_toplevel=top, build_args=_FLAGS, build_dir=folder,
                    log_file=log,
                )  # fmt: skip
            except RuntimeError as error:
                raise builds.BuildError(f"{top} could not be built: the log is {log}") from error

    return built("cocotb", digest.hexdigest()[:16], build)


def run(
    folder: Path,
    top: Top,
    params: CoreParams,
    test: str,
    *,
    seed: int,
    results: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one cocotb test.

    Parameters
    ----------
    folder, top, params:
        The simulator, what it simulates and its sizes.
    test:
        Module and name of the test, ``module.name``.
    seed:
        Of everything the test chooses.
    results:
        Folder to write the log and the results to.
    environment:
        Variables for the test, beside the sizes and the seed.

    Raises
    ------
    BenchFailed
        The test failed, was not found, or the simulator ended early.
    """
    module, name = test.rsplit(".", 1)
    log, report = results / "simulation.log", results / "results.xml"
    try:
        get_runner("verilator").test(
            test_module=module, hdl_toplevel=top, hdl_toplevel_lang="verilog",
            build_dir=folder, test_dir=results, results_xml=str(report), log_file=log,
            test_filter=rf"\.{name}$", seed=seed,
            extra_env={PARAMS_VARIABLE: json.dumps(asdict(params)), **(environment or {})},
        )  # fmt: skip
    except (SystemExit, RuntimeError) as error:
        # The runner ends the whole process where pytest runs it; its log says why.
        raise BenchFailed(_said(name, seed, log)) from error
    cases = ElementTree.parse(report).findall(".//testcase")
    if len(cases) != 1 or any(case.find(tag) is not None for case in cases for tag in _UNDONE):
        raise BenchFailed(_said(name, seed, log))


def _verilog(top: Top, params: CoreParams) -> str:
    if top == "CoreTop":
        return backend.convert(CoreTop(params), name=top, emit_src=False)
    return emit.verilog(top, params, DEFAULT_CLOCK_HZ, BUILD, MIN_CYCLES_PER_BIT)


def _said(name: str, seed: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return "\n".join([f"{name}, seed {seed}; the whole log is {log}", *lines[-_LOG_LINES:]])
