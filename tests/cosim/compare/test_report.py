"""The report of a comparison, opened in a real browser without a network; its JSON; its trace."""

import base64
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner, Result
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from support.rungs import bulk_but

from spiketwin.cosim.compare import comparison
from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.comparison import Comparison, Findings
from spiketwin.cosim.compare.equality import Behaviour
from spiketwin.cosim.compare.subject import Playback, Subject
from spiketwin.cosim.report import page as report
from spiketwin.cosim.report import raster, rendering
from spiketwin.cosim.report import trace as trace_file
from spiketwin.cosim.report.rendering import shown as as_text
from spiketwin.hdl.spec import schedule
from spiketwin.hdl.spec.params import preset
from spiketwin.host import Network, Run
from spiketwin.host.cli import main
from spiketwin.host.files import save
from spiketwin.host.ledger import ORIGINS, Ledger
from spiketwin.host.timeline import Line

TICKS = 50
HOSTILE = '<b onclick="alert(1)">&amp;</b><script>alert(1)</script>'
ODD_NEURON = 5
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


class OddSubject(Subject):
    """A target in which one neuron fires sooner than it should, which is seen once it does."""

    def begin(self, case: Case, digests: bool = False) -> Playback:
        playback = super().begin(case, digests)
        threshold = self.core.read_parameters()["threshold"]
        threshold[ODD_NEURON] //= 2
        self.core.write_parameters(threshold=threshold)
        return playback


def case_at_tiny() -> Case:
    """A learning network in which neurons fire."""
    network = Network.random(8, 8, seed=5)
    network.trace_pre_bump = network.trace_post_bump = 40_000  # every spike alters weights
    spikes = np.argwhere(np.random.default_rng(3).random((TICKS, 8)) < 0.3)
    return Case.of(network, preset("tiny"), spikes, TICKS)


@pytest.fixture(scope="module")
def differing() -> Comparison:
    """Two targets alike, one with an ugly name that differs, and the ideal network."""
    urls = {"model:": "model:", HOSTILE: "model:", "model: (2)": "model:"}
    case = case_at_tiny()
    with comparison.subjects(urls, None, case.params, 115200) as subjects:
        first, odd, last = subjects
        devices = [first, OddSubject(odd.name, odd.url, odd.core), last]
        found = comparison.compare(case, devices, True, 1, lambda *_: None)
    found.devices["model: (2)"] = behind_a_line(found.devices["model: (2)"])
    return found


def behind_a_line(played: Findings) -> Findings:
    """The same as if there had been a line that is so fast that it fits into the times taken."""
    run = played.behaviour.run
    line = Line(2e-8, 1e-4, clock_hz=played.identity.clock_hz, simulated=False)
    accounts = tuple(replace(account, line=line) for account in run.accounts)
    return replace(played, behaviour=replace(played.behaviour, run=replace(run, accounts=accounts)))


def saved(found: Comparison, path: Path) -> Path:
    heading = report.Heading(HOSTILE, f"spiketwin compare '{HOSTILE}'", 1)
    report.save(path, heading, found, report.figures_of(found))
    return path


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    case = case_at_tiny()
    save(path, case.network, case.spikes, case.ticks)
    return path


def spiketwin(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


# --- the page in a browser ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, f"no browser: install one of {', '.join(names)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, differing: Comparison) -> dict[str, Path]:
    """Reports of targets that differ, of some that are equal, and of a curve."""
    folder = tmp_path_factory.mktemp("reports")
    case, net = case_at_tiny(), folder / "net.npz"
    save(net, case.network, case.spikes, case.ticks)
    equal, curve = folder / "equal.html", folder / "curve.html"
    done = spiketwin(net, "--on", "model:", "--on", "model:", "--report", equal)
    assert done.exit_code == 0, done.output
    done = spiketwin("--preset", "fi-curve", "--on", "model:", "--on", "float:", "--report", curve)
    assert done.exit_code == 0, done.output
    different = saved(differing, folder / "different.html")
    return {"different": different, "equal": equal, "curve": curve}


Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Open a report, offline; whatever it asks for or complains of fails the test."""
    told: list[str] = []
    contexts = []

    def open_one(name: str, **settings: Any) -> Page:
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        url = pages[name].as_uri()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.on("request", lambda request: told.append(request.url) if request.url != url else None)
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert told == []


ALL = ("different", "equal", "curve")
SCHEMES = ("light", "dark")


@pytest.mark.parametrize("name", ALL)
def test_the_page_says_what_was_found_and_shows_all_figures(opened: Open, name: str) -> None:
    page = opened(name)
    verdict = {"different": "DIFFERENT", "equal": "EQUAL", "curve": "ONE TARGET"}[name]
    assert verdict in page.get_by_role("region", name=verdict).inner_text()
    assert page.title().startswith(verdict)
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    drawings = page.locator("svg[role=img]")
    assert drawings.count() >= 4
    for index in range(drawings.count()):
        drawing = drawings.nth(index)
        title = drawing.locator("title").text_content()
        found = page.get_by_role("img", name=str(title))
        assert title and found.count() >= 1
        assert len(drawing.locator("desc").text_content() or "") > 40
        box = drawing.bounding_box()
        assert box and box["width"] > 600 and box["height"] > 150
    expected = {
        "different": ["Targets", "Where targets part", "Spikes of all targets", "Spikes around",
                      "Latency of a spike", "Where the time went", "Weights before and after",
                      "Weights on", "Rate of each neuron over its mean input", "Drift from float:",
                      "What keeps a core from float:"],
        "equal": ["Targets", "Spikes of all targets", "Latency", "Where the time went",
                  "Weights before and after", "Rate of each neuron over its mean input"],
        "curve": ["Targets", "Spikes of all targets", "Latency", "Where the time went",
                  "Weights before and after", "f–I curve", "Drift from float:",
                  "What keeps a core from float:"],
    }[name]  # fmt: skip
    assert all(any(heading.startswith(each) for heading in headings) for each in expected)


def test_what_is_shown_is_what_was_given_even_if_it_is_hostile(
    opened: Open, differing: Comparison
) -> None:
    page = opened("different")
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert page.locator("script, b, [onclick]").count() == 0
    table = page.locator("table.targets")
    assert table.locator("thead th").all_inner_texts() == [*differing.devices, "float:"]
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in table.locator("tbody tr").all()
    }
    spikes = [len(one.behaviour.run.spikes) for one in differing.devices.values()]
    assert differing.ideal is not None
    assert rows["spikes"] == [f"{count:,}" for count in [*spikes, len(differing.ideal.spikes)]]
    assert rows["equal to"] == ["model: (2)", "–", "model:", "–"]


@pytest.mark.parametrize("scheme", bulk_but(["light"], SCHEMES))
@pytest.mark.parametrize("name", ALL)
def test_the_page_is_accessible(opened: Open, name: str, scheme: str) -> None:
    page = opened(name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    # axe-core is put in as a script of the test's, which the page itself forbids.
    found = Axe().run(page)
    assert not found.response["violations"], found.generate_report()


CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = colour => rgb(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    while (element && rgb(getComputedStyle(element).backgroundColor)[3] === 0)
      element = element.parentElement;
    return getComputedStyle(element).backgroundColor;
  };
  const ratio = (element, colour) => {
    const [a, b] = [light(colour), light(behind(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const text = [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => !['title', 'desc'].includes(e.tagName));
  const lines = [...document.querySelectorAll('svg .marks, svg .point, svg .line, svg .axis')];
  const style = e => getComputedStyle(e);
  return {
    text: text.map(e => [ratio(e, e.closest('svg') ? style(e).fill : style(e).color), e.outerHTML]),
    lines: lines.map(e => [ratio(e, style(e).stroke), e.outerHTML.slice(0, 80)]),
  };
}
"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everything_stands_out_from_what_is_behind_it(opened: Open, scheme: str) -> None:
    found = opened("different", color_scheme=scheme).evaluate(CONTRAST)
    assert len(found["text"]) > 100 and len(found["lines"]) > 50
    assert [each for each in found["text"] if each[0] < 4.5] == []
    assert [each for each in found["lines"] if each[0] < 3.0] == []


def test_dark_is_dark_and_light_is_light(opened: Open) -> None:
    shots = [opened("equal", color_scheme=scheme).screenshot() for scheme in SCHEMES]
    light, dark = (np.array(Image.open(io.BytesIO(shot)).convert("L")) for shot in shots)
    assert light.mean() > 200
    assert dark.mean() < 60


def test_it_works_without_a_mouse(opened: Open) -> None:
    page = opened("different")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"
    reached = []
    for _ in range(page.locator("a, summary, [tabindex='0']").count() - 1):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        reached.append(page.evaluate("document.activeElement.tagName"))
        if reached[-1] == "SUMMARY":
            break
    assert reached[0] == "A" and reached[-1] == "SUMMARY" and "DIV" in reached
    table = page.locator("details table").first
    assert not table.is_visible()
    page.keyboard.press("Space")
    assert table.is_visible()


def test_every_address_in_the_page_is_of_something_there(opened: Open) -> None:
    page = opened("different")
    for link in page.locator("a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("width", bulk_but([320], [320, 360, 800]))
@pytest.mark.parametrize("name", ALL)
def test_nothing_runs_out_of_a_narrow_window(opened: Open, name: str, width: int) -> None:
    page = opened(name, viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints_dark_on_white_whatever_the_screen_is(opened: Open) -> None:
    page = opened("different", color_scheme="dark")
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
    assert 2 <= len(pages) <= 12
    page.emulate_media(media="print")
    style = page.evaluate(
        "(s => [s.getPropertyValue('--page'), s.getPropertyValue('--ink')])"
        "(getComputedStyle(document.documentElement))"
    )
    assert style == ["#ffffff", "#1a1d21"]
    assert not page.locator("nav").is_visible()
    widths = page.evaluate(
        "[...document.querySelectorAll('svg[role=img]')].map(e => e.getBoundingClientRect().right)"
    )
    assert page.viewport_size
    assert 0 < max(widths) <= page.viewport_size["width"]


# --- what is drawn -----------------------------------------------------------------------------


def drawn(page: Page, figure: str, css: str) -> int:
    """Marks of a kind in a figure: each begins with a move to its place."""
    paths = page.locator(f"#{figure} figure svg[role=img] path.{css}")
    return sum(len(re.findall("M", str(each.get_attribute("d")))) for each in paths.all())


def test_spikes_that_not_all_targets_have_are_marked_by_a_shape(
    opened: Open, differing: Comparison
) -> None:
    page = opened("different")
    sets = {
        name: set(map(tuple, spikes.tolist()))
        for name, spikes in raster.spikes_of(differing).items()
    }
    shared = set.intersection(*sets.values())
    assert drawn(page, "spikes", "point") == len(shared) > 0
    groups = {frozenset(each) for each in sets.values()}
    own = [len(each - shared) for each in groups]
    assert sum(own) > 0
    paths = page.locator("#spikes figure svg[role=img] path.marks")
    counts = []
    forms = set()
    for each in paths.all():
        marks = str(each.get_attribute("d")).split("M")[1:]
        counts.append(len(marks))
        forms |= {re.sub(r"^[\d. ]+", "", mark) for mark in marks}
    assert sorted(counts) == sorted(filter(None, own))
    assert len(forms) == len(counts)  # a shape each
    legend = page.locator("#spikes .keys li").all_inner_texts()
    assert len(legend) == 1 + len(counts)


def pixels(page: Page, figure: str) -> list[np.ndarray[Any, Any]]:
    """The pictures in a figure, shape (rows, columns, 4)."""
    images = page.locator(f"#{figure} image").all()
    uris = [str(each.get_attribute("href")).partition("base64,")[2] for each in images]
    return [np.array(Image.open(io.BytesIO(base64.b64decode(uri)))) for uri in uris]


def test_maps_of_weights_show_every_weight_and_every_change(
    opened: Open, differing: Comparison
) -> None:
    page = opened("different")
    before = differing.case.network.weights
    after = differing.devices["model:"].behaviour.held["weight"]
    odd = differing.devices[HOSTILE].behaviour.held["weight"]
    for figure, maps in {
        "weights": (before, after, after - before),
        "weights-2": (after, odd, odd - after),
    }.items():
        for picture, values in zip(pixels(page, figure), maps, strict=True):
            blue, alpha = picture[::-1, :, 2] > picture[::-1, :, 0], picture[::-1, :, 3]
            assert alpha.shape == values.shape and values.any()
            assert np.array_equal(alpha > 0, values != 0)
            assert np.array_equal(blue[values != 0], (values > 0)[values != 0])
    assert drawn(page, "weights-2", "ring") == np.count_nonzero(odd - after)


def test_numbers_below_a_drawing_are_those_of_the_run(opened: Open, differing: Comparison) -> None:
    page = opened("different")
    page.locator("#latency summary").click()
    rows = page.locator("#latency table").nth(1).locator("tbody tr").all()
    counted = 0
    cycles = np.sort(differing.devices["model:"].behaviour.run.spike_cycles)
    for row in rows:
        first = int(row.locator("th").inner_text().replace(",", ""))
        last, count = (
            int(text.replace(",", "")) for text in row.locator("td").all_inner_texts()[:2]
        )
        counted += count
        assert count == np.searchsorted(cycles, last, "right") - np.searchsorted(cycles, first)
    assert counted == len(cycles) > 0


def test_bars_are_as_long_as_the_parts_of_the_ledger(opened: Open, differing: Comparison) -> None:
    page = opened("different")
    page.locator("#ledger summary").click()
    names = [
        name.strip().split(" (")[0] for name in page.locator("#ledger .keys li").all_inner_texts()
    ]
    assert [name.replace(" ", "_") for name in names if name != "remainder"] == [
        name
        for name in ORIGINS
        if any(each.behaviour.run.ledger.seconds(name) for each in differing.devices.values())
        or any(each.behaviour.run.ledger.spikes[name].any() for each in differing.devices.values())
    ]
    bars: dict[str, dict[str, float]] = {}
    for bar in page.locator("#ledger rect.bar").all():
        if bar.get_attribute("y") is None or float(str(bar.get_attribute("y"))) < 1:
            continue  # a key
        style = str(bar.get_attribute("class"))
        place = bars.setdefault(str(bar.get_attribute("y")), {})
        place[style] = float(str(bar.get_attribute("width")))
    shown = list(differing.devices.values())
    assert len(bars) >= len(shown)
    for widths, played in zip(bars.values(), shown, strict=False):
        whole, ledger = sum(widths.values()), played.behaviour.run.ledger
        # The remainder is next to nothing, unless the machine did something else meanwhile.
        seconds = [*(ledger.seconds(name) for name in ORIGINS), ledger.remainder]
        expected = sorted(each / sum(seconds) for each in seconds)[::-1]
        found = sorted(each / whole for each in widths.values())[::-1]
        assert np.allclose(found, expected[: len(found)], atol=0.002)
    cells = page.locator("#ledger tbody tr").last.locator("td").all_inner_texts()
    assert cells[: len(shown)] == [
        as_text(1000 * each.behaviour.run.ledger.wall_seconds) for each in shown
    ]


def test_drift_is_drawn_over_time_and_listed(opened: Open, differing: Comparison) -> None:
    page = opened("different")
    near = differing.devices["model:"].nearness
    assert near is not None and near.open_loop is not None
    drift = near.open_loop.drift
    lines = page.locator("#drift figure svg[role=img] path.line").all()
    for values, line in zip((drift.v_rms, drift.weights_rms), lines, strict=True):
        places = str(line.get_attribute("d"))[1:].split()
        heights = np.array(places[1::2], float)
        assert len(heights) == len(drift.after) == 17
        fit = np.polyfit(values, heights, 1)  # upwards is less
        assert fit[0] < 0 and np.abs(np.polyval(fit, values) - heights).max() < 0.2
    page.locator("#drift summary").click()
    rows = page.locator("#drift tbody tr").all()
    assert [row.locator("th").inner_text() for row in rows] == list(map(str, drift.after))
    cells = rows[-1].locator("td").all_inner_texts()
    assert cells == [
        as_text(float(each[-1]))
        for each in (drift.v_rms, drift.v_largest, drift.weights_rms, drift.weights_largest)
    ]


def test_bars_say_what_limits_the_accuracy(opened: Open, differing: Comparison) -> None:
    page, limits = opened("different"), differing.limits
    assert limits is not None
    matches = [limits.all_kept, *limits.lifted.values()]
    off = [m.ideal - m.same_tick + m.extra for m in matches]
    lengths: dict[str, float] = {}
    for bar in page.locator("#limits figure svg[role=img] rect.bar").all():
        place = str(bar.get_attribute("y"))
        lengths[place] = lengths.get(place, 0.0) + float(str(bar.get_attribute("width")))
    drawn = np.array(list(lengths.values()))
    assert np.allclose(drawn / drawn[0], np.array(off) / off[0], atol=0.002)
    page.locator("#limits summary").click()
    rows = page.locator("#limits tbody th").all_inner_texts()
    assert rows == ["none lifted", *(f"{name} lifted" for name in limits.lifted)]
    assert f"Lifting {limits.worst} gains most" in page.locator("#limits figcaption").inner_text()
    assert "nothing to lift of weights, neuron" in page.locator("#limits").inner_text()


def with_many_spikes(found: Comparison, ticks: int) -> Comparison:
    """The same with runs so long that every neuron firing in each second tick is a million."""
    n = found.case.network.n_neurons
    spikes = np.stack(np.divmod(np.arange(ticks * n), n), axis=1)[::2]
    run = Run(
        spikes, np.full(len(spikes), 40), np.full(ticks, 60), np.full(ticks, 20),
        np.zeros(ticks, np.bool_),
    )  # fmt: skip
    vars(run)["ledger"] = Ledger.of(())  # nobody has taken the time of what was never run
    devices = {
        name: replace(one, behaviour=Behaviour(run, one.behaviour.held))
        for name, one in found.devices.items()
    }
    return replace(
        found, case=replace(found.case, ticks=ticks), devices=devices, ideal=None, differences=[]
    )


def test_a_million_spikes_make_no_large_page(differing: Comparison, tmp_path: Path) -> None:
    many = with_many_spikes(differing, ticks=250_000)
    path = saved(many, tmp_path / "many.html")
    assert path.stat().st_size < 1_000_000
    assert "1,000,000 spikes are too many to be drawn one by one" in path.read_text()


# --- JSON --------------------------------------------------------------------------------------


def test_json_holds_the_numbers_of_every_figure_in_the_page(net: Path) -> None:
    html, file = net.with_suffix(".html"), net.with_suffix(".json")
    done = spiketwin(net, "--on=model:", "--on=float:", "--report", html, "--json", file)
    assert done.exit_code == 0, done.output
    figures = json.loads(file.read_text())
    drawn = {figure["name"]: figure for figure in figures["figures"]}
    sections = re.findall(r'<section id="(\S+)" aria', html.read_text())
    assert sections == ["targets", *drawn, "again"]
    tables = [table for figure in drawn.values() for table in figure["tables"]]
    captions = re.findall("<caption>(.*)</caption>", html.read_text())
    assert captions == [table["title"] for table in tables]
    assert all(len(row) == len(table["columns"]) for table in tables for row in table["rows"])
    counts = drawn["spikes"]["tables"][0]["rows"]
    assert [row[1] for row in counts] == [each["spikes"] for each in figures["targets"].values()]


def test_the_call_in_the_page_makes_it_again(net: Path) -> None:
    html = net.with_suffix(".html")
    arguments = [str(net), "--on", "model:", "--on", "model:", "--ticks", "20", "--every", "3"]
    assert spiketwin(*arguments, "--report", html).exit_code == 0
    assert f"<code>spiketwin compare {' '.join(arguments)}</code>" in html.read_text()


# --- the trace ---------------------------------------------------------------------------------


Tracks = dict[tuple[str, str], list[dict[str, Any]]]


def nanoseconds(microseconds: float) -> int:
    return round(1000 * microseconds)


@pytest.fixture(scope="module")
def tracks(differing: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Tracks:
    """Events of the trace, in order, by the names of their process and track."""
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    assert trace_file.save(path, differing) == range(TICKS)
    events = json.loads(path.read_text())["traceEvents"]
    names: dict[tuple[str, int, int], str] = {}
    found: Tracks = {}
    for each in events:
        assert type(each["pid"]) is int and type(each["tid"]) is int
        if each["ph"] == "M":
            names[each["name"], each["pid"], each["tid"]] = each["args"]["name"]
        else:
            process = names["process_name", each["pid"], 0].rpartition(" (")[0]
            track = names["thread_name", each["pid"], each["tid"]]
            found.setdefault((process, track), []).append(each)
    return found


def test_spans_of_a_track_of_the_trace_follow_each_other(tracks: Tracks) -> None:
    for events in tracks.values():
        assert all(each["ph"] in "Xibe" and each["name"] and each["ts"] >= 0 for each in events)
        if events[0]["ph"] in "Xi":
            for one, next_one in pairwise(events):
                end = nanoseconds(one["ts"]) + nanoseconds(one.get("dur", 0))
                assert end <= nanoseconds(next_one["ts"])


def test_the_trace_holds_every_tick_phase_and_spike_at_its_cycle(
    differing: Comparison, tracks: Tracks
) -> None:
    for name, played in differing.devices.items():
        run, hz = played.behaviour.run, played.identity.clock_hz
        ticks, phases, events, spikes = (
            tracks[f"{name} core", track] for track in ("ticks", "phases", "axon events", "spikes")
        )
        begins = np.concatenate([[0], np.cumsum(run.cycles)])
        assert [nanoseconds(each["ts"]) for each in ticks] == [b * 10**9 // hz for b in begins[:-1]]
        assert [each["args"]["cycles"] for each in ticks] == run.cycles.tolist()
        assert sum(nanoseconds(each["dur"]) for each in phases) == begins[-1] * 10**9 // hz
        updates = [each for each in phases if each["name"] == "update"]
        assert {nanoseconds(each["dur"]) for each in updates} == {
            schedule.update_cycles(played.identity.params) * 10**9 // hz
        }
        assert [[each["args"]["tick"], each["args"]["axon"]] for each in events] == (
            differing.case.spikes.tolist()
        )
        left = begins[run.spikes[:, 0]] + run.spike_cycles
        expected = zip(*run.spikes.T.tolist(), (left * 10**9 // hz).tolist(), strict=True)
        assert sorted(expected) == sorted(
            (each["args"]["tick"], each["args"]["neuron"], nanoseconds(each["ts"]))
            for each in spikes
        )


def test_the_trace_shows_what_the_host_and_the_line_did(
    differing: Comparison, tracks: Tracks
) -> None:
    for name, played in differing.devices.items():
        ledger = played.behaviour.run.ledger
        process = f"{name} as the host saw it"
        laps = tracks[process, "host"]
        assert sum(each["dur"] for each in laps) == pytest.approx(1e6 * ledger.wall_seconds, abs=1)
        assert {each["name"] for each in laps} == {"encode", "write", "read", "decode"}
        requests = tracks[process, "requests"]
        begun = [each for each in requests if each["ph"] == "b"]
        ended = {each["id"]: each for each in requests if each["ph"] == "e"}
        assert len(begun) == len(ended) == sum(len(each.requests) for each in ledger.timelines)
        assert all(each["ts"] < ended[each["id"]]["ts"] for each in begun)
        assert {"RUN", "FETCH", "EVENTS"} <= {each["name"] for each in begun}
        cycles = int(played.behaviour.run.cycles.sum()) / played.identity.clock_hz
        computed = {"core": cycles}
        if name == "model: (2)":
            (timeline,) = ledger.timelines
            computed["line out"] = (
                2e-8 * timeline.laps["bytes"][timeline.laps["activity"] == 1].sum()
            )
            computed["line back"] = (
                2e-8 * timeline.laps["bytes"][timeline.laps["activity"] == 2].sum()
            )
        for track, seconds in computed.items():
            spans = tracks[process, track]
            assert sum(each["dur"] for each in spans) == pytest.approx(1e6 * seconds, rel=0.01)


@pytest.mark.bulk
def test_a_trace_of_a_long_run_is_cut_around_the_first_difference(
    differing: Comparison, tmp_path: Path
) -> None:
    many = with_many_spikes(differing, ticks=30_000)
    path = tmp_path / "trace.json"
    assert trace_file.save(path, many) == range(trace_file.MOST_TICKS)
    parted = replace(many, differences=[replace(differing.differences[0], tick=25_000)])
    shown = trace_file.save(path, parted)
    assert shown == range(20_000, 30_000)
    ticks = [
        each["name"]
        for each in json.loads(path.read_text())["traceEvents"]
        if (each["pid"], each["tid"], each["ph"]) == (2, 1, "X")
    ]
    assert ticks == [f"tick {tick}" for tick in shown]


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "file", "message"),
    [
        ("--report", "page.pdf", "must end with .html"),
        ("--report", "nowhere/page.html", "there is no folder"),
        ("--trace", "trace.pftrace", "must end with .json"),
        ("--trace", "nowhere/trace.json", "there is no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_runs(
    net: Path, option: str, file: str, message: str
) -> None:
    done = spiketwin(net, "--on=model:", "--on=no-such-scheme:", option, net.parent / file)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_one_file_for_two_is_refused(net: Path) -> None:
    both = net.with_suffix(".json")
    done = spiketwin(net, "--on=model:", "--on=model:", "--trace", both, "--json", both)
    assert done.exit_code == 2
    assert "the same file" in " ".join(done.output.split())
    assert not both.exists()


def test_what_a_page_needs_and_is_missing_is_told_before_anything_runs(
    net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = spiketwin(
        net, "--on=model:", "--on=no-such-scheme:", "--report", net.with_suffix(".html")
    )
    assert done.exit_code == 2
    assert "pip install" in done.output and "demo" in done.output


def test_a_page_that_fails_leaves_the_one_there_was(
    differing: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("the one before")
    monkeypatch.setattr(rendering, "version", lambda _name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saved(differing, path)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "the one before"
