"""The benchmark's command: what it shows of figures, and how it says how far it is."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from spiketwin.cosim.trials import bench, bench_figures
from spiketwin.cosim.trials.bench_figures import BenchResult, shown
from spiketwin.host.cli import main
from spiketwin.host.progress import Stages

GROUPS = {each.name: each.type for each in fields(BenchResult)}
CLASSES = {name: getattr(bench_figures, str(kind)) for name, kind in GROUPS.items()}
FIGURES = BenchResult(
    **{
        name: group(**{figure.name: 1234567.8 for figure in fields(group)})
        for name, group in CLASSES.items()
    }
)
FIGURES = replace(
    FIGURES, model=replace(FIGURES.model, ticks_per_second={"ncx": 0.98765, "full": 1.0})
)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(report: Stages) -> BenchResult:
        report("part 1 of 1: nothing")
        return FIGURES

    monkeypatch.setattr(bench, "measure", measure)


def test_every_figure_is_on_a_line_of_its_own_with_its_origin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(main, ["bench"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line.startswith("   ")]
    rows = [line.split() for line in lines if line.strip()]
    origins = [row[-2] for row in rows]
    assert len(rows) == 1 + sum(len(list(shown(group))) for group in CLASSES.values())
    assert set(origins) == {"computed", "simulated", "measured"}
    assert [row[-1] for row in rows].count("1,234,568") == len(rows) - 2
    assert "0.988" in result.output


def test_it_says_how_far_it_is_where_there_is_no_terminal() -> None:
    assert "part 1 of 1: nothing\n" in CliRunner().invoke(main, ["bench"]).output


def test_the_figures_are_written_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    result = CliRunner().invoke(main, ["bench", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert json.loads(file.read_text()) == FIGURES.as_json()
