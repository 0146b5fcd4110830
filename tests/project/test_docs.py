"""The documentation: nothing stale, no dead link, and what it shows works."""

import doctest
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support.checkout import ROOT
from support.rungs import bulk_but

from spiketwin.cosim.trials.bench_figures import BenchResult
from spiketwin.hdl.spec import arithmetic
from spiketwin.hdl.spec.params import CoreParams, ParamsError
from spiketwin.hdl.spec.variables import Space
from spiketwin.host import Network
from spiketwin.host.cli import catalogue, group, main
from spiketwin.host.files import load, save

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:hdl|cosim|host|firmware|tests|docs|examples)/[\w./-]*)`")
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script that fills the tables."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- generated tables ---------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_a_page_says_what_the_specification_says(page: Path, generate: ModuleType) -> None:
    text = page.read_text()
    assert generate.refreshed(text) == text, "run: python docs/generate.py"


def test_every_table_is_on_a_page_that_is_generated(generate: ModuleType) -> None:
    pages = [ROOT / page for page in generate.PAGES]
    named = [name for page in pages for _, name, _ in generate._BLOCK.findall(page.read_text())]
    assert sorted(named) == sorted(generate.BLOCKS)
    marks = [page for page in PAGES if "<!-- generated:" in page.read_text()]
    assert sorted(marks) == sorted(pages)


def test_a_stale_table_is_seen(generate: ModuleType) -> None:
    page = (ROOT / "docs/protocol.md").read_text()
    assert "`SET_BAUD`" in page
    assert generate.refreshed(page.replace("`SET_BAUD`", "`SET_RATE`")) == page


@pytest.mark.bulk
def test_a_parameter_that_is_added_changes_one_page(tmp_path: Path) -> None:
    """In a copy of the sources a neuron has one more, by the recipe of CONTRIBUTING.md."""
    copies = [shutil.copytree(ROOT / name, tmp_path / name) for name in ("hdl", "host")]
    number = next(n for n in count() if n not in list(Space))
    declared = '    _parameter("gizmo", 4, "Gizmos.", per=Per.NEURON, since=99),\n'
    attribute = "    gizmo: NDArray[np.integer[Any]] = _filled_with(0)\n"
    for file, place, added in (
        ("hdl/spiketwin/hdl/spec/variables.py", "\n\nclass ClearMask(", f"    GIZMO = {number}\n"),
        ("hdl/spiketwin/hdl/spec/variables.py", '    _state(\n        "i_syn",', declared),
        ("host/spiketwin/host/network.py", "    v_tau: float | Reals", attribute),
    ):
        text = (tmp_path / file).read_text()
        assert text.count(place) == 1
        (tmp_path / file).write_text(text.replace(place, added + place))
    program = (
        "import generate\n"
        "for page in generate.PAGES:\n"
        "    text = (generate.ROOT / page).read_text()\n"
        "    if generate.refreshed(text) != text: print(page)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, copies))}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "docs", env=environment, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert ended.stdout.split() == ["docs/parameters.md"]


def test_no_two_sizes_of_the_probe_are_taken_for_each_other(generate: ModuleType) -> None:
    assert len(generate._SHAPES) == 5


def test_the_widths_on_the_page_are_those_that_are_legal() -> None:
    roomy = CoreParams(n_axons=8, n_neurons=32, weight_width=4, n_projections=2, weight_depth=64)
    lines = re.findall(
        r"^\| (`\w+_width`.*?) \|.*?(\d+) to (\d+) bits",
        (ROOT / "docs/sizes.md").read_text(),
        re.MULTILINE,
    )
    found = {name: (int(a), int(b)) for names, a, b in lines for name in names.split(", ")}
    assert found.keys() == {f"`{f.name}`" for f in fields(CoreParams) if "_width" in f.name}
    for name, (least, most) in found.items():

        def built(width: int, name: str = name.strip("`")) -> CoreParams:
            sizes: dict[str, Any] = {name: width}
            return replace(roomy, **sizes)

        built(least), built(most)
        for width in (least - 1, most + 1):
            with pytest.raises(ParamsError, match=name.strip("`")):
                built(width)


# --- links --------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https"
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            dead.append(link)
    assert not dead


def test_links_and_files_are_seen() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert len(LINK.findall(CODE.sub("", text))) > 50
    assert len(FILE.findall(text)) > 20


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_files_named_on_a_page_exist(page: Path) -> None:
    named = FILE.findall(page.read_text())
    assert not [name for name in named if not (ROOT / name).exists()]


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        "docs/tick.md",
        "docs/protocol.md",
        "docs/python.md",
        "docs/projections.md",
        "docs/targets.md",
        "docs/digits.md",
        "docs/compare.md",
        "docs/nir.md",
        "docs/ledger.md",
        "docs/events.md",
        "docs/superneuromat.md",
        "docs/design.md",
        "docs/speed.md",
        "docs/pynn.md",
    ],
)
def test_examples_give_what_they_show(page: str) -> None:
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False)
    assert tried > 0
    assert failed == 0


@pytest.fixture(scope="module")
def code() -> SimpleNamespace:
    """The functions of docs/tick.md, which has them for those who write an oracle of their own."""
    blocks = re.findall(
        r"^<!-- code: \w+ -->\n\n```python\n(.*?)^```$",
        (ROOT / "docs/tick.md").read_text(),
        re.S | re.M,
    )
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    exec(compile("\n".join(blocks), "docs/tick.md", "exec"), names)
    return SimpleNamespace(**names)


WORD = st.integers(0, (1 << 32) - 1)


@given(
    seed=WORD,
    tick=WORD,
    post=st.booleans(),
    spiked=st.integers(0, 4095),
    other=st.integers(0, 4095),
)
def test_the_noise_on_the_page_is_that_of_the_specification(
    code: SimpleNamespace, seed: int, tick: int, post: bool, spiked: int, other: int
) -> None:
    which = arithmetic.PASS_POST if post else arithmetic.PASS_PRE
    key = arithmetic.noise_key(seed, tick, which)
    assert code.noise(seed, tick, post, spiked, other) == arithmetic.noise(key, spiked, other)


@given(
    row=st.integers(0, (1 << 14) - 1), column=st.integers(0, 4095),
    words=st.lists(WORD, min_size=1, max_size=4), rounds=st.integers(1, 3),
)  # fmt: skip
def test_the_code_of_a_digest_on_the_page_is_that_of_the_specification(
    code: SimpleNamespace, row: int, column: int, words: list[int], rounds: int
) -> None:
    assert code.code(row, column, words, rounds) == arithmetic.digest_code(
        row, column, words, rounds
    )


def snippet() -> str:
    """All code of the README, one piece after the other."""
    codes = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    return "\n".join(codes)


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(snippet(), "README.md", "exec"), names)
    run, weights = names["run"], names["weights"]
    assert run.spikes.shape[1] == 2
    assert len(run.spikes) > 0
    assert run.cycles.shape == (100,)
    assert isinstance(weights, np.ndarray)
    assert weights.shape == (64 + 128, 128)
    net, stimulus = load("net.npz")
    assert (net.n_axons, net.n_neurons) == (64, 128)
    assert stimulus is not None
    assert stimulus.ticks == 100


@pytest.mark.parametrize("scheme", ["model", "rtl"])
def test_another_program_opens_a_target_as_the_page_says(scheme: str, tmp_path: Path) -> None:
    (program,) = re.findall(
        r"^(>>> import serial\n.*?)^```$", (ROOT / "docs/python.md").read_text(), re.S | re.M
    )
    assert "import spiketwin" not in program
    (tmp_path / "page.txt").write_text(program.replace("model://", f"{scheme}://"))
    tried = "import doctest; print(doctest.testfile('page.txt', module_relative=False))"
    ended = subprocess.run(
        [sys.executable, "-c", tried],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert ended.stdout.strip() == "TestResults(failed=0, attempted=3)"


STEP = re.compile(
    r"Save this as\s+`(?P<file>[\w.]+)`:\n\n```python\n(?P<text>.*?)^```$"
    r"|^```sh\n(?P<calls>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
STATUS = re.compile(r"# exits with status (\d)")


def follow(page: Path) -> int:
    """Do what a page tells to do, from its top to its end; gives the number of calls."""
    Path("examples").symlink_to(ROOT / "examples")
    calls = 0
    for step in STEP.finditer(page.read_text()):
        if step["file"]:
            Path(step["file"]).write_text(step["text"])
            continue
        for line in step["calls"].splitlines():
            program, *arguments = shlex.split(line, comments=True)
            wanted = int(match[1]) if (match := STATUS.search(line)) else 0
            if program == "./run":
                done = CliRunner().invoke(main, arguments)
                status, said = done.exit_code, done.output
            else:
                assert program == ".venv/bin/python"
                ended = subprocess.run(
                    [sys.executable, *arguments], capture_output=True, text=True, timeout=600
                )
                status, said = ended.returncode, ended.stdout + ended.stderr
            assert status == wanted, f"{line}\n{said}"
            calls += 1
    return calls


@pytest.mark.early
@pytest.mark.parametrize(
    ("page", "calls"),
    bulk_but(
        [("import", 5)],
        [("testbenches", 11), ("design", 5), ("latency", 4), ("import", 5)],
    ),
)
def test_a_tutorial_can_be_followed(
    page: str, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert follow(ROOT / f"docs/{page}.md") == calls


def test_the_design_page_shows_the_examples() -> None:
    shown = (ROOT / "docs/design.md").read_text()
    for name, language in (("beside.v", "verilog"), ("beside.py", "python")):
        block = re.findall(rf"^```{language}\n(.*?)^```$", shown, re.DOTALL | re.MULTILINE)[0]
        assert block in (ROOT / "examples" / name).read_text()


def documented_paths(command: str) -> set[str]:
    """All paths of keys in the table of a command in docs/python.md, and those of ledgers."""
    text = (ROOT / "docs/python.md").read_text()
    (table,) = re.findall(rf"^### `spiketwin {command}`\n\n(.*?)\n\n", text, re.M | re.S)
    found = first_column(table)
    of_ledger = (ROOT / "docs/ledger.md").read_text().partition("generated: json-ledger")[2]
    for path in re.findall(r"^\| `([^`]+)` \| .*ledger\.md#as-figures", table, re.MULTILINE):
        inner = first_column(of_ledger.partition("<!-- end -->")[0])
        found |= {f"{path}.{each}" for each in inner}
    return found


def first_column(table: str) -> set[str]:
    """All that is code in the first column of a table."""
    cells = re.findall(r"^\| (`[^|]*?) \|", table, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def written_paths(value: Any, path: str, known: set[str]) -> Iterator[str]:
    """Give the paths of all keys in JSON, ``.*`` for a name where the documentation has that."""
    if isinstance(value, list):
        for each in value:
            yield from written_paths(each, f"{path}[]", known)
    elif isinstance(value, dict):
        by_name = any(each.startswith(f"{path}.*") for each in known)
        leaf = path in known and not any(each.startswith(f"{path}.") for each in known)
        for name, each in value.items():
            if by_name:
                yield from written_paths(each, f"{path}.*", known)
            elif leaf:
                yield f"{path}: {name}"
            else:
                inner = f"{path}.{name}".lstrip(".")
                yield inner
                yield from written_paths(each, inner, known)


def check_documented(written: dict[str, Any], command: str) -> None:
    """Hold what a command wrote against the documentation of its keys, in both directions."""
    known = documented_paths(command)
    pages = [(ROOT / f"docs/{name}.md").read_text() for name in ("python", "ledger", "explore")]
    code = {word for page in pages for word in re.findall(r"`(\w+)`", page)}
    found = set(written_paths(written, "", known))
    by_name = {each for each in found if ": " in each}
    assert found - by_name <= known
    for name in (each.partition(": ")[2] for each in by_name):
        assert ":" in name or name in code or name in CoreParams.__dataclass_fields__, name
    # Nothing is documented of what was written that is not there.
    parents = {each.rpartition(".")[0] for each in found - by_name}
    assert {each for each in known if each.rpartition(".")[0] in parents} == found - by_name


LATENCY = ["--params", "tiny", "--ticks", "5", "--baud", "3M"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        pytest.param(
            "demo",
            ["--images", "3", "--on=model:", "--on=rtl:", "--part-on=rtl:", "--part=1"],
            marks=pytest.mark.bulk,
        ),
        ("run", ["net.npz", "--on", "model:", "--ticks", "5"]),
        ("compare", ["net.npz", "--on", "model:", "--on", "float:", "--ticks", "5"]),
        ("sweep", ["net.npz", "--on", "model:", "--ticks", "5", "--tick-period", "64"]),
        ("latency", ["net.npz", "--on", "model:", "--on", "rtl:?level=pins", *LATENCY]),
        ("explore", ["--preset", "fi-curve", "--vary", "lanes=4,3", "--objective", "tick_cycles"]),
        ("convert", ["events.csv", "events.npy", "--dt", "1"]),
        ("selftest", ["--on", "model:", "--params", "tiny"]),
        ("verify", ["--on", "model:", "--only", "paired", "--updates", "1"]),
        ("doctor", []),
        ("fuzz", ["--inputs", "80"]),
    ],
)
def test_the_keys_of_figures_are_documented(
    command: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save("net.npz", Network(n_axons=4, n_neurons=8, threshold=np.zeros(8, np.int64)))
    Path("events.csv").write_text("t,unit\n1,2\n")
    result = CliRunner().invoke(main, [*command.split(), *arguments, "--json", "figures.json"])
    assert result.exit_code in (0, 1), result.output  # 1: the machine lacks something
    check_documented(json.loads(Path("figures.json").read_text()), command)


def test_the_keys_of_the_benchmark_are_documented() -> None:
    groups = get_type_hints(BenchResult)
    names = {f"{group}.{each}" for group in BenchResult.names() for each in groups[group].names()}
    assert documented_paths("bench") == {*BenchResult.names(), *names}


def calls() -> list[str]:
    """Calls of commands in the README: ``./run COMMAND …``."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.split()[1] in group.find_commands()]


def parse(arguments: list[str]) -> None:
    """Parse a call of a command, without carrying it out."""
    name, *rest = arguments
    with click.Context(main) as context:
        command = main.get_command(context, name)
        assert command is not None, name
        command.make_context(name, rest, resilient_parsing=False)


@pytest.mark.parametrize("line", calls())
def test_the_readmes_calls_are_understood(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.npz").touch()
    parse(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize(
    "example", [e.example for section in catalogue.SECTIONS.values() for e in section]
)
def test_the_examples_of_the_help_are_understood(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.npz", "network.json", "recording.aedat4"):
        Path(name).touch()
    program, *arguments = shlex.split(example)
    assert program == "spiketwin"
    parse(arguments)


def test_each_claim_is_one_of_the_readme_and_is_held_by_tests_that_are_there() -> None:
    readme = (ROOT / "README.md").read_text()
    for claim in tomllib.loads((ROOT / "docs/claims.toml").read_text())["claim"]:
        assert claim["words"] in readme
        for kind, path, _ in claim["held_by"]:
            assert (ROOT / path).exists(), path
            assert (kind == "proof") == path.startswith("tests/formal/"), path
