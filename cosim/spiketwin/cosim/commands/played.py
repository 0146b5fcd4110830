"""The network that `compare` and `sweep` play on their targets: of a file, or a preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from spiketwin.cosim.compare.case import Case
from spiketwin.cosim.compare.presets import PRESETS, preset
from spiketwin.hdl.spec.params import CoreParams
from spiketwin.host import files
from spiketwin.host.cli import options, stimulus
from spiketwin.host.cli.event_file import Asked
from spiketwin.host.errors import InvalidInput
from spiketwin.host.files import Stimulus

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@dataclass(frozen=True)
class Played:
    """A network and its stimulus, independent of the core that plays them.

    Attributes
    ----------
    sizes:
        Sizes of a core that holds the network.
    on:
        Returns the case for a core of given sizes.
    stimulus:
        The stimulus of a file; None of a preset.
    """

    sizes: CoreParams
    on: Callable[[CoreParams], Case]
    stimulus: Stimulus | None = None


def arguments(command: _Decorated) -> _Decorated:
    """Add NET, ``--preset``, ``--spikes`` and ``--ticks``, and the options of connections."""
    for add in (
        options.line,
        options.sizes(
            "Default: those of the devices there are, else the least that hold the network."
        ),
        stimulus.ticks,
        stimulus.spike_file,
        click.option(
            "--preset",
            "preset_name",
            type=click.Choice(list(PRESETS)),
            help="Take this network and its stimulus instead of a file.",
        ),
    ):
        command = add(command)
    return command


net = click.argument("net", type=options.InputFile(), required=False)


def name(net: Path | None, preset_name: str | None) -> str:
    """Return the name of the network that is played."""
    return str(preset_name or (net and net.name))


def played(
    net: Path | None,
    preset_name: str | None,
    spike_file: Path | None,
    ticks: int | None,
    digest_rounds: int = 0,
    asked: Asked | None = None,
) -> Played:
    """Return the network that a call plays; raise `click.UsageError` unless it is just one."""
    if net is None and preset_name is None:
        raise click.UsageError(
            "nothing to play: give NET, the file of a network, or --preset, one of "
            + ", ".join(PRESETS)
        )
    if net is not None and preset_name is not None:
        raise click.UsageError(f"give {net} or --preset {preset_name}, not both")
    if net is not None:
        return _of_file(net, spike_file, ticks, digest_rounds, asked)
    for option, given in (("--spikes", spike_file), ("--events", asked and asked.file)):
        if given is not None:
            raise click.UsageError(f"{option} goes with NET: a preset has a stimulus of its own")
    return _of_preset(str(preset_name), ticks, digest_rounds)


def _of_file(
    net: Path,
    spike_file: Path | None,
    ticks: int | None,
    digest_rounds: int,
    asked: Asked | None,
) -> Played:
    network, saved = files.load(net)
    chosen = stimulus.chosen(saved, network.n_axons, spike_file, ticks, asked)
    return Played(
        network.core_params(digest_rounds=digest_rounds, bias_events=len(chosen.biases) > 0),
        lambda sizes: Case.of(network, sizes, chosen.spikes, chosen.ticks, chosen.biases),
        chosen,
    )


def _of_preset(preset_name: str, ticks: int | None, digest_rounds: int) -> Played:
    case = preset(preset_name)
    length = ticks or case.ticks
    if length > case.ticks:
        raise InvalidInput(
            f"ticks must be in 1…{case.ticks:,} for the preset {preset_name}, not {length:,}: its "
            "stimulus ends there"
        )
    spikes = case.spikes[case.spikes[:, 0] < length]
    return Played(
        replace(case.params, digest_rounds=digest_rounds, saturation_counters=True),
        lambda sizes: replace(case, params=sizes, spikes=spikes, ticks=length),
    )
