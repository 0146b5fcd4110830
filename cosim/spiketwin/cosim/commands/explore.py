"""``spiketwin explore``: which core for this network, and at what price."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from spiketwin.cosim.commands import spreading
from spiketwin.cosim.compare.presets import PRESETS
from spiketwin.cosim.explore import axes, building, engine, store
from spiketwin.cosim.explore.axes import Axis, Point
from spiketwin.cosim.explore.engine import Goal
from spiketwin.cosim.explore.evaluation import TrialOutcome, evaluate
from spiketwin.cosim.explore.objectives import FITS, KNOWN, Bound, Direction, labelled, split
from spiketwin.cosim.explore.results import BUILT, Exploration
from spiketwin.cosim.explore.script import Script
from spiketwin.cosim.explore.search import Grid, Sampled, Search
from spiketwin.cosim.explore.subjects import NetworkFile, SearchSubject, named
from spiketwin.cosim.report import exploration
from spiketwin.cosim.report.rendering import Head
from spiketwin.cosim.workers.workforce import Workforce
from spiketwin.firmware.board import boards
from spiketwin.host.cli import options, progress
from spiketwin.host.cli.outcome import Outcome, end
from spiketwin.host.errors import InvalidInput
from spiketwin.host.paths import readable

_MOST_ROWS: Final = 30
"""Most trials of the front that are printed; a file has them all."""


def _objectives() -> str:
    """Return the list of objectives, as a paragraph that click leaves as it is."""
    lines = [f"  {each.name:20} {each.direction.value:9} {each.says}" for each in KNOWN.values()]
    return "\b\nobjectives of any network:\n" + "\n".join(lines)


@click.command(
    epilog=f"{_objectives()}\n\n\b\n"
    "spiketwin explore net.npz --vary lanes=2,4,8 --objective tick_cycles\n"
    "spiketwin explore --preset digits --vary weight_width=4..8 --vary ticks=2..8 "
    "--objective accuracy --objective bit_budget --json digits.json\n"
    "spiketwin explore --preset digits --vary weight_width=4..8 --vary juries=2..12 "
    "--objective accuracy --objective tick_cycles --trials 100 --store digits.sqlite\n"
    "spiketwin explore net.npz --vary lanes=2,4 --fits ulx3s_25f --objective logic "
    "--objective ticks_per_second --store net.sqlite --build"
)
@click.argument("what", type=options.InputFile(), required=False)
@click.option(
    "--preset",
    "preset_name",
    type=click.Choice(list(PRESETS)),
    help="Explore this network and its stimulus instead of a file; digits is a task.",
)
@click.option(
    "--vary",
    "varied",
    type=options.read_by(axes.axis),
    multiple=True,
    metavar="NAME=VALUES",
    help="An axis, and its values: lanes=2,4,8, weight_width=4..8, board=icebreaker, clock=12M.",
)
@click.option(
    "--objective",
    "known",
    multiple=True,
    metavar="NAME",
    help="What a trial is judged by, in the direction that is known of it (below).",
)
@click.option(
    "--maximise", multiple=True, metavar="NAME", help="Judge by this, and the more the better."
)
@click.option(
    "--minimise", multiple=True, metavar="NAME", help="Judge by this, and the less the better."
)
@click.option(
    "--at-least",
    "least",
    type=options.read_by(split),
    multiple=True,
    metavar="NAME=NUMBER",
    help="Leave out of the front what has less than this: accuracy=0.9.",
)
@click.option(
    "--at-most",
    "most",
    type=options.read_by(split),
    multiple=True,
    metavar="NAME=NUMBER",
    help="Leave out of the front what has more than this.",
)
@click.option(
    "--fits",
    metavar="BOARD",
    help="Leave out what does not fit this board or is too slow for its clock, as estimated; "
    "'board' where the board is varied.",
)
@click.option(
    "--trials",
    type=click.IntRange(1, axes.MOST_VALUES * axes.MOST_VALUES),
    metavar="N",
    help="Search by N different trials (Optuna), instead of trying all there are.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="Of the search by --trials: with the same one the trials are the same.",
)
@click.option(
    "--build",
    "building_too",
    is_flag=True,
    help="Build every core of the front for its board, and show what the tools report beside what "
    "was estimated. A build takes minutes, once.",
)
@spreading.store
@spreading.workers(1, "Processes on this computer that run trials.")
@spreading.scheduler
@options.json_file
@click.option(
    "--plot", type=options.OutputFile(".png"), metavar="FILE", help="Draw the fronts as PNG."
)
@click.option(
    "--report",
    "html",
    type=options.OutputFile(".html"),
    metavar="FILE",
    help="Write a page with the fronts, and the command of each trial.",
)
def explore(
    what: Path | None,
    preset_name: str | None,
    varied: tuple[Axis, ...],
    known: tuple[str, ...],
    maximise: tuple[str, ...],
    minimise: tuple[str, ...],
    least: tuple[tuple[str, float], ...],
    most: tuple[tuple[str, float], ...],
    fits: str | None,
    trials: int | None,
    seed: int,
    building_too: bool,
    store_file: Path | None,
    workers: int,
    scheduler: str | None,
    json_file: Path | None,
    plot: Path | None,
    html: Path | None,
) -> None:
    """Search the sizes, boards, clocks and lines of a core for a network, and show the front.

    WHAT is the file of a network, or a Python file with a function of your own, which is run
    (docs/explore.md). Every point of the axes is a trial on the model, or with --trials so many of
    them. The front are the trials that no other one beats in all objectives.

    Exits with status 1 if no trial is within the bounds, if one was given up, or if a core
    of the front was built and does not fit or is slower than its clock.
    """
    files = {"--json": json_file, "--plot": plot, "--report": html}
    options.check_distinct(files | {"--store": store_file}, {"WHAT": what})
    subject = _subject(what, preset_name)
    varied = _on_board(varied, fits)
    axes.checked(varied, tuple(subject.own), tuple(boards()))
    directions = _directions(subject, known, maximise, minimise)
    bounds = [Bound(name, value, True) for name, value in least]
    bounds += [Bound(name, value, False) for name, value in most]
    bounds += FITS if fits else ()
    goal = Goal(tuple(directions), tuple(bounds))
    for name in goal.wanted:
        _check_figure(subject, name)
    if plot is not None:
        _check_plot(directions)
    if building_too:
        _check_build(subject, varied)
    search: Search = Grid(varied)
    if trials is not None:
        search = Sampled(varied, tuple(directions.values()), trials, seed)
    console, outputs = options.console(), options.Outputs()
    found: list[tuple[Point, TrialOutcome]] = []
    workforce, ends = Workforce(workers, scheduler), _ends(directions, bounds)
    result = Exploration.of(found, goal, directions, subject.words, ends)
    try:
        try:
            _explore(console, subject, search, goal, store_file, workforce, found)
        finally:
            result = Exploration.of(found, goal, directions, subject.words, ends)
        if building_too:
            result = _built(console, result, store_file, workforce)
    finally:  # what was tried is written even if the search is broken off
        outputs.json(json_file, result)
        _draw(outputs, result, (subject, varied), plot, html)
        _say(console, result, varied)
    outputs.check()
    outcome = _outcome(result)
    outcome.say(console)
    end(outcome.passed)


def _explore(
    console: Console,
    subject: SearchSubject,
    search: Search,
    goal: Goal,
    store_file: Path | None,
    workforce: Workforce,
    found: list[tuple[Point, TrialOutcome]],
) -> None:
    """Add to `found` what comes of a search."""
    work = partial(evaluate, subject, wanted=goal.wanted)
    with (
        store.opened(store_file, engine.identity(subject)) as kept,
        workforce.at_work(work, may_be_here=True) as crew,
        progress.shown(console, "trials") as display,
    ):
        for batch in engine.explored(
            search, crew, kept, goal, lambda done, total: display("exploring", done, total)
        ):
            found += batch


def _built(
    console: Console, found: Exploration, store_file: Path | None, workforce: Workforce
) -> Exploration:
    """Return a result with the builds of its front."""
    with progress.shown(console, "cores") as display:
        return building.built(
            found, store_file, workforce, lambda done, total: display("building", done, total)
        )


def _subject(what: Path | None, preset_name: str | None) -> SearchSubject:
    if (what is None) == (preset_name is None):
        raise click.UsageError(
            "give just one of WHAT, the file of a network or of Python, and --preset, one of "
            + ", ".join(PRESETS)
        )
    if what is None:
        return named(str(preset_name))
    return Script.at(what) if what.suffix == ".py" else NetworkFile.at(what)


def _on_board(varied: tuple[Axis, ...], fits: str | None) -> tuple[Axis, ...]:
    """Return the axes, with the board that a core has to fit unless it is varied."""
    boards_varied = any(each.name == "board" for each in varied)
    if fits is None or boards_varied and fits == "board":
        return varied
    if boards_varied:
        raise InvalidInput(f"the board is varied: write --fits board, not --fits {fits}")
    return (*varied, Axis("board", (fits,)))


def _directions(
    subject: SearchSubject, known: Sequence[str], maximise: Sequence[str], minimise: Sequence[str]
) -> dict[str, Direction]:
    """Return the direction of each objective, in the order of the options."""
    found: dict[str, Direction] = {}
    for name in known:
        if name not in KNOWN:
            raise InvalidInput(
                f"no direction is known of {name!r}: choose of {', '.join(KNOWN)}, or name your "
                "own by --maximise or --minimise"
            )
        found[name] = KNOWN[name].direction
    for names, direction in ((maximise, Direction.MAXIMISE), (minimise, Direction.MINIMISE)):
        for name in names:
            if found.setdefault(name, direction) is not direction:
                raise InvalidInput(f"{name} cannot be both maximised and minimised")
    if not found:
        raise InvalidInput(f"there is no objective: give --objective, one of {', '.join(KNOWN)}")
    return found


def _check_figure(subject: SearchSubject, name: str) -> None:
    own = isinstance(subject, Script) and subject.measures
    if not own and name not in KNOWN:
        raise InvalidInput(f"there is no figure {name!r}: choose of {', '.join(KNOWN)}")


def _ends(directions: dict[str, Direction], bounds: Sequence[Bound]) -> list[str]:
    """Return the words of the call that say what it is for."""
    words = [word for name, each in directions.items() for word in (f"--{each.value}", name)]
    for bound in bounds:
        words += ["--at-least" if bound.at_least else "--at-most", f"{bound.name}={bound.value:g}"]
    return words


def _check_plot(directions: dict[str, Direction]) -> None:
    """Fail before the search if its fronts cannot be drawn."""
    if len(directions) == 1:
        raise click.UsageError("--plot draws two objectives or more: name another one")
    import_module("matplotlib")


def _check_build(subject: SearchSubject, varied: Sequence[Axis]) -> None:
    """Fail before the search if no core of it can be built."""
    if isinstance(subject, Script) and subject.measures:
        raise click.UsageError("--build: trial() of a script returns figures, and no core to build")
    if not any(each.name == "board" for each in varied):
        raise click.UsageError("--build needs a board: add --vary board=NAME, or --fits NAME")


# --- output --------------------------------------------------------------------------------------


def _draw(
    outputs: options.Outputs,
    found: Exploration,
    call: tuple[SearchSubject, Sequence[Axis]],
    plot: Path | None,
    html: Path | None,
) -> None:
    """Write the picture and the page of a search, if they are wanted."""
    subject, varied = call
    title = f"Trials of {readable(subject.words[-1])}"
    if plot is not None:
        picture = import_module("spiketwin.cosim.explore.picture")
        outputs.write(plot, lambda file: picture.save(file, found, title))
    if html is not None:
        axes_given = [word for each in varied for word in ("--vary", str(each))]
        ends = [word for name, each in found.directions.items() for word in (f"--{each}", name)]
        command = shlex.join(["spiketwin", "explore", *subject.words, *axes_given, *ends])
        outcome = _outcome(found)
        outputs.attempt(lambda: exploration.save(html, Head(title, command), found, outcome))


def _say(console: Console, found: Exploration, varied: Sequence[Axis]) -> None:
    table = Table(title="Trials that no other one beats", box=SIMPLE_HEAD, pad_edge=False)
    names = [each.name for each in varied if len(each.values) > 1]
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for name in found.directions:
        table.add_column(labelled(name), justify="right", overflow="fold")
    for place in found.front[:_MOST_ROWS]:
        trial = found.trials[place]
        values: list[Any] = [trial.params[name] for name in names]
        cells = [f"{trial.objectives[name]:,.6g}" for name in found.directions]
        table.add_row(*map(str, values), *cells)
    if found.front:
        console.print(table)
    if any(trial.built is not None for trial in found.trials):
        console.print(_build_table(found, names))
    refused = [trial for trial in found.trials if trial.refused is not None]
    lines = [f"{len(found.trials):,} trials, {len(found.front):,} of them on the front"]
    if len(found.front) > _MOST_ROWS:
        lines.append(f"The first {_MOST_ROWS} are shown; --json writes all.")
    if refused:
        lines.append(f"{len(refused):,} refused, the first one: {refused[0].refused}")
    origins = dict.fromkeys(
        f"{name} {origin}" for trial in found.trials for name, origin in trial.origin.items()
    )
    lines.append("; ".join(origins))
    for each in filter(None, lines):
        console.print(each, soft_wrap=True, highlight=False, markup=False)


def _build_table(found: Exploration, names: Sequence[str]) -> Table:
    table = Table(title="Built: estimated, and reported", box=SIMPLE_HEAD, pad_edge=False)
    for name in (*names, *map(labelled, BUILT)):
        table.add_column(name, justify="right", overflow="fold")
    for trial in (found.trials[place] for place in found.front[:_MOST_ROWS]):
        if trial.built is not None:
            cells = [
                ", ".join("–" if each is None else f"{each:,.4g}" for each in pair)
                for pair in trial.built.pairs()
            ]
            table.add_row(*(str(trial.params[name]) for name in names), *cells)
            if trial.built.failed is not None:
                table.add_row(trial.built.failed, style="bold red")
    origins = dict.fromkeys(
        trial.built.origin for trial in found.trials if trial.built and trial.built.origin
    )
    table.caption = "; ".join(origins)
    return table


def _outcome(found: Exploration) -> Outcome:
    if found.given_up:
        first = found.trials[found.given_up[0]]
        says = f"{len(found.given_up):,} trials, the first one {first.params}: {first.refused}"
        return Outcome(False, "GIVEN UP", (f"{says}. To see why, {first.command}",))
    failed = [t for t in found.trials if t.built is not None and t.built.failed is not None]
    if failed and failed[0].built is not None:
        says = f"{len(failed):,} of {len(found.front):,} trials, the first one {failed[0].params}"
        return Outcome(False, "NOT BUILT", (f"{says}: {failed[0].built.failed}",))
    if found.front:
        return Outcome(True, "FRONT", (f"{len(found.front):,} trials",))
    return Outcome(False, "NOTHING", ("no trial was possible within the bounds",))
