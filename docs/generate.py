"""Fills the tables of the documentation from the specification: ``python docs/generate.py``.

A page is Markdown, in which ``<!-- generated: NAME -->`` and ``<!-- end -->`` enclose what comes
from a function of this file. Nothing outside of these lines is touched.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from itertools import groupby
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from amaranth.hdl import Fragment, Shape
from amaranth.lib.wiring import In, Out
from pyNN.standardmodels import StandardModelType

from spiketwin.cosim.commands.importing import Imported
from spiketwin.cosim.compare.hardware import Study
from spiketwin.cosim.compare.sweep import SweepResult
from spiketwin.cosim.demo.result import DemoResult
from spiketwin.cosim.explore.objectives import KNOWN
from spiketwin.cosim.explore.results import Exploration
from spiketwin.cosim.report.result import ComparisonResult
from spiketwin.cosim.trials.bench_figures import BenchResult, PeersResult
from spiketwin.cosim.trials.coverage.campaign import waivers
from spiketwin.cosim.trials.coverage.results import CoverageResult
from spiketwin.cosim.trials.doctor import Examination
from spiketwin.cosim.trials.fuzz.results import FuzzResult
from spiketwin.cosim.trials.mutants import MutantsResult
from spiketwin.cosim.trials.mutation.results import MutationResult
from spiketwin.cosim.trials.selftest import Report
from spiketwin.cosim.trials.verify.results import VerifyResult
from spiketwin.firmware.board import board
from spiketwin.firmware.estimates.model import counted, predicted, stored
from spiketwin.firmware.figures import BuildFigures
from spiketwin.firmware.target import resolve
from spiketwin.hdl.gateware.link import instructions
from spiketwin.hdl.gateware.link.dispatcher import dispatcher
from spiketwin.hdl.gateware.link.program import Program
from spiketwin.hdl.gateware.link.tables import ADDRESSES, UNITS, Tables, tables
from spiketwin.hdl.gateware.top import BytesTop, CoreTop, PinsTop
from spiketwin.hdl.spec import arithmetic, params, schedule
from spiketwin.hdl.spec.params import DEFAULT_CLOCK_HZ, PRESETS, CoreParams, described, size_bytes
from spiketwin.hdl.spec.protocol import (
    BAUD_TRIAL_CYCLES,
    COUNT_BYTES,
    MAX_BIASES,
    MAX_BODY,
    MAX_ELEMENT_BYTES,
    MAX_EVENTS,
    MAX_FETCH_WORDS,
    MAX_FRAME,
    MIN_CYCLES_PER_BIT,
    PROTOCOL_VERSION,
    REPLY_HEADER,
    REQUEST_HEADER,
    REQUESTS,
    SPIKE_CYCLE_BITS,
    SPIKE_GROUP_BITS,
    SPIKE_MASK_BITS,
    STATUS_DOC,
    WORD_COUNT_BITS,
    Identity,
    Opcode,
    Request,
    Status,
    Word,
)
from spiketwin.hdl.spec.registers import (
    COUNTERS,
    SATURATIONS,
    ClearMask,
    Space,
    profile_columns,
    registers,
    rule_columns,
    space_formats,
)
from spiketwin.hdl.spec.results import Result
from spiketwin.hdl.spec.variables import BY_SPACE, PARAMETER_ARRAYS, VARIABLES, Variable
from spiketwin.host.cli.catalogue import SECTIONS
from spiketwin.host.cli.convert import Converted
from spiketwin.host.cli.inspect import Inspection
from spiketwin.host.cli.run import RunResult
from spiketwin.host.network import ARRAYS, WIDEST, array_types
from spiketwin.host.ports import SerialPorts
from spiketwin.host.pynn import cells as pynn_cells
from spiketwin.host.pynn import electrodes as pynn_electrodes
from spiketwin.host.pynn import synapses as pynn_synapses
from spiketwin.host.pynn.report import Report as PynnReport
from spiketwin.host.summaries import LedgerSummary

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = (
    "README.md",
    "docs/architecture.md",
    "docs/boards.md",
    "docs/coverage.md",
    "docs/explore.md",
    "docs/ledger.md",
    "docs/link-program.md",
    "docs/mutants.md",
    "docs/parameters.md",
    "docs/protocol.md",
    "docs/pynn.md",
    "docs/python.md",
    "docs/sizes.md",
    "docs/speed.md",
    "docs/testbenches.md",
    "docs/tests.md",
    "docs/tick.md",
    "docs/trust.md",
)

_BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

_PROBE: Final = CoreParams(
    n_axons=40, n_neurons=72, lanes=4, neuron_lanes=2, source_lanes=2, weight_width=9, v_width=17,
    i_syn_width=18, theta_width=19, trace_width=11, refrac_width=7, digest_rounds=1,
    n_profiles=8, decay_shift=True, receptors=2, probe_ranges=3,
)  # fmt: skip
"""A core in which no two sizes are equal, so that a number in a table tells where it is from."""

_SHAPES: Final = {
    getattr(_PROBE, name): f"`{name}`"
    for name in ("n_neurons", "n_sources", "neuron_groups", "n_profiles", "probe_ranges")
}


def refreshed(page: str) -> str:
    """Give a page with everything generated in it anew; `KeyError` for an unknown name."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n\n{found[3]}", page)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


# --- protocol ----------------------------------------------------------------------------------


def _link_limits() -> str:
    return _table(
        ("limit", "value"),
        [
            ("protocol version", PROTOCOL_VERSION),
            ("header of a request", f"{REQUEST_HEADER} bytes"),
            ("header of a reply", f"{REPLY_HEADER} bytes"),
            ("longest body", f"{MAX_BODY} bytes"),
            ("longest frame, its zero included", f"{MAX_FRAME} bytes"),
            ("elements in one `READ` or `WRITE`", f"{MAX_ELEMENT_BYTES} bytes of them"),
            ("single bits in one `WRITE`", f"{MAX_ELEMENT_BYTES - COUNT_BYTES} bytes of them"),
            ("events in one `EVENTS`", MAX_EVENTS),
            ("events in one `BIASES`", MAX_BIASES),
            ("words in one `FETCH`", MAX_FETCH_WORDS),
            ("fastest line", f"{MIN_CYCLES_PER_BIT} cycles a bit"),
            ("trial of a new rate", f"{BAUD_TRIAL_CYCLES:,} cycles"),
        ],
    )


def _requests() -> str:
    return _table(
        ("opcode", "request", "arguments (bytes)", "then", "result", ""),
        [
            (
                int(r.opcode),
                f"`{r.opcode.name}`",
                ", ".join(f"`{f.name}` ({f.size})" for f in r.arguments) or "–",
                _tail(r),
                r.result or "–",
                r.doc,
            )
            for r in REQUESTS.values()
        ],
    )


def _tail(request: Request) -> str:
    if not request.tail:
        return "–"
    return f"{request.tail} ({request.tail_size} each)" if request.tail_size else request.tail


def _statuses() -> str:
    return _table(
        ("status", "name", "meaning"), [(int(s), f"`{s.name}`", STATUS_DOC[s]) for s in Status]
    )


def _identity() -> str:
    """Offsets from the structure that packs the head, then the bytes of each size."""
    head = [f.name for f in fields(Identity) if f.name != "params"]
    sizes = {field.name: size_bytes(field.name) for field in fields(CoreParams)}
    packed = Identity.of(_PROBE, 1, "").pack()
    sizes |= {"version": 2, "build": len(packed) - 2 - 3 * 4 - sum(sizes.values())}
    rows, offset = [], 0
    for name in (*head, *(f.name for f in fields(CoreParams))):
        size = sizes.get(name, 4)
        rows.append((offset, size, f"`{name}`"))
        offset += size
    return _table(("offset", "bytes", "field"), rows)


def _spaces() -> str:
    plain = replace(_PROBE, digest_rounds=0, n_profiles=1, decay_shift=False, receptors=1)
    plain = replace(plain, probe_ranges=0)
    most, few = len(registers(plain)), len(registers(replace(plain, learning=False)))
    # What a footnote says of an array is said here of the space that is none.
    marks = {Space.PROFILE_TABLE: _MARKS["has_profiles"]}
    rows = []
    elsewhere = {array.space for array in PARAMETER_ARRAYS}
    for fmt in (f for f in space_formats(_PROBE).values() if f.space not in elsewhere):
        array = None if fmt.space is Space.PENDING else BY_SPACE.get(fmt.space)
        columns = _SHAPES.get(fmt.columns, str(fmt.columns))
        if fmt.space is Space.REGISTER:
            columns = f"{most}, or {few} without learning; others with options, as below"
        elif fmt.space is Space.COUNTER:
            columns = f"{fmt.columns}; {len(SATURATIONS)} more with `saturation_counters`"
        shape = f"{_SHAPES[fmt.rows]} × {columns}" if fmt.rows > 1 else columns
        rows.append(
            (
                int(fmt.space),
                f"`{fmt.space.name}`" + (_footnotes(array) if array else marks.get(fmt.space, "")),
                shape,
                ("signed " if fmt.signed else "") + (_bits(array) if array else str(fmt.width)),
                "yes" if fmt.writable else "no",
                fmt.doc,
            )
        )
    return _table(("space", "name", "elements", "bits", "writable", ""), rows)


def _registers() -> str:
    """Make the table of a core in which profiles hold nothing, as there is one."""
    return _constants("register", registers(replace(_PROBE, n_profiles=1)))


def _profile_columns() -> str:
    return _constants("name", profile_columns(_PROBE))


def _rule_columns() -> str:
    return _constants(
        "name",
        rule_columns(replace(_PROBE, n_projections=2, weight_depth=64, n_rules=4, window_bits=8)),
    )


def _constants(kind_of_name: str, variables: Iterable[Variable]) -> str:
    rows = []
    for index, register in enumerate(variables):
        low, high = register.limits(_PROBE)
        kind = "signed" if register.signed else "unsigned"
        derived = isinstance(register.bits, str)
        span = f"{kind} {_bits(register)} bits" if derived else f"{low}…{high}"
        name = f"`{register.name}`" + _footnotes(register)
        rows.append((index, name, span, register.doc))
    return _table(("address", kind_of_name, "range", ""), rows)


def _bits(variable: Variable) -> str:
    """Return the width of a variable: a number, or the size that it follows."""
    return f"`{variable.bits}`" if isinstance(variable.bits, str) else str(variable.bits)


_OPTIONS: Final = dict.fromkeys(v.built for v in VARIABLES if v.built and v not in PARAMETER_ARRAYS)
_MARKS: Final = {built: f" {mark}" for built, mark in zip(_OPTIONS, "¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉ", strict=False)}


def _footnotes(variable: Variable) -> str:
    """Mark a variable that not every core has."""
    return _MARKS.get(variable.built, "")


def _built() -> str:
    """Say what the marks mean."""
    return "\n".join(
        f"{mark.strip()} only in cores {_where(name)}." for name, mark in _MARKS.items()
    )


def _where(built: str) -> str:
    """Say which cores have what is built with a member of `CoreParams`."""
    if built in {field.name for field in fields(CoreParams)}:
        return f"with `{built}`"
    # What a property tells of several sizes says of itself when.
    return str(getattr(CoreParams, built).__doc__).replace("Whether", "where").rstrip(".")


def _counters() -> str:
    return _table(
        ("element", "counter", "bits", ""),
        [
            (i, f"`{c.name}`" + " ¹" * (c in SATURATIONS), c.width, c.doc)
            for i, c in enumerate(COUNTERS + SATURATIONS)
        ],
    )


def _clear() -> str:
    return _table(("bit", "clears"), [(f"{int(m):#04x}", f"`{m.name}`") for m in ClearMask])


def _words() -> str:
    def bits(low: int, width: int) -> str:
        return f"{low + width - 1}…{low}"

    group = SPIKE_CYCLE_BITS + SPIKE_MASK_BITS
    return "\n\n".join(
        (
            _table(
                ("bits", "a word of spikes"),
                [
                    (31, 0),
                    (bits(group, SPIKE_GROUP_BITS), "group"),
                    (
                        bits(SPIKE_CYCLE_BITS, SPIKE_MASK_BITS),
                        "mask: bit k is neuron `group * neuron_lanes + k`",
                    ),
                    (bits(0, SPIKE_CYCLE_BITS), "cycle since *Update* began"),
                ],
            ),
            _table(
                ("bits", "a word with a count"),
                [
                    (31, 1),
                    (bits(WORD_COUNT_BITS, 31 - WORD_COUNT_BITS), "kind"),
                    (bits(0, WORD_COUNT_BITS), "count"),
                ],
            ),
            _table(
                ("kind", "name", "count"),
                [(int(w), f"`{w.name}`", _meaning(w, _PROTOCOL)) for w in Word],
            ),
        )
    )


_PROTOCOL: Final = ROOT / "hdl/spiketwin/hdl/spec/protocol.py"


def _meaning(member: Enum, path: Path) -> str:
    """Give the text below a member of an enumeration in its source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = type(member).__name__
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name).body
    names = [ast.unparse(node).partition(" = ")[0] for node in body]
    text = body[names.index(member.name) + 1]
    return " ".join(str(ast.literal_eval(ast.unparse(text))).split())


def _checks() -> str:
    """What the device checks in which order: the dispatcher says it where it does it."""
    text = _docstring(ROOT / "hdl/spiketwin/hdl/gateware/link/dispatcher.py")
    return text[text.index("1. ") :].rstrip()


# --- parameters --------------------------------------------------------------------------------


def _parameters() -> str:
    """Make the table of what a network sets for each neuron, source and synapse."""
    rows = []
    for name, variable in ARRAYS.items():
        low, high = variable.limits(WIDEST)
        span = "False, True" if variable.is_flag else f"{low:,}…{high:,}"
        default = f"{bool(variable.default) if variable.is_flag else variable.default}"
        known_as = variable.known_as or "–"
        rows.append((f"`{name}`", variable.per.value, default, span, variable.doc, known_as))
    head = ("attribute", "one for each", "default", "range", "what it is", "in the field")
    return _table(head, rows)


def _parameter_spaces() -> str:
    rows = [
        (
            int(v.space),
            f"`{v.space.name}`",
            " × ".join(f"`{side}`" for side in _sides(v, "n_sources")),
            ("signed " if v.signed else "") + _bits(v),
            _where(v.built) if v.built else "–",
        )
        for v in sorted(PARAMETER_ARRAYS, key=lambda v: v.space)
    ]
    return _table(("space", "name", "elements", "bits", "only in cores"), rows)


def _parameter_members() -> str:
    types, rows = array_types(), []
    for name, variable in ARRAYS.items():
        sides = _sides(variable, "n_axons + n_neurons")
        shape = ", ".join(sides) + "," * (len(sides) == 1)
        rows.append((f"`{name}.npy`", types[name], f"({shape})", variable.since))
    return _table(("member", "type", "shape", "since version"), rows)


def _sides(variable: Variable, sources: str) -> list[str]:
    """Name the sides of an array of a network, whose number of sources is written like this."""
    names = {3: "n_neurons", 5: sources}
    return [names[length] for length in variable.shape(n_axons=2, n_neurons=3)]


# --- the link's program ------------------------------------------------------------------------


def _link_program() -> tuple[Program, Tables]:
    """Make the program and the tables of a core of the largest reference size."""
    sizes = PRESETS["full"]
    made = tables(sizes, Identity.of(sizes, DEFAULT_CLOCK_HZ, ""))
    return dispatcher(sizes, made), made


def _link_instructions() -> str:
    path = ROOT / "hdl/spiketwin/hdl/gateware/link/instructions.py"
    form = _docstring(path).partition("\n\n")[2]
    parts = [re.sub(r"::\n\n((?: .*\n?|\n)+)", _as_code, form).strip()]
    titles = {
        "Operation": "operation", "Bytes": "bytes", "Port": "port", "Condition": "condition",
        "Input": "lane",
    }  # fmt: skip
    for name, title in titles.items():
        kind = getattr(instructions, name)
        rows = [(int(each), f"`{each.name}`", _meaning(each, path)) for each in kind]
        parts.append(_table(("number", title, ""), rows))
    return "\n\n".join(parts)


def _as_code(block: re.Match[str]) -> str:
    """Make a literal block of a docstring one of a page."""
    return f":\n\n```text\n{textwrap.dedent(block[1]).rstrip()}\n```\n\n"


def _link_cells() -> str:
    path = ROOT / "hdl/spiketwin/hdl/gateware/link/instructions.py"
    places = _link_program()[0].cells()
    rows = [
        (f"`{cell.name}`", places.get(cell, "–"), _meaning(cell, path))
        for cell in instructions.Scratch
    ]
    return _table(("cell", "place", ""), rows)


def _link_listing() -> str:
    program, _ = _link_program()
    spans = (
        ("AWAIT FRAME", "SESSION"), (Opcode.CLEAR.name, Opcode.FETCH.name),
        ("ANSWER", "SEND IDENTIFY"), ("FINISH", None),
    )  # fmt: skip
    listed = ["\n".join(program.listing(begin, end)) for begin, end in spans]
    return "```text\n" + "\n  …\n".join(listed) + "\n```"


def _link_room() -> str:
    program, _ = _link_program()
    words, most = instructions.PROGRAM_WORDS, instructions.MOST_PROGRAM_WORDS
    return (
        f"A core of the size `full` has a program of {len(program)} instructions. The memories "
        f"have room for {words} of them and for {ADDRESSES} bytes of tables, and grow with a core "
        f"that needs more, up to {most} and {ADDRESSES * max(UNITS)}."
    )


# --- tick --------------------------------------------------------------------------------------


def _phases() -> str:
    text = _docstring(ROOT / "hdl/spiketwin/hdl/spec/schedule.py")
    formula, _, last = text.partition("::\n\n")[2].rpartition("\n\n")
    return f"```text\n{textwrap.dedent(formula)}\n```\n\n{last.strip().replace('``', '`')}"


def _phase_lengths() -> str:
    names = [name for name in vars(schedule) if name.isupper()]
    return _table(
        ("constant", "cycles"), [(f"`{name}`", getattr(schedule, name)) for name in names]
    )


def _cycle_examples() -> str:
    rows = []
    for name, p in PRESETS.items():
        if p.has_projections:  # whose ticks take what the table says
            continue
        few = max(1, round(0.02 * p.n_sources))
        sparse = schedule.tick_cycles(p, few, few // 2, learns=True)
        rows.append(
            (
                f"`{name}`",
                schedule.tick_cycles(p, 0, 0, learns=True),
                f"{sparse} (R = {few}, F = {few // 2})",
                f"{schedule.most_cycles(p):,}",
            )
        )
    return _table(("size", "silent", "2 % of the sources active, half as many fire", "most"), rows)


def time_constant(bits: int, tau: int) -> float:
    """Ticks in which the largest value of so many bits falls to 1/e by the code for `tau`, as run.

    Between two ticks the value is taken to fall exponentially.
    """
    full = (1 << bits) - 1
    code, goal = arithmetic.decay_code(tau), full / math.e
    ticks, before, value = 0, full, full
    while value > goal:
        before, value = value, arithmetic.decay(value, code)
        ticks += 1
    return ticks - 1 + math.log(before / goal) / math.log(before / max(value, 0.5))


def _decay() -> str:
    rows = []
    for bits in (8, 10, 12, 15, 16, 23):
        errors = [abs(time_constant(bits, tau) / tau - 1) for tau in range(1, 1001)]
        worst = [f"{100 * max(errors[:most]):.2f} %" for most in (10, 100, 1000)]
        holds = [_holds(errors, bound) for bound in (0.02, 0.05)]
        rows.append((bits, *worst, *holds))
    head = (
        "bits", "worst error, 1…10 ticks", "1…100", "1…1000", "within 2 % up to", "within 5 % up to"
    )  # fmt: skip
    return _table(head, rows)


def _holds(errors: list[float], bound: float) -> int:
    """Longest time constant up to which every one is within a bound."""
    return next((index for index, error in enumerate(errors) if error > bound), len(errors))


# --- testbenches --------------------------------------------------------------------------------


def _ports() -> str:
    """Make a table of the ports of all tops, with their widths at a small size.

    Probes have the highest numbers of spaces, so no space that is added changes a width.
    """
    sizes = "tiny,probe_ranges=1"
    small = params.preset(sizes)
    tops = CoreTop(small), BytesTop(small, 1, ""), PinsTop(small, 1, "", MIN_CYCLES_PER_BIT)
    elaborate: Any = Fragment.get
    rows = []
    for top in tops:
        elaborate(top, None)  # as Amaranth warns of what was made and is not elaborated
        ports = {"__".join(map(str, path)): port for path, port, _ in top.signature.flatten(top)}
        bits = {name: Shape.cast(port.shape).width for name, port in ports.items()}
        sides = (
            ", ".join(
                f"`{name}`" + f" ({bits[name]})" * (bits[name] > 1)
                for name in sorted(ports)
                if ports[name].flow is flow
            )
            for flow in (In, Out)
        )
        rows.append((f"`{type(top).__name__}`", *sides))
    table = _table(("module", "inputs, beside `clk` and `rst`", "outputs"), rows)
    return f"{table}\n\nIn brackets the bits at `{sizes}`, where there are several."


# --- architecture and README -------------------------------------------------------------------


def _modules(folder: str) -> Callable[[], str]:
    """Make the list of the modules of a folder with the first sentence of each."""

    def block() -> str:
        files = sorted((ROOT / folder).glob("*.py"))
        return _table(
            ("file", "what it is"),
            [
                (f"[`{path.name}`](../{folder}/{path.name})", _summary(path))
                for path in files
                if path.name != "__init__.py"
            ],
        )

    return block


def _drawing(file: str) -> Callable[[], str]:
    """Take the first literal block of a module's docstring."""

    def block() -> str:
        text = _docstring(ROOT / "hdl/spiketwin/hdl/gateware" / file).partition("::\n\n")[2]
        lines = []
        for line in text.splitlines():
            if line and not line.startswith(" "):
                break
            lines.append(line)
        drawing = textwrap.dedent("\n".join(lines)).rstrip()
        return f"```text\n{drawing}\n```"

    return block


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _summary(path: Path) -> str:
    return _docstring(path).partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def _sizes() -> str:
    return _table(
        ("name", "axons", "neurons", "lanes", "synapses", "bits a weight"),
        [
            (
                f"`{name}`", p.n_axons, p.n_neurons, p.lanes,
                f"{p.bank_depth * p.weights_per_word * p.lanes:,}", p.weight_width,
            )
            for name, p in PRESETS.items()
        ],
    )  # fmt: skip


def _core_sizes() -> str:
    """Make a table of the fields of `CoreParams` of its docstring, where their limits are said."""
    defaults = {f.name: "–" if f.default is MISSING else str(f.default) for f in fields(CoreParams)}
    listed = textwrap.dedent((CoreParams.__doc__ or "").partition("----------\n")[2])
    rows = []
    for names, text in re.findall(r"^(\w.*):\n((?: +.*\n)+)", listed, re.MULTILINE):
        fields_named = names.split(", ")
        values = dict.fromkeys(defaults[name] for name in fields_named)
        meaning = re.sub(r"`([A-Z_]+)`", lambda name: f"{getattr(params, name[1]):,}", text)
        rows.append(
            (
                ", ".join(f"`{name}`" for name in fields_named),
                ", ".join(values),
                " ".join(meaning.split()).replace("``", "`"),
            )
        )
    return _table(("field", "default", "legal values"), rows)


def _commands() -> str:
    rows = [
        (f"`spiketwin {entry.name}`", entry.summary, f"`{entry.example}`")
        for section in SECTIONS.values()
        for entry in section
    ]
    return _table(("command", "does", "for example"), rows)


def _builds() -> dict[str, dict[str, Any]]:
    """Read what docs/boards.py has built, by board and core."""
    builds: dict[str, dict[str, Any]] = json.loads(
        (ROOT / "docs/boards.json").read_text(encoding="utf-8")
    )
    return builds


def _board_clocks() -> str:
    """Make the rows of the README."""
    builds = _builds()
    ulx3s, icebreaker, ncx = (
        builds[name] for name in ("ulx3s_25f digits", "icebreaker up5k", "ulx3s_25f ncx")
    )
    ticks = (
        "ticks a second at `ncx`, 2 % of the sources active, ULX3S 25F at "
        f"{ncx['target_mhz']:g} MHz"
    )
    rows = (
        (
            "clock that a ULX3S 25F with `digits` is good for",
            f"{math.floor(ulx3s['fmax_mhz'])} MHz",
        ),
        (
            "clock that an iCEBreaker with `up5k` is good for",
            f"{math.floor(icebreaker['fmax_mhz'])} MHz",
        ),
        (ticks, f"{_ticks_a_second(ncx):,.0f}"),
    )
    return _table(("figure", "value", "origin"), [(*row, "estimated") for row in rows])


def _ticks_a_second(build: dict[str, Any]) -> float:
    """Give them with 2 % of the sources active, half as many neurons firing, learning on."""
    p = CoreParams(**build["params"])
    few = max(1, round(0.02 * p.n_sources))
    hz = float(build["target_mhz"]) * 1e6
    return hz / schedule.tick_cycles(p, few, few // 2, learns=p.learning)


def _board_figures() -> str:
    """Make a table of what docs/boards.py has built."""
    head = (
        "board", "core", "logic", "block RAM", "multipliers", "SPRAM", "clock, MHz",
        "good for, MHz", "fastest line, MBd", "ticks a second", "built",
    )  # fmt: skip
    return _table(head, [_build_row(name.split()[1], build) for name, build in _builds().items()])


def _build_row(core: str, build: dict[str, Any]) -> tuple[object, ...]:
    clock, fmax = build["target_mhz"], build["fmax_mhz"]
    kinds = (build.get(kind) for kind in ("logic", "memory", "dsp", "spram"))
    return (
        f"`{build['board']}`",
        f"`{core}`",
        *(f"{use['used']:,} of {use['available']:,}" if use else "–" for use in kinds),
        f"{clock:g}",
        f"{fmax:.1f}" if fmax else "not routed",
        f"{build['max_baud'] / 1e6:g}",
        f"{_ticks_a_second(build):,.0f}",
        build["date"],
    )


def _digest_figures() -> str:
    """Make a table of what docs/digests.py has mapped."""
    units: dict[str, list[dict[str, int]]] = json.loads(
        (ROOT / "docs/digests.json").read_text(encoding="utf-8")
    )
    rows = []
    for unit, figures in units.items():
        fpga, core = unit.split()
        kinds = zip(*(build.values() for build in figures), strict=True)
        rows.append((fpga, f"`{core}`", *(", ".join(f"{n:,}" for n in kind) for kind in kinds)))
    return _table(("FPGA", "core", "LUTs with 1, 2, 3 rounds", "flip-flops", "block RAMs"), rows)


def _option_figures() -> str:
    """Make a table of what docs/options.py has built: the base, and what each option adds."""
    cores: dict[str, dict[str, Any]] = json.loads(
        (ROOT / "docs/options.json").read_text(encoding="utf-8")
    )["cores"]
    rows = []
    for name, core in cores.items():
        clock = f"{core['fmax_mhz']:.1f} MHz"
        if core["without"] is None:
            rows.append((f"`{name}`", "–", *(f"{n:,}" for n in core["takes"].values()), clock))
            continue
        without = cores[core["without"]]
        pairs = zip(core["takes"].values(), without["takes"].values(), strict=True)
        beside = f"`{without['added']}`" if without["added"] else "–"
        added = (f"{n - less:+,}" for n, less in pairs)
        rows.append((f"`{core['added']}`", beside, *added, clock))
    head = ("option", "needs", "LUTs", "flip-flops", "block RAMs", "multipliers", "clock")
    return _table(head, rows)


_PEERS: Final = {
    "nest": "NEST",
    "brian2_cpp": "Brian2 C++",
    "brian2_cpp_tuned": "tuned",
    "kernel": "kernel",
    "connect": "`connect`",
}
"""Columns of the tables of peers, by the names of the figures."""


def _peers() -> str:
    """Make a table of what `spiketwin bench --peers` has measured: of all cases and sizes."""
    cases = {"peers": "STDP", "static": "no learning", "layers": "layers, sparse"}
    return _peers_of(cases, _PEERS, least_neurons=0)


def _peers_in_brief() -> str:
    """Make the table of the README: of the networks from all to all."""
    columns = {name: _PEERS[name] for name in ("nest", "brian2_cpp", "kernel", "connect")}
    return _peers_of({"peers": "STDP", "static": "no learning"}, columns, least_neurons=256)


def _peers_of(cases: dict[str, str], columns: dict[str, str], least_neurons: int) -> str:
    figures: dict[str, dict[str, dict[str, Any]]] = _stored("peers.json")
    rows = []
    for case, title in cases.items():
        for size, rates in figures[case].items():
            if int(size) < least_neurons:
                continue
            cells = (f"{rates[name]:,.0f}" if name in rates else "–" for name in columns)
            ratio = f"{rates['kernel'] / rates['brian2_cpp']:.1f}"
            rows.append((title, f"{int(size):,}", *cells, ratio))
    return _table(("network", "neurons", *columns.values(), "kernel to Brian2"), rows)


def _claims() -> str:
    """Make a table of the claims of the README, each with what holds it."""
    rows = []
    for claim in _stated_claims():
        words = " ".join(claim["words"].split())
        for number, (kind, path, what) in enumerate(claim["held_by"]):
            shown = f"[`{path}`](../{path})"
            rows.append(("" if number else f"“{words}”", kind, what, shown, *_tests_in(path)))
    return _table(("claim", "held by a", "of", "in", "tests", "seeded bugs"), rows)


def _stated_claims() -> list[dict[str, Any]]:
    text = (ROOT / "docs/claims.toml").read_text(encoding="utf-8")
    claims: list[dict[str, Any]] = tomllib.loads(text)["claim"]
    return claims


def _tests_in(path: str) -> tuple[int, int | str]:
    """Return the numbers of test functions and of seeded bugs in a file or a folder."""
    found = ROOT / path
    tests = bugs = 0
    for file in [found] if found.is_file() else sorted(found.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            tests += isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            bugs += isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Bug"
    return tests, bugs or "–"


def _evidence() -> str:
    """Make a table of what was run at length, and what came of it."""
    held = [each for claim in _stated_claims() for each in claim["held_by"]]
    proofs = sorted({path for kind, path, _ in held if kind == "proof"})
    counts = [_tests_in(path) for path in proofs]
    bugs = sum(int(count) for _, count in counts if count != "–")
    costs = _stored("tests.json")["all"]["rungs"]
    mutants, compared = _stored("mutants.json"), _stored("verify.json")
    ran = sum(rung["tests"] for rung in costs.values())
    seconds = sum(rung["processor_seconds"] for rung in costs.values())
    rows = [
        ("tests of all rungs", f"{ran:,}, {seconds:,.0f} s of a processor", "`./run test --all`"),
        (
            "units proved, and bugs seeded in them that the proofs have to refute",
            f"{len(proofs)}, {bugs}", "`./run test -m proof --all`",
        ),
        (
            "mutants; those told, simulated; those proved to change nothing ([page](mutants.md))",
            f"{mutants['mutants']}; {mutants['killed']}; {mutants['equivalent']}",
            "`spiketwin bench --mutants 440`",
        ),
        (
            "updates of neurons in which RTL and model were equal; networks; spikes (simulated)",
            f"{compared['neuron_updates']:,}; {compared['samples']:,}; {compared['spikes']:,}",
            f"`spiketwin verify --updates 1e9 --seed {compared['seed']}`",
        ),
    ]  # fmt: skip
    if found := _covered():
        whole = found["total"]
        kinds = ("line", "branch", "toggle")
        shares = (_share(whole["covered"][kind], whole["points"][kind]) for kind in kinds)
        what = "lines, branches, bits that change ([coverage.md](coverage.md)), simulated"
        rows.append((what, ", ".join(shares), "`spiketwin bench --coverage`"))
    return _table(("what", "figure", "command"), rows)


def _stored(name: str) -> dict[str, Any]:
    """Return figures that are stored in docs/."""
    figures: dict[str, Any] = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))
    return figures


def _mutants() -> str:
    """Make a table of what `spiketwin bench --mutants NUMBER` has found: of each unit."""
    found = _stored("mutants.json")
    counts = {**found["units"], "all": found}
    columns = ("mutants", "killed", "equivalent")
    rows = [
        (name if name == "all" else f"`{name}`", *(str(count[column]) for column in columns))
        for name, count in counts.items()
    ]
    rows.append(("drawn and not tried", str(found["untried"]), "–", "–"))
    trials = [(name, str(count)) for name, count in found["by_trial"].items()]
    head = ("unit", "mutants", "killed (simulated)", "change nothing (proved)")
    return f"{_table(head, rows)}\n\n{_table(('told first by', 'mutants'), trials)}"


def _survivors() -> str:
    """Make a table of the mutants that no trial tells, and that may change something."""
    rows = [
        (f"`{each['unit']}`", str(each["line"] or "–"), each["operator"], _code(each["text"]))
        for each in _stored("mutants.json")["list"]
        if each["killed_by"] is None and not each["equivalent"]
    ]
    return _table(("unit", "line", "change", "where"), rows)


def _code(verilog: str) -> str:
    text = verilog.replace("|", "\\|")
    return f"`{text[:77]}…`" if len(text) > 78 else f"`{text}`"


_NOT_STORED: Final = "No figures are stored yet."


def _covered() -> dict[str, Any]:
    """Return the stored figures of coverage; empty if there are none yet."""
    is_stored = (ROOT / "docs/coverage.json").is_file()
    return _stored("coverage.json") if is_stored else {}


def _coverage() -> str:
    """Make a table of what `spiketwin bench --coverage` has found: of each unit."""
    if not (found := _covered()):
        return _NOT_STORED
    kinds = ("line", "branch", "toggle")
    rows = [
        (name, *(_share(unit["covered"][kind], unit["points"][kind]) for kind in kinds))
        for name, unit in [
            *((f"`{name}`", unit) for name, unit in found["units"].items()),
            ("all", found["total"]),
        ]
    ]
    return _table(("unit", *kinds), rows)


def _share(covered: int, points: int) -> str:
    # Rounded down: 100 % is all.
    return f"{covered * 1000 // points / 10} % of {points:,}" if points else "–"


def _waivers() -> str:
    """Make a table of the waivers, and of how many points each is for."""
    waived = _covered().get("waived", {})
    rows = [(each.name, str(waived.get(each.name, "–")), each.reason) for each in waivers()]
    return _table(("waiver", "points", "reason"), rows) if rows else "Nothing."


def _not_reached() -> str:
    """Make a table of the lines and branches that were not reached."""
    if not (found := _covered()):
        return _NOT_STORED
    rows = [
        (each["bench"], f"`{each['unit']}`", each["what"], _code(each["text"]))
        for each in found["list"]
    ]
    return _table(("design", "unit", "branch", "where"), rows) if rows else "Nothing."


def _rungs() -> str:
    """Make a table of the rungs of the tests: what pyproject.toml says of them, what they cost."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    marks = [mark.split(": ", 1) for mark in settings["tool"]["pytest"]["ini_options"]["markers"]]
    costs = json.loads((ROOT / "docs/tests.json").read_text(encoding="utf-8"))
    rows = [
        (f"`{name}`", text, *(_rung_costs(costs, kind, name) for kind in ("short", "all")))
        for name, text in marks[:-2]  # the others choose among the tests
    ]
    return _table(("mark", "proves", "`./run test`", "`./run test --all`"), rows)


def _rung_costs(costs: dict[str, Any], kind: str, rung: str) -> str:
    """Give the number of tests of a rung and their processor seconds, if they were measured."""
    found = costs.get(kind, {"rungs": {}})["rungs"].get(rung)
    if found is None:
        return "–"
    return f"{found['tests']:,}, {found['processor_seconds']:,.0f} s"


# --- results ------------------------------------------------------------------------------------

_RESULTS: Final[dict[str, type[Result]]] = {
    "demo": DemoResult,
    "run": RunResult,
    "import": Imported,
    "convert": Converted,
    "inspect": Inspection,
    "compare": ComparisonResult,
    "sweep": SweepResult,
    "latency": Study,
    "explore": Exploration,
    "selftest": Report,
    "verify": VerifyResult,
    "build": BuildFigures,
    "devices": SerialPorts,
    "doctor": Examination,
    "fuzz": FuzzResult,
    "bench": BenchResult,
    "bench --mutants": MutantsResult,
    "bench --mutants 440": MutationResult,
    "bench --coverage": CoverageResult,
    "bench --peers": PeersResult,
}
"""What each command writes with ``--json``."""

_ELSEWHERE: Final = {LedgerSummary: "([its keys](ledger.md#as-figures))"}
"""Results whose keys stand on another page."""


def _json_tables() -> str:
    """Give a table of the keys for each command."""
    return "\n\n".join(
        f"### `spiketwin {command}`\n\n{_key_table(result)}" for command, result in _RESULTS.items()
    )


def _objectives() -> str:
    """Give what trials of a search can be judged by."""
    rows = [
        (f"`{each.name}`", each.says, each.unit or "share", each.direction.value, each.origin)
        for each in KNOWN.values()
    ]
    return _table(("objective", "what it is", "unit", "better", "origin"), rows)


def _estimates() -> str:
    """Give what is estimated of the builds that are held out, and what they were built with."""
    fitted = [each for each in stored() if not each.held_out]
    rows = []
    for each in stored():
        if each.held_out:
            found = counted(each.design, each.params, resolve(board(each.board)).family)
            cells, clock = predicted(fitted, each)
            logic, fmax = each.used["logic"], each.fmax_mhz
            rows.append(
                (
                    f"`{each.board}`",
                    f"`{described(each.params)}`",
                    f"{cells:,.0f}, {logic:,} ({100 * (cells / logic - 1):+.1f} %)",
                    f"{found['memory']}, {each.used['memory']}",
                    f"{found['dsp']}, {each.used.get('dsp', 0)}",
                    f"{clock:.0f}, {fmax:.0f} ({100 * (clock / fmax - 1):+.1f} %)",
                )
            )
    head = ("board", "core", "logic", "block RAMs", "multipliers", "clock, MHz")
    return _table((*head[:2], *(f"{name}: estimated, built" for name in head[2:])), rows)


def _pynn_models() -> str:
    """Give what of PyNN's models a core carries, and what would do instead of the others."""
    rows = []
    for module in (pynn_cells, pynn_electrodes, pynn_synapses):
        for name, model in vars(module).items():
            own = isinstance(model, type) and model.__module__ == module.__name__
            # `Injection` is what the current sources have in common.
            if own and issubclass(model, StandardModelType) and name != "Injection":
                reason = getattr(model, "refusal", "")
                rows.append((f"`{name}`", f"no: {reason}" if reason else "yes"))
    return _table(("model", "runs on a core"), rows)


def _key_table(result: type[Result]) -> str:
    meanings: dict[str, str] = {}
    for key, meaning in _keys(result, ""):
        meanings.setdefault(key, meaning)
    rows = [
        (", ".join(key for key, _ in group), meaning)
        for meaning, group in groupby(meanings.items(), key=lambda item: item[1])
    ]
    return _table(("key", "what it is"), rows)


def _keys(result: type[Result], path: str) -> list[tuple[str, str]]:
    """Give the keys of a result with what they are, those of results in it behind them.

    The path of a key has ``[]`` where the value is a list, and ``.*`` where it is by name.
    """
    docs, rows = _attribute_docs(result), []
    for name in result.names():
        inner, step = _inner_results(_hint(result, name))
        if name in result.json_merged:
            rows += [row for each in inner for row in _keys(each, path)]
            continue
        links = [link for each, link in _ELSEWHERE.items() if each in inner]
        rows.append((f"`{path}{name}`", " ".join([docs[name], *links])))
        for each in inner:
            if each not in _ELSEWHERE:
                rows += _keys(each, f"{path}{name}{step}.")
    return rows


def _hint(result: type[Result], name: str) -> Any:
    """Give the type of an attribute or a property of a result."""
    attribute = getattr(result, name, None)
    if isinstance(attribute, property):
        return get_type_hints(attribute.fget)["return"]
    return get_type_hints(result)[name]


def _inner_results(hint: Any) -> tuple[list[type[Result]], str]:
    """Give the results that a type is made of, and what their keys' paths have between."""
    if isinstance(hint, type) and issubclass(hint, Result):
        return [hint], ""
    kinds = [kind for each in get_args(hint) if (kind := _inner_results(each))[0]]
    found = [each for inner, _ in kinds for each in inner]
    if not found:
        return [], ""
    origin = get_origin(hint)
    own = "" if origin in (Union, UnionType) else ".*" if origin is dict else "[]"
    return found, own + "".join(dict.fromkeys(step for _, step in kinds))


def _attribute_docs(result: type[Result]) -> dict[str, str]:
    """Give what attributes and properties mean: from metadata, docstrings and properties."""
    docs: dict[str, str] = {}
    for each in reversed(result.__mro__):
        section = inspect.cleandoc(each.__doc__ or "").partition("Attributes\n----------\n")[2]
        for names, text in re.findall(r"^(\w[\w, ]*):\n((?:    .*\n?|\n)+)", section, re.MULTILINE):
            docs |= dict.fromkeys(names.split(", "), " ".join(text.split()))
        for name, value in vars(each).items():
            if isinstance(value, property):
                docs[name] = (value.__doc__ or "").partition("\n")[0]
    if is_dataclass(result):
        titles = {each.name: each.metadata.get("title") for each in fields(result)}
        docs |= {name: f"{title}." for name, title in titles.items() if title}
    for plain, written in (("``", "`"), ("|", "\\|"), ("None", "null")):
        docs = {name: text.replace(plain, written) for name, text in docs.items()}
    return docs


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "link-limits": _link_limits,
    "requests": _requests,
    "statuses": _statuses,
    "identity": _identity,
    "spaces": _spaces,
    "registers": _registers,
    "profile-columns": _profile_columns,
    "parameters": _parameters,
    "parameter-spaces": _parameter_spaces,
    "parameter-members": _parameter_members,
    "rule-columns": _rule_columns,
    "built": _built,
    "counters": _counters,
    "clear": _clear,
    "words": _words,
    "checks": _checks,
    "link-instructions": _link_instructions,
    "link-cells": _link_cells,
    "link-listing": _link_listing,
    "link-room": _link_room,
    "ports": _ports,
    "phases": _phases,
    "phase-lengths": _phase_lengths,
    "cycle-examples": _cycle_examples,
    "decay": _decay,
    "spec-files": _modules("hdl/spiketwin/hdl/spec"),
    "core-drawing": _drawing("core/core.py"),
    "update-stages": _drawing("core/neurons.py"),
    "lane-stages": _drawing("core/synapses.py"),
    "dispatcher-states": _drawing("link/dispatcher.py"),
    "gateware-files": _modules("hdl/spiketwin/hdl/gateware"),
    "gateware-core-files": _modules("hdl/spiketwin/hdl/gateware/core"),
    "gateware-link-files": _modules("hdl/spiketwin/hdl/gateware/link"),
    "gateware-line-files": _modules("hdl/spiketwin/hdl/gateware/line"),
    "device-files": _modules("cosim/spiketwin/cosim/device"),
    "model-files": _modules("cosim/spiketwin/cosim/model"),
    "rtl-files": _modules("cosim/spiketwin/cosim/rtl"),
    "netlist-files": _modules("cosim/spiketwin/cosim/netlist"),
    "serial-files": _modules("cosim/spiketwin/cosim/serial"),
    "testbench-files": _modules("cosim/spiketwin/cosim/testbenches"),
    "selftest-files": _modules("cosim/spiketwin/cosim/trials/selftest"),
    "compare-files": _modules("cosim/spiketwin/cosim/compare"),
    "digits-files": _modules("cosim/spiketwin/cosim/digits"),
    "trial-files": _modules("cosim/spiketwin/cosim/trials"),
    "mutation-files": _modules("cosim/spiketwin/cosim/trials/mutation"),
    "coverage-files": _modules("cosim/spiketwin/cosim/trials/coverage"),
    "verify-files": _modules("cosim/spiketwin/cosim/trials/verify"),
    "peers-files": _modules("cosim/spiketwin/cosim/trials/peers"),
    "demo-files": _modules("cosim/spiketwin/cosim/demo"),
    "report-files": _modules("cosim/spiketwin/cosim/report"),
    "firmware-files": _modules("firmware/spiketwin/firmware"),
    "family-files": _modules("firmware/spiketwin/firmware/families"),
    "openfpgaloader-files": _modules("firmware/spiketwin/firmware/openfpgaloader"),
    "host-files": _modules("host/spiketwin/host"),
    "pynn-files": _modules("host/spiketwin/host/pynn"),
    "pynn-models": _pynn_models,
    "pynn-report": lambda: _key_table(PynnReport),
    "board-clocks": _board_clocks,
    "board-figures": _board_figures,
    "digest-figures": _digest_figures,
    "option-figures": _option_figures,
    "sizes": _sizes,
    "core-sizes": _core_sizes,
    "commands": _commands,
    "json": _json_tables,
    "estimates": _estimates,
    "objectives": _objectives,
    "json-ledger": lambda: _key_table(LedgerSummary),
    "rungs": _rungs,
    "peers": _peers,
    "peers-in-brief": _peers_in_brief,
    "claims": _claims,
    "evidence": _evidence,
    "mutants": _mutants,
    "survivors": _survivors,
    "coverage": _coverage,
    "waivers": _waivers,
    "not-reached": _not_reached,
}
"""What can be generated, by name."""


def main() -> None:
    """Bring all pages up to date."""
    for page in PAGES:
        path = ROOT / page
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
