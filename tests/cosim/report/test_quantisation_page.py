"""The page of a quantisation: every number of the report is on it, readable, and harmless."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graphs import cuba, events, recurrent

from spiketwin.cosim.report import quantisation as page
from spiketwin.cosim.report.rendering import Head
from spiketwin.host import nir
from spiketwin.host.quantisation import measure
from spiketwin.host.quantisation.measure import Measured
from spiketwin.host.quantisation.report import QuantisationReport

DT = 1e-3
Case = tuple[QuantisationReport, Measured]


class Text(HTMLParser):
    """The text of a page, and the names of its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def __contains__(self, words: str) -> bool:
        return words in " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def case() -> Case:
    net, report = nir.load(recurrent(1, cuba, 20.0, b=0.3), DT, weight_width=8, v_width=16)
    return report, measure(net, report, [events(12, 100, 0.05, 1)], 100)


def saved(folder: Path, case: Case, **changes: Any) -> str:
    path = folder / "page.html"
    page.save(path, replace(Head("braille", "nir.load(…)"), **changes), *case)
    return path.read_text()


def test_the_page_says_what_the_report_and_the_measurement_say(tmp_path: Path, case: Case) -> None:
    report, measured = case
    text = Text(saved(tmp_path, case))
    assert f"{100 * measured.closed:.4g} % of the spikes are those of double precision" in text
    assert measured.open is not None
    assert f"{100 * measured.open:.4g} % in open loop" in text
    for layer in report.layers:
        assert layer.name in text
        assert f"off by {100 * layer.weight_rms:.4g} % rms" in text
    for choice in report.choices:
        assert f"{choice.value} (or" in text
    best = measured.gains[0]
    assert f"Another bit of {best.size} would gain most" in text
    assert "How to make it again nir.load(…)" in text


def test_the_tables_have_the_numbers(case: Case) -> None:
    report, measured = case
    figures = {figure.name: figure for figure in page.figures_of(report, measured)}
    assert list(figures) == ["spikes", "gains", "weights", "decays"]
    (spikes,) = figures["spikes"].tables
    assert [row[0] for row in spikes.rows] == ["hidden", "out_layer"]
    for row, layer in zip(spikes.rows, measured.layers, strict=True):
        assert layer.closed is not None and layer.open is not None
        assert row[1:5] == (layer.meant, layer.held, 100 * layer.closed, 100 * layer.open)
    (weights,) = figures["weights"].tables
    for name, meant, held, off in weights.rows:
        layer_held = report[str(name)]
        (place,) = np.flatnonzero(layer_held.meant_weights == meant)[:1]
        assert held == layer_held.held_weights[place]
        assert off == float(str(held)) - float(str(meant))
    (decays,) = figures["decays"].tables
    assert len(decays.rows) == sum(len(layer.decays) for layer in report.layers)
    (gains,) = figures["gains"].tables
    assert [row[0] for row in gains.rows] == [
        "as it is", *(f"{gain.size} {gain.bits}" for gain in measured.gains)
    ]  # fmt: skip


def test_bars_are_as_long_as_the_shares(tmp_path: Path, case: Case) -> None:
    html = saved(tmp_path, case)
    section = html[html.index('<section id="spikes"') : html.index('<section id="gains"')]
    drawn = section[section.index('aria-labelledby="spikes-title') :]
    widths = [float(each) for each in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn)]
    _, measured = case
    shares = [s for layer in measured.layers for s in (layer.closed, layer.open) if s is not None]
    whole = 860.0 - 2 * 16.0
    firsts = [width for width in widths if width > whole / 2]
    assert firsts == pytest.approx([whole * share for share in shares], abs=0.2)


def test_a_page_without_a_measurement_says_what_is_rounded(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "page.html"
    page.save(path, Head("x", "y"), replace(case[0], description=None))
    text = Text(path.read_text())
    assert "ROUNDED" in text
    assert "Spikes as they are meant" not in text


def test_names_are_text_whatever_they_are(tmp_path: Path) -> None:
    graph = recurrent(1)
    name = "<script>alert(1)</script>"
    graph.nodes[name] = graph.nodes.pop("hidden")
    graph.edges = [tuple(name if end == "hidden" else end for end in edge) for edge in graph.edges]
    net, report = nir.load(graph, DT)
    found = measure(net, report, [events(12, 20, 0.1, 1)], 20, gains=False)
    html = saved(tmp_path, (report, found), title="<b>&")
    text = Text(html)
    assert "script" not in text.tags
    assert "b" not in text.tags
    assert name in text
    assert not re.search(r'(src|href)="(?!#|data:)', html)
