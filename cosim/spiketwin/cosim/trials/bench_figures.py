"""The project's own performance figures: their keys in JSON, meanings and origins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from spiketwin.hdl.spec.results import Result

SIMULATED: Final = "simulated"
MEASURED: Final = "measured"
COMPUTED: Final = "computed"


def _figure(title: str, origin: str) -> Any:
    """Declare a figure with its title in the table, and how it is obtained."""
    return field(metadata={"title": title, "origin": origin})


def shown(group: Any) -> Iterator[Field[Any]]:
    """Yield the figures of a group that the table shows, which are those with a title."""
    return (each for each in fields(group) if "title" in each.metadata)


@dataclass(frozen=True)
class CoreFigures(Result):
    """Cycles of the gateware.

    Attributes
    ----------
    lanes:
        Lanes of the reference size ``full``, where synapses are counted.
    """

    lanes: int
    row_synapses_per_cycle: float = _figure("synapses a cycle, 8 rows, full", SIMULATED)
    column_synapses_per_cycle: float = _figure("synapses a cycle, 8 columns, full", SIMULATED)
    ncx_cycles_per_tick: float = _figure("cycles a tick, 2 % active, ncx", SIMULATED)


@dataclass(frozen=True)
class RtlFigures(Result):
    """Speed of the simulated RTL."""

    cycles_per_second: float = _figure("cycles a second, full", MEASURED)
    ratio_to_bare_verilator: float = _figure("the same, to a bare Verilator loop", MEASURED)
    ticks_per_second: float = _figure("ticks a second, 2 % active, full", MEASURED)


@dataclass(frozen=True)
class RtlCoreFigures(Result):
    """Speed of the simulated RTL of the core alone, behind a link in software."""

    cycles_per_second: float = _figure("cycles a second, level=core, full", MEASURED)
    ratio_to_bare_verilator: float = _figure("the same, to a bare Verilator loop", MEASURED)
    ticks_per_second: float = _figure("ticks a second, 2 % active, full", MEASURED)


@dataclass(frozen=True)
class ProbeFigures(Result):
    """Cost of probing 83 of 256 neurons, with 2 % of the axons ``active`` and ``idle``."""

    ratio_to_run_without: dict[str, float] = _figure(
        "time with 83 probes, to that without, rtl:", MEASURED
    )
    cycles_to_run_without: dict[str, float] = _figure("the same, cycles of the device", SIMULATED)
    bytes_per_value: float = _figure("bytes of the line for a value of 16 bits", SIMULATED)


@dataclass(frozen=True)
class DigestFigures(Result):
    """Digests of the ticks of a learning network on the model and on the RTL."""

    ticks: int = _figure("ticks on model: and rtl:, tiny", SIMULATED)
    equal_ticks: int = _figure("ticks with equal digests", SIMULATED)
    added_cycles_per_tick: float = _figure("cycles a tick that digests add", SIMULATED)


@dataclass(frozen=True)
class NetlistFigures(Result):
    """Speed of the simulated netlist."""

    cycles_per_second: float = _figure("cycles a second, ECP5, digits", MEASURED)


@dataclass(frozen=True)
class CocotbFigures(Result):
    """Speed of a testbench."""

    cycles_per_second: float = _figure("cycles a second, one await a tick, ncx", MEASURED)


@dataclass(frozen=True)
class ModelFigures(Result):
    """Speed of the model; by size where there are several."""

    ticks_per_second: dict[str, float] = _figure("ticks a second, 2 % active", MEASURED)
    ticks_per_second_as_target: dict[str, float] = _figure(
        "ticks a second by the link, 2 % active", MEASURED
    )
    ratio_to_rtl: float = _figure("ticks a second, to those of rtl:, full", MEASURED)


@dataclass(frozen=True)
class BulkFigures(Result):
    """Speed of the model as a target in long runs."""

    ticks_per_second: float = _figure("ticks a second, 256 neurons at 17 Hz", MEASURED)
    ratio_to_kernel: float = _figure("the same, to the model's kernel alone", MEASURED)


@dataclass(frozen=True)
class SizeFigures(Result):
    """Speed of learning networks, by their numbers of neurons."""

    kernel: dict[str, float] = _figure("ticks a second of the kernel", MEASURED)
    connect: dict[str, float] = _figure("ticks a second by the link", MEASURED)
    connect_to_kernel: dict[str, float] = _figure("the same, to those of the kernel", MEASURED)
    kernel_to_rows: dict[str, float] = _figure("the kernel, to bare rows", MEASURED)
    spikes_per_tick: dict[str, float] = _figure("spikes a tick", MEASURED)


@dataclass(frozen=True)
class HostFigures(Result):
    """Time of calls of the host library, ``with_events`` and ``without_events``."""

    run_to_read_counters: dict[str, float] = _figure("time of run(1) to read_counters()", MEASURED)


@dataclass(frozen=True)
class BatchFigures(Result):
    """Speed of 64 runs at once."""

    runs_per_second: float = _figure("runs of 2,000 ticks a second, full", MEASURED)
    ratio_to_one_thread: float = _figure("the same, to those of one thread", MEASURED)


@dataclass(frozen=True)
class FirstUseFigures(Result):
    """The cost of the first use, on ``model`` and on ``rtl``."""

    seconds_to_first_tick: dict[str, float] = _figure(
        "seconds to the first tick, empty caches, full", MEASURED
    )


@dataclass(frozen=True)
class LinkFigures(Result):
    """The shares of the rate of the line that are payload."""

    upload_fraction_of_line_rate: float = _figure(
        "weights in an upload, of the line rate", SIMULATED
    )
    stream_fraction_of_line_rate: float = _figure("words in a stream, of the line rate", SIMULATED)


@dataclass(frozen=True)
class LedgerFigures(Result):
    """The share of the wall time that the ledger explains."""

    share_of_wall_over_a_pseudo_terminal: float = _figure(
        "parts of the ledger, of wall time, rtl+pty:", MEASURED
    )
    share_of_host_line_and_core: float = _figure("host, line and core alone, of the same", MEASURED)


@dataclass(frozen=True)
class DemoFigures(Result):
    """The demo, on ``model`` and on ``rtl``."""

    worst_accuracy_of_five_seeds: float = _figure("accuracy on model:, worst of 5 seeds", COMPUTED)
    ticks_per_second: dict[str, float] = _figure("ticks a second, 200 images", MEASURED)


@dataclass(frozen=True)
class BenchResult(Result):
    """The result of ``spiketwin bench``.

    Attributes
    ----------
    core:
        Cycles of the gateware.
    rtl, rtl_core:
        Speed of the simulated RTL, of the whole device and of the core alone.
    probes:
        What probes cost over the link.
    digest:
        Digests of the model and of the RTL, compared.
    netlist, cocotb, model:
        Speed of the netlist, of a testbench and of the model.
    bulk, sizes, host, batch:
        Speed of long runs, of networks of several sizes, of single calls and of many runs at once.
    first_use:
        Time of the first use on a machine.
    link, ledger:
        Shares of the line and of the wall time.
    demo:
        The demo.
    """

    core: CoreFigures
    rtl: RtlFigures
    rtl_core: RtlCoreFigures
    probes: ProbeFigures
    digest: DigestFigures
    netlist: NetlistFigures
    cocotb: CocotbFigures
    model: ModelFigures
    bulk: BulkFigures
    sizes: SizeFigures
    host: HostFigures
    batch: BatchFigures
    first_use: FirstUseFigures
    link: LinkFigures
    ledger: LedgerFigures
    demo: DemoFigures


@dataclass(frozen=True)
class PeerFigures(Result):
    """Ticks a second of simulators on one network, each on one processor.

    Attributes
    ----------
    brian2_cpp:
        Brian2, C++ standalone, with STDP as in its manual.
    brian2_cpp_tuned:
        The same with the traces of STDP as variables of neurons; not written without learning.
    nest:
        NEST.
    kernel, connect:
        The compiled model alone, and the same as a target, spikes decoded.
    spikes_per_tick:
        Spikes a tick by simulator: they fire alike.
    """

    json_optional = ("brian2_cpp_tuned",)

    brian2_cpp: float
    brian2_cpp_tuned: float | None
    nest: float
    kernel: float
    connect: float
    spikes_per_tick: dict[str, float]


@dataclass(frozen=True)
class PeersResult(Result):
    """Speed beside other simulators, by the number of neurons.

    Attributes
    ----------
    peers:
        All-to-all networks that learn by STDP at every synapse.
    static:
        The same without learning.
    layers:
        Four layers without learning: all-to-all from one to the next, and 5 % of the pairs within.
    """

    peers: dict[str, PeerFigures]
    static: dict[str, PeerFigures]
    layers: dict[str, PeerFigures]
