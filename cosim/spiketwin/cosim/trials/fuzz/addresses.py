"""Addresses of targets and names of sizes as inputs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final, NoReturn
from unittest.mock import patch

from spiketwin.cosim.serial.designs import design_of
from spiketwin.cosim.serial.sizes import core_params
from spiketwin.cosim.trials.fuzz.choices import Choices, Unsound, mutated_text
from spiketwin.hdl.spec.params import CoreParams, ParamsError, described, preset
from spiketwin.host.addresses import parse
from spiketwin.host.errors import InvalidInput
from spiketwin.host.targets import connect

_SMALL: Final = 1 << 10
_DOING: Final = ("alt", "cp2110", "hwgrep", "loop", "spy", "COM")
"""Schemes that act on the machine, or wait, when opened: their addresses are only parsed."""


class Addresses:
    """Addresses for `connect`. Nothing is built or called, and no device is touched.

    Parameters
    ----------
    folder:
        Folder in which recorded sessions would be.
    """

    def __init__(self, folder: Path) -> None:
        self._addresses = (
            "model:",
            "model:?params=tiny",
            "model://?params=tiny,lanes=2,weight_width=6&clock=1000000",
            "rtl:?params=tiny&level=pins&cycles_per_bit=8&clock=12000000",
            "rtl:?level=core&params=tiny,saturation_counters=1",
            "rtl+pty:?params=ncx&level=bytes",
            "netlist:?family=ice40&params=up5k",
            "socket://localhost:7",
            "socket://[::1]:7000",
            "rfc2217://localhost:7?timeout=3&ign_set_control",
            "loop://?log=debug",
            "hwgrep://0403:6010",
            f"replay:{folder}/none.jsonl",
            f"{folder}/ttyUSB1",
        )

    def make(self, choices: Choices) -> bytes:
        """Make an address."""
        text = mutated_text(choices.of(self._addresses), ":/?&=,[]@", choices)
        return text.encode("utf-8", "surrogatepass")

    def feed(self, data: bytes) -> None:
        """Open what the address names, if that is possible without touching anything."""
        url = data.decode("utf-8", "surrogatepass")
        target = parse(url)
        scheme = target.kind.scheme
        if scheme in ("rtl", "rtl+pty", "netlist"):
            design_of(target, "bytes", "ecp5" if scheme == "netlist" else None)
        elif scheme == "model" and _is_large(core_params(target)):
            return
        elif not url.startswith(_DOING):
            with patch.object(socket, "create_connection", _refuse):
                connect(url, params=None, retries=1).close()


def _is_large(params: CoreParams) -> bool:
    """Return whether making such a model would take longer than an input may."""
    return params.n_sources * params.n_neurons > _SMALL


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise ConnectionRefusedError("nobody is called by a test")


class Sizes:
    """Texts for ``--params``."""

    def make(self, choices: Choices) -> bytes:
        """Make a text."""
        text = choices.of(
            (
                "tiny",
                "full,lanes=4",
                "ncx,n_axons=64,n_neurons=128,learning=0",
                "up5k,weight_width=8,single_port_weights=1,link_slots=2",
                "digits,event_queue_depth=1024,spike_queue_depth=2048,digest_rounds=3",
            )
        )
        return mutated_text(text, ",=", choices).encode("utf-8", "surrogatepass")

    def feed(self, data: bytes) -> None:
        """Read the sizes; their description must be read as the same sizes."""
        try:
            params = preset(data.decode("utf-8", "surrogatepass"))
        except ParamsError as error:  # as `connect` does
            raise InvalidInput(str(error)) from error
        if preset(described(params)) != params:
            raise Unsound(f"{described(params)} is read as other sizes")
