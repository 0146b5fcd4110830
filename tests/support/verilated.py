"""Simulation of a component of the gateware by Verilator, with processes written in Python.

Amaranth's own simulator takes several times as long for a large component in many cycles, and for a
small one far less than a build. Processes are written as for that simulator, with the part of its
interface that `Context` has.
"""

import ctypes
import functools
import hashlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from amaranth.back import verilog
from amaranth.hdl import Value
from amaranth.lib import data

from spiketwin.cosim.rtl import compiling, toolchain
from spiketwin.hdl import builds

_TOP: Final = "component"
_LIBRARY: Final = "component.so"
_HARNESS: Final = """
#include <memory>
#include "Vcore.h"

namespace {{
struct Component {{
    VerilatedContext context;
    Vcore top{{&context}};
}};
}}

#pragma GCC visibility push(default)
extern "C" {{
void* begin(void** places) {{
    auto* component = new Component;
    auto& top = component->top;
    {places}
    top.eval();
    return component;
}}
void settle(Component* component) {{ component->top.eval(); }}
void step(Component* component) {{
    component->top.clk = 1;
    component->top.eval();
    component->top.clk = 0;
    component->top.eval();
}}
void end(Component* component) {{
    Verilated::threadContextp(&component->context);  // the current one may be deleted by now
    component->top.final();
    delete component;
}}
}}
"""

Wait: TypeAlias = Generator[tuple[Any, ...], list[Any], tuple[Any, ...]]
"""What a process awaits: a cycle, and the values of some signals just before its edge."""

Process: TypeAlias = Coroutine[tuple[Any, ...], Any, None]


class Ticks:
    """Cycles to wait for, as `TickTrigger` of Amaranth; sampled just before the edge."""

    def __init__(self, sampled: tuple[Any, ...] = ()) -> None:
        self._sampled = sampled

    def sample(self, *signals: Any) -> Self:
        return type(self)(self._sampled + signals)

    def __await__(self) -> Wait:
        values = yield self._sampled
        return True, False, *values

    async def __aiter__(self) -> AsyncIterator[tuple[Any, ...]]:
        while True:
            yield await self

    async def repeat(self, count: int) -> None:
        for _ in range(count):
            await self

    async def until(self, condition: Any) -> None:
        ticks = self.sample(condition)
        while not (await ticks)[-1]:
            pass


class Context:
    """One instance of a component, and what a process can do to it.

    Signals are ports of the component, without signs.
    """

    def __init__(self, library: Path, component: Any) -> None:
        self._calls = ctypes.CDLL(str(library))
        self._calls.begin.restype = ctypes.c_void_p
        ports = _ports(component)
        places = (ctypes.c_void_p * len(ports))()
        self._model = ctypes.c_void_p(self._calls.begin(places))
        # By number, as signals compare to an expression; the component keeps them alive.
        self._bytes = {
            id(value): (ctypes.c_uint8 * _size(value)).from_address(place or 0)
            for (_, value), place in zip(ports, places, strict=True)
        }
        self._inputs: dict[int, int] = {}
        self._settled = True

    def get(self, signal: Any) -> Any:
        """Return the value of a port."""
        if not self._settled:
            self._calls.settle(self._model)
            self._settled = True
        value = int.from_bytes(self._bytes[id(Value.cast(signal))], "little")
        return signal.shape().from_bits(value) if isinstance(signal, data.View) else value

    def set(self, signal: Any, value: int) -> None:
        """Set a port, which is an input."""
        signal = Value.cast(signal)
        if self._inputs.get(id(signal)) != value:
            self._inputs[id(signal)] = value
            place = self._bytes[id(signal)]
            place[:] = [*(value & (1 << len(signal)) - 1).to_bytes(len(place), "little")]
            self._settled = False

    def tick(self) -> Ticks:
        """Return the next cycle."""
        return Ticks()

    def step(self) -> None:
        """Let one edge of the clock pass."""
        self._calls.settle(self._model)
        self._calls.step(self._model)
        self._settled = True

    def end(self) -> None:
        """Delete the instance."""
        self._bytes.clear()
        self._calls.end(self._model)


def simulate(
    component: Any, script: Callable[[Any], Process], *background: Callable[[Any], Process]
) -> None:
    """Simulate a component until a script ends; `background` are further processes."""
    context = Context(_library(component), component)
    processes = [process(context) for process in (*background, script)]
    try:
        asked = [process.send(None) for process in processes]
        while True:
            values = [[context.get(signal) for signal in signals] for signals in asked]
            context.step()
            asked = [process.send(told) for process, told in zip(processes, values, strict=True)]
    except StopIteration:
        assert inspect.getcoroutinestate(processes[-1]) == inspect.CORO_CLOSED
    finally:
        for process in processes:
            process.close()
        context.end()


def _ports(component: Any) -> list[tuple[str, Any]]:
    """Return the ports of a component by name."""
    return [
        ("__".join(map(str, path)), Value.cast(value))
        for path, _, value in component.signature.flatten(component)
    ]


def _size(signal: Any) -> int:
    """Return the number of bytes in which Verilator keeps a port."""
    bits = len(signal)
    return next((size for size in (1, 2, 4, 8) if bits <= 8 * size), -(-bits // 32) * 4)


@functools.cache
def _library(component: Any) -> Path:
    """Return the path of a component's library, building it if nobody has yet."""
    ports = _ports(component)
    text = verilog.convert(component, name=_TOP, ports=[value for _, value in ports])
    # Verilator's name of a port has no two underscores in a row.
    places = "\n    ".join(
        f"places[{k}] = &top.{name.replace('__', '___05F')};" for k, (name, _) in enumerate(ports)
    )
    harness = _HARNESS.format(places=places)
    sources = [Path(compiling.__file__).read_text(), toolchain.versions(), text, harness]
    digest = hashlib.sha256("\0".join(sources).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        (folder / "component.v").write_text(text)
        command = [
            "verilator", "-O3", "--x-assign", "fast", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
            "--top-module", _TOP, "component.v",
        ]  # fmt: skip
        compiled(folder, command, harness, compiling.LIBRARY, _LIBRARY)

    return builds.built_once("component", digest, build) / _LIBRARY


def compiled(
    folder: Path, command: list[str], harness: str, kind: compiling.OutputKind, result: str
) -> None:
    """Compile what a command of Verilator reads in a folder, and a harness, to a file in it."""
    what, log, environment = "building for a test", folder / "build.log", toolchain.environment()
    model = [*command, "--cc", "--prefix", compiling.PREFIX, "-Mdir", "objects"]
    builds.run_tool(what, model, log, environment=environment, folder=folder)
    objects = folder / "objects"
    (objects / "harness.cpp").write_text(harness)
    compiling.Compiler(
        what=what, kind=kind, waves=False, options=(), environment=environment, log=log
    ).link(objects, folder / result)
